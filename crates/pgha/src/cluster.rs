//! The clusters of an engine, found by their labels from any directory.
//!
//! Labels are the truth: `pgha.cluster` and `pgha.instance` on containers, networks and volumes
//! say whose they are, `pgha.spec` on containers says what the cluster is, and Compose's own labels
//! say where its file is. Never reads that file and never changes anything.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum, Network, Volume};
use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions, ListVolumesOptions};
use futures_util::future::join_all;
use pgha_core::placement::Placement;
use pgha_core::spec::Spec;
use pgha_core::status::{ContainerFact, ContainerState, NetworkFact};
use pgha_core::topology::{
    ClusterId, MAX_ETCD_PER_SITE, MAX_NODES_PER_SITE, MAX_SITES, POSTGRES_PORT, Topology,
};

use crate::docker::Engine;
use crate::error::{Error, OrFail, Result};

/// Label with the cluster's name.
pub(crate) const LABEL_CLUSTER: &str = "pgha.cluster";
/// Label with the cluster's instance number.
pub(crate) const LABEL_INSTANCE: &str = "pgha.instance";
/// Label of a container with the cluster's canonical `cluster.toml`.
pub(crate) const LABEL_SPEC: &str = "pgha.spec";

/// Everything the engine holds of one cluster.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// Name and instance.
    pub(crate) id: ClusterId,
    /// From the containers' label; `None` where only volumes or networks are left, or where the
    /// label cannot be read by this pgha.
    pub(crate) topology: Option<Topology>,
    /// Its containers, sorted by name.
    pub(crate) containers: Vec<ContainerFact>,
    /// Its networks, sorted by name.
    pub(crate) networks: Vec<NetworkFact>,
    /// Names of its volumes, sorted.
    pub(crate) volumes: Vec<String>,
    /// Where Compose has it from.
    pub(crate) compose: Option<Compose>,
}

/// The Compose project a cluster belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compose {
    /// Project name (`-p`).
    pub(crate) project: String,
    /// The compose file as it was when the containers were made; it may be gone.
    pub(crate) file: PathBuf,
    /// Folder that relative paths in the file start from.
    pub(crate) working_dir: PathBuf,
}

/// How a cluster is as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClusterState {
    /// Every container runs.
    Running,
    /// Some do.
    Partly {
        /// How many run.
        running: usize,
        /// How many there should be.
        of: usize,
    },
    /// There are containers, none runs, and some are frozen by `docker pause`.
    Paused,
    /// There are containers and none runs.
    Stopped,
    /// No container is left, and its data is.
    Down,
}

impl std::fmt::Display for ClusterState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Running => f.write_str("running"),
            Self::Partly { running, of } => write!(f, "{running} of {of} running"),
            Self::Paused => f.write_str("paused (docker pause)"),
            Self::Stopped => f.write_str("stopped"),
            Self::Down => f.write_str("down (data kept)"),
        }
    }
}

/// Which clusters a name may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Among {
    /// Also those of which only the data is left.
    All,
    /// Those that have containers.
    Created,
}

impl Cluster {
    /// How it is as a whole.
    pub(crate) fn state(&self) -> ClusterState {
        let running = self.containers.iter().filter(|c| c.state == ContainerState::Running).count();
        let of =
            self.topology.as_ref().map_or(0, |t| t.members.len() + 1).max(self.containers.len());
        match running {
            _ if self.containers.is_empty() => ClusterState::Down,
            0 if self.containers.iter().any(|c| c.state == ContainerState::Paused) => {
                ClusterState::Paused
            }
            0 => ClusterState::Stopped,
            _ if running == of => ClusterState::Running,
            _ => ClusterState::Partly { running, of },
        }
    }

    /// The topology, or why it cannot be had.
    pub(crate) fn topology(&self) -> Result<&Topology> {
        self.topology.as_ref().ok_or_else(|| {
            if self.containers.is_empty() {
                Error::missing(format!("cluster {} is down, and only its data is left", self.id))
                    .hint("`pgha up` in the folder of its compose file brings it back")
            } else {
                Error::failed(format!("the labels of cluster {} cannot be read", self.id))
                    .hint("it was made by another version of pgha: use that one")
            }
        })
    }

