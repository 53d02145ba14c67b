//! `-b`: Patroni in the background, and a container that outlives it.

use crate::docker::{docker, exec, inspect};
use crate::leader_loss::kill_patroni;
use crate::test_cluster::TestCluster;
use crate::waiting::{claim, until};

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_container_made_with_b_outlives_its_patroni() {
    let cluster = TestCluster::up("background_mode", &["-b"]);
    let leader = cluster.leader();
    let replica = cluster.of_kind("postgres").into_iter().find(|n| *n != leader);
    let replica = replica.expect("there is a replica");
    claim("the container stays up without Patroni, and status says so", || {
        let before = inspect(&replica)["State"]["StartedAt"].clone();
        kill_patroni(&replica);
        until("status knows that Patroni is away", 30, || {
            let problems = cluster.status()["problems"].clone();
            let told = problems.as_array().expect("a list").iter().any(|p| p["about"] == *replica);
            if told { Ok(()) } else { Err(problems.to_string()) }
        });
        assert_eq!(exec(&replica, &["echo", "still here"]), "still here");
        let state = &inspect(&replica)["State"];
        assert_eq!((&state["StartedAt"], &state["Running"]), (&before, &true.into()));
    });
    claim("it still stops well, and its next start has Patroni again", || {
        docker(&["stop", &replica]);
        assert_eq!(inspect(&replica)["State"]["ExitCode"], 0);
        docker(&["start", &replica]);
        cluster.wait_whole();
    });
}
