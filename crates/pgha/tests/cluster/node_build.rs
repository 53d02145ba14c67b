//! `pgha build --node-build container`: PID 1 compiled without a toolchain on the host.

use std::process::Command;

use crate::docker::{docker, try_docker};
use crate::process::run;
use crate::waiting::claim;

/// Compiling in a container takes minutes the first time.
const BUILD_DEADLINE_S: u64 = 900;

mod soak {
    use super::*;

    #[test]
    #[ignore = "needs a Docker engine; ./test.sh runs it"]
    fn pid_1_compiled_in_a_container_is_what_the_images_have_and_runs() {
        claim("pgha build --node-build container succeeds", || {
            let mut build = Command::new(env!("CARGO_BIN_EXE_pgha"));
            run(build.args(["build", "--node-build", "container"]), BUILD_DEADLINE_S).ok();
        });
        claim("its pgha-node is in every image, and runs", || {
            let compiled = checksum("pgha-node-build", "/out/pgha-node");
            for image in ["pgha-wan", "pgha-etcd-3.5", "pgha-pgbackrest", "pgha-pg17-patroni"] {
                assert_eq!(checksum(image, "/usr/local/bin/pgha-node"), compiled, "{image}");
                let node = "/usr/local/bin/pgha-node";
                let ran = try_docker(&["run", "--rm", "--entrypoint", node, image, "nonsense"]);
                assert_eq!(ran.code, Some(1), "{ran:?}");
                assert!(ran.stderr.contains("usage: pgha-node run"), "{ran:?}");
            }
        });
        // The tests after this one run with what most users have.
        claim("pgha build --node-build host succeeds", || {
            let mut build = Command::new(env!("CARGO_BIN_EXE_pgha"));
            run(build.args(["build", "--node-build", "host"]), BUILD_DEADLINE_S).ok();
        });
    }
}

fn checksum(image: &str, file: &str) -> String {
    let printed = docker(&["run", "--rm", "--entrypoint", "sha256sum", image, file]);
    printed.split_whitespace().next().expect("a sum").to_owned()
}
