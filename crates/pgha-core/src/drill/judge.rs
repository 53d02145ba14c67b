//! Compares what a run found with what was expected of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Lost, Rules, Writes};

/// What a run found. Times are since the begin of its load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// No client wrote, because the drill has none: nothing is said of writes.
    pub without_clients: bool,
    /// When the first fault was about to be injected.
    pub injected: Duration,
    /// When all were taken back.
    pub healed: Duration,
    /// When that began: members are started meanwhile, and links carry packets again.
    pub healing: Duration,
    /// The longest time without an acknowledged write that ended after the first fault, as from when to when; `None` for the
    /// end where no write was acknowledged any more.
    pub outage: (Duration, Option<Duration>),
    /// Writes that were acknowledged before the first fault.
    pub before: u64,
    /// Acknowledged writes that are not there at the end; `None` where the end could not be read.
    pub lost: Option<u64>,
    /// Rows that are there and that nobody wrote, or whose write failed.
    pub unexpected: u64,
    /// What else checkers found in what clients did that must not be; a sentence each.
    pub violations: Vec<String>,
    /// A checker could not say, and why.
    pub undecided: Option<String>,
    /// Nodes on which, once all was whole again, other rows were than on the leader.
    pub differing_nodes: u64,
    /// The cluster was whole again in time.
    pub converged: bool,
    /// What steps were to see and did not: alerts, answers of statements; a sentence each.
    pub unmet: Vec<String>,
}

/// What became of the prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prediction {
    /// As expected.
    Confirmed,
    /// Better: nothing was lost though something was expected to be, or writes went where none were to.
    Better,
    /// Worse than expected.
    Refuted,
    /// The run did not come so far that anything could be said.
    NotReached,
}

impl Prediction {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Better => "better than predicted",
            Self::Refuted => "refuted",
            Self::NotReached => "not reached",
        }
    }
}

/// What is said of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What became of the prediction.
    pub prediction: Prediction,
    /// Why: a sentence each, without a full stop; what is worst comes first. Empty where it is confirmed.
    pub reasons: Vec<String>,
}

/// Judges a run.
pub fn judge(rules: &Rules, facts: &Facts) -> Verdict {
    let Rules { expected, outage_max, timers } = *rules;
    let (mut refuted, mut better, mut open) = (Vec::new(), Vec::new(), Vec::new());
    if facts.before == 0 && !facts.without_clients {
        open.push("no write was acknowledged before the fault".to_owned());
    }
    match (facts.lost, expected.lost) {
        (None, _) => open.push("what is there at the end could not be read".to_owned()),
        // What is not lost row by row shows in what clients read: the drill is to show some of it.
        (Some(0), Lost::Some) if facts.violations.is_empty() => {
            better.push("no acknowledged write is lost, and some were to be".to_owned());
        }
        (Some(lost), Lost::None) if lost > 0 => {
            refuted.push(format!("{lost} acknowledged writes are lost"));
        }
        _ => {}
    }
    if facts.unexpected > 0 {
        refuted.push(format!("{} rows are there that no write has made", facts.unexpected));
    }
    // Where writes may be lost, what was read of them may be contradicted.
    if expected.lost == Lost::None {
        refuted.extend(facts.violations.iter().cloned());
    }
    if facts.differing_nodes > 0 {
        refuted.push(format!("{} nodes have other rows than the leader", facts.differing_nodes));
    }
    if !facts.converged {
        refuted.push("the cluster was not whole again in time".to_owned());
    }
    refuted.extend(facts.unmet.iter().cloned());
    let (from, to) = facts.outage;
    let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    match (to, outage_max) {
        _ if facts.without_clients => {}
        (None, _) => refuted.push(format!("no write went after {}", seconds(from))),
        (Some(to), Some(bound)) => {
            let took = to.saturating_sub(from);
            if took > bound {
                let (took, bound) = (seconds(took), seconds(bound));
                refuted.push(format!("no write went for {took}, and {bound} is the most expected"));
            }
        }
        // Until it is healed: a write in between is better.
        (Some(to), None)
            if (to < facts.healing || from >= facts.healed)
                && expected.writes == Writes::Healed =>
        {
            better.push("writes went on before the fault was taken back".to_owned());
        }
        (Some(to), None) => {
            let after = to.saturating_sub(facts.healed);
            let most = Writes::Failover.bound(timers, 0).unwrap_or_default();
            if after > most {
                let (after, most) = (seconds(after), seconds(most));
                refuted.push(format!(
                    "writes came back {after} after it was healed, {most} is the most expected"
                ));
            }
        }
    }
    // What is refuted is so whatever else could not be decided.
    if refuted.is_empty() {
        open.extend(facts.undecided.clone());
    }
    let prediction = if !open.is_empty() {
        Prediction::NotReached
    } else if !refuted.is_empty() {
        Prediction::Refuted
    } else if !better.is_empty() {
        Prediction::Better
    } else {
        Prediction::Confirmed
    };
    Verdict { prediction, reasons: [open, refuted, better].concat() }
}
