//! `pgha drill check` and `self-test`: the report folder of a drill, without a cluster.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use pgha_core::check::Told;
use pgha_core::drill::{self, Again, Difference, Report};
use pgha_core::history::History;
use serde::Serialize;

use crate::cli::drill::DrillFolder;
use crate::error::{Error, Result};
use crate::screen::drill_check::Planted;
use crate::{screen, terminal};

/// What `drill check --json` prints.
#[derive(Debug, Serialize)]
struct Checked<'a> {
    drill: &'a str,
    runs: &'a [Again],
    /// What the report says over all runs, and its runs do not.
    differs: &'a [Difference],
    passed: bool,
}

/// Carries out `drill check`.
pub(crate) fn check(args: &DrillFolder) -> Result<()> {
    let (report, histories) = read(&args.folder)?;
    let both = report.runs.iter().zip(&histories);
    let runs: Vec<Again> = both.map(|(run, history)| Again::of(&report, run, history)).collect();
    let totals = drill::totals(&report, histories.len());
    let passed = !runs.is_empty() && totals.is_empty() && runs.iter().all(Again::passed);
    if args.json {
        let (drill, runs, differs) = (&report.drill, &runs, &totals);
        terminal::print_json(&Checked { drill, runs, differs, passed })?;
    } else {
        terminal::print(&screen::drill_check::check(&report, &runs, &totals))?;
    }
    if passed {
        return Ok(());
    }
    let same = totals.is_empty() && runs.iter().all(|run| run.differs.is_empty());
    let folder = args.folder.display();
    Err(if same {
        Error::violated(format!("{} was not as predicted, and {folder} says so", report.drill))
            .hint("docs/drills.md explains the verdict")
    } else {
        Error::violated(format!("{folder} says something else than its histories"))
            .hint("it was edited, or another version of pgha has judged it")
    })
}

/// Carries out `drill self-test`.
pub(crate) fn self_test(args: &DrillFolder) -> Result<()> {
    let (report, histories) = read(&args.folder)?;
    let mut planted = Vec::new();
    for (number, (run, history)) in (1..).zip(report.runs.iter().zip(&histories)) {
        let told = drill::self_test(&report, run, history).into_iter();
        planted.extend(told.map(|(lie, result)| Planted { run: number, lie, result }));
    }
    if args.json {
        terminal::print_json(&planted)?;
    } else {
        terminal::print(&screen::drill_check::self_test(&planted))?;
    }
    let missed = planted.iter().filter(|lie| lie.result == Told::Missed).count();
    if missed > 0 {
        return Err(Error::violated(format!("{missed} planted lies were not found"))
            .hint("the checkers are wrong: please report it with this folder"));
    }
    if planted.iter().any(|lie| lie.result == Told::Found) {
        return Ok(());
    }
    Err(Error::violated("no lie had a place in these histories, so nothing was tested"))
}

/// The report with the history of each run, and those that are there beside it.
fn read(folder: &Path) -> Result<(Report, Vec<History>)> {
    let path = folder.join("report.json");
    let shown = path.display();
    let text = fs::read_to_string(&path).map_err(|why| {
        let error = match why.kind() {
            ErrorKind::NotFound => Error::missing(format!("there is no {shown}")),
            _ => Error::failed(format!("cannot read {shown}")),
        };
        error.because(why).hint("`pgha drill run --report DIR` makes such a folder in DIR")
    })?;
    let report: Report = serde_json::from_str(&text)
        .map_err(|why| Error::bad_input(format!("{shown} is no report of a drill")).because(why))?;
    let mut histories = Vec::new();
    loop {
        let number = histories.len() + 1;
        let path = history_path(folder, number);
        match File::open(&path) {
            Ok(file) => histories.push(history(&path, file)?),
            Err(why) if why.kind() == ErrorKind::NotFound && number > report.runs.len() => break,
            Err(why) => {
                return Err(Error::missing(format!("cannot read {}", path.display()))
                    .because(why)
                    .hint("each run of the report is judged by what its clients did"));
            }
        }
    }
    Ok((report, histories))
}

fn history(path: &Path, file: File) -> Result<History> {
    History::read_from(BufReader::new(file))
        .map_err(|why| Error::bad_input(format!("{} is no history", path.display())).because(why))
}

/// Where what clients did in a run is kept.
pub(super) fn history_path(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("run-{number}.history.jsonl"))
}
