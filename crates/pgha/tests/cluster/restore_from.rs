//! `pgha restore --from`: only a repository and its key are left.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

use crate::database::{WHOLE, is_a_copy};
use crate::docker::{docker, inspect, sql};
use crate::process::Ran;
use crate::restored::{assert_rows, backup, make_table, write, write_through};
use crate::s3::S3;
use crate::test_cluster::TestCluster;
use crate::waiting::{claim, tell};

/// Every file and folder with owner, mode, time and content.
const TREE: &str = "cd /there && find . -printf '%p %U %m %s %T@\\n' | sort && \
    find . -type f -exec sha256sum {} + | sort";

fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("pgha-e2e-from-").tempdir().expect("a folder");
    // The user postgres must pass through it.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    folder
}

/// As root in a container: a repository is for the user postgres alone.
fn in_folder(folder: &Path, mode: &str, script: &str) -> String {
    let mount = format!("{}:/there:{mode}", folder.display());
    let run = ["run", "--rm", "--volume", &mount, "--entrypoint", "sh", "pgha-pgbackrest", "-c"];
    docker(&[&run[..], &[script]].concat())
}

fn tree(folder: &Path) -> String {
    in_folder(folder, "ro", TREE)
}

/// So that whoever runs the test can remove the folder.
fn empty(folder: &Path) {
    in_folder(folder, "rw", "rm -rf /there/*");
}

