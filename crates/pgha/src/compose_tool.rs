//! Compose, as a program: version 2 (`docker compose`) where there is one, else 1 (`docker-compose`).

use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// Lines of a failed command's output that are shown.
const SHOWN_LINES: usize = 20;

/// The Compose of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ComposeTool {
    /// The program and its first arguments.
    argv: Vec<&'static str>,
    /// What it says of its version.
    pub(crate) version: String,
}

impl ComposeTool {
    /// Finds it.
    ///
    /// # Errors
    /// When neither version is there.
    pub(crate) fn find() -> Result<Self> {
        for argv in [vec!["docker", "compose"], vec!["docker-compose"]] {
            let asked = Command::new(argv[0])
                .args(&argv[1..])
                .args(["version", "--short"])
                .stderr(Stdio::null())
                .output();
            if let Ok(done) = asked
                && done.status.success()
            {
                let version = String::from_utf8_lossy(&done.stdout).trim().to_owned();
                return Ok(Self { argv, version });
            }
        }
        Err(Error::missing("there is no Compose on this machine")
            .because("neither `docker compose` nor `docker-compose` can be run")
            .hint("`apt-get install docker-compose`, or ./quickstart.sh"))
    }

    /// The command as a user would type it, without arguments.
    pub(crate) fn shown(&self) -> String {
        self.argv.join(" ")
    }

    /// Runs it on a compose file and waits for its end.
    ///
    /// # Errors
    /// When it fails: with the command, its status and the end of its output.
    pub(crate) async fn run(&self, file: &Path, arguments: &[&str]) -> Result<()> {
        let mut command = tokio::process::Command::new(self.argv[0]);
        command
            .args(&self.argv[1..])
            .arg("-f")
            .arg(file)
            .args(arguments)
            .env("COMPOSE_ANSI", "never")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let shown = format!("{} -f {} {}", self.shown(), file.display(), arguments.join(" "));
        let done = command
            .output()
            .await
            .map_err(|e| Error::missing(format!("cannot run `{shown}`")).because(e))?;
        if done.status.success() {
            return Ok(());
        }
        let mut said = String::from_utf8_lossy(&done.stderr).into_owned();
        said.push_str(&String::from_utf8_lossy(&done.stdout));
        Err(Error::failed(format!("`{shown}` failed ({})", done.status)).because(last_lines(&said)))
    }
}

/// The last lines of a text, which is where a failed command says why.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}
