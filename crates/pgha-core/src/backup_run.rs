//! A backup while it is made: what the backup host reports of it, line by line, and what to do about a
//! failure.
//!
//! `pgha-node backup` runs pgBackRest and prints one [`Event`] in JSON on each line; `pgha backup` reads
//! them. Nothing here runs anything.

use serde::{Deserialize, Serialize};

use crate::repository::Running;
use crate::spec::Repo2;
use crate::topology::Topology;
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

/// What to do about a command of pgBackRest that failed saying this. Names what pgBackRest names, and
/// nothing that the cluster does not have.
pub fn advice(said: &str, topology: &Topology) -> String {
    let id = &topology.id;
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
        "the S3 endpoint's TLS certificate is not trusted: set repo2 ca_file to its CA".to_owned()
    } else if let Some(host) = unreached_host(said) {
        unreached(host, topology)
    } else if has("[050]") {
        format!("something else works on the repository; `pgha backups {id}` shows a backup")
    } else if has("unable to find primary cluster") {
        format!("a backup needs a leader; `pgha status {id}` says why there is none")
    } else if has("[056]") {
        format!("a Postgres node refuses the connection or is down; `pgha status {id}` says which")
    } else if has("before standby replayed") {
        format!(
            "the standby that the backup was read from is too far behind the leader; `pgha status {id}` \
             shows how far each is"
        )
    } else if has("[082]") {
        let repository = repository_of(said).map_or_else(
            || {
                if topology.spec.backup.repo2.is_some() { "a repository" } else { "the repository" }
                    .to_owned()
            },
            |number| format!("repository {number}"),
        );
        format!(
            "WAL of the leader did not reach {repository} in time; `pgha status {id}` says whether WAL is \
             archived at all, `pgha logs` of the leader why not"
        )
    } else if has("backup.info") || has("archive.info") || has("stanza-create") {
        let repository =
            repository_of(said).map_or_else(String::new, |n| format!(" in repository {n}"));
        format!("the stanza is not there{repository}; `pgha status {id}` says more")
    } else {
        format!("`pgha backup check {id}` tests the way from the leader to the repository")
    }
}

/// The host that pgBackRest did not reach, without its port.
fn unreached_host(said: &str) -> Option<&str> {
    const BEFORE: [&str; 2] = ["unable to connect to '", "unable to get address for '"];
    let found = BEFORE.iter().find_map(|before| said.split_once(before))?.1;
    let host = found.split('\'').next()?;
    Some(host.rsplit_once(':').map_or(host, |(host, _)| host))
}

/// What to do where a host was not reached: a member of the cluster, the service of the second
/// repository, or neither.
fn unreached(host: &str, topology: &Topology) -> String {
    let id = &topology.id;
    if let Some(member) = topology.member(host) {
        let site = &topology.site(member.site).name;
        return format!(
            "{host} in {site} is not reached: `pgha status {id}` says whether it runs, `pgha wan show {id}` \
             whether a link is cut"
        );
    }
    match &topology.spec.backup.repo2 {
        Some(Repo2::S3 { endpoint, .. }) if host.ends_with(endpoint.as_str()) => format!(
            "the service of the second repository, {host}, is not reached from the backup host: is it up, \
             and is its name known there?"
        ),
        _ => format!("{host} is not reached; `pgha status {id}` says what of the cluster runs"),
    }
}

/// The one repository that is named, as `repo2:` or `repo2-path`.
fn repository_of(said: &str) -> Option<u32> {
    let named = |number: &u32| {
        let (colon, dash) = (format!("repo{number}:"), format!("repo{number} "));
        said.contains(&colon) || said.contains(&dash)
    };
    let mut all = [1, 2].into_iter().filter(named);
    all.next().filter(|_| all.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{BackupSpec, Spec, UriStyle};
    use proptest::prelude::*;

    fn cluster(repo2: Option<Repo2>) -> Topology {
        let backup = BackupSpec { repo2, ..BackupSpec::default() };
        Topology::new(Spec { data_centers: 2, backup, ..Spec::default() }, 1)
    }

    fn s3() -> Repo2 {
        Repo2::S3 {
            bucket: "shop".into(),
            endpoint: "s3.example.com".into(),
            region: "eu-west-1".into(),
            uri_style: UriStyle::Host,
            port: Some(9000),
            verify_tls: false,
            ca_file: None,
        }
    }

    #[test]
    fn a_host_that_is_not_reached_is_the_one_that_is_named() {
        let node = "[125]: remote-0 process on 'pgha-demo1-DC2-1' terminated unexpectedly [255]: \
            HostConnectError: unable to connect to 'pgha-demo1-DC2-1:8432': [111] Connection refused";
        for repo2 in [None, Some(s3())] {
            let told = advice(node, &cluster(repo2));
            assert!(told.starts_with("pgha-demo1-DC2-1 in DC2 is not reached"), "{told}");
        }
        let service = "[049]: unable to connect to 'shop.s3.example.com:9000': [110] timeout";
        assert!(advice(service, &cluster(Some(s3()))).contains("second repository, shop.s3."));
        let name = "[049]: unable to get address for 'shop.s3.example.com': [-2] Name unknown";
        assert!(advice(name, &cluster(Some(s3()))).contains("second repository"));
        for told in [advice(name, &cluster(None)), advice(node, &cluster(None))] {
            assert!(!told.contains("second repository"), "{told}");
        }
    }

    #[test]
    fn a_timeout_is_that_of_what_was_waited_for() {
        let wal = "[082]: WAL segment 000000010000000000000003 was not archived before the 60000ms timeout";
        assert!(advice(wal, &cluster(None)).contains("did not reach the repository in time"));
        let second = format!("repo2: {wal}");
        assert!(advice(&second, &cluster(Some(s3()))).contains("repository 2 in time"));
        let replay = "[082]: timeout before standby replayed to 0/5000028 - only reached 0/4000028";
        let told = advice(replay, &cluster(None));
        assert!(told.contains("standby") && !told.contains("repository"), "{told}");
        let none = "[056]: unable to find primary cluster - cannot proceed";
        assert!(advice(none, &cluster(None)).contains("needs a leader"));
        let refused = "[056]: unable to connect to 'dbname=postgres': connection refused";
        assert!(!advice(refused, &cluster(None)).contains("needs a leader"));
    }

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
        assert_eq!(crate::repository::without_requests(said), kept);
        assert!(advice(said, &cluster(None)).contains("repo2-s3-key-secret"));
    }

    #[test]
    fn a_full_disk_is_named_as_such_whatever_the_code() {
        let said = "[039]: unable to write '/pgha/pgbackrest/x': [28] No space left on device";
        assert!(advice(said, &cluster(None)).contains("full"));
        let said = full_disk("/pgha/pgbackrest", FULL_BELOW_BYTES - 1).expect("it is full");
        assert_eq!(said, "No space left on device: /pgha/pgbackrest has 16383 KiB");
        assert!(advice(&said, &cluster(None)).contains("full"));
        assert_eq!(full_disk("/pgha/pgbackrest", FULL_BELOW_BYTES), None);
        let locked = advice("[050]: unable to acquire lock", &cluster(None));
        assert!(locked.contains("pgha backups demo-1"));
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_passed_over(line: String) {
            let _ = Said::parse(&line);
            let _ = Said::parse(&format!("P00   INFO: {line}"));
        }
    }
}
