//! What etcd must forget before a restored node starts: who led, how far it was, who acknowledged.
//!
//! With the old keys Patroni would find the restored data behind the last leader, or not among the
//! acknowledging standbys, and elect nobody. The configuration stays as it was, out of pause.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pgha_core::identity::Initialized;
use pgha_core::ready::wants_too_many_votes;
use pgha_core::render::{NAMESPACE, SCOPE};
use pgha_core::topology::{ETCD_CLIENT_PORT, Member, Role};
use serde_json::{Value, json};

use crate::identity::Identity;
use crate::{Result, http, say};

/// Keys of Patroni below its scope that are about a cluster's present and past.
const FORGOTTEN: [&str; 8] =
    ["initialize", "leader", "status", "sync", "history", "failover", "failsafe", "optime/leader"];
/// Those of them that hold as long as no node runs.
const REMEMBERED: [&str; 4] = ["initialize", "status", "sync", "history"];

/// Removes them, and ends a pause. Those that are given are put back, as [`remember`] prints them.
pub(crate) fn clear(me: &Identity, put_back: &BTreeMap<String, String>) -> Result<()> {
    through_any(me, |member| {
        clear_through(member)?;
        for (key, value) in put_back.iter().filter(|(key, _)| REMEMBERED.contains(&key.as_str())) {
            ask(member, "kv/put", &json!({ "key": name(key), "value": value }))?;
        }
        Ok(())
    })
}

/// Prints what etcd knows of how far the cluster was and who had acknowledged, by key, as etcd encodes it.
pub(crate) fn remember(me: &Identity) -> Result<()> {
    let known = through_any(me, |member| {
        let mut known = BTreeMap::new();
        for key in REMEMBERED {
            let found = ask(member, "kv/range", &json!({ "key": name(key) }))?;
            if let Some(value) = found["kvs"][0]["value"].as_str() {
                known.insert(key, value.to_owned());
            }
        }
        Ok(known)
    })?;
    say(&json!(known).to_string());
    Ok(())
}

/// Whether Patroni has written that a failover wants no more votes than it must; so has a cluster without votes.
pub(crate) fn votes_are_counted(me: &Identity, acknowledge: u32) -> bool {
    let sync = through_any(me, |member| ask(member, "kv/range", &json!({ "key": name("sync") })));
    sync.is_ok_and(|answer| counted(&answer, acknowledge))
}

fn counted(answer: &Value, acknowledge: u32) -> bool {
    let text =
        answer["kvs"][0]["value"].as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
    let sync: Value = serde_json::from_slice(&text.unwrap_or_default()).unwrap_or_default();
    let voters = sync["sync_standby"].as_str().unwrap_or_default().split(',');
    let voters = voters.filter(|name| !name.is_empty()).count() as u64;
    let quorum = sync["quorum"].as_u64().unwrap_or_default();
    !wants_too_many_votes(quorum, voters, acknowledge)
}

fn through_any<T>(me: &Identity, ask: impl Fn(&Member) -> Result<T>) -> Result<T> {
    let mut reasons = Vec::new();
    for member in me.topology.of_role(Role::Etcd) {
        match ask(member) {
            Ok(done) => return Ok(done),
            Err(reason) => reasons.push(format!("{}: {reason}", member.name)),
        }
    }
    Err(format!("no etcd member has answered\n{}", reasons.join("\n")))
}

/// What etcd says of the cluster's database; `None` where no member answers with a quorum's consent.
pub(crate) fn initialized(me: &Identity) -> Option<Initialized> {
    me.topology.of_role(Role::Etcd).find_map(|member| {
        let found = ask(member, "kv/range", &json!({ "key": name("initialize") })).ok()?;
        let value = found["kvs"].as_array().into_iter().flatten().next();
        let value = value.map(|pair| pair["value"].as_str().unwrap_or_default());
        let text = value.map(|text| BASE64_STANDARD.decode(text).unwrap_or_default());
        Some(Initialized::by_key(text.as_deref().map(|t| std::str::from_utf8(t).unwrap_or(""))))
    })
}

fn clear_through(member: &Member) -> Result<()> {
    for key in FORGOTTEN {
        ask(member, "kv/deleterange", &json!({ "key": name(key) }))?;
    }
    let found = ask(member, "kv/range", &json!({ "key": name("config") }))?;
    let Some(text) = found["kvs"][0]["value"].as_str() else { return Ok(()) };
    let text = BASE64_STANDARD.decode(text).map_err(|e| format!("an unreadable value: {e}"))?;
    let Ok(Value::Object(mut config)) = serde_json::from_slice(&text) else { return Ok(()) };
    if config.remove("pause").is_some() {
        let value = BASE64_STANDARD.encode(Value::Object(config).to_string());
        ask(member, "kv/put", &json!({ "key": name("config"), "value": value }))?;
    }
    Ok(())
}

fn name(key: &str) -> String {
    BASE64_STANDARD.encode(format!("/{NAMESPACE}/{SCOPE}/{key}"))
}

fn ask(member: &Member, verb: &str, body: &Value) -> Result<Value> {
    let url = http::url(member.address, ETCD_CLIENT_PORT, &format!("v3/{verb}"));
    let mut answer = http::client(CONNECT, DEADLINE)
        .post(url)
        .send(body.to_string())
        .map_err(|e| format!("{verb}: {e}"))?;
    let text = answer.body_mut().read_to_string().map_err(|e| format!("{verb}: {e}"))?;
    if answer.status() != 200 {
        return Err(format!("{verb}: {} {text}", answer.status()));
    }
    serde_json::from_str(&text).map_err(|e| format!("{verb}: {e}"))
}

/// How long a connection may take.
const CONNECT: std::time::Duration = std::time::Duration::from_secs(1);
/// How long an answer may take: etcd may be electing.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_are_counted_once_a_failover_meets_whoever_has_acknowledged() {
        let answer = |sync: &str| json!({ "kvs": [{ "value": BASE64_STANDARD.encode(sync) }] });
        let sync = |quorum: u64| {
            answer(&format!(r#"{{"leader":"a","sync_standby":"b,c,d","quorum":{quorum}}}"#))
        };
        assert!(!counted(&sync(2), 2), "a round too early");
        assert!(counted(&sync(1), 2));
        assert!(counted(&answer(r#"{"leader":"a","sync_standby":"b"}"#), 1), "standbys with names");
        assert!(counted(&json!({}), 0), "no synchronous replication");
    }
}
