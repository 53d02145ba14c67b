//! What is wrong with one Postgres node.

use pgha_wan::service::Service;

use super::{Problem, Severity};
use crate::observe::Patroni;
use crate::render::data_dir;
use crate::status::{ClusterView, ContainerState, Known, MemberView, NodeRole, identity};
use crate::topology::POSTGRES_PORT;
use crate::words::bytes;

/// Patroni's words for a Postgres that it could not start, or that ended by itself.
const FAILED: [&str; 3] = ["start failed", "restart failed", "crashed"];

/// Patroni's word for a state means that Postgres could not be started.
pub(in crate::status) fn is_failed(state: &str) -> bool {
    FAILED.contains(&state)
}

/// What is wrong with one Postgres node whose container runs.
pub(super) fn postgres(known: &Known<'_>, view: &ClusterView, node: &MemberView) -> Vec<Problem> {
    if node.container_state != ContainerState::Running {
        return Vec::new();
    }
    let name = node.name.as_str();
    if let Some(Err(reason)) = known.nodes.get(name).map(|n| &n.patroni) {
        let passes = known.started_lately(name);
        let severity = if passes { Severity::Info } else { Severity::Warning };
        let (message, hint) = if passes {
            (
                format!("{name} was started a moment ago, and its Patroni does not answer yet"),
                "that takes a few seconds".to_owned(),
            )
        } else {
            (
                format!("Patroni's REST API on {name} does not answer: {reason}"),
                format!("`pgha logs {name}` shows what it does"),
            )
        };
        return vec![Problem::new(severity, "node_unknown", Some(name), message, hint)];
    }
    let Some(patroni) = known.patroni(name) else { return Vec::new() };
    // Why not is a problem of its own.
    if patroni.not_started.is_some() || identity::explains_no_leader(known) {
        return Vec::new();
    }
    if let Some(problem) = start_failed(known, node, patroni) {
        return vec![problem];
    }
    let holds_key = known.dcs.and_then(|d| d.leader.as_deref()) == Some(name);
    let leads = matches!(node.role, Some(NodeRole::Leader | NodeRole::Primary)) || holds_key;
    if leads {
        return Vec::new();
    }
    let streams = node.state.as_deref() == Some("streaming");
    if !streams {
        return not_streaming(known, view, node, patroni).into_iter().collect();
    }
    timeline(known, view, node).into_iter().chain(lag(known, node)).collect()
}

/// Postgres ends before it is up, or its start was given up.
fn start_failed(known: &Known<'_>, node: &MemberView, patroni: &Patroni) -> Option<Problem> {
    let name = node.name.as_str();
    let state = patroni.state.as_str();
    // Between two attempts Patroni says that it is starting.
    if !is_failed(state) && (node.failure.is_none() || state == "running") {
        return None;
    }
    let loop_wait = known.settings().loop_wait_s;
    let (said, hint) = match &node.failure {
        Some(said) => (
            said.clone(),
            format!(
                "Patroni tries again every {loop_wait} s: {}",
                way_to_start(name, said, &data_dir(known.topology.spec.postgres))
            ),
        ),
        None => (
            format!("Patroni says `{state}`"),
            format!("`pgha logs {name}` and the newest file in its log directory say why"),
        ),
    };
    Some(Problem::new(
        Severity::Warning,
        "start_failed",
        Some(name),
        format!("{name}: start failed: {said}"),
        hint,
    ))
}

/// What to do about the words that Postgres ended with: they name the file of a bad setting, or not.
fn way_to_start(name: &str, said: &str, data_dir: &str) -> String {
    let by_patroni = format!("`pgha exec {name} -- patronictl edit-config`");
    let by_hand = format!("`pgha exec {name} -- nano {data_dir}/{AUTO_CONF}`");
    if said.contains(AUTO_CONF) {
        format!("a setting of ALTER SYSTEM is bad; remove its line with {by_hand}")
    } else if said.contains("postgresql.conf") || said.contains("postgresql.base.conf") {
        format!("correct the setting with {by_patroni}")
    } else {
        format!(
            "correct a setting with {by_patroni}, or, where `pgha exec {name} -- cat {data_dir}/{AUTO_CONF}` \
             has it (ALTER SYSTEM), remove its line with {by_hand}; for anything else see `pgha logs {name}`"
        )
    }
}

/// The file that ALTER SYSTEM writes; it prevails over the one that Patroni writes.
const AUTO_CONF: &str = "postgresql.auto.conf";

