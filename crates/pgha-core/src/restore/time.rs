//! Times as Postgres, pgBackRest and pgha print them, and as people write them: each with its zone.
//!
//! Names of zones are looked up in the time zone database that is part of the program, so that a name means
//! the same on every machine. An abbreviation is taken where every zone of the database that uses it
//! in that year means the same offset by it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

/// Words for an offset of nothing.
const UTC_WORDS: [&str; 6] = ["UTC", "GMT", "Z", "UT", "UCT", "Zulu"];
/// Names of months as Postgres prints them.
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Letters that the abbreviation of a zone has.
const ABBREVIATION_LEN: std::ops::RangeInclusive<usize> = 3..=5;
/// Hours of the largest offset that Postgres takes.
const OFFSET_HOURS_MAX: i32 = 15;

/// A moment as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When it is.
    pub at: Timestamp,
    /// The zone, where it was given by a name that has an offset only at that time.
    pub zone: Option<NamedZone>,
}

/// A zone that was given by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedZone {
    /// Its name, such as `Europe/Berlin` or `CET`.
    pub name: String,
    /// What it stands for at that time, such as `+01`.
    pub offset: String,
}

/// Why a text is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not written as a time is.
    #[error("{0}")]
    Malformed(String),
    /// Another moment on another machine.
    #[error("it names no time zone")]
    Zoneless,
    /// No zone of that name.
    #[error("the time zone database has no zone and no abbreviation `{0}`")]
    UnknownZone(String),
    /// An abbreviation of several zones, or a sign that is read both ways.
    #[error("`{zone}` stands for {meanings}")]
    AmbiguousZone {
        /// As given.
        zone: String,
        /// What it may stand for.
        meanings: String,
        /// The same time with each offset.
        choices: Vec<String>,
    },
    /// The clocks were set back over it.
    #[error("{civil} occurs twice in {zone}")]
    Twice {
        /// Date and time.
        civil: String,
        /// The zone.
        zone: String,
        /// The same time with both offsets, the earlier moment first.
        choices: Vec<String>,
    },
    /// The clocks were set forward over it.
    #[error("{civil} does not occur in {zone}: clocks are set forward then")]
    Never {
        /// Date and time.
        civil: String,
        /// The zone.
        zone: String,
        /// The same time with both offsets, the earlier moment first.
        choices: Vec<String>,
    },
}

impl TimeError {
    /// What would do.
    pub fn hint(&self) -> String {
        match self {
            Self::Malformed(_) | Self::Zoneless => {
                "give date, time and zone: --time '2026-11-23 10:00:00+00', '… UTC', '… Europe/Berlin'"
                    .to_owned()
            }
            Self::UnknownZone(_) => {
                "give an offset such as +02, or a name such as Europe/Berlin".to_owned()
            }
            Self::AmbiguousZone { choices, .. }
            | Self::Twice { choices, .. }
            | Self::Never { choices, .. } => {
                let quoted: Vec<_> = choices.iter().map(|c| format!("--time '{c}'")).collect();
                quoted.join(" or ")
            }
        }
    }
}

impl Moment {
    /// Reads a moment: `2026-11-23 10:00:00+00`, `2026-11-23T10:00:00.5Z`, `2026-11-23 10:00:00.123 UTC`,
    /// `2026-11-23 11:00:00 Europe/Berlin`, `Mon Nov 23 11:00:00 2026 CET`.
    ///
    /// # Errors
    /// When it is malformed, names no zone or one that is not known, or may mean two moments.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let (civil, zone) = civil_and_zone(text.trim())?;
        let (offset, zone) = offset_of(zone, civil)?;
        let at = offset
            .to_timestamp(civil)
            .map_err(|e| TimeError::Malformed(format!("it is out of range: {e}")))?;
        Ok(Self { at, zone })
    }
}

/// A moment as Postgres and pgBackRest both read it, in UTC, with microseconds where there are any.
pub(crate) fn in_utc(time: Timestamp) -> String {
    let micros = time.subsec_microsecond();
    let whole = time.strftime("%Y-%m-%d %H:%M:%S");
    if micros == 0 { format!("{whole}+00") } else { format!("{whole}.{micros:06}+00") }
}

