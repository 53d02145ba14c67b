//! How far the clock of a program is off.

use std::fmt;
use std::str::FromStr;

use pgha_wan::units::{format_duration, parse_duration};
use serde::{Deserialize, Serialize};

use super::kind::Program;

/// How far ahead the clock is, or behind: whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Offset(i32);

impl Offset {
    /// Where nobody says.
    pub const USUAL: Self = Self(30);
    /// The largest, either way: a day.
    const MAX_S: u64 = 86_400;

    /// The same as a number; less than zero where the clock is behind.
    pub fn seconds(self) -> i64 {
        self.0.into()
    }

    /// The offset of so many seconds; `None` where no clock is so far off, or not off at all.
    pub fn of_seconds(seconds: i64) -> Option<Self> {
        let fits = (1..=Self::MAX_S).contains(&seconds.unsigned_abs());
        i32::try_from(seconds).ok().filter(|_| fits).map(Self)
    }
}

impl FromStr for Offset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (sign, length) = match text.strip_prefix('-') {
            Some(length) => (-1, length),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let bad = || {
            format!(
                "`{text}` is no offset of a clock: it is +1s to +24h or -1s to -24h, in whole seconds"
            )
        };
        if length.starts_with(['+', '-']) {
            return Err(bad());
        }
        let time = parse_duration(length).map_err(|e| e.to_string())?;
        let seconds = i64::try_from(time.as_secs()).ok().filter(|_| time.subsec_nanos() == 0);
        seconds.and_then(|seconds| Self::of_seconds(sign * seconds)).ok_or_else(bad)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        let length = std::time::Duration::from_secs(self.0.unsigned_abs().into());
        write!(f, "{sign}{}", format_duration(length))
    }
}

impl TryFrom<String> for Offset {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Offset> for String {
    fn from(offset: Offset) -> Self {
        offset.to_string()
    }
}

/// How the clock of a program is, which a fault has put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockNow {
    /// It is off by that much.
    Off(Offset),
    /// It is the machine's: the process was started since, or another fault of its clock was healed.
    Machine,
    /// The container does not run, and has no process.
    NotRunning,
    /// It could not be asked.
    Unknown,
}

impl ClockNow {
    /// What is to be said of a member whose fault says that it is off by `offset`; nothing where that is so.
    pub fn remark(self, member: &str, program: Program, offset: Offset) -> Option<String> {
        let program = program.as_str();
        match self {
            Self::Off(now) if now == offset => None,
            Self::Off(now) => Some(format!("{member}: the clock of {program} is off by {now}")),
            Self::Machine => Some(format!(
                "{member}: {program} has the machine's clock: it was restarted since, or another \
                 fault of its clock was healed"
            )),
            Self::NotRunning => {
                Some(format!("{member} is not running: {program} starts with the machine's clock"))
            }
            Self::Unknown => Some(format!("{member}: the clock of {program} could not be read")),
        }
    }
}

/// The offset, `machine` or `not-running`; `null` where it could not be asked.
impl Serialize for ClockNow {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off(offset) => serializer.collect_str(offset),
            Self::Machine => serializer.serialize_str("machine"),
            Self::NotRunning => serializer.serialize_str("not-running"),
            Self::Unknown => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_read_as_it_is_written_and_has_bounds() {
        for (text, seconds) in
            [("+30s", 30), ("-30s", -30), ("30s", 30), ("2m", 120), ("-24h", -86_400)]
        {
            let offset: Offset = text.parse().unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(offset.seconds(), seconds);
            assert_eq!(offset.to_string().parse(), Ok(offset));
            assert_eq!(Offset::of_seconds(seconds), Some(offset));
        }
        for text in ["0s", "+500ms", "1500ms", "86401s", "30", "", "+", "--3s", "+-3s", "9999999h"]
        {
            assert!(text.parse::<Offset>().is_err(), "{text}");
        }
        assert_eq!(Offset::of_seconds(0), None);
        assert_eq!(Offset::of_seconds(i64::MIN), None);
    }

    #[test]
    fn a_clock_that_is_not_as_the_fault_says_is_remarked_on() {
        let (half, other) = (Offset::USUAL, Offset(-5));
        let said = |now: ClockNow| now.remark("m", Program::Etcd, half).unwrap_or_default();
        let json = |now| serde_json::to_value(now).expect("JSON");
        assert_eq!(said(ClockNow::Off(half)), "");
        for (now, written, remark) in [
            (ClockNow::Off(other), "-5s".into(), "etcd is off by -5s"),
            (ClockNow::Machine, "machine".into(), "etcd has the machine's clock: it was restarted"),
            (ClockNow::NotRunning, "not-running".into(), "m is not running"),
            (ClockNow::Unknown, serde_json::Value::Null, "could not be read"),
        ] {
            assert_eq!(json(now), written);
            assert!(said(now).contains(remark), "{}", said(now));
        }
    }
}
