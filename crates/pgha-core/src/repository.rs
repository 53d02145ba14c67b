//! What pgBackRest's repository holds: backups, WAL, databases, and whether it can be used.
//!
//! The model of `pgbackrest info --output=json` for pgha's one stanza, and its parser. Parsing is total:
//! what cannot be read is an error text, never a panic and never a listing with a part left out. It
//! knows of no time, asks nobody and judges nothing but what the listing itself says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wal::{Lsn, Segment};

/// pgBackRest's stanza of every cluster.
pub const STANZA: &str = "pgha_db";
/// pgBackRest's code for a stanza or repository that is as it should be.
pub const STATUS_OK: u32 = 0;
/// pgBackRest's code for a stanza that does not exist.
pub const STATUS_MISSING_STANZA: u32 = 1;
/// pgBackRest's code for a stanza without any backup.
pub const STATUS_NO_BACKUP: u32 = 2;

/// What the repository holds for the stanza.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Whether it can be used, over all repositories.
    pub status: Status,
    /// Each repository's own status, by key: 1 is the repository host's own volume.
    pub repositories: Vec<RepositoryStatus>,
    /// Every database that the stanza was made or upgraded for, the oldest first.
    pub databases: Vec<Database>,
    /// Every backup, the oldest first; the same label never stands twice in one repository.
    pub backups: Vec<Backup>,
    /// What the archive holds, one range for each database and repository.
    pub archives: Vec<ArchiveRange>,
    /// The backup that is being made; `None` where none is.
    pub running: Option<Running>,
}

/// What pgBackRest says of a stanza or a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// [`STATUS_OK`], or one of pgBackRest's other codes.
    pub code: u32,
    /// pgBackRest's words for it, such as `ok` or `no valid backups`.
    pub message: String,
}

/// One repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryStatus {
    /// Its number.
    pub key: u32,
    /// How it encrypts, such as `aes-256-cbc`, or `none`.
    pub cipher: String,
    /// Whether it can be used.
    pub status: Status,
}

/// A database that the stanza knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// pgBackRest's number of it, that [`Backup::database`] refers to.
    pub id: u32,
    /// The repository that says so.
    pub repository: u32,
    /// Postgres's major version, such as `17`.
    pub version: String,
    /// Identifier of the database system, as Postgres has it.
    pub system_id: u64,
}

/// How much of a database a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackupType {
    /// Everything.
    Full,
    /// What changed since the last full backup.
    Diff,
    /// What changed since the last backup of any type.
    Incr,
}

impl BackupType {
    /// Every type, the largest first.
    pub const ALL: [Self; 3] = [Self::Full, Self::Diff, Self::Incr];

    /// pgBackRest's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Diff => "diff",
            Self::Incr => "incr",
        }
    }
}

impl std::fmt::Display for BackupType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for BackupType {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| format!("`{word}` is none of: full, diff, incr"))
    }
}

/// One backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// pgBackRest's name for it, such as `20261124-154919F`.
    pub label: String,
    /// How much it holds by itself.
    #[serde(rename = "type")]
    pub kind: BackupType,
    /// The repository it is in.
    pub repository: u32,
    /// The database it is of: [`Database::id`].
    pub database: u32,
    /// When it began, in seconds since 1970.
    pub started_s: u64,
    /// When it ended, in seconds since 1970. No restore can aim at a time before this.
    pub stopped_s: u64,
    /// Size of the database that it restores.
    pub database_bytes: u64,
    /// Size of what was copied from the database for it.
    pub copied_bytes: u64,
    /// What it takes in the repository together with every backup it refers to; `None` with block
    /// incremental, where pgBackRest does not say.
    pub repository_set_bytes: Option<u64>,
    /// What it takes in the repository by itself.
    pub repository_bytes: u64,
    /// The first segment of WAL it takes to make it consistent; its timeline is the backup's.
    pub wal_start: Option<Segment>,
    /// The last one.
    pub wal_stop: Option<Segment>,
    /// Where it began.
    pub lsn_start: Option<Lsn>,
    /// Where it is consistent.
    pub lsn_stop: Option<Lsn>,
    /// The backup that it builds on; `None` of a full one.
    pub prior: Option<String>,
    /// Every backup that it cannot be restored without.
    pub references: Vec<String>,
    /// What the user wrote on it.
    pub annotations: BTreeMap<String, String>,
    /// Pages with a wrong checksum were found while it was made.
    pub page_errors: bool,
}

impl Backup {
    /// The timeline it was taken on.
    pub fn timeline(&self) -> Option<u32> {
        self.wal_start.map(|segment| segment.timeline)
    }
}

