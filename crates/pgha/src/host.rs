//! What this host still has free: ports on its loopback, subnets for the underlay, memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use ipnet::Ipv4Net;
use pgha_core::estimate::{HostCapacity, Needs};
use pgha_core::topology::{FIRST_HOST_PORT, HostChoices, Published, Topology};

use crate::cluster::Cluster;
use crate::error::{Error, Result};

/// Where underlay subnets are taken from, unless another range is given. Docker's own pools and most
/// companies' networks lie elsewhere; what is in use is passed over in any case.
pub(crate) const UNDERLAYS: &str = "10.208.0.0/12";
/// Length of the prefix of an underlay subnet.
const UNDERLAY_PREFIX: u8 = 24;

/// How long a program on this host may take to accept a connection.
const CONNECT_DEADLINE: Duration = Duration::from_millis(500);

/// Whether a server may still be published on this port of the loopback.
pub(crate) fn port_is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Whether a program listens on this port of the loopback. One that is merely an end of somebody's connection is free again
/// when that ends.
pub(crate) fn port_is_taken(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    !port_is_free(port)
        && !TcpStream::connect_timeout(&address, CONNECT_DEADLINE).is_err_and(refused)
}

/// The networks that this host is in or knows a way to.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    /// Those of its interfaces, bridges of Docker among them.
    interfaces: Vec<Ipv4Net>,
    /// Those that it has a route to; the default route is none.
    routes: Vec<Ipv4Net>,
}

impl Networks {
    /// Asks the kernel.
    pub(crate) fn of_this_host() -> Self {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        let of = |interface: if_addrs::Interface| match interface.addr {
            if_addrs::IfAddr::V4(v4) => Ipv4Net::new(v4.ip, v4.prefixlen).ok(),
            if_addrs::IfAddr::V6(_) => None,
        };
        // Absent on hosts other than Linux, where containers live in a machine of their own.
        let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
        Self {
            interfaces: interfaces.into_iter().filter_map(of).map(|net| net.trunc()).collect(),
            routes: parse_routes(&routes),
        }
    }

    /// The same without those that are a cluster's own: what an earlier `up` has left is in nobody's way.
    pub(crate) fn without(mut self, own: &[Ipv4Net]) -> Self {
        self.interfaces.retain(|net| !own.contains(net));
        self.routes.retain(|net| !own.contains(net));
        self
    }

    /// Whether a bridge cannot have this subnet: an interface is in it, or a route leads to a part of it.
    /// Where a wider route leads, as to a company's networks, a bridge only goes before it.
    pub(crate) fn take(&self, net: Ipv4Net) -> bool {
        self.interfaces.iter().any(|other| overlap(*other, net))
            || self.routes.iter().any(|route| net.contains(route))
    }

    /// Whether a wider route leads there.
    fn lead_to(&self, net: Ipv4Net) -> bool {
        self.routes.iter().any(|route| route.contains(&net))
    }
}

fn overlap(one: Ipv4Net, other: Ipv4Net) -> bool {
    one.contains(&other) || other.contains(&one)
}

/// Reads a range for underlay subnets.
pub(crate) fn parse_range(text: &str) -> Result<Ipv4Net, String> {
    let range: Ipv4Net =
        text.parse().map_err(|_| "a range is written like 10.208.0.0/12".to_owned())?;
    let range = range.trunc();
    if range.prefix_len() > UNDERLAY_PREFIX {
        return Err(format!("{range} has no subnet of /{UNDERLAY_PREFIX}"));
    }
    // Inside members 198.18.0.0/15 is the cluster's own.
    let unusable = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "198.18.0.0/15", "224.0.0.0/3"];
    let unusable = unusable.map(|net| net.parse::<Ipv4Net>().expect("a constant"));
    match unusable.iter().find(|net| overlap(**net, range)) {
        Some(net) => Err(format!("{range} includes addresses of {net}, which no network can have")),
        None => Ok(range),
    }
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
                .flat_map(|c| c.containers.iter().chain(&c.looks))
                .flat_map(|c| c.ports.values().copied())
                .collect(),
            subnets: networks.filter_map(|n| n.subnet.as_ref()?.parse().ok()).collect(),
        }
    }
}

/// What this host has to give, as far as `needs` asks.
pub(crate) fn capacity(needs: &Needs, taken: &Taken, range: Ipv4Net) -> HostCapacity {
    let networks = Networks::of_this_host();
    let at_most = |wanted: u32| usize::try_from(wanted).unwrap_or(usize::MAX);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    HostCapacity {
        // A host that does not say is not refused.
        memory_available_bytes: available_memory().unwrap_or(u64::MAX),
        free_subnets: count(
            free_subnets(taken, &networks, range).take(at_most(needs.subnets)).count(),
        ),
        free_ports: count(free_ports(taken).take(at_most(needs.ports)).count()),
    }
}

