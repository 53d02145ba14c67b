//! Certificates of a running cluster: which members use, and new ones for all of them without an outage.
//!
//! What a rotation consists of is [`pgha_core::certs::Journal`]'s; the files are [`crate::secrets::rotation`]'s. Members get theirs
//! as those of `pgha passwd` get passwords: in a file that they remove, and which counts until they start anew. A step ends
//! when the member's own server shows what it was given, so that nobody distrusts what another still serves.

mod look;
mod steps;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use pgha_core::agent::Request;
use pgha_core::certs::{Given, InUse, Journal, reached};
use pgha_core::render::{CONFIG_DIR, Certificate, certificates};
use pgha_core::spec::BackupTransport;
use pgha_core::status::ContainerState;
use pgha_core::topology::{ClusterId, Topology};

use crate::cluster::{self, Among, Cluster};
use crate::compose_file::{self, Found};
use crate::docker::Engine;
use crate::error::{Error, OrFail as _, Result};
use crate::events::Events;
use crate::project;
use crate::provider::Provider;
use crate::secrets::rotation::Certificates;
use crate::steps::Lock;

/// How long a member may take for an answer.
const NODE_DEADLINE: Duration = Duration::from_secs(20);

/// The certificates of a cluster, and the means to replace them.
#[derive(Debug)]
pub(crate) struct Rotation<P = Engine> {
    provider: P,
    /// Where it is reported to.
    pub(crate) events: Events,
    topology: Topology,
    /// Its nodes share one, in a cluster of an earlier pgha.
    shared: bool,
    files: Certificates,
}

/// What a rotation does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Nothing is done of it, or an interrupted command has done some.
    pub(crate) journal: Journal,
    /// It is gone on with.
    pub(crate) resumed: bool,
    /// Members that do not run, and find theirs when they start.
    pub(crate) at_their_start: Vec<String>,
}

impl Rotation {
    /// Of a cluster that has containers and secrets.
    ///
    /// # Errors
    /// When it has no certificates, or its secrets are gone.
    pub(crate) fn new(engine: &Engine, cluster: &Cluster, events: &Events) -> Result<Self> {
        let topology = cluster.topology()?.clone();
        let id = &cluster.id;
        if topology.spec.backup_transport == BackupTransport::Ssh {
            return Err(Error::missing(format!("cluster {id} has no certificates"))
                .because("its backups go over SSH, and nothing else in it uses TLS")
                .hint("`pgha plan --backup-transport tls` shows a cluster that has some"));
        }
        let file: PathBuf = project::secrets_beside(cluster)?;
        let there = compose_file::read(&file);
        let shared = matches!(there, Ok(Found::Cluster(there)) if there.shared_certificate);
        let (provider, events) = (engine.clone(), events.of(id));
        Ok(Self { provider, events, topology, shared, files: Certificates::of(&file) })
    }
}

impl<P: Provider> Rotation<P> {
    fn id(&self) -> &ClusterId {
        &self.topology.id
    }

    /// How the cluster's containers are now.
    async fn cluster(&self) -> Result<Cluster> {
        let id = self.id().to_string();
        cluster::resolve(self.provider.clusters().await?, Some(&id), Among::Created)
    }

    /// The certificates that there are, each of one member: the backup host's last.
    fn all(&self) -> Vec<Certificate> {
        let mut all = certificates(&self.topology, self.shared);
        let host = &self.topology.backup_host().name;
        all.sort_by_key(|certificate| certificate.common_name == *host);
        all
    }

    fn certificate(&self, member: &str) -> Result<Certificate> {
        let found = self.all().into_iter().find(|c| c.common_name == member);
        found.ok_or_else(|| Error::failed(format!("{member} has no certificate")))
    }

    /// What is to be done, or is left of it.
    ///
    /// # Errors
    /// When it cannot be done now.
    pub(crate) async fn plan(&self, ca: bool, days: Option<u32>) -> Result<Plan> {
        let id = self.id();
        if self.shared {
            return Err(Error::bad_input(format!(
                "the nodes of cluster {id} share one certificate"
            ))
            .because("an earlier pgha made it")
            .hint(format!(
                "`pgha restore {id} --into NAME --latest` makes a new cluster of its data"
            )));
        }
        let pending = self.files.journal()?;
        let other = |journal: &&Journal| ca && !journal.ca;
        if let Some(journal) = pending.as_ref().filter(other) {
            return Err(Error::failed(format!(
                "cluster {id} has a rotation in progress, without a new CA"
            ))
            .because(told(journal))
            .hint(format!("`pgha certs rotate {id}` finishes it, then --ca makes a new CA")));
        }
        let cluster = self.cluster().await?;
        let members: Vec<String> = self.all().into_iter().map(|c| c.common_name).collect();
        let state = |name: &String| {
            let found = cluster.container(name);
            (name.clone(), found.map_or(ContainerState::Missing, |container| container.state))
        };
        let states: Vec<_> = members.iter().map(state).collect();
        let (_, at_their_start) = reached(&states).map_err(|why| {
            let hint = match &why {
                pgha_core::certs::Refused::Frozen(all) => {
                    format!("`docker unpause {}`", all.join(" "))
                }
                pgha_core::certs::Refused::NoBackupHost(host) => {
                    format!("`pgha start {id} {host}` starts it")
                }
            };
            Error::missing(why.to_string()).hint(hint)
        })?;
        let resumed = pending.is_some();
        let journal = pending.unwrap_or_else(|| Journal::new(ca, days, members));
        Ok(Plan { journal, resumed, at_their_start })
    }

    /// Takes the right to change the cluster.
    ///
    /// # Errors
    /// When another `pgha` has it, or a restore is not finished.
    pub(crate) async fn lock(&self) -> Result<Lock> {
        Lock::of_cluster(&self.provider, &self.topology.backup_host().name, self.id()).await
    }

    /// Which certificates a member uses.
    async fn in_use(&self, member: &str) -> Result<InUse> {
        let said = self.ask(member, &Request::Certificates).await?;
        serde_json::from_str(&said).or_fail(format!("{member} answers nonsense"))
    }

    /// Has a member work with these.
    async fn give(&self, member: &str, given: &Given) -> Result<()> {
        let name = "new-certificates.json";
        let text = serde_json::to_string(given).expect("plain data is JSON");
        self.provider.put_file(member, CONFIG_DIR, name, &text).await?;
        let request = Request::CertificatesFile { path: format!("{CONFIG_DIR}/{name}") };
        self.ask(member, &request).await.map(drop)
    }

    async fn ask(&self, member: &str, request: &Request) -> Result<String> {
        let ran = self.provider.exec(member, &request.argv(), NODE_DEADLINE).await?;
        if ran.code == 0 {
            return Ok(ran.stdout);
        }
        let why = ran.stderr.trim().trim_start_matches("pgha-node: failed: ").to_owned();
        Err(Error::failed(format!("{member} does not tell or take certificates"))
            .because(why)
            .hint(format!("`pgha logs {member}` may say more")))
    }
}

/// What was asked for, and the next step.
pub(crate) fn told(journal: &Journal) -> String {
    use pgha_core::steps::{Step as _, StepJournal as _};
    let next = journal.next().map_or_else(|| "the end".to_owned(), |step| step.word());
    format!("rotation{} at: {next}", if journal.ca { " with a new CA" } else { "" })
}
