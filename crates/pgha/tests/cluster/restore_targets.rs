//! `pgha restore` to every kind of target, after every kind of damage: exactly the rows that must be
//! there, on every node.

use serde_json::Value;

use crate::docker::{exec, sql};
use crate::reference_commands::archived;
use crate::restored::{Mark, assert_rows, backup, lose, make_table, restore, write, write_through};
use crate::test_cluster::{HEAL_DEADLINE_S, TestCluster, leader_site};
use crate::waiting::claim;

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_restored_cluster_has_every_row_up_to_the_target_and_none_after() {
    let cluster = TestCluster::up("restore_targets", &["-d", "2", "-c", "1"]);
    make_table(&cluster);
    claim("without a backup nothing is touched, and the way to one is told", || {
        let before = cluster.containers();
        restore(&cluster, &["--latest", "--yes"]).refused(2, "there is no backup yet");
        assert_eq!(cluster.containers(), before);
    });
    let Past { full, third, by_time, at_name, diff, by_lsn, by_xid, incr } = past(&cluster);
    claim("a plan names the backup and touches nothing", || {
        let before = cluster.containers();
        let planned = restore(&cluster, &["--lsn", &by_lsn.lsn, "--dry-run", "--json"]);
        let plan: Value = serde_json::from_str(planned.ok()).expect("JSON");
        assert_eq!(plan["backup"], diff.as_str());
        assert_eq!(plan["left_behind"], serde_json::json!([incr]));
        restore(&cluster, &["--latest"]).refused(2, "refusing without confirmation");
        assert_eq!(cluster.containers(), before);
    });
    refusals(&cluster, &full);
    claim("a dropped table is back with --time", || {
        sql(&cluster.leader(), "drop table rows");
        // As Postgres's log prints it.
        let printed = by_time.time.replace("+00", " UTC");
        let report = restore(&cluster, &["--time", &printed, "--yes", "--json"]);
        let report: Value = serde_json::from_str(report.ok()).expect("JSON");
        assert_eq!(report["steps"].as_array().map(Vec::len), Some(10), "{report}");
        assert_rows(&cluster, 1..=by_time.row);
    });
    claim("a later backup of the history that was left is not used for the new one", || {
        write(&cluster, 50);
        restore(&cluster, &["--latest", "--yes"]).ok();
        assert_rows(&cluster, (1..=5).chain([50]));
        restore(&cluster, &["--set", &incr, "--latest", "--yes"]).refused(2, "history");
    });
    claim("the history that was left can be had with --timeline and --name", || {
        let arguments = ["--name", "six", "--set", &full, "--timeline", "1", "--yes"];
        restore(&cluster, &arguments).ok();
        assert_rows(&cluster, 1..=at_name.row);
    });
    claim("--xid with --exclusive is without the transaction", || {
        let on_first = ["--timeline", "1", "--set", &diff, "--yes", "--xid", &by_xid.xid];
        restore(&cluster, &[&on_first[..], &["--exclusive", "--discard-old"]].concat()).ok();
        assert_rows(&cluster, 1..by_xid.row);
    });
    claim("--lsn, and deleted rows are back", || {
        sql(&cluster.leader(), "delete from rows where id < 4");
        restore(&cluster, &["--lsn", &third.lsn, "--timeline", "1", "--yes"]).ok();
        assert_rows(&cluster, 1..=third.row);
    });
    damage(&cluster);
}

/// Rows with a backup of each type between them.
struct Past {
    full: String,
    third: Mark,
    by_time: Mark,
    at_name: Mark,
    diff: String,
    by_lsn: Mark,
    by_xid: Mark,
    incr: String,
}

/// Writes rows 1 to 10.
fn past(cluster: &TestCluster) -> Past {
    write_through(cluster, 1..=3);
    let full = backup(cluster, "full");
    let third = write(cluster, 4);
    let by_time = write(cluster, 5);
    let at_name = write(cluster, 6);
    sql(&cluster.leader(), "select pg_create_restore_point('six')");
    write(cluster, 7);
    let diff = backup(cluster, "diff");
    let by_lsn = write(cluster, 8);
    let by_xid = write(cluster, 9);
    let incr = backup(cluster, "incr");
    write(cluster, 10);
    Past { full, third, by_time, at_name, diff, by_lsn, by_xid, incr }
}

