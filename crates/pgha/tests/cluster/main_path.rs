//! What the README promises first: one command to a cluster, and what it lives through.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::Value;

use crate::docker::{docker, exec, inspect, try_sql};
use crate::process::run;
use crate::test_cluster::{TestCluster, leader_site, nodes_of, whole};
use crate::waiting::{claim, seed, tell, until};
use crate::writer::{Writer, assert_has_all};

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_cluster_comes_up_and_lives_through_stops_restarts_and_kills() {
    let cluster = TestCluster::reserve("main_path");
    let first = cluster.pgha_up(&["-d", "2", "-c", "2"]);
    let line = first.ok().to_owned();
    tell(&format!("up -d 2 -c 2: {:.1} s", first.took.as_secs_f64()));

    let view = claim("status shows one leader, three streaming replicas, no problem", || {
        let view = cluster.status();
        whole(&view).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(nodes_of(&view).count(), 4);
        assert_eq!(nodes_of(&view).filter(|m| m["role"] == "leader").count(), 1);
        assert_eq!(nodes_of(&view).filter(|m| m["state"] == "streaming").count(), 3);
        view
    });
    claim("the printed line writes a row that is read on a replica in the other site", || {
        psql_line(&line, "create table kept (what text); insert into kept values ('first')");
        let (_, _, far) = leader_site(&view);
        wait_for_rows(&far, "first");
    });
    claim("a hash table of more than 64 MB is shared by parallel workers", || {
        parallel_hash_join(view["leader"].as_str().expect("a leader"));
    });
    claim("each member is on the network of its site, the router on all", || {
        networks_are_as_designed(&cluster, &view);
    });
    let addresses = claim("each member has its cluster address", || addresses(&view));
    claim("ports are bound to the loopback only", || ports_are_on_the_loopback(&cluster));
    claim("a second up is quick and changes nothing", || {
        let before = cluster.containers();
        let second = cluster.pgha_up(&["-d", "2", "-c", "2"]);
        assert_eq!(second.ok(), line, "the line is another");
        assert_eq!(cluster.containers(), before);
        assert!(second.took < first.took / 2, "{:?} after {:?}", second.took, first.took);
        assert_eq!(
            cluster.pgha(&["up"]).ok(),
            line,
            "up without flags means the file that is there"
        );
        assert_eq!(cluster.containers(), before);
    });

    claim("stop and start keep the data", || {
        cluster.pgha(&["stop", &cluster.id()]).ok();
        for member in cluster.members() {
            let state = &inspect(&member)["State"];
            assert_eq!(state["Running"], false, "{member}");
            // Also where etcd waits for peers that are gone: PID 1 ends it then, and that is no failure.
            assert_eq!(state["ExitCode"], 0, "{member} did not end well");
        }
        cluster.pgha(&["start", &cluster.id()]).ok();
        same_cluster(&cluster, &view, &addresses, "first");
        psql_line(&line, "insert into kept values ('second')");
    });
    claim("Compose alone brings it down and up again with data and addresses", || {
        down_and_up_by_compose(&cluster);
        same_cluster(&cluster, &view, &addresses, "first,second");
        psql_line(&line, "insert into kept values ('third')");
    });
    claim("members restarted in any order end as the same cluster", || {
        let mut members = cluster.members();
        members.shuffle(&mut StdRng::seed_from_u64(seed()));
        for member in &members {
            tell(&format!("  restarting {member}"));
            docker(&["restart", member]);
        }
        same_cluster(&cluster, &view, &addresses, "first,second,third");
    });
    claim("a cluster killed whole under load loses no acknowledged row", || {
        let writer = Writer::start(&cluster);
        writer.wait_for_more(100, 60);
        let members = cluster.members();
        let names: Vec<&str> = members.iter().map(String::as_str).collect();
        docker(&[&["kill"], names.as_slice()].concat());
        let rows = writer.stop();
        cluster.pgha(&["start", &cluster.id()]).ok();
        same_cluster(&cluster, &view, &addresses, "first,second,third");
        for node in cluster.of_kind("postgres") {
            assert_has_all(&node, &rows, 60);
        }
    });

    claim("down --dry-run names everything and removes nothing", || {
        let (before, left) = (cluster.containers(), cluster.left());
        let listed = cluster.pgha(&["down", &cluster.id(), "--volumes", "--dry-run"]);
        let listed = listed.ok();
        for thing in &left {
            let name = thing.split(' ').next_back().expect("a name");
            assert!(listed.split_whitespace().any(|word| word == name), "{name}: {listed}");
        }
        assert_eq!(listed.lines().count(), left.len(), "{listed}\n{left:?}");
        assert_eq!((cluster.containers(), cluster.left()), (before, left));
    });
    claim("down keeps the data, and up has it again", || {
        cluster.pgha(&["down", &cluster.id()]).ok();
        let left = cluster.left();
        assert!(!left.is_empty() && left.iter().all(|l| l.starts_with("volume ")), "{left:?}");
        cluster.pgha(&["up"]).ok();
        same_cluster(&cluster, &view, &addresses, "first,second,third");
    });
    claim("down --volumes leaves no container, network or volume", || {
        cluster.pgha(&["down", &cluster.id(), "--volumes", "--yes"]).ok();
        cluster.assert_nothing_left();
    });
}

