//! Lessons: a list of them, questions, and what came of these.

use std::fmt::Write as _;

use pgha_core::drill::{Drill, Question, RunReport, explained};
use pgha_wan::units::format_duration;
use serde::Serialize;

use crate::screen::{GOOD, PLAIN, TITLE, WARN, table, text};
use crate::terminal;

/// One lesson of a listing.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    lesson: String,
    title: String,
    /// How long it takes about, without the time to read.
    seconds: u64,
}

/// Every lesson.
pub(crate) fn rows(lessons: &[Drill]) -> Vec<Row> {
    let row = |lesson: &Drill| Row {
        lesson: lesson.name.clone(),
        title: lesson.title.clone(),
        seconds: estimate(lesson).as_secs(),
    };
    lessons.iter().map(row).collect()
}

/// With the timers of the cluster that is made for it.
fn estimate(lesson: &Drill) -> std::time::Duration {
    let spec = lesson.cluster.clone().unwrap_or_default();
    lesson.estimate(pgha_core::dynamic::Dynamic::of(&spec).timers())
}

/// The listing.
pub(crate) fn list(rows: &[Row]) -> String {
    let row = |row: &Row| {
        let takes = format_duration(std::time::Duration::from_secs(row.seconds));
        table::Row { style: PLAIN, cells: vec![row.lesson.clone(), row.title.clone(), takes] }
    };
    let rows: Vec<table::Row> = rows.iter().map(row).collect();
    table::draw(&["LESSON", "WHAT", "TAKES ABOUT"], &[], &rows)
}

/// What a lesson begins with.
pub(crate) fn begin(lesson: &Drill, cluster: &str) -> String {
    let title = &lesson.title;
    let description = paragraphs(&lesson.description, 0);
    let Drill { load, .. } = lesson;
    let clients = match load.workload {
        pgha_core::history::Workload::None => "no clients".to_owned(),
        _ => format!("{} clients write", load.clients),
    };
    format!("\n{TITLE}{title}{TITLE:#}\n{description}\nCluster {cluster}, {clients}.\n")
}

/// Paragraphs, each wrapped to the terminal.
pub(crate) fn paragraphs(text: &str, indent: usize) -> String {
    let wrapped = |paragraph: &str| text::wrap(paragraph, indent, terminal::width());
    let all: Vec<String> = text.trim().split("\n\n").map(wrapped).collect();
    all.join(&format!("\n\n{:indent$}", ""))
}

/// A question with its choices.
pub(crate) fn question(question: &Question) -> String {
    let mut out = format!("{TITLE}{}{TITLE:#}\n", paragraphs(&question.text, 0));
    for (number, choice) in (1..).zip(&question.choices) {
        let _ = writeln!(out, "  {number}  {}", paragraphs(choice, 5));
    }
    out
}

/// Each question with its answer, explained by what was measured; `given` are the answers of a person.
pub(crate) fn answers(lesson: &Drill, given: &[usize], run: &RunReport) -> String {
    let mut out = String::new();
    for (at, question) in lesson.questions().enumerate() {
        let _ = writeln!(out, "\n{TITLE}{}{TITLE:#}", paragraphs(&question.text, 0));
        let right = question.choice(question.answer);
        match given.get(at) {
            Some(answer) if *answer != question.answer => {
                let yours = paragraphs(question.choice(*answer), 10);
                let _ = writeln!(out, "  {WARN}yours{WARN:#}   {yours}");
            }
            _ => {}
        }
        let _ = writeln!(out, "  {GOOD}answer{GOOD:#}  {}", paragraphs(right, 10));
        let _ = writeln!(out, "{}", paragraphs(&explained(&question.because, run), 0));
    }
    out
}

#[cfg(test)]
mod tests {
    use pgha_core::drill::{LESSONS, Prediction, Verdict, by_name};

    use super::*;

    fn run() -> RunReport {
        RunReport {
            verdict: Verdict { prediction: Prediction::Confirmed, reasons: Vec::new() },
            faults: Vec::new(),
            ok: 6135,
            lost: Some(1684),
            unknown: 4,
            unexpected: 0,
            two_writers_s: 8.4,
            checks: Vec::new(),
            rto_s: Some(13.5),
            full_redundancy_s: Some(13.0),
            phases: None,
            leaders: [None, None],
            commits: None,
            beside: None,
        }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_question_and_its_answer() {
        let lesson = by_name("async-loses-writes").expect("a lesson");
        let asked: Vec<String> = lesson.questions().map(question).collect();
        let told = answers(&lesson, &[1], &run());
        insta::assert_snapshot!(plain(&format!("{}{told}", asked.concat())));
        // Whoever was right is not told what they said.
        assert!(!plain(&answers(&lesson, &[3], &run())).contains("yours"));
    }

    #[test]
    fn the_list_of_lessons() {
        let lessons: Vec<Drill> = LESSONS.iter().filter_map(|(name, _)| by_name(name)).collect();
        insta::assert_snapshot!(plain(&list(&rows(&lessons))));
    }

    #[test]
    fn texts_fit_the_terminal() {
        for lesson in LESSONS.iter().filter_map(|(name, _)| by_name(name)) {
            let told =
                plain(&format!("{}{}", begin(&lesson, "drill-1"), answers(&lesson, &[], &run())));
            let long: Vec<&str> = told.lines().filter(|line| line.chars().count() > 80).collect();
            assert_eq!(long, [""; 0], "{}", lesson.name);
        }
    }
}
