//! Restoring a cluster: what [`pgha_core::restore`] decides, done with containers.
//!
//! [`facts`] learns what a plan needs, [`steps`] carries a plan out and [`back`] undoes it;
//! [`fresh`] makes the fresh cluster and [`look`] the single container of a restore that leaves its source
//! alone, which is a cluster's repository ([`into`]) or one without a cluster ([`from`]); [`copy`] copies it. How far a
//! restore has come stands in the journal on the backup host; nothing is kept on this host. Each step
//! begins from whatever an interrupted attempt has left, so a restore is continued by beginning its
//! first undone step again.

pub(crate) mod back;
mod copied;
mod copy;
pub(crate) mod facts;
pub(crate) mod fresh;
pub(crate) mod from;
pub(crate) mod into;
pub(crate) mod look;
pub(crate) mod steps;
#[cfg(test)]
pub(crate) mod tests;

use std::path::PathBuf;
use std::time::Duration;

use pgha_core::agent::{Request, Restore};
use pgha_core::restore::Journal;
use pgha_core::topology::{Member, Topology};
use serde::de::DeserializeOwned;

use crate::cluster::{self, Among, Cluster};
use crate::compose_tool::ComposeTool;
use crate::docker::Engine;
use crate::error::{Error, OrFail, Result};
use crate::events::Events;
use crate::project::Project;
use crate::provider::{Provider, Up};
use crate::steps::Lock;

/// How long a short question to a member may take on a busy host.
const QUESTION: Duration = Duration::from_secs(60);

/// A cluster that is being restored, and the means to do so.
#[derive(Debug)]
pub(crate) struct Session<P = Engine> {
    /// What runs its containers.
    pub(crate) engine: P,
    /// Where it is reported to.
    pub(crate) events: Events,
    /// The cluster's names and places.
    pub(crate) topology: Topology,
    /// Its compose file.
    pub(crate) file: PathBuf,
    project: Project,
}

impl Session {
    /// Of a cluster that has containers and a compose file.
    ///
    /// # Errors
    /// When one of them is missing.
    pub(crate) fn new(engine: &Engine, cluster: &Cluster, events: &Events) -> Result<Self> {
        let (project, _) = Project::of_cluster(cluster)?;
        // Without Compose nothing is begun.
        ComposeTool::find()?;
        Ok(Self {
            engine: engine.clone(),
            events: events.of(&cluster.id),
            topology: cluster.topology()?.clone(),
            file: project.file.clone(),
            project,
        })
    }
}

impl<P: Provider> Session<P> {
    /// How the cluster's containers are now.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub(crate) async fn cluster(&self) -> Result<Cluster> {
        let id = self.topology.id.to_string();
        cluster::resolve(self.engine.clusters().await?, Some(&id), Among::Created)
    }

    /// Makes and starts members of the cluster's file.
    async fn up(&self, up: Up<'_>) -> Result<()> {
        self.engine.up(&self.project, up).await
    }

    fn backup_host(&self) -> &Member {
        self.topology.backup_host()
    }

    /// Asks a member and gives what it prints.
    async fn ask(&self, member: &str, request: Request) -> Result<String> {
        let mut said = String::new();
        let argv = request.argv();
        let ask = self.engine.exec_step(member, &argv, |line| {
            said.push_str(line);
            said.push('\n');
        });
        tokio::time::timeout(QUESTION, ask).await.unwrap_or_else(|_| {
            Err(Error::deadline(format!("{member} has not answered within {QUESTION:?}")))
        })?;
        Ok(said)
    }

    /// As [`Session::ask`], for an answer in JSON.
    async fn ask_json<T: DeserializeOwned>(&self, member: &str, request: Restore) -> Result<T> {
        let said = self.ask(member, Request::Restore(request)).await?;
        serde_json::from_str(&said).or_fail(format!("{member} answers nonsense"))
    }

    /// Takes the right to restore.
    ///
    /// # Errors
    /// When another `pgha` has it, or the backup host does not run.
    pub(crate) async fn lock(&self) -> Result<Lock> {
        let argv = Request::Restore(Restore::Lock).argv();
        Lock::take(&self.engine, &self.backup_host().name, argv).await?.ok_or_else(|| {
            Error::failed(format!("cluster {} is being restored already", self.topology.id))
                .because("another `pgha restore` is at work on it")
                .hint("wait for its end, or end it; what it has done is kept")
        })
    }

    /// The restore that goes on, if one does.
    ///
    /// # Errors
    /// When the backup host cannot say, or another version of pgha wrote it.
    pub(crate) async fn journal(&self) -> Result<Option<Journal>> {
        let text = self.ask(&self.backup_host().name, Request::Restore(Restore::Journal)).await?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&text).map(Some).or_fail("the journal of a restore cannot be read")
    }

    /// Writes down how far it has come; `None` that it has ended.
    async fn write_journal(&self, journal: Option<&Journal>) -> Result<()> {
        let text =
            journal.map(|journal| serde_json::to_string(journal).expect("plain data is JSON"));
        let request = Request::Restore(Restore::KeepJournal(text.unwrap_or_default()));
        self.ask(&self.backup_host().name, request).await.map(drop)
    }
}
