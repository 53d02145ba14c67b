//! `up` that is interrupted cleans up; `up` that is killed can be repeated.

use std::io::Read as _;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::docker::labelled;
use crate::process::start;
use crate::test_cluster::{TestCluster, nodes_of};
use crate::waiting::{claim, until};

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn an_interrupted_up_cleans_up_and_a_killed_one_can_be_repeated() {
    let cluster = TestCluster::reserve("interrupted_up");
    for (what, signal) in [("SIGINT", "INT"), ("SIGTERM", "TERM")] {
        claim(&format!("{what} while Compose makes containers leaves nothing"), || {
            let mut up = start_up(&cluster);
            until("the first container is there", 60, || made(&cluster, "container", 1, &mut up));
            send(&up, signal);
            assert_eq!(ended(&mut up), Some(1));
            cluster.assert_nothing_left();
        });
    }
    claim("SIGINT while members start leaves nothing", || {
        let mut up = start_up(&cluster);
        until("some Postgres node runs", 60, || {
            let view = cluster.pgha(&["status", &cluster.id(), "--json"]).result()?;
            let view: serde_json::Value = serde_json::from_str(&view).map_err(|e| e.to_string())?;
            let runs = nodes_of(&view).any(|m| m["container_state"] == "running");
            if runs { Ok(()) } else { Err("none runs".to_owned()) }
        });
        send(&up, "INT");
        assert_eq!(ended(&mut up), Some(1));
        cluster.assert_nothing_left();
    });
    for (kind, wanted) in [("network", 1), ("container", 4)] {
        claim(&format!("killed with {wanted} {kind}s made, the next up ends well"), || {
            let mut up = start_up(&cluster);
            until("they are there", 60, || made(&cluster, kind, wanted, &mut up));
            send(&up, "KILL");
            assert_eq!(ended(&mut up), None);
            let listed = cluster.pgha(&["list"]);
            assert!(listed.ok().contains(&cluster.name), "{listed:?}");
            cluster.pgha(&["up"]).ok();
            cluster.wait_whole();
            cluster.pgha(&["down", &cluster.id(), "--volumes", "--yes"]).ok();
            cluster.assert_nothing_left();
        });
    }
}

fn start_up(cluster: &TestCluster) -> Child {
    cluster.forget_files();
    let argv = cluster.made_by("up", &[]);
    start(&mut cluster.command(&argv.iter().map(String::as_str).collect::<Vec<_>>())).1
}

fn made(cluster: &TestCluster, kind: &str, wanted: usize, up: &mut Child) -> Result<(), String> {
    let made = labelled(kind, &cluster.label()).len();
    if made >= wanted {
        return Ok(());
    }
    if up.try_wait().is_ok_and(|status| status.is_some()) {
        let mut said = String::new();
        let _ = up.stderr.take().map(|mut pipe| pipe.read_to_string(&mut said));
        panic!("up ended before {wanted} of {kind} were made: {said}");
    }
    Err(format!("{made} of {wanted}"))
}

fn send(child: &Child, signal: &str) {
    let argv = [format!("-{signal}"), child.id().to_string()];
    let sent = Command::new("kill").args(argv).status().expect("there is a kill");
    assert!(sent.success(), "up had ended before it got {signal}");
}

/// The exit code once it has ended; `None` where a signal ended it.
fn ended(child: &mut Child) -> Option<i32> {
    let started = Instant::now();
    until("up has ended", 90, || match child.try_wait() {
        Ok(Some(status)) => Ok(status.code()),
        other => Err(format!("{other:?} after {:?}", Duration::as_secs(&started.elapsed()))),
    })
}
