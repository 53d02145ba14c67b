//! The kinds of faults, in one table. They are not interchangeable: each line says what it means for those around.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::disk::Ailment;
use crate::topology::Role;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A container is killed.
    Kill,
    /// A container is stopped.
    Stop,
    /// A container is frozen.
    Pause,
    /// A container is stopped and started.
    Restart,
    /// The postmaster is killed.
    PostgresKill,
    /// Postgres is frozen.
    PostgresFreeze,
    /// The process of one session is killed.
    BackendKill,
    /// The WAL receiver is killed.
    WalreceiverKill,
    /// Patroni is killed.
    PatroniKill,
    /// Patroni is frozen.
    PatroniFreeze,
    /// etcd is killed.
    EtcdKill,
    /// etcd is frozen.
    EtcdFreeze,
    /// The data of a member are lost, and its container with them.
    VolumeLost,
    /// Commits that wait for a standby are cancelled.
    CommitCancel,
    /// The archive command fails.
    ArchiveBroken,
    /// A disk is full.
    DiskFull,
    /// A disk is read-only.
    DiskReadOnly,
    /// A disk is slow.
    DiskSlow,
    /// A disk hangs.
    DiskHung,
    /// The clock of Patroni is off.
    PatroniClock,
    /// The clock of etcd is off.
    EtcdClock,
    /// A site is cut off.
    Isolate,
    /// Nothing leaves a site.
    Mute,
    /// Nothing reaches a site.
    Deafen,
    /// Two sites do not reach each other.
    Cut,
}

/// What a kind is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Whole containers.
    Containers,
    /// Processes inside them.
    Processes(Program, Blow),
    /// The volume of a Postgres node or an etcd member, and its container.
    Volume,
    /// The commits of a Postgres node that wait for a standby.
    Commits,
    /// The archive command of a Postgres node.
    Archive,
    /// What Postgres writes on its data disk, or pgBackRest in the repository of the backup host.
    Disk(Ailment),
    /// The clock that one program inside a member reads.
    Clock(Program),
    /// The links of one site: those that leave it, those that reach it.
    Site {
        /// What leaves it is dropped.
        out: bool,
        /// What comes to it is dropped.
        into: bool,
    },
    /// The links between two sites.
    TwoSites,
}

/// Processes inside a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Program {
    /// The postmaster, and all of its processes where they are frozen.
    Postgres,
    /// One process that serves a client.
    Backend,
    /// The process that receives WAL.
    Walreceiver,
    /// Patroni.
    Patroni,
    /// etcd.
    Etcd,
}

impl Program {
    const ALL: [Self; 5] =
        [Self::Postgres, Self::Backend, Self::Walreceiver, Self::Patroni, Self::Etcd];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Backend => "backend",
            Self::Walreceiver => "walreceiver",
            Self::Patroni => "patroni",
            Self::Etcd => "etcd",
        }
    }

    /// The members that have it.
    pub fn role(self) -> Role {
        match self {
            Self::Etcd => Role::Etcd,
            _ => Role::Postgres,
        }
    }
}

impl FromStr for Program {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|program| program.as_str() == word);
        found.ok_or_else(|| format!("no program of a member is called `{word}`"))
    }
}

/// What is done to processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blow {
    /// SIGKILL.
    Kill,
    /// SIGSTOP.
    Freeze,
    /// SIGCONT.
    Thaw,
}

impl Blow {
    const ALL: [Self; 3] = [Self::Kill, Self::Freeze, Self::Thaw];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
        }
    }
}

impl FromStr for Blow {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|blow| blow.as_str() == word);
        found.ok_or_else(|| format!("`{word}` is nothing that is done to a process"))
    }
}