/// What differs from a target above in one parameter of Postgres: `./test.sh soak`.
mod soak {
    use super::*;

    #[test]
    #[ignore = "takes long; ./test.sh soak runs it"]
    fn a_restore_to_a_transaction_has_it_and_one_of_a_backup_alone_ends_with_it() {
        let cluster = TestCluster::up("restore_targets", &["-d", "2", "-c", "1"]);
        make_table(&cluster);
        let Past { by_xid, diff, incr, .. } = past(&cluster);
        claim("--xid is with the transaction", || {
            restore(&cluster, &["--set", &diff, "--yes", "--xid", &by_xid.xid]).ok();
            assert_rows(&cluster, 1..=by_xid.row);
        });
        claim("--set alone is the moment that backup ended", || {
            restore(&cluster, &["--set", &incr, "--yes"]).ok();
            assert_rows(&cluster, 1..=9);
        });
    }
}

/// What is lost is more than rows: files, a node, every node.
fn damage(cluster: &TestCluster) {
    claim("a corrupt file and a lost replica: --latest loses nothing that was archived", || {
        write(cluster, 60);
        let (_, leader, far) = leader_site(&cluster.status());
        let segment = sql(&leader, "select pg_walfile_name(pg_current_wal_lsn())");
        sql(&leader, "select pg_switch_wal(); checkpoint");
        archived(cluster, &segment, 60);
        let path = sql(&leader, "select pg_relation_filepath('rows')");
        let file = format!("/pgdata/17/{path}");
        exec(
            &leader,
            &["dd", "if=/dev/urandom", &format!("of={file}"), "bs=8192", "count=1", "conv=notrunc"],
        );
        lose(&[far]);
        restore(cluster, &["--latest", "--yes"]).ok();
        assert_rows(cluster, (1..=4).chain([60]));
    });
    claim("with every Postgres volume lost, all that was archived is back", || {
        write(cluster, 70);
        let leader = cluster.leader();
        let segment = sql(&leader, "select pg_walfile_name(pg_current_wal_lsn())");
        sql(&leader, "select pg_switch_wal()");
        archived(cluster, &segment, 60);
        lose(&cluster.of_kind("postgres"));
        restore(cluster, &["--latest", "--yes"]).ok();
        assert_rows(cluster, (1..=4).chain([60, 70]));
    });
    claim("a restored cluster fails over, is backed up, and is restored once more", || {
        let (_, leader, far) = leader_site(&cluster.status());
        let (from, to) = (format!("--leader={leader}"), format!("--candidate={far}"));
        exec(&leader, &["patronictl", "switchover", "pgha_cluster", &from, &to, "--force"]);
        cluster.wait_leader_other_than(&[leader], HEAL_DEADLINE_S);
        cluster.wait_whole();
        write(cluster, 80);
        backup(cluster, "full");
        let mark = write(cluster, 81);
        write(cluster, 82);
        restore(cluster, &["--time", &mark.time, "--yes"]).ok();
        assert_rows(cluster, (1..=4).chain([60, 70, 80, 81]));
    });
}

fn refusals(cluster: &TestCluster, full: &str) {
    claim("what cannot be reached is refused with what can", || {
        for (arguments, words) in [
            (["--time", "2001-01-01 00:00:00+00"], "before the end of the first backup"),
            (["--time", "2101-01-01 00:00:00+00"], "after the last WAL"),
            (["--time", "2026-10-25 02:30:00 Europe/Berlin"], "occurs twice"),
            (["--lsn", "FF/0"], "after the last WAL"),
            (["--lsn", "0/28"], "before the end of the first backup"),
            (["--set", "20010101-000000F"], full),
            (["--time", "noon"], "is not a usable time"),
        ] {
            restore(cluster, &[&arguments[..], &["--yes"]].concat()).refused(2, words);
        }
    });
}
