//! The timeline screen: what happened, in lanes; frozen and scrubbed through while more happens.

use serde::Serialize;

use crate::chronicle::{Entry, What};

/// Entries that are kept; older ones are dropped.
const KEPT: usize = 5000;

/// Which part of a cluster an entry is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Patroni's decisions.
    Patroni,
    /// What Patroni says of etcd.
    Etcd,
    /// Postgres itself.
    Postgres,
    /// The router.
    Links,
    /// The repository.
    Backup,
    /// Faults, by hand and of drills.
    Faults,
}

impl Lane {
    /// Every lane, from left to right.
    pub const ALL: [Self; 6] =
        [Self::Patroni, Self::Etcd, Self::Postgres, Self::Links, Self::Backup, Self::Faults];

    /// The lane of an entry.
    pub fn of(what: &What) -> Self {
        match what {
            What::LeaderKeyTaken
            | What::LeaderKeyFree
            | What::NoAnswer { .. }
            | What::SwitchoverRequested { .. }
            | What::Demoted { .. }
            | What::Initialized
            | What::Cloned
            | What::Rewinding { .. } => Self::Patroni,
            What::EtcdUnreachable | What::EtcdLeader { .. } => Self::Etcd,
            What::PostgresStarting
            | What::Writable
            | What::ReadOnly
            | What::PromoteRequested
            | What::Timeline { .. }
            | What::Streaming { .. }
            | What::StreamLost
            | What::Acknowledges { .. }
            | What::PostgresCrashed
            | What::PostgresStopping
            | What::PostgresStopped => Self::Postgres,
            What::Links { .. } => Self::Links,
            What::BackupStarted { .. } | What::BackupDone { .. } => Self::Backup,
            What::Fault { .. } | What::Healed => Self::Faults,
        }
    }

    /// The head of its column: two letters.
    pub fn head(self) -> &'static str {
        match self {
            Self::Patroni => "PA",
            Self::Etcd => "ET",
            Self::Postgres => "PG",
            Self::Links => "LI",
            Self::Backup => "BA",
            Self::Faults => "FA",
        }
    }
}

/// What happened, and what of it is looked at.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    entries: Vec<Entry>,
    /// How many entries are shown where it is frozen; the others came later.
    frozen: Option<usize>,
    /// Entries below the chosen one.
    from_end: usize,
}

impl Timeline {
    /// Takes in entries; those that are there already are not doubled, nor is what a member says again and again.
    pub fn take(&mut self, new: Vec<Entry>) {
        let last = self.frozen.and_then(|shown| self.entries.get(shown.checked_sub(1)?).cloned());
        let chosen = self.from_end;
        let before = self.entries.len();
        self.entries.extend(new);
        self.entries.sort();
        let mut of_member = std::collections::BTreeMap::new();
        self.entries.retain(|entry| {
            let again = of_member.insert(entry.member.clone(), entry.what.clone());
            again.as_ref() != Some(&entry.what)
        });
        self.entries.drain(..self.entries.len().saturating_sub(KEPT));
        if let Some(last) = last {
            self.frozen = Some(self.entries.partition_point(|entry| *entry <= last));
        } else if chosen > 0 {
            self.from_end = chosen + self.entries.len().saturating_sub(before);
        }
    }

    /// When the newest entry happened.
    pub fn newest(&self) -> Option<&str> {
        self.entries.last().map(|entry| entry.at.as_str())
    }

    /// What is shown, by time.
    pub fn shown(&self) -> &[Entry] {
        &self.entries[..self.frozen.unwrap_or(self.entries.len()).min(self.entries.len())]
    }

    /// How many came since it was frozen; `None` where it is not.
    pub fn newer(&self) -> Option<usize> {
        self.frozen.map(|shown| self.entries.len().saturating_sub(shown))
    }

    /// Which of those shown is chosen.
    pub fn chosen(&self) -> usize {
        self.shown().len().saturating_sub(1 + self.from_end)
    }

    /// Freezes, or goes on.
    pub fn toggle_freeze(&mut self) {
        match self.frozen {
            Some(_) => self.follow(),
            None => self.frozen = Some(self.entries.len()),
        }
    }

    /// Goes on, at the newest entry.
    pub fn follow(&mut self) {
        (self.frozen, self.from_end) = (None, 0);
    }

    /// Chooses an entry that is so many further down, or up; going up freezes.
    pub fn scrub(&mut self, by: isize) {
        if by < 0 && self.frozen.is_none() {
            self.frozen = Some(self.entries.len());
        }
        let most = self.shown().len().saturating_sub(1);
        self.from_end = self.from_end.saturating_add_signed(by.saturating_neg()).min(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(second: u8, what: What) -> Entry {
        Entry {
            at: format!("2026-11-28 03:01:{second:02}.000"),
            member: Some("a".to_owned()),
            what,
        }
    }

    fn timelines(numbers: std::ops::Range<u8>) -> Vec<Entry> {
        numbers.map(|n| entry(n, What::Timeline { timeline: n.into() })).collect()
    }

    #[test]
    fn entries_that_are_read_twice_are_there_once() {
        let mut timeline = Timeline::default();
        timeline.take(timelines(0..3));
        timeline.take(timelines(1..5));
        assert_eq!(timeline.shown(), timelines(0..5));
        // What a member says in each of its rounds is told once.
        timeline.take(vec![entry(6, What::EtcdUnreachable)]);
        timeline.take(vec![entry(7, What::EtcdUnreachable), entry(8, What::Writable)]);
        assert_eq!(timeline.shown().len(), 7);
    }

    #[test]
    fn a_frozen_screen_stays_while_more_happens() {
        let mut timeline = Timeline::default();
        timeline.take(timelines(0..5));
        timeline.scrub(-2);
        assert_eq!((timeline.chosen(), timeline.newer()), (2, Some(0)));
        timeline.take(timelines(5..9));
        assert_eq!((timeline.chosen(), timeline.newer(), timeline.shown().len()), (2, Some(4), 5));
        timeline.scrub(-100);
        assert_eq!(timeline.chosen(), 0);
        timeline.scrub(1000);
        assert_eq!(timeline.chosen(), 4);
        timeline.toggle_freeze();
        assert_eq!((timeline.chosen(), timeline.newer()), (8, None));
    }

    #[test]
    fn nothing_can_be_scrubbed_as_well() {
        let mut timeline = Timeline::default();
        timeline.scrub(-1);
        timeline.scrub(1);
        assert_eq!((timeline.chosen(), timeline.shown().len()), (0, 0));
    }
}
