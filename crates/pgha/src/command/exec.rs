//! `pgha exec` and `pgha shell`: a command or a shell in a member.

use crate::cli::{Exec, Shell};
use crate::docker::Engine;
use crate::error::Result;
use crate::{handover, member};

/// Opens bash, or where an image has none, sh.
const SHELL: &str = "command -v bash > /dev/null && exec bash || exec sh";

/// Carries out `pgha exec`; becomes `docker exec`.
pub(crate) async fn run(args: &Exec) -> Result<()> {
    into(&args.member, &args.command).await
}

/// Carries out `pgha shell`; becomes `docker exec`.
pub(crate) async fn shell(args: &Shell) -> Result<()> {
    into(&args.member, &["sh", "-c", SHELL].map(str::to_owned)).await
}

async fn into(wanted: &str, command: &[String]) -> Result<()> {
    let engine = Engine::connect().await?;
    let container = member::find_running(&engine, wanted).await?;
    handover::to(handover::docker_exec().arg(container.name).args(command))
}
