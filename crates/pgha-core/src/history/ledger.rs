//! The checker of unique inserts: every acknowledged one is there at the end, and none that nobody made.

use std::time::Duration;

use serde::Serialize;

use super::{Operation, Outcome};

/// An acknowledged write that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// Whose.
    pub client: u32,
    /// Which.
    pub id: u64,
    /// When it was acknowledged.
    #[serde(skip)]
    pub acknowledged: Duration,
}

/// What became of the inserts of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Acknowledged.
    pub acknowledged: u64,
    /// Not done, for certain.
    pub failed: u64,
    /// Of unknown outcome.
    pub unknown: u64,
    /// Of unknown outcome, and there.
    pub unknown_found: u64,
    /// Acknowledged and not there, the oldest first.
    pub lost: Vec<Lost>,
    /// There, though not done for certain or never made, by client and id.
    pub unexpected: Vec<(u32, u64)>,
}

impl Ledger {
    /// Judges a run by the rows that are there once it is over, as client and id, in any order.
    pub fn of(operations: &[Operation], found: &[(u32, u64)]) -> Self {
        let found = sorted(found.iter().copied());
        let mut ledger = Self::default();
        for operation in operations {
            let key = (operation.client, operation.id);
            let there = found.binary_search(&key).is_ok();
            match operation.outcome {
                Outcome::Ok => {
                    ledger.acknowledged += 1;
                    if !there {
                        let acknowledged = operation.ended;
                        ledger.lost.push(Lost { client: key.0, id: key.1, acknowledged });
                    }
                }
                Outcome::Failed => ledger.failed += 1,
                Outcome::Unknown => {
                    ledger.unknown += 1;
                    ledger.unknown_found += u64::from(there);
                }
            }
        }
        ledger.lost.sort_by_key(|lost| lost.acknowledged);
        let possible = operations.iter().filter(|o| o.outcome != Outcome::Failed);
        let possible = sorted(possible.map(|o| (o.client, o.id)));
        let made = |key: &(u32, u64)| possible.binary_search(key).is_ok();
        ledger.unexpected = found.into_iter().filter(|key| !made(key)).collect();
        ledger
    }

    /// Whether nothing that was acknowledged is lost, and nothing is there that nobody made.
    pub fn holds(&self) -> bool {
        self.lost.is_empty() && self.unexpected.is_empty()
    }
}

/// In order, and each once: a million are searched faster so than in a tree.
fn sorted(keys: impl Iterator<Item = (u32, u64)>) -> Vec<(u32, u64)> {
    let mut keys: Vec<_> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn operation(client: u32, id: u64, outcome: Outcome) -> Operation {
        let at = Duration::from_millis(id);
        Operation { client, id, sent: at, ended: at, outcome, node: 0 }
    }

    #[test]
    fn a_run_that_lost_nothing_holds_whatever_became_of_the_unknown() {
        let made = [
            operation(0, 1, Outcome::Ok),
            operation(0, 2, Outcome::Unknown),
            operation(0, 3, Outcome::Failed),
            operation(1, 1, Outcome::Unknown),
        ];
        let ledger = Ledger::of(&made, &[(0, 2), (0, 1)]);
        assert!(ledger.holds());
        assert_eq!((ledger.acknowledged, ledger.failed), (1, 1));
        assert_eq!((ledger.unknown, ledger.unknown_found), (2, 1));
    }

    #[test]
    fn planted_lies_are_found() {
        let made = [
            operation(0, 1, Outcome::Ok),
            operation(0, 2, Outcome::Ok),
            operation(0, 3, Outcome::Failed),
        ];
        let lost = Ledger::of(&made, &[(0, 1)]);
        assert_eq!(lost.lost, [Lost { client: 0, id: 2, acknowledged: Duration::from_millis(2) }]);
        let undead = Ledger::of(&made, &[(0, 1), (0, 2), (0, 3), (7, 9)]);
        assert_eq!(undead.unexpected, [(0, 3), (7, 9)]);
        assert!(!lost.holds() && !undead.holds());
    }

    fn outcome() -> impl Strategy<Value = Outcome> {
        prop_oneof![Just(Outcome::Ok), Just(Outcome::Failed), Just(Outcome::Unknown)]
    }

    proptest! {
        #[test]
        fn it_says_what_counting_one_by_one_says(
            outcomes in prop::collection::vec((0..3_u32, outcome()), 0..30),
            found in prop::collection::vec((0..4_u32, 0..32_u64), 0..30),
        ) {
            let numbered = outcomes.iter().zip(0..);
            let made: Vec<_> = numbered.map(|(&(c, o), id)| operation(c, id, o)).collect();
            let ledger = Ledger::of(&made, &found);
            let is_there = |o: &Operation| found.contains(&(o.client, o.id));
            let of = |outcome| made.iter().filter(move |o| o.outcome == outcome);
            prop_assert_eq!(ledger.acknowledged, of(Outcome::Ok).count() as u64);
            prop_assert_eq!(ledger.lost.len(), of(Outcome::Ok).filter(|o| !is_there(o)).count());
            let unknown_found = of(Outcome::Unknown).filter(|o| is_there(o)).count();
            prop_assert_eq!(ledger.unknown_found, unknown_found as u64);
            for key in &found {
                let expected = made.iter().any(|o| {
                    (o.client, o.id) == *key && o.outcome != Outcome::Failed
                });
                prop_assert_eq!(ledger.unexpected.contains(key), !expected);
            }
        }
    }
}
