//! `pgha restore --into`: a fresh cluster beside its source, which notices nothing.

use serde_json::Value;

use crate::docker::{docker, exec, sql};
use crate::reference_commands::archived;
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
        docker(&["rm", "-fv", &container]);
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

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_copy_ends_with_the_archive_leads_after_a_pause_and_leaves_publishers_alone() {
    let source = TestCluster::up("restore_into_paused", &["-d", "1", "-c", "2"]);
    let leader = source.leader();
    make_table(&source);
    sql(
        &leader,
        "create subscription prices connection 'host=192.0.2.1 dbname=shop' publication prices \
         with (connect = false, slot_name = 'theirs')",
    );
    sql(&leader, "alter subscription prices enable");
    // Patroni drops a slot that its configuration does not name.
    let slot = ["type=logical", "database=postgres", "plugin=pgoutput"];
    let set: Vec<String> = slot.iter().map(|setting| format!("slots.orders.{setting}")).collect();
    let set = set.iter().flat_map(|setting| ["--set", setting.as_str()]);
    let edit: Vec<&str> = ["patronictl", "edit-config", "--force"].into_iter().chain(set).collect();
    exec(&leader, &edit);
    let slots = "select count(*) from pg_replication_slots where slot_type = 'logical'";
    until("the leader has the slot", 60, || {
        let count = sql(&leader, slots);
        if count == "1" { Ok(()) } else { Err(count) }
    });
    write_through(&source, 1..=3);
    exec(&leader, &["patronictl", "pause", "--wait"]);
    until("the data directory has the pause", 60, || {
        let dynamic = exec(&leader, &["cat", "/pgdata/17/patroni.dynamic.json"]);
        if dynamic.contains("\"pause\"") { Ok(()) } else { Err(dynamic) }
    });
    backup(&source, "full");
    exec(&leader, &["patronictl", "resume", "--wait"]);
    let mark = write(&source, 4);
    let printed = mark.time.replace("+00", " UTC");
    let segment = sql(&leader, "select pg_walfile_name(pg_switch_wal())");
    archived(&source, &segment, 60);
    let rows = |node: &str| sql(node, "select string_agg(id::text, ',' order by id) from rows");
    let subscribed =
        |node: &str| sql(node, "select subenabled, subslotname is null from pg_subscription");
    let look = |name: &str, target: [&str; 2]| {
        let arguments = [&target[..], &["--node", name]].concat();
        let planned = restore(&source, &[&arguments[..], &["--dry-run", "--json"]].concat());
        let plan: Value = serde_json::from_str(planned.ok()).expect("JSON");
        assert_eq!(plan["ends"], "target_or_archive", "{plan}");
        assert_eq!(plan["source"]["leader"], leader.as_str(), "{plan}");
        restore(&source, &[&arguments[..], &["--yes"]].concat()).ok();
        let container = format!("pgha-{}-look-{name}-{}", source.name, source.instance);
        let log = docker(&["logs", &container]);
        let said = (rows(&container), subscribed(&container));
        docker(&["rm", "-fv", &container]);
        assert!(log.contains("the archive has nothing from the target on"), "{log}");
        assert_eq!(said, ("1,2,3,4".to_owned(), "f|t".to_owned()));
    };
    claim("a time after the last commit, as Postgres prints it, is all that is archived", || {
        look("p1", ["--time", &printed]);
    });
    claim("the last position that a refusal proposes is one", || {
        let refused = restore(&source, &["--lsn", "FF/0", "--node", "p2", "--yes"]);
        refused.refused(2, "is the last possible");
        let last = refused.stderr.split("--lsn ").nth(1).and_then(|rest| rest.split(' ').next());
        look("p2", ["--lsn", last.expect("a proposal")]);
    });
    claim("a backup of a paused cluster has a leader in a fresh one, with a later time", || {
        let fresh = TestCluster::reserve("restore_into_paused_fresh");
        let (file, instance) =
            (fresh.compose_file().display().to_string(), fresh.instance.to_string());
        let into = ["--into", &fresh.name, "-o", &file, "--instance", &instance];
        let now =
            || sql(&leader, "select to_char(clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS.MS TZ')");
        let ends = |time: &str| -> String {
            let planned = ["--time", time, "--into", &fresh.name, "--dry-run", "--json"];
            let plan: Value = serde_json::from_str(restore(&source, &planned).ok()).expect("JSON");
            plan["ends"].as_str().expect("text").to_owned()
        };
        let later = until("the clock is past the second of the last segment", 30, || {
            let now = now();
            match ends(&now).as_str() {
                "archive" => Ok(now),
                other => Err(other.to_owned()),
            }
        });
        let arguments = [&["--time", &later, "--yes", "--json", "--timeout", "300"], &into[..]];
        let ran = restore(&source, &arguments.concat());
        assert!(ran.stderr.contains("end of the archive"), "{}", ran.stderr);
        assert!(ran.stderr.contains("orders (pgoutput"), "{}", ran.stderr);
        let report: Value = serde_json::from_str(ran.ok()).expect("JSON");
        let steps = report["steps"].as_array().expect("steps");
        let note = steps.iter().find(|step| step["step"] == "recover");
        let note = note.and_then(|step| step["note"].as_str()).expect("a note");
        assert!(note.contains("all archived WAL is replayed"), "{note}");
        // What Postgres says of the last commit is taken as a target.
        let last = note.split("at log time ").nth(1).and_then(|rest| rest.split(';').next());
        ends(last.expect("the last commit"));
        assert_rows(&fresh, 1..=4);
        assert_eq!(subscribed(&fresh.leader()), "f|t");
        let settings = exec(&fresh.leader(), &["patronictl", "show-config"]);
        assert!(!settings.contains("pause"), "{settings}");
    });
    claim("the source has its slot and its subscription as before", || {
        assert_eq!(subscribed(&leader), "t|f");
        assert_eq!(sql(&leader, slots), "1");
        let planned = restore(&source, &["--latest", "--dry-run"]);
        assert!(planned.ok().contains("logical slots are lost"), "{planned:?}");
        assert_rows(&source, 1..=4);
    });
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
