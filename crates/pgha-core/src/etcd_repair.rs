//! etcd without a majority, for good: what is left of it, which member a new cluster is made of, in which steps.
//!
//! etcd's own way out is one start of a survivor with `force-new-cluster`: it keeps its store, forgets the other
//! members and is a cluster of one. What the others had and the survivor never learned is lost then, so that is
//! refused as long as members that may still have their stores are enough for a majority. Decides only; nothing
//! here asks or starts anything.

mod journal;
mod mark;
mod unfinished;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::observe::{Dcs, EtcdStatus};
use crate::status::{ClusterView, ContainerState, NodeRole};
use crate::words::{bytes, list};

pub use journal::{JOURNAL_FILE, Journal, Step, Undo};
pub use mark::{MARK_FILE, Mark, Turn, aside, of_aside};

/// Free space that is asked for beyond the copy of the store: what etcd writes meanwhile.
const SPARE_BYTES: u64 = 160 << 20;

/// What a member says of its store, with or without a quorum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreReport {
    /// What PID 1 is to do with it at its next start.
    pub mark: Option<Mark>,
    /// There is one.
    pub there: bool,
    /// The repairs of which an old store is kept beside it.
    pub aside: Vec<String>,
    /// What it takes.
    pub store_bytes: u64,
    /// What is free on its disk.
    pub free_bytes: u64,
    /// etcd runs on it and tells its peers who is in the cluster. Started without a majority it answers nobody else.
    pub opened: bool,
    /// What etcd says of itself, or why it says nothing.
    pub status: Result<EtcdStatus, String>,
    /// What Patroni keeps there, as this member alone has it.
    pub keys: Result<Dcs, String>,
}

/// How the store of a member is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "store", rename_all = "snake_case")]
pub enum Store {
    /// etcd answers from it.
    Answers {
        /// The last index that it knows to be committed: of two survivors the higher one has more.
        raft_index: u64,
        /// Its raft term.
        raft_term: u64,
        /// Revision of its keys.
        revision: u64,
        /// What it takes.
        store_bytes: u64,
        /// What is free on its disk.
        free_bytes: u64,
        /// Who holds Patroni's leader key there.
        leader: Option<String>,
        /// The database it is about.
        system_id: Option<String>,
        /// Standbys that have acknowledged, as the last leader wrote it there.
        sync_standbys: Vec<String>,
    },
    /// etcd has opened it, and answers no client before it has found a majority: it was started without one. How much it
    /// has cannot be told.
    Waits {
        /// What it takes.
        store_bytes: u64,
        /// What is free on its disk.
        free_bytes: u64,
    },
    /// The member runs without one.
    Empty,
    /// Neither a container nor a volume of it is there.
    Gone,
    /// It has one, and etcd does not answer.
    Silent {
        /// Why not.
        reason: String,
    },
    /// Its container does not run, so that nobody can be asked.
    Unknown {
        /// How it is.
        state: ContainerState,
    },
}

impl Store {
    /// From what a running member says.
    pub fn of(report: &StoreReport) -> Self {
        let (status, keys) = match (&report.status, &report.keys) {
            _ if !report.there => return Self::Empty,
            (Ok(status), Ok(keys)) => (status, keys),
            _ if report.opened => {
                let (store_bytes, free_bytes) = (report.store_bytes, report.free_bytes);
                return Self::Waits { store_bytes, free_bytes };
            }
            (Err(reason), _) | (_, Err(reason)) => return Self::Silent { reason: reason.clone() },
        };
        Self::Answers {
            raft_index: status.raft_index,
            raft_term: status.raft_term,
            revision: keys.revision,
            store_bytes: report.store_bytes,
            free_bytes: report.free_bytes,
            leader: keys.leader.clone(),
            system_id: keys.system_id.clone(),
            sync_standbys: keys.sync_standbys.clone(),
        }
    }

    /// What it takes, and what is free beside it, where a cluster can be made of it.
    fn room(&self) -> Option<(u64, u64)> {
        match *self {
            Self::Answers { store_bytes, free_bytes, .. }
            | Self::Waits { store_bytes, free_bytes } => Some((store_bytes, free_bytes)),
            _ => None,
        }
    }

    /// It has a store, or may have one.
    fn may_be(&self) -> bool {
        !matches!(self, Self::Empty | Self::Gone)
    }
}

/// What is left of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The member.
    pub name: String,
    /// Its site.
    pub site: String,
    /// Its store.
    #[serde(flatten)]
    pub store: Store,
}

/// What will be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairPlan {
    /// How many members a majority is.
    pub need: u32,
    /// What is left of each member, in their order.
    pub left: Vec<Left>,
    /// The member that the new cluster is made of.
    pub survivor: String,
    /// The others, in the order in which they join it.
    pub rejoin: Vec<String>,
    /// Nodes that run and take no writes.
    pub read_only: Vec<String>,
    /// The node that is primary on its own word or by consent of all (`failsafe_mode`).
    pub primary: Option<String>,
}

