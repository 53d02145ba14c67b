//! The survival table for people: sets of sites with one outcome in one row, none left out.
//!
//! Data centers with equally many members are interchangeable, so an outcome depends only on how
//! many of each such class are lost and on whether the external site is. The cells of that small
//! grid are merged while they agree; a row says exactly which sets it stands for and how many.

use std::ops::RangeInclusive;

use super::{Counting, Outcome, SiteCounts, Survival, max_lost, table};
use crate::topology::Topology;

/// Most sites for which each set has a row of its own: 31 rows.
const EXPLICIT_MAX_SITES: usize = 5;

/// Sets of sites with one outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurvivalRow {
    /// Which sets, such as `DC1`, `any 2 data centers` or `external + any 1 data center`.
    pub lost: String,
    /// How many sets of the table this row stands for.
    pub sets: u64,
    /// The answers.
    pub outcome: Outcome,
}

/// The survival table in as few rows as say all of it. With up to 5 sites each set has its own row.
pub fn grouped(topology: &Topology) -> Vec<SurvivalRow> {
    if topology.sites.len() <= EXPLICIT_MAX_SITES {
        return explicit(topology, &table(topology));
    }
    let grid = Grid::of(topology);
    let mut rows = Vec::new();
    for external in [false, true].into_iter().take(1 + grid.external.iter().len()) {
        let cells = grid.cells(external);
        let by_total = by_total(&cells);
        let by_class = merge(cells);
        let mut shorter = if by_total.len() <= by_class.len() { by_total } else { by_class };
        shorter.sort_by_key(|b| b.counts.iter().map(|range| *range.start()).sum::<usize>());
        rows.extend(shorter.into_iter().map(|b| grid.row(&b, external)));
    }
    rows
}

/// Every set of a table as a row, the external site under that word.
pub fn explicit(topology: &Topology, table: &[Survival]) -> Vec<SurvivalRow> {
    let external = topology.external_site().map(|site| site.name.as_str());
    table
        .iter()
        .map(|set| SurvivalRow {
            lost: set
                .lost
                .iter()
                .map(|name| if Some(name.as_str()) == external { "external" } else { name })
                .collect::<Vec<_>>()
                .join(" + "),
            sets: 1,
            outcome: set.outcome,
        })
        .collect()
}

/// Sets in which so many data centers of each class are lost; `counts` has one range for each
/// class, or a single one over all data centers where `over_all`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SetBox {
    counts: Vec<RangeInclusive<usize>>,
    over_all: bool,
    outcome: Outcome,
}

/// The data centers by class, and the largest set that is looked at.
#[derive(Debug)]
pub(super) struct Grid {
    /// Names of each class of interchangeable data centers, in site order.
    pub(super) classes: Vec<Vec<String>>,
    /// One site index of each class, and that of the external site.
    examples: Vec<Vec<usize>>,
    pub(super) external: Option<usize>,
    max_lost: usize,
    pub(super) counting: Counting,
}

impl Grid {
    pub(super) fn of(topology: &Topology) -> Self {
        let counting = Counting::of(topology);
        let mut kinds: Vec<SiteCounts> = Vec::new();
        let mut classes: Vec<Vec<String>> = Vec::new();
        let mut examples: Vec<Vec<usize>> = Vec::new();
        let data_centers = counting.sites.iter().enumerate().filter(|(_, it)| !it.is_external);
        for (site, kind) in data_centers {
            let class = kinds.iter().position(|k| k == kind).unwrap_or_else(|| {
                kinds.push(*kind);
                classes.push(Vec::new());
                examples.push(Vec::new());
                kinds.len() - 1
            });
            classes[class].push(topology.sites[site].name.clone());
            examples[class].push(site);
        }
        let external = counting.sites.iter().position(|site| site.is_external);
        let max_lost = max_lost(topology.sites.len());
        Self { classes, examples, external, max_lost, counting }
    }

    /// One box for each combination of counts, the empty set left out.
    fn cells(&self, external: bool) -> Vec<SetBox> {
        let mut counts_so_far = vec![vec![]];
        for class in &self.classes {
            counts_so_far = counts_so_far
                .into_iter()
                .flat_map(|counts: Vec<usize>| {
                    let used: usize = counts.iter().sum::<usize>() + usize::from(external);
                    let most = class.len().min(self.max_lost.saturating_sub(used));
                    (0..=most).map(move |here| [counts.as_slice(), &[here]].concat())
                })
                .collect();
        }
        counts_so_far
            .into_iter()
            .filter(|counts| external || counts.iter().any(|&c| c > 0))
            .map(|counts| SetBox {
                outcome: self.counting.without(&self.lost(&counts, external)),
                counts: counts.into_iter().map(|c| c..=c).collect(),
                over_all: false,
            })
            .collect()
    }

    /// One set with so many data centers of each class, by index.
    pub(super) fn lost(&self, counts: &[usize], external: bool) -> Vec<usize> {
        let classes = self.examples.iter().zip(counts);
        let data_centers = classes.flat_map(|(sites, &count)| sites[..count].iter().copied());
        data_centers.chain(self.external.filter(|_| external)).collect()
    }

    /// Every set with so many data centers of each class, as people read it.
    pub(super) fn name(&self, counts: &[usize], external: bool) -> String {
        let over_all = self.classes.len() == 1 && self.data_centers() > 1;
        let outcome = self.counting.without(&[]);
        let counts = counts.iter().map(|&count| count..=count).collect();
        self.words(&SetBox { counts, over_all, outcome }, external)
    }

