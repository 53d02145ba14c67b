//! Second stage: timers against distances, and how the cluster runs from day to day.

use std::time::Duration;

use pgha_wan::units::format_duration;

use super::Finding;
use crate::dynamic::Dynamic;
use crate::links::asked;
use crate::links::asked::largest_round_trip;
use crate::spec::{Acknowledge, Durability, Spec, TimerPreset};
use crate::topology::Topology;
use crate::tuning::{EtcdTimers, PatroniTimers};

/// Replicas that one leader feeds without being asked about it.
const REPLICAS_MAX_QUIET: u32 = 15;

/// What the distances between sites mean; they are ones that a link can have.
pub(super) fn distances(spec: &Spec) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(timers(spec));
    findings.extend(election(spec));
    findings.extend(commits(spec));
    findings
}

/// What the number of nodes means.
pub(super) fn nodes(topology: &Topology) -> Vec<Finding> {
    let spec = &topology.spec;
    let mut findings = Vec::new();
    if (1..=spec.data_centers).all(|number| spec.nodes_in(number) == 1) {
        findings.push(Finding::info(
            "one_node_per_data_center",
            "one Postgres node per data center: losing the leader's node means failover to another \
             data center",
            "-c 2 leaves a standby beside the leader",
        ));
    }
    let replicas = spec.all_nodes() - 1;
    if replicas > REPLICAS_MAX_QUIET {
        findings.push(Finding::info(
            "many_replicas",
            format!("all {replicas} replicas stream from the leader, most of them across the WAN"),
            "the leader sends its WAL that many times",
        ));
    }
    findings
}

fn timers(spec: &Spec) -> Option<Finding> {
    let round_trip = largest_round_trip(spec);
    let meant_for = Dynamic::of(spec).timers().meant_for();
    if round_trip <= meant_for {
        return None;
    }
    let better = PatroniTimers::preset_for(round_trip);
    let hint = match better {
        Some(preset) => format!("--timers {preset} fits"),
        None if spec.timers == TimerPreset::Wide => {
            "no preset fits; expect unnecessary failovers".to_owned()
        }
        None => "no preset fits; --timers wide comes closest".to_owned(),
    };
    Some(Finding::warning(
        "timers_too_tight",
        format!(
            "the longest round trip is {}; --timers {} is designed for up to {}",
            format_duration(round_trip),
            spec.timers,
            format_duration(meant_for)
        ),
        hint,
    ))
}

fn election(spec: &Spec) -> Option<Finding> {
    let most = Duration::from_millis(u64::from(EtcdTimers::ELECTION_MAX_MS));
    let round_trip = largest_round_trip(spec);
    (!EtcdTimers::of(round_trip).fit(round_trip)).then(|| {
        Finding::warning(
            "etcd_election_capped",
            format!(
                "round trip {}: ten times that exceeds {}, the maximum election timeout of etcd",
                format_duration(round_trip),
                format_duration(most)
            ),
            "etcd may lose its leader repeatedly; place its members closer",
        )
    })
}

/// How long a commit waits for the nearest other data center, from where that is longest.
fn commits(spec: &Spec) -> Option<Finding> {
    if spec.durability == Durability::Async || !asked::any(spec) {
        return None;
    }
    let nobody_beside = |number: &u32| spec.nodes_in(*number) == 1;
    let waits = |number: &u32| match spec.acknowledge {
        Acknowledge::Remote => true,
        Acknowledge::Local => false,
        Acknowledge::Any => nobody_beside(number),
    };
    let name = |number: u32| format!("DC{number}");
    let names: Vec<String> = spec.primaries().map(name).collect();
    let round_trip = |a: &str, b: &str| {
        asked::settings(spec, a, b).latency.saturating_add(asked::settings(spec, b, a).latency)
    };
    let (leader, nearest) = spec
        .primaries()
        .filter(waits)
        .filter_map(|number| {
            let leader = name(number);
            let others = names.iter().filter(|other| **other != leader);
            let nearest = others.map(|other| round_trip(&leader, other)).min()?;
            Some((leader, nearest))
        })
        .max_by_key(|(_, nearest)| *nearest)?;
    (!nearest.is_zero()).then(|| {
        Finding::info(
            "commit_waits_for_wan",
            format!(
                "with the leader in {leader} each commit takes at least {}, the round trip to \
                 another data center",
                format_duration(nearest)
            ),
            format!("the cost of --durability {}", spec.durability),
        )
    })
}
