//! In which order Postgres is restarted on several nodes: replicas one after the other, then the leader, which hands over first.

use serde::Serialize;

use crate::safety::{Hazard, unsafe_to_stop};
use crate::status::{ClusterView, ContainerState, MemberView, NodeRole};
use crate::switchover::{Refused as NoSwitchover, Switchover, To};

/// What is restarted, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// These nodes; all where there are none.
    pub nodes: Vec<String>,
    /// The leader hands over to another node before it is restarted.
    pub rolling: bool,
    /// Only nodes on which a changed setting waits for that.
    pub pending: bool,
}

/// One step of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Postgres is restarted on a node.
    Restart {
        /// The node.
        node: String,
        /// What that means for the cluster meanwhile, as it is now.
        hazards: Vec<Hazard>,
    },
    /// The leader hands over.
    Switchover {
        /// The leader.
        from: String,
        /// The node that takes over, as it is now.
        to: String,
    },
}

impl Step {
    /// The node that is restarted, or that hands over.
    pub fn node(&self) -> &str {
        match self {
            Self::Restart { node, .. } => node,
            Self::Switchover { from, .. } => from,
        }
    }
}

/// Why that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no Postgres to restart, or its Patroni does not say.
    #[error("Postgres does not run on {node}{}", .state.as_ref().map(|state| format!(": {state}")).unwrap_or_default())]
    NotRunning {
        /// The node.
        node: String,
        /// How it is.
        state: Option<String>,
    },
    /// Nobody leads: replicas would have nobody to follow after it.
    #[error("the cluster has no leader")]
    NoLeader,
    /// The leader cannot hand over.
    #[error("{leader} is to hand over before it is restarted: {why}")]
    NoSwitchover {
        /// The leader.
        leader: String,
        /// Why not.
        why: NoSwitchover,
    },
}

/// What is to be done, in order; nothing where no setting waits for a restart and that was asked for.
///
/// # Errors
/// When Postgres does not run on one of the nodes, nobody leads, or the leader cannot hand over.
pub fn plan(view: &ClusterView, asked: &Asked) -> Result<Vec<Step>, Refused> {
    let leader = view.leader.as_ref().ok_or(Refused::NoLeader)?;
    let meant = |node: &&MemberView| {
        (asked.nodes.is_empty() || asked.nodes.contains(&node.name))
            && (!asked.pending || node.pending_restart == Some(true))
    };
    let mut nodes: Vec<&MemberView> = view.nodes().filter(meant).collect();
    let down = |node: &&&MemberView| {
        node.container_state != ContainerState::Running || node.role.is_none()
    };
    if let Some(node) = nodes.iter().find(down) {
        let state = node.state.clone().or_else(|| node.error.clone());
        return Err(Refused::NotRunning { node: node.name.clone(), state });
    }
    // Those that nobody waits for first, and the leader last: the one that takes over has been restarted by then.
    nodes.sort_by_key(|node| (node.name == *leader, node.role != Some(NodeRole::Replica)));
    let restart = |node: &MemberView, hazards| Step::Restart { node: node.name.clone(), hazards };
    let mut steps = Vec::new();
    for node in nodes {
        if node.name != *leader {
            steps.push(restart(node, unsafe_to_stop(view, &[&node.name])));
        } else if asked.rolling {
            let no = |why| Refused::NoSwitchover { leader: leader.clone(), why };
            let Switchover { from, to, .. } = Switchover::plan(view, &To::Best).map_err(no)?;
            steps.extend([Step::Switchover { from, to }, restart(node, Vec::new())]);
        } else {
            steps.push(restart(node, Vec::new()));
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;
    use crate::status::tests::Lab;

    /// A healthy cluster, its leader and its nodes.
    fn healthy() -> (ClusterView, String, Vec<String>) {
        let (view, leader, replicas) = Lab::led();
        let nodes = [vec![leader.clone()], replicas].concat();
        (view, leader, nodes)
    }

    #[test]
    fn the_leader_is_last_and_hands_over_to_one_that_was_restarted() {
        let (mut view, leader, nodes) = healthy();
        let replicas: Vec<&String> = nodes.iter().filter(|node| **node != leader).collect();
        for member in view.members.iter_mut().filter(|member| member.name == *replicas[0]) {
            member.role = Some(NodeRole::SyncStandby);
        }
        let asked = Asked { rolling: true, ..Asked::default() };
        let steps = plan(&view, &asked).expect("it can be done");
        let restarted: Vec<&str> = steps.iter().map(Step::node).collect();
        let [.., last] = replicas.as_slice() else { panic!("three replicas") };
        assert_eq!(
            restarted,
            [replicas[1], last, replicas[0], &leader, &leader],
            "the synchronous standby after the others, then the leader"
        );
        let Step::Switchover { from, to } = &steps[3] else { panic!("{steps:?}") };
        assert_eq!((from, to), (&leader, replicas[0]));
        // In place it is one restart of each.
        let in_place = plan(&view, &Asked::default()).expect("it can be done");
        assert_eq!(in_place.len(), nodes.len());
    }

    #[test]
    fn only_what_waits_for_a_restart_is_restarted_where_that_is_asked() {
        let (mut view, _, nodes) = healthy();
        let asked = Asked { rolling: true, pending: true, ..Asked::default() };
        assert_eq!(plan(&view, &asked), Ok(Vec::new()));
        for member in view.members.iter_mut().filter(|member| member.name == nodes[1]) {
            member.pending_restart = Some(true);
        }
        let steps = plan(&view, &asked).expect("it can be done");
        assert_eq!(steps.iter().map(Step::node).collect::<Vec<_>>(), [&nodes[1]]);
    }

    #[test]
    fn what_cannot_be_restarted_is_said_before_anything_is_done() {
        let (mut view, leader, nodes) = healthy();
        let rolling = Asked { rolling: true, ..Asked::default() };
        view.succession.as_mut().expect("known").ready.clear();
        let refused = plan(&view, &rolling).expect_err("nobody takes over").to_string();
        assert!(refused.contains(&format!("{leader} is to hand over")), "{refused}");
        for member in view.members.iter_mut().filter(|member| member.name == nodes[1]) {
            (member.role, member.error) = (None, Some("Patroni: connection refused".to_owned()));
            member.state = None;
        }
        let refused = plan(&view, &Asked::default()).expect_err("it is down").to_string();
        let said = format!("Postgres does not run on {}: Patroni: connection refused", nodes[1]);
        assert_eq!(refused, said);
        view.leader = None;
        assert_eq!(plan(&view, &Asked::default()), Err(Refused::NoLeader));
    }

    proptest! {
        #[test]
        fn each_node_that_is_meant_is_restarted_once_and_nobody_leads_as_it_is(
            nodes in { let nodes = healthy().2; subsequence(nodes.clone(), 1..=nodes.len()) }
        ) {
            let (view, leader, _) = healthy();
            let asked = Asked { nodes: nodes.clone(), rolling: true, ..Asked::default() };
            let steps = plan(&view, &asked).expect("it can be done");
            let mut restarted = Vec::new();
            let mut leads = leader;
            for step in &steps {
                match step {
                    Step::Restart { node, .. } => {
                        prop_assert_ne!(node, &leads);
                        restarted.push(node.clone());
                    }
                    Step::Switchover { from, to } => {
                        prop_assert_eq!(from, &leads);
                        leads.clone_from(to);
                    }
                }
            }
            restarted.sort();
            let mut nodes = nodes;
            nodes.sort();
            prop_assert_eq!(restarted, nodes);
        }
    }
}
