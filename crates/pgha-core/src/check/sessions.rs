//! The checker of sessions: on one connection to one node, what was seen stays.

use std::collections::HashMap;

use super::{Checked, Findings, Kind};

/// How much of something a session saw. Of what only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Which session.
    pub session: u32,
    /// Of what.
    pub key: u32,
    /// How much.
    pub much: u64,
}

/// Judges reads; those of a session in order.
pub fn monotonic_reads(reads: impl IntoIterator<Item = Seen>) -> Checked {
    let mut findings = Findings::default();
    let mut latest: HashMap<(u32, u32), u64> = HashMap::new();
    let mut count = 0;
    for Seen { session, key, much } in reads {
        count += 1;
        let before = latest.entry((session, key)).or_default();
        if much < *before {
            findings.add(Kind::WentBack, || {
                format!("session {session} saw {before} of {key}, and later {much}")
            });
        }
        *before = much.max(*before);
    }
    findings.checked("monotonic-reads", count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use proptest::prelude::*;

    #[test]
    fn a_session_that_goes_back_is_found_and_another_one_may_be_behind() {
        let seen = |session, much| Seen { session, key: 0, much };
        let fine = monotonic_reads([seen(0, 3), seen(1, 2), seen(0, 3), seen(1, 4)]);
        assert_eq!(fine.verdict, Verdict::Holds);
        let back = monotonic_reads([seen(0, 3), seen(0, 2), seen(0, 3)]);
        assert_eq!(back.count(Kind::WentBack), 1);
        assert_eq!(back.anomalies[0].examples, ["session 0 saw 3 of 0, and later 2"]);
    }

    proptest! {
        #[test]
        fn it_says_what_comparing_all_pairs_says(
            reads in prop::collection::vec((0..2_u32, 0..2_u32, 0..5_u64), 0..9),
        ) {
            let reads = reads.into_iter().map(|(session, key, much)| Seen { session, key, much });
            let reads: Vec<Seen> = reads.collect();
            let back = reads.iter().enumerate().any(|(at, later)| {
                let same = |r: &&Seen| (r.session, r.key) == (later.session, later.key);
                reads[..at].iter().filter(same).any(|earlier| earlier.much > later.much)
            });
            prop_assert_eq!(monotonic_reads(reads).verdict == Verdict::Violated, back);
        }
    }
}
