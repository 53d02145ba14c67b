//! Where a cluster's nodes are reached, and with which password: from labels, the compose file and
//! the secrets beside it.
//!
//! Opens no session. It does knock at the published ports, because a client cannot tell a container
//! without a running Postgres from one that will answer: Docker accepts the connection in its place
//! and then closes it, at which libpq gives up instead of trying the next node.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use pgha_core::connect::{self, Access, Address, USER};
use pgha_core::proxy::ProxyPort;
use pgha_core::render::CONFIG_DIR;
use pgha_core::status::{Problem, RESTORE_UNFINISHED};
use pgha_core::topology::{Member, Role, Topology, port_key};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cluster::{self, Among, Cluster};
use crate::compose_file::{self, Found};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::provider::Provider as _;
use crate::{member, observe, project, secrets};

/// `SSLRequest`: its length and its code ("Message Formats" in the documentation of Postgres).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// How long a node on this very host may take to say whether it speaks TLS.
const KNOCK_TIMEOUT: Duration = Duration::from_millis(500);

/// How long it may take to learn who leads; without that the order is the usual one.
const LEADER_TIMEOUT: Duration = Duration::from_secs(3);

/// Libpq takes no password file that others may read.
const OWN_PASSFILE: &str = r#"set -eu
chmod 600 "$1"
mv "$1" "$2""#;
/// How long that may take.
const OWN_PASSFILE_TIMEOUT: Duration = Duration::from_secs(10);

/// The ways to a cluster's databases.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    topology: Topology,
    /// Number of the client's site, whose nodes are tried first.
    site: Option<u8>,
    /// The leader, where it is certain.
    leader: Option<String>,
    /// Ports on the host's loopback, those of nodes by name.
    ports: BTreeMap<String, u16>,
    /// The restore that is in progress.
    restore: Option<Problem>,
    /// Those of them that answer there.
    answering: BTreeSet<String>,
    compose_file: PathBuf,
}

/// The cluster that is meant: by name, or the only one that has containers.
pub(crate) async fn cluster(engine: &Engine, name: Option<&str>) -> Result<Cluster> {
    let among = if name.is_some() { Among::All } else { Among::Created };
    cluster::resolve(cluster::find(engine).await?, name, among)
}

impl Connection {
    /// Finds them, asks who leads, and knocks at every node.
    ///
    /// # Errors
    /// When the labels do not tell what the cluster is or where its compose file is.
    pub(crate) async fn of(engine: &Engine, cluster: &Cluster) -> Result<Self> {
        let topology = cluster.topology()?;
        let compose_file = project::secrets_beside(cluster)?;
        let ports = ports(cluster, &compose_file);
        let knocks = join_all(ports.iter().map(async |(name, port)| {
            let host = Ipv4Addr::LOCALHOST.to_string();
            answers(&Address { host, port: *port }).await.then(|| name.clone())
        }));
        let (answering, view) =
            tokio::join!(knocks, timeout(LEADER_TIMEOUT, observe::view(engine, cluster)));
        let view = view.ok().and_then(Result::ok);
        let restore = view.as_ref().and_then(|view| {
            view.problems.iter().find(|problem| problem.code == RESTORE_UNFINISHED).cloned()
        });
        let leader = view.and_then(|view| view.leader);
        let answering = answering.into_iter().flatten().collect();
        let topology = topology.clone();
        Ok(Self { topology, site: None, leader, ports, restore, answering, compose_file })
    }

    /// The same for a client in this site.
    ///
    /// # Errors
    /// When there is no such site.
    pub(crate) fn in_site(mut self, name: Option<&str>) -> Result<Self> {
        self.site = name.map(|name| Ok(member::site(&self.topology, name)?.number)).transpose()?;
        Ok(self)
    }

    /// The same to these nodes alone.
    pub(crate) fn only(mut self, nodes: impl Fn(&Member) -> bool) -> Self {
        self.topology.members.retain(nodes);
        self
    }

    fn nodes(&self, access: Access) -> Vec<&Member> {
        connect::in_order(&self.topology, self.leader.as_deref(), access, self.site)
    }

    /// The nodes on the host's loopback that answer, in the order in which they are to be tried.
    pub(crate) fn answering(&self, access: Access) -> Vec<Address> {
        let mut nodes = self.nodes(access);
        nodes.retain(|node| self.answering.contains(&node.name));
        connect::from_host(&nodes, &self.ports)
    }

    /// Every node on the host's loopback, those that answer first.
    pub(crate) fn on_host(&self, access: Access) -> Vec<Address> {
        let mut nodes = self.nodes(access);
        nodes.sort_by_key(|node| !self.answering.contains(&node.name));
        connect::from_host(&nodes, &self.ports)
    }

    /// Every node that has a port on the host, with that port.
    pub(crate) fn ports(&self) -> Vec<(String, u16)> {
        let nodes = self.nodes(Access::ReadWrite);
        let ports =
            nodes.iter().filter_map(|node| Some((node.name.clone(), *self.ports.get(&node.name)?)));
        ports.collect()
    }

    /// Every node inside the cluster.
    pub(crate) fn inside(&self, access: Access) -> Vec<Address> {
        connect::from_inside(&self.nodes(access))
    }

