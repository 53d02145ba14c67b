//! The consoles of the README and of docs/ are typed in their order, and print what they show.

use std::process::Command;

use crate::consoles::{self, Typed};
use crate::process::run;
use crate::test_cluster::TestCluster;
use crate::waiting::{claim, tell};

/// Longer than any command of the documentation takes on a busy machine.
const DEADLINE_S: u64 = 600;

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn the_readme_shows_what_happens() {
    let cluster = TestCluster::reserve("documented");
    for typed in consoles::of("README.md") {
        typed.check(&cluster);
    }
    cluster.assert_nothing_left();
}

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn pages_about_faults_load_and_restores_show_what_happens() {
    let cluster = TestCluster::up("documented_pages", &["-d", "2", "-c", "2", "--timers", "fast"]);
    for file in [
        "docs/faults.md",
        "docs/load.md",
        "docs/operations.md",
        "docs/restore.md",
        "docs/events.md",
    ] {
        cluster.wait_whole();
        for typed in consoles::of(file) {
            typed.check(&cluster);
        }
    }
}

/// What takes too long for each change: `./test.sh soak`.
mod soak {
    use super::{TestCluster, consoles, tell};

    #[test]
    #[ignore = "takes long; ./test.sh soak runs it"]
    fn the_page_about_drills_shows_what_happens() {
        let consoles = consoles::of("docs/drills.md");
        let [control, prove, check] = consoles.as_slice() else {
            panic!("three consoles: {consoles:?}")
        };
        let shape = ["-d", "2", "-c", "2", "--timers", "fast"];
        let asynchronous = TestCluster::up("documented_control", &shape);
        control.check(&asynchronous);
        drop(asynchronous);
        let flags = [&shape[..], &["--durability", "quorum"]].concat();
        let quorum = TestCluster::up("documented_prove", &flags);
        prove.check(&quorum);
        let drill = ["drill", "run", "leader-killed", &quorum.id(), "--report", "reports"];
        match quorum.pgha(&drill) {
            ran if ran.code == Some(5) => tell(&format!("slower than predicted:\n{}", ran.stdout)),
            ran => {
                ran.ok();
                check.check(&quorum);
            }
        }
    }
}

/// `pgha` with the name and the number of the test's cluster in place of those in the documentation.
const PGHA: &str = r#"pgha() {
    local words=()
    for word in "$@"; do words+=("${word//demo/$NAME}"); done
    [ "$1" != up ] || words+=(--instance "$INSTANCE")
    "$BINARY" "${words[@]}"
}"#;

impl Typed {
    /// Types the command, as if the cluster of a test were the `demo` of the documentation.
    fn check(&self, cluster: &TestCluster) {
        claim(&format!("{} {}", self.at, self.command), || {
            let ran = run(
                Command::new("bash")
                    .args(["-c", &format!("exec 2>&1\n{PGHA}\n{}", self.command)])
                    .env("BINARY", env!("CARGO_BIN_EXE_pgha"))
                    .env("NAME", &cluster.name)
                    .env("INSTANCE", cluster.instance.to_string())
                    .current_dir(cluster.dir()),
                DEADLINE_S,
            );
            let printed = &ran.stdout;
            // What a failover takes at most is predicted for a machine that is not at its limit, as one that runs other tests
            // may be.
            if ran.code == Some(5) && printed.contains("is the most expected") {
                tell(&format!("slower than predicted:\n{printed}"));
                assert!(!printed.contains("are lost"), "{printed}");
                return;
            }
            assert_eq!(ran.code, Some(0), "{}: {printed}", self.at);
            let folder = cluster.dir().display().to_string();
            let printed = printed.replace(&folder, "/srv/demo").replace(&cluster.name, "demo");
            self.compare(&printed).unwrap_or_else(|differs| panic!("{}: {differs}", self.at));
        });
    }
}
