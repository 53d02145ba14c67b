//! What is wrong with one Postgres node.

use super::{Problem, Severity};
use crate::status::{ClusterView, ContainerState, Known, MemberView, NodeRole, identity};

/// What is wrong with one Postgres node whose container runs.
pub(super) fn postgres(known: &Known<'_>, view: &ClusterView, node: &MemberView) -> Vec<Problem> {
    let mut problems = Vec::new();
    let name = node.name.as_str();
    let warn = |code, message: String, hint: String| {
        Problem::new(Severity::Warning, code, Some(name), message, hint)
    };
    if let Some(Err(reason)) = known.nodes.get(name).map(|n| &n.patroni) {
        if node.container_state == ContainerState::Running {
            problems.push(warn(
                "node_unknown",
                format!("could not learn about {name} from its Patroni: {reason}"),
                format!("`pgha logs {name}` shows what it does"),
            ));
        }
        return problems;
    }
    let (Some(patroni), Some(state)) = (known.patroni(name), &node.state) else {
        return problems;
    };
    // Why not is a problem of its own.
    if patroni.not_started.is_some() || identity::explains_no_leader(known) {
        return problems;
    }
    let holds_key = known.dcs.and_then(|d| d.leader.as_deref()) == Some(name);
    let leads = matches!(node.role, Some(NodeRole::Leader | NodeRole::Primary)) || holds_key;
    let running = patroni.state == "running";
    if !leads && state != "streaming" {
        let (says, hint) = match state.as_str() {
            // Without a leader there is nothing to follow: that is one problem, not each node's.
            _ if running && view.leader.is_none() => return problems,
            "in archive recovery" => (
                "it replays the archive",
                "it streams once it has what the leader no longer keeps".to_owned(),
            ),
            "running" => ("it follows nobody", format!("`pgha logs {name}` shows why")),
            other => (other, format!("`pgha logs {name}` shows how far it is")),
        };
        problems.push(warn("not_streaming", format!("{name} does not stream: {says}"), hint));
        return problems;
    }
    let of_leader = view.leader.as_deref().and_then(|l| view.member(l)).and_then(|l| l.timeline);
    if let (Some(mine), Some(its)) = (patroni.timeline, of_leader) {
        if mine != its {
            problems.push(warn(
                "timeline",
                format!("{name} is on timeline {mine}, the leader on {its}"),
                format!(
                    "Patroni mends that within seconds; if not: `pgha exec {name} -- patronictl -c \
                     /pgha/config/patroni.conf reinit pgha_cluster {name}`"
                ),
            ));
        }
    }
    let lag_max_bytes = known.settings().maximum_lag_on_failover_bytes;
    if let Some(lag) = node.lag_bytes.filter(|lag| *lag > lag_max_bytes) {
        problems.push(warn(
            "lag",
            format!("{name} is {lag} bytes behind the leader"),
            format!("Patroni promotes nobody that is more than {lag_max_bytes} bytes behind"),
        ));
    }
    problems
}
