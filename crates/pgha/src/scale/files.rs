//! The compose file and the secrets of a newer layout: what members that are there have stays as it is.

use std::collections::BTreeMap;

use pgha_core::render;
use pgha_core::topology::{HostChoices, Role, Topology};

use crate::cluster::Cluster;
use crate::compose_file::{self, Found, There};
use crate::error::{Error, Result};
use crate::generated;
use crate::host::{self, Taken};
use crate::provider::Provider;
use crate::scale::Scaling;
use crate::secrets;

impl<P: Provider> Scaling<P> {
    /// Makes the secrets that a topology has and that are not there yet.
    pub(super) fn make_secrets(&self, topology: &Topology) -> Result<()> {
        secrets::create(topology, false, &secrets::dir_of(&self.file), &self.identity)
    }

    /// Writes the compose file of a topology, unless it is as new already.
    pub(super) fn write_file(&self, topology: &Topology, existing: &[Cluster]) -> Result<()> {
        let there = match compose_file::read(&self.file)? {
            Found::Cluster(there) if there.identity() == self.identity => there,
            _ => {
                return Err(Error::missing(format!(
                    "{} is no longer the compose file of cluster {}",
                    self.file.display(),
                    self.id()
                ))
                .hint("put it back"));
            }
        };
        self.make_secrets(topology)?;
        if there.topology.layout.generation() >= topology.layout.generation() {
            return Ok(());
        }
        let choices = choices(*there, topology, &Taken::by(existing))?;
        let dir = secrets::dir_of(&self.file);
        let relative = format!("./{}", dir.file_name().unwrap_or_default().to_string_lossy());
        generated::write_whole(&self.file, &render::compose(topology, &choices, &relative))
    }
}

/// What was chosen, and ports and subnets for what is new.
fn choices(there: There, topology: &Topology, taken: &Taken) -> Result<HostChoices> {
    let HostChoices { ports, subnets, uid, drill } = there.choices;
    let known: BTreeMap<u8, _> =
        there.topology.sites.iter().map(|site| site.number).zip(subnets).collect();
    let free = host::free_ports(taken).filter(|port| !ports.values().any(|used| used == port));
    let nodes: Vec<String> = topology.of_role(Role::Postgres).map(|m| m.name.clone()).collect();
    let new = nodes.iter().filter(|name| !ports.contains_key(*name)).cloned();
    let mut all: BTreeMap<String, u16> = new.zip(free).collect();
    all.extend(ports.iter().map(|(name, port)| (name.clone(), *port)));
    all.retain(|name, _| nodes.contains(name));
    if all.len() < nodes.len() {
        return Err(Error::failed("this host has too few free ports on 127.0.0.1"));
    }
    let more = topology.sites.iter().filter(|site| !known.contains_key(&site.number)).count();
    let mut more = host::more_subnets(taken, more)?.into_iter();
    let subnet = |site: &pgha_core::topology::Site| known.get(&site.number).copied();
    let subnets = topology.sites.iter().filter_map(|site| subnet(site).or_else(|| more.next()));
    Ok(HostChoices { ports: all, subnets: subnets.collect(), uid, drill })
}
