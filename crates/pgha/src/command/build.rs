//! `pgha build`: the images.

use crate::cli::Build;
use crate::docker::Engine;
use crate::error::Result;
use crate::events::Events;
use crate::images;

/// Carries out `pgha build`.
pub(crate) async fn run(args: &Build, events: &Events) -> Result<()> {
    // What is wrong with the engine is better said before anything is compiled.
    Engine::connect().await?;
    images::build(args, events).await
}
