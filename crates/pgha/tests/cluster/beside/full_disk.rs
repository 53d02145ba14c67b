//! Disks that are full: the backup host's while a backup is made, and a node's when it is to be restored.

use std::fs;

use super::ports;
use crate::docker::exec;
use crate::restored::{assert_rows, listed, make_table, restore, write, write_through};
use crate::test_cluster::TestCluster;
use crate::waiting::claim;

/// Where the repository is on the backup host, and the data in a node.
const REPOSITORY: &str = "/pgha/pgbackrest";
const DATA: &str = "/pgdata";

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_full_disk_is_named_and_harms_nothing() {
    let cluster = TestCluster::reserve("full_disk");
    let ports = ports();
    cluster.generate(&["-d", "1", "-c", "2"]).ok();
    limit_volumes(&cluster, &[("backup", "64m"), ("postgres", "384m")]);
    cluster.pgha(&["up"]).ok();
    drop(ports);
    let (id, host) = (cluster.id(), cluster.backup_host());
    cluster.wait_whole();
    make_table(&cluster);
    write_through(&cluster, 1..=3);
    cluster.pgha(&["backup", &id]).ok();
    let before = labels(&cluster);
    claim("status names the member that has little room, not the engine's disk", || {
        let status = cluster.status();
        let problems = status["problems"].as_array().expect("a list");
        let full = problems.iter().find(|p| p["code"] == "disk_full").expect("64 MB are little");
        assert_eq!(full["about"], host, "{full}");
        assert!(full["message"].to_string().contains("no WAL is archived"), "{full}");
    });
    claim("a backup that finds its disk full says so, and the earlier one stays", || {
        fill(&host, REPOSITORY, 1024);
        write(&cluster, 4);
        let failed = cluster.pgha(&["backup", &id, "--type", "full"]);
        failed.refused(1, "the disk of the backup host is full");
        assert_eq!(labels(&cluster), before);
        make_room(&host, REPOSITORY);
    });
    claim("with room again WAL is archived, the next backup works and the first is sound", || {
        cluster.pgha(&["backup", &id, "--type", "full"]).ok();
        assert_eq!(labels(&cluster).len(), before.len() + 1);
        cluster.pgha(&["backup", "verify", &id]).ok();
        cluster.wait_whole();
    });
    claim("a node without room for old and new data is named, and nothing is touched", || {
        let replica = cluster.of_kind("postgres").into_iter().find(|n| *n != cluster.leader());
        let replica = replica.expect("a replica");
        let containers = cluster.containers();
        fill(&replica, DATA, 32 << 10);
        let refused = restore(&cluster, &["--latest", "--yes"]);
        refused.refused(1, &format!("the disk of {replica} is too full"));
        for part in ["MiB are needed", "MiB are free", "--discard-old"] {
            assert!(refused.stderr.contains(part), "it does not say `{part}`:\n{}", refused.stderr);
        }
        restore(&cluster, &["--latest", "--discard-old", "--dry-run"]).ok();
        make_room(&replica, DATA);
        restore(&cluster, &["--latest", "--dry-run"]).ok();
        assert_eq!(cluster.containers(), containers);
        assert_rows(&cluster, 1..=4);
    });
}

/// Gives the volumes of these kinds of members a size.
fn limit_volumes(cluster: &TestCluster, sizes: &[(&str, &str)]) {
    let path = cluster.compose_file();
    let text = fs::read_to_string(&path).expect("it was generated");
    let (services, mut volumes) = text
        .split_once("\nvolumes:\n")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("volumes");
    for (role, size) in sizes {
        let label = format!("      pgha.role: {role}\n");
        assert!(volumes.contains(&label), "{volumes}");
        let options = format!("    driver_opts: {{type: tmpfs, device: tmpfs, o: size={size}}}\n");
        volumes = volumes.replace(&label, &(label.clone() + &options));
    }
    fs::write(&path, format!("{services}\nvolumes:\n{volumes}")).expect("it can be written to");
}

/// Fills the disk that a folder is on, but for so many KiB.
fn fill(member: &str, folder: &str, left_kib: u64) {
    let free = "df --output=avail -k";
    let script =
        format!("fallocate -l $(($({free} {folder} | tail -n 1) - {left_kib}))K {folder}/filler");
    exec(member, &["bash", "-c", &script]);
}

/// Takes that back.
fn make_room(member: &str, folder: &str) {
    exec(member, &["rm", &format!("{folder}/filler")]);
}

/// Labels of the backups that are listed.
fn labels(cluster: &TestCluster) -> Vec<String> {
    let list = listed(cluster);
    let backups = list["backups"].as_array().expect("a list");
    backups.iter().map(|backup| backup["label"].as_str().expect("text").to_owned()).collect()
}
