//! Values of settings, each read from and written as one text with its unit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::{format_duration, parse_duration};

/// The MTU of a link that names none, and the most there is: that of the bridges of the sites.
pub const MTU_MAX: u16 = 1500;
/// The smallest MTU that every IPv4 host takes (RFC 791).
pub const MTU_MIN: u16 = 68;

/// How the delay of packets is spread around the latency. Never below zero, and never reordering.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// Every packet has the latency exactly; the jitter is ignored.
    None,
    /// Even between latency − jitter and latency + jitter.
    Uniform,
    /// Normal, with the jitter as its standard deviation, cut off at four of them.
    #[default]
    Normal,
    /// A Pareto tail of shape 3 with the latency as its mean and the jitter as its standard
    /// deviation, cut off at ten of them: few packets are much later than the others.
    Pareto,
}

impl Distribution {
    /// Every choice, in the order the documentation lists them.
    pub const ALL: [Self; 4] = [Self::None, Self::Uniform, Self::Normal, Self::Pareto];

    /// The word for this choice.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Uniform => "uniform",
            Self::Normal => "normal",
            Self::Pareto => "pareto",
        }
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no value of a link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no {what}")]
pub struct BadSetting {
    /// The text as given.
    pub given: String,
    /// What it should have been, with an example.
    pub what: &'static str,
}

impl FromStr for Distribution {
    type Err = BadSetting;

    fn from_str(text: &str) -> Result<Self, BadSetting> {
        let what = "distribution: none, uniform, normal, pareto";
        Self::ALL
            .into_iter()
            .find(|d| d.as_str() == text)
            .ok_or_else(|| BadSetting { given: text.to_owned(), what })
    }
}

/// A share of packets, in steps of one in a million; written as a percentage, `0.5%`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Share(u32);

impl Share {
    const MILLION: u32 = 1_000_000;
    /// None of them.
    pub const ZERO: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(Self::MILLION);

    /// So many in a million; all of them where it is more.
    pub const fn per_million(parts: u32) -> Self {
        Self(if parts > Self::MILLION { Self::MILLION } else { parts })
    }

    /// How many in a million.
    pub const fn parts_per_million(self) -> u32 {
        self.0
    }

    /// As a probability, from 0 to 1.
    pub fn probability(self) -> f64 {
        f64::from(self.0) / f64::from(Self::MILLION)
    }
}

impl FromStr for Share {
    type Err = BadSetting;

    fn from_str(text: &str) -> Result<Self, BadSetting> {
        let bad = || BadSetting {
            given: text.to_owned(),
            what: "percentage from 0% to 100%, such as 0.5%",
        };
        let number = text.strip_suffix('%').ok_or_else(bad)?.trim_end();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty()
            || whole.len() > 3
            || fraction.len() > 4
            || !digits(whole)
            || !digits(fraction)
        {
            return Err(bad());
        }
        // A percentage with four decimals is a whole number of millionths.
        let parts: u32 = format!("{whole}{fraction:0<4}").parse().map_err(|_| bad())?;
        if parts > Self::MILLION { Err(bad()) } else { Ok(Self(parts)) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 10_000, self.0 % 10_000);
        if fraction == 0 {
            return write!(f, "{whole}%");
        }
        let fraction = format!("{fraction:04}");
        write!(f, "{whole}.{}%", fraction.trim_end_matches('0'))
    }
}

/// Bits in a second, written as `100mbit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate(u64);

