//! Proxies that do not send writers to the leader.

use super::{Problem, Severity};
use crate::status::{ClusterView, ContainerState, Known};
use crate::topology::Role;

/// Code of the problem that a proxy does not see the leader.
pub(super) const PROXY_WITHOUT_LEADER: &str = "proxy_without_leader";

/// One for each proxy whose clients cannot write though somebody leads.
pub(super) fn problems(known: &Known<'_>, view: &ClusterView) -> Vec<Problem> {
    let proxies = known.topology.of_role(Role::Proxy);
    let running = proxies.filter(|m| known.container_state(&m.name) == ContainerState::Running);
    let running = running.filter(|m| known.silence(m).is_none());
    running
        .filter_map(|member| {
            let name = member.name.as_str();
            let Some(behind) = known.behind(name) else {
                let reason = view.member(name).and_then(|m| m.error.as_deref());
                return Some(Problem::new(
                    Severity::Warning,
                    "proxy_unknown",
                    Some(name),
                    format!("{name} does not answer: {}", reason.unwrap_or("not checked yet")),
                    format!("`pgha logs {name}` shows why"),
                ));
            };
            let leader = view.leader.as_ref()?;
            (!behind.read_write.contains(leader)).then(|| {
                Problem::new(
                    Severity::Warning,
                    PROXY_WITHOUT_LEADER,
                    Some(name),
                    format!("{name} does not reach the leader: its clients cannot write"),
                    format!(
                        "it follows a new leader within seconds; the statistics page (`pgha connect {}`) shows \
                         its health checks",
                        known.topology.id
                    ),
                )
            })
        })
        .collect()
}
