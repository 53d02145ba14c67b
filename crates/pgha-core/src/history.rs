//! What clients of a cluster did, what came of it, and what follows from that.
//!
//! An operation ends in one of three ways, as in Jepsen's histories: it was done for certain, it was not done for
//! certain, or nobody can say. What nobody can say is never called lost. Times are counted from the begin of the run,
//! by one clock.

mod file;
mod ledger;
mod outage;
mod record;
mod report;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use file::BadHistory;
pub use ledger::{Ledger, Lost};
pub use outage::{Outage, outages};
pub use record::{
    ACCOUNTS, Action, BALANCE, Done, End, Found, History, ListStep, Lists, Session,
    UnknownWorkload, Workload,
};
pub use report::{LISTED_MAX, Latency, LoadReport, LostWrite, OutageFigures, Run};

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Acknowledged: its commit was answered, without a warning.
    Ok,
    /// Not done, for certain.
    Failed,
    /// Done or not.
    Unknown,
}

impl Outcome {
    /// How an operation ended that was sent and answered with this SQLSTATE; `None` where it was not answered.
    ///
    /// Classes and codes are those of appendix A of PostgreSQL's documentation. An error takes a transaction back,
    /// but for those of a server that is going down: it may have committed before, and only not waited for a standby.
    pub fn of_error(sqlstate: Option<&str>) -> Self {
        match sqlstate {
            // connection exceptions; admin_shutdown, crash_shutdown and idle_session_timeout; system errors; internal ones
            Some("57P01" | "57P02" | "57P05") | None => Self::Unknown,
            Some(code) if ["08", "58", "XX"].iter().any(|class| code.starts_with(class)) => {
                Self::Unknown
            }
            Some(_) => Self::Failed,
        }
    }
}

/// One operation of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Which client, from 0.
    pub client: u32,
    /// Which of its operations; no two of a client have the same.
    pub id: u64,
    /// When it was sent.
    pub sent: Duration,
    /// When it ended.
    pub ended: Duration,
    /// How.
    pub outcome: Outcome,
    /// The node that it was sent to, by its place among the nodes of the run.
    pub node: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_error_of_a_server_that_goes_on_says_that_nothing_was_done() {
        for (sqlstate, outcome) in [
            (Some("25006"), Outcome::Failed), // read_only_sql_transaction: it is a standby now
            (Some("57P03"), Outcome::Failed), // cannot_connect_now
            (Some("23505"), Outcome::Failed),
            (Some("53300"), Outcome::Failed),
            (Some("57014"), Outcome::Failed), // query_canceled
            (Some("57P01"), Outcome::Unknown),
            (Some("57P02"), Outcome::Unknown),
            (Some("08006"), Outcome::Unknown),
            (Some("58030"), Outcome::Unknown),
            (Some("XX000"), Outcome::Unknown),
            (None, Outcome::Unknown),
        ] {
            assert_eq!(Outcome::of_error(sqlstate), outcome, "{sqlstate:?}");
        }
    }
}