impl Rate {
    const UNITS: [(&'static str, u64); 4] =
        [("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1_000), ("bit", 1)];

    /// So many bits in a second.
    pub const fn bits_per_second(bits: u64) -> Self {
        Self(bits)
    }

    /// Bits in a second.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// How long `bytes` take; the longest length of time there is where that is not enough.
    pub fn time_of(self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 8 * 1_000_000_000 / u128::from(self.0.max(1));
        u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
    }
}

impl FromStr for Rate {
    type Err = BadSetting;

    fn from_str(text: &str) -> Result<Self, BadSetting> {
        let bad = || BadSetting {
            given: text.to_owned(),
            what: "rate with its unit (bit, kbit, mbit or gbit in a second), such as 100mbit",
        };
        let (number, unit) = Self::UNITS
            .iter()
            .find_map(|(word, size)| Some((text.strip_suffix(word)?.trim_end(), *size)))
            .ok_or_else(bad)?;
        let bits = scaled(number, unit).ok_or_else(bad)?;
        if bits == 0 { Err(bad()) } else { Ok(Self(bits)) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, size) = Self::UNITS
            .into_iter()
            .find(|(_, size)| self.0 >= *size && self.0 % *size == 0)
            .unwrap_or(("bit", 1));
        write!(f, "{}{word}", self.0 / size)
    }
}

/// A rate, or `unlimited`: how a change takes a rate away again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RateLimit(pub Option<Rate>);

impl FromStr for RateLimit {
    type Err = BadSetting;

    fn from_str(text: &str) -> Result<Self, BadSetting> {
        if text == "unlimited" { Ok(Self(None)) } else { text.parse().map(|r| Self(Some(r))) }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(rate) => rate.fmt(f),
            None => f.write_str("unlimited"),
        }
    }
}

/// What may wait for a link with a rate: bytes, `256kb`, or the time they take to pass, `50ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum QueueLimit {
    /// Bytes of IP packets.
    Bytes(u64),
    /// As many bytes as pass in this time.
    Time(Duration),
}

impl QueueLimit {
    const UNITS: [(&'static str, u64); 3] = [("mb", 1_000_000), ("kb", 1_000), ("b", 1)];

    /// The limit in bytes for a rate; never less than two of the largest packets, since a queue
    /// that holds less passes nothing but the first packet of a burst.
    pub fn bytes(self, rate: Rate) -> u64 {
        let bytes = match self {
            Self::Bytes(bytes) => bytes,
            Self::Time(time) => {
                let bits = u128::from(rate.bits()) * time.as_nanos() / 1_000_000_000;
                u64::try_from(bits / 8).unwrap_or(u64::MAX)
            }
        };
        bytes.max(2 * u64::from(MTU_MAX))
    }
}

impl Default for QueueLimit {
    /// 50 ms: a router's buffer that neither starves one TCP stream across a continent nor lets
    /// everybody else wait for seconds.
    fn default() -> Self {
        Self::Time(Duration::from_millis(50))
    }
}

impl FromStr for QueueLimit {
    type Err = BadSetting;

    fn from_str(text: &str) -> Result<Self, BadSetting> {
        let bytes = Self::UNITS
            .iter()
            .find_map(|(word, size)| Some((text.strip_suffix(word)?.trim_end(), *size)))
            .and_then(|(number, unit)| scaled(number, unit));
        if let Some(bytes) = bytes {
            return Ok(Self::Bytes(bytes));
        }
        parse_duration(text).map(Self::Time).map_err(|_| BadSetting {
            given: text.to_owned(),
            what: "queue in bytes or time, such as 256kb or 50ms",
        })
    }
}

impl fmt::Display for QueueLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Time(time) => f.write_str(&format_duration(time)),
            Self::Bytes(bytes) => {
                let (word, size) = Self::UNITS
                    .into_iter()
                    .find(|(_, size)| bytes >= *size && bytes % *size == 0)
                    .unwrap_or(("b", 1));
                write!(f, "{}{word}", bytes / size)
            }
        }
    }
}

/// A decimal number times a unit, where the result is whole.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 9 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    if fraction.is_empty() {
        return Some(whole);
    }
    let scale = 10u64.pow(u32::try_from(fraction.len()).ok()?);
    let part = fraction.parse::<u64>().ok()?.checked_mul(unit)?;
    if part % scale == 0 { whole.checked_add(part / scale) } else { None }
}

macro_rules! as_string {
    ($($name:ident),+) => {$(
        impl TryFrom<String> for $name {
            type Error = BadSetting;
            fn try_from(text: String) -> Result<Self, BadSetting> { text.parse() }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self { value.to_string() }
        }
    )+};
}
as_string!(Share, Rate, RateLimit, QueueLimit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_read_back_as_the_value_they_were_written_from() {
        for text in ["0%", "0.5%", "100%", "0.0001%", "12.34%"] {
            assert_eq!(text.parse::<Share>().map(|s| s.to_string()), Ok(text.to_owned()));
        }
        for text in ["1bit", "1500bit", "64kbit", "100mbit", "10gbit"] {
            assert_eq!(text.parse::<Rate>().map(|s| s.to_string()), Ok(text.to_owned()));
        }
        for text in ["1500b", "256kb", "3mb", "50ms", "1500us"] {
            assert_eq!(text.parse::<QueueLimit>().map(|s| s.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("1.5gbit".parse(), Ok(Rate::bits_per_second(1_500_000_000)));
    }

    #[test]
    fn negative_absurd_or_unitless_values_are_refused() {
        for bad in ["-1%", "101%", "100.0001%", "5", "%", "0.00001%", "1e2%", "½%", ""] {
            assert!(bad.parse::<Share>().is_err(), "{bad:?} was accepted");
        }
        for bad in ["-1mbit", "0mbit", "100", "mbit", "1.5bit", "1tbit", "99999999999gbit"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad:?} was accepted");
        }
        for bad in ["-1kb", "1", "kb", "fast", "-5ms"] {
            assert!(bad.parse::<QueueLimit>().is_err(), "{bad:?} was accepted");
        }
    }
}
