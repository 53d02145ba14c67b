//! Every kind of fault, injected and taken back, with nothing left of it.

mod clocks;
mod disks;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::docker::{docker, inspect, labelled, sql, try_exec};
use crate::test_cluster::{HEAL_DEADLINE_S, TestCluster, problem_codes};
use crate::waiting::{claim, until};

/// Kind, target, and what an expression about the members that it has hit prints while it is in force; none where it is over
/// by itself.
const FAULTS: [(&str, &[&str], Option<&str>); 17] = [
    ("pause", &["replica"], Some("paused")),
    ("stop", &["replica"], Some("exited")),
    ("kill", &["etcd-leader"], Some("exited")),
    ("kill", &["repository"], Some("exited")),
    ("restart", &["replica"], None),
    ("postgres-freeze", &["replica"], Some("frozen")),
    ("patroni-freeze", &["replica"], Some("frozen")),
    ("etcd-freeze", &["etcd-leader"], Some("frozen")),
    ("walreceiver-kill", &["replica"], None),
    ("backend-kill", &["replica"], None),
    ("postgres-kill", &["replica"], None),
    ("patroni-kill", &["replica"], None),
    ("etcd-kill", &["etcd-leader"], None),
    ("mute", &["site(not leader)"], Some("cut")),
    ("deafen", &["external"], Some("cut")),
    ("isolate", &["site(not leader)"], Some("cut")),
    ("cut", &["DC1", "DC2"], Some("cut")),
];

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn every_fault_takes_hold_and_leaves_nothing() {
    let cluster = TestCluster::up("faults", &["-d", "2", "-c", "2", "--timers", "fast"]);
    let before = traces(&cluster);
    for (kind, targets, state) in FAULTS {
        claim(&format!("{kind} {} takes hold and is taken back", targets.join(" ")), || {
            cluster.wait_whole();
            let mut arguments = vec!["fault", "inject", "ID", kind];
            let id = cluster.id();
            arguments[2] = &id;
            arguments.extend(targets);
            cluster.pgha(&arguments).ok();
            let there = cluster.faults();
            let Some(state) = state else {
                assert!(there.is_empty(), "{there:?}");
                return;
            };
            assert_eq!(there.len(), 1, "{there:?}");
            assert_eq!(held(&cluster, &there[0]), state, "{there:?}");
            assert!(problem_codes(&cluster.status()).contains(&"fault_injected".to_owned()));
            cluster.pgha(&["heal", &id]).ok();
            assert_eq!(traces(&cluster), before);
        });
    }
    cluster.wait_whole();
    claim("what nobody can be hit by is refused, and leaves nothing", || {
        let id = cluster.id();
        for (words, said) in [
            (&["kill", "nobody"][..], "no member or site"),
            (&["kil", "leader"], "there is no fault `kil`"),
            (&["etcd-kill", "leader"], "is for etcd members"),
            (&["kill", "sync-standby"], "no member is `sync-standby` now"),
            (&["postgres-kill", "leader", "--for", "3s"], "over at once"),
        ] {
            let mut arguments = vec!["fault", "inject", &id];
            arguments.extend(words);
            cluster.pgha(&arguments).refused(2, said);
        }
        assert_eq!(traces(&cluster), before);
    });
    services_are_blocked(&cluster, &before);
    links_flap(&cluster, &before);
    archiving_stops(&cluster, &before);
    data_are_lost_and_come_back(&cluster, &before);
    claim("a fault with a time is taken back without the command that injected it", || {
        let id = cluster.id();
        for fault in [["etcd-freeze", "etcd-leader"], ["isolate", "external"]] {
            let words = [&["fault", "inject", &id][..], &fault, &["--for", "3s"]].concat();
            let ran = cluster.pgha(&words);
            ran.ok();
            assert!(ran.stderr.contains("taken back in 3s"), "{}", ran.stderr);
            until("it is taken back", 60, || match cluster.faults().as_slice() {
                [] => Ok(()),
                some => Err(format!("{some:?}")),
            });
        }
        assert_eq!(traces(&cluster), before);
    });
    claim("a killed leader and a frozen standby are back with `start`", || {
        cluster.wait_whole();
        let leader = cluster.leader();
        cluster.pgha(&["kill", &leader]).ok();
        cluster.pgha(&["kill", &leader]).refused(3, "nothing to kill");
        cluster.wait_leader_other_than(std::slice::from_ref(&leader), HEAL_DEADLINE_S);
        cluster.pgha(&["pause-container", &cluster.id(), "replica"]).ok();
        assert_eq!(cluster.faults().len(), 2);
        cluster.pgha(&["start", &cluster.id()]).ok();
        cluster.wait_whole();
        assert_eq!(traces(&cluster), before);
    });
    claim("the faults of a cluster that is removed are gone with it", || {
        cluster.pgha(&["fault", "inject", &cluster.id(), "isolate", "DC1"]).ok();
        cluster.pgha(&["down", &cluster.id(), "--volumes", "--yes"]).ok();
        cluster.assert_nothing_left();
    });
}

