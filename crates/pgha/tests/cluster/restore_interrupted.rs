//! `pgha restore` killed and gone on with, killed and given up, refused, and disturbed, with real files and a real
//! Patroni. That it may be killed anywhere is a test of its own, on a simulated cluster, in the command's
//! `restore/tests`.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::docker::{docker, exec, sql, try_docker, try_exec, try_sql};
use crate::restored::{assert_rows, backup, make_table, restore, write, write_through};
use crate::test_cluster::{HEAL_DEADLINE_S, TestCluster, problem_codes};
use crate::waiting::{claim, tell, until};

/// What steps say when they begin.
const ASIDE: &str = "moving the old data away";
const COPYING: &str = "copying the backup";
const REPLAYING: &str = "replaying WAL";
/// Freezes what copies a backup once some of its files are there, and fails where all of them are:
/// `pg_control` is the last one.
const FREEZE: &str = "until [ \"$(find $DATADIR -type f | wc -l)\" -ge 40 ]; do :; done; \
    pkill -STOP -x pgbackrest; test ! -e $DATADIR/global/pg_control";

/// Rows before and after a point that there is a backup for.
struct Prepared {
    /// The time of row 4.
    four: String,
    /// What the tablespace had then.
    fast_at_four: String,
    /// What it has at the end, beside rows 1 to 7.
    fast: String,
}

fn prepare(cluster: &TestCluster) -> Prepared {
    make_table(cluster);
    write_through(cluster, 1..=3);
    backup(cluster, "full");
    // Made after the backup, and written to after the target: recovery makes it anew in the same folder.
    make_tablespace(cluster);
    let fast_at_four = fast_rows(cluster);
    let four = write(cluster, 4).time;
    write_through(cluster, 5..=7);
    sql(&cluster.leader(), "delete from fast where id % 10 = 0");
    sql(&cluster.leader(), "checkpoint");
    Prepared { four, fast_at_four, fast: fast_rows(cluster) }
}

/// Of the simulated cluster's claims, once more with real files: `./test.sh soak`.
mod soak {
    use pgha_core::restore::Step;

    use super::*;

