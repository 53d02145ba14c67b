//! What is done to a cluster every week, while clients write: new passwords, a benchmark, a bundle for a bug report.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tokio_postgres::{Config, NoTls};

use crate::docker::{docker, sql};
use crate::test_cluster::{HEAL_DEADLINE_S, TestCluster, nodes_of};
use crate::waiting::claim;
use crate::writer::{Writer, assert_has_all};

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn passwords_bundles_and_benchmarks_under_a_write_load() {
    let cluster = TestCluster::reserve("weekly");
    let file = cluster.dir().join("cluster.toml");
    fs::write(&file, "[postgres]\nusers = [\"app\"]\n").expect("a file");
    cluster.pgha_up(&["-f", "cluster.toml", "-d", "2", "-c", "1", "--timers", "fast"]).ok();
    let nodes = cluster.of_kind("postgres");
    let writer = Writer::start(&cluster);
    writer.wait_for_more(20, HEAL_DEADLINE_S);
    new_passwords(&cluster, &nodes);
    claim("no acknowledged row is lost", || {
        writer.wait_for_more(20, HEAL_DEADLINE_S);
        let rows = writer.stop();
        for node in &nodes {
            assert_has_all(node, &rows, HEAL_DEADLINE_S);
        }
    });
    benchmarks(&cluster);
    bundles(&cluster, &nodes);
}

fn new_passwords(cluster: &TestCluster, nodes: &[String]) {
    claim("each user has a new password on every node, and the old one is refused", || {
        for user in ["postgres", "replicator", "rewinder", "app"] {
            let before = secret(cluster, user);
            let ran = cluster.pgha(&["passwd", &cluster.id(), user, "--json"]);
            let done: Value = serde_json::from_str(ran.ok()).expect("JSON");
            assert_eq!((&done["user"], &done["resumed"]), (&user.into(), &false.into()), "{done}");
            let after = secret(cluster, user);
            assert_ne!(before, after);
            assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(&after), "it is printed");
            is_the_password(cluster, user, &after, &before);
        }
        cluster.pgha(&["psql", &cluster.id(), "-c", "select 1"]).ok();
    });
    claim("replicas that lose their streams come back with the new password", || {
        let leader = cluster.leader();
        sql(&leader, "select pg_terminate_backend(pid) from pg_stat_replication");
        cluster.wait_whole();
        for node in nodes {
            docker(&["restart", node]);
            cluster.wait_whole();
        }
    });
    claim("Patroni takes the new password of its API, and a given one is taken as it is", || {
        cluster.pgha(&["passwd", &cluster.id(), "--rest-api"]).ok();
        cluster.pgha(&["reload", &cluster.id()]).ok();
        let given = "it's: a \\ \"given\" one";
        given_password(cluster, "app", given);
        is_the_password(cluster, "app", given, "another one");
    });
    claim("killed at each step, the same command goes on", || {
        for step in ["altering the role", "telling the nodes", "waiting until every node has it"] {
            let before = secret(cluster, "replicator");
            kill_at(cluster, &["passwd", &cluster.id(), "replicator"], step);
            let ran = cluster.pgha(&["passwd", &cluster.id(), "replicator", "--json"]);
            let done: Value = serde_json::from_str(ran.ok()).expect("JSON");
            assert_eq!(done["resumed"], true, "killed at {step}");
            is_the_password(cluster, "replicator", &secret(cluster, "replicator"), &before);
            sql(&cluster.leader(), "select pg_terminate_backend(pid) from pg_stat_replication");
            cluster.wait_whole();
        }
    });
    claim("bad names and states are refused", || {
        let id = cluster.id();
        cluster.pgha(&["passwd", &id, "nobody"]).refused(2, "has no user `nobody`");
        cluster.pgha(&["passwd", &id, "app", "--rest-api"]).refused(2, "no users");
        docker(&["pause", &nodes[1]]);
        cluster.pgha(&["passwd", &id]).refused(3, "frozen");
        docker(&["unpause", &nodes[1]]);
        cluster.wait_whole();
    });
}

fn benchmarks(cluster: &TestCluster) {
    claim("a benchmark from each site leaves nothing, and touches nothing of anybody's", || {
        let leader = cluster.leader();
        let bench = ["bench", &cluster.id(), "--scale", "1", "--json", "--", "-c", "2", "-t", "50"];
        let ran = cluster.pgha(&bench);
        let done: Value = serde_json::from_str(ran.ok()).expect("JSON");
        let sites = done["sites"].as_array().expect("sites");
        let from: Vec<&Value> = sites.iter().map(|site| &site["site"]).collect();
        assert_eq!(from, [&Value::from("DC1"), &Value::from("DC2")], "{done}");
        assert!(sites.iter().all(|site| site["transactions"] == 100), "{done}");
        let there = "select count(*) from pg_database where datname = 'pgha_bench'";
        assert_eq!(sql(&leader, there), "0");
        sql(&leader, "create database pgha_bench");
        cluster.pgha(&bench).refused(2, "did not make");
        assert_eq!(sql(&leader, there), "1");
        sql(&leader, "drop database pgha_bench");
    });
}

