//! What `--compare` shows: variants of one cluster, each in a column.

use std::fmt::Write as _;

use pgha_core::drill::{Observed, Prediction, Report};
use pgha_core::plan::Plan;
use pgha_core::prediction::Outage;
use pgha_core::survival::{Outcome, explicit};
use pgha_core::topology::Topology;

use crate::screen::TITLE;
use crate::screen::drill::predicted;
use crate::screen::table::{WIDTH_MAX, bad, wrapped};
use crate::screen::text::wrap;

/// Most sets of sites that have a row; of more, single sites alone.
const SETS_MAX: usize = 15;

/// A title, and below it a column for each variant.
fn columns<'a>(
    title: &str,
    first: &'a str,
    variants: impl Iterator<Item = &'a str>,
    rows: Vec<Vec<String>>,
) -> String {
    let header: Vec<&str> = [first].into_iter().chain(variants).collect();
    let body = wrapped(&header, &[], rows.into_iter());
    format!("{TITLE}{title}{TITLE:#}\n{body}\n")
}

/// What came of the same drill on each variant.
pub(crate) fn drills(done: &[(String, Report)]) -> String {
    let Some((_, report)) = done.first() else { return String::new() };
    let row = |name: &str, cell: &dyn Fn(&Report) -> String| {
        let cells = done.iter().map(|(_, report)| cell(report));
        [name.to_owned()].into_iter().chain(cells).collect()
    };
    let number =
        |number: u64| if number == 0 { number.to_string() } else { bad(&number.to_string()) };
    let rows = vec![
        row("predicted", &|it| predicted(it)),
        row("no writes (min/median/max)", &|it| {
            it.observed.outage_s.map_or_else(|| bad("never again"), |outage| outage.to_string())
        }),
        row("acknowledged", &|it| it.observed.ok.to_string()),
        row("lost", &|it| number(it.observed.lost)),
        row("unknown", &|it| it.observed.unknown.to_string()),
        row("verdict", &|it| verdict(it)),
    ];
    let title = format!("{}: {}", report.drill, report.title);
    columns(&title, "", done.iter().map(|(name, _)| name.as_str()), rows)
}

