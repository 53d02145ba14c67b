//! What happened to a cluster, on one line of time: who led, timelines, streams, backups, links, faults.
//!
//! Made of what the cluster keeps by itself: the logs of its members, the listing of its repository, its faults. Reads
//! text and asks nobody. What no log has, such as an election of etcd, which logs only warnings, is in it where a drill has looked.

mod lines;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::member_log::LogLine;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// When, in UTC: `2026-11-28 03:01:02.123`, as in [`LogLine`].
    pub at: String,
    /// The member that says so; null for what pgha itself has done.
    pub member: Option<String>,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened. Variants and fields may be added; those that are here keep their meaning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// Patroni has taken the leader key.
    LeaderKeyTaken,
    /// Patroni has seen that nobody holds the leader key.
    LeaderKeyFree,
    /// Patroni asked another member how it is, which it does in the race for the leader key, and had no answer.
    NoAnswer {
        /// Whom it asked.
        from: String,
    },
    /// A switchover or a failover was requested of Patroni.
    SwitchoverRequested {
        /// To whom; null where Patroni is to choose.
        candidate: Option<String>,
    },
    /// Patroni no longer lets its Postgres lead.
    Demoted {
        /// Why, in Patroni's words.
        reason: String,
    },
    /// Patroni has made the database.
    Initialized,
    /// Patroni has cloned its node.
    Cloned,
    /// Patroni has `pg_rewind` fit an old leader to the new timeline.
    Rewinding {
        /// The node with the new one.
        from: String,
    },
    /// Patroni does not reach a majority of etcd.
    EtcdUnreachable,
    /// Who leads etcd, as a drill has seen it.
    EtcdLeader {
        /// The member; null where there is none with a majority.
        leader: Option<String>,
        /// The raft term; null where there is no leader.
        term: Option<u64>,
    },
    /// Postgres starts.
    PostgresStarting,
    /// Postgres has left recovery and accepts writes.
    Writable,
    /// Postgres accepts connections, and no writes.
    ReadOnly,
    /// Postgres was told to leave recovery.
    PromoteRequested,
    /// Postgres has begun a new timeline.
    Timeline {
        /// Which.
        timeline: u32,
    },
    /// A replica streams.
    Streaming {
        /// On which timeline.
        timeline: u32,
    },
    /// A replica has lost its stream.
    StreamLost,
    /// A standby acknowledges commits from now on.
    Acknowledges {
        /// Which: the name that it gives.
        standby: String,
    },
    /// A process of Postgres has crashed, and all others are restarted.
    PostgresCrashed,
    /// Postgres shuts down as it was told to.
    PostgresStopping,
    /// Postgres has shut down.
    PostgresStopped,
    /// The router was told how links are to be.
    Links {
        /// Which, as `DC1→DC2`; all where there are none.
        links: Vec<String>,
        /// What of them; null where they are as configured again.
        change: Option<String>,
        /// After how many milliseconds that is taken back.
        for_ms: Option<u64>,
    },
    /// A backup was begun.
    BackupStarted {
        /// Its label.
        label: String,
    },
    /// It was complete.
    BackupDone {
        /// Its label.
        label: String,
    },
    /// A fault was injected.
    Fault {
        /// Which, such as `kill`.
        fault: String,
        /// To whom.
        targets: Vec<String>,
    },
    /// All faults of a drill were taken back.
    Healed,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeaderKeyTaken => f.write_str("takes the leader key"),
            Self::LeaderKeyFree => f.write_str("sees that the leader key is free"),
            Self::NoAnswer { from } => {
                write!(f, "no answer from {from} in the race for the leader key")
            }
            Self::SwitchoverRequested { candidate } => match candidate {
                Some(candidate) => write!(f, "switchover to {candidate} requested"),
                None => f.write_str("switchover requested"),
            },
            Self::Demoted { reason } => write!(f, "demoted: {reason}"),
            Self::Initialized => f.write_str("database initialized"),
            Self::Cloned => f.write_str("cloned"),
            Self::Rewinding { from } => write!(f, "pg_rewind from {from}"),
            Self::EtcdUnreachable => f.write_str("cannot reach etcd"),
            Self::EtcdLeader { leader: Some(leader), .. } => write!(f, "{leader} leads etcd"),
            Self::EtcdLeader { leader: None, .. } => f.write_str("etcd has no leader"),
            Self::PostgresStarting => f.write_str("Postgres starts"),
            Self::Writable => f.write_str("accepts writes"),
            Self::ReadOnly => f.write_str("accepts read-only connections"),
            Self::PromoteRequested => f.write_str("promotion begins"),
            Self::Timeline { timeline } => write!(f, "begins timeline {timeline}"),
            Self::Streaming { timeline } => write!(f, "streams on timeline {timeline}"),
            Self::StreamLost => f.write_str("stream lost"),
            Self::Acknowledges { standby } => write!(f, "{standby} acknowledges commits"),
            Self::PostgresCrashed => f.write_str("Postgres crashed, and restarts"),
            Self::PostgresStopping => f.write_str("Postgres shuts down"),
            Self::PostgresStopped => f.write_str("Postgres has shut down"),
            Self::Links { links, change, for_ms } => {
                let links =
                    if links.is_empty() { "all links".to_owned() } else { links.join(", ") };
                let change = change.as_deref().unwrap_or("as configured");
                write!(f, "{links}: {change}")?;
                for_ms.map_or(Ok(()), |ms| write!(f, " for {ms} ms"))
            }
            Self::BackupStarted { label } => write!(f, "backup {label} begins"),
            Self::BackupDone { label } => write!(f, "backup {label} is complete"),
            Self::Fault { fault, targets } => write!(f, "fault: {fault} {}", targets.join(", ")),
            Self::Healed => f.write_str("faults taken back"),
        }
    }
}

/// The log of one member: of its container, and of a node that of its Postgres.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberLog {
    /// Whose.
    pub member: String,
    /// Lines of the container: PID 1, Patroni, the router.
    pub container: Vec<LogLine>,
    /// Lines of Postgres's own files.
    pub postgres: Vec<LogLine>,
}

/// What the logs say, by time.
///
/// A clone and `pg_rewind` copy the files of Postgres's log with the database: what stands in them from before that is
/// another node's, and is left out.
pub fn of_logs(logs: &[MemberLog]) -> Vec<Entry> {
    let mut all: Vec<Entry> = logs.iter().flat_map(of_member).collect();
    all.sort();
    all
}

fn of_member(log: &MemberLog) -> Vec<Entry> {
    let copied = log.container.iter().filter(|line| lines::copies(&line.text)).map(|line| &line.at);
    let copied = copied.max().cloned().unwrap_or_default();
    let own = log.postgres.iter().filter(|line| line.at > copied);
    let entry = |line: &LogLine| {
        let what = lines::read(&line.text)?;
        Some(Entry { at: line.at.clone(), member: Some(log.member.clone()), what })
    };
    let mut all: Vec<Entry> = log.container.iter().chain(own).filter_map(entry).collect();
    // Patroni says some things in each of its rounds.
    all.sort_by(|one, other| one.at.cmp(&other.at));
    all.dedup_by(|one, before| one.what == before.what);
    all
}
