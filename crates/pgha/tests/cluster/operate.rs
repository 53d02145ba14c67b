//! `pgha restart`, `pause`, `resume`, `reinit` and `history`, on a cluster that clients write to.

use serde_json::Value;

use crate::docker::sql;
use crate::test_cluster::{HEAL_DEADLINE_S, TestCluster, leader_of, nodes_of, problem_codes};
use crate::waiting::{claim, until};

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_dba_restarts_pauses_and_clones_without_container_names() {
    let cluster = TestCluster::up("operate", &["-d", "2", "-c", "1", "--timers", "fast"]);
    let id = cluster.id();
    let nodes = cluster.of_kind("postgres");
    claim(
        "a changed setting is in force on every node after a rolling restart, and no write is lost",
        || {
            let set = ["edit-config", "--force", "-p", "max_connections=123"];
            cluster.pgha(&[&["patronictl", &id], &set[..]].concat()).ok();
            until("every node waits for a restart", HEAL_DEADLINE_S, || {
                let view = cluster.status();
                let waits = nodes_of(&view).all(|node| node["pending_restart"] == true);
                if waits { Ok(()) } else { Err(view["members"].to_string()) }
            });
            let leader = cluster.leader();
            let rolling = ["restart", &id, "--rolling", "--pending"];
            let planned = cluster.pgha(&[&rolling[..], &["--dry-run"]].concat());
            planned.ok();
            let last = format!("3. restart {leader}");
            assert!(planned.stderr.contains(&last), "{}", planned.stderr);
            let ran = cluster.pgha(&[&rolling[..], &["--json"]].concat());
            let done: Value = serde_json::from_str(ran.ok()).expect("JSON");
            assert_eq!((&done["lost"], &done["dry_run"]), (&0.into(), &false.into()), "{done}");
            assert!(
                done["acknowledged"].as_u64().is_some_and(|acknowledged| acknowledged > 50),
                "{done}"
            );
            let after = cluster.wait_whole();
            assert_ne!(leader_of(&after), Some(leader));
            for node in &nodes {
                assert_eq!(sql(node, "show max_connections"), "123", "{node}");
            }
            assert!(nodes_of(&after).all(|node| node["pending_restart"] == false), "{after}");
            let nothing = cluster.pgha(&rolling);
            nothing.ok();
            assert!(
                nothing.stderr.contains("no setting waits for a restart"),
                "{}",
                nothing.stderr
            );
        },
    );
    claim("nodes are named or all are meant, and the leader may be restarted as it is", || {
        cluster.pgha(&["restart", &id]).refused(2, "--rolling for all of them");
        let leader = cluster.leader();
        let started = "select pg_postmaster_start_time()";
        let before = sql(&leader, started);
        cluster.pgha(&["restart", &leader]).ok();
        assert_ne!(sql(&leader, started), before);
        assert_eq!(cluster.leader(), leader);
    });
    claim("paused is said by status, and both are said to be so already", || {
        cluster.pgha(&["pause", &id]).ok();
        assert!(problem_codes(&cluster.status()).contains(&"patroni_paused".to_owned()));
        let again = cluster.pgha(&["pause", &id]);
        again.ok();
        assert!(again.stderr.contains("is paused already"), "{}", again.stderr);
        cluster.pgha(&["resume", &id]).ok();
        assert!(!problem_codes(&cluster.status()).contains(&"patroni_paused".to_owned()));
        cluster.pgha(&["reload", &id]).ok();
    });
    claim("a replica is cloned again and streams; the leader is refused", || {
        let leader = cluster.leader();
        cluster.pgha(&["reinit", &leader, "--yes"]).refused(3, "is the leader");
        let replica = nodes.iter().find(|node| **node != leader).expect("two nodes");
        cluster.pgha(&["reinit", replica]).refused(2, "--yes");
        sql(&leader, "create table kept as select 1 as n");
        let started = "select pg_postmaster_start_time()";
        let before = sql(replica, started);
        cluster.pgha(&["reinit", replica, "--yes"]).ok();
        cluster.wait_whole();
        assert_ne!(sql(replica, started), before);
        assert_eq!(sql(replica, "select n from kept"), "1");
    });
    claim("the history has the timeline that the switchover ended", || {
        let ran = cluster.pgha(&["history", &id, "--json"]);
        let timelines: Value = serde_json::from_str(ran.ok()).expect("JSON");
        let last = timelines.as_array().and_then(|all| all.last()).expect("a timeline");
        assert!(last["timeline"].as_u64().is_some_and(|number| number >= 1), "{timelines}");
        assert!(nodes.iter().any(|node| last["next_leader"] == node.as_str()), "{timelines}");
    });
}
