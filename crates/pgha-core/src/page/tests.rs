use super::*;
use crate::chronicle::What;
use crate::drill::{Case, Expectation, LeaderIs, Lost, Proof, Proved, Verdict, Writes, by_name};
use crate::dynamic::Dynamic;
use crate::history::Outcome;
use crate::spec::{Durability, Spec, TimerPreset};

fn entry(at: &str, member: Option<&str>, what: What) -> Entry {
    Entry { at: format!("2026-11-28 07:42:{at}"), member: member.map(str::to_owned), what }
}

fn etcd(at: &str, leader: Option<&str>, term: u64) -> Entry {
    let (leader, term) = (leader.map(str::to_owned), leader.map(|_| term));
    entry(at, None, What::EtcdLeader { leader, term })
}

/// A change of both directions between two sites.
fn links(at: &str, change: Option<&str>, for_ms: Option<u64>) -> Entry {
    let links = ["DC1→DC2", "DC2→DC1"].map(str::to_owned).to_vec();
    entry(at, None, What::Links { links, change: change.map(str::to_owned), for_ms })
}

fn ok(at_ms: u64, node: u32, outcome: Outcome) -> Operation {
    let ended = Duration::from_millis(at_ms);
    Operation { client: 0, id: at_ms, sent: ended, ended, outcome, node }
}

fn record() -> Record {
    let (old, new) = (Some("pgha-demo1-DC1-1"), Some("pgha-demo1-DC2-1"));
    let fault =
        What::Fault { fault: "kill".to_owned(), targets: vec!["pgha-demo1-DC1-1".to_owned()] };
    Record {
        operations: vec![
            ok(500, 0, Outcome::Ok),
            ok(980, 0, Outcome::Ok),
            ok(1_100, 0, Outcome::Unknown),
            ok(7_000, 1, Outcome::Ok),
            ok(9_000, 1, Outcome::Failed),
        ],
        took: Duration::from_secs(10),
        nodes: vec!["pgha-demo1-DC1-1".to_owned(), "pgha-demo1-DC2-1".to_owned()],
        events: vec![
            etcd("00.000", Some("pgha-etcd1-DC1-1"), 2),
            links("00.500", Some("latency 40ms"), None),
            entry("01.000", None, fault),
            entry("01.155", new, What::StreamLost),
            links("03.000", Some("cut"), Some(2000)),
            entry("06.000", new, What::LeaderKeyTaken),
            entry("06.200", new, What::Timeline { timeline: 2 }),
            entry("06.500", new, What::Writable),
            etcd("07.500", Some("pgha-etcd2-DC2-1"), 3),
            entry("08.000", None, What::Healed),
            links("08.500", None, None),
            entry("09.000", old, What::Streaming { timeline: 2 }),
        ],
        clock: Clock {
            began_ms: 1_795_851_720_000,
            fault: Duration::from_secs(1),
            whole: Some(Duration::from_secs(9)),
        },
    }
}

fn report(record: &Record, prediction: Prediction) -> Report {
    let quorum =
        Spec { durability: Durability::Quorum, timers: TimerPreset::Fast, ..Spec::default() };
    let expected = Expectation { writes: Writes::Failover, lost: Lost::None };
    let drill = by_name("leader-killed").expect("a drill");
    let cluster = "demo-1".to_owned();
    let run = RunReport {
        verdict: Verdict { prediction, reasons: vec!["a <b> & \"c\"".to_owned()] },
        faults: vec!["kill pgha-demo1-DC1-1".to_owned()],
        ok: 3,
        lost: Some(0),
        unknown: 1,
        unexpected: 0,
        rto_s: Some(6.02),
        full_redundancy_s: Some(1.0),
        phases: Phases::of(record.clock, &record.events, &record.operations, &record.nodes),
        two_writers_s: 0.0,
        checks: Vec::new(),
        leaders: [Some(record.nodes[0].clone()), Some(record.nodes[1].clone())],
        commits: None,
        beside: None,
    };
    let mut begun = Report::begun(&drill, cluster, 7, Dynamic::of(&quorum), expected);
    begun.predicted.outage_max_s = Some(29.0);
    begun.with_runs(vec![run])
}

