//! One line of history: a timeline and the parts of earlier ones that it grew from.
//!
//! A restore to an earlier point begins a new timeline there. A backup or a segment that the old timeline
//! made after that point is no part of the new one, however recent it is: a replica made from it
//! could never follow.

use crate::wal::{Lsn, Segment};

/// A history file that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the history of timeline {timeline} cannot be read: {reason}")]
pub struct LineageError {
    /// Whose history.
    pub timeline: u32,
    /// What is wrong with it.
    pub reason: String,
}

/// A timeline with the part of each earlier one that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The timeline.
    timeline: u32,
    /// Earlier ones in order, each with the position at which the next one left it.
    ancestors: Vec<(u32, Lsn)>,
}

impl Lineage {
    /// Of a timeline by itself: of the first, which has no ancestors, or of one whose ancestors are not known.
    pub fn alone(timeline: u32) -> Self {
        Self { timeline, ancestors: Vec::new() }
    }

    /// Reads `<timeline>.history`: a line for each ancestor with its number, the position where it
    /// was left and the reason.
    ///
    /// # Errors
    /// When a line is malformed or the numbers do not grow.
    pub fn parse(timeline: u32, text: &str) -> Result<Self, LineageError> {
        let broken = |reason: String| LineageError { timeline, reason };
        let mut ancestors: Vec<(u32, Lsn)> = Vec::new();
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            let mut fields = line.split_whitespace();
            let number = fields.next().and_then(|field| field.parse::<u32>().ok());
            let left = fields.next().and_then(|field| field.parse::<Lsn>().ok());
            let (Some(number), Some(left)) = (number, left) else {
                return Err(broken(format!("`{line}`")));
            };
            let grows = ancestors.last().is_none_or(|last| last.0 < number);
            if !grows || number >= timeline {
                return Err(broken(format!("timeline {number} comes out of turn")));
            }
            ancestors.push((number, left));
        }
        if ancestors.is_empty() && timeline != 1 {
            return Err(broken("it names no ancestor".to_owned()));
        }
        // A restore along timeline 3 to a point before 3 began is written by Postgres as if it had left
        // 3 there: what earlier ones have after that point is no part of it either.
        let mut latest = Lsn(u64::MAX);
        for (_, left) in ancestors.iter_mut().rev() {
            latest = latest.min(*left);
            *left = latest;
        }
        Ok(Self { timeline, ancestors })
    }

    /// The timeline itself.
    pub fn timeline(&self) -> u32 {
        self.timeline
    }

    /// Whether this position of that timeline is part of this line of history.
    pub fn contains(&self, timeline: u32, position: Lsn) -> bool {
        timeline == self.timeline
            || self.ancestors.iter().any(|(number, left)| *number == timeline && position <= *left)
    }

    /// Where this timeline begins; the start of history for the first.
    pub fn begins(&self) -> Lsn {
        self.ancestors.last().map_or(Lsn(0), |last| last.1)
    }

    /// The segment of that number on this line of history. Where a timeline begins in the middle of a
    /// segment, its own file holds that segment's earlier part as well.
    pub fn segment(&self, number: u64) -> Segment {
        let left =
            self.ancestors.iter().find(|(_, left)| number < Segment::holding(1, *left).number);
        Segment { timeline: left.map_or(self.timeline, |found| found.0), number }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn third() -> Lineage {
        let text = "1\t0/5000100\tno recovery target specified\n\n2\t0/8000028\tbefore 2026\n";
        Lineage::parse(3, text).expect("a history")
    }

    #[test]
    fn what_an_ancestor_wrote_after_it_was_left_is_not_part_of_it() {
        let lineage = third();
        assert!(lineage.contains(1, Lsn(0x500_0100)));
        assert!(!lineage.contains(1, Lsn(0x500_0101)));
        assert!(lineage.contains(3, Lsn(u64::MAX)));
        assert!(!lineage.contains(4, Lsn(0)));
    }

    #[test]
    fn a_segment_is_read_from_the_newest_timeline_that_has_it() {
        let lineage = third();
        let timelines: Vec<u32> = (3..=9).map(|n| lineage.segment(n).timeline).collect();
        assert_eq!(timelines, [1, 1, 2, 2, 2, 3, 3]);
        assert_eq!(Lineage::alone(1).segment(7).timeline, 1);
    }

    #[test]
    fn a_point_before_the_parent_began_cuts_off_all_of_its_ancestors() {
        let text = "1\t0/70000A0\t\n2\t0/90000A0\t\n3\t0/6000400\tbefore 2026\n";
        let lineage = Lineage::parse(4, text).expect("Postgres writes it so");
        assert!(lineage.contains(1, Lsn(0x600_0400)));
        assert!(!lineage.contains(1, Lsn(0x680_0000)));
        assert!(!lineage.contains(2, Lsn(0x800_0000)) && !lineage.contains(3, Lsn(0x900_00A0)));
        let timelines: Vec<u32> = (5..=9).map(|n| lineage.segment(n).timeline).collect();
        assert_eq!(timelines, [1, 4, 4, 4, 4]);
    }

    #[test]
    fn a_history_that_makes_no_sense_is_refused() {
        for text in [
            "",
            "1",
            "x\t0/0\t",
            "1\tnowhere\t",
            "3\t0/0\t",
            "2\t0/2\t\n1\t0/3\t",
            "1\t0/2\t\n1\t0/3\t",
        ] {
            assert!(Lineage::parse(3, text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(timeline: u32, text: String) {
            let _ = Lineage::parse(timeline, &text);
        }
    }
}
