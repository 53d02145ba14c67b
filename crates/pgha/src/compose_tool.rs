//! Compose, as a program: version 2 (`docker compose`) where there is one, else 1 (`docker-compose`).

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Error, OrFail, Result};
use crate::program::on_path;
use crate::project::Project;

/// Lines of a failed command's output that are shown.
const SHOWN_LINES: usize = 20;

/// The Compose of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ComposeTool {
    /// The program and its first arguments.
    argv: &'static [&'static str],
}

impl ComposeTool {
    /// Finds it.
    ///
    /// # Errors
    /// When neither version is there.
    pub(crate) fn find() -> Result<Self> {
        let v2 = Self { argv: &["docker", "compose"] };
        let v1 = Self { argv: &["docker-compose"] };
        // Version 1 takes half a second to say its version: being there must do.
        if v2.version().is_some() {
            Ok(v2)
        } else if on_path(v1.argv[0]) {
            Ok(v1)
        } else {
            Err(Error::missing("there is no Compose on this machine")
                .because("neither `docker compose` nor `docker-compose` can be run")
                .hint(
                    "`apt-get install docker-compose`, or Docker's package docker-compose-plugin",
                ))
        }
    }

    /// What it says of its version; `None` where it cannot be run.
    pub(crate) fn version(&self) -> Option<String> {
        let mut command = Command::new(self.argv[0]);
        command.args(&self.argv[1..]).args(["version", "--short"]).stderr(Stdio::null());
        let said = command.output().ok().filter(|done| done.status.success())?;
        Some(String::from_utf8_lossy(&said.stdout).trim().to_owned())
    }

    /// The command as a user would type it, without arguments.
    pub(crate) fn shown(&self) -> String {
        self.argv.join(" ")
    }

    /// Runs it on a project and waits for its end.
    ///
    /// # Errors
    /// When it fails: with the command, its status and the end of its output.
    pub(crate) async fn run(&self, project: &Project, arguments: &[&str]) -> Result<()> {
        let no_settings = tempfile::NamedTempFile::new().or_fail("cannot make a temporary file")?;
        let environment = std::env::vars_os().map(|(name, _)| name);
        let mut command = self.command(project, no_settings.path(), arguments, environment);
        let (tool, file) = (self.shown(), project.file.display());
        let shown = format!("{tool} -p {} -f {file} {}", project.name, arguments.join(" "));
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

    /// The program with its arguments. Neither `COMPOSE_…` variables of the caller's `environment` nor an `.env`
    /// beside the file have a say: they may name another project, another engine, or what to remove.
    fn command(
        &self,
        project: &Project,
        no_settings: &Path,
        arguments: &[&str],
        environment: impl Iterator<Item = OsString>,
    ) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(self.argv[0]);
        command
            .args(&self.argv[1..])
            .args(["-p", &project.name, "-f"])
            .arg(&project.file)
            .arg("--env-file")
            .arg(no_settings)
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        for name in environment.filter(|name| name.to_string_lossy().starts_with("COMPOSE_")) {
            command.env_remove(name);
        }
        command.env("COMPOSE_ANSI", "never");
        command
    }
}

/// The last lines of a text, which is where a failed command says why.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compose_is_told_everything_and_asks_no_variable() {
        let tool = ComposeTool { argv: &["docker-compose"] };
        let project = Project { name: "demo".to_owned(), file: "/srv/x/a.yaml".into() };
        let set = ["COMPOSE_PROJECT_NAME", "COMPOSE_FILE", "COMPOSE_REMOVE_ORPHANS", "DOCKER_HOST"];
        let environment = set.iter().map(|name| OsString::from(*name));
        let command = tool.command(&project, Path::new("/tmp/empty"), &["up", "-d"], environment);
        let arguments: Vec<_> = command.as_std().get_args().collect();
        assert_eq!(
            arguments,
            ["-p", "demo", "-f", "/srv/x/a.yaml", "--env-file", "/tmp/empty", "up", "-d"]
        );
        let changed: Vec<_> = command.as_std().get_envs().collect();
        for name in &set[..3] {
            assert!(changed.contains(&((*name).as_ref(), None)), "{name}: {changed:?}");
        }
        assert!(!changed.iter().any(|(name, _)| *name == "DOCKER_HOST"));
    }
}
