//! The repository of a cluster, asked on its backup host: pgBackRest's listing and its commands.
//!
//! Whoever wants something of a backup comes through here, so that a host that is down is told in the
//! same words everywhere. Changes nothing by itself.

use std::time::Duration;

use pgha_core::agent::Request;
use pgha_core::backup_run::advice;
use pgha_core::repository::Repository;
use pgha_core::repository::STANZA;
use pgha_core::repository::without_requests;
use pgha_core::status::ContainerState;
use pgha_core::topology::ClusterId;

use crate::cluster::{self, Among, Cluster};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::provider::Provider as _;

/// How long a listing may take; it reads a small file of each repository.
const INFO_DEADLINE: Duration = Duration::from_secs(60);
/// pgBackRest, listing the one stanza.
const INFO: [&str; 5] =
    ["pgbackrest", "--stanza=pgha_db", "--output=json", "--log-level-console=off", "info"];

/// Repository 2 of a cluster that has only one.
pub(crate) fn no_second(id: &ClusterId) -> Error {
    Error::bad_input(format!("cluster {id} has no second repository"))
        .hint("`--repo2 posix` makes a cluster with one; docs/backup.md explains S3")
}

/// The backup host of a cluster, whose container runs.
#[derive(Debug)]
pub(crate) struct BackupHost {
    /// The engine.
    pub(crate) engine: Engine,
    /// The cluster.
    pub(crate) cluster: Cluster,
    /// Name of its container.
    pub(crate) name: String,
}

impl BackupHost {
    /// Finds the cluster that is meant, and its backup host. `verb` is the command's own word, which a
    /// cluster may have for a name.
    ///
    /// # Errors
    /// When there is no such cluster or several, or its backup host does not run.
    pub(crate) async fn find(name: Option<&str>, verb: Option<&str>) -> Result<Self> {
        let engine = Engine::connect().await?;
        let clusters = cluster::find(&engine).await?;
        if let (None, Some(verb)) = (name, verb)
            && let Some(named) = clusters.iter().find(|c| c.id.name == verb)
        {
            let id = &named.id;
            return Err(Error::bad_input(format!(
                "`{verb}` is a command of `pgha backup`, and a cluster"
            ))
            .hint(format!(
                "`pgha backup {id}` makes a backup of the cluster; the command takes a cluster's \
                     name: `pgha backup {verb} {id}`"
            )));
        }
        let among = if name.is_some() { Among::All } else { Among::Created };
        let cluster = cluster::resolve(clusters, name, among)?;
        let host = cluster.topology()?.backup_host().name.clone();
        let state = cluster.container(&host).map(|c| c.state);
        let advice = match state {
            Some(ContainerState::Running) => return Ok(Self { engine, cluster, name: host }),
            Some(ContainerState::Paused) => format!("`docker unpause {host}` lets it go on"),
            None => "`pgha up` makes it again; its data is kept".to_owned(),
            Some(_) => format!("`docker start {host}` starts it, `pgha start {}` all", cluster.id),
        };
        let word = state.unwrap_or(ContainerState::Missing).as_str();
        Err(Error::missing(format!("the backup host of cluster {} does not run", cluster.id))
            .because(format!("{host} is {word}"))
            .hint(advice))
    }

    /// What the repository holds.
    ///
    /// # Errors
    /// When pgBackRest does not say.
    pub(crate) async fn repository(&self) -> Result<Repository> {
        let what = || format!("cannot list the backups of cluster {}", self.cluster.id);
        let ran = self.engine.exec(&self.name, &INFO, INFO_DEADLINE).await?;
        if ran.code != 0 {
            return Err(Error::failed(what()).because(ran.stdout + &ran.stderr));
        }
        Repository::from_info(ran.stdout.as_bytes()).map_err(|e| Error::failed(what()).because(e))
    }

    /// Runs a command of pgBackRest to its end; what it printed.
    ///
    /// # Errors
    /// When it fails, with what it said and what to do.
    pub(crate) async fn pgbackrest(
        &self,
        arguments: &[&str],
        deadline: Duration,
    ) -> Result<String> {
        let stanza = format!("--stanza={STANZA}");
        let argv = [&["pgbackrest", stanza.as_str(), "--no-log-timestamp"], arguments].concat();
        let ran = self.engine.exec(&self.name, &argv, deadline).await?;
        if ran.code == 0 {
            return Ok(ran.stdout);
        }
        let topology = self.cluster.topology()?;
        let mut said = without_requests(&(ran.stdout + &ran.stderr));
        if let Ok(full) =
            self.engine.exec(&self.name, &Request::FullDisks.argv(), INFO_DEADLINE).await
        {
            said.push_str(&full.stdout);
        }
        let verb = arguments.last().unwrap_or(&"");
        Err(Error::failed(format!("`pgbackrest {verb}` failed on {}", self.name))
            .hint(advice(&said, topology))
            .because(said))
    }
}
