//! What one more loss would do to a cluster as it is now: each site, and the leader alone.
//!
//! The survival table starts from a healthy cluster; this starts from the present one, with what is down, behind or cut
//! off. What is unsafe is decided by [`crate::safety`].

use serde::Serialize;

use crate::finding::Severity;
use crate::safety::{Hazard, unsafe_to_stop};
use crate::status::ClusterView;
use crate::topology::Role;
use crate::words::either;

/// Names in one answer at most; more are counted.
const NAMED_MAX: usize = 3;

/// Losses with one outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextLoss {
    /// Which, such as `DC1` or `the leader`.
    pub lost: Vec<String>,
    /// What follows: a phrase.
    pub outcome: String,
    /// How bad that is.
    pub severity: Severity,
}

impl NextLoss {
    /// `DC1, DC2 or DC3`.
    pub fn losses(&self) -> String {
        let more = self.lost.len().saturating_sub(NAMED_MAX);
        if more == 0 {
            return either(&self.lost);
        }
        format!("{} or {more} more", self.lost[..NAMED_MAX].join(", "))
    }
}

/// The outcomes of losing one more site, or the leader alone; the worst first. Empty where there is no leader to lose.
pub fn next_losses(view: &ClusterView) -> Vec<NextLoss> {
    let Some(leader) = view.leader.as_deref() else { return Vec::new() };
    let mut all: Vec<NextLoss> = Vec::new();
    let mut add = |lost: &str, (severity, outcome): (Severity, String)| match all
        .iter_mut()
        .find(|one| one.outcome == outcome)
    {
        Some(same) => same.lost.push(lost.to_owned()),
        None => all.push(NextLoss { lost: vec![lost.to_owned()], outcome, severity }),
    };
    for site in &view.sites {
        let members: Vec<&str> = site.members.iter().map(String::as_str).collect();
        let runs = |name: &&str| view.member(name).is_some_and(|member| member.state.is_some());
        if members.iter().any(runs) {
            add(&site.name, outcome(view, leader, &members));
        }
    }
    add("the leader", outcome(view, leader, &[leader]));
    all.sort_by_key(|one| one.severity);
    all
}

fn outcome(view: &ClusterView, leader: &str, lost: &[&str]) -> (Severity, String) {
    let hazards = unsafe_to_stop(view, lost);
    let nodes = lost.iter().any(|name| view.member(name).is_some_and(|m| m.kind == Role::Postgres));
    let failsafe = view.settings.is_some_and(|settings| settings.failsafe_mode) && !nodes;
    let unknown = view.succession.is_none() && lost.contains(&leader);
    let stops = hazards.iter().find_map(|hazard| match hazard {
        Hazard::QuorumLost { .. } if failsafe => None,
        Hazard::QuorumLost { left, need } => {
            let of = view.etcd.len();
            Some(format!("writes stop: {left} of {of} etcd members left, quorum is {need}"))
        }
        Hazard::NobodyTakesOver { .. } if unknown => None,
        Hazard::NobodyTakesOver { unready, .. } => Some(match unready.len() {
            0 => "writes stop: no replica is left".to_owned(),
            1 => "writes stop: the replica that is left cannot take over".to_owned(),
            left => format!("writes stop: none of {left} replicas can take over"),
        }),
        Hazard::WritesWait { .. } => Some("commits wait: no standby is left".to_owned()),
        _ => None,
    });
    if let Some(stops) = stops {
        return (Severity::Error, stops);
    }
    if unknown {
        return (Severity::Warning, "not known who takes over".to_owned());
    }
    let mut besides = Vec::new();
    let mut severity = Severity::Info;
    let mut said = if !lost.contains(&leader) {
        if hazards.iter().any(|hazard| matches!(hazard, Hazard::QuorumLost { .. })) {
            severity = Severity::Warning;
            "writes go on without etcd (failsafe mode)".to_owned()
        } else {
            "writes go on".to_owned()
        }
    } else if view.acknowledging.have == 0 {
        severity = Severity::Warning;
        "fails over, the last writes may be lost".to_owned()
    } else {
        "fails over, nothing lost".to_owned()
    };
    for hazard in &hazards {
        match hazard {
            Hazard::FewerAcknowledge { left, need } => {
                besides.push(format!("{left} of {need} standbys acknowledge"));
            }
            Hazard::OneCopyLeft { .. } => besides.push("one copy is left".to_owned()),
            Hazard::ArchiveStops => besides.push("no WAL is archived".to_owned()),
            _ => {}
        }
    }
    if !besides.is_empty() {
        severity = severity.min(Severity::Warning);
        said = format!("{said}; {}", besides.join(", "));
    }
    (severity, said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::ContainerState;
    use crate::status::tests::Lab;

    fn said(view: &ClusterView) -> Vec<String> {
        next_losses(view).iter().map(|one| format!("{}: {}", one.losses(), one.outcome)).collect()
    }

    #[test]
    fn a_healthy_asynchronous_cluster_fails_over_and_may_lose_writes() {
        let (view, ..) = Lab::led();
        assert_eq!(
            said(&view),
            [
                "DC1 or the leader: fails over, the last writes may be lost",
                "DC3: writes go on; no WAL is archived",
                "DC2: writes go on",
            ]
        );
    }

    #[test]
    fn the_second_loss_is_judged_from_the_first() {
        let (mut view, leader, _) = Lab::led();
        let gone = view.etcd.iter().position(|etcd| etcd.name.contains("DC3")).expect("a witness");
        view.etcd[gone].healthy = false;
        let all = said(&view);
        assert!(all[0].contains("writes stop: 1 of 3 etcd members left, quorum is 2"), "{all:?}");
        // Without replicas nobody takes over.
        for member in
            view.members.iter_mut().filter(|m| m.kind == Role::Postgres && m.name != leader)
        {
            member.container_state = ContainerState::Stopped;
            member.role = None;
        }
        view.succession = Some(crate::status::SuccessionView::default());
        let all = said(&view);
        assert!(all.iter().any(|one| one.contains("writes stop: no replica is left")), "{all:?}");
    }

    #[test]
    fn without_a_leader_there_is_none_to_lose() {
        let (view, ..) = Lab::led();
        assert_eq!(next_losses(&ClusterView { leader: None, ..view }), []);
    }
}
