//! Connection strings: every node of a cluster in one string, for clients on the host and inside, as each driver writes it.
//!
//! A libpq URI is accepted by tokio-postgres as well, but for [`Access::PreferReplica`]: `target_session_attrs` has `any`,
//! `read-write` and `read-only` in both, while libpq's `primary`, `standby` and `prefer-standby` are unknown to
//! tokio-postgres 0.7; timeouts other than `connect_timeout` have other names or units there.
//!
//! Chooses no node: whoever connects does, each time it connects. What it chooses among stands in the
//! order in which it should try. Knows no secret but the password it is given.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::topology::{Member, POSTGRES_PORT, Role, Topology};

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
}

impl Access {
    /// All of them.
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
            Self::LoadBalanced => None,
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
        in_order(topology, None, Access::ReadWrite, None)
    }

    fn ports(topology: &Topology) -> BTreeMap<String, u16> {
        topology.of_role(Role::Postgres).map(|m| m.name.clone()).zip(25551..).collect()
    }

    #[test]
    fn strings_are_those_of_the_reference() {
        let topology = topology(2, 1);
        let inside = from_inside(&all(&topology));
        let host = from_host(&all(&topology), &ports(&topology));
        let target = |access, addresses, password| Target {
            access,
            addresses,
            user: USER,
            database: DATABASE,
            password,
        };

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
            let nodes = in_order(&topology, leader, access, None);
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
    fn nodes_of_the_clients_site_are_tried_before_others_that_will_do() {
        let topology = topology(2, 2);
        let there = topology.of_role(Role::Postgres).last().expect("a node").site;
        let order = |leader, access| -> Vec<&str> {
            let nodes = in_order(&topology, leader, access, Some(there));
            nodes.iter().map(|node| &node.name["pgha-demo".len()..]).collect()
        };
        let leader = Some("pgha-demo1-DC1-1");
        assert_eq!(order(leader, Access::ReadWrite), ["1-DC1-1", "1-DC2-1", "2-DC2-1", "2-DC1-1"]);
        let leader = Some("pgha-demo1-DC2-1");
        for access in [Access::ReadOnly, Access::PreferReplica] {
            assert_eq!(order(leader, access), ["2-DC2-1", "1-DC1-1", "2-DC1-1", "1-DC2-1"]);
        }
    }

    #[test]
    fn each_driver_is_asked_in_its_own_words() {
        let topology = topology(2, 1);
        let addresses = from_host(&all(&topology), &ports(&topology));
        let mut all = String::new();
        for (name, format) in Format::ALL {
            for access in Access::ALL {
                let (user, database) = ("app", "shop 1");
                let password = Some("a;b'c\"d&e");
                let target = Target { access, addresses: &addresses, user, database, password };
                let text = target.string(format);
                writeln!(all, "{name}, {}", access.name()).expect("a string");
                writeln!(all, "  {}", text.as_deref().unwrap_or("-")).expect("a string");
            }
        }
        insta::assert_snapshot!(all);
    }

    #[test]
    fn a_service_says_the_same_line_by_line() {
        let topology = topology(2, 1);
        let addresses = from_host(&all(&topology), &ports(&topology));
        let (access, user, database) = (Access::BalancedReplicas, USER, "shop 1");
        let target = Target { access, addresses: &addresses, user, database, password: Some("p") };
        assert_eq!(
            target.service("demo-1", "/srv/my demo/pgpass"),
            "[demo-1]\nhost=127.0.0.1,127.0.0.1\nport=25551,25552\nuser=postgres\ndbname=shop 1\n\
             passfile=/srv/my demo/pgpass\ntarget_session_attrs=read-only\nload_balance_hosts=random\n\
             connect_timeout=3\n"
        );
    }

    #[test]
    fn a_node_without_a_port_is_left_out_for_the_host() {
        let topology = topology(2, 1);
        let mut ports = ports(&topology);
        ports.remove("pgha-demo1-DC1-1");
        let host = from_host(&all(&topology), &ports);
        assert_eq!(host, [Address { host: "127.0.0.1".to_owned(), port: 25552 }]);
    }

    /// What tokio-postgres knows.
    const KNOWN: [(Access, TargetSessionAttrs, LoadBalanceHosts); 4] = [
        (Access::ReadWrite, TargetSessionAttrs::ReadWrite, LoadBalanceHosts::Disable),
        (Access::ReadOnly, TargetSessionAttrs::ReadOnly, LoadBalanceHosts::Disable),
        (Access::BalancedReplicas, TargetSessionAttrs::ReadOnly, LoadBalanceHosts::Random),
        (Access::LoadBalanced, TargetSessionAttrs::Any, LoadBalanceHosts::Random),
    ];

    const NAME: &str = "[^\\x00]{1,20}";

    proptest! {
        /// No password of Postgres holds a zero byte.
        #[test]
        fn tokio_postgres_reads_back_what_was_said(
            data_centers in 1u32..4,
            nodes in 1u32..4,
            user in NAME,
            database in NAME,
            password in prop::option::of("[^\\x00]{0,40}|['\\\\ @:/?#%&=,+\\t\\n]{1,12}"),
        ) {
            let topology = topology(data_centers, nodes);
            for addresses in [from_inside(&all(&topology)), from_host(&all(&topology), &ports(&topology))] {
                for (access, session, balance) in KNOWN {
                    let (user, database) = (user.as_str(), database.as_str());
                    let password = password.as_deref();
                    let target = Target { access, addresses: &addresses, user, database, password };
                    for text in [target.uri(), target.keywords()] {
                        let config: Config = text.parse().expect(&text);
                        prop_assert_eq!(config.get_user(), Some(user));
                        prop_assert_eq!(config.get_dbname(), Some(database));
                        prop_assert_eq!(config.get_password(), password.map(str::as_bytes));
                        let hosts: Vec<_> =
                            addresses.iter().map(|a| Host::Tcp(a.host.clone())).collect();
                        prop_assert_eq!(config.get_hosts(), hosts);
                        let ports: Vec<_> = addresses.iter().map(|a| a.port).collect();
                        prop_assert_eq!(config.get_ports(), ports);
                        prop_assert_eq!(
                            (config.get_target_session_attrs(), config.get_load_balance_hosts()),
                            (session, balance)
                        );
                        let timeout = Duration::from_secs(CONNECT_TIMEOUT_S.into());
                        prop_assert_eq!(config.get_connect_timeout(), Some(&timeout));
                    }
                }
            }
        }
    }
}