/// One line of the table: the word, what it is done to, whether it lasts until it is taken back, what is done, and
/// what those around notice.
type Row = (Kind, &'static str, On, bool, &'static str, &'static str);

/// Cancels every commit that waits for a standby, and prints how many those were.
pub const CANCEL_COMMITS: &str = "select count(*) filter (where pg_cancel_backend(pid)) \
                                  from pg_stat_activity where wait_event = 'SyncRep'";

/// Ends the segment of a leader, so that there is one to archive; nothing on a replica.
pub const SWITCH_SEGMENT: &str =
    "select case when not pg_is_in_recovery() then pg_switch_wal() end";

const NO_ANSWER: &str = "connections break at once; after a leader's loss its lease (ttl) has to \
                         expire before another node is promoted";

/// Every kind, in the order of a listing.
#[rustfmt::skip]
const TABLE: [Row; 25] = [
    (Kind::Kill, "kill", On::Containers, true, "SIGKILL to the container, which stays stopped", NO_ANSWER),
    (Kind::Stop, "stop", On::Containers, true, "the container is stopped (`docker stop`)",
        "clean shutdown: Patroni releases the leader key, no lease has to expire"),
    (Kind::Pause, "pause", On::Containers, true, "the container is frozen (`docker pause`); connections stay open",
        "no connection breaks; a former leader that is resumed acknowledges writes for a moment \
         and loses them"),
    (Kind::Restart, "restart", On::Containers, false, "the container is stopped and started",
        "as stop; it rejoins by itself"),
    (Kind::PostgresKill, "postgres-kill", On::Processes(Program::Postgres, Blow::Kill), false, "SIGKILL to the postmaster",
        "Patroni restarts Postgres at once, and fails over after primary_start_timeout"),
    (Kind::PostgresFreeze, "postgres-freeze", On::Processes(Program::Postgres, Blow::Freeze), true, "SIGSTOP to all Postgres processes",
        "Patroni keeps the lease until its connection times out; clients hang"),
    (Kind::BackendKill, "backend-kill", On::Processes(Program::Backend, Blow::Kill), false, "SIGKILL to one backend",
        "Postgres terminates all sessions and recovers; no failover"),
    (Kind::WalreceiverKill, "walreceiver-kill", On::Processes(Program::Walreceiver, Blow::Kill), false, "SIGKILL to the WAL receiver of a replica",
        "the replica terminates all sessions, recovers and streams again"),
    (Kind::PatroniKill, "patroni-kill", On::Processes(Program::Patroni, Blow::Kill), false, "SIGKILL to Patroni",
        "the container exits and Docker restarts it"),
    (Kind::PatroniFreeze, "patroni-freeze", On::Processes(Program::Patroni, Blow::Freeze), true, "SIGSTOP to Patroni alone",
        "Postgres stays writable while the lease expires: two primaries, since no watchdog fences \
         the old one"),
    (Kind::EtcdKill, "etcd-kill", On::Processes(Program::Etcd, Blow::Kill), false, "SIGKILL to etcd",
        "the container exits and Docker restarts it; the remaining majority continues"),
    (Kind::EtcdFreeze, "etcd-freeze", On::Processes(Program::Etcd, Blow::Freeze), true, "SIGSTOP to etcd",
        "the others elect a new leader; connections to it hang until they time out"),
    (Kind::VolumeLost, "volume-lost", On::Volume, false, "SIGKILL to the container, which is removed with its data volume and made again, empty",
        "a Postgres node is cloned again, a leader releases its key; an etcd member is replaced and catches up"),
    (Kind::CommitCancel, "commit-cancel", On::Commits, false, "`pg_cancel_backend` for every COMMIT that waits for a standby",
        "the client is told, with no more than a WARNING, that it has committed: it is visible, and lost if the leader \
         is before a standby has it"),
    (Kind::ArchiveBroken, "archive-broken", On::Archive, true, "pgBackRest's stop file on a node: its archive command fails",
        "writes go on; the leader keeps its WAL until that is archived, and its disk fills up; a backup that reads the node \
         fails as well"),
    (Kind::DiskFull, "disk-full", On::Disk(Ailment::Full), true, "each write on the data disk, or in the repository, fails with ENOSPC",
        "Postgres panics at the next WAL write and cannot start: Patroni fails over; in the repository WAL is not archived"),
    (Kind::DiskReadOnly, "disk-read-only", On::Disk(Ailment::ReadOnly), true, "the same with EROFS, and no file is opened for writing",
        "as disk-full; until then reads go on in files that are open already"),
    (Kind::DiskSlow, "disk-slow", On::Disk(Ailment::Slow), true, "each write and sync there takes longer by --delay",
        "commits take that long; no connection breaks, Patroni notices nothing"),
    (Kind::DiskHung, "disk-hung", On::Disk(Ailment::Hung), true, "no write or sync there ends until it is healed",
        "commits hang and reads go on: Patroni keeps the lease, since its queries are answered"),
    (Kind::PatroniClock, "patroni-clock", On::Clock(Program::Patroni), true, "the wall clock that Patroni reads is off by --offset; Postgres keeps its own",
        "Postgres goes on; a leader whose clock jumps back by more than ttl - loop_wait oversleeps its lease and takes the key again"),
    (Kind::EtcdClock, "etcd-clock", On::Clock(Program::Etcd), true, "the wall clock that etcd reads is off by --offset",
        "nothing: leases and elections are counted on the monotonic clock; the members log the drift"),
    (Kind::Isolate, "isolate", On::Site { out: true, into: true }, true, "all links of a site are blocked, both directions",
        "a leader inside demotes itself before its lease expires; its local clients are served until then"),
    (Kind::Mute, "mute", On::Site { out: true, into: false }, true, "outgoing traffic of a site is blocked",
        "as isolate for everything that needs an answer"),
    (Kind::Deafen, "deafen", On::Site { out: false, into: true }, true, "incoming traffic of a site is blocked",
        "as isolate for everything that needs an answer"),
    (Kind::Cut, "cut", On::TwoSites, true, "the links between two sites are blocked, both directions",
        "both still reach the other sites: etcd keeps its majority, replication between the two stops"),
];

impl Kind {
    /// Every kind, in the order of a listing.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    fn row(self) -> &'static Row {
        TABLE.iter().find(|row| row.0 == self).expect("the table has every kind")
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        self.row().1
    }

    /// What it is done to.
    pub fn on(self) -> On {
        self.row().2
    }

    /// It lasts until it is taken back; others are over once they are done.
    pub fn lasts(self) -> bool {
        self.row().3
    }

    /// It is written down before it is done: it lasts, or has to be ended by another command where this one dies half-way.
    pub fn is_written_down(self) -> bool {
        self.lasts() || self.on() == On::Volume
    }

    /// What is done.
    pub fn about(self) -> &'static str {
        self.row().4
    }

    /// What Patroni, etcd and clients notice of it.
    pub fn means(self) -> &'static str {
        self.row().5
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no kind of fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no fault `{given}`; there are {}", all_words())]
pub struct UnknownKind {
    /// The word.
    pub given: String,
}

fn all_words() -> String {
    Kind::all().map(Kind::as_str).collect::<Vec<_>>().join(", ")
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        let found = Self::all().find(|kind| kind.as_str() == word);
        found.ok_or_else(|| UnknownKind { given: word.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_means_one_kind_as_in_json() {
        for kind in Kind::all() {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.as_str());
            assert_eq!(TABLE.iter().filter(|row| row.1 == kind.as_str()).count(), 1);
        }
        assert!("kil".parse::<Kind>().expect_err("no kind").to_string().contains("postgres-kill"));
    }

    #[test]
    fn what_freezes_or_cuts_lasts_and_what_kills_a_process_does_not() {
        for kind in Kind::all() {
            match kind.on() {
                On::Processes(_, blow) => assert_eq!(kind.lasts(), blow == Blow::Freeze, "{kind}"),
                On::Site { .. } | On::TwoSites | On::Archive | On::Disk(_) | On::Clock(_) => {
                    assert!(kind.lasts(), "{kind}");
                }
                On::Commits | On::Volume => assert!(!kind.lasts(), "{kind}"),
                On::Containers => assert_eq!(kind.lasts(), kind != Kind::Restart),
            }
        }
    }
}
