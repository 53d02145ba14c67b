//! Distances, loss and cuts between sites: what a cluster at continental distances lives through.

use std::time::{Duration, Instant};

use pgha_core::spec::Spec;
use pgha_core::topology::Topology;
use serde_json::Value;

use super::ports;
use crate::docker::{commits_ms, docker, exec, sql, try_docker, try_exec, try_sql};
use crate::process::{Ran, start};
use crate::test_cluster::{
    HEAL_DEADLINE_S, TestCluster, leader_of, leader_site, nodes_of, problem_codes, site_of,
};
use crate::waiting::{claim, tell, until};
use crate::writer::{Writer, assert_has_all};

/// The round trip of the preset, in microseconds.
const ROUND_TRIP_US: u64 = 66_000;
/// The cluster of this test, as `plan` and `up` are told it.
const SHAPE: [&str; 10] = [
    "-d",
    "3",
    "-c",
    "1",
    "--durability",
    "quorum",
    "--timers",
    "norm",
    "--wan-preset",
    "continental",
];
/// How long a cut may take to be noticed, and a loss of the leader to be made good.
const FAILOVER_S: u64 = 120;

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn three_data_centers_at_continental_distances() {
    let cluster = TestCluster::reserve("distances");
    let ports = ports();
    let up = cluster.pgha_up(&SHAPE);
    drop(ports);
    claim("up says that WAN latency is applied, once the cluster is ready", || {
        up.ok();
        let said = &up.stderr;
        let (ready, distances) = (said.find("is ready after"), said.find("WAN latency applied"));
        assert!(ready.is_some() && ready < distances, "{said}");
    });
    claim("every node streams, and every round trip is measured as asked", || {
        cluster.wait_whole();
        all_as_asked(&cluster);
    });
    claim("a commit that a second data center acknowledges takes the round trip", || {
        commit_takes_the_round_trip(&cluster);
    });
    claim("bad input is refused with the choices, and every link stays as it was", || {
        bad_input(&cluster);
    });
    claim("what is sent in bulk arrives whole, with every MTU, with DF and without", || {
        bulk(&cluster);
    });
    claim("a cut for a while is undone although its command was killed", || undone(&cluster));
    let (leader, site, other) = places(&cluster);
    claim("a cut between two data centers only: writes go on, the leader stays", || {
        cut_between_two(&cluster, &leader, &site, &other, &[]);
    });
    claim("a cut one way only: the same", || {
        cut_between_two(&cluster, &leader, &site, &other, &["--one-way"]);
    });
    claim("5 % loss on every link for two minutes: nobody takes over", || {
        two_lossy_minutes(&cluster);
    });
    claim(
        "the leader's site is isolated: it demotes, another leads, no row is lost, as planned",
        || {
            isolated_leader(&cluster);
        },
    );
    claim(
        "without a router the sites are partitioned, and it comes back with the spec's links",
        || {
            router_killed(&cluster);
        },
    );
}

/// `pgha wan VERB NAME …`.
fn wan(cluster: &TestCluster, verb: &str, arguments: &[&str]) -> Ran {
    cluster.pgha(&[&["wan", verb, &cluster.id()], arguments].concat())
}

/// `pgha wan show --json`.
fn shown(cluster: &TestCluster, more: &[&str]) -> Value {
    let ran = wan(cluster, "show", &[&["--json"], more].concat());
    serde_json::from_str(ran.ok()).expect("wan show prints JSON")
}

/// Settings and states of all links, without what counts.
fn links(cluster: &TestCluster) -> Vec<[Value; 4]> {
    let view = shown(cluster, &["--no-verify"]);
    let links = view["links"].as_array().expect("links are a list");
    links.iter().map(|l| ["from", "to", "state", "settings"].map(|key| l[key].clone())).collect()
}

fn all_as_specified(cluster: &TestCluster) -> Result<(), String> {
    match links(cluster).into_iter().find(|[.., state, _]| state != "as_specified") {
        None => Ok(()),
        Some(link) => Err(format!("{link:?}")),
    }
}

fn all_as_asked(cluster: &TestCluster) {
    until("every round trip is as asked", 60, || {
        let view = shown(cluster, &[]);
        let pairs = view["pairs"].as_array().expect("pairs are a list");
        assert_eq!(pairs.len(), 6, "four sites have six pairs");
        let wrong =
            pairs.iter().find(|p| p["asked_us"] != ROUND_TRIP_US || p["verdict"] != "as_asked");
        wrong.map_or(Ok(()), |pair| Err(pair.to_string()))
    });
    all_as_specified(cluster).expect("nothing was changed");
}

