//! The screens of `pgha wan`: the matrix of sites, what a change has come to, and traffic.
//!
//! Draws a [`WanView`] and judges nothing: whether a round trip is as asked is decided with it.

use std::fmt::Write as _;

use anstyle::Style;
use pgha_core::links::view::{LinkStanding, LinkView, PairView, WanView, milliseconds, remarks};
use pgha_core::words::bytes;
use pgha_wan::control::Direction;
use pgha_wan::measured::Verdict;
use pgha_wan::sample::{LinkSample, Sample};
use pgha_wan::settings::{Cut, RateLimit, differences};

use crate::screen::table::{self, Row};
use crate::screen::{BAD, GOOD, PLAIN, TITLE, WARN};

/// Most sites that are drawn as a matrix; more do not fit a screen and are listed by pair.
const MATRIX_SITES_MAX: usize = 5;
/// Columns of a cell of the matrix.
const CELL: usize = 18;

/// `pgha wan show`.
pub(crate) fn draw(view: &WanView) -> String {
    let mut out = headline(view);
    for pair in &view.pairs {
        if let Some(difference) = pair.difference() {
            let _ = writeln!(out, "  {WARN}warning{WARN:#}: {difference}");
        }
    }
    if view.sites.len() <= MATRIX_SITES_MAX {
        let title = "Round trips; → is the link from the left to the top, ← the one back";
        let _ = write!(out, "\n{TITLE}{title}{TITLE:#}\n{}", matrix(view));
    } else {
        let title = "Round trips";
        let _ = write!(out, "\n{TITLE}{title}{TITLE:#}\n{}", pairs(view, |_| true));
    }
    let unlike: Vec<&LinkView> =
        view.links.iter().filter(|l| l.state != LinkStanding::AsSpecified).collect();
    if !unlike.is_empty() {
        let _ = write!(
            out,
            "\n{TITLE}Not as the cluster file says{TITLE:#}\n{}",
            against_spec(&unlike)
        );
    }
    let lopsided: Vec<(&LinkView, &LinkView)> = lopsided(view).collect();
    if !lopsided.is_empty() {
        let _ =
            write!(out, "\n{TITLE}Not the same both ways{TITLE:#}\n{}", by_direction(&lopsided));
    }
    let _ = writeln!(out, "\nseed {}", view.seed);
    out
}

/// What the links of a change have become.
pub(crate) fn changed(view: &WanView, links: &[Direction]) -> String {
    pairs(view, |pair| {
        let [a, b] = &pair.between;
        links.iter().any(|l| (&l.from, &l.to) == (a, b) || (&l.from, &l.to) == (b, a))
    })
}

fn headline(view: &WanView) -> String {
    let count = |standing| view.links.iter().filter(|l| l.state == standing).count();
    let (cut, changed) = (count(LinkStanding::Cut), count(LinkStanding::Changed));
    let all = view.links.len();
    let (style, said) = match (cut, changed) {
        _ if view.waiting_for_cluster => {
            (WARN, "WAN latency applies once the cluster is ready".to_owned())
        }
        (0, 0) => (GOOD, format!("all {all} links are as the cluster file says")),
        (0, changed) => (WARN, format!("of {all} links {changed} changed")),
        (cut, 0) => (BAD, format!("of {all} links {cut} cut")),
        (cut, changed) => (BAD, format!("of {all} links {cut} cut, {changed} changed")),
    };
    let style = style.bold();
    format!("{style}{}-{}: {said}{style:#}\n", view.cluster, view.instance)
}

