//! Data centers that differ: in nodes, in who may lead, and without an external site.

use serde_json::json;

use crate::docker::{docker, exec, sql, try_docker};
use crate::test_cluster::{HEAL_DEADLINE_S, TestCluster, leader_of, nodes_of, site_of};
use crate::waiting::{claim, until};

const FILE: &str = r#"
durability = "quorum"
timers = "fast"
external = false

[[data_center]]
nodes = 2
priority = 2

[[data_center]]
nodes = 1

[[data_center]]
nodes = 1
role = "standby"
tags = { noloadbalance = true }
"#;

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn as_many_standbys_acknowledge_as_the_leaders_site_needs_and_a_standby_site_never_leads() {
    let cluster = TestCluster::reserve("unequal_sites");
    std::fs::write(cluster.dir().join("cluster.toml"), FILE).expect("a file");
    cluster.pgha_up(&["-f", "cluster.toml"]).ok();
    let view = cluster.status();
    let standby = nodes_of(&view).find(|node| node["site"] == "DC3").expect("a node in DC3");
    let standby = standby["name"].as_str().expect("text").to_owned();
    claim("DC1 has two nodes and DC2 one; DC3 stands by and has the backup host", || {
        let sites: Vec<_> = nodes_of(&view).map(|node| node["site"].clone()).collect();
        assert_eq!(sites, ["DC1", "DC1", "DC2", "DC3"]);
        assert_eq!(view["sites"].as_array().map(Vec::len), Some(3));
        assert_eq!(view["sites"][2]["role"], "standby");
        assert_eq!(site_of(&view, &cluster.backup_host()), "DC3");
        let config = "/pgha/config/patroni.conf";
        let tags = exec(&standby, &["grep", "^tags", config]);
        for tag in ["\"nofailover\": true", "\"nosync\": true", "\"noloadbalance\": true"] {
            assert!(tags.contains(tag), "{tags}");
        }
    });
    claim("the number of standbys follows the leader from one site to the other", || {
        for _ in 0..2 {
            let leader = cluster.leader();
            let (needed, next) = match site_of(&cluster.status(), &leader).as_str() {
                "DC1" => (2, "DC2"),
                _ => (1, "DC1"),
            };
            until(&format!("any {needed} acknowledge"), HEAL_DEADLINE_S, || {
                let names = sql(&leader, "show synchronous_standby_names");
                let fits =
                    names.starts_with(&format!("ANY {needed} (")) && !names.contains(&standby);
                if fits { Ok(()) } else { Err(names) }
            });
            until("as many as that, says the view", HEAL_DEADLINE_S, || {
                let view = cluster.status();
                let said = &view["acknowledging"]["need"];
                if *said == json!(needed) { Ok(()) } else { Err(said.to_string()) }
            });
            let view = cluster.wait_whole();
            let candidate = nodes_of(&view).find(|node| node["site"] == next).expect("a node");
            let candidate = candidate["name"].as_str().expect("text");
            let switchover =
                ["patronictl", "-c", "/pgha/config/patroni.conf", "switchover", "--force"];
            let who = ["--leader", &leader, "--candidate", candidate];
            exec(&leader, &[switchover.as_slice(), who.as_slice()].concat());
            cluster.wait_leader_other_than(&[leader], HEAL_DEADLINE_S);
            cluster.wait_whole();
        }
    });
    claim("with every other node lost, the standby site is not promoted", || {
        let others: Vec<String> =
            cluster.of_kind("postgres").into_iter().filter(|node| *node != standby).collect();
        let names: Vec<&str> = others.iter().map(String::as_str).collect();
        docker(&[&["kill"], names.as_slice()].concat());
        // Once the key is gone Patroni says in each round why it does not take it.
        until("its Patroni refuses to take the key", HEAL_DEADLINE_S, || {
            let log = try_docker(&["logs", "--tail", "5", &standby]);
            let log = log.stdout + &log.stderr;
            let refusals = log.matches("because I am not allowed to promote").count();
            if refusals >= 2 { Ok(()) } else { Err(log) }
        });
        assert_eq!(sql(&standby, "select pg_is_in_recovery()"), "t");
        assert_eq!(leader_of(&cluster.status()), None);
        cluster.pgha(&["start", &cluster.id()]).ok();
        cluster.wait_whole();
    });
}
