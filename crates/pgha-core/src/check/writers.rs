//! The checker of leaders: no two nodes accept writes at one time.
//!
//! A node that promoted writes a new timeline, so a node and its timeline are one time of leading. It certainly took
//! writes from the first answer to the last write that it was sent and acknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Checked, Findings, Kind};

/// An acknowledged write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// By which node, by its place among the nodes of the run.
    pub node: u32,
    /// On which timeline.
    pub timeline: u32,
    /// When it was sent.
    pub sent: Duration,
    /// When it was acknowledged.
    pub ended: Duration,
}

/// Judges acknowledged writes, in any order; gives as well for how long two nodes took writes, over all pairs.
pub fn two_writers(
    accepted: impl IntoIterator<Item = Accepted>,
    nodes: &[String],
) -> (Checked, Duration) {
    let mut times: BTreeMap<(u32, u32), (Duration, Duration)> = BTreeMap::new();
    let mut count = 0;
    for Accepted { node, timeline, sent, ended } in accepted {
        count += 1;
        let (from, to) = times.entry((timeline, node)).or_insert((ended, sent));
        (*from, *to) = ((*from).min(ended), (*to).max(sent));
    }
    let mut findings = Findings::default();
    let mut both = Duration::ZERO;
    let times: Vec<_> = times.into_iter().collect();
    for (at, (one, (from, to))) in times.iter().enumerate() {
        for (other, (other_from, other_to)) in &times[at + 1..] {
            let (from, to) = (*from.max(other_from), *to.min(other_to));
            if from >= to {
                continue;
            }
            both += to.saturating_sub(from);
            let name = |(timeline, node): &(u32, u32)| {
                let node = nodes.get(*node as usize).map_or("?", String::as_str);
                format!("{node} on timeline {timeline}")
            };
            findings.add(Kind::TwoWriters, || {
                let (from, to) = (from.as_secs_f64(), to.as_secs_f64());
                let (one, other) = (name(one), name(other));
                format!("{one} and {other} both accepted writes from {from:.3} s to {to:.3} s")
            });
        }
    }
    (findings.checked("one-writer", count), both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn at(node: u32, timeline: u32, sent: u64, ended: u64) -> Accepted {
        Accepted { node, timeline, sent: ms(sent), ended: ms(ended) }
    }

    fn nodes() -> [String; 2] {
        ["a".to_owned(), "b".to_owned()]
    }

    #[test]
    fn leaders_one_after_the_other_hold_and_also_where_one_leads_again() {
        let writes = [
            at(0, 1, 0, 10),
            at(0, 1, 90, 110),
            at(1, 2, 100, 120),
            at(1, 2, 190, 210),
            at(0, 3, 220, 230),
            at(0, 3, 250, 260),
        ];
        let (checked, both) = two_writers(writes, &nodes());
        assert_eq!((checked.verdict, both), (Verdict::Holds, Duration::ZERO));
    }

    #[test]
    fn two_at_once_are_found_with_the_interval() {
        let writes = [at(0, 1, 0, 10), at(1, 2, 100, 120), at(0, 1, 400, 410), at(1, 2, 900, 910)];
        let (checked, both) = two_writers(writes, &nodes());
        assert_eq!((checked.verdict, both), (Verdict::Violated, ms(280)));
        assert_eq!(
            checked.anomalies[0].examples,
            ["a on timeline 1 and b on timeline 2 both accepted writes from 0.120 s to 0.400 s"]
        );
    }
}