/// A psql for hosts without one.
const PSQL_OF_THE_IMAGE: &str = "psql() { docker run --rm --network host --env PGPASSFILE=/pgpass \
    --volume \"$PGPASSFILE:/pgpass:ro\" --entrypoint psql pgha-pg17-patroni \"$@\"; }";

/// Runs SQL through the line that `up` printed, as a user who pastes it.
fn psql_line(line: &str, sql: &str) {
    let line = line.lines().next_back().expect("up printed a line");
    let own = format!("command -v psql >/dev/null || {PSQL_OF_THE_IMAGE}");
    let pasted = format!("{own}\n{line} -X -v ON_ERROR_STOP=1 -c \"$SQL\"");
    run(Command::new("sh").args(["-c", &pasted]).env("SQL", sql), 60).ok();
}

/// Waits until a node has exactly these rows in `kept`.
fn wait_for_rows(node: &str, expected: &str) {
    until(&format!("{node} has {expected}"), 60, || {
        let rows = try_sql(node, "select string_agg(what, ',' order by ctid) from kept")?;
        if rows == expected { Ok(()) } else { Err(format!("it has {rows}")) }
    });
}

/// The cluster is whole, and it is the one it was: database, members, addresses, rows.
fn same_cluster(cluster: &TestCluster, first: &Value, before: &[(String, String)], rows: &str) {
    let view = cluster.wait_whole();
    assert_eq!(view["system_id"], first["system_id"], "it is another database");
    assert_eq!(addresses(&view), before);
    let names = |v: &Value| -> Vec<_> {
        v["members"].as_array().expect("a list").iter().map(|m| m["name"].clone()).collect()
    };
    assert_eq!(names(&view), names(first));
    for node in nodes_of(&view) {
        wait_for_rows(node["name"].as_str().expect("text"), rows);
    }
}

/// Checks the address of every member inside its container, and gives them.
fn addresses(view: &Value) -> Vec<(String, String)> {
    let members = view["members"].as_array().expect("a list");
    let with_one = members.iter().filter(|m| m["address"].is_string());
    let found: Vec<_> = with_one
        .map(|member| {
            let text = |key: &str| member[key].as_str().expect("text").to_owned();
            let (name, address, site) = (text("name"), text("address"), text("site"));
            let number = site.trim_start_matches("DC");
            assert!(address.starts_with(&format!("198.18.{number}.")), "{name} has {address}");
            let shown = exec(&name, &["ip", "-4", "-oneline", "address", "show"]);
            assert!(
                shown.contains(&format!("inet {address}/24 ")),
                "{name} lacks {address}: {shown}"
            );
            (name, address)
        })
        .collect();
    assert_eq!(found.len(), members.len() - 1, "every member but the router has one address");
    found
}

