//! What this host still has free: ports on its loopback, subnets for the underlay, memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use ipnet::Ipv4Net;
use pgha_core::topology::{FIRST_HOST_PORT, HostChoices, Role, Topology};

use crate::error::{Error, Result};

/// The second bytes of 10.0.0.0/8 that underlay subnets are taken from. Docker's own pools and
/// most companies' networks lie elsewhere; what is in use is passed over in any case.
const UNDERLAY_SECOND_BYTES: std::ops::RangeInclusive<u8> = 213..=219;

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

/// Chooses a port for every Postgres node and a subnet for every site.
///
/// `ports_taken` and `subnets_taken` are those of clusters that may not be running right now.
///
/// # Errors
/// When there are not enough left.
pub(crate) fn choose(
    topology: &Topology,
    ports_taken: &BTreeSet<u16>,
    subnets_taken: &[Ipv4Net],
) -> Result<HostChoices> {
    let mut free = (FIRST_HOST_PORT..=u16::MAX)
        .filter(|port| !ports_taken.contains(port) && port_is_free(*port));
    let mut ports = BTreeMap::new();
    for member in topology.of_role(Role::Postgres) {
        let port = free.next().ok_or_else(|| {
            Error::failed("there are not enough free ports on this host").because(format!(
                "{} ports from {FIRST_HOST_PORT} upward are needed",
                ports.len() + 1
            ))
        })?;
        ports.insert(member.name.clone(), port);
    }
    let mut taken = routed_subnets();
    taken.extend_from_slice(subnets_taken);
    let subnets: Vec<_> = free_subnets(&taken).take(topology.sites.len()).collect();
    if subnets.len() < topology.sites.len() {
        return Err(Error::failed("there are not enough free subnets on this host")
            .because(format!("{} sites need a /24 each", topology.sites.len())));
    }
    Ok(HostChoices { ports, subnets })
}

/// Every /24 of the range for underlays that overlaps nothing in `taken`.
fn free_subnets(taken: &[Ipv4Net]) -> impl Iterator<Item = Ipv4Net> {
    UNDERLAY_SECOND_BYTES
        .flat_map(|second| (0..=u8::MAX).map(move |third| (second, third)))
        .map(|(second, third)| Ipv4Net::new_assert(Ipv4Addr::new(10, second, third, 0), 24))
        .filter(move |net| !taken.iter().any(|other| other.contains(net) || net.contains(other)))
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
        let taken = [
            "10.213.0.0/23".parse().expect("a subnet"),
            "10.213.2.128/25".parse().expect("a subnet"),
        ];
        let first = free_subnets(&taken).next().expect("there are others");
        assert_eq!(first, "10.213.3.0/24".parse().expect("a subnet"));
    }
}
