//! The report of `pgha load`.

use std::fmt::Write as _;

use pgha_core::check::{Judged, Verdict};
use pgha_core::history::{LoadReport, OutageFigures};

use crate::screen::table::{self, Row};
use crate::screen::text;
use crate::screen::{BAD, GOOD, PLAIN, WARN};

/// Columns that a counterexample takes.
const WIDTH: usize = 80;

/// Draws what became of the writes, then what checkers say, then the times without any.
pub(crate) fn report(report: &LoadReport, judged: &Judged) -> String {
    let mut rows = vec![
        row(PLAIN, "acknowledged", report.acknowledged, &speed(report)),
        row(PLAIN, "failed", report.failed, "not done, for certain"),
        row(PLAIN, "unknown", report.unknown, &unknown_found(report)),
    ];
    match (report.lost, &report.read_on) {
        (Some(lost), Some(node)) => rows.push(row(
            if lost == 0 { GOOD } else { BAD },
            "lost",
            lost,
            &format!("acknowledged, and not on {node}"),
        )),
        (None, Some(_)) => {}
        _ => rows.push(Row {
            style: WARN,
            cells: vec!["lost".into(), "?".into(), "the end could not be read".into()],
        }),
    }
    if report.unexpected > 0 {
        rows.push(row(BAD, "unexpected", report.unexpected, "there, and no write has made them"));
    }
    let mut out = table::draw(&["WRITES", "", ""], &[1], &rows);
    out.push_str(&checks(judged));
    if report.outages.is_empty() {
        let _ = writeln!(
            out,
            "\n  longest time without a write: {}",
            seconds(report.longest_outage_ms)
        );
        return out;
    }
    out.push('\n');
    let rows: Vec<Row> = report.outages.iter().map(outage).collect();
    out + &table::draw(&["NO WRITES FOR", "FROM", "TO", "BEFORE ON", "THEN ON"], &[0, 1, 2], &rows)
}

/// Each checker with its verdict, and below it what it has found.
fn checks(judged: &Judged) -> String {
    let mut out = String::from("\n");
    let rows = judged.checks.iter().map(|check| {
        let style = match check.verdict {
            Verdict::Holds => GOOD,
            Verdict::Undecided => WARN,
            Verdict::Violated => BAD,
        };
        let verdict = check.verdict.as_str().to_owned();
        Row { style, cells: vec![check.check.clone(), verdict, check.operations.to_string()] }
    });
    out += &table::draw(&["CHECK", "VERDICT", "OPERATIONS"], &[2], &rows.collect::<Vec<_>>());
    for check in &judged.checks {
        if let Some(why) = &check.undecided {
            let _ = writeln!(out, "\n  {}: {why}", check.check);
        }
        for anomaly in &check.anomalies {
            let _ = writeln!(out, "\n  {} × {}", anomaly.count, anomaly.kind.words());
            if let Some(example) = anomaly.examples.first() {
                let _ = writeln!(out, "    {}", text::wrap(example, 4, WIDTH));
            }
        }
    }
    out
}

fn unknown_found(report: &LoadReport) -> String {
    match report.lost {
        Some(_) => format!("{} of them are there", report.unknown_found),
        None => "done or not".to_owned(),
    }
}

fn row(style: anstyle::Style, what: &str, count: u64, more: &str) -> Row {
    Row { style, cells: vec![what.to_owned(), count.to_string(), more.to_owned()] }
}

fn speed(report: &LoadReport) -> String {
    let clients = if report.clients == 1 { "client" } else { "clients" };
    let speed = format!("{} per second by {} {clients}", report.writes_per_s, report.clients);
    match report.latency_us {
        Some(latency) => format!(
            "{speed}; p50 {}, p99 {}, max {}",
            millis(latency.p50),
            millis(latency.p99),
            millis(latency.max)
        ),
        None => speed,
    }
}

fn outage(outage: &OutageFigures) -> Row {
    let node = |node: &Option<String>| node.clone().unwrap_or_else(|| "-".to_owned());
    Row {
        style: if outage.to_ms.is_some() { PLAIN } else { WARN },
        cells: vec![
            seconds(outage.took_ms),
            seconds(outage.from_ms),
            outage.to_ms.map_or_else(|| "-".to_owned(), seconds),
            node(&outage.before),
            node(&outage.after),
        ],
    }
}

fn seconds(ms: u64) -> String {
    if ms < 1000 {
        return format!("{ms} ms");
    }
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

fn millis(us: u64) -> String {
    format!("{}.{} ms", us / 1000, us % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use pgha_core::check::{Anomaly, Checked, Kind};
    use pgha_core::history::{Latency, Ledger, Workload};

    fn drawn(report: &LoadReport) -> String {
        let checked = |check: &str, anomalies: Vec<Anomaly>| Checked {
            check: check.to_owned(),
            verdict: if anomalies.is_empty() { Verdict::Holds } else { Verdict::Violated },
            operations: 28_909,
            anomalies,
            undecided: None,
        };
        let lost = report.lost.filter(|lost| *lost > 0).map(|count| Anomaly {
            kind: Kind::Lost,
            count,
            examples: vec!["row 2051 of client 3, acknowledged at 10.020 s".to_owned()],
        });
        let judged = Judged {
            checks: vec![
                checked("ledger", lost.into_iter().collect()),
                checked("one-writer", vec![]),
            ],
            ledger: Ledger::default(),
            counted: true,
            two_writers: Duration::ZERO,
        };
        anstream::adapter::strip_str(&super::report(report, &judged)).to_string()
    }

    fn quiet() -> LoadReport {
        LoadReport {
            workload: Workload::Ledger,
            clients: 4,
            took_ms: 30_000,
            acknowledged: 28_893,
            failed: 12,
            unknown: 4,
            unknown_found: 3,
            lost: Some(0),
            lost_writes: Vec::new(),
            unexpected: 0,
            writes_per_s: 963.1,
            latency_us: Some(Latency { p50: 3_900, p99: 12_345, max: 812_000 }),
            longest_outage_ms: 84,
            outages: Vec::new(),
            read_on: Some("pgha-demo1-DC1-1".to_owned()),
        }
    }

    #[test]
    fn a_run_without_an_outage_is_five_figures() {
        insta::assert_snapshot!(drawn(&quiet()));
    }

    #[test]
    fn a_failover_that_lost_writes_is_told_with_its_times() {
        let node = |name: &str| Some(name.to_owned());
        let outages = vec![
            OutageFigures {
                from_ms: 10_020,
                to_ms: Some(28_350),
                took_ms: 18_330,
                before: node("pgha-demo1-DC1-1"),
                after: node("pgha-demo1-DC2-1"),
            },
            OutageFigures {
                from_ms: 29_000,
                to_ms: None,
                took_ms: 1_000,
                before: node("pgha-demo1-DC2-1"),
                after: None,
            },
        ];
        let (lost, longest_outage_ms) = (Some(7_946), 18_330);
        insta::assert_snapshot!(drawn(&LoadReport { lost, longest_outage_ms, outages, ..quiet() }));
        let unread = LoadReport { lost: None, read_on: None, ..quiet() };
        assert!(drawn(&unread).contains("the end could not be read"));
    }
}
