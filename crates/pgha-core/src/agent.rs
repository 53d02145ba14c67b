//! What the command `pgha` asks of the program `pgha-node` inside members, and in containers of no cluster.
//!
//! A [`Request`] is an argument list for both of them: one writes it ([`Request::argv`]), the other reads it
//! ([`Request::parse`]). A pgha also asks members that an earlier pgha has made, so the words of a request stay
//! what they are. What PID 1, Postgres, Patroni or a user has `pgha-node` do is no request and stands in its `main`.

mod answer;
mod etcd;
mod restore;

use std::fmt::Display;
use std::str::FromStr;

use pgha_wan::control;

use crate::fault::{Ailment, Blow, Delay, Offset, Program};
use crate::repository::BackupType;
use crate::restore::RECOVER_OR_END;
use crate::schedule::Schedule;

pub use self::answer::{BUSY, HELD, NodeState, Recovered};
pub use self::etcd::Etcd;
pub use self::restore::Restore;
pub use crate::names::{AGENT, MAINTENANCE};

/// Words of a request that an error names at most: what follows them may be long.
const SHOWN_WORDS: usize = 3;

/// Something that `pgha` asks of `pgha-node`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// How the member's site is: a [`crate::observe::SiteObservation`].
    Probe,
    /// The same again and again.
    Watch {
        /// For how long; it ends earlier with its standard input.
        seconds: u64,
    },
    /// One backup, told as [`crate::backup_run::Event`]s.
    Backup(Backup),
    /// Which disks of the repositories are full, a line each.
    FullDisks,
    /// The schedule of the backup host; an empty line where there is none.
    ShowSchedule,
    /// From now on it has this one.
    KeepSchedule(Schedule),
    /// From now on it has none.
    ClearSchedule,
    /// What a repository has, for [`crate::restore::Holdings::parse`].
    Repository {
        /// Its number.
        number: u32,
    },
    /// Handed on to the router's engine; a [`control::Reply`].
    WanControl(control::Request),
    /// Round trips to the other sites: [`pgha_wan::measured::RoundTrips`].
    RoundTrips {
        /// Echo requests to each member.
        count: u16,
        /// How long the last answer may take, in milliseconds.
        wait_ms: u16,
    },
    /// The layout on standard input is kept in the container, where it is newer.
    PutLayout,
    /// The member works with the newest layout it has: a [`crate::layout_file::Applied`].
    ApplyLayout,
    /// Processes of the member are killed, frozen, or go on; a line with how many.
    Signal {
        /// Which.
        program: Program,
        /// What is done to them.
        blow: Blow,
    },
    /// The archive command of the node fails from now on, or works again.
    Archive {
        /// It fails.
        broken: bool,
    },
    /// What is written on the member's disk meets that from now on.
    Disk {
        /// What is wrong with it.
        ailment: Ailment,
        /// How slow it is; of use where it is slow.
        delay: Delay,
    },
    /// It no longer does.
    DiskHealed(Ailment),
    /// The clock that a program of the member reads is off from now on.
    Clock {
        /// Patroni or etcd.
        program: Program,
        /// By that much.
        offset: Offset,
    },
    /// It no longer is.
    ClockHealed(Program),
    /// By how much it is off: an [`Offset`] on a line, an empty one where it is the machine's.
    ClockState(Program),
    /// Something that a repair of etcd does in members.
    Etcd(Etcd),
    /// Something that a restore does in members.
    Restore(Restore),
    /// A database is made and started as the spec asks, in a container of no cluster; what Postgres says is printed.
    Rehearse,
    /// The same in a node of a cluster, with the parameters and lines of `pg_hba.conf` of a file, which is removed: a
    /// [`crate::config::Trial`] as JSON.
    RehearseFile {
        /// Where it is.
        path: String,
    },
    /// The container of a node outlives its Patroni from now on, or no longer; whether that was so already, as `on` or
    /// `off`.
    Maintenance {
        /// From now on.
        on: bool,
    },
    /// The node works with a new text of a secret, which a file has that is removed: a [`crate::passwd::NewSecret`] as JSON.
    SecretFile {
        /// Where it is.
        path: String,
    },
    /// Which certificates the member uses: a [`crate::certs::InUse`].
    Certificates,
    /// The member works with new certificates, which a file has that is removed: a [`crate::certs::Given`] as JSON.
    CertificatesFile {
        /// Where it is.
        path: String,
    },
    /// To read, or to copy, a repository: what exactly comes on standard input
    /// ([`crate::restore::source::Request`]), since a key is part of it.
    Source,
    /// To be PID 1 of a container with an earlier state.
    Look {
        /// The recovery may end with the archive.
        or_end: bool,
        /// What pgBackRest is told ([`crate::restore::RestorePlan::pgbackrest`]).
        arguments: Vec<String>,
    },
}

