//! The alert rules, evaluated by a Prometheus that runs as long as a drill does.
//!
//! It reads metrics that are gathered again and again in the background, so that a scrape is answered at once: one that came
//! too late would begin the `for` of every rule anew. All of it is on 127.0.0.1 and in a folder of its own.

use std::fs::{self, File};
use std::future::ready;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use pgha_core::prometheus::{self, RULES};
use pgha_core::topology::ClusterId;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::{self, Among};
use crate::docker::Engine;
use crate::error::{Error, OrFail as _, Result};
use crate::{metrics, program};

/// Debian's package and its program.
const PROMETHEUS: &str = "prometheus";
/// Ends Prometheus with pgha, also where that is killed.
const WITH_PARENT: [&str; 3] = ["setpriv", "--pdeathsig", "KILL"];
/// How long Prometheus may take to start, and to end.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long it may take to answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// How long the metrics of one look may take.
const GATHER_DEADLINE: Duration = Duration::from_secs(15);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// The metrics of the last look; none before the first one, and after one that failed.
type Latest = Arc<Mutex<Option<String>>>;

/// A Prometheus at work.
#[derive(Debug)]
pub(crate) struct Alerts {
    port: u16,
    prometheus: Child,
    /// Gather the metrics, and serve them.
    tasks: [JoinHandle<()>; 2],
    folder: TempDir,
}

/// Fails where there is no Prometheus on this machine.
///
/// # Errors
/// Then, with what to install.
pub(crate) fn demand() -> Result<()> {
    if program::on_path(PROMETHEUS) {
        return Ok(());
    }
    Err(Error::missing("the drill expects an alert, and there is no `prometheus` on PATH")
        .because("the alert rules are evaluated by a Prometheus of this machine")
        .hint("install it, on Debian with `apt-get install prometheus`"))
}

impl Alerts {
    /// Starts Prometheus for a cluster.
    ///
    /// # Errors
    /// When it does not get ready; then nothing of it is left.
    pub(crate) async fn begin(engine: &Engine, id: &ClusterId) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("pgha-prometheus-").tempdir();
        let folder = folder.or_fail("cannot make a folder for Prometheus")?;
        let (listener, metrics_port) = listen().await?;
        let latest = Latest::default();
        let app = app(latest.clone());
        let tasks = [
            tokio::spawn(keep_gathering(engine.clone(), id.to_string(), latest)),
            tokio::spawn(async move {
                // It ends with this drill.
                let _ = axum::serve(listener, app).await;
            }),
        ];
        // Free for as long as it takes Prometheus to take it; another that is quicker is told by Prometheus.
        let (_, port) = listen().await?;
        let configuration = prometheus::drill_configuration(id, metrics_port, "rules.yml");
        let prometheus = start(&folder, &configuration, port);
        let prometheus = prometheus.inspect_err(|_| tasks.iter().for_each(JoinHandle::abort))?;
        let mut alerts = Self { port, prometheus, tasks, folder };
        match alerts.ready().await {
            Ok(()) => Ok(alerts),
            Err(error) => {
                alerts.end().await;
                Err(error)
            }
        }
    }

    async fn ready(&mut self) -> Result<()> {
        let began = Instant::now();
        loop {
            if self.prometheus.try_wait().is_ok_and(|ended| ended.is_some()) {
                return Err(Error::failed("Prometheus ended at once").because(self.said()));
            }
            if ask(self.port, "/-/ready").await.is_some() {
                return Ok(());
            }
            if began.elapsed() > DEADLINE {
                let waited = format!("waited {} s", DEADLINE.as_secs());
                return Err(Error::deadline("Prometheus does not get ready")
                    .because(waited)
                    .because(self.said()));
            }
            sleep(PAUSE).await;
        }
    }

    /// The last lines that Prometheus wrote.
    fn said(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(3)..].join("\n")
    }

    /// The alerts that fire; `None` where Prometheus does not say.
    pub(crate) async fn firing(&self) -> Option<Vec<String>> {
        prometheus::firing(&ask(self.port, "/api/v1/alerts").await?)
    }

    /// Ends once that alert fires.
    pub(crate) async fn until_firing(&self, alert: &str) {
        while !self.firing().await.is_some_and(|firing| firing.iter().any(|name| name == alert)) {
            sleep(PAUSE).await;
        }
    }

    /// Stops it, and removes what it has written.
    pub(crate) async fn end(mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        // One that has ended by itself is fine, too.
        let _ = timeout(DEADLINE, self.prometheus.kill()).await;
    }
}

/// A free port of 127.0.0.1.
async fn listen() -> Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
    let (port, listener) = listener.or_fail("cannot listen on 127.0.0.1")?;
    Ok((listener, port))
}

fn start(folder: &TempDir, configuration: &str, port: u16) -> Result<Child> {
    let at = folder.path();
    let write = |name: &str, text: &str| {
        let path = at.join(name);
        fs::write(&path, text).or_fail(format!("cannot write {}", path.display()))
    };
    write("prometheus.yml", configuration)?;
    write("rules.yml", RULES)?;
    let log = File::create(at.join("log")).or_fail("cannot write a log for Prometheus")?;
    let mut command = if program::on_path(WITH_PARENT[0]) {
        let mut command = Command::new(WITH_PARENT[0]);
        command.args(&WITH_PARENT[1..]).arg(PROMETHEUS);
        command
    } else {
        Command::new(PROMETHEUS)
    };
    command
        .current_dir(at)
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"])
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        // Ctrl-C on a terminal is for pgha, which ends it.
        .process_group(0)
        .kill_on_drop(true);
    command.spawn().or_fail("cannot start Prometheus")
}

async fn keep_gathering(engine: Engine, id: String, latest: Latest) {
    loop {
        let gathered = async {
            let cluster = cluster::resolve(cluster::find(&engine).await?, Some(&id), Among::All)?;
            metrics::text(&engine, &cluster).await
        };
        let gathered = timeout(GATHER_DEADLINE, Box::pin(gathered)).await;
        let text = gathered.ok().and_then(Result::ok);
        *latest.lock().unwrap_or_else(PoisonError::into_inner) = text;
        sleep(PAUSE).await;
    }
}

/// Serves the metrics of the last look.
fn app(latest: Latest) -> Router {
    Router::new().route("/metrics", get(move || ready(answer(&latest))))
}

fn answer(latest: &Latest) -> (StatusCode, String) {
    let latest = latest.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match latest {
        Some(text) => (StatusCode::OK, text),
        None => (StatusCode::SERVICE_UNAVAILABLE, "not gathered yet\n".to_owned()),
    }
}

/// What a server on 127.0.0.1 answers; `None` where it answers with anything but success.
async fn ask(port: u16, path: &str) -> Option<String> {
    let exchange = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        (head.split(' ').nth(1)? == "200").then(|| body.to_owned())
    };
    timeout(ANSWER_DEADLINE, exchange).await.ok()?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn metrics_are_served_once_they_were_gathered() {
        let latest = Latest::default();
        let (listener, port) = listen().await.expect("loopback");
        let app = app(latest.clone());
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        assert_eq!(ask(port, "/metrics").await, None, "nothing was gathered yet");
        *latest.lock().expect("nobody panics with it") = Some("pgha_has_leader 1\n".to_owned());
        assert_eq!(ask(port, "/metrics").await.as_deref(), Some("pgha_has_leader 1\n"));
        assert_eq!(ask(port, "/elsewhere").await, None);
        server.abort();
        assert!(server.await.is_err_and(|ended| ended.is_cancelled()));
        assert_eq!(ask(port, "/metrics").await, None, "nobody listens any more");
    }
}
