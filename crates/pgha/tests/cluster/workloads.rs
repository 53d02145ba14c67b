//! What clients do besides inserting rows: it holds under a quorum while the leader is killed, and what asynchronous
//! replication loses is found.

use std::fs;

use serde_json::Value;

use crate::drills::drill;
use crate::test_cluster::TestCluster;
use crate::waiting::claim;

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn workloads_hold_under_a_quorum_and_show_what_asynchronous_replication_loses() {
    let cluster = up("workloads", "quorum");
    holds(&cluster, "append");
    claim("load by itself says what each checker found, and keeps the history", || {
        let history = cluster.dir().join("append.history.jsonl");
        let kept = history.to_str().expect("a path");
        let id = cluster.id();
        let load = ["load", &id, "--workload", "append", "--readers", "2", "--for", "3s"];
        let ran = cluster.pgha(&[&load[..], &["--json", "--history", kept]].concat());
        let report: Value = serde_json::from_str(ran.ok()).expect("JSON");
        assert_eq!(report["verdict"], "holds", "{report}");
        let checks: Vec<&str> = report["checks"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|check| check["check"].as_str().expect("a name"))
            .collect();
        assert_eq!(checks, ["append", "monotonic-reads", "one-writer"]);
        let text = fs::read_to_string(&history).expect("the history");
        // The replica was read as well: a session without a timeline.
        assert!(text.lines().any(|l| l.starts_with("{\"session\"") && l.ends_with("null]}")));
        assert!(text.lines().last().is_some_and(|line| line.starts_with("{\"end\"")));
    });
    claim("a drill without clients judges the cluster alone", || {
        let file = file(&cluster, "none", "inject = 'pause'\ntarget = 'replica'", "none");
        let report = drill(&cluster, &file);
        assert_eq!(report["observed"]["ok"], 0, "{report}");
    });
    drop(cluster);
    let cluster = up("workloads", "async");
    claim("async: append shows the loss of an isolated leader's writes", || {
        let isolate = "inject = 'isolate'\ntarget = 'site(leader)'";
        let report = drill(&cluster, &file(&cluster, "append", isolate, "some"));
        assert!(report["observed"]["lost"].as_u64().is_some_and(|lost| lost > 0), "{report}");
    });
}

/// What takes too long for each change: `./test.sh soak`.
mod soak {
    #[test]
    #[ignore = "takes long; ./test.sh soak runs it"]
    fn registers_and_a_bank_hold_under_a_quorum() {
        let cluster = super::up("workloads_soak", "quorum");
        // The drills of `drills` write a ledger.
        for workload in ["register", "bank"] {
            super::holds(&cluster, workload);
        }
    }
}

fn up(test: &'static str, durability: &str) -> TestCluster {
    TestCluster::up(test, &["-d", "2", "-c", "1", "--timers", "fast", "--durability", durability])
}

fn holds(cluster: &TestCluster, workload: &str) {
    claim(&format!("quorum: {workload} holds while the leader is killed"), || {
        let file = file(cluster, workload, "inject = 'kill'\ntarget = 'leader'", "none");
        let report = drill(cluster, &file);
        assert!(report["observed"]["ok"].as_u64().is_some_and(|ok| ok > 100), "{report}");
    });
}

/// A drill with this workload and this fault.
fn file(cluster: &TestCluster, workload: &str, fault: &str, lost: &str) -> String {
    let wait = match (workload, lost) {
        ("none", _) => "sleep = '3s'",
        // A leader that is cut off goes on acknowledging: writes alone say nothing.
        (_, "some") => "wait = 'another-leader'",
        _ => "wait = 'writes'",
    };
    let text = format!(
        "title = '{workload}'\n[load]\nworkload = '{workload}'\nclients = 4\nreaders = 1\nrate = 100\n\
         [[step]]\nsleep = '3s'\n[[step]]\n{fault}\n[[step]]\n{wait}\n[[step]]\nsleep = '3s'\n\
         [[step]]\nheal = true\n[expect]\n\
         async = {{ writes = 'failover', lost = '{lost}' }}\n\
         quorum = {{ writes = 'failover', lost = '{lost}' }}\n"
    );
    let path = cluster.dir().join(format!("{workload}.toml"));
    fs::write(&path, text).expect("a file");
    path.to_str().expect("a path").to_owned()
}
