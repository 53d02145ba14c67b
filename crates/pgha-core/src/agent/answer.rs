//! What is answered where both sides know its shape and no other module has it.

use serde::{Deserialize, Serialize};

use crate::restore::{Linked, Room, Stopped};

/// The lock of a restore is the asker's for as long as it keeps standard input open.
pub const HELD: &str = "held";
/// Another restore has it.
pub const BUSY: &str = "busy";

/// How a node is, by its answer to [`super::Restore::Held`]. What an earlier pgha-node does not say counts as nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    /// Neither Patroni nor Postgres runs, and none will when it is started again.
    pub held: bool,
    /// This PID 1 holds it, though the mark may be gone by now.
    #[serde(default)]
    pub holding: bool,
    /// Id of the restore that has marked it.
    #[serde(default)]
    pub by: Option<String>,
    /// Its volume.
    #[serde(flatten)]
    pub room: Room,
    /// Parts of the data that lie elsewhere.
    #[serde(default)]
    pub linked: Vec<Linked>,
    /// How Postgres left the data; `None` without data, or where that cannot be told.
    #[serde(default)]
    pub stopped: Option<Stopped>,
}

/// What came of a recovery, by the last line of the answer to [`super::Restore::Recover`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recovered {
    /// The timeline that it has begun.
    pub timeline: Option<u32>,
    /// Where it is now, as Postgres writes positions.
    pub lsn: Option<String>,
    /// What Postgres says of where it has stopped; `None` where the WAL has ended.
    pub stopped: Option<String>,
    /// What it says of the last commit that it has replayed.
    pub last: Option<String>,
    /// The history file of the timeline.
    pub history: Option<String>,
    /// Folders that were made for tablespaces.
    pub made: Vec<String>,
    /// Subscriptions of a copy that were disabled.
    pub disabled: Vec<String>,
}