/// Date and time, and the words after them.
fn civil_and_zone(text: &str) -> Result<(DateTime, &str), TimeError> {
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return as_words(text);
    }
    let malformed = || TimeError::Malformed("it does not begin as 2026-11-23 10:00:00 does".into());
    let (date, rest) = text
        .split_once(['T', 't', ' ', '\t'])
        .filter(|(date, _)| !date.is_empty())
        .ok_or_else(malformed)?;
    // Postgres's `German` style.
    let date = match date.split('.').collect::<Vec<_>>()[..] {
        [day, month, year] => format!("{year}-{month}-{day}"),
        _ => date.to_owned(),
    };
    let rest = rest.trim_start();
    let end =
        rest.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(rest.len());
    let (time, zone) = rest.split_at(end);
    Ok((civil(&date, time).map_err(|e| e.unwrap_or_else(malformed))?, zone.trim()))
}

/// `Mon Nov 23 11:00:00 2026 CET`, as Postgres's own style is.
fn as_words(text: &str) -> Result<(DateTime, &str), TimeError> {
    let malformed =
        || TimeError::Malformed("it is not like Mon Nov 23 10:00:00 2026 UTC".to_owned());
    let mut rest = text;
    let mut word = || {
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = after.trim_start();
        word
    };
    let (_weekday, month, day, time, year) = (word(), word(), word(), word(), word());
    let month = MONTHS.iter().position(|name| *name == month).ok_or_else(malformed)? + 1;
    let date = format!("{year}-{month:02}-{day:0>2}");
    Ok((civil(&date, time).map_err(|e| e.unwrap_or_else(malformed))?, rest.trim()))
}

/// Fails with nothing where it is not even written as date and time are.
fn civil(date: &str, time: &str) -> Result<DateTime, Option<TimeError>> {
    let digits =
        |text: &str, len: usize| text.len() == len && text.bytes().all(|b| b.is_ascii_digit());
    let date_fits = matches!(date.split('-').collect::<Vec<_>>()[..],
        [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2));
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let time_fits = match whole.split(':').collect::<Vec<_>>()[..] {
        [hour, minute] => digits(hour, 2) && digits(minute, 2) && whole == time,
        [hour, minute, second] => {
            digits(hour, 2)
                && digits(minute, 2)
                && digits(second, 2)
                && second != "60"
                && (1..=9).contains(&fraction.len())
                && digits(fraction, fraction.len())
        }
        _ => false,
    };
    if !date_fits || !time_fits {
        return Err(None);
    }
    format!("{date}T{time}").parse().map_err(|e| Some(TimeError::Malformed(format!("{e}"))))
}

fn offset_of(zone: &str, civil: DateTime) -> Result<(Offset, Option<NamedZone>), TimeError> {
    let is_utc = |text: &str| UTC_WORDS.iter().any(|word| word.eq_ignore_ascii_case(text));
    if zone.is_empty() {
        return Err(TimeError::Zoneless);
    }
    if is_utc(zone) {
        return Ok((Offset::UTC, None));
    }
    if zone.starts_with(['+', '-']) {
        let offset = signed(zone).ok_or_else(|| {
            TimeError::Malformed(format!("`{zone}` is no offset, which looks like +02 or +05:30"))
        })?;
        return Ok((offset, None));
    }
    // `UTC+2` is two hours east for people, and two hours west for POSIX and for Postgres.
    let east = zone.find(['+', '-']).filter(|at| is_utc(&zone[..*at]));
    if let Some(east) = east.and_then(|at| signed(&zone[at..])) {
        let both = [(east, "as people read it"), (-east, "as POSIX and Postgres do")];
        return Err(ambiguous(zone, civil, &both));
    }
    let said = |name: &str, offset| {
        let offset = offset_text(offset);
        Some(NamedZone { name: name.to_owned(), offset })
    };
    let database = TimeZoneDatabase::bundled();
    let meanings = abbreviated(&database, zone, civil);
    let meanings: Vec<_> = meanings.iter().map(|(offset, zone)| (*offset, zone.as_str())).collect();
    match meanings[..] {
        [] => {}
        [(offset, _)] => return Ok((offset, said(zone, offset))),
        _ => return Err(ambiguous(zone, civil, &meanings)),
    }
    let found = database.get(zone).map_err(|_| TimeError::UnknownZone(zone.to_owned()))?;
    let name = found.iana_name().unwrap_or(zone).to_owned();
    let with = |offset| format!("{}{}", civil_text(civil), offset_text(offset));
    match found.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => Ok((offset, said(&name, offset))),
        AmbiguousOffset::Fold { before, after } => Err(TimeError::Twice {
            civil: civil_text(civil),
            zone: name,
            choices: vec![with(before), with(after)],
        }),
        AmbiguousOffset::Gap { before, after } => Err(TimeError::Never {
            civil: civil_text(civil),
            zone: name,
            choices: vec![with(after), with(before)],
        }),
    }
}

