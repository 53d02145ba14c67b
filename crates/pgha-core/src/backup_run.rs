//! A backup while it is made: what the backup host reports of it, line by line, and what to do about a
//! failure.
//!
//! `pgha-node backup` runs pgBackRest and prints one [`Event`] in JSON on each line; `pgha backup` reads
//! them. Nothing here runs anything.

use serde::{Deserialize, Serialize};

use crate::repository::Running;
use crate::wal::SEGMENT_BYTES;

/// Something that happened to a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// It has come this far.
    Progress(Running),
    /// pgBackRest said something.
    Said(Said),
    /// It is over.
    Ended {
        /// pgBackRest's exit code; 0 where the backup is complete, negative where a signal ended it.
        code: i32,
        /// Name of the new backup.
        label: Option<String>,
    },
}

/// A message of pgBackRest, with the lines that continue it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// How much it matters.
    pub level: Level,
    /// The words, without time and process.
    pub text: String,
}

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Why it fails.
    Error,
    /// Worth knowing.
    Warn,
    /// What it is at.
    Info,
}

impl Said {
    /// Reads a line that pgBackRest writes without time: `P00   INFO: backup command begin …`. `None` of
    /// one that continues the line before it, and of levels that are for its authors.
    pub fn parse(line: &str) -> Option<Self> {
        let (process, rest) = line.split_once(' ')?;
        let number = process.strip_prefix('P')?;
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let (level, text) = rest.trim_start().split_once(": ")?;
        let level = match level {
            "ERROR" | "ASSERT" => Level::Error,
            "WARN" => Level::Warn,
            "INFO" => Level::Info,
            _ => return None,
        };
        Some(Self { level, text: text.trim().to_owned() })
    }

    /// The backup that it says is complete.
    pub fn new_label(&self) -> Option<&str> {
        self.text.strip_prefix("new backup label = ")
    }

    /// What is being done from here on, in few words; `None` where it changes nothing.
    pub fn phase(&self) -> Option<&'static str> {
        const PHASES: [(&str, &str); 7] = [
            ("execute non-exclusive backup start", "waiting for a checkpoint"),
            ("wait for replay on the standby", "waiting for the standby"),
            ("replay on the standby reached", "copying"),
            ("check archive for prior segment", "copying"),
            ("execute non-exclusive backup stop", "waiting for the last WAL"),
            ("new backup label", "finishing"),
            ("expire command begin", "removing what is past its time"),
        ];
        PHASES.iter().find(|(start, _)| self.text.starts_with(start)).map(|(_, phase)| *phase)
    }
}

/// A disk of a repository with less room, in bytes, is full: not even a segment of WAL is sure to fit.
pub const FULL_BELOW_BYTES: u64 = SEGMENT_BYTES;
/// How the engine's kernel says that a disk is full.
const NO_SPACE: &str = "No space left on device";

/// Why a command of pgBackRest failed, where the disk of this folder of its repository is full. It says
/// itself only that it cannot write, or that WAL does not arrive.
pub fn full_disk(folder: &str, free_bytes: u64) -> Option<String> {
    let free_kib = free_bytes >> 10;
    (free_bytes < FULL_BELOW_BYTES).then(|| format!("{NO_SPACE}: {folder} has {free_kib} KiB"))
}

/// What pgBackRest says without the requests to S3 that failed: of each what was answered stays.
pub fn without_requests(said: &str) -> String {
    let (mut kept, mut hides) = (Vec::new(), false);
    for line in said.lines() {
        let text = line.trim();
        if text.starts_with("*** ") {
            hides = text != "*** Response Content ***:";
            continue;
        }
        // A request ends where the next message begins.
        hides &= !(text.starts_with("HINT:") || text.starts_with('[') || text.contains("Error: "));
        if !hides {
            kept.push(line);
        }
    }
    kept.join("\n")
}

