//! What a change of members will do, and what it did.

use std::fmt::Write as _;

use pgha_core::scale::Plan;
use pgha_core::survival::Survival;
use pgha_core::words::bytes;

use crate::screen::TITLE;
use crate::screen::table::{bad, wrapped};

/// Draws a plan.
pub(crate) fn plan(plan: &Plan) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{TITLE}Cluster {}: {}{TITLE:#}", plan.cluster, plan.asked);
    for (n, step) in (1..).zip(&plan.steps) {
        let _ = writeln!(out, "  {n}. {step}");
    }
    if let Some(leader) = &plan.leader {
        let _ = writeln!(out, "Leader    {} hands over to {}", leader.before, leader.after);
    }
    let (before, after) = (plan.etcd.before, plan.etcd.after);
    if before != after {
        let quorum = |members: u32| members / 2 + 1;
        let _ = writeln!(
            out,
            "etcd      {before} members (quorum {}), then {after} (quorum {})",
            quorum(before),
            quorum(after)
        );
    }
    let memory = &plan.memory_bytes;
    let _ = writeln!(
        out,
        "Memory    {}, then {}, by estimate",
        bytes(memory.before),
        bytes(memory.after)
    );
    if let Some(disk) = plan.disk {
        let _ = writeln!(
            out,
            "Disk      {} more for {} cop{}, {} free",
            bytes(disk.needed_bytes()),
            disk.nodes,
            if disk.nodes == 1 { "y" } else { "ies" },
            bytes(disk.free_bytes)
        );
    }
    let _ = writeln!(out, "{TITLE}Survival{TITLE:#}");
    out.push_str(&survival(plan));
    out
}

/// The rows whose outcome changes, each answer before and after; of sets with a site that comes or goes the site alone.
fn survival(plan: &Plan) -> String {
    let of = |all: &[Survival], lost: &[String]| {
        all.iter().find(|row| row.lost == lost).map(|row| row.outcome)
    };
    let survival = &plan.survival;
    let mut sets: Vec<&Vec<String>> = survival.before.iter().map(|row| &row.lost).collect();
    for row in &survival.after {
        if !sets.contains(&&row.lost) {
            sets.push(&row.lost);
        }
    }
    let rows: Vec<Vec<String>> = sets
        .into_iter()
        .filter(|lost| {
            let (before, after) = (of(&survival.before, lost), of(&survival.after, lost));
            before != after && (lost.len() == 1 || before.is_some() && after.is_some())
        })
        .map(|lost| {
            let (before, after) = (of(&survival.before, lost), of(&survival.after, lost));
            let both = |answer: fn(pgha_core::survival::Outcome) -> bool, good: bool| {
                let (before, after) = (before.map(answer), after.map(answer));
                moved(before, after, good)
            };
            vec![
                lost.join(" + "),
                both(|o| o.quorum, true),
                both(|o| o.promotable, true),
                both(|o| o.writes_go_on, true),
                both(|o| o.acknowledged_loss, false),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "  the same losses are survived as before\n".to_owned();
    }
    let header = ["LOST", "QUORUM", "FAILOVER", "WRITES GO ON", "WRITES MAY BE LOST"];
    format!("{}\n", wrapped(&header, &[], rows.into_iter()))
}

/// `no -> yes`, or one word where both are the same; nothing of a set of sites that there is not.
fn moved(before: Option<bool>, after: Option<bool>, good: bool) -> String {
    let word = |is: Option<bool>| match is {
        None => "-",
        Some(true) => "yes",
        Some(false) => "no",
    };
    let text = if before == after {
        word(after).to_owned()
    } else {
        format!("{} -> {}", word(before), word(after))
    };
    if after == Some(!good) { bad(&text) } else { text }
}
