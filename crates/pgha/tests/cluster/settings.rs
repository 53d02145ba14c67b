//! `pgha config`, and `pgha stop` and `pgha start` of members and sites.

use serde_json::Value;

use crate::docker::{inspect, sql};
use crate::leader_loss::kill_patroni;
use crate::process::{Ran, run};
use crate::test_cluster::{HEAL_DEADLINE_S, PGHA_DEADLINE_S, TestCluster, nodes_of, problem_codes};
use crate::waiting::{claim, until};

/// `pgha config edit` with that as the editor.
fn edit(cluster: &TestCluster, editor: &str) -> Ran {
    let mut command = cluster.command(&["config", "edit", &cluster.id()]);
    // What is kept of a refused text goes with the folder.
    command.env_remove("VISUAL").env("EDITOR", editor).env("TMPDIR", cluster.dir());
    run(&mut command, PGHA_DEADLINE_S)
}

/// Waits until a parameter has that value on every node.
fn until_set(nodes: &[String], name: &str, value: &str) {
    for node in nodes {
        until(&format!("{name} = {value} on {node}"), HEAL_DEADLINE_S, || {
            let is = sql(node, &format!("show {name}"));
            if is == value { Ok(()) } else { Err(is) }
        });
    }
}

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn settings_are_changed_and_members_stopped_without_container_names() {
    let flags = ["-d", "2", "-c", "1", "--timers", "fast", "--durability", "quorum"];
    let cluster = TestCluster::up("settings", &flags);
    settings_are_checked(&cluster);
    settings_are_edited_and_exported(&cluster);
    members_are_stopped_and_started(&cluster);
}

fn settings_are_checked(cluster: &TestCluster) {
    let (id, nodes) = (cluster.id(), cluster.of_kind("postgres"));
    let config = |words: &[&str]| cluster.pgha(&[&["config", words[0], &id], &words[1..]].concat());
    claim("a new cluster runs with what it was made as", || {
        let same = config(&["diff", "--exit-code"]);
        same.ok();
        assert!(same.stderr.contains("the settings that it was made with"), "{}", same.stderr);
    });
    claim("a checked setting is in force on every node, also while Patroni is paused", || {
        cluster.pgha(&["pause", &id]).ok();
        let ran =
            config(&["set", "work_mem=8MB", "my.note=a = 'b'", "maximum_lag_on_failover=2097152"]);
        ran.ok();
        assert!(ran.stderr.contains("Postgres takes the settings"), "{}", ran.stderr);
        cluster.pgha(&["resume", &id]).ok();
        until_set(&nodes, "work_mem", "8MB");
        until_set(&nodes, "my.note", "a = 'b'");
        let shown: Value = serde_json::from_str(config(&["show", "--json"]).ok()).expect("JSON");
        assert_eq!(shown["maximum_lag_on_failover"], 2_097_152, "{shown}");
    });
    claim("what Postgres or the cluster cannot do with is refused, and nothing is changed", || {
        let before = config(&["show"]).ok().to_owned();
        config(&["set", "work_mem=lots"]).refused(2, "invalid value for parameter \"work_mem\"");
        config(&["set", "work_memo=8MB"]).refused(2, "unrecognized configuration parameter");
        config(&["set", "hba=hostssl all all 10.0.0.0/8 trust me=now"]).refused(2, "me");
        config(&["set", "archive_command=true"]).refused(2, "pgBackRest");
        config(&["set", "ttl=5"]).refused(2, "from 20 upward");
        config(&["set", "synchronous_mode=off"]).refused(2, "may lose acknowledged writes");
        config(&["set", "work_mem"]).refused(2, "no setting with a value");
        let dry = config(&["set", "max_connections=150", "--dry-run"]);
        dry.ok();
        assert!(
            dry.stderr.contains("max_connections: 100 → 150 (needs a restart)"),
            "{}",
            dry.stderr
        );
        assert_eq!(config(&["show"]).ok(), before);
    });
}

