//! Connection strings: every node of a cluster in one string, for clients on the host and inside, as each driver writes it.
//!
//! A libpq URI is accepted by tokio-postgres as well, but for [`Access::PreferReplica`]: `target_session_attrs` has `any`,
//! `read-write` and `read-only` in both, while libpq's `primary`, `standby` and `prefer-standby` are unknown to
//! tokio-postgres 0.7; timeouts other than `connect_timeout` have other names or units there.
//!
//! Chooses no node: whoever connects does, each time it connects. What it chooses among stands in the
//! order in which it should try. Knows no secret but the password it is given.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::proxy::ProxyPort;
use crate::topology::{Member, POSTGRES_PORT, Role, Topology, port_key};

/// The superuser, whom a string names unless another user is asked for.
pub const USER: &str = "postgres";
/// The database a string names unless another one is asked for.
pub const DATABASE: &str = "postgres";
/// Seconds for each node to answer in. A node that is cut off costs this much before the next one
/// is tried; libpq waits for no less than 2.
pub const CONNECT_TIMEOUT_S: u32 = 3;
/// Seconds for which pgjdbc and Npgsql believe what they have learned of a host. Their default, 10, is longer than a
/// switchover takes: until then they take the old leader for the one that writes.
const HOST_RECHECK_S: u32 = 2;

/// Which nodes will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The one that takes writes.
    ReadWrite,
    /// Any that takes none: a replica.
    ReadOnly,
    /// A replica, and the leader where no replica is there. Wants libpq 14 or later.
    PreferReplica,
    /// Any replica, another one each time. Wants libpq 16 or later.
    BalancedReplicas,
    /// Any, another one each time. Wants libpq 16 or later, which is the first to know
    /// `load_balance_hosts`.
    LoadBalanced,
    /// The one that a proxy leads to; the addresses are those of proxies.
    Proxied,
}

impl Access {
    /// All of them for which the client chooses among nodes.
    pub const ALL: [Self; 5] = [
        Self::ReadWrite,
        Self::ReadOnly,
        Self::PreferReplica,
        Self::BalancedReplicas,
        Self::LoadBalanced,
    ];

    /// libpq's `target_session_attrs` that asks for it; `None` where any node will do.
    pub fn session(self) -> Option<&'static str> {
        match self {
            Self::ReadWrite => Some("read-write"),
            Self::ReadOnly | Self::BalancedReplicas => Some("read-only"),
            Self::PreferReplica => Some("prefer-standby"),
            Self::LoadBalanced | Self::Proxied => None,
        }
    }

    /// What it is called: `read-write`, `prefer-replica`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::PreferReplica => "prefer-replica",
            Self::BalancedReplicas => "balanced-replicas",
            Self::LoadBalanced => "load-balanced",
            Self::Proxied => "proxied",
        }
    }

    /// Whether each connection goes to another node.
    pub fn balances(self) -> bool {
        matches!(self, Self::BalancedReplicas | Self::LoadBalanced)
    }

    /// The parameters of libpq that ask for it.
    fn parameters(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let session = self.session().map(|session| ("target_session_attrs", session));
        let balance = self.balances().then_some(("load_balance_hosts", "random"));
        session.into_iter().chain(balance)
    }
}

/// How a string is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// libpq's URI, which psycopg, tokio-postgres, and most others read.
    Uri,
    /// libpq's keywords and values.
    Keywords,
    /// pgjdbc's URL.
    Jdbc,
    /// The keywords of Npgsql, from 6 on.
    Npgsql,
    /// The URI for Go's pgx, from 5 on. It takes what it does not know for a parameter of the server, and knows no load balancing.
    Pgx,
    /// The URL of `SQLAlchemy` with psycopg.
    Sqlalchemy,
}

