//! What a client does next, by workload, and how that is asked of a server.

use futures_util::future::{join_all, join3};
use pgha_core::history::{ACCOUNTS, Action, ListStep, Outcome, Workload};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::tables::{REGISTERS, count};

/// Lists that are appended to at one time.
const LISTS_AT_ONCE: u32 = 8;
/// Values that a list gets in the mean, before others take its place: each read tells all of it.
const VALUES_EACH: u32 = 32;
/// The most that one transfer moves.
const AMOUNT_MAX: i64 = 5;

/// What a client chooses from.
#[derive(Debug)]
pub(super) struct Chooser {
    workload: Workload,
    clients: u32,
    rng: StdRng,
    /// What it knows to have been in each register.
    registers: Vec<u64>,
}

impl Chooser {
    pub(super) fn new(workload: Workload, clients: u32) -> Self {
        let registers = vec![0; REGISTERS as usize];
        Self { workload, clients, rng: StdRng::seed_from_u64(rand::random()), registers }
    }

    /// A read that a replica can answer.
    pub(super) fn read(&mut self, values: u32) -> Action {
        match self.workload {
            Workload::Append => {
                let first = self.rng.random_range(0..LISTS_AT_ONCE);
                let key = |more| list(values, (first + more) % LISTS_AT_ONCE);
                let read = |key| ListStep::Read { key, list: Vec::new() };
                Action::Lists((0..3).map(key).map(read).collect())
            }
            Workload::Register => Action::Get(self.rng.random_range(0..REGISTERS), 0),
            Workload::Bank => Action::Balances(Vec::new()),
            Workload::Ledger | Workload::None => {
                Action::Largest(self.rng.random_range(0..self.clients.max(1)), None)
            }
        }
    }

    /// What a client on the leader does; `value` is one that no other operation has.
    pub(super) fn next(&mut self, value: u32) -> Action {
        match self.workload {
            Workload::Append => {
                let count = self.rng.random_range(2..=3);
                let append = self.rng.random_range(0..count);
                let step = |at| {
                    let key = list(value, self.rng.random_range(0..LISTS_AT_ONCE));
                    if at == append {
                        ListStep::Append { key, value }
                    } else {
                        ListStep::Read { key, list: Vec::new() }
                    }
                };
                Action::Lists((0..count).map(step).collect())
            }
            Workload::Register => {
                let key = self.rng.random_range(0..REGISTERS);
                match self.rng.random_range(0..5) {
                    0 | 1 => Action::Set(key, value.into()),
                    2 => Action::Swap(key, self.registers[key as usize], value.into()),
                    _ => Action::Get(key, 0),
                }
            }
            Workload::Bank if self.rng.random_range(0..4) == 0 => Action::Balances(Vec::new()),
            Workload::Bank => {
                let from = self.rng.random_range(0..ACCOUNTS);
                let to = (from + self.rng.random_range(1..ACCOUNTS)) % ACCOUNTS;
                Action::Transfer(from, to, self.rng.random_range(1..=AMOUNT_MAX))
            }
            Workload::Ledger | Workload::None => Action::Insert,
        }
    }

    /// Takes note of what was seen.
    pub(super) fn note(&mut self, action: &Action) {
        if let Action::Get(key, value) | Action::Set(key, value) | Action::Swap(key, _, value) =
            action
            && let Some(known) = self.registers.get_mut(*key as usize)
        {
            *known = *value;
        }
    }
}

/// One of the lists in use once so many values were appended.
fn list(values: u32, which: u32) -> u32 {
    values / (LISTS_AT_ONCE * VALUES_EACH) * LISTS_AT_ONCE + which
}

/// What is certain of an action before it is answered: nothing of what it reads.
pub(super) fn unanswered(action: &Action) -> Action {
    match action {
        Action::Lists(steps) => {
            let writes = |step: &&ListStep| matches!(step, ListStep::Append { .. });
            Action::Lists(steps.iter().filter(writes).cloned().collect())
        }
        other => other.clone(),
    }
}

/// How an action ended that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    /// The session is as good as before.
    pub(super) goes_on: bool,
}

impl Answer {
    fn of(done: Result<bool, Error>) -> Self {
        match done {
            Ok(true) => Self { outcome: Outcome::Ok, goes_on: true },
            Ok(false) => Self { outcome: Outcome::Failed, goes_on: true },
            Err(error) => {
                let code = error.code();
                let again = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
                Self {
                    outcome: Outcome::of_error(code.map(SqlState::code)),
                    goes_on: code.is_some_and(|code| again.contains(code)),
                }
            }
        }
    }
}

