//! `pgha build`: the images.

use pgha_core::spec::Spec;

use crate::cli::Build;
use crate::cluster_file;
use crate::command::spec_args;
use crate::docker::Engine;
use crate::error::Result;
use crate::events::Events;
use crate::images;

/// Carries out `pgha build`.
pub(crate) async fn run(args: &Build, events: &Events) -> Result<()> {
    let spec = match &args.file {
        None => Spec { postgres: args.postgres, ..Spec::default() },
        Some(path) => {
            let spec = cluster_file::read(path)?.0;
            spec_args::demand_possible(&spec, events)?;
            spec
        }
    };
    // What is wrong with the engine is better said before anything is compiled.
    Engine::connect().await?;
    images::build(args, &spec, events).await
}
