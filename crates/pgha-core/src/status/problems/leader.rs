//! Why there is no certain leader, or more than one.

use super::{Problem, Severity};
use crate::dynamic::Dynamic;
use crate::status::{ClusterView, Known, NodeRole, identity};

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
    let Dynamic { ttl_s: ttl, loop_wait_s: loop_wait, .. } = known.settings();
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
        None if identity::explains_no_leader(known) => {}
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
