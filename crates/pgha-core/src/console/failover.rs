//! The last failover or switchover in parts, from what members logged.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::chronicle::{Entry, What};
use crate::drill::{Clock, Phases};

/// What is longer ago than this before a node took the leader key has not led to it.
const BEFORE_MAX_MS: i64 = 180_000;
/// What is later than this after the begin is no part of it.
const AFTER_MAX: Duration = Duration::from_secs(300);

/// A change of the leader.
#[derive(Debug, PartialEq, Serialize)]
pub struct LastFailover {
    /// When it began, in UTC: `2026-11-28 03:01:02.123`.
    pub at: String,
    /// What it began with, in words.
    pub cause: String,
    /// The node that took the leader key.
    pub leader: Option<String>,
    /// Its parts, each with the seconds from the begin on; null where that was not seen.
    pub parts: Vec<Part>,
}

/// One part.
#[derive(Debug, PartialEq, Serialize)]
pub struct Part {
    /// Its name, as in the report of a drill.
    pub name: &'static str,
    /// Seconds from the begin to its end.
    pub at_s: Option<f64>,
}

/// The last one in what happened, by time; `None` where there was none.
pub fn last_failover(entries: &[Entry]) -> Option<LastFailover> {
    let won = entries.iter().rposition(|entry| entry.what == What::LeaderKeyTaken)?;
    let won_ms = ms(&entries[won])?;
    let near = |entry: &&Entry| {
        let recent = ms(entry).is_some_and(|at| won_ms - at <= BEFORE_MAX_MS);
        recent && entry.what != What::LeaderKeyTaken
    };
    let before = || entries[..won].iter().rev().take_while(near);
    // Without a cause that was told of, it began with the first sign since all was well.
    let signs = before().take_while(|entry| !matches!(entry.what, What::Streaming { .. }));
    let first = before()
        .find(|entry| is_cause(&entry.what))
        .or_else(|| signs.filter(|entry| is_sign(&entry.what)).last())?;
    let clock = Clock { began_ms: ms(first)?, fault: Duration::ZERO, whole: Some(AFTER_MAX) };
    let phases = Phases::of(clock, entries, &[], &[])?;
    let parts = [
        ("noticed", phases.noticed_s),
        ("lease gone", phases.lease_gone_s),
        ("race won", phases.race_won_s),
        ("promoted", phases.promoted_s),
        ("all stream", phases.all_stream_s),
    ];
    Some(LastFailover {
        at: first.at.clone(),
        cause: first.what.to_string(),
        leader: entries[won].member.clone(),
        parts: parts.map(|(name, at_s)| Part { name, at_s }).into(),
    })
}

/// It makes the leader change.
fn is_cause(what: &What) -> bool {
    matches!(what, What::Fault { .. } | What::SwitchoverRequested { .. } | What::PostgresCrashed)
}

/// It shows that the leader is about to change.
fn is_sign(what: &What) -> bool {
    matches!(
        what,
        What::Demoted { .. } | What::StreamLost | What::LeaderKeyFree | What::NoAnswer { .. }
    )
}

/// Milliseconds since 1970.
fn ms(entry: &Entry) -> Option<i64> {
    let civil: DateTime = entry.at.parse().ok()?;
    Some(TimeZone::UTC.to_timestamp(civil).ok()?.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: &str, member: &str, what: What) -> Entry {
        Entry { at: format!("2026-11-28 07:{at}"), member: Some(member.to_owned()), what }
    }

    #[test]
    fn a_failover_begins_with_the_first_sign_of_it_and_not_with_an_older_one() {
        let entries = [
            entry("00:00.000", "c", What::StreamLost),
            entry("42:10.000", "b", What::StreamLost),
            entry("42:20.500", "b", What::LeaderKeyFree),
            entry("42:21.000", "b", What::LeaderKeyTaken),
            entry("42:22.000", "b", What::Writable),
            entry("42:23.500", "c", What::Streaming { timeline: 2 }),
        ];
        let last = last_failover(&entries).expect("there was one");
        assert_eq!((last.at.as_str(), last.leader.as_deref()), (entries[1].at.as_str(), Some("b")));
        let at: Vec<Option<f64>> = last.parts.iter().map(|part| part.at_s).collect();
        assert_eq!(at, [Some(0.0), Some(10.5), Some(11.0), Some(12.0), Some(13.5)]);
    }

    #[test]
    fn a_switchover_begins_with_its_request_and_a_stream_that_came_back_is_no_sign() {
        let mut entries = vec![
            entry("41:00.000", "c", What::StreamLost),
            entry("41:30.000", "c", What::Streaming { timeline: 1 }),
            entry("42:10.000", "b", What::StreamLost),
            entry("42:11.000", "b", What::LeaderKeyTaken),
        ];
        assert_eq!(last_failover(&entries).expect("there was one").at, entries[2].at);
        let requested = What::SwitchoverRequested { candidate: None };
        entries.insert(1, entry("41:10.000", "a", requested));
        let last = last_failover(&entries).expect("there was one");
        assert_eq!(
            (last.at.as_str(), last.cause.as_str()),
            (entries[1].at.as_str(), "switchover requested")
        );
    }

    #[test]
    fn the_first_leader_of_a_new_cluster_is_no_failover() {
        let entries = [
            entry("42:21.000", "a", What::LeaderKeyTaken),
            entry("42:22.000", "a", What::Writable),
        ];
        assert_eq!(last_failover(&entries), None);
        assert_eq!(last_failover(&[]), None);
    }
}