/// What backup is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// How much of the database it holds.
    pub kind: BackupType,
    /// Number of the repository that gets it.
    pub repository: u32,
    /// What is noted with it: `KEY=VALUE`.
    pub annotations: Vec<String>,
}

impl Backup {
    /// As options of pgBackRest.
    pub fn options(&self) -> Vec<String> {
        let options = [format!("--type={}", self.kind), format!("--repo={}", self.repository)];
        let annotations = self.annotations.iter().map(|pair| format!("--annotation={pair}"));
        options.into_iter().chain(annotations).collect()
    }

    fn parse(options: &[&str]) -> Option<Self> {
        let [kind, repository, annotations @ ..] = options else { return None };
        let annotations = annotations.iter().map(|option| option.strip_prefix("--annotation="));
        Some(Self {
            kind: kind.strip_prefix("--type=")?.parse().ok()?,
            repository: repository.strip_prefix("--repo=")?.parse().ok()?,
            annotations: annotations.map(|pair| pair.map(str::to_owned)).collect::<Option<_>>()?,
        })
    }
}

/// What is no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Words that this version does not know.
    #[error(
        "this pgha-node knows no request `{0}`: the pgha that asks is of another version than this container"
    )]
    Unknown(String),
    /// A request with something else in a place than belongs there.
    #[error("the request `{request}` cannot be read: {reason}")]
    Malformed {
        /// Its first words.
        request: String,
        /// What is wrong.
        reason: String,
    },
}

impl Request {
    /// The program and its arguments.
    pub fn argv(&self) -> Vec<String> {
        let words = match self {
            Self::Probe => words(&["probe"], []),
            Self::Watch { seconds } => words(&["probe", "--watch"], [seconds.to_string()]),
            Self::Backup(backup) => words(&["backup"], backup.options()),
            Self::FullDisks => words(&["full-disks"], []),
            Self::ShowSchedule => words(&["schedule"], []),
            Self::KeepSchedule(schedule) => words(&["schedule"], [schedule.to_string()]),
            Self::ClearSchedule => words(&["schedule", "--clear"], []),
            Self::Repository { number } => words(&["repository"], [number.to_string()]),
            Self::WanControl(request) => words(&["wan-control"], [json(request)]),
            Self::RoundTrips { count, wait_ms } => words(
                &["round-trips", "--count", &count.to_string(), "--wait"],
                [wait_ms.to_string()],
            ),
            Self::PutLayout => words(&["layout", "put"], []),
            Self::ApplyLayout => words(&["layout", "apply"], []),
            Self::Signal { program, blow } => {
                words(&["signal", program.as_str(), blow.as_str()], [])
            }
            Self::Archive { broken } => {
                words(&["archive", if *broken { "break" } else { "mend" }], [])
            }
            Self::Disk { ailment, delay } => {
                words(&["disk", ailment.as_str()], [delay.to_string()])
            }
            Self::DiskHealed(ailment) => words(&["disk", ailment.as_str(), "healed"], []),
            Self::Clock { program, offset } => {
                words(&["clock", program.as_str()], [offset.to_string()])
            }
            Self::ClockHealed(program) => words(&["clock", program.as_str(), "healed"], []),
            Self::ClockState(program) => words(&["clock", program.as_str()], []),
            Self::Etcd(etcd) => etcd.words(),
            Self::Restore(restore) => restore.words(),
            Self::Rehearse => words(&["rehearse"], []),
            Self::RehearseFile { path } => words(&["rehearse"], [path.clone()]),
            Self::Maintenance { on } => words(&["maintenance", if *on { "on" } else { "off" }], []),
            Self::SecretFile { path } => words(&["secret"], [path.clone()]),
            Self::Certificates => words(&["certificates"], []),
            Self::CertificatesFile { path } => words(&["certificates"], [path.clone()]),
            Self::Source => words(&["source"], []),
            Self::Look { or_end, arguments } => {
                let or_end = or_end.then(|| RECOVER_OR_END.to_owned());
                words(&["look"], or_end.into_iter().chain(arguments.iter().cloned()))
            }
        };
        std::iter::once(AGENT.to_owned()).chain(words).collect()
    }

