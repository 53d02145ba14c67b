//! What `pgha-node probe` learns inside a site and prints, and how raw answers become that.
//!
//! A probe asks every member of its own site over their cluster addresses; one probe for each site
//! makes up what is known of a cluster. Nothing here asks anybody anything, and nothing judges what it means:
//! that is [`crate::status`].

mod answers;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::disk::Disk;
use crate::dynamic::Dynamic;
use crate::identity::{NotStarted, RepositoryFact};
use crate::links::asked::largest_round_trip;
use crate::proxy::Behind;
use crate::restore::Unfinished;
use crate::spec::Spec;

use answers::quote;
pub use answers::{archiver, dcs, dcs_request, etcd_status, patroni};

/// Where Patroni keeps a cluster in etcd: `/<namespace>/<scope>/`.
pub const DCS_PREFIX: &str = "/pgha/pgha_cluster/";
/// The two files that exist once the stanza does, on the backup host.
pub const STANZA_FILES: [&str; 2] = [
    "/pgha/pgbackrest/backup/pgha_db/backup.info",
    "/pgha/pgbackrest/archive/pgha_db/archive.info",
];
/// Folder of the first repository with a folder for each backup, on the backup host.
pub const BACKUPS_DIR: &str = "/pgha/pgbackrest/backup/pgha_db";
/// The file that a complete backup has in its folder.
pub const BACKUP_MANIFEST: &str = "backup.manifest";
/// What the leader is asked about its archive; it answers with an [`Archiver`] in JSON.
pub const ARCHIVER_SQL: &str = "select json_build_object(\
    'last_archived_wal', last_archived_wal, 'last_failed_wal', last_failed_wal, \
    'failed_count', failed_count, 'current_wal', pg_walfile_name(pg_current_wal_lsn()), \
    'last_archived_age_s', floor(extract(epoch from clock_timestamp() - last_archived_time)), \
    'last_failed_age_s', floor(extract(epoch from clock_timestamp() - last_failed_time)), \
    'counted_for_s', floor(extract(epoch from clock_timestamp() - stats_reset))) \
    from pg_stat_archiver";
/// State of a node whose Patroni is not started, and role: no word of Patroni's.
pub const NOT_STARTED: &str = "not started";
/// Where the answer in Patroni's place says why: a [`NotStarted`].
pub const NOT_STARTED_KEY: &str = "pgha_not_started";
/// How long a probe waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// For a connection, inside the site.
    pub connect: Duration,
    /// For a whole answer that the asked member gives by itself.
    pub local: Duration,
    /// For a whole answer that takes a quorum: reading from a follower costs a round trip to the
    /// etcd leader and one from there to a majority.
    pub quorum: Duration,
}

impl Deadlines {
    /// The deadlines for a cluster with these distances.
    pub fn of(spec: &Spec) -> Self {
        let local = Duration::from_millis(400);
        Self {
            connect: Duration::from_millis(250),
            local,
            quorum: local.saturating_add(largest_round_trip(spec).saturating_mul(2)),
        }
    }
}

/// What one probe learned about its site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteObservation {
    /// The site, such as `DC1`.
    pub site: String,
    /// The member in which the probe ran.
    pub by: String,
    /// Every Postgres node of the site.
    pub postgres: Vec<NodeObservation>,
    /// Every etcd member of the site.
    pub etcd: Vec<EtcdObservation>,
    /// Every proxy of the site.
    #[serde(default)]
    pub proxies: Vec<ProxyObservation>,
    /// Whether the stanza exists; only a probe on the backup host knows.
    pub stanza: Option<bool>,
    /// Names of the complete backups of the first repository; only a probe on the backup host knows.
    #[serde(default)]
    pub backups: Option<Vec<String>>,
    /// What each repository holds, as was found last; only a probe on the backup host knows.
    #[serde(default)]
    pub repositories: Vec<RepositoryFact>,
    /// Whether a restore of the cluster is not finished; only a probe on the backup host knows.
    #[serde(default)]
    pub restoring: bool,
    /// How far that is, where its journal can be read.
    #[serde(default)]
    pub restore: Option<Unfinished>,
    /// How far a repair of etcd is that is not finished; only a probe on the backup host knows.
    #[serde(default)]
    pub repair: Option<UnfinishedRepair>,
    /// The disk of the member in which the probe ran.
    #[serde(default)]
    pub disk: Option<Disk>,
}

