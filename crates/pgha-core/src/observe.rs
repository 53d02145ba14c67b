//! What `pgha-node probe` learns inside a site and prints, and how raw answers become that.
//!
//! A probe asks every member of its own site over their cluster addresses; one probe for each site
//! makes up what is known of a cluster. Parsing is total: an odd answer becomes an error text, never
//! a panic and never a guess. Nothing here asks anybody anything, and nothing judges what it means:
//! that is [`crate::status`].

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::disk::Disk;
use crate::dynamic::Dynamic;
use crate::identity::{NotStarted, RepositoryFact};
use crate::links::asked::largest_round_trip;
use crate::restore::Unfinished;
use crate::spec::Spec;

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
/// Longest part of an answer that is quoted in an error text, in characters.
const QUOTE_MAX_CHARS: usize = 200;

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

/// Reads the leader's answer to [`ARCHIVER_SQL`].
///
/// # Errors
/// When it is something else.
pub fn archiver(printed: &[u8]) -> Result<Archiver, String> {
    serde_json::from_slice(printed).map_err(|e| format!("no count ({e}): {}", quote(printed)))
}

/// Reads Patroni's answer to `GET /patroni`.
///
/// # Errors
/// When it is not JSON or has no `state` and `role`.
pub fn patroni(body: &[u8]) -> Result<Patroni, String> {
    let answer = json(body)?;
    let words = |key: &str| answer[key].as_str().map(str::to_owned);
    let missing = || format!("no answer of Patroni: {}", quote(body));
    let xlog = &answer["xlog"];
    Ok(Patroni {
        state: words("state").ok_or_else(missing)?,
        role: words("role").ok_or_else(missing)?,
        timeline: number(&answer["timeline"]),
        location: number(&xlog["location"]),
        received: number(&xlog["received_location"]),
        replayed: number(&xlog["replayed_location"]),
        started_s: answer["postmaster_start_time"].as_str().and_then(seconds),
        replication_state: words("replication_state"),
        sync_standby: truth(&answer["sync_standby"]),
        quorum_standby: truth(&answer["quorum_standby"]),
        version: answer["patroni"]["version"].as_str().map(str::to_owned),
        server_version: number(&answer["server_version"]),
        system_id: words("database_system_identifier"),
        dcs_last_seen_s: number(&answer["dcs_last_seen"]),
        pause: truth(&answer["pause"]),
        cluster_unlocked: truth(&answer["cluster_unlocked"]),
        failsafe: truth(&answer["failsafe_mode_is_active"]),
        pending_restart: truth(&answer["pending_restart"]),
        pending_settings: pending_settings(&answer["pending_restart_reason"]),
        not_started: serde_json::from_value(answer[NOT_STARTED_KEY].clone()).ok(),
    })
}

/// Reads `{"max_connections": {"old_value": "100", "new_value": "200"}}`.
fn pending_settings(reason: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let settings = reason.as_object().into_iter().flatten();
    settings
        .map(|(name, change)| {
            format!("{name} {} ({})", text(&change["old_value"]), text(&change["new_value"]))
        })
        .collect()
}

