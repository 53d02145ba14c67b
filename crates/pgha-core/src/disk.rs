//! What a cluster may take of the disk that all its volumes lie on, beside the data of its users.
//!
//! Most of it is WAL: every node keeps some for replicas that were away (`wal_keep_size`), by how large the
//! disk is, and reuses some up to `max_wal_size`. Data and repository grow with what users write, which nobody
//! knows beforehand: they are not counted, and [`DiskUse`] says how often the data are there.

use serde::{Deserialize, Serialize};

use crate::topology::{Role, Topology};

const MIB: u64 = 1 << 20;
/// Free space below which a cluster may run out of it, in bytes.
pub const WANTED_BYTES: u64 = 5_000_000_000;
/// Free space below which none starts, and one that runs is about to stop, in bytes.
pub const NEEDED_BYTES: u64 = 1_000_000_000;
/// Most WAL that a node keeps for replicas, in MiB.
const WAL_KEEP_MAX_MIB: u64 = 4096;
/// Least, in MiB: a replica that restarts must not need a new copy.
const WAL_KEEP_MIN_MIB: u64 = 256;
/// The part of the disk that the WAL which all nodes keep may take.
const WAL_KEEP_PART: u64 = 10;
/// `max_wal_size` of every node, in MiB.
const WAL_REUSED_MIB: u64 = 1024;
/// A database without data of users, with its log, in MiB.
const EMPTY_DATABASE_MIB: u64 = 64;
/// An etcd member, in MiB; 145 MB were measured, of which 128 MiB are two segments of its log.
const ETCD_MEMBER_MIB: u64 = 139;

/// A disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// How large it is, in bytes.
    pub size_bytes: u64,
    /// What may still be written, in bytes.
    pub free_bytes: u64,
}

/// What a cluster may take of a disk, and what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskUse {
    /// The most that it takes beside the data and the backups of its users, in bytes.
    pub may_take_bytes: u64,
    /// WAL that each node keeps for replicas, in MiB.
    pub wal_keep_mib: u64,
    /// What is free now, in bytes; null where nobody was asked.
    pub free_bytes: Option<u64>,
    /// Nodes, each with all the data of its users; not counted.
    #[serde(default)]
    pub data_copies: u32,
    /// Full backups that the first repository keeps, each with those that build on it; not counted.
    #[serde(default)]
    pub full_backups: u32,
    /// How many of these have all the WAL since then in the archive; not counted.
    #[serde(default)]
    pub archived_backups: u32,
}

/// How a disk does for a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// It has what the cluster may take, or nobody knows.
    Enough,
    /// It has less than the cluster may take in all; what of that is taken already is not known.
    Tight,
    /// Less than [`WANTED_BYTES`].
    Low,
    /// Less than [`NEEDED_BYTES`].
    None,
}

impl DiskUse {
    /// Of a cluster on a disk; the most there may be where the disk is not known.
    pub fn of(topology: &Topology, disk: Option<Disk>) -> Self {
        let count = |role| topology.of_role(role).count() as u64;
        let nodes = count(Role::Postgres);
        let wal_keep_mib =
            disk.map_or(WAL_KEEP_MAX_MIB, |disk| wal_keep_mib(topology, disk.size_bytes));
        let backup = &topology.spec.backup;
        let node = EMPTY_DATABASE_MIB + WAL_REUSED_MIB + wal_keep_mib;
        Self {
            may_take_bytes: (nodes * node + count(Role::Etcd) * ETCD_MEMBER_MIB) * MIB,
            wal_keep_mib,
            free_bytes: disk.map(|disk| disk.free_bytes),
            data_copies: u32::try_from(nodes).unwrap_or(u32::MAX),
            full_backups: backup.retention_full,
            archived_backups: backup.retention_archive.unwrap_or(backup.retention_full),
        }
    }

    /// How the disk does.
    pub fn room(&self) -> Room {
        match self.free_bytes {
            Some(free) if free < NEEDED_BYTES => Room::None,
            Some(free) if free < WANTED_BYTES => Room::Low,
            Some(free) if free < self.may_take_bytes => Room::Tight,
            _ => Room::Enough,
        }
    }

