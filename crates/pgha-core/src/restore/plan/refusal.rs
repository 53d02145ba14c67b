//! Why there is no plan.

use crate::wal::Lsn;

/// Why a restore cannot be, with the nearest choice that would do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no backup.
    #[error("there is no backup yet")]
    NoBackup,
    /// pgBackRest cannot read the repository.
    #[error("repository {repository} cannot be read: {reason}")]
    Unreadable {
        /// Its number.
        repository: u32,
        /// What pgBackRest says.
        reason: String,
    },
    /// The nodes have another database.
    #[error("repository {repository} has the database {held}, and the nodes have {own}")]
    OtherDatabase {
        /// The repository.
        repository: u32,
        /// Its database.
        held: u64,
        /// The nodes' database.
        own: u64,
    },
    /// No backup of that label.
    #[error("there is no backup `{label}`")]
    UnknownBackup {
        /// As given.
        label: String,
        /// Those that there are, the newest last.
        known: Vec<String>,
    },
    /// The backup is of another line of history.
    #[error("backup {label} is no part of the history of timeline {timeline}")]
    OtherHistory {
        /// The backup.
        label: String,
        /// Its own timeline.
        own: u32,
        /// The timeline asked for.
        timeline: u32,
        /// The newest that would do.
        usable: Option<String>,
    },
    /// The timeline is not known.
    #[error("timeline {timeline} cannot be followed: {reason}")]
    Timeline {
        /// As given.
        timeline: u32,
        /// What is wrong.
        reason: String,
        /// The newest that there is.
        newest: u32,
    },
    /// Before the first backup had ended.
    #[error("{target} is before the end of {which}")]
    TooEarly {
        /// The target.
        target: String,
        /// `the first backup` or `backup LABEL`.
        which: String,
        /// The earliest target that would do, as an option.
        earliest: String,
    },
    /// After the last WAL.
    #[error("{target} is after the last WAL")]
    TooLate {
        /// The target.
        target: String,
        /// Where the WAL ends.
        end: String,
        /// What would do instead.
        instead: String,
    },
    /// WAL between the backup and the target is not there.
    #[error("WAL that backup {backup} needs is not in the repository: {named}")]
    MissingWal {
        /// The backup.
        backup: String,
        /// The names of its segments, of many the first.
        named: String,
        /// The last position that can be reached.
        reachable: Option<Lsn>,
    },
}

impl Refusal {
    /// What would do instead.
    pub fn hint(&self) -> String {
        match self {
            Self::NoBackup => "`pgha backup` makes one".to_owned(),
            Self::Unreadable { .. } => "`pgha backups` shows how each repository is".to_owned(),
            Self::OtherDatabase { repository, held, own } => {
                format!("--repo {repository} restores {held} in place of {own}, which is lost then")
            }
            Self::UnknownBackup { known, .. } => format!("there is {}", known.join(", ")),
            Self::OtherHistory { own, usable, .. } => match usable {
                Some(label) => format!("--timeline {own} follows it; --set {label} would do"),
                None => format!("--timeline {own} follows it"),
            },
            Self::Timeline { newest, .. } => format!("the newest is {newest}"),
            Self::TooEarly { earliest, .. } => {
                format!("the earliest that can be had is {earliest}")
            }
            Self::TooLate { end, instead, .. } => format!("{end}; {instead}"),
            Self::MissingWal { reachable: Some(lsn), .. } => {
                format!("--lsn {lsn} is the last that can be reached")
            }
            Self::MissingWal { .. } => "--set with another backup may do".to_owned(),
        }
    }
}
