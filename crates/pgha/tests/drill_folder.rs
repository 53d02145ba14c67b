//! `pgha drill check` and `self-test` on a report folder, without Docker.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

/// A leader until 5 s, another one from 15 s on: the report with what `drill run` would say, and the history.
fn folder(at: &Path) -> Value {
    let mut lines = vec![
        json!({ "history": [1, "ledger", ["a", "b"]] }),
        json!({ "session": [0, 0, 1] }),
        json!({ "session": [0, 1, 2] }),
    ];
    for id in 0..1_000 {
        let (session, ms) = if id < 500 { (0, id * 10) } else { (1, 10_000 + id * 10) };
        lines.push(json!({ "op": [session, id, ms * 1_000, 5_000, "ok", "insert"] }));
    }
    let rows: Vec<(u32, u32)> = (0..1_000).map(|id| (0, id)).collect();
    lines.push(json!({ "end": [20_010_000, { "node": "b", "found": { "rows": rows } }] }));
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    fs::write(at.join("run-1.history.jsonl"), lines.join("\n") + "\n").expect("ours");
    let check = |name, operations| {
        json!({ "check": name, "verdict": "holds", "operations": operations, "anomalies": [],
                "undecided": null })
    };
    let report = json!({
        "drill": "leader-killed", "title": "The leader is killed", "cluster": "demo-1",
        "seed": 7, "durability": "quorum", "timers": "20/5/5", "passed": true,
        "predicted": { "writes": "failover", "outage_max_s": 32.0, "lost": "none" },
        "observed": { "outage_s": { "min": 10.01, "median": 10.01, "max": 10.01 }, "ok": 1_000,
                      "lost": 0, "confirmed": 1, "better": 0, "refuted": 0, "not_reached": 0 },
        "runs": [{
            "verdict": { "prediction": "confirmed", "reasons": [] }, "faults": ["kill a"],
            "ok": 1_000, "lost": 0, "unknown": 0, "unexpected": 0, "two_writers_s": 0.0,
            "checks": [check("ledger", 1_000), check("monotonic-reads", 0), check("one-writer", 1_000)],
            "rto_s": 10.01, "full_redundancy_s": 2.0, "leaders": ["a", "b"],
            "beside": { "injected_s": 4.9, "healed_s": 16.0, "healing_s": 15.0, "differing_nodes": 0 },
        }],
    });
    write(at, &report);
    report
}

fn write(at: &Path, report: &Value) {
    fs::write(at.join("report.json"), report.to_string()).expect("ours");
}

fn drill(verb: &str, at: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgha"));
    command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    command.args(["drill", verb]).arg(at).arg("--json").output().expect("the binary runs")
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

#[test]
fn a_folder_is_judged_again_and_a_change_is_found() {
    let folder_of = tempfile::tempdir().expect("a temporary folder");
    let at = folder_of.path();
    let report = folder(at);
    let output = drill("check", at);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(json_of(&output)["passed"], true);

    for (pointer, value, what) in [
        ("/runs/0/rto_s", json!(3.0), "rto_s"),
        ("/runs/0/ok", json!(999), "ok"),
        ("/runs/0/verdict/prediction", json!("better"), "prediction"),
    ] {
        let mut changed = report.clone();
        *changed.pointer_mut(pointer).expect("it is there") = value;
        write(at, &changed);
        let output = drill("check", at);
        assert_eq!(output.status.code(), Some(5), "{what}: {output:?}");
        assert_eq!(json_of(&output)["runs"][0]["differs"][0]["what"], what);
    }

    // A run that is left out of the report.
    write(at, &report);
    fs::copy(at.join("run-1.history.jsonl"), at.join("run-2.history.jsonl")).expect("ours");
    let output = drill("check", at);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert_eq!(json_of(&output)["differs"][0], json!({ "what": "runs", "then": "1", "now": "2" }));
}

#[test]
fn what_is_not_in_a_folder_is_named() {
    let folder_of = tempfile::tempdir().expect("a temporary folder");
    let at = folder_of.path();
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let output = drill("check", at);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(said(&output).contains("report.json"), "{output:?}");
    folder(at);
    fs::remove_file(at.join("run-1.history.jsonl")).expect("ours");
    let output = drill("self-test", at);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(said(&output).contains("run-1.history.jsonl"), "{output:?}");
}

#[test]
fn every_planted_lie_is_found() {
    let folder_of = tempfile::tempdir().expect("a temporary folder");
    folder(folder_of.path());
    let output = drill("self-test", folder_of.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = json_of(&output);
    let told = told.as_array().expect("a list");
    assert_eq!(told.iter().filter(|lie| lie["result"] == "found").count(), 9, "{told:?}");
    assert!(told.iter().all(|lie| lie["result"] != "missed"), "{told:?}");
}
