//! What is wrong with a cluster, or could not be learned about it.
//!
//! One cause is one problem: of a site that is down no member is listed, and without a quorum no
//! single etcd member is. Every problem says what can be done.

use serde::{Deserialize, Serialize};

use crate::observe::STANZA;
use crate::status::archive;
use crate::status::{ClusterView, ContainerState, Known, MemberView, NodeRole, Tally};
use crate::topology::{Member, Role, Site};
use crate::tuning::PatroniTimers;

/// A replica that is further behind is not promoted: Patroni's `maximum_lag_on_failover`.
pub const LAG_MAX_BYTES: u64 = 1 << 20;

/// Code of the problem that a restore is not finished.
pub const RESTORE_UNFINISHED: &str = "restore_unfinished";

/// How bad a problem is; the order is that of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Writes fail, or may be lost.
    Error,
    /// The cluster works, and with less than it should have.
    Warning,
    /// As somebody wanted it, and good to know.
    Info,
}

impl Severity {
    /// The word in listings and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

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
}

impl Problem {
    pub(super) fn new(
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
        }
    }
}

/// Everything that is wrong, the worst first.
pub(super) fn of(known: &Known<'_>, view: &ClusterView) -> Vec<Problem> {
    if view.members.iter().all(|m| m.container_state != ContainerState::Running) {
        return vec![stopped(known)];
    }
    let mut problems = Vec::new();
    problems.extend(router(known, view));
    problems.extend(containers(known));
    problems.extend(unknown_sites(known));
    problems.extend(split_brain(known, view));
    problems.extend(quorum(known, view));
    problems.extend(leader(known, view));
    for node in view.nodes() {
        problems.extend(postgres(known, view, node));
    }
    problems.extend(durability(view));
    problems.extend(paused(known));
    problems.extend(stanza(known));
    problems.extend(restore(known));
    problems.extend(archive::problems(known, view.archive.as_ref(), view.leader.as_deref()));
    problems.sort_by_key(|p| p.severity);
    problems
}

/// Patroni goes on with fewer acknowledging standbys where it has not enough.
fn durability(view: &ClusterView) -> Option<Problem> {
    let (Tally { have, need }, Some(leader)) = (view.acknowledging, &view.leader) else {
        return None;
    };
    (!view.acknowledging.reached()).then(|| {
        Problem::new(
            Severity::Warning,
            "durability_not_met",
            Some(leader),
            format!("{have} of {need} standbys acknowledge writes: the next loss may lose some"),
            "Patroni adds standbys as they come back, one in each of its rounds",
        )
    })
}

fn stopped(known: &Known<'_>) -> Problem {
    let id = &known.topology.id;
    let paused = known.observed.containers.iter().any(|c| c.state == ContainerState::Paused);
    let (what, hint) = if known.observed.containers.is_empty() {
        ("the cluster has no container", "`pgha up` makes them".to_owned())
    } else if paused {
        ("no container of the cluster runs: some are paused", unpause(known.topology.containers()))
    } else {
        ("no container of the cluster runs", format!("`pgha start {id}` starts them"))
    };
    Problem::new(Severity::Error, "cluster_stopped", None, what, hint)
}

fn router(known: &Known<'_>, view: &ClusterView) -> Option<Problem> {
    let router = view.router().filter(|r| r.container_state != ContainerState::Running)?;
    Some(Problem::new(
        Severity::Error,
        "router_down",
        Some(&router.name),
        format!("router down: {}, so sites cannot reach each other", said_of(known, &router.name)),
        remedy(&router.name, router.container_state),
    ))
}

/// Members whose container does not run; a site without any is one problem.
fn containers(known: &Known<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for site in &known.topology.sites {
        let members = members_of(known, site);
        let down: Vec<&str> = members
            .iter()
            .map(|m| m.name.as_str())
            .filter(|name| known.container_state(name) != ContainerState::Running)
            .collect();
        if down.len() == members.len() && members.len() > 1 {
            problems.push(site_down(known, site, &down));
            continue;
        }
        problems.extend(down.into_iter().map(|name| {
            let state = known.container_state(name);
            Problem::new(
                Severity::Warning,
                "member_down",
                Some(name),
                said_of(known, name),
                remedy(name, state),
            )
        }));
    }
    problems
}

