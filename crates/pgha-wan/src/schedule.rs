//! When which link wants attention: the earliest at once, any other in the logarithm of their
//! number.
//!
//! A tournament: leaf `i` holds the moment of link `i`, and every other place the earlier of the
//! two below it. Nothing is allocated after the start.

use std::time::Duration;

/// Moments of links, by their index.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    /// `tree[1]` is the winner, `tree[leaves..]` are the links.
    tree: Vec<Duration>,
    leaves: usize,
}

/// A link without a moment. No moment is as late: times are those of a run.
const NEVER: Duration = Duration::MAX;

impl Schedule {
    pub(super) fn new(links: usize) -> Self {
        let leaves = links.next_power_of_two().max(1);
        Self { tree: vec![NEVER; 2 * leaves], leaves }
    }

    /// Sets when a link wants attention; `None` for not at all.
    pub(super) fn set(&mut self, link: usize, at: Option<Duration>) {
        let mut place = self.leaves + link;
        self.tree[place] = at.unwrap_or(NEVER);
        while place > 1 {
            place /= 2;
            let earlier = self.tree[2 * place].min(self.tree[2 * place + 1]);
            if self.tree[place] == earlier {
                break;
            }
            self.tree[place] = earlier;
        }
    }

    /// The earliest moment.
    pub(super) fn first(&self) -> Option<Duration> {
        Some(self.tree[1]).filter(|&at| at != NEVER)
    }

    /// The link of the earliest moment, and that; of two at one moment, the lower index.
    pub(super) fn next(&self) -> Option<(Duration, usize)> {
        let at = self.first()?;
        let mut place = 1;
        while place < self.leaves {
            place = 2 * place + usize::from(self.tree[2 * place] != at);
        }
        Some((at, place - self.leaves))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_earliest_is_what_looking_at_all_of_them_finds(
            links in 1usize..40,
            sets in proptest::collection::vec((0usize..40, proptest::option::of(0u64..50)), 0..200),
        ) {
            let mut schedule = Schedule::new(links);
            let mut all = vec![None; links];
            for (link, at) in sets {
                let at = at.map(Duration::from_micros);
                all[link % links] = at;
                schedule.set(link % links, at);
                let found = all.iter().enumerate().filter_map(|(i, at)| Some(((*at)?, i))).min();
                prop_assert_eq!(schedule.next(), found);
            }
        }
    }
}
