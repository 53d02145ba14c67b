//! Stopping and removing a cluster: whatever labels say is its own, by the engine's ids.
//!
//! Needs no compose file and no Compose, so that no file that happens to lie somewhere decides what is
//! removed. Nothing is said to be stopped or gone that has not been looked for afterwards.

use std::collections::BTreeSet;
use std::time::Duration;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::ListContainersOptions;
use futures_util::future::join_all;
use pgha_core::status::{ContainerFact, ContainerState, NetworkFact};
use pgha_core::topology::{ClusterId, Role};
use tokio::time::Instant;

use crate::cluster::{Cluster, Record};
use crate::docker::Engine;
use crate::error::{Error, OrFail, Result};
use crate::pause::{self, Resume};
use crate::provider::{Provider, Thing};
use crate::{fault, wan};

/// How long the engine may take to let go of what it has agreed to remove.
const GONE_DEADLINE: Duration = Duration::from_secs(20);
/// Time between two looks.
const POLL: Duration = Duration::from_millis(100);

/// What becomes of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Data {
    /// Volumes stay.
    Kept,
    /// Volumes go, and with them every container that works on them.
    Removed,
}

/// Stops a cluster in order: Postgres nodes, which archive their last WAL and let go of their key; then
/// the backup host and etcd; last the router, over which they reach each other.
///
/// # Errors
/// When a container cannot be stopped, or still runs afterwards.
pub(crate) async fn stop(provider: &impl Provider, cluster: &Cluster) -> Result<()> {
    // Nodes are to find etcd, the archive and the router at work as they stop. The engine resumes a frozen node
    // itself as it stops it.
    pause::resume(provider, cluster, Resume::AllButNodes).await?;
    wan::announce_stop(provider, cluster).await;
    for phase in phases(&cluster.containers) {
        all(phase.into_iter().map(|container| stop_one(provider, container))).await?;
    }
    let running: Vec<_> = left(provider, &cluster.id)
        .await?
        .map_or(Vec::new(), |left| left.containers)
        .into_iter()
        .filter(runs)
        .map(|container| format!("{}: {}", container.name, container.detail))
        .collect();
    if running.is_empty() {
        return Ok(());
    }
    Err(Error::failed(format!("cluster {} could not be stopped", cluster.id))
        .because(running.join("\n"))
        .hint(format!("`pgha stop {}` again; something else starts them", cluster.id)))
}

/// Removes a cluster and looks that nothing is left. Data that are kept are written out first; for data
/// that go too nobody waits.
///
/// # Errors
/// When something of another is in the way (then nothing was touched), or something is left.
pub(crate) async fn remove(engine: &Engine, cluster: &Cluster, data: Data) -> Result<()> {
    let obstacles = obstacles(&every_container(engine).await?, cluster, data);
    if !obstacles.is_empty() {
        return Err(Error::failed(format!("cluster {} cannot be removed", cluster.id))
            .because(obstacles.iter().map(Obstacle::to_string).collect::<Vec<_>>().join("\n"))
            .hint(format!("nothing was touched; {}, then again", obstacles[0].remedy())));
    }
    if data == Data::Kept {
        stop(engine, cluster).await?;
    }
    remove_what_is_there(engine, cluster, data).await
}

/// Removes a cluster without regard to what others have in it.
///
/// # Errors
/// When something is left.
pub(crate) async fn remove_what_is_there(
    provider: &impl Provider,
    cluster: &Cluster,
    data: Data,
) -> Result<()> {
    let (looks, volumes): (&[ContainerFact], &[String]) = match data {
        Data::Kept => (&[], &[]),
        Data::Removed => (&cluster.looks, &cluster.volumes),
    };
    let containers = all(cluster.containers.iter().chain(looks).map(|container| async {
        let volumes = data == Data::Removed;
        let thing = Thing::Container { container: &container.id, volumes };
        named("cannot remove", &container.name, provider.remove(thing).await)
    }))
    .await;
    // Neither needs the other. A volume is not removed with its container, but after all of them: the engine
    // takes down no other container's mount while it removes one.
    let networks: Vec<&NetworkFact> = cluster.networks.iter().collect();
    let volumes = all(volumes.iter().map(|volume| provider.remove(Thing::Volume(volume))));
    let records =
        all(records(cluster, data).iter().map(|r| provider.remove(Thing::Volume(&r.volume))));
    // Containers that are gone have no faults.
    let faults = all(cluster.faults.iter().map(|fault| fault::forget(provider, fault)));
    let (networks, volumes, records, faults) =
        tokio::join!(remove_networks(provider, &networks), volumes, records, faults);
    let failed = [containers, networks, volumes, records, faults].into_iter().find_map(Result::err);
    verify_gone(provider, &cluster.id, data, failed).await
}