    /// What grows beside: `data on each of 4 nodes, 2 full backups, WAL since the first`.
    pub fn not_counted(&self) -> String {
        let Self { data_copies, full_backups, archived_backups, .. } = self;
        let backups = if *full_backups == 1 { "backup" } else { "backups" };
        let since = match archived_backups {
            0 | 1 => "the last".to_owned(),
            n if n == full_backups => "the first".to_owned(),
            n => format!("the last but {}", n - 1),
        };
        format!(
            "data on each of {data_copies} nodes, {full_backups} full {backups}, WAL since {since}"
        )
    }
}

/// `wal_keep_size` of every node, in MiB, where all of them lie on a disk of this size: a tenth of it for all
/// nodes together, from 256 MiB to 4 GiB for each.
pub fn wal_keep_mib(topology: &Topology, disk_size_bytes: u64) -> u64 {
    let nodes = topology.of_role(Role::Postgres).count().max(1) as u64;
    let each = disk_size_bytes / WAL_KEEP_PART / nodes / MIB;
    (each / 16 * 16).clamp(WAL_KEEP_MIN_MIB, WAL_KEEP_MAX_MIB)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    fn two_by_two() -> Topology {
        Topology::new(Spec { data_centers: 2, ..Spec::default() }, 1)
    }

    #[test]
    fn the_wal_that_is_kept_follows_the_disk() {
        let of = |gib: u64| wal_keep_mib(&two_by_two(), gib << 30);
        assert_eq!((of(1000), of(160), of(100), of(20), of(1)), (4096, 4096, 2560, 512, 256));
        let large = Topology::new(Spec { data_centers: 5, nodes: 4, ..Spec::default() }, 1);
        assert_eq!(wal_keep_mib(&large, 100 << 30), 512);
    }

    #[test]
    fn an_unknown_disk_is_taken_for_one_that_is_large_enough() {
        let most = DiskUse::of(&two_by_two(), None);
        assert_eq!((most.wal_keep_mib, most.free_bytes), (4096, None));
        assert_eq!(most.may_take_bytes, (4 * (64 + 1024 + 4096) + 3 * 139) * MIB);
        let small = Disk { size_bytes: 20 << 30, free_bytes: 5 << 30 };
        let small = DiskUse::of(&two_by_two(), Some(small));
        assert_eq!((small.wal_keep_mib, small.free_bytes), (512, Some(5 << 30)));
        assert_eq!(small.may_take_bytes, (4 * (64 + 1024 + 512) + 3 * 139) * MIB);
    }

    #[test]
    fn a_disk_has_room_by_what_is_free_and_by_what_may_be_taken() {
        let room = |free_bytes| {
            DiskUse {
                free_bytes,
                ..DiskUse::of(&two_by_two(), Some(Disk { size_bytes: 1 << 40, free_bytes: 0 }))
            }
            .room()
        };
        let gb = 1_000_000_000;
        for (free, want) in [
            (None, Room::Enough),
            (Some(23 * gb), Room::Enough),
            (Some(20 * gb), Room::Tight),
            (Some(5 * gb), Room::Tight),
            (Some(5 * gb - 1), Room::Low),
            (Some(gb), Room::Low),
            (Some(gb - 1), Room::None),
        ] {
            assert_eq!(room(free), want, "{free:?}");
        }
    }

    #[test]
    fn what_is_not_counted_is_named_by_the_retention() {
        let of = |full, archive| {
            let mut spec = Spec { data_centers: 2, ..Spec::default() };
            (spec.backup.retention_full, spec.backup.retention_archive) = (full, archive);
            DiskUse::of(&Topology::new(spec, 1), None).not_counted()
        };
        assert_eq!(of(2, None), "data on each of 4 nodes, 2 full backups, WAL since the first");
        assert!(of(1, None).ends_with("1 full backup, WAL since the last"));
        assert!(of(4, Some(1)).ends_with("since the last"));
        assert!(of(4, Some(2)).ends_with("since the last but 1"));
    }
}
