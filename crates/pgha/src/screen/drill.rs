//! Drills: a list of them, what one will do, and what came of it.

use std::fmt::Write as _;

use pgha_core::drill::{
    Alerted, Case, Drill, Expectation, Lost, Phases, Prediction, Proof, Proved, Report,
};
use pgha_core::spec::Durability;
use pgha_core::topology::Topology;
use pgha_core::tuning::PatroniTimers;
use pgha_wan::units::format_duration;
use serde::Serialize;

use crate::screen::{BAD, PLAIN, WARN, table};

/// One drill of a listing.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    name: String,
    title: String,
    /// By durability.
    expected: Vec<Expected>,
    /// Why it is not for the cluster.
    not_for: Option<String>,
}

/// What is expected under one durability.
#[derive(Debug, Serialize)]
pub(crate) struct Expected {
    durability: Durability,
    #[serde(flatten)]
    expectation: Expectation,
}

/// Every drill with what is expected, in a cluster where one is given.
pub(crate) fn rows(drills: &[Drill], there: Option<&Topology>) -> Vec<Row> {
    let row = |drill: &Drill| {
        let of = |(durability, expectation): (&Durability, &Expectation)| Expected {
            durability: *durability,
            expectation: *expectation,
        };
        let asked = there.map(|topology| drill.expected(topology, topology.spec.durability));
        let expected = match (&asked, there) {
            (None, _) | (_, None) => drill.expect.iter().map(of).collect(),
            (Some(Ok(one)), Some(topology)) => {
                vec![Expected { durability: topology.spec.durability, expectation: *one }]
            }
            (Some(Err(_)), _) => Vec::new(),
        };
        let not_for = asked.and_then(Result::err).map(|why| why.to_string());
        Row { name: drill.name.clone(), title: drill.title.clone(), expected, not_for }
    };
    drills.iter().map(row).collect()
}

/// The listing.
pub(crate) fn list(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let last = match (&row.not_for, row.expected.as_slice()) {
            (Some(why), _) => why.clone(),
            (None, [one]) => said(one.expectation),
            (None, all) => lossless(all),
        };
        table::Row { style: PLAIN, cells: vec![row.name.clone(), row.title.clone(), last] }
    };
    let rows: Vec<table::Row> = rows.iter().map(line).collect();
    table::draw(&["DRILL", "WHAT", "EXPECTED"], &[], &rows)
}

fn said(expected: Expectation) -> String {
    format!("writes {}, {}", expected.writes.words(), lost(expected.lost))
}

fn lost(lost: Lost) -> &'static str {
    match lost {
        Lost::None => "none lost",
        Lost::Possible => "some may be lost",
        Lost::Some => "some are lost",
    }
}

/// Which durabilities may lose something.
fn lossless(all: &[Expected]) -> String {
    let loses: Vec<&str> = all
        .iter()
        .filter(|e| e.expectation.lost != Lost::None)
        .map(|e| e.durability.as_str())
        .collect();
    if loses.is_empty() {
        "none lost".to_owned()
    } else {
        format!("may lose writes: {}", loses.join(", "))
    }
}

/// What a drill will do, and what is expected.
pub(crate) fn plan(drill: &Drill, report: &Report, timers: PatroniTimers) -> String {
    let mut out = format!("{}: {}\n", drill.name, drill.title);
    for step in drill.in_words() {
        let _ = writeln!(out, "  {step}");
    }
    let _ = writeln!(
        out,
        "Expected with {}, timers {}: {}; about {} for each run",
        report.durability,
        report.timers,
        predicted(report),
        format_duration(std::time::Duration::from_secs(drill.estimate(timers).as_secs()))
    );
    out
}

/// What is expected of writes.
pub(crate) fn predicted(report: &Report) -> String {
    let predicted = report.predicted;
    let most =
        predicted.outage_max_s.map(|most| format!(", {most:.0} s at most")).unwrap_or_default();
    format!("writes {}{most}; {}", predicted.writes.words(), lost(predicted.lost))
}

