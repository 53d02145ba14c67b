//! The state that a restore shall end in.

use serde::{Deserialize, Serialize};

use crate::restore::time::{Moment, NamedZone, TimeError, in_utc};
use crate::wal::{Lsn, WalError};

/// Longest name of a restore point, in bytes: Postgres takes no longer one.
const NAME_MAX_BYTES: usize = 63;

/// Where to stop, from which backup, and on which timeline. Two are equal where they end in the same state,
/// however their times were written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    /// Where to stop.
    pub stop: Stop,
    /// Label of the backup to start from; `None` for the best one.
    pub set: Option<String>,
    /// Timeline to follow; `None` for the cluster's own.
    pub timeline: Option<u32>,
    /// Whether what happened at exactly that point is part of the result.
    pub inclusive: bool,
    /// The zone by whose name the time was given, with its offset then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<NamedZone>,
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        let Self { stop, set, timeline, inclusive, zone: _ } = self;
        (stop, set, timeline, inclusive)
            == (&other.stop, &other.set, &other.timeline, &other.inclusive)
    }
}

impl Eq for Target {}

/// Where to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "at", rename_all = "snake_case")]
pub enum Stop {
    /// After the last WAL that there is.
    Latest,
    /// As soon as the backup is consistent: the moment it ended.
    Backup,
    /// At a time, in UTC with at most microseconds: `2026-11-23 10:00:00+00`.
    Time(String),
    /// At a position in WAL.
    Lsn(Lsn),
    /// At the commit of a transaction.
    Xid(u64),
    /// At a restore point.
    Name(String),
}

/// What stands on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetOptions {
    /// `--latest`.
    pub latest: bool,
    /// `--time`.
    pub time: Option<String>,
    /// `--lsn`.
    pub lsn: Option<String>,
    /// `--xid`.
    pub xid: Option<String>,
    /// `--name`.
    pub name: Option<String>,
    /// `--set`.
    pub set: Option<String>,
    /// `--timeline`.
    pub timeline: Option<u32>,
    /// `--exclusive`.
    pub exclusive: bool,
}

/// A target that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// None was given.
    #[error("where the restore shall end is not said")]
    Missing,
    /// More than one was given.
    #[error("a restore ends in one place, and {0} are two")]
    Several(String),
    /// No time.
    #[error("`{given}` is not a usable time: {error}")]
    Time {
        /// As given.
        given: String,
        /// What is wrong.
        error: TimeError,
    },
    /// No position.
    #[error("{0}")]
    Lsn(WalError),
    /// No transaction.
    #[error("`{0}` is no number of a transaction, such as 745")]
    Xid(String),
    /// No name.
    #[error("a restore point has a name of 1 to {NAME_MAX_BYTES} bytes on one line")]
    Name,
    /// Not a number of a timeline.
    #[error("timelines are counted from 1")]
    Timeline,
    /// `--exclusive` where nothing can be left out.
    #[error("--exclusive goes with --time, --lsn or --xid")]
    Exclusive,
}

impl TargetError {
    /// What would do.
    pub fn hint(&self) -> String {
        let hint = match self {
            Self::Missing => {
                "--latest loses nothing that is archived; --time, --lsn, --xid and --name go back; \
                 --set alone is the moment that backup ended"
            }
            Self::Several(_) => "give one of --latest, --time, --lsn, --xid and --name",
            Self::Time { error, .. } => return error.hint(),
            Self::Lsn(_) => "select pg_current_wal_lsn() says where the cluster is now",
            Self::Xid(_) => "select pg_current_xact_id() says which one a session is in",
            Self::Name => "`pgha restore-point NAME` makes one",
            Self::Timeline => "`pgha backups` lists the timeline of each backup",
            Self::Exclusive => "a restore point and the end of WAL have nothing to leave out",
        };
        hint.to_owned()
    }
}

impl TargetOptions {
    /// Whether nothing was said about the target.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Target {
    /// Reads the command line.
    ///
    /// # Errors
    /// When no target or several are given, or one is malformed.
    pub fn parse(options: &TargetOptions) -> Result<Self, TargetError> {
        let mut given: Vec<(&str, Stop)> = Vec::new();
        if options.latest {
            given.push(("--latest", Stop::Latest));
        }
        let mut zone = None;
        if let Some(text) = &options.time {
            let moment = Moment::parse(text)
                .map_err(|error| TargetError::Time { given: text.clone(), error })?;
            zone = moment.zone;
            given.push(("--time", Stop::Time(in_utc(moment.at))));
        }
        if let Some(text) = &options.lsn {
            given.push(("--lsn", Stop::Lsn(text.trim().parse().map_err(TargetError::Lsn)?)));
        }
        if let Some(text) = &options.xid {
            let xid = text.trim().parse::<u64>().ok().filter(|xid| *xid >= 3);
            given.push(("--xid", Stop::Xid(xid.ok_or_else(|| TargetError::Xid(text.clone()))?)));
        }
        if let Some(name) = &options.name {
            let fits = (1..=NAME_MAX_BYTES).contains(&name.len());
            if !fits || name.chars().any(char::is_control) {
                return Err(TargetError::Name);
            }
            given.push(("--name", Stop::Name(name.clone())));
        }
        if given.len() > 1 {
            let words: Vec<_> = given.iter().map(|g| g.0).collect();
            return Err(TargetError::Several(words.join(" and ")));
        }
        if options.timeline == Some(0) {
            return Err(TargetError::Timeline);
        }
        let stop = match (given.pop(), &options.set) {
            (Some((_, stop)), _) => stop,
            (None, Some(_)) => Stop::Backup,
            (None, None) => return Err(TargetError::Missing),
        };
        if options.exclusive && !matches!(stop, Stop::Time(_) | Stop::Lsn(_) | Stop::Xid(_)) {
            return Err(TargetError::Exclusive);
        }
        Ok(Self {
            stop,
            set: options.set.clone(),
            timeline: options.timeline,
            inclusive: !options.exclusive,
            zone,
        })
    }

