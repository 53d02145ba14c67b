//! Whether the new data fit beside the old.
//!
//! Volumes of several nodes may lie on one disk, as all of one engine do unless they are told
//! otherwise: what their nodes need is needed of it together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::restore::RestorePlan;
use crate::wal::SEGMENT_BYTES;

/// Most WAL that a recovery keeps, in bytes: the `max_wal_size` of every node.
const WAL_MAX_BYTES: u64 = 1 << 30;

/// The volume of a node, as `pgha-node restore held` tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Number of the disk that it lies on, the same for all volumes there.
    pub device: u64,
    /// What is free on it, in bytes.
    pub free_bytes: u64,
    /// What the node's present data take, in bytes.
    pub data_bytes: u64,
    /// System identifier of its database; `None` where it has no data.
    #[serde(default)]
    pub system_id: Option<u64>,
}

/// A disk that is too full for a restore.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the disk of {} is too full for a restore", nodes.join(", "))]
pub struct TooFull {
    /// The nodes whose volumes lie on it.
    pub nodes: Vec<String>,
    /// What is free on it, in bytes; with discarded data, also what these take.
    pub free_bytes: u64,
    /// What the restore takes on it, in bytes.
    pub needed_bytes: u64,
    /// There would be room if the old data were discarded.
    pub discarding_helps: bool,
}

impl TooFull {
    /// Why, in MiB.
    pub fn reason(&self) -> String {
        let (needed, nodes) = (self.needed_bytes, self.nodes.len() as u64);
        let each = match nodes {
            0 | 1 => String::new(),
            _ => format!(", {} for each of its nodes", mib(needed / nodes)),
        };
        format!("{} MiB are needed{each}, and {} MiB are free", mib(needed), self.free_bytes >> 20)
    }

    /// What to do.
    pub fn hint(&self) -> &'static str {
        if self.discarding_helps {
            "make room on it; --discard-old needs less, and there is no way back then"
        } else {
            "make room on it"
        }
    }
}

/// Whole MiB, rounded up.
fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

impl RestorePlan {
    /// What each node needs for its new data, in bytes: the files of the backup, and the WAL after it as
    /// far as a recovery keeps it.
    pub fn node_bytes(&self) -> u64 {
        let wal = self.wal.segments.saturating_mul(SEGMENT_BYTES).min(WAL_MAX_BYTES);
        self.backup_bytes.saturating_add(wal)
    }

    /// Looks whether each node has room; `rooms` are theirs, by name. Of a node that is not among them
    /// nothing is known, and nothing is asked.
    ///
    /// # Errors
    /// With the first disk that is too full.
    pub fn demand_room(
        &self,
        rooms: &BTreeMap<String, Room>,
        discard_old: bool,
    ) -> Result<(), TooFull> {
        let mut disks: BTreeMap<u64, Vec<(&str, &Room)>> = BTreeMap::new();
        for (node, room) in rooms {
            disks.entry(room.device).or_default().push((node, room));
        }
        for on_it in disks.values() {
            let own = on_it.iter().map(|(_, room)| room.data_bytes).fold(0, u64::saturating_add);
            let free = on_it.iter().map(|(_, room)| room.free_bytes).min().unwrap_or_default();
            let discarded = free.saturating_add(own);
            let available = if discard_old { discarded } else { free };
            let needed_bytes = self.node_bytes().saturating_mul(on_it.len() as u64);
            if needed_bytes > available {
                return Err(TooFull {
                    nodes: on_it.iter().map(|(node, _)| (*node).to_owned()).collect(),
                    free_bytes: available,
                    needed_bytes,
                    discarding_helps: !discard_old && needed_bytes <= discarded,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::plan::tests::{latest_plan, lsn_plan};

    const MIB: u64 = 1 << 20;

    fn rooms<const N: usize>(of: [(&str, u64, u64, u64); N]) -> BTreeMap<String, Room> {
        of.into_iter()
            .map(|(node, device, free_bytes, data_bytes)| {
                (node.to_owned(), Room { device, free_bytes, data_bytes, system_id: None })
            })
            .collect()
    }

    #[test]
    fn a_node_needs_its_backup_and_the_wal_after_it() {
        let plan = latest_plan();
        assert_eq!(plan.node_bytes(), plan.backup_bytes + 3 * 16 * MIB);
        let far = RestorePlan {
            wal: crate::restore::WalRange { segments: u64::MAX, ..plan.wal },
            ..plan.clone()
        };
        assert_eq!(far.node_bytes(), plan.backup_bytes + 1024 * MIB);
        assert!(lsn_plan().node_bytes() > plan.node_bytes());
    }

    #[test]
    fn each_volume_needs_room_and_the_first_without_is_named() {
        let plan = latest_plan();
        let needed = plan.node_bytes();
        assert_eq!(
            plan.demand_room(&rooms([("a", 1, needed, 0), ("b", 2, needed, 0)]), false),
            Ok(())
        );
        let full = rooms([("a", 1, needed, 0), ("b", 2, needed - 1, 0)]);
        let refused = plan.demand_room(&full, false).expect_err("b is too full");
        assert_eq!(
            (refused.nodes.as_slice(), refused.discarding_helps),
            (&["b".to_owned()][..], false)
        );
        assert_eq!(refused.hint(), "make room on it");
        assert_eq!(refused.reason(), "71 MiB are needed, and 70 MiB are free");
    }

    #[test]
    fn volumes_on_one_disk_need_its_room_together() {
        let plan = latest_plan();
        let needed = plan.node_bytes();
        let shared = |free| rooms([("a", 7, free, 0), ("b", 7, free, 0)]);
        assert_eq!(plan.demand_room(&shared(2 * needed), false), Ok(()));
        let refused = plan.demand_room(&shared(2 * needed - 1), false).expect_err("too little");
        assert_eq!(refused.nodes, ["a", "b"]);
        assert_eq!(refused.needed_bytes, 2 * needed);
        // 22.4 MiB of files and 48 MiB of WAL for each.
        assert_eq!(
            refused.reason(),
            "141 MiB are needed, 71 for each of its nodes, and 140 MiB are free"
        );
    }

    #[test]
    fn discarding_the_old_data_needs_less_and_is_named_where_that_suffices() {
        let plan = latest_plan();
        let needed = plan.node_bytes();
        let tight = rooms([("a", 1, 10, needed - 10)]);
        let refused = plan.demand_room(&tight, false).expect_err("not beside the old");
        assert!(refused.hint().contains("--discard-old"), "{}", refused.hint());
        assert_eq!(plan.demand_room(&tight, true), Ok(()));
        let tighter = rooms([("a", 1, 10, needed - 11)]);
        let refused = plan.demand_room(&tighter, true).expect_err("not even in place");
        assert_eq!((refused.free_bytes, refused.hint()), (needed - 1, "make room on it"));
    }

    #[test]
    fn a_node_that_does_not_run_is_not_asked_for_room() {
        assert_eq!(latest_plan().demand_room(&BTreeMap::new(), false), Ok(()));
    }
}
