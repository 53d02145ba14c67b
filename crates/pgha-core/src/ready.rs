//! What a cluster still waits for before it is ready.
//!
//! Ready means: the router forwards, every etcd member is healthy, every Postgres node is the
//! leader or streams from it on its timeline, and the stanza exists. Judges a [`ClusterView`] and
//! keeps no time: how long anybody has waited is the caller's business.

use std::fmt;

use crate::observe::NOT_STARTED;
use crate::status::{
    ClusterView, ContainerState, DATA_LOST, DATABASE_IN_REPOSITORY, FOREIGN_REPOSITORY, LINKS_CUT,
    MemberView, NodeRole, PATRONI_PAUSED, Problem, RESTORE_UNFINISHED, SET_UP_FAILED, Tally,
};
use crate::topology::Role;

/// A member that is not ready, and what it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The member.
    pub member: String,
    /// What for: a phrase such as `cloning from the leader`.
    pub phrase: String,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.member, self.phrase)
    }
}

/// Every member that is not ready, in the order of the view; empty once the cluster is.
pub fn awaiting(view: &ClusterView) -> Vec<Waiting> {
    let phrase = |member: &MemberView| {
        if member.container_state == ContainerState::Running {
            match member.kind {
                Role::Postgres => postgres(view, member),
                Role::Etcd => etcd(view, member),
                Role::Backup => backup(view, member),
                Role::Proxy => proxy(view, member),
                Role::Wan => None,
            }
        } else {
            Some(container(member.container_state).to_owned())
        }
    };
    view.members
        .iter()
        .filter_map(|m| phrase(m).map(|phrase| Waiting { member: m.name.clone(), phrase }))
        .collect()
}

/// The problem that no waiting solves, where there is one: a restore that is not finished, a set-up that failed, or
/// data that only a restore brings back.
pub fn hopeless(view: &ClusterView) -> Option<&Problem> {
    // What made a database that failed is said before what is in the way of the next one.
    let codes =
        [RESTORE_UNFINISHED, SET_UP_FAILED, DATABASE_IN_REPOSITORY, DATA_LOST, FOREIGN_REPOSITORY];
    codes.iter().find_map(|code| view.problems.iter().find(|problem| problem.code == *code))
}

/// What keeps a node from leading, for a wait until it does.
pub fn to_lead(view: &ClusterView, node: &str) -> String {
    if let Some(other) = view.leader.as_deref().filter(|leader| *leader != node) {
        return format!("{other} leads");
    }
    if !view.quorum.reached() {
        return "no quorum of etcd is known".to_owned();
    }
    // Paused, Patroni promotes nobody.
    if let Some(paused) = view.problems.iter().find(|p| p.code == PATRONI_PAUSED) {
        return paused.message.clone();
    }
    let waiting = awaiting(view).into_iter().find(|waiting| waiting.member == node);
    waiting.map_or_else(|| "ready".to_owned(), |waiting| waiting.phrase)
}

/// The problem that links are cut, where that is what is waited for: sites are not reached, or something else
/// that is wrong follows from it. No waiting mends a link, and somebody may while it is waited.
pub fn cut_off(view: &ClusterView) -> Option<&Problem> {
    let cut = view.problems.iter().find(|problem| problem.code == LINKS_CUT)?;
    let follows = view.problems.iter().any(|problem| problem.cause.as_deref() == Some(LINKS_CUT));
    let unreached = view.sites.iter().any(|site| site.reachable == Some(false));
    (follows || unreached).then_some(cut)
}

fn container(state: ContainerState) -> &'static str {
    match state {
        ContainerState::Missing => "no container yet",
        ContainerState::Created => "container not started yet",
        ContainerState::Paused => "container is paused (docker pause)",
        ContainerState::Restarting => "container keeps restarting",
        ContainerState::Stopped => "container has stopped",
        ContainerState::Running => "container runs",
    }
}

fn etcd(view: &ClusterView, member: &MemberView) -> Option<String> {
    let seen = view.etcd.iter().find(|e| e.name == member.name)?;
    if seen.healthy {
        return None;
    }
    Some(if seen.raft_term.is_none() {
        format!("etcd: {}", seen.error.as_deref().unwrap_or("not answering yet"))
    } else if view.quorum.reached() {
        "etcd: joining the others".to_owned()
    } else {
        "etcd: waiting for quorum".to_owned()
    })
}

