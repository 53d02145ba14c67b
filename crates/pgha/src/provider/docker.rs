//! Containers of the Docker engine: made and started by Compose, all else through the engine's API.

use std::time::{Duration, Instant};

use bollard::container::LogOutput;
use bollard::errors::Error as EngineError;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{
    DownloadFromContainerOptions, KillContainerOptions, LogsOptions, RemoveContainerOptions,
    RemoveVolumeOptions, RestartContainerOptions, StartContainerOptions, StopContainerOptions,
    UploadToContainerOptions,
};
use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;

use super::{Command, OUTPUT_MAX_BYTES, Printed, Provider, Thing, Up, User, cannot};
use crate::cluster::{self, Cluster};
use crate::compose_tool::ComposeTool;
use crate::docker::Engine;
use crate::error::{Error, OrFail as _, Result};
use crate::project::Project;

/// Seconds a member has to end by itself, as in the compose file.
const GRACE_S: i32 = 60;
/// How long a connection of another program may have one of the cluster's ports as its own end, where the kernel is set to give
/// such ports to outgoing connections, or the cluster is of an earlier pgha.
const PORT_DEADLINE: Duration = Duration::from_secs(15);
/// Time between two tries.
const PORT_POLL: Duration = Duration::from_secs(1);

impl Provider for Engine {
    async fn clusters(&self) -> Result<Vec<Cluster>> {
        cluster::find(self).await
    }

    async fn up(&self, project: &Project, up: Up<'_>) -> Result<()> {
        let arguments: &[&str] = match up {
            Up::Made => &["up", "--no-start", "--no-recreate"],
            Up::MadeAnew => &["up", "--no-start"],
            Up::All => &["up", "-d", "--no-recreate"],
            Up::Alone(member) => &["up", "-d", "--no-deps", "--no-recreate", member],
        };
        let compose = ComposeTool::find()?;
        once_ports_are_free(|| compose.run(project, arguments)).await
    }

    async fn stop(&self, container: &str) -> Result<()> {
        let options = StopContainerOptions { t: Some(GRACE_S), signal: None };
        let stopped = self.api().stop_container(container, Some(options)).await;
        done_or_gone(stopped).or_fail(format!("cannot stop {container}"))
    }

    async fn start(&self, container: &str) -> Result<()> {
        let start = || async {
            let started = self.api().start_container(container, None::<StartContainerOptions>);
            started.await.or_fail(format!("cannot start {container}"))
        };
        once_ports_are_free(start).await
    }

    async fn restart(&self, container: &str) -> Result<()> {
        let options = RestartContainerOptions { t: Some(GRACE_S), signal: None };
        let restarted = self.api().restart_container(container, Some(options)).await;
        restarted.or_fail(format!("cannot restart {container}"))
    }

    async fn kill(&self, container: &str) -> Result<()> {
        let killed = self.api().kill_container(container, None::<KillContainerOptions>).await;
        killed.or_fail(format!("cannot kill {container}"))
    }

    async fn pause(&self, container: &str) -> Result<()> {
        let paused = self.api().pause_container(container).await;
        paused.or_fail(format!("cannot pause {container}"))
    }

    async fn unpause(&self, container: &str) -> Result<()> {
        let resumed = self.api().unpause_container(container).await;
        resumed.or_fail(format!("cannot resume {container}"))
    }

