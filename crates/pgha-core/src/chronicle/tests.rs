use super::*;
use crate::member_log;

/// Lines of a cluster of two nodes whose leader, in DC2, was killed.
const PATRONI: &str = "\
2026-11-28T07:42:25.847001000Z 2026-11-28 07:42:25,846 INFO: no action. I am (pgha-demo1-DC1-1), a secondary, and following a leader (pgha-demo1-DC2-1)
2026-11-28T07:42:32.342001000Z 2026-11-28 07:42:32,340 WARNING: Request failed to pgha-demo1-DC2-1: GET http://198.18.2.101:8008/patroni (HTTPConnectionPool(host='198.18.2.101', port=8008): Max retries exceeded with url: /patroni (Caused by ConnectTimeoutError))
2026-11-28T07:42:32.503001000Z 2026-11-28 07:42:32,491 INFO: promoted self to leader by acquiring session lock
2026-11-28T07:42:32.547001000Z 2026-11-28 07:42:32,501 INFO: Lock owner: pgha-demo1-DC1-1; I am pgha-demo1-DC1-1
2026-11-28T07:42:51.837001000Z 2026-11-28 07:42:51,835 INFO: received switchover request with leader=pgha-demo1-DC1-1 candidate=None scheduled_at=None
2026-11-28T07:42:52.071001000Z 2026-11-28 07:42:52,046 INFO: switchover: demoting myself
2026-11-28T07:42:53.434001000Z 2026-11-28 07:42:53,433 INFO: Lock owner: None; I am pgha-demo1-DC1-1
2026-11-28T07:42:53.934001000Z 2026-11-28 07:42:53,933 INFO: Lock owner: None; I am pgha-demo1-DC1-1";
const POSTGRES: &str = "\
2026-11-28 07:42:11.155 UTC [] [146]: [2-1] user=,db=,host= FATAL:  could not receive data from WAL stream: server closed the connection unexpectedly
\t\tThis probably means the server terminated abnormally
2026-11-28 07:42:20.000 UTC [127.0.0.1(37054)] [90]: [1-1] user=postgres,db=postgres,host=127.0.0.1 FATAL:  received promote request
2026-11-28 07:42:32.563 UTC [] [107]: [8-1] user=,db=,host= LOG:  received promote request
2026-11-28 07:42:33.027 UTC [] [107]: [11-1] user=,db=,host= LOG:  selected new timeline ID: 2
2026-11-28 07:42:33.234 UTC [] [100]: [7-1] user=,db=,host= LOG:  database system is ready to accept connections
2026-11-28 07:42:52.228 UTC [] [100]: [8-1] user=,db=,host= LOG:  received fast shutdown request
2026-11-28 07:42:53.020 UTC [] [100]: [11-1] user=,db=,host= LOG:  database system is shut down";
/// The old leader has come back, and has the new one's log with its files.
const REWOUND: &str = "\
2026-11-28T07:42:40.732000000Z 2026-11-28 07:42:40,732 INFO: running pg_rewind from pgha-demo1-DC1-1
2026-11-28T07:42:41.250000000Z 2026-11-28 07:42:41,240 INFO: running pg_rewind from dbname=postgres user=rewinder host=198.18.1.101
2026-11-28T07:42:43.934000000Z 2026-11-28 07:42:43,933 INFO: pg_rewind exit code=0";
const STREAMS: &str = "
2026-11-28 07:42:46.855 UTC [] [206]: [1-1] user=,db=,host= LOG:  started streaming WAL from primary at 0/4000000 on timeline 2
2026-11-28 07:42:46.874 UTC [] [121]: [6-1] user=,db=,host= LOG:  database system is ready to accept read-only connections";
const ROUTER: &str = r#"
2026-11-28T07:42:00.000000000Z pgha-node: 6 links, seed 1
2026-11-28T07:42:01.000000000Z pgha-node: links: {"verb":"change","links":[{"from":"DC1","to":"DC2"}],"change":{"cut":true},"for_ms":5000}
2026-11-28T07:42:02.000000000Z pgha-node: links: {"verb":"change","links":[{"from":"DC1","to":"DC2"}],"change":{"latency":"40ms"}}
2026-11-28T07:42:03.000000000Z pgha-node: links: {"verb":"reset","links":[]}"#;

pub(crate) fn failover() -> Vec<Entry> {
    let log = |member: &str, container: &str, postgres: &str| MemberLog {
        member: member.to_owned(),
        container: member_log::of_container(container),
        postgres: member_log::of_postgres(postgres),
    };
    of_logs(&[
        log("pgha-demo1-DC1-1", PATRONI, POSTGRES),
        log(
            "pgha-demo1-DC2-1",
            REWOUND,
            &format!("{POSTGRES}{STREAMS}").replace("07:42:5", "07:42:3"),
        ),
        log("pgha-wan-1", ROUTER, ""),
    ])
}

#[test]
fn what_a_failover_leaves_in_logs_is_told_once_each_by_time() {
    let lines: Vec<String> = failover()
        .iter()
        .map(|e| format!("{} {} {}", &e.at[17..], e.member.as_deref().unwrap_or("-"), e.what))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn an_entry_is_one_line_of_json_that_is_read_back() {
    for entry in failover() {
        let text = serde_json::to_string(&entry).expect("plain data is JSON");
        assert_eq!(serde_json::from_str::<Entry>(&text).expect("an entry"), entry);
    }
    let text = serde_json::to_string(&failover()[3]).expect("plain data is JSON");
    assert!(
        text.starts_with(r#"{"at":"2026-11-28 07:42:11.155","member":"pgha-demo1-DC1-1","event":"#),
        "{text}"
    );
}

#[test]
fn a_change_of_links_is_told_in_words() {
    for (change, words) in [
        (r#"{"cut":true}"#, "cut"),
        (r#"{"cut":false,"cut_ports":{"etcd":false,"patroni":false}}"#, "no longer cut"),
        (r#"{"cut_ports":{"etcd":true}}"#, "etcd cut"),
        (r#"{"cut_ports":{"postgres":false}}"#, "postgres no longer cut"),
        (r#"{"cut_ports":{"etcd":"40% of 10s"}}"#, "etcd cut 40% of 10s"),
        (r#"{"latency":"40ms","loss":"1%"}"#, "latency 40ms, loss 1%"),
    ] {
        let line = format!(r#"pgha-node: links: {{"verb":"change","links":[],"change":{change}}}"#);
        let Some(What::Links { change, .. }) = lines::read(&line) else { panic!("{line}") };
        assert_eq!(change.as_deref(), Some(words));
    }
}

proptest::proptest! {
    #[test]
    fn every_line_is_read_or_not(line in "\\PC*", said in "(LOG|INFO|FATAL): {1,2}\\PC*") {
        let _ = lines::read(&line);
        let _ = lines::read(&format!("2026 user=, {said}"));
    }
}
