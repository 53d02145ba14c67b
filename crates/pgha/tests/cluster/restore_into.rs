//! `pgha restore --into`: a fresh cluster beside its source, which notices nothing.

use serde_json::Value;

use crate::docker::{exec, sql};
use crate::restored::{assert_rows, backup, lose, make_table, restore, write, write_through};
use crate::test_cluster::{TestCluster, problem_codes};
use crate::waiting::{claim, until};

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
        until("the segment of the target is archived", 60, || {
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

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn one_container_shows_the_state_of_the_target_and_nobody_else_notices() {
    let source = TestCluster::up("restore_node", &["-d", "1", "-c", "2", "--durability", "sync"]);
    make_table(&source);
    write_through(&source, 1..=3);
    backup(&source, "full");
    let mark = write(&source, 4);
    write(&source, 5);
    sql(&source.leader(), "select pg_switch_wal()");
    let before = source.containers();
    let container = format!("pgha-{}-look-a1-{}", source.name, source.instance);
    claim("it has exactly the rows of the target, takes writes, and archives nowhere", || {
        let target = ["--lsn", mark.lsn.as_str(), "--node", "a1", "--yes"];
        until("the segment of the target is archived", 60, || {
            restore(&source, &[&target[..4], &["--dry-run"]].concat()).result()
        });
        let line = restore(&source, &target);
        assert!(line.ok().contains(&container), "{line:?}");
        assert_eq!(
            sql(&container, "select string_agg(id::text, ',' order by id) from rows"),
            "1,2,3,4"
        );
        sql(&container, "insert into rows values (99)");
        assert_eq!(sql(&container, "show archive_mode"), "off");
        restore(&source, &target).refused(2, &container);
    });
    claim("the source is as it was, and the container is listed and goes with its data", || {
        assert_eq!(source.containers(), before);
        assert_rows(&source, 1..=5);
        assert!(source.pgha(&["list"]).ok().contains(&container));
        source.pgha(&["down", &source.id(), "--volumes"]).refused(2, &container);
        source.pgha(&["down", &source.id(), "--volumes", "--yes"]).ok();
        source.assert_nothing_left();
        assert_eq!(crate::docker::try_docker(&["inspect", &container]).code, Some(1));
    });
}

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_container_and_a_fresh_cluster_are_made_from_the_second_repository_alone() {
    let source = TestCluster::up("restore_second", &["-d", "1", "-c", "2", "--repo2", "posix"]);
    make_table(&source);
    write_through(&source, 1..=3);
    source.pgha(&["backup", &source.id(), "--repo", "2"]).ok();
    let mark = write(&source, 4);
    write(&source, 5);
    sql(&source.leader(), "select pg_switch_wal()");
    let target = ["--lsn", mark.lsn.as_str(), "--yes"];
    claim("nothing is said of it, and the container has the rows of the target", || {
        let node = [&target[..], &["--node", "b2"]].concat();
        until("the segment of the target is archived", 60, || {
            let planned = restore(&source, &[&node[..], &["--dry-run"]].concat()).result()?;
            if planned.contains("in repository 2") { Ok(()) } else { Err(planned) }
        });
        restore(&source, &node).ok();
        let container = format!("pgha-{}-look-b2-{}", source.name, source.instance);
        let rows = sql(&container, "select string_agg(id::text, ',' order by id) from rows");
        crate::docker::docker(&["rm", "-fv", &container]);
        assert_eq!(rows, "1,2,3,4");
    });
    claim("a fresh cluster has its copy as its first repository", || {
        let fresh = TestCluster::reserve("restore_second_fresh");
        let file = fresh.compose_file().display().to_string();
        let instance = fresh.instance.to_string();
        let into = ["--into", &fresh.name, "-o", &file, "--instance", &instance];
        restore(&source, &[&target[..], &into[..]].concat()).ok();
        assert_rows(&fresh, 1..=4);
        assert_rows(&source, 1..=5);
    });
    nodes_and_etcd_lost(&source);
}

/// The repositories are all that is left.
fn nodes_and_etcd_lost(cluster: &TestCluster) {
    let id = cluster.id();
    claim("no new database is made beside the repositories, and it is said what to do", || {
        lose(&[cluster.of_kind("postgres"), cluster.of_kind("etcd")].concat());
        let refused = cluster.pgha(&["up"]);
        refused.refused(1, "no new database is made beside an old one");
        assert!(
            refused.stderr.contains(&format!("pgha restore {id} --latest")),
            "{}",
            refused.stderr
        );
        assert_eq!(problem_codes(&cluster.status()), ["database_in_repository"]);
    });
    claim("the latest state is restored without a leader, and the plan says what is lost", || {
        let planned = restore(cluster, &["--latest", "--dry-run", "--json"]);
        let plan: Value = serde_json::from_str(planned.ok()).expect("JSON");
        assert_eq!(
            (&plan["nodes_empty"], &plan["loss"]["kind"]),
            (&true.into(), &"not_archived".into())
        );
        restore(cluster, &["--latest", "--yes"]).ok();
        assert_rows(cluster, 1..=5);
    });
}