impl Format {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 6] = [
        ("uri", Self::Uri),
        ("keywords", Self::Keywords),
        ("jdbc", Self::Jdbc),
        ("npgsql", Self::Npgsql),
        ("pgx", Self::Pgx),
        ("sqlalchemy", Self::Sqlalchemy),
    ];
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
/// last where it is to read from a replica; among the others those in the client's own site first, where that is known.
///
/// libpq asks each node in turn whether it will do, but goes no further where one refuses the session:
/// a replica that has not replayed `create database` yet refuses one on that database.
pub fn in_order<'a>(
    topology: &'a Topology,
    leader: Option<&str>,
    access: Access,
    site: Option<u8>,
) -> Vec<&'a Member> {
    let reads = matches!(access, Access::ReadOnly | Access::PreferReplica);
    let mut nodes: Vec<&Member> = topology.of_role(Role::Postgres).collect();
    nodes.sort_by_key(|node| (reads == (leader == Some(&node.name)), site != Some(node.site)));
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

/// One port of every proxy as clients on the host reach it, that of the client's own site first.
pub fn proxies_from_host(
    topology: &Topology,
    port: ProxyPort,
    site: Option<u8>,
    ports: &BTreeMap<String, u16>,
) -> Vec<Address> {
    let ports = proxies(topology, site)
        .into_iter()
        .filter_map(|proxy| ports.get(&port_key(&proxy.name, port.number())));
    ports.map(|&port| Address { host: Ipv4Addr::LOCALHOST.to_string(), port }).collect()
}

/// The same as members of the cluster reach it.
pub fn proxies_from_inside(topology: &Topology, port: ProxyPort, site: Option<u8>) -> Vec<Address> {
    let address = |proxy: &Member| Address { host: proxy.name.clone(), port: port.number() };
    proxies(topology, site).into_iter().map(address).collect()
}

fn proxies(topology: &Topology, site: Option<u8>) -> Vec<&Member> {
    let mut proxies: Vec<&Member> = topology.of_role(Role::Proxy).collect();
    proxies.sort_by_key(|proxy| site != Some(proxy.site));
    proxies
}

/// The hosts, separated by commas: libpq's `host` and `PGHOST`.
pub fn hosts(addresses: &[Address]) -> String {
    joined(addresses.iter().map(|a| a.host.clone()))
}

/// The ports, separated by commas: libpq's `port` and `PGPORT`.
pub fn ports(addresses: &[Address]) -> String {
    joined(addresses.iter().map(|a| a.port.to_string()))
}

/// What a connection string says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// Which nodes will do.
    pub access: Access,
    /// Every node, in the order in which they are tried.
    pub addresses: &'a [Address],
    /// Who connects.
    pub user: &'a str,
    /// To which database.
    pub database: &'a str,
    /// The user's password; without one the client takes it from its password file.
    pub password: Option<&'a str>,
}

