//! What keeps etcd from deciding anything, and what may soon.

use pgha_wan::service::Service;

use super::{NO_QUORUM, Problem, REPAIR_UNFINISHED, Severity};
use crate::status::{ClusterView, ContainerState, Known};

pub(super) fn quorum(known: &Known<'_>, view: &ClusterView) -> Vec<Problem> {
    let mut problems = Vec::new();
    if view.quorum.reached() {
        problems.extend(minority(known, view));
    } else {
        problems.push(no_quorum(known, view));
    }
    for member in view.etcd.iter().filter(|e| e.healthy && e.error.is_some()) {
        let complaint = member.error.as_deref().unwrap_or_default();
        problems.push(Problem::new(
            Severity::Error,
            "etcd_complains",
            Some(&member.name),
            format!("{} complains: {complaint}", member.name),
            format!("`pgha exec {} -- etcdctl alarm list` has more", member.name),
        ));
    }
    problems
}

/// Members apart from the quorum there is, and a quorum without a member to spare.
fn minority(known: &Known<'_>, view: &ClusterView) -> Vec<Problem> {
    let (have, need, total) = (view.quorum.have, view.quorum.need, view.etcd.len());
    let apart = view.etcd.iter().filter(|e| !e.healthy && known.etcd.contains_key(e.name.as_str()));
    let mut problems: Vec<Problem> = apart
        .filter(|e| known.container_state(&e.name) == ContainerState::Running)
        .map(|member| {
            let reason = member.error.as_deref().unwrap_or("no linearizable read");
            let isolated = known
                .site_of(&member.name)
                .filter(|s| known.isolated_sites(Some(Service::Etcd)).contains(s));
            let hint = match isolated {
                Some(site) => format!("it follows again by itself once {site} is reached"),
                None => format!("`pgha logs {}` shows what it waits for", member.name),
            };
            Problem::new(
                Severity::Warning,
                "etcd_unhealthy",
                Some(&member.name),
                format!("{} is not healthy: {reason}", member.name),
                hint,
            )
        })
        .collect();
    if have == need && (have as usize) < total {
        problems.push(Problem::new(
            Severity::Warning,
            "quorum_at_risk",
            None,
            format!("etcd has {have} of {total} members and needs {need}"),
            if known.settings().failsafe_mode {
                "bring the others back: after the loss of one more nothing fails over, and failsafe_mode \
                 lets the primary go on while every Postgres node answers it"
            } else {
                "bring the others back: the loss of one more stops all writes"
            },
        ));
    }
    problems
}

/// A repair is at work, or was until somebody ended that.
pub(super) fn repair(known: &Known<'_>) -> Option<Problem> {
    let repair = known.repair()?;
    let hint = format!("{}, unless it is at work", repair.ways);
    Some(Problem::new(Severity::Warning, REPAIR_UNFINISHED, None, repair.message(), hint))
}

/// What is to be said of a majority that may be lost for good: nothing where the members that are there may find each
/// other by themselves, or have only to be started. A look at what is left needs the backup host.
fn look_at_stores(known: &Known<'_>, view: &ClusterView) -> Option<String> {
    let state = |name: &str| known.container_state(name);
    let runs = |name: &str| state(name) == ContainerState::Running;
    let host = &known.topology.backup_host().name;
    let apart =
        !runs(&known.topology.router()) || !known.isolated_sites(Some(Service::Etcd)).is_empty();
    if apart || known.repair().is_some() || !runs(host) {
        return None;
    }
    let silent = |name: &str| runs(name) && !known.started_lately(name);
    let may_be_lost = view.etcd.iter().filter(|e| {
        state(&e.name) == ContainerState::Missing || e.raft_term.is_none() && silent(&e.name)
    });
    let left = view.etcd.len() - may_be_lost.count();
    (left < view.quorum.need as usize).then(|| {
        let id = &known.topology.id;
        format!(
            "; `pgha repair etcd {id} --dry-run` shows what is left of each, and whether the majority is lost for good"
        )
    })
}

fn no_quorum(known: &Known<'_>, view: &ClusterView) -> Problem {
    let (have, need, total) = (view.quorum.have, view.quorum.need as usize, view.etcd.len());
    let runs = |name: &str| known.container_state(name) == ContainerState::Running;
    let unseen = view.etcd.iter().filter(|e| runs(&e.name) && e.took_ms.is_none()).count();
    let answering = view.etcd.iter().filter(|e| e.raft_term.is_some()).count();
    let (code, message, hint) = if unseen >= need {
        (
            "quorum_unknown",
            format!("etcd quorum unknown: {unseen} of {total} members not reachable"),
            "no leader is confirmed until then".to_owned(),
        )
    } else if answering >= need && runs(&known.topology.router()) {
        (
            NO_QUORUM,
            format!("etcd has no quorum: {answering} of {total} answer and follow no leader"),
            "an election takes a few seconds; if it stays so, they do not reach each other"
                .to_owned(),
        )
    } else {
        (
            NO_QUORUM,
            format!("etcd has no quorum: {have} of {total}, need {need}"),
            match &view.failsafe {
                Some(_) => format!("nothing fails over until {need} etcd members reach each other"),
                None => format!(
                    "no node is or becomes leader until {need} etcd members reach each other"
                ),
            } + &look_at_stores(known, view).unwrap_or_default(),
        )
    };
    Problem::new(Severity::Error, code, None, message, hint)
}
