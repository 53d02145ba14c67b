//! The plan of a cluster as one document: what `pgha plan --json` prints.
//!
//! Fields are stable: they may be added to, and keep their names and meanings. A spec with errors
//! has a plan too, with its findings and without sites, etcd and survival.

use std::collections::BTreeMap;

use pgha_wan::preset::WanPreset;
use pgha_wan::settings::LinkSettings;
use serde::Serialize;

use crate::disk::{Disk, DiskUse};
use crate::dynamic::Dynamic;
use crate::links::asked;
use crate::links::asked::largest_round_trip;
use crate::lint::{self, Finding};
use crate::prediction::Prediction;
use crate::spec::{
    Acknowledge, Durability, PlacementRule, SiteRole, Spec, TagValue, TimerPreset, WanSpec,
};
use crate::survival::{self, SmallestLosses, Survival};
use crate::topology::{Role, SiteKind, Topology};
use crate::tuning::{EtcdTimers, PatroniTimers, Synchronous};

/// Everything that is decided about a cluster before it runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Cluster name.
    pub cluster: String,
    /// Postgres major version.
    pub postgres: u32,
    /// The placement rule that was asked for.
    pub placement: PlacementRule,
    /// Data centers that must suffice after a failure.
    pub must_suffice: u32,
    /// Who must have a write before it is acknowledged.
    pub durability: Durability,
    /// Which standbys acknowledge it.
    pub acknowledge: Acknowledge,
    /// Standbys that acknowledge each write, at most; 0 with `async`; null with errors.
    pub acknowledging_standbys: Option<u32>,
    /// Patroni's timers.
    pub timers: Timers,
    /// Every site, the external one last; empty with errors.
    pub sites: Vec<PlannedSite>,
    /// etcd as a whole; null with errors.
    pub etcd: Option<PlannedEtcd>,
    /// Distances between sites; null where none are asked for, and with errors.
    pub wan: Option<PlannedWan>,
    /// What it may take of the disk beside data and backups; null with errors.
    pub disk: Option<DiskUse>,
    /// The survival table; empty with errors.
    pub survival: Vec<Survival>,
    /// The smallest losses that stop writes, and that may lose some; null with errors.
    pub smallest_losses: Option<SmallestLosses>,
    /// How long no write is expected to go, by kind of failure; null with errors.
    pub predicted_write_outage: Option<Prediction>,
    /// What there is to say, errors first.
    pub findings: Vec<Finding>,
}

/// Patroni's timers in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timers {
    /// Which preset they are.
    pub preset: TimerPreset,
    /// Seconds after which a leader that no longer renews its key has lost it.
    pub ttl_s: u32,
    /// Seconds between two rounds of the HA loop.
    pub loop_wait_s: u32,
    /// Seconds for which a failing call is retried.
    pub retry_timeout_s: u32,
}

/// One site in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedSite {
    /// `DC<number>`.
    pub name: String,
    /// `data_center` or `external`.
    pub kind: SiteKind,
    /// Whether its nodes may lead and acknowledge; null for the external site.
    pub role: Option<SiteRole>,
    /// `failover_priority` of its nodes; null where none is asked for.
    pub priority: Option<u32>,
    /// Free tags of its nodes.
    pub tags: BTreeMap<String, TagValue>,
    /// Standbys that acknowledge each write of a leader here; 0 with `async`; null where none may lead.
    pub acknowledging_standbys: Option<u32>,
    /// etcd members that stand here.
    pub etcd: u32,
    /// Postgres nodes that stand here.
    pub postgres: u32,
}

/// etcd in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedEtcd {
    /// Members in all sites.
    pub total: u32,
    /// Members that must answer for anything to be decided.
    pub quorum: u32,
    /// Members in the external site.
    pub external: u32,
    /// Milliseconds between two heartbeats of its leader.
    pub heartbeat_ms: u32,
    /// Milliseconds without a heartbeat after which it elects.
    pub election_ms: u32,
}

/// Distances in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedWan {
    /// What every pair of sites starts from.
    pub preset: Option<WanPreset>,
    /// What all randomness comes from.
    pub seed: u64,
    /// Whether distances hold while the cluster comes up.
    pub from_start: bool,
    /// The region that a site stands for, by site.
    pub regions: BTreeMap<String, String>,
    /// The largest round trip with what jitter adds to it, in microseconds; the timers are made for it.
    pub largest_round_trip_us: u64,
    /// Every direction, by the numbers of its sites.
    pub links: Vec<PlannedLink>,
}

