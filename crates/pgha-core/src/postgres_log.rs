//! What the log of a Postgres node says of why it does not start, or does not stream.
//!
//! Postgres writes to its standard error until its collector runs, so what ends it early stands in the
//! log of the container among Patroni's own lines, and what ends it later in a file. Both are given here;
//! the latest word counts. [`complaints`] reads what one start that failed has written. Reads text and asks nobody.

/// Words of a startup that has succeeded: what was said before is past.
const READY: [&str; 2] = ["ready to accept connections", "ready to accept read-only connections"];
/// Words of a stream that has begun.
const STREAMS: &str = "started streaming WAL";
/// Words of a walreceiver that ends, or cannot begin.
const OF_THE_WALRECEIVER: [&str; 10] = [
    "could not connect to the primary",
    "could not receive",
    "could not start WAL streaming",
    "could not send data to the primary",
    "end-of-streaming",
    "streaming COPY",
    "streaming command",
    "streaming replication receiver",
    "terminating walreceiver",
    "WAL receiver",
];
/// What a log line with severity says where no session is meant.
const NO_SESSION: &str = "user=,";
/// Characters that are shown of a line.
const SHOWN_MAX_CHARS: usize = 240;

/// Words before a message of Postgres or one of its programs.
const LABELS: [&str; 11] = [
    "LOG:", "WARNING:", "ERROR:", "FATAL:", "PANIC:", "HINT:", "DETAIL:", "CONTEXT:", "error:",
    "hint:", "detail:",
];
/// What Postgres says of itself while it starts.
const NOISE: [&str; 6] = [
    "starting PostgreSQL",
    "listening on",
    "database system is",
    "database system was",
    "ended with exit code",
    "skipping missing configuration file",
];

/// What Postgres, or a program of its, complained of when it did not start: one message a line, without times, and without
/// the name of a file that only stood there for the attempt.
pub fn complaints(log: &str) -> String {
    let message = |line: &str| {
        let at = LABELS.iter().filter_map(|label| Some((line.find(label)?, *label))).min()?;
        let (label, message) = (at.1, line[at.0 + at.1.len()..].trim());
        let message = message.split(" in file \"").next().unwrap_or(message);
        if NOISE.iter().any(|noise| message.starts_with(noise)) {
            return None;
        }
        Some(match label {
            "HINT:" | "DETAIL:" | "CONTEXT:" => format!("{label} {message}"),
            _ => message.to_owned(),
        })
    };
    let mut all: Vec<String> = log.lines().filter_map(message).collect();
    // What it came to says nothing beside what it came from.
    let sums_up = |line: &String| line.ends_with("contains errors");
    if !all.iter().all(sums_up) {
        all.retain(|line| !sums_up(line));
    }
    if all.is_empty() { log.trim().to_owned() } else { all.join("\n") }
}

/// What a log says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFacts {
    /// Why the last start failed; `None` where it did not.
    pub start_failure: Option<String>,
    /// Why the last attempt to stream failed; `None` where the node has streamed since.
    pub stream_failure: Option<String>,
}

/// The time and the message of a line that Postgres ends with.
fn fatal(line: &str) -> Option<(&str, &str)> {
    let (head, message) = line.split_once("FATAL:").or_else(|| line.split_once("PANIC:"))?;
    // A session that was refused or ended says so in the same words.
    if head.contains("user=") && !head.contains(NO_SESSION) {
        return None;
    }
    Some((time(line)?, message.trim()))
}

/// `2026-11-27 14:53:51.671`, which sorts as it is.
fn time(line: &str) -> Option<&str> {
    let time = line.get(..23)?;
    let digits =
        |range: std::ops::Range<usize>| time.as_bytes()[range].iter().all(u8::is_ascii_digit);
    (digits(0..4) && digits(11..13) && time.as_bytes()[10] == b' ').then_some(time)
}

/// The latest of the lines that `of` takes something from.
fn latest<'a, T>(
    logs: &[&'a str],
    of: impl Fn(&'a str) -> Option<(&'a str, T)>,
) -> Option<(&'a str, T)> {
    let mut found: Option<(&str, T)> = None;
    for next in logs.iter().flat_map(|log| log.lines()).filter_map(of) {
        if found.as_ref().is_none_or(|(at, _)| *at <= next.0) {
            found = Some(next);
        }
    }
    found
}

