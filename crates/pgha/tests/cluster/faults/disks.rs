//! Faults of disks: of nodes, and of the repository.

use super::traces;
use crate::docker::{commits_ms, sql, try_docker, try_sql};
use crate::test_cluster::{HEAL_DEADLINE_S, TestCluster, problem_codes};
use crate::waiting::{claim, until};

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn disks_fail_and_are_well_again() {
    let cluster = TestCluster::up("disks", &["-d", "2", "-c", "1", "--timers", "fast"]);
    let id = cluster.id();
    let before = traces(&cluster);
    let nothing_is_left = || assert_eq!(traces(&cluster), before);
    let inject = |words: &[&str]| cluster.pgha(&[&["fault", "inject", &id], words].concat());
    let heal = || {
        cluster.pgha(&["heal", &id]).ok();
    };
    let fails = |yes| {
        until(&format!("archiving fails: {yes}"), HEAL_DEADLINE_S, || {
            let codes = problem_codes(&cluster.status());
            if codes.iter().any(|code| code == "archive_failing") == yes {
                Ok(())
            } else {
                Err(codes.join(" "))
            }
        });
    };
    cluster.wait_whole();
    let leader = cluster.leader();
    claim("a slow disk delays commits by what was asked for", || {
        sql(&leader, "create table commits (n int)");
        let fastest = || commits_ms(&leader).into_iter().fold(f64::INFINITY, f64::min);
        inject(&["disk-slow", "leader", "--delay", "200ms"]).ok();
        assert!(fastest() >= 200.0);
        heal();
        assert!(fastest() < 200.0);
        nothing_is_left();
    });
    claim("on a disk that hangs commits wait, reads do not, and nobody takes over", || {
        inject(&["disk-hung", "leader"]).ok();
        let member = leader.clone();
        let write = std::thread::spawn(move || try_sql(&member, "insert into commits values (2)"));
        until("the commit waits", 60, || {
            let waits = "select count(*) from pg_stat_activity where query like 'insert into com%'";
            match sql(&leader, waits).trim() {
                "0" => Err("nobody waits"),
                _ => Ok(()),
            }
        });
        assert!(!write.is_finished());
        assert_eq!(cluster.leader(), leader);
        heal();
        write.join().expect("the client ends").expect("it has committed");
        nothing_is_left();
    });
    claim("a full repository takes no WAL, and gets all of it later", || {
        inject(&["disk-full", "repository"]).ok();
        sql(&leader, "insert into commits values (3); select pg_switch_wal()");
        fails(true);
        heal();
        sql(&leader, "insert into commits values (4); select pg_switch_wal()");
        fails(false);
        nothing_is_left();
    });
    claim("a replica on a read-only disk stops, and streams again once it is healed", || {
        inject(&["disk-read-only", "replica"]).ok();
        let replica = cluster.faults()[0]["targets"][0].as_str().expect("a name").to_owned();
        sql(&leader, "insert into commits values (5)");
        until("its Postgres is gone", 60, || match try_sql(&replica, "select 1") {
            Ok(_) => Err("it answers"),
            Err(_) => Ok(()),
        });
        heal();
        cluster.wait_whole();
        nothing_is_left();
    });
    claim("a leader whose disk is full is replaced, and rejoins", || {
        inject(&["disk-full", "leader"]).ok();
        // Whoever writes first has Postgres panic.
        let _ = try_sql(&leader, "insert into commits values (6)");
        cluster.wait_leader_other_than(std::slice::from_ref(&leader), HEAL_DEADLINE_S);
        heal();
        cluster.wait_whole();
        // Its own log may be another node's by now.
        let said = try_docker(&["logs", &leader]);
        assert!((said.stdout + &said.stderr).contains("No space left on device"));
        nothing_is_left();
    });
    claim("faults of disks are not for etcd", || {
        inject(&["disk-full", "etcd-leader"]).refused(2, "etcd is a static binary");
        inject(&["disk-full", "leader", "--delay", "1s"]).refused(2, "has no delay");
        nothing_is_left();
    });
}
