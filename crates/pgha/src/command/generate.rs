//! `pgha generate`: the compose file and its secrets.

use pgha_core::spec::Spec;

use crate::cli::Generate;
use crate::cluster::{self, Cluster};
use crate::command::spec_args;
use crate::docker::Engine;
use crate::error::Result;
use crate::generated;

/// Carries out `pgha generate`.
pub(crate) async fn run(args: &Generate) -> Result<()> {
    let spec: Spec = spec_args::checked(&args.spec)?;
    let existing = clusters_if_reachable().await;
    let made = generated::generate(spec, &args.output, &existing)?;
    let _ = made;
    Ok(())
}

/// The clusters of the engine. A file can be written without one, but then without knowing what is
/// taken.
async fn clusters_if_reachable() -> Vec<Cluster> {
    let found = async { cluster::find(&Engine::connect().await?).await };
    found.await.unwrap_or_else(|e: crate::error::Error| {
        anstream::eprintln!(
            "{e}\nnote: instance, ports and subnets are chosen without asking the engine"
        );
        Vec::new()
    })
}
