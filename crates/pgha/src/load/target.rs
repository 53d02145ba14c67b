//! The nodes of a cluster as a client on this host sees them, and the one that takes writes.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{self, select_ok};
use pgha_core::connect::{DATABASE, USER};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

use crate::connection::Connection;
use crate::error::Result;
use crate::secrets;

/// How long a node may take to let a client in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where writes can go.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Every node with its port on the host's loopback.
    pub(crate) nodes: Vec<(String, u16)>,
    /// The password among its secrets may become another one while this is at work.
    pub(crate) compose_file: PathBuf,
}

impl Target {
    /// All nodes of a cluster.
    ///
    /// # Errors
    /// When the password cannot be read.
    pub(crate) fn of(connection: &Connection) -> Result<Self> {
        connection.password(USER)?;
        let compose_file = connection.compose_file().to_path_buf();
        Ok(Self { nodes: connection.ports(), compose_file })
    }
}

/// A connection to the node that takes writes. Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Session {
    /// For statements.
    pub(crate) client: Client,
    /// Which of the target's nodes.
    pub(crate) node: u32,
    warned: Arc<AtomicBool>,
    connection: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Session {
    /// The timeline that the node writes, and none within on a replica; `None` where it does not answer.
    pub(crate) async fn timeline(&self) -> Option<Option<u32>> {
        let sql = "select case when not pg_is_in_recovery() then \
                   ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint end";
        let row = self.client.query_one(sql, &[]).await.ok()?;
        let timeline: Option<i64> = row.get(0);
        Some(timeline.and_then(|timeline| u32::try_from(timeline).ok()))
    }

    /// Whether the server has warned since this was last asked: a commit that was answered so may be on no standby.
    pub(crate) fn has_warned(&self) -> bool {
        self.warned.swap(false, Ordering::Relaxed)
    }
}

impl Target {
    /// Connects to the node that takes writes: all are asked at once, and the first that does is taken. `None` where
    /// none does.
    pub(crate) async fn connect(&self) -> Option<Session> {
        let each = (0_u32..).zip(&self.nodes).map(|(node, (_, port))| {
            Box::pin(async move {
                self.connect_to(node, *port, TargetSessionAttrs::ReadWrite).await.ok_or(())
            })
        });
        select_ok(each).await.ok().map(|(session, _)| session)
    }

    /// Connects to the node of that place, whatever it takes.
    pub(crate) async fn connect_to_any(&self, node: u32) -> Option<Session> {
        let (_, port) = self.nodes.get(node as usize)?;
        self.connect_to(node, *port, TargetSessionAttrs::Any).await
    }

    async fn connect_to(
        &self,
        node: u32,
        port: u16,
        attributes: TargetSessionAttrs,
    ) -> Option<Session> {
        let mut config = Config::new();
        config
            .host(Ipv4Addr::LOCALHOST.to_string())
            .port(port)
            .user(USER)
            .dbname(DATABASE)
            .password(secrets::password(&self.compose_file, USER).ok()?)
            .application_name("pgha load")
            .target_session_attrs(attributes);
        let (client, mut connection) =
            timeout(CONNECT_TIMEOUT, config.connect(NoTls)).await.ok()?.ok()?;
        let warned = Arc::new(AtomicBool::new(false));
        let (noticed, warnings) = (warned.clone(), "WARNING");
        let connection = tokio::spawn(async move {
            while let Some(Ok(message)) = future::poll_fn(|cx| connection.poll_message(cx)).await {
                if matches!(message, AsyncMessage::Notice(notice) if notice.severity() == warnings)
                {
                    noticed.store(true, Ordering::Relaxed);
                }
            }
        });
        Some(Session { client, node, warned, connection })
    }
}
