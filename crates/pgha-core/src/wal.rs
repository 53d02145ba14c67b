//! Positions in the write-ahead log and names of its segments.
//!
//! Counts in segments of 16 MiB, which is what `initdb` makes unless it is told otherwise, and pgha
//! never tells it otherwise. Knows no file and no server.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Size of a segment.
pub const SEGMENT_BYTES: u64 = 16 << 20;
/// Segments that share the middle eight digits of their names: 4 GiB of WAL.
const SEGMENTS_PER_LOG: u64 = (1 << 32) / SEGMENT_BYTES;
/// Digits of a segment's name.
const NAME_LEN: usize = 24;

/// A text that is no position or no name of a segment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalError {
    /// Not like `0/3000028`.
    #[error("`{0}` is no position in the WAL, which looks like 0/3000028")]
    Lsn(String),
    /// Not like `000000010000000000000003`.
    #[error("`{0}` is no name of a WAL segment, which has {NAME_LEN} hexadecimal digits")]
    Segment(String),
}

/// A position in the WAL, in bytes from its beginning; written as `0/3000028`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl FromStr for Lsn {
    type Err = WalError;

    fn from_str(text: &str) -> Result<Self, WalError> {
        let halves = text.split_once('/').and_then(|(high, low)| Some((hex(high)?, hex(low)?)));
        let (high, low) = halves.ok_or_else(|| WalError::Lsn(text.to_owned()))?;
        Ok(Self(u64::from(high) << 32 | u64::from(low)))
    }
}

/// One to eight hexadecimal digits and nothing else.
fn hex(digits: &str) -> Option<u32> {
    let fits = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// A segment of the WAL of one timeline; written as its file is named, `000000010000000000000003`.
///
/// The order is that of timelines, then of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// The timeline.
    pub timeline: u32,
    /// How many segments lie before it; less than 2⁴⁰.
    pub number: u64,
}

impl Segment {
    /// The last number that a segment can have: its end is the end of all positions.
    pub const NUMBER_MAX: u64 = u64::MAX / SEGMENT_BYTES;

    /// The segment that holds the byte at `lsn`.
    pub fn holding(timeline: u32, lsn: Lsn) -> Self {
        Self { timeline, number: lsn.0 / SEGMENT_BYTES }
    }

    /// The segment that holds the byte before `lsn`: the last one it takes to recover up to there, and
    /// what `pg_walfile_name` says.
    pub fn before(timeline: u32, lsn: Lsn) -> Self {
        Self::holding(timeline, Lsn(lsn.0.saturating_sub(1)))
    }

    /// Position of its first byte.
    pub fn start(self) -> Lsn {
        Lsn(self.number * SEGMENT_BYTES)
    }

    /// Position of its last byte.
    pub fn last_byte(self) -> Lsn {
        Lsn(self.start().0 + (SEGMENT_BYTES - 1))
    }

    /// The next one on the same timeline; `None` after the last that there can be.
    pub fn next(self) -> Option<Self> {
        (self.number < Self::NUMBER_MAX).then_some(Self { number: self.number + 1, ..self })
    }

    /// The previous one on the same timeline; `None` before the first.
    pub fn previous(self) -> Option<Self> {
        Some(Self { number: self.number.checked_sub(1)?, ..self })
    }

    /// Itself and every later one up to `last`, on its timeline; nothing where `last` lies before it.
    pub fn through(self, last: u64) -> impl Iterator<Item = Self> {
        (self.number..=last.min(Self::NUMBER_MAX)).map(move |number| Self { number, ..self })
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (log, within) = (self.number / SEGMENTS_PER_LOG, self.number % SEGMENTS_PER_LOG);
        write!(f, "{:08X}{log:08X}{within:08X}", self.timeline)
    }
}

impl FromStr for Segment {
    type Err = WalError;

    fn from_str(text: &str) -> Result<Self, WalError> {
        let bad = || WalError::Segment(text.to_owned());
        if text.len() != NAME_LEN || !text.is_ascii() {
            return Err(bad());
        }
        let part = |at: usize| hex(&text[at..at + 8]).ok_or_else(bad);
        let (timeline, log, within) = (part(0)?, u64::from(part(8)?), u64::from(part(16)?));
        if timeline == 0 || within >= SEGMENTS_PER_LOG {
            return Err(bad());
        }
        Ok(Self { timeline, number: log * SEGMENTS_PER_LOG + within })
    }
}

