//! How long a commit takes: a transaction that changes nothing and is acknowledged like any other.
//!
//! It writes one empty logical message into the WAL, which no table shows and nobody reads; its commit waits for the disk and
//! for the standbys that acknowledge.

use std::time::{Duration, Instant};

use pgha_core::metrics::Write;
use tokio::time::timeout;
use tokio_postgres::NoTls;

use crate::cluster::Cluster;
use crate::connection::Connection;
use crate::docker::Engine;
use crate::error::Result;
use crate::load::target::{Session, Target};

/// A commit that takes longer is none.
const DEADLINE: Duration = Duration::from_secs(2);
/// A transaction with an id, and so one whose commit is waited for.
const WRITE: &str = "select pg_logical_emit_message(true, 'pgha', '')";

/// A client that commits now and then.
#[derive(Debug)]
pub(crate) struct WriteProbe {
    target: Target,
    session: Option<Session>,
}

impl WriteProbe {
    /// A client of that cluster.
    ///
    /// # Errors
    /// When the password cannot be read.
    pub(crate) async fn of(engine: &Engine, cluster: &Cluster) -> Result<Self> {
        let connection = Connection::of(engine, cluster).await?;
        Ok(Self { target: Target::of(&connection)?, session: None })
    }

    /// Commits once.
    pub(crate) async fn once(&mut self) -> Write {
        if self.session.is_none() {
            self.session = self.target.connect().await;
        }
        let Some(session) = &self.session else { return Write { took: None } };
        let started = Instant::now();
        let written = timeout(DEADLINE, session.client.simple_query(WRITE)).await;
        let took = matches!(written, Ok(Ok(_))).then(|| started.elapsed());
        if took.is_none() {
            // One that waits for a standby would wait on, and keep its connection.
            let _ = timeout(DEADLINE, session.client.cancel_token().cancel_query(NoTls)).await;
            self.session = None;
        }
        Write { took }
    }
}
