//! A compose file that is already there: whose it is, and the choices it keeps.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ipnet::Ipv4Net;
use pgha_core::layout::Layout;
use pgha_core::ownership::{Identity, LABEL_DRILL, LABEL_UID};
use pgha_core::render::{DOCKER_COMPOSE_HEADER, NODE_CERTIFICATE, unescaped};
use pgha_core::spec::Spec;
use pgha_core::topology::{HostChoices, MAX_MEMBERS, Topology};
use serde::Deserialize;

use crate::error::{Error, Result};

/// What stands where a compose file is to be written.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// A file that pgha did not write.
    Foreign,
    /// A cluster of pgha's.
    Cluster(Box<There>),
}

/// A cluster as its compose file has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct There {
    /// The cluster.
    pub(crate) topology: Topology,
    /// What was chosen for it.
    pub(crate) choices: HostChoices,
    /// Its nodes share one certificate: an earlier pgha wrote it.
    pub(crate) shared_certificate: bool,
}

impl There {
    /// Which cluster it is.
    pub(crate) fn identity(&self) -> Identity {
        Identity { id: self.topology.id.clone(), uid: self.choices.uid.clone() }
    }
}

/// The parts of the file that pgha reads back.
#[derive(Debug, Deserialize)]
struct File {
    #[serde(rename = "x-spec")]
    spec: String,
    /// None where an earlier pgha wrote it.
    #[serde(rename = "x-layout")]
    layout: Option<String>,
    #[serde(rename = "x-labels")]
    labels: BTreeMap<String, String>,
    services: BTreeMap<String, Service>,
    networks: BTreeMap<String, Network>,
    #[serde(default)]
    secrets: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Service {
    #[serde(default)]
    ports: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Network {
    ipam: Ipam,
}

#[derive(Debug, Deserialize)]
struct Ipam {
    config: Vec<Subnet>,
}

#[derive(Debug, Deserialize)]
struct Subnet {
    subnet: Ipv4Net,
}

/// Looks at what stands at `path`.
///
/// # Errors
/// When it cannot be read, or is pgha's and was changed beyond understanding.
pub(crate) fn read(path: &Path) -> Result<Found> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(e) if e.kind() == std::io::ErrorKind::InvalidData => return Ok(Found::Foreign),
        Err(e) => {
            return Err(Error::bad_input(format!("cannot read {}", path.display())).because(e));
        }
    };
    if !text.contains(DOCKER_COMPOSE_HEADER) {
        return Ok(Found::Foreign);
    }
    let changed = |why: String| {
        Error::bad_input(format!("{} was changed so that it cannot be read back", path.display()))
            .because(why)
            .hint("`pgha generate --force` with the cluster's flags writes it anew")
    };
    let cluster = parse(&text).map_err(changed)?;
    Ok(Found::Cluster(Box::new(cluster)))
}

/// Reads the text of a compose file of pgha's; the error says what of it is not to be understood.
fn parse(text: &str) -> Result<There, String> {
    let file: File =
        serde_saphyr::from_str_with_options(text, yaml_options()).map_err(|e| e.to_string())?;
    let spec = Spec::from_toml(&unescaped(&file.spec)).map_err(|e| e.to_string())?;
    let instance = file.labels.get("pgha.instance").and_then(|n| n.parse().ok());
    let instance = instance.ok_or("the label pgha.instance is missing")?;
    if pgha_core::lint::has_errors(&pgha_core::lint::check(&spec)) {
        return Err("its specification describes no possible cluster".to_owned());
    }
    let layout = Layout::parse(file.layout.as_deref().unwrap_or("1"), &spec)?;
    let topology = Topology::with(spec, instance, layout);
    let mut ports = BTreeMap::new();
    for published in topology.published() {
        let name = &published.member.name;
        let inside = published.port.to_string();
        let on_host = |port: &String| {
            let (rest, to) = port.rsplit_once(':')?;
            let host = rest.rsplit(':').next().filter(|_| to == inside)?;
            host.parse().ok()
        };
        let port = file.services.get(name).and_then(|s| s.ports.iter().find_map(on_host));
        let port = port.ok_or_else(|| format!("{name} does not publish its port {inside}"))?;
        ports.insert(published.key(), port);
    }
    let mut subnets = Vec::new();
    for site in &topology.sites {
        let subnet = file.networks.get(&site.network).and_then(|n| n.ipam.config.first());
        let subnet = subnet.ok_or_else(|| format!("{} has no subnet", site.network))?;
        subnets.push(subnet.subnet);
    }
    // Compose reads a `$` of the path as the start of a variable, and so does this.
    let drill = file.labels.get(LABEL_DRILL).map(|folder| unescaped(folder));
    let choices = HostChoices { ports, subnets, uid: file.labels.get(LABEL_UID).cloned(), drill };
    let shared_certificate = file.secrets.contains_key(NODE_CERTIFICATE[0]);
    Ok(There { topology, choices, shared_certificate })
}