fn settings_are_edited_and_exported(cluster: &TestCluster) {
    let (id, nodes) = (cluster.id(), cluster.of_kind("postgres"));
    let config = |words: &[&str]| cluster.pgha(&[&["config", words[0], &id], &words[1..]].concat());
    claim("an edited text is a change, an empty one and a failed editor are none", || {
        edit(cluster, "sed -i s/8MB/16MB/").ok();
        until_set(&nodes, "work_mem", "16MB");
        let empty = edit(cluster, "truncate -s 0");
        empty.ok();
        assert!(empty.stderr.contains("nothing was changed"), "{}", empty.stderr);
        edit(cluster, "false").refused(1, "nothing was changed");
        edit(cluster, "sed -i s/16MB/lots/").refused(2, "kept in");
        assert_eq!(sql(&nodes[0], "show work_mem"), "16MB");
    });
    claim("the exported file makes what runs, and unset leads back", || {
        config(&["diff", "--exit-code"]).refused(1, "other settings");
        let file = cluster.dir().join("exported.toml");
        let exported = config(&["export"]).ok().to_owned();
        for line in [
            "maximum_lag_on_failover = 2097152",
            "work_mem = \"16MB\"",
            "\"my.note\" = \"a = 'b'\"",
        ] {
            assert!(exported.contains(line), "{exported}");
        }
        std::fs::write(&file, exported).expect("the folder is ours");
        let file = file.to_str().expect("text");
        let planned = cluster.pgha(&["plan", "-f", file, "--json"]);
        let planned: Value = serde_json::from_str(planned.ok()).expect("JSON");
        assert_eq!(planned["durability"], "quorum", "{planned}");
        config(&["unset", "work_mem", "my.note"]).ok();
        config(&["set", "maximum_lag_on_failover=1048576"]).ok();
        until_set(&nodes, "work_mem", "4MB");
        config(&["diff", "--exit-code"]).ok();
    });
}

fn members_are_stopped_and_started(cluster: &TestCluster) {
    let (id, nodes) = (cluster.id(), cluster.of_kind("postgres"));
    claim("the leader's site is stopped once somebody else leads, and comes back alone", || {
        let leader = cluster.leader();
        let site = if leader.contains("DC1") { "DC1" } else { "DC2" };
        let dry = cluster.pgha(&["stop", &id, site, "--dry-run"]);
        dry.ok();
        assert!(dry.stderr.contains(&format!("1. stop {leader}")), "{}", dry.stderr);
        assert_eq!(cluster.leader(), leader);
        cluster.pgha(&["stop", &id, site]).ok();
        let other = cluster.leader();
        assert_ne!(other, leader);
        assert!(!problem_codes(&cluster.status()).is_empty());
        cluster.pgha(&["stop", &other]).refused(2, "--yes");
        assert_eq!(cluster.leader(), other);
        cluster.pgha(&["start", &id, site]).ok();
        cluster.wait_whole();
        let again = cluster.pgha(&["start", &leader]);
        again.ok();
        assert!(again.stderr.contains("runs already"), "{}", again.stderr);
    });
    claim(
        "with maintenance a container outlives its Patroni, and without it has one again",
        || {
            cluster.pgha(&["maintenance", "on", &id]).ok();
            let leader = cluster.leader();
            let replica = nodes.iter().find(|node| **node != leader).expect("two nodes");
            let before = inspect(replica)["State"]["StartedAt"].clone();
            kill_patroni(replica);
            until("status knows that Patroni is away", 30, || {
                let view = cluster.status();
                let away =
                    nodes_of(&view).any(|node| node["name"] == **replica && node["role"].is_null());
                if away { Ok(()) } else { Err(view["members"].to_string()) }
            });
            assert_eq!(inspect(replica)["State"]["StartedAt"], before);
            cluster.pgha(&["maintenance", "off", &id]).ok();
            cluster.wait_whole();
            let again = cluster.pgha(&["maintenance", "off", &id]);
            again.ok();
            assert!(again.stderr.contains("was off already"), "{}", again.stderr);
        },
    );
    claim("a name that is none is refused, and writes are stopped by nobody without a yes", || {
        cluster.pgha(&["stop", &id, "DC9"]).refused(2, "DC9");
        cluster.pgha(&["stop", "nosuchthing"]).refused(3, "nosuchthing");
        let etcd = cluster.of_kind("etcd");
        cluster.pgha(&["stop", &etcd[0], &etcd[1]]).refused(2, "etcd loses its quorum");
        cluster.wait_whole();
    });
}
