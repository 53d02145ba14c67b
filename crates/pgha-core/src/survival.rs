//! What is left when sites are lost: the survival table.
//!
//! A row answers these questions about one set of lost sites. It starts from a healthy cluster:
//! every node streams, and Patroni has as many acknowledging standbys as [`Synchronous`] asks for
//! in the leader's site (`k` of them, 0 for asynchronous replication). All sites of the set are gone at the same
//! moment and stay gone. Every answer is the worst case over where the leader was and over which standbys
//! had acknowledged. Nodes of standby data centers never lead and never acknowledge, so they count for nothing
//! but `writes_go_on_failsafe`; the others are primary nodes.
//!
//! - **quorum**: the etcd members that are left are a majority of all of them. Without it Patroni
//!   promotes nobody, and the leader, if it is left, turns read-only.
//! - **promotable**: there is a quorum, and wherever the leader was, either it is left and goes on
//!   or some node is left that Patroni promotes:
//!   - `async`: any primary node that is left;
//!   - `sync` and `strict`: one of the `k` standbys that are named in Patroni's `/sync` key. At worst
//!     the leader and as many named standbys as fit were in the lost sites, so one is left where at
//!     most `k` primary nodes are lost;
//!   - `quorum` and `quorum-strict`: a candidate that `V - k` other voters see not ahead of them, where `V` are
//!     all primary nodes but the leader. With the leader lost that takes `V - k + 1` nodes that are left,
//!     so again at most `k` may be lost.
//!
//!   Where no lost site holds a primary node the leader is always left. Where one does, the leader
//!   may still stand elsewhere, and then a quorum is enough for it to go on, with fewer standbys to
//!   acknowledge; the worst case has it in the lost site whose `k` is smallest.
//! - **`acknowledged_loss`**: a write that was acknowledged to a client may be on no primary node
//!   that is left, or a node without it may be promoted. The leader and `k` standbys have every
//!   acknowledged write. So more than `k` lost nodes may be all that had it; with at most `k` lost
//!   one that has it is left, and only such a node passes the tests above. Without a quorum nothing
//!   is promoted, so there only the first half counts. Backups and standby data centers count for nothing here.
//! - **`writes_go_on`**: a leader in any site that is left keeps writing. It takes a quorum, and in a strict mode another
//!   primary node to acknowledge (Patroni then takes one of any site, also with `"local"`). `false` where every site with primary nodes is lost.
//! - **`writes_go_on_failsafe`**: the same with Patroni's `failsafe_mode`, by which a leader without etcd's quorum goes on
//!   as long as every other node answers it.
//!
//! With `k` equal to the nodes of the leader's data center (`acknowledge = "remote"`), synchronous modes outlive
//! any one data center without loss, as long as another one has primary nodes. With `"any"` `k` is 1. With `"local"` it
//! is 1 as well, of the leader's own site alone, so that the loss of that site takes everybody who acknowledged. After a first loss Patroni asks fewer
//! standbys (all modes do, the strict ones only down to one), so a second loss later on may cost what was written in
//! between; the table is about losses at one moment.
//!
//! This module only counts. Which sites an outage takes, and how probable that is, is not its
//! business.

mod grouped;
pub mod present;
mod smallest;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::placement::quorum;
use crate::spec::{Acknowledge, SiteRole};
use crate::topology::{Role, SiteKind, Topology};
use crate::tuning::{Synchronous, SynchronousMode};

pub use grouped::{SurvivalRow, explicit, grouped};
pub use smallest::{SmallestLosses, smallest};

/// Most sites for which every set is in the table: 12 data centers and the external site, 8191
/// sets. Beyond, only single sites and pairs are.
pub const ALL_SETS_MAX_SITES: usize = 13;

/// Most sites lost together in the table of a cluster with more than [`ALL_SETS_MAX_SITES`].
const LARGE_MAX_LOST: usize = 2;

/// What is left when a set of sites is lost; the module says what each answer means exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Survival {
    /// Names of the lost sites, in order.
    pub lost: Vec<String>,
    /// The answers.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The survival table: every non-empty set of sites, smaller sets first, each size in site order.
pub fn table(topology: &Topology) -> Vec<Survival> {
    let counting = Counting::of(topology);
    let names: Vec<&str> = topology.sites.iter().map(|site| site.name.as_str()).collect();
    let mut rows = Vec::new();
    for size in 1..=max_lost(names.len()) {
        for set in Combinations::new(names.len(), size) {
            rows.push(Survival {
                lost: set.iter().map(|&site| names[site].to_owned()).collect(),
                outcome: counting.without(&set),
            });
        }
    }
    rows
}

/// Most sites lost together that the table of a cluster with `sites` sites has.
fn max_lost(sites: usize) -> usize {
    if sites <= ALL_SETS_MAX_SITES { sites } else { LARGE_MAX_LOST }
}

