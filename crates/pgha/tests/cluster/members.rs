//! `pgha add`, `remove` and `scale` while clients write.

use serde_json::Value;

use crate::docker::sql;
use crate::test_cluster::{TestCluster, nodes_of, problem_codes};
use crate::waiting::claim;
use crate::writer::{Writer, assert_has_all};

/// Rows that are written while members change.
const ROWS: usize = 50;
/// How long they may take.
const ROWS_DEADLINE_S: u64 = 60;

/// What a change printed.
fn done(cluster: &TestCluster, words: &[&str]) -> Value {
    let ran = cluster.pgha(&[words, &["--json"]].concat());
    serde_json::from_str(ran.ok()).expect("JSON")
}

/// The members of etcd, and whether each votes.
fn etcd_of(view: &Value) -> Vec<(String, bool)> {
    let members = view["etcd"].as_array().expect("a list").iter();
    members
        .map(|m| (m["name"].as_str().expect("a name").to_owned(), m["learner"] == false))
        .collect()
}

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn each_kind_of_member_comes_and_goes_while_clients_write() {
    let cluster = TestCluster::up("members", &["-d", "2", "-c", "2", "--timers", "fast"]);
    let id = cluster.id();
    let writer = Writer::start(&cluster);
    let before = cluster.of_kind("postgres");
    claim("a dry run changes nothing, and what cannot be is refused", || {
        let files = cluster.files();
        let plan: Value = serde_json::from_str(
            cluster.pgha(&["add", "node", &id, "DC2", "--dry-run", "--json"]).ok(),
        )
        .expect("JSON");
        assert_eq!(plan["added"].as_array().map(Vec::len), Some(1), "{plan}");
        assert!(plan["disk"]["free_bytes"].as_u64().is_some_and(|free| free > 0), "{plan}");
        assert_eq!(cluster.files(), files);
        cluster.pgha(&["add", "node", &id, "DC9"]).refused(2, "there is no site `DC9`");
        cluster.pgha(&["add", "node", &id, "DC3"]).refused(2, "no member of the role postgres");
        cluster.pgha(&["remove", &id, "pgbackrest", "--yes"]).refused(2, "is the backup host");
        cluster.pgha(&["remove", &id, "DC3", "--yes"]).refused(2, "external site");
        let slip = format!("{}1-DC1", &cluster.name[1..]);
        cluster.pgha(&["remove", &id, &slip, "--yes"]).refused(2, "no member and no site");
        cluster.pgha(&["scale", &id, "--resume"]).refused(2, "no change of members in progress");
        cluster.pgha(&["pause", &id]).ok();
        cluster.pgha(&["add", "node", &id, "DC2"]).refused(3, "is paused");
        cluster.pgha(&["resume", &id]).ok();
    });
    let node = claim("a node comes from the repository or the leader, and streams", || {
        let told = done(&cluster, &["add", "node", &id, "DC2"]);
        assert_eq!(told["generation"], 2, "{told}");
        let view = cluster.wait_whole();
        let new: Vec<String> =
            cluster.of_kind("postgres").into_iter().filter(|name| !before.contains(name)).collect();
        assert_eq!(new.len(), 1, "{view}");
        writer.wait_for_more(ROWS, ROWS_DEADLINE_S);
        new[0].clone()
    });
    let etcd = claim("an etcd member joins and gets its vote", || {
        let old: Vec<String> =
            etcd_of(&cluster.status()).into_iter().map(|(name, _)| name).collect();
        let add = ["add", "etcd", &id, "DC1"];
        // Two of four are in DC1 then.
        cluster.pgha(&add).refused(2, "The loss of DC1 is survived less well afterwards");
        done(&cluster, &[&add[..], &["--yes"]].concat());
        let view = cluster.wait_whole();
        let all = etcd_of(&view);
        assert!(all.len() == old.len() + 1 && all.iter().all(|(_, votes)| *votes), "{view}");
        let new = all.into_iter().map(|(name, _)| name).find(|name| !old.contains(name));
        writer.wait_for_more(ROWS, ROWS_DEADLINE_S);
        new.expect("one more")
    });
    claim("stop, start and every other verb know the new members from any folder", || {
        cluster.pgha(&["stop", &id]).ok();
        cluster.pgha(&["start", &id]).ok();
        let view = cluster.wait_whole();
        assert!(nodes_of(&view).any(|member| member["name"] == node.as_str()), "{view}");
        let connect = cluster.pgha(&["connect", &id, "--json"]);
        let port = nodes_of(&view).find(|m| m["name"] == node.as_str());
        let port = port.expect("the node")["host_port"].to_string();
        assert!(connect.ok().contains(&port), "{}", connect.stdout);
        cluster.pgha(&["backup", &id]).ok();
        cluster.pgha(&["restore", &id, "--latest", "--dry-run"]).ok();
    });
    claim("the leader hands over before it goes, and leaves neither slot nor entry", || {
        let leader = cluster.leader();
        let told = done(&cluster, &["remove", &leader, "--yes"]);
        assert!(told["no_writes_ms"].as_u64().is_some() && told["lost"] == 0, "{told}");
        let view = cluster.wait_whole();
        assert!(nodes_of(&view).all(|member| member["name"] != leader.as_str()), "{view}");
        let slot = leader.replace('-', "_").to_lowercase();
        for node in cluster.of_kind("postgres") {
            let slots =
                format!("select count(*) from pg_replication_slots where slot_name = '{slot}'");
            assert_eq!(sql(&node, &slots), "0", "{node}");
        }
        let listed = cluster.pgha(&["patronictl", &id, "list"]);
        assert!(!listed.ok().contains(&leader), "{}", listed.stdout);
        writer.wait_for_more(ROWS, ROWS_DEADLINE_S);
    });
    claim("the added node and the etcd member go again", || {
        let told = done(&cluster, &["remove", &node, &etcd, "--yes"]);
        assert!(told["generation"].as_u64().is_some_and(|generation| generation >= 4), "{told}");
        let view = cluster.wait_whole();
        assert_eq!(problem_codes(&view), [""; 0], "{view}");
        assert!(etcd_of(&view).iter().all(|(name, _)| *name != etcd), "{view}");
        writer.wait_for_more(ROWS, ROWS_DEADLINE_S);
    });
    let rows = writer.stop();
    for node in cluster.of_kind("postgres") {
        assert_has_all(&node, &rows, ROWS_DEADLINE_S);
    }
    claim("down finds everything", || {
        cluster.pgha(&["down", &id, "--volumes", "--yes"]).ok();
        cluster.assert_nothing_left();
    });
}
