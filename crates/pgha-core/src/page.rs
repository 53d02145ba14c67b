//! The page of a drill, and that of a whole survival table: one HTML document each that needs nothing else, for people who decide about a change.
//!
//! Text in, text out: where its events come from is not its concern. It has no script, asks nobody for anything, and says
//! everything in words as well as in colours.

mod chart;
mod lanes;
mod proof;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::time::Duration;

pub use proof::proof;

use crate::chronicle::Entry;
use crate::drill::{Clock, Phases, Prediction, Report, RunReport};
use crate::history::Operation;

/// What was recorded of one run.
#[derive(Debug)]
pub struct Record {
    /// What clients did.
    pub operations: Vec<Operation>,
    /// How long they were at it.
    pub took: Duration,
    /// The nodes, as operations count them.
    pub nodes: Vec<String>,
    /// What happened, by time.
    pub events: Vec<Entry>,
    /// What the clock says.
    pub clock: Clock,
}

/// How it was measured.
#[derive(Debug, Default)]
pub struct Conditions {
    /// Names and values, such as `kernel` and its version.
    pub facts: Vec<(String, String)>,
    /// The cluster file.
    pub cluster_toml: String,
}

/// Colours and type of every page.
pub const STYLE: &str = include_str!("page/style.css");

/// The page of a drill with what was recorded of each of its runs.
pub fn drill(report: &Report, records: &[Record], conditions: &Conditions) -> String {
    let mut out = String::new();
    head(&mut out, &format!("{} – {}", report.drill, report.cluster));
    verdict(&mut out, report);
    for ((number, run), record) in (1..).zip(&report.runs).zip(records) {
        let _ = write!(out, "<section id=\"run-{number}\" aria-labelledby=\"h-{number}\">");
        let _ = write!(
            out,
            "<h2 id=\"h-{number}\">Run {number}: {} <span class=\"badge {}\">{}</span></h2>",
            escaped(&run.faults.join(", ")),
            class(run.verdict.prediction),
            run.verdict.prediction.as_str()
        );
        for reason in &run.verdict.reasons {
            let _ = write!(out, "<p class=\"reason\">{}</p>", escaped(reason));
        }
        figures(&mut out, run);
        out.push_str(&chart::run(run, record));
        if let Some(phases) = &run.phases {
            waterfall(&mut out, phases, report.predicted.outage_max_s);
        }
        happened(&mut out, record);
        out.push_str("</section>");
    }
    measured(&mut out, report, conditions);
    out.push_str("</main></body></html>\n");
    out
}

fn head(out: &mut String, title: &str) {
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
        <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\
        <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
        <title>{}</title><style>{STYLE}</style></head><body><main>",
        escaped(title)
    );
}

/// Predicted beside measured.
fn verdict(out: &mut String, report: &Report) {
    let (word, class_) = if report.passed {
        ("as predicted, or better", "good")
    } else {
        ("not as predicted", "bad")
    };
    let _ = write!(
        out,
        "<header><p class=\"over\">Drill {} on cluster {}</p><h1>{}</h1><p class=\"verdict {class_}\">{word}</p>",
        escaped(&report.drill),
        escaped(&report.cluster),
        escaped(&report.title)
    );
    let violated = |run: &RunReport| run.verdict.prediction == Prediction::Refuted;
    if let Some(place) = report.runs.iter().position(violated) {
        let _ = write!(
            out,
            "<p><a href=\"#run-{0}\">Jump to the first violation: run {0}</a></p>",
            place + 1
        );
    }
    out.push_str("</header><table><thead><tr><th></th><th scope=\"col\">Predicted</th><th scope=\"col\">Measured</th></tr></thead><tbody>");
    let most = report.predicted.outage_max_s;
    let most =
        most.map_or_else(|| "until healed".to_owned(), |most| format!("{most:.0} s at most"));
    let outage = report.observed.outage_s.map_or_else(
        || "never came back".to_owned(),
        |o| {
            format!(
                "{:.1} / {:.1} / {:.1} s <small>min, median, max</small>",
                o.min, o.median, o.max
            )
        },
    );
    row(
        out,
        "No writes for",
        &format!("{} <small>{}</small>", most, report.predicted.writes.words()),
        &outage,
    );
    let (predicted, observed) = (report.predicted.lost.as_str(), &report.observed);
    let lost = format!("{} of {}", observed.lost, observed.ok);
    row(out, "Acknowledged writes lost", predicted, &lost);
    let runs = format!(
        "{} confirmed, {} better, {} refuted, {} not reached",
        observed.confirmed, observed.better, observed.refuted, observed.not_reached
    );
    row(out, "Runs", "", &runs);
    out.push_str("</tbody></table>");
}