/// Removes networks that nobody is connected to.
///
/// # Errors
/// When somebody is.
pub(crate) async fn remove_networks(
    provider: &impl Provider,
    networks: &[&NetworkFact],
) -> Result<()> {
    all(networks.iter().map(|network| async {
        let removed = provider.remove(Thing::Network(&network.id)).await;
        named("cannot remove", &network.name, removed)
    }))
    .await
}

/// Waits until the engine no longer has what was removed.
async fn verify_gone(
    provider: &impl Provider,
    id: &ClusterId,
    data: Data,
    failed: Option<Error>,
) -> Result<()> {
    let started = Instant::now();
    loop {
        let left = left(provider, id).await?.map_or(Vec::new(), |left| doomed(&left, data));
        if left.is_empty() {
            return Ok(());
        }
        if failed.is_some() || started.elapsed() > GONE_DEADLINE {
            let error = Error::failed(format!("something of cluster {id} is left"));
            let error = failed.iter().fold(error, |error, why| error.because(why.reason()));
            let hint = remedy(id, &left, error.cause());
            return Err(error.because(left.join("\n")).hint(hint));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// What to do about what is left after a cause. Docker 20.10 at times keeps a network for a connection that nobody has any more.
fn remedy(id: &ClusterId, left: &[String], cause: &str) -> String {
    let again = format!("`pgha down {id}` again with the same flags");
    let only_networks = left.iter().all(|line| line.starts_with("network "));
    if only_networks && cause.contains("active endpoints") {
        return format!(
            "where `docker network inspect` shows no container, the engine counts one that is gone: \
             restart the engine, then {again}"
        );
    }
    again
}

/// What `down` removes, a line each.
pub(crate) fn doomed(cluster: &Cluster, data: Data) -> Vec<String> {
    let line = |kind: &str, name: &str| format!("{kind:<11}{name}");
    let (looks, volumes): (&[ContainerFact], &[String]) = match data {
        Data::Kept => (&[], &[]),
        Data::Removed => (&cluster.looks, &cluster.volumes),
    };
    let containers = cluster.containers.iter().chain(looks).map(|c| line("container", &c.name));
    let networks = cluster.networks.iter().map(|n| line("network", &n.name));
    let faults = cluster.faults.iter().map(|f| line("fault", &f.fault.title()));
    let records = records(cluster, data).iter().map(|record| line("volume", &record.volume));
    containers
        .chain(networks)
        .chain(volumes.iter().map(|v| line("volume", v)))
        .chain(records)
        .chain(faults)
        .collect()
}

/// Records that go: without data there are no members to know of.
fn records(cluster: &Cluster, data: Data) -> &[Record] {
    let left = data == Data::Removed || cluster.volumes.is_empty();
    if left { &cluster.records } else { &[] }
}

/// Containers in the order that they are stopped in; those of one phase at once.
fn phases(containers: &[ContainerFact]) -> [Vec<&ContainerFact>; 3] {
    let of = |phase: usize| containers.iter().filter(move |c| phase_of(c.role) == phase).collect();
    [of(0), of(1), of(2)]
}

fn phase_of(role: Option<Role>) -> usize {
    match role {
        Some(Role::Postgres | Role::Proxy) | None => 0,
        Some(Role::Etcd | Role::Backup) => 1,
        Some(Role::Wan) => 2,
    }
}

fn runs(container: &ContainerFact) -> bool {
    use ContainerState::{Created, Missing, Stopped};
    !matches!(container.state, Created | Missing | Stopped)
}

async fn stop_one(provider: &impl Provider, container: &ContainerFact) -> Result<()> {
    if !runs(container) {
        return Ok(());
    }
    named("cannot stop", &container.name, provider.stop(&container.id).await)
}

/// Says it of the name of what is meant by its id.
fn named(what: &str, name: &str, done: Result<()>) -> Result<()> {
    done.map_err(|error| Error::failed(format!("{what} {name}")).because(error.cause()))
}

/// Does all of it at once, and says what failed first.
async fn all(tasks: impl Iterator<Item = impl Future<Output = Result<()>>>) -> Result<()> {
    join_all(tasks).await.into_iter().collect()
}

async fn left(provider: &impl Provider, id: &ClusterId) -> Result<Option<Cluster>> {
    Ok(provider.clusters().await?.into_iter().find(|cluster| cluster.id == *id))
}

async fn every_container(engine: &Engine) -> Result<Vec<ContainerSummary>> {
    let options = ListContainersOptions { all: true, ..Default::default() };
    engine.api().list_containers(Some(options)).await.or_fail("cannot list containers")
}

/// A container of somebody else that has hold of something of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Obstacle {
    /// It is connected to a network.
    InNetwork {
        /// Its name.
        container: String,
        /// The network's.
        network: String,
    },
    /// It has a volume mounted.
    OnVolume {
        /// Its name.
        container: String,
        /// The volume's.
        volume: String,
    },
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InNetwork { container, network } => write!(
                f,
                "container {container}, which is not of the cluster, is connected to the network {network}"
            ),
            Self::OnVolume { container, volume } => write!(
                f,
                "container {container}, which is not of the cluster, uses the volume {volume}"
            ),
        }
    }
}

