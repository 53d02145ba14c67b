//! Lies that are planted in a history, one at a time: a checker that finds none of them would always pass.

use std::time::Duration;

use super::Judged;
use crate::history::{Action, Found, History, ListStep, Lists, Outcome, Session, Workload};

/// One thing of a history that is changed.
#[derive(Debug, Clone, Copy)]
pub struct Lie {
    /// What.
    pub what: &'static str,
    /// In histories of this workload; of all that write where there is none.
    workload: Option<Workload>,
    plant: fn(&mut History) -> Option<()>,
}

/// What became of a lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// It was found.
    Found,
    /// It was not: the checker is wrong.
    Missed,
    /// The history has no place for it, such as no read that could be stale.
    NoPlace,
}

impl Told {
    /// The words for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Missed => "NOT FOUND",
            Self::NoPlace => "no place for it",
        }
    }
}

const LIES: [Lie; 15] = [
    of(Workload::Ledger, "an acknowledged row is dropped", |h| {
        let at = row(h, kept_insert(h)?)?;
        rows(h)?.remove(at);
        Some(())
    }),
    of(Workload::Ledger, "a row comes from nowhere", |h| {
        let next = h.operations.iter().map(|done| done.id).max()? + 1;
        rows(h)?.push((0, next));
        Some(())
    }),
    of(Workload::Ledger, "a row that was rolled back is there", |h| {
        let at = kept_insert(h)?;
        h.operations[at].outcome = Outcome::Failed;
        Some(())
    }),
    of(Workload::Ledger, "a client reads less than it has read before", |h| {
        let largest = |at: &usize| matches!(h.operations[*at].action, Action::Largest(_, Some(_)));
        let first = acknowledged(h).find(largest)?;
        let Action::Largest(key, _) = h.operations[first].action else { return None };
        let session = h.operations[first].session;
        let same = |at: &usize| {
            let done = &h.operations[*at];
            done.session == session && matches!(done.action, Action::Largest(k, _) if k == key)
        };
        let later = acknowledged(h).filter(|at| *at > first).find(same)?;
        h.operations[later].action = Action::Largest(key, None);
        Some(())
    }),
    of(Workload::Append, "the last value of a list is dropped", |h| {
        lists(h)?.values_mut().find(|list| !list.is_empty())?.pop().map(drop)
    }),
    of(Workload::Append, "two values of a list change places", |h| {
        let list = lists(h)?.values_mut().find(|list| list.len() >= 4)?;
        let middle = list.len() / 2;
        list.swap(middle, middle - 1);
        Some(())
    }),
    of(Workload::Append, "a value is applied twice", |h| {
        let list = lists(h)?.values_mut().find(|list| !list.is_empty())?;
        list.push(list[0]);
        Some(())
    }),
    of(Workload::Append, "a write that was rolled back is seen", |h| {
        let (key, list) = lists(h)?.iter().find(|(_, list)| !list.is_empty())?;
        let (key, value) = (*key, list[list.len() / 2]);
        let at = appended(h, key, value)?;
        h.operations[at].outcome = Outcome::Failed;
        Some(())
    }),
    // It saw nothing yet, and wrote after all others.
    of(Workload::Append, "a read is of the past", |h| {
        let (key, list) = lists(h)?.iter().find(|(_, list)| list.len() >= 4)?;
        let (key, last) = (*key, *list.last()?);
        let at = appended(h, key, last)?;
        let steps =
            vec![ListStep::Read { key, list: Vec::new() }, ListStep::Append { key, value: last }];
        h.operations[at].action = Action::Lists(steps);
        Some(())
    }),
    of(Workload::Register, "a read is stale", |h| {
        let read = |at: &usize| {
            let done = &h.operations[*at];
            let leads = h.session(done).is_some_and(|session| session.timeline.is_some());
            matches!(done.action, Action::Get(..)) && leads
        };
        let at = acknowledged(h).rfind(read)?;
        let Action::Get(key, _) = h.operations[at].action else { return None };
        let old = overwritten(h, key, h.operations[at].sent)?;
        h.operations[at].action = Action::Get(key, old);
        Some(())
    }),
    of(Workload::Register, "the last value is lost", |h| {
        let all = registers(h)?.clone();
        let old = |(key, _): &(u32, u64)| overwritten(h, *key, h.took);
        let (at, old) = all.iter().enumerate().find_map(|(at, last)| Some((at, old(last)?)))?;
        registers(h)?[at].1 = old;
        Some(())
    }),
    of(Workload::Register, "a write that was rolled back is seen", |h| {
        let all = registers(h)?.clone();
        let wrote =
            |at: &usize| all.iter().any(|last| value(&h.operations[*at].action) == Some(*last));
        let at = acknowledged(h).find(wrote)?;
        h.operations[at].outcome = Outcome::Failed;
        Some(())
    }),
    of(Workload::Bank, "money is gone at the end", |h| {
        let Found::Balances(all) = &mut h.end.as_mut()?.found else { return None };
        *all.first_mut()? -= 1;
        Some(())
    }),
    of(Workload::Bank, "money comes from nowhere", |h| {
        let read = |at: &usize| matches!(h.operations[*at].action, Action::Balances(_));
        let at = middle(acknowledged(h).filter(read))?;
        let Action::Balances(all) = &mut h.operations[at].action else { return None };
        *all.first_mut()? += 1;
        Some(())
    }),
    Lie { what: "another node accepts writes as well", workload: None, plant: other_writer },
];