fn site_down(known: &Known<'_>, site: &Site, down: &[&str]) -> Problem {
    let states: Vec<ContainerState> = down.iter().map(|n| known.container_state(n)).collect();
    let all = |state| states.iter().all(|s| *s == state);
    let (name, n) = (&site.name, down.len());
    let hint = if states.contains(&ContainerState::Paused) {
        unpause(down.iter().filter(|n| known.container_state(n) == ContainerState::Paused))
    } else if states.contains(&ContainerState::Missing) {
        "`pgha up` makes them again".to_owned()
    } else {
        format!("`pgha start {}` starts what is stopped", known.topology.id)
    };
    let why = if all(ContainerState::Paused) {
        format!("all {n} containers are paused")
    } else if all(ContainerState::Missing) {
        format!("all {n} containers are missing")
    } else {
        format!("none of its {n} containers runs")
    };
    let message = format!("{name} is down: {why}");
    Problem::new(Severity::Warning, "site_down", Some(name), message, hint)
}

fn unknown_sites(known: &Known<'_>) -> Vec<Problem> {
    let failed =
        known.observed.sites.iter().filter_map(|(name, r)| Some((name, r.as_ref().err()?)));
    failed
        .map(|(site, reason)| {
            Problem::new(
                Severity::Warning,
                "site_unknown",
                Some(site),
                format!("could not learn about {site}: {reason}"),
                format!("its containers run; `pgha logs` of a member in {site} may tell more"),
            )
        })
        .collect()
}

fn split_brain(known: &Known<'_>, view: &ClusterView) -> Option<Problem> {
    let primaries = known.primaries();
    if primaries.len() < 2 {
        return None;
    }
    let hint = match &view.leader {
        Some(leader) => format!("only {leader} holds the leader key: what others took in is lost"),
        None => "nothing confirms either: write to none of them".to_owned(),
    };
    Some(Problem::new(
        Severity::Error,
        "split_brain",
        None,
        format!("{} nodes run as primary: {}", primaries.len(), primaries.join(", ")),
        hint,
    ))
}

fn quorum(known: &Known<'_>, view: &ClusterView) -> Vec<Problem> {
    let mut problems = Vec::new();
    if view.quorum.reached() {
        problems.extend(minority(known, view));
    } else {
        problems.push(no_quorum(known, view));
    }
    for member in view.etcd.iter().filter(|e| e.healthy && e.error.is_some()) {
        let complaint = member.error.as_deref().unwrap_or_default();
        problems.push(Problem::new(
            Severity::Error,
            "etcd_complains",
            Some(&member.name),
            format!("{} complains: {complaint}", member.name),
            "`etcdctl alarm list` in an etcd member tells more",
        ));
    }
    problems
}

/// Members apart from the quorum there is, and a quorum without a member to spare.
fn minority(known: &Known<'_>, view: &ClusterView) -> Vec<Problem> {
    let (have, need, total) = (view.quorum.have, view.quorum.need, view.etcd.len());
    let apart = view.etcd.iter().filter(|e| !e.healthy && known.etcd.contains_key(e.name.as_str()));
    let mut problems: Vec<Problem> = apart
        .filter(|e| known.container_state(&e.name) == ContainerState::Running)
        .map(|member| {
            let reason = member.error.as_deref().unwrap_or("no linearizable read");
            Problem::new(
                Severity::Warning,
                "etcd_unhealthy",
                Some(&member.name),
                format!("{} is not healthy: {reason}", member.name),
                format!("`pgha logs {}` shows what it waits for", member.name),
            )
        })
        .collect();
    if have == need && (have as usize) < total {
        problems.push(Problem::new(
            Severity::Warning,
            "quorum_at_risk",
            None,
            format!("etcd has {have} of {total} members and needs {need}"),
            "bring the others back: the loss of one more stops all writes",
        ));
    }
    problems
}