    /// The container of that name.
    pub(crate) fn container(&self, name: &str) -> Option<&ContainerFact> {
        self.containers.iter().find(|c| c.name == name)
    }
}

/// Finds every cluster of the engine, sorted by name and instance.
///
/// # Errors
/// When the engine does not answer.
pub(crate) async fn find(engine: &Engine) -> Result<Vec<Cluster>> {
    let filters = || Some(HashMap::from([("label".to_owned(), vec![LABEL_CLUSTER.to_owned()])]));
    let containers = ListContainersOptions { all: true, filters: filters(), ..Default::default() };
    let api = engine.api();
    let (containers, networks, volumes) = tokio::join!(
        api.list_containers(Some(containers)),
        api.list_networks(Some(ListNetworksOptions { filters: filters() })),
        api.list_volumes(Some(ListVolumesOptions { filters: filters() })),
    );
    let mut clusters = group(
        containers.or_fail("cannot list containers")?,
        networks.or_fail("cannot list networks")?,
        volumes.or_fail("cannot list volumes")?.volumes.unwrap_or_default(),
    );
    let asleep = clusters.iter_mut().flat_map(|c| &mut c.containers).filter(|c| {
        c.host_port.is_none()
            && !matches!(c.state, ContainerState::Running | ContainerState::Paused)
    });
    join_all(asleep.map(async |container| {
        container.host_port = configured_port(engine, &container.name).await;
    }))
    .await;
    Ok(clusters)
}

/// Finds the one cluster a user means: `demo`, `demo-2`, or nothing for the only one.
///
/// # Errors
/// When there is none, or the name fits several; the message lists what there is.
pub(crate) fn resolve(clusters: Vec<Cluster>, name: Option<&str>, among: Among) -> Result<Cluster> {
    let clusters: Vec<Cluster> =
        clusters.into_iter().filter(|c| among == Among::All || !c.containers.is_empty()).collect();
    let there_is =
        clusters.iter().map(|c| format!("{} ({})", c.id, c.state())).collect::<Vec<_>>().join(", ");
    let none = clusters.is_empty();
    let mut fitting: Vec<Cluster> = clusters
        .into_iter()
        .filter(|c| name.is_none_or(|name| c.id.name == name || c.id.to_string() == name))
        .collect();
    match (fitting.len(), name) {
        (1, _) => Ok(fitting.remove(0)),
        (0, None) => {
            Err(Error::missing("there is no cluster on this engine").hint("`pgha up` makes one"))
        }
        (0, Some(name)) if none => Err(Error::missing(format!(
            "there is no cluster `{name}`, and no other on this engine"
        ))
        .hint(format!("`pgha up -n {name}` makes it"))),
        (0, Some(name)) => Err(Error::missing(format!("there is no cluster `{name}`"))
            .because(format!("there is {there_is}"))
            .hint("`pgha list` shows all")),
        (_, None) => Err(Error::bad_input("there are several clusters, and none was named")
            .because(format!("there is {there_is}"))
            .hint(format!("give one: `{}`", fitting[0].id))),
        (_, Some(name)) => Err(Error::bad_input(format!("`{name}` fits several clusters"))
            .because(format!("there is {there_is}"))
            .hint(format!("give the instance too: `{}`", fitting[0].id))),
    }
}

