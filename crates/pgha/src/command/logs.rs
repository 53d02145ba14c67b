//! `pgha logs`: what a member wrote, whether it runs or not.

use std::process::Command;

use crate::cli::Logs;
use crate::docker::Engine;
use crate::error::Result;
use crate::{handover, member};

/// Carries out `pgha logs`; becomes `docker logs`.
pub(crate) async fn run(args: &Logs) -> Result<()> {
    let engine = Engine::connect().await?;
    let container = member::find(&engine, &args.member).await?;
    let mut command = Command::new("docker");
    command.args(["logs", "--tail", &args.tail]);
    if args.follow {
        command.arg("--follow");
    }
    handover::to(command.arg(container.name))
}