/// Reads the ends of a node's logs, in any order. Times are taken to be of one zone.
pub fn read(logs: &[&str]) -> LogFacts {
    let walreceiver = |message: &str| OF_THE_WALRECEIVER.iter().any(|w| message.contains(w));
    let ends = latest(logs, |line| {
        fatal(line).filter(|(_, m)| !walreceiver(m) && !m.starts_with("the database system is"))
    });
    let breaks = latest(logs, |line| fatal(line).filter(|(_, m)| walreceiver(m)));
    let said = |words: &'static [&'static str]| {
        latest(logs, move |line| {
            words.iter().any(|w| line.contains(w)).then_some(())?;
            Some((time(line)?, ()))
        })
    };
    let after = |fact: Option<(&str, &str)>, undone: Option<(&str, ())>| {
        let (at, message) = fact?;
        undone.is_none_or(|(undone, ())| undone < at).then(|| {
            let end = message.char_indices().nth(SHOWN_MAX_CHARS).map_or(message.len(), |(n, _)| n);
            message[..end].to_owned()
        })
    };
    LogFacts {
        start_failure: after(ends, said(&READY)),
        stream_failure: after(breaks, said(&[STREAMS])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONTAINER: &str = "2026-11-27 14:53:51,267 INFO: establishing a new patroni heartbeat connection to postgres
2026-11-27 14:53:51.671 UTC [] [464]: [1-1] user=,db=,host= FATAL:  could not access file \"nowhere\": No such file or directory
2026-11-27 14:53:51.671 UTC [] [464]: [2-1] user=,db=,host= LOG:  database system is shut down
2026-11-27 14:53:59,539 INFO: failed to start postgres";

    #[test]
    fn the_line_that_postgres_ended_with_is_found_among_patronis() {
        let facts = read(&[CONTAINER, ""]);
        let said = "could not access file \"nowhere\": No such file or directory";
        assert_eq!(facts.start_failure.as_deref(), Some(said));
        assert_eq!(facts.stream_failure, None);
    }

    #[test]
    fn what_was_before_a_start_that_succeeded_is_past() {
        let file = |time: &str, words: &str| {
            format!("{time} UTC [] [9]: [1-1] user=,db=,host= LOG:  {words}")
        };
        let words = "database system is ready to accept read-only connections";
        let (before, since) =
            (file("2026-11-27 14:00:00.000", words), file("2026-11-27 15:00:00.000", words));
        assert!(read(&[CONTAINER, &before]).start_failure.is_some());
        assert_eq!(read(&[CONTAINER, &since]), LogFacts::default());
        assert_eq!(read(&[&since, CONTAINER]), LogFacts::default());
    }

    #[test]
    fn sessions_and_the_walreceiver_are_no_failed_start() {
        let file = "2026-11-27 14:00:00.000 UTC [198.18.1.1(40)] [9]: [1-1] user=postgres,db=x,host=198.18.1.1 FATAL:  role \"x\" does not exist
2026-11-27 14:00:01.000 UTC [] [9]: [1-1] user=,db=,host= FATAL:  the database system is starting up
2026-11-27 14:00:02.000 UTC [] [9]: [1-1] user=,db=,host= FATAL:  could not connect to the primary server: connection refused";
        let facts = read(&[file]);
        assert_eq!(facts.start_failure, None);
        let refused = "could not connect to the primary server: connection refused";
        assert_eq!(facts.stream_failure.as_deref(), Some(refused));
        let cut = "could not send end-of-streaming message to primary: server closed the connection unexpectedly";
        let facts = read(&[&format!(
            "2026-11-27 14:00:03.000 UTC [] [9]: [1-1] user=,db=,host= FATAL:  {cut}"
        )]);
        assert_eq!((facts.start_failure, facts.stream_failure.as_deref()), (None, Some(cut)));
        let streams = "2026-11-27 14:00:03.000 UTC [] [9]: [1-1] user=,db=,host= LOG:  started streaming WAL from primary at 0/7000000 on timeline 1";
        assert_eq!(read(&[&format!("{file}\n{streams}")]), LogFacts::default());
    }

    #[test]
    fn each_complaint_of_a_start_that_failed_is_told_and_nothing_else() {
        let settings = "2026-11-28 03:00:00.000 UTC [7] LOG:  invalid value for parameter \"work_mem\": \"lots\"
2026-11-28 03:00:00.000 UTC [7] LOG:  unrecognized configuration parameter \"foo\" in file \"/tmp/rehearsal/postgresql.conf\" line 3
2026-11-28 03:00:00.000 UTC [7] FATAL:  configuration file \"/tmp/rehearsal/postgresql.conf\" contains errors";
        assert_eq!(
            complaints(settings),
            "invalid value for parameter \"work_mem\": \"lots\"\n\
             unrecognized configuration parameter \"foo\""
        );
        let hba = "LOG:  starting PostgreSQL 17.6\nLOG:  invalid authentication method \"magic\"\n\
            CONTEXT:  line 1 of configuration file \"/tmp/rehearsal/data/pg_hba.conf\"\n\
            FATAL:  could not load /tmp/rehearsal/data/pg_hba.conf\nLOG:  database system is shut down\n";
        assert_eq!(complaints(hba).lines().next(), Some("invalid authentication method \"magic\""));
        let locale = "initdb: error: invalid locale name \"xx_XX.UTF-8\"\n";
        assert_eq!(complaints(locale), "invalid locale name \"xx_XX.UTF-8\"");
        assert_eq!(complaints("oops\n"), "oops");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text: String, odd in "2026-11-2[7é] 1[é4]:00.*FATAL:.*") {
            let _ = read(&[&text, &odd]);
            let _ = complaints(&text);
        }
    }
}
