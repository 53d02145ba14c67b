use super::*;
use crate::check::{Lie, Told};
use crate::history::{End, Lists, Session};

fn history(workload: Workload, actions: Vec<(u32, Action)>, found: Found) -> History {
    let ms = Duration::from_millis;
    let operations = actions.into_iter().zip(1..).map(|((session, action), id)| Done {
        session,
        id,
        sent: ms(id * 10),
        ended: ms(id * 10 + 5),
        outcome: Outcome::Ok,
        action,
    });
    let session = |node, timeline| Session { client: node, node, timeline };
    History {
        workload,
        nodes: vec!["a".to_owned(), "b".to_owned()],
        took: ms(1000),
        sessions: vec![session(0, Some(1)), session(1, None), session(1, Some(2))],
        operations: operations.collect(),
        end: Some(End { node: "a".to_owned(), found }),
    }
}

fn kinds(history: &History) -> Vec<Kind> {
    let judged = Judged::of(history);
    let kinds: Vec<Kind> =
        judged.checks.iter().flat_map(|c| &c.anomalies).map(|a| a.kind).collect();
    assert_eq!(judged.violations().is_empty(), judged.verdict() == Verdict::Holds);
    kinds
}

#[test]
fn each_workload_is_judged_by_its_checkers() {
    let ledger = |found: &[(u32, u64)], more: Vec<(u32, Action)>| {
        let done = [vec![(0, Action::Insert), (0, Action::Insert)], more].concat();
        kinds(&history(Workload::Ledger, done, Found::Rows(found.to_vec())))
    };
    assert_eq!(ledger(&[(0, 1), (0, 2)], vec![]), []);
    assert_eq!(ledger(&[(0, 1)], vec![]), [Kind::Lost]);
    assert_eq!(ledger(&[(0, 1), (0, 2), (0, 7)], vec![]), [Kind::Garbage]);
    let older = vec![(1, Action::Largest(0, Some(2))), (1, Action::Largest(0, None))];
    assert_eq!(ledger(&[(0, 1), (0, 2)], older), [Kind::WentBack]);
    let after = vec![(2, Action::Insert), (0, Action::Insert), (2, Action::Insert)];
    let rows = [(0, 1), (0, 2), (1, 3), (0, 4), (1, 5)];
    assert_eq!(ledger(&rows, after), [Kind::TwoWriters]);

    let append = |list: &[u32]| {
        let steps = vec![ListStep::Append { key: 1, value: 4 }];
        let lists = Lists::from([(1, list.to_vec())]);
        kinds(&history(Workload::Append, vec![(0, Action::Lists(steps))], Found::Lists(lists)))
    };
    assert_eq!(append(&[4]), []);
    assert_eq!(append(&[]), [Kind::Lost]);

    let register = |session, seen, end| {
        let done = vec![(0, Action::Set(1, 4)), (session, Action::Get(1, seen))];
        kinds(&history(Workload::Register, done, Found::Registers(vec![(1, end)])))
    };
    assert_eq!(register(0, 4, 4), []);
    assert_eq!(register(1, 0, 4), [], "a replica may be behind");
    assert_eq!(register(0, 0, 4), [Kind::NotLinearizable]);
    assert_eq!(register(0, 4, 0), [Kind::NotLinearizable]);

    let whole = vec![BALANCE; ACCOUNTS as usize];
    let less = [vec![BALANCE - 1], whole[1..].to_vec()].concat();
    let bank = |seen: &[i64], end: &[i64]| {
        let done = vec![(1, Action::Balances(seen.to_vec()))];
        kinds(&history(Workload::Bank, done, Found::Balances(end.to_vec())))
    };
    assert_eq!(bank(&whole, &whole), []);
    assert_eq!(bank(&less, &whole), [Kind::WrongTotal]);
    assert_eq!(bank(&whole, &less), [Kind::WrongTotal]);
}

#[test]
fn without_the_end_nothing_is_called_lost() {
    let mut run = history(Workload::Ledger, vec![(0, Action::Insert)], Found::Rows(vec![]));
    run.end = None;
    let judged = Judged::of(&run);
    assert_eq!((judged.verdict(), judged.counted), (Verdict::Undecided, false));
}

/// A long run: two clients on a leader, then on another one, each operation at once after the one before.
fn long(workload: Workload) -> History {
    let (mut rows, mut lists, mut registers) = (Vec::new(), Lists::new(), vec![(0, 0), (1, 0)]);
    let mut balances = vec![BALANCE; ACCOUNTS as usize];
    let mut actions = Vec::new();
    for number in 0..600_u32 {
        let (session, key) = (if number < 300 { 0 } else { 2 }, number % 2);
        let value = u64::from(number) + 1;
        let register = &mut registers[key as usize].1;
        actions.push((
            session,
            match (workload, number % 4) {
                (Workload::Append, 0 | 1) => {
                    lists.entry(key).or_default().push(number);
                    Action::Lists(vec![ListStep::Append { key, value: number }])
                }
                (Workload::Append, _) => {
                    let read = |key| ListStep::Read { key, list: lists[&key].clone() };
                    Action::Lists(vec![read(0), read(1)])
                }
                (Workload::Register, 0 | 1) => {
                    *register = value;
                    Action::Set(key, value)
                }
                (Workload::Register, _) => Action::Get(key, *register),
                (Workload::Bank, 0) => {
                    balances[0] -= 1;
                    balances[1] += 1;
                    balances.swap(0, 2);
                    Action::Transfer(0, 1, 1)
                }
                (Workload::Bank, _) => Action::Balances(balances.clone()),
                (_, 3) => Action::Largest(key, Some(value)),
                _ => {
                    rows.push((u32::from(session != 0), value));
                    Action::Insert
                }
            },
        ));
    }
    let found = match workload {
        Workload::Append => Found::Lists(lists),
        Workload::Register => Found::Registers(registers),
        Workload::Bank => Found::Balances(balances),
        _ => Found::Rows(rows),
    };
    history(workload, actions, found)
}

#[test]
fn one_lie_in_a_long_history_is_found() {
    for workload in Workload::ALL.into_iter().filter(|workload| *workload != Workload::None) {
        let history = long(workload);
        let honest = Judged::of(&history);
        assert_eq!(honest.verdict(), Verdict::Holds, "{workload}: {:?}", honest.violations());
        for lie in Lie::of(workload) {
            assert_eq!(lie.told(&history, &honest), Told::Found, "{workload}: {}", lie.what);
        }
    }
}

#[test]
fn a_lie_without_a_place_is_not_called_found() {
    for workload in Workload::ALL {
        let empty = history(workload, Vec::new(), Found::Balances(Vec::new()));
        let honest = Judged::of(&empty);
        assert!(Lie::of(workload).all(|lie| lie.told(&empty, &honest) == Told::NoPlace));
    }
}
