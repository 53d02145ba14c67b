//! Containers that do not run, and sites that could not be asked.

use super::{Problem, Severity};
use crate::status::{ClusterView, ContainerState, Known};
use crate::topology::{Member, Role, Site};

pub(super) fn stopped(known: &Known<'_>) -> Problem {
    let id = &known.topology.id;
    let paused = known.observed.containers.iter().any(|c| c.state == ContainerState::Paused);
    let all_paused = known.observed.containers.iter().all(|c| c.state == ContainerState::Paused);
    let (what, hint) = if known.observed.containers.is_empty() {
        (
            "the cluster has no container",
            "`pgha up` in the folder of its compose file makes them".to_owned(),
        )
    } else if all_paused {
        (
            "all containers of the cluster are paused (`docker pause`)",
            format!("`pgha start {id}` resumes them"),
        )
    } else if paused {
        (
            "no container of the cluster runs: some are paused (`docker pause`), the others stopped",
            format!("`pgha start {id}` resumes the ones and starts the others"),
        )
    } else {
        ("no container of the cluster runs", format!("`pgha start {id}` starts them"))
    };
    Problem::new(Severity::Error, "cluster_stopped", None, what, hint)
}

pub(super) fn router(known: &Known<'_>, view: &ClusterView) -> Option<Problem> {
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
pub(super) fn containers(known: &Known<'_>) -> Vec<Problem> {
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
        "`pgha up` in the folder of its compose file makes them again".to_owned()
    } else {
        format!("`pgha start {}` starts what is stopped", known.topology.id)
    };
    let why = if all(ContainerState::Paused) {
        format!("all {n} containers are paused (`docker pause`)")
    } else if all(ContainerState::Missing) {
        format!("all {n} containers are missing")
    } else {
        format!("none of its {n} containers runs")
    };
    let message = format!("{name} is down: {why}");
    Problem::new(Severity::Warning, "site_down", Some(name), message, hint)
}

pub(super) fn unknown_sites(known: &Known<'_>) -> Vec<Problem> {
    let failed =
        known.observed.sites.iter().filter_map(|(name, r)| Some((name, r.as_ref().err()?)));
    failed
        .map(|(site, reason)| {
            Problem::new(
                Severity::Warning,
                "site_unknown",
                Some(site),
                format!("state of {site} unknown: {reason}"),
                format!("its containers run; see `pgha logs` of a member in {site}"),
            )
        })
        .collect()
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
        ContainerState::Paused => format!("{name} is paused (`docker pause`)"),
        ContainerState::Restarting => format!("{name} fails and is started again and again"),
        ContainerState::Stopped if !detail.is_empty() => format!("{name} is stopped, {detail}"),
        ContainerState::Stopped => format!("{name} is stopped"),
        ContainerState::Running => format!("{name} runs"),
    }
}

fn remedy(name: &str, state: ContainerState) -> String {
    match state {
        ContainerState::Missing => {
            "`pgha up` in the folder of its compose file makes it again".to_owned()
        }
        ContainerState::Paused => unpause([name]),
        ContainerState::Restarting => format!("`pgha logs {name}` shows why it ends"),
        _ => format!("`docker start {name}` starts it"),
    }
}

fn unpause(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let names: Vec<String> = names.into_iter().map(|n| n.as_ref().to_owned()).collect();
    format!("`docker unpause {}`", names.join(" "))
}
