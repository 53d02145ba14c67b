//! `pgha status` tells the truth, and soon, whatever is broken.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::docker::{docker, exec};
use crate::process::run;
use crate::test_cluster::{TestCluster, leader_of, leader_site, problem_codes};
use crate::waiting::{claim, tell, until};

/// How long an answer may take on a busy machine.
const ANSWER: Duration = Duration::from_secs(5);

/// Everything this module claims of a whole cluster, which is whole again afterwards.
pub(crate) fn prove(cluster: &TestCluster) {
    let router = cluster.router();
    claim("a stopped router is a problem", || {
        docker(&["stop", "--time", "2", &router]);
        told(cluster, "router_down", Some(&router));
        docker(&["start", &router]);
        cluster.wait_whole();
    });
    claim("etcd without a quorum: no leader is named, and status says why", || {
        let etcd = cluster.of_kind("etcd");
        let lost = &etcd[..=etcd.len() / 2];
        let names: Vec<&str> = lost.iter().map(String::as_str).collect();
        docker(&[&["stop"], names.as_slice()].concat());
        let view = told(cluster, "no_quorum", None);
        assert_eq!(leader_of(&view), None);
        let quorum = &view["quorum"];
        assert!(quorum["have"].as_u64() < quorum["need"].as_u64(), "{quorum}");
        docker(&[&["start"], names.as_slice()].concat());
        cluster.wait_whole();
    });
    claim("a paused member is a problem, and the rest is known", || {
        let (_, leader, far) = leader_site(&cluster.status());
        docker(&["pause", &far]);
        let view = told(cluster, "member_down", Some(&far));
        assert_eq!(leader_of(&view), Some(leader));
        let members = view["members"].as_array().expect("a list");
        let paused = members.iter().find(|m| m["name"] == *far).expect("it is a member");
        assert_eq!(paused["container_state"], "paused");
        docker(&["unpause", &far]);
        cluster.wait_whole();
    });
    claim("a Postgres that cannot start is told with the line that it ends with", || {
        let (_, _, far) = leader_site(&cluster.status());
        let settings = "$DATADIR/postgresql.auto.conf";
        let broken = format!("echo \"shared_preload_libraries = 'nowhere'\" >> {settings}");
        exec(&far, &["sh", "-c", &broken]);
        docker(&["restart", "--time", "20", &far]);
        let view = told(cluster, "start_failed", Some(&far));
        let problems = view["problems"].as_array().expect("a list");
        let said = problems.iter().find(|p| p["code"] == "start_failed").expect("it was told");
        let fatal = "could not access file \"nowhere\": No such file or directory";
        assert_eq!(said["message"], format!("{far}: start failed: {fatal}"));
        exec(&far, &["sh", "-c", &format!("sed -i /nowhere/d {settings}")]);
        docker(&["restart", "--time", "20", &far]);
        cluster.wait_whole();
    });
}

/// From the loss of a leader's site until another leads: no answer names a member of that site.
pub(crate) fn never_names_the_dead(cluster: &TestCluster, dead: &[String]) {
    let mut without = 0;
    until("a living node leads", 180, || {
        let view = quick_status(cluster);
        assert!(problem_codes(&view).iter().any(|c| c == "site_down"), "{}", view["problems"]);
        match leader_of(&view) {
            None => {
                without += 1;
                Err("nobody leads".to_owned())
            }
            Some(leader) => {
                assert!(!dead.contains(&leader), "{leader} is dead and shown as leader");
                Ok(())
            }
        }
    });
    assert!(without > 0, "there was no moment without a leader: nothing was lost");
    tell(&format!("  {without} answers named no leader before one was there"));
}

/// Waits until status tells this problem, and gives that answer. Each must come soon.
fn told(cluster: &TestCluster, code: &str, about: Option<&str>) -> Value {
    until(&format!("status tells {code}"), 60, || {
        let view = quick_status(cluster);
        let problems = view["problems"].as_array().expect("a list");
        let found = problems
            .iter()
            .any(|p| p["code"] == code && about.is_none_or(|name| p["about"] == *name));
        if found { Ok(view) } else { Err(view["problems"].to_string()) }
    })
}

fn quick_status(cluster: &TestCluster) -> Value {
    let started = Instant::now();
    let ran = run(&mut cluster.command(&["status", &cluster.id(), "--json"]), 60);
    assert!(started.elapsed() < ANSWER, "status took {:?}", started.elapsed());
    serde_json::from_str(ran.ok()).expect("status prints JSON")
}
