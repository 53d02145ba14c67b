//! What is wrong with a cluster, or could not be learned about it.
//!
//! One cause is one problem: of a site that is down no member is listed, and without a quorum no
//! single etcd member is. What follows from another problem is listed under it. Every problem says what
//! can be done; a hint looks at the state that it is printed in. What passes by itself is told as such
//! within its usual time, and is a warning only after that.

mod containers;
mod etcd;
mod leader;
mod links;
mod node;
mod order;
mod proxy;

use serde::{Deserialize, Serialize};

use crate::disk::Room;
use crate::repository::STANZA;
use crate::status::{
    ClusterView, ContainerState, DATA_LOST, DATABASE_IN_REPOSITORY, Known, MemberView, Tally,
};
use crate::status::{archive, identity, settings};
use crate::topology::Role;
use crate::words::{bytes, list};

pub use crate::finding::Severity;
pub use links::LINKS_CUT;
pub(super) use node::is_failed;

/// Code of the problem that a restore is not finished.
pub const RESTORE_UNFINISHED: &str = "restore_unfinished";

/// Code of the problem that etcd has no majority.
pub const NO_QUORUM: &str = "no_quorum";

/// Code of the problem that a repair of etcd is not finished.
pub(crate) const REPAIR_UNFINISHED: &str = "repair_unfinished";

/// Code of the problem that Patroni is in pause.
pub const PATRONI_PAUSED: &str = "patroni_paused";

/// Code of the problem that something was done to the cluster on purpose.
const FAULT_INJECTED: &str = "fault_injected";

/// Something that is wrong or could not be learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Stable word for programs, in snake case.
    pub code: String,
    /// The member or site it is about; `null` where it is about the cluster.
    pub about: Option<String>,
    /// What is the matter: one sentence, without a full stop.
    pub message: String,
    /// What can be done, or what will happen by itself: one sentence, without a full stop.
    pub hint: String,
    /// Code of the problem that this one is a consequence of; `null` where it is none. It is listed
    /// right after that one.
    #[serde(default)]
    pub cause: Option<String>,
}

impl Problem {
    pub(crate) fn new(
        severity: Severity,
        code: &str,
        about: Option<&str>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            code: code.to_owned(),
            about: about.map(str::to_owned),
            message: message.into(),
            hint: hint.into(),
            cause: None,
        }
    }
}

/// Everything that is wrong, the worst first.
pub(super) fn of(known: &Known<'_>, view: &ClusterView) -> Vec<Problem> {
    if view.members.iter().all(|m| m.container_state != ContainerState::Running) {
        return faults(known).chain([containers::stopped(known)]).collect();
    }
    let mut problems: Vec<Problem> = faults(known).collect();
    problems.extend(changing(known));
    problems.extend(containers::router(known, view));
    problems.extend(containers::containers(known));
    problems.extend(known.observed.links.as_ref().and_then(links::problem));
    problems.extend(containers::unknown_sites(known));
    problems.extend(leader::split_brain(known, view));
    problems.extend(etcd::quorum(known, view));
    problems.extend(identity::problems(known, view));
    problems.extend(leader::leader(known, view));
    for node in view.nodes() {
        problems.extend(node::postgres(known, view, node));
    }
    problems.extend(proxy::problems(known, view));
    problems.extend(durability(known, view));
    problems.extend(settings::problems(known, view));
    problems.extend(paused(known));
    problems.extend(maintenance(known));
    problems.extend(stanza(known));
    problems.extend(restore(known));
    problems.extend(etcd::repair(known));
    problems.extend(disk(known, view));
    problems.extend(archive::problems(known, view.archive.as_ref(), view.leader.as_deref()));
    problems.retain(|problem| !is_of_restore(known, problem));
    order::find_causes(known, view, &mut problems);
    order::arrange(&mut problems);
    problems
}

/// What was done on purpose.
fn faults(known: &Known<'_>) -> impl Iterator<Item = Problem> {
    known.observed.faults.iter().map(|fault| {
        let time =
            |at: &str| at.split_once('T').map_or(at, |(_, time)| time).get(..8).map(str::to_owned);
        let since = time(&fault.since).unwrap_or_default();
        let message = format!("fault `{}` is injected, since {since} UTC", fault.title);
        let heal = format!("`pgha heal {}` takes it back", known.topology.id);
        let hint = match fault.until.as_deref().and_then(time) {
            Some(until) => format!("it is taken back at {until} UTC; {heal} now"),
            None => heal,
        };
        Problem::new(Severity::Warning, FAULT_INJECTED, None, message, hint)
    })
}

/// Fewer standbys acknowledge each write than Patroni is told to wait for.
fn durability(known: &Known<'_>, view: &ClusterView) -> Option<Problem> {
    let (Tally { have, need }, Some(leader)) = (view.acknowledging, &view.leader) else {
        return None;
    };
    if view.acknowledging.reached() {
        return None;
    }
    let settings = known.settings();
    let streams = |n: &&MemberView| n.state.as_deref() == Some("streaming");
    let streaming = view.nodes().filter(streams).filter(|n| view.may_acknowledge(n)).count();
    let stopped = have == 0 && settings.synchronous_mode_strict;
    let severity = match () {
        () if stopped => Severity::Error,
        () if known.settles(leader) => Severity::Info,
        () => Severity::Warning,
    };
    let message = if stopped {
        "no standby acknowledges writes: each waits until one does (synchronous_mode_strict)"
            .to_owned()
    } else {
        format!("{have} of {need} standbys acknowledge writes: the next loss may lose some")
    };
    let hint = if streaming >= need as usize {
        format!(
            "{streaming} stream: Patroni adds them in its next rounds, every {} s",
            settings.loop_wait_s
        )
    } else {
        format!("only {streaming} stream: it takes {need} until Patroni can add them")
    };
    Some(Problem::new(severity, "durability_not_met", Some(leader), message, hint))
}