    async fn make_volume(&self, name: &str, labels: &[(&str, String)]) -> Result<()> {
        let labels = labels.iter().map(|(label, text)| ((*label).to_owned(), text.clone()));
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels.collect()),
            ..VolumeCreateRequest::default()
        };
        let made = self.api().create_volume(request).await;
        made.map(drop).or_fail(format!("cannot make the volume {name}"))
    }

    async fn remove(&self, thing: Thing<'_>) -> Result<()> {
        let (name, done) = match thing {
            Thing::Container { container, volumes } => {
                let options = RemoveContainerOptions { force: true, v: volumes, link: false };
                (container, self.api().remove_container(container, Some(options)).await)
            }
            Thing::Network(network) => (network, self.api().remove_network(network).await),
            Thing::Volume(volume) => {
                (volume, self.api().remove_volume(volume, None::<RemoveVolumeOptions>).await)
            }
        };
        settled(done).or_fail(format!("cannot remove {name}"))
    }

    async fn run(
        &self,
        container: &str,
        command: Command<'_>,
        mut each: impl FnMut(Printed<'_>) + Send,
    ) -> Result<Option<i64>> {
        let what = || cannot(container, command.argv);
        let options = CreateExecOptions {
            cmd: Some(command.argv.to_vec()),
            attach_stdin: (command.held || command.input.is_some()).then_some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            user: Some(match command.user {
                User::Root => "0",
                User::Postgres => "999",
            }),
            ..CreateExecOptions::default()
        };
        let exec = self.api().create_exec(container, options).await.or_fail(what())?.id;
        let started = self.api().start_exec(&exec, Some(StartExecOptions::default())).await;
        // The input is open for as long as this is at work.
        let StartExecResults::Attached { mut output, mut input } = started.or_fail(what())? else {
            return Ok(None);
        };
        if let Some(text) = command.input {
            input.write_all(text.as_bytes()).await.or_fail(what())?;
            input.shutdown().await.or_fail(what())?;
        }
        while let Some(piece) = output.next().await {
            match piece.or_fail(what())? {
                LogOutput::StdErr { message } => each(Printed::Err(&message)),
                LogOutput::StdOut { message } | LogOutput::Console { message } => {
                    each(Printed::Out(&message));
                }
                LogOutput::StdIn { .. } => {}
            }
        }
        if !command.wants_code {
            return Ok(None);
        }
        Ok(self.api().inspect_exec(&exec).await.or_fail(what())?.exit_code)
    }

    async fn put_file(&self, container: &str, folder: &str, name: &str, text: &str) -> Result<()> {
        let options = UploadToContainerOptions { path: folder.to_owned(), ..Default::default() };
        let tar = bollard::body_full(tar_of(name, text.as_bytes()).into());
        let what = format!("cannot write {folder}/{name} in {container}");
        self.api().upload_to_container(container, Some(options), tar).await.or_fail(what)
    }

    async fn get_file(&self, container: &str, path: &str) -> Result<String> {
        let what = || format!("cannot read {path} in {container}");
        let options = DownloadFromContainerOptions { path: path.to_owned() };
        let mut pieces = self.api().download_from_container(container, Some(options));
        let mut tar = Vec::new();
        while let Some(piece) = pieces.next().await {
            tar.extend_from_slice(&piece.or_fail(what())?);
            if tar.len() > OUTPUT_MAX_BYTES {
                return Err(Error::failed(what()).because("it is too large"));
            }
        }
        content_of(&tar).ok_or_else(|| Error::failed(what()).because("it is no plain file"))
    }

    async fn log(&self, container: &str, lines: u32) -> String {
        let tail = lines.to_string();
        let options = LogsOptions { stdout: true, stderr: true, tail, ..LogsOptions::default() };
        let mut text = Vec::new();
        let mut log = self.api().logs(container, Some(options));
        while let Some(Ok(piece)) = log.next().await {
            text.extend_from_slice(&piece.into_bytes());
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Starts containers, and tries again while another program's connection has one of their ports.
async fn once_ports_are_free<F: Future<Output = Result<()>>>(start: impl Fn() -> F) -> Result<()> {
    let deadline = Instant::now() + PORT_DEADLINE;
    loop {
        let started = start().await;
        let in_use = started.as_ref().is_err_and(|e| e.reason().contains("address already in use"));
        if !in_use || Instant::now() >= deadline {
            return started;
        }
        tokio::time::sleep(PORT_POLL).await;
    }
}

fn done_or_gone(done: Result<(), EngineError>) -> Result<(), EngineError> {
    match done {
        Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
        other => other,
    }
}

/// Takes for done what somebody else has done or is about to do; whether it is shows later.
fn settled(done: Result<(), EngineError>) -> Result<(), EngineError> {
    match done_or_gone(done) {
        Err(EngineError::DockerResponseServerError { status_code: 409, message })
            if message.contains("already in progress") =>
        {
            Ok(())
        }
        other => other,
    }
}

/// The text of the one file in a tar archive.
fn content_of(tar: &[u8]) -> Option<String> {
    let size = std::str::from_utf8(tar.get(124..136)?).ok()?;
    let size = usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).ok()?;
    let is_file = matches!(tar.get(156)?, 0 | b'0');
    let content = tar.get(512..512_usize.checked_add(size)?)?;
    is_file.then(|| String::from_utf8_lossy(content).into_owned())
}

/// A tar archive of one file of the user postgres, readable for all, which is what the engine takes.
fn tar_of(name: &str, content: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    let mut header = [0; BLOCK];
    let mut put =
        |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644");
    put(108, &format!("{:07o}", 999));
    put(116, &format!("{:07o}", 999));
    put(124, &format!("{:011o}", content.len()));
    put(136, &format!("{:011o}", 0));
    put(156, "0");
    put(257, "ustar");
    put(263, "00");
    // The sum is taken with its own field as spaces.
    put(148, "        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut tar = header.to_vec();
    tar.extend_from_slice(content);
    tar.resize(tar.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    tar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_port_that_a_connection_has_is_waited_for_and_nothing_else() {
        let tries = std::cell::Cell::new(0);
        let failing = |times: u32, why: &'static str| {
            tries.set(0);
            let tries = &tries;
            move || async move {
                tries.set(tries.get() + 1);
                let failed = tries.get() <= times;
                if failed { Err(Error::failed("cannot start").because(why)) } else { Ok(()) }
            }
        };
        let in_use = "listen tcp4 127.0.0.1:25554: bind: address already in use";
        once_ports_are_free(failing(2, in_use)).await.expect("the third try");
        assert_eq!(tries.get(), 3);
        once_ports_are_free(failing(1, "no space left on device")).await.expect_err("no port");
        assert_eq!(tries.get(), 1);
    }

    #[test]
    fn a_file_that_was_packed_is_unpacked_and_nonsense_is_not() {
        let tar = tar_of("restore.hold", b"into-20261124-155501");
        assert_eq!(content_of(&tar).as_deref(), Some("into-20261124-155501"));
        for nonsense in [&b""[..], &tar[..200], &tar[..520], &[b'9'; 600]] {
            assert_eq!(content_of(nonsense), None);
        }
    }
}
