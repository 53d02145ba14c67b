//! The few things that PID 1 and its helpers ask of Patroni's REST API.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pgha_core::render::PATRONI_API_USER;
use pgha_core::topology::{Member, PATRONI_PORT};
use serde_json::Value;

use crate::http;

/// Whether `GET /<check>` of the member's Patroni answers 200.
pub(crate) fn says_yes(member: &Member, check: &str) -> bool {
    http::get(member.address, PATRONI_PORT, check).is_some()
}

/// Which members stream from this one; `None` where it is not a running leader.
pub(crate) fn followers(member: &Member) -> Option<BTreeSet<String>> {
    http::get(member.address, PATRONI_PORT, "primary").map(|answer| parse_followers(&answer))
}

/// Reads what `GET /primary` answers. A base backup streams too, under its own name.
fn parse_followers(answer: &str) -> BTreeSet<String> {
    let said: Value = serde_json::from_str(answer).unwrap_or_default();
    let streams = said["replication"].as_array().into_iter().flatten();
    streams
        .filter(|stream| stream["state"] == "streaming")
        .filter_map(|stream| Some(stream["application_name"].as_str()?.to_owned()))
        .collect()
}

/// Has the member's Patroni begin its next round now, by a change of configuration that changes
/// nothing: it removes a key that is not there.
pub(crate) fn wake_up(member: &Member, password: &str) {
    let credentials = BASE64_STANDARD.encode(format!("{PATRONI_API_USER}:{password}"));
    // Whether it worked shows in what is asked next.
    let _ = http::patient()
        .patch(http::url(member.address, PATRONI_PORT, "config"))
        .header("Authorization", &format!("Basic {credentials}"))
        .send(r#"{"pgha_wake_up": null}"#);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_backup_is_no_follower() {
        let answer = r#"{"role": "primary", "replication": [
            {"application_name": "pgha-demo2-DC1-1", "state": "streaming"},
            {"application_name": "pg_basebackup", "state": "streaming"},
            {"application_name": "pgha-demo1-DC2-1", "state": "catchup"}
        ]}"#;
        let followers = parse_followers(answer);
        assert!(followers.contains("pgha-demo2-DC1-1"));
        assert!(!followers.contains("pgha-demo1-DC2-1"));
        assert!(parse_followers("oops").is_empty());
    }
}