/// The leader, its site, and another data center.
fn places(cluster: &TestCluster) -> (String, String, String) {
    let view = cluster.status();
    let (_, leader, far) = leader_site(&view);
    let (site, other) = (site_of(&view, &leader), site_of(&view, &far));
    (leader, site, other)
}

fn timeline(view: &Value) -> u64 {
    let leader = leader_of(view).expect("there is a leader");
    let node = nodes_of(view).find(|n| n["name"] == leader.as_str()).expect("the leader is a node");
    node["timeline"].as_u64().expect("the leader has a timeline")
}

fn commit_takes_the_round_trip(cluster: &TestCluster) {
    let took_ms = commits_ms(&cluster.leader());
    let least = Duration::from_micros(ROUND_TRIP_US).as_secs_f64() * 1000.0 * 0.95;
    assert!(took_ms.iter().all(|took| *took >= least), "{took_ms:?}");
}

fn bad_input(cluster: &TestCluster) {
    let before = links(cluster);
    for (arguments, words) in [
        (["DC1", "DC9", "--latency", "1ms"].as_slice(), "there are DC1, DC2, DC3, DC4"),
        (&["DC2", "dc2", "--latency", "1ms"], "to itself"),
        (&["DC1", "DC2", "--latency", "11s"], "11s"),
        (&["DC1", "DC2", "--rate", "1kbit"], "1500 bytes"),
        (&["DC1", "DC2", "--mtu", "67"], "from 68 to 1500"),
        (&["DC1", "DC2", "--burst", "2000000", "--loss", "1%"], "2000000"),
        (&["DC1", "DC2", "--burst", "2", "--loss", "90%"], "bursts"),
    ] {
        wan(cluster, "set", arguments).refused(2, words);
    }
    for arguments in [["--latency", "-1ms"], ["--loss", "101%"], ["--loss", "-1%"], ["--for", "0s"]]
    {
        let ran = wan(cluster, "set", &[&["DC1", "DC2"], arguments.as_slice()].concat());
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    }
    wan(cluster, "isolate", &["DC7"]).refused(2, "there are DC1");
    wan(cluster, "reset", &["DC1", "DC8"]).refused(2, "there are DC1");
    assert_eq!(links(cluster), before, "a link is not what it was");
}

/// Takes one connection, and gives back the digest of what came.
const SINK: &str = "import hashlib, socket\n\
    with socket.create_server(('0.0.0.0', 7777)) as server:\n\
    \tpeer, _ = server.accept()\n\
    \tdigest = hashlib.sha256()\n\
    \twhile piece := peer.recv(65536): digest.update(piece)\n\
    \tpeer.sendall(digest.hexdigest().encode())\n";
/// Sends 4 MB to the address it is given, with DF or without, and says whether they arrived.
const SOURCE: &str = "import hashlib, random, socket, sys, time\n\
    what = random.Random(1).randbytes(4_000_000)\n\
    for attempt in range(100):\n\
    \ttry: peer = socket.create_connection((sys.argv[1], 7777)); break\n\
    \texcept ConnectionRefusedError: time.sleep(0.1)\n\
    IP_MTU_DISCOVER, DONT, WANT = 10, 0, 1\n\
    peer.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, WANT if sys.argv[2] == 'df' else DONT)\n\
    peer.settimeout(120)\n\
    peer.sendall(what); peer.shutdown(socket.SHUT_WR)\n\
    print(peer.recv(64).decode() == hashlib.sha256(what).hexdigest())\n";

