//! An `up` that fails says whose fault it is and leaves nothing behind, unless told to.

use std::fs;

use super::ports;
use crate::docker::inspect;
use crate::process::Ran;
use crate::test_cluster::TestCluster;
use crate::waiting::claim;

/// What the broken member says before it ends.
const LAST_WORDS: &str = "this member is broken on purpose";

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_failed_up_shows_the_guilty_log_and_cleans_up_unless_told_to_keep() {
    let cluster = TestCluster::reserve("failed_up");
    let node = format!("pgha-{}1-DC1-{}", cluster.name, cluster.instance);
    let (file, secret) =
        (cluster.compose_file(), cluster.secrets_dir().join(format!("{node}.key")));
    let generate = || {
        cluster.forget_files();
        cluster.generate(&[]).ok();
        fs::read_to_string(&file).expect("it was generated")
    };

    let mine = ports();
    claim("a member that ends at once is shown with its log, and all is removed", || {
        let sound = generate();
        let named = format!("    container_name: {node}\n");
        let entrypoint = format!("    entrypoint: [sh, -c, \"echo {LAST_WORDS}; exit 3\"]\n");
        assert!(sound.contains(&named));
        let broken = sound.replace(&named, &(named.clone() + &entrypoint));
        fs::write(&file, broken).expect("a folder");
        let failed = cluster.pgha(&["up", "--timeout", "90"]);
        blames(&failed, 1, &node);
        assert!(failed.stderr.contains(LAST_WORDS), "{}", failed.stderr);
        cluster.assert_nothing_left();
    });
    claim("--keep leaves it for a look", || {
        let failed = cluster.pgha(&["up", "--timeout", "90", "--keep"]);
        blames(&failed, 1, &node);
        assert!(failed.stderr.contains("kept"), "{}", failed.stderr);
        assert_eq!(inspect(&node)["State"]["ExitCode"], 3);
        cluster.pgha(&["down", &cluster.id(), "--volumes", "--yes"]).ok();
        cluster.assert_nothing_left();
    });
    drop(mine);
    claim("a deadline that passes says who is behind, and all is removed", || {
        let _mine = ports();
        generate();
        let late = cluster.pgha(&["up", "--timeout", "1"]);
        late.refused(4, "is not ready after 1 s");
        cluster.assert_nothing_left();
    });
    claim("a compose file that the engine refuses leaves nothing", || {
        let _mine = ports();
        let sound = generate();
        let broken = sound.replace("image: pgha-wan", "image: pgha-nosuchimage");
        fs::write(&file, broken).expect("a folder");
        cluster.pgha(&["up"]).refused(1, "pgha-nosuchimage");
        cluster.assert_nothing_left();
    });
    let _mine = ports();
    claim("an empty secret is blamed on the member that needs it", || {
        generate();
        let key = fs::read(&secret).expect("a key");
        fs::write(&secret, "").expect("a folder");
        let failed = cluster.pgha(&["up", "--timeout", "90"]);
        blames(&failed, 1, &node);
        assert!(failed.stderr.contains(" is empty: write it into its file"), "{failed:?}");
        cluster.assert_nothing_left();
        fs::write(&secret, key).expect("a folder");
    });
    claim("the same files come up once nothing is broken", || {
        cluster.pgha(&["up"]).ok();
        cluster.wait_whole();
    });
}

fn blames(failed: &Ran, code: i32, member: &str) {
    failed.refused(code, member);
    let log = format!("the end of the log of {member}:");
    assert!(failed.stderr.contains(&log), "{}", failed.stderr);
}
