//! What would be unsafe now: the one place that says so, as data with numbers. Whoever stops, restarts or
//! removes members asks first.
//!
//! It judges by what is known. A replica of which something is not known counts as one that cannot take over.

mod remains;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::dynamic::Dynamic;
use crate::status::{ClusterView, ContainerState, MemberView, NodeRole};
use crate::topology::Role;
use crate::tuning::SynchronousMode;
use crate::words::{list, standbys};

pub use remains::Remains;

/// What stopping members now would do to a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "hazard", rename_all = "snake_case")]
pub enum Hazard {
    /// etcd could decide nothing any more, so no leader could be elected and today's would give up.
    QuorumLost {
        /// Members that would be left.
        left: u32,
        /// How many it takes.
        need: u32,
    },
    /// The leader would stop, and no replica that is left may be promoted.
    NobodyTakesOver {
        /// The leader.
        leader: String,
        /// Replicas that run and are not ready to take over.
        unready: Vec<String>,
    },
    /// Commits would wait, since the settings refuse to acknowledge them with fewer standbys.
    WritesWait {
        /// Standbys that would be left to acknowledge.
        left: u32,
        /// How many the settings ask for.
        need: u32,
    },
    /// Commits would be acknowledged by fewer standbys than the settings ask for.
    FewerAcknowledge {
        /// Standbys that would be left to acknowledge.
        left: u32,
        /// How many the settings ask for.
        need: u32,
    },
    /// One node alone would have the data.
    OneCopyLeft {
        /// The node.
        node: String,
    },
    /// No node would be left that has the data.
    NoCopyLeft,
    /// WAL could not be archived, and is kept by the leader until it is.
    ArchiveStops,
    /// No packet would pass between sites.
    SitesApart,
}

impl Hazard {
    /// It ends writes, now or with the next failure of nothing else.
    pub fn ends_writes(&self) -> bool {
        matches!(
            self,
            Self::QuorumLost { .. }
                | Self::NobodyTakesOver { .. }
                | Self::WritesWait { .. }
                | Self::NoCopyLeft
                | Self::SitesApart
        )
    }
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QuorumLost { left, need } => {
                write!(f, "etcd loses its quorum: {left} members are left, and it takes {need}")
            }
            Self::NobodyTakesOver { leader, unready } if unready.is_empty() => {
                write!(f, "{leader} leads, and no replica is left")
            }
            Self::NobodyTakesOver { leader, unready } => {
                write!(f, "{leader} leads, and {} cannot take over", list(unready))
            }
            Self::WritesWait { left, need } => {
                let verb = if *left == 1 { "acknowledges" } else { "acknowledge" };
                write!(f, "commits wait: {} {verb}, and it takes {need}", standbys(*left))
            }
            Self::FewerAcknowledge { left, need } => {
                write!(f, "commits are acknowledged by {}, not by {need}", standbys(*left))
            }
            Self::OneCopyLeft { node } => write!(f, "{node} alone has the data"),
            Self::NoCopyLeft => f.write_str("no node is left that has the data"),
            Self::ArchiveStops => {
                f.write_str("no WAL is archived meanwhile, and the leader's disk keeps it")
            }
            Self::SitesApart => f.write_str("all sites are cut off from each other"),
        }
    }
}

/// What would be unsafe about stopping these members at once; nothing of what is so already. Empty where
/// all is well.
pub fn unsafe_to_stop(view: &ClusterView, members: &[&str]) -> Vec<Hazard> {
    let now = Standing::without(view, &[]);
    let then = Standing::without(view, members);
    let mut hazards = Vec::new();
    let need = view.quorum.need;
    if now.etcd >= need && then.etcd < need {
        hazards.push(Hazard::QuorumLost { left: then.etcd, need });
    }
    if let Some(leader) = view.leader.as_ref().filter(|leader| members.contains(&leader.as_str())) {
        if then.candidates == 0 {
            let (leader, unready) = (leader.clone(), then.replicas.clone());
            hazards.push(Hazard::NobodyTakesOver { leader, unready });
        }
    }
    let settings = view.settings;
    let need = view.acknowledging.need;
    // One of those that acknowledge today becomes the leader, where the leader stops.
    let left = then.acknowledging.min(need);
    if left < now.acknowledging.min(need) {
        let strict = settings.is_some_and(|settings: Dynamic| {
            settings.synchronous_mode != SynchronousMode::Off && settings.synchronous_mode_strict
        });
        hazards.push(match left {
            0 if strict => Hazard::WritesWait { left, need },
            _ => Hazard::FewerAcknowledge { left, need },
        });
    }
    match then.copies.as_slice() {
        [] if !now.copies.is_empty() => hazards.push(Hazard::NoCopyLeft),
        [node] if now.copies.len() > 1 => hazards.push(Hazard::OneCopyLeft { node: node.clone() }),
        _ => {}
    }
    if now.archives && !then.archives {
        hazards.push(Hazard::ArchiveStops);
    }
    if now.routes && !then.routes {
        hazards.push(Hazard::SitesApart);
    }
    hazards.sort();
    hazards
}