/// With DF the sender learns the MTU and makes smaller packets, down to 552 bytes; below that Linux sends
/// packets of 552 without DF, which are fragmented, as those that never had it are. A sender that may not
/// make super-packets sends each of its packets by itself.
fn bulk(cluster: &TestCluster) {
    let nodes = cluster.of_kind("postgres");
    let (from, to) = (&nodes[0], &nodes[1]);
    let spec = Spec::from_toml(&exec(from, &["printenv", "PGHA_SPEC"])).expect("a spec");
    let address = Topology::new(spec, 1).members[1].address.to_string();
    // The member itself may change nothing of its network; a container beside it in there may.
    let network = format!("container:{from}");
    let in_network = |command: &str| {
        let beside = ["run", "--rm", "--network", &network, "--cap-add", "NET_ADMIN"];
        docker(&[beside.as_slice(), &["--entrypoint", "sh", "pgha-wan", "-ec", command]].concat());
    };
    // What an earlier transfer has learned of the way goes with the route.
    let forget = "route=$(ip route show 198.18.0.0/16)\n\
        ip route delete 198.18.0.0/16\n\
        ip route add $route";
    for segments_max in ["65535", "1"] {
        in_network(&format!("ip link set eth0 gso_max_segs {segments_max}"));
        for fragmenting in ["df", "no df"] {
            for mtu in ["1500", "552", "551", "400", "68"] {
                wan(cluster, "set", &["DC1", "DC2", "--mtu", mtu, "--no-verify"]).ok();
                in_network(forget);
                docker(&["exec", "--detach", to, "python3", "-c", SINK]);
                let started = Instant::now();
                let arrived = exec(from, &["python3", "-c", SOURCE, &address, fragmenting]);
                let took = started.elapsed().as_secs_f64();
                let gso = if segments_max == "1" { "no GSO" } else { "GSO" };
                tell(&format!("  4 MB, MTU {mtu}, {fragmenting}, {gso}: {took:.1} s"));
                assert_eq!(arrived, "True", "MTU {mtu}, {fragmenting}, {gso}");
            }
        }
    }
    in_network("ip link set eth0 gso_max_segs 65535");
    in_network(forget);
    wan(cluster, "reset", &["DC1", "DC2"]).ok();
}

fn undone(cluster: &TestCluster) {
    let id = cluster.id();
    let argv = ["wan", "cut", &id, "DC1", "DC4", "--for", "5s"];
    let (_, mut command) = start(&mut cluster.command(&argv));
    until("the link is cut", 30, || match links(cluster).iter().find(|l| l[2] == "cut") {
        Some(_) => Ok(()),
        None => Err("it is not"),
    });
    command.kill().expect("it can be killed");
    command.wait().expect("it is waited for once");
    until("the cut is undone", 30, || all_as_specified(cluster));
    // etcd's connections come back later than the link, and until then a second cut would be one more.
    cluster.wait_whole();
}

/// Cuts the link of the leader to one of the two other data centers; both still see all the others.
fn cut_between_two(cluster: &TestCluster, leader: &str, site: &str, other: &str, how: &[&str]) {
    let before = timeline(&cluster.status());
    wan(cluster, "cut", &[&[site, other], how].concat()).ok();
    let cut = links(cluster).into_iter().filter(|l| l[2] == "cut").count();
    assert_eq!(cut, if how.is_empty() { 2 } else { 1 });
    until("nothing comes through the cut, and everything else takes what it took", 60, || {
        let view = shown(cluster, &[]);
        for pair in view["pairs"].as_array().expect("a list") {
            let both = pair["between"].to_string();
            let is_cut = both.contains(site) && both.contains(other);
            assert_eq!(pair["asked_us"].is_null(), is_cut, "{pair}");
            // A busy host may be late for once.
            if pair["verdict"] != "as_asked" {
                return Err(pair.to_string());
            }
        }
        Ok(())
    });
    let table = if how.is_empty() { "cut_both" } else { "cut_one" };
    let far = cluster.of_kind("postgres").into_iter().find(|n| n.contains(other)).expect("a node");
    sql(leader, &format!("create table {table} as select 1 as n"));
    let there = format!("select to_regclass('{table}') is not null");
    assert_eq!(sql(&far, &there), "f", "{far} has what cannot reach it");
    let view = cluster.status();
    assert_eq!((leader_of(&view).as_deref(), timeline(&view)), (Some(leader), before));
    assert!(problem_codes(&view).contains(&"links_cut".to_owned()), "{}", view["problems"]);
    if how.is_empty() {
        let mut nodes = nodes_of(&view).filter_map(|node| node["name"].as_str());
        let near = nodes.find(|name| *name != leader && *name != far).expect("a third");
        let backup = cluster.pgha(&["backup", &cluster.id()]);
        backup.ok();
        let from = format!("copying from the standby {near}");
        assert!(backup.stderr.contains(&from), "{}", backup.stderr);
    }
    wan(cluster, "heal", &[]).ok();
    until("what was written meanwhile is there", HEAL_DEADLINE_S, || {
        match try_sql(&far, &there)?.as_str() {
            "t" => Ok(()),
            other => Err(other.to_owned()),
        }
    });
    let view = cluster.wait_whole();
    assert_eq!((leader_of(&view).as_deref(), timeline(&view)), (Some(leader), before));
}

