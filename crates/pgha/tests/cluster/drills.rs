//! `pgha drill`: the loss of the leader's site under load, predicted, done and compared; `pgha load` by itself.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::docker::{of_drills_in, sql};
use crate::process::start;
use crate::test_cluster::{TestCluster, whole};
use crate::waiting::{claim, seed, tell, until};

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn asynchronous_replication_loses_acknowledged_writes_and_a_quorum_none() {
    let up = |durability| {
        let flags = ["-d", "3", "-c", "1", "--timers", "fast", "--durability", durability];
        TestCluster::up("drill", &flags)
    };
    let cluster = up("async");
    // The negative control: a checker that always passes looks healthy.
    claim("async: a leader that is cut off goes on acknowledging, and that is found lost", || {
        let report = drill(&cluster, "site-isolated-control");
        assert!(report["observed"]["lost"].as_u64().is_some_and(|lost| lost > 0), "{report}");
    });
    claim("a drill that is killed is taken back by `heal`", || {
        let arguments = ["drill", "run", "leader-frozen", &cluster.id()];
        let mut command = cluster.command(&arguments);
        let mut run =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("pgha runs");
        until("the leader is frozen", 60, || match cluster.faults().len() {
            1 => Ok(()),
            other => Err(format!("{other} faults")),
        });
        run.kill().expect("it runs");
        run.wait().expect("it has ended");
        cluster.pgha(&["drill", "run", "leader-killed", &cluster.id()]).refused(3, "healthy");
        cluster.pgha(&["heal", &cluster.id()]).ok();
        assert!(cluster.faults().is_empty());
        cluster.wait_whole();
    });
    drop(cluster);
    let cluster = up("quorum");
    claim("quorum: the same loses none", || {
        let report = drill(&cluster, "site-isolated");
        assert_eq!(report["observed"]["lost"], 0, "{report}");
        assert!(
            report["runs"][0]["faults"][0].as_str().is_some_and(|f| f.starts_with("isolate DC"))
        );
    });
    claim(
        "what happened is told by time: who took the leader key, and which links were cut",
        || {
            let told = cluster.pgha(&["events", &cluster.id(), "--json"]);
            let told: Vec<Value> =
                told.ok().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
            let of = |event: &str| told.iter().filter(|e| e["event"] == event).collect::<Vec<_>>();
            let leader = cluster.leader();
            assert!(
                of("leader_key_taken").last().is_some_and(|e| e["member"] == leader),
                "{told:?}"
            );
            assert!(of("links").iter().any(|e| e["change"] == "cut"), "{told:?}");
            let times: Vec<_> = told.iter().map(|e| e["at"].as_str()).collect();
            assert!(times.is_sorted());
        },
    );
    claim("what is not as predicted is exit code 5, and what is not for the cluster 3", || {
        let id = cluster.id();
        let file = cluster.dir().join("wrong.toml");
        // A leader that hands over takes no lease to run out, and writes are away all the same.
        let text = "title = 'wrong'\n[[step]]\ninject = 'pause'\ntarget = 'leader'\n[[step]]\nsleep = '8s'\n\
            [[step]]\nheal = true\n[expect]\nquorum = { writes = 'go-on', lost = 'none' }\n";
        std::fs::write(&file, text).expect("a file");
        let file = file.to_str().expect("a path");
        cluster.pgha(&["drill", "run", file, &id]).refused(5, "no write went for");
        let control = ["drill", "run", "site-isolated-control", &id, "--dry-run"];
        cluster.wait_whole();
        cluster.pgha(&control).refused(3, "durability quorum");
    });
    claim("load by itself tells what clients did, and leaves nothing", || {
        let ran = cluster.pgha(&["load", &cluster.id(), "--for", "2s", "--rate", "100", "--json"]);
        let report: Value = serde_json::from_str(ran.ok()).expect("JSON");
        assert!(report["acknowledged"].as_u64().is_some_and(|ok| ok > 50), "{report}");
        assert_eq!((&report["lost"], &report["unexpected"]), (&0.into(), &0.into()), "{report}");
        let left = "select count(*) from pg_namespace where nspname = 'pgha_load'";
        assert_eq!(sql(&cluster.leader(), left), "0");
    });
}

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_cluster_for_a_drill_is_made_beside_everything_else_and_removed() {
    let place = TestCluster::reserve("drill_fresh");
    let (drill, theirs) = (place.dir().join("quick.toml"), "services: {}\n");
    fs::write(&drill, QUICK).expect("a drill");
    fs::write(place.compose_file(), theirs).expect("a file of somebody else");
    let before = place.files();
    let drill = drill.to_str().expect("a path");
    let flags = ["-d", "2", "-c", "1", "--timers", "fast"];
    let made = |kind| of_drills_in(place.dir(), kind);
    let nothing_is_left = || {
        for kind in ["container", "network", "volume"] {
            assert_eq!(made(kind), 0, "{kind}");
        }
        assert_eq!(place.files(), before, "files were left or changed");
    };
    claim("the same drill with two durabilities is one list, and nothing is left", || {
        let compare = ["drill", "run", drill, "--compare", "async,quorum", "--json"];
        let ran = place.pgha(&[&compare[..], &flags].concat());
        assert!([Some(0), Some(5)].contains(&ran.code), "{ran:?}");
        let reports: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        let of = |key: &str| {
            let all = reports.as_array().expect("a list").iter();
            all.map(|report| report[key].as_str().expect("text")).collect::<Vec<_>>()
        };
        let expected = vec!["async", "quorum"];
        assert_eq!((of("value"), of("durability")), (expected.clone(), expected), "{reports}");
        for report in reports.as_array().expect("a list") {
            let observed = &report["observed"];
            assert!(observed["ok"].as_u64().is_some_and(|ok| ok > 0), "{report}");
            assert_eq!((&observed["lost"], &observed["not_reached"]), (&0.into(), &0.into()));
        }
        nothing_is_left();
    });
    claim("a step waits for Enter, and Ctrl-C there leaves nothing", || {
        let words = [env!("CARGO_BIN_EXE_pgha"), "drill", "run", drill, "--fresh", "--step"];
        // The shell would hear Ctrl-C, too, and some end with that.
        let typed = format!("exec {}", [&words[..], &flags].concat().join(" "));
        let mut command = Command::new("script");
        command.args(["-qefc", &typed, "/dev/null"]).current_dir(place.dir());
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut run = command.spawn().expect("script runs");
        let mut keys = run.stdin.take().expect("it is piped");
        let said = said_by(run.stdout.take().expect("it is piped"));
        let prompt = |step: &str| {
            until(&format!("step {step} waits"), 120, || {
                let said = said.lock().expect("nobody panics with it").clone();
                if said.contains(&format!("step {step}")) { Ok(()) } else { Err(said) }
            });
        };
        prompt("1 of 4: sleep 1s [Enter]");
        keys.write_all(b"\n").expect("it reads");
        prompt("2 of 4: inject backend-kill leader [Enter]");
        keys.write_all(&[3]).expect("it reads");
        assert_eq!(run.wait().expect("it ends").code(), Some(1));
        nothing_is_left();
    });
    claim("what a killed one has left is named with what removes it", || {
        let fresh = ["drill", "run", drill, "--fresh"];
        let (_, mut run) = start(&mut place.command(&[&fresh[..], &flags].concat()));
        until("a container is there", 60, || match made("container") {
            0 => Err("none".to_owned()),
            _ => Ok(()),
        });
        assert!(!place.pgha(&["list"]).stderr.contains("killed"), "its command runs");
        run.kill().expect("it runs");
        run.wait().expect("it ends");
        let told = place.pgha(&["list"]).stderr;
        let down = told.split('`').nth(1).unwrap_or_else(|| panic!("{told}"));
        let words: Vec<&str> = down.split(' ').skip(1).chain(["--yes"]).collect();
        assert_eq!(words[0], "down", "{told}");
        // What the engine was making for a Compose that was killed may appear only now.
        until("nothing of it is left", 60, || match place.pgha(&words).result() {
            _ if made("container") + made("network") == 0 => Ok(()),
            Ok(said) | Err(said) => Err(said),
        });
    });
}

