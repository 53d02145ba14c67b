//! A failover in parts, from what members logged and clients saw. A part that nobody saw is not known.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::chronicle::{Entry, What};
use crate::history::{Operation, Outcome};

/// When each part of a failover was reached, in seconds since the first fault; null where that was not seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// A replica lost its stream from the leader.
    pub noticed_s: Option<f64>,
    /// A member saw that the leader key was free, or began to race for it. etcd itself logs nothing of the lease.
    pub lease_gone_s: Option<f64>,
    /// A node took the leader key.
    pub race_won_s: Option<f64>,
    /// Its Postgres accepted writes: by its log, or by a write that it acknowledged before it told of that.
    pub promoted_s: Option<f64>,
    /// The first write that was acknowledged there.
    pub first_write_s: Option<f64>,
    /// The last replica that streams again.
    pub all_stream_s: Option<f64>,
    /// As many standbys acknowledge as the durability asks for.
    pub durability_met_s: Option<f64>,
}

/// What the clock says of a run. Lengths of time are since the begin of its load.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// When the load began, in milliseconds since 1970.
    pub began_ms: i64,
    /// The first fault.
    pub fault: Duration,
    /// When the cluster was found whole again.
    pub whole: Option<Duration>,
}

impl Phases {
    /// The parts by their names, in order.
    pub fn named(&self) -> [(&'static str, Option<f64>); 7] {
        [
            ("noticed", self.noticed_s),
            ("lease gone", self.lease_gone_s),
            ("race won", self.race_won_s),
            ("promoted", self.promoted_s),
            ("first write", self.first_write_s),
            ("all stream", self.all_stream_s),
            ("durability met", self.durability_met_s),
        ]
    }

    /// Of a run; `None` where no node took the leader key after the fault: then there was no failover.
    pub fn of(
        clock: Clock,
        entries: &[Entry],
        operations: &[Operation],
        nodes: &[String],
    ) -> Option<Self> {
        let since = |entry: &Entry| since_fault_s(clock, &entry.at);
        let after: Vec<(f64, &Entry)> = entries
            .iter()
            .filter_map(|e| Some((since(e)?, e)))
            .filter(|(at, _)| *at >= 0.0)
            .collect();
        let first = |from: f64, to: f64, is: &dyn Fn(&Entry) -> bool| {
            after.iter().find(|(at, e)| *at >= from && *at <= to && is(e)).map(|(at, _)| *at)
        };
        let (won, winner) = after.iter().find(|(_, e)| e.what == What::LeaderKeyTaken)?;
        let (won, winner) = (*won, winner.member.as_deref());
        let promoted =
            first(won, f64::MAX, &|e| e.what == What::Writable && e.member.as_deref() == winner);
        let node = nodes.iter().position(|name| Some(name.as_str()) == winner);
        let wrote = operations.iter().filter(|o| {
            o.outcome == Outcome::Ok && Some(o.node as usize) == node && o.ended > clock.fault
        });
        let wrote = wrote.map(|o| o.ended.saturating_sub(clock.fault).as_secs_f64());
        let first_write = wrote.filter(|at| *at >= won).min_by(f64::total_cmp);
        // Postgres tells of its promotion a moment after it takes writes.
        let promoted = promoted.map(|at| first_write.map_or(at, |wrote| at.min(wrote)));
        let whole = clock.whole.map(|whole| whole.saturating_sub(clock.fault).as_secs_f64());
        let streams = |(at, e): &&(f64, &Entry)| {
            *at >= won
                && whole.is_some_and(|whole| *at <= whole)
                && matches!(e.what, What::Streaming { .. })
        };
        let all_stream = after.iter().filter(streams).map(|(at, _)| *at).next_back();
        let rounded = |at: Option<f64>| at.map(|at| (at * 1000.0).round() / 1000.0);
        Some(Self {
            noticed_s: rounded(first(0.0, won, &|e| e.what == What::StreamLost)),
            lease_gone_s: rounded(first(0.0, won, &|e| {
                matches!(e.what, What::LeaderKeyFree | What::NoAnswer { .. })
            })),
            race_won_s: rounded(Some(won)),
            promoted_s: rounded(promoted),
            first_write_s: rounded(first_write),
            all_stream_s: rounded(all_stream),
            durability_met_s: rounded(whole),
        })
    }
}

/// Seconds from the first fault to this time of a log.
pub fn since_fault_s(clock: Clock, at: &str) -> Option<f64> {
    let civil: DateTime = at.parse().ok()?;
    let ms = TimeZone::UTC.to_timestamp(civil).ok()?.as_millisecond() - clock.began_ms;
    let ms = i32::try_from(ms).ok()?;
    Some(f64::from(ms) / 1000.0 - clock.fault.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-28 07:42:00 UTC.
    const BEGAN_MS: i64 = 1_795_851_720_000;

    fn entry(at: &str, member: &str, what: What) -> Entry {
        Entry { at: format!("2026-11-28 07:42:{at}"), member: Some(member.to_owned()), what }
    }

    fn ok(at_ms: u64, node: u32) -> Operation {
        let ended = Duration::from_millis(at_ms);
        let sent = ended.saturating_sub(Duration::from_millis(2));
        Operation { client: 0, id: at_ms, sent, ended, outcome: Outcome::Ok, node }
    }

    fn clock() -> Clock {
        let (fault, whole) = (Duration::from_secs(10), Some(Duration::from_secs(47)));
        Clock { began_ms: BEGAN_MS, fault, whole }
    }

    fn failover() -> Vec<Entry> {
        vec![
            entry("01.000", "a", What::LeaderKeyTaken),
            entry("11.155", "b", What::StreamLost),
            entry("32.342", "b", What::NoAnswer { from: "a".to_owned() }),
            entry("32.503", "b", What::LeaderKeyTaken),
            entry("33.234", "b", What::Writable),
            entry("46.855", "a", What::Streaming { timeline: 2 }),
        ]
    }

    fn nodes() -> [String; 2] {
        ["a".to_owned(), "b".to_owned()]
    }

    #[test]
    fn a_failover_comes_apart_into_what_was_seen() {
        let operations = [ok(9_900, 0), ok(33_400, 1), ok(34_000, 1)];
        let phases = Phases::of(clock(), &failover(), &operations, &nodes()).expect("a failover");
        assert_eq!(
            phases.named().map(|(_, at)| at),
            [1.155, 22.342, 22.503, 23.234, 23.4, 36.855, 37.0].map(Some)
        );
    }

    #[test]
    fn who_has_acknowledged_a_write_was_promoted_by_then() {
        let operations = [ok(33_231, 1)];
        let phases = Phases::of(clock(), &failover(), &operations, &nodes()).expect("a failover");
        assert_eq!((phases.promoted_s, phases.first_write_s), (Some(23.231), Some(23.231)));
    }

    #[test]
    fn what_was_not_seen_is_not_known_and_without_a_new_leader_there_is_no_failover() {
        let only = [entry("32.503", "b", What::LeaderKeyTaken)];
        let phases = Phases::of(clock(), &only, &[], &nodes()).expect("a failover");
        assert_eq!(
            (phases.noticed_s, phases.lease_gone_s, phases.first_write_s),
            (None, None, None)
        );
        assert_eq!((phases.promoted_s, phases.all_stream_s), (None, None));
        assert_eq!(phases.race_won_s, Some(22.503));
        assert_eq!(Phases::of(clock(), &failover()[..3], &[], &nodes()), None);
    }
}