    #[test]
    #[ignore = "takes long; ./test.sh soak runs it"]
    fn a_restore_is_killed_at_each_step_and_given_up_and_at_all_of_them_and_gone_on_with() {
        let cluster = TestCluster::up("restore_soak", &["-d", "2", "-c", "2"]);
        let prepared = prepare(&cluster);
        let (fast, fast_at_four) = (prepared.fast, prepared.fast_at_four);
        let to_four = ["--time", prepared.four.as_str(), "--yes"];
        // Of the last step the old data may be half removed: there is no way back.
        for step in &Step::ALL[..Step::ALL.len() - 1] {
            let step = step.doing();
            claim(&format!("killed at `{step}` and given up, the old rows are there"), || {
                kill_at(&cluster, &to_four, step);
                restore(&cluster, &["--abort", "--yes"]).ok();
                assert_rows(&cluster, 1..=7);
                assert_eq!(fast_rows(&cluster), fast);
            });
        }
        claim("killed at each step and gone on with, it ends with the right rows", || {
            for step in Step::ALL {
                kill_at(&cluster, &to_four, step.doing());
            }
            restore(&cluster, &[]).ok();
            assert_rows(&cluster, 1..=4);
            assert_eq!(fast_rows(&cluster), fast_at_four);
        });
    }
}

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_restore_survives_whatever_interrupts_it_and_can_be_given_up() {
    let cluster = TestCluster::up("restore_interrupted", &["-d", "2", "-c", "1"]);
    let prepared = prepare(&cluster);
    let (fast, fast_at_four) = (prepared.fast, prepared.fast_at_four);
    let to_four = ["--time", prepared.four.as_str(), "--yes"];

    claim("killed while the backup is copied, it can be given up", || {
        kill_at(&cluster, &to_four, COPYING);
        restore(&cluster, &["--abort", "--yes"]).ok();
        assert_rows(&cluster, 1..=7);
        assert_eq!(fast_rows(&cluster), fast);
        restore(&cluster, &["--abort"]).refused(2, "in progress");
        write(&cluster, 8);
        assert_rows(&cluster, 1..=8);
    });
    claim("Ctrl-C says at which step, and both ways on", || interrupted(&cluster, &to_four));
    claim("killed while WAL is replayed and run again, it ends with the right rows", || {
        kill_at(&cluster, &to_four, REPLAYING);
        held_whatever_starts_them(&cluster);
        restore(&cluster, &[]).ok();
        assert_rows(&cluster, 1..=4);
        assert_eq!(fast_rows(&cluster), fast_at_four);
        for node in cluster.of_kind("postgres") {
            let left = exec(&node, &["ls", "/pgdata"]);
            assert!(!left.contains("before-restore"), "{node}: {left}");
        }
    });
    claim("a replica is cloned from a backup with a tablespace, over what it had of it", || {
        cloned_with_a_tablespace(&cluster);
    });
    let latest = ["--latest", "--yes", "--keep-old"];
    claim("two at once are refused", || {
        write(&cluster, 20);
        let mut first = start(&cluster, &latest);
        wait_for_line(&mut first, COPYING);
        restore(&cluster, &["--latest", "--yes"]).refused(1, "restored already");
        let ended = first.child.wait().expect("it is waited for once");
        assert!(ended.success(), "{ended}");
        assert_rows(&cluster, (1..=4).chain([20]));
        let kept = exec(&cluster.leader(), &["ls", "/pgdata"]);
        assert!(kept.contains("before-restore"), "{kept}");
    });
    claim("a missing segment is named, and nothing is touched", || {
        let mark = write(&cluster, 22);
        sql(&cluster.leader(), "select pg_switch_wal()");
        write(&cluster, 23);
        let leader = cluster.leader();
        let segment = sql(&leader, &format!("select pg_walfile_name('{}'::pg_lsn - 1)", mark.lsn));
        sql(&leader, "select pg_switch_wal()");
        let find = format!("find /pgha/pgbackrest/archive -name '{segment}-*'");
        let host = cluster.backup_host();
        let file = until("it is archived", HEAL_DEADLINE_S, || {
            let found = try_exec(&host, &["sh", "-c", &find]).result()?;
            if found.is_empty() { Err("not yet".to_owned()) } else { Ok(found) }
        });
        write(&cluster, 24);
        exec(&host, &["mv", &file, "/pgha/pgbackrest/aside"]);
        let before = cluster.containers();
        restore(&cluster, &["--latest", "--yes"]).refused(2, &segment);
        assert_eq!(cluster.containers(), before);
        exec(&host, &["mv", "/pgha/pgbackrest/aside", &file]);
    });
    claim("a backup host that is down is named, and nothing is touched", || {
        let host = cluster.backup_host();
        docker(&["stop", &host]);
        restore(&cluster, &["--latest", "--yes"]).refused(3, &host);
        assert!(try_sql(&cluster.leader(), "select 1").is_ok());
        docker(&["start", &host]);
        cluster.wait_whole();
    });
}

fn interrupted(cluster: &TestCluster, target: &[&str]) {
    let mut running = start(cluster, target);
    wait_for_line(&mut running, ASIDE);
    let pid = running.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    let said: Vec<String> = running.lines.by_ref().map(|line| line.expect("text")).collect();
    let said = said.join("\n");
    assert_eq!(running.child.wait().expect("it ends").code(), Some(1), "{said}");
    for part in ["is at step ", "resumes here", "--abort` puts the old data back"] {
        assert!(said.contains(part), "{said}");
    }
    restore(cluster, &["--abort", "--yes"]).ok();
    assert_rows(cluster, 1..=8);
}

fn cloned_with_a_tablespace(cluster: &TestCluster) {
    backup(cluster, "incr");
    let leader = cluster.leader();
    let replica = cluster.of_kind("postgres").into_iter().find(|node| *node != leader);
    let replica = replica.expect("a replica");
    // What an attempt that was killed has left, beside the data.
    exec(&replica, &["sh", "-c", "cd /pgdata/fast/PG_* && touch left"]);
    let clones = || {
        let log = try_docker(&["logs", &replica]);
        (log.stdout + &log.stderr).matches("has been created using pgbackrest").count()
    };
    let before = clones();
    let patronictl = ["patronictl", "reinit", "pgha_cluster", &replica, "--force", "--wait"];
    exec(&leader, &patronictl);
    assert_rows(cluster, 1..=4);
    assert_eq!(clones(), before + 1, "it was not made from the repository");
    let left = exec(&replica, &["sh", "-c", "ls /pgdata/fast/PG_*"]);
    assert!(!left.contains("left"), "{left}");
}