/// Runs `pgha restore --from` into a cluster, whose folder has no compose file.
fn restore_from(fresh: &TestCluster, from: &str, arguments: &[&str]) -> Ran {
    let (file, instance) = (fresh.compose_file().display().to_string(), fresh.instance.to_string());
    let into = ["--into", &fresh.name, "-o", &file, "--instance", &instance];
    let ran = fresh.pgha(&[&["restore", "--from", from], &into[..], arguments].concat());
    tell(&format!("  restore --from {}: {:.1} s", arguments.join(" "), ran.took.as_secs_f64()));
    ran
}

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_folder_and_its_key_are_all_that_a_cluster_is_made_of() {
    let kept = folder();
    let from = format!("posix:{}", kept.path().display());
    let source = TestCluster::up("restore_from", &["-d", "1", "-c", "2", "--repo2", &from]);
    let id = source.id();
    make_table(&source);
    write_through(&source, 1..=3);
    source.pgha(&["backup", &id, "--repo", "2"]).ok();
    source.pgha(&["backup", &id]).ok();
    write(&source, 4);
    source.pgha(&["restore-point", &id, "last"]).ok();
    // What is archived after that is of the cluster's end.
    let key = kept.path().with_extension("key");
    fs::copy(source.secrets_dir().join("repository-key"), &key).expect("a key");
    let key_file = key.display().to_string();
    source.pgha(&["down", &id, "--volumes", "--yes"]).ok();
    source.forget_files();
    source.assert_nothing_left();
    let before = tree(kept.path());
    let fresh = TestCluster::reserve("restore_from_fresh");

    claim("`up` beside it makes no database, and says what makes a cluster of it", || {
        let up = source.pgha_up(&["-d", "1", "-c", "2", "--repo2", &from]);
        let whole = format!("pgha restore --latest --from '{from}' --key FILE --into NAME");
        up.refused(1, &whole);
        source.forget_files();
    });
    claim("without the key, and with another, that is said and nothing is made", || {
        restore_from(&fresh, &from, &["--latest", "--yes"]).refused(2, "no key is given");
        let other = key.with_extension("other");
        fs::write(&other, "no-key-of-this-repository\n").expect("it can be written");
        let other_key = ["--latest", "--yes", "--key", &other.display().to_string()];
        restore_from(&fresh, &from, &other_key).refused(2, "does not decrypt");
        fs::remove_file(other).expect("it is there");
        fresh.assert_nothing_left();
        assert!(!fresh.compose_file().exists());
    });
    claim("with it a new cluster has every row that was archived", || {
        let target = ["--latest", "--yes", "--key", &key_file, "-c", "2"];
        let plan = restore_from(&fresh, &from, &[&target[..], &["--dry-run"]].concat());
        assert!(plan.ok().contains("stanza pgha_db in posix:"), "{plan:?}");
        fresh.assert_nothing_left();
        restore_from(&fresh, &from, &target).ok();
        assert_rows(&fresh, 1..=4);
    });
    claim("it makes backups of its own", || {
        write(&fresh, 5);
        fresh.pgha(&["backup", &fresh.id(), "--type", "full"]).ok();
        fresh.pgha(&["backup", "check", &fresh.id()]).ok();
        let target = ["--latest", "--yes", "--key", &key_file];
        restore_from(&fresh, &from, &target).refused(2, "there is a cluster");
        assert_rows(&fresh, 1..=5);
    });
    assert_eq!(tree(kept.path()), before, "the repository was written to");
    fs::remove_file(key).expect("it is there");
    empty(kept.path());
}

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_repository_and_a_cluster_file_make_the_database_that_the_file_asks_for() {
    let kept = folder();
    let from = format!("posix:{}", kept.path().display());
    let source = TestCluster::reserve("restore_from_database");
    let (id, file) = (source.id(), source.dir().join("cluster.toml"));
    fs::write(&file, format!("timers = \"fast\"\n{WHOLE}")).expect("a cluster file");
    let schema = "\\connect shop\ncreate table items (id int, place vector(3));\n";
    fs::write(source.dir().join("schema.sql"), schema).expect("a script");
    let file = file.to_str().expect("a path");
    source.pgha_up(&["-f", file, "--repo2", &from]).ok();
    source.pgha(&["backup", &id, "--repo", "2"]).ok();
    source.pgha(&["down", &id, "--volumes", "--yes"]).ok();
    let key = source.secrets_dir().join("repository-key");
    let key = key.to_str().expect("a path");
    let fresh = TestCluster::reserve("restore_from_database_fresh");
    claim("its users, databases, extensions and settings are there", || {
        restore_from(&fresh, &from, &["--latest", "--yes", "--key", key, "-f", file]).ok();
        is_a_copy(&fresh, &source);
    });
    claim("every node has the image with the extensions", || {
        for node in fresh.of_kind("postgres") {
            assert_eq!(inspect(&node)["Config"]["Image"], "pgha-pg17-patroni-pgvector", "{node}");
        }
    });
    empty(kept.path());
}

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_folder_that_pgha_has_not_made_is_restored_from() {
    let fresh = TestCluster::reserve("restore_from_foreign");
    let kept = folder();
    in_folder(kept.path(), "rw", "chown 999:999 /there");
    claim("a PostgreSQL that pgha knows nothing of leaves its backups", || {
        make_foreign(kept.path(), None);
    });
    let before = tree(kept.path());
    let from = kept.path().display().to_string();
    let target = ["--name", "before", "--yes"];
    claim("a restore point of stanza `main` is restored, with a replica", || {
        restore_from(&fresh, &from, &[&target[..], &["--stanza", "other"]].concat())
            .refused(2, "no stanza `other`");
        restore_from(&fresh, &from, &target).ok();
        assert_rows(&fresh, 1..=3);
        backup(&fresh, "incr");
        sql(&fresh.leader(), "insert into rows values (5)");
        assert_rows(&fresh, [1, 2, 3, 5]);
    });
    assert_eq!(tree(kept.path()), before, "the repository was written to");
    empty(kept.path());
}

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_bucket_and_its_key_are_all_that_a_cluster_is_made_of() {
    let fresh = TestCluster::reserve("restore_from_bucket");
    let s3 = S3::start(&fresh);
    let kept = folder();
    in_folder(kept.path(), "rw", "chown 999:999 /there");
    let phrase = s3.write("phrase", "a phrase of the bucket's own");
    make_foreign(kept.path(), Some(&s3));
    empty(kept.path());
    let bucket = s3.url("/elsewhere");
    let [access, secret] = s3.credentials();
    let credentials = ["--s3-key", &access, "--s3-key-secret", &secret, "--key", &phrase];
    let latest = ["--latest", "--yes"];
    claim("what a bucket lacks is said", || {
        restore_from(&fresh, &bucket, &latest).refused(2, "wants credentials");
        let swapped = ["--s3-key", &secret, "--s3-key-secret", &access, "--key", &phrase];
        restore_from(&fresh, &bucket, &[&latest[..], &swapped].concat())
            .refused(2, "cannot be listed");
        restore_from(&fresh, &s3.url("/nowhere"), &[&latest[..], &credentials].concat())
            .refused(2, "there is no pgBackRest repository");
        fresh.assert_nothing_left();
    });
    claim("the latest state is restored from the bucket", || {
        let objects = s3.objects();
        restore_from(&fresh, &bucket, &[&latest[..], &credentials].concat()).ok();
        assert_rows(&fresh, 1..=4);
        assert_eq!(s3.objects(), objects, "the bucket was written to");
        backup(&fresh, "incr");
    });
}

fn make_foreign(kept: &Path, s3: Option<&S3>) {
    let script = kept.with_extension("sh");
    fs::write(&script, include_str!("foreign.sh")).expect("it can be written");
    let (repo, at) =
        (format!("{}:/repo", kept.display()), format!("{}:/foreign.sh:ro", script.display()));
    let mut run = vec!["run", "--rm", "--user", "postgres", "--volume", &repo, "--volume", &at];
    let more = s3.map(S3::for_container).unwrap_or_default();
    run.extend(more.iter().map(String::as_str));
    run.extend(["--entrypoint", "bash", "pgha-pg17-patroni", "/foreign.sh"]);
    docker(&run);
    fs::remove_file(script).expect("it is there");
}
