//! A member that is asked to stop before it runs anything.

use std::time::{Duration, Instant};

use pgha_core::render::Images;
use pgha_core::spec::Spec;
use pgha_core::topology::{Role, Topology};

use crate::docker::{docker, inspect, try_docker};
use crate::waiting::{claim, until};

/// Names of the containers; no cluster has one such.
const NAMES: [&str; 2] = ["pgha-stopped-etcd", "pgha-stopped-wan"];

struct Removed;

impl Drop for Removed {
    fn drop(&mut self) {
        try_docker(&[&["rm", "-f"], &NAMES[..]].concat());
    }
}

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn pid_1_hears_that_it_is_to_stop_while_it_waits() {
    let _removed = Removed;
    let topology = Topology::new(Spec { data_centers: 2, ..Spec::default() }, 9999);
    let spec = topology.spec.to_toml();
    let images = Images::of(&topology.spec);
    let etcd = topology.of_role(Role::Etcd).next().expect("a member").name.clone();
    // The one has a helper wait for its peers, the other waits itself, for networks that it is not in.
    let underlay = "PGHA_UNDERLAY=1=10.255.1.0/24 2=10.255.2.0/24 3=10.255.3.0/24";
    for (name, host, image, processes) in
        [(NAMES[0], etcd, &images.etcd, 2), (NAMES[1], topology.router(), &images.wan, 1)]
    {
        docker(&[
            "run",
            "--detach",
            "--name",
            name,
            "--hostname",
            &host,
            "--cap-add",
            "NET_ADMIN",
            "--device",
            "/dev/net/tun",
            "--env",
            "PGHA_INSTANCE=9999",
            "--env",
            &format!("PGHA_SPEC={spec}"),
            "--env",
            underlay,
            image,
        ]);
        claim(&format!("{name} ends at once and well, while it waits"), || {
            until("it has come to its wait", 10, || {
                let status = docker(&["exec", name, "cat", "/proc/1/status"]);
                let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
                let caught = u64::from_str_radix(caught.unwrap_or("0").trim(), 16).unwrap_or(0);
                // Below a line with titles.
                let waits = docker(&["top", name, "-o", "pid"]).lines().count() == processes + 1;
                // SIGTERM, number 15, is handled.
                if caught & (1 << 14) != 0 && waits { Ok(()) } else { Err(status) }
            });
            let asked = Instant::now();
            docker(&["stop", "--time", "20", name]);
            let took = asked.elapsed();
            assert!(took < Duration::from_secs(5), "{took:?}");
            let state = &inspect(name)["State"];
            assert_eq!((&state["ExitCode"], &state["OOMKilled"]), (&0.into(), &false.into()));
        });
    }
}