const fn of(workload: Workload, what: &'static str, plant: fn(&mut History) -> Option<()>) -> Lie {
    Lie { what, workload: Some(workload), plant }
}

impl Lie {
    /// Those for histories of a workload.
    pub fn of(workload: Workload) -> impl Iterator<Item = Self> {
        let fits = move |lie: &Self| match lie.workload {
            Some(only) => only == workload,
            None => workload != Workload::None,
        };
        LIES.into_iter().filter(fits)
    }

    /// Plants it in a copy of a history, which was judged, and judges that.
    pub fn told(&self, history: &History, honest: &Judged) -> Told {
        let mut changed = history.clone();
        if (self.plant)(&mut changed).is_none() {
            return Told::NoPlace;
        }
        // In a history that is not without faults, it is one more.
        if Judged::of(&changed).violated() > honest.violated() { Told::Found } else { Told::Missed }
    }
}

/// Places of what was acknowledged.
fn acknowledged(history: &History) -> impl DoubleEndedIterator<Item = usize> {
    let all = history.operations.iter().enumerate();
    all.filter(|(_, done)| done.outcome == Outcome::Ok).map(|(at, _)| at)
}

fn middle(all: impl Iterator<Item = usize>) -> Option<usize> {
    let all: Vec<usize> = all.collect();
    all.get(all.len() / 2).copied()
}

fn rows(history: &mut History) -> Option<&mut Vec<(u32, u64)>> {
    match &mut history.end.as_mut()?.found {
        Found::Rows(rows) => Some(rows),
        _ => None,
    }
}

fn lists(history: &mut History) -> Option<&mut Lists> {
    match &mut history.end.as_mut()?.found {
        Found::Lists(lists) => Some(lists),
        _ => None,
    }
}

fn registers(history: &mut History) -> Option<&mut Vec<(u32, u64)>> {
    match &mut history.end.as_mut()?.found {
        Found::Registers(all) => Some(all),
        _ => None,
    }
}

/// Where the row of an operation is at the end.
fn row(history: &History, at: usize) -> Option<usize> {
    let done = history.operations.get(at)?;
    let key = (history.session(done)?.client, done.id);
    match &history.end.as_ref()?.found {
        Found::Rows(rows) => rows.iter().position(|row| *row == key),
        _ => None,
    }
}

/// An acknowledged insert of which the row is there.
fn kept_insert(history: &History) -> Option<usize> {
    let insert = |at: &usize| history.operations[*at].action == Action::Insert;
    let from = middle(acknowledged(history).filter(insert))?;
    acknowledged(history)
        .filter(insert)
        .filter(|at| *at >= from)
        .find(|at| row(history, *at).is_some())
}

/// Which operation has appended a value, and was acknowledged.
fn appended(history: &History, key: u32, value: u32) -> Option<usize> {
    let step = ListStep::Append { key, value };
    let appends = |at: &usize| match &history.operations[*at].action {
        Action::Lists(steps) => steps.contains(&step),
        _ => false,
    };
    acknowledged(history).find(appends)
}

/// What is in which register after a write.
fn value(action: &Action) -> Option<(u32, u64)> {
    match *action {
        Action::Set(key, value) | Action::Swap(key, _, value) => Some((key, value)),
        _ => None,
    }
}

/// A value of a register that was certainly overwritten before this time.
fn overwritten(history: &History, key: u32, before: Duration) -> Option<u64> {
    let writes = acknowledged(history).map(|at| &history.operations[at]);
    let writes = writes.filter(|done| value(&done.action).is_some_and(|(k, _)| k == key));
    let mut all: Vec<_> = writes.collect();
    all.sort_by_key(|done| done.ended);
    let first = all.first()?;
    all.iter().find(|done| done.sent > first.ended && done.ended < before)?;
    Some(value(&first.action)?.1)
}

/// Two writes that were acknowledged one after the other, while a node led, are another one's.
fn other_writer(history: &mut History) -> Option<()> {
    let writes: Vec<usize> =
        acknowledged(history).filter(|at| history.operations[*at].action.writes()).collect();
    let leader = |at: usize| {
        let Session { node, timeline, .. } = *history.session(&history.operations[at])?;
        Some((node, timeline?))
    };
    let (node, timeline) = leader(*writes.get(writes.len() / 2)?)?;
    let mut its: Vec<usize> =
        writes.into_iter().filter(|at| leader(*at) == Some((node, timeline))).collect();
    its.sort_by_key(|at| history.operations[*at].ended);
    let one = *its.get(its.len() / 3)?;
    let after = |at: &usize| history.operations[*at].sent > history.operations[one].ended;
    let other = its.iter().copied().find(after)?;
    for at in [one, other] {
        let client = history.session(&history.operations[at])?.client;
        history.operations[at].session = u32::try_from(history.sessions.len()).ok()?;
        let timeline = Some(timeline.checked_add(1)?);
        history.sessions.push(Session { client, node: node + 1, timeline });
    }
    Some(())
}
