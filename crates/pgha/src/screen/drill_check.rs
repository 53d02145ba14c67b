//! The report folder of a drill: what is said of it again, and which lies in it are found.

use std::fmt::Write as _;

use pgha_core::check::Told;
use pgha_core::drill::{Again, Difference, Prediction, Report};
use serde::Serialize;

use crate::screen::{BAD, PLAIN, WARN, table};

/// One lie in one run.
#[derive(Debug, Serialize)]
pub(crate) struct Planted {
    pub(crate) run: usize,
    pub(crate) lie: &'static str,
    pub(crate) result: Told,
}

/// What is said of each run, then and now.
pub(crate) fn check(report: &Report, runs: &[Again], totals: &[Difference]) -> String {
    let row = |(number, run): (usize, &Again)| {
        let now = run.now.as_ref().map_or("not judged again", |now| now.prediction.as_str());
        let differs = match run.differs.len() {
            0 => "nothing".to_owned(),
            _ => run.differs.iter().map(|d| d.what).collect::<Vec<_>>().join(", "),
        };
        let style = match run.now.as_ref().unwrap_or(&run.then).prediction {
            _ if !run.differs.is_empty() => BAD,
            Prediction::Refuted => BAD,
            Prediction::NotReached => WARN,
            Prediction::Confirmed | Prediction::Better => PLAIN,
        };
        let then = run.then.prediction.as_str().to_owned();
        table::Row { style, cells: vec![number.to_string(), then, now.to_owned(), differs] }
    };
    let rows: Vec<table::Row> = (1..).zip(runs).map(row).collect();
    let mut out = format!("{}: {}\n", report.drill, report.title);
    out.push_str(&table::draw(&["RUN", "THEN", "NOW", "DIFFERS"], &[0], &rows));
    let differs = |out: &mut String, of: &str, all: &[Difference]| {
        for Difference { what, then, now } in all {
            let _ = writeln!(out, "  {of}{what}: then {}, now {}", said(then), said(now));
        }
    };
    for (number, run) in (1..).zip(runs) {
        differs(&mut out, &format!("run {number}: "), &run.differs);
        if let Some(open) = run.open {
            let _ = writeln!(out, "  run {number}: not judged again: {open}");
        }
        for reason in run.now.iter().flat_map(|now| &now.reasons) {
            let _ = writeln!(out, "  run {number}: {reason}");
        }
    }
    differs(&mut out, "all runs: ", totals);
    out
}

fn said(value: &str) -> &str {
    if value.is_empty() { "none" } else { value }
}

/// What became of each lie.
pub(crate) fn self_test(planted: &[Planted]) -> String {
    let row = |lie: &Planted| table::Row {
        style: if lie.result == Told::Missed { BAD } else { PLAIN },
        cells: vec![lie.run.to_string(), lie.lie.to_owned(), lie.result.as_str().to_owned()],
    };
    let rows: Vec<table::Row> = planted.iter().map(row).collect();
    let count = |result| planted.iter().filter(|lie| lie.result == result).count();
    let mut out = table::draw(&["RUN", "PLANTED LIE", "RESULT"], &[0], &rows);
    let (found, missed) = (count(Told::Found), count(Told::Missed));
    let _ = writeln!(out, "{found} found, {missed} not found, {} no place", count(Told::NoPlace));
    out
}
