use proptest::prelude::*;

use super::*;
use crate::check::Verdict;

/// `a1.5 r1.[5 6]` and the like: appends 5 to list 1, reads it as 5 and 6.
fn steps(text: &str) -> Vec<ListStep> {
    let step = |word: &str| {
        let (key, rest) = word[1..].split_once('.').expect("a key");
        let key = key.parse().expect("a number");
        let numbers = |text: &str| -> Vec<u32> {
            text.split(',').filter(|n| !n.is_empty()).map(|n| n.parse().expect("one")).collect()
        };
        match &word[..1] {
            "a" => ListStep::Append { key, value: numbers(rest)[0] },
            _ => ListStep::Read { key, list: numbers(rest) },
        }
    };
    text.split_whitespace().map(step).collect()
}

/// Lists at the end, with their keys.
type End<'a> = Option<&'a [(u32, &'a [u32])]>;

/// Judges transactions that are written so; `?` is unknown, `!` rolled back, `~` on a replica.
fn judged(texts: &[&str], end: End<'_>) -> Checked {
    let bare = |text: &&str| steps(text.trim_start_matches(['?', '!', '~']));
    let all: Vec<Vec<ListStep>> = texts.iter().map(bare).collect();
    let transactions: Vec<Transaction<'_>> = texts
        .iter()
        .zip(&all)
        .map(|(text, steps)| Transaction {
            outcome: match &text[..1] {
                "?" => Outcome::Unknown,
                "!" => Outcome::Failed,
                _ => Outcome::Ok,
            },
            replica: text.starts_with('~'),
            steps,
        })
        .collect();
    let end: Option<Lists> =
        end.map(|lists| lists.iter().map(|(key, list)| (*key, list.to_vec())).collect());
    append(&transactions, end.as_ref())
}

#[test]
fn each_planted_lie_is_found_and_called_by_its_name() {
    let cases: [(&[&str], End<'_>, Kind); 15] = [
        (&["a1.1", "a1.2"], Some(&[(1, &[1])]), Kind::Lost),
        (&["a1.1"], Some(&[]), Kind::Lost),
        (&["?a1.1 a2.1"], Some(&[(1, &[1])]), Kind::Torn),
        (&["a1.1", "r1.1,7"], None, Kind::Garbage),
        (&["a1.1"], Some(&[(1, &[1, 1])]), Kind::Duplicate),
        (&["!a1.1", "r1.1"], None, Kind::AbortedRead),
        (&["a1.1 a1.2", "r1.1", "r1.1,2"], None, Kind::IntermediateRead),
        (&["a1.1 r1."], Some(&[(1, &[1])]), Kind::Internal),
        (&["a1.1", "r1. r1.1"], None, Kind::Internal),
        (&["a1.1", "a1.2", "r1.1,2", "r1.2"], None, Kind::IncompatibleOrder),
        // Each wrote before the other.
        (&["a1.1 a2.1", "a1.2 a2.2", "r1.1,2", "r2.2,1"], None, Kind::G0),
        // Each read what the other wrote.
        (&["a1.1 r2.2", "a2.2 r1.1"], None, Kind::G1c),
        // One saw a part of what the other wrote.
        (&["a1.1 a2.1", "r1.1 r2."], Some(&[(1, &[1]), (2, &[1])]), Kind::GSingle),
        // Write skew.
        (&["r1. a2.2", "r2. a1.1"], Some(&[(1, &[1]), (2, &[2])]), Kind::G2),
        // A snapshot of a replica is one.
        (&["a1.1 a2.1", "~r1.1 r2."], Some(&[(1, &[1]), (2, &[1])]), Kind::GSingle),
    ];
    for (texts, end, kind) in cases {
        let checked = judged(texts, end);
        assert_eq!(checked.verdict, Verdict::Violated, "{texts:?}");
        assert_eq!(checked.count(kind), 1, "{texts:?}: {checked:?}");
    }
}

#[test]
fn what_replicas_are_known_for_is_told_and_no_violation() {
    // Two commits, seen in one order on the leader and in the other on a replica.
    let fork = ["a1.1", "a2.2", "r1.1 r2.", "~r1. r2.2"];
    let checked = judged(&fork, Some(&[(1, &[1]), (2, &[2])]));
    assert_eq!((checked.verdict, checked.count(Kind::LongFork)), (Verdict::Holds, 1));
    let checked = judged(&["a1.1", "?a1.2", "~r1.1,2", "a1.3"], Some(&[(1, &[1, 3])]));
    assert_eq!((checked.verdict, checked.count(Kind::ReplicaAhead)), (Verdict::Holds, 1));
    // What was acknowledged and lost is no such thing.
    let checked = judged(&["a1.1", "a1.2", "~r1.1,2", "a1.3"], Some(&[(1, &[1, 3])]));
    assert_eq!((checked.count(Kind::Lost), checked.count(Kind::IncompatibleOrder)), (1, 1));
    // A replica that is behind is one.
    let behind = ["a1.1", "a1.2", "~r1.1", "~r1."];
    assert_eq!(judged(&behind, Some(&[(1, &[1, 2])])).anomalies, []);
}

#[test]
fn a_cycle_is_told_as_a_story() {
    let checked = judged(&["r1. a2.2", "r2. a1.1"], Some(&[(1, &[1]), (2, &[2])]));
    insta::assert_snapshot!(checked.anomalies[0].examples[0], @"T1 < T2, because T1 read list 1 without 1, which T2 appended; T2 < T1, because T2 read list 2 without 2, which T1 appended; so T1 comes before itself");
    let checked = judged(&["a1.1 r2.", "!a1.2", "a1.3"], Some(&[(1, &[1])]));
    insta::assert_snapshot!(checked.anomalies[0].examples[0], @"3 is not in list 1 at the end, and T3 (acknowledged) did: append 3 to list 1");
}

#[test]
fn what_is_unknown_is_done_or_not_by_what_is_there() {
    assert_eq!(judged(&["?a1.1", "a1.2"], Some(&[(1, &[2])])).verdict, Verdict::Holds);
    assert_eq!(judged(&["?a1.1", "a1.2"], Some(&[(1, &[1, 2])])).verdict, Verdict::Holds);
    // Once it was done, what it had read counts.
    let checked = judged(&["?r1. a2.2", "r2. a1.1"], Some(&[(1, &[1]), (2, &[2])]));
    assert_eq!(checked.count(Kind::G2), 1);
    assert_eq!(judged(&["?r1.9 a2.2"], Some(&[])).verdict, Verdict::Holds);
}

/// A transaction of a generated history.
type Made = (Outcome, Vec<ListStep>);

/// Tries every order of the transactions, and every choice of those that are unknown.
fn some_order_explains(left: &[Made], lists: &Lists, end: &Lists) -> bool {
    let lists_are = |lists: &Lists| {
        let filled = |lists: &Lists| -> Lists {
            lists.iter().filter(|(_, l)| !l.is_empty()).map(|(k, l)| (*k, l.clone())).collect()
        };
        filled(lists) == filled(end)
    };
    if left.iter().all(|made| made.0 != Outcome::Ok) && lists_are(lists) {
        return true;
    }
    (0..left.len()).filter(|next| left[*next].0 != Outcome::Failed).any(|next| {
        let mut after = lists.clone();
        let fits = left[next].1.iter().all(|step| match step {
            ListStep::Append { key, value } => {
                after.entry(*key).or_default().push(*value);
                true
            }
            ListStep::Read { key, list } => after.get(key).map_or(&[][..], |l| l) == list,
        });
        let mut rest = left.to_vec();
        rest.remove(next);
        fits && some_order_explains(&rest, &after, end)
    })
}

/// Done one after the other, and then given lies.
fn made() -> impl Strategy<Value = (Vec<Made>, Lists)> {
    let step = (0..2_u32, any::<bool>());
    let outcome = prop_oneof![
        6 => Just(Outcome::Ok), 1 => Just(Outcome::Unknown), 1 => Just(Outcome::Failed)
    ];
    let plan =
        prop::collection::vec((outcome, any::<bool>(), prop::collection::vec(step, 1..4)), 1..6);
    let lies = prop::collection::vec((0..8_usize, 0..4_usize, 0..5_usize, any::<bool>()), 0..4);
    (plan, lies).prop_map(|(plan, lies)| {
        let (mut lists, mut value) = (Lists::new(), 0);
        let mut all: Vec<Made> = Vec::new();
        for (outcome, effective, plan) in plan {
            let before = lists.clone();
            let mut done = Vec::new();
            for (key, write) in plan {
                let list = lists.entry(key).or_default();
                if write {
                    value += 1;
                    list.push(value);
                    done.push(ListStep::Append { key, value });
                } else {
                    done.push(ListStep::Read { key, list: list.clone() });
                }
            }
            if outcome == Outcome::Failed || (outcome == Outcome::Unknown && !effective) {
                lists = before;
            }
            all.push((outcome, done));
        }
        for (at, step, place, cut) in lies {
            let number = at % (all.len() + 1);
            let list = match all.get_mut(number) {
                Some((_, steps)) => match steps.get_mut(step) {
                    Some(ListStep::Read { list, .. }) => list,
                    _ => continue,
                },
                None => match lists.values_mut().next() {
                    Some(list) => list,
                    None => continue,
                },
            };
            if cut {
                list.truncate(place);
            } else if list.len() > 1 {
                let place = place % (list.len() - 1);
                list.swap(place, place + 1);
            }
        }
        (all, lists)
    })
}

fn of(made: &[Made], end: Option<&Lists>) -> Checked {
    let transaction = |made: &'_ Made| Transaction { outcome: made.0, replica: false, steps: &[] };
    let mut all: Vec<Transaction<'_>> = made.iter().map(transaction).collect();
    for (transaction, made) in all.iter_mut().zip(made) {
        transaction.steps = &made.1;
    }
    append(&all, end)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn it_says_what_trying_every_order_says((made, end) in made()) {
        let checked = of(&made, Some(&end));
        let explained = some_order_explains(&made, &Lists::new(), &end);
        prop_assert_eq!(checked.verdict == Verdict::Holds, explained, "{:?}", checked);
        // Without the end less is known, and nothing is said that is not so.
        if explained {
            prop_assert_eq!(of(&made, None).verdict, Verdict::Holds);
        }
    }
}

#[test]
fn what_one_transaction_appended_is_in_its_order() {
    let checked = judged(&["a1.1 a1.2"], Some(&[(1, &[2, 1])]));
    assert_eq!((checked.verdict, checked.count(Kind::Internal)), (Verdict::Violated, 1));
}