/// Nobody is promoted, and it is over soon.
const QUICK: &str = "title = 'quick'\n[load]\nrate = 100\n[[step]]\nsleep = '1s'\n[[step]]\ninject = 'backend-kill'\n\
    target = 'leader'\n[[step]]\nwait = 'writes'\n[expect]\nasync = { writes = 'crash', lost = 'none' }\n\
    quorum = { writes = 'crash', lost = 'none' }\n";

/// What a program prints, as it does.
fn said_by(mut output: ChildStdout) -> Arc<Mutex<String>> {
    let said = Arc::new(Mutex::new(String::new()));
    let all = said.clone();
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = output.read(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..count]);
            all.lock().expect("nobody panics with it").push_str(&text);
        }
    });
    said
}

/// Runs a drill once and gives its report. On a machine that does much else a failover may take longer than predicted, and
/// nothing else may be otherwise.
pub(crate) fn drill(cluster: &TestCluster, name: &str) -> Value {
    cluster.wait_whole();
    let (id, reports, seed) = (cluster.id(), cluster.dir().join("reports"), seed().to_string());
    let reports = reports.to_str().expect("a path");
    let arguments =
        ["drill", "run", name, &id, "--yes", "--json", "--seed", &seed, "--report", reports];
    let mut command = cluster.command(&arguments);
    let ended = command.stderr(Stdio::inherit()).output().expect("pgha runs");
    let text = String::from_utf8_lossy(&ended.stdout);
    let report: Value = serde_json::from_str(&text).expect("JSON");
    let late = |why: &Value| why.as_str().is_some_and(|why| why.starts_with("no write went for"));
    let reasons = report["runs"][0]["verdict"]["reasons"].as_array().expect("a list");
    assert!(reasons.iter().all(late), "{report}");
    let exit_code = if reasons.is_empty() { 0 } else { 5 };
    assert_eq!(ended.status.code(), Some(exit_code), "{text}");
    let run = &report["runs"][0];
    let leaders = run["leaders"].as_array().expect("a list");
    let failed_over = leaders.first() != leaders.last();
    assert_eq!(run["phases"].is_object(), failed_over, "{run}");
    if failed_over {
        let at =
            |part: &str| run["phases"][part].as_f64().unwrap_or_else(|| panic!("{part}: {run}"));
        let parts = ["race_won_s", "promoted_s", "first_write_s", "durability_met_s"].map(at);
        assert!(parts.is_sorted(), "{run}");
    }
    assert_eq!(run["two_writers_s"], 0.0, "{run}");
    tell(&format!(
        "  no writes for {} s; {} acknowledged, {} unknown, {} lost; whole again after {} s",
        report["runs"][0]["rto_s"],
        report["runs"][0]["ok"],
        report["runs"][0]["unknown"],
        report["observed"]["lost"],
        report["runs"][0]["full_redundancy_s"],
    ));
    whole(&cluster.status()).expect("the cluster is whole after a drill");
    assert!(cluster.faults().is_empty());
    report
}