fn services_are_blocked(cluster: &TestCluster, before: &BTreeMap<String, String>) {
    claim("one service is blocked between two sites, and no other", || {
        let id = cluster.id();
        let all = [5432, 8008, 2379, 2380];
        assert_eq!(reached(cluster, &all), all);
        for (service, blocked) in
            [("postgres", &[5432][..]), ("etcd", &[2379, 2380]), ("patroni", &[8008])]
        {
            cluster.pgha(&["fault", "inject", &id, "cut", "DC1", "DC2", "--port", service]).ok();
            let [fault] = &cluster.faults()[..] else { panic!("one fault") };
            assert_eq!(fault["port"], service, "{fault}");
            assert!(problem_codes(&cluster.status()).contains(&"links_cut".to_owned()));
            let left: Vec<u16> = all.into_iter().filter(|port| !blocked.contains(port)).collect();
            assert_eq!(reached(cluster, &all), left, "{service}");
            cluster.pgha(&["heal", &id]).ok();
            assert_eq!(reached(cluster, &all), all);
            assert_eq!(traces(cluster), *before);
        }
        cluster
            .pgha(&["fault", "inject", &id, "kill", "leader", "--port", "etcd"])
            .refused(2, "not for links");
        let told = cluster.pgha(&["events", &id]);
        assert!(told.ok().contains("etcd cut"), "{}", told.stdout);
        cluster.wait_whole();
    });
}

fn archiving_stops(cluster: &TestCluster, before: &BTreeMap<String, String>) {
    let id = cluster.id();
    let inject = |kind: &str, target: &str| cluster.pgha(&["fault", "inject", &id, kind, target]);
    claim("WAL that is not archived stays on the leader, writes go on, and status says so", || {
        cluster.wait_whole();
        let leader = cluster.leader();
        let fails = |yes| {
            until(&format!("archiving fails: {yes}"), 30, || {
                let codes = problem_codes(&cluster.status());
                let so = codes.iter().any(|code| code == "archive_failing");
                if so == yes { Ok(()) } else { Err(codes.join(" ")) }
            });
        };
        let waiting = || {
            let ready = "select count(*) from pg_ls_archive_statusdir() where name like '%.ready'";
            sql(&leader, ready).trim().parse::<u32>().expect("a number")
        };
        sql(&leader, "create table stays as select 1 as n");
        inject("archive-broken", "leader").ok();
        fails(true);
        sql(&leader, "insert into stays values (2); select pg_switch_wal()");
        assert!(waiting() > 1, "two segments wait");
        // Once more changes nothing, and one command heals both.
        inject("archive-broken", "leader").ok();
        assert_eq!(cluster.faults().len(), 2);
        cluster.pgha(&["heal", &id]).ok();
        fails(false);
        until("all is archived", 30, || match waiting() {
            0 => Ok(()),
            some => Err(format!("{some} segments wait")),
        });
        assert_eq!(traces(cluster), *before);
    });
    claim("a member that is paused is healed later, and one that starts again is healed", || {
        inject("archive-broken", "replica").ok();
        let broken = cluster.faults().remove(0);
        let (fault, member) = (&broken["id"], broken["targets"][0].as_str().expect("a name"));
        inject("pause", member).ok();
        let only = fault.as_str().expect("an ID");
        cluster.pgha(&["heal", &id, "--fault", only]).refused(3, "is paused");
        cluster.pgha(&["heal", &id]).ok();
        assert_eq!(traces(cluster), *before);
        inject("archive-broken", member).ok();
        docker(&["restart", member]);
        until("its start ends the fault", 30, || match try_exec(member, &["sh", "-c", LEFT]) {
            ran if ran.stdout.contains("stop") => Err(ran.stdout),
            _ => Ok(()),
        });
        cluster.pgha(&["heal", &id]).ok();
        cluster.wait_whole();
        assert_eq!(traces(cluster), *before);
    });
    claim("what a user has stopped by hand is neither broken nor healed", || {
        let leader = cluster.leader();
        let stop = "pgbackrest --config=/pgha/config/pgbackrest.conf --stanza=pgha_db";
        try_exec(&leader, &["sh", "-c", &format!("{stop} stop")]).ok();
        let refused = inject("archive-broken", "leader");
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("`pgbackrest start` lets"), "{refused:?}");
        assert!(cluster.faults().is_empty());
        assert!(try_exec(&leader, &["sh", "-c", LEFT]).stdout.contains("stop"));
        try_exec(&leader, &["sh", "-c", &format!("{stop} start")]).ok();
        assert_eq!(traces(cluster), *before);
    });
}