#[test]
fn the_page_of_a_drill() {
    let record = record();
    let conditions = Conditions {
        facts: vec![("kernel".to_owned(), "6.1 <x>".to_owned())],
        cluster_toml: "name = \"demo\"\n".to_owned(),
    };
    let page = drill(&report(&record, Prediction::Confirmed), &[record], &conditions);
    insta::assert_snapshot!(page.replace(STYLE, "").replace("><", ">\n<"));
}

fn tried(lost: &[&str], run: Option<RunReport>, writes: Writes) -> Proved {
    let case = Case {
        lost: lost.iter().map(|site| (*site).to_owned()).collect(),
        leader: LeaderIs::Inside,
        expected: Expectation { writes, lost: Lost::None },
    };
    let why = run.is_none().then(|| "no node of DC3 may lead".to_owned());
    Proved { case, run, why }
}

#[test]
fn the_page_of_a_survival_table_has_each_row_and_the_worst_in_one_word() {
    let record = record();
    let run = |prediction| report(&record, prediction).runs.remove(0);
    let never = RunReport { rto_s: None, lost: Some(2), ..run(Prediction::Refuted) };
    let mut of = Proof {
        cluster: "demo-1".to_owned(),
        spec: "name = \"demo\"\n".to_owned(),
        layout: "1".to_owned(),
        durability: Durability::Quorum,
        timers: "20/5/5".to_owned(),
        seed: 7,
        rows: vec![
            tried(&["DC1"], Some(run(Prediction::Confirmed)), Writes::Failover),
            tried(&["DC1", "DC2"], Some(never), Writes::Healed),
            tried(&["DC3"], None, Writes::GoOn),
        ],
    };
    let conditions = Conditions { facts: Vec::new(), cluster_toml: "name = \"demo\"\n".to_owned() };
    let page = |of: &Proof| proof(of, &conditions).replace(STYLE, "").replace("><", ">\n<");
    insta::assert_snapshot!(page(&of));
    of.rows.remove(1);
    assert!(page(&of).contains("<p class=\"verdict open\">1 of 2 not reached</p>"));
    of.rows.remove(1);
    assert!(page(&of).contains("<p class=\"verdict good\">as predicted, or better</p>"));
}

fn with(events: Vec<Entry>) -> Record {
    Record { events, ..record() }
}

fn told(spans: &[lanes::Span]) -> Vec<String> {
    spans.iter().map(|s| format!("{:.1}-{:.1} {} {}", s.from, s.to, s.class, s.said)).collect()
}

#[test]
fn who_led_etcd_is_told_as_far_as_it_was_seen() {
    let (one, two) = (Some("pgha-etcd1-DC1-1"), Some("pgha-etcd2-DC2-1"));
    let of = |events: Vec<Entry>| told(&lanes::etcd(&with(events)));
    let fault = |at: &str, target: &str| {
        entry(at, None, What::Fault { fault: "kill".to_owned(), targets: vec![target.to_owned()] })
    };
    assert!(of(Vec::new()).is_empty(), "nobody has looked");
    let led = of(vec![etcd("00.000", one, 2), etcd("05.000", one, 2), etcd("08.000", one, 2)]);
    assert_eq!(led, ["0.0-10.0 etcd etcd1-DC1-1 leads etcd"]);
    for target in ["pgha-etcd1-DC1-1", "DC1"] {
        let hit = of(vec![etcd("00.000", one, 2), fault("03.000", target), etcd("05.000", two, 3)]);
        let expected = [
            "0.0-3.0 etcd etcd1-DC1-1 leads etcd",
            "3.0-5.0 unseen etcd: leader not known",
            "5.0-10.0 etcd etcd2-DC2-1 leads etcd",
        ];
        assert_eq!(hit, expected);
    }
    // Another one leads, and nothing says since when; or the same one again.
    let other = fault("03.000", "pgha-etcd2-DC2-1");
    let unseen = of(vec![etcd("00.000", one, 2), other, etcd("05.000", one, 4)]);
    assert_eq!(unseen[0], "0.0-5.0 unseen etcd: leader not known");
    let none = of(vec![
        etcd("00.000", one, 2),
        fault("01.000", "DC1"),
        etcd("04.000", None, 0),
        entry("06.000", None, What::Healed),
        etcd("09.000", two, 5),
    ]);
    assert_eq!(none[2], "4.0-6.0 none etcd has no leader");
    assert_eq!(
        none[3..],
        ["6.0-9.0 unseen etcd: leader not known", "9.0-10.0 etcd etcd2-DC2-1 leads etcd"]
    );
}

