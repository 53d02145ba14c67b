//! `pgha load` through the loss of the leader's site: what was lost, and for how long nobody could write.

use std::process::{Child, Stdio};

use serde_json::Value;

use crate::docker::sql;
use crate::test_cluster::{HEAL_DEADLINE_S, TestCluster, leader_of, site_of};
use crate::waiting::{claim, tell, until};

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn asynchronous_replication_loses_acknowledged_writes_and_a_quorum_none() {
    let up = |durability| {
        let flags = ["-d", "3", "-c", "1", "--timers", "fast", "--durability", durability];
        TestCluster::up("load", &flags)
    };
    let cluster = up("async");
    // The negative control: a checker that always passes looks healthy.
    claim("async: a leader that is cut off goes on acknowledging, and that is found lost", || {
        let report = through_an_isolation(&cluster, 5);
        assert!(report["lost"].as_u64().is_some_and(|lost| lost > 0), "{report}");
        assert!(!report["lost_writes"].as_array().expect("a list").is_empty());
    });
    drop(cluster);
    let cluster = up("quorum");
    claim("quorum: the same loses none", || {
        let report = through_an_isolation(&cluster, 0);
        assert_eq!((&report["lost"], &report["unexpected"]), (&0.into(), &0.into()), "{report}");
    });
    claim("a killed leader and a frozen standby are back with `start`", || {
        let leader = cluster.leader();
        cluster.pgha(&["kill", &leader]).ok();
        cluster.pgha(&["kill", &leader]).refused(3, "nothing to kill");
        let next = cluster.wait_leader_other_than(std::slice::from_ref(&leader), HEAL_DEADLINE_S);
        let nodes = cluster.of_kind("postgres");
        let standby = nodes.iter().find(|node| **node != leader && **node != next);
        cluster.pgha(&["pause-container", standby.expect("a third node")]).ok();
        cluster.pgha(&["start", &cluster.id()]).ok();
        cluster.wait_whole();
    });
    claim("nothing is left of the runs", || {
        let left = "select count(*) from pg_namespace where nspname = 'pgha_load'";
        assert_eq!(sql(&cluster.leader(), left), "0");
    });
}

/// Isolates the leader's site under load until another node has taken writes for a while, heals, and gives the report.
fn through_an_isolation(cluster: &TestCluster, exit_code: i32) -> Value {
    cluster.wait_whole();
    let before = cluster.status();
    let leader = leader_of(&before).expect("there is a leader");
    let load = start(cluster);
    let writes = "select count(*) = 4 from pg_stat_activity \
        where application_name = 'pgha load' and query like 'insert%'";
    until("clients write", 30, || match sql(&leader, writes).as_str() {
        "t" => Ok(()),
        other => Err(other.to_owned()),
    });
    let site = site_of(&before, &leader);
    cluster.pgha(&["wan", "isolate", &cluster.id(), &site, "--for", "90s", "--no-verify"]).ok();
    let next = cluster.wait_leader_other_than(std::slice::from_ref(&leader), HEAL_DEADLINE_S);
    until("clients have found it", 60, || match sql(&next, writes).as_str() {
        "t" => Ok(()),
        other => Err(other.to_owned()),
    });
    cluster.pgha(&["wan", "heal", &cluster.id(), "--no-verify"]).ok();
    cluster.wait_whole();
    let report = end(load, exit_code);
    let outage = report["outages"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|outage| outage["before"] == leader.as_str() && outage["after"] == next.as_str());
    let outage = outage.unwrap_or_else(|| panic!("an outage from {leader} to {next}: {report}"));
    tell(&format!(
        "  no writes for {} ms; {} acknowledged, {} unknown, {} lost",
        outage["took_ms"], report["acknowledged"], report["unknown"], report["lost"]
    ));
    report
}

fn start(cluster: &TestCluster) -> Child {
    let mut command = cluster.command(&["load", &cluster.id(), "--rate", "200", "--json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("pgha runs")
}

/// Ends it as Ctrl-C does.
fn end(load: Child, exit_code: i32) -> Value {
    let pid = i32::try_from(load.id()).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("a process"), rustix::process::Signal::INT)
        .expect("it still runs");
    let ended = load.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(exit_code), "{}", String::from_utf8_lossy(&ended.stdout));
    serde_json::from_slice(&ended.stdout).expect("JSON")
}
