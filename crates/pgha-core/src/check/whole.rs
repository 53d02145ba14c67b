//! Which checkers a history is for, and what all of them say.

use std::time::Duration;

use super::{
    Accepted, Access, Anomaly, Call, Checked, Findings, Kind, Reading, Seen, Transaction, Verdict,
    append, bank, monotonic_reads, register, two_writers,
};
use crate::history::{
    ACCOUNTS, Action, BALANCE, Done, Found, History, Ledger, ListStep, Outcome, Session, Workload,
};

/// The checker of rows.
const LEDGER: &str = "ledger";

/// What is said of a whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What each checker says.
    pub checks: Vec<Checked>,
    /// What became of single writes; what is lost is known of a ledger and of lists alone.
    pub ledger: Ledger,
    /// What became of them is known: the end was read, and the workload tells.
    pub counted: bool,
    /// For how long two nodes accepted writes.
    pub two_writers: Duration,
}

impl Judged {
    /// Judges a run.
    pub fn of(history: &History) -> Self {
        let writes = history.writes();
        let found = history.found();
        let ledger = Ledger::of(&writes, found.as_deref().unwrap_or_default());
        let (one_writer, two_writers) = two_writers(accepted(history), &history.nodes);
        let mut checks = match history.workload {
            Workload::Ledger => {
                vec![rows(&ledger, found.is_some()), monotonic_reads(seen(history))]
            }
            Workload::Append => vec![lists(history), monotonic_reads(seen(history))],
            Workload::Register => vec![register(&calls(history))],
            Workload::Bank => {
                vec![bank(i64::from(ACCOUNTS) * BALANCE, readings(history))]
            }
            Workload::None => Vec::new(),
        };
        if history.workload != Workload::None {
            checks.push(one_writer);
        }
        Self { checks, ledger, counted: found.is_some(), two_writers }
    }

    /// The worst that a checker says.
    pub fn verdict(&self) -> Verdict {
        self.checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Holds)
    }

    /// How much contradicts PostgreSQL's promises.
    pub(super) fn violated(&self) -> u64 {
        self.checks.iter().flat_map(Checked::violations).map(|anomaly| anomaly.count).sum()
    }

    /// What contradicts PostgreSQL's promises: each kind with how often, and the first story.
    pub fn violations(&self) -> Vec<String> {
        self.checks.iter().flat_map(Checked::violations).map(told).collect()
    }

    /// The same without what is counted write by write: what is lost, and what is there unexpectedly.
    pub fn contradictions(&self) -> Vec<String> {
        let others = self.checks.iter().filter(|check| check.check != LEDGER);
        let all = others.flat_map(Checked::violations);
        all.filter(|anomaly| anomaly.kind != Kind::Lost).map(told).collect()
    }
}

fn told(anomaly: &Anomaly) -> String {
    let example = anomaly.examples.first().map_or("", String::as_str);
    format!("{} × {}, such as: {example}", anomaly.count, anomaly.kind.words())
}

fn rows(ledger: &Ledger, read: bool) -> Checked {
    let mut findings = Findings::default();
    if read {
        for lost in &ledger.lost {
            findings.add(Kind::Lost, || {
                let at = lost.acknowledged.as_secs_f64();
                format!("row {} of client {}, acknowledged at {at:.3} s", lost.id, lost.client)
            });
        }
        for (client, id) in &ledger.unexpected {
            findings.add(Kind::Garbage, || format!("row {id} of client {client}"));
        }
    } else {
        findings.undecided(|| "the rows could not be read at the end".to_owned());
    }
    let writes = ledger.acknowledged + ledger.failed + ledger.unknown;
    findings.checked(LEDGER, usize::try_from(writes).unwrap_or(usize::MAX))
}

/// Of each operation the session.
fn with_sessions(history: &History) -> impl Iterator<Item = (&Done, &Session)> {
    history.operations.iter().filter_map(|done| Some((done, history.session(done)?)))
}

fn acknowledged(history: &History) -> impl Iterator<Item = (&Done, &Session)> {
    with_sessions(history).filter(|(done, _)| done.outcome == Outcome::Ok)
}

fn accepted(history: &History) -> impl Iterator<Item = Accepted> {
    acknowledged(history).filter(|(done, _)| done.action.writes()).filter_map(|(done, session)| {
        let Done { sent, ended, .. } = *done;
        Some(Accepted { node: session.node, timeline: session.timeline?, sent, ended })
    })
}

fn lists(history: &History) -> Checked {
    let transactions = with_sessions(history).filter_map(|(done, session)| match &done.action {
        Action::Lists(steps) => {
            let replica = session.timeline.is_none() && !done.action.writes();
            Some(Transaction { outcome: done.outcome, replica, steps })
        }
        _ => None,
    });
    let end = match history.end.as_ref().map(|end| &end.found) {
        Some(Found::Lists(lists)) => Some(lists),
        _ => None,
    };
    append(&transactions.collect::<Vec<_>>(), end)
}

fn seen(history: &History) -> impl Iterator<Item = Seen> {
    acknowledged(history).flat_map(|(done, _)| {
        let session = done.session;
        let steps: &[ListStep] = match &done.action {
            Action::Lists(steps) => steps,
            _ => &[],
        };
        let lists = steps.iter().filter_map(move |step| match step {
            ListStep::Read { key, list } => {
                Some(Seen { session, key: *key, much: list.len() as u64 })
            }
            ListStep::Append { .. } => None,
        });
        let rows = match done.action {
            Action::Largest(key, id) => Some(Seen { session, key, much: id.unwrap_or(0) }),
            _ => None,
        };
        rows.into_iter().chain(lists)
    })
}

/// What was done on leaders: replicas may be behind. What is there at the end was read after all else.
fn calls(history: &History) -> Vec<Call> {
    let leaders = with_sessions(history).filter(|(_, session)| session.timeline.is_some());
    let done = leaders.filter_map(|(done, _)| {
        let (key, access) = match done.action {
            Action::Set(key, value) => (key, Access::Set(value)),
            Action::Swap(key, old, new) => (key, Access::Swap(old, new)),
            Action::Get(key, value) => (key, Access::Get(value)),
            _ => return None,
        };
        let Done { sent, ended, outcome, .. } = *done;
        Some(Call { key, access, sent, ended, outcome })
    });
    let mut calls: Vec<Call> = done.collect();
    if let Some(Found::Registers(registers)) = history.end.as_ref().map(|end| &end.found) {
        let last = history.operations.iter().map(|done| done.ended).max().unwrap_or_default();
        let at = last + Duration::from_micros(1);
        calls.extend(registers.iter().map(|(key, value)| Call {
            key: *key,
            access: Access::Get(*value),
            sent: at,
            ended: at,
            outcome: Outcome::Ok,
        }));
    }
    calls
}

fn readings(history: &History) -> impl Iterator<Item = Reading<'_>> {
    let read = acknowledged(history).filter_map(|(done, session)| match &done.action {
        Action::Balances(balances) => {
            let node = history.nodes.get(session.node as usize).map_or("?", String::as_str);
            Some(Reading { node, balances })
        }
        _ => None,
    });
    let end = history.end.as_ref().and_then(|end| match &end.found {
        Found::Balances(balances) => Some(Reading { node: &end.node, balances }),
        _ => None,
    });
    read.chain(end)
}

#[cfg(test)]
mod tests;