impl Target<'_> {
    /// The string in this format; `None` where its driver cannot be asked for such access.
    pub fn string(&self, format: Format) -> Option<String> {
        match format {
            Format::Pgx if self.access.balances() => None,
            Format::Uri | Format::Pgx => Some(self.uri()),
            Format::Keywords => Some(self.keywords()),
            Format::Jdbc => Some(self.jdbc()),
            Format::Npgsql => Some(self.npgsql()),
            Format::Sqlalchemy => Some(self.sqlalchemy()),
        }
    }

    /// As a URI, `postgresql://user:password@host:port,…/database?…`.
    pub fn uri(&self) -> String {
        format!(
            "postgresql://{}@{}/{}?{}",
            self.credentials(),
            self.hosts_and_ports(),
            percent_encoded(self.database),
            query(self.parameters())
        )
    }

    /// As keywords and values, `host=… port=… user=…`.
    pub fn keywords(&self) -> String {
        let mut text = format!("host={} port={}", hosts(self.addresses), ports(self.addresses));
        let named = [("user", Some(self.user)), ("dbname", Some(self.database))];
        for (keyword, value) in named.into_iter().chain([("password", self.password)]) {
            if let Some(value) = value {
                write!(text, " {keyword}={}", quoted(value)).expect("a string takes all");
            }
        }
        for (keyword, value) in self.parameters() {
            write!(text, " {keyword}={value}").expect("a string takes all");
        }
        text
    }

    /// As a section of libpq's `pg_service.conf`, whose values stand as they are to the end of their line: no name may have
    /// one.
    pub fn service(&self, name: &str, passfile: &str) -> String {
        let (hosts, ports) = (hosts(self.addresses), ports(self.addresses));
        let named = [
            ("host", hosts.as_str()),
            ("port", &ports),
            ("user", self.user),
            ("dbname", self.database),
            ("passfile", passfile),
        ];
        let named = named.into_iter().map(|(keyword, value)| (keyword, value.to_owned()));
        let lines =
            named.chain(self.parameters()).map(|(keyword, value)| format!("{keyword}={value}\n"));
        format!("[{name}]\n{}", lines.collect::<String>())
    }

    /// `jdbc:postgresql://host:port,…/database?user=…`.
    fn jdbc(&self) -> String {
        let (server, balances) = match self.access {
            Access::ReadWrite => ("primary", false),
            Access::ReadOnly => ("secondary", false),
            Access::PreferReplica => ("preferSecondary", false),
            Access::BalancedReplicas => ("secondary", true),
            Access::LoadBalanced => ("any", true),
            Access::Proxied => ("any", false),
        };
        let text = |name: &'static str, value: &str| (name, percent_encoded(value));
        let parameters = [text("user", self.user)]
            .into_iter()
            .chain(self.password.map(|password| text("password", password)))
            .chain([text("targetServerType", server)])
            .chain(balances.then(|| text("loadBalanceHosts", "true")))
            .chain([("hostRecheckSeconds", HOST_RECHECK_S.to_string())])
            .chain([("connectTimeout", CONNECT_TIMEOUT_S.to_string())]);
        format!(
            "jdbc:postgresql://{}/{}?{}",
            self.hosts_and_ports(),
            percent_encoded(self.database),
            query(parameters)
        )
    }

    /// `Host=host:port,…;Username=…;…`.
    fn npgsql(&self) -> String {
        let mut text = format!("Host={}", self.hosts_and_ports());
        let values = [
            ("Username", Some(self.user)),
            ("Password", self.password),
            ("Database", Some(self.database)),
            ("Target Session Attributes", self.access.session()),
            ("Load Balance Hosts", self.access.balances().then_some("true")),
        ];
        for (keyword, value) in values {
            if let Some(value) = value {
                write!(text, ";{keyword}={}", semicolon_quoted(value)).expect("a string takes all");
            }
        }
        write!(text, ";Host Recheck Seconds={HOST_RECHECK_S};Timeout={CONNECT_TIMEOUT_S}")
            .expect("a string takes all");
        text
    }

    /// `postgresql+psycopg://user:password@/database?host=host:port&host=…`.
    fn sqlalchemy(&self) -> String {
        let hosts = self.addresses.iter().map(|a| ("host", format!("{}:{}", a.host, a.port)));
        format!(
            "postgresql+psycopg://{}@/{}?{}",
            self.credentials(),
            percent_encoded(self.database),
            query(hosts.chain(self.parameters()))
        )
    }

    fn hosts_and_ports(&self) -> String {
        joined(self.addresses.iter().map(|a| format!("{}:{}", a.host, a.port)))
    }

    /// `user:password`, percent-encoded.
    fn credentials(&self) -> String {
        let password = self.password.map(|p| format!(":{}", percent_encoded(p)));
        percent_encoded(self.user) + &password.unwrap_or_default()
    }

    /// What libpq is told beside hosts, names and the password.
    fn parameters(&self) -> impl Iterator<Item = (&'static str, String)> {
        let asked = self.access.parameters().map(|(keyword, value)| (keyword, value.to_owned()));
        asked.chain([("connect_timeout", CONNECT_TIMEOUT_S.to_string())])
    }
}

/// `a=b&c=d`, of what needs no encoding any more.
fn query(parameters: impl Iterator<Item = (&'static str, String)>) -> String {
    parameters.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

/// Everything but RFC 3986's unreserved characters, percent-encoded.
pub(crate) fn percent_encoded(text: &str) -> String {
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

/// Whether nobody would have to quote it.
fn is_plain(value: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    !value.is_empty() && value.chars().all(plain)
}

/// A value as it stands in a keyword string: bare where that is plain, else in single quotes.
fn quoted(value: &str) -> String {
    if is_plain(value) {
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

/// A value as it stands in a string of .NET: bare where that is plain, else in double quotes.
fn semicolon_quoted(value: &str) -> String {
    if is_plain(value) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('"', "\"\""))
}
