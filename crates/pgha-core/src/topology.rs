//! A cluster with every name, address and place decided.
//!
//! The same spec and instance number give the same topology on every machine; what depends on the
//! host (ports, underlay subnets) is chosen by the shell and kept in [`HostChoices`].
//!
//! Cluster addresses are `198.18.<site>.<member>`:
//!
//! ```text
//! .1         WAN router
//! .2         backup host (external site only)
//! .3  - .99  etcd members, counted inside the site
//! .101- .250 Postgres nodes, counted inside the site
//! ```
//!
//! 198.18.0.0/15 is set aside for benchmarks of network devices (RFC 2544), so no real network
//! uses it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::placement::Placement;
use crate::spec::Spec;

/// Most sites, the external one included: the third byte of a cluster address.
pub const MAX_SITES: u32 = 250;
/// Most Postgres nodes in one data center.
pub const MAX_NODES_PER_SITE: u32 = 150;
/// Most etcd members in one site.
pub const MAX_ETCD_PER_SITE: u32 = 97;
/// Most members of one cluster: each knows the name and address of every other, so what the engine and
/// Compose have to keep grows with the square of their number.
pub const MAX_MEMBERS: u32 = 1000;
/// First port on the host's loopback that a Postgres node is published on.
pub const FIRST_HOST_PORT: u16 = 50551;
pub use pgha_wan::packet::CLUSTER_NET;

/// Postgres, inside the cluster.
pub const POSTGRES_PORT: u16 = 5432;
/// Patroni's REST API, inside the cluster.
pub const PATRONI_PORT: u16 = 8008;
/// etcd for clients, inside the cluster.
pub const ETCD_CLIENT_PORT: u16 = 2379;
/// etcd for its peers, inside the cluster.
pub const ETCD_PEER_PORT: u16 = 2380;
/// An etcd member before etcd, inside the cluster: it accepts while its store is empty.
pub const ETCD_START_PORT: u16 = 2378;
/// pgBackRest's TLS server, inside the cluster.
pub const PGBACKREST_PORT: u16 = 8432;

const ROUTER_OCTET: u8 = 1;
const BACKUP_OCTET: u8 = 2;
const FIRST_ETCD_OCTET: u8 = 3;
const FIRST_POSTGRES_OCTET: u8 = 101;
const NOBODY_OCTET: u8 = 254;

/// Name and instance number: what tells two clusters on one host apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId {
    /// Name, `[a-z]+`.
    pub name: String,
    /// Instance, from 1. Etcd members, networks and the backup host carry only this number, so it
    /// is unique on a host.
    pub instance: u32,
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.name, self.instance)
    }
}

/// What a site is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteKind {
    /// Holds Postgres nodes.
    DataCenter,
    /// Holds etcd witnesses and the backup host, and no Postgres.
    External,
}

/// What a member does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Postgres under Patroni.
    Postgres,
    /// A voter of the distributed configuration store.
    Etcd,
    /// pgBackRest's repository host.
    Backup,
    /// The router that joins the sites.
    Wan,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Postgres, Self::Etcd, Self::Backup, Self::Wan];

    /// The role of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// The word used in labels and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Postgres => "postgres",
            Role::Etcd => "etcd",
            Role::Backup => "backup",
            Role::Wan => "wan",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A data center or the external site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// From 1; the third byte of the site's cluster addresses.
    pub number: u8,
    /// `DC<number>`.
    pub name: String,
    /// Data center or external.
    pub kind: SiteKind,
    /// Name of the Docker network, `pgha-net-DC<number>-<instance>`.
    pub network: String,
}

impl Site {
    /// The router's address in this site.
    pub fn router_address(&self) -> Ipv4Addr {
        address(self.number, ROUTER_OCTET)
    }

    /// An address of this site that no member has, and the router neither. The WAN sends its ICMP errors from it:
    /// the router's kernel drops as forged whatever comes from outside with an address of its own.
    pub fn nobodys_address(&self) -> Ipv4Addr {
        address(self.number, NOBODY_OCTET)
    }
}

/// One container of a cluster that stands in one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Name of the container, the service, the host, and in Patroni or etcd.
    pub name: String,
    /// What it does; never [`Role::Wan`].
    pub role: Role,
    /// Number of its site.
    pub site: u8,
    /// Its cluster address.
    pub address: Ipv4Addr,
}

impl Member {
    /// Name of its volume, the same as its own.
    pub fn volume(&self) -> &str {
        &self.name
    }
}

/// A cluster with every name, address and place decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Name and instance.
    pub id: ClusterId,
    /// What was asked.
    pub spec: Spec,
    /// Where the etcd members stand.
    pub placement: Placement,
    /// Every site, the external one last.
    pub sites: Vec<Site>,
    /// Every member but the router: Postgres by site, then etcd by site, then the backup host.
    pub members: Vec<Member>,
}

