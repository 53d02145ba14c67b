//! The engine itself is restarted, as by an upgrade.
//!
//! All containers of the machine stop with their engine. Where others than the test's run, the test
//! says so and restarts nothing; `tests/engine/main-path.sh` proves the same on another engine.

use std::fs;
use std::process::{Command, Stdio};

use crate::docker::{docker, labelled, sql, try_docker, try_sql};
use crate::process::run;
use crate::test_cluster::{TestCluster, leader_site};
use crate::waiting::{claim, tell, until};

/// How long the engine may take to end its containers and itself.
const ENGINE_DEADLINE_S: u64 = 180;

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_cluster_comes_back_by_itself_when_the_engine_restarts() {
    let others = docker(&["container", "ls", "--format", "{{.Names}}"]);
    if !others.is_empty() {
        let names = others.lines().collect::<Vec<_>>().join(", ");
        tell(&format!("SKIPPED: restarting this engine would end containers of others: {names}"));
        return;
    }
    let Some(engine) = Engine::find() else {
        tell("SKIPPED: there is no dockerd on this machine that this user could restart");
        return;
    };
    let cluster = TestCluster::up("whole_engine", &["-d", "2", "-c", "2"]);
    let view = cluster.status();
    let (_, leader, far) = leader_site(&view);
    sql(&leader, "create table kept as select 1 as one");
    claim("after a restart of the engine it is the same cluster, without pgha", || {
        engine.restart();
        let after = cluster.wait_whole();
        assert_eq!(after["system_id"], view["system_id"]);
        assert_eq!(labelled("container", &cluster.label()).len(), 9);
        until("the row is there", 60, || match try_sql(&far, "select one from kept") {
            Ok(one) if one == "1" => Ok(()),
            other => Err(format!("{other:?}")),
        });
        sql(&cluster.leader(), "insert into kept values (2)");
    });
}

/// How this machine's engine is restarted.
#[derive(Debug)]
enum Engine {
    /// By systemd.
    Service,
    /// By hand: its process and how it was started.
    Process { pid: String, argv: Vec<String> },
}

impl Engine {
    fn find() -> Option<Self> {
        let root = run(Command::new("id").arg("-u"), 5).stdout.trim() == "0";
        if !root {
            return None;
        }
        let mut service = Command::new("systemctl");
        service.args(["is-active", "--quiet", "docker"]).stderr(Stdio::null());
        if service.status().is_ok_and(|status| status.success()) {
            return Some(Self::Service);
        }
        let listed = run(Command::new("pgrep").args(["-x", "dockerd"]), 5);
        let mut pids = listed.stdout.lines();
        // More than one: which of them answers cannot be told from here.
        let (Some(pid), None) = (pids.next(), pids.next()) else { return None };
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let argv = text.split_terminator('\0').map(str::to_owned).collect();
        Some(Self::Process { pid: pid.to_owned(), argv })
    }

    fn restart(&self) {
        match self {
            Self::Service => {
                let mut restart = Command::new("systemctl");
                run(restart.args(["restart", "docker"]), ENGINE_DEADLINE_S).ok();
            }
            Self::Process { pid, argv } => {
                run(Command::new("kill").args(["-TERM", pid]), 5).ok();
                let folder = format!("/proc/{pid}");
                until("the engine has ended", ENGINE_DEADLINE_S, || {
                    if fs::exists(&folder).unwrap_or(true) { Err("it runs") } else { Ok(()) }
                });
                let log = fs::File::create("/var/log/dockerd-pgha-e2e.log").expect("a log");
                let mut engine = Command::new("setsid");
                engine.args(argv).current_dir("/").stdin(Stdio::null());
                engine.stdout(log.try_clone().expect("a log")).stderr(log);
                // It outlives this program on purpose, and so does not wait for it.
                drop(engine.spawn().expect("the engine starts as it did before"));
            }
        }
        until("the engine answers", ENGINE_DEADLINE_S, || try_docker(&["version"]).result());
    }
}
