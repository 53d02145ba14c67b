//! Amounts of what a container may use, as Compose writes them.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error as _, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Units of [`Bytes`], the largest first.
const UNITS: [(&str, u64); 3] = [("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)];

/// An amount of memory, in bytes; in text a whole number and `k`, `m` or `g`, of 1024 each, such as `512m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, size)| self.0 >= *size && self.0 % size == 0);
        match unit {
            Some((unit, size)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}b", self.0),
        }
    }
}

/// What is no amount of memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no amount of memory: a whole number and its unit, such as `512m` or `2g`")]
pub struct NoBytes(String);

impl FromStr for Bytes {
    type Err = NoBytes;

    fn from_str(text: &str) -> Result<Self, NoBytes> {
        let refused = || NoBytes(text.to_owned());
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let number: u64 = digits.parse().map_err(|_| refused())?;
        let unit = text[digits.len()..].trim().to_ascii_lowercase();
        let unit = unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(&unit);
        let size = match unit {
            "" if text.ends_with(['b', 'B']) => 1,
            unit => UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(refused)?.1,
        };
        number.checked_mul(size).map(Self).ok_or_else(refused)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// A share of processors, in thousandths of one; in text a number such as `1.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpus(pub u32);

/// The largest share: more than any machine has.
const CPUS_MAX: f64 = 100_000.0;

impl Cpus {
    /// The share of this number of processors; `None` where it is none, or less than a thousandth of one.
    fn of(number: f64) -> Option<Self> {
        let thousandths = (number * 1000.0).round();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number between 1 and the largest share"
        )]
        (number <= CPUS_MAX && thousandths >= 1.0).then_some(Self(thousandths as u32))
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.0) / 1000.0)
    }
}

impl Serialize for Cpus {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(f64::from(self.0) / 1000.0)
    }
}

impl<'de> Deserialize<'de> for Cpus {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Number)
    }
}

struct Number;

impl Visitor<'_> for Number {
    type Value = Cpus;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of processors, such as 1.5")
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Cpus, E> {
        Cpus::of(number).ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Cpus, E> {
        let whole = u32::try_from(number).ok().and_then(|number| Cpus::of(number.into()));
        whole.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Cpus, E> {
        let whole = u32::try_from(number).ok().and_then(|number| Cpus::of(number.into()));
        whole.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_amount_has_the_units_of_compose() {
        for (text, bytes) in [
            ("512m", 512 << 20),
            ("1g", 1 << 30),
            ("2GB", 2 << 30),
            ("64 MiB", 64 << 20),
            ("7b", 7),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["", "g", "1", "1.5g", "-1m", "1t", "99999999999g", "é"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_of_processors_is_a_positive_number() {
        assert_eq!((Cpus::of(1.5), Cpus::of(4.0)), (Some(Cpus(1500)), Some(Cpus(4000))));
        for number in [0.0, -1.0, 0.0001, 1e9, f64::NAN, f64::INFINITY] {
            assert_eq!(Cpus::of(number), None, "{number}");
        }
        assert_eq!((Cpus(1500).to_string(), Cpus(2000).to_string()), ("1.5".into(), "2".into()));
    }

    proptest! {
        #[test]
        fn every_amount_reads_back(bytes: u64, thousandths in 1..100_000_000u32, text: String) {
            prop_assert_eq!(Bytes(bytes).to_string().parse(), Ok(Bytes(bytes)));
            prop_assert_eq!(Cpus::of(f64::from(thousandths) / 1000.0), Some(Cpus(thousandths)));
            let _ = text.parse::<Bytes>();
        }
    }
}
