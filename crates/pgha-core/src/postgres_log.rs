//! What the log of a Postgres node says of why it does not start, or does not stream.
//!
//! Postgres writes to its standard error until its collector runs, so what ends it early stands in the
//! log of the container among Patroni's own lines, and what ends it later in a file. Both are given here;
//! the latest word counts. Reads text and asks nobody.

/// Words of a startup that has succeeded: what was said before is past.
const READY: [&str; 2] = ["ready to accept connections", "ready to accept read-only connections"];
/// Words of a stream that has begun.
const STREAMS: &str = "started streaming WAL";
/// Words of a walreceiver that ends, or cannot begin.
const OF_THE_WALRECEIVER: [&str; 7] = [
    "could not connect to the primary",
    "could not receive",
    "could not start WAL streaming",
    "could not send data to the primary",
    "streaming replication receiver",
    "terminating walreceiver",
    "WAL receiver",
];
/// What a log line with severity says where no session is meant.
const NO_SESSION: &str = "user=,";
/// Characters that are shown of a line.
const SHOWN_MAX_CHARS: usize = 240;

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
        let streams = "2026-11-27 14:00:03.000 UTC [] [9]: [1-1] user=,db=,host= LOG:  started streaming WAL from primary at 0/7000000 on timeline 1";
        assert_eq!(read(&[&format!("{file}\n{streams}")]), LogFacts::default());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text: String, odd in "2026-11-2[7é] 1[é4]:00.*FATAL:.*") {
            let _ = read(&[&text, &odd]);
        }
    }
}