fn ambiguous(zone: &str, civil: DateTime, meanings: &[(Offset, &str)]) -> TimeError {
    let said: Vec<_> = meanings
        .iter()
        .map(|(offset, whose)| format!("{} ({whose})", offset_text(*offset)))
        .collect();
    let with = |offset| format!("{}{}", civil_text(civil), offset_text(offset));
    TimeError::AmbiguousZone {
        zone: zone.to_owned(),
        meanings: said.join(" and "),
        choices: meanings.iter().map(|(offset, _)| with(*offset)).collect(),
    }
}

/// What zones mean by an abbreviation in the year of that time: each offset, with one of the zones.
fn abbreviated(
    database: &TimeZoneDatabase,
    word: &str,
    civil: DateTime,
) -> BTreeMap<Offset, String> {
    let mut meanings = BTreeMap::new();
    let is_one =
        ABBREVIATION_LEN.contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphabetic());
    if !is_one {
        return meanings;
    }
    // Summer time begins and ends in the middle of a month or between two.
    let months: Vec<Timestamp> = (1..=12)
        .filter_map(|month| {
            let start = jiff::civil::date(civil.year(), month, 1).at(0, 0, 0, 0);
            Offset::UTC.to_timestamp(start).ok()
        })
        .collect();
    for name in database.available() {
        let Ok(zone) = database.get(name.as_str()) else { continue };
        for at in &months {
            let info = zone.to_offset_info(*at);
            if info.abbreviation().eq_ignore_ascii_case(word) {
                meanings.entry(info.offset()).or_insert_with(|| name.to_string());
            }
        }
    }
    meanings
}

/// `+02`, `+0200`, `+02:00`, `-00:53:28`.
fn signed(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let parts: Vec<&str> = if digits.contains(':') {
        digits.split(':').collect()
    } else {
        match digits.len() {
            1 | 2 => vec![digits],
            4 if digits.is_ascii() => vec![&digits[..2], &digits[2..]],
            _ => return None,
        }
    };
    let number = |text: &str, max: i32| {
        let fits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i32>().ok().filter(|n| fits && *n <= max)
    };
    let (hours, rest) = parts.split_first()?;
    if rest.len() > 2 || rest.iter().any(|part| part.len() != 2) {
        return None;
    }
    let mut seconds = number(hours, OFFSET_HOURS_MAX)? * 3600;
    for (part, unit) in rest.iter().zip([60, 1]) {
        seconds += number(part, 59)? * unit;
    }
    Offset::from_seconds(sign * seconds).ok()
}

/// As Postgres prints it: `+02`, `+05:30`.
fn offset_text(offset: Offset) -> String {
    let seconds = offset.seconds();
    let (sign, all) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
    let (hours, minutes, rest) = (all / 3600, all / 60 % 60, all % 60);
    match (minutes, rest) {
        (0, 0) => format!("{sign}{hours:02}"),
        (_, 0) => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}:{rest:02}"),
    }
}

fn civil_text(civil: DateTime) -> String {
    civil.strftime("%Y-%m-%d %H:%M:%S%.f").to_string()
}

#[cfg(test)]
mod tests;