/// One direction between two sites in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedLink {
    /// Where packets come from.
    pub from: String,
    /// Where they go.
    pub to: String,
    /// What it will be.
    #[serde(flatten)]
    pub settings: LinkSettings,
}

impl Plan {
    /// The plan of a spec, whatever it asks for, on a disk, where one is known.
    pub fn of(spec: &Spec, disk: Option<Disk>) -> Self {
        let findings = lint::check(spec);
        let topology = (!lint::has_errors(&findings)).then(|| Topology::new(spec.clone(), 1));
        let PatroniTimers { ttl_s, loop_wait_s, retry_timeout_s } = Dynamic::of(spec).timers();
        Self {
            cluster: spec.name.clone(),
            postgres: spec.postgres,
            placement: spec.placement,
            must_suffice: spec.must_suffice,
            durability: spec.durability,
            acknowledge: spec.acknowledge,
            acknowledging_standbys: topology
                .as_ref()
                .map(|t| Synchronous::of(&t.spec).acknowledging_standbys()),
            timers: Timers { preset: spec.timers, ttl_s, loop_wait_s, retry_timeout_s },
            sites: topology.as_ref().map(sites).unwrap_or_default(),
            etcd: topology.as_ref().map(etcd),
            wan: topology.as_ref().filter(|t| asked::any(&t.spec)).map(wan),
            disk: topology.as_ref().map(|topology| DiskUse::of(topology, disk)),
            survival: topology.as_ref().map(survival::table).unwrap_or_default(),
            smallest_losses: topology.as_ref().map(survival::smallest),
            predicted_write_outage: topology.as_ref().map(Prediction::of),
            findings,
        }
    }
}

fn sites(topology: &Topology) -> Vec<PlannedSite> {
    let count = |site: u8, role: Role| {
        let here = topology.of_role(role).filter(|member| member.site == site).count();
        u32::try_from(here).expect("a site has fewer members than addresses")
    };
    topology
        .sites
        .iter()
        .map(|site| {
            let number = u32::from(site.number);
            let is_data_center = site.kind == SiteKind::DataCenter;
            let said = topology.spec.data_center(number).filter(|_| is_data_center).cloned();
            let said = said.unwrap_or_default();
            let may_lead = is_data_center && said.role == SiteRole::Primary;
            let settings = Dynamic::of(&topology.spec);
            PlannedSite {
                name: site.name.clone(),
                kind: site.kind,
                role: is_data_center.then_some(said.role),
                priority: said.priority,
                tags: said.tags,
                acknowledging_standbys: may_lead
                    .then(|| settings.acknowledging_standbys(topology, Some(site.number))),
                etcd: count(site.number, Role::Etcd),
                postgres: count(site.number, Role::Postgres),
            }
        })
        .collect()
}

fn wan(topology: &Topology) -> PlannedWan {
    let WanSpec { preset, from_start, regions, .. } = topology.spec.wan.clone();
    let links = asked::links(topology).into_iter().map(|link| PlannedLink {
        from: topology.site(link.from).name.clone(),
        to: topology.site(link.to).name.clone(),
        settings: link.settings,
    });
    let longest = largest_round_trip(&topology.spec).as_micros();
    PlannedWan {
        preset,
        seed: topology.spec.wan.seed(),
        from_start,
        regions,
        largest_round_trip_us: u64::try_from(longest).unwrap_or(u64::MAX),
        links: links.collect(),
    }
}

fn etcd(topology: &Topology) -> PlannedEtcd {
    let EtcdTimers { heartbeat_ms, election_ms } =
        EtcdTimers::of(largest_round_trip(&topology.spec));
    PlannedEtcd {
        total: topology.placement.total(),
        quorum: topology.placement.quorum(),
        external: topology.placement.external,
        heartbeat_ms,
        election_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::LinkSpec;
    use std::time::Duration;

    #[test]
    fn the_plan_of_two_data_centers_is_this_document() {
        let spec = Spec {
            data_centers: 2,
            durability: Durability::Quorum,
            links: vec![LinkSpec::between("DC1", "DC2", Duration::from_millis(40))],
            ..Spec::default()
        };
        insta::assert_json_snapshot!(Plan::of(&spec, None));
    }

    #[test]
    fn a_spec_with_errors_still_has_a_plan_with_all_findings() {
        let spec = Spec { data_centers: 0, nodes: 0, name: "Demo".into(), ..Spec::default() };
        insta::assert_json_snapshot!(Plan::of(&spec, None));
    }
}
