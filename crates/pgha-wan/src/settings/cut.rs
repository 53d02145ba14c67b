//! What of a link does not pass: nothing of that at all, or for a part of each period.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{BadSetting, Share};
use crate::units::{format_duration, parse_duration};

/// Shorter periods are packet loss.
pub const FLAP_PERIOD_MIN: Duration = Duration::from_millis(100);
/// Longer ones are cuts, each by itself.
pub const FLAP_PERIOD_MAX: Duration = Duration::from_secs(3600);

/// Whether something does not pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Cut {
    /// It passes.
    #[default]
    No,
    /// It does not.
    Yes,
    /// It comes and goes.
    Flaps(Flap),
}

/// A cut that comes and goes: each period begins with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Flap {
    period: Duration,
    duty: Share,
}

/// A cut in a file: `false`, `true` or a flap.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Always(bool),
    Flaps(String),
}

impl Cut {
    /// Something of it may not pass, now or later.
    pub fn is_asked(self) -> bool {
        self != Self::No
    }

    /// Whether nothing passes so long after it was asked for.
    pub fn is_down(self, after: Duration) -> bool {
        match self {
            Self::No => false,
            Self::Yes => true,
            Self::Flaps(flap) => after.as_nanos() % flap.period.as_nanos() < flap.down().as_nanos(),
        }
    }
}

impl Flap {
    /// A cut for this part of each period.
    ///
    /// # Errors
    /// Where the period is not from [`FLAP_PERIOD_MIN`] to [`FLAP_PERIOD_MAX`], or the part is none or all of it.
    pub fn new(period: Duration, duty: Share) -> Result<Self, BadSetting> {
        let flap = Self { period, duty };
        let possible = (FLAP_PERIOD_MIN..=FLAP_PERIOD_MAX).contains(&period)
            && duty > Share::ZERO
            && duty < Share::ALL;
        possible.then_some(flap).ok_or_else(|| bad(&flap.to_string()))
    }

    /// From the beginning of one cut to that of the next.
    pub fn period(self) -> Duration {
        self.period
    }

    /// Which part of that is cut.
    pub fn duty(self) -> Share {
        self.duty
    }

    /// How long each cut is.
    pub fn down(self) -> Duration {
        self.period.mul_f64(self.duty.probability())
    }
}

fn bad(given: &str) -> BadSetting {
    BadSetting {
        given: given.to_owned(),
        what: "flap, such as 40% of 10s: more than 0% and less than 100% of a period from 100ms to 1h",
    }
}

impl fmt::Display for Flap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.duty, format_duration(self.period))
    }
}

impl FromStr for Flap {
    type Err = BadSetting;

    fn from_str(text: &str) -> Result<Self, BadSetting> {
        let (duty, period) = text.split_once(" of ").ok_or_else(|| bad(text))?;
        let period = parse_duration(period).map_err(|_| bad(text))?;
        Self::new(period, duty.parse()?)
    }
}

impl TryFrom<String> for Flap {
    type Error = BadSetting;

    fn try_from(text: String) -> Result<Self, BadSetting> {
        text.parse()
    }
}

impl From<Flap> for String {
    fn from(flap: Flap) -> Self {
        flap.to_string()
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("no"),
            Self::Yes => f.write_str("yes"),
            Self::Flaps(flap) => flap.fmt(f),
        }
    }
}

impl From<bool> for Cut {
    fn from(cut: bool) -> Self {
        if cut { Self::Yes } else { Self::No }
    }
}

impl TryFrom<Written> for Cut {
    type Error = BadSetting;

    fn try_from(written: Written) -> Result<Self, BadSetting> {
        match written {
            Written::Always(cut) => Ok(cut.into()),
            Written::Flaps(text) => text.parse().map(Self::Flaps),
        }
    }
}

impl From<Cut> for Written {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::No => Self::Always(false),
            Cut::Yes => Self::Always(true),
            Cut::Flaps(flap) => Self::Flaps(flap.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_flap_is_refused_with_what_one_is() {
        let text = |text: &str| serde_json::from_str::<Cut>(text).map_err(|e| e.to_string());
        assert_eq!(text("false"), Ok(Cut::No));
        assert_eq!(text("true"), Ok(Cut::Yes));
        let flap = text("\"40% of 10s\"").expect("a flap");
        assert_eq!(flap.to_string(), "40% of 10s");
        for wrong in ["4s of 10s", "40%", "0% of 10s", "100% of 10s", "40% of 90ms", "40% of 2h"] {
            let said = text(&format!("\"{wrong}\"")).expect_err(wrong);
            assert!(said.contains("such as") || said.contains("0% to 100%"), "{said}");
        }
    }

    proptest! {
        #[test]
        fn each_period_begins_with_a_cut_of_its_part(
            period_ms in 100u64..3_600_000,
            parts in 1u32..1_000_000,
            after_ms in 0u64..100_000_000,
        ) {
            let period = Duration::from_millis(period_ms);
            let flap = Flap::new(period, Share::per_million(parts)).expect("possible");
            let cut = Cut::Flaps(flap);
            prop_assert_eq!(flap.to_string().parse::<Flap>(), Ok(flap));
            let written = serde_json::to_string(&cut).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<Cut>(&written).expect("read"), cut);
            let into = Duration::from_millis(after_ms % period_ms);
            prop_assert_eq!(cut.is_down(Duration::from_millis(after_ms)), into < flap.down());
            prop_assert!(cut.is_down(Duration::ZERO) && flap.down() < period);
        }
    }
}
