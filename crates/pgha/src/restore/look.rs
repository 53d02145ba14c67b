//! One stand-alone container with an earlier state of a cluster, for looking at.

use std::process::Stdio;
use std::time::{Duration, Instant};

use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::RemoveContainerOptions;
use pgha_core::agent::Request;
use pgha_core::render::{Images, REPOSITORY_DIR, REPOSITORY2_MOUNT, SHM_SIZE};
use pgha_core::restore::RestorePlan;
use pgha_core::topology::POSTGRES_PORT;

use crate::cluster::{self, LABEL_LOOK};
use crate::error::{Error, OrFail, Result};
use crate::host::{self, Taken};
use crate::interrupt::interrupted;
use crate::provider::Provider as _;
use crate::restore::Session;
use crate::secrets;
use crate::turn::Turn;

/// Label with what it restores, as pgBackRest is told.
const TARGET: &str = "pgha.look.target";
/// Says inside whether its state is there; as `pgha-node look` writes it.
const IS_READY: [&str; 3] = ["test", "-e", "/pgdata/look.ready"];
/// Time between two looks.
const POLL: Duration = Duration::from_millis(300);

/// A container that runs.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Look {
    /// Its name.
    pub(crate) container: String,
    /// The port of the host's loopback that leads to its Postgres.
    pub(crate) port: u16,
}

impl Session {
    /// Restores into a container of its own and waits until its Postgres takes connections. One that a
    /// command which was killed has left half-way is waited for.
    ///
    /// # Errors
    /// When there is such a container already, or the restore fails or is interrupted; then nothing is left
    /// of it.
    pub(crate) async fn look(
        &self,
        name: &str,
        plan: &RestorePlan,
        timeout: Duration,
    ) -> Result<Look> {
        let container =
            format!("pgha-{}-look-{name}-{}", self.topology.id.name, self.topology.id.instance);
        let work = self.events.begin(&container);
        work.at("copying the backup and replaying WAL", "");
        let started = Instant::now();
        let half_way = match self.engine.api().inspect_container(&container, None).await {
            Ok(there) => Some(self.half_way(&container, &there, plan).await?),
            Err(_) => None,
        };
        let made = async {
            let port = match half_way {
                Some(port) => port,
                None => self.make_container(&container, plan).await?,
            };
            self.wait_ready(&container, started, timeout).await.map(|()| port)
        };
        let port = tokio::select! {
            port = made => port?,
            () = interrupted() => {
                self.remove(&container).await;
                return Err(Error::failed("interrupted")
                    .hint(format!("{container} is removed again")));
            }
        };
        let took = started.elapsed().as_secs_f64();
        work.done(&format!(
            "{container} is ready after {took:.1} s; `docker rm -fv {container}` removes it"
        ));
        Ok(Look { container, port })
    }

    /// The port of a container that is there, if a command which restored the same was killed over it.
    async fn half_way(
        &self,
        container: &str,
        there: &ContainerInspectResponse,
        plan: &RestorePlan,
    ) -> Result<u16> {
        let label = |name: &str| there.config.as_ref()?.labels.as_ref()?.get(name).cloned();
        let port = || {
            let bound = there.host_config.as_ref()?.port_bindings.as_ref()?;
            let bound = bound.values().flatten().flatten().next()?;
            bound.host_port.as_ref()?.parse().ok()
        };
        let same = label(LABEL_LOOK) == Some(self.topology.id.to_string())
            && label(TARGET) == Some(plan.pgbackrest().join(" "));
        let runs = there.state.as_ref().and_then(|state| state.running).unwrap_or_default();
        let unready = same && runs && {
            let asked = self.engine.exec(container, &IS_READY, POLL * 20).await;
            asked.is_ok_and(|ran| ran.code == 1)
        };
        match port() {
            Some(port) if unready => Ok(port),
            _ => Err(Error::bad_input(format!("there is a container {container} already"))
                .hint(format!("`docker rm -fv {container}` removes it, or give another --node"))),
        }
    }

