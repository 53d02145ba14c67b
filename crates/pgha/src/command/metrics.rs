//! `pgha metrics`: the metrics of a cluster, once.

use crate::cli::web::Metrics;
use crate::cluster::{self, Among};
use crate::docker::Engine;
use crate::error::Result;
use crate::{metrics, terminal};

/// Carries out `pgha metrics`.
pub(crate) async fn run(args: &Metrics) -> Result<()> {
    let engine = Engine::connect().await?;
    let found = cluster::find(&engine).await?;
    let cluster = cluster::resolve(found, args.cluster.as_deref(), Among::Created)?;
    terminal::print(&Box::pin(metrics::text(&engine, &cluster)).await?)
}
