//! What Postgres is told when it asks the archive for a file (`restore_command`).
//!
//! Postgres takes any failure for "not there" and goes on with what it finds elsewhere: an older timeline's segment of
//! the same number, whose end is no part of history any more. And it asks the archive before it looks into its own
//! `pg_wal`, though a fresh copy of the leader has there all that it needs. Knows no file and no process.

use std::collections::BTreeMap;

use crate::lineage::Lineage;
use crate::names::AGENT;
use crate::wal::{Lsn, Segment};

/// What is said of a file that could not be asked for until the recovery gave up; the file's name stands before it.
pub const UNKNOWN: &str = "nobody can say whether the archive has it";
/// pgBackRest's exit code for a file that is in no repository.
const NOT_THERE: i32 = 1;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A standby: what the archive does not give, the leader streams.
    Standby,
    /// A recovery up to a target: the archive is all there is.
    Recovery,
}

impl Reader {
    /// The word for it in a `restore_command`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Recovery => "recovery",
        }
    }

    /// The reader of that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Standby, Self::Recovery].into_iter().find(|reader| reader.as_str() == word)
    }

    /// The `restore_command` as Postgres wants it.
    pub fn restore_command(self) -> String {
        format!("{AGENT} archive-get {} %f %p", self.as_str())
    }

    /// What becomes of pgBackRest's exit code; `None` where a signal ended it.
    pub fn verdict(self, code: Option<i32>) -> Verdict {
        match (self, code) {
            (_, Some(0)) => Verdict::Got,
            (Self::Standby, _) | (Self::Recovery, Some(NOT_THERE)) => Verdict::NotThere,
            (Self::Recovery, _) => Verdict::Unknown,
        }
    }
}

/// What pgBackRest's end says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is where Postgres wants it.
    Got,
    /// Postgres is to look elsewhere.
    NotThere,
    /// Nobody knows whether it is there: to be asked again, and never to be taken for "not there".
    Unknown,
}

/// What to do about a recovery that failed for this reason, with that backup host; the old data are gone where
/// `discarded`.
pub fn advice(reason: &str, discarded: bool, host: &str) -> String {
    if reason.contains(UNKNOWN) {
        return format!("`pgha logs {host}` says how the repository is");
    }
    let another = "another target, or --set with an earlier backup, may do";
    if discarded { another.to_owned() } else { format!("after --abort {another}") }
}

/// The newer timeline by which a segment has been left, if it has: that timeline begins in this segment or before, and
/// its own file holds the part that is still history. `known` are the histories that the server itself has.
pub fn left_for(asked: Segment, known: &BTreeMap<u32, Lineage>) -> Option<u32> {
    let of_its_line = |lineage: &&Lineage| lineage.contains(asked.timeline, Lsn(0));
    let newest = known.range(asked.timeline.saturating_add(1)..).map(|(_, lineage)| lineage);
    let owner = newest.rev().find(of_its_line)?.segment(asked.number).timeline;
    (owner > asked.timeline).then_some(owner)
}

/// What a server has asked for since it was copied from its leader, as lines of a file. Whatever it wants first is in
/// its own `pg_wal`, or the leader streams it; what it wants again, the archive is asked for.
///
/// Gives the file's next text where `file` is wanted for the first time, `None` where the archive is to be asked.
pub fn first_wanted(so_far: &str, file: &str) -> Option<String> {
    (!so_far.lines().any(|wanted| wanted == file)).then(|| format!("{so_far}{file}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(name: &str) -> Segment {
        name.parse().expect("a segment")
    }

    fn known(histories: &[(u32, &str)]) -> BTreeMap<u32, Lineage> {
        let parse = |(timeline, text): &(u32, &str)| {
            (*timeline, Lineage::parse(*timeline, text).expect("a history"))
        };
        histories.iter().map(parse).collect()
    }

    #[test]
    fn where_a_timeline_begins_the_older_ones_segment_is_not_given() {
        let known = known(&[(2, "1\t0/5000100\tbefore 2026\n")]);
        assert_eq!(left_for(segment("000000010000000000000004"), &known), None);
        for left in ["000000010000000000000005", "000000010000000000000006"] {
            assert_eq!(left_for(segment(left), &known), Some(2), "{left}");
        }
        assert_eq!(left_for(segment("000000020000000000000005"), &known), None);
    }

    #[test]
    fn a_history_of_another_line_keeps_nothing_back() {
        // 3 left 1 at the end of the 9th segment, and 2 is no part of its line.
        let known = known(&[(2, "1\t0/5000100\t\n"), (3, "1\t0/A000000\t\n")]);
        assert_eq!(left_for(segment("000000010000000000000007"), &known), None);
        assert_eq!(left_for(segment("00000001000000000000000A"), &known), Some(3));
        assert_eq!(left_for(segment("000000020000000000000007"), &known), None);
        assert_eq!(left_for(segment("000000010000000000000007"), &BTreeMap::new()), None);
    }

    #[test]
    fn a_recovery_takes_no_error_for_the_end_of_the_archive() {
        for (code, standby, recovery) in [
            (Some(0), Verdict::Got, Verdict::Got),
            (Some(1), Verdict::NotThere, Verdict::NotThere),
            // 82 is pgBackRest's word for "not within archive-timeout", 103 for "no repository answers".
            (Some(82), Verdict::NotThere, Verdict::Unknown),
            (Some(103), Verdict::NotThere, Verdict::Unknown),
            (None, Verdict::NotThere, Verdict::Unknown),
        ] {
            assert_eq!(Reader::Standby.verdict(code), standby, "{code:?}");
            assert_eq!(Reader::Recovery.verdict(code), recovery, "{code:?}");
        }
    }

    #[test]
    fn another_target_is_no_help_where_the_archive_could_not_be_asked() {
        let unknown = format!("pgha-node: 000000010000000000000004: {UNKNOWN}\nFATAL:  could not");
        assert!(advice(&unknown, false, "host").starts_with("`pgha logs host`"));
        let ended = "FATAL:  recovery ended before configured recovery target was reached";
        assert!(advice(ended, false, "host").starts_with("after --abort another target"));
        assert!(advice(ended, true, "host").starts_with("another target"));
    }

    #[test]
    fn the_archive_is_asked_for_what_is_wanted_again() {
        let once = first_wanted("", "000000010000000000000003").expect("the first time");
        let both = first_wanted(&once, "00000002.history").expect("the first time");
        assert_eq!(both, "000000010000000000000003\n00000002.history\n");
        assert_eq!(first_wanted(&both, "000000010000000000000003"), None);
    }

    #[test]
    fn a_reader_is_known_by_its_word() {
        for reader in [Reader::Standby, Reader::Recovery] {
            assert_eq!(Reader::parse(reader.as_str()), Some(reader));
        }
        assert_eq!(Reader::parse("leader"), None);
        let command = Reader::Standby.restore_command();
        assert_eq!(command, "/usr/local/bin/pgha-node archive-get standby %f %p");
    }
}
