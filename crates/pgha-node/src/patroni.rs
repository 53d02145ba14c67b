//! The few things that PID 1 and its helpers ask of Patroni's REST API.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pgha_core::dynamic::Dynamic;
use pgha_core::render::PATRONI_API_USER;
use pgha_core::topology::{Member, PATRONI_PORT};
use serde_json::Value;

use crate::http;

/// Whether `GET /<check>` of the member's Patroni answers 200.
pub(crate) fn says_yes(member: &Member, check: &str) -> bool {
    http::get(member.address, PATRONI_PORT, check).is_some()
}

/// Which members stream from this one, and whether their acknowledgement counts for a commit: for Postgres,
/// and in etcd, where it is written a round later. `None` where this one is not a running leader.
pub(crate) fn followers(member: &Member) -> Option<BTreeMap<String, bool>> {
    let streams = http::get(member.address, PATRONI_PORT, "primary")?;
    let named = http::get(member.address, PATRONI_PORT, "cluster").unwrap_or_default();
    Some(parse_followers(&streams, &named))
}

/// Reads what `GET /primary` and `GET /cluster` answer. A base backup streams too, under its own name.
fn parse_followers(streams: &str, named: &str) -> BTreeMap<String, bool> {
    let [said, cluster]: [Value; 2] =
        [streams, named].map(|answer| serde_json::from_str(answer).unwrap_or_default());
    let members = cluster["members"].as_array();
    let is_named = |name: &str| {
        members.into_iter().flatten().any(|m| {
            m["name"] == name
                && matches!(m["role"].as_str(), Some("sync_standby" | "quorum_standby"))
        })
    };
    let streams = said["replication"].as_array().into_iter().flatten();
    streams
        .filter(|stream| stream["state"] == "streaming")
        .filter_map(|stream| {
            let name = stream["application_name"].as_str()?;
            let counts = matches!(stream["sync_state"].as_str(), Some("sync" | "quorum"));
            Some((name.to_owned(), counts && is_named(name)))
        })
        .collect()
}

/// The settings that Patroni runs with; `None` where the member's does not say.
pub(crate) fn settings(member: &Member) -> Option<Dynamic> {
    Dynamic::parse(&http::get(member.address, PATRONI_PORT, "config")?)
}

/// What a leader leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leading {
    /// Its timeline.
    pub(crate) timeline: u32,
    /// System identifier of its database.
    pub(crate) system_id: Option<u64>,
}

/// What this member leads; `None` where it does not.
pub(crate) fn leads(member: &Member) -> Option<Leading> {
    let answer = http::get(member.address, PATRONI_PORT, "primary")?;
    let said: Value = serde_json::from_str(&answer).ok()?;
    Some(Leading {
        timeline: u32::try_from(said["timeline"].as_u64()?).ok()?,
        system_id: said["database_system_identifier"].as_str().and_then(|id| id.parse().ok()),
    })
}

/// Whether the others can read in etcd that this replica streams from the leader on its timeline. The
/// leader takes only such a replica for one that can acknowledge.
pub(crate) fn is_known_to_stream(member: &Member) -> bool {
    http::get(member.address, PATRONI_PORT, "cluster")
        .is_some_and(|answer| parse_known_to_stream(&answer, &member.name).unwrap_or_default())
}

/// Reads what `GET /cluster` answers.
fn parse_known_to_stream(answer: &str, name: &str) -> Option<bool> {
    let cluster: Value = serde_json::from_str(answer).ok()?;
    let members = cluster["members"].as_array()?;
    let own = members.iter().find(|m| m["name"] == name)?;
    let leader = members.iter().find(|m| m["role"] == "leader")?;
    Some(own["state"] == "streaming" && own["timeline"] == leader["timeline"])
}

/// Has the member's Patroni begin its next round now, by a change of configuration that changes
/// nothing: it removes a key that is not there. Whether it takes this password.
pub(crate) fn wake_up(member: &Member, password: &str) -> bool {
    let credentials = BASE64_STANDARD.encode(format!("{PATRONI_API_USER}:{password}"));
    let answer = http::patient()
        .patch(http::url(member.address, PATRONI_PORT, "config"))
        .header("Authorization", &format!("Basic {credentials}"))
        .send(r#"{"pgha_wake_up": null}"#);
    answer.is_ok_and(|answer| answer.status() != 401)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_backup_is_no_follower() {
        let answer = r#"{"role": "primary", "replication": [
            {"application_name": "pgha-demo2-DC1-1", "state": "streaming", "sync_state": "quorum"},
            {"application_name": "pg_basebackup", "state": "streaming", "sync_state": "async"},
            {"application_name": "pgha-demo1-DC2-1", "state": "catchup", "sync_state": "async"}
        ]}"#;
        let named = |role: &str| {
            format!(r#"{{"members": [{{"name": "pgha-demo2-DC1-1", "role": "{role}"}}]}}"#)
        };
        let followers = parse_followers(answer, &named("quorum_standby"));
        assert_eq!(followers.get("pgha-demo2-DC1-1"), Some(&true));
        assert_eq!(followers.get("pg_basebackup"), Some(&false));
        assert_eq!(followers.get("pgha-demo1-DC2-1"), None);
        assert!(parse_followers("oops", "oops").is_empty());
        // Postgres has been told; etcd, by which one is promoted, has not.
        for not_yet in [named("replica"), "oops".to_owned()] {
            assert_eq!(parse_followers(answer, &not_yet).get("pgha-demo2-DC1-1"), Some(&false));
        }
    }

    #[test]
    fn a_replica_on_an_old_timeline_does_not_stream_yet() {
        let answer = |state: &str, timeline: u32| {
            format!(
                r#"{{"members": [{{"name": "a", "role": "leader", "state": "running", "timeline": 2}},
                {{"name": "b", "role": "replica", "state": "{state}", "timeline": {timeline}}}]}}"#
            )
        };
        assert_eq!(parse_known_to_stream(&answer("streaming", 2), "b"), Some(true));
        assert_eq!(parse_known_to_stream(&answer("streaming", 1), "b"), Some(false));
        assert_eq!(parse_known_to_stream(&answer("in archive recovery", 2), "b"), Some(false));
        assert_eq!(parse_known_to_stream(&answer("streaming", 2), "c"), None);
        assert_eq!(parse_known_to_stream("oops", "b"), None);
    }
}
