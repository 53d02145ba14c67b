//! The figures of a run once it is over.

use std::time::Duration;

use pgha_wan::units::whole_ms;
use serde::Serialize;

use super::{History, Ledger, Lost, Operation, Outage, Outcome, Workload, outages};

/// Most lost writes that are listed one by one.
pub const LISTED_MAX: usize = 100;
/// The shortest time without writes that is called an outage: an ordinary commit over an ocean takes a third of it.
const OUTAGE_MIN: Duration = Duration::from_millis(500);

/// The figures of a run. Times in milliseconds are since its begin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadReport {
    /// What clients did.
    pub workload: Workload,
    /// Clients that wrote.
    pub clients: u32,
    /// How long they did.
    pub took_ms: u64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Writes that were not done, for certain.
    pub failed: u64,
    /// Writes of which nobody can say.
    pub unknown: u64,
    /// Those of them that were there at the end.
    pub unknown_found: u64,
    /// Acknowledged writes that were not there at the end; null where the end could not be read, or does not tell.
    pub lost: Option<u64>,
    /// The first of them.
    pub lost_writes: Vec<LostWrite>,
    /// Rows that were there though their write had failed, or that nobody wrote.
    pub unexpected: u64,
    /// Acknowledged writes in a second, in the mean.
    pub writes_per_s: f64,
    /// How long an acknowledged write took; null where there is none.
    pub latency_us: Option<Latency>,
    /// The longest time in which no write was acknowledged.
    pub longest_outage_ms: u64,
    /// Times of half a second and more in which none was.
    pub outages: Vec<OutageFigures>,
    /// The node that was read at the end.
    pub read_on: Option<String>,
}

/// An acknowledged write that is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostWrite {
    /// Whose.
    pub client: u32,
    /// Which.
    pub id: u64,
    /// When it was acknowledged.
    pub acknowledged_ms: u64,
}

/// How long acknowledged writes took, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Half of them took less.
    pub p50: u64,
    /// 99 of 100 took less.
    pub p99: u64,
    /// The slowest.
    pub max: u64,
}

/// A time without writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutageFigures {
    /// The last acknowledged write before.
    pub from_ms: u64,
    /// The first one after; null where there was none.
    pub to_ms: Option<u64>,
    /// How long.
    pub took_ms: u64,
    /// Who acknowledged before.
    pub before: Option<String>,
    /// Who acknowledged after.
    pub after: Option<String>,
}

/// What a report is made from.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// Clients that wrote.
    pub clients: u32,
    /// Everything that was done.
    pub history: &'a History,
    /// Time between two operations of all clients, where they were paced.
    pub pace: Option<Duration>,
}

impl LoadReport {
    /// Works the figures out.
    pub fn of(run: &Run<'_>) -> Self {
        let History { took, ref nodes, .. } = *run.history;
        let (operations, found) = (run.history.writes(), run.history.found());
        let ledger = Ledger::of(&operations, found.as_deref().unwrap_or_default());
        let node = |node: u32| nodes.get(node as usize).cloned();
        // Clients that write once a second are not without writes in between.
        let at_least = run.pace.map_or(OUTAGE_MIN, |pace| OUTAGE_MIN.max(pace.saturating_mul(3)));
        let figures = |outage: &Outage| OutageFigures {
            from_ms: whole_ms(outage.from),
            to_ms: outage.to.map(whole_ms),
            took_ms: whole_ms(outage.length(took)),
            before: outage.before.and_then(node),
            after: outage.after.and_then(node),
        };
        let all = outages(&operations, took, Duration::ZERO);
        let longest = all.iter().map(|outage| outage.length(took)).max();
        let long = all.iter().filter(|outage| outage.length(took) >= at_least);
        let lost = |lost: &Lost| LostWrite {
            client: lost.client,
            id: lost.id,
            acknowledged_ms: whole_ms(lost.acknowledged),
        };
        let seconds = took.as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "a rate is rounded")]
        let acknowledged = ledger.acknowledged as f64;
        Self {
            workload: run.history.workload,
            clients: run.clients,
            took_ms: whole_ms(took),
            acknowledged: ledger.acknowledged,
            failed: ledger.failed,
            unknown: ledger.unknown,
            unknown_found: ledger.unknown_found,
            lost: found.as_ref().map(|_| ledger.lost.len() as u64),
            lost_writes: match found {
                Some(_) => ledger.lost.iter().take(LISTED_MAX).map(lost).collect(),
                None => Vec::new(),
            },
            unexpected: found.map_or(0, |_| ledger.unexpected.len() as u64),
            writes_per_s: if seconds > 0.0 {
                (acknowledged / seconds * 10.0).round() / 10.0
            } else {
                0.0
            },
            latency_us: latency(&operations),
            longest_outage_ms: longest.map_or(0, whole_ms),
            outages: long.map(figures).collect(),
            read_on: run.history.end.as_ref().map(|end| end.node.clone()),
        }
    }
}

