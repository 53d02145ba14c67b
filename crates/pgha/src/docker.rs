//! The Docker engine: reaching it, and what only it can say. What is done to containers is
//! [`crate::provider`]'s.
//!
//! Uses the socket that the `docker` command would use (`DOCKER_HOST`, then the current context,
//! then the default), so that the engine pgha observes is the one Compose works on. Changes nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::models::SystemInfo;
use pgha_core::disk::Disk;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::program::on_path;

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// Longest wait for one answer of the engine; a `stop` may take Compose's own time.
const REQUEST_TIMEOUT_S: u64 = 120;
/// Longest wait for the engine's first answer.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to the Docker engine.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    api: bollard::Docker,
    socket: PathBuf,
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
}

/// The disk of an engine; `None` where its containers run in a machine of their own.
pub(crate) fn disk_of(info: &SystemInfo) -> Option<Disk> {
    let elsewhere = info.operating_system.as_deref().unwrap_or_default().contains("Docker Desktop");
    let found =
        rustix::fs::statvfs(info.docker_root_dir.as_deref()?).ok().filter(|_| !elsewhere)?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Some(Disk { size_bytes: bytes(found.f_blocks), free_bytes: bytes(found.f_bavail) })
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
            .hint("`apt-get install docker.io` installs one, or your distribution's package of it")
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
}
