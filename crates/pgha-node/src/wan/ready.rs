//! Whether the cluster has come up, seen from the router.
//!
//! Distances come into force after the first start, so that it is not slowed. A marker in the
//! container remembers it, so that a router that is killed comes back with its distances at once.

use std::path::Path;
use std::time::{Duration, Instant};

use pgha_core::topology::{PATRONI_PORT, Role, Topology};
use serde_json::Value;

use crate::http;

/// Says that the distances of this cluster have been in force.
const MARKER: &str = "/run/pgha/cluster-was-ready";
/// How long a cluster may take to come up before the distances come into force all the same.
const DEADLINE: Duration = Duration::from_secs(600);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// Whether the distances have been in force before.
pub(crate) fn is_remembered() -> bool {
    Path::new(MARKER).exists()
}

/// Remembers that they are, or forgets it.
pub(crate) fn remember(in_force: bool) -> std::io::Result<()> {
    if in_force {
        std::fs::write(MARKER, "")
    } else {
        match std::fs::remove_file(MARKER) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

/// Returns once every Postgres node is the leader or streams from it, or after a deadline.
pub(crate) fn wait(topology: &Topology) {
    let deadline = Instant::now() + DEADLINE;
    let count = topology.of_role(Role::Postgres).count();
    while Instant::now() < deadline {
        let up = topology
            .of_role(Role::Postgres)
            .filter_map(|node| http::get(node.address, PATRONI_PORT, "cluster"))
            .any(|answer| everybody_is_up(&answer, count));
        if up {
            return;
        }
        std::thread::sleep(PAUSE);
    }
    crate::log("the cluster is not up after 10 min; applying WAN latency anyway");
}

/// Reads what Patroni answers to `GET /cluster`.
fn everybody_is_up(answer: &str, nodes: usize) -> bool {
    let said: Value = serde_json::from_str(answer).unwrap_or_default();
    let members: Vec<_> = said["members"].as_array().into_iter().flatten().collect();
    let leader = members.iter().find(|m| m["role"] == "leader" && m["state"] == "running");
    leader.is_some_and(|leader| {
        members.len() == nodes
            && members
                .iter()
                .filter(|m| m["role"] != "leader")
                .all(|m| m["state"] == "streaming" && m["timeline"] == leader["timeline"])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_up_when_its_last_replica_streams() {
        let answer = |state: &str| {
            format!(
                r#"{{"members": [
                    {{"name": "a", "role": "leader", "state": "running", "timeline": 2}},
                    {{"name": "b", "role": "quorum_standby", "state": "{state}", "timeline": 2}}]}}"#
            )
        };
        assert!(everybody_is_up(&answer("streaming"), 2));
        assert!(!everybody_is_up(&answer("starting"), 2));
        assert!(!everybody_is_up(&answer("streaming"), 3), "one has not joined yet");
        assert!(!everybody_is_up("oops", 0));
    }
}
