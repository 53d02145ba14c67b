//! What a restore would do, decided before anything is touched.
//!
//! [`Target`] is the state a user asks for, [`Holdings`] what the backup host has, [`Lineage`] which
//! part of it belongs to one line of history, and [`RestorePlan`] what follows: the backup, the WAL
//! after it, what is lost, who leads and who is rebuilt, or a [`Refusal`] with the nearest choice that
//! would do; [`RestorePlan::demand_room`] is whether the new data fit beside the old. [`Journal`] is how
//! far a restore has come; it is kept by the cluster itself.
//!
//! This module never runs anything and never looks at a clock.

mod holdings;
mod journal;
mod lineage;
mod plan;
mod room;
mod target;

pub use holdings::{ArchivedSegment, Backup, Holdings, HoldingsError};
pub use journal::{Journal, Phase, Step, StepDone};
pub use lineage::{Lineage, LineageError};
pub use plan::{Facts, LeaderFact, Loss, Refusal, RestorePlan, WalRange, plan};
pub use room::{Room, TooFull};
pub use target::{Stop, Target, TargetError, TargetOptions, parse_time};

/// What stands between the name of a data folder and the restore that it was set aside for:
/// `17.before-restore-20261124-155501`.
pub const ASIDE: &str = ".before-restore-";
/// Name of the file on a node's volume that keeps its Postgres from being started; it holds the
/// restore's id.
pub const HOLD_FILE: &str = "restore.hold";
/// Name of the journal on the backup host's volume.
pub const JOURNAL_FILE: &str = "restore.json";