/// Connects nothing, asks nothing: sorts what the engine listed by cluster.
fn group(
    containers: Vec<ContainerSummary>,
    networks: Vec<Network>,
    volumes: Vec<Volume>,
) -> Vec<Cluster> {
    let mut clusters: BTreeMap<ClusterId, Cluster> = BTreeMap::new();
    let mut unreadable = BTreeSet::new();
    for container in containers {
        let labels = container.labels.clone().unwrap_or_default();
        let Some(cluster) = of(&mut clusters, &labels) else { continue };
        if cluster.topology.is_none() && !unreadable.contains(&cluster.id) {
            cluster.topology = labels
                .get(LABEL_SPEC)
                .and_then(|text| Spec::from_toml(text).ok())
                .filter(has_addresses)
                .map(|spec| Topology::new(spec, cluster.id.instance));
            if cluster.topology.is_none() {
                unreadable.insert(cluster.id.clone());
            }
        }
        cluster.compose = cluster.compose.take().or_else(|| compose(&labels));
        cluster.containers.push(fact(container));
    }
    for network in networks {
        let Some(cluster) = of(&mut clusters, &network.labels.unwrap_or_default()) else {
            continue;
        };
        let subnet = network
            .ipam
            .and_then(|ipam| ipam.config)
            .and_then(|config| config.into_iter().find_map(|c| c.subnet));
        cluster.networks.push(NetworkFact { name: network.name.unwrap_or_default(), subnet });
    }
    for volume in volumes {
        if let Some(cluster) = of(&mut clusters, &volume.labels) {
            cluster.volumes.push(volume.name);
        }
    }
    let mut clusters: Vec<Cluster> = clusters.into_values().collect();
    for cluster in &mut clusters {
        cluster.containers.sort_by(|a, b| a.name.cmp(&b.name));
        cluster.networks.sort_by(|a, b| a.name.cmp(&b.name));
        cluster.volumes.sort();
    }
    // Networks alone are a leftover without data: nothing to bring back.
    clusters.retain(|c| !c.containers.is_empty() || !c.volumes.is_empty());
    clusters
}

/// The clusters of containers with these labels.
#[cfg(test)]
pub(crate) fn topologies(labels: impl Iterator<Item = HashMap<String, String>>) -> Vec<Topology> {
    let container =
        |labels| ContainerSummary { labels: Some(labels), ..ContainerSummary::default() };
    let found = group(labels.map(container).collect(), Vec::new(), Vec::new());
    found.into_iter().filter_map(|cluster| cluster.topology).collect()
}

/// Labels are anybody's to write: only a spec for which there are addresses may become a topology.
fn has_addresses(spec: &Spec) -> bool {
    (1..MAX_SITES).contains(&spec.data_centers)
        && (1..=MAX_NODES_PER_SITE).contains(&spec.nodes)
        && spec.etcd.is_none_or(|etcd| etcd <= MAX_ETCD_PER_SITE)
        && Placement::of(spec).per_site().into_iter().all(|etcd| etcd <= MAX_ETCD_PER_SITE)
}

fn of<'a>(
    clusters: &'a mut BTreeMap<ClusterId, Cluster>,
    labels: &HashMap<String, String>,
) -> Option<&'a mut Cluster> {
    let id = ClusterId {
        name: labels.get(LABEL_CLUSTER)?.clone(),
        instance: labels.get(LABEL_INSTANCE)?.parse().ok()?,
    };
    Some(clusters.entry(id.clone()).or_insert_with(|| Cluster {
        id,
        topology: None,
        containers: Vec::new(),
        networks: Vec::new(),
        volumes: Vec::new(),
        compose: None,
    }))
}

fn fact(container: ContainerSummary) -> ContainerFact {
    use ContainerSummaryStateEnum as Engine;
    let state = match container.state {
        Some(Engine::RUNNING) => ContainerState::Running,
        Some(Engine::PAUSED) => ContainerState::Paused,
        Some(Engine::RESTARTING) => ContainerState::Restarting,
        Some(Engine::CREATED) => ContainerState::Created,
        _ => ContainerState::Stopped,
    };
    let name = container.names.unwrap_or_default().into_iter().next().unwrap_or_default();
    ContainerFact {
        name: name.trim_start_matches('/').to_owned(),
        state,
        detail: container.status.unwrap_or_default(),
        host_port: container
            .ports
            .unwrap_or_default()
            .into_iter()
            .filter(|port| port.private_port == POSTGRES_PORT)
            .find_map(|port| port.public_port),
    }
}

/// The project of a container. Compose v1 may have written file names as they were given; several
/// files are separated by commas, and the first is the cluster's own.
fn compose(labels: &HashMap<String, String>) -> Option<Compose> {
    let label = |name: &str| labels.get(&format!("com.docker.compose.project{name}"));
    let working_dir = PathBuf::from(label(".working_dir").map_or("", String::as_str));
    let file = label(".config_files")?.split(',').next()?;
    Some(Compose {
        project: label("")?.clone(),
        file: working_dir.join(Path::new(file)),
        working_dir,
    })
}