    /// Reads what [`Request::argv`] has written; the first is the program, whatever its name.
    ///
    /// # Errors
    /// When these are words of another version.
    pub fn parse(argv: &[impl AsRef<str>]) -> Result<Self, RequestError> {
        let words: Vec<&str> = argv.iter().skip(1).map(AsRef::as_ref).collect();
        let malformed = |reason| RequestError::Malformed { request: shown(&words), reason };
        let unknown = || RequestError::Unknown(shown(&words));
        Ok(match words.as_slice() {
            ["probe"] => Self::Probe,
            ["probe", "--watch", seconds] => {
                Self::Watch { seconds: read(seconds).map_err(malformed)? }
            }
            ["backup", options @ ..] => Self::Backup(Backup::parse(options).ok_or_else(unknown)?),
            ["full-disks"] => Self::FullDisks,
            ["schedule"] => Self::ShowSchedule,
            ["schedule", "--clear"] => Self::ClearSchedule,
            ["schedule", text] => Self::KeepSchedule(read(text).map_err(malformed)?),
            ["repository", number] => Self::Repository { number: read(number).map_err(malformed)? },
            ["wan-control", text] => Self::WanControl(read_json(text).map_err(malformed)?),
            ["round-trips", "--count", count, "--wait", wait] => Self::RoundTrips {
                count: read(count).map_err(malformed)?,
                wait_ms: read(wait).map_err(malformed)?,
            },
            ["layout", "put"] => Self::PutLayout,
            ["layout", "apply"] => Self::ApplyLayout,
            ["signal", program, blow] => Self::Signal {
                program: read(program).map_err(malformed)?,
                blow: read(blow).map_err(malformed)?,
            },
            ["archive", "break"] => Self::Archive { broken: true },
            ["archive", "mend"] => Self::Archive { broken: false },
            ["disk", ailment, "healed"] => Self::DiskHealed(read(ailment).map_err(malformed)?),
            ["disk", ailment, delay] => Self::Disk {
                ailment: read(ailment).map_err(malformed)?,
                delay: read(delay).map_err(malformed)?,
            },
            ["clock", program] => Self::ClockState(read(program).map_err(malformed)?),
            ["clock", program, "healed"] => Self::ClockHealed(read(program).map_err(malformed)?),
            ["clock", program, offset] => Self::Clock {
                program: read(program).map_err(malformed)?,
                offset: read(offset).map_err(malformed)?,
            },
            ["etcd", step @ ..] => Self::Etcd(Etcd::parse(step).ok_or_else(unknown)?),
            ["restore", step @ ..] => {
                Self::Restore(Restore::parse(step).map_err(malformed)?.ok_or_else(unknown)?)
            }
            ["rehearse"] => Self::Rehearse,
            ["rehearse", path] => Self::RehearseFile { path: (*path).to_owned() },
            ["maintenance", "on"] => Self::Maintenance { on: true },
            ["maintenance", "off"] => Self::Maintenance { on: false },
            ["secret", path] => Self::SecretFile { path: (*path).to_owned() },
            ["certificates"] => Self::Certificates,
            ["certificates", path] => Self::CertificatesFile { path: (*path).to_owned() },
            ["source"] => Self::Source,
            ["look", RECOVER_OR_END, arguments @ ..] => {
                Self::Look { or_end: true, arguments: owned(arguments) }
            }
            ["look", arguments @ ..] => Self::Look { or_end: false, arguments: owned(arguments) },
            _ => return Err(unknown()),
        })
    }
}

fn words(own: &[&str], rest: impl IntoIterator<Item = String>) -> Vec<String> {
    owned(own).into_iter().chain(rest).collect()
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn shown(words: &[&str]) -> String {
    words.iter().take(SHOWN_WORDS).copied().collect::<Vec<_>>().join(" ")
}

fn read<T: FromStr<Err: Display>>(word: &str) -> Result<T, String> {
    word.parse().map_err(|e| format!("`{word}`: {e}"))
}

fn json(data: &impl serde::Serialize) -> String {
    serde_json::to_string(data).expect("plain data is JSON")
}

fn read_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|e| format!("`{text}`: {e}"))
}

#[cfg(test)]
mod tests;