/// Chooses a port for everything that is published and a subnet for every site.
///
/// # Errors
/// When there are not enough left.
pub(crate) fn choose(topology: &Topology, taken: &Taken, range: Ipv4Net) -> Result<HostChoices> {
    let published: Vec<_> = topology.published().iter().map(Published::key).collect();
    let (wanted, sites) = (published.len(), topology.sites.len());
    let ports: BTreeMap<_, _> = published.into_iter().zip(free_ports(taken)).collect();
    let networks = Networks::of_this_host();
    let subnets: Vec<_> = free_subnets(taken, &networks, range).take(sites).collect();
    if ports.len() < wanted || subnets.len() < sites {
        return Err(Error::failed("this host has too few free ports or subnets").because(format!(
            "{} of {wanted} ports from {FIRST_HOST_PORT} upward, {} of {sites} subnets in {range}",
            ports.len(),
            subnets.len()
        ))
        .hint("--subnets names another range for the subnets, such as 172.24.0.0/13"));
    }
    Ok(HostChoices { ports, subnets, uid: None, drill: None })
}

/// Ports of the loopback that nothing listens on and no cluster has.
pub(crate) fn free_ports(taken: &Taken) -> impl Iterator<Item = u16> {
    (FIRST_HOST_PORT..=u16::MAX).filter(|port| !taken.ports.contains(port) && port_is_free(*port))
}

/// Subnets for further sites of a cluster that is there.
///
/// # Errors
/// When there are not enough left.
pub(crate) fn more_subnets(taken: &Taken, count: usize) -> Result<Vec<Ipv4Net>> {
    let (networks, range) = (Networks::of_this_host(), UNDERLAYS.parse().expect("a constant"));
    let found: Vec<_> = free_subnets(taken, &networks, range).take(count).collect();
    if found.len() < count {
        return Err(Error::failed("this host has too few free subnets")
            .because(format!("{} of {count} in {range}", found.len())));
    }
    Ok(found)
}

/// Every subnet of the range that nothing has, those before the others that no wider route leads to.
fn free_subnets<'a>(
    taken: &'a Taken,
    networks: &'a Networks,
    range: Ipv4Net,
) -> impl Iterator<Item = Ipv4Net> + use<'a> {
    let all = move || range.subnets(UNDERLAY_PREFIX).into_iter().flatten();
    let free = |net: &Ipv4Net| {
        !networks.take(*net) && !taken.subnets.iter().any(|other| overlap(*other, *net))
    };
    let first = all().filter(|net| !networks.lead_to(*net));
    first.chain(all().filter(|net| networks.lead_to(*net))).filter(free)
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
    fn a_port_is_taken_by_who_listens_and_not_by_the_end_of_a_connection() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a server");
        let address = server.local_addr().expect("its address");
        let client = TcpStream::connect(address).expect("a connection");
        let end = client.local_addr().expect("its address").port();
        assert!(port_is_taken(address.port()));
        assert!(!port_is_free(end) && !port_is_taken(end));
    }

    fn subnet(text: &str) -> Ipv4Net {
        text.parse().expect("a subnet")
    }

    fn first_free(interfaces: &[&str], routes: &[&str]) -> Option<Ipv4Net> {
        let all = |nets: &[&str]| nets.iter().map(|net| subnet(net)).collect();
        let networks = Networks { interfaces: all(interfaces), routes: all(routes) };
        free_subnets(&Taken::default(), &networks, subnet(UNDERLAYS)).next()
    }

    #[test]
    fn a_subnet_inside_or_around_a_taken_one_is_passed_over() {
        let subnets = vec![subnet("10.208.0.0/16"), subnet("10.209.0.128/25")];
        let taken = Taken { subnets, ..Taken::default() };
        let networks = Networks::default();
        let free = || free_subnets(&taken, &networks, subnet(UNDERLAYS));
        assert_eq!(free().next(), Some(subnet("10.209.1.0/24")));
        assert!(free().count() > 1000);
        assert_eq!(first_free(&["10.208.0.0/25"], &[]), Some(subnet("10.208.1.0/24")));
        assert_eq!(first_free(&[], &["10.208.0.128/25"]), Some(subnet("10.208.1.0/24")));
        assert_eq!(first_free(&[], &["10.208.0.0/24"]), Some(subnet("10.208.1.0/24")));
        let (own, other) = (subnet("10.208.0.0/24"), subnet("10.208.1.0/24"));
        let networks = Networks { interfaces: vec![own, other], routes: vec![own, other] };
        let networks = networks.without(&[own]);
        assert!(!networks.take(own) && networks.take(other));
    }

    #[test]
    fn a_wider_route_takes_nothing_and_an_interface_in_the_range_all() {
        let first = Some(subnet("10.208.0.0/24"));
        assert_eq!(first_free(&["192.0.2.0/24"], &["192.0.2.0/24", "10.0.0.0/8"]), first);
        assert_eq!(first_free(&["10.8.0.2/32"], &["0.0.0.0/1", "128.0.0.0/1"]), first);
        assert_eq!(first_free(&["10.0.0.0/8"], &["10.0.0.0/8"]), None);
        // What no route leads to goes first.
        assert_eq!(first_free(&[], &["10.208.0.0/16"]), Some(subnet("10.209.0.0/24")));
    }

    #[test]
    fn a_range_holds_a_subnet_and_no_address_that_means_something_else() {
        assert_eq!(parse_range("172.24.0.9/13"), Ok(subnet("172.24.0.0/13")));
        assert_eq!(parse_range("192.168.7.0/24"), Ok(subnet("192.168.7.0/24")));
        for bad in ["10.0.0.0", "10.0.0.0/25", "198.18.4.0/24", "0.0.0.0/0", "224.0.0.0/8", "x"] {
            assert!(parse_range(bad).is_err(), "{bad} was accepted");
        }
    }
}