/// What would be unsafe about losing the data of these members at once. Of a node that neither leads nor streams it counts
/// as unknown whether it has them, and an etcd member that is not in touch with a quorum as one without a store.
pub fn unsafe_to_lose(view: &ClusterView, members: &[&str]) -> Vec<Hazard> {
    let stays = |name: &str| !members.contains(&name);
    let loses = |role: Role| view.members.iter().any(|m| m.kind == role && !stays(&m.name));
    let mut hazards = unsafe_to_stop(view, members);
    // Nobody would bring them back.
    hazards.retain(|hazard| matches!(hazard, Hazard::NobodyTakesOver { .. }));
    if loses(Role::Postgres) && !view.nodes().any(|node| stays(&node.name) && has_data(view, node))
    {
        hazards.push(Hazard::NoCopyLeft);
    }
    let left = view.etcd.iter().filter(|etcd| etcd.healthy && stays(&etcd.name)).count();
    let (left, need) = (u32::try_from(left).unwrap_or(u32::MAX), view.quorum.need);
    if loses(Role::Etcd) && left < need {
        hazards.push(Hazard::QuorumLost { left, need });
    }
    hazards.sort();
    hazards
}

/// A node that is known to have the data.
fn has_data(view: &ClusterView, node: &MemberView) -> bool {
    let leads = view.leader.as_deref() == Some(node.name.as_str());
    let streams =
        node.role.is_some_and(NodeRole::follows) && node.state.as_deref() == Some("streaming");
    node.container_state == ContainerState::Running && (leads || streams)
}

/// What a cluster has to stand on.
struct Standing {
    /// etcd members that are in touch with a quorum.
    etcd: u32,
    /// Nodes that have the data and run.
    copies: Vec<String>,
    /// Replicas that run.
    replicas: Vec<String>,
    /// Those of them that may be promoted.
    candidates: u32,
    /// Standbys that may acknowledge, were the best of them to lead where nobody does.
    acknowledging: u32,
    archives: bool,
    routes: bool,
}