fn row(out: &mut String, name: &str, one: &str, other: &str) {
    let _ = write!(out, "<tr><th scope=\"row\">{name}</th><td>{one}</td><td>{other}</td></tr>");
}

fn figures(out: &mut String, run: &RunReport) {
    let seconds = |s: Option<f64>| s.map_or_else(|| "–".to_owned(), |s| format!("{s:.1} s"));
    out.push_str("<dl class=\"figures\">");
    for (name, value) in [
        ("no writes", run.rto_s.map_or_else(|| "never back".to_owned(), |s| format!("{s:.1} s"))),
        ("acknowledged", run.ok.to_string()),
        ("lost", run.lost.map_or_else(|| "not known".to_owned(), |lost| lost.to_string())),
        ("unknown", run.unknown.to_string()),
        ("two writers", format!("{:.1} s", run.two_writers_s)),
        ("whole after", seconds(run.full_redundancy_s)),
    ] {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    out.push_str("</dl>");
}

/// The parts of a failover, each from where the one before ended.
fn waterfall(out: &mut String, phases: &Phases, bound: Option<f64>) {
    let parts = phases.named();
    let end = parts.iter().filter_map(|(_, at)| *at).chain(bound).fold(1.0_f64, f64::max);
    out.push_str("<h3>Failover, from the fault on</h3><table class=\"waterfall\"><tbody>");
    let mut from = 0.0;
    for (name, at) in parts {
        let Some(at) = at else {
            let _ = write!(out, "<tr><th scope=\"row\">{name}</th><td>not seen</td><td></td></tr>");
            continue;
        };
        let (x, width) = (from / end * 1000.0, ((at - from) / end * 1000.0).max(3.0));
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{name}</th><td>{at:.1} s</td><td><svg viewBox=\"0 0 1000 14\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
            <rect class=\"part\" x=\"{x:.1}\" y=\"2\" width=\"{width:.1}\" height=\"10\" rx=\"2\"/>"
        );
        if let Some(bound) = bound {
            let x = bound / end * 1000.0;
            let _ = write!(
                out,
                "<line class=\"bound\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"14\"/>"
            );
        }
        out.push_str("</svg></td></tr>");
        from = from.max(at);
    }
    out.push_str("</tbody></table>");
    if let Some(bound) = bound {
        let _ = write!(
            out,
            "<p class=\"note\">The dashed line is the predicted bound for writes: {bound:.0} s.</p>"
        );
    }
}

fn happened(out: &mut String, record: &Record) {
    let _ = write!(
        out,
        "<details><summary>{} events</summary><table class=\"events\"><tbody>",
        record.events.len()
    );
    for entry in &record.events {
        let who = entry.member.as_deref().unwrap_or("pgha");
        let (at, what) = (escaped(&entry.at), escaped(&entry.what.to_string()));
        let _ = write!(out, "<tr><td>{at}</td><td>{}</td><td>{what}</td></tr>", escaped(who));
    }
    out.push_str("</tbody></table></details>");
}

fn measured(out: &mut String, report: &Report, conditions: &Conditions) {
    let seed = report.seed.to_string();
    let settings = [report.durability.as_str(), &report.timers, &seed];
    how_it_was_measured(out, settings, conditions);
}

/// Durability, timers and seed, and what else is known of it.
fn how_it_was_measured(out: &mut String, settings: [&str; 3], conditions: &Conditions) {
    out.push_str("<section><h2>How it was measured</h2><dl class=\"facts\">");
    let names = ["durability", "timers (ttl/loop_wait/retry_timeout)", "seed"];
    let facts = conditions.facts.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in names.into_iter().zip(settings).chain(facts) {
        let _ = write!(out, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value));
    }
    let _ = write!(
        out,
        "</dl><p class=\"note\">Times without writes are what clients saw: from the last acknowledged write to the next. A write \
        without an answer is unknown, and never counted as lost. All members and clients run on one machine, with one clock.</p>\
        <details><summary>Cluster file</summary><pre>{}</pre></details></section>",
        escaped(&conditions.cluster_toml)
    );
}

fn class(prediction: Prediction) -> &'static str {
    match prediction {
        Prediction::Confirmed | Prediction::Better => "good",
        Prediction::Refuted => "bad",
        Prediction::NotReached => "open",
    }
}

/// The name of a member without what all of them begin with.
fn short(member: &str) -> &str {
    member.strip_prefix("pgha-").unwrap_or(member)
}

/// Text as it may stand in the document, also in an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