/// What the archive holds of one database. It may have gaps, which this does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveRange {
    /// pgBackRest's name for it, such as `17-1`.
    pub id: String,
    /// The repository it is in.
    pub repository: u32,
    /// The database it is of: [`Database::id`].
    pub database: u32,
    /// The first segment; `None` where it is empty.
    pub min: Option<Segment>,
    /// The last segment.
    pub max: Option<Segment>,
}

/// A backup that is being made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// What there is to copy; `None` until pgBackRest knows.
    pub total_bytes: Option<u64>,
    /// What was copied so far. pgBackRest counts whole files.
    pub done_bytes: Option<u64>,
}

impl Running {
    /// How much is done, 0 to 100; `None` until pgBackRest knows how much there is.
    pub fn percent(self) -> Option<u8> {
        let (total, done) = (self.total_bytes?, self.done_bytes?);
        let percent = if total == 0 { 100 } else { u128::from(done) * 100 / u128::from(total) };
        Some(u8::try_from(percent.min(100)).unwrap_or(100))
    }
}

impl Repository {
    /// Reads what `pgbackrest info --output=json` printed. A stanza that is not listed is one that does
    /// not exist.
    ///
    /// # Errors
    /// When it is something else, or a part of it cannot be read; the text says what.
    pub fn from_info(printed: &[u8]) -> Result<Self, String> {
        Self::of_stanza(printed, STANZA)
    }

    /// As [`Repository::from_info`], for a stanza of another name.
    ///
    /// # Errors
    /// As there.
    pub fn of_stanza(printed: &[u8], name: &str) -> Result<Self, String> {
        let stanzas: Vec<info::Stanza> = serde_json::from_str(&json_of_printed(printed))
            .map_err(|e| format!("no listing of pgBackRest ({e}): {}", quote(printed)))?;
        Ok(stanzas.into_iter().find(|stanza| stanza.name == name).map_or_else(
            || Self {
                status: Status {
                    code: STATUS_MISSING_STANZA,
                    message: "the stanza does not exist".to_owned(),
                },
                repositories: Vec::new(),
                databases: Vec::new(),
                backups: Vec::new(),
                archives: Vec::new(),
                running: None,
            },
            Self::from,
        ))
    }

    /// Whether pgBackRest sees nothing wrong with it; a repository without a backup is no such thing.
    pub fn is_ok(&self) -> bool {
        self.status.code == STATUS_OK
    }

    /// The database that the stanza is for now.
    pub fn current_database(&self) -> Option<&Database> {
        self.databases.iter().max_by_key(|database| database.id)
    }

    /// The database that the stanza is for now in the repository of that number.
    pub fn database_in(&self, repository: u32) -> Option<&Database> {
        let own = self.databases.iter().filter(|database| database.repository == repository);
        own.max_by_key(|database| database.id)
    }

    /// The backup of that label, where several repositories have it that of the first.
    pub fn backup(&self, label: &str) -> Option<&Backup> {
        let named = self.backups.iter().filter(|backup| backup.label == label);
        named.min_by_key(|backup| backup.repository)
    }

    /// The backup that ended last.
    pub fn latest(&self) -> Option<&Backup> {
        self.backups.iter().max_by_key(|backup| backup.stopped_s)
    }

    /// The full backup that ended last.
    pub fn latest_full(&self) -> Option<&Backup> {
        let full = self.backups.iter().filter(|backup| backup.kind == BackupType::Full);
        full.max_by_key(|backup| backup.stopped_s)
    }
}

/// Type of a backup and when it began, in seconds since 1970, by its label. pgBackRest names backups by
/// its own clock, which is UTC in pgha's containers.
pub fn label_time_s(label: &str) -> Option<(BackupType, u64)> {
    let own = label.rsplit('_').next()?;
    let kind = match own.get(15..)? {
        "F" if own.len() == label.len() => BackupType::Full,
        "D" => BackupType::Diff,
        "I" => BackupType::Incr,
        _ => return None,
    };
    let parsed = jiff::civil::DateTime::strptime("%Y%m%d-%H%M%S", own.get(..15)?).ok()?;
    let at = jiff::tz::TimeZone::UTC.to_timestamp(parsed).ok()?;
    Some((kind, u64::try_from(at.as_second()).ok()?))
}

/// The start of what was printed, for an error text.
fn quote(printed: &[u8]) -> String {
    const SHOWN_MAX_CHARS: usize = 200;
    let text = String::from_utf8_lossy(printed);
    let text = text.trim();
    match text.char_indices().nth(SHOWN_MAX_CHARS) {
        None if text.is_empty() => "nothing".to_owned(),
        None => text.to_owned(),
        Some((end, _)) => format!("{} …", &text[..end]),
    }
}

mod info;

pub use info::without_requests;
mod printed;

pub use printed::json_of_printed;

#[cfg(test)]
mod tests;
