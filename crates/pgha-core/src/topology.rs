//! A cluster with every name, address and place decided.
//!
//! The same spec, instance number and layout give the same topology on every machine; what depends on the
//! host (ports, underlay subnets) is chosen by the shell and kept in [`HostChoices`].
//!
//! Cluster addresses are `198.18.<site>.<member>`:
//!
//! ```text
//! .1         WAN router
//! .2         backup host (in the external site, else in the last data center)
//! .3  - .99  etcd members, counted inside the site
//! .101- .250 Postgres nodes, counted inside the site
//! .251       proxy, in data centers alone
//! ```
//!
//! 198.18.0.0/15 is set aside for benchmarks of network devices (RFC 2544), so no real network
//! uses it.
//!
//! Proxies are in no layout. They hold nothing, and no member's configuration names them; there is one for each data
//! center where the spec has any, so name and address follow from the number of the site, which is never used again.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::layout::{Layout, address};
use crate::placement::Placement;
use crate::proxy::ProxyPort;
use crate::spec::{Acknowledge, SiteRole, Spec};

/// First port on the host's loopback that a Postgres node is published on. It lies below those that Linux gives to outgoing
/// connections (32768 to 60999, ip(7)): while a node is down one of these would take its port.
pub const FIRST_HOST_PORT: u16 = 25551;
pub use crate::layout::{
    ClusterId, MAX_ETCD_PER_SITE, MAX_MEMBERS, MAX_NODES_PER_SITE, MAX_SITES, Role, SiteKind,
};
pub use pgha_wan::packet::CLUSTER_NET;
pub use pgha_wan::service::{ETCD_CLIENT_PORT, ETCD_PEER_PORT, PATRONI_PORT, POSTGRES_PORT};

/// An etcd member before etcd, inside the cluster: it accepts while its store is empty.
pub const ETCD_START_PORT: u16 = 2378;
/// pgBackRest's TLS server, inside the cluster.
pub const PGBACKREST_PORT: u16 = 8432;

const ROUTER_OCTET: u8 = 1;
const PROXY_OCTET: u8 = 251;
const NOBODY_OCTET: u8 = 254;

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
    /// The generation of the layout that it was added in, from 1.
    pub added: u32,
}

impl Member {
    /// Whether it keeps anything.
    pub fn has_volume(&self) -> bool {
        match self.role {
            Role::Postgres | Role::Etcd | Role::Backup => true,
            Role::Proxy | Role::Wan => false,
        }
    }

    /// Name of its volume where it has one, the same as its own.
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
    /// Its sites and members, with those that were removed.
    pub layout: Layout,
    /// Where the etcd members stand.
    pub placement: Placement,
    /// Every site, the external one last where there is one.
    pub sites: Vec<Site>,
    /// Every member but the router: Postgres by site, then etcd by site, then the backup host, then proxies by site.
    pub members: Vec<Member>,
}

impl Topology {
    /// Decides names and addresses of a new cluster.
    ///
    /// # Panics
    /// When the spec has more sites or members than there are addresses; the lint refuses such a
    /// spec first.
    pub fn new(spec: Spec, instance: u32) -> Self {
        let layout = Layout::of(&spec);
        Self::with(spec, instance, layout)
    }

