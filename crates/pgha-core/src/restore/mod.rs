//! What a restore would do, decided before anything is touched.
//!
//! [`Target`] is the state a user asks for, [`Holdings`] what the backup host has, [`Lineage`] which
//! part of it belongs to one line of history, and [`RestorePlan`] what follows: the backup, the WAL
//! after it, what is lost, who leads and who is rebuilt, or a [`Refusal`] with the nearest choice that
//! would do; [`RestorePlan::demand_room`] is whether the new data fit beside the old, and [`Volume`] which folders
//! are moved away for them and put back. [`Journal`] is how far a restore has come, and how far it is taken
//! back; it is kept by the cluster itself. [`source`] is a repository whose cluster is gone.
//!
//! This module never runs anything and never looks at a clock.

mod dynamic;
mod holdings;
mod journal;
mod logical;
mod moves;
mod plan;
mod room;
pub mod source;
mod stopped;
mod target;
mod time;
mod unfinished;

pub use crate::lineage::{Lineage, LineageError};
pub use crate::steps::Phase;
pub use dynamic::{DYNAMIC_FILE, without_operation};
pub use holdings::{ArchivedSegment, Backup, Holdings, HoldingsError};
pub use journal::{Began, Journal, Step, StepDone, Undo};
pub use logical::{LOGICAL_SQL, LogicalReplication, LogicalSlot, Subscription};
pub use moves::{
    ASIDE, Linked, Move, OffVolume, Volume, aside_of, demand_on_volume, is_moved, is_on_volume,
};
pub use plan::{
    End, Facts, LeaderFact, Loss, NotArchived, RECOVER_COPY, RECOVER_OR_END, Recovery, Refusal,
    RestorePlan, WalRange, plan,
};
pub use room::{Room, TooFull};
pub use stopped::{Changed, Stopped};
pub use target::{Stop, Target, TargetError, TargetOptions};
pub use time::{Moment, NamedZone, TimeError};
pub use unfinished::Unfinished;

/// Name of the file on a node's volume that keeps its Postgres from being started; it holds the
/// restore's id.
pub const HOLD_FILE: &str = "restore.hold";
/// Name of the journal on the backup host's volume.
pub const JOURNAL_FILE: &str = "restore.json";