/// What to do about a command of pgBackRest that failed saying this; `id` is the cluster.
pub fn advice(said: &str, id: &str) -> String {
    let has = |part: &str| said.contains(part);
    if has(NO_SPACE) {
        format!(
            "the disk of the backup host is full: give it room, or keep fewer backups and \
             `pgha backup expire {id}`"
        )
    } else if has("403 (Forbidden)") {
        "the S3 service refuses the credentials, or what they may do: repo2-s3-key and \
         repo2-s3-key-secret among the secrets; after a change `docker restart` the backup host"
            .to_owned()
    } else if has("unable to verify certificate") || has("certificate verify failed") {
        "ca_file of the second repository names whom the certificate of its service must be of"
            .to_owned()
    } else if has("HostConnectError") || has("unable to get address") {
        format!("the service of the second repository is not reached; `pgha status {id}` says more")
    } else if has("[050]") {
        format!("something else works on the repository; `pgha backups {id}` shows a backup")
    } else if has("[056]") {
        format!("a backup needs a leader; `pgha status {id}` says why there is none")
    } else if has("[082]") {
        format!("WAL does not reach the repository; `pgha status {id}` says more")
    } else if has("[055]") || has("[103]") {
        format!(
            "`pgha status {id}` says whether the stanza is there, `pgha backup check {id}` more"
        )
    } else {
        format!("`pgha backup check {id}` tests the way from the leader to the repository")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_of_pgbackrest_are_told_apart() {
        let label = Said::parse("P00   INFO: new backup label = 20261124-161716F").expect("said");
        assert_eq!(label.new_label(), Some("20261124-161716F"));
        assert_eq!(label.phase(), Some("finishing"));
        let warn =
            Said::parse("P00   WARN: no prior backup exists, incr backup has been changed to full");
        assert_eq!(warn.expect("said").level, Level::Warn);
        let error = "P00  ERROR: [050]: unable to acquire lock on file '/tmp/x': Resource";
        assert_eq!(Said::parse(error).expect("said").level, Level::Error);
        for other in [
            "",
            "            HINT: is another pgBackRest process running?",
            "P01 DETAIL: backup file x",
            "P  INFO: x",
            "PX INFO: x",
            "P00",
        ] {
            assert_eq!(Said::parse(other), None, "{other}");
        }
    }

    #[test]
    fn an_event_is_one_line_and_reads_back() {
        let all = [
            Event::Progress(Running { total_bytes: Some(5), done_bytes: None }),
            Event::Said(Said { level: Level::Error, text: "a\nb".to_owned() }),
            Event::Ended { code: -15, label: None },
        ];
        for event in all {
            let line = serde_json::to_string(&event).expect("JSON");
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(serde_json::from_str::<Event>(&line).expect("an event"), event);
        }
    }

    #[test]
    fn of_a_request_that_failed_the_answer_is_told() {
        let said = "[039]: unable to load x:\nProtocolError: HTTP request failed with 403 (Forbidden):\n\
            *** Path/Query ***:\nGET /b/x\n*** Request Headers ***:\nauthorization: <redacted>\n\
            *** Response Headers ***:\ndate: Tue\n*** Response Content ***:\n<Error/>\n\
            ProtocolError: HTTP request failed with 403 (Forbidden):\n*** Path/Query ***:\n\
            HEAD /b/x\n*** Response Headers ***:\ndate: Tue\nHINT: is it there?";
        let kept = "[039]: unable to load x:\nProtocolError: HTTP request failed with 403 (Forbidden):\n\
            <Error/>\nProtocolError: HTTP request failed with 403 (Forbidden):\nHINT: is it there?";
        assert_eq!(without_requests(said), kept);
        assert!(advice(said, "demo-1").contains("repo2-s3-key-secret"));
    }

    #[test]
    fn a_full_disk_is_named_as_such_whatever_the_code() {
        let said = "[039]: unable to write '/pgha/pgbackrest/x': [28] No space left on device";
        assert!(advice(said, "demo-1").contains("full"));
        let said = full_disk("/pgha/pgbackrest", FULL_BELOW_BYTES - 1).expect("it is full");
        assert_eq!(said, "No space left on device: /pgha/pgbackrest has 16383 KiB");
        assert!(advice(&said, "demo-1").contains("full"));
        assert_eq!(full_disk("/pgha/pgbackrest", FULL_BELOW_BYTES), None);
        assert!(advice("[050]: unable to acquire lock", "demo-1").contains("pgha backups demo-1"));
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_passed_over(line: String) {
            let _ = Said::parse(&line);
            let _ = Said::parse(&format!("P00   INFO: {line}"));
        }
    }
}
