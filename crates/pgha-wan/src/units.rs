//! Quantities and choices as people write them.

use std::time::Duration;

/// A text that is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no length of time: {reason}")]
pub struct NotADuration {
    /// The text as given.
    pub given: String,
    /// Why not.
    pub reason: String,
}

/// A word that is none of the choices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is none of: {known}")]
pub struct UnknownChoice {
    /// The word as given.
    pub given: String,
    /// The words that would do, separated by commas.
    pub known: String,
}

/// Parses a length of time with its unit, such as `40ms`, `1.5s` or `1m 30s`.
///
/// # Errors
/// When the unit is missing, the text is not a length of time, or it is negative.
pub fn parse_duration(text: &str) -> Result<Duration, NotADuration> {
    let bad = |reason: String| NotADuration { given: text.to_owned(), reason };
    let signed: jiff::SignedDuration = text.parse().map_err(|_: jiff::Error| {
        let number = text.trim().parse::<f64>().is_ok();
        bad(if number { "it has no unit" } else { "a number and its unit are wanted" }.to_owned())
    })?;
    Duration::try_from(signed).map_err(|_| bad("it is negative".to_owned()))
}

/// Whole milliseconds of a length of time, as events and JSON have them; what is longer than they can say is the most
/// they can.
pub fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Writes a length of time in the largest unit that needs no fraction: `40ms`, `1500us`, `2s`.
///
/// # Panics
/// Never: every length of time is a whole number of nanoseconds.
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns")];
    let (size, unit) = units
        .into_iter()
        .find(|(size, _)| nanos % size == 0)
        .expect("every whole number of nanoseconds is a multiple of one");
    format!("{}{unit}", nanos / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_without_unit_or_below_zero_is_refused() {
        for bad in ["40", "-40ms", "", "fast"] {
            assert!(parse_duration(bad).is_err(), "{bad:?} was accepted");
        }
        assert_eq!(parse_duration("40ms"), Ok(Duration::from_millis(40)));
    }
}
