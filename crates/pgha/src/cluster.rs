//! The clusters of an engine, found by their labels from any directory.
//!
//! Labels are the truth: `pgha.cluster` and `pgha.instance` on containers, networks and volumes
//! say whose they are, `pgha.spec` on containers says what the cluster is, and Compose's own labels
//! say where its file is. Never reads that file and never changes anything.

mod described;
mod faults;
mod record;
mod which;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum, Network, Volume};
use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions, ListVolumesOptions};
use futures_util::future::join_all;
use pgha_core::ownership::{Known, LABEL_DRILL, LABEL_UID};
use pgha_core::render;
use pgha_core::scale::Journal;
use pgha_core::spec::Spec;
use pgha_core::status::{ContainerFact, ContainerState, NetworkFact};
use pgha_core::topology::{ClusterId, Role, Topology};

use crate::docker::Engine;
use crate::error::{Error, OrFail, Result};

use described::{Described, keep_newer, keep_newer_where_said};
pub(crate) use faults::Recorded;
pub(crate) use record::Record;
pub(crate) use which::{Among, FILE_HERE, Meant, meant, resolve};

/// Label with the cluster's name.
pub(crate) const LABEL_CLUSTER: &str = "pgha.cluster";
/// Label with the cluster's instance number.
pub(crate) const LABEL_INSTANCE: &str = "pgha.instance";
/// Label of a container with the cluster's canonical `cluster.toml`.
pub(crate) const LABEL_SPEC: &str = "pgha.spec";
/// Compose's label with the name of the project.
const LABEL_PROJECT: &str = "com.docker.compose.project";
/// Label with a member's role.
pub(crate) const LABEL_ROLE: &str = "pgha.role";
/// Label of a container that works for a cluster and is no member of it, such as that of
/// `restore --node`: the cluster's name and instance.
pub(crate) const LABEL_LOOK: &str = "pgha.look";

/// Everything the engine holds of one cluster.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// Name and instance.
    pub(crate) id: ClusterId,
    /// From the containers' label; `None` where only volumes or networks are left, or where the
    /// label cannot be read by this pgha.
    pub(crate) topology: Option<Topology>,
    /// Its members' containers, sorted by name.
    pub(crate) containers: Vec<ContainerFact>,
    /// Containers that work for it and are no members, sorted by name.
    pub(crate) looks: Vec<ContainerFact>,
    /// Its networks, sorted by name.
    pub(crate) networks: Vec<NetworkFact>,
    /// Names of its volumes, sorted; those of faults and records are not among them.
    pub(crate) volumes: Vec<String>,
    /// The faults that were injected and not taken back, the oldest first.
    pub(crate) faults: Vec<Recorded>,
    /// What is written down of its members, the newest last.
    pub(crate) records: Vec<Record>,
    /// Where Compose has it from.
    pub(crate) compose: Option<Compose>,
    /// The Compose project that its labels name.
    pub(crate) project: Option<String>,
    /// Folder of its files, where it was made for a drill and goes with it.
    pub(crate) drill: Option<PathBuf>,
    /// What it is by the label of anything it has, also where no container is left.
    spec: Option<Spec>,
    /// The unique number of each thing it has; `None` of those that an earlier pgha made.
    uids: BTreeSet<Option<String>>,
}

/// The Compose project a cluster belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compose {
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
    /// Neither a container nor data: networks of an `up` that was killed.
    Leftovers,
}

impl std::fmt::Display for ClusterState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Running => f.write_str("running"),
            Self::Partly { running, of } => write!(f, "{running} of {of} running"),
            Self::Paused => f.write_str("paused (docker pause)"),
            Self::Stopped => f.write_str("stopped"),
            Self::Down => f.write_str("down (data kept)"),
            Self::Leftovers => f.write_str("leftovers, no data"),
        }
    }
}

