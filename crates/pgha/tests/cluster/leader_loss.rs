//! What happens when a leader is stopped, and when Patroni dies inside its container.

use std::time::Instant;

use crate::docker::{docker, exec, inspect, sql};
use crate::test_cluster::TestCluster;
use crate::waiting::{claim, until};

/// Patroni's `ttl`: how long a leader key lives that nobody gives back.
const TTL_S: u64 = 30;

/// Everything this module claims of a cluster.
pub(crate) fn prove(cluster: &TestCluster) {
    claim("docker stop gives the leader key back: another leads long before the ttl", || {
        stopped_leader_hands_over(cluster);
    });
    claim("without -b a container ends with its Patroni, and comes back", || {
        let leader = cluster.leader();
        let replica = cluster.of_kind("postgres").into_iter().find(|n| *n != leader);
        container_ends_with_patroni(cluster, &replica.expect("there are replicas"));
    });
}

fn stopped_leader_hands_over(cluster: &TestCluster) {
    let leader = cluster.leader();
    let etcd = cluster.of_kind("etcd").remove(0);
    let held_by = || {
        let key = "etcdctl --endpoints=$ENDPOINTS get --print-value-only /pgha/pgha_cluster/leader";
        exec(&etcd, &["sh", "-c", key])
    };
    assert_eq!(held_by(), leader, "this is not the leader key");
    let started = Instant::now();
    docker(&["stop", &leader]);
    assert_ne!(held_by(), leader, "the key is still the stopped leader's");
    let next = cluster.wait_leader_other_than(std::slice::from_ref(&leader), TTL_S);
    let took = started.elapsed();
    assert!(took.as_secs() < TTL_S / 2, "{next} leads after {took:?}");
    assert_eq!(inspect(&leader)["State"]["ExitCode"], 0, "{leader} did not end well");
    sql(&next, "create table after_stop as select 1 as one");
    docker(&["start", &leader]);
    cluster.wait_whole();
}

fn container_ends_with_patroni(cluster: &TestCluster, node: &str) {
    let before = inspect(node);
    let since = docker(&["info", "--format", "{{.SystemTime}}"]);
    kill_patroni(node);
    until(&format!("{node} was started again"), 60, || {
        let now = inspect(node);
        let count = |seen: &serde_json::Value| seen["RestartCount"].as_u64().expect("a count");
        let again = count(&now) == count(&before) + 1
            && now["State"]["StartedAt"] != before["State"]["StartedAt"];
        if again { Ok(()) } else { Err(format!("{}", now["State"])) }
    });
    let until_now = docker(&["info", "--format", "{{.SystemTime}}"]);
    let filter = format!("container={node}");
    let died = docker(&[
        "events",
        "--since",
        &since,
        "--until",
        &until_now,
        "--filter",
        &filter,
        "--filter",
        "event=die",
        "--format",
        "{{.Actor.Attributes.exitCode}}",
    ]);
    let codes: Vec<_> = died.lines().collect();
    assert_eq!(codes, ["137"], "exit codes of {node}");
    cluster.wait_whole();
}

/// Kills Patroni, and nothing else, inside a node.
pub(crate) fn kill_patroni(node: &str) {
    exec(node, &["pkill", "-KILL", "-o", "-x", "patroni"]);
}
