//! `pgha build`: the images.

use crate::cli::Build;
use crate::docker::Engine;
use crate::error::Result;
use crate::images;

/// Carries out `pgha build`.
pub(crate) async fn run(args: &Build) -> Result<()> {
    let engine = Engine::connect().await?;
    images::build(&engine, args).await
}
