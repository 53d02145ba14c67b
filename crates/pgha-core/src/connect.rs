//! Connection strings: every node of a cluster in one string, for clients on the host and inside.
//!
//! A string is accepted by libpq and by tokio-postgres alike, so it uses only what both know:
//! `target_session_attrs` has `any`, `read-write` and `read-only` in both, while libpq's `primary`,
//! `standby` and `prefer-standby` are unknown to tokio-postgres 0.7; timeouts other than
//! `connect_timeout` have other names or units there.
//!
//! Chooses no node: whoever connects does, each time it connects. What it chooses among stands in the
//! order in which it should try. Knows no secret but the password it is given.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::topology::{Member, POSTGRES_PORT, Role, Topology};

/// The superuser, whom every string names.
pub const USER: &str = "postgres";
/// The database every string names.
pub const DATABASE: &str = "postgres";
/// Seconds for each node to answer in. A node that is cut off costs this much before the next one
/// is tried; libpq waits for no less than 2.
pub const CONNECT_TIMEOUT_S: u32 = 3;

/// Which nodes will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The one that takes writes.
    ReadWrite,
    /// Any that takes none: a replica.
    ReadOnly,
    /// Any, another one each time. Wants libpq 16 or later, which is the first to know
    /// `load_balance_hosts`.
    LoadBalanced,
}

impl Access {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ReadWrite, Self::ReadOnly, Self::LoadBalanced];

    /// The parameter that asks for it, as keyword and value.
    pub fn parameter(self) -> (&'static str, &'static str) {
        match self {
            Self::ReadWrite => ("target_session_attrs", "read-write"),
            Self::ReadOnly => ("target_session_attrs", "read-only"),
            Self::LoadBalanced => ("load_balance_hosts", "random"),
        }
    }
}

/// Where a node listens, as seen by a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or address of the host.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Every node in the order in which a client should try them: the leader first where it is to write, and
/// last where it is to read from a replica.
///
/// libpq asks each node in turn whether it will do, but goes no further where one refuses the session:
/// a replica that has not replayed `create database` yet refuses one on that database.
pub fn in_order<'a>(
    topology: &'a Topology,
    leader: Option<&str>,
    access: Access,
) -> Vec<&'a Member> {
    let mut nodes: Vec<&Member> = topology.of_role(Role::Postgres).collect();
    nodes.sort_by_key(|node| (access == Access::ReadOnly) == (leader == Some(&node.name)));
    nodes
}

/// These nodes as clients on the host reach them: ports on its loopback, by member name. A node without
/// a port is left out.
pub fn from_host(nodes: &[&Member], ports: &BTreeMap<String, u16>) -> Vec<Address> {
    let ports = nodes.iter().filter_map(|node| ports.get(&node.name));
    ports.map(|&port| Address { host: Ipv4Addr::LOCALHOST.to_string(), port }).collect()
}

/// These nodes as members of the cluster reach them, in any site.
pub fn from_inside(nodes: &[&Member]) -> Vec<Address> {
    let address = |node: &&Member| Address { host: node.name.clone(), port: POSTGRES_PORT };
    nodes.iter().map(address).collect()
}

/// What a connection string says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// Which nodes will do.
    pub access: Access,
    /// Every node, in the order in which they are tried.
    pub addresses: &'a [Address],
    /// The password of [`USER`]; without one the client takes it from its password file.
    pub password: Option<&'a str>,
}

impl Target<'_> {
    /// The hosts, separated by commas: libpq's `host` and `PGHOST`.
    pub fn hosts(&self) -> String {
        joined(self.addresses.iter().map(|a| a.host.clone()))
    }

    /// The ports, separated by commas: libpq's `port` and `PGPORT`.
    pub fn ports(&self) -> String {
        joined(self.addresses.iter().map(|a| a.port.to_string()))
    }

    /// As a URI, `postgresql://user:password@host:port,…/database?…`.
    pub fn uri(&self) -> String {
        let password = self.password.map(|p| format!(":{}", percent_encoded(p)));
        let (keyword, value) = self.access.parameter();
        format!(
            "postgresql://{USER}{}@{}/{DATABASE}?{keyword}={value}&connect_timeout={CONNECT_TIMEOUT_S}",
            password.unwrap_or_default(),
            joined(self.addresses.iter().map(|a| format!("{}:{}", a.host, a.port))),
        )
    }

    /// As keywords and values, `host=… port=… user=…`.
    pub fn keywords(&self) -> String {
        let mut text =
            format!("host={} port={} user={USER} dbname={DATABASE}", self.hosts(), self.ports());
        let (keyword, value) = self.access.parameter();
        if let Some(password) = self.password {
            text.push_str(" password=");
            text.push_str(&quoted(password));
        }
        write!(text, " {keyword}={value} connect_timeout={CONNECT_TIMEOUT_S}")
            .expect("a string takes all");
        text
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

/// Everything but RFC 3986's unreserved characters, percent-encoded.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a string takes all");
        }
    }
    encoded
}