impl Cluster {
    /// How it is as a whole.
    pub(crate) fn state(&self) -> ClusterState {
        let running = self.containers.iter().filter(|c| c.state == ContainerState::Running).count();
        let of =
            self.topology.as_ref().map_or(0, |t| t.members.len() + 1).max(self.containers.len());
        match running {
            _ if self.containers.is_empty() && self.volumes.is_empty() => ClusterState::Leftovers,
            _ if self.containers.is_empty() => ClusterState::Down,
            0 if self.containers.iter().any(|c| c.state == ContainerState::Paused) => {
                ClusterState::Paused
            }
            0 => ClusterState::Stopped,
            _ if running == of => ClusterState::Running,
            _ => ClusterState::Partly { running, of },
        }
    }

    /// What decides whose files are its own.
    pub(crate) fn known(&self) -> Known {
        Known {
            id: self.id.clone(),
            uids: self.uids.clone(),
            spec: self.spec.clone(),
            state: self.state().to_string(),
        }
    }

    /// Takes from the labels of a thing what they say of the cluster; those of containers come first.
    fn learn(&mut self, labels: &HashMap<String, String>) {
        self.uids.insert(labels.get(LABEL_UID).cloned());
        self.drill = self.drill.take().or_else(|| labels.get(LABEL_DRILL).map(PathBuf::from));
        self.project = self.project.take().or_else(|| labels.get(LABEL_PROJECT).cloned());
        self.spec = self.spec.take().or_else(|| Spec::from_toml(labels.get(LABEL_SPEC)?).ok());
    }

    /// The topology, or why it cannot be had.
    pub(crate) fn topology(&self) -> Result<&Topology> {
        self.topology.as_ref().ok_or_else(|| {
            if self.state() == ClusterState::Leftovers {
                Error::missing(format!("cluster {} has no containers and no data", self.id)).hint(
                    format!("`pgha down {}` removes what an interrupted `up` has left", self.id),
                )
            } else if self.containers.is_empty() {
                Error::missing(format!("cluster {} is down, and only its data is left", self.id))
                    .hint("`pgha up` in the folder of its compose file brings it back")
            } else {
                Error::failed(format!("the labels of cluster {} cannot be read", self.id))
                    .hint("it was made by another version of pgha: use that one")
            }
        })
    }