    async fn make_container(&self, container: &str, plan: &RestorePlan) -> Result<u16> {
        let _turn = Turn::take(&self.engine, &self.events).await?;
        // Those of clusters that are stopped are theirs.
        let taken = Taken::by(&cluster::find(&self.engine).await?);
        let port = host::free_ports(&taken)
            .next()
            .ok_or_else(|| Error::failed("no port of 127.0.0.1 is free"))?;
        self.run_container(container, port, plan).await.map(|()| port)
    }

    async fn wait_ready(&self, container: &str, started: Instant, timeout: Duration) -> Result<()> {
        loop {
            let running = self.engine.api().inspect_container(container, None).await;
            let running = running.or_fail(format!("{container} is gone"))?.state;
            if !running.and_then(|state| state.running).unwrap_or_default() {
                return Err(self.failed(container, "has ended").await);
            }
            let ready = "pg_isready -q -h 127.0.0.1";
            let asked = self.engine.exec(container, &["sh", "-c", ready], POLL * 20).await;
            if asked.is_ok_and(|ran| ran.code == 0) {
                return Ok(());
            }
            if started.elapsed() > timeout {
                return Err(self.failed(container, "is not ready in time").await);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn run_container(&self, container: &str, port: u16, plan: &RestorePlan) -> Result<()> {
        let spec = &self.topology.spec;
        let mut command = tokio::process::Command::new("docker");
        command.args(["run", "--detach", "--name", container, "--hostname", &plan.leader]);
        command.args([
            "--label",
            &format!("{LABEL_LOOK}={}", self.topology.id),
            "--cap-drop",
            "ALL",
        ]);
        command.args(["--label", &format!("{TARGET}={}", plan.pgbackrest().join(" "))]);
        for capability in ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID", "KILL"] {
            command.args(["--cap-add", capability]);
        }
        let shm_size = spec.server.shm_size.map(|size| size.to_string());
        command.args(["--shm-size", shm_size.as_deref().unwrap_or(SHM_SIZE)]);
        command.args(["--publish", &format!("127.0.0.1:{port}:{POSTGRES_PORT}")]);
        for (name, value) in [
            ("PGHA_SPEC", spec.to_toml()),
            ("PGHA_INSTANCE", self.topology.id.instance.to_string()),
            ("PGHA_LAYOUT", self.topology.layout.to_string()),
        ] {
            command.args(["--env", name]).env(name, value);
        }
        command.args(["--env", "PGBACKREST_CONFIG=/pgha/config/pgbackrest.conf"]);
        command.args(["--volume", "/pgdata"]);
        let (volume, _) = self.volume_of(plan.repository).expect("the plan is of a volume");
        let mount = if plan.repository == 1 { REPOSITORY_DIR } else { REPOSITORY2_MOUNT };
        command.args(["--volume", &format!("{volume}:{mount}:ro")]);
        let key = secrets::dir_of(&self.file).join("repository-key");
        if key.exists() {
            command
                .args(["--volume", &format!("{}:/run/secrets/repository-key:ro", key.display())]);
        }
        let (or_end, arguments) = (plan.recovery().or_end, plan.pgbackrest());
        let argv = Request::Look { or_end, arguments }.argv();
        command.args(["--entrypoint", &argv[0], &Images::of(spec).postgres]);
        command.args(&argv[1..]);
        let done =
            command.stdin(Stdio::null()).output().await.or_fail("cannot run `docker run`")?;
        if done.status.success() {
            return Ok(());
        }
        let why = String::from_utf8_lossy(&done.stderr).into_owned();
        self.remove(container).await;
        Err(Error::failed(format!("{container} cannot be made")).because(why))
    }

    async fn failed(&self, container: &str, what: &str) -> Error {
        let log = tokio::process::Command::new("docker")
            .args(["logs", "--tail", "15", container])
            .output()
            .await;
        let log = log.map(|done| [done.stdout, done.stderr].concat()).unwrap_or_default();
        self.remove(container).await;
        Error::failed(format!("{container} {what}")).because(String::from_utf8_lossy(&log))
    }

    async fn remove(&self, container: &str) {
        let options =
            RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
        // It may never have been made.
        let _ = self.engine.api().remove_container(container, Some(options)).await;
    }
}
