//! The few things that PID 1 and its helpers ask of Patroni's REST API.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pgha_core::render::PATRONI_API_USER;
use pgha_core::topology::{Member, PATRONI_PORT};
use serde_json::Value;

/// How long Patroni may take to answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(1);

fn url(member: &Member, path: &str) -> String {
    format!("http://{}:{PATRONI_PORT}/{path}", member.address)
}

/// Whether `GET /<check>` of the member's Patroni answers 200.
pub(crate) fn says_yes(member: &Member, check: &str) -> bool {
    ureq::get(url(member, check))
        .config()
        .timeout_global(Some(ANSWER_DEADLINE))
        .build()
        .call()
        .is_ok_and(|answer| answer.status() == 200)
}

/// How many replicas stream from this member; `None` where it is not a running leader.
pub(crate) fn attached_replicas(member: &Member) -> Option<usize> {
    let mut answer = ureq::get(url(member, "primary"))
        .config()
        .timeout_global(Some(ANSWER_DEADLINE))
        .build()
        .call()
        .ok()?;
    let said: Value = serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()?;
    let streaming = |replica: &&Value| replica["state"] == "streaming";
    Some(said["replication"].as_array().map_or(0, |list| list.iter().filter(streaming).count()))
}

/// Has the member's Patroni begin its next round now, by a change of configuration that changes
/// nothing: it removes a key that is not there.
pub(crate) fn wake_up(member: &Member, password: &str) {
    let credentials = BASE64_STANDARD.encode(format!("{PATRONI_API_USER}:{password}"));
    // Whether it worked shows in what is asked next.
    let _ = ureq::patch(url(member, "config"))
        .config()
        .timeout_global(Some(ANSWER_DEADLINE))
        .build()
        .header("Authorization", &format!("Basic {credentials}"))
        .send(r#"{"pgha_wake_up": null}"#);
}