/// What came of it.
pub(crate) fn report(report: &Report) -> String {
    let row = |(number, run): (usize, &pgha_core::drill::RunReport)| {
        let seconds = |s: Option<f64>| s.map_or("never".to_owned(), |s| format!("{s:.1} s"));
        table::Row {
            style: PLAIN,
            cells: vec![
                number.to_string(),
                run.faults.join(", "),
                seconds(run.rto_s),
                run.ok.to_string(),
                run.lost.map_or("unknown".to_owned(), |lost| lost.to_string()),
                run.unknown.to_string(),
                seconds(run.full_redundancy_s),
                run.verdict.prediction.as_str().to_owned(),
            ],
        }
    };
    let rows: Vec<table::Row> = (1..).zip(&report.runs).map(row).collect();
    let header = [
        "RUN",
        "FAULT",
        "NO WRITES",
        "ACKNOWLEDGED",
        "LOST",
        "UNKNOWN",
        "WHOLE AFTER",
        "PREDICTION",
    ];
    let mut out = table::draw(&header, &[0, 2, 3, 4, 5, 6], &rows);
    let _ = writeln!(out, "Predicted  {}", predicted(report));
    let observed = &report.observed;
    let outage = observed.outage_s.map_or("writes never came back".to_owned(), |o| {
        format!("no writes for {o} (min, median, max)")
    });
    let runs = report.runs.len();
    let bound = if runs >= 3 && observed.lost == 0 {
        format!(
            "; with {runs} clean runs the chance of a loss is below {:.0} % (95 %)",
            300.0 / runs_f64(runs)
        )
    } else {
        String::new()
    };
    let _ = writeln!(
        out,
        "Measured   {outage}; {} of {} acknowledged writes lost{bound}",
        observed.lost, observed.ok
    );
    if let Some((number, phases)) = report.median_failover() {
        out.push_str(&failover(number, phases));
    }
    for (number, run) in (1..).zip(&report.runs) {
        if run.two_writers_s > 0.0 {
            let both = run.two_writers_s;
            let _ = writeln!(out, "  run {number}: two nodes accepted writes for {both:.3} s");
        }
    }
    for (number, run) in (1..).zip(&report.runs) {
        for Alerted { alert, after_s, within_s } in run.beside.iter().flat_map(|it| &it.alerts) {
            let fired = after_s.map_or_else(
                || format!("did not fire within {within_s:.0} s"),
                |after| format!("fired after {after:.1} s"),
            );
            let _ = writeln!(out, "Alert      {alert} {fired} (run {number})");
        }
    }
    let verdict = if report.passed { "as predicted, or better" } else { "not as predicted" };
    let _ = writeln!(out, "Verdict    {verdict}; seed {}", report.seed);
    for reason in reasons(report) {
        let _ = writeln!(out, "  {reason}");
    }
    out
}

/// The parts of a failover, counted from the fault, in two lines.
fn failover(number: usize, phases: &Phases) -> String {
    let part = |(name, at): &(&str, Option<f64>)| {
        at.map_or_else(|| format!("{name} not seen"), |at| format!("{name} {at:.1} s"))
    };
    let parts: Vec<String> = phases.named().iter().map(part).collect();
    let (first, last) = parts.split_at(4);
    format!("Failover   {},\n           {} (run {number})\n", first.join(", "), last.join(", "))
}

#[allow(clippy::cast_precision_loss, reason = "at most a thousand")]
fn runs_f64(runs: usize) -> f64 {
    runs as f64
}

/// Why a run is not simply confirmed, a line each.
pub(crate) fn reasons(report: &Report) -> Vec<String> {
    let of = |(number, run): (usize, &pgha_core::drill::RunReport)| {
        let verdict = run.verdict.clone();
        verdict.reasons.into_iter().map(move |why| format!("run {number}: {why}"))
    };
    (1..).zip(&report.runs).flat_map(of).collect()
}

/// The rows of a survival table that are to be tried.
pub(crate) fn cases(cases: &[Case]) -> String {
    let row = |case: &Case| table::Row {
        style: PLAIN,
        cells: vec![
            case.lost.join(" + "),
            case.leader.as_str().to_owned(),
            case.expected.writes.words().to_owned(),
            lost(case.expected.lost).to_owned(),
        ],
    };
    let rows: Vec<table::Row> = cases.iter().map(row).collect();
    table::draw(&["LOST", "LEADER", "WRITES", "ACKNOWLEDGED"], &[], &rows)
}

/// What came of trying them.
pub(crate) fn proof(proof: &Proof) -> String {
    let seconds = |s: Option<f64>| s.map_or("never".to_owned(), |s| format!("{s:.1} s"));
    let row = |row: &Proved| {
        let run = row.run.as_ref();
        table::Row {
            style: match row.prediction() {
                Prediction::Confirmed | Prediction::Better => PLAIN,
                Prediction::Refuted => BAD,
                Prediction::NotReached => WARN,
            },
            cells: vec![
                row.case.lost.join(" + "),
                row.case.leader.as_str().to_owned(),
                row.case.expected.writes.words().to_owned(),
                run.map_or_else(|| "-".to_owned(), |run| seconds(run.rto_s)),
                run.and_then(|run| run.lost)
                    .map_or_else(|| "-".to_owned(), |lost| lost.to_string()),
                run.map_or_else(|| "-".to_owned(), |run| seconds(run.full_redundancy_s)),
                row.prediction().as_str().to_owned(),
            ],
        }
    };
    let rows: Vec<table::Row> = proof.rows.iter().map(row).collect();
    let header = [
        "LOST",
        "LEADER",
        "PREDICTED: WRITES",
        "NO WRITES",
        "LOST WRITES",
        "WHOLE AFTER",
        "PREDICTION",
    ];
    let mut out = table::draw(&header, &[3, 4, 5], &rows);
    let _ = writeln!(
        out,
        "{} with {}, timers {}: {} confirmed, {} better than predicted, {} refuted, {} not reached",
        proof.cluster,
        proof.durability,
        proof.timers,
        proof.count(Prediction::Confirmed),
        proof.count(Prediction::Better),
        proof.count(Prediction::Refuted),
        proof.count(Prediction::NotReached),
    );
    for row in &proof.rows {
        for reason in row.reasons() {
            let _ = writeln!(out, "  {}: {reason}", row.case.name());
        }
    }
    out
}
