//! What a change of members will do, before anything is done.

use serde::Serialize;

use crate::estimate::Needs;
use crate::layout_change::Step as LayoutStep;
use crate::scale::Journal;
use crate::status::ClusterView;
use crate::steps;
use crate::survival::{self, Survival};
use crate::topology::{Role, Topology};

/// A change of members, as it is shown and printed as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The cluster.
    pub cluster: String,
    /// What was asked for.
    pub asked: String,
    /// Generation of the layout now.
    pub from_generation: u32,
    /// The one that it ends in.
    pub to_generation: u32,
    /// Names of members that are added.
    pub added: Vec<String>,
    /// Names of members that are removed.
    pub removed: Vec<String>,
    /// The steps, in order.
    pub steps: Vec<String>,
    /// etcd members, before and after.
    pub etcd: Moved<u32>,
    /// Memory of all members by estimate, in bytes, before and after.
    pub memory_bytes: Moved<u64>,
    /// What new nodes take on the disk; none where none is added.
    pub disk: Option<Disk>,
    /// Who takes over where the leader is removed.
    pub leader: Option<Moved<String>>,
    /// What is survived, before and after.
    pub survival: Moved<Vec<Survival>>,
}

/// Something before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved<T> {
    /// Before.
    pub before: T,
    /// After.
    pub after: T,
}

/// Room on the disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// What one copy of the data takes.
    pub each_bytes: u64,
    /// Copies that are made.
    pub nodes: u64,
    /// What is free where they go.
    pub free_bytes: u64,
}

impl Disk {
    /// What all copies take.
    pub fn needed_bytes(self) -> u64 {
        self.each_bytes.saturating_mul(self.nodes)
    }

    /// Whether they do not fit.
    pub fn is_too_full(self) -> bool {
        self.needed_bytes() > self.free_bytes
    }
}

impl Plan {
    /// The plan of a journal, whose cluster is `before` and becomes `after`.
    pub fn of(
        journal: &Journal,
        (before, after): (&Topology, &Topology),
        view: &ClusterView,
        next_leader: Option<String>,
        disk: Option<Disk>,
    ) -> Self {
        let names = |of: &Topology, other: &Topology| {
            let new = of.members.iter().filter(|m| other.member(&m.name).is_none());
            new.map(|m| m.name.clone()).collect()
        };
        let etcd =
            |of: &Topology| u32::try_from(of.of_role(Role::Etcd).count()).unwrap_or(u32::MAX);
        let moves = journal.steps.iter().any(|s| matches!(s.what, LayoutStep::MoveLeader { .. }));
        let leader = view.leader.clone().filter(|_| moves).zip(next_leader);
        Self {
            cluster: before.id.to_string(),
            asked: journal.asked.to_string(),
            from_generation: before.layout.generation(),
            to_generation: after.layout.generation(),
            added: names(after, before),
            removed: names(before, after),
            steps: journal.steps.iter().map(steps::Step::word).collect(),
            etcd: Moved { before: etcd(before), after: etcd(after) },
            memory_bytes: Moved {
                before: Needs::of(before).memory_bytes,
                after: Needs::of(after).memory_bytes,
            },
            disk,
            leader: leader.map(|(before, after)| Moved { before, after }),
            survival: Moved { before: survival::table(before), after: survival::table(after) },
        }
    }

    /// Sets of sites whose loss is survived less well than before.
    pub fn survived_less(&self) -> Vec<String> {
        let worse = |row: &&Survival| {
            let before = self.survival.before.iter().find(|before| before.lost == row.lost);
            before.is_some_and(|before| {
                let (before, after) = (before.outcome, row.outcome);
                (before.quorum && !after.quorum)
                    || (before.promotable && !after.promotable)
                    || (before.writes_go_on && !after.writes_go_on)
                    || (!before.acknowledged_loss && after.acknowledged_loss)
            })
        };
        self.survival.after.iter().filter(worse).map(|row| row.lost.join(" + ")).collect()
    }

    /// Memory that is taken in addition, in bytes.
    pub fn more_memory_bytes(&self) -> u64 {
        self.memory_bytes.after.saturating_sub(self.memory_bytes.before)
    }
}