/// The port a container that does not run would be published on.
async fn configured_port(engine: &Engine, name: &str) -> Option<u16> {
    let container = engine.api().inspect_container(name, None).await.ok()?;
    let mut bindings = container.host_config?.port_bindings?;
    let bound = bindings.remove(&format!("{POSTGRES_PORT}/tcp"))??;
    bound.into_iter().find_map(|binding| binding.host_port?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::PortSummary;

    fn labels(name: &str, instance: u32) -> HashMap<String, String> {
        HashMap::from([
            (LABEL_CLUSTER.to_owned(), name.to_owned()),
            (LABEL_INSTANCE.to_owned(), instance.to_string()),
        ])
    }

    fn container(name: &str, instance: u32, member: &str) -> ContainerSummary {
        let mut labels = labels(name, instance);
        labels.insert(LABEL_SPEC.into(), Spec { name: name.into(), ..Spec::default() }.to_toml());
        let compose = "com.docker.compose.project";
        labels.insert(compose.to_owned(), format!("{name}{instance}"));
        labels.insert(format!("{compose}.working_dir"), "/srv/demo".to_owned());
        labels.insert(format!("{compose}.config_files"), "docker-compose.yaml".to_owned());
        ContainerSummary {
            names: Some(vec![format!("/{member}")]),
            state: Some(ContainerSummaryStateEnum::RUNNING),
            ports: Some(vec![PortSummary {
                private_port: 5432,
                public_port: Some(50551),
                ..PortSummary::default()
            }]),
            labels: Some(labels),
            ..ContainerSummary::default()
        }
    }

    fn volume(name: &str, instance: u32) -> Volume {
        Volume { name: "v".to_owned(), labels: labels(name, instance), ..Volume::default() }
    }

    fn three() -> Vec<Cluster> {
        group(
            vec![
                container("demo", 2, "pgha-demo1-DC1-2"),
                container("demo", 1, "pgha-demo1-DC1-1"),
            ],
            vec![],
            vec![volume("shop", 3)],
        )
    }

    #[test]
    fn clusters_are_told_apart_by_name_and_instance() {
        let clusters = three();
        let ids: Vec<String> = clusters.iter().map(|c| c.id.to_string()).collect();
        assert_eq!(ids, ["demo-1", "demo-2", "shop-3"]);
        assert_eq!(clusters[0].containers[0].host_port, Some(50551));
        assert_eq!(clusters[0].state(), ClusterState::Partly { running: 1, of: 7 });
        assert_eq!(clusters[2].state(), ClusterState::Down);
        assert!(clusters[2].topology().is_err());
    }

    #[test]
    fn a_relative_compose_file_starts_from_the_working_folder() {
        let clusters = three();
        let compose = clusters[0].compose.as_ref().expect("labels of Compose");
        assert_eq!(compose.file, Path::new("/srv/demo/docker-compose.yaml"));
    }

    #[test]
    fn a_name_must_mean_one_cluster() {
        let pick = |name, among| resolve(three(), name, among).map(|c| c.id.to_string());
        assert_eq!(pick(Some("demo-2"), Among::All).ok().as_deref(), Some("demo-2"));
        assert_eq!(pick(Some("shop"), Among::All).ok().as_deref(), Some("shop-3"));
        assert_eq!(pick(Some("shop"), Among::Created).expect_err("down").exit_code(), 3);
        for (name, exit) in [(None, 2), (Some("demo"), 2), (Some("nope"), 3), (Some("demo-3"), 3)] {
            let error = pick(name, Among::All).expect_err("not one");
            assert_eq!(error.exit_code(), exit);
            assert!(error.to_string().contains("demo-1"), "{error}");
        }
        assert_eq!(resolve(vec![], None, Among::All).expect_err("none").exit_code(), 3);
    }

    #[test]
    fn a_label_that_cannot_be_read_is_no_topology() {
        let mut odd = container("demo", 1, "pgha-demo1-DC1-1");
        odd.labels.as_mut().expect("labels").insert(LABEL_SPEC.into(), "version = 9".into());
        let clusters = group(vec![odd], vec![], vec![]);
        assert!(clusters[0].topology.is_none());
        assert_eq!(clusters[0].state(), ClusterState::Running);
    }
}