impl Obstacle {
    fn remedy(&self) -> String {
        match self {
            Self::InNetwork { container, network } => {
                format!("`docker network disconnect {network} {container}`")
            }
            Self::OnVolume { container, .. } => format!("`docker rm -f {container}`"),
        }
    }
}

/// What others have of a cluster that is to be removed.
fn obstacles(every: &[ContainerSummary], cluster: &Cluster, data: Data) -> Vec<Obstacle> {
    use ContainerSummaryStateEnum::{PAUSED, RESTARTING, RUNNING};
    let own: BTreeSet<&str> =
        cluster.containers.iter().chain(&cluster.looks).map(|c| c.id.as_str()).collect();
    let foreign = every.iter().filter(|c| !own.contains(c.id.as_deref().unwrap_or_default()));
    let mut found = Vec::new();
    for container in foreign {
        let name =
            container.names.iter().flatten().next().map_or("", |n| n.trim_start_matches('/'));
        let connected = container.network_settings.iter().flat_map(|s| s.networks.iter().flatten());
        // One that does not run keeps no network from being removed.
        let runs = matches!(container.state, Some(RUNNING | PAUSED | RESTARTING));
        for (_, endpoint) in connected.filter(|_| runs) {
            let network =
                cluster.networks.iter().find(|n| endpoint.network_id.as_ref() == Some(&n.id));
            found.extend(network.map(|network| Obstacle::InNetwork {
                container: name.to_owned(),
                network: network.name.clone(),
            }));
        }
        let mounted = container.mounts.iter().flatten().filter_map(|mount| mount.name.as_ref());
        for volume in mounted.filter(|v| data == Data::Removed && cluster.volumes.contains(v)) {
            let container = name.to_owned();
            found.push(Obstacle::OnVolume { container, volume: volume.clone() });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_the_engine_cannot_let_go_of_takes_a_restart() {
        let id = ClusterId { name: "demo".to_owned(), instance: 1 };
        let network = "network    pgha-net-DC1-1".to_owned();
        let said = |left: &[String], cause| remedy(&id, left, cause);
        let stale = "network pgha-net-DC1-1 has active endpoints";
        assert!(said(std::slice::from_ref(&network), stale).contains("restart the engine"));
        for (left, cause) in [(network.as_str(), "timeout"), ("container  x", stale)] {
            let hint = said(&[left.to_owned()], cause);
            assert_eq!(hint, "`pgha down demo-1` again with the same flags");
        }
    }
}