    fn row(&self, set_box: &SetBox, external: bool) -> SurvivalRow {
        SurvivalRow {
            lost: self.words(set_box, external),
            sets: self.sets(set_box),
            outcome: set_box.outcome,
        }
    }

    fn words(&self, set_box: &SetBox, external: bool) -> String {
        let mut parts = Vec::new();
        if external {
            parts.push("external".to_owned());
        }
        if set_box.over_all {
            let size = self.data_centers();
            parts.extend(some_of(&set_box.counts[0], size, "data center", "data centers"));
        } else {
            for (names, range) in self.classes.iter().zip(&set_box.counts) {
                parts.extend(some_of_named(range, names));
            }
        }
        parts.join(" + ")
    }

    fn data_centers(&self) -> usize {
        self.classes.iter().map(Vec::len).sum()
    }

    /// How many sets of data centers are in the box.
    fn sets(&self, set_box: &SetBox) -> u64 {
        let ways = |size: usize, range: &RangeInclusive<usize>| -> u64 {
            range.clone().map(|count| choose(size as u64, count as u64)).sum()
        };
        if set_box.over_all {
            return ways(self.data_centers(), &set_box.counts[0]);
        }
        self.classes.iter().zip(&set_box.counts).map(|(c, range)| ways(c.len(), range)).product()
    }
}

/// Counts over all data centers where each split over the classes has the same outcome; boxes
/// of classes for the rest.
fn by_total(cells: &[SetBox]) -> Vec<SetBox> {
    let total = |cell: &SetBox| cell.counts.iter().map(|c| *c.start()).sum::<usize>();
    let most = cells.iter().map(total).max().unwrap_or(0);
    let mut even = Vec::new();
    let mut uneven = Vec::new();
    for count in 0..=most {
        let here: Vec<&SetBox> = cells.iter().filter(|c| total(c) == count).collect();
        match here.as_slice() {
            [] => {}
            [first, rest @ ..] if rest.iter().all(|c| c.outcome == first.outcome) => {
                even.push(SetBox {
                    counts: vec![count..=count],
                    over_all: true,
                    outcome: first.outcome,
                });
            }
            _ => uneven.extend(here.into_iter().cloned()),
        }
    }
    let mut rows = merge(even);
    rows.extend(merge(uneven));
    rows
}

/// Merges boxes that agree and touch along one axis, until none do.
fn merge(mut boxes: Vec<SetBox>) -> Vec<SetBox> {
    let axes = boxes.first().map_or(0, |b| b.counts.len());
    for axis in (0..axes).rev() {
        let mut merged: Vec<SetBox> = Vec::new();
        for candidate in boxes {
            let neighbour = merged.iter_mut().find(|m| {
                m.outcome == candidate.outcome
                    && *m.counts[axis].end() + 1 == *candidate.counts[axis].start()
                    && (0..axes).all(|a| a == axis || m.counts[a] == candidate.counts[a])
            });
            match neighbour {
                Some(m) => {
                    m.counts[axis] = *m.counts[axis].start()..=*candidate.counts[axis].end();
                }
                None => merged.push(candidate),
            }
        }
        boxes = merged;
    }
    boxes
}

/// `any 2 data centers`, `any 2 to 11 data centers`, `all 12 data centers`; nothing for none.
fn some_of(range: &RangeInclusive<usize>, size: usize, one: &str, more: &str) -> Option<String> {
    let (from, to) = (*range.start(), *range.end());
    match (from, to) {
        (0, 0) => None,
        _ if from == to && from == size => Some(format!("all {size} {more}")),
        (1, 1) => Some(format!("any 1 {one}")),
        _ if from == to => Some(format!("any {from} {more}")),
        (0, _) => Some(format!("up to {to} {more}")),
        _ => Some(format!("any {from} to {to} {more}")),
    }
}

/// `any 2 of DC1-DC9`, `any 1 to 4 of DC1-DC9`, `up to 4 of DC1-DC9`, `DC3`, `all of DC1-DC9`;
/// nothing for none.
fn some_of_named(range: &RangeInclusive<usize>, names: &[String]) -> Option<String> {
    let (from, to) = (*range.start(), *range.end());
    let these = runs(names);
    match (from, to) {
        (0, 0) => None,
        (1, 1) if names.len() == 1 => Some(these),
        _ if from == to && from == names.len() => Some(format!("all of {these}")),
        _ if from == to => Some(format!("any {from} of {these}")),
        (0, _) if names.len() == 1 => Some(format!("{these} or not")),
        (0, _) => Some(format!("up to {to} of {these}")),
        _ => Some(format!("any {from} to {to} of {these}")),
    }
}

/// The names, neighbours shortened to first and last: `DC1-DC3, DC5`.
fn runs(names: &[String]) -> String {
    let number = |name: &str| name.trim_start_matches("DC").parse::<u32>().ok();
    let mut runs: Vec<(&str, &str)> = Vec::new();
    for name in names {
        match runs.last_mut() {
            Some((_, last)) if number(last).map(|n| n + 1) == number(name) => *last = name,
            _ => runs.push((name, name)),
        }
    }
    let one = |(first, last): &(&str, &str)| match (number(first), number(last)) {
        _ if first == last => (*first).to_owned(),
        (Some(a), Some(b)) if a + 1 == b => format!("{first}, {last}"),
        _ => format!("{first}-{last}"),
    };
    runs.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn choose(n: u64, k: u64) -> u64 {
    if k > n { 0 } else { (0..k).fold(1, |so_far, i| so_far * (n - i) / (i + 1)) }
}
