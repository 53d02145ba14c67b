//! A cluster's backups restored beside it: into a fresh cluster, or into one container for a look.
//!
//! The source is only read: the fresh cluster gets a copy of its repository, with the key to it, and
//! archives into that copy; the container reads the source's volume and archives nowhere.

use std::path::PathBuf;

use pgha_core::lint;
use pgha_core::render::{REPOSITORY_KEY, REPOSITORY2_FOLDER, S3_FILES, repo2_volume};
use pgha_core::restore::source::Place;
use pgha_core::restore::{
    Facts, LeaderFact, LogicalReplication, RestorePlan, StepDone, Target, plan,
};
use pgha_core::spec::{Repo2, Spec};
use pgha_core::topology::Topology;

use crate::error::{Error, OrFail, Result};
use crate::restore::Session;
use crate::restore::fresh::{self, Fresh, Origin};
use crate::secrets;

/// Fails where no such cluster can be.
pub(super) fn demand_valid(spec: &Spec) -> Result<()> {
    let findings = lint::check(spec);
    if !lint::has_errors(&findings) {
        return Ok(());
    }
    let said: Vec<_> = findings.iter().map(|finding| finding.message.clone()).collect();
    Err(Error::bad_input(format!("`{}` will not do", spec.name)).because(said.join("\n")))
}

impl Session {
    /// Decides what a restore into another cluster would do, from what the source has archived; `source`
    /// is who leads that.
    ///
    /// # Errors
    /// When the target cannot be reached.
    pub(crate) async fn plan_into(
        &self,
        topology: &Topology,
        target: &Target,
        repo: Option<u32>,
        source: Option<&(LeaderFact, LogicalReplication)>,
    ) -> Result<RestorePlan> {
        let mut repositories = self.repositories(repo).await?;
        repositories.retain(|holdings| self.volume_of(holdings.repository).is_some());
        if repositories.is_empty() {
            return Err(Error::bad_input(
                "repository 2 is in S3, and this reads volumes of this machine",
            )
            .because("--into copies a volume of the cluster, and --node mounts it")
            .hint(format!(
                "`{}` makes a cluster of it; --repo 1, or without --into and --node a restore of the \
                 cluster itself",
                self.way_from_second()
            )));
        }
        let facts = Facts {
            topology,
            repositories: &repositories,
            leader: None,
            running: Vec::new(),
            databases: Vec::new(),
            named: repo.is_some(),
            copy: true,
            source: source.map(|(leader, _)| leader.clone()),
            logical: source.map(|(_, logical)| logical.clone()).unwrap_or_default(),
            now_s: jiff::Timestamp::now().as_second(),
        };
        let plan = plan(&facts, target)
            .map_err(|refusal| Error::bad_input(refusal.to_string()).hint(refusal.hint()))?;
        self.with_tablespaces(plan).await
    }

    /// The command that makes a cluster of the second repository alone.
    fn way_from_second(&self) -> String {
        let id = self.topology.id.to_string();
        let place = self.topology.spec.backup.repo2.as_ref();
        let place = place.and_then(|repo2| Place::of(repo2, Some(&id)));
        let place = place.map(|place| place.to_string()).unwrap_or_default();
        let secret = |name: &str| secrets::dir_of(&self.file).join(name).display().to_string();
        format!(
            "pgha restore --from '{place}' --key {} --s3-key {} --s3-key-secret {} --into NAME",
            secret(REPOSITORY_KEY),
            secret(S3_FILES[0]),
            secret(S3_FILES[1])
        )
    }

    /// Name of the volume that has a repository, and the folder of it there; `None` where it is in S3.
    pub(super) fn volume_of(&self, repository: u32) -> Option<(String, &'static str)> {
        let own = self.backup_host().volume();
        match &self.topology.spec.backup.repo2 {
            _ if repository == 1 => Some((own.to_owned(), "")),
            Some(Repo2::Posix { .. }) => Some((repo2_volume(&self.topology), REPOSITORY2_FOLDER)),
            Some(Repo2::S3 { .. }) | None => None,
        }
    }

    /// The spec of a fresh cluster: the source's, without what must not be shared.
    ///
    /// # Errors
    /// When the name will not do.
    pub(crate) fn fresh_spec(&self, name: &str) -> Result<Spec> {
        let mut spec = Spec { name: name.to_owned(), ..self.topology.spec.clone() };
        // Two clusters of one origin must not archive into one place.
        spec.backup.repo2 = None;
        spec.server = spec.server.of_a_restored();
        demand_valid(&spec)?;
        Ok(spec)
    }

    /// Makes the fresh cluster, with a copy of one of this cluster's repositories.
    ///
    /// # Errors
    /// As [`fresh::make`].
    pub(crate) async fn make_beside(
        &self,
        name: &str,
        file: Option<PathBuf>,
        instance: Option<u32>,
        id: &str,
        repository: u32,
    ) -> Result<(Session, StepDone)> {
        let key = secrets::dir_of(&self.file).join(REPOSITORY_KEY);
        let key = if key.exists() {
            Some(std::fs::read(&key).or_fail(format!("cannot read {}", key.display()))?)
        } else {
            None
        };
        let spec = self.fresh_spec(name)?;
        let fresh = Fresh { name: name.to_owned(), file, instance, spec, key };
        let (volume, folder) = self.volume_of(repository).expect("the plan is of a volume");
        let what = format!("repository {repository} of {}", self.topology.id);
        fresh::make(
            &self.engine,
            &fresh,
            id,
            &Origin::Volume { volume, folder },
            &what,
            &self.events,
        )
        .await
    }
}
