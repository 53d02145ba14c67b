//! Numbered rows, backups and restores: what the tests of `pgha restore` share.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::docker::{docker, exec, sql};
use crate::process::Ran;
use crate::test_cluster::{TestCluster, nodes_of};
use crate::waiting::{tell, until};

/// Where a row was committed.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    /// The last row.
    pub(crate) row: u32,
    /// A time after its commit and before the next row's.
    pub(crate) time: String,
    /// A position after its commit and before the next row's.
    pub(crate) lsn: String,
    /// The transaction that wrote it.
    pub(crate) xid: String,
}

/// Makes the table of rows.
pub(crate) fn make_table(cluster: &TestCluster) {
    sql(
        &cluster.leader(),
        "create table rows (id int primary key, at timestamptz default clock_timestamp())",
    );
}

/// Writes one row in a transaction of its own.
pub(crate) fn write(cluster: &TestCluster, row: u32) -> Mark {
    let leader = cluster.leader();
    let insert = format!("insert into rows (id) values ({row}) returning pg_current_xact_id()");
    let xid = sql(&leader, &insert);
    // The clock has moved on from the commit, and the next commit is another call away.
    let place =
        sql(&leader, "select clock_timestamp() at time zone 'UTC', pg_current_wal_insert_lsn()");
    let (time, lsn) = place.split_once('|').expect("two columns");
    Mark { row, time: format!("{time}+00"), lsn: lsn.to_owned(), xid }
}

/// Writes rows up to this one, and gives where the last one is.
pub(crate) fn write_through(cluster: &TestCluster, rows: std::ops::RangeInclusive<u32>) -> Mark {
    let marks: Vec<Mark> = rows.map(|row| write(cluster, row)).collect();
    marks.last().expect("a row").clone()
}

/// Panics unless every node of a whole cluster has exactly these rows.
pub(crate) fn assert_rows(cluster: &TestCluster, expected: impl IntoIterator<Item = u32>) {
    let expected: BTreeSet<u32> = expected.into_iter().collect();
    let view = cluster.wait_whole();
    let flushed = sql(&cluster.leader(), "select pg_current_wal_lsn()");
    for node in nodes_of(&view) {
        let node = node["name"].as_str().expect("text");
        let replayed = format!(
            "select pg_is_in_recovery() and pg_last_wal_replay_lsn() < '{flushed}'::pg_lsn"
        );
        until("it has replayed what the leader has", 60, || {
            if sql(node, &replayed) == "f" { Ok(()) } else { Err("not yet") }
        });
        let rows = sql(node, "select id from rows order by id");
        let rows: BTreeSet<u32> = rows.lines().map(|row| row.parse().expect("a number")).collect();
        assert_eq!(rows, expected, "on {node}");
    }
}

/// Makes a backup of this type and gives its label.
pub(crate) fn backup(cluster: &TestCluster, kind: &str) -> String {
    let host = cluster.backup_host();
    let kind = format!("--type={kind}");
    exec(&host, &["pgbackrest", "--stanza=pgha_db", &kind, "backup"]);
    let info: Value =
        serde_json::from_str(&exec(&host, &["pgbackrest", "--output=json", "info"])).expect("JSON");
    let last = info[0]["backup"].as_array().and_then(|all| all.last()).expect("a backup");
    // For all that is known, a time in the second in which it ended is before its end.
    let ended = last["timestamp"]["stop"].as_u64().expect("a number");
    until("the second in which it ended is over", 10, || {
        let now: u64 = exec(&host, &["date", "+%s"]).parse().expect("a number");
        if now > ended { Ok(()) } else { Err(now) }
    });
    last["label"].as_str().expect("a label").to_owned()
}

/// `pgha backups --json`.
pub(crate) fn listed(cluster: &TestCluster) -> Value {
    let ran = cluster.pgha(&["backups", &cluster.id(), "--json"]);
    serde_json::from_str(ran.ok()).expect("JSON")
}

/// Runs `pgha restore` of the cluster.
pub(crate) fn restore(cluster: &TestCluster, arguments: &[&str]) -> Ran {
    let id = cluster.id();
    let ran = cluster.pgha(&[&["restore", &id], arguments].concat());
    tell(&format!("  restore {}: {:.1} s", arguments.join(" "), ran.took.as_secs_f64()));
    ran
}

/// Removes nodes with their data, as a lost machine does.
pub(crate) fn lose(nodes: &[String]) {
    for node in nodes {
        docker(&["rm", "--force", node]);
        docker(&["volume", "rm", node]);
    }
}
