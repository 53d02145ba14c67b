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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utc(text: &str) -> String {
        in_utc(Moment::parse(text).unwrap_or_else(|e| panic!("{text}: {e}")).at)
    }

    #[test]
    fn what_postgres_and_pgbackrest_print_is_read() {
        for (given, moment) in [
            // log_line_prefix %m and %t, timestamptz, `pgbackrest info`, a zone without an abbreviation.
            ("2026-11-24 16:24:39.123 UTC", "2026-11-24 16:24:39.123000+00"),
            ("2026-11-24 16:24:39 GMT", "2026-11-24 16:24:39+00"),
            ("2026-11-24 17:24:39.123 CET", "2026-11-24 16:24:39.123000+00"),
            ("2026-11-24 16:24:39.123456+00", "2026-11-24 16:24:39.123456+00"),
            ("2026-11-24 21:54:39.123456+05:30", "2026-11-24 16:24:39.123456+00"),
            ("2026-11-24 16:24:38+00", "2026-11-24 16:24:38+00"),
            ("2026-11-24 13:24:39.123 -03", "2026-11-24 16:24:39.123000+00"),
            ("1890-01-01 00:53:28+00:53:28", "1890-01-01 00:00:00+00"),
            ("Tue Nov 24 17:24:39.123456 2026 CET", "2026-11-24 16:24:39.123456+00"),
            ("Thu Jan  1 00:00:00 2026 UTC", "2026-01-01 00:00:00+00"),
            ("24.11.2026 17:24:39.5 CET", "2026-11-24 16:24:39.500000+00"),
        ] {
            assert_eq!(utc(given), moment, "{given}");
        }
    }

    #[test]
    fn an_offset_is_taken_in_every_form_and_also_after_a_blank() {
        for offset in ["+02", "+0200", "+02:00", "+2", " +02", " +0200", "  +02:00", "+02:00:00"] {
            assert_eq!(utc(&format!("2026-11-24 18:24:39{offset}")), "2026-11-24 16:24:39+00");
        }
        for offset in ["Z", " Z", "z", " UTC", "UTC", " utc", " Zulu", "-00", " +0000"] {
            assert_eq!(utc(&format!("2026-11-24T16:24{offset}")), "2026-11-24 16:24:00+00");
        }
    }

    #[test]
    fn a_name_is_taken_with_the_offset_it_has_then() {
        for (given, name, offset) in [
            ("2026-11-24 17:24:39 Europe/Berlin", "Europe/Berlin", "+01"),
            ("2026-07-24 17:24:39 europe/berlin", "Europe/Berlin", "+02"),
            ("2026-11-24 17:24:39 Asia/Kolkata", "Asia/Kolkata", "+05:30"),
            // Summer or not, an abbreviation is one offset.
            ("2026-07-24 17:24:39 CET", "CET", "+01"),
            ("2026-07-24 17:24:39 CEST", "CEST", "+02"),
            ("2026-11-24 17:24:39 EST", "EST", "-05"),
            ("2026-11-24 17:24:39 JST", "JST", "+09"),
        ] {
            let zone = Moment::parse(given).unwrap_or_else(|e| panic!("{given}: {e}")).zone;
            let expected = NamedZone { name: name.to_owned(), offset: offset.to_owned() };
            assert_eq!(zone, Some(expected), "{given}");
        }
        assert_eq!(Moment::parse("2026-11-24 17:24:39 UTC").expect("a time").zone, None);
    }

    /// Each choice is another moment, and is taken.
    fn choices(error: &TimeError) -> Vec<String> {
        let (TimeError::AmbiguousZone { choices, .. }
        | TimeError::Twice { choices, .. }
        | TimeError::Never { choices, .. }) = error
        else {
            panic!("no choices: {error:?}");
        };
        let moments: Vec<_> =
            choices.iter().map(|c| Moment::parse(c).expect("a choice").at).collect();
        assert!(
            moments.len() > 1
                && moments.iter().collect::<std::collections::BTreeSet<_>>().len() == moments.len()
        );
        choices.clone()
    }

    #[test]
    fn an_hour_that_occurs_twice_or_never_is_refused_with_both_choices() {
        let error = Moment::parse("2026-10-25 02:30:00 Europe/Berlin").expect_err("twice");
        assert_eq!(error.to_string(), "2026-10-25 02:30:00 occurs twice in Europe/Berlin");
        assert_eq!(choices(&error), ["2026-10-25 02:30:00+02", "2026-10-25 02:30:00+01"]);
        let error = Moment::parse("2026-03-29 02:30:00.5 Europe/Berlin").expect_err("never");
        assert_eq!(choices(&error), ["2026-03-29 02:30:00.5+02", "2026-03-29 02:30:00.5+01"]);
        assert!(error.hint().contains("--time '2026-03-29 02:30:00.5+01'"), "{}", error.hint());
    }

    #[test]
    fn an_abbreviation_of_several_zones_is_refused_with_what_it_may_mean() {
        for (zone, offsets) in
            [("IST", ["+05:30", "+01"]), ("CST", ["-06", "+08"]), ("UTC+2", ["+02", "-02"])]
        {
            let error = Moment::parse(&format!("2026-07-24 17:24:39 {zone}")).expect_err(zone);
            let choices = choices(&error);
            for offset in offsets {
                assert!(choices.contains(&format!("2026-07-24 17:24:39{offset}")), "{error}");
            }
        }
    }

    #[test]
    fn what_is_no_moment_is_refused_for_what_is_wrong_with_it() {
        for zoneless in ["2026-11-24 16:24:39", "2026-11-24T16:24", "Tue Nov 24 16:24:39 2026"] {
            assert_eq!(Moment::parse(zoneless), Err(TimeError::Zoneless), "{zoneless}");
        }
        for zone in ["XYZ", "Europe/Atlantis", "P00", "+01[Europe/Berlin]x"] {
            let error = Moment::parse(&format!("2026-11-24 16:24:39 {zone}")).expect_err(zone);
            assert!(error.to_string().contains(zone), "{error}");
        }
        for malformed in [
            "",
            "noon",
            "10:00",
            "2026-11-24",
            "2026-11-24 UTC",
            "2026-13-01 00:00:00+00",
            "2026-02-30 00:00:00+00",
            "2026-11-24 24:00:00+00",
            "2026-11-24 16:24:39+16",
            "2026-11-24 16:24:39+02:60",
            "2026-11-24 16:24:39.+00",
            "11/24/2026 16:24:39 UTC",
            "2026-11-24 1:2:3 UTC",
        ] {
            assert!(
                matches!(Moment::parse(malformed), Err(TimeError::Malformed(_))),
                "{malformed}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_words_are_read_or_refused(text: String, zone in "[ A-Za-z/+:0-9-]{0,12}") {
            let _ = Moment::parse(&text);
            let _ = Moment::parse(&format!("2026-11-24 16:24:39{zone}"));
        }

        #[test]
        fn what_is_printed_is_read_back(
            micros in 0_i64..4_102_444_800_000_000,
            minutes in -899_i32..=899,
            blank: bool,
        ) {
            let at = Timestamp::from_microsecond(micros).expect("in range");
            let read = |text: String| Moment::parse(&text).unwrap_or_else(|e| panic!("{text}: {e}")).at;
            prop_assert_eq!(read(in_utc(at)), at);
            prop_assert_eq!(read(at.to_string()), at);
            prop_assert_eq!(read(at.strftime("%Y-%m-%d %H:%M:%S%.6f UTC").to_string()), at);
            prop_assert_eq!(read(at.strftime("%a %b %e %H:%M:%S%.6f %Y UTC").to_string()), at);
            let offset = Offset::from_seconds(minutes * 60).expect("in range");
            let civil = offset.to_datetime(at);
            let between = if blank { " " } else { "" };
            prop_assert_eq!(read(format!("{}{between}{}", civil_text(civil), offset_text(offset))), at);
        }

        #[test]
        fn a_time_of_a_zone_is_that_moment_or_refused_with_choices_that_include_it(
            second in 0_i64..4_102_444_800,
            index in 0_usize..400,
        ) {
            let database = TimeZoneDatabase::bundled();
            let name = database.available().nth(index).expect("a zone").to_string();
            let zone = database.get(&name).expect("a zone");
            let at = Timestamp::from_second(second).expect("in range");
            let civil = zone.to_datetime(at);
            match Moment::parse(&format!("{} {name}", civil_text(civil))) {
                Ok(moment) => prop_assert!(moment.at == at || !name.contains('/')),
                Err(TimeError::Twice { choices, .. } | TimeError::AmbiguousZone { choices, .. }) => {
                    let moments: Vec<_> = choices.iter().map(|c| Moment::parse(c).expect("a choice").at).collect();
                    prop_assert!(moments.contains(&at));
                }
                Err(other) => prop_assert!(false, "{name}: {other}"),
            }
        }
    }
}
