//! What is changed or lost by hand while a cluster runs: settings through `patronictl edit-config`, and
//! volumes of etcd members.

use crate::docker::{docker, exec, inspect, sql, try_sql};
use crate::test_cluster::{HEAL_DEADLINE_S, TestCluster, nodes_of, problem_codes, whole};
use crate::waiting::{claim, until};

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn settings_that_were_changed_count_and_lost_etcd_members_come_back() {
    let flags = ["-d", "2", "-c", "1", "-e", "2", "--durability", "quorum"];
    let cluster = TestCluster::up("by_hand", &flags);
    claim("durability that was changed is what status, stop and start go by", || {
        edit_config(&cluster, &["-s", "synchronous_mode=off", "-s", "loop_wait=5"]);
        let view = until("nothing acknowledges any more", 60, || {
            let view = cluster.status();
            match problem_codes(&view).as_slice() {
                [one] if one == "settings_changed" => Ok(view),
                other => Err(format!("{other:?}")),
            }
        });
        assert_eq!(view["acknowledging"]["need"], 0);
        assert_eq!(view["settings"]["loop_wait_s"], 5);
        cluster.pgha(&["stop", &cluster.id()]).ok();
        cluster.pgha(&["start", &cluster.id()]).ok();
        edit_config(&cluster, &["-s", "synchronous_mode=quorum", "-s", "loop_wait=10"]);
        cluster.wait_whole();
    });
    claim("pg_hba and parameters follow edit-config, and a restart that is due is told", || {
        let leader = cluster.leader();
        let line = "host all stranger 10.0.0.0/8 reject";
        let hba = sql(&leader, "select pg_read_file('pg_hba.conf')");
        let kept: Vec<&str> =
            hba.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')).collect();
        let list = serde_json::to_string(&[&[line], kept.as_slice()].concat()).expect("JSON");
        let value = format!("postgresql.pg_hba={list}");
        edit_config(&cluster, &["-s", &value, "-p", "max_connections=123"]);
        let nodes = cluster.of_kind("postgres");
        for node in &nodes {
            until(&format!("{node} has the line"), 60, || {
                let file = sql(node, "select pg_read_file('pg_hba.conf')");
                if file.contains(line) { Ok(()) } else { Err(file) }
            });
        }
        let view = until("a restart is due on each node", 60, || {
            let view = cluster.status();
            let due = nodes_of(&view).filter(|n| n["pending_restart"] == true).count();
            if due == nodes.len() { Ok(view) } else { Err(format!("{due}")) }
        });
        assert_eq!(problem_codes(&view), ["pending_restart"]);
        let message = view["problems"][0]["message"].as_str().expect("text");
        assert!(message.contains("max_connections 100 (123)"), "{message}");
        // Members tell in their next round that a restart is due; until then patronictl passes them over.
        until("every node runs with it", 120, || {
            exec(&leader, &["patronictl", "restart", "pgha_cluster", "--pending", "--force"]);
            let runs =
                |node: &String| try_sql(node, "show max_connections").as_deref() == Ok("123");
            if nodes.iter().all(runs) { Ok(()) } else { Err("not yet") }
        });
        cluster.wait_whole();
    });
    let etcd = cluster.of_kind("etcd");
    claim("an etcd member that has lost its volume comes back", || lose(&cluster, &etcd[..1]));
    claim("two of five come back, one after the other", || lose(&cluster, &etcd[3..]));
}

fn edit_config(cluster: &TestCluster, changes: &[&str]) {
    let edit = ["patronictl", "edit-config", "--force", "--quiet"];
    exec(&cluster.leader(), &[&edit, changes].concat());
}

/// Removes containers and volumes of etcd members, has `pgha up` make them again, and waits until etcd has
/// as many healthy voters as before.
fn lose(cluster: &TestCluster, members: &[String]) {
    let ids = |view: &serde_json::Value| -> Vec<String> {
        let etcd = view["etcd"].as_array().expect("a list");
        etcd.iter().map(|e| e["id"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let before = ids(&cluster.wait_whole());
    for member in members {
        docker(&["rm", "--force", member]);
        docker(&["volume", "rm", member]);
    }
    cluster.pgha(&["up"]).ok();
    let view = until("etcd is whole", HEAL_DEADLINE_S, || {
        let view = cluster.status();
        whole(&view).map(|()| view)
    });
    let after = ids(&view);
    let changed = before.iter().filter(|id| !after.contains(id)).count();
    assert_eq!(changed, members.len(), "{before:?} {after:?}");
    for member in members {
        assert_eq!(inspect(member)["RestartCount"], 0, "{member} failed on its way");
    }
}
