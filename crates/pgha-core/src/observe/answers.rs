//! Reads what Patroni, etcd and the leader answer.
//!
//! Total: an odd answer becomes an error text, never a panic and never a guess.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{
    Archiver, DCS_PREFIX, Dcs, DcsMember, EtcdStatus, NOT_STARTED_KEY, Patroni, Promotion,
};
use crate::dynamic::Dynamic;

/// Longest part of an answer that is quoted in an error text, in characters.
const QUOTE_MAX_CHARS: usize = 200;

/// Reads the leader's answer to [`ARCHIVER_SQL`](super::ARCHIVER_SQL).
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
/// [`DCS_PREFIX`], linearizable or, where there may be no quorum, as that member alone has it.
pub fn dcs_request(with_quorum: bool) -> String {
    let mut end = DCS_PREFIX.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    serde_json::json!({
        "key": STANDARD.encode(DCS_PREFIX),
        "range_end": STANDARD.encode(end),
        "serializable": !with_quorum,
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

pub(super) fn quote(body: &[u8]) -> String {
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
    use super::super::SiteObservation;
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
        let request: Value = serde_json::from_str(&dcs_request(true)).expect("JSON");
        let end = decoded(&request["range_end"]).expect("base64");
        assert_eq!(decoded(&request["key"]).as_deref(), Some(DCS_PREFIX));
        assert_eq!(end, "/pgha/pgha_cluster0");
        assert_eq!(request["serializable"], false);
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
