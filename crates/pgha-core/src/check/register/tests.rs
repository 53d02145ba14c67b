use proptest::prelude::*;

use super::*;
use crate::check::Verdict;

fn call(access: Access, sent: u64, ended: u64, outcome: Outcome) -> Call {
    let us = Duration::from_micros;
    Call { key: 0, access, sent: us(sent), ended: us(ended), outcome }
}

fn ok(access: Access, sent: u64, ended: u64) -> Call {
    call(access, sent, ended, Outcome::Ok)
}

use Access::{Get, Set, Swap};

#[test]
fn what_was_answered_is_seen_by_whoever_asks_later() {
    let holds = |calls: &[Call]| register(calls).verdict == Verdict::Holds;
    assert!(holds(&[ok(Set(1), 0, 10), ok(Get(1), 11, 12)]));
    assert!(holds(&[ok(Set(1), 0, 10), ok(Get(0), 5, 6), ok(Get(1), 7, 8)]));
    assert!(holds(&[ok(Set(1), 0, 10), ok(Get(0), 10, 12)]), "they touch: at once");
    // A stale read, a read that goes back, a swap of what is no longer there, a write that was rolled back.
    assert!(!holds(&[ok(Set(1), 0, 10), ok(Get(0), 11, 12)]));
    assert!(!holds(&[ok(Set(1), 0, 10), ok(Get(1), 1, 2), ok(Get(0), 3, 4)]));
    assert!(!holds(&[ok(Set(1), 0, 10), ok(Swap(0, 2), 11, 12)]));
    assert!(!holds(&[call(Set(1), 0, 10, Outcome::Failed), ok(Get(1), 11, 12)]));
    // An acknowledged write that is lost.
    assert!(!holds(&[ok(Set(1), 0, 1), ok(Set(2), 2, 3), ok(Get(2), 4, 5), ok(Get(1), 6, 7)]));
    let told = register(&[ok(Set(1), 0, 10), ok(Get(0), 11, 12)]);
    insta::assert_snapshot!(told.anomalies[0].examples[0], @"register 0: a read of 0 between 0.000011 s and 0.000012 s, when its value can only have been 1");
}

#[test]
fn what_is_unknown_may_be_done_much_later_or_never() {
    let unknown = call(Set(1), 0, 1, Outcome::Unknown);
    let holds = |calls: &[Call]| register(calls).verdict == Verdict::Holds;
    assert!(holds(&[unknown, ok(Get(0), 2, 3), ok(Get(1), 4, 5)]));
    assert!(holds(&[unknown, ok(Set(2), 2, 3), ok(Get(2), 4, 5)]));
    assert!(!holds(&[unknown, ok(Get(1), 2, 3), ok(Get(0), 4, 5)]));
}

#[test]
fn where_the_bound_is_reached_nothing_is_said() {
    let many = |n: u64| -> Vec<Call> {
        let writes = (1..=n).map(|value| ok(Set(value), 0, 1000));
        let reads = (1..=n).map(|value| ok(Get(value), 0, 1000));
        writes.chain(reads).collect()
    };
    assert_eq!(register(&many(3)).verdict, Verdict::Holds);
    for n in [20, 100] {
        let checked = register(&many(n));
        assert_eq!(checked.verdict, Verdict::Undecided);
        assert!(checked.undecided.is_some());
    }
}

/// Tries every order of all operations, and every choice of those that are unknown.
fn some_order_explains(calls: &[Call], value: u64) -> bool {
    if calls.iter().all(|call| call.outcome != Outcome::Ok) {
        return true;
    }
    (0..calls.len()).any(|next| {
        let call = calls[next];
        let too_early = |other: &Call| other.outcome == Outcome::Ok && other.ended < call.sent;
        if call.outcome == Outcome::Failed || calls.iter().any(too_early) {
            return false;
        }
        let mut rest = calls.to_vec();
        rest.remove(next);
        // A read that was not answered has no effect.
        let applied = match (call.outcome, call.access) {
            (Outcome::Unknown, Get(_)) => Some(value),
            _ => call.access.applied(value),
        };
        applied.is_some_and(|value| some_order_explains(&rest, value))
    })
}

/// Values are written once, as the workload does it.
fn calls() -> impl Strategy<Value = Vec<Call>> {
    let one = (0..3_u8, 0..6_u64, 0..12_u64, 0..6_u64, 0..6_u8);
    prop::collection::vec(one, 1..6).prop_map(|all| {
        let numbered = all.into_iter().zip(1..);
        let call = |((kind, seen, sent, took, outcome), new): ((u8, u64, u64, u64, u8), u64)| {
            let access = [Set(new), Swap(seen, new), Get(seen)][kind as usize];
            let outcome = match outcome {
                0 => Outcome::Unknown,
                1 => Outcome::Failed,
                _ => Outcome::Ok,
            };
            call(access, sent, sent + took, outcome)
        };
        numbered.map(call).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn it_says_what_trying_every_order_says(calls in calls()) {
        let holds = register(&calls).verdict == Verdict::Holds;
        prop_assert_eq!(holds, some_order_explains(&calls, 0));
    }

    #[test]
    fn what_was_done_one_after_the_other_holds(
        kinds in prop::collection::vec((0..3_u8, 0..20_u64, any::<bool>()), 0..40),
    ) {
        let mut value = 0;
        let mut calls = Vec::new();
        for ((kind, around, unknown), at) in kinds.into_iter().zip((1_u64..).map(|n| n * 10)) {
            let access = [Set(at), Swap(value, at), Get(value)][kind as usize];
            value = access.applied(value).expect("it fits");
            let outcome = if unknown { Outcome::Unknown } else { Outcome::Ok };
            calls.push(call(access, at.saturating_sub(around), at + around, outcome));
        }
        prop_assert_ne!(register(&calls).verdict, Verdict::Violated);
    }
}
