//! How far the archive goes: whether the target can be reached, and where the recovery ends.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::{LeaderFact, Refusal, second_of, utc};
use crate::restore::{ArchivedSegment, Backup, Holdings, Lineage, Stop, Target};
use crate::wal::{Lsn, SEGMENT_BYTES, Segment};

/// Missing segments that are named.
const NAMED_MAX: usize = 5;

/// A part of the WAL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalRange {
    /// The first segment.
    pub first: Segment,
    /// The last that is archived and may be needed; `None` where none is.
    pub last: Option<Segment>,
    /// How many there are.
    pub segments: u64,
}

/// Where a recovery ends.
///
/// Postgres stops at a time by the first commit after it, and at a position by the first record from it
/// on. Where WAL ends before, it fails, although the state is the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// At the target; where WAL ends before it, the recovery fails.
    #[default]
    Target,
    /// At the target, or at the end of the archive where that has nothing from the target on.
    TargetOrArchive,
    /// At the end of the archive: that is the target, or lies before it.
    Archive,
}

/// What the leader of a source has not archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotArchived {
    /// The leader.
    pub leader: String,
    /// How far it has written.
    pub written: Lsn,
    /// Bytes after the last archived segment; `None` where the copy is of another timeline.
    pub bytes: Option<u64>,
}

impl NotArchived {
    /// Of a leader, beside the end of the archive on that timeline.
    pub(super) fn of(leader: &LeaderFact, timeline: u32, last: Option<ArchivedSegment>) -> Self {
        let last = last.filter(|_| leader.timeline == timeline);
        let after = |last: ArchivedSegment| {
            leader.written.0.saturating_sub(last.segment.start().0.saturating_add(SEGMENT_BYTES))
        };
        Self { leader: leader.name.clone(), written: leader.written, bytes: last.map(after) }
    }
}

/// What there is to reach a target by.
pub(super) struct Reach<'a> {
    pub(super) holdings: &'a Holdings,
    pub(super) lineage: &'a Lineage,
    /// The leader that archives all it has before it is stopped, on this timeline.
    pub(super) live: Option<&'a LeaderFact>,
    /// The last archived segment.
    pub(super) last: Option<ArchivedSegment>,
    pub(super) now_s: i64,
}

impl Reach<'_> {
    /// Fails where the target is certainly after all that there is or will be.
    pub(super) fn not_too_late(&self, target: &Target) -> Result<(), Refusal> {
        let latest = "--latest restores all that there is";
        let late = |end: String, instead: String| {
            Err(Refusal::TooLate { target: target.to_string(), end, instead })
        };
        let last_position = |lsn| format!("--lsn {lsn} is the last possible, {latest}");
        match (&target.stop, self.live, self.last) {
            (Stop::Time(time), live, _)
                if second_of(time) > live.map_or(self.now_s, |leader| leader.now_s) =>
            {
                let now = live.map_or(self.now_s, |leader| leader.now_s);
                late(format!("it is {} now", utc(now)), latest.to_owned())
            }
            (Stop::Lsn(lsn), Some(leader), _) if *lsn > leader.written => {
                let end = format!("the leader has written up to {}", leader.written);
                late(end, last_position(leader.written))
            }
            (Stop::Lsn(lsn), None, Some(last)) if *lsn > last.segment.last_byte() => late(
                format!(
                    "the last segment is {}, archived at {}",
                    last.segment,
                    utc(last.arrived_s)
                ),
                last_position(last.segment.last_byte()),
            ),
            (Stop::Time(_) | Stop::Lsn(_), None, None) => {
                late("no WAL is archived".to_owned(), latest.to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Where the recovery ends, with all of that WAL there.
    pub(super) fn ends(&self, target: &Target, wal: &WalRange) -> End {
        match &target.stop {
            Stop::Latest => End::Archive,
            // Not found means that something else was meant.
            Stop::Backup | Stop::Xid(_) | Stop::Name(_) => End::Target,
            Stop::Time(time) => {
                let Some(last) = self.last.filter(|last| wal.last == Some(last.segment)) else {
                    return End::Target;
                };
                let second = second_of(time);
                match self.live {
                    // It writes a commit before it is stopped, after the time.
                    Some(leader) if second < leader.now_s => End::Target,
                    // What had been archived by then was committed before.
                    None if second > last.arrived_s => End::Archive,
                    Some(_) | None => End::TargetOrArchive,
                }
            }
            Stop::Lsn(lsn) => {
                let number = Segment::holding(1, *lsn).number;
                let in_last = self.last.is_none_or(|last| number >= last.segment.number);
                let follows = || self.holdings.has(self.lineage.segment(number + 1));
                if self.live.is_some() && in_last || follows() {
                    End::Target
                } else {
                    End::TargetOrArchive
                }
            }
        }
    }

    /// The WAL from the backup to the target, all of which must be there.
    pub(super) fn wal(&self, target: &Target, backup: &Backup) -> Result<WalRange, Refusal> {
        let Self { holdings, lineage, last, .. } = self;
        let first = backup.first.number;
        let consistent = backup.last.number;
        let archived = last.map_or(consistent, |last| last.segment.number);
        let mut end = match &target.stop {
            Stop::Backup => consistent,
            Stop::Lsn(lsn) => Segment::holding(1, *lsn).number.min(archived).max(consistent),
            _ => archived.max(consistent),
        };
        let is_there = |number: u64| {
            let wanted = lineage.segment(number);
            // Up to the end of the backup its own timeline's file will do.
            let own = Segment { timeline: backup.last.timeline, number };
            holdings.has(wanted) || number <= consistent && holdings.has(own)
        };
        // One that is missing is met at the latest after all that there are, however far the end is.
        let missing = || (first..=end).filter(|number| !is_there(*number));
        if let Some(gap) = missing().next() {
            let before = lineage.segment(gap.saturating_sub(1));
            let reached = match &target.stop {
                Stop::Time(time) if gap > consistent => {
                    holdings.arrived_s(before).is_some_and(|at| at > second_of(time))
                }
                _ => false,
            };
            if !reached {
                let shown: Vec<_> =
                    missing().take(NAMED_MAX).map(|n| lineage.segment(n).to_string()).collect();
                let numbers = holdings.numbers(first..=end);
                let there = numbers.into_iter().filter(|number| is_there(*number)).count();
                let more = end - first + 1 - (there + shown.len()) as u64;
                let mut named = shown.join(", ");
                if more > 0 {
                    let _ = write!(named, " and {more} more");
                }
                return Err(Refusal::MissingWal {
                    backup: backup.label.clone(),
                    named,
                    reachable: (gap > consistent).then(|| before.last_byte()),
                });
            }
            // What comes after the gap is of no use, and nothing has to be there up to its end.
            end = gap - 1;
        }
        Ok(WalRange {
            first: backup.first,
            last: holdings.has(lineage.segment(end)).then(|| lineage.segment(end)),
            segments: end - first + 1,
        })
    }
}