/// Makes a tablespace on the nodes' volumes, and a table in it.
fn make_tablespace(cluster: &TestCluster) {
    for node in cluster.of_kind("postgres") {
        exec(&node, &["install", "-d", "-o", "postgres", "-m", "700", "/pgdata/fast"]);
    }
    let leader = cluster.leader();
    sql(&leader, "create tablespace fast location '/pgdata/fast'");
    sql(&leader, "create table fast tablespace fast as select generate_series(1, 20000) as id");
}

/// What the leader has in the tablespace.
fn fast_rows(cluster: &TestCluster) -> String {
    let leader = cluster.leader();
    sql(&leader, "select count(*), md5(string_agg(id::text, ',' order by id)) from fast")
}

/// In the middle of a restore nodes start no Postgres, `up` and `start` say why, and so does another
/// restore.
fn held_whatever_starts_them(cluster: &TestCluster) {
    let (id, nodes) = (cluster.id(), cluster.of_kind("postgres"));
    for node in &nodes {
        docker(&["kill", node]);
        docker(&["start", node]);
    }
    for node in &nodes {
        until("it is held again", 60, || {
            let held = try_exec(node, &["pgha-node", "restore", "held"]).result()?;
            if held.contains("\"held\":true") { Ok(()) } else { Err(held) }
        });
        let listed = exec(node, &["ps", "-eo", "args="]);
        assert!(!listed.contains("patroni") && !listed.contains("postgres:"), "{node}: {listed}");
    }
    // Past its deadline it would end with 4.
    for command in [&["up"][..], &["start", &id]] {
        cluster.pgha(command).refused(1, &format!("`pgha restore {id}` resumes here"));
    }
    restore(cluster, &["--latest", "--yes"]).refused(1, "another restore");
    // One problem, at which step, and no advice about what follows from it.
    let view = cluster.status();
    assert_eq!(problem_codes(&view), ["restore_unfinished"]);
    let message = view["problems"][0]["message"].as_str().expect("text");
    assert!(message.contains("at step recover"), "{message}");
    let session = cluster.pgha(&["psql", &id, "--", "-c", "select 1"]);
    session.refused(1, "is in progress");
    assert!(session.stderr.contains("pgha exec"), "{}", session.stderr);
}

struct Running {
    child: std::process::Child,
    lines: std::io::Lines<BufReader<std::process::ChildStderr>>,
}

fn start(cluster: &TestCluster, arguments: &[&str]) -> Running {
    let id = cluster.id();
    let mut command: Command = cluster.command(&[&["restore", &id], arguments].concat());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("pgha runs");
    let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    Running { child, lines }
}

/// Reads on until a line begins with these words.
fn wait_for_line(running: &mut Running, words: &str) {
    let mut said = String::new();
    for line in running.lines.by_ref() {
        let line = line.expect("text");
        if line.starts_with(words) {
            return;
        }
        said.push_str(&line);
        said.push('\n');
    }
    panic!("it ended without `{words}`:\n{said}");
}

/// Starts or goes on with a restore, and kills it as soon as it says that it is at this step; while it
/// copies, it is killed in the middle of that, together with the node that it copies to.
fn kill_at(cluster: &TestCluster, arguments: &[&str], step: &str) {
    let mut running = start(cluster, arguments);
    wait_for_line(&mut running, step);
    let copies = (step == COPYING).then(|| copied_to(cluster));
    if let Some(node) = &copies {
        exec(node, &["bash", "-c", FREEZE]);
    }
    running.child.kill().expect("it runs");
    running.child.wait().expect("it is waited for once");
    if let Some(node) = &copies {
        docker(&["kill", node]);
    }
    tell(&format!("  killed at `{step}`"));
}

/// The node that the restore under way copies to.
fn copied_to(cluster: &TestCluster) -> String {
    let journal = exec(&cluster.backup_host(), &["cat", "/pgha/pgbackrest/restore.json"]);
    let journal: Value = serde_json::from_str(&journal).expect("JSON");
    journal["plan"]["leader"].as_str().expect("text").to_owned()
}
