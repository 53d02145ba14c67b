//! The Docker engine: reaching it, running a command in a container within a deadline.
//!
//! Uses the socket that the `docker` command would use (`DOCKER_HOST`, then the current context,
//! then the default), so that the engine pgha observes is the one Compose works on. Never starts,
//! stops or removes anything by itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::models::SystemInfo;
use bollard::query_parameters::{DownloadFromContainerOptions, UploadToContainerOptions};
use futures_util::StreamExt;
use pgha_core::disk::Disk;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::error::{Error, OrFail, Result};
use crate::program::on_path;

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// Longest wait for one answer of the engine; a `stop` may take Compose's own time.
const REQUEST_TIMEOUT_S: u64 = 120;
/// Longest wait for the engine's first answer.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// What one exec may print before the rest is dropped.
const EXEC_OUTPUT_MAX_BYTES: usize = 16 << 20;

/// Who a probe runs as: the user postgres of every image, by number, which may read the repository
/// and nothing that is root's.
const PROBE_USER: &str = "999";
/// Who reads secrets in a member.
const ROOT: &str = "0";

/// A connection to the Docker engine.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    api: bollard::Docker,
    socket: PathBuf,
}

/// What a command in a container came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    /// Exit code; 126 and 127 are also what the engine answers for a program that cannot be run.
    pub(crate) code: i64,
    /// What it wrote to standard output, bytes that are no UTF-8 replaced.
    pub(crate) stdout: String,
    /// What it wrote to standard error.
    pub(crate) stderr: String,
}

/// What a command in a container printed, before anybody asked for its exit code.
#[derive(Debug)]
struct Printed {
    exec: String,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Engine {
    /// Connects and agrees on a version of the API.
    ///
    /// # Errors
    /// When no engine is installed, running or reachable for this user, each with a hint.
    pub(crate) async fn connect() -> Result<Self> {
        let socket = socket()?;
        let version = ping(&socket).await?;
        let path = socket
            .to_str()
            .ok_or_else(|| Error::missing(format!("the path {} is not UTF-8", socket.display())))?;
        let api = bollard::Docker::connect_with_unix(path, REQUEST_TIMEOUT_S, &version)
            .map_err(|e| unreachable_engine(&socket, &e.to_string()))?;
        Ok(Self { api, socket })
    }

    /// The socket that it is reached at.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The engine's API, for what has no method here.
    pub(crate) fn api(&self) -> &bollard::Docker {
        &self.api
    }

    /// The disk that it keeps volumes on; `None` where that cannot be seen from here.
    pub(crate) async fn disk(&self) -> Option<Disk> {
        disk_of(&self.api.info().await.ok()?)
    }

    /// Runs a command in a running container as root and waits for its end.
    ///
    /// A command that is still running at the deadline is left to itself: the engine has no way to
    /// end an exec.
    ///
    /// # Errors
    /// When the container is not running or not there, or the deadline passes
    /// ([`crate::error::Exit::Deadline`]). A non-zero exit code is no error here.
    pub(crate) async fn exec(
        &self,
        container: &str,
        argv: &[&str],
        deadline: Duration,
    ) -> Result<Output> {
        let what = || format!("cannot run `{}` in {container}", argv.join(" "));
        let run = async {
            let printed = self.run(container, argv, ROOT).await.or_fail(what())?;
            let code = self
                .api
                .inspect_exec(&printed.exec)
                .await
                .or_fail(what())?
                .exit_code
                .unwrap_or_default();
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            Ok(Output { code, stdout: text(printed.stdout), stderr: text(printed.stderr) })
        };
        timeout(deadline, run).await.unwrap_or_else(|_| {
            Err(Error::deadline(what()).because(format!("no answer within {deadline:?}")))
        })
    }

    /// Runs a probe in a running container and gives what it printed to standard output; saves
    /// the question for the exit code.
    ///
    /// # Errors
    /// As [`Engine::exec`], and when it printed nothing.
    pub(crate) async fn exec_stdout(
        &self,
        container: &str,
        argv: &[&str],
        deadline: Duration,
    ) -> Result<Vec<u8>> {
        let what = || format!("cannot run `{}` in {container}", argv.join(" "));
        let printed = timeout(deadline, self.run(container, argv, PROBE_USER))
            .await
            .map_err(|_| Error::deadline(what()).because(format!("no answer within {deadline:?}")))?
            .or_fail(what())?;
        if printed.stdout.is_empty() {
            let end = String::from_utf8_lossy(&printed.stderr).into_owned();
            return Err(Error::failed(what()).because(if end.trim().is_empty() {
                "it printed nothing".to_owned()
            } else {
                end
            }));
        }
        Ok(printed.stdout)
    }

    /// Runs a probe in a running container and hands over each line of its standard output as it
    /// comes, until it ends. Its standard input ends when this future is dropped.
    ///
    /// # Errors
    /// When the container is not running or not there.
    pub(crate) async fn exec_lines(
        &self,
        container: &str,
        argv: &[&str],
        mut each: impl FnMut(&[u8]),
    ) -> Result<()> {
        let what = || format!("cannot run `{}` in {container}", argv.join(" "));
        let options =
            CreateExecOptions { attach_stdin: Some(true), ..exec_options(argv, PROBE_USER) };
        let exec = self.api.create_exec(container, options).await.or_fail(what())?.id;
        let started = self.api.start_exec(&exec, Some(StartExecOptions::default()));
        let StartExecResults::Attached { mut output, input: _input } =
            started.await.or_fail(what())?
        else {
            return Ok(());
        };
        let mut pending = Vec::new();
        while let Some(piece) = output.next().await {
            if let LogOutput::StdOut { message } = piece.or_fail(what())? {
                pending.extend_from_slice(&message);
            }
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                each(&pending[..end]);
                pending.drain(..=end);
            }
        }
        Ok(())
    }

