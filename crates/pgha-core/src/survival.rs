//! What is left when sites are lost: the survival table.
//!
//! A row answers three questions about one set of lost sites. It starts from a healthy cluster:
//! every node streams, and Patroni has as many acknowledging standbys as [`Synchronous`] asks for
//! (`k` of them, 0 for asynchronous replication). All sites of the set are gone at the same moment
//! and stay gone. Every answer is the worst case over where the leader was and over which standbys
//! had acknowledged.
//!
//! - **quorum**: the etcd members that are left are a majority of all of them. Without it Patroni
//!   promotes nobody, and the leader, if it is left, turns read-only.
//! - **promotable**: there is a quorum, and wherever the leader was, either it is left and goes on
//!   or some node is left that Patroni promotes:
//!   - `async`: any node that is left;
//!   - `sync`, `strict`: one of the `k` standbys that are named in Patroni's `/sync` key. At worst
//!     the leader and as many named standbys as fit were in the lost sites, so one is left where at
//!     most `k` nodes are lost;
//!   - `quorum`: a candidate that `V - k` other voters see not ahead of them, where `V = N - 1` are
//!     all nodes but the leader. With the leader lost that takes `V - k + 1` nodes that are left,
//!     so again at most `k` may be lost.
//!
//!   Where no lost site holds a Postgres node the leader is always left. Where one does, the leader
//!   may still stand elsewhere, and then a quorum is enough for it to go on, with fewer standbys to
//!   acknowledge; the worst case has it in the lost site.
//! - **`acknowledged_loss`**: a write that was acknowledged to a client may be on no Postgres node
//!   that is left, or a node without it may be promoted. The leader and `k` standbys have every
//!   acknowledged write. So more than `k` lost nodes may be all that had it; with at most `k` lost
//!   one that has it is left, and only such a node passes the tests above. Without a quorum nothing
//!   is promoted, so there only the first half counts. Backups count for nothing here.
//!
//! With [`Synchronous::node_count`] equal to the nodes of a data center, synchronous modes outlive
//! any one data center without loss. After a first loss Patroni asks fewer standbys (all three
//! modes do, `strict` only down to one), so a second loss later on may cost what was written in
//! between; the table is about losses at one moment.
//!
//! This module only counts. Which sites an outage takes, and how probable that is, is not its
//! business.

mod grouped;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::placement::quorum;
use crate::spec::Durability;
use crate::topology::{Role, SiteKind, Topology};
use crate::tuning::Synchronous;

pub use grouped::{SurvivalRow, explicit, grouped};

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
    /// Whether etcd can decide.
    pub quorum: bool,
    /// Whether there is a leader again, wherever the last one was.
    pub promotable: bool,
    /// Whether a write that was acknowledged may be gone.
    pub acknowledged_loss: bool,
}

/// The survival table: every non-empty set of sites, smaller sets first, each size in site order.
pub fn table(topology: &Topology) -> Vec<Survival> {
    let counting = Counting::of(topology);
    let names: Vec<&str> = topology.sites.iter().map(|site| site.name.as_str()).collect();
    let mut rows = Vec::new();
    for size in 1..=max_lost(names.len()) {
        for set in Combinations::new(names.len(), size) {
            let outcome = counting.without(&set);
            rows.push(Survival {
                lost: set.iter().map(|&site| names[site].to_owned()).collect(),
                quorum: outcome.quorum,
                promotable: outcome.promotable,
                acknowledged_loss: outcome.acknowledged_loss,
            });
        }
    }
    rows
}

/// Most sites lost together that the table of a cluster with `sites` sites has.
fn max_lost(sites: usize) -> usize {
    if sites <= ALL_SETS_MAX_SITES { sites } else { LARGE_MAX_LOST }
}

/// The three answers for one set of lost sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) quorum: bool,
    pub(crate) promotable: bool,
    pub(crate) acknowledged_loss: bool,
}

/// The numbers that decide an [`Outcome`].
#[derive(Debug)]
pub(crate) struct Counting {
    /// etcd members of each site.
    etcd: Vec<u32>,
    /// Postgres nodes of each site.
    postgres: Vec<u32>,
    /// Standbys that have every acknowledged write besides the leader.
    acknowledging: u32,
    durability: Durability,
}

impl Counting {
    pub(crate) fn of(topology: &Topology) -> Self {
        let per_site = |role: Role| {
            let mut counts = vec![0; topology.sites.len()];
            for member in topology.of_role(role) {
                let place = topology.sites.iter().position(|site| site.number == member.site);
                counts[place.expect("a member is in a site")] += 1;
            }
            counts
        };
        let postgres: Vec<u32> = per_site(Role::Postgres);
        let standbys = postgres.iter().sum::<u32>().saturating_sub(1);
        let durability = topology.spec.durability;
        let acknowledging = Synchronous::of(&topology.spec).acknowledging_standbys().min(standbys);
        Self { etcd: per_site(Role::Etcd), postgres, acknowledging, durability }
    }

    /// What is left without these sites (by index), in closed form.
    pub(crate) fn without(&self, lost: &[usize]) -> Outcome {
        let of = |counts: &[u32]| lost.iter().map(|&site| counts[site]).sum::<u32>();
        self.judge(of(&self.etcd), of(&self.postgres))
    }

    /// What is left without so many members.
    fn judge(&self, etcd_lost: u32, postgres_lost: u32) -> Outcome {
        let voters: u32 = self.etcd.iter().sum();
        let quorum = voters - etcd_lost >= quorum(voters);
        let nodes: u32 = self.postgres.iter().sum();
        // Both hold where no node is lost, and then the leader is its own successor.
        let a_leader_is_left = match self.durability {
            Durability::Async => postgres_lost < nodes,
            Durability::Sync | Durability::Strict | Durability::Quorum => {
                postgres_lost <= self.acknowledging
            }
        };
        Outcome {
            quorum,
            promotable: quorum && a_leader_is_left,
            acknowledged_loss: postgres_lost > self.acknowledging,
        }
    }

    fn site_kind_counts(&self, site: usize) -> (u32, u32) {
        (self.etcd[site], self.postgres[site])
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

/// Indexes of the data centers, then the index of the external site.
fn split_sites(topology: &Topology) -> (Vec<usize>, usize) {
    let data_centers = (0..topology.sites.len())
        .filter(|&site| topology.sites[site].kind == SiteKind::DataCenter)
        .collect();
    (data_centers, topology.sites.len() - 1)
}
