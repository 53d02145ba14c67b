//! `pgha restore --into`: a fresh cluster beside its source, which notices nothing.

use crate::docker::{exec, sql};
use crate::restored::{assert_rows, backup, make_table, restore, write, write_through};
use crate::test_cluster::TestCluster;
use crate::waiting::claim;

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_fresh_cluster_has_the_rows_of_the_target_and_its_source_stays_as_it_is() {
    let source = TestCluster::up("restore_into", &["-d", "1", "-c", "2"]);
    make_table(&source);
    write_through(&source, 1..=3);
    let label = backup(&source, "full");
    let mark = write(&source, 4);
    write(&source, 5);
    sql(&source.leader(), "select pg_switch_wal()");
    let fresh = TestCluster::reserve("restore_into_fresh");
    let file = fresh.compose_file().display().to_string();
    let instance = fresh.instance.to_string();
    let before = source.containers();
    let archive = || {
        exec(
            &source.backup_host(),
            &["pgbackrest", "--stanza=pgha_db", "repo-ls", "--recurse", "archive"],
        )
    };
    claim("it has the rows of the target on every node, under passwords of its own", || {
        let into = ["--into", &fresh.name, "-o", &file, "--instance", &instance];
        crate::waiting::until("the segment of the target is archived", 60, || {
            let planned =
                restore(&source, &["--time", &mark.time, "--into", &fresh.name, "--dry-run"]);
            planned.result()
        });
        restore(&source, &[&["--time", mark.time.as_str(), "--yes"], &into[..]].concat()).ok();
        assert_rows(&fresh, 1..=4);
        assert_ne!(fresh.password(), source.password());
        let connected =
            fresh.pgha(&["psql", &fresh.id(), "--", "-Atc", "select count(*) from rows"]);
        assert_eq!(connected.ok(), "4");
    });
    claim("it is backed up into a repository of its own, and the source goes on as before", || {
        let archived = archive();
        write(&fresh, 100);
        backup(&fresh, "incr");
        assert_eq!(archive(), archived, "something was archived into the source's repository");
        assert_eq!(source.containers(), before);
        write(&source, 6);
        assert_rows(&source, 1..=6);
        assert_rows(&fresh, (1..=4).chain([100]));
    });
    claim("a second one of that name is refused", || {
        let into =
            ["--set", &label, "--yes", "--into", &fresh.name, "-o", &file, "--instance", &instance];
        restore(&source, &into).refused(2, "there is a cluster");
    });
}
