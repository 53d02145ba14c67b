//! Adding and removing members of a running cluster: what [`pgha_core::scale`] decides, done with containers.
//!
//! [`facts`] learns what a plan needs, [`steps`] carries one out: [`files`] writes the compose file anew, [`members`] has those
//! that run work with it and removes those that go, [`etcd`] and [`nodes`] do what is of one kind. How far a change has come
//! stands in the labels of a volume ([`crate::cluster::Record`]), so any `pgha` goes on with it from any folder. Each step
//! begins from whatever an interrupted attempt has left.

mod etcd;
pub(crate) mod facts;
mod files;
mod members;
mod nodes;
mod steps;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use pgha_core::layout::Layout;
use pgha_core::ownership::Identity;
use pgha_core::scale::Journal;
use pgha_core::spec::Spec;
use pgha_core::topology::{ClusterId, Topology};

use crate::cluster::{self, Among, Cluster};
use crate::compose_file::{self, Found};
use crate::compose_tool::ComposeTool;
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::project::Project;
use crate::provider::{Provider, Thing};
use crate::secrets::rotation::Certificates;
use crate::steps::Lock;

/// How long a short question to a member may take on a busy host.
const QUESTION: Duration = Duration::from_secs(60);
/// Time between two looks.
const POLL: Duration = Duration::from_millis(300);

/// A cluster whose members change, and the means to do so.
#[derive(Debug)]
pub(crate) struct Scaling<P = Engine> {
    /// What runs its containers.
    pub(crate) provider: P,
    /// Where it is reported to.
    pub(crate) events: Events,
    /// Which it is.
    identity: Identity,
    spec: Spec,
    /// Its compose file.
    file: PathBuf,
    project: Project,
    /// How long one member may take.
    timeout: Duration,
}

impl Scaling {
    /// Of a cluster that has containers and a compose file.
    ///
    /// # Errors
    /// When one of them is missing, or an earlier pgha made it.
    pub(crate) fn new(
        engine: &Engine,
        cluster: &Cluster,
        timeout: Duration,
        events: &Events,
    ) -> Result<Self> {
        let (project, generated) = Project::of_cluster(cluster)?;
        if let Found::Cluster(there) = compose_file::read(&project.file)?
            && (there.shared_certificate || there.choices.uid.is_none())
        {
            return Err(Error::bad_input(format!(
                "the members of cluster {} cannot be changed",
                cluster.id
            ))
            .because("an earlier pgha made it, with one certificate for all of its nodes")
            .hint(format!(
                "`pgha restore {} --into NAME --latest` makes a new cluster of its data",
                cluster.id
            )));
        }
        // Without Compose nothing is begun.
        ComposeTool::find()?;
        Ok(Self {
            provider: engine.clone(),
            events: events.of(&cluster.id),
            identity: generated.identity(),
            spec: generated.topology.spec,
            file: project.file.clone(),
            project,
            timeout,
        })
    }
}

impl<P: Provider> Scaling<P> {
    fn id(&self) -> &ClusterId {
        &self.identity.id
    }

    /// How the cluster's containers are now.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub(crate) async fn cluster(&self) -> Result<Cluster> {
        let id = self.id().to_string();
        cluster::resolve(self.provider.clusters().await?, Some(&id), Among::Created)
    }

    /// The names and addresses of a layout.
    pub(crate) fn topology(&self, layout: Layout) -> Topology {
        Topology::with(self.spec.clone(), self.id().instance, layout)
    }

    /// The layout that a change ends at.
    fn end(&self, journal: &Journal) -> Result<Layout> {
        journal.layout(&self.spec).map_err(|why| {
            Error::failed("the journal of a change of members cannot be read").because(why)
        })
    }

    /// Takes the right to change the cluster.
    ///
    /// # Errors
    /// When another `pgha` has it, a restore is not finished, or the backup host does not run.
    pub(crate) async fn lock(&self) -> Result<Lock> {
        let host = self.cluster().await?.topology()?.backup_host().name.clone();
        let lock = Lock::of_cluster(&self.provider, &host, self.id()).await?;
        if Certificates::of(&self.file).journal()?.is_none() {
            return Ok(lock);
        }
        Err(Error::failed(format!(
            "cluster {} has a rotation of certificates in progress",
            self.id()
        ))
        .because("a member that is added gets a certificate of the CA that there is")
        .hint(format!("`pgha certs rotate {}` finishes it", self.id())))
    }

    /// Writes down how far a change has come, and in which generation the cluster is; `None` that it is over.
    async fn write_down(&self, journal: Option<&Journal>) -> Result<()> {
        let cluster = self.cluster().await?;
        let layout = match journal {
            Some(journal) => self.end(journal)?.at(journal.published),
            None => cluster.topology()?.layout.clone(),
        };
        if journal.is_some() || layout.generation() > 1 {
            let (record, labels) = cluster::Record::after(&cluster, &layout, journal);
            self.provider.make_volume(&record.volume, &labels).await?;
        }
        for record in &cluster.records {
            self.provider.remove(Thing::Volume(&record.volume)).await?;
        }
        Ok(())
    }

    /// Runs a command in a member, which has to end well; what it printed.
    async fn ask(&self, member: &str, argv: &[impl AsRef<str> + Sync]) -> Result<String> {
        let ran = self.provider.exec(member, argv, QUESTION).await?;
        if ran.code == 0 {
            return Ok(ran.stdout);
        }
        let shown: Vec<&str> = argv.iter().map(AsRef::as_ref).take(4).collect();
        Err(Error::failed(format!("`{}` failed in {member}", shown.join(" ")))
            .because(format!("{}{}", ran.stdout, ran.stderr).trim()))
    }
}