/// A value as it stands in a keyword string: bare where that is plain, else in single quotes.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    let mut quoted = String::from("'");
    for c in value.chars() {
        if matches!(c, '\'' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;
    use proptest::prelude::*;
    use std::time::Duration;
    use tokio_postgres::Config;
    use tokio_postgres::config::{Host, LoadBalanceHosts, TargetSessionAttrs};

    fn topology(data_centers: u32, nodes: u32) -> Topology {
        Topology::new(Spec { data_centers, nodes, ..Spec::default() }, 1)
    }

    fn all(topology: &Topology) -> Vec<&Member> {
        in_order(topology, None, Access::ReadWrite)
    }

    fn ports(topology: &Topology) -> BTreeMap<String, u16> {
        topology.of_role(Role::Postgres).map(|m| m.name.clone()).zip(25551..).collect()
    }

    #[test]
    fn strings_are_those_of_the_reference() {
        let topology = topology(2, 1);
        let inside = from_inside(&all(&topology));
        let host = from_host(&all(&topology), &ports(&topology));
        let target = |access, addresses, password| Target { access, addresses, password };

        let write = target(Access::ReadWrite, &host, Some("p@ss 'word'"));
        assert_eq!(
            write.uri(),
            "postgresql://postgres:p%40ss%20%27word%27@127.0.0.1:25551,127.0.0.1:25552/postgres\
             ?target_session_attrs=read-write&connect_timeout=3"
        );
        assert_eq!(
            write.keywords(),
            r"host=127.0.0.1,127.0.0.1 port=25551,25552 user=postgres dbname=postgres password='p@ss \'word\'' target_session_attrs=read-write connect_timeout=3"
        );
        assert_eq!(
            target(Access::LoadBalanced, &inside, None).uri(),
            "postgresql://postgres@pgha-demo1-DC1-1:5432,pgha-demo1-DC2-1:5432/postgres\
             ?load_balance_hosts=random&connect_timeout=3"
        );
        assert_eq!(
            target(Access::ReadOnly, &inside, Some("secret")).keywords(),
            "host=pgha-demo1-DC1-1,pgha-demo1-DC2-1 port=5432,5432 user=postgres dbname=postgres \
             password=secret target_session_attrs=read-only connect_timeout=3"
        );
    }

    #[test]
    fn the_leader_is_tried_first_for_writes_and_last_for_reads() {
        let topology = topology(2, 2);
        let order = |leader, access| -> Vec<&str> {
            let nodes = in_order(&topology, leader, access);
            nodes.iter().map(|node| &node.name["pgha-demo".len()..]).collect()
        };
        let leader = Some("pgha-demo1-DC2-1");
        assert_eq!(order(leader, Access::ReadWrite), ["1-DC2-1", "1-DC1-1", "2-DC1-1", "2-DC2-1"]);
        assert_eq!(order(leader, Access::ReadOnly), ["1-DC1-1", "2-DC1-1", "2-DC2-1", "1-DC2-1"]);
        for access in Access::ALL {
            assert_eq!(order(None, access), ["1-DC1-1", "2-DC1-1", "1-DC2-1", "2-DC2-1"]);
        }
    }

    #[test]
    fn a_node_without_a_port_is_left_out_for_the_host() {
        let topology = topology(2, 1);
        let mut ports = ports(&topology);
        ports.remove("pgha-demo1-DC1-1");
        let host = from_host(&all(&topology), &ports);
        assert_eq!(host, [Address { host: "127.0.0.1".to_owned(), port: 25552 }]);
    }

    fn expected(access: Access) -> (TargetSessionAttrs, LoadBalanceHosts) {
        match access {
            Access::ReadWrite => (TargetSessionAttrs::ReadWrite, LoadBalanceHosts::Disable),
            Access::ReadOnly => (TargetSessionAttrs::ReadOnly, LoadBalanceHosts::Disable),
            Access::LoadBalanced => (TargetSessionAttrs::Any, LoadBalanceHosts::Random),
        }
    }

    proptest! {
        /// No password of Postgres holds a zero byte.
        #[test]
        fn tokio_postgres_reads_back_what_was_said(
            data_centers in 1u32..4,
            nodes in 1u32..4,
            password in prop::option::of("[^\\x00]{0,40}|['\\\\ @:/?#%&=,+\\t\\n]{1,12}"),
        ) {
            let topology = topology(data_centers, nodes);
            for addresses in [from_inside(&all(&topology)), from_host(&all(&topology), &ports(&topology))] {
                for access in Access::ALL {
                    let target =
                        Target { access, addresses: &addresses, password: password.as_deref() };
                    for text in [target.uri(), target.keywords()] {
                        let config: Config = text.parse().expect(&text);
                        prop_assert_eq!(config.get_user(), Some(USER));
                        prop_assert_eq!(config.get_dbname(), Some(DATABASE));
                        prop_assert_eq!(config.get_password(), password.as_ref().map(String::as_bytes));
                        let hosts: Vec<_> =
                            addresses.iter().map(|a| Host::Tcp(a.host.clone())).collect();
                        prop_assert_eq!(config.get_hosts(), hosts);
                        let ports: Vec<_> = addresses.iter().map(|a| a.port).collect();
                        prop_assert_eq!(config.get_ports(), ports);
                        prop_assert_eq!(
                            (config.get_target_session_attrs(), config.get_load_balance_hosts()),
                            expected(access)
                        );
                        let timeout = Duration::from_secs(CONNECT_TIMEOUT_S.into());
                        prop_assert_eq!(config.get_connect_timeout(), Some(&timeout));
                    }
                }
            }
        }
    }
}
