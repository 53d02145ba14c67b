//! `pgha exec`: a command in a member.

use crate::cli::Exec;
use crate::docker::Engine;
use crate::error::Result;
use crate::{handover, member};

/// Carries out `pgha exec`; becomes `docker exec`.
pub(crate) async fn run(args: &Exec) -> Result<()> {
    let engine = Engine::connect().await?;
    let container = member::find_running(&engine, &args.member).await?;
    handover::to(handover::docker_exec().arg(container.name).args(&args.command))
}