fn no_quorum(known: &Known<'_>, view: &ClusterView) -> Problem {
    let (have, need, total) = (view.quorum.have, view.quorum.need as usize, view.etcd.len());
    let runs = |name: &str| known.container_state(name) == ContainerState::Running;
    let unseen = view.etcd.iter().filter(|e| runs(&e.name) && e.took_ms.is_none()).count();
    let answering = view.etcd.iter().filter(|e| e.raft_term.is_some()).count();
    let (code, message, hint) = if unseen >= need {
        (
            "quorum_unknown",
            format!("could not learn whether etcd has a quorum: {unseen} of {total} not reached"),
            "until that is known no leader is certain".to_owned(),
        )
    } else if answering >= need && runs(&known.topology.router()) {
        (
            "no_quorum",
            format!("etcd has no quorum: {answering} of {total} answer and follow no leader"),
            "an election takes a few seconds; if it stays so, they do not reach each other"
                .to_owned(),
        )
    } else {
        (
            "no_quorum",
            format!("etcd has no quorum: {have} of {total}, need {need}"),
            format!("no node is or becomes leader until {need} etcd members reach each other"),
        )
    };
    Problem::new(Severity::Error, code, None, message, hint)
}

/// Why there is no certain leader.
fn leader(known: &Known<'_>, view: &ClusterView) -> Vec<Problem> {
    let timers = PatroniTimers::of(known.topology.spec.timers);
    let (ttl, loop_wait) = (timers.ttl_s, timers.loop_wait_s);
    let unconfirmed = view.nodes().filter(|n| n.role == Some(NodeRole::Primary));
    let Some(dcs) = known.dcs else {
        return unconfirmed
            .map(|node| {
                Problem::new(
                    Severity::Error,
                    "primary_unconfirmed",
                    Some(&node.name),
                    format!("{} runs as primary on its own word: no quorum confirms it", node.name),
                    format!("Patroni demotes it within {ttl} s of its last contact with etcd"),
                )
            })
            .collect();
    };
    let mut problems = Vec::new();
    match dcs.leader.as_deref() {
        None if dcs.system_id.is_none() => problems.push(Problem::new(
            Severity::Error,
            "not_initialized",
            None,
            "there is no database yet: the first node has not made one",
            "`pgha logs` of a Postgres node shows how far it is",
        )),
        None => problems.push(Problem::new(
            Severity::Error,
            "no_leader",
            None,
            "nobody holds the leader key",
            format!("a healthy replica takes it within {loop_wait} s: look again"),
        )),
        Some(name) if view.leader.is_none() => {
            let (what, hint) = match (known.patroni(name), known.nodes.get(name)) {
                (Some(p), _) => (
                    format!("is {} as {}", p.state, p.role),
                    "a promotion takes a few seconds: look again".to_owned(),
                ),
                (None, node) => {
                    let reason = match node.map(|n| &n.patroni) {
                        Some(Err(reason)) => reason.clone(),
                        _ => view.member(name).and_then(|m| m.error.clone()).unwrap_or_default(),
                    };
                    (
                        format!("does not answer: {reason}"),
                        format!(
                            "unless it renews the key, it runs out within {ttl} s and a replica takes over"
                        ),
                    )
                }
            };
            problems.push(Problem::new(
                Severity::Error,
                "leader_unconfirmed",
                Some(name),
                format!("{name} still holds the leader key and {what}"),
                hint,
            ));
        }
        Some(_) => {}
    }
    problems.extend(unconfirmed.map(|node| {
        Problem::new(
            Severity::Error,
            "primary_without_key",
            Some(&node.name),
            format!("{} runs as primary and does not hold the leader key", node.name),
            "Patroni demotes it as soon as it reaches etcd: do not write to it",
        )
    }));
    problems
}

