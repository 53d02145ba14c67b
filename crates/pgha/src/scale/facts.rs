//! What a plan needs to know: how the cluster is, what Postgres can carry, and room on the disk. Changes nothing.

use pgha_core::agent::{NodeState, Request, Restore};
use pgha_core::layout_change::{self, Reason};
use pgha_core::scale::{Asked, Disk, Journal, Plan, Refused};
use pgha_core::status::PATRONI_PAUSED;
use pgha_core::topology::{Role, Topology};
use pgha_core::words::bytes;

use crate::error::{Error, OrFail as _, Result};
use crate::host;
use crate::observe;
use crate::provider::Provider;
use crate::scale::{Scaling, nodes};

/// Room that is left beside the copies of the data: WAL that the nodes write meanwhile.
const RESERVE_BYTES: u64 = 1 << 30;

impl<P: Provider> Scaling<P> {
    /// Decides what a change will do.
    ///
    /// # Errors
    /// When it cannot be done now, with the numbers.
    pub(crate) async fn plan(&self, asked: &Asked, force: bool) -> Result<(Journal, Plan)> {
        let cluster = self.cluster().await?;
        let topology = cluster.topology()?;
        let view = observe::view(&self.provider, &cluster).await?;
        let (id, status) =
            (self.id(), format!("`pgha status {}` says how each member is", self.id()));
        let new = asked.layout(topology, &view).map_err(|refused| match refused {
            Refused::Nothing => Error::bad_input(refused.to_string()),
            other => Error::bad_input(other.to_string())
                .hint(format!("`pgha status {id} --all` lists members and sites")),
        })?;
        if view.problems.iter().any(|problem| problem.code == PATRONI_PAUSED) {
            return Err(Error::missing(format!("Patroni of cluster {id} is paused"))
                .because("nothing fails over by itself while members are changed")
                .hint(format!("`pgha resume {id}` first")));
        }
        let Some(leader) = view.leader.clone() else {
            return Err(Error::missing(format!("cluster {id} has no leader"))
                .because("new nodes copy from it, and nobody could take over")
                .hint(status));
        };
        let limits = self.limits(&leader).await?;
        let steps = layout_change::change(&topology.layout, &new, &view, limits)
            .map_err(|reasons| refusal(asked, &reasons, &status))?;
        let journal = Journal::new(asked.clone(), &topology.layout, &new, &steps, id);
        let next = if steps.iter().any(|s| matches!(s, layout_change::Step::MoveLeader { .. })) {
            Some(nodes::successor(&view, &nodes::leaving(&journal.steps))?.to)
        } else {
            None
        };
        let after = self.topology(new);
        let more = added_nodes(topology, &after);
        let disk = if more == 0 { None } else { Some(self.disk(&leader, more).await?) };
        let plan = Plan::of(&journal, (topology, &after), &view, next, disk);
        demand_room(&plan, force)?;
        Ok((journal, plan))
    }

    /// The plan of a change that goes on.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    pub(crate) async fn plan_of(&self, journal: &Journal) -> Result<Plan> {
        let cluster = self.cluster().await?;
        let view = observe::view(&self.provider, &cluster).await?;
        let old = pgha_core::layout::Layout::parse(&journal.old, &self.spec)
            .or_fail("the journal of a change of members cannot be read")?;
        let (before, after) = (self.topology(old), self.topology(self.end(journal)?));
        Ok(Plan::of(journal, (&before, &after), &view, None, None))
    }

    /// What one more copy takes, and what is free where the leader's data are: volumes of one engine are on one disk.
    async fn disk(&self, leader: &str, nodes: u64) -> Result<Disk> {
        let argv = Request::Restore(Restore::Held).argv();
        let said = self.ask(leader, &argv).await?;
        let state: NodeState =
            serde_json::from_str(&said).or_fail(format!("{leader} answers nonsense"))?;
        let free_bytes = state.room.free_bytes.saturating_sub(RESERVE_BYTES);
        Ok(Disk { each_bytes: state.room.data_bytes, nodes, free_bytes })
    }
}

/// Fails where disk or memory are too small for what is added.
fn demand_room(plan: &Plan, force: bool) -> Result<()> {
    if let Some(disk) = plan.disk.filter(|disk| disk.is_too_full()) {
        return Err(Error::failed("the disk is too full for what is added")
            .because(format!(
                "{} copies of {} take {}, and {} are free beside a reserve of {}",
                disk.nodes,
                bytes(disk.each_bytes),
                bytes(disk.needed_bytes()),
                bytes(disk.free_bytes),
                bytes(RESERVE_BYTES),
            ))
            .hint("make room on it, or add fewer nodes"));
    }
    let (more, free) = (plan.more_memory_bytes(), host::available_memory());
    match free.filter(|free| more > *free && !force) {
        None => Ok(()),
        Some(free) => {
            Err(Error::failed("this host has too little memory for what is added, by estimate")
                .because(format!("{} more, and {} are available", bytes(more), bytes(free)))
                .hint("free memory, add fewer members, or go on with --force"))
        }
    }
}

fn added_nodes(before: &Topology, after: &Topology) -> u64 {
    let new = after.of_role(Role::Postgres).filter(|node| before.member(&node.name).is_none());
    new.count() as u64
}

fn refusal(asked: &Asked, reasons: &[Reason], status: &str) -> Error {
    let error = Error::missing(format!("not now: {asked}"));
    let error = reasons.iter().fold(error, Error::because);
    let hint = reasons.iter().find_map(|reason| match reason {
        Reason::EtcdAway { .. } => Some("start it, or remove it in the same change"),
        Reason::QuorumLost { .. } => Some("start etcd members that are away first, or add one"),
        Reason::Unsafe { .. } => Some("add a node first, or wait until all replicas stream"),
        _ => None,
    });
    match hint {
        Some(hint) => error.hint(format!("{hint}; {status}")),
        None => error.hint(status.to_owned()),
    }
}