macro_rules! as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(Lsn);
as_text!(Segment);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(name: &str) -> Segment {
        name.parse().expect("a segment")
    }

    #[test]
    fn names_are_those_of_postgres() {
        // select pg_walfile_name('0/5052418'), pg_walfile_name('1/0'), pg_walfile_name('1/1');
        for (lsn, name) in [
            ("0/5052418", "000000010000000000000005"),
            ("1/0", "0000000100000000000000FF"),
            ("1/1", "000000010000000100000000"),
            ("A/FF000001", "000000010000000A000000FF"),
        ] {
            let lsn: Lsn = lsn.parse().expect("a position");
            assert_eq!(Segment::before(1, lsn).to_string(), name);
        }
        let boundary = Segment::holding(3, "1/0".parse().expect("a position"));
        assert_eq!(boundary.to_string(), "000000030000000100000000");
    }

    #[test]
    fn the_next_segment_carries_into_the_middle_of_the_name() {
        let next = segment("0000000200000000000000FF").next().expect("there is one");
        assert_eq!(next.to_string(), "000000020000000100000000");
        assert_eq!(next.previous(), Some(segment("0000000200000000000000FF")));
        assert_eq!(segment("00000001FFFFFFFF000000FF").next(), None);
        assert_eq!(segment("000000010000000000000000").previous(), None);
    }

    #[test]
    fn what_is_no_name_or_position_is_refused() {
        for bad in [
            "",
            "00000001000000000000000",
            "0000000100000000000000055",
            "000000000000000000000005",
            "000000010000000000000100",
            "00000001000000000000000G",
            "+00000010000000000000005",
            "00000002.history",
            "0000000100000000000000é5",
        ] {
            assert!(bad.parse::<Segment>().is_err(), "{bad:?} was accepted");
        }
        for bad in ["", "0", "/", "0/", "/1", "0/1/2", "0/123456789", "G/1", "0/+1", "-1/1"] {
            assert!(bad.parse::<Lsn>().is_err(), "{bad:?} was accepted");
        }
        assert_eq!("a/ff000000".parse(), Ok(Lsn(0xA_FF00_0000)));
    }

    fn any_segment() -> impl Strategy<Value = Segment> {
        let numbers = prop_oneof![0..=Segment::NUMBER_MAX, 0..=600_u64];
        (1..=u32::MAX, numbers).prop_map(|(timeline, number)| Segment { timeline, number })
    }

    proptest! {
        #[test]
        fn a_position_reads_back_as_it_was_written(lsn: u64) {
            prop_assert_eq!(Lsn(lsn).to_string().parse(), Ok(Lsn(lsn)));
        }

        #[test]
        fn a_name_reads_back_and_sorts_as_its_segment(a in any_segment(), b in any_segment()) {
            prop_assert_eq!(a.to_string().parse(), Ok(a));
            prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
        }

        #[test]
        fn a_segment_holds_exactly_its_own_bytes(timeline in 1..=u32::MAX, lsn: u64) {
            let holding = Segment::holding(timeline, Lsn(lsn));
            prop_assert!(holding.start().0 <= lsn && lsn <= holding.last_byte().0);
            prop_assert!(holding.number <= Segment::NUMBER_MAX);
            if let Some(next) = holding.next() {
                prop_assert_eq!(next.start().0, holding.last_byte().0 + 1);
                prop_assert_eq!(Segment::before(timeline, next.start()), holding);
                prop_assert_eq!(next.previous(), Some(holding));
            }
        }

        #[test]
        fn a_run_of_segments_is_each_next_one(first in any_segment(), more in 0..20_u64) {
            let run: Vec<_> = first.through(first.number.saturating_add(more)).collect();
            prop_assert_eq!(run[0], first);
            prop_assert!(run.windows(2).all(|pair| pair[0].next() == Some(pair[1])));
            prop_assert!(first.number == 0 || first.through(first.number - 1).next().is_none());
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = text.parse::<Segment>();
            let _ = text.parse::<Lsn>();
        }
    }
}