/// The answers for one set of lost sites.
#[expect(clippy::struct_excessive_bools, reason = "each is an answer to a question of its own")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Whether etcd can decide.
    pub quorum: bool,
    /// Whether there is a leader again, wherever the last one was.
    pub promotable: bool,
    /// Whether a write that was acknowledged may be gone.
    pub acknowledged_loss: bool,
    /// Whether a leader that is left keeps writing; `false` where none can be.
    pub writes_go_on: bool,
    /// The same with Patroni's `failsafe_mode`.
    pub writes_go_on_failsafe: bool,
}

impl Outcome {
    /// Whether nobody writes by itself any more, at worst.
    pub fn stops_writes(self) -> bool {
        // A leader that is promoted has the same standbys left as one that stays.
        !self.promotable || !self.writes_go_on
    }
}

/// What a site counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SiteCounts {
    /// etcd members.
    etcd: u32,
    /// Nodes that may lead and acknowledge.
    primary: u32,
    /// Other nodes.
    standby: u32,
    /// Standbys besides a leader in this site that have every acknowledged write.
    acknowledging: u32,
    is_external: bool,
}

/// The numbers that decide an [`Outcome`].
#[derive(Debug)]
pub(crate) struct Counting {
    /// Every site, in order.
    sites: Vec<SiteCounts>,
    synchronous: Synchronous,
    /// Whether only nodes of the leader's site acknowledge.
    local: bool,
}

impl Counting {
    pub(crate) fn of(topology: &Topology) -> Self {
        let spec = &topology.spec;
        let others = |site: u8| {
            let nodes = topology.acknowledging_nodes(site).count();
            u32::try_from(nodes).unwrap_or(u32::MAX).saturating_sub(1)
        };
        let synchronous = Synchronous::of(spec);
        let is_async = synchronous.mode == SynchronousMode::Off;
        let site = |site: &crate::topology::Site| {
            let count = |role| {
                let here = topology.of_role(role).filter(|member| member.site == site.number);
                u32::try_from(here.count()).unwrap_or(u32::MAX)
            };
            let nodes = count(Role::Postgres);
            let leads = topology.role_in(site.number) == SiteRole::Primary;
            let asked = topology.acknowledgements_in(site.number);
            SiteCounts {
                etcd: count(Role::Etcd),
                primary: if leads { nodes } else { 0 },
                standby: if leads { 0 } else { nodes },
                acknowledging: if is_async { 0 } else { asked.min(others(site.number)) },
                is_external: site.kind == SiteKind::External,
            }
        };
        let sites = topology.sites.iter().map(site).collect();
        Self { sites, synchronous, local: spec.acknowledge == Acknowledge::Local }
    }

    /// What is left without these sites (by index), in closed form.
    pub(crate) fn without(&self, lost: &[usize]) -> Outcome {
        let all = |count: fn(&SiteCounts) -> u32| self.sites.iter().map(count).sum::<u32>();
        let gone = |count: fn(&SiteCounts) -> u32| {
            lost.iter().map(|&s| count(&self.sites[s])).sum::<u32>()
        };
        let voters = all(|site| site.etcd);
        let quorum = voters - gone(|site| site.etcd) >= quorum(voters);
        let (nodes, nodes_lost) = (all(|site| site.primary), gone(|site| site.primary));
        // Wherever the leader was in a lost site, one of those that might have acknowledged is left that did.
        let leads = |site: &&SiteCounts| site.primary > 0;
        let mut lost_leaders = lost.iter().map(|&site| &self.sites[site]).filter(leads);
        let all_is_there = lost_leaders.all(|site| {
            let lost = if self.local { site.primary } else { nodes_lost };
            lost <= site.acknowledging
        });
        let is_left = nodes_lost < nodes;
        let a_leader_is_left = match self.synchronous.mode {
            SynchronousMode::Off => is_left,
            SynchronousMode::On | SynchronousMode::Quorum => all_is_there,
        };
        let acknowledges = !self.synchronous.strict || nodes - nodes_lost > 1;
        let all_answer = nodes_lost == 0 && gone(|site| site.standby) == 0;
        Outcome {
            quorum,
            promotable: quorum && a_leader_is_left,
            acknowledged_loss: !all_is_there,
            writes_go_on: is_left && quorum && acknowledges,
            writes_go_on_failsafe: is_left && (quorum || all_answer) && acknowledges,
        }
    }
}

/// Subsets of `0..n` with `size` elements, in lexicographic order.
#[derive(Debug)]
struct Combinations {
    n: usize,
    next: Option<Vec<usize>>,
}

impl Combinations {
    fn new(n: usize, size: usize) -> Self {
        Self { n, next: (size <= n).then(|| (0..size).collect()) }
    }
}

impl Iterator for Combinations {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Vec<usize>> {
        let current = self.next.take()?;
        let size = current.len();
        if let Some(i) = (0..size).rev().find(|&i| current[i] < self.n - size + i) {
            let mut following = current.clone();
            following[i] += 1;
            for j in i + 1..size {
                following[j] = following[j - 1] + 1;
            }
            self.next = Some(following);
        }
        Some(current)
    }
}
