//! The page of a survival table that was tried, row by row.

use std::fmt::Write as _;

use super::{Conditions, class, escaped, head, how_it_was_measured};
use crate::drill::{Prediction, Proof, Proved};

/// The page of a proof, as far as it went.
pub fn proof(proof: &Proof, conditions: &Conditions) -> String {
    let mut out = String::new();
    head(&mut out, &format!("Survival table – {}", proof.cluster));
    verdict(&mut out, proof);
    rows(&mut out, &proof.rows);
    reasons(&mut out, &proof.rows);
    let (durability, seed) = (proof.durability.to_string(), proof.seed.to_string());
    how_it_was_measured(&mut out, [&durability, &proof.timers, &seed], conditions);
    out.push_str("</main></body></html>\n");
    out
}

fn verdict(out: &mut String, proof: &Proof) {
    let count = |prediction| proof.count(prediction);
    let (refuted, open) = (count(Prediction::Refuted), count(Prediction::NotReached));
    let (word, class) = match (refuted, open) {
        (0, 0) => ("as predicted, or better".to_owned(), "good"),
        (0, open) => (format!("{open} of {} not reached", proof.rows.len()), "open"),
        (refuted, _) => (format!("{refuted} of {} refuted", proof.rows.len()), "bad"),
    };
    let _ = write!(
        out,
        "<header><p class=\"over\">Survival table of cluster {} with {}</p><h1>Each set of lost sites, done and compared</h1>\
        <p class=\"verdict {class}\">{word}</p></header><dl class=\"figures\">",
        escaped(&proof.cluster),
        proof.durability
    );
    let sum = |of: fn(&Proved) -> Option<u64>| proof.rows.iter().filter_map(of).sum::<u64>();
    for (name, value) in [
        ("confirmed", count(Prediction::Confirmed).to_string()),
        ("better than predicted", count(Prediction::Better).to_string()),
        ("refuted", refuted.to_string()),
        ("not reached", open.to_string()),
        ("acknowledged writes", sum(|row| Some(row.run.as_ref()?.ok)).to_string()),
        ("of them lost", sum(|row| row.run.as_ref()?.lost).to_string()),
    ] {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    out.push_str("</dl>");
}

fn rows(out: &mut String, rows: &[Proved]) {
    let without_writes = |row: &Proved| row.run.as_ref().and_then(|run| run.rto_s);
    let longest = rows.iter().filter_map(without_writes).fold(1.0_f64, f64::max);
    out.push_str(
        "<div class=\"scroll\"><table class=\"proof\"><thead><tr><th scope=\"col\">Lost sites</th><th scope=\"col\">Leader</th>\
        <th scope=\"col\">Predicted: writes</th><th scope=\"col\">No writes</th><th></th><th scope=\"col\">Predicted: lost writes</th>\
        <th scope=\"col\">Lost writes</th><th scope=\"col\">Whole after</th><th scope=\"col\">Prediction</th></tr></thead><tbody>",
    );
    for row in rows {
        let run = row.run.as_ref();
        let seconds =
            |s: Option<f64>| s.map_or_else(|| "never".to_owned(), |s| format!("{s:.1} s"));
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        // Writes that never came back take all of it.
        let width = run.map_or(0.0, |run| run.rto_s.unwrap_or(longest) / longest * 1000.0);
        let colour = if run.is_some_and(|run| run.rto_s.is_none()) { "failed" } else { "part" };
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td>\
            <td><svg viewBox=\"0 0 1000 14\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
            <rect class=\"{colour}\" x=\"0\" y=\"2\" width=\"{width:.1}\" height=\"10\" rx=\"2\"/></svg></td>\
            <td>{}</td><td>{}</td><td>{}</td><td><span class=\"badge {}\">{}</span></td></tr>",
            escaped(&row.case.lost.join(" + ")),
            row.case.leader.as_str(),
            row.case.expected.writes.words(),
            or_dash(run.map(|run| seconds(run.rto_s))),
            row.case.expected.lost.as_str(),
            or_dash(run.and_then(|run| run.lost).map(|lost| lost.to_string())),
            or_dash(run.map(|run| seconds(run.full_redundancy_s))),
            class(row.prediction()),
            row.prediction().as_str()
        );
    }
    out.push_str("</tbody></table></div>");
}

fn reasons(out: &mut String, rows: &[Proved]) {
    for row in rows {
        for reason in row.reasons() {
            let (name, reason) = (escaped(&row.case.name()), escaped(&reason));
            let _ = write!(out, "<p class=\"reason\">{name}: {reason}</p>");
        }
    }
}