/// Why nothing is done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// etcd decides.
    #[error("etcd has its quorum: {have} members are in touch, and it takes {need}")]
    HasQuorum {
        /// Members that are in touch.
        have: u32,
        /// How many it takes.
        need: u32,
    },
    /// Members that may have their stores are enough.
    #[error(
        "etcd is not lost for good: {} members have their stores or may have them, and it takes {need}",
        .stores.len()
    )]
    MayComeBack {
        /// These members.
        stores: Vec<String>,
        /// How many it takes.
        need: u32,
        /// Those of them that do not run.
        start: Vec<String>,
        /// Those of them that run, and whose etcd does not answer, with its reason.
        silent: Vec<(String, String)>,
    },
    /// Nobody has a store that etcd answers from.
    #[error("no etcd member has a store that it answers from")]
    NothingLeft {
        /// Those that run and have one, with why they do not answer.
        silent: Vec<(String, String)>,
    },
    /// Several members have stores, and which of them has more cannot be told.
    #[error("{} have stores, and etcd that was started without a majority does not say which has more", list(.0))]
    CannotCompare(Vec<String>),
    /// The copy of the store has no room.
    #[error(
        "{member} has {} free, and the copy of its store takes {}",
        bytes(*free_bytes),
        bytes(*wanted_bytes)
    )]
    NoRoom {
        /// The survivor.
        member: String,
        /// What is free there.
        free_bytes: u64,
        /// What is wanted.
        wanted_bytes: u64,
    },
}

impl Refusal {
    /// What to do in that cluster instead.
    pub fn hint(&self, cluster: &str) -> String {
        match self {
            Self::HasQuorum { .. } => {
                format!("nothing is to be repaired; `pgha status {cluster}` shows each member")
            }
            Self::MayComeBack { start, .. } if !start.is_empty() => {
                format!(
                    "`pgha start {}` starts what does not run, `pgha up` makes what is missing",
                    start.join(" ")
                )
            }
            Self::MayComeBack { .. } => format!(
                "they run and are not in touch: `pgha wan heal {cluster}`, `pgha heal {cluster}`, \
                 `pgha status {cluster}`"
            ),
            Self::NothingLeft { .. } => format!(
                "`pgha up` in the folder of the compose file makes members that are missing: where all stores are \
                 gone, they make a new etcd cluster by themselves; `pgha status {cluster}` says how each is"
            ),
            Self::CannotCompare(members) => format!(
                "stop those whose store is not to be used, such as `pgha stop {} --yes`, and repeat this; they join empty, \
                 and their stores are kept until the end",
                members.last().map_or("", String::as_str)
            ),
            Self::NoRoom { .. } => "make room on the disk of the Docker engine".to_owned(),
        }
    }

    /// More of why, a line each.
    pub fn reasons(&self) -> Vec<String> {
        let of = |silent: &[(String, String)]| -> Vec<String> {
            silent.iter().map(|(name, why)| format!("{name} does not answer: {why}")).collect()
        };
        match self {
            Self::MayComeBack { stores, start, silent, .. } => {
                let asleep = (!start.is_empty()).then(|| format!("not running: {}", list(start)));
                let members = std::iter::once(format!("members: {}", list(stores)));
                members.chain(asleep).chain(of(silent)).collect()
            }
            Self::NothingLeft { silent } => of(silent),
            Self::HasQuorum { .. } | Self::NoRoom { .. } | Self::CannotCompare(_) => Vec::new(),
        }
    }
}

/// Decides by how the cluster looks and what is left of each etcd member.
///
/// # Errors
/// Why nothing is to be done.
pub fn plan(view: &ClusterView, left: Vec<Left>) -> Result<RepairPlan, Refusal> {
    let (have, need) = (view.quorum.have, view.quorum.need);
    if view.quorum.reached() {
        return Err(Refusal::HasQuorum { have, need });
    }
    let stores: Vec<&Left> = left.iter().filter(|left| left.store.may_be()).collect();
    let silent: Vec<(String, String)> = stores
        .iter()
        .filter_map(|left| match &left.store {
            Store::Silent { reason } => Some((left.name.clone(), reason.clone())),
            _ => None,
        })
        .collect();
    if stores.len() >= need as usize {
        let start = stores.iter().filter(|left| matches!(left.store, Store::Unknown { .. }));
        return Err(Refusal::MayComeBack {
            start: start.map(|left| left.name.clone()).collect(),
            silent,
            stores: stores.iter().map(|left| left.name.clone()).collect(),
            need,
        });
    }
    let usable: Vec<&Left> = left.iter().filter(|left| left.store.room().is_some()).collect();
    let waits = |left: &&Left| matches!(left.store, Store::Waits { .. });
    if usable.len() > 1 && usable.iter().any(waits) {
        return Err(Refusal::CannotCompare(usable.iter().map(|left| left.name.clone()).collect()));
    }
    // Where all is equal, the first.
    let newest = usable.into_iter().rev().max_by_key(|left| match left.store {
        Store::Answers { raft_index, revision, raft_term, .. } => (raft_index, revision, raft_term),
        _ => (0, 0, 0),
    });
    let survivor = newest.ok_or(Refusal::NothingLeft { silent })?;
    let (store_bytes, free_bytes) = survivor.store.room().unwrap_or_default();
    let wanted_bytes = store_bytes.saturating_add(SPARE_BYTES);
    if free_bytes < wanted_bytes {
        return Err(Refusal::NoRoom { member: survivor.name.clone(), free_bytes, wanted_bytes });
    }
    let survivor = survivor.name.clone();
    let others = left.iter().map(|left| left.name.clone()).filter(|name| *name != survivor);
    let follows = view.nodes().filter(|node| node.role.is_some_and(NodeRole::follows));
    let primary = view.nodes().find(|node| node.role == Some(NodeRole::Primary));
    Ok(RepairPlan {
        need,
        rejoin: others.collect(),
        read_only: follows.map(|node| node.name.clone()).collect(),
        primary: view.failsafe.clone().or_else(|| primary.map(|node| node.name.clone())),
        survivor,
        left,
    })
}

#[cfg(test)]
mod tests;
