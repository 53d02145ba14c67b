//! `pgha logs`: what a member wrote, whether it runs or not.

use std::io;
use std::os::fd::AsFd as _;
use std::process::Command;

use crate::cli::Logs;
use crate::docker::Engine;
use crate::error::{OrFail as _, Result};
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
    // A log is what was asked for, whichever way the member wrote it.
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    command.stderr(stdout.or_fail("cannot write to standard output")?);
    handover::to(command.arg(container.name))
}