fn data_are_lost_and_come_back(cluster: &TestCluster, before: &BTreeMap<String, String>) {
    let id = cluster.id();
    let made = |member: &str| inspect(member)["Created"].clone();
    let lose = |targets: &[&str]| {
        let words = ["fault", "inject", &id, "volume-lost"];
        cluster.pgha(&[&words[..], targets, &["--yes"]].concat())
    };
    claim("a node that has lost its data is cloned again, and an etcd member joins again", || {
        let (leader, host) = (cluster.leader(), cluster.backup_host());
        let untouched = made(&host);
        sql(&leader, "create table survives as select 1 as n");
        let marked = ["sh", "-c", "touch $(dirname $PGDATA)/mark"];
        try_exec(&leader, &marked).ok();
        let (etcd, other) = (cluster.of_kind("etcd").remove(0), made(&leader));
        let etcd_made = made(&etcd);
        for target in ["leader", etcd.as_str()] {
            cluster.wait_whole();
            lose(&[target]).ok();
            assert!(cluster.faults().is_empty());
        }
        cluster.wait_leader_other_than(std::slice::from_ref(&leader), HEAL_DEADLINE_S);
        cluster.wait_whole();
        assert!(made(&leader) != other && made(&etcd) != etcd_made && made(&host) == untouched);
        assert_eq!(sql(&leader, "select n from survives").trim(), "1");
        let mark = ["sh", "-c", "ls $(dirname $PGDATA)/mark"];
        assert_ne!(try_exec(&leader, &mark).code, Some(0), "its old data are there");
        assert_eq!(traces(cluster), *before);
    });
    claim("the last copy, the quorum's stores and the repository are never lost", || {
        let containers = cluster.containers();
        lose(&["DC1", "DC2"]).refused(3, "no node is left that has the data");
        let etcd = cluster.of_kind("etcd");
        lose(&[&etcd[0], &etcd[1]]).refused(3, "etcd loses its quorum");
        lose(&[&cluster.backup_host()]).refused(2, "is for Postgres nodes and etcd members");
        lose(&[&cluster.router()]).refused(2, "is for Postgres nodes and etcd members");
        let asked = cluster.pgha(&["fault", "inject", &id, "volume-lost", "replica"]);
        asked.refused(2, "stdin is not a terminal");
        assert!(asked.stderr.contains("left then:"), "{}", asked.stderr);
        let drill = cluster.pgha(&["drill", "run", "etcd-volume-lost", &id]);
        drill.refused(2, "2 etcd members keep their stores, and a majority is 2");
        assert_eq!(cluster.containers(), containers);
        assert_eq!(traces(cluster), *before);
    });
}