/// Members are being added or removed, or were until somebody ended that.
fn changing(known: &Known<'_>) -> Option<Problem> {
    let changing = known.observed.changing.as_ref()?;
    Some(Problem::new(
        Severity::Info,
        "members_changing",
        None,
        format!("a change of members is not finished: {changing}"),
        format!("`pgha scale {} --resume` goes on, unless it is at work", known.topology.id),
    ))
}

fn paused(known: &Known<'_>) -> Option<Problem> {
    leader::is_paused(known).then(|| {
        Problem::new(
            Severity::Info,
            PATRONI_PAUSED,
            None,
            "Patroni is paused: nothing fails over by itself",
            format!("`pgha resume {}` ends that", known.topology.id),
        )
    })
}

/// Some nodes would stay down with their Patroni.
fn maintenance(known: &Known<'_>) -> Option<Problem> {
    let nodes = &known.observed.maintenance;
    let outlive = if nodes.len() == 1 {
        "the container of {} outlives its"
    } else {
        "the containers of {} outlive their"
    };
    (!nodes.is_empty()).then(|| {
        Problem::new(
            Severity::Info,
            "maintenance",
            None,
            format!("maintenance is on: {} Patroni", outlive.replace("{}", &list(nodes))),
            format!("`pgha maintenance off {}` ends that", known.topology.id),
        )
    })
}

/// The disk that members lie on has too little left.
fn disk(known: &Known<'_>, view: &ClusterView) -> Option<Problem> {
    let disk = view.disk?;
    let free = bytes(disk.free_bytes?);
    let may_take = bytes(disk.may_take_bytes);
    let of = known.disk_of();
    let whose =
        of.map_or("the engine's disk".to_owned(), |member| format!("the disk of {}", member.name));
    let (severity, code, message) = match disk.room() {
        Room::Enough => return None,
        // What the cluster may take in all is not what one member may.
        Room::Tight if of.is_some() => return None,
        Room::Tight => (
            Severity::Info,
            "disk_tight",
            format!(
                "{whose} has {free} free, less than the cluster may take in all: {may_take} beside data \
                 and backups"
            ),
        ),
        Room::Low => (
            Severity::Warning,
            "disk_low",
            format!(
                "{whose} has {free} free, and the cluster may take {may_take} in all beside data and \
                 backups"
            ),
        ),
        Room::None => (
            Severity::Error,
            "disk_full",
            format!(
                "{whose} has {free} free: once it is full, {}",
                match of.map(|m| m.role) {
                    None => "Postgres and etcd stop",
                    Some(Role::Postgres) => "its Postgres stops",
                    Some(Role::Etcd) => "etcd stops there",
                    Some(Role::Backup | Role::Proxy | Role::Wan) => "no WAL is archived",
                }
            ),
        ),
    };
    let hint = "`docker system df -v` shows what takes it, `pgha list` the clusters that there are; fewer full \
                backups (retention_full) take less";
    Some(Problem::new(severity, code, of.map(|member| member.name.as_str()), message, hint))
}

fn stanza(known: &Known<'_>) -> Option<Problem> {
    let host = known.topology.backup_host();
    (known.stanza_exists() == Some(false)).then(|| {
        Problem::new(
            Severity::Warning,
            "no_stanza",
            Some(&host.name),
            format!("the stanza {STANZA} does not exist: nothing is archived"),
            if known.leader().is_some() {
                format!("`pgha logs {}` shows what it waits for", host.name)
            } else {
                "the backup host makes it once there is a leader".to_owned()
            },
        )
    })
}

fn restore(known: &Known<'_>) -> Option<Problem> {
    let id = &known.topology.id;
    if !known.is_restoring() {
        return None;
    }
    let severity = if known.restore_holds() { Severity::Error } else { Severity::Warning };
    let (message, hint) = match known.restore() {
        Some(restore) => (restore.message(), restore.ways.clone()),
        None => (
            "a restore is not finished: until it is, nodes start neither Patroni nor Postgres"
                .to_owned(),
            format!(
                "`pgha restore {id}` resumes it, `pgha restore {id} --abort` puts the old data back"
            ),
        ),
    };
    Some(Problem::new(severity, RESTORE_UNFINISHED, None, message, hint))
}

/// Codes of what a restore brings about while it keeps nodes from running: no advice of its own would help.
const OF_A_RESTORE: [&str; 12] = [
    "no_leader",
    "leader_unconfirmed",
    "not_initialized",
    "node_unknown",
    "not_streaming",
    "timeline",
    "lag",
    "durability_not_met",
    "archive_failing",
    "archive_lags",
    DATA_LOST,
    DATABASE_IN_REPOSITORY,
];

/// Whether a problem is the consequence of a restore that is in progress.
fn is_of_restore(known: &Known<'_>, problem: &Problem) -> bool {
    // It stops nodes, and starts them again.
    let is_node = |name: &str| known.topology.of_role(Role::Postgres).any(|node| node.name == name);
    let stopped = problem.code == "member_down" && problem.about.as_deref().is_some_and(is_node);
    known.restore_holds() && (stopped || OF_A_RESTORE.contains(&problem.code.as_str()))
}
