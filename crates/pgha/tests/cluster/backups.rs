//! Backups from the first to the one that the host makes by itself; what is in the repository can be
//! read by nobody without its key, and a repository that was away misses nothing.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::docker::{docker, exec, sql, try_exec};
use crate::process::{run, start};
use crate::restored::{assert_rows, listed, make_table, restore, write, write_through};
use crate::security;
use crate::test_cluster::{HEAL_DEADLINE_S, PGHA_DEADLINE_S, TestCluster, problem_codes};
use crate::waiting::{claim, until};

/// Nothing is compressed, so that plain rows would be found; one full backup is kept.
const FILE: &str = "[backup]\ncompression = \"none\"\nretention_full = 1\n";
/// What rows of the tests hold.
const ROW: &str = "a-row-that-nobody-shall-read";

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn backups_are_made_listed_kept_secret_and_expired() {
    let cluster = TestCluster::reserve("backups");
    fs::write(cluster.dir().join("cluster.toml"), FILE).expect("the folder can be written to");
    cluster.pgha_up(&["-f", "cluster.toml"]).ok();
    let (id, host) = (cluster.id(), cluster.backup_host());
    cluster.wait_whole();

    claim("a repository without a backup says so, and what to do", || {
        let none = cluster.pgha(&["backups", &id]);
        assert_eq!(none.ok(), "");
        assert!(none.stderr.contains(&format!("`pgha backup {id}` makes one")), "{}", none.stderr);
        assert_eq!(listed(&cluster)["status"]["code"], 2);
        assert_eq!(cluster.status()["backups"]["count"], 0);
    });
    let leader = cluster.leader();
    claim("making the stanza does without the lock that archiving takes on a node", || {
        stanza_is_made_beside_archiving(&leader, &host);
    });
    sql(
        &leader,
        &format!("create table told as select n, '{ROW}' as t from generate_series(1, 5000) n"),
    );
    claim("full, diff and incr, from a standby, with notes, are listed", || {
        for kind in ["full", "diff", "incr"] {
            let note = format!("why=test of {kind}");
            let made =
                cluster.pgha(&["backup", &id, "--type", kind, "--annotate", &note, "--json"]);
            let backup: Value = serde_json::from_str(made.ok()).expect("JSON");
            assert_eq!(backup["type"], kind, "{backup}");
            assert!(made.stderr.contains("waiting for the standby"), "{}", made.stderr);
        }
        let list = listed(&cluster);
        let backups = list["backups"].as_array().expect("a list");
        let kinds: Vec<_> = backups.iter().map(|b| b["type"].as_str().expect("text")).collect();
        assert_eq!(kinds, ["full", "diff", "incr"]);
        for backup in backups {
            let kind = backup["type"].as_str().expect("text");
            assert_eq!(backup["annotations"]["why"], format!("test of {kind}"));
            assert_eq!(backup["page_errors"], false, "{backup}");
            assert!(backup["wal_start"].as_str() <= backup["wal_stop"].as_str(), "{backup}");
        }
        assert_eq!(list["repositories"][0]["cipher"], "aes-256-cbc");
        let view = cluster.status();
        assert_eq!(view["backups"]["count"], 3);
        assert_eq!(view["backups"]["last_full"], backups[0]["label"]);
        assert_eq!(view["archive"]["failing"], false, "{}", view["archive"]);
    });
    claim("no row can be read in the repository, and it can in the database", || {
        assert_eq!(sql(&leader, "show data_checksums"), "on");
        sql(&leader, "checkpoint");
        assert_ne!(files_with(&leader, "/pgdata/17/base", ROW), "", "what is looked for is found");
        assert_eq!(files_with(&host, "/pgha/pgbackrest", ROW), "");
        assert_eq!(exec(&host, &["find", "/pgha/config", "-type", "f", "!", "-perm", "600"]), "");
    });
    security::prove_secrets_are_kept(&cluster);
    claim("a second backup at once is refused with a hint", || {
        let (_, mut first) = start(&mut cluster.command(&["backup", &id, "--type", "full"]));
        until("the first one runs", 60, || match &listed(&cluster)["running"] {
            Value::Null => Err("it does not yet"),
            _ => Ok(()),
        });
        cluster.pgha(&["backup", &id]).refused(1, "is being made already");
        assert!(first.wait().expect("it is waited for once").success());
    });
    claim("with one full backup kept, the first and what builds on it are gone", || {
        let list = listed(&cluster);
        let backups = list["backups"].as_array().expect("a list");
        assert_eq!(backups.len(), 1, "{list}");
        assert_eq!(backups[0]["annotations"], serde_json::json!({}));
        let expired = cluster.pgha(&["backup", "expire", &id]);
        assert_eq!(expired.ok(), "", "nothing is left to remove");
    });
    claim("a restore point is in the archive when the command returns", || {
        let point = cluster.pgha(&["restore-point", &id, "it's here", "--json"]);
        let point: Value = serde_json::from_str(point.ok()).expect("JSON");
        let segment = point["segment"].as_str().expect("text");
        assert!(archived_segments(&host).iter().any(|s| s == segment), "{segment} is not there");
    });
    host_away(&cluster);
    claim("the schedule outlives the host's restart and makes a backup by itself", || {
        until("a backup by schedule", 100, || {
            let list = listed(&cluster);
            let backups = list["backups"].as_array().expect("a list");
            let by_schedule = |b: &&Value| b["annotations"]["schedule"] == "* * * * * incr";
            backups.iter().find(by_schedule).map(|_| ()).ok_or("none yet")
        });
        cluster.pgha(&["backup", "schedule", &id, "--clear"]).ok();
        let shown = cluster.pgha(&["backup", "schedule", &id, "--json"]);
        let shown: Value = serde_json::from_str(shown.ok()).expect("JSON");
        assert_eq!(shown["schedule"], Value::Null);
    });
    claim("without a leader there is no backup, and a hint", || {
        let nodes = cluster.of_kind("postgres");
        let names: Vec<&str> = nodes.iter().map(String::as_str).collect();
        docker(&[&["kill"], names.as_slice()].concat());
        let before = listed(&cluster);
        cluster.pgha(&["backup", &id]).refused(3, "no leader");
        cluster.pgha(&["restore-point", &id, "x"]).refused(3, "no leader");
        assert_eq!(listed(&cluster), before);
    });
}