/// What the parser may spend. Every member refers to the addresses of all members, and in a file of an earlier
/// pgha to a handful of other anchors; the limits are those of the largest cluster, some times over.
fn yaml_options() -> serde_saphyr::Options {
    let members = MAX_MEMBERS as usize;
    let events = members * (members + 1000) * 2;
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            enforce_alias_anchor_ratio: false,
            max_events: events,
            max_nodes: events,
        },
        // What is read of a member stands at the member itself.
        merge_keys: serde_saphyr::options::MergeKeyPolicy::AsOrdinary,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: events },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use pgha_core::lint;
    use pgha_core::render;
    use proptest::prelude::*;

    use super::*;
    use crate::generated::tests::choices;
    use pgha_core::layout::Change;
    use pgha_core::topology::Role;

    #[derive(Deserialize)]
    struct Labels {
        services: BTreeMap<String, Labelled>,
    }

    #[derive(Deserialize)]
    struct Labelled {
        labels: HashMap<String, String>,
    }

    /// Generates the cluster of a spec and reads it back.
    fn check(spec: Spec, instance: u32) {
        assert!(!lint::has_errors(&lint::check(&spec)), "{spec:?}");
        check_topology(&Topology::new(spec, instance));
    }

    fn check_topology(topology: &Topology) {
        let topology = topology.clone();
        let choices = HostChoices {
            drill: Some("/srv/$drill-1".to_owned()),
            ..choices(&topology, Some("0123456789abcdef"))
        };
        let text = render::compose(&topology, &choices, "./a$b.secrets");
        assert_eq!(
            parse(&text),
            Ok(There { topology: topology.clone(), choices, shared_certificate: false })
        );

        let file: Labels =
            serde_saphyr::from_str_with_options(&text, yaml_options()).expect("YAML");
        let names: BTreeSet<_> = file.services.keys().cloned().collect();
        assert_eq!(names, topology.containers().into_iter().collect());
        let labels = file.services.values().map(|service| {
            let labels = service.labels.iter();
            labels.map(|(key, value)| (key.clone(), unescaped(value))).collect()
        });
        assert_eq!(crate::cluster::topologies(labels), [topology]);
    }

    #[test]
    fn clusters_at_the_limits_are_read_back_and_found_by_their_labels() {
        let of = |data_centers, nodes, etcd, must_suffice| Spec {
            data_centers,
            nodes,
            etcd,
            must_suffice,
            ..Spec::default()
        };
        for spec in [
            of(5, 4, None, 1),
            of(1, 150, None, 1),
            of(249, 3, None, 249),
            of(1, 2, Some(97), 1),
            of(9, 99, Some(11), 9),
        ] {
            check(spec, 9999);
        }
    }

    #[test]
    fn a_changed_layout_is_read_back_and_one_that_is_damaged_is_not() {
        let spec = Spec { data_centers: 2, ..Spec::default() };
        let node = Change::AddMember(Role::Postgres, 4);
        let changes = [Change::AddDataCenter, node, node, Change::RemoveMember(1)];
        let layout = Layout::of(&spec).changed(&changes).expect("a layout");
        let topology = Topology::with(spec, 1, layout);
        check_topology(&topology);
        let text = render::compose(&topology, &choices(&topology, None), "./a.secrets");
        let damaged = text.replace("x-layout: \"2 ", "x-layout: \"2 b3 ");
        assert!(damaged != text && parse(&damaged).is_err());
    }

    #[test]
    fn a_file_of_an_earlier_pgha_is_generation_1_with_one_certificate() {
        let text = include_str!("../tests/cluster/recorded/docker-compose.yaml");
        let there = parse(text).expect("a file of pgha's");
        let spec = Spec { name: "recorded".to_owned(), data_centers: 2, ..Spec::default() };
        assert_eq!(there.topology, Topology::new(spec, 8999));
        assert!(there.shared_certificate);
        assert_eq!(there.choices.uid.as_deref(), Some("2879343b242259f3"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn a_cluster_that_is_planned_is_read_back_and_found_by_its_labels(
            data_centers in 1u32..=12,
            nodes in 1u32..=12,
            etcd in prop::option::of(1u32..=5),
            must_suffice in 1u32..=12,
            pgbouncer: bool,
            path in "/[a-z$ {}\"'\\\\#:é-]{0,12}",
            instance in 1u32..=9999,
        ) {
            let mut spec = Spec { data_centers, nodes, etcd, must_suffice, ..Spec::default() };
            spec.proxy = pgha_core::spec::ProxySpec { haproxy: true, pgbouncer };
            spec.backup.repo2 = Some(pgha_core::spec::Repo2::Posix { path: Some(path) });
            prop_assume!(!lint::has_errors(&lint::check(&spec)));
            check(spec, instance);
        }
    }
}