fn two_lossy_minutes(cluster: &TestCluster) {
    let before = cluster.status();
    let writer = Writer::start(cluster);
    for (a, b) in [("1", "2"), ("1", "3"), ("1", "4"), ("2", "3"), ("2", "4"), ("3", "4")] {
        let (a, b) = (format!("DC{a}"), format!("DC{b}"));
        wan(cluster, "set", &[&a, &b, "--loss", "5%", "--for", "2m", "--no-verify"]).ok();
    }
    until("the loss has ended by itself", 180, || all_as_specified(cluster));
    writer.wait_for_more(10, 60);
    let rows = writer.stop();
    let after = cluster.wait_whole();
    assert_eq!(leader_of(&after), leader_of(&before));
    assert_eq!(timeline(&after), timeline(&before));
    assert_has_all(&cluster.leader(), &rows, 1);
}

fn isolated_leader(cluster: &TestCluster) {
    let (leader, site, _) = places(cluster);
    let plan = cluster.pgha(&[&["plan", "--json"], SHAPE.as_slice()].concat());
    let plan: Value = serde_json::from_str(plan.ok()).expect("plan prints JSON");
    let rows = plan["survival"].as_array().expect("a table");
    let predicted =
        rows.iter().find(|row| row["lost"] == serde_json::json!([site])).expect("a row");
    assert_eq!(predicted["promotable"], true, "what is seen below is not what was planned");
    assert_eq!(predicted["acknowledged_loss"], false, "what is seen below is not what was planned");
    let before = timeline(&cluster.status());
    // A writer begins to count anew.
    sql(&leader, "drop table if exists written");
    let writer = Writer::start(cluster);
    writer.wait_for_more(10, 60);
    wan(cluster, "isolate", &[&site]).ok();
    let next = cluster.wait_leader_other_than(std::slice::from_ref(&leader), FAILOVER_S);
    until("the isolated leader takes no writes", FAILOVER_S, || {
        match try_sql(&leader, "select pg_is_in_recovery()") {
            Ok(answer) if answer == "f" => Err("it still does".to_owned()),
            _ => Ok(()),
        }
    });
    let view = cluster.status();
    assert_eq!(view["problems"][0]["code"], "links_cut", "{}", view["problems"]);
    let sites = view["sites"].as_array().expect("a list");
    for seen in sites {
        assert_eq!(seen["reachable"], seen["name"] != *site, "{seen}");
    }
    wan(cluster, "heal", &[]).ok();
    let view = cluster.wait_whole();
    let rows = writer.stop();
    assert!(timeline(&view) > before, "{}", view["members"]);
    assert_eq!(leader_of(&view), Some(next.clone()));
    assert_has_all(&next, &rows, 1);
    assert_has_all(&leader, &rows, 60);
    let log = try_docker(&["logs", &leader]);
    assert!((log.stdout + &log.stderr).contains("pg_rewind"), "{leader} came back otherwise");
}

fn router_killed(cluster: &TestCluster) {
    let router = cluster.router();
    let ran = wan(cluster, "set", &["DC1", "DC2", "--latency", "5ms"]);
    ran.ok();
    assert!(all_as_specified(cluster).is_err(), "the change is not there");
    docker(&["exec", "--user", "999", &router, "pkill", "-KILL", "-f", "wan-engine"]);
    until("the engine is back with the links of the spec", 30, || {
        let view = wan(cluster, "show", &["--json", "--no-verify"]).result()?;
        if view.contains("\"changed\"") { Err("a change is left".to_owned()) } else { Ok(()) }
    });
    // The new one knows when packets come by the socket that PID 1 opened while it was allowed to.
    // The brackets keep the shell from finding itself.
    let output = "readlink /proc/$(pgrep -f '[w]an-engine')/fd/1";
    let output = docker(&["exec", "--user", "999", &router, "sh", "-c", output]);
    assert!(output.starts_with("socket:"), "the engine has {output}");
    all_as_asked(cluster);

    docker(&["kill", &router]);
    let member = cluster.of_kind("etcd").remove(0);
    let ping = ["pgha-node", "round-trips", "--count", "3", "--wait", "500"];
    let trips = exec(&member, &ping);
    let trips: Value = serde_json::from_str(&trips).expect("round trips are JSON");
    for trip in trips["to"].as_array().expect("a list") {
        assert_eq!(trip["received"], 0, "something passes without a router: {trip}");
    }
    let refused = wan(cluster, "show", &[]);
    refused.refused(3, &router);
    assert!(try_exec(&member, &["true"]).code == Some(0));
    docker(&["start", &router]);
    until("the router answers", 60, || wan(cluster, "show", &["--no-verify"]).result().map(drop));
    all_as_asked(cluster);
    cluster.wait_whole();
}