/// Somebody holds the lock on the leader all the while, as an archive command does for a moment.
fn stanza_is_made_beside_archiving(leader: &str, host: &str) {
    let lock = "/tmp/pgbackrest/pgha_db-archive-1.lock";
    let hold = format!("mkdir -p /tmp/pgbackrest && exec flock {lock} sleep 300");
    docker(&["exec", "-d", "-u", "postgres", leader, "sh", "-c", &hold]);
    until("the lock is held", 30, || {
        let free = try_exec(leader, &["flock", "--nonblock", lock, "true"]);
        if free.code == Some(0) { Err("it is free") } else { Ok(()) }
    });
    // WAL that arrives takes the host's own lock of that name, for a moment.
    until("the stanza is made again", 30, || {
        let made = try_exec(host, &["pgbackrest", "--stanza=pgha_db", "stanza-create"]);
        if made.code == Some(0) { Ok(()) } else { Err(made.stdout) }
    });
    exec(leader, &["pkill", "-f", "sleep 300"]);
}

/// The backup host is stopped while rows are written; then it is started, and nothing is missing.
fn host_away(cluster: &TestCluster) {
    let (id, host, leader) = (cluster.id(), cluster.backup_host(), cluster.leader());
    cluster.pgha(&["backup", "schedule", &id, "* * * * * incr"]).ok();
    cluster.pgha(&["fault", "inject", &id, "stop", "repository"]).ok();
    let last =
        claim("while the host is away writes go on, and every command says what is wrong", || {
            let write = "insert into told select n, 'later' from generate_series(1, 1000) n";
            for _ in 0..4 {
                sql(&leader, write);
                sql(&leader, "select pg_switch_wal()");
            }
            for arguments in
                [["backup", &id].as_slice(), &["backups", &id], &["backup", "check", &id]]
            {
                cluster.pgha(arguments).refused(3, "does not run");
            }
            until("status says that archiving fails", HEAL_DEADLINE_S, || {
                let codes = problem_codes(&cluster.status());
                let all = ["fault_injected", "member_down", "archive_failing"];
                if all.iter().all(|c| codes.iter().any(|o| o == c)) {
                    Ok(())
                } else {
                    Err(codes.join(" "))
                }
            });
            sql(&leader, "select pg_walfile_name(pg_switch_wal())")
        });
    claim("once it is back, every segment is in the archive, none left out", || {
        cluster.pgha(&["heal", &id]).ok();
        let segments = until("the last segment is archived", HEAL_DEADLINE_S, || {
            let segments = archived_segments(&host);
            if segments.contains(&last) {
                Ok(segments)
            } else {
                Err(format!("{:?}", segments.last()))
            }
        });
        let numbers: Vec<u64> = segments
            .iter()
            .map(|name| u64::from_str_radix(&name[16..], 16).expect("hexadecimal"))
            .collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "a gap: {segments:?}");
        let verified = cluster.pgha(&["backup", "verify", &id]);
        assert!(verified.ok().contains("missing: 0, checksum invalid: 0"), "{}", verified.stdout);
        cluster.wait_whole();
    });
}

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn backups_work_over_ssh_into_two_repositories_and_are_restored() {
    let cluster =
        TestCluster::up("backups_ssh", &["--backup-transport", "ssh", "--repo2", "posix"]);
    let (id, host) = (cluster.id(), cluster.backup_host());
    make_table(&cluster);
    write_through(&cluster, 1..=3);
    claim("a full backup in each repository, and an incremental one in the first", || {
        cluster.pgha(&["backup", &id]).ok();
        cluster.pgha(&["backup", &id, "--repo", "2"]).ok();
        cluster.pgha(&["backup", &id]).ok();
        let list = listed(&cluster);
        let made: Vec<_> = list["backups"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|b| (b["type"].as_str().expect("text"), b["repository"].as_u64()))
            .collect();
        assert_eq!(made, [("full", Some(1)), ("full", Some(2)), ("incr", Some(1))]);
    });
    claim("WAL reaches both, and what is damaged is found", || {
        cluster.pgha(&["backup", "check", &id]).ok();
        cluster.pgha(&["backup", "verify", &id]).ok();
        let damage = "f=$(find /pgha/pgbackrest2 -name '0*-*.zst' | head -n 1); \
                      printf oops | dd of=\"$f\" bs=1 seek=100 conv=notrunc";
        exec(&host, &["sh", "-c", damage]);
        cluster.pgha(&["backup", "verify", &id]).refused(1, "repository 2");
    });
    claim("it is restored over ssh to a time, and every node has the rows until then", || {
        let fourth = write(&cluster, 4);
        write(&cluster, 5);
        restore(&cluster, &["--time", &fourth.time, "--yes"]).ok();
        assert_rows(&cluster, 1..=4);
    });
}

/// Names of the segments in the archive, sorted.
fn archived_segments(host: &str) -> Vec<String> {
    let pattern = format!("{}-*", "?".repeat(24));
    let find = ["find", "/pgha/pgbackrest/archive", "-type", "f", "-name", &pattern];
    let found = try_exec(host, &find).result().unwrap_or_default();
    let names = found.lines().filter_map(|path| path.rsplit('/').next()?.get(..24));
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names
}

/// Files below a folder that hold a text.
fn files_with(member: &str, folder: &str, text: &str) -> String {
    let found = run(
        Command::new("docker").args(["exec", member, "grep", "-rlaF", text, folder]),
        PGHA_DEADLINE_S,
    );
    assert!(matches!(found.code, Some(0 | 1)), "{found:?}");
    found.stdout
}
