//! `--durability`: what is acknowledged stands in another site before the client hears of it.

use crate::docker::{docker, exec, sql};
use crate::status_truth;
use crate::test_cluster::{TestCluster, leader_site, nodes_of};
use crate::waiting::{claim, until};
use crate::writer::{Writer, assert_has_all};

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn quorum_keeps_every_acknowledged_row_when_the_leaders_site_is_lost() {
    let flags = ["-d", "2", "-c", "2", "--durability", "quorum", "--timers", "fast"];
    let cluster = TestCluster::up("durability_quorum", &flags);
    let view = cluster.status();
    let (site, leader, far) = leader_site(&view);
    claim("any two standbys must have a write: one of them is in the other site", || {
        let names = synchronous_names(&leader, "ANY 2 (");
        for node in nodes_of(&view).filter(|n| n["name"] != *leader) {
            assert!(names.contains(node["name"].as_str().expect("text")), "{names}");
        }
    });
    let rows = claim("the leader's site is killed under load: status never names it again", || {
        let writer = Writer::start(&cluster);
        writer.wait_for_more(100, 60);
        let names: Vec<&str> = site.iter().map(String::as_str).collect();
        docker(&[&["kill"], names.as_slice()].concat());
        status_truth::never_names_the_dead(&cluster, &site);
        // The last sign that it goes on: rows are acknowledged again.
        writer.wait_for_more(20, 120);
        writer.stop()
    });
    claim("the new leader has every acknowledged row", || {
        let promoted = cluster.leader();
        assert!(!site.contains(&promoted), "{promoted}");
        assert_has_all(&promoted, &rows, 1);
        assert_has_all(&far, &rows, 60);
    });
    claim("the killed site comes back with every acknowledged row", || {
        cluster.pgha(&["start", &cluster.id()]).ok();
        cluster.wait_whole();
        for node in site.iter().filter(|m| cluster.of_kind("postgres").contains(m)) {
            assert_has_all(node, &rows, 60);
        }
    });
    status_truth::prove(&cluster);
}

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn sync_and_strict_are_rendered_as_patroni_understands_them() {
    let synchronous = [
        ("durability_sync", "sync", "2 (", false),
        ("durability_strict", "quorum-strict", "ANY 2 (", true),
    ];
    for (test, mode, names, strict) in synchronous {
        let cluster = TestCluster::up(test, &["-d", "2", "-c", "2", "--durability", mode]);
        claim(&format!("{mode}: two standbys must have a write"), || {
            synchronous_names(&cluster.leader(), names);
        });
        let argv = ["patronictl", "-c", "/pgha/config/patroni.conf", "show-config"];
        let shown = exec(&cluster.leader(), &argv);
        assert!(shown.contains(&format!("synchronous_mode_strict: {strict}")), "{shown}");
        if strict {
            claim(&format!("{mode}: a write waits where no standby is left"), || {
                writes_wait(&cluster);
            });
            claim("strict: the same with named standbys", || {
                let id = cluster.id();
                let named =
                    ["patronictl", &id, "edit-config", "--force", "-s", "synchronous_mode=on"];
                cluster.pgha(&named).ok();
                synchronous_names(&cluster.leader(), "2 (");
                writes_wait(&cluster);
            });
        }
    }
}

/// Waits until the leader's setting starts so, and gives it.
fn synchronous_names(leader: &str, start: &str) -> String {
    until(&format!("synchronous_standby_names starts with `{start}`"), 60, || {
        let names = sql(leader, "show synchronous_standby_names");
        if names.starts_with(start) { Ok(names) } else { Err(names) }
    })
}

/// With every replica frozen a write is not acknowledged; thawed, the same write is.
fn writes_wait(cluster: &TestCluster) {
    let leader = cluster.leader();
    sql(&leader, "drop table if exists waits; create table waits (n int)");
    let replicas: Vec<_> =
        cluster.of_kind("postgres").into_iter().filter(|n| *n != leader).collect();
    let names: Vec<&str> = replicas.iter().map(String::as_str).collect();
    docker(&[&["pause"], names.as_slice()].concat());
    let member = leader.clone();
    let write = std::thread::spawn(move || sql(&member, "insert into waits values (1)"));
    let waiting = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'";
    until("the write waits for standbys", 30, || match sql(&leader, waiting).as_str() {
        "1" => Ok(()),
        other => Err(format!("{other} sessions wait")),
    });
    assert_eq!(sql(&leader, "select count(*) from waits"), "0", "nobody sees it yet");
    assert!(!write.is_finished());
    docker(&[&["unpause"], names.as_slice()].concat());
    write.join().expect("the write is acknowledged in the end");
    assert_eq!(sql(&leader, "select count(*) from waits"), "1");
}
