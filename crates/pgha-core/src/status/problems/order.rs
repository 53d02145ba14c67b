//! A cause comes first and its consequences under it.

use pgha_wan::service::Service;

use super::proxy::PROXY_WITHOUT_LEADER;
use super::{Problem, REPAIR_UNFINISHED, Severity};
use crate::status::{ClusterView, Known};
use crate::topology::Role;

const ETCD: Option<Service> = Some(Service::Etcd);
const POSTGRES: Option<Service> = Some(Service::Postgres);

/// Names the cause of each problem that is the consequence of another one.
pub(super) fn find_causes(known: &Known<'_>, view: &ClusterView, problems: &mut [Problem]) {
    let causes: Vec<Option<String>> = problems
        .iter()
        .map(|problem| cause(known, view, problems, problem).map(str::to_owned))
        .collect();
    for (problem, cause) in problems.iter_mut().zip(causes) {
        problem.cause = cause;
    }
}

/// Worst first, and each consequence right after its cause.
pub(super) fn arrange(problems: &mut [Problem]) {
    let root = |p: &Problem| p.cause.clone().unwrap_or_else(|| p.code.clone());
    let families: Vec<(String, Severity)> =
        problems.iter().map(|p| (root(p), p.severity)).collect();
    let worst = |family: &str| {
        families.iter().filter(|(f, _)| f == family).map(|(_, severity)| *severity).min()
    };
    let first = |family: &str| families.iter().position(|(f, _)| f == family);
    problems.sort_by_cached_key(|p| {
        let family = root(p);
        (worst(&family), first(&family), p.cause.is_some(), p.severity)
    });
}

/// The code of the problem that explains this one.
fn cause<'a>(
    known: &Known<'_>,
    view: &ClusterView,
    all: &'a [Problem],
    problem: &Problem,
) -> Option<&'a str> {
    let about = problem.about.as_deref();
    let has = |code: &str| all.iter().find(|p| p.code == code).map(|p| p.code.as_str());
    // A member, its site or the way to it is lost.
    let lost = |member: &str| {
        let site = known.site_of(member);
        let of = |code: &str, about: Option<&str>| {
            all.iter().find(|p| p.code == code && p.about.as_deref() == about)
        };
        of("site_down", site)
            .or_else(|| of("member_down", Some(member)))
            .or_else(|| of("site_unknown", site))
            .or_else(|| of("start_failed", Some(member)))
            .filter(|cause| cause.code != problem.code)
            .map(|cause| cause.code.as_str())
    };
    let any_lost = |role| known.topology.of_role(role).find_map(|member| lost(&member.name));
    // Packets of a service, or all, do not pass between a member and the other one, or the rest of the cluster.
    let cut_off = |member: &str, from: Option<&str>, service| {
        let site = known.site_of(member)?;
        let cut = match from.and_then(|from| known.site_of(from)) {
            Some(other) => known.cut_between(site, other, service),
            None => known.isolated_sites(service).contains(&site),
        };
        cut.then(|| has("router_down").or_else(|| has("links_cut"))).flatten()
    };
    let any_isolated =
        || (!known.isolated_sites(ETCD).is_empty()).then(|| has("links_cut")).flatten();
    let leader = view.leader.as_deref();
    match problem.code.as_str() {
        "no_quorum" | "quorum_unknown" | "quorum_at_risk" => has("router_down")
            .or_else(|| has(REPAIR_UNFINISHED))
            .or_else(any_isolated)
            .or_else(|| any_lost(Role::Etcd)),
        "etcd_unhealthy" => about.and_then(|member| cut_off(member, None, ETCD)),
        "split_brain" => has("router_down").or_else(any_isolated),
        "primary_unconfirmed" | "primary_without_key" | "failsafe_active" => has("router_down")
            .or_else(|| about.and_then(|member| cut_off(member, None, ETCD)))
            .or_else(|| has("no_quorum").and_then(|_| any_isolated()))
            .or_else(|| has("no_quorum").and_then(|_| any_lost(Role::Etcd)))
            .or_else(|| has("no_quorum")),
        "leader_unconfirmed" => has("router_down")
            .or_else(|| about.and_then(lost))
            .or_else(|| about.and_then(|member| cut_off(member, None, ETCD))),
        "no_leader" => {
            has("router_down").or_else(any_isolated).or_else(|| any_lost(Role::Postgres))
        }
        "not_streaming" | "timeline" | "lag" => about
            .and_then(|member| cut_off(member, leader, POSTGRES))
            .or_else(|| about.and_then(lost)),
        PROXY_WITHOUT_LEADER => about
            .and_then(|proxy| cut_off(proxy, leader, POSTGRES))
            .or_else(|| about.and_then(lost)),
        "durability_not_met" => known
            .topology
            .of_role(Role::Postgres)
            .find_map(|node| lost(&node.name).or_else(|| cut_off(&node.name, leader, POSTGRES))),
        "archive_failing" | "archive_lags" | "no_stanza" => {
            let host = &known.topology.backup_host().name;
            lost(host).or_else(|| cut_off(host, leader, None))
        }
        _ => None,
    }
}
