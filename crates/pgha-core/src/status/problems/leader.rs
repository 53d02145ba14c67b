//! Why there is no certain leader, or more than one.

use super::{Problem, Severity};
use crate::observe::{Dcs, Patroni};
use crate::status::succession::Succession;
use crate::status::{ClusterView, ContainerState, Known, MemberView, NodeRole, identity};
use crate::topology::Role;
use crate::words::{bytes, list};

pub(super) fn split_brain(known: &Known<'_>, view: &ClusterView) -> Option<Problem> {
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

/// Why there is no certain leader.
pub(super) fn leader(known: &Known<'_>, view: &ClusterView) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(dcs) = known.dcs {
        match dcs.leader.as_deref() {
            None if identity::explains_no_leader(known) => {}
            None if dcs.system_id.is_none() => problems.push(not_initialized(known, view)),
            None => problems.push(no_leader(known, view, dcs)),
            Some(name) if view.leader.is_none() => {
                problems.push(leader_unconfirmed(known, view, dcs, name));
            }
            Some(_) => {}
        }
    }
    let unconfirmed = view.nodes().filter(|n| n.role == Some(NodeRole::Primary));
    problems.extend(unconfirmed.filter_map(|node| {
        let patroni = known.patroni(&node.name)?;
        Some(if patroni.failsafe {
            failsafe(known, node)
        } else {
            match known.dcs {
                None => primary_unconfirmed(known, node, patroni),
                Some(dcs) => primary_without_key(known, node, patroni, dcs),
            }
        })
    }));
    problems
}

/// Primary without etcd, by consent of all members.
fn failsafe(known: &Known<'_>, node: &MemberView) -> Problem {
    let name = &node.name;
    let others = known.topology.of_role(Role::Postgres).count() - 1;
    Problem::new(
        Severity::Warning,
        "failsafe_active",
        Some(name),
        format!("{name} is primary without etcd, by consent of all members (failsafe_mode)"),
        format!(
            "it takes writes; nothing fails over, and once one of the other {others} Postgres nodes does \
             not answer it Patroni demotes it"
        ),
    )
}

fn primary_unconfirmed(known: &Known<'_>, node: &MemberView, patroni: &Patroni) -> Problem {
    let ttl = known.settings().ttl_s;
    let hint = if patroni.pause {
        "Patroni is paused and leaves it so: nothing keeps another node from \
         becoming primary"
            .to_owned()
    } else {
        format!(
            "Patroni demotes it within {ttl} s of its last write to etcd, unless failsafe_mode is on and \
             every other node answers it"
        )
    };
    Problem::new(
        Severity::Error,
        "primary_unconfirmed",
        Some(&node.name),
        format!("{} claims to be primary, and no quorum confirms it", node.name),
        hint,
    )
}

fn primary_without_key(
    known: &Known<'_>,
    node: &MemberView,
    patroni: &Patroni,
    dcs: &Dcs,
) -> Problem {
    let loop_wait = known.settings().loop_wait_s;
    let hint = match &dcs.leader {
        _ if patroni.pause => "Patroni is paused and leaves it so: do not write to it".to_owned(),
        Some(_) => "Patroni demotes it as soon as it reaches etcd: do not write to it".to_owned(),
        None => format!(
            "Patroni takes the key or demotes it in its next round, within {loop_wait} s: do not write \
             to it before"
        ),
    };
    Problem::new(
        Severity::Error,
        "primary_without_key",
        Some(&node.name),
        format!("{} runs as primary and does not hold the leader key", node.name),
        hint,
    )
}

fn not_initialized(known: &Known<'_>, view: &ClusterView) -> Problem {
    let initializing = view.nodes().find(|node| {
        known.patroni(&node.name).is_some_and(|p| {
            matches!(
                p.state.as_str(),
                "initializing new cluster" | "running custom bootstrap script"
            )
        })
    });
    let node = initializing
        .or_else(|| view.nodes().find(|node| node.container_state == ContainerState::Running));
    let hint = match node {
        Some(node) => format!("`pgha logs {}` shows how far it is", node.name),
        None => "no Postgres node runs that could make one".to_owned(),
    };
    Problem::new(
        Severity::Error,
        "not_initialized",
        None,
        "there is no database yet: the first node has not made one",
        hint,
    )
}

