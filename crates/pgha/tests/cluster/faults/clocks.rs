//! Faults of clocks: of Patroni, and of etcd.

use serde_json::Value;

use super::traces;
use crate::docker::{docker, sql, try_exec};
use crate::test_cluster::{HEAL_DEADLINE_S, TestCluster};
use crate::waiting::{claim, until};

/// Prints by how many seconds the date of an answer over HTTP differs from the container's.
const DIFFERS: &str = r#"
exec 3<>"/dev/tcp/$1/$2"; printf 'GET /%s HTTP/1.0\r\n\r\n' "$3" >&3
date=$(grep -i -m1 '^date: ' <&3 | tr -d '\r'); echo $(( $(date -d "${date#*: }" +%s) - $(date +%s) ))"#;

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn clocks_are_off_and_are_right_again() {
    let cluster = TestCluster::up("clocks", &["-d", "2", "-c", "1", "--timers", "fast"]);
    let id = cluster.id();
    cluster.wait_whole();
    let before = traces(&cluster);
    let leader = cluster.leader();
    let inject = |words: &[&str]| cluster.pgha(&[&["fault", "inject", &id], words].concat());
    let heal = || {
        let healed = cluster.pgha(&["heal", &id]);
        healed.ok();
        healed.stderr
    };
    let hit = || cluster.faults()[0]["targets"][0].as_str().expect("a name").to_owned();
    let clock = |member: &str| -> Value { cluster.faults()[0]["clocks"][member].clone() };
    claim("Patroni is ahead, Postgres is not, and both are right once it is healed", || {
        inject(&["patroni-clock", "leader", "--offset", "+10s"]).ok();
        assert_eq!(clock(&leader), "+10s");
        is_about(differs(&leader, 8008, "patroni"), 10);
        let now = sql(&leader, "select extract(epoch from now())::bigint");
        let machine = try_exec(&leader, &["date", "+%s"]).stdout;
        let number = |text: &str| text.trim().parse::<i64>().expect("a number");
        is_about(number(&now) - number(&machine), 0);
        assert!(heal().contains("is taken back"));
        is_about(differs(&leader, 8008, "patroni"), 0);
        assert_eq!(cluster.leader(), leader);
        assert_eq!(traces(&cluster), before);
    });
    claim("the leader of etcd is a day behind, and leads on", || {
        inject(&["etcd-clock", "etcd-leader", "--offset=-24h"]).ok();
        let etcd = hit();
        assert_eq!(clock(&etcd), "-86400s");
        is_about(differs(&etcd, 2379, "version"), -86_400);
        assert_eq!(cluster.leader(), leader);
        heal();
        is_about(differs(&etcd, 2379, "version"), 0);
        assert_eq!(traces(&cluster), before);
    });
    claim("a restarted process has the machine's clock, and that is said", || {
        inject(&["etcd-clock", "etcd-leader"]).ok();
        let etcd = hit();
        docker(&["restart", &etcd]);
        until("every etcd member is healthy again", HEAL_DEADLINE_S, || {
            let view = cluster.status();
            let have = view["quorum"]["have"].as_u64().unwrap_or_default();
            if have == 3 { Ok(()) } else { Err(view["quorum"].to_string()) }
        });
        assert_eq!(clock(&etcd), "machine");
        let shown = cluster.pgha(&["fault", "show", &id]);
        assert!(shown.ok().contains("etcd has the machine's clock"), "{}", shown.stdout);
        assert!(heal().contains("etcd has the machine's clock"));
    });
    claim("only Patroni and etcd have a clock, and only it has an offset", || {
        inject(&["etcd-clock", "leader"]).refused(2, "is for etcd members");
        inject(&["kill", "leader", "--offset", "+1s"]).refused(2, "has no offset");
        assert!(cluster.faults().is_empty());
    });
}

fn differs(member: &str, port: u16, path: &str) -> i64 {
    let address = try_exec(member, &["hostname", "-I"]).stdout;
    let port = port.to_string();
    // The cluster address is what the member serves on; others are the engine's.
    for address in address.split_whitespace() {
        let ran = try_exec(member, &["bash", "-c", DIFFERS, "bash", address, &port, path]);
        if let Ok(differs) = ran.stdout.trim().parse() {
            return differs;
        }
    }
    panic!("{member} does not tell its time on port {port}")
}

fn is_about(differs: i64, seconds: i64) {
    assert!((differs - seconds).abs() <= 2, "{differs} s, not {seconds}");
}
