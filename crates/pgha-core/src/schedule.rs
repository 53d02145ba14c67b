//! When the backup host makes a backup by itself: five fields of cron and a type, several entries
//! separated by semicolons. All times are UTC, so no hour is missing or there twice.
//!
//! `"0 1 * * 0 full; 0 1 * * 1-6 incr"` is a full backup on Sundays at 1:00 and an incremental one on
//! every other day. Fields are minute, hour, day of the month, month, day of the week (0 and 7 are
//! Sunday), each `*`, a number, a range, a list of these, or one of these with a step: `*/15`. As in
//! cron, where both day fields are restricted, a day that fits either will do.
//!
//! Time comes in as an argument; nothing here waits.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _, tz::TimeZone};

use crate::repository::BackupType;

/// Longest text of a schedule, in bytes.
pub const TEXT_MAX_BYTES: usize = 4096;
/// Days to look ahead: a 29th of February is at most 8 years away.
const HORIZON_DAYS: u32 = 8 * 366 + 1;

/// A text that is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Nothing in it.
    #[error("there is no entry in it")]
    Empty,
    /// Longer than anybody means.
    #[error("it is longer than {TEXT_MAX_BYTES} bytes")]
    Long,
    /// An entry that has not five fields and a type.
    #[error("`{0}` is not five fields and a type, such as `0 1 * * 0 full`")]
    Entry(String),
    /// An unknown type.
    #[error("in `{entry}`: {reason}")]
    Kind {
        /// The entry.
        entry: String,
        /// What is known.
        reason: String,
    },
    /// A field out of its range, or no field at all.
    #[error("in `{entry}` the {field} is `{given}`, and it takes {least} to {most}")]
    Field {
        /// The entry.
        entry: String,
        /// Which field.
        field: &'static str,
        /// The text as given.
        given: String,
        /// Smallest number.
        least: u8,
        /// Largest number.
        most: u8,
    },
    /// Such as the 30th of February.
    #[error("`{0}` names a day that never comes")]
    Never(String),
}

/// Entries of a schedule, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    entries: Vec<Entry>,
}

/// One entry: when, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
    /// What is made.
    pub kind: BackupType,
    text: String,
}

/// The numbers that fit, as bits; and whether it begins with a star.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    bits: u64,
    any: bool,
}

impl Field {
    fn has(self, number: i8) -> bool {
        u8::try_from(number).is_ok_and(|n| n < 64 && self.bits >> n & 1 == 1)
    }

    fn parse(text: &str, least: u8, most: u8) -> Option<Self> {
        let mut bits = 0_u64;
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                None => (part, None),
                Some((range, step)) => (range, Some(number(step).filter(|step| *step > 0)?)),
            };
            let (from, to) = match range.split_once('-') {
                _ if range == "*" => (least, most),
                Some((from, to)) => (number(from)?, number(to)?),
                None if step.is_some() => (number(range)?, most),
                None => (number(range)?, number(range)?),
            };
            if from < least || to > most || from > to {
                return None;
            }
            for n in (from..=to).step_by(usize::from(step.unwrap_or(1))) {
                bits |= 1 << n;
            }
        }
        Some(Self { bits, any: text.starts_with('*') })
    }
}