    /// What pgBackRest is told of it; the backup and the timeline are the plan's.
    pub(crate) fn pgbackrest(&self) -> Vec<String> {
        let (kind, at) = match &self.stop {
            Stop::Latest => return Vec::new(),
            Stop::Backup => ("immediate", None),
            Stop::Time(time) => ("time", Some(time.clone())),
            Stop::Lsn(lsn) => ("lsn", Some(lsn.to_string())),
            Stop::Xid(xid) => ("xid", Some(xid.to_string())),
            Stop::Name(name) => ("name", Some(name.clone())),
        };
        let mut arguments = vec![format!("--type={kind}"), "--target-action=promote".to_owned()];
        arguments.extend(at.map(|at| format!("--target={at}")));
        if !self.inclusive {
            arguments.push("--target-exclusive".to_owned());
        }
        arguments
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.stop {
            Stop::Latest => f.write_str("the end of the WAL")?,
            Stop::Backup => write!(f, "the end of backup {}", self.set.as_deref().unwrap_or("?"))?,
            Stop::Time(time) => f.write_str(time)?,
            Stop::Lsn(lsn) => write!(f, "LSN {lsn}")?,
            Stop::Xid(xid) => write!(f, "transaction {xid}")?,
            Stop::Name(name) => write!(f, "restore point `{name}`")?,
        }
        if self.inclusive { Ok(()) } else { f.write_str(", without it") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time(text: &str) -> Result<Target, TargetError> {
        Target::parse(&TargetOptions { time: Some(text.to_owned()), ..TargetOptions::default() })
    }

    #[test]
    fn a_time_is_passed_on_in_utc_with_microseconds() {
        for (given, passed) in [
            ("2026-11-23 10:00:00+00", "2026-11-23 10:00:00+00"),
            ("2026-11-23T11:00:00.123456789+01:00", "2026-11-23 10:00:00.123456+00"),
            ("2026-11-23 10:00:00.5Z", "2026-11-23 10:00:00.500000+00"),
        ] {
            let target = time(given).expect(given);
            assert_eq!(target.stop, Stop::Time(passed.to_owned()));
        }
    }

    #[test]
    fn a_time_without_a_zone_is_refused_for_that() {
        let error = time("2026-11-23 10:00:00").expect_err("no zone");
        assert!(error.to_string().contains("no time zone"), "{error}");
        assert!(error.hint().contains("+00"), "{}", error.hint());
        for no in ["", "yesterday", "10:00", "2026-13-01 00:00:00+00"] {
            assert!(matches!(time(no), Err(TargetError::Time { .. })), "{no}");
        }
    }

    #[test]
    fn the_same_moment_is_the_same_target_however_it_is_written() {
        let berlin = time("2026-11-23 11:00:00 Europe/Berlin").expect("a time");
        assert_eq!(berlin.zone.as_ref().map(|zone| zone.offset.as_str()), Some("+01"));
        assert_eq!(berlin, time("2026-11-23 10:00:00 UTC").expect("a time"));
        assert_ne!(berlin, time("2026-11-23 10:00:01 UTC").expect("a time"));
        let json = serde_json::to_string(&berlin).expect("plain data is JSON");
        assert_eq!(serde_json::from_str::<Target>(&json).expect("a target").zone, berlin.zone);
    }

    #[test]
    fn one_target_is_asked_for() {
        let none = TargetOptions::default();
        assert_eq!(Target::parse(&none), Err(TargetError::Missing));
        let two = TargetOptions { latest: true, xid: Some("745".into()), ..none.clone() };
        let error = Target::parse(&two).expect_err("two").to_string();
        assert!(error.contains("--latest and --xid"), "{error}");
        for xid in ["0", "2", "-1", "many", "99999999999999999999"] {
            let options = TargetOptions { xid: Some(xid.into()), ..none.clone() };
            assert_eq!(Target::parse(&options), Err(TargetError::Xid(xid.to_owned())));
        }
    }

    #[test]
    fn a_backup_alone_means_the_moment_it_ended() {
        let options =
            TargetOptions { set: Some("20261123-100000F".into()), ..TargetOptions::default() };
        let target = Target::parse(&options).expect("a target");
        assert_eq!(target.stop, Stop::Backup);
        let latest = TargetOptions { latest: true, ..options.clone() };
        assert_eq!(Target::parse(&latest).expect("a target").stop, Stop::Latest);
        let exclusive = TargetOptions { exclusive: true, ..options };
        assert_eq!(Target::parse(&exclusive), Err(TargetError::Exclusive));
    }

    proptest! {
        #[test]
        fn any_words_are_read_or_refused(text: String) {
            let none = TargetOptions::default();
            let _ = time(&text);
            for options in [
                TargetOptions { lsn: Some(text.clone()), ..none.clone() },
                TargetOptions { xid: Some(text.clone()), ..none.clone() },
                TargetOptions { name: Some(text.clone()), ..none.clone() },
            ] {
                let _ = Target::parse(&options);
            }
        }
    }
}