    /// The change of its members that is going on.
    ///
    /// # Errors
    /// When another version of pgha has begun it.
    pub(crate) fn change(&self) -> Result<Option<Journal>> {
        self.records.last().map_or(Ok(None), Record::journal)
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
    let labelled =
        |label: &str| Some(HashMap::from([("label".to_owned(), vec![label.to_owned()])]));
    let filters = || labelled(LABEL_CLUSTER);
    let containers = ListContainersOptions { all: true, filters: filters(), ..Default::default() };
    let looks = ListContainersOptions { filters: labelled(LABEL_LOOK), ..containers.clone() };
    let api = engine.api();
    let (containers, looks, networks, volumes) = tokio::join!(
        api.list_containers(Some(containers)),
        api.list_containers(Some(looks)),
        api.list_networks(Some(ListNetworksOptions { filters: filters() })),
        api.list_volumes(Some(ListVolumesOptions { filters: filters() })),
    );
    let mut clusters = group(
        containers.or_fail("cannot list containers")?,
        looks.or_fail("cannot list containers")?,
        networks.or_fail("cannot list networks")?,
        volumes.or_fail("cannot list volumes")?.volumes.unwrap_or_default(),
    );
    let asleep = clusters.iter_mut().flat_map(|c| &mut c.containers).filter(|c| {
        c.ports.is_empty() && !matches!(c.state, ContainerState::Running | ContainerState::Paused)
    });
    join_all(asleep.map(async |container| {
        container.ports = configured_ports(engine, &container.name).await.unwrap_or_default();
    }))
    .await;
    Ok(clusters)
}

/// Connects nothing, asks nothing: sorts what the engine listed by cluster.
fn group(
    containers: Vec<ContainerSummary>,
    looks: Vec<ContainerSummary>,
    networks: Vec<Network>,
    volumes: Vec<Volume>,
) -> Vec<Cluster> {
    let mut clusters: BTreeMap<ClusterId, Cluster> = BTreeMap::new();
    // By cluster: `None` where the labels of a container cannot be read.
    let mut described: BTreeMap<ClusterId, Option<Described>> = BTreeMap::new();
    let mut mounts = Vec::new();
    for container in containers {
        let labels = container.labels.clone().unwrap_or_default();
        let Some(cluster) = id(&labels).map(|id| of(&mut clusters, id)) else { continue };
        for mount in container.mounts.iter().flatten() {
            let is_volume = mount.typ.as_deref() == Some("volume");
            mounts.extend(mount.name.clone().filter(|_| is_volume).map(|volume| Mount {
                by: cluster.id.clone(),
                uid: labels.get(LABEL_UID).cloned(),
                volume,
            }));
        }
        match (described.get_mut(&cluster.id), Described::by(&labels)) {
            (None, first) => {
                described.insert(cluster.id.clone(), first);
            }
            (Some(known), next) => keep_newer(known, next),
        }
        cluster.compose = cluster.compose.take().or_else(|| compose(&labels));
        cluster.learn(&labels);
        cluster.containers.push(fact(container));
    }
    for look in looks {
        let whose = look.labels.as_ref().and_then(|labels| labels.get(LABEL_LOOK));
        if let Some(id) = whose.and_then(|text| parse_id(text)) {
            of(&mut clusters, id).looks.push(fact(look));
        }
    }
    for network in networks {
        let labels = network.labels.unwrap_or_default();
        let Some(cluster) = id(&labels).map(|id| of(&mut clusters, id)) else { continue };
        cluster.learn(&labels);
        keep_newer_where_said(described.get_mut(&cluster.id), &labels);
        let subnet = network
            .ipam
            .and_then(|ipam| ipam.config)
            .and_then(|config| config.into_iter().find_map(|c| c.subnet));
        cluster.networks.push(NetworkFact {
            id: network.id.unwrap_or_default(),
            name: network.name.unwrap_or_default(),
            subnet,
        });
    }
    let mut labelled = BTreeSet::new();
    for volume in volumes {
        if let Some(id) = id(&volume.labels) {
            let cluster = of(&mut clusters, id);
            if let Some(fault) = Recorded::by(&volume) {
                cluster.faults.push(fault);
                continue;
            }
            cluster.learn(&volume.labels);
            keep_newer_where_said(described.get_mut(&cluster.id), &volume.labels);
            if let Some(record) = Record::by(&volume) {
                cluster.records.push(record);
                continue;
            }
            labelled.insert(volume.name.clone());
            cluster.volumes.push(volume.name);
        }
    }
    for (id, description) in described {
        let instance = id.instance;
        of(&mut clusters, id).topology =
            description.map(|Described { spec, layout }| Topology::with(spec, instance, layout));
    }
    for (id, name) in unlabelled(&clusters, &mounts, &labelled) {
        of(&mut clusters, id).volumes.push(name);
    }
    let mut clusters: Vec<Cluster> = clusters.into_values().collect();
    for cluster in &mut clusters {
        cluster.containers.sort_by(|a, b| a.name.cmp(&b.name));
        cluster.looks.sort_by(|a, b| a.name.cmp(&b.name));
        cluster.networks.sort_by(|a, b| a.name.cmp(&b.name));
        cluster.volumes.sort();
        cluster.faults.sort_by(|a, b| a.fault.at.cmp(&b.fault.at));
        cluster.records.sort_by_key(|record| record.number);
    }
    clusters
}

/// A volume that a cluster's container has mounted.
#[derive(Debug)]
struct Mount {
    by: ClusterId,
    /// The unique number on the container.
    uid: Option<String>,
    volume: String,
}

/// Volumes that are a cluster's and have no label. An engine that starts a container whose volume is gone
/// makes a plain one of that name.
///
/// They are told by who uses them: containers of that one cluster, with its unique number; and by the
/// name, which has to be one that the cluster's compose file declares.
fn unlabelled(
    clusters: &BTreeMap<ClusterId, Cluster>,
    mounts: &[Mount],
    labelled: &BTreeSet<String>,
) -> BTreeSet<(ClusterId, String)> {
    let own = |mount: &&Mount| {
        let declared = clusters.get(&mount.by).and_then(|cluster| cluster.topology.as_ref());
        let name = &mount.volume;
        !labelled.contains(name)
            && declared.is_some_and(|topology| render::volumes(topology).contains(name))
            && mounts
                .iter()
                .filter(|other| other.volume == *name)
                .all(|other| other.by == mount.by && other.uid.is_some() && other.uid == mount.uid)
    };
    mounts.iter().filter(own).map(|mount| (mount.by.clone(), mount.volume.clone())).collect()
}

/// The clusters of containers with these labels.
#[cfg(test)]
pub(crate) fn topologies(labels: impl Iterator<Item = HashMap<String, String>>) -> Vec<Topology> {
    let container =
        |labels| ContainerSummary { labels: Some(labels), ..ContainerSummary::default() };
    let found = group(labels.map(container).collect(), Vec::new(), Vec::new(), Vec::new());
    found.into_iter().filter_map(|cluster| cluster.topology).collect()
}

/// Whose something is, by its labels.
fn id(labels: &HashMap<String, String>) -> Option<ClusterId> {
    Some(ClusterId {
        name: labels.get(LABEL_CLUSTER)?.clone(),
        instance: labels.get(LABEL_INSTANCE)?.parse().ok()?,
    })
}

/// `demo-1`.
fn parse_id(text: &str) -> Option<ClusterId> {
    let (name, instance) = text.rsplit_once('-')?;
    Some(ClusterId { name: name.to_owned(), instance: instance.parse().ok()? })
}

fn of(clusters: &mut BTreeMap<ClusterId, Cluster>, id: ClusterId) -> &mut Cluster {
    clusters.entry(id.clone()).or_insert_with(|| Cluster {
        id,
        topology: None,
        containers: Vec::new(),
        looks: Vec::new(),
        networks: Vec::new(),
        volumes: Vec::new(),
        faults: Vec::new(),
        records: Vec::new(),
        compose: None,
        project: None,
        drill: None,
        spec: None,
        uids: BTreeSet::new(),
    })
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
    let role = container.labels.as_ref().and_then(|labels| Role::parse(labels.get(LABEL_ROLE)?));
    ContainerFact {
        id: container.id.unwrap_or_default(),
        role,
        name: name.trim_start_matches('/').to_owned(),
        state,
        detail: container.status.unwrap_or_default(),
        ports: container
            .ports
            .unwrap_or_default()
            .into_iter()
            .filter_map(|port| Some((port.private_port, port.public_port?)))
            .collect(),
    }
}

/// The project of a container. Compose v1 may have written file names as they were given; several
/// files are separated by commas, and the first is the cluster's own.
fn compose(labels: &HashMap<String, String>) -> Option<Compose> {
    let label = |name: &str| labels.get(&format!("{LABEL_PROJECT}{name}"));
    let working_dir = PathBuf::from(label(".working_dir").map_or("", String::as_str));
    let file = label(".config_files")?.split(',').next()?;
    Some(Compose { file: working_dir.join(Path::new(file)), working_dir })
}

/// The ports that a container which does not run would be published on, by those inside.
async fn configured_ports(engine: &Engine, name: &str) -> Option<BTreeMap<u16, u16>> {
    let container = engine.api().inspect_container(name, None).await.ok()?;
    let bindings = container.host_config?.port_bindings?;
    let ports = bindings.into_iter().filter_map(|(inside, bound)| {
        let bound = bound?.into_iter().find_map(|binding| binding.host_port?.parse().ok())?;
        Some((inside.strip_suffix("/tcp")?.parse().ok()?, bound))
    });
    Some(ports.collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::generated::tests::Place;
    use bollard::models::{MountPoint, PortSummary};
    use pgha_core::layout::{LABEL_LAYOUT, Layout};

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
                public_port: Some(25551),
                ..PortSummary::default()
            }]),
            labels: Some(labels),
            ..ContainerSummary::default()
        }
    }

    fn volume(name: &str, instance: u32) -> Volume {
        Volume { name: "v".to_owned(), labels: labels(name, instance), ..Volume::default() }
    }

    /// The same, with this unique number.
    pub(crate) fn with_uid(mut clusters: Vec<Cluster>, uid: Option<&str>) -> Vec<Cluster> {
        for cluster in &mut clusters {
            cluster.uids = BTreeSet::from([uid.map(str::to_owned)]);
        }
        clusters
    }

    /// The running cluster of these files.
    pub(crate) fn made_from(place: &Place) -> Cluster {
        let id = &place.topology.id;
        let containers = place.topology.containers().into_iter().map(|name| {
            let mut made = container(&id.name, id.instance, &name);
            let labels = made.labels.as_mut().expect("labels");
            labels.insert(LABEL_SPEC.to_owned(), place.topology.spec.to_toml());
            labels.insert(LABEL_LAYOUT.to_owned(), place.topology.layout.to_string());
            labels.extend(place.uid.clone().map(|uid| (LABEL_UID.to_owned(), uid)));
            let file = place.file.display().to_string();
            labels.insert(format!("{LABEL_PROJECT}.config_files"), file);
            made
        });
        group(containers.collect(), vec![], vec![], vec![]).remove(0)
    }

    /// The cluster of these files, whose containers, each with the layout that it was made with and whether it runs, and
    /// volumes, each with its labels, are as the engine lists them.
    pub(crate) fn listed<'a>(
        place: &Place,
        containers: impl Iterator<Item = (&'a String, &'a (String, bool))>,
        volumes: impl Iterator<Item = (&'a String, &'a HashMap<String, String>)>,
    ) -> Cluster {
        let id = &place.topology.id;
        let containers = containers.map(|(name, (layout, runs))| {
            let mut made = container(&id.name, id.instance, name);
            let labels = made.labels.as_mut().expect("labels");
            labels.insert(LABEL_SPEC.to_owned(), place.topology.spec.to_toml());
            labels.insert(LABEL_LAYOUT.to_owned(), layout.clone());
            labels.extend(place.uid.clone().map(|uid| (LABEL_UID.to_owned(), uid)));
            let file = place.file.display().to_string();
            labels.insert(format!("{LABEL_PROJECT}.config_files"), file);
            made.id = Some(name.clone());
            if !runs {
                made.state = Some(ContainerSummaryStateEnum::EXITED);
            }
            made
        });
        let volumes = volumes.map(|(name, labels)| Volume {
            name: name.clone(),
            labels: labels.clone(),
            ..Volume::default()
        });
        group(containers.collect(), vec![], vec![], volumes.collect()).remove(0)
    }

    pub(crate) fn three() -> Vec<Cluster> {
        group(
            vec![
                container("demo", 2, "pgha-demo1-DC1-2"),
                container("demo", 1, "pgha-demo1-DC1-1"),
            ],
            vec![],
            vec![],
            vec![volume("shop", 3)],
        )
    }

    #[test]
    fn clusters_are_told_apart_by_name_and_instance() {
        let clusters = three();
        let ids: Vec<String> = clusters.iter().map(|c| c.id.to_string()).collect();
        assert_eq!(ids, ["demo-1", "demo-2", "shop-3"]);
        assert_eq!(clusters[0].containers[0].host_port(), Some(25551));
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
    fn a_volume_without_labels_is_a_clusters_by_who_mounts_it_and_by_its_name() {
        const VOLUME: &str = "volume";
        const NODE: &str = "pgha-demo1-DC1-1";
        let found = |mounts: &[(&str, &str, &str, Option<&str>, u32)], more| {
            let containers = mounts.iter().map(|&(member, typ, volume, uid, instance)| {
                let mut made = container("demo", instance, member);
                let uid = uid.map(|uid| (LABEL_UID.to_owned(), uid.to_owned()));
                made.labels.as_mut().expect("labels").extend(uid);
                let (typ, name) = (Some(typ.to_owned()), Some(volume.to_owned()));
                made.mounts = Some(vec![MountPoint { typ, name, ..MountPoint::default() }]);
                made
            });
            let clusters = group(containers.collect(), vec![], vec![], more);
            clusters.into_iter().flat_map(|c| c.volumes).collect::<Vec<_>>()
        };
        let own = (NODE, VOLUME, NODE, Some("x"), 1);
        assert_eq!(found(&[own], vec![]), [NODE]);
        // One that has its label already is there once.
        let labelled = Volume { name: NODE.to_owned(), ..volume("demo", 1) };
        assert_eq!(found(&[own], vec![labelled]), [NODE]);
        // The compose file declares no such volume, or the mount is a folder, or nobody knows whose it is.
        for other in [
            (NODE, VOLUME, "photos", Some("x"), 1),
            (NODE, "bind", NODE, Some("x"), 1),
            (NODE, VOLUME, NODE, None, 1),
        ] {
            assert_eq!(found(&[other], vec![]), [""; 0], "{other:?}");
        }
        // Somebody else's by their mount, by their number, or by the label.
        for other in [("a", VOLUME, NODE, Some("y"), 2), ("a", VOLUME, NODE, Some("y"), 1)] {
            assert_eq!(found(&[own, other], vec![]), [""; 0], "{other:?}");
        }
        let others = Volume { name: NODE.to_owned(), ..volume("shop", 3) };
        assert_eq!(found(&[own], vec![others.clone()]), [NODE], "it is shop-3's");
        let clusters = group(vec![container("demo", 1, NODE)], vec![], vec![], vec![others]);
        assert!(clusters[0].volumes.is_empty() && clusters[1].volumes == [NODE]);
    }

    #[test]
    fn the_newest_layout_of_all_labels_is_the_clusters() {
        const SECOND: &str = "2 d1 x2 p1*2 e1*3 b2 p1@2";
        const THIRD: &str = "3 d1 x2 p1*2 e1*3 b2 p1@2!3";
        let with = |layout: Option<&str>, member: &str| {
            let mut made = container("demo", 1, member);
            let label = layout.map(|text| (LABEL_LAYOUT.to_owned(), text.to_owned()));
            made.labels.as_mut().expect("labels").extend(label);
            made
        };
        let spec = Spec { name: "demo".to_owned(), ..Spec::default() };
        let of = |text: &str| {
            let layout = Layout::parse(text, &spec).expect("a layout");
            Some(Topology::with(spec.clone(), 1, layout))
        };
        let topology = |layouts: &[Option<&str>], volumes: Vec<Volume>| {
            let members = layouts.iter().map(|layout| with(*layout, "pgha-demo1-DC1-1"));
            group(members.collect(), vec![], vec![], volumes).remove(0).topology
        };
        assert_eq!(topology(&[None], vec![]), of("1"));
        assert_eq!(topology(&[None, Some(SECOND), Some("1")], vec![]), of(SECOND));
        assert_eq!(topology(&[Some(THIRD), Some(SECOND), None], vec![]), of(THIRD));
        let mut labelled = volume("demo", 1);
        labelled.labels.insert(LABEL_SPEC.to_owned(), spec.to_toml());
        assert_eq!(topology(&[Some("1")], vec![labelled.clone()]), of("1"));
        labelled.labels.insert(LABEL_LAYOUT.to_owned(), SECOND.to_owned());
        assert_eq!(topology(&[Some("1")], vec![labelled]), of(SECOND));
        assert_eq!(topology(&[Some("1"), Some("9 of a later pgha"), Some(THIRD)], vec![]), None);
    }

    #[test]
    fn a_label_that_cannot_be_read_is_no_topology() {
        let mut odd = container("demo", 1, "pgha-demo1-DC1-1");
        odd.labels.as_mut().expect("labels").insert(LABEL_SPEC.into(), "version = 9".into());
        let clusters = group(vec![odd], vec![], vec![], vec![]);
        assert!(clusters[0].topology.is_none());
        assert_eq!(clusters[0].state(), ClusterState::Running);
    }
}
