//! Takes a fault back after a time though the command that injected it may have ended: a process of its own.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use pgha_core::topology::ClusterId;
use pgha_wan::units::format_duration;

use crate::error::{OrFail as _, Result};

/// Starts it. It is in a process group of its own, so that a Ctrl-C for this command is not for it.
///
/// # Errors
/// When it cannot be started.
pub(super) fn start(id: &ClusterId, fault: &str, after: Duration) -> Result<()> {
    let what = "cannot start what takes the fault back";
    let own = std::env::current_exe().or_fail(what)?;
    let mut command = Command::new(own);
    command
        .args(["heal", &id.to_string(), "--fault", fault, "--after", &format_duration(after)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    // Nobody waits for it: it ends after this command, and is then the system's.
    command.spawn().map(drop).or_fail(what)
}
