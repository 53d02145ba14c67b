//! A compose file that is already there: whose it is, and the choices it keeps.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ipnet::Ipv4Net;
use pgha_core::render::DOCKER_COMPOSE_HEADER;
use pgha_core::spec::Spec;
use pgha_core::topology::{HostChoices, Role, Topology};
use serde::Deserialize;

use crate::error::{Error, OrFail, Result};

/// What stands where a compose file is to be written.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// A file that pgha did not write.
    Foreign,
    /// A cluster of pgha's, with the choices that were made for it.
    Cluster(Box<(Topology, HostChoices)>),
}

/// The parts of the file that pgha reads back.
#[derive(Debug, Deserialize)]
struct File {
    #[serde(rename = "x-spec")]
    spec: String,
    #[serde(rename = "x-labels")]
    labels: BTreeMap<String, String>,
    services: BTreeMap<String, Service>,
    networks: BTreeMap<String, Network>,
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
    let file: File = serde_saphyr::from_str(&text).map_err(|e| changed(e.to_string()))?;
    let spec = Spec::from_toml(&file.spec).map_err(|e| changed(e.to_string()))?;
    let instance = file
        .labels
        .get("pgha.instance")
        .and_then(|n| n.parse().ok())
        .ok_or_else(|| changed("the label pgha.instance is missing".to_owned()))?;
    if pgha_core::lint::has_errors(&pgha_core::lint::check(&spec)) {
        return Err(changed("its specification describes no possible cluster".to_owned()));
    }
    let topology = Topology::new(spec, instance);
    let mut ports = BTreeMap::new();
    for member in topology.of_role(Role::Postgres) {
        let port = file.services.get(&member.name).and_then(|service| {
            service.ports.iter().find_map(|p| p.split(':').rev().nth(1)?.parse().ok())
        });
        let port = port.ok_or_else(|| changed(format!("{} has no port", member.name)))?;
        ports.insert(member.name.clone(), port);
    }
    let mut subnets = Vec::new();
    for site in &topology.sites {
        let subnet = file.networks.get(&site.network).and_then(|n| n.ipam.config.first());
        let subnet = subnet.ok_or_else(|| changed(format!("{} has no subnet", site.network)))?;
        subnets.push(subnet.subnet);
    }
    Ok(Found::Cluster(Box::new((topology, HostChoices { ports, subnets }))))
}

/// Moves a file or folder out of the way, to the same name with `.old`, replacing an older one.
pub(crate) fn set_aside(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let mut old = path.as_os_str().to_owned();
    old.push(".old");
    let old = Path::new(&old);
    let what = || format!("cannot move {} to {}", path.display(), old.display());
    if old.is_dir() {
        fs::remove_dir_all(old).or_fail(what())?;
    }
    fs::rename(path, old).or_fail(what())
}