impl Topology {
    /// Decides names and addresses.
    ///
    /// # Panics
    /// When the spec has more sites or members than there are addresses; the lint refuses such a
    /// spec first.
    pub fn new(spec: Spec, instance: u32) -> Self {
        let placement = Placement::of(&spec);
        let external = spec.data_centers + 1;
        let sites: Vec<Site> = (1..=external)
            .map(|number| Site {
                number: u8::try_from(number).expect("the lint bounds sites by MAX_SITES"),
                name: format!("DC{number}"),
                kind: if number == external { SiteKind::External } else { SiteKind::DataCenter },
                network: format!("pgha-net-DC{number}-{instance}"),
            })
            .collect();

        let mut members = Vec::new();
        for site in &sites[..sites.len() - 1] {
            for n in 1..=spec.nodes {
                members.push(Member {
                    name: format!("pgha-{}{n}-{}-{instance}", spec.name, site.name),
                    role: Role::Postgres,
                    site: site.number,
                    address: address(site.number, octet(FIRST_POSTGRES_OCTET, n)),
                });
            }
        }
        let mut count = 0;
        for (site, &voters) in sites.iter().zip(&placement.per_site()) {
            for n in 1..=voters {
                count += 1;
                members.push(Member {
                    name: format!("pgha-etcd{count}-{}-{instance}", site.name),
                    role: Role::Etcd,
                    site: site.number,
                    address: address(site.number, octet(FIRST_ETCD_OCTET, n)),
                });
            }
        }
        let outside = sites.last().expect("there is always the external site");
        members.push(Member {
            name: format!("pgha-pgbackrest-{}-{instance}", outside.name),
            role: Role::Backup,
            site: outside.number,
            address: address(outside.number, BACKUP_OCTET),
        });

        let id = ClusterId { name: spec.name.clone(), instance };
        Self { id, spec, placement, sites, members }
    }

    /// The members of one role, in order.
    pub fn of_role(&self, role: Role) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |m| m.role == role)
    }

    /// The member of that name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.name == name)
    }

    /// The site of that number.
    ///
    /// # Panics
    /// When there is no such site: numbers come from this topology.
    pub fn site(&self, number: u8) -> &Site {
        &self.sites[usize::from(number) - 1]
    }

    /// The external site.
    ///
    /// # Panics
    /// Never: every topology has one.
    pub fn external_site(&self) -> &Site {
        self.sites.last().expect("there is always the external site")
    }

    /// The repository host.
    ///
    /// # Panics
    /// Never: every topology has one.
    pub fn backup_host(&self) -> &Member {
        self.of_role(Role::Backup).next().expect("there is always a backup host")
    }

    /// Name of the WAN router.
    pub fn router(&self) -> String {
        format!("pgha-wan-{}", self.id.instance)
    }

    /// Names of all containers, the router last.
    pub fn containers(&self) -> Vec<String> {
        self.members.iter().map(|m| m.name.clone()).chain([self.router()]).collect()
    }

    /// Client addresses of all etcd members by name, `name:2379,…`, for `etcdctl --endpoints`.
    pub fn endpoints(&self) -> String {
        self.of_role(Role::Etcd)
            .map(|m| format!("{}:{ETCD_CLIENT_PORT}", m.name))
            .collect::<Vec<_>>()
            .join(",")
    }
}

/// What depends on the host a cluster is generated on; chosen once and kept in the compose file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostChoices {
    /// Port on the host's loopback of each Postgres node, by member name.
    pub ports: BTreeMap<String, u16>,
    /// Underlay subnet of each site, in order; Docker's business only, no configuration names it.
    pub subnets: Vec<Ipv4Net>,
    /// What tells this cluster from an earlier or later one of its name; `None` in files of an earlier pgha.
    pub uid: Option<String>,
}

fn octet(first: u8, n: u32) -> u8 {
    u8::try_from(u32::from(first) + n - 1).expect("the lint bounds members of a site")
}

fn address(site: u8, member: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 18, site, member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_those_of_the_reference() {
        let spec = Spec { data_centers: 2, ..Spec::default() };
        let topology = Topology::new(spec, 1);
        assert_eq!(
            topology.containers(),
            [
                "pgha-demo1-DC1-1",
                "pgha-demo2-DC1-1",
                "pgha-demo1-DC2-1",
                "pgha-demo2-DC2-1",
                "pgha-etcd1-DC1-1",
                "pgha-etcd2-DC2-1",
                "pgha-etcd3-DC3-1",
                "pgha-pgbackrest-DC3-1",
                "pgha-wan-1",
            ]
        );
    }

    proptest! {
        #[test]
        fn names_and_addresses_never_collide(
            d in 1u32..12,
            nodes in 2u32..MAX_NODES_PER_SITE,
            m in 1u32..12,
            e in prop::option::of(1u32..6),
            instance in 1u32..1000,
        ) {
            prop_assume!(m <= d);
            let spec = Spec { data_centers: d, nodes, must_suffice: m, etcd: e, ..Spec::default() };
            let topology = Topology::new(spec, instance);
            let names: BTreeSet<_> = topology.containers().into_iter().collect();
            prop_assert_eq!(names.len(), topology.members.len() + 1);
            let addresses: BTreeSet<_> = topology
                .members
                .iter()
                .map(|m| m.address)
                .chain(topology.sites.iter().map(Site::router_address))
                .chain(topology.sites.iter().map(Site::nobodys_address))
                .collect();
            prop_assert_eq!(addresses.len(), topology.members.len() + 2 * topology.sites.len());
            let net: Ipv4Net = CLUSTER_NET.parse().expect("a constant");
            for member in &topology.members {
                prop_assert!(net.contains(&member.address));
                prop_assert_eq!(member.address.octets()[2], member.site);
                prop_assert!(member.name.len() <= 63, "{} is no DNS label", member.name);
            }
        }
    }
}