impl SiteObservation {
    /// Reads what a probe printed.
    ///
    /// # Errors
    /// When it is something else; the text says what.
    pub fn from_json(printed: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(printed)
            .map_err(|e| format!("no report of a probe ({e}): {}", quote(printed)))
    }
}

/// What a probe learned about one Postgres node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeObservation {
    /// The member.
    pub name: String,
    /// What its Patroni says of it, or why it says nothing.
    pub patroni: Result<Patroni, String>,
}

/// What a probe learned about one proxy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProxyObservation {
    /// The member.
    pub name: String,
    /// Which nodes it sends connections to, or why it does not say.
    pub behind: Result<Behind, String>,
}

/// What a probe learned about one etcd member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EtcdObservation {
    /// The member.
    pub name: String,
    /// What it says of itself, with or without a quorum, or why it says nothing.
    pub status: Result<EtcdStatus, String>,
    /// What it read for us with a quorum's consent, or why it could not.
    pub dcs: Result<Dcs, String>,
    /// How long that read took, in milliseconds, failed ones too.
    pub took_ms: f64,
}

/// Patroni's answer to `GET /patroni`.
#[allow(clippy::struct_excessive_bools, reason = "Patroni answers with as many independent flags")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patroni {
    /// State of Postgres in Patroni's words: `running`, `starting`, `creating replica` …
    pub state: String,
    /// Role in Patroni's words: `primary` (`master` before 4.0), `replica`, `standby_leader`,
    /// `uninitialized`.
    pub role: String,
    /// Timeline; absent while Postgres does not run.
    pub timeline: Option<u64>,
    /// Write position of a primary, in bytes of WAL.
    pub location: Option<u64>,
    /// What a replica has received, in bytes of WAL.
    pub received: Option<u64>,
    /// What a replica has replayed, in bytes of WAL.
    pub replayed: Option<u64>,
    /// When Postgres was started, in seconds since 1970.
    #[serde(default)]
    pub started_s: Option<u64>,
    /// How a replica gets WAL: `streaming` or `in archive recovery`.
    pub replication_state: Option<String>,
    /// It is a synchronous standby.
    pub sync_standby: bool,
    /// It counts for quorum commit.
    pub quorum_standby: bool,
    /// Version of Patroni.
    pub version: Option<String>,
    /// Version of Postgres, as a number such as `170006`.
    pub server_version: Option<u64>,
    /// Identifier of the database system.
    pub system_id: Option<String>,
    /// When it last reached etcd, in seconds since 1970.
    pub dcs_last_seen_s: Option<u64>,
    /// Automatic failover is off (`patronictl pause`).
    pub pause: bool,
    /// Nobody holds the leader key, as it saw last.
    pub cluster_unlocked: bool,
    /// It is primary without etcd, by consent of every member.
    pub failsafe: bool,
    /// A changed setting waits for a restart.
    pub pending_restart: bool,
    /// Which ones, each as `max_connections 100 (200)`: what runs, and in parentheses what is set.
    #[serde(default)]
    pub pending_settings: Vec<String>,
    /// Why Patroni is not started: then PID 1's helper answers in its place.
    #[serde(default)]
    pub not_started: Option<NotStarted>,
}

impl Patroni {
    /// It runs Postgres as a primary, as far as it knows itself.
    pub fn is_running_primary(&self) -> bool {
        self.state == "running" && matches!(self.role.as_str(), "primary" | "master")
    }
}