fn networks_are_as_designed(cluster: &TestCluster, view: &Value) {
    let networks = |member: &str| -> Vec<String> {
        let seen = inspect(member);
        let of = seen["NetworkSettings"]["Networks"].as_object().expect("networks");
        of.keys().cloned().collect()
    };
    let sites = view["sites"].as_array().expect("a list");
    let mut all = Vec::new();
    for site in sites {
        let network = site["network"].as_str().expect("text").to_owned();
        for member in site["members"].as_array().expect("a list") {
            let member = member.as_str().expect("text");
            assert_eq!(networks(member), std::slice::from_ref(&network), "{member}");
        }
        all.push(network);
    }
    assert_eq!(all.len(), 3);
    assert_eq!(networks(&cluster.router()), all);
}

fn ports_are_on_the_loopback(cluster: &TestCluster) {
    for node in cluster.of_kind("postgres") {
        let bound = docker(&["port", &node]);
        assert_eq!(bound.lines().count(), 1, "{node}: {bound}");
        assert!(bound.starts_with("5432/tcp -> 127.0.0.1:"), "{node}: {bound}");
    }
    for kind in ["etcd", "backup", "wan"] {
        for member in cluster.of_kind(kind) {
            assert_eq!(docker(&["port", &member]), "", "{member} is published");
        }
    }
    // The kernel's own word: hexadecimal, 0100007F being 127.0.0.1.
    let ports: Vec<String> = nodes_of(&cluster.status())
        .map(|m| format!("{:04X}", m["host_port"].as_u64().expect("a port")))
        .collect();
    let tcp = std::fs::read_to_string("/proc/net/tcp").expect("Linux")
        + &std::fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    let listening = tcp.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (address, port) = fields.get(1)?.split_once(':')?;
        (fields.get(3) == Some(&"0A") && ports.iter().any(|p| p == port))
            .then(|| address.to_owned())
    });
    let listening: Vec<_> = listening.collect();
    assert_eq!(listening, vec!["0100007F"; ports.len()], "in /proc/net/tcp");
}

/// Joins by a hash table in shared memory that Docker's own 64 MB do not hold.
fn parallel_hash_join(leader: &str) {
    let joined = try_sql(
        leader,
        "set work_mem = '200MB'; set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; \
         set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0; \
         set enable_mergejoin = off; set enable_nestloop = off; \
         create table wide as select i, md5(i::text) || md5((-i)::text) as what \
         from generate_series(1, 900000) i; analyze wide; \
         explain (analyze, costs off, timing off) select count(a.what || b.what) from wide a join wide b using (i); \
         drop table wide",
    );
    let plan = joined.unwrap_or_else(|e| panic!("{e}"));
    assert!(plan.contains("Parallel Hash") && plan.contains("Batches: 1"), "{plan}");
    let used = plan.split("Memory Usage: ").nth(1).and_then(|rest| rest.split("kB").next());
    let used_kb: u64 = used.and_then(|kb| kb.parse().ok()).unwrap_or_default();
    assert!(used_kb > 64 << 10, "{plan}");
}

/// No pgha chooses ports meanwhile: Compose asks nobody which are free, and those of a cluster without containers are.
fn down_and_up_by_compose(cluster: &TestCluster) {
    let host = docker(&["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]);
    let socket = Path::new(host.trim_start_matches("unix://")).canonicalize().expect("a socket");
    let turn = File::open(socket.parent().expect("a folder")).expect("it can be read");
    turn.lock().expect("it can be locked");
    cluster.compose(&["down"]).ok();
    assert!(cluster.members().is_empty(), "down has left {:?}", cluster.members());
    cluster.compose(&["up", "-d"]).ok();
}
