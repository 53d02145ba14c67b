//! A cluster of an earlier pgha: its compose file and secrets as that pgha (commit 69dd72f) wrote them, in `recorded/`.
//!
//! Ports and subnets in it are of a range of their own. Its secrets are no secrets.

use std::fs;

use crate::restored::{assert_rows, backup, make_table, restore, write, write_through};
use crate::test_cluster::TestCluster;
use crate::waiting::claim;

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_cluster_of_an_earlier_pgha_is_run_backed_up_restored_and_removed() {
    let cluster = TestCluster::recorded("recorded");
    let files = cluster.files();
    claim("it starts from its own files, which stay as they are", || {
        cluster.pgha(&["up"]).ok();
        cluster.wait_whole();
        assert_eq!(cluster.files(), files);
    });
    claim("it is backed up and restored", || {
        make_table(&cluster);
        write_through(&cluster, 1..=3);
        backup(&cluster, "full");
        let target = write(&cluster, 4);
        write(&cluster, 5);
        restore(&cluster, &["--lsn", &target.lsn, "--yes"]).ok();
        assert_rows(&cluster, 1..=4);
    });
    claim("it stops, and starts with what it had", || {
        cluster.pgha(&["stop"]).ok();
        cluster.pgha(&["start"]).ok();
        assert_rows(&cluster, 1..=4);
    });
    claim("with --volumes all of it is gone, and its files are as they were", || {
        cluster.pgha(&["down", "--volumes", "--yes"]).ok();
        cluster.assert_nothing_left();
        let left = cluster.files();
        assert!(left.iter().all(|(path, text)| files.get(path) == Some(text)), "{left:?}");
        assert!(fs::exists(cluster.compose_file()).is_ok_and(|there| there));
    });
}
