//! The commands that the documentation of the reference shows, as it shows them.

use pgha_core::disk::wal_keep_mib;
use pgha_core::spec::Spec;
use pgha_core::topology::Topology;

use crate::docker::{docker, exec, sql, try_docker, try_exec};
use crate::test_cluster::{HEAL_DEADLINE_S, TestCluster, leader_site};
use crate::waiting::{claim, until};

const PATRONICTL: [&str; 3] = ["patronictl", "-c", "/pgha/config/patroni.conf"];
/// Where the first segment of WAL is found once it is archived.
const FIRST_SEGMENT: &str = "000000010000000000000001";
/// What `show-config` lists in the reference, with values where it must be these.
const CONFIG: [&str; 22] = [
    "loop_wait: 10",
    "maximum_lag_on_failover: 1048576",
    "archive_command: ",
    "archive_mode: ",
    "archive_timeout: 1800s",
    "hot_standby: ",
    "log_filename: postgresql-%Y-%m-%d-%a.log",
    "log_line_prefix: '%m [%r] [%p]: [%l-1] user=%u,db=%d,host=%h '",
    "log_lock_waits: ",
    "log_min_duration_statement: 1000",
    "logging_collector: ",
    "max_replication_slots: ",
    "max_wal_senders: ",
    "max_wal_size: 1GB",
    "wal_level: logical",
    "wal_log_hints: ",
    "recovery_target_timeline: latest",
    "restore_command: ",
    "use_pg_rewind: true",
    "use_slots: true",
    "retry_timeout: 10",
    "ttl: 30",
];

/// Everything this module claims of a cluster.
pub(crate) fn prove(cluster: &TestCluster) {
    let node = cluster.of_kind("postgres").remove(0);
    let patronictl = |arguments: &[&str]| exec(&node, &[&PATRONICTL[..], arguments].concat());
    claim("patronictl list shows every node", || {
        let listed = patronictl(&["list"]);
        for node in cluster.of_kind("postgres") {
            assert!(listed.contains(&format!("| {node} ")), "{node}:\n{listed}");
        }
    });
    claim("patronictl show-config has every key of the reference", || {
        let shown = patronictl(&["show-config"]);
        let size = exec(&node, &["df", "--block-size=1", "--output=size", "/pgdata"]);
        let size = size.lines().last().and_then(|line| line.trim().parse().ok());
        let spec = Spec::from_toml(&exec(&node, &["printenv", "PGHA_SPEC"])).expect("a spec");
        let kept = wal_keep_mib(&Topology::new(spec, 1), size.expect("a size"));
        let kept = format!("wal_keep_size: {kept}");
        for entry in CONFIG.iter().copied().chain([kept.as_str()]) {
            let there = shown.lines().any(|line| line.trim_start().starts_with(entry.trim_end()));
            assert!(there, "`{entry}` is missing:\n{shown}");
        }
    });
    claim("etcdctl endpoint status in an etcd member shows all of them, one leading", || {
        let status = "etcdctl --write-out=table --endpoints=$ENDPOINTS endpoint status";
        let etcd = cluster.of_kind("etcd");
        let shown = exec(&etcd[0], &["sh", "-c", status]);
        for member in &etcd {
            assert!(shown.contains(&format!("{member}:2379")), "{member}:\n{shown}");
        }
        let leading = |line: &&str| line.split('|').nth(5).is_some_and(|c| c.trim() == "true");
        assert_eq!(shown.lines().filter(leading).count(), 1, "{shown}");
    });
    claim("the first segment of WAL is in the repository", || {
        archived(cluster, FIRST_SEGMENT, 60);
    });
    claim("a full backup on the backup host shows in info, also on a node, as root", || {
        full_backup(cluster, &node);
    });
    claim("the repository belongs to postgres", || {
        let host = cluster.backup_host();
        let foreign = ["find", "/pgha/pgbackrest", "!", "-user", "postgres"];
        assert_eq!(exec(&host, &foreign), "");
        assert_ne!(exec(&host, &["find", "/pgha/pgbackrest", "-user", "postgres"]), "");
    });
    claim("a replica without data is made again from the backup", || {
        replica_from_backup(cluster);
    });
    claim("a switchover to the other site leads there, and archiving goes on", || {
        let (_, leader, far) = leader_site(&cluster.wait_whole());
        let name = |option: &str, value: &str| format!("--{option}={value}");
        let (from, to) = (name("leader", &leader), name("candidate", &far));
        patronictl(&["switchover", &from, &to, "--force"]);
        let view = cluster.wait_whole();
        assert_eq!(view["leader"].as_str(), Some(far.as_str()));
        let segment = sql(&far, "select pg_walfile_name(pg_current_wal_lsn())");
        sql(&far, "create table after_failover as select 1 as one; select pg_switch_wal()");
        assert!(!segment.starts_with("00000001"), "{segment} is on the first timeline");
        archived(cluster, &segment, 90);
    });
}

/// Waits until a segment of WAL is in the repository.
pub(crate) fn archived(cluster: &TestCluster, segment: &str, deadline_s: u64) {
    let host = cluster.backup_host();
    let pattern = format!("{segment}-*");
    until(&format!("{segment} is archived"), deadline_s, || {
        let found = ["find", "/pgha/pgbackrest/archive", "-name", &pattern];
        let found = try_exec(&host, &found).result()?;
        if found.is_empty() { Err("it is not there".to_owned()) } else { Ok(()) }
    });
}

/// Makes a full backup, and checks that it is listed.
pub(crate) fn full_backup(cluster: &TestCluster, node: &str) {
    let host = cluster.backup_host();
    assert!(!exec(&host, &["pgbackrest", "info"]).contains("full backup:"), "there is one already");
    exec(&host, &["pgbackrest", "--stanza=pgha_db", "--type=full", "backup"]);
    let explicit = "pgbackrest --config=$CFG_DIR/pgbackrest.conf --stanza=$STANZA_NAME info";
    for member in [host.as_str(), node] {
        for info in [exec(member, &["pgbackrest", "info"]), exec(member, &["sh", "-c", explicit])] {
            for part in ["stanza: pgha_db", "status: ok", "full backup: "] {
                assert!(info.contains(part), "no `{part}` on {member}:\n{info}");
            }
        }
    }
}

fn replica_from_backup(cluster: &TestCluster) {
    let (_, leader, far) = leader_site(&cluster.status());
    sql(&leader, "create table after_backup as select 7 as seven");
    docker(&["rm", "--force", &far]);
    docker(&["volume", "rm", &far]);
    cluster.pgha(&["up"]).ok();
    cluster.wait_whole();
    let log = try_docker(&["logs", &far]);
    let said = log.stdout + &log.stderr;
    assert!(said.contains("replica has been created using pgbackrest"), "{far} says:\n{said}");
    until("it has what came after the backup", HEAL_DEADLINE_S, || {
        match crate::docker::try_sql(&far, "select seven from after_backup") {
            Ok(seven) if seven == "7" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}
