//! The checker of accounts: whoever reads all of them at once sees one total, and none below zero.

use super::{Checked, Findings, Kind};

/// All accounts as they were read in one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading<'a> {
    /// The node.
    pub node: &'a str,
    /// Their balances.
    pub balances: &'a [i64],
}

/// Judges what was read of accounts that have this total.
pub fn bank<'a>(total: i64, readings: impl IntoIterator<Item = Reading<'a>>) -> Checked {
    let mut findings = Findings::default();
    let mut count = 0;
    for Reading { node, balances } in readings {
        count += 1;
        let sum: i128 = balances.iter().copied().map(i128::from).sum();
        if sum != i128::from(total) {
            findings.add(Kind::WrongTotal, || {
                format!("{node} showed {balances:?}, which are {sum} together and not {total}")
            });
        }
        if let Some(place) = balances.iter().position(|balance| *balance < 0) {
            findings.add(Kind::Negative, || {
                format!("{node} showed {} in account {place}", balances[place])
            });
        }
    }
    findings.checked("bank", count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use proptest::prelude::*;

    fn of(balances: &[i64]) -> Checked {
        bank(30, [Reading { node: "a", balances }])
    }

    #[test]
    fn planted_lies_are_found() {
        assert_eq!(of(&[10, 20]).verdict, Verdict::Holds);
        assert_eq!(of(&[10, 21]).count(Kind::WrongTotal), 1);
        let below = of(&[-10, 40]);
        assert_eq!((below.count(Kind::WrongTotal), below.count(Kind::Negative)), (0, 1));
        assert_eq!(below.anomalies[0].examples, ["a showed -10 in account 0"]);
        assert_eq!(of(&[i64::MAX, i64::MAX]).count(Kind::WrongTotal), 1);
    }

    proptest! {
        #[test]
        fn transfers_that_are_whole_hold(moves in prop::collection::vec((0..4_usize, 0..4_usize, 0..9_i64), 0..30)) {
            let mut balances = vec![10_i64; 4];
            let mut seen = vec![balances.clone()];
            for (from, to, amount) in moves {
                if balances[from] >= amount {
                    balances[from] -= amount;
                    balances[to] += amount;
                }
                seen.push(balances.clone());
            }
            let readings = seen.iter().map(|balances| Reading { node: "a", balances });
            prop_assert_eq!(bank(40, readings).verdict, Verdict::Holds);
        }
    }
}
