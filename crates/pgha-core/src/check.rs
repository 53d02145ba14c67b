//! Checkers: what a history of operations proves about a cluster.
//!
//! Each is a pure function over plain data and says [`Verdict::Holds`], [`Verdict::Violated`] with counterexamples, or
//! [`Verdict::Undecided`] with the reason. An operation of unknown outcome may have been done or not, whichever explains
//! what was seen. What PostgreSQL is known to do on a replica is told, and is no violation.

mod append;
mod bank;
mod lies;
mod register;
mod sessions;
mod whole;
mod writers;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use append::{Transaction, append};
pub use bank::{Reading, bank};
pub use lies::{Lie, Told};
pub use register::{Access, Call, register};
pub use sessions::{Seen, monotonic_reads};
pub use whole::Judged;
pub use writers::{Accepted, two_writers};

/// Most counterexamples of one kind that are told.
const EXAMPLES_MAX: usize = 3;

/// What a checker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No execution that the checker is about explains the history otherwise.
    Holds,
    /// The search ended at its bound, so nothing is said.
    Undecided,
    /// There is a counterexample.
    Violated,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Undecided => "undecided",
            Self::Violated => "violated",
        }
    }
}

/// What can be wrong with a history.
///
/// The names of cycles are those of Adya's thesis (1999) and of Elle (Kingsbury and Alvaro, 2020).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An acknowledged write is not there at the end.
    Lost,
    /// A part of a transaction is there at the end, another part is not.
    Torn,
    /// A value that nobody wrote.
    Garbage,
    /// A value more than once in a list.
    Duplicate,
    /// Read from a transaction that was rolled back.
    #[serde(rename = "G1a")]
    AbortedRead,
    /// Read from the middle of a transaction.
    #[serde(rename = "G1b")]
    IntermediateRead,
    /// A transaction does not see its own writes.
    Internal,
    /// Two reads of a list of which neither continues the other.
    IncompatibleOrder,
    /// A cycle of writes alone.
    #[serde(rename = "G0")]
    G0,
    /// A cycle of writes and reads of them.
    #[serde(rename = "G1c")]
    G1c,
    /// A cycle with one read of what was overwritten later.
    #[serde(rename = "G-single")]
    GSingle,
    /// A cycle with several of these.
    #[serde(rename = "G2")]
    G2,
    /// No order of the operations explains what was read.
    NotLinearizable,
    /// The sum of all accounts is another one.
    WrongTotal,
    /// An account is below zero.
    Negative,
    /// A session saw an older state after a newer one.
    WentBack,
    /// Two nodes took writes at one time.
    TwoWriters,
    /// What a replica shows fits into no order with what its leader shows: known behaviour of PostgreSQL. Commits become
    /// visible in another order than they are written to the WAL, and snapshots of a replica are not serializable.
    LongFork,
    /// A replica showed a write that was never acknowledged and was lost later: known behaviour, since a standby replays
    /// a commit before its leader has told the client.
    ReplicaAhead,
}

impl Kind {
    /// Whether it contradicts what PostgreSQL promises.
    pub fn is_violation(self) -> bool {
        !matches!(self, Self::LongFork | Self::ReplicaAhead)
    }

    /// In a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Lost => "acknowledged write lost",
            Self::Torn => "transaction applied in part",
            Self::Garbage => "value that no client wrote",
            Self::Duplicate => "value applied twice",
            Self::AbortedRead => "G1a: read of a rolled back transaction",
            Self::IntermediateRead => "G1b: read in the middle of a transaction",
            Self::Internal => "transaction does not see its own writes",
            Self::IncompatibleOrder => "reads that contradict each other",
            Self::G0 => "G0: write cycle",
            Self::G1c => "G1c: circular information flow",
            Self::GSingle => "G-single: read skew",
            Self::G2 => "G2: anti-dependency cycle",
            Self::NotLinearizable => "not linearizable",
            Self::WrongTotal => "wrong total",
            Self::Negative => "negative balance",
            Self::WentBack => "session went back in time",
            Self::TwoWriters => "two nodes accepted writes at once",
            Self::LongFork => "long fork: reads on a replica are not serializable (known)",
            Self::ReplicaAhead => "replica showed a write that was not kept (known)",
        }
    }
}

/// All cases of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Which kind.
    pub kind: Kind,
    /// How many there are.
    pub count: u64,
    /// The first of them, each told as a story.
    pub examples: Vec<String>,
}

/// What a checker has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// The checker, such as `append`.
    pub check: String,
    /// What it says.
    pub verdict: Verdict,
    /// What it was that was counted: operations that took part.
    pub operations: u64,
    /// What is wrong, the worst first, and then what is known behaviour.
    pub anomalies: Vec<Anomaly>,
    /// Why it is undecided.
    pub undecided: Option<String>,
}

impl Checked {
    /// What contradicts PostgreSQL's promises.
    pub fn violations(&self) -> impl Iterator<Item = &Anomaly> {
        self.anomalies.iter().filter(|anomaly| anomaly.kind.is_violation())
    }

    /// How many cases there are of a kind.
    pub fn count(&self, kind: Kind) -> u64 {
        self.anomalies.iter().find(|anomaly| anomaly.kind == kind).map_or(0, |a| a.count)
    }
}

/// Collects what a checker finds.
#[derive(Debug, Default)]
struct Findings {
    found: BTreeMap<Kind, Anomaly>,
    undecided: Option<String>,
}

impl Findings {
    /// Counts a case, and keeps the story of the first ones.
    fn add(&mut self, kind: Kind, story: impl FnOnce() -> String) {
        let new = || Anomaly { kind, count: 0, examples: Vec::new() };
        let anomaly = self.found.entry(kind).or_insert_with(new);
        anomaly.count += 1;
        if anomaly.examples.len() < EXAMPLES_MAX {
            anomaly.examples.push(story());
        }
    }

    /// Nothing can be said about a part of the history.
    fn undecided(&mut self, why: impl FnOnce() -> String) {
        self.undecided.get_or_insert_with(why);
    }

    fn checked(self, check: &str, operations: usize) -> Checked {
        let anomalies: Vec<Anomaly> = self.found.into_values().collect();
        let verdict = if anomalies.iter().any(|anomaly| anomaly.kind.is_violation()) {
            Verdict::Violated
        } else if self.undecided.is_some() {
            Verdict::Undecided
        } else {
            Verdict::Holds
        };
        let (check, operations) = (check.to_owned(), operations as u64);
        Checked { check, verdict, operations, anomalies, undecided: self.undecided }
    }
}