/// What became of the prediction; with several runs, of how many.
fn verdict(report: &Report) -> String {
    let Observed { confirmed, better, refuted, not_reached, .. } = report.observed;
    let each = [
        (confirmed, Prediction::Confirmed),
        (better, Prediction::Better),
        (refuted, Prediction::Refuted),
        (not_reached, Prediction::NotReached),
    ];
    let one = report.runs.len() == 1;
    let words = each.into_iter().filter(|(count, _)| *count > 0).map(|(count, prediction)| {
        let word = prediction.as_str();
        let words = if one { word.to_owned() } else { format!("{count} {word}") };
        let good = matches!(prediction, Prediction::Confirmed | Prediction::Better);
        if good { words } else { bad(&words) }
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Survival and predicted write outage of each variant; all are of the same sites.
pub(crate) fn tables(variants: &[(String, Topology, Plan)]) -> String {
    let names = variants.iter().map(|(name, ..)| name.as_str());
    let mut out = String::new();
    let mut table = |title: &str, first: &'static str, rows: Vec<Vec<String>>| {
        let drawn = columns(title, first, names.clone(), rows);
        writeln!(out, "{drawn}").expect("a string takes it");
    };
    table("Writes after a loss", "LOST", survival(variants));
    table("Predicted write outage in seconds (min / avg / max)", "FAILURE", outages(variants));
    let note = "site loss: with etcd's leader in it at worst. crash: of Postgres alone, with the longest recovery \
        that primary_start_timeout allows at most. docs/survival.md has the model.";
    writeln!(out, "{}", wrap(note, 0, WIDTH_MAX.into())).expect("a string takes it");
    out
}

fn survival(variants: &[(String, Topology, Plan)]) -> Vec<Vec<String>> {
    let Some((_, topology, plan)) = variants.first() else { return Vec::new() };
    let all = plan.survival.len() <= SETS_MAX;
    let rows = explicit(topology, &plan.survival).into_iter().enumerate();
    rows.filter(|(n, _)| all || plan.survival[*n].lost.len() == 1)
        .map(|(n, row)| {
            let answers = variants.iter().map(|(_, _, plan)| answer(plan.survival[n].outcome));
            [row.lost].into_iter().chain(answers).collect()
        })
        .collect()
}

/// What a loss does: to writes that come, and to those that were acknowledged.
fn answer(outcome: Outcome) -> String {
    match (outcome.stops_writes(), outcome.acknowledged_loss) {
        (false, false) => "go on".to_owned(),
        (false, true) => bad("go on, may lose some"),
        (true, false) => bad("stop"),
        (true, true) => bad("stop, may lose some"),
    }
}

fn outages(variants: &[(String, Topology, Plan)]) -> Vec<Vec<String>> {
    let seconds = |Outage { min_s, avg_s, max_s }| format!("{min_s:.0} / {avg_s:.0} / {max_s:.0}");
    let predicted = || variants.iter().filter_map(|(_, _, plan)| plan.predicted_write_outage);
    let row = |name: &str, of: &dyn Fn(pgha_core::prediction::Prediction) -> Outage| {
        [name.to_owned()].into_iter().chain(predicted().map(|it| seconds(of(it)))).collect()
    };
    vec![
        row("node loss", &|it| it.node_loss),
        row("site loss", &|it| it.site_loss),
        row("crash", &|it| it.crash),
        row("switchover", &|it| it.switchover),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgha_core::drill::{self, RunReport, Verdict};
    use pgha_core::dynamic::Dynamic;
    use pgha_core::spec::{Durability, Spec, TimerPreset};

    fn screen(specs: Vec<(&str, Spec)>) -> String {
        let variants: Vec<_> = specs
            .into_iter()
            .map(|(name, spec)| {
                (name.to_owned(), Topology::new(spec.clone(), 1), Plan::of(&spec, None))
            })
            .collect();
        let text = anstream::adapter::strip_str(&tables(&variants)).to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        text
    }

    #[test]
    fn two_durabilities_stand_side_by_side() {
        let of = |durability| Spec { data_centers: 2, durability, ..Spec::default() };
        insta::assert_snapshot!(screen(vec![
            ("async", of(Durability::Async)),
            ("quorum", of(Durability::Quorum))
        ]));
    }

    #[test]
    fn what_came_of_a_drill_with_two_durabilities_stands_side_by_side() {
        let drill = drill::by_name("site-isolated").expect("a drill");
        let of = |durability, runs: &[(f64, u64, Prediction)]| {
            let timers = TimerPreset::Fast;
            let spec = Spec { data_centers: 3, durability, timers, ..Spec::default() };
            let expected = drill.expect[&durability];
            let begun = Report::begun(&drill, "drill-1".into(), 7, Dynamic::of(&spec), expected);
            let run = |(rto_s, lost, prediction): &(f64, u64, Prediction)| RunReport {
                verdict: Verdict { prediction: *prediction, reasons: Vec::new() },
                faults: Vec::new(),
                ok: 6135,
                lost: Some(*lost),
                unknown: 4,
                unexpected: 0,
                two_writers_s: 0.0,
                checks: Vec::new(),
                rto_s: Some(*rto_s),
                full_redundancy_s: Some(13.0),
                phases: None,
                leaders: [None, None],
                commits: None,
                beside: None,
            };
            (durability.to_string(), begun.with_runs(runs.iter().map(run).collect()))
        };
        let (good, bad) = (Prediction::Confirmed, Prediction::Refuted);
        let done = [
            of(Durability::Async, &[(13.5, 1684, good), (14.0, 12, good)]),
            of(Durability::Quorum, &[(13.4, 0, good), (40.0, 0, bad)]),
        ];
        let text = anstream::adapter::strip_str(&drills(&done)).to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(text);
        assert_eq!((verdict(&done[0].1).as_str(), drills(&[])), ("2 confirmed", String::new()));
    }

    #[test]
    fn two_presets_of_timers_differ_in_their_outages_alone() {
        let of = |timers| Spec { data_centers: 12, timers, ..Spec::default() };
        let text = screen(vec![("fast", of(TimerPreset::Fast)), ("norm", of(TimerPreset::Norm))]);
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(words.join(" ").contains("node loss 15 / 22 / 29 25 / 32 / 39"), "{text}");
        assert!(!text.contains("DC1 + DC2"), "{text}");
    }
}
