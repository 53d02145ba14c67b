//! Handing this process over to another program, with its terminal, signals and exit code.

use std::ffi::OsStr;
use std::io::{ErrorKind, IsTerminal as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::error::{Error, Result};

/// Where a program is on `PATH`.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Hands over to `command`; returns only where that cannot be.
///
/// # Errors
/// Always, when it returns.
pub(crate) fn to(command: &mut Command) -> Result<()> {
    let error = command.exec();
    let program = command.get_program().display().to_string();
    Err(match error.kind() {
        ErrorKind::NotFound if program == "docker" => {
            Error::missing("there is no `docker` command on this machine")
                .hint("`apt-get install docker.io`, or docker-cli where it is a package of its own")
        }
        _ => Error::failed(format!("cannot run `{program}`")).because(error),
    })
}

/// `docker exec` with this process's input, and a terminal where there is one.
pub(crate) fn docker_exec() -> Command {
    let mut command = Command::new("docker");
    command.args(["exec", "--interactive"]);
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        command.arg("--tty");
    }
    command
}

/// Adds `--env KEY=VALUE`; no secret may be one, since anybody may see it in the list of processes.
pub(crate) fn env(command: &mut Command, key: &str, value: impl AsRef<OsStr>) {
    let mut pair = std::ffi::OsString::from(format!("{key}="));
    pair.push(value);
    command.arg("--env").arg(pair);
}