fn postgres(view: &ClusterView, member: &MemberView) -> Option<String> {
    if member.state.as_deref() == Some(NOT_STARTED) {
        let why = member.error.as_deref().unwrap_or("it does not say why");
        return Some(format!("Patroni is not started: {why}"));
    }
    let Some(state) = member.state.as_deref() else {
        return Some(format!("Patroni: {}", member.error.as_deref().unwrap_or("not up yet")));
    };
    if let Some(failure) = &member.failure {
        return Some(format!("start failed: {failure}"));
    }
    match member.role {
        Some(NodeRole::Leader) if !view.acknowledging.reached() => {
            let Tally { have, need } = view.acknowledging;
            return Some(format!("{have} of {need} standbys acknowledge writes"));
        }
        Some(NodeRole::Leader) => return too_many_votes(view),
        Some(NodeRole::Primary) if !view.quorum.reached() => {
            return Some("primary, waiting for a quorum of etcd".to_owned());
        }
        Some(NodeRole::Primary) => return Some("primary, waiting for the leader key".to_owned()),
        _ => {}
    }
    let leader = view.leader.as_deref().and_then(|name| view.member(name));
    match (state, leader) {
        ("streaming", Some(leader)) if leader.timeline == member.timeline => None,
        ("streaming", Some(leader)) => Some(format!(
            "on timeline {}, the leader is on {}",
            number(member.timeline),
            number(leader.timeline)
        )),
        ("streaming", None) => Some("streaming, and no leader is known".to_owned()),
        ("running", Some(_)) => Some("not streaming yet".to_owned()),
        ("initializing new cluster" | "running custom bootstrap script", _) => {
            Some("making the database".to_owned())
        }
        ("creating replica", _) => Some("cloning".to_owned()),
        ("start failed" | "restart failed" | "crashed", _) => Some(format!("Postgres: {state}")),
        ("starting", _) => Some("Postgres is starting".to_owned()),
        (_, None) if !view.quorum.reached() => Some("waiting for a quorum of etcd".to_owned()),
        (_, None) if member.timeline.is_none() => {
            Some("waiting for a leader to clone from".to_owned())
        }
        (_, None) => Some("waiting for a leader".to_owned()),
        ("stopped" | "uninitialized", Some(_)) => Some("waiting to be cloned".to_owned()),
        (other, _) => Some(other.to_owned()),
    }
}

/// Whether a failover has to reach more voters than it must to meet one that has acknowledged whatever was. With quorum commit
/// Patroni lets standbys acknowledge first, and only in its next round lowers `quorum`, how many voters a candidate has to
/// reach besides itself; were the leader's data center lost in between, nobody would be promoted.
pub fn wants_too_many_votes(quorum: u64, voters: u64, acknowledge: u32) -> bool {
    quorum > 0 && quorum + u64::from(acknowledge) > voters
}

fn too_many_votes(view: &ClusterView) -> Option<String> {
    let succession = view.succession.as_ref()?;
    let (voters, needed) = (succession.voters.len() as u64, succession.votes_needed);
    wants_too_many_votes(needed.saturating_sub(1), voters, view.acknowledging.need).then(|| {
        format!("a failover wants {needed} of {voters} votes: waiting for Patroni's next round")
    })
}

fn backup(view: &ClusterView, member: &MemberView) -> Option<String> {
    match member.state.as_deref() {
        Some("stanza exists") => None,
        Some(_) if view.leader.is_none() => {
            Some("stanza: waiting for a leader to make it from".to_owned())
        }
        Some(_) => Some("stanza: not there yet".to_owned()),
        None => Some(format!("stanza: {}", member.error.as_deref().unwrap_or("not known yet"))),
    }
}

fn proxy(view: &ClusterView, member: &MemberView) -> Option<String> {
    match (member.state.as_deref(), view.leader.is_some()) {
        (Some("leader seen"), _) => None,
        (Some(_), true) => Some("proxy: checking which node leads".to_owned()),
        (Some(_), false) => Some("proxy: waiting for a leader".to_owned()),
        (None, _) => Some(format!("proxy: {}", member.error.as_deref().unwrap_or("not up yet"))),
    }
}

fn number(timeline: Option<u64>) -> String {
    timeline.map_or_else(|| "none".to_owned(), |t| t.to_string())
}
