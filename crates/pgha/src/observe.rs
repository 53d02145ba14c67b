//! From labels to a [`ClusterView`]: one probe for each site, all sites at once.
//!
//! A probe runs in any member of its site whose container runs, so neither the router nor another
//! site nor most of its own members need be alive. A member in which the probe fails or hangs is
//! passed over for the next one.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use pgha_core::observe::{Deadlines, SiteObservation};
use pgha_core::status::{ClusterView, ContainerState, Observed};
use pgha_core::topology::{Member, Role, Site, Topology};

use crate::cluster::Cluster;
use crate::docker::Engine;
use crate::error::Result;

/// What runs in a member.
const PROBE: [&str; 2] = ["/usr/local/bin/pgha-node", "probe"];
/// What an exec may take beyond the probe's own deadline. One takes 50 to 100 ms on an idle host;
/// a host that is bringing a cluster up is not idle.
const EXEC_ALLOWANCE: Duration = Duration::from_secs(2);
/// How many members of a site are tried.
const ATTEMPTS_MAX: usize = 3;

/// Asks a cluster how it is.
///
/// # Errors
/// When the cluster has no topology; what cannot be learned is in the view and no error.
pub(crate) async fn view(engine: &Engine, cluster: &Cluster) -> Result<ClusterView> {
    let topology = cluster.topology()?;
    let sites = join_all(topology.sites.iter().map(async |site| {
        let report = observe_site(engine, cluster, topology, site).await?;
        Some((site.name.clone(), report))
    }));
    let sites: BTreeMap<_, _> = sites.await.into_iter().flatten().collect();
    let observed = Observed {
        containers: cluster.containers.clone(),
        networks: cluster.networks.clone(),
        sites,
    };
    Ok(ClusterView::new(topology, &observed))
}

/// The report of one site; `None` where no container of it runs.
async fn observe_site(
    engine: &Engine,
    cluster: &Cluster,
    topology: &Topology,
    site: &Site,
) -> Option<Result<SiteObservation, String>> {
    let deadlines = Deadlines::of(&topology.spec);
    let deadline = deadlines.local.max(deadlines.quorum) + EXEC_ALLOWANCE;
    let mut first = None;
    for member in candidates(cluster, topology, site).into_iter().take(ATTEMPTS_MAX) {
        let report = match engine.exec_stdout(&member.name, &PROBE, deadline).await {
            Ok(printed) => SiteObservation::from_json(&printed),
            Err(error) => Err(error.cause().to_owned()),
        };
        match report {
            Ok(report) => return Some(Ok(report)),
            Err(reason) => first = first.or(Some(Err(format!("{}: {reason}", member.name)))),
        }
    }
    first
}

/// Members to probe from: the backup host first, since only it knows of the stanza.
fn candidates<'a>(cluster: &Cluster, topology: &'a Topology, site: &Site) -> Vec<&'a Member> {
    let runs = |member: &&Member| {
        cluster.container(&member.name).is_some_and(|c| c.state == ContainerState::Running)
    };
    let here = topology.members.iter().filter(|m| m.site == site.number);
    let mut members: Vec<&Member> = here.filter(runs).collect();
    members.sort_by_key(|m| match m.role {
        Role::Backup => 0,
        Role::Etcd => 1,
        Role::Postgres | Role::Wan => 2,
    });
    members
}
