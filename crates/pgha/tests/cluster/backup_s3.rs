//! A second repository in S3, against a service: archived into, backed up into, and restored from once
//! the first repository is lost.

use std::collections::BTreeSet;
use std::fs;
use std::thread;

use serde_json::Value;

use crate::docker::{docker, exec, sql, try_exec};
use crate::process::start;
use crate::restored::{assert_rows, make_table, restore, write, write_through};
use crate::s3::S3;
use crate::security;
use crate::test_cluster::{HEAL_DEADLINE_S, TestCluster, problem_codes};
use crate::waiting::{claim, until};

/// What a row of the test holds.
const ROW: &str = "a-row-that-nobody-shall-read";

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_bucket_is_archived_into_backed_up_into_and_restored_from() {
    let cluster = TestCluster::reserve("backup_s3");
    let s3 = S3::start(&cluster);
    come_up(&cluster, &s3);
    let (id, host) = (cluster.id(), cluster.backup_host());
    make_table(&cluster);
    write_through(&cluster, 1..=3);
    sql(&cluster.leader(), &format!("create table told as select '{ROW}' as t; checkpoint"));
    let label = claim("a backup goes into the bucket, and is listed, checked and verified", || {
        let made = cluster.pgha(&["backup", &id, "--repo", "2", "--json"]);
        let made: Value = serde_json::from_str(made.ok()).expect("JSON");
        assert_eq!((made["repository"].as_u64(), made["type"].as_str()), (Some(2), Some("full")));
        let label = made["label"].as_str().expect("text").to_owned();
        assert!(cluster.pgha(&["backups", &id]).ok().contains(&label));
        cluster.pgha(&["backup", "check", &id]).ok();
        let verified = cluster.pgha(&["backup", "verify", &id]);
        assert!(verified.ok().contains(&format!("{label}, status: valid")), "{verified:?}");
        label
    });
    claim("WAL is archived to both, segment by segment", || {
        let first = archived(&host, 1);
        assert!(first.len() > 2 && first == archived(&host, 2), "{first:?}");
    });
    claim("no row can be read in the bucket", || {
        let put =
            format!("echo {ROW} > /tmp/row; {PGBACKREST} --repo=2 --raw repo-put row < /tmp/row");
        exec(&host, &["sh", "-c", &put]);
        assert_eq!(s3.lines_with(ROW), 1, "what is looked for is not found");
        exec(&host, &["sh", "-c", &format!("{PGBACKREST} --repo=2 repo-rm row; rm /tmp/row")]);
        assert_eq!(s3.lines_with(ROW), 0);
    });
    security::prove_secrets_are_kept(&cluster);
    service_away(&cluster, &s3);
    wrong_credentials(&cluster, &s3);
    first_repository_lost(&cluster, &label);
}

/// pgBackRest on the backup host, in a shell.
const PGBACKREST: &str = "pgbackrest --stanza=pgha_db --log-level-console=off";

fn come_up(cluster: &TestCluster, s3: &S3) {
    fs::write(cluster.dir().join("cluster.toml"), s3.cluster_file()).expect("it can be written");
    let flags = ["-d", "1", "-c", "2", "-f", "cluster.toml"];
    claim(
        "credentials and authorities that are not there are asked for, and nothing is made",
        || {
            cluster.pgha_up(&flags).refused(3, "repo2-s3-key-secret is empty");
            s3.give_credentials(cluster);
            let away = s3.ca_file().with_extension("away");
            fs::rename(s3.ca_file(), &away).expect("it can be renamed");
            cluster.pgha_up(&flags).refused(3, "is no file of this machine");
            fs::rename(&away, s3.ca_file()).expect("it can be renamed");
            cluster.assert_nothing_left();
        },
    );
    claim("with them the cluster comes up", || {
        let words = |verb, flags: &[&str]| cluster.made_by(verb, flags).join(" ");
        let up = || {
            let up = words("up", &flags);
            let (_, mut child) = start(&mut cluster.command(&up.split(' ').collect::<Vec<_>>()));
            until("the network of the backup host is there", HEAL_DEADLINE_S, || {
                // One that failed makes none.
                let ended = child.try_wait().expect("it can be asked").is_some();
                if ended { Ok(()) } else { s3.come() }
            });
            let up = child.wait_with_output().expect("it is waited for once");
            (up.status.success(), String::from_utf8_lossy(&up.stderr).into_owned())
        };
        let (mut well, mut said) = up();
        // Another test's cluster came up with the ports that the file of the refused one has.
        if said.contains("is taken by another program") {
            let again = words("generate", &[&flags[..], &["--force"]].concat());
            cluster.pgha(&again.split(' ').collect::<Vec<_>>()).ok();
            s3.give_credentials(cluster);
            (well, said) = up();
        }
        assert!(well, "{said}");
        cluster.wait_whole();
    });
}