/// Reads etcd's answer to `/v3/maintenance/status`. Zero, empty and false are left out there.
///
/// # Errors
/// When it is an error or no such answer.
pub fn etcd_status(body: &[u8]) -> Result<EtcdStatus, String> {
    let answer = etcd(body)?;
    let count = |value: &Value| number(value).unwrap_or_default();
    Ok(EtcdStatus {
        member_id: number(&answer["header"]["member_id"])
            .ok_or_else(|| format!("no status of etcd: {}", quote(body)))?,
        leader_id: count(&answer["leader"]),
        version: answer["version"].as_str().unwrap_or_default().to_owned(),
        db_size_bytes: count(&answer["dbSize"]),
        raft_term: count(&answer["raftTerm"]),
        raft_index: count(&answer["raftIndex"]),
        raft_applied_index: count(&answer["raftAppliedIndex"]),
        learner: truth(&answer["isLearner"]),
        errors: answer["errors"]
            .as_array()
            .map(|errors| errors.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default(),
    })
}

/// The body of the request to `/v3/kv/range` that [`dcs`] reads the answer of: everything below
/// [`DCS_PREFIX`], linearizable.
pub fn dcs_request() -> String {
    let mut end = DCS_PREFIX.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    serde_json::json!({
        "key": STANDARD.encode(DCS_PREFIX),
        "range_end": STANDARD.encode(end),
        "serializable": false,
    })
    .to_string()
}

/// Reads etcd's answer to [`dcs_request`].
///
/// # Errors
/// When it is an error, such as one of a member without a quorum, or no such answer.
pub fn dcs(body: &[u8]) -> Result<Dcs, String> {
    let answer = etcd(body)?;
    let mut dcs = Dcs {
        revision: number(&answer["header"]["revision"])
            .ok_or_else(|| format!("no answer of etcd: {}", quote(body)))?,
        tells_succession: true,
        ..Dcs::default()
    };
    for pair in answer["kvs"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let (Some(key), Some(value)) = (decoded(&pair["key"]), decoded(&pair["value"])) else {
            continue;
        };
        match key.strip_prefix(DCS_PREFIX) {
            Some("leader") => dcs.leader = Some(value),
            Some("config") => dcs.config = Dynamic::parse(&value),
            Some("initialize") => dcs.system_id = Some(value).filter(|id| !id.is_empty()),
            Some("sync") => {
                let sync: Value = serde_json::from_str(&value).unwrap_or_default();
                let names = sync["sync_standby"].as_str().unwrap_or_default();
                dcs.sync_standbys =
                    names.split(',').filter(|n| !n.is_empty()).map(str::to_owned).collect();
                dcs.sync_leader = sync["leader"].as_str().map(str::to_owned);
                dcs.sync_quorum = number(&sync["quorum"]).unwrap_or_default();
            }
            Some("status") => {
                let status: Value = serde_json::from_str(&value).unwrap_or_default();
                dcs.last_lsn = number(&status["optime"]).filter(|lsn| *lsn > 0);
            }
            Some("history") => dcs.promotion = promotion(&value),
            Some(other) => {
                if let Some(name) = other.strip_prefix("members/") {
                    let member: Value = serde_json::from_str(&value).unwrap_or_default();
                    let words = |key: &str| member[key].as_str().unwrap_or_default().to_owned();
                    dcs.members.push(DcsMember {
                        name: name.to_owned(),
                        role: words("role"),
                        state: words("state"),
                    });
                }
            }
            None => {}
        }
    }
    Ok(dcs)
}

/// The last line of `[[1, 83886080, "no recovery target specified", "<time>", "<leader>"], …]`.
fn promotion(history: &str) -> Option<Promotion> {
    let lines: Value = serde_json::from_str(history).ok()?;
    let last = lines.as_array()?.last()?;
    let timeline = number(&last[0])?.checked_add(1)?;
    Some(Promotion { timeline, at_s: last[3].as_str().and_then(seconds) })
}

/// `2026-11-02 19:39:26.352526+00:00`, with a blank or a `T`, in seconds since 1970.
fn seconds(time: &str) -> Option<u64> {
    let at: jiff::Timestamp = time.parse().ok()?;
    u64::try_from(at.as_second()).ok()
}

fn json(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|_| format!("an answer that is no JSON: {}", quote(body)))
}

/// An answer of etcd's gateway, whose errors are `{"error": …, "code": …, "message": …}`.
fn etcd(body: &[u8]) -> Result<Value, String> {
    let answer = json(body)?;
    match answer["error"].as_str().or_else(|| answer["message"].as_str()) {
        Some(error) => Err(error.to_owned()),
        None => Ok(answer),
    }
}

/// A number, or one written as text as etcd's gateway writes 64 bits.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Patroni leaves out what is false; some flags are objects where true.
fn truth(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.is_object())
}

fn decoded(value: &Value) -> Option<String> {
    String::from_utf8(STANDARD.decode(value.as_str()?).ok()?).ok()
}