    /// The ports of proxies that the cluster has.
    pub(crate) fn proxy_ports(&self) -> Vec<ProxyPort> {
        ProxyPort::of(self.topology.spec.proxy).collect()
    }

    /// One port of every proxy, on the host's loopback.
    pub(crate) fn proxies_on_host(&self, port: ProxyPort) -> Vec<Address> {
        connect::proxies_from_host(&self.topology, port, self.site, &self.ports)
    }

    /// One port of every proxy, inside the cluster.
    pub(crate) fn proxies_inside(&self, port: ProxyPort) -> Vec<Address> {
        connect::proxies_from_inside(&self.topology, port, self.site)
    }

    /// The restore that is in progress, an error where it keeps nodes from running.
    pub(crate) fn restore(&self) -> Option<&Problem> {
        self.restore.as_ref()
    }

    /// The leader, where it is certain.
    pub(crate) fn leader(&self) -> Option<&str> {
        self.leader.as_deref()
    }

    /// Nodes that have no known port on the host, by name.
    pub(crate) fn without_port(&self) -> Vec<&str> {
        let nodes = self.topology.of_role(Role::Postgres).map(|node| node.name.as_str());
        nodes.filter(|name| !self.ports.contains_key(*name)).collect()
    }

    /// The same file, with the password as it is now.
    ///
    /// # Errors
    /// When the password cannot be read or the file not be written.
    pub(crate) fn fresh_passfile(&self) -> Result<PathBuf> {
        secrets::fresh_pgpass(&self.compose_file)
    }

    /// The file for `PGPASSFILE`.
    pub(crate) fn passfile(&self) -> PathBuf {
        secrets::pgpass_of(&self.compose_file)
    }

    /// The compose file whose secrets these are.
    pub(crate) fn compose_file(&self) -> &Path {
        &self.compose_file
    }

    /// A user's password.
    ///
    /// # Errors
    /// When there is none among the secrets, or it cannot be read.
    pub(crate) fn password(&self, user: &str) -> Result<String> {
        secrets::password(&self.compose_file, user)
    }

    /// Writes a file for the `PGPASSFILE` of the user postgres in a node, and says where it is.
    ///
    /// # Errors
    /// When the password cannot be read, or the node does not run.
    pub(crate) async fn passfile_in(&self, engine: &Engine, node: &str) -> Result<String> {
        let line = secrets::pgpass_line(USER, &self.password(USER)?);
        let (fresh, path) =
            (format!("psql.{}", std::process::id()), format!("{CONFIG_DIR}/psql.pgpass"));
        // Into a folder that is for that user alone.
        engine.put_file(node, CONFIG_DIR, &fresh, &line).await?;
        let own = ["sh", "-c", OWN_PASSFILE, "sh", &format!("{CONFIG_DIR}/{fresh}"), &path];
        let written = engine.exec(node, &own, OWN_PASSFILE_TIMEOUT).await?;
        if written.code == 0 {
            return Ok(path);
        }
        Err(Error::failed(format!("cannot write a password file in {node}"))
            .because(written.stderr))
    }

    /// Writes the file for `PGSERVICEFILE`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write_services(&self, text: &str) -> Result<PathBuf> {
        secrets::write_services(&self.compose_file, text)
    }
}

/// Ports by what they are called in a compose file: those of the containers, and of one that is gone those of the file.
fn ports(cluster: &Cluster, compose_file: &Path) -> BTreeMap<String, u16> {
    let mut ports = match compose_file::read(compose_file) {
        Ok(Found::Cluster(there)) if cluster.known().is(&there.identity()) => there.choices.ports,
        _ => BTreeMap::new(),
    };
    for container in &cluster.containers {
        let published = container.ports.iter();
        ports.extend(published.map(|(inside, port)| (port_key(&container.name, *inside), *port)));
    }
    ports
}

/// Whether a server of Postgres' protocol listens there.
async fn answers(address: &Address) -> bool {
    let knock = async {
        let mut stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
        stream.write_all(&SSL_REQUEST).await?;
        stream.read_u8().await
    };
    matches!(timeout(KNOCK_TIMEOUT, knock).await, Ok(Ok(b'N' | b'S')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A server that reads a request and sends `answer`, or with none closes at once as Docker does.
    async fn server(answer: Option<&'static [u8]>) -> Address {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(answer) = answer else { continue };
                let mut request = [0; 8];
                let _ = stream.read_exact(&mut request).await;
                let _ = stream.write_all(answer).await;
            }
        });
        Address { host: "127.0.0.1".to_owned(), port }
    }

    #[tokio::test]
    async fn only_postgres_answers() {
        assert!(answers(&server(Some(b"N")).await).await);
        assert!(answers(&server(Some(b"S")).await).await);
        assert!(!answers(&server(Some(b"HTTP/1.1 400 Bad Request")).await).await);
        assert!(!answers(&server(None).await).await);
        let port = TcpListener::bind("127.0.0.1:0").await.and_then(|l| l.local_addr());
        let port = port.expect("a port that was free").port();
        assert!(!answers(&Address { host: "127.0.0.1".to_owned(), port }).await);
    }
}