    /// Runs a command in a running container as the user postgres, however long that takes, and hands
    /// over each line of its standard output as it comes.
    ///
    /// # Errors
    /// When the container is not running or stops meanwhile, and when the command fails: with what it
    /// wrote to standard error.
    pub(crate) async fn exec_step(
        &self,
        container: &str,
        argv: &[&str],
        mut each: impl FnMut(&str),
    ) -> Result<()> {
        let shown = argv.iter().take(4).copied().collect::<Vec<_>>().join(" ");
        let what = || format!("`{shown}` failed in {container}");
        let exec = self.api.create_exec(container, exec_options(argv, PROBE_USER)).await;
        let exec = exec.or_fail(what())?.id;
        let started = self.api.start_exec(&exec, Some(StartExecOptions::default())).await;
        let StartExecResults::Attached { mut output, .. } = started.or_fail(what())? else {
            return Ok(());
        };
        let (mut pending, mut stderr) = (Vec::new(), Vec::new());
        while let Some(piece) = output.next().await {
            match piece.or_fail(what())? {
                LogOutput::StdOut { message } => pending.extend_from_slice(&message),
                LogOutput::StdErr { message } => stderr.extend_from_slice(&message),
                LogOutput::Console { .. } | LogOutput::StdIn { .. } => {}
            }
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                each(String::from_utf8_lossy(&pending[..end]).trim_end());
                pending.drain(..=end);
            }
        }
        let code = self.api.inspect_exec(&exec).await.or_fail(what())?.exit_code;
        if code == Some(0) {
            return Ok(());
        }
        let stderr = String::from_utf8_lossy(&stderr);
        let why = stderr.trim().trim_start_matches("pgha-node: failed: ");
        let why = if why.is_empty() { "the container stopped meanwhile" } else { why };
        Err(Error::failed(what()).because(why))
    }

    /// Puts a small file of the user postgres into a folder of a container, running or not.
    ///
    /// # Errors
    /// When the container or the folder is not there.
    pub(crate) async fn put_file(
        &self,
        container: &str,
        folder: &str,
        name: &str,
        text: &str,
    ) -> Result<()> {
        let options = UploadToContainerOptions { path: folder.to_owned(), ..Default::default() };
        let tar = bollard::body_full(tar_of(name, text.as_bytes()).into());
        let what = format!("cannot write {folder}/{name} in {container}");
        self.api.upload_to_container(container, Some(options), tar).await.or_fail(what)
    }

    /// Reads a small file of a container, running or not.
    ///
    /// # Errors
    /// When it is not there.
    pub(crate) async fn get_file(&self, container: &str, path: &str) -> Result<String> {
        let what = || format!("cannot read {path} in {container}");
        let options = DownloadFromContainerOptions { path: path.to_owned() };
        let mut pieces = self.api.download_from_container(container, Some(options));
        let mut tar = Vec::new();
        while let Some(piece) = pieces.next().await {
            tar.extend_from_slice(&piece.or_fail(what())?);
            if tar.len() > EXEC_OUTPUT_MAX_BYTES {
                return Err(Error::failed(what()).because("it is too large"));
            }
        }
        content_of(&tar).ok_or_else(|| Error::failed(what()).because("it is no plain file"))
    }

    async fn run(
        &self,
        container: &str,
        argv: &[&str],
        user: &str,
    ) -> Result<Printed, bollard::errors::Error> {
        let exec = self.api.create_exec(container, exec_options(argv, user)).await?.id;
        let mut printed = Printed { exec, stdout: Vec::new(), stderr: Vec::new() };
        let started = self.api.start_exec(&printed.exec, Some(StartExecOptions::default())).await?;
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(piece) = output.next().await {
                let (to, bytes) = match piece? {
                    LogOutput::StdErr { message } => (&mut printed.stderr, message),
                    LogOutput::StdOut { message } | LogOutput::Console { message } => {
                        (&mut printed.stdout, message)
                    }
                    LogOutput::StdIn { .. } => continue,
                };
                let room = EXEC_OUTPUT_MAX_BYTES.saturating_sub(to.len());
                to.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
        Ok(printed)
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

/// The disk of an engine; `None` where its containers run in a machine of their own.
pub(crate) fn disk_of(info: &SystemInfo) -> Option<Disk> {
    let elsewhere = info.operating_system.as_deref().unwrap_or_default().contains("Docker Desktop");
    let found =
        rustix::fs::statvfs(info.docker_root_dir.as_deref()?).ok().filter(|_| !elsewhere)?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Some(Disk { size_bytes: bytes(found.f_blocks), free_bytes: bytes(found.f_bavail) })
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

fn exec_options<'a>(argv: &[&'a str], user: &'a str) -> CreateExecOptions<&'a str> {
    CreateExecOptions {
        cmd: Some(argv.to_vec()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        user: Some(user),
        ..CreateExecOptions::default()
    }
}

/// The engine's socket, found as the `docker` command finds it.
fn socket() -> Result<PathBuf> {
    let set = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    if let Some(host) = set("DOCKER_HOST") {
        return socket_of(&host, "DOCKER_HOST");
    }
    let config = set("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".docker")));
    let host = config.and_then(|folder| context_host(&folder, set("DOCKER_CONTEXT").as_deref()));
    match host {
        Some((context, host)) => socket_of(&host, &format!("Docker's context `{context}`")),
        None => Ok(PathBuf::from(DEFAULT_SOCKET)),
    }
}

fn socket_of(host: &str, from: &str) -> Result<PathBuf> {
    match host.strip_prefix("unix://") {
        Some(path) => Ok(PathBuf::from(path)),
        None => Err(Error::missing(format!(
            "{from} names {host}, and pgha speaks to unix sockets"
        ))
        .because("A cluster publishes its ports on the loopback of the engine's machine.")
        .hint("run pgha on that machine, or unset DOCKER_HOST and `docker context use default`")),
    }
}

/// Name and address of the context the `docker` command would use; `None` for the default one.
fn context_host(config: &Path, chosen: Option<&str>) -> Option<(String, String)> {
    let json = |path: &Path| -> Option<serde_json::Value> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    };
    let name = match chosen {
        Some(name) => name.to_owned(),
        None => json(&config.join("config.json"))?["currentContext"].as_str()?.to_owned(),
    };
    std::fs::read_dir(config.join("contexts/meta")).ok()?.flatten().find_map(|entry| {
        let meta = json(&entry.path().join("meta.json"))?;
        (meta["Name"].as_str() == Some(&name)).then_some(())?;
        Some((name.clone(), meta["Endpoints"]["docker"]["Host"].as_str()?.to_owned()))
    })
}

/// Asks which version of the API the engine speaks.
///
/// By hand, because `/version`, which bollard asks, starts three programs on an engine 20.10.
async fn ping(socket: &Path) -> Result<bollard::ClientVersion> {
    let ask = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream
            .write_all(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
            .await?;
        let mut answer = Vec::new();
        stream.take(16 << 10).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = match timeout(PING_TIMEOUT, ask).await {
        Err(_) => {
            return Err(unreachable_engine(socket, "it accepts connections and answers none"));
        }
        Ok(Err(e)) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(Error::missing("this user may not use the Docker engine")
                .because(format!("{}: {e}", socket.display()))
                .hint("sudo usermod -aG docker \"$USER\", then log in again"));
        }
        Ok(Err(e)) => return Err(unreachable_engine(socket, &e.to_string())),
        Ok(Ok(answer)) => answer,
    };
    let known = bollard::API_DEFAULT_VERSION;
    let spoken = api_version(&String::from_utf8_lossy(&answer))
        .ok_or_else(|| unreachable_engine(socket, "what answers there is not a Docker engine"))?;
    let (major, minor) = spoken.min((known.major_version, known.minor_version));
    Ok(bollard::ClientVersion { major_version: major, minor_version: minor })
}

fn api_version(answer: &str) -> Option<(usize, usize)> {
    let (_, version) = answer
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("api-version"))?;
    let (major, minor) = version.trim().split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn unreachable_engine(socket: &Path, why: &str) -> Error {
    let why = format!("{}: {why}", socket.display());
    if std::env::var_os("DOCKER_HOST").is_some() {
        Error::missing("no Docker engine answers where DOCKER_HOST points")
            .because(why)
            .hint("start that engine, or unset DOCKER_HOST for the one of this machine")
    } else if ["dockerd", "docker"].iter().any(|program| on_path(program)) || socket.exists() {
        Error::missing("the Docker engine is not running").because(why).hint(
            "sudo systemctl start docker, or start Docker Desktop; `pgha doctor` checks the rest",
        )
    } else {
        Error::missing("there is no Docker engine on this machine")
            .because(why)
            .hint("./quickstart.sh installs one, and so does `apt-get install docker.io`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_a_ping() {
        let answer = "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nServer: Docker\r\n\r\nOK";
        assert_eq!(api_version(answer), Some((1, 41)));
        assert_eq!(api_version("HTTP/1.1 200 OK\r\n\r\nnginx"), None);
        assert_eq!(api_version("api-version: one.two"), None);
    }

    #[test]
    fn only_a_unix_socket_will_do() {
        assert_eq!(socket_of("unix:///run/d.sock", "DOCKER_HOST").ok(), Some("/run/d.sock".into()));
        let error = socket_of("tcp://db:2376", "DOCKER_HOST").expect_err("tcp").to_string();
        assert!(error.contains("tcp://db:2376") && error.contains("hint:"), "{error}");
    }

    #[test]
    fn the_current_context_names_the_socket() {
        let config = tempfile::tempdir().expect("a temporary folder");
        let meta = config.path().join("contexts/meta/abc");
        std::fs::create_dir_all(&meta).expect("a folder");
        std::fs::write(config.path().join("config.json"), r#"{"currentContext": "desktop"}"#)
            .expect("a file");
        std::fs::write(
            meta.join("meta.json"),
            r#"{"Name": "desktop", "Endpoints": {"docker": {"Host": "unix:///home/d.sock"}}}"#,
        )
        .expect("a file");
        let found = context_host(config.path(), None);
        assert_eq!(found, Some(("desktop".into(), "unix:///home/d.sock".into())));
        assert_eq!(context_host(config.path(), Some("default")), None);
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