#[test]
fn a_link_has_a_lane_of_what_was_done_to_it_and_both_directions_one_where_they_are_alike() {
    let of = |events: Vec<Entry>| -> Vec<(String, Vec<String>)> {
        let lanes = lanes::links(&with(events)).into_iter();
        lanes.map(|(name, spans)| (name, told(&spans))).collect()
    };
    assert!(of(Vec::new()).is_empty());
    assert!(of(vec![links("02.000", Some("no longer cut"), None)]).is_empty(), "as configured");
    let both = of(vec![
        links("01.000", Some("latency 40ms, loss 2%"), None),
        links("02.000", Some("cut"), Some(1500)),
        links("05.000", Some("etcd cut"), None),
        links("06.000", Some("latency 90ms"), None),
        links("07.000", Some("etcd no longer cut"), None),
        links("08.000", None, None),
    ]);
    let [(name, spans)] = &both[..] else { panic!("{both:?}") };
    assert_eq!(name, "DC1↔DC2");
    let expected = [
        "1.0-2.0 slow latency 40ms, loss 2%",
        "2.0-3.5 fault cut, latency 40ms, loss 2%",
        "3.5-5.0 slow latency 40ms, loss 2%",
        "5.0-6.0 fault etcd cut, latency 40ms, loss 2%",
        "6.0-7.0 fault etcd cut, latency 90ms, loss 2%",
        "7.0-8.0 slow latency 90ms, loss 2%",
    ];
    assert_eq!(spans, &expected);
    let one = |at: &str, links: &[&str], change: &str| {
        let links = links.iter().map(|link| (*link).to_owned()).collect();
        entry(at, None, What::Links { links, change: Some(change.to_owned()), for_ms: None })
    };
    // A change of all links is one of those that have a lane.
    let mute = of(vec![
        one("01.000", &["DC1→DC2"], "cut"),
        one("02.000", &["DC1→DC2"], "postgres cut"),
        one("04.000", &[], "no longer cut"),
    ]);
    assert_eq!(mute.len(), 1);
    assert_eq!(mute[0].0, "DC1→DC2");
    assert_eq!(mute[0].1, ["1.0-2.0 fault cut", "2.0-4.0 fault cut, postgres cut"]);
    let all = of(vec![one("01.000", &[], "cut")]);
    assert_eq!(all, [("all links".to_owned(), vec!["1.0-10.0 fault cut".to_owned()])]);
}

#[test]
fn the_page_asks_nobody_and_takes_text_as_text() {
    let record = record();
    let page = drill(&report(&record, Prediction::Refuted), &[record], &Conditions::default());
    for word in ["http://", "https://", "src=", "@import", "url(", "<script", "<b>"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(page.contains("a &lt;b&gt; &amp; &quot;c&quot;"));
    assert!(page.contains("<a href=\"#run-1\">Jump to the first violation: run 1</a>"));
    assert_eq!(page.matches("<section").count(), page.matches("</section>").count());
    assert!(page.len() < 300_000);
}
