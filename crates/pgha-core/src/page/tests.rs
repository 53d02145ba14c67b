use super::*;
use crate::chronicle::What;
use crate::drill::{Case, Expectation, LeaderIs, Lost, Proof, Proved, Verdict, Writes, by_name};
use crate::dynamic::Dynamic;
use crate::history::Outcome;
use crate::spec::{Durability, Spec, TimerPreset};

fn entry(at: &str, member: Option<&str>, what: What) -> Entry {
    Entry { at: format!("2026-11-28 07:42:{at}"), member: member.map(str::to_owned), what }
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
            entry("01.000", None, fault),
            entry("01.155", new, What::StreamLost),
            entry("06.000", new, What::LeaderKeyTaken),
            entry("06.200", new, What::Timeline { timeline: 2 }),
            entry("06.500", new, What::Writable),
            entry("08.000", None, What::Healed),
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
