//! A write probe: how long no write goes while something is done to a cluster.

use std::time::Duration;

use pgha_core::check::Judged;
use pgha_core::history::{Workload, outages};
use pgha_wan::units::whole_ms;
use serde::Serialize;

use super::target::Target;
use super::writing::{Clients, Writing};
use crate::cluster::Cluster;
use crate::connection::Connection;
use crate::docker::Engine;
use crate::error::{Error, Result};

/// Who writes: often enough to see a gap of a hundredth of a second.
const CLIENTS: Clients = Clients {
    workload: Workload::Ledger,
    count: 2,
    readers: 0,
    rate: Some(200),
    timeout: Duration::from_secs(5),
};
/// From here on a time between two writes counts as one without writes, as in `pgha load`.
const GAP: Duration = Duration::from_millis(500);

/// Clients that write into a table of their own.
#[derive(Debug)]
pub(crate) struct Probe(Writing);

/// What they saw.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Probed {
    /// The longest time without an acknowledged write.
    pub(crate) no_writes_ms: Option<u64>,
    /// All times of half a second or more together.
    pub(crate) no_writes_total_ms: Option<u64>,
    acknowledged: Option<u64>,
    unknown: Option<u64>,
    lost: Option<u64>,
}

impl Probe {
    /// Begins to write.
    ///
    /// # Errors
    /// When no node takes writes, or the table cannot be made.
    pub(crate) async fn begin(engine: &Engine, cluster: &Cluster) -> Result<Self> {
        let connection = Connection::of(engine, cluster).await?;
        let target = Target::of(&connection)?;
        Ok(Self(Writing::begin(target, &cluster.id.to_string(), CLIENTS).await?))
    }

    /// Ends it, counts, and drops the table.
    pub(crate) async fn end(self) -> Probed {
        let written = self.0.end().await;
        let ended = written.read().await.ok();
        if let Some(ended) = &ended {
            written.drop_table(ended).await;
        }
        let history = written.history(ended);
        let writes = history.writes();
        let all = outages(&writes, history.took, Duration::ZERO);
        // What is after the last write is the end of the probe.
        let over = all.iter().filter(|outage| outage.to.is_some());
        let lengths: Vec<Duration> = over.map(|outage| outage.length(history.took)).collect();
        let total = lengths.iter().filter(|length| **length >= GAP).sum();
        let Judged { ledger, counted, .. } = Judged::of(&history);
        Probed {
            no_writes_ms: lengths.into_iter().max().map(whole_ms),
            no_writes_total_ms: Some(whole_ms(total)),
            acknowledged: Some(ledger.acknowledged),
            unknown: Some(ledger.unknown),
            lost: counted.then_some(ledger.lost.len() as u64),
        }
    }
}

impl Probed {
    /// `0 of 284 acknowledged writes lost`.
    pub(crate) fn lost(&self) -> String {
        let lost = self.lost.map_or_else(|| "?".to_owned(), |lost| lost.to_string());
        format!("{lost} of {} acknowledged writes lost", self.acknowledged.unwrap_or_default())
    }

    /// Fails where writes were lost.
    ///
    /// # Errors
    /// When acknowledged writes are not there any more.
    pub(crate) fn judge(&self, id: &impl std::fmt::Display) -> Result<()> {
        match self.lost {
            None | Some(0) => Ok(()),
            Some(lost) => Err(Error::violated(format!("{lost} acknowledged writes are lost"))
                .hint(format!("`pgha status {id}` has the durability in force"))),
        }
    }
}
