//! The logs of members as one: lines of containers and of Postgres's own files, in the order of their times.
//!
//! Reads text and asks nobody. Times are text, `2026-11-28 03:01:02.123` in UTC, which sorts as it is.

use std::cmp::Ordering;

/// Characters of a time.
const TIME_CHARS: usize = 23;
/// What stands before the first time of a log whose beginning has none; sorts before every time.
const BEFORE: &str = "";

/// A line of a member's log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogLine {
    /// When it was written; empty where that is not known.
    pub at: String,
    /// The line as it was written, without a time that the engine put before it.
    pub text: String,
}

/// Reads what the engine gives of a container's log with its times: `2026-11-28T03:01:02.123456789Z text`.
pub fn of_container(log: &str) -> Vec<LogLine> {
    let mut last = BEFORE.to_owned();
    log.lines()
        .map(|line| {
            let (at, text) = line.split_once(' ').unwrap_or((line, ""));
            match time(at, b'T') {
                Some(at) => {
                    last = at.replace('T', " ");
                    LogLine { at: last.clone(), text: text.to_owned() }
                }
                None => LogLine { at: last.clone(), text: line.to_owned() },
            }
        })
        .collect()
}

/// Reads a file of Postgres's log, whose lines begin with `%m`; a line without a time belongs to the one before it.
pub fn of_postgres(log: &str) -> Vec<LogLine> {
    let mut last = BEFORE.to_owned();
    log.lines()
        .map(|line| {
            if let Some(at) = time(line, b' ') {
                at.clone_into(&mut last);
            }
            LogLine { at: last.clone(), text: line.to_owned() }
        })
        .collect()
}

/// What of a log has been shown already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// The latest time of a line that was.
    at: String,
    /// Lines of that very time.
    lines: usize,
}

impl Shown {
    /// Takes the lines that were not shown yet from the end of a log, which is given from before those that were.
    pub fn fresh(&mut self, mut log: Vec<LogLine>) -> Vec<LogLine> {
        let of_last = log.iter().filter(|line| line.at == self.at).count();
        let mut to_skip = of_last.min(self.lines);
        log.retain(|line| match line.at.cmp(&self.at) {
            Ordering::Less => false,
            Ordering::Equal if to_skip > 0 => {
                to_skip -= 1;
                false
            }
            Ordering::Equal | Ordering::Greater => true,
        });
        if let Some(last) = log.last() {
            let of_last = log.iter().filter(|line| line.at == last.at).count();
            let before = if last.at == self.at { self.lines } else { 0 };
            *self = Self { at: last.at.clone(), lines: before + of_last };
        }
        log
    }
}

/// The last `tail` lines, not older than `since`, of all members together, each with its member; all where `tail` is
/// `None`. Lines of one member and one time stay in their order.
pub fn merged<'a>(
    logs: &'a [(String, Vec<LogLine>)],
    since: Option<&str>,
    tail: Option<usize>,
) -> Vec<(&'a str, &'a LogLine)> {
    let young = |line: &&LogLine| since.is_none_or(|since| line.at.as_str() >= since);
    let mut lines: Vec<_> = logs
        .iter()
        .flat_map(|(member, lines)| {
            lines.iter().filter(young).map(move |line| (member.as_str(), line))
        })
        .collect();
    lines.sort_by(|(_, one), (_, other)| one.at.cmp(&other.at));
    lines.split_off(lines.len() - tail.unwrap_or(usize::MAX).min(lines.len()))
}

/// The time that a line begins with, to the millisecond.
fn time(line: &str, between: u8) -> Option<&str> {
    let time = line.get(..TIME_CHARS)?;
    let fits = |(n, byte): (usize, &u8)| match n {
        4 | 7 => *byte == b'-',
        10 => *byte == between,
        13 | 16 => *byte == b':',
        19 => *byte == b'.',
        _ => byte.is_ascii_digit(),
    };
    time.as_bytes().iter().enumerate().all(fits).then_some(time)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATRONI: &str = "2026-11-28T03:01:02.123456789Z 2026-11-28 03:01:02,123 INFO: no action. I am (a)\n\
        2026-11-28T03:01:04.000000000Z second";
    const POSTGRES: &str = "2026-11-28 03:01:03.500 UTC [12]: ERROR:  syntax error\n\
        \tat the second line\n2026-11-28 03:01:05.000 UTC [12]: LOG:  later";

    fn logs() -> Vec<(String, Vec<LogLine>)> {
        vec![("a".to_owned(), of_container(PATRONI)), ("b".to_owned(), of_postgres(POSTGRES))]
    }

    #[test]
    fn lines_of_all_members_stand_in_the_order_of_their_times() {
        let logs = logs();
        let shown: Vec<_> = merged(&logs, None, None)
            .into_iter()
            .map(|(m, l)| format!("{m} {}", &l.at[17..]))
            .collect();
        assert_eq!(shown, ["a 02.123", "b 03.500", "b 03.500", "a 04.000", "b 05.000"]);
        assert_eq!(merged(&logs, None, Some(2))[0].1.text, "second");
        assert_eq!(merged(&logs, Some("2026-11-28 03:01:05"), None).len(), 1);
        assert!(merged(&logs, None, Some(0)).is_empty());
    }

    #[test]
    fn a_line_without_a_time_has_that_of_the_line_before_it() {
        assert_eq!(of_postgres(POSTGRES)[1].at, "2026-11-28 03:01:03.500");
        assert_eq!(
            of_postgres("no time")[0],
            LogLine { at: String::new(), text: "no time".into() }
        );
        assert_eq!(
            of_container(PATRONI)[0].text,
            "2026-11-28 03:01:02,123 INFO: no action. I am (a)"
        );
    }

    #[test]
    fn a_log_that_is_read_again_gives_what_is_new() {
        let line = |at: &str, text: &str| LogLine { at: at.to_owned(), text: text.to_owned() };
        let mut shown = Shown::default();
        let all = [line("1", "a"), line("2", "b"), line("2", "c"), line("2", "d"), line("3", "e")];
        assert_eq!(shown.fresh(all[..2].to_vec()), all[..2]);
        assert_eq!(shown.fresh(all[..2].to_vec()), []);
        assert_eq!(shown.fresh(all[1..3].to_vec()), all[2..3]);
        assert_eq!(shown.fresh(all[1..].to_vec()), all[3..]);
        assert_eq!(shown.fresh(Vec::new()), []);
    }

    proptest! {
        #[test]
        fn every_line_of_arbitrary_logs_is_there_once(one in "\\PC*\n?\\PC*", other in "[0-9T:. -]{0,40}\n\\PC*") {
            let logs = [("a".to_owned(), of_container(&one)), ("b".to_owned(), of_postgres(&other))];
            let lines = one.lines().count() + other.lines().count();
            prop_assert_eq!(merged(&logs, None, None).len(), lines);
            prop_assert!(merged(&logs, None, Some(3)).len() <= 3);
        }
    }
}