    /// The names and addresses of a cluster whose layout may have been changed since it was made.
    pub fn with(spec: Spec, instance: u32, layout: Layout) -> Self {
        let id = ClusterId { name: spec.name.clone(), instance };
        let site = |number: u8, kind| Site {
            number,
            name: format!("DC{number}"),
            kind,
            network: format!("pgha-net-DC{number}-{instance}"),
        };
        let current = layout.sites().iter().filter(|site| site.span.is_current());
        let mut sites: Vec<Site> = current.map(|s| site(s.number, s.kind)).collect();
        sites.sort_by_key(|site| (site.kind == SiteKind::External, site.number));

        let current = layout.sites().iter().filter(|site| site.span.is_current());
        let with_proxy = current.filter(|s| spec.proxy.any() && s.kind == SiteKind::DataCenter);
        let proxies = with_proxy.map(|s| Member {
            name: format!("pgha-proxy-DC{}-{instance}", s.number),
            role: Role::Proxy,
            site: s.number,
            address: address(s.number, PROXY_OCTET),
            added: s.span.added,
        });
        let mut members: Vec<Member> = layout
            .current()
            .map(|m| Member {
                name: m.name(&id),
                role: m.role,
                site: m.site,
                address: m.address,
                added: m.span.added,
            })
            .chain(proxies)
            .collect();
        let place = |number: u8| sites.iter().position(|site| site.number == number);
        members.sort_by_key(|m| (m.role, place(m.site), m.address));

        let voters = |site: &Site| {
            let here = members.iter().filter(|m| m.role == Role::Etcd && m.site == site.number);
            u32::try_from(here.count()).unwrap_or(u32::MAX)
        };
        let mut voters: Vec<u32> = sites.iter().map(voters).collect();
        let is_external = sites.last().is_some_and(|site| site.kind == SiteKind::External);
        let external = if is_external { voters.pop().unwrap_or_default() } else { 0 };
        let placement = Placement { data_centers: voters, external };
        Self { id, spec, layout, placement, sites, members }
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
        let found = self.sites.iter().find(|site| site.number == number);
        found.expect("numbers of sites come from this topology")
    }

    /// The external site, where there is one.
    pub fn external_site(&self) -> Option<&Site> {
        self.sites.last().filter(|site| site.kind == SiteKind::External)
    }

    /// The site of the repository host.
    pub fn backup_site(&self) -> &Site {
        self.site(self.backup_host().site)
    }

    /// What the data center of a member or of any number is for; one that was added later has primary nodes.
    pub fn role_in(&self, site: u8) -> SiteRole {
        self.spec.role_in(site.into())
    }

    /// The nodes that may lead and acknowledge.
    pub fn primary_nodes(&self) -> impl Iterator<Item = &Member> {
        self.of_role(Role::Postgres).filter(|node| self.role_in(node.site) == SiteRole::Primary)
    }

    /// The nodes that may acknowledge what a leader in that site writes, itself among them.
    pub fn acknowledging_nodes(&self, leader_site: u8) -> impl Iterator<Item = &Member> {
        let local = self.spec.acknowledge == Acknowledge::Local;
        self.primary_nodes().filter(move |node| !local || node.site == leader_site)
    }

    /// Standbys that each write of a leader in that site waits for, where it waits for any: as many as the site has nodes, so
    /// that one is elsewhere, where nodes elsewhere acknowledge; else one.
    pub fn acknowledgements_in(&self, leader_site: u8) -> u32 {
        let (here, others): (Vec<_>, Vec<_>) =
            self.primary_nodes().partition(|node| node.site == leader_site);
        let remote = self.spec.acknowledge == Acknowledge::Remote && !others.is_empty();
        if remote { u32::try_from(here.len()).unwrap_or(u32::MAX).max(1) } else { 1 }
    }

    /// The repository host.
    ///
    /// # Panics
    /// Never: every topology has one.
    pub fn backup_host(&self) -> &Member {
        self.of_role(Role::Backup).next().expect("there is always a backup host")
    }

    /// Every port that is published on the host's loopback: those of nodes first.
    pub fn published(&self) -> Vec<Published<'_>> {
        let nodes = self.of_role(Role::Postgres);
        let nodes = nodes.map(|member| Published { member, port: POSTGRES_PORT });
        let of = |member| {
            let ports = ProxyPort::of(self.spec.proxy);
            ports.map(move |port| Published { member, port: port.number() })
        };
        nodes.chain(self.of_role(Role::Proxy).flat_map(of)).collect()
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

/// A port of a member that is published on the host's loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published<'a> {
    /// Whose it is.
    pub member: &'a Member,
    /// The port inside the cluster.
    pub port: u16,
}

impl Published<'_> {
    /// What it is called in [`HostChoices::ports`].
    pub fn key(&self) -> String {
        port_key(&self.member.name, self.port)
    }
}