/// One block for each site but the last, a column for each but the first: each pair once.
fn matrix(view: &WanView) -> String {
    let mut out = String::new();
    let name_width = view.sites.iter().map(String::len).max().unwrap_or_default() + 2;
    let header: String = view.sites.iter().skip(1).fold(String::new(), |mut line, site| {
        let _ = write!(line, "{site:CELL$}");
        line
    });
    let _ = writeln!(out, "  {TITLE}{:name_width$}{}{TITLE:#}", "", header.trim_end());
    for (n, from) in view.sites.iter().enumerate().take(view.sites.len().saturating_sub(1)) {
        let to = |(m, to): (usize, &String)| if m > n { cell(view, from, to) } else { Vec::new() };
        let cells: Vec<Vec<(Style, String)>> =
            view.sites.iter().enumerate().skip(1).map(to).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or_default();
        for line in 0..height {
            let name = if line == 0 { from.as_str() } else { "" };
            let _ = write!(out, "  {TITLE}{name:name_width$}{TITLE:#}");
            let last = cells.iter().rposition(|cell| cell.len() > line).unwrap_or_default();
            for (column, cell) in cells.iter().enumerate().take(last + 1) {
                let (style, text) = cell.get(line).cloned().unwrap_or((PLAIN, String::new()));
                let pad =
                    if column == last { 0 } else { CELL.saturating_sub(text.chars().count()) };
                let _ = write!(out, "{style}{text}{style:#}{:pad$}", "");
            }
            out.push('\n');
        }
    }
    out
}

/// What stands in the row of one site and the column of another, a line each.
fn cell(view: &WanView, from: &str, to: &str) -> Vec<(Style, String)> {
    let (Some(pair), Some(there), Some(back)) =
        (view.pair(from, to), view.link(from, to), view.link(to, from))
    else {
        return vec![(PLAIN, "–".to_owned())];
    };
    let of_each = |each: &dyn Fn(&LinkView) -> Vec<(Style, String)>| {
        let (there, back) = (each(there), each(back));
        let of_one = |lines: &[(Style, String)], other: &[(Style, String)], arrow: &str| {
            let alone = lines.iter().filter(|line| !other.contains(line));
            alone.map(|(style, text)| (*style, format!("{arrow} {text}"))).collect::<Vec<_>>()
        };
        let both = there.iter().filter(|line| back.contains(line)).cloned().collect();
        [both, of_one(&there, &back, "→"), of_one(&back, &there, "←")].concat()
    };
    let mut lines = match pair.asked_us {
        Some(us) => vec![(PLAIN, asked(us))],
        None => of_each(&|link| {
            if link.settings.cut == Cut::Yes { vec![(BAD, "cut".to_owned())] } else { Vec::new() }
        }),
    };
    lines.push(measured(pair));
    lines.extend(of_each(&|link| {
        remarks(&link.settings).into_iter().map(|remark| (PLAIN, remark)).collect()
    }));
    lines.extend(of_each(&|link| match link.state {
        LinkStanding::AsSpecified => Vec::new(),
        // That it is cut is told above; for how long is not.
        LinkStanding::Cut if link.undone_in_ms.is_none() => Vec::new(),
        LinkStanding::Cut | LinkStanding::Changed => vec![(WARN, standing(link))],
    }));
    lines
}

fn asked(us: u64) -> String {
    if us == 0 { "no latency".to_owned() } else { format!("{} set", milliseconds(us)) }
}

fn measured(pair: &PairView) -> (Style, String) {
    let style = match pair.verdict {
        Verdict::AsAsked => GOOD,
        Verdict::Differs | Verdict::Unclear => WARN,
        Verdict::NoAnswer | Verdict::NotCut => BAD,
        Verdict::NotMeasured => PLAIN,
    };
    let text = match (pair.verdict, pair.measured_us) {
        (Verdict::NotMeasured, _) => "not measured".to_owned(),
        (_, Some(us)) => format!("{} measured", milliseconds(us)),
        (_, None) => "no answer".to_owned(),
    };
    (style, text)
}

/// `changed (24 s)`: for how long still.
fn standing(link: &LinkView) -> String {
    let word = match link.state {
        LinkStanding::AsSpecified => "as specified",
        LinkStanding::Changed => "changed",
        LinkStanding::Cut => "cut",
    };
    match link.undone_in_ms {
        Some(ms) => format!("{word} ({} s)", ms.div_ceil(1000)),
        None => word.to_owned(),
    }
}