/// The service is away while rows are written; then it is back, and nothing is missing.
fn service_away(cluster: &TestCluster, s3: &S3) {
    let (id, host, leader) = (cluster.id(), cluster.backup_host(), cluster.leader());
    claim("while the bucket is away writes go on, and status says that archiving fails", || {
        s3.go_away();
        write_through(cluster, 4..=6);
        for _ in 0..3 {
            sql(&leader, "select pg_switch_wal(), pg_logical_emit_message(false, 'test', 'x')");
        }
        thread::scope(|both| {
            // pgBackRest asks for the address for a minute.
            let backup = both.spawn(|| cluster.pgha(&["backup", &id, "--repo", "2"]));
            until("status says that archiving fails", HEAL_DEADLINE_S, || {
                let codes = problem_codes(&cluster.status());
                let fails = codes.iter().any(|c| c == "archive_failing");
                if fails { Ok(()) } else { Err(codes.join(" ")) }
            });
            let backup = backup.join().expect("it ends");
            backup.refused(1, "unable to get address");
        });
    });
    claim("once it is back, every segment is in both repositories", || {
        let last = sql(&leader, "select pg_walfile_name(pg_current_wal_lsn())");
        s3.come().expect("it can be connected");
        // An archiver that has failed sleeps for a minute, or until there is a segment more.
        sql(&leader, "select pg_switch_wal()");
        until("the last segment is in both", HEAL_DEADLINE_S, || {
            let (first, second) = (archived(&host, 1), archived(&host, 2));
            if first == second && first.contains(&last) {
                Ok(())
            } else {
                Err(format!("{last}: {:?} {:?}", first.last(), second.last()))
            }
        });
        cluster.pgha(&["backup", "verify", &id]).ok();
        cluster.wait_whole();
    });
}

fn wrong_credentials(cluster: &TestCluster, s3: &S3) {
    let (id, host) = (cluster.id(), cluster.backup_host());
    claim("wrong credentials are told as such, and where the right ones belong", || {
        let file = cluster.secrets_dir().join("repo2-s3-key-secret");
        fs::write(&file, "no-secret-that-this-service-has-ever-known").expect("it can be written");
        docker(&["restart", &host]);
        let failed = until("the host answers again", HEAL_DEADLINE_S, || {
            let failed = cluster.pgha(&["backup", &id, "--repo", "2"]);
            if failed.stderr.contains("403") { Ok(failed) } else { Err(failed.stderr) }
        });
        failed.refused(1, "repo2-s3-key-secret");
        assert!(!failed.stderr.contains("Request Headers"), "{}", failed.stderr);
        s3.give_credentials(cluster);
        docker(&["restart", &host]);
        cluster.wait_whole();
    });
}

/// All of the first repository is gone: the second one gives the cluster back, and one backup makes the
/// first whole again.
fn first_repository_lost(cluster: &TestCluster, label: &str) {
    let (id, host) = (cluster.id(), cluster.backup_host());
    let lose =
        || exec(&host, &["sh", "-c", "rm -rf /pgha/pgbackrest/archive /pgha/pgbackrest/backup"]);
    claim("what --repo 1 has not, nobody gets from it, and --into reads no bucket", || {
        restore(cluster, &["--latest", "--yes", "--repo", "1"]).refused(2, "there is no backup");
        let into = ["--latest", "--yes", "--repo", "2", "--into", "other"];
        restore(cluster, &into).refused(2, "is in S3");
    });
    claim("the cluster is restored from the bucket, and all rows are there", || {
        cluster.pgha(&["backup", &id]).ok();
        let mark = write(cluster, 7);
        write(cluster, 8);
        lose();
        let planned = restore(cluster, &["--lsn", &mark.lsn, "--dry-run", "--json"]);
        let plan: Value = serde_json::from_str(planned.ok()).expect("JSON");
        assert_eq!((plan["repository"].as_u64(), plan["backup"].as_str()), (Some(2), Some(label)));
        let report = restore(cluster, &["--lsn", &mark.lsn, "--yes", "--json"]);
        let report: Value = serde_json::from_str(report.ok()).expect("JSON");
        assert_eq!(report["repository"], 2, "{report}");
        assert_rows(cluster, 1..=7);
    });
    claim("the replica was made from the bucket", || {
        let made_from_it = cluster.of_kind("postgres").into_iter().any(|node| {
            let log = crate::docker::try_docker(&["logs", &node]);
            let said = log.stdout + &log.stderr;
            said.lines().any(|l| l.contains("restore command begin") && l.contains("--repo=2"))
        });
        assert!(made_from_it, "no node says that it was restored from repository 2");
    });
    claim("a full backup makes the first repository whole again, and it is restored from", || {
        lose();
        cluster.pgha(&["backup", &id, "--type", "full"]).ok();
        cluster.pgha(&["backup", "check", &id]).ok();
        cluster.pgha(&["backup", "verify", &id]).ok();
        write(cluster, 9);
        let report = restore(cluster, &["--latest", "--yes", "--json"]);
        let report: Value = serde_json::from_str(report.ok()).expect("JSON");
        assert_eq!(report["repository"], 1, "{report}");
        assert_rows(cluster, (1..=7).chain([9]));
    });
}

/// Names of the segments in the archive of a repository.
fn archived(host: &str, repository: u32) -> BTreeSet<String> {
    let list = format!("{PGBACKREST} --repo={repository} --recurse repo-ls archive");
    let listed = try_exec(host, &["sh", "-c", &list]).result().unwrap_or_default();
    let files = listed.lines().filter_map(|path| path.rsplit('/').next()?.split_once('-'));
    files.filter(|(name, _)| name.len() == 24).map(|(name, _)| name.to_owned()).collect()
}
