//! The live screen through a real terminal (tmux): what is on it, its keys, and that the terminal is put back.

use std::process::Command;

use serde_json::Value;

use crate::process::run;
use crate::test_cluster::TestCluster;
use crate::waiting::{claim, until};

/// How long a screen may take to show something.
const SCREEN_DEADLINE_S: u64 = 60;
/// What is seen of a member's name on 80 columns.
const MEMBER_WIDTH: usize = 18;
/// How long tmux may take to answer.
const TMUX_DEADLINE_S: u64 = 20;

/// A terminal of 80 × 24 with a shell in it; gone when this is.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn open(cluster: &TestCluster) -> Self {
        let terminal = Self { socket: format!("pgha-test-{}", cluster.id()) };
        terminal.close();
        let dir = cluster.dir().to_str().expect("a path of ASCII");
        let shell = "env PS1=READY: sh";
        terminal.tmux(&["new-session", "-d", "-x", "80", "-y", "24", "-c", dir, shell]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.socket, "-f", "/dev/null"]).args(arguments);
        run(&mut command, TMUX_DEADLINE_S).ok().to_owned()
    }

    fn close(&self) {
        let mut command = Command::new("tmux");
        run(command.args(["-L", &self.socket, "kill-server"]), TMUX_DEADLINE_S);
    }

    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    fn wait_for(&self, what: &str) -> String {
        until(&format!("`{what}` is on the screen"), SCREEN_DEADLINE_S, || {
            let screen = self.screen();
            if screen.contains(what) { Ok(screen) } else { Err(screen) }
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.close();
    }
}

#[test]
#[ignore = "needs Docker"]
fn a_cluster_is_watched_and_operated_by_keys() {
    let cluster = TestCluster::up("watch", &["-d", "1", "-c", "2"]);
    let (id, leader) = (cluster.id(), cluster.leader());
    claim("once and as JSON without a terminal", || {
        let once = cluster.pgha(&["watch", &id, "--once"]);
        assert!(once.ok().contains(&format!("leader {leader}")), "{once:?}");
        let json = cluster.pgha(&["watch", &id, "--once", "--json"]);
        let board: Value = serde_json::from_str(json.ok()).expect("JSON");
        assert_eq!(board["headline"]["leader"], leader.as_str());
        let refused = cluster.pgha(&["watch", &id]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains("--once"), "{refused:?}");
    });
    let terminal = Terminal::open(&cluster);
    let start = |flags: &str| {
        let pgha = env!("CARGO_BIN_EXE_pgha");
        terminal.wait_for("READY:");
        terminal.press(&[&format!("clear; {pgha} watch {id} {flags}"), "Enter"]);
        terminal.wait_for(&format!("leader {leader}"))
    };
    claim("the cluster is on a small screen, and keys lead to the others", || {
        start("--read-only");
        terminal.wait_for("one more loss");
        for member in cluster.members() {
            terminal.wait_for(member.get(..MEMBER_WIDTH).unwrap_or(&member));
        }
        for (key, what) in [("2", "EVENT"), ("3", "THROUGHPUT"), ("4", "CAN BE RECOVERED")] {
            terminal.press(&[key]);
            terminal.wait_for(what);
        }
        terminal.press(&["5"]);
        terminal.wait_for("WAL written");
        terminal.press(&["1", "s"]);
        terminal.wait_for(&format!("pgha switchover {id}"));
        terminal.press(&["Enter"]);
        terminal.wait_for("read-only: y copy");
        terminal.press(&["Escape"]);
    });
    claim("the terminal is put back on q, Ctrl-C and SIGTERM", || {
        terminal.press(&["q"]);
        terminal.wait_for("READY:");
        start("");
        terminal.press(&["C-c"]);
        terminal.wait_for("READY:");
        start("");
        let tty = terminal.tmux(&["display-message", "-p", "#{pane_tty}"]);
        let tty = tty.trim().trim_start_matches("/dev/");
        let on_it = run(Command::new("pgrep").args(["-t", tty, "-x", "pgha"]), TMUX_DEADLINE_S);
        run(Command::new("kill").args(["-TERM", on_it.ok().trim()]), TMUX_DEADLINE_S).ok();
        terminal.wait_for("READY:");
        // What is typed is seen again, and a line ends as one.
        terminal.press(&["echo back$((40 + 2))", "Enter"]);
        let screen = terminal.wait_for("back42");
        assert!(screen.contains("echo back$((40 + 2))"), "{screen}");
    });
    claim("a key moves the leader, and its output is shown", || {
        start("");
        terminal.press(&["s"]);
        terminal.wait_for("Enter run");
        terminal.press(&["Enter"]);
        terminal.wait_for("done · Esc back");
        let other = cluster.wait_leader_other_than(std::slice::from_ref(&leader), 10);
        terminal.press(&["Escape"]);
        terminal.wait_for(&format!("leader {other}"));
        terminal.press(&["q"]);
        terminal.wait_for("READY:");
    });
}