fn not_streaming(
    known: &Known<'_>,
    view: &ClusterView,
    node: &MemberView,
    patroni: &Patroni,
) -> Option<Problem> {
    let name = node.name.as_str();
    let state = node.state.as_deref()?;
    let usual = known.usual_s();
    let problem = |severity, says: &str, hint: String| {
        let message = format!("{name} does not stream: {says}");
        Some(Problem::new(severity, "not_streaming", Some(name), message, hint))
    };
    if state == "creating replica" {
        let hint = format!("it streams once it is cloned; `pgha logs {name}` shows how far it is");
        return problem(Severity::Info, "it is being cloned", hint);
    }
    let Some(leader) = view.leader.as_deref() else {
        // Without a leader there is nothing to follow: that is one problem, not each node's.
        let waits = patroni.state == "running" || known.started_lately(name);
        let hint = format!("`pgha logs {name}` shows how far it is");
        return if waits { None } else { problem(Severity::Warning, state, hint) };
    };
    let archive = state == "in archive recovery";
    let says = match state {
        "in archive recovery" => "it replays the archive",
        "running" => "it is not connected to the leader",
        other => other,
    };
    if let (Some(mine), Some(its)) = (known.site_of(name), known.site_of(leader)) {
        if known.cut_between(mine, its, Some(Service::Postgres)) {
            let says = if known.cut_between(mine, its, None) {
                format!("the link between {mine} and {its} is cut")
            } else {
                format!("port {POSTGRES_PORT} is cut between {mine} and {its}")
            };
            let host = known.topology.backup_host();
            let reads =
                known.site_of(&host.name).is_some_and(|site| !known.cut_between(mine, site, None));
            let hint = if archive && reads {
                "it streams again by itself once packets pass; until then it replays what is archived"
            } else {
                "it streams again by itself once packets pass"
            };
            return problem(Severity::Warning, &says, hint.to_owned());
        }
    }
    if known.settles(name) {
        let hint = format!("after a start or a promotion that is usual for up to {usual} s");
        return problem(Severity::Info, says, hint);
    }
    let why = known.observed.logs.get(name).and_then(|log| log.stream_failure.as_deref());
    match why {
        Some(why) => problem(
            Severity::Warning,
            why,
            if why.contains("has already been removed") {
                format!(
                    "it streams again once it has that segment from the archive; if it is not there: \
                     {}",
                    reinit(name)
                )
            } else {
                format!("it tries again every second; `pgha status` shows the leader {leader}")
            },
        ),
        None if archive => problem(
            Severity::Warning,
            says,
            format!(
                "`pgha exec {name} -- psql -U postgres -c 'table pg_stat_wal_receiver'` and its log tell why"
            ),
        ),
        None => problem(Severity::Warning, says, format!("`pgha logs {name}` shows why")),
    }
}

fn timeline(known: &Known<'_>, view: &ClusterView, node: &MemberView) -> Option<Problem> {
    let name = node.name.as_str();
    let of_leader = view.leader.as_deref().and_then(|l| view.member(l))?.timeline?;
    let mine = node.timeline.filter(|mine| *mine != of_leader)?;
    let (severity, hint) = if known.settles(name) {
        let usual = known.usual_s();
        (Severity::Info, format!("after a start or a promotion that is usual for up to {usual} s"))
    } else if known.promotion_is_unknown() {
        let usual = known.usual_s();
        (
            Severity::Warning,
            format!(
                "for up to {usual} s after a promotion that is usual; when that was is not known, since \
                 the containers are of an earlier pgha. If it stays so: {}",
                reinit(name)
            ),
        )
    } else {
        (Severity::Warning, format!("it does not follow by itself any more: {}", reinit(name)))
    };
    let message = format!("{name} is on timeline {mine}, the leader on {of_leader}");
    Some(Problem::new(severity, "timeline", Some(name), message, hint))
}

fn lag(known: &Known<'_>, node: &MemberView) -> Option<Problem> {
    let max = known.settings().maximum_lag_on_failover_bytes;
    let lag = node.lag_bytes.filter(|lag| *lag > max)?;
    Some(Problem::new(
        Severity::Warning,
        "lag",
        Some(&node.name),
        format!("{} is {} behind the leader", node.name, bytes(lag)),
        format!(
            "Patroni promotes no replica that is more than {} behind (maximum_lag_on_failover)",
            bytes(max)
        ),
    ))
}

fn reinit(name: &str) -> String {
    format!("`pgha exec {name} -- patronictl reinit pgha_cluster {name}` clones it again")
}
