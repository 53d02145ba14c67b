//! Repairing a cluster whose etcd has lost its majority for good: what [`pgha_core::etcd_repair`] decides, done with
//! containers ([`steps`]).
//!
//! How far a repair has come stands in its journal on the backup host, whose lock it shares with restores: one
//! command at a time works on a cluster. What is done to a store is done by PID 1 of its member, by a mark on the
//! member's own volume, so that nothing is half done whoever is killed.

mod steps;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_util::future::join_all;
use pgha_core::agent::{Etcd, Request, Restore};
use pgha_core::etcd_repair::{self, Journal, Left, RepairPlan, Store, StoreReport};
use pgha_core::status::{ContainerState, RESTORE_UNFINISHED};
use pgha_core::topology::{Role, Topology};

use crate::cluster::{self, Among, Cluster};
use crate::docker::Engine;
use crate::error::{Error, OrFail as _, Result};
use crate::events::Events;
use crate::observe;
use crate::project::Project;
use crate::provider::Provider;
use crate::steps::Lock;

/// How long a short question to a member may take on a busy host.
const QUESTION: Duration = Duration::from_secs(30);

/// A cluster that is being repaired, and the means to do so.
#[derive(Debug)]
pub(crate) struct Session<P = Engine> {
    engine: P,
    /// Where it is reported to.
    pub(crate) events: Events,
    topology: Topology,
    project: Project,
    /// How long members may take to come up.
    timeout: Duration,
}

impl Session {
    /// Of a cluster that has containers and a compose file.
    ///
    /// # Errors
    /// When one of them is missing.
    pub(crate) fn new(
        engine: &Engine,
        cluster: &Cluster,
        timeout: Duration,
        events: &Events,
    ) -> Result<Self> {
        let (project, _) = Project::of_cluster(cluster)?;
        let topology = cluster.topology()?.clone();
        let events = events.of(&cluster.id);
        Ok(Self { engine: engine.clone(), events, topology, project, timeout })
    }
}

impl<P: Provider> Session<P> {
    /// How the cluster's containers are now.
    async fn cluster(&self) -> Result<Cluster> {
        let id = self.topology.id.to_string();
        cluster::resolve(self.engine.clusters().await?, Some(&id), Among::Created)
    }

    /// Decides, by how everything is now.
    ///
    /// # Errors
    /// When nothing is to be repaired, or not like this.
    pub(crate) async fn plan(&self) -> Result<RepairPlan> {
        let cluster = self.cluster().await?;
        let view = observe::view(&self.engine, &cluster).await?;
        if let Some(problem) = view.problems.iter().find(|p| p.code == RESTORE_UNFINISHED) {
            return Err(Error::failed(&problem.message).hint(&problem.hint));
        }
        let left = self.left(&cluster).await;
        let id = self.topology.id.to_string();
        etcd_repair::plan(&view, left).map_err(|refusal| {
            let error = Error::missing(refusal.to_string());
            let error = refusal.reasons().into_iter().fold(error, Error::because);
            error.hint(refusal.hint(&id))
        })
    }

    /// What is left of each etcd member.
    async fn left(&self, cluster: &Cluster) -> Vec<Left> {
        let each = self.topology.of_role(Role::Etcd).map(async |member| {
            let state = cluster.container(&member.name).map(|container| container.state);
            let store = match state {
                Some(ContainerState::Running) => match self.report(&member.name).await {
                    Ok(report) => Store::of(&report),
                    Err(error) => Store::Silent { reason: error.cause().to_owned() },
                },
                Some(state) => Store::Unknown { state },
                // The volume of a member has its name.
                None if cluster.volumes.contains(&member.name) => {
                    Store::Unknown { state: ContainerState::Missing }
                }
                None => Store::Gone,
            };
            let site = self.topology.site(member.site).name.clone();
            Left { name: member.name.clone(), site, store }
        });
        join_all(each).await
    }

    /// What a running etcd member says of its store.
    async fn report(&self, member: &str) -> Result<StoreReport> {
        let said = self.ask(member, Etcd::Store).await?;
        serde_json::from_str(&said).or_fail(format!("{member} answers nonsense"))
    }

    /// Asks a member and gives what it prints.
    async fn ask(&self, member: &str, request: Etcd) -> Result<String> {
        let argv = Request::Etcd(request).argv();
        // The store is etcd's, which only root may read besides.
        let done = self.engine.exec(member, &argv, QUESTION).await?;
        if done.code == 0 {
            return Ok(done.stdout);
        }
        let shown = argv.iter().skip(1).take(2).map(String::as_str).collect::<Vec<_>>().join(" ");
        let why = done.stderr.trim().trim_start_matches("pgha-node: failed: ").to_owned();
        Err(Error::failed(format!("`{shown}` failed in {member}"))
            .because(why)
            .hint(format!("`pgha logs {member}` says more")))
    }

    fn backup_host(&self) -> &str {
        &self.topology.backup_host().name
    }

    /// Takes the right to repair.
    ///
    /// # Errors
    /// When another `pgha` has it, or the backup host does not run.
    pub(crate) async fn lock(&self) -> Result<Lock> {
        let (host, id) = (self.backup_host(), &self.topology.id);
        let state = self.cluster().await?.container(host).map(|container| container.state);
        if state != Some(ContainerState::Running) {
            let hint = match state {
                Some(_) => format!("`pgha start {host}` starts it"),
                None => "`pgha up` in the folder of the compose file makes it again".to_owned(),
            };
            return Err(Error::missing(format!("the backup host {host} does not run"))
                .because("it keeps the journal of the repair")
                .hint(hint));
        }
        let argv = Request::Restore(Restore::Lock).argv();
        Lock::take(&self.engine, host, argv).await?.ok_or_else(|| {
            Error::failed(format!("cluster {id} is being repaired or restored already"))
                .because("another `pgha repair` or `pgha restore` is at work on it")
                .hint("wait for its end, or end it; what it has done is kept")
        })
    }

    /// The repair that goes on, if one does.
    ///
    /// # Errors
    /// When the backup host cannot say, or another version of pgha wrote it.
    pub(crate) async fn journal(&self) -> Result<Option<Journal>> {
        let text = self.ask(self.backup_host(), Etcd::Journal).await?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&text).map(Some).or_fail("the journal of the repair cannot be read")
    }

    /// Writes down how far it has come; `None` that it has ended.
    async fn write_journal(&self, journal: Option<&Journal>) -> Result<()> {
        let text =
            journal.map(|journal| serde_json::to_string(journal).expect("plain data is JSON"));
        let request = Etcd::KeepJournal(text.unwrap_or_default());
        self.ask(self.backup_host(), request).await.map(drop)
    }
}
