//! `pgha repair etcd`: a majority of etcd whose volumes are gone, and a cluster that is whole again.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::docker::{docker, exec, inspect, sql, try_exec, try_sql};
use crate::test_cluster::{HEAL_DEADLINE_S, TestCluster};
use crate::waiting::{claim, until};

/// What the step says that is killed: the survivor is a cluster of one then, and nobody has joined it.
const KILLED_AT: &str = "adding";

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_majority_that_is_lost_for_good_is_replaced_from_what_is_left() {
    let cluster = TestCluster::up("repair_etcd", &["-d", "2", "-c", "1"]);
    let (id, leader, etcd) = (cluster.id(), cluster.leader(), cluster.of_kind("etcd"));
    assert_eq!(etcd.len(), 3, "{etcd:?}");
    sql(&leader, "create table kept (n int); insert into kept select generate_series(1, 1000)");
    let (survivor, lost) = (&etcd[0], &etcd[1..]);

    claim("with a quorum nothing is repaired", || {
        cluster.pgha(&["repair", "etcd", &id, "--yes"]).refused(3, "etcd has its quorum");
    });
    claim("members that only do not run are to be started", || {
        docker(&["kill", &lost[0], &lost[1]]);
        let refused = cluster.pgha(&["repair", "etcd", &id, "--yes"]);
        refused.refused(3, "etcd is not lost for good");
        assert!(refused.stderr.contains(&format!("`pgha start {}", lost[0])), "{}", refused.stderr);
    });
    claim("what is left is shown, and nothing is done without a yes", || {
        lose(lost);
        until("no node takes writes", HEAL_DEADLINE_S, || {
            match try_sql(&leader, "insert into kept values (0)") {
                Err(_) => Ok(()),
                Ok(_) => Err("a write went".to_owned()),
            }
        });
        let before = cluster.containers();
        let plan = cluster.pgha(&["repair", "etcd", &id, "--dry-run", "--json"]);
        let plan: Value = serde_json::from_str(plan.ok()).expect("JSON");
        assert_eq!(plan["survivor"], survivor.as_str(), "{plan}");
        assert_eq!(
            (&plan["need"], &plan["left"][1]["store"]),
            (&2.into(), &"gone".into()),
            "{plan}"
        );
        cluster.pgha(&["repair", "etcd", &id]).refused(2, "without confirmation");
        assert_eq!(cluster.containers(), before);
    });
    claim("killed in the middle it is taken back, and etcd is as it was", || {
        kill_at(&cluster, KILLED_AT);
        cluster.pgha(&["repair", "etcd", &id, "--abort", "--yes"]).ok();
        assert!(cluster.status()["quorum"]["have"].as_u64().is_none_or(|have| have < 2));
        cluster.pgha(&["repair", "etcd", &id, "--abort", "--yes"]).refused(2, "no repair");
        assert_eq!(exec(survivor, &["ls", "/pgha/etcd"]).trim(), "data");
    });
    claim("killed in the middle and repeated, it ends with a cluster that is whole", || {
        kill_at(&cluster, KILLED_AT);
        let report = cluster.pgha(&["repair", "etcd", &id, "--json"]);
        let report: Value = serde_json::from_str(report.ok()).expect("JSON");
        assert_eq!(report["survivor"], survivor.as_str(), "{report}");
        let view = cluster.wait_whole();
        assert_eq!(view["quorum"]["have"], 3, "{view}");
        let leader = cluster.leader();
        assert_eq!(sql(&leader, "select count(*) from kept where n > 0"), "1000");
        sql(&leader, "insert into kept values (1001)");
    });
    claim("nothing of it is left, and each member outlives a restart", || {
        for member in &etcd {
            let left = exec(member, &["ls", "/pgha/etcd"]);
            assert_eq!(left.trim(), "data", "{member}");
            assert_ne!(inspect(member)["State"]["StartedAt"], "");
            docker(&["restart", member]);
            cluster.wait_whole();
        }
        let journal =
            try_exec(&cluster.backup_host(), &["ls", "/pgha/pgbackrest/etcd-repair.json"]);
        assert_ne!(journal.code, Some(0), "{journal:?}");
    });
}

/// Removes members with their volumes.
fn lose(members: &[String]) {
    for member in members {
        docker(&["rm", "--force", "--volumes", member]);
        docker(&["volume", "rm", member]);
    }
}

/// Repairs, and kills that as soon as it does so.
fn kill_at(cluster: &TestCluster, step: &str) {
    let mut command =
        cluster.command(&["repair", "etcd", &cluster.id(), "--yes", "--events", "jsonl"]);
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("pgha starts");
    let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let mut said = Vec::new();
    for line in lines.map_while(Result::ok) {
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        let reached = event["doing"].as_str().is_some_and(|doing| doing.starts_with(step));
        said.push(line);
        if reached {
            child.kill().expect("it runs");
            break;
        }
    }
    let ended = child.wait().expect("it is waited for once");
    assert!(ended.code().is_none(), "it came to its end:\n{}", said.join("\n"));
}
