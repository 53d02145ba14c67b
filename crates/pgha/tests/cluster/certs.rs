//! `pgha certs`: every member gets another certificate, and the cluster another CA, while clients write and WAL is archived.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::docker::sql;
use crate::test_cluster::{HEAL_DEADLINE_S, TestCluster, problem_codes};
use crate::waiting::{claim, until};
use crate::writer::{Writer, assert_has_all};

/// Rows that are written while certificates are replaced.
const ROWS: usize = 20;
/// How long they may take.
const ROWS_DEADLINE_S: u64 = 60;

/// What `certs show` says, which has to be nothing wrong.
fn shown(cluster: &TestCluster) -> Value {
    let ran = cluster.pgha(&["certs", "show", &cluster.id(), "--json"]);
    let report: Value = serde_json::from_str(ran.ok()).expect("JSON");
    assert_eq!(report["problems"], Value::Array(Vec::new()), "{report}");
    report
}

/// The certificate that each member serves, as `certs show` found it by asking its server.
fn served(cluster: &TestCluster) -> BTreeMap<String, String> {
    let report = shown(cluster);
    let all = report["certificates"].as_array().expect("a list").iter();
    let own = all.filter(|one| one["purpose"] != "ca").map(|one| {
        assert_eq!(one["served"]["state"], "same", "{one}");
        let text = |key: &str| one[key].as_str().expect(key).to_owned();
        (text("member"), text("fingerprint"))
    });
    own.collect()
}

/// The one CA.
fn ca(cluster: &TestCluster) -> String {
    let report = shown(cluster);
    let all = report["certificates"].as_array().expect("a list").iter();
    let cas: Vec<&Value> = all.filter(|one| one["purpose"] == "ca").collect();
    assert_eq!(cas.len(), 1, "{report}");
    cas[0]["fingerprint"].as_str().expect("text").to_owned()
}

/// The archive takes another segment, from the leader to the backup host over TLS.
fn archives(cluster: &TestCluster) {
    let leader = cluster.leader();
    // A segment with nothing in it is not ended.
    sql(&leader, "select pg_logical_emit_message(false, 'test', 'x')");
    let segment = sql(&leader, "select pg_walfile_name(pg_switch_wal())");
    until(&format!("{segment} is archived"), HEAL_DEADLINE_S, || {
        let last = "select coalesce(last_archived_wal, '') from pg_stat_archiver";
        match sql(&leader, last) {
            archived if archived[8..] >= segment[8..] => Ok(()),
            archived => Err(archived),
        }
    });
}

fn all_differ(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
    assert!(before.keys().eq(after.keys()), "{before:?} {after:?}");
    assert!(before.iter().all(|(member, old)| after[member] != *old), "{before:?} {after:?}");
}

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn certificates_and_ca_are_replaced_while_clients_write() {
    let cluster = TestCluster::up("certs", &["-d", "2", "-c", "2", "--timers", "fast"]);
    let id = cluster.id();
    let members: Vec<String> =
        cluster.of_kind("postgres").into_iter().chain([cluster.backup_host()]).collect();
    let (first, first_ca) = claim("each member serves the certificate that its file has", || {
        let served = served(&cluster);
        assert_eq!(served.len(), members.len());
        assert!(members.iter().all(|member| served.contains_key(member)), "{served:?}");
        (served, ca(&cluster))
    });
    claim("a dry run changes nothing", || {
        let files = cluster.files();
        let ran = cluster.pgha(&["certs", "rotate", &id, "--ca", "--dry-run", "--json"]);
        let plan: Value = serde_json::from_str(ran.ok()).expect("JSON");
        assert_eq!(plan["to_do"].as_array().map(Vec::len), Some(3 + 3 * members.len()), "{plan}");
        assert_eq!(cluster.files(), files);
    });
    let writer = Writer::start(&cluster);
    let leader = cluster.leader();
    let second = claim("every member gets another certificate of the same CA", || {
        let ran = cluster.pgha(&["certs", "rotate", &id, "--days", "90", "--json"]);
        let done: Value = serde_json::from_str(ran.ok()).expect("JSON");
        assert_eq!((&done["resumed"], &done["ca"]), (&false.into(), &false.into()), "{done}");
        let now = served(&cluster);
        all_differ(&first, &now);
        assert_eq!(ca(&cluster), first_ca);
        archives(&cluster);
        writer.wait_for_more(ROWS, ROWS_DEADLINE_S);
        now
    });
    let third = claim("killed on its way, a rotation with a new CA goes on", || {
        let rotate = ["certs", "rotate", &id, "--ca"];
        let mut command = cluster.command(&rotate);
        let mut child = command.spawn().expect("pgha runs");
        let journal = cluster.secrets_dir().join("next.certificates");
        until("the first member trusts both CAs", HEAL_DEADLINE_S, || {
            let text = std::fs::read_to_string(&journal).map_err(|e| e.to_string())?;
            if text.contains("\"renew\"") { Ok(()) } else { Err(text) }
        });
        child.kill().expect("it is there");
        child.wait().expect("it has ended");
        assert!(journal.exists(), "it was killed before its end");
        cluster
            .pgha(&["add", "node", &id, "DC1"])
            .refused(1, "rotation of certificates in progress");
        // Whoever starts now finds what others trust.
        archives(&cluster);
        let ran = cluster.pgha(&[&rotate[..], &["--json"]].concat());
        let done: Value = serde_json::from_str(ran.ok()).expect("JSON");
        assert_eq!((&done["resumed"], &done["ca"]), (&true.into(), &true.into()), "{done}");
        assert!(!journal.exists());
        let now = served(&cluster);
        all_differ(&second, &now);
        assert_ne!(ca(&cluster), first_ca);
        archives(&cluster);
        now
    });
    claim("nobody was restarted, and no acknowledged row is lost", || {
        assert_eq!(cluster.leader(), leader);
        writer.wait_for_more(ROWS, ROWS_DEADLINE_S);
        let rows = writer.stop();
        for node in cluster.of_kind("postgres") {
            assert_has_all(&node, &rows, ROWS_DEADLINE_S);
        }
        assert_eq!(problem_codes(&cluster.wait_whole()), [""; 0]);
    });
    claim(
        "a backup goes over the new certificates, also after every container was started anew",
        || {
            cluster.pgha(&["backup", &id]).ok();
            cluster.pgha(&["stop", &id]).ok();
            cluster.pgha(&["start", &id]).ok();
            cluster.wait_whole();
            assert_eq!(served(&cluster), third);
            cluster.pgha(&["backup", "check", &id]).ok();
            archives(&cluster);
        },
    );
    claim("a node that is added gets a certificate of the new CA", || {
        cluster.pgha(&["add", "node", &id, "DC2"]).ok();
        cluster.wait_whole();
        assert_eq!(served(&cluster).len(), members.len() + 1);
    });
}
