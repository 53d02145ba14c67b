//! What this host still has free: ports on its loopback, subnets for the underlay, memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use ipnet::Ipv4Net;
use pgha_core::estimate::{HostCapacity, Needs};
use pgha_core::topology::{FIRST_HOST_PORT, HostChoices, Role, Topology};

use crate::cluster::Cluster;
use crate::error::{Error, Result};

/// Where underlay subnets are taken from. Docker's own pools and most companies' networks lie
/// elsewhere; what is in use is passed over in any case.
const UNDERLAYS: &str = "10.208.0.0/12";

/// Whether there is a program of this name to run.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Whether a server may still be published on this port of the loopback.
pub(crate) fn port_is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Subnets that this host has a route to.
pub(crate) fn routed_subnets() -> Vec<Ipv4Net> {
    // Absent on hosts other than Linux, where containers live in a machine of their own.
    fs::read_to_string("/proc/net/route").map(|text| parse_routes(&text)).unwrap_or_default()
}

/// Reads the kernel's table of routes: hexadecimal numbers in the host's byte order.
fn parse_routes(text: &str) -> Vec<Ipv4Net> {
    let number = |field: &str| u32::from_str_radix(field, 16).ok();
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let destination = Ipv4Addr::from(number(fields.get(1)?)?.to_ne_bytes());
            let mask = Ipv4Addr::from(number(fields.get(7)?)?.to_ne_bytes());
            Ipv4Net::with_netmask(destination, mask).ok()
        })
        // The default route leads everywhere and takes nothing.
        .filter(|net| net.prefix_len() > 0)
        .collect()
}

/// Memory that new processes may use, in bytes; `None` where the kernel does not say.
pub(crate) fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// What clusters that may not be running right now have taken.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Ports of the loopback.
    pub(crate) ports: BTreeSet<u16>,
    /// Subnets of networks.
    pub(crate) subnets: Vec<Ipv4Net>,
}

impl Taken {
    /// What clusters that are there have taken, running or not.
    pub(crate) fn by(clusters: &[Cluster]) -> Self {
        let networks = clusters.iter().flat_map(|c| &c.networks);
        Self {
            ports: clusters
                .iter()
                .flat_map(|c| &c.containers)
                .filter_map(|c| c.host_port)
                .collect(),
            subnets: networks.filter_map(|n| n.subnet.as_ref()?.parse().ok()).collect(),
        }
    }
}

/// What this host has to give, as far as `needs` asks.
pub(crate) fn capacity(needs: &Needs, taken: &Taken) -> HostCapacity {
    let at_most = |wanted: u32| usize::try_from(wanted).unwrap_or(usize::MAX);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    HostCapacity {
        // A host that does not say is not refused.
        memory_available_bytes: available_memory().unwrap_or(u64::MAX),
        free_subnets: count(free_subnets(taken).take(at_most(needs.subnets)).count()),
        free_ports: count(free_ports(taken).take(at_most(needs.ports)).count()),
    }
}

/// Chooses a port for every Postgres node and a subnet for every site.
///
/// # Errors
/// When there are not enough left.
pub(crate) fn choose(topology: &Topology, taken: &Taken) -> Result<HostChoices> {
    let nodes: Vec<_> = topology.of_role(Role::Postgres).map(|m| m.name.clone()).collect();
    let (wanted, sites) = (nodes.len(), topology.sites.len());
    let ports: BTreeMap<_, _> = nodes.into_iter().zip(free_ports(taken)).collect();
    let subnets: Vec<_> = free_subnets(taken).take(sites).collect();
    if ports.len() < wanted || subnets.len() < sites {
        return Err(Error::failed("this host has too few free ports or subnets").because(format!(
            "{} of {wanted} ports from {FIRST_HOST_PORT} upward, {} of {sites} subnets in {UNDERLAYS}",
            ports.len(),
            subnets.len()
        )));
    }
    Ok(HostChoices { ports, subnets })
}

/// Ports of the loopback that nothing listens on and no cluster has.
pub(crate) fn free_ports(taken: &Taken) -> impl Iterator<Item = u16> {
    (FIRST_HOST_PORT..=u16::MAX).filter(|port| !taken.ports.contains(port) && port_is_free(*port))
}

/// Every /24 of the range for underlays that overlaps no route and no network.
fn free_subnets(taken: &Taken) -> impl Iterator<Item = Ipv4Net> {
    let used: Vec<_> = routed_subnets().into_iter().chain(taken.subnets.iter().copied()).collect();
    let range: Ipv4Net = UNDERLAYS.parse().expect("a constant");
    range
        .subnets(24)
        .expect("the range is wider")
        .filter(move |net| !used.iter().any(|other| other.contains(net) || net.contains(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_and_the_default_route_takes_nothing() {
        let text = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
                    eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\n\
                    br-1\t0000D50A\t00000000\t0001\t0\t0\t0\t00FFFFFF\n";
        assert_eq!(parse_routes(text), ["10.213.0.0/24".parse().expect("a subnet")]);
    }

    #[test]
    fn a_subnet_inside_or_around_a_taken_one_is_passed_over() {
        let subnet = |text: &str| text.parse::<Ipv4Net>().expect("a subnet");
        let subnets = vec![subnet("10.208.0.0/16"), subnet("10.209.0.128/25")];
        let taken = Taken { subnets, ..Taken::default() };
        assert_eq!(free_subnets(&taken).find(|n| *n < subnet("10.209.0.0/24")), None);
        assert_eq!(free_subnets(&taken).find(|n| *n == subnet("10.209.0.0/24")), None);
        assert!(free_subnets(&taken).count() > 1000);
    }
}