/// The statements of a workload on one connection.
#[derive(Debug)]
pub(super) struct Statements {
    begin: &'static str,
    /// By their places in [`super::tables::statements`].
    prepared: Vec<Statement>,
}

impl Statements {
    /// Prepares them; on a replica transactions read a snapshot.
    pub(super) async fn prepare(
        client: &Client,
        workload: Workload,
        table: &str,
        replica: bool,
    ) -> Result<Self, Error> {
        let texts = super::tables::statements(workload, table);
        let prepared = join_all(texts.iter().map(|text| client.prepare(text))).await;
        let begin = if replica {
            "begin isolation level repeatable read read only"
        } else {
            "begin isolation level serializable"
        };
        Ok(Self { begin, prepared: prepared.into_iter().collect::<Result<_, _>>()? })
    }

    /// Does it, and puts into it what it has read.
    pub(super) async fn carry_out(
        &self,
        client: &Client,
        (number, id): (u32, u64),
        action: &mut Action,
    ) -> Answer {
        Answer::of(self.ask(client, (number, id), action).await)
    }

    async fn ask(
        &self,
        client: &Client,
        (number, id): (u32, u64),
        action: &mut Action,
    ) -> Result<bool, Error> {
        let [first, second, third] = [0, 1, 2].map(|place| self.prepared.get(place));
        let one = |statement: Option<&Statement>, values: &[i64]| {
            let statement = statement.cloned();
            let values = values.to_vec();
            async move {
                let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|v| v as _).collect();
                match &statement {
                    Some(statement) => client.query(statement, &values).await,
                    None => Ok(Vec::new()),
                }
            }
        };
        let i = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        match action {
            Action::Insert => {
                one(first, &[number.into(), i(id)]).await?;
            }
            Action::Largest(of, largest) => {
                let rows = one(second, &[(*of).into()]).await?;
                let id: Option<i64> = rows.first().and_then(|row| row.get(0));
                *largest = id.and_then(|id| u64::try_from(id).ok());
            }
            Action::Lists(steps) => {
                let each = steps.iter().map(|step| match step {
                    ListStep::Append { key, value } => {
                        one(first, &[(*key).into(), (*value).into()])
                    }
                    ListStep::Read { key, .. } => one(second, &[(*key).into()]),
                });
                // All at once: the server does one after the other, and an error takes all back.
                let (begun, read, committed) = join3(
                    client.batch_execute(self.begin),
                    join_all(each),
                    client.batch_execute("commit"),
                )
                .await;
                begun?;
                let read: Vec<Vec<Row>> = read.into_iter().collect::<Result<_, _>>()?;
                committed?;
                for (step, rows) in steps.iter_mut().zip(read) {
                    if let ListStep::Read { list, .. } = step {
                        let values: Vec<i64> = rows.first().map_or_else(Vec::new, |r| r.get(0));
                        *list = values.into_iter().map(count).collect();
                    }
                }
            }
            Action::Set(key, value) => {
                return Ok(!one(first, &[(*key).into(), i(*value)]).await?.is_empty());
            }
            Action::Swap(key, old, new) => {
                let swapped = one(second, &[(*key).into(), i(*new), i(*old)]).await?;
                return Ok(!swapped.is_empty());
            }
            Action::Get(key, value) => {
                let rows = one(third, &[(*key).into()]).await?;
                let seen = rows.first().map_or(0, |row| row.get::<_, i64>(0));
                *value = u64::try_from(seen).unwrap_or(u64::MAX);
            }
            Action::Transfer(from, to, amount) => {
                let moved = one(first, &[(*from).into(), (*to).into(), *amount]).await?;
                return Ok(!moved.is_empty());
            }
            Action::Balances(balances) => {
                let rows = one(second, &[]).await?;
                *balances = rows.iter().map(|row| row.get(0)).collect();
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_on_the_leader_always_writes_to_lists_and_a_reader_never_writes() {
        for workload in Workload::ALL {
            let mut chooser = Chooser::new(workload, 4);
            for value in 1..200 {
                assert!(!chooser.read(value).writes());
                if matches!(workload, Workload::Append | Workload::Ledger) {
                    assert!(chooser.next(value).writes());
                }
            }
        }
    }

    #[test]
    fn lists_are_replaced_by_others_once_they_are_long() {
        assert_eq!((list(0, 7), list(255, 0), list(256, 0)), (7, 0, 8));
    }

    #[test]
    fn what_was_not_answered_has_read_nothing() {
        let append = ListStep::Append { key: 1, value: 2 };
        let read = ListStep::Read { key: 1, list: Vec::new() };
        let kept = unanswered(&Action::Lists(vec![read, append.clone()]));
        assert_eq!(kept, Action::Lists(vec![append]));
    }
}
