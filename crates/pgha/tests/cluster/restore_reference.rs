//! The two ways to restore that the reference documents, with this cluster's names.

use crate::docker::{docker, exec, sql, try_docker, try_exec};
use crate::restored::{assert_rows, backup, make_table, write, write_through};
use crate::test_cluster::{HEAL_DEADLINE_S, TestCluster};
use crate::waiting::{claim, until};

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn both_ways_of_the_reference_restore_and_neither_loses_the_data() {
    let cluster = TestCluster::up("restore_reference", &["-b"]);
    make_table(&cluster);
    let leader = cluster.leader();
    let replica =
        cluster.of_kind("postgres").into_iter().find(|n| *n != leader).expect("a replica");
    let script = "/pgha/config/restoremeOnStartup";
    claim("method 1 wants a backup, and the leader", || {
        let refused = try_exec(&leader, &[script]);
        assert!(refused.code != Some(0) && refused.stderr.contains("no backup"), "{refused:?}");
        write_through(&cluster, 1..=3);
        backup(&cluster, "full");
        let refused = try_exec(&replica, &[script]);
        assert!(refused.code != Some(0) && refused.stderr.contains(&leader), "{refused:?}");
        assert!(exec(&replica, &["ls", "/pgha/config"]).lines().all(|file| file != "restoreme"));
    });
    claim("method 1 prints what to do with the right names, and does it", || {
        write(&cluster, 4);
        let told = exec(&leader, &[script]);
        for line in [
            format!("docker stop {replica}"),
            format!("docker restart {leader}"),
            format!("docker start {replica}"),
        ] {
            assert!(told.lines().any(|said| said == line), "`{line}` is missing:\n{told}");
        }
        docker(&["stop", &replica]);
        docker(&["restart", &leader]);
        let log = log_with(&leader, "the restore has succeeded");
        assert!(
            log.contains("restore command end: completed successfully")
                || log.contains("restore size"),
            "{log}"
        );
        cluster.wait_leader_other_than(&[], HEAL_DEADLINE_S);
        docker(&["start", &replica]);
        assert_rows(&cluster, 1..=4);
        let left = exec(&leader, &["ls", "/pgdata", "/pgha/config"]);
        assert!(
            left.lines().all(|file| file != "restoreme" && !file.contains("before-restore")),
            "{left}"
        );
    });
    claim("a restore of method 1 that fails says so and leaves the old data", || {
        write(&cluster, 5);
        exec(&leader, &[script]);
        docker(&["stop", &replica]);
        // What is copied first is fine, so that the old data are aside by the time it fails.
        let host = cluster.backup_host();
        let found = "find /pgha/pgbackrest/backup -path '*/bundle/*' -type f -size +200k | head -1";
        let file = exec(&host, &["sh", "-c", found]);
        exec(&host, &["cp", "-p", &file, "/pgha/pgbackrest/aside"]);
        exec(&host, &["truncate", "-s", "100k", &file]);
        docker(&["restart", &leader]);
        let log = log_with(&leader, "the restore has FAILED");
        assert!(log.contains("the old data are kept until it succeeds"), "{log}");
        exec(&host, &["mv", "/pgha/pgbackrest/aside", &file]);
        docker(&["start", &replica]);
        assert_rows(&cluster, 1..=5);
    });
    claim("a trigger that is removed restores nothing", || {
        exec(&leader, &[script]);
        exec(&leader, &["rm", "/pgha/config/restoreme"]);
        sql(&leader, "select 1");
    });
    claim("method 2, by hand, as it is documented", || {
        write(&cluster, 6);
        let shell = |script: &str| exec(&leader, &["bash", "-c", script]);
        let info = shell(
            "sudo -u postgres pgbackrest --config=${CFG_DIR}/pgbackrest.conf --stanza=${STANZA_NAME} info",
        );
        assert!(info.contains("full backup: "), "{info}");
        docker(&["stop", &replica]);
        shell("kill $(pgrep -o -x patroni)");
        until("Patroni has ended", 60, || {
            let log = try_docker(&["logs", "--tail", "5", &leader]);
            if (log.stdout + &log.stderr).contains("stays up") { Ok(()) } else { Err("not yet") }
        });
        shell("rm -rf ${DATADIR}/*");
        shell(
            "sudo -u postgres pgbackrest --config=${CFG_DIR}/pgbackrest.conf --log-path=${CFG_DIR} \
             --stanza=${STANZA_NAME} --pg1-path=${DATADIR} --log-level-console=info \
             --log-level-file=detail restore",
        );
        shell("rm -f ${DATADIR}/log/*");
        docker(&["restart", &leader]);
        until("it leads again", HEAL_DEADLINE_S, || {
            let listed =
                try_exec(&leader, &["patronictl", "-c", "/pgha/config/patroni.conf", "list"])
                    .result()?;
            let leads =
                listed.lines().any(|line| line.contains("Leader") && line.contains("running"));
            if leads { Ok(()) } else { Err(listed) }
        });
        docker(&["restart", &replica]);
        assert_rows(&cluster, 1..=6);
    });
}

/// The log of a member once it has these words.
fn log_with(member: &str, words: &str) -> String {
    until(&format!("{member} says `{words}`"), HEAL_DEADLINE_S, || {
        let log = try_docker(&["logs", "--tail", "4000", member]);
        let said = log.stdout + &log.stderr;
        if said.contains(words) { Ok(said) } else { Err("not yet") }
    })
}