/// What is wrong with one Postgres node whose container runs.
fn postgres(known: &Known<'_>, view: &ClusterView, node: &MemberView) -> Vec<Problem> {
    let mut problems = Vec::new();
    let name = node.name.as_str();
    let warn = |code, message: String, hint: String| {
        Problem::new(Severity::Warning, code, Some(name), message, hint)
    };
    if let Some(Err(reason)) = known.nodes.get(name).map(|n| &n.patroni) {
        if node.container_state == ContainerState::Running {
            problems.push(warn(
                "node_unknown",
                format!("could not learn about {name} from its Patroni: {reason}"),
                format!("`pgha logs {name}` shows what it does"),
            ));
        }
        return problems;
    }
    let (Some(patroni), Some(state)) = (known.patroni(name), &node.state) else {
        return problems;
    };
    let holds_key = known.dcs.and_then(|d| d.leader.as_deref()) == Some(name);
    let leads = matches!(node.role, Some(NodeRole::Leader | NodeRole::Primary)) || holds_key;
    let running = patroni.state == "running";
    if !leads && state != "streaming" {
        let (says, hint) = match state.as_str() {
            // Without a leader there is nothing to follow: that is one problem, not each node's.
            _ if running && view.leader.is_none() => return problems,
            "in archive recovery" => (
                "it replays the archive",
                "it streams once it has what the leader no longer keeps".to_owned(),
            ),
            "running" => ("it follows nobody", format!("`pgha logs {name}` shows why")),
            other => (other, format!("`pgha logs {name}` shows how far it is")),
        };
        problems.push(warn("not_streaming", format!("{name} does not stream: {says}"), hint));
        return problems;
    }
    let of_leader = view.leader.as_deref().and_then(|l| view.member(l)).and_then(|l| l.timeline);
    if let (Some(mine), Some(its)) = (patroni.timeline, of_leader) {
        if mine != its {
            problems.push(warn(
                "timeline",
                format!("{name} is on timeline {mine}, the leader on {its}"),
                format!(
                    "Patroni mends that within seconds; if not: `pgha exec {name} -- patronictl -c \
                     /pgha/config/patroni.conf reinit pgha_cluster {name}`"
                ),
            ));
        }
    }
    if let Some(lag) = node.lag_bytes.filter(|lag| *lag > LAG_MAX_BYTES) {
        problems.push(warn(
            "lag",
            format!("{name} is {lag} bytes behind the leader"),
            format!("Patroni promotes nobody that is more than {LAG_MAX_BYTES} bytes behind"),
        ));
    }
    problems
}

fn paused(known: &Known<'_>) -> Option<Problem> {
    let mut nodes = known.nodes.values().filter_map(|n| n.patroni.as_ref().ok());
    nodes.any(|p| p.pause).then(|| {
        Problem::new(
            Severity::Info,
            "patroni_paused",
            None,
            "Patroni is paused: nothing fails over by itself",
            "`patronictl -c /pgha/config/patroni.conf resume` in a node ends that",
        )
    })
}

fn stanza(known: &Known<'_>) -> Option<Problem> {
    let host = known.topology.backup_host();
    (known.stanza_exists() == Some(false)).then(|| {
        Problem::new(
            Severity::Warning,
            "no_stanza",
            Some(&host.name),
            format!("the stanza {STANZA} does not exist: nothing is archived"),
            format!("`pgha logs {}` shows what it waits for", host.name),
        )
    })
}

fn restore(known: &Known<'_>) -> Option<Problem> {
    let id = &known.topology.id;
    known.is_restoring().then(|| {
        Problem::new(
            Severity::Error,
            RESTORE_UNFINISHED,
            None,
            "a restore is not finished: until it is, nodes start neither Patroni nor Postgres",
            format!("`pgha restore {id}` goes on with it, `pgha restore {id} --abort` puts the old data back"),
        )
    })
}

fn members_of<'a>(known: &Known<'a>, site: &Site) -> Vec<&'a Member> {
    known.topology.members.iter().filter(|m| m.site == site.number && m.role != Role::Wan).collect()
}

/// Name and condition of a container, with the engine's words where they tell more.
fn said_of(known: &Known<'_>, name: &str) -> String {
    let detail = known.containers.get(name).map_or("", |c| c.detail.as_str());
    match known.container_state(name) {
        ContainerState::Missing => format!("{name} has no container"),
        ContainerState::Created => format!("{name} was never started"),
        ContainerState::Paused => format!("{name} is paused"),
        ContainerState::Restarting => format!("{name} fails and is started again and again"),
        ContainerState::Stopped if !detail.is_empty() => format!("{name} is stopped, {detail}"),
        ContainerState::Stopped => format!("{name} is stopped"),
        ContainerState::Running => format!("{name} runs"),
    }
}

fn remedy(name: &str, state: ContainerState) -> String {
    match state {
        ContainerState::Missing => "`pgha up` makes it again".to_owned(),
        ContainerState::Paused => unpause([name]),
        ContainerState::Restarting => format!("`pgha logs {name}` shows why it ends"),
        _ => format!("`docker start {name}` starts it"),
    }
}

fn unpause(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let names: Vec<String> = names.into_iter().map(|n| n.as_ref().to_owned()).collect();
    format!("`docker unpause {}`", names.join(" "))
}