fn links_flap(cluster: &TestCluster, before: &BTreeMap<String, String>) {
    claim("a link comes and goes by itself until it is healed", || {
        let id = cluster.id();
        let flap =
            ["fault", "inject", &id, "cut", "DC1", "DC2", "--port", "patroni", "--flap", "6s"];
        cluster.pgha(&flap).ok();
        assert_eq!(cluster.faults()[0]["flap"], "50% of 6s");
        for passes in [false, true, false, true] {
            until(&format!("port 8008 is reached: {passes}"), 30, || {
                if reached(cluster, &[8008]).is_empty() == passes { Err("not yet") } else { Ok(()) }
            });
        }
        cluster.pgha(&flap).refused(3, "cut already");
        cluster
            .pgha(&["fault", "inject", &id, "cut", "DC1", "DC2", "--flap", "6ms"])
            .refused(2, "no flap");
        cluster.pgha(&["heal", &id]).ok();
        assert_eq!(traces(cluster), *before);
    });
}

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_commit_that_waits_for_a_standby_is_cancelled() {
    let flags = ["-d", "2", "-c", "1", "--durability", "strict"];
    let cluster = TestCluster::up("commit-cancel", &flags);
    cluster.wait_whole();
    let (id, leader) = (cluster.id(), cluster.leader());
    let cancel = ["fault", "inject", &id, "commit-cancel", "leader"];
    claim("it is refused where no commit waits", || {
        cluster.pgha(&cancel).refused(3, "no commit on");
    });
    claim("the client is told that it has committed, and of what it cannot rely on", || {
        sql(&leader, "create table waits (n int)");
        cluster.pgha(&["fault", "inject", &id, "postgres-freeze", "sync-standby"]).ok();
        let argv = ["psql", "-XAtq", "-U", "postgres", "-c", "insert into waits values (1)"];
        let member = leader.clone();
        let write = std::thread::spawn(move || try_exec(&member, &argv));
        until("the commit waits", 60, || {
            let waiting = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'";
            match sql(&leader, waiting).trim() {
                "0" => Err("nobody waits"),
                _ => Ok(()),
            }
        });
        cluster.pgha(&cancel).ok();
        let write = write.join().expect("the client ends");
        write.ok();
        assert!(write.stderr.contains("might not have been replicated"), "{}", write.stderr);
        assert_eq!(sql(&leader, "select n from waits").trim(), "1");
        assert_eq!(cluster.faults().len(), 1, "the frozen standby alone is to be healed");
        cluster.pgha(&["heal", &id]).ok();
        cluster.wait_whole();
    });
}

/// What a fault may leave: containers that do not run, processes that are stopped, files, links that are cut, what was written
/// down.
fn traces(cluster: &TestCluster) -> BTreeMap<String, String> {
    let state = |member: &String| {
        let container = inspect(member);
        let state = container["State"]["Status"].as_str().unwrap_or_default().to_owned();
        let stopped = try_exec(member, &["sh", "-c", STOPPED]).stdout;
        let left = try_exec(member, &["sh", "-c", LEFT]).stdout;
        (member.clone(), format!("{state} {stopped} {left}"))
    };
    let mut traces: BTreeMap<String, String> = cluster.members().iter().map(state).collect();
    traces.insert("links".to_owned(), cut(cluster).to_string());
    traces.insert("volumes".to_owned(), labelled("volume", &cluster.label()).join(" "));
    traces
}

/// Names of the processes that are stopped.
const STOPPED: &str =
    "cat /proc/[0-9]*/stat 2>/dev/null | awk '$3 == \"T\" { print $2 }' | sort -u";

/// What keeps pgBackRest from archiving, and what is wrong with the disk.
const LEFT: &str =
    "ls /tmp/pgbackrest/*.stop 2> /dev/null; od -An -tu4 /dev/shm/pgha-disk 2> /dev/null";

fn cut(cluster: &TestCluster) -> usize {
    let ran = cluster.pgha(&["wan", "show", &cluster.id(), "--no-verify", "--json"]);
    let view: Value = serde_json::from_str(ran.ok()).expect("JSON");
    let links = view["links"].as_array().expect("links");
    let is_cut = |link: &&Value| {
        let settings = &link["settings"];
        settings["cut"] != false || settings["cut_ports"] != serde_json::json!({})
    };
    links.iter().filter(is_cut).count()
}

/// The ports of DC2's members, of these, that a node in DC1 connects to.
fn reached(cluster: &TestCluster, ports: &[u16]) -> Vec<u16> {
    let of = |kind: &str, site: &str| {
        cluster.of_kind(kind).into_iter().find(|name| name.contains(site)).expect("a member")
    };
    let from = of("postgres", "-DC1-");
    let connects = |port: &&u16| {
        let to = of(if **port < 5000 { "etcd" } else { "postgres" }, "-DC2-");
        let connect = format!("timeout 2 bash -c '</dev/tcp/{to}/{port}'");
        try_exec(&from, &["sh", "-c", &connect]).code == Some(0)
    };
    ports.iter().filter(connects).copied().collect()
}

/// How a fault shows: the state of its container, `frozen` where a process inside is, `cut` where links are.
fn held(cluster: &TestCluster, fault: &Value) -> String {
    let target = fault["targets"][0].as_str().expect("a target");
    if fault["links"].is_array() {
        return if cut(cluster) > 0 { "cut".to_owned() } else { "nothing".to_owned() };
    }
    let state = docker(&["inspect", "-f", "{{.State.Status}}", target]).trim().to_owned();
    if state != "running" {
        return state;
    }
    let stopped = try_exec(target, &["sh", "-c", STOPPED]).stdout;
    if stopped.trim().is_empty() { state } else { "frozen".to_owned() }
}
