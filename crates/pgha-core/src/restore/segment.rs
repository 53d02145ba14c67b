//! Positions in WAL, and the files that hold it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Bytes in a segment: what `initdb` chooses where nobody asks for another size.
const SEGMENT_BYTES: u64 = 16 << 20;
/// Segments with the same middle part of their name.
const SEGMENTS_PER_LOG: u64 = (1 << 32) / SEGMENT_BYTES;

/// A position in WAL, in bytes from the start of history; written `16/B374D848`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lsn(pub u64);

impl Lsn {
    /// Number of the segment that holds this byte.
    pub fn segment(self) -> u64 {
        self.0 / SEGMENT_BYTES
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl FromStr for Lsn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let half = |part: &str| {
            let digits =
                (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit());
            digits.then(|| u64::from_str_radix(part, 16).ok()).flatten()
        };
        text.split_once('/')
            .and_then(|(high, low)| Some(Self(half(high)? << 32 | half(low)?)))
            .ok_or_else(|| format!("`{text}` is no position in WAL, such as 0/3000148"))
    }
}

impl TryFrom<String> for Lsn {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Lsn> for String {
    fn from(lsn: Lsn) -> Self {
        lsn.to_string()
    }
}

/// One file of WAL: a timeline and a number counted over all of history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Segment {
    /// The timeline, from 1.
    pub timeline: u32,
    /// The number; the next segment has the next one.
    pub number: u64,
}

impl Segment {
    /// The first position in it.
    pub fn start(self) -> Lsn {
        Lsn(self.number * SEGMENT_BYTES)
    }

    /// The first position after it.
    pub fn end(self) -> Lsn {
        Lsn((self.number + 1) * SEGMENT_BYTES)
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (log, low) = (self.number / SEGMENTS_PER_LOG, self.number % SEGMENTS_PER_LOG);
        write!(f, "{:08X}{log:08X}{low:08X}", self.timeline)
    }
}

impl FromStr for Segment {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let part = |range: std::ops::Range<usize>| u64::from_str_radix(&name[range], 16).ok();
        let parse = || {
            let digits = name.len() == 24 && name.bytes().all(|b| b.is_ascii_hexdigit());
            let (timeline, log, low) =
                digits.then(|| Some((part(0..8)?, part(8..16)?, part(16..24)?))).flatten()?;
            let timeline = u32::try_from(timeline).ok()?;
            (low < SEGMENTS_PER_LOG)
                .then_some(Self { timeline, number: log * SEGMENTS_PER_LOG + low })
        };
        parse().ok_or_else(|| format!("`{name}` is no name of a WAL segment"))
    }
}

impl TryFrom<String> for Segment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Segment> for String {
    fn from(segment: Segment) -> Self {
        segment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_those_of_postgres() {
        let last_of_a_log: Segment = "0000000200000001000000FF".parse().expect("a segment");
        let next = Segment { number: last_of_a_log.number + 1, ..last_of_a_log };
        assert_eq!(next.to_string(), "000000020000000200000000");
        assert_eq!(next.start().to_string(), "2/0");
        for no in ["", "00000001", "000000010000000000000100", "00000001000000000000000g", "ä"] {
            assert!(no.parse::<Segment>().is_err(), "{no}");
        }
    }

    proptest! {
        #[test]
        fn a_position_and_a_segment_read_back(lsn: u64, timeline: u32, number in 0..1u64 << 40) {
            prop_assert_eq!(Lsn(lsn).to_string().parse(), Ok(Lsn(lsn)));
            let segment = Segment { timeline, number };
            prop_assert_eq!(segment.to_string().parse(), Ok(segment));
            prop_assert_eq!(segment.start().segment(), number);
            prop_assert_eq!(Lsn(segment.end().0 - 1).segment(), number);
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = text.parse::<Lsn>();
            let _ = text.parse::<Segment>();
        }
    }
}