/// What a member's port is called in [`HostChoices::ports`]: that of Postgres by the member's name alone.
pub fn port_key(member: &str, port: u16) -> String {
    if port == POSTGRES_PORT { member.to_owned() } else { format!("{member}:{port}") }
}

/// What depends on the host a cluster is generated on; chosen once and kept in the compose file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostChoices {
    /// Each published port on the host's loopback, by [`Published::key`].
    pub ports: BTreeMap<String, u16>,
    /// Underlay subnet of each site, in order; Docker's business only, no configuration names it.
    pub subnets: Vec<Ipv4Net>,
    /// What tells this cluster from an earlier or later one of its name; `None` in files of an earlier pgha.
    pub uid: Option<String>,
    /// Folder of the files of a cluster that was made for a drill; `None` for any other.
    pub drill: Option<String>,
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

    #[test]
    fn proxies_add_to_a_cluster_and_change_nothing_of_it() {
        let plain = Spec { data_centers: 2, ..Spec::default() };
        let proxied = Spec {
            proxy: crate::spec::ProxySpec { haproxy: true, pgbouncer: true },
            ..plain.clone()
        };
        let (plain, proxied) = (Topology::new(plain, 1), Topology::new(proxied, 1));
        assert_eq!(proxied.layout, plain.layout);
        let (own, more) = proxied.members.split_at(plain.members.len());
        assert_eq!(own, plain.members);
        let more: Vec<_> = more.iter().map(|m| (m.name.as_str(), m.address.to_string())).collect();
        assert_eq!(
            more,
            [
                ("pgha-proxy-DC1-1", "198.18.1.251".to_owned()),
                ("pgha-proxy-DC2-1", "198.18.2.251".to_owned()),
            ]
        );
        let keys: Vec<_> = proxied.published().iter().map(Published::key).collect();
        assert_eq!(keys.len(), 4 + 2 * 4);
        assert_eq!(
            (keys[3].as_str(), keys[4].as_str()),
            ("pgha-demo2-DC2-1", "pgha-proxy-DC1-1:5000")
        );
    }

    #[test]
    fn a_data_center_that_is_added_has_a_proxy_and_one_that_is_removed_has_none() {
        use crate::layout::Change;
        let proxy = crate::spec::ProxySpec { haproxy: true, pgbouncer: false };
        let spec = Spec { data_centers: 2, proxy, ..Spec::default() };
        let added = Layout::of(&spec)
            .changed(&[Change::AddDataCenter, Change::AddMember(Role::Postgres, 4)])
            .expect("a data center");
        let names = |layout: &Layout| -> Vec<(String, u32)> {
            let topology = Topology::with(spec.clone(), 1, layout.clone());
            topology.of_role(Role::Proxy).map(|m| (m.name.clone(), m.added)).collect()
        };
        let [first, second] = ["pgha-proxy-DC1-1", "pgha-proxy-DC2-1"].map(str::to_owned);
        let third = ("pgha-proxy-DC4-1".to_owned(), 2);
        assert_eq!(names(&added), [(first.clone(), 1), (second.clone(), 1), third]);
        let last = added.members().last().expect("the node").id;
        let removed = added.changed(&[Change::RemoveMember(last), Change::RemoveSite(4)]);
        assert_eq!(names(&removed.expect("a layout")), [(first, 1), (second, 1)]);
    }

    proptest! {
        #[test]
        fn names_and_addresses_never_collide(
            d in 1u32..12,
            nodes in 2u32..MAX_NODES_PER_SITE,
            m in 1u32..12,
            e in prop::option::of(1u32..6),
            external: bool,
            haproxy: bool,
            instance in 1u32..1000,
        ) {
            prop_assume!(m <= d);
            let spec = Spec {
                data_centers: d, nodes, must_suffice: m, etcd: e, external,
                proxy: crate::spec::ProxySpec { haproxy, pgbouncer: haproxy },
                ..Spec::default()
            };
            let topology = Topology::new(spec, instance);
            prop_assert_eq!(topology.external_site().is_some(), external);
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
