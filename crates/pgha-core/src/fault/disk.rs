//! What a disk does to those that write on it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use pgha_wan::units::{format_duration, parse_duration};
use serde::{Deserialize, Serialize};

/// What is wrong with a disk; several at once are possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ailment {
    /// It has no room.
    Full,
    /// It is mounted read-only.
    ReadOnly,
    /// Each write takes longer.
    Slow,
    /// No write ends.
    Hung,
}

impl Ailment {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Full, Self::ReadOnly, Self::Slow, Self::Hung];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::Slow => "slow",
            Self::Hung => "hung",
        }
    }
}

impl FromStr for Ailment {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|ailment| ailment.as_str() == word);
        found.ok_or_else(|| format!("`{word}` is nothing that a disk can be"))
    }
}

/// How much longer each write takes on a slow disk: whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Delay(u32);

impl Delay {
    /// Where nobody says.
    pub const USUAL: Self = Self(100);
    /// The longest.
    const MAX: Duration = Duration::from_secs(60);

    /// The same as a number.
    pub fn milliseconds(self) -> u32 {
        self.0
    }
}

impl FromStr for Delay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = parse_duration(text).map_err(|e| e.to_string())?;
        let ms = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        if ms == 0 || time > Self::MAX || Duration::from_millis(ms.into()) != time {
            return Err(format!(
                "`{text}` is no delay of a disk: it is 1ms to 60s, in whole milliseconds"
            ));
        }
        Ok(Self(ms))
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_duration(Duration::from_millis(self.0.into())))
    }
}

impl TryFrom<String> for Delay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Delay> for String {
    fn from(delay: Delay) -> Self {
        delay.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_read_as_it_is_written_and_has_bounds() {
        for text in ["1ms", "250ms", "60s"] {
            assert_eq!(text.parse::<Delay>().map(|delay| delay.to_string()).as_deref(), Ok(text));
        }
        for text in ["0s", "1500us", "61s", "100", "-1s", "9999999999s"] {
            assert!(text.parse::<Delay>().is_err(), "{text}");
        }
    }
}