fn quote(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    match text.char_indices().nth(QUOTE_MAX_CHARS) {
        None if text.is_empty() => "nothing".to_owned(),
        None => text.to_owned(),
        Some((end, _)) => format!("{} …", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuning::SynchronousMode;
    use proptest::prelude::*;

    const PRIMARY: &str = r#"{"state": "running", "postmaster_start_time": "2026-11-02 19:39:26.352526+00:00",
        "role": "primary", "server_version": 170006, "xlog": {"location": 67395656}, "timeline": 1,
        "replication": [{"usename": "replicator", "application_name": "pgha-demo2-DC1-1",
        "client_addr": "198.18.1.102", "state": "streaming", "sync_state": "async", "sync_priority": 0}],
        "dcs_last_seen": 1692356718, "database_system_identifier": "7268616322854375442",
        "patroni": {"version": "4.0.7", "scope": "pgha_cluster", "name": "pgha-demo1-DC1-1"}}"#;
    const REPLICA: &str = r#"{"state": "running", "role": "replica", "server_version": 170006,
        "xlog": {"received_location": 67395656, "replayed_location": 67395000, "replayed_timestamp": null,
        "paused": false}, "timeline": 1, "replication_state": "streaming", "sync_standby": true,
        "pending_restart": true, "pending_restart_reason": {"max_connections": {"old_value": "100",
        "new_value": "200"}}, "dcs_last_seen": 1692356718,
        "database_system_identifier": "7268616322854375442",
        "patroni": {"version": "4.0.7", "scope": "pgha_cluster", "name": "pgha-demo2-DC1-1"}}"#;
    const CLONING: &str = r#"{"state": "creating replica", "role": "replica", "cluster_unlocked": true,
        "dcs_last_seen": 1692356718, "patroni": {"version": "4.0.7", "scope": "pgha_cluster"}}"#;

    #[test]
    fn a_primary_says_where_it_writes() {
        let primary = patroni(PRIMARY.as_bytes()).expect("an answer");
        assert!(primary.is_running_primary());
        assert_eq!((primary.location, primary.timeline), (Some(67_395_656), Some(1)));
        assert_eq!(primary.system_id.as_deref(), Some("7268616322854375442"));
        assert_eq!(primary.version.as_deref(), Some("4.0.7"));
        assert_eq!(primary.started_s, Some(1_793_648_366));
    }

    #[test]
    fn a_replica_says_how_far_it_is() {
        let replica = patroni(REPLICA.as_bytes()).expect("an answer");
        assert!(!replica.is_running_primary());
        assert_eq!((replica.received, replica.replayed), (Some(67_395_656), Some(67_395_000)));
        assert_eq!(replica.replication_state.as_deref(), Some("streaming"));
        assert!(replica.sync_standby && replica.pending_restart && !replica.quorum_standby);
        assert_eq!(replica.pending_settings, ["max_connections 100 (200)"]);
    }

    #[test]
    fn a_node_without_a_database_has_no_timeline() {
        let cloning = patroni(CLONING.as_bytes()).expect("an answer");
        assert_eq!(cloning.timeline, None);
        assert!(cloning.cluster_unlocked);
    }

    #[test]
    fn a_status_without_leader_is_a_follower_of_nobody() {
        let body =
            br#"{"header":{"cluster_id":"14841639068965178418","member_id":"10276657743932975437",
            "revision":"1","raft_term":"2"},"version":"3.5.16","dbSize":"20480","raftIndex":"4",
            "raftTerm":"2","raftAppliedIndex":"4","errors":["etcdserver: no leader"]}"#;
        let status = etcd_status(body).expect("a status");
        assert_eq!(status.member_id, 10_276_657_743_932_975_437);
        assert_eq!((status.leader_id, status.raft_term, status.db_size_bytes), (0, 2, 20480));
        assert_eq!(status.errors, ["etcdserver: no leader"]);
    }

    #[test]
    fn the_store_names_leader_and_members() {
        let pair = |key: &str, value: &str| {
            serde_json::json!({
                "key": STANDARD.encode(format!("{DCS_PREFIX}{key}")),
                "value": STANDARD.encode(value),
                "lease": "7587883541241",
            })
        };
        let body = serde_json::json!({
            "header": {"revision": "42", "raft_term": "2"},
            "kvs": [
                pair("leader", "pgha-demo1-DC1-1"),
                pair("initialize", "7268616322854375442"),
                pair("members/pgha-demo1-DC1-1", r#"{"role":"primary","state":"running"}"#),
                pair("members/pgha-demo2-DC1-1", "not JSON"),
                pair("config", r#"{"ttl":60,"synchronous_mode":"quorum"}"#),
                pair("sync", r#"{"leader":"pgha-demo1-DC1-1","sync_standby":"a,b","quorum":0}"#),
                pair("status", r#"{"optime":134554512,"slots":{"pgha_demo1_dc1_1":134554512}}"#),
                pair("history", r#"[[1,25,"no recovery target specified"],
                    [2,83886080,"no recovery target specified","2026-11-27T14:54:46.868456+00:00","a"]]"#),
                {"key": "*", "value": "*"},
            ],
            "count": "8",
        });
        let dcs = dcs(body.to_string().as_bytes()).expect("an answer");
        assert_eq!((dcs.revision, dcs.leader.as_deref()), (42, Some("pgha-demo1-DC1-1")));
        assert_eq!(dcs.members.len(), 2);
        assert_eq!(dcs.members[0].role, "primary");
        assert_eq!(dcs.sync_standbys, ["a", "b"]);
        let config = dcs.config.expect("a configuration");
        assert_eq!((config.ttl_s, config.synchronous_mode), (60, SynchronousMode::Quorum));
        assert_eq!(dcs.sync_leader.as_deref(), Some("pgha-demo1-DC1-1"));
        assert_eq!(dcs.last_lsn, Some(134_554_512));
        assert_eq!(dcs.promotion, Some(Promotion { timeline: 3, at_s: Some(1_795_791_286) }));
    }

    #[test]
    fn an_empty_store_has_no_leader_and_an_error_is_no_empty_store() {
        let empty = dcs(br#"{"header":{"revision":"1"}}"#).expect("an answer");
        assert_eq!((empty.leader, empty.system_id), (None, None));
        let error = dcs(br#"{"error":"etcdserver: request timed out","code":14}"#);
        assert_eq!(error, Err("etcdserver: request timed out".to_owned()));
        assert!(dcs(b"{}").is_err() && dcs(b"").is_err() && dcs(b"<html>").is_err());
    }

    #[test]
    fn the_request_covers_the_prefix_and_nothing_else() {
        let request: Value = serde_json::from_str(&dcs_request()).expect("JSON");
        let end = decoded(&request["range_end"]).expect("base64");
        assert_eq!(decoded(&request["key"]).as_deref(), Some(DCS_PREFIX));
        assert_eq!(end, "/pgha/pgha_cluster0");
        assert_eq!(request["serializable"], false);
    }

    #[test]
    fn a_read_with_quorum_may_take_two_round_trips() {
        let link = crate::spec::LinkSpec::between("DC1", "DC2", Duration::from_millis(40));
        let spec = Spec { links: vec![link], ..Spec::default() };
        assert_eq!(Deadlines::of(&spec).quorum, Duration::from_millis(400 + 160));
        assert_eq!(Deadlines::of(&spec).local, Duration::from_millis(400));
    }

    proptest! {
        #[test]
        fn every_parser_survives_arbitrary_bytes(body: Vec<u8>) {
            let _ = (patroni(&body), etcd_status(&body), dcs(&body));
            prop_assert!(SiteObservation::from_json(&body).is_err());
        }

        #[test]
        fn every_parser_survives_json_of_the_wrong_shape(
            key in "(state|role|xlog|timeline|header|kvs|error|errors|leader|patroni)",
            value in "(1|-1|1e99|null|true|\"x\"|\\[\\]|\\[1,\\{\\}\\]|\\{\"revision\":\"x\"\\})",
        ) {
            let body = format!("{{\"{key}\": {value}}}");
            let _ = (patroni(body.as_bytes()), etcd_status(body.as_bytes()), dcs(body.as_bytes()));
        }
    }
}