fn no_leader(known: &Known<'_>, view: &ClusterView, dcs: &Dcs) -> Problem {
    let succession = known.succession(dcs, None);
    let loop_wait = known.settings().loop_wait_s;
    let consent = view
        .nodes()
        .find(|n| known.patroni(&n.name).is_some_and(|p| p.failsafe && p.is_running_primary()));
    let (message, hint) = if is_paused(known) {
        (
            "nobody holds the leader key, and Patroni is paused".to_owned(),
            format!("no replica takes it until `pgha resume {}`", known.topology.id),
        )
    } else if let Some(primary) = consent {
        (
            "nobody holds the leader key".to_owned(),
            format!("{} goes on without it as long as all members consent", primary.name),
        )
    } else if succession.may.is_empty() {
        (
            format!(
                "nobody holds the leader key, and no replica may take it: {}",
                succession.reasons()
            ),
            way_out(known, &succession),
        )
    } else if succession.certain {
        (
            "nobody holds the leader key".to_owned(),
            format!("{} takes it within {loop_wait} s", succession.names()),
        )
    } else {
        (
            "nobody holds the leader key".to_owned(),
            format!("{} may take it within {loop_wait} s; {UNCERTAIN}", succession.names()),
        )
    };
    Problem::new(Severity::Error, "no_leader", None, message, hint)
}

/// Why nobody is promised where [`Succession::certain`] is not set.
const UNCERTAIN: &str = "whether lag, timeline or votes forbid it is not known: the containers are of an \
    earlier pgha, whose probe does not tell";

/// What can be done where no replica may be promoted.
fn way_out(known: &Known<'_>, succession: &Succession) -> String {
    let down: Vec<String> = known
        .topology
        .of_role(Role::Postgres)
        .map(|m| m.name.clone())
        .filter(|name| known.container_state(name) != ContainerState::Running)
        .collect();
    let max = known.settings().maximum_lag_on_failover_bytes;
    let mut ways = Vec::new();
    if succession.least_behind().is_some() {
        ways.push(format!(
            "Patroni promotes none that is more than {} behind (maximum_lag_on_failover)",
            bytes(max)
        ));
    }
    if !down.is_empty() {
        ways.push(format!("bring back {}, which may have all writes", list(&down)));
    }
    if let Some((name, lost)) = succession.least_behind() {
        ways.push(format!(
            "or promote {name} and lose at least {}: `pgha failover {} --to {name}`",
            bytes(lost),
            known.topology.id
        ));
    }
    if ways.is_empty() {
        ways.push("it takes a node that answers and may be promoted".to_owned());
    }
    ways.join("; ")
}

/// Whether a node that answers says that Patroni is paused.
pub(super) fn is_paused(known: &Known<'_>) -> bool {
    let mut nodes = known.topology.of_role(Role::Postgres);
    nodes.any(|node| known.patroni(&node.name).is_some_and(|p| p.pause))
}

fn leader_unconfirmed(known: &Known<'_>, view: &ClusterView, dcs: &Dcs, name: &str) -> Problem {
    let ttl = known.settings().ttl_s;
    let succession = known.succession(dcs, Some(name));
    let then = || match () {
        () if is_paused(known) => format!(
            "Patroni is paused: nobody takes over until `pgha resume {}`",
            known.topology.id
        ),
        () if succession.may.is_empty() => format!(
            "no replica may take over: {}; {}",
            succession.reasons(),
            way_out(known, &succession)
        ),
        () if succession.certain => format!("{} takes over", succession.names()),
        () => format!("{} may take over; {UNCERTAIN}", succession.names()),
    };
    let (what, hint) = match (known.patroni(name), known.nodes.get(name)) {
        (Some(p), _) if p.state == "running" => (
            format!("is {} as {}", p.state, p.role),
            format!("a promotion takes a few seconds; `pgha logs {name}` where it takes longer"),
        ),
        (Some(p), _) if p.state == "stopping" => (
            format!("is {} as {}", p.state, p.role),
            format!("it gives the key up once Postgres has stopped, and {}", then()),
        ),
        (Some(p), _) if matches!(p.state.as_str(), "starting" | "restarting") => (
            format!("is {} as {}", p.state, p.role),
            "it leads again once Postgres is up; if that takes longer than primary_start_timeout \
             (300 s unless changed) it gives the key up"
                .to_owned(),
        ),
        (Some(p), _) => {
            (format!("is in state `{}`", p.state), format!("it gives the key up, and {}", then()))
        }
        (None, node) => {
            let reason = match node.map(|n| &n.patroni) {
                Some(Err(reason)) => reason.clone(),
                _ => view.member(name).and_then(|m| m.error.clone()).unwrap_or_default(),
            };
            (
                format!("does not answer: {reason}"),
                if known.container_state(name) == ContainerState::Running {
                    format!("unless it renews the key, it runs out within {ttl} s, and {}", then())
                } else {
                    format!("the key runs out within {ttl} s, and {}", then())
                },
            )
        }
    };
    Problem::new(
        Severity::Error,
        "leader_unconfirmed",
        Some(name),
        format!("{name} still holds the leader key and {what}"),
        hint,
    )
}
