//! `pgha learn`: each lesson without a person, and drills that expect alerts.

use serde_json::Value;

use crate::docker::of_drills_in;
use crate::drills::drill;
use crate::test_cluster::TestCluster;
use crate::waiting::claim;

/// What a lesson teaches shows in its own figures.
type Shows = fn(&Value, &Value) -> bool;

const LESSONS: [(&str, Shows); 9] = [
    ("quorum", |run, _| run["rto_s"].as_f64() > Some(10.0) && run["lost"] == 0),
    ("failover", |run, _| run["phases"].is_object() && run["lost"] == 0),
    ("async-loses-writes", |run, _| run["lost"].as_u64() > Some(0)),
    ("split-brain", |run, _| run["lost"] == 0 && run["two_writers_s"] == 0.0),
    ("sync-across-an-ocean", |run, _| {
        let ms = |which: &str| run["commits"][which].as_f64().unwrap_or_default();
        ms("meanwhile_ms") - ms("before_ms") >= 75.0
    }),
    ("external-site", |run, _| run["lost"] == 0 && run["leaders"][0] == run["leaders"][1]),
    ("switching-over", |run, _| run["lost"] == 0 && run["leaders"][0] != run["leaders"][1]),
    ("table-dropped", |run, report| run["beside"]["unmet"].is_null() && report["passed"] == true),
    ("failsafe", |run, _| run["lost"] == 0 && run["leaders"][0] == run["leaders"][1]),
];

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn every_lesson_shows_what_it_teaches_without_a_person() {
    let place = TestCluster::reserve("lessons");
    let listed = place.pgha(&["learn", "--json"]);
    let listed: Value = serde_json::from_str(listed.ok()).expect("JSON");
    let names = LESSONS.map(|(name, _)| Value::from(name));
    let listed: Vec<&Value> =
        listed.as_array().expect("a list").iter().map(|row| &row["lesson"]).collect();
    assert_eq!(listed, names.iter().collect::<Vec<_>>());
    let before = place.files();
    for (name, shows) in LESSONS {
        claim(&format!("lesson {name}"), || {
            let ran = place.pgha(&["learn", name, "--yes", "--json"]);
            let report: Value =
                serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
            // On a machine that does much else a failover may take longer than predicted.
            let reasons = report["runs"][0]["verdict"]["reasons"].as_array().expect("a list");
            let late = |why: &Value| {
                let why = why.as_str().unwrap_or_default();
                why.starts_with("no write went for") || why.starts_with("writes came back")
            };
            assert!(reasons.iter().all(late), "{report}");
            assert_eq!(ran.code, Some(if reasons.is_empty() { 0 } else { 5 }), "{ran:?}");
            assert!(shows(&report["runs"][0], &report), "{report}");
            for kind in ["container", "network", "volume"] {
                assert_eq!(of_drills_in(place.dir(), kind), 0, "{kind}");
            }
            assert_eq!(place.files(), before, "files were left or changed");
        });
    }
}

#[test]
#[ignore = "needs a Docker engine and Prometheus; ./test.sh runs it"]
fn an_alert_that_a_drill_expects_fires_and_one_that_does_not_refutes() {
    let flags = ["-d", "2", "-c", "2", "--timers", "fast", "--durability", "quorum"];
    let cluster = TestCluster::up("alerts", &flags);
    claim("etcd without a majority: both alerts fire, the first not before its `for`", || {
        let report = drill(&cluster, "majority-lost-alert");
        let alerts = report["runs"][0]["beside"]["alerts"].as_array().expect("a list").clone();
        let names: Vec<&Value> = alerts.iter().map(|alert| &alert["alert"]).collect();
        assert_eq!(names, ["PatroniHasNoLeader", "PghaWriteProbeFailed"]);
        assert!(alerts.iter().all(|alert| alert["after_s"].is_number()), "{report}");
        assert!(alerts[0]["after_s"].as_f64() > Some(15.0), "{report}");
    });
    claim("one that does not fire refutes the prediction, and says so", || {
        let file = cluster.dir().join("silent.toml");
        let text = "title = 'silent'\n[[step]]\ninject = 'backend-kill'\ntarget = 'leader'\n\
            [[step]]\nalert = 'PostgresPartition'\nwithin = '10s'\n\
            [expect]\nquorum = { writes = 'crash', lost = 'none' }\n";
        std::fs::write(&file, text).expect("a file");
        let file = file.to_str().expect("a path");
        let ran = cluster.pgha(&["drill", "run", file, &cluster.id()]);
        ran.refused(5, "alert PostgresPartition did not fire within 10 s");
    });
    claim("nothing of Prometheus is left", || {
        let left = std::fs::read_dir(std::env::temp_dir()).expect("a folder");
        let names = left.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let left: Vec<String> = names.filter(|name| name.starts_with("pgha-prometheus-")).collect();
        assert_eq!(left, [""; 0]);
    });
}
