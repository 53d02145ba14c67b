//! Where the leader's WAL was, look by look: from that follow lag in time and the rate of writes.

use std::collections::VecDeque;
use std::fmt;

use serde::Serialize;

use crate::words::bytes;

/// Looks that are kept: ten minutes of one a second.
const KEPT: usize = 600;
/// What the rate of writes is an average over, in milliseconds.
const RATE_OVER_MS: u64 = 5000;

/// How far a replica is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lag {
    /// Bytes of WAL.
    pub bytes: u64,
    /// How long ago the leader wrote what it lacks first, in milliseconds; null where that was before the first look.
    pub ms: Option<u64>,
}

impl fmt::Display for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.bytes, self.ms) {
            (0, _) => f.write_str("0 B"),
            (behind, Some(ms)) => write!(f, "{} {} s", bytes(behind), ms / 1000),
            (behind, None) => f.write_str(&bytes(behind)),
        }
    }
}

/// Positions in the leader's WAL by time.
#[derive(Debug, Clone, Default)]
pub struct Trail {
    leader: Option<String>,
    /// Milliseconds and bytes, both rising.
    points: VecDeque<(u64, u64)>,
}

impl Trail {
    /// Notes where a leader has written to. Positions of another leader do not compare.
    pub fn note(&mut self, at_ms: u64, leader: &str, written: u64) {
        let goes_on = self.leader.as_deref() == Some(leader)
            && self.points.back().is_none_or(|(_, before)| *before <= written);
        if !goes_on {
            self.leader = Some(leader.to_owned());
            self.points.clear();
        }
        self.points.push_back((at_ms, written));
        if self.points.len() > KEPT {
            self.points.pop_front();
        }
    }

    /// How far somebody is behind who lacks so many bytes of what the leader has written.
    pub fn lag(&self, behind: u64) -> Lag {
        if behind == 0 {
            return Lag { bytes: 0, ms: Some(0) };
        }
        let since = || {
            let (now, written) = self.points.back()?;
            let has = written.saturating_sub(behind);
            let first = self.points.partition_point(|(_, position)| *position <= has);
            // What it lacks may be older than all that is known.
            let (at, _) = self.points.get(first).filter(|_| first > 0)?;
            Some(now - at)
        };
        Lag { bytes: behind, ms: since() }
    }

    /// Bytes of WAL in a second; `None` until two looks are apart.
    pub fn rate(&self) -> Option<u64> {
        let (now, written) = self.points.back()?;
        let from = now.saturating_sub(RATE_OVER_MS);
        let (then, before) = self.points.iter().find(|(at, _)| *at >= from)?;
        let over = now.checked_sub(*then).filter(|over| *over > 0)?;
        let rate = u128::from(written - before) * 1000 / u128::from(over);
        Some(u64::try_from(rate).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail(points: &[(u64, u64)]) -> Trail {
        let mut trail = Trail::default();
        for (at, written) in points {
            trail.note(*at, "a", *written);
        }
        trail
    }

    #[test]
    fn lag_in_time_is_since_the_first_byte_that_is_lacking() {
        let trail = trail(&[(0, 100), (1000, 200), (2000, 200), (3000, 500)]);
        let ms = |behind| trail.lag(behind).ms;
        assert_eq!(
            [0, 1, 300, 301, 400].map(ms),
            [Some(0), Some(0), Some(0), Some(2000), Some(2000)]
        );
        assert_eq!(ms(401), None, "it was behind before the first look");
        assert_eq!(trail.lag(401).to_string(), "401 B");
        assert_eq!(trail.lag(301).to_string(), "301 B 2 s");
    }

    #[test]
    fn an_idle_leader_lets_a_replica_be_behind_for_longer() {
        let trail = trail(&[(0, 100), (1000, 200), (60_000, 200)]);
        assert_eq!(trail.lag(50).ms, Some(59_000));
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        assert_eq!(trail(&[(0, 100)]).rate(), None);
        assert_eq!(trail(&[(0, 0), (4000, 4000), (9000, 14_000)]).rate(), Some(2000));
    }

    #[test]
    fn another_leader_begins_anew() {
        let mut trail = trail(&[(0, 100), (1000, 900)]);
        trail.note(2000, "b", 950);
        assert_eq!((trail.rate(), trail.lag(10).ms), (None, None));
        trail.note(3000, "b", 900);
        assert_eq!(trail.rate(), None, "a restored cluster begins anew as well");
    }
}