fn number(text: &str) -> Option<u8> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        if text.len() > TEXT_MAX_BYTES {
            return Err(ScheduleError::Long);
        }
        let entries = text.split(';').map(str::trim).filter(|entry| !entry.is_empty());
        let entries = entries.map(Entry::parse).collect::<Result<Vec<_>, _>>()?;
        if entries.is_empty() { Err(ScheduleError::Empty) } else { Ok(Self { entries }) }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, entry) in self.entries.iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            write!(f, "{separator}{entry}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Schedule {
    /// The first moment after `after` at which something is due, and what: of several entries the one
    /// that makes the largest backup.
    pub fn next(&self, after: Timestamp) -> Option<(Timestamp, &Entry)> {
        let due = self.entries.iter().filter_map(|entry| Some((entry.next(after)?, entry)));
        due.min_by_key(|(at, entry)| (*at, BackupType::ALL.iter().position(|k| *k == entry.kind)))
    }

    /// The entries, as they were given.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// Moments that are remembered as carried out: a day of a backup in every minute.
const CARRIED_OUT_MAX: usize = 24 * 60;

/// A moment that is carried out later than this is not remembered.
const LATE_MAX: SignedDuration = SignedDuration::from_hours(24);

/// How far a schedule has been followed. Each moment is carried out once, also where the clock is set back
/// and comes to it again.
#[derive(Debug, Clone)]
pub struct Followed {
    until: Timestamp,
    carried_out: VecDeque<Timestamp>,
}

impl Followed {
    /// From now on: what was due before is not made up for.
    pub fn from(now: Timestamp) -> Self {
        Self { until: now, carried_out: VecDeque::new() }
    }

    /// What has become due since the last call; of several moments the first. It counts as carried out.
    pub fn due<'a>(&mut self, schedule: &'a Schedule, now: Timestamp) -> Option<&'a Entry> {
        let due = schedule.next(self.until).filter(|(at, _)| *at <= now);
        self.until = now;
        let (at, entry) = due.filter(|(at, _)| !self.carried_out.contains(at))?;
        // A clock that leaps far ahead has not come to that moment, and will where it is set right.
        if now.duration_since(at) <= LATE_MAX {
            self.carried_out.push_back(at);
            if self.carried_out.len() > CARRIED_OUT_MAX {
                self.carried_out.pop_front();
            }
        }
        Some(entry)
    }

    /// Passes over what became due until now.
    pub fn pass_over(&mut self, now: Timestamp) {
        self.until = now;
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self, ScheduleError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday, kind] = words[..] else {
            return Err(ScheduleError::Entry(text.to_owned()));
        };
        let entry = words.join(" ");
        let field = |field, given: &str, least, most| {
            Field::parse(given, least, most).ok_or_else(|| ScheduleError::Field {
                entry: entry.clone(),
                field,
                given: given.to_owned(),
                least,
                most,
            })
        };
        let mut weekday = field("day of the week", weekday, 0, 7)?;
        weekday.bits |= weekday.bits >> 7 & 1;
        let parsed = Self {
            minute: field("minute", minute, 0, 59)?,
            hour: field("hour", hour, 0, 23)?,
            day: field("day of the month", day, 1, 31)?,
            month: field("month", month, 1, 12)?,
            weekday,
            kind: kind
                .parse()
                .map_err(|reason| ScheduleError::Kind { entry: entry.clone(), reason })?,
            text: entry,
        };
        match parsed.next(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(parsed),
            None => Err(ScheduleError::Never(parsed.text)),
        }
    }

    /// The first moment after `after` at which it is due; `None` where none comes within 8 years.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let first = TimeZone::UTC.to_datetime(after.checked_add(1.minute()).ok()?);
        let mut date = first.date();
        for n in 0..HORIZON_DAYS {
            if self.fits(date) {
                let (from_hour, from_minute) =
                    if n == 0 { (first.hour(), first.minute()) } else { (0, 0) };
                for hour in (from_hour..24).filter(|hour| self.hour.has(*hour)) {
                    let from = if hour == from_hour { from_minute } else { 0 };
                    if let Some(minute) = (from..60).find(|minute| self.minute.has(*minute)) {
                        return TimeZone::UTC.to_timestamp(date.at(hour, minute, 0, 0)).ok();
                    }
                }
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn fits(&self, date: Date) -> bool {
        let day = self.day.has(date.day());
        let weekday = self.weekday.has(date.weekday().to_sunday_zero_offset());
        // Cron's rule: where neither begins with a star, either will do.
        let fits = if self.day.any || self.weekday.any { day && weekday } else { day || weekday };
        fits && self.month.has(date.month())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    fn next(schedule: &str, after: &str) -> (String, BackupType) {
        let schedule: Schedule = schedule.parse().expect("a schedule");
        let (at, entry) = schedule.next(at(after)).expect("it comes");
        (at.to_string(), entry.kind)
    }

    #[test]
    fn sundays_are_full_and_other_days_incremental() {
        // 22 November 2026 is a Sunday.
        let schedule = "0 1 * * 0 full; 0 1 * * 1-6 incr";
        for (after, due, kind) in [
            ("2026-11-21T01:00:00Z", "2026-11-22T01:00:00Z", BackupType::Full),
            ("2026-11-22T00:59:59Z", "2026-11-22T01:00:00Z", BackupType::Full),
            ("2026-11-22T01:00:00Z", "2026-11-23T01:00:00Z", BackupType::Incr),
            ("2026-11-28T01:00:30Z", "2026-11-29T01:00:00Z", BackupType::Full),
        ] {
            assert_eq!(next(schedule, after), (due.to_owned(), kind), "after {after}");
        }
    }

    #[test]
    fn fields_mean_what_they_mean_to_cron() {
        for (schedule, after, due) in [
            ("*/15 * * * * incr", "2026-11-22T10:15:00Z", "2026-11-22T10:30:00Z"),
            ("5,50-52 3 * * * incr", "2026-11-22T03:50:10Z", "2026-11-22T03:51:00Z"),
            ("0 0 1 1 * full", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("0 0 29 2 * full", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("0 0 * * 7 full", "2026-11-23T00:00:00Z", "2026-11-29T00:00:00Z"),
            // Either day field will do.
            ("0 0 25 * 0 full", "2026-11-22T00:00:00Z", "2026-11-25T00:00:00Z"),
            ("0 0 25 * 0 full", "2026-11-25T00:00:00Z", "2026-11-29T00:00:00Z"),
            ("0 0 */10 * * full", "2026-11-22T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("10/20 0 * * * full", "2026-11-22T00:10:00Z", "2026-11-22T00:30:00Z"),
        ] {
            assert_eq!(next(schedule, after).0, due, "{schedule} after {after}");
        }
    }

    #[test]
    fn of_two_that_are_due_together_the_larger_backup_is_made() {
        let (_, kind) = next("0 1 * * * incr; 0 1 * * 0 full", "2026-11-22T00:00:00Z");
        assert_eq!(kind, BackupType::Full);
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_the_part_that_is_wrong() {
        for (text, part) in [
            ("", "no entry"),
            (" ; ", "no entry"),
            ("0 1 * * full", "five fields"),
            ("0 1 * * * * full", "five fields"),
            ("60 1 * * * full", "minute is `60`"),
            ("0 24 * * * full", "hour is `24`"),
            ("0 1 0 * * full", "day of the month is `0`"),
            ("0 1 * 13 * full", "month is `13`"),
            ("0 1 * * 8 full", "day of the week is `8`"),
            ("5-1 1 * * * full", "minute is `5-1`"),
            ("*/0 1 * * * full", "minute is `*/0`"),
            ("+1 1 * * * full", "minute is `+1`"),
            ("0 1 * * * whole", "none of: full, diff, incr"),
            ("0 1 30 2 * full", "never comes"),
            ("0 1 * * 0 full; oops", "`oops`"),
        ] {
            let error = text.parse::<Schedule>().expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!("0 1 * * 0 full;".repeat(500).parse::<Schedule>().is_err());
    }

    #[test]
    fn a_schedule_reads_back_as_it_was_written() {
        let schedule: Schedule = "0  1 * * 0 full;;0 1 * * 1-6 incr ;".parse().expect("a schedule");
        assert_eq!(schedule.to_string(), "0 1 * * 0 full; 0 1 * * 1-6 incr");
        assert_eq!(schedule.to_string().parse(), Ok(schedule));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_backup_twice_and_does_not_silence_the_schedule() {
        let schedule: Schedule = "0 * * * * incr".parse().expect("a schedule");
        let mut followed = Followed::from(at("2026-11-22T00:59:50Z"));
        let mut made = |now: &str| followed.due(&schedule, at(now)).is_some();
        assert!(!made("2026-11-22T00:59:58Z"));
        assert!(made("2026-11-22T01:00:01Z"));
        // Half a minute back, and over the full hour again.
        assert!(!made("2026-11-22T00:59:31Z"));
        assert!(!made("2026-11-22T01:00:02Z"));
        assert!(made("2026-11-22T02:00:00Z"));
        // A clock that was years ahead makes one backup there, and all of today's afterwards.
        assert!(made("2031-01-01T00:00:00Z"));
        assert!(!made("2026-11-22T02:00:10Z"));
        assert!(made("2026-11-22T03:00:00Z"));
    }

    #[test]
    fn what_became_due_during_a_backup_is_passed_over() {
        let schedule: Schedule = "* * * * * incr".parse().expect("a schedule");
        let mut followed = Followed::from(at("2026-11-22T00:59:50Z"));
        assert!(followed.due(&schedule, at("2026-11-22T01:00:00Z")).is_some());
        followed.pass_over(at("2026-11-22T01:05:30Z"));
        assert!(followed.due(&schedule, at("2026-11-22T01:05:32Z")).is_none());
        assert!(followed.due(&schedule, at("2026-11-22T01:06:00Z")).is_some());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = text.parse::<Schedule>();
        }

        #[test]
        fn the_next_moment_is_the_first_minute_that_fits(
            minute in 0..60_u8, hour in 0..24_u8, step in 1..30_u8, start in 0..2_000_000_000_i64,
        ) {
            let text = format!("{minute},*/{step} {hour} * * * incr");
            let schedule: Schedule = text.parse().expect("a schedule");
            let after = Timestamp::from_second(start).expect("a moment");
            let (due, _) = schedule.next(after).expect("it comes");
            let fits = |at: Timestamp| {
                let at = TimeZone::UTC.to_datetime(at);
                let now = u8::try_from(at.minute()).expect("0 to 59");
                at.second() == 0
                    && at.hour() == i8::try_from(hour).expect("0 to 23")
                    && (now == minute || now % step == 0)
            };
            prop_assert!(due > after && fits(due), "{}", due);
            // Brute force over every minute between them.
            let mut minute = Timestamp::from_second(start - start % 60 + 60).expect("a moment");
            while minute < due {
                prop_assert!(!fits(minute), "{} fits before {}", minute, due);
                minute += 1.minute();
            }
        }
    }
}