impl Standing {
    fn without(view: &ClusterView, stopped: &[&str]) -> Self {
        let stays = |name: &str| !stopped.contains(&name);
        let runs = |member: &&MemberView| {
            stays(&member.name) && member.container_state == ContainerState::Running
        };
        let some = |role: Role| view.members.iter().filter(runs).any(|member| member.kind == role);
        let nodes: Vec<&MemberView> =
            view.nodes().filter(runs).filter(|node| node.role.is_some()).collect();
        let replicas: Vec<&MemberView> =
            nodes.iter().copied().filter(|n| n.role.is_some_and(NodeRole::follows)).collect();
        let succession = view.succession.as_ref();
        let ready = succession.map_or(0, |succession| succession.without(stopped).count());
        let streams = |node: &MemberView| node.state.as_deref() == Some("streaming");
        let streaming = replicas.iter().filter(|n| streams(n) && view.may_acknowledge(n)).count();
        let leads = view.leader.as_deref().is_some_and(stays);
        let acknowledging = if leads { streaming } else { streaming.saturating_sub(1) };
        let names = |nodes: &[&MemberView]| nodes.iter().map(|node| node.name.clone()).collect();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            etcd: count(view.etcd.iter().filter(|etcd| etcd.healthy && stays(&etcd.name)).count()),
            copies: names(&nodes),
            replicas: names(&replicas),
            candidates: count(ready),
            acknowledging: count(acknowledging),
            archives: some(Role::Backup),
            routes: some(Role::Wan),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;
    use crate::status::tests::Lab;

    fn healthy() -> ClusterView {
        let mut lab = Lab::healthy();
        lab.configured("{}");
        lab.view()
    }

    fn names(view: &ClusterView, role: Role) -> Vec<String> {
        view.members.iter().filter(|m| m.kind == role).map(|m| m.name.clone()).collect()
    }

    fn stopping(view: &ClusterView, members: &[String]) -> Vec<Hazard> {
        unsafe_to_stop(view, &members.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn one_member_of_a_healthy_cluster_may_stop_but_those_that_are_alone() {
        let view = healthy();
        for role in [Role::Postgres, Role::Etcd] {
            for member in names(&view, role) {
                assert_eq!(stopping(&view, std::slice::from_ref(&member)), [], "{member}");
            }
        }
        assert_eq!(stopping(&view, &names(&view, Role::Backup)), [Hazard::ArchiveStops]);
        assert_eq!(stopping(&view, &names(&view, Role::Wan)), [Hazard::SitesApart]);
    }

    #[test]
    fn replicas_that_are_behind_take_nothing_over() {
        let mut lab = Lab::healthy();
        lab.configured(r#"{"maximum_lag_on_failover": 10}"#);
        lab.wrote(5000, &[], 0);
        let view = lab.view();
        let leader = view.leader.clone().expect("it has one");
        let mut unready = names(&view, Role::Postgres);
        unready.retain(|node| *node != leader);
        let hazard = Hazard::NobodyTakesOver { leader: leader.clone(), unready };
        assert!(hazard.ends_writes() && hazard.to_string().contains("cannot take over"));
        assert_eq!(stopping(&view, std::slice::from_ref(&leader)), [hazard]);
        // Without its settings nothing is known of who may.
        let unknown = ClusterView { succession: None, ..healthy() };
        assert!(stopping(&unknown, &[leader]).iter().any(Hazard::ends_writes));
    }

    #[test]
    fn with_quorum_commit_a_candidate_has_to_reach_voters_that_are_left() {
        let mut lab = Lab::healthy();
        lab.configured(r#"{"synchronous_mode": "quorum"}"#);
        let view = lab.view();
        let leader = view.leader.clone().expect("it has one");
        let mut replicas = names(&view, Role::Postgres);
        replicas.retain(|node| *node != leader);
        // One of three acknowledges: of their votes it takes three to be sure.
        lab.wrote(4000, &replicas, 2);
        let view = lab.view();
        let takes_over = |stopped: &[&String]| {
            let stopped: Vec<&str> = stopped.iter().map(|name| name.as_str()).collect();
            let hazards = unsafe_to_stop(&view, &stopped);
            !hazards.iter().any(|h| matches!(h, Hazard::NobodyTakesOver { .. }))
        };
        assert!(takes_over(&[&leader]));
        assert!(!takes_over(&[&leader, &replicas[0]]));
    }

    fn losing(view: &ClusterView, members: &[&String]) -> Vec<Hazard> {
        unsafe_to_lose(view, &members.iter().map(|name| name.as_str()).collect::<Vec<_>>())
    }

    #[test]
    fn the_last_copy_that_is_known_to_be_one_must_not_be_lost() {
        let view = healthy();
        let nodes = names(&view, Role::Postgres);
        let leader = view.leader.clone().expect("it has one");
        let replicas: Vec<&String> = nodes.iter().filter(|node| **node != leader).collect();
        assert_eq!(losing(&view, &[&leader]), []);
        assert_eq!(losing(&view, &replicas), []);
        assert!(losing(&view, &nodes.iter().collect::<Vec<_>>()).contains(&Hazard::NoCopyLeft));
        // One that is being cloned, waits for its leader or is frozen is no copy.
        for state in [Some("creating replica"), Some("running"), None] {
            let mut view = view.clone();
            for node in view.members.iter_mut().filter(|m| replicas.contains(&&m.name)) {
                node.state = state.map(str::to_owned);
            }
            assert!(losing(&view, &[&leader]).contains(&Hazard::NoCopyLeft), "{state:?}");
            assert_eq!(losing(&view, &replicas), [], "{state:?}");
        }
        let mut frozen = view.clone();
        for node in frozen.members.iter_mut().filter(|m| replicas.contains(&&m.name)) {
            node.container_state = ContainerState::Paused;
        }
        assert!(losing(&frozen, &[&leader]).contains(&Hazard::NoCopyLeft));
        // Nobody knows who has what where nobody leads.
        let nobody = ClusterView { leader: None, ..frozen };
        assert!(losing(&nobody, &replicas).contains(&Hazard::NoCopyLeft));
    }

    #[test]
    fn a_store_that_the_quorum_needs_must_not_be_lost() {
        let mut view = healthy();
        let etcd = names(&view, Role::Etcd);
        assert_eq!(losing(&view, &[&etcd[0]]), []);
        let need = view.quorum.need;
        assert_eq!(losing(&view, &[&etcd[0], &etcd[1]]), [Hazard::QuorumLost { left: 1, need }]);
        // Also where it is lost already: the next one would be gone for good.
        view.etcd.iter_mut().filter(|e| e.name == etcd[1]).for_each(|e| e.healthy = false);
        assert_eq!(losing(&view, &[&etcd[0]]), [Hazard::QuorumLost { left: 1, need }]);
    }

    #[test]
    fn what_is_so_already_is_not_held_against_a_stop() {
        let mut view = healthy();
        for etcd in &mut view.etcd {
            etcd.healthy = false;
        }
        let etcd = names(&view, Role::Etcd);
        assert_eq!(stopping(&view, &etcd), []);
    }

    proptest! {
        #[test]
        fn every_set_of_members_is_judged_as_counting_does(
            stopped in {
                let view = healthy();
                let all: Vec<String> = view.members.iter().map(|m| m.name.clone()).collect();
                subsequence(all.clone(), 0..=all.len())
            }
        ) {
            let view = healthy();
            let hazards = stopping(&view, &stopped);
            let left = |role| {
                names(&view, role).into_iter().filter(|m| !stopped.contains(m)).count()
            };
            let has = |wanted: fn(&Hazard) -> bool| hazards.iter().any(wanted);
            let (etcd, nodes) = (left(Role::Etcd), left(Role::Postgres));
            let majority = names(&view, Role::Etcd).len() / 2 + 1;
            prop_assert_eq!(has(|h| matches!(h, Hazard::QuorumLost { .. })), etcd < majority);
            prop_assert_eq!(has(|h| *h == Hazard::NoCopyLeft), nodes == 0);
            prop_assert_eq!(has(|h| matches!(h, Hazard::OneCopyLeft { .. })), nodes == 1);
            let leader_stops = view.leader.as_ref().is_some_and(|leader| stopped.contains(leader));
            let nobody = leader_stops && nodes == 0;
            prop_assert_eq!(has(|h| matches!(h, Hazard::NobodyTakesOver { .. })), nobody);
            prop_assert_eq!(has(|h| *h == Hazard::ArchiveStops), left(Role::Backup) == 0);
            prop_assert_eq!(has(|h| *h == Hazard::SitesApart), left(Role::Wan) == 0);
            for hazard in &hazards {
                prop_assert!(!hazard.to_string().is_empty());
            }
            let hazards = losing(&view, &stopped.iter().collect::<Vec<_>>());
            let loses = |role| names(&view, role).iter().any(|m| stopped.contains(m));
            let has = |wanted: fn(&Hazard) -> bool| hazards.iter().any(wanted);
            prop_assert_eq!(has(|h| *h == Hazard::NoCopyLeft), nodes == 0);
            let store = loses(Role::Etcd) && etcd < majority;
            prop_assert_eq!(has(|h| matches!(h, Hazard::QuorumLost { .. })), store);
            prop_assert_eq!(has(|h| matches!(h, Hazard::NobodyTakesOver { .. })), nobody);
        }

        #[test]
        fn fewer_acknowledge_once_fewer_are_left_than_are_asked_for(stopped in 0..4_usize, asked in 1..4_u32) {
            let mut lab = Lab::healthy();
            lab.configured(&format!(
                r#"{{"synchronous_mode": "quorum", "synchronous_mode_strict": true, "synchronous_node_count": {asked}}}"#
            ));
            let view = lab.view();
            let leader = view.leader.clone().expect("it has one");
            let mut replicas = names(&view, Role::Postgres);
            replicas.retain(|node| *node != leader);
            replicas.truncate(stopped);
            let left = u32::try_from(3 - replicas.len()).expect("a few");
            let fewer = stopping(&view, &replicas).into_iter().find_map(|hazard| match hazard {
                Hazard::FewerAcknowledge { left, need } => Some((left, need, false)),
                Hazard::WritesWait { left, need } => Some((left, need, true)),
                _ => None,
            });
            prop_assert_eq!(fewer, (left < asked).then_some((left, asked, left == 0)));
        }
    }
}