/// A member's answer to etcd's `/v3/maintenance/status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtcdStatus {
    /// Its own id.
    pub member_id: u64,
    /// The id of the member it follows; 0 when it knows of none.
    pub leader_id: u64,
    /// Version of etcd.
    pub version: String,
    /// Size of its database on disk.
    pub db_size_bytes: u64,
    /// Raft term.
    pub raft_term: u64,
    /// Last index in its log.
    pub raft_index: u64,
    /// Last index it has applied.
    pub raft_applied_index: u64,
    /// It has no vote yet.
    pub learner: bool,
    /// What it complains of, such as `etcdserver: no leader` or an alarm.
    pub errors: Vec<String>,
}

/// What Patroni keeps in etcd, read with a quorum's consent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dcs {
    /// Revision of the store at the read: of two reads the higher one is later.
    pub revision: u64,
    /// Who holds the leader key; `None` when nobody does.
    pub leader: Option<String>,
    /// Identifier of the database system; `None` before the first bootstrap.
    pub system_id: Option<String>,
    /// What members last wrote of themselves; a key lives `ttl` longer than its writer.
    pub members: Vec<DcsMember>,
    /// Those that may be promoted without loss, as the last leader wrote it.
    pub sync_standbys: Vec<String>,
    /// Patroni's configuration as it runs; `None` before the first bootstrap.
    #[serde(default)]
    pub config: Option<Dynamic>,
    /// Who wrote that: a leader with synchronous replication; `None` where there is none.
    #[serde(default)]
    pub sync_leader: Option<String>,
    /// Voters that a candidate has to hear from besides itself, with quorum commit.
    #[serde(default)]
    pub sync_quorum: u64,
    /// The last position that a leader wrote, in bytes of WAL: what the lag of a candidate counts from.
    #[serde(default)]
    pub last_lsn: Option<u64>,
    /// The last promotion that is recorded.
    #[serde(default)]
    pub promotion: Option<Promotion>,
    /// The four before are what is in etcd. A node of an earlier pgha does not look for them, and then
    /// nothing is known of them.
    #[serde(default)]
    pub tells_succession: bool,
}

/// A promotion, as the new leader records it some rounds later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// The timeline that it began.
    pub timeline: u64,
    /// When, in seconds since 1970.
    pub at_s: Option<u64>,
}

/// What a member last wrote of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DcsMember {
    /// Its name.
    pub name: String,
    /// Its role, as it was.
    pub role: String,
    /// Its state, as it was.
    pub state: String,
}

/// What the leader says of its archive (`pg_stat_archiver`). Ages are by its own clock, in seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Archiver {
    /// The last file that was archived.
    pub last_archived_wal: Option<String>,
    /// How long ago.
    pub last_archived_age_s: Option<u64>,
    /// The last file that was not.
    pub last_failed_wal: Option<String>,
    /// How long ago that failed last.
    pub last_failed_age_s: Option<u64>,
    /// Attempts that failed.
    pub failed_count: u64,
    /// The segment that is written to.
    pub current_wal: Option<String>,
    /// For how long it counts.
    pub counted_for_s: Option<u64>,
}

/// A repair that is in progress, or was interrupted: nobody but the command that carries it out knows which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedRepair {
    /// Its id.
    pub id: String,
    /// It is being taken back.
    pub back: bool,
    /// What is being done.
    pub doing: String,
    /// The ways on.
    pub ways: String,
}

impl UnfinishedRepair {
    /// One sentence, without a full stop.
    pub fn message(&self) -> String {
        let Self { id, doing, .. } = self;
        if self.back {
            format!("repair {id} of etcd is being given up, at: {doing}")
        } else {
            format!("a repair of etcd is in progress ({id}), at: {doing}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_with_quorum_may_take_two_round_trips() {
        let link = crate::spec::LinkSpec::between("DC1", "DC2", Duration::from_millis(40));
        let spec = Spec { links: vec![link], ..Spec::default() };
        assert_eq!(Deadlines::of(&spec).quorum, Duration::from_millis(400 + 160));
        assert_eq!(Deadlines::of(&spec).local, Duration::from_millis(400));
    }
}
