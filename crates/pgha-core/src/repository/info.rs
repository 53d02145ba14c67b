//! The shape of `pgbackrest info --output=json`, and from there to the model. Fields that this pgha does
//! not know are passed over: a newer pgBackRest may have more.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    ArchiveRange, Backup, BackupType, Database, Repository, RepositoryStatus, Running, Status,
};
use crate::wal::{Lsn, Segment};

/// One stanza of the listing.
#[derive(Debug, Deserialize)]
pub(super) struct Stanza {
    pub(super) name: String,
    #[serde(default)]
    archive: Vec<Archive>,
    #[serde(default)]
    backup: Vec<BackupInfo>,
    #[serde(default)]
    db: Vec<Db>,
    #[serde(default)]
    repo: Vec<Repo>,
    status: StanzaStatus,
}

#[derive(Debug, Deserialize)]
struct StanzaStatus {
    code: u32,
    message: String,
    #[serde(default)]
    lock: Locks,
}

#[derive(Debug, Default, Deserialize)]
struct Locks {
    #[serde(default)]
    backup: Lock,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Lock {
    #[serde(default)]
    held: bool,
    size: Option<u64>,
    size_cplt: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Repo {
    key: u32,
    cipher: String,
    status: Status,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Db {
    id: u32,
    repo_key: u32,
    system_id: u64,
    version: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct OfDatabase {
    id: u32,
    repo_key: u32,
}

#[derive(Debug, Deserialize)]
struct Archive {
    id: String,
    database: OfDatabase,
    min: Option<Segment>,
    max: Option<Segment>,
}

#[derive(Debug, Deserialize)]
struct BackupInfo {
    label: String,
    #[serde(rename = "type")]
    kind: BackupType,
    database: OfDatabase,
    timestamp: Range<u64>,
    info: Sizes,
    #[serde(default)]
    archive: Range<Option<Segment>>,
    #[serde(default)]
    lsn: Range<Option<Lsn>>,
    prior: Option<String>,
    reference: Option<Vec<String>>,
    annotation: Option<BTreeMap<String, String>>,
    error: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
struct Range<T> {
    start: T,
    stop: T,
}

#[derive(Debug, Deserialize)]
struct Sizes {
    size: u64,
    delta: u64,
    repository: RepositorySizes,
}

#[derive(Debug, Deserialize)]
struct RepositorySizes {
    delta: u64,
    size: Option<u64>,
}

impl From<Stanza> for Repository {
    fn from(stanza: Stanza) -> Self {
        let StanzaStatus { code, message, lock: Locks { backup: lock } } = stanza.status;
        let running =
            Running { total_bytes: lock.size, done_bytes: lock.size_cplt.or(lock.size.map(|_| 0)) };
        let mut backups: Vec<Backup> = stanza.backup.into_iter().map(Backup::from).collect();
        backups.sort_by(|a, b| (a.stopped_s, &a.label).cmp(&(b.stopped_s, &b.label)));
        let mut databases: Vec<Database> = stanza
            .db
            .into_iter()
            .map(|db| Database {
                id: db.id,
                repository: db.repo_key,
                version: db.version,
                system_id: db.system_id,
            })
            .collect();
        databases.sort_by_key(|database| (database.id, database.repository));
        Self {
            status: Status { code, message: shown(&message) },
            repositories: stanza
                .repo
                .into_iter()
                .map(|r| RepositoryStatus {
                    key: r.key,
                    cipher: r.cipher,
                    status: Status { code: r.status.code, message: shown(&r.status.message) },
                })
                .collect(),
            databases,
            backups,
            archives: stanza
                .archive
                .into_iter()
                .map(|archive| ArchiveRange {
                    id: archive.id,
                    repository: archive.database.repo_key,
                    database: archive.database.id,
                    min: archive.min,
                    max: archive.max,
                })
                .collect(),
            running: lock.held.then_some(running),
        }
    }
}

/// A message without requests to S3 and without the contents of a file that could not be read: of a line
/// that quotes them only the beginning stays.
fn shown(message: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in without_requests(message).lines() {
        let line = match line.find(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
            Some(at) => format!("{} …", line[..at].trim_end()),
            None => line.to_owned(),
        };
        // pgBackRest says the same of a file and of its copy.
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines.join("\n")
}

impl From<BackupInfo> for Backup {
    fn from(info: BackupInfo) -> Self {
        Self {
            label: info.label,
            kind: info.kind,
            repository: info.database.repo_key,
            database: info.database.id,
            started_s: info.timestamp.start,
            stopped_s: info.timestamp.stop,
            database_bytes: info.info.size,
            copied_bytes: info.info.delta,
            repository_set_bytes: info.info.repository.size,
            repository_bytes: info.info.repository.delta,
            wal_start: info.archive.start,
            wal_stop: info.archive.stop,
            lsn_start: info.lsn.start,
            lsn_stop: info.lsn.stop,
            prior: info.prior,
            references: info.reference.unwrap_or_default(),
            annotations: info.annotation.unwrap_or_default(),
            page_errors: info.error.unwrap_or_default(),
        }
    }
}

/// What pgBackRest says without the requests to S3 that failed: of each what was answered stays.
pub fn without_requests(said: &str) -> String {
    let (mut kept, mut hides) = (Vec::new(), false);
    for line in said.lines() {
        let text = line.trim();
        if text.starts_with("*** ") {
            hides = text != "*** Response Content ***:";
            continue;
        }
        // A request ends where the next message begins.
        hides &= !(text.starts_with("HINT:") || text.starts_with('[') || text.contains("Error: "));
        if !hides {
            kept.push(line);
        }
    }
    kept.join("\n")
}
