//! The smallest losses that stop writes, and that may lose acknowledged ones: minimal sets of sites.
//!
//! Both get worse with every site that is lost besides. So a set is minimal where it is bad and no set with one
//! site less is. They are looked for among numbers of interchangeable data centers, smallest sets first, whatever
//! the number of sites; a set that is bad is not looked at with more.

use std::collections::BTreeSet;

use serde::Serialize;

use super::grouped::Grid;
use crate::topology::Topology;

/// Most sets of interchangeable sites that are looked at. Only clusters of many data centers that all differ have more.
const LOOKED_AT_MAX: usize = 20_000;

/// Minimal sets of sites, smallest first; each such as `DC1`, `any 2 data centers` or `external + DC1`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SmallestLosses {
    /// After which nobody writes by itself, at worst.
    pub stop_writes: Vec<String>,
    /// After which a write that was acknowledged may be gone.
    pub may_lose_writes: Vec<String>,
    /// Whether these are all; where not, the smallest are.
    pub complete: bool,
}

/// The smallest losses of a cluster.
pub fn smallest(topology: &Topology) -> SmallestLosses {
    let grid = Grid::of(topology);
    let (stop_writes, all_that_stop) =
        minimal(&grid, |lost| grid.counting.without(lost).stops_writes());
    let (may_lose_writes, all_that_lose) =
        minimal(&grid, |lost| grid.counting.without(lost).acknowledged_loss);
    SmallestLosses { stop_writes, may_lose_writes, complete: all_that_stop && all_that_lose }
}

/// The minimal sets that are `bad`, and whether these are all.
fn minimal(grid: &Grid, bad: impl Fn(&[usize]) -> bool) -> (Vec<String>, bool) {
    // The external site is one more class, of one.
    let mut sizes: Vec<usize> = grid.classes.iter().map(Vec::len).collect();
    sizes.extend(grid.external.map(|_| 1));
    let split = |counts: &[usize]| {
        let (classes, external) = counts.split_at(grid.classes.len());
        (classes.to_vec(), external == [1])
    };
    let mut names = Vec::new();
    let mut looked_at = 0;
    let mut good = BTreeSet::from([vec![0; sizes.len()]]);
    while !good.is_empty() {
        let mut next = BTreeSet::new();
        let mut worse = BTreeSet::new();
        for counts in &good {
            for class in (0..sizes.len()).filter(|&class| counts[class] < sizes[class]) {
                let mut more = counts.clone();
                more[class] += 1;
                worse.insert(more);
            }
        }
        looked_at += worse.len();
        if looked_at > LOOKED_AT_MAX {
            return (names, false);
        }
        for counts in worse.into_iter().rev() {
            let (classes, external) = split(&counts);
            if !bad(&grid.lost(&classes, external)) {
                next.insert(counts);
                continue;
            }
            let is_good_with_one_less = (0..counts.len()).filter(|&c| counts[c] > 0).all(|class| {
                let mut fewer = counts.clone();
                fewer[class] -= 1;
                good.contains(&fewer)
            });
            if is_good_with_one_less {
                names.push(grid.name(&classes, external));
            }
        }
        good = next;
    }
    (names, true)
}