/// One line for each pair.
fn pairs(view: &WanView, shown: impl Fn(&PairView) -> bool) -> String {
    let row = |pair: &PairView| {
        let [a, b] = &pair.between;
        let both = [view.link(a, b), view.link(b, a)];
        let of = |each: &dyn Fn(&LinkView) -> String| {
            let [forth, back] = both.map(|link| link.map(each).unwrap_or_default());
            if forth == back { forth } else { format!("{forth} / {back}") }
        };
        let (style, measured) = measured(pair);
        let state = of(&standing);
        Row {
            style: match style {
                GOOD if state != "as specified" => WARN,
                GOOD => PLAIN,
                other => other,
            },
            cells: vec![
                format!("{a} – {b}"),
                pair.asked_us.map_or_else(
                    || "cut".to_owned(),
                    |us| {
                        if us == 0 { "none".to_owned() } else { milliseconds(us) }
                    },
                ),
                measured.trim_end_matches(" measured").to_owned(),
                of(&|link| link.settings.loss.to_string()),
                of(&|link| RateLimit(link.settings.rate).to_string()),
                state,
            ],
        }
    };
    let rows: Vec<Row> = view.pairs.iter().filter(|pair| shown(pair)).map(row).collect();
    table::draw(&["SITES", "CONFIGURED", "MEASURED", "LOSS", "RATE", "STATE"], &[1, 2, 3, 4], &rows)
}

/// Links beside what the specification says.
fn against_spec(links: &[&LinkView]) -> String {
    let row = |link: &&LinkView| Row {
        style: if link.state == LinkStanding::Cut { BAD } else { WARN },
        cells: vec![
            format!("{} to {}", link.from, link.to),
            or_same(&differences(&link.settings, &link.spec)),
            or_same(&differences(&link.spec, &link.settings)),
            link.undone_in_ms.map_or_else(
                || "until reset".to_owned(),
                |ms| format!("{} s left", ms.div_ceil(1000)),
            ),
        ],
    };
    let rows: Vec<Row> = links.iter().map(row).collect();
    table::draw(&["LINK", "NOW", "CLUSTER FILE", "HOLDS"], &[], &rows)
}

fn or_same(said: &[String]) -> String {
    if said.is_empty() { "the same".to_owned() } else { said.join(", ") }
}

/// Pairs whose directions differ, as the cluster file has it.
fn lopsided(view: &WanView) -> impl Iterator<Item = (&LinkView, &LinkView)> {
    view.pairs.iter().filter_map(|pair| {
        let [a, b] = &pair.between;
        let (forth, back) = (view.link(a, b)?, view.link(b, a)?);
        let by_spec = [forth, back].iter().all(|link| link.state == LinkStanding::AsSpecified);
        (by_spec && forth.settings != back.settings).then_some((forth, back))
    })
}

fn by_direction(pairs: &[(&LinkView, &LinkView)]) -> String {
    let row = |link: &LinkView, other: &LinkView| Row {
        style: PLAIN,
        cells: vec![
            format!("{} to {}", link.from, link.to),
            differences(&link.settings, &other.settings).join(", "),
        ],
    };
    let rows: Vec<Row> =
        pairs.iter().flat_map(|(forth, back)| [row(forth, back), row(back, forth)]).collect();
    table::draw(&["LINK", "SETTINGS THAT DIFFER"], &[], &rows)
}

/// `pgha wan watch`.
pub(crate) fn traffic(cluster: &str, sample: &Sample) -> String {
    let row = |link: &LinkSample| Row {
        style: match link {
            link if link.cut => BAD,
            link if link.lost_per_s + link.queue_full_per_s > 0 => WARN,
            _ => PLAIN,
        },
        cells: vec![
            format!("{} to {}{}", link.from, link.to, if link.cut { " (cut)" } else { "" }),
            format!("{}/s", bytes(link.bytes_per_s)),
            link.packets_per_s.to_string(),
            link.lost_per_s.to_string(),
            link.queue_full_per_s.to_string(),
            link.cut_per_s.to_string(),
            bytes(link.queued_bytes),
            bytes(link.flying_bytes),
        ],
    };
    let rows: Vec<Row> = sample.links.iter().map(row).collect();
    let table = table::draw(
        &["LINK", "BYTES", "PACKETS/S", "LOST/S", "FULL/S", "CUT/S", "QUEUED", "FLYING"],
        &[1, 2, 3, 4, 5, 6, 7],
        &rows,
    );
    let since = sample.running_ms / 1000;
    format!("{TITLE}{cluster}: router up for {since} s{TITLE:#}\n{table}")
}

#[cfg(test)]
mod tests;
