//! What leads into members, as it is typed every day: programs, logs, and the short status.

use crate::test_cluster::TestCluster;
use crate::waiting::{claim, until};

/// Something that only Postgres's own log has.
const MARK: &str = "a mark of the test";

/// Everything this module claims of a cluster that is whole.
pub(crate) fn prove(cluster: &TestCluster) {
    let id = cluster.id();
    let node = cluster.of_kind("postgres").remove(0);
    claim("programs in members take their arguments as they are", || {
        assert_eq!(cluster.pgha(&["psql", &id, "-XAtc", "select 40 + 2"]).ok(), "42");
        let words = ["exec", &node, "sh", "-c", "echo $0 $1", "--version", "-c"];
        assert_eq!(cluster.pgha(&words).ok(), "--version -c");
        // In its folder without its name.
        for words in [["patronictl", &id, "list"].as_slice(), &["patronictl", "list"]] {
            let listed = cluster.pgha(words);
            assert!(listed.ok().contains(&format!("| {node} ")), "{listed:?}");
        }
        // A command that wants the stanza, and one that does not know of any.
        cluster.pgha(&["pgbackrest", &id, "check"]).ok();
        assert!(cluster.pgha(&["pgbackrest", "version"]).ok().starts_with("pgBackRest 2."));
    });
    claim("the log of a cluster is that of all members by time, with Postgres's own", || {
        let leader = cluster.leader();
        let raise = format!("do $$ begin raise log '{MARK}'; end $$");
        cluster.pgha(&["psql", &id, "-Xqc", &raise]).ok();
        until("the mark is in the log", 30, || {
            let logs = cluster.pgha(&["logs", &id, "--since", "5m"]).result()?;
            let marked = logs.lines().any(|line| line.contains(&leader) && line.contains(MARK));
            if marked { Ok(()) } else { Err(logs) }
        });
        let logs = cluster.pgha(&["logs", &id, "--tail", "all"]);
        let times: Vec<_> =
            logs.ok().lines().map(|line| line.get(..23).unwrap_or_default()).collect();
        assert!(times.is_sorted(), "{logs:?}");
        for member in cluster.members() {
            assert!(logs.stdout.contains(&format!("  {member} ")), "nothing of {member}");
        }
        let one = cluster.pgha(&["logs", &leader, "--tail", "7"]);
        assert_eq!(one.ok().lines().count(), 7, "{one:?}");
    });
    claim("a status fits a small terminal, and all of it has the networks and etcd", || {
        let short = cluster.pgha(&["status", &id]);
        assert!(short.ok().lines().count() <= 20 && short.stdout.contains("MEMBER"), "{short:?}");
        assert!(!short.stdout.contains("etcd health"), "{short:?}");
        let all = cluster.pgha(&["status", &id, "--all"]);
        for part in ["Networks", "etcd health", "etcd status"] {
            assert!(all.ok().contains(part), "{all:?}");
        }
    });
}
