//! Everything that clients of a run did: what checkers judge, and what is kept on disk.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Operation, Outcome};

/// What clients do.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Each inserts rows of its own; every acknowledged one has to be there at the end.
    #[default]
    Ledger,
    /// Transactions append to lists and read them: serializable or not.
    Append,
    /// Single values are written, compared and read: linearizable or not.
    Register,
    /// Money goes from one account to another: the total stays, and no account is below zero.
    Bank,
    /// Nothing.
    None,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ledger, Self::Append, Self::Register, Self::Bank, Self::None];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Append => "append",
            Self::Register => "register",
            Self::Bank => "bank",
            Self::None => "none",
        }
    }
}

/// A word that is no workload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no workload `{0}`")]
pub struct UnknownWorkload(String);

impl FromStr for Workload {
    type Err = UnknownWorkload;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|workload| workload.as_str() == word);
        found.ok_or_else(|| UnknownWorkload(word.to_owned()))
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Accounts of a bank.
pub const ACCOUNTS: u32 = 16;
/// What is on each of them to begin with.
pub const BALANCE: i64 = 100;

/// One connection of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Which client, from 0.
    pub client: u32,
    /// The node, by its place among the nodes of the run.
    pub node: u32,
    /// The timeline that the node was writing; none on a replica.
    pub timeline: Option<u32>,
}

/// A step of a transaction on lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListStep {
    /// A value that nobody else appends to this list, put at its end.
    Append {
        /// Which list.
        key: u32,
        /// What.
        value: u32,
    },
    /// The whole list, as it was read.
    Read {
        /// Which list.
        key: u32,
        /// Its values in order.
        list: Vec<u32>,
    },
}

/// Lists by their keys; one that is not there is empty.
pub type Lists = BTreeMap<u32, Vec<u32>>;

/// What an operation did. What a read has seen is in it once it is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A row of its own.
    Insert,
    /// Read the largest id of this client.
    Largest(u32, Option<u64>),
    /// A transaction on lists.
    Lists(Vec<ListStep>),
    /// Wrote this value, which nobody else writes, to this register.
    Set(u32, u64),
    /// Wrote the second value to this register, where the first one was in it.
    Swap(u32, u64, u64),
    /// Read this register.
    Get(u32, u64),
    /// Moved an amount from one account to another.
    Transfer(u32, u32, i64),
    /// Read all accounts.
    Balances(Vec<i64>),
}

impl Action {
    /// Whether it changes something.
    pub fn writes(&self) -> bool {
        match self {
            Self::Insert | Self::Set(..) | Self::Swap(..) | Self::Transfer(..) => true,
            Self::Lists(steps) => steps.iter().any(|s| matches!(s, ListStep::Append { .. })),
            Self::Largest(..) | Self::Get(..) | Self::Balances(_) => false,
        }
    }
}

/// An operation with what it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// By its place among the sessions.
    pub session: u32,
    /// Which of its client's operations; no two of a client have the same.
    pub id: u64,
    /// When it was sent.
    pub sent: Duration,
    /// When it ended.
    pub ended: Duration,
    /// How.
    pub outcome: Outcome,
    /// What it was.
    pub action: Action,
}

/// What was there at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The node that was read.
    pub node: String,
    /// What was there.
    pub found: Found,
}

/// What was there, by workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Client and id of each row.
    Rows(Vec<(u32, u64)>),
    /// Every list.
    Lists(Lists),
    /// Every register with its value.
    Registers(Vec<(u32, u64)>),
    /// The balances.
    Balances(Vec<i64>),
}

/// A run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// What clients did.
    pub workload: Workload,
    /// The nodes, as sessions count them.
    pub nodes: Vec<String>,
    /// How long it took.
    pub took: Duration,
    /// Every connection.
    pub sessions: Vec<Session>,
    /// Everything that was done, each client's in order.
    pub operations: Vec<Done>,
    /// What was there at the end; none where that could not be read.
    pub end: Option<End>,
}

impl History {
    /// The connection of an operation; none in a history that is not whole.
    pub fn session(&self, done: &Done) -> Option<&Session> {
        self.sessions.get(done.session as usize)
    }

    /// What has written, without what exactly.
    pub fn writes(&self) -> Vec<Operation> {
        let writes = self.operations.iter().filter(|done| done.action.writes());
        let writes = writes.filter_map(|done| {
            let Session { client, node, .. } = *self.session(done)?;
            let Done { id, sent, ended, outcome, .. } = *done;
            Some(Operation { client, id, sent, ended, outcome, node })
        });
        writes.collect()
    }

    /// The writes that are there at the end, as client and id, and those that nobody has made; none where the end was not
    /// read, or tells nothing about single writes.
    pub fn found(&self) -> Option<Vec<(u32, u64)>> {
        match &self.end.as_ref()?.found {
            Found::Rows(rows) => Some(rows.clone()),
            Found::Lists(lists) => {
                let values = lists.iter().flat_map(|(key, list)| list.iter().map(|v| (*key, *v)));
                let there: HashSet<(u32, u32)> = values.collect();
                let is_there = |done: &&Done| match &done.action {
                    Action::Lists(steps) => steps.iter().all(|step| match step {
                        ListStep::Append { key, value } => there.contains(&(*key, *value)),
                        ListStep::Read { .. } => true,
                    }),
                    _ => false,
                };
                let writes = self.operations.iter().filter(|done| done.action.writes());
                let of = |done: &Done| Some((self.session(done)?.client, done.id));
                Some(writes.filter(is_there).filter_map(of).collect())
            }
            Found::Registers(_) | Found::Balances(_) => None,
        }
    }
}
