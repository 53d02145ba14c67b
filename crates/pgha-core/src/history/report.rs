//! What is said of a run of unique inserts once it is over.

use std::time::Duration;

use serde::Serialize;

use super::{Ledger, Lost, Operation, Outage, Outcome, outages};

/// Most lost writes that are listed one by one.
pub const LISTED_MAX: usize = 100;
/// The shortest time without writes that is called an outage: an ordinary commit over an ocean takes a third of it.
const OUTAGE_MIN: Duration = Duration::from_millis(500);

/// The figures of a run. Times in milliseconds are since its begin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadReport {
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
    /// Acknowledged writes that were not there at the end; null where the end could not be read.
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
    /// Everything they did.
    pub operations: &'a [Operation],
    /// How long the run took.
    pub took: Duration,
    /// The nodes, as operations count them.
    pub nodes: &'a [String],
    /// Time between two writes of all clients, where they were paced.
    pub pace: Option<Duration>,
    /// The node that was read at the end and what was there; `None` where none could be read.
    pub found: Option<(&'a str, &'a [(u32, u64)])>,
}

impl LoadReport {
    /// Works the figures out.
    pub fn of(run: &Run<'_>) -> Self {
        let ledger = Ledger::of(run.operations, run.found.map_or(&[], |(_, rows)| rows));
        let node = |node: u32| run.nodes.get(node as usize).cloned();
        // Clients that write once a second are not without writes in between.
        let at_least = run.pace.map_or(OUTAGE_MIN, |pace| OUTAGE_MIN.max(pace.saturating_mul(3)));
        let figures = |outage: &Outage| OutageFigures {
            from_ms: ms(outage.from),
            to_ms: outage.to.map(ms),
            took_ms: ms(outage.length(run.took)),
            before: outage.before.and_then(node),
            after: outage.after.and_then(node),
        };
        let all = outages(run.operations, run.took, Duration::ZERO);
        let longest = all.iter().map(|outage| outage.length(run.took)).max();
        let long = all.iter().filter(|outage| outage.length(run.took) >= at_least);
        let lost = |lost: &Lost| LostWrite {
            client: lost.client,
            id: lost.id,
            acknowledged_ms: ms(lost.acknowledged),
        };
        let seconds = run.took.as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "a rate is rounded")]
        let acknowledged = ledger.acknowledged as f64;
        Self {
            clients: run.clients,
            took_ms: ms(run.took),
            acknowledged: ledger.acknowledged,
            failed: ledger.failed,
            unknown: ledger.unknown,
            unknown_found: ledger.unknown_found,
            lost: run.found.map(|_| ledger.lost.len() as u64),
            lost_writes: match run.found {
                Some(_) => ledger.lost.iter().take(LISTED_MAX).map(lost).collect(),
                None => Vec::new(),
            },
            unexpected: ledger.unexpected.len() as u64,
            writes_per_s: if seconds > 0.0 {
                (acknowledged / seconds * 10.0).round() / 10.0
            } else {
                0.0
            },
            latency_us: latency(run.operations),
            longest_outage_ms: longest.map_or(0, ms),
            outages: long.map(figures).collect(),
            read_on: run.found.map(|(node, _)| node.to_owned()),
        }
    }

    /// Whether it is certain that nothing acknowledged is lost, and nothing is there that nobody made.
    pub fn holds(&self) -> bool {
        self.lost == Some(0) && self.unexpected == 0
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

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(client: u32, id: u64, ended_ms: u64, outcome: Outcome, node: u32) -> Operation {
        let ended = Duration::from_millis(ended_ms);
        let sent = ended.saturating_sub(Duration::from_millis(2));
        Operation { client, id, sent, ended, outcome, node }
    }

    fn failover() -> Vec<Operation> {
        vec![
            at(0, 1, 10, Outcome::Ok, 0),
            at(0, 2, 20, Outcome::Ok, 0),
            at(0, 3, 5020, Outcome::Unknown, 0),
            at(0, 4, 9020, Outcome::Ok, 1),
        ]
    }

    fn run<'a>(operations: &'a [Operation], nodes: &'a [String]) -> Run<'a> {
        let took = Duration::from_secs(10);
        Run { clients: 1, operations, took, nodes, pace: None, found: None }
    }

    #[test]
    fn a_failover_that_lost_a_write_is_told_with_its_figures() {
        let (operations, nodes) = (failover(), ["a".to_owned(), "b".to_owned()]);
        let found = Some(("b", &[(0, 1), (0, 4)][..]));
        let report = LoadReport::of(&Run { found, ..run(&operations, &nodes) });
        assert_eq!((report.acknowledged, report.unknown, report.lost), (3, 1, Some(1)));
        assert_eq!(report.lost_writes, [LostWrite { client: 0, id: 2, acknowledged_ms: 20 }]);
        assert_eq!((report.longest_outage_ms, report.outages.len()), (9000, 2));
        let outage = &report.outages[0];
        assert_eq!((outage.before.as_deref(), outage.after.as_deref()), (Some("a"), Some("b")));
        assert_eq!(report.latency_us, Some(Latency { p50: 2000, p99: 2000, max: 2000 }));
        assert!(!report.holds());
    }

    #[test]
    fn where_the_end_could_not_be_read_nothing_is_called_lost_and_nothing_holds() {
        let (operations, nodes) = (failover(), []);
        let report = LoadReport::of(&run(&operations, &nodes));
        assert_eq!((report.lost, report.lost_writes.len()), (None, 0));
        assert!(!report.holds());
        let nothing = LoadReport::of(&run(&[], &nodes));
        assert_eq!((nothing.latency_us, nothing.longest_outage_ms), (None, 10_000));
    }

    #[test]
    fn clients_that_write_rarely_have_no_outage_between_their_writes() {
        let made = [at(0, 1, 4000, Outcome::Ok, 0), at(0, 2, 8000, Outcome::Ok, 0)];
        let pace = Some(Duration::from_secs(4));
        let report = LoadReport::of(&Run { pace, ..run(&made, &[]) });
        assert!(report.outages.is_empty(), "{:?}", report.outages);
        assert_eq!(LoadReport::of(&run(&made, &[])).outages.len(), 3);
    }
}