fn bundles(cluster: &TestCluster, nodes: &[String]) {
    claim("a bundle has no secret in any form, also of a cluster that is half dead", || {
        let leader = cluster.leader();
        let given = secret(cluster, "app");
        // What somebody wrote into a log is not there either.
        let said = format!("do $$ begin raise log 'seen {}'; end $$", given.replace('\'', "''"));
        sql(&leader, &said);
        has_no_secret(cluster, &bundle(cluster, "whole.tar.gz"));
        docker(&["kill", &nodes[1]]);
        docker(&["pause", &cluster.router()]);
        let files = bundle(cluster, "half.tar.gz");
        docker(&["unpause", &cluster.router()]);
        has_no_secret(cluster, &files);
        let missing = &files["missing.txt"];
        assert!(missing.contains("wan.json: "), "{missing}");
        assert!(files[&format!("logs/{leader}.log")].lines().count() > 10);
        docker(&["start", &nodes[1]]);
        cluster.wait_whole();
    });
}

fn secret(cluster: &TestCluster, user: &str) -> String {
    let name = if user == "app" { "user-app" } else { user };
    let text = fs::read_to_string(cluster.secrets_dir().join(name)).expect("a secret");
    text.trim_end().to_owned()
}

/// Panics unless every node takes the one and refuses the other.
fn is_the_password(cluster: &TestCluster, user: &str, new: &str, old: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    for node in nodes_of(&cluster.status()) {
        let port = node["host_port"].as_u64().and_then(|port| u16::try_from(port).ok());
        let logs_in = |password: &str| {
            let mut config = Config::new();
            config.host("127.0.0.1").port(port.expect("a port")).dbname("postgres");
            config.user(user).password(password);
            runtime.block_on(config.connect(NoTls)).map(drop)
        };
        logs_in(new).unwrap_or_else(|e| panic!("{user} on {}: {e}", node["name"]));
        logs_in(old).expect_err("the old password is refused");
    }
    let left = fs::read_dir(cluster.secrets_dir()).expect("secrets");
    let mut names = left.map(|entry| entry.expect("an entry").file_name());
    assert!(names.all(|name| !name.to_string_lossy().starts_with("next.")));
}

fn given_password(cluster: &TestCluster, user: &str, password: &str) {
    let at = cluster.dir().join("given");
    fs::write(&at, format!("{password}\n")).expect("a file");
    let mut command = cluster.command(&["passwd", &cluster.id(), user, "--stdin"]);
    let status = command.stdin(fs::File::open(&at).expect("a file")).status();
    assert!(status.expect("pgha runs").success());
    fs::remove_file(&at).expect("its own file");
}

/// Runs a command, and kills it once it says that it is at a step.
fn kill_at(cluster: &TestCluster, arguments: &[&str], step: &str) {
    let mut command = cluster.command(&[arguments, &["--events", "jsonl"]].concat());
    let mut child =
        command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("pgha runs");
    let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let at =
        lines.map_while(Result::ok).any(|line| line.contains(&format!("\"doing\":\"{step}\"")));
    assert!(at, "it is never at {step}");
    child.kill().expect("it can be killed");
    child.wait().expect("it is waited for once");
}

/// Every file of a bundle, by its name.
fn bundle(cluster: &TestCluster, name: &str) -> BTreeMap<String, String> {
    cluster.pgha(&["bundle", &cluster.id(), "-o", name]).ok();
    let archive = cluster.dir().join(name);
    let mode = fs::metadata(&archive).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let to = tempfile::tempdir().expect("a folder");
    let unpacked = Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(to.path()).status();
    assert!(unpacked.expect("tar runs").success());
    let mut files = BTreeMap::new();
    let folder = fs::read_dir(to.path()).expect("a folder").next().expect("one folder");
    let folder = folder.expect("an entry").path();
    collect(&folder, &folder, &mut files);
    assert!(files.len() > 15, "{:?}", files.keys());
    files
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).expect("it was found there").display().to_string();
            files.insert(name, fs::read_to_string(&path).expect("text"));
        }
    }
}

/// Looks for every secret of the cluster's folder in the forms that programs write.
fn has_no_secret(cluster: &TestCluster, files: &BTreeMap<String, String>) {
    let mut looked_for = 0;
    for entry in fs::read_dir(cluster.secrets_dir()).expect("secrets") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name == "cluster" || name == "pgpass" || path.extension() == Some("crt".as_ref()) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("text");
        for line in text.lines().filter(|line| line.len() > 11 && !line.starts_with("-----")) {
            for form in [line.to_owned(), base64(line), percent_encoded(line)] {
                looked_for += 1;
                for (file, text) in files {
                    assert!(!text.contains(&form), "{name} is in {file}");
                }
            }
        }
    }
    assert!(looked_for > 20, "only {looked_for} texts were looked for");
}

fn base64(text: &str) -> String {
    let mut command = Command::new("base64");
    let mut child = command.arg("-w0").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let child = child.as_mut().expect("base64 runs");
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), text.as_bytes())
        .expect("it reads");
    let mut read = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().expect("piped"), &mut read)
        .expect("it writes");
    child.wait().expect("it is waited for once");
    // The last letters depend on what follows.
    read.trim_end_matches('=')[..read.trim_end_matches('=').len() - 2].to_owned()
}

fn percent_encoded(text: &str) -> String {
    let one = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(one).collect()
}
