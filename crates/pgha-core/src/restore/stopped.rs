//! Whether the nodes were stopped as the plan takes it: what has changed since is found before the data
//! are moved away.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::restore::{Loss, RestorePlan};

/// How Postgres left the data of a node, by its control file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// As `pg_controldata` says: `shut down`, `shut down in recovery`, `in production`.
    pub state: String,
    /// The timeline of the last checkpoint.
    pub timeline: u32,
    /// Files that the archive has not got.
    pub not_archived: usize,
}

/// The cluster is no longer what was planned for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Changed {
    /// Another node has led meanwhile.
    #[error(
        "{node} was promoted while the cluster was being stopped: it is on timeline {timeline}"
    )]
    Promoted {
        /// The node.
        node: String,
        /// Its timeline.
        timeline: u32,
    },
    /// The leader has WAL that the restore would leave out.
    #[error("{leader} has WAL that is not archived, and the plan says that nothing is lost")]
    NotArchived {
        /// The leader.
        leader: String,
        /// How it was left.
        stopped: Stopped,
    },
}

impl Changed {
    /// Why, where there is more to say.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Promoted { .. } => None,
            Self::NotArchived { stopped, .. } => Some(format!(
                "Postgres was left as `{}` with {} files to archive",
                stopped.state, stopped.not_archived
            )),
        }
    }
}

impl RestorePlan {
    /// Looks at the stopped nodes, by name. A node without data says nothing.
    ///
    /// # Errors
    /// When another node has led since the plan was made, or the leader has not archived all that it has
    /// and the plan promises that.
    pub fn demand_stopped(&self, nodes: &BTreeMap<String, Option<Stopped>>) -> Result<(), Changed> {
        let of = |name: &String| nodes.get(name).and_then(Option::as_ref);
        let Some(leader) = of(&self.leader).filter(|_| self.leader_archives) else { return Ok(()) };
        for node in &self.replicas {
            if let Some(later) = of(node).filter(|stopped| stopped.timeline > leader.timeline) {
                return Err(Changed::Promoted { node: node.clone(), timeline: later.timeline });
            }
        }
        let whole = leader.state == "shut down" && leader.not_archived == 0;
        if self.loss == Loss::Nothing && !whole {
            return Err(Changed::NotArchived {
                leader: self.leader.clone(),
                stopped: leader.clone(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::plan::tests::{latest_plan, lsn_plan};

    fn stopped(
        plan: &RestorePlan,
        leader: (&str, u32, usize),
        replica: u32,
    ) -> BTreeMap<String, Option<Stopped>> {
        let (state, timeline, not_archived) = leader;
        let leader = Stopped { state: state.to_owned(), timeline, not_archived };
        let replica = Stopped {
            state: "shut down in recovery".to_owned(),
            timeline: replica,
            not_archived: 0,
        };
        [(plan.leader.clone(), Some(leader)), (plan.replicas[0].clone(), Some(replica))].into()
    }

    #[test]
    fn what_the_plan_calls_archived_is_archived() {
        let (latest, lsn) = (latest_plan(), lsn_plan());
        assert_eq!(latest.demand_stopped(&stopped(&latest, ("shut down", 2, 0), 2)), Ok(()));
        for leader in [("in production", 2, 0), ("shut down", 2, 1)] {
            let refused = latest.demand_stopped(&stopped(&latest, leader, 2));
            assert!(matches!(refused, Err(Changed::NotArchived { .. })), "{refused:?}");
            assert_eq!(lsn.demand_stopped(&stopped(&lsn, leader, 2)), Ok(()));
        }
    }

    #[test]
    fn a_node_that_was_promoted_meanwhile_is_not_taken_for_a_replica() {
        let plan = lsn_plan();
        let refused = plan.demand_stopped(&stopped(&plan, ("shut down", 2, 0), 3));
        assert!(matches!(refused, Err(Changed::Promoted { timeline: 3, .. })), "{refused:?}");
        let leaderless = RestorePlan { leader_archives: false, ..plan };
        assert_eq!(
            leaderless.demand_stopped(&stopped(&leaderless, ("shut down", 2, 0), 3)),
            Ok(())
        );
        assert_eq!(leaderless.demand_stopped(&BTreeMap::new()), Ok(()));
    }
}