fn latency(operations: &[Operation]) -> Option<Latency> {
    let acknowledged = operations.iter().filter(|o| o.outcome == Outcome::Ok);
    let mut took: Vec<_> = acknowledged.map(|o| o.ended.saturating_sub(o.sent)).collect();
    took.sort_unstable();
    let us = |time: &Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let at = |percent: usize| took.get((took.len() * percent / 100).min(took.len() - 1)).map(us);
    Some(Latency { max: took.last().map(us)?, p50: at(50)?, p99: at(99)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Action, Done, End, Found, Session};

    fn at(session: u32, id: u64, ended_ms: u64, outcome: Outcome) -> Done {
        let ended = Duration::from_millis(ended_ms);
        let sent = ended.saturating_sub(Duration::from_millis(2));
        Done { session, id, sent, ended, outcome, action: Action::Insert }
    }

    fn failover() -> History {
        let session = |node| Session { client: 0, node, timeline: Some(node) };
        History {
            workload: Workload::Ledger,
            nodes: vec!["a".to_owned(), "b".to_owned()],
            took: Duration::from_secs(10),
            sessions: vec![session(0), session(1)],
            operations: vec![
                at(0, 1, 10, Outcome::Ok),
                at(0, 2, 20, Outcome::Ok),
                at(0, 3, 5020, Outcome::Unknown),
                at(1, 4, 9020, Outcome::Ok),
            ],
            end: None,
        }
    }

    fn report(history: &History, pace: Option<Duration>) -> LoadReport {
        LoadReport::of(&Run { clients: 1, history, pace })
    }

    #[test]
    fn a_failover_that_lost_a_write_is_told_with_its_figures() {
        let found = Found::Rows(vec![(0, 1), (0, 4)]);
        let history = History { end: Some(End { node: "b".to_owned(), found }), ..failover() };
        let report = report(&history, None);
        assert_eq!((report.acknowledged, report.unknown, report.lost), (3, 1, Some(1)));
        assert_eq!(report.lost_writes, [LostWrite { client: 0, id: 2, acknowledged_ms: 20 }]);
        assert_eq!((report.longest_outage_ms, report.outages.len()), (9000, 2));
        let outage = &report.outages[0];
        assert_eq!((outage.before.as_deref(), outage.after.as_deref()), (Some("a"), Some("b")));
        assert_eq!(report.latency_us, Some(Latency { p50: 2000, p99: 2000, max: 2000 }));
        assert_eq!(report.read_on.as_deref(), Some("b"));
    }

    #[test]
    fn where_the_end_could_not_be_read_or_does_not_tell_nothing_is_called_lost() {
        let report_of = report(&failover(), None);
        assert_eq!((report_of.lost, report_of.lost_writes.len()), (None, 0));
        let found = Found::Balances(vec![100]);
        let bank = History { end: Some(End { node: "b".to_owned(), found }), ..failover() };
        assert_eq!((report(&bank, None).lost, report(&bank, None).unexpected), (None, 0));
        let nothing = History { operations: Vec::new(), ..failover() };
        let nothing = report(&nothing, None);
        assert_eq!((nothing.latency_us, nothing.longest_outage_ms), (None, 10_000));
    }

    #[test]
    fn clients_that_write_rarely_have_no_outage_between_their_writes() {
        let operations = vec![at(0, 1, 4000, Outcome::Ok), at(0, 2, 8000, Outcome::Ok)];
        let history = History { operations, ..failover() };
        let pace = Some(Duration::from_secs(4));
        assert_eq!(report(&history, pace).outages, []);
        assert_eq!(report(&history, None).outages.len(), 3);
    }
}
