//! A cluster's backups restored beside it: into a fresh cluster, or into one container for a look.
//!
//! The source is only read: the fresh cluster gets a copy of its repository, with the key to it, and
//! archives into that copy; the container reads the source's volume and archives nowhere.

use std::path::PathBuf;
use std::process::Stdio;

use pgha_core::lint;
use pgha_core::render::{Images, PGDATA_MOUNT, REPOSITORY_DIR, REPOSITORY2_FOLDER, repo2_volume};
use pgha_core::restore::{
    Facts, HOLD_FILE, LeaderFact, LogicalReplication, RestorePlan, Step, StepDone, Target, plan,
};
use pgha_core::spec::{Repo2, Spec};
use pgha_core::status::ContainerState;
use pgha_core::topology::{ClusterId, Role, Topology};

use crate::bring_up;
use crate::cli::OutputArgs;
use crate::cluster::{self, Cluster, LABEL_LOOK};
use crate::compose_tool::ComposeTool;
use crate::error::{Error, OrFail, Result};
use crate::events::Work;
use crate::generated::{self, Generated};
use crate::interrupt::interrupted;
use crate::project::Project;
use crate::restore::Session;
use crate::turn::Turn;
use crate::{kept_file, secrets};

/// How the ids of restores into a fresh cluster begin.
pub(crate) const FRESH_ID: &str = "into-";
/// The key of the repository, among the secrets.
const REPOSITORY_KEY: &str = "repository-key";
/// Copies the repository in the folder `$1`: backups first, so that the WAL which makes the last of them
/// consistent is there as well. Of an earlier attempt nothing is left.
const COPY: &str = "set -eu; cd /to; rm -rf backup archive; for part in backup archive; do \
    if [ -d \"$1/$part\" ]; then cp -a \"$1/$part\" .; fi; done; chown 999:999 /to; chmod 700 /to";

/// The fresh cluster that is asked for.
#[derive(Debug)]
pub(crate) struct Fresh {
    /// Its name.
    pub(crate) name: String,
    /// Its compose file.
    pub(crate) file: Option<PathBuf>,
    /// Its instance number.
    pub(crate) instance: Option<u32>,
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
            .because("--into copies a repository, and --node mounts it")
            .hint("--repo 1, or without --into and --node a restore of the cluster itself"));
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
        let findings = lint::check(&spec);
        if lint::has_errors(&findings) {
            let said: Vec<_> = findings.iter().map(|finding| finding.message.clone()).collect();
            return Err(Error::bad_input(format!("`{name}` will not do")).because(said.join("\n")));
        }
        Ok(spec)
    }

    /// Writes the files of the fresh cluster, makes its containers, and gives it a copy of the
    /// repository and the key to it. What a command that was killed over it has left is made again.
    ///
    /// # Errors
    /// When a cluster of that name or number is there, the copy fails, or the command is interrupted; then
    /// nothing is left of it but its files.
    pub(crate) async fn make_beside(
        &self,
        fresh: &Fresh,
        id: &str,
        repository: u32,
    ) -> Result<(Session, StepDone)> {
        let started = std::time::Instant::now();
        let turn = Turn::take(&self.engine, &self.events).await?;
        let work = self.events.begin(format!("cluster {}", fresh.name));
        let existing = cluster::find(&self.engine).await?;
        let file = fresh.file.clone();
        let file = file.unwrap_or_else(|| PathBuf::from(&fresh.name).join("docker-compose.yaml"));
        let output = OutputArgs { output: file, instance: fresh.instance, ..OutputArgs::default() };
        let generated = generated::generate(
            self.fresh_spec(&fresh.name)?,
            &output,
            Some(&existing),
            &self.events,
        )?;
        let new = generated.topology.id.clone();
        let half_made = existing.iter().find(|cluster| cluster.id == new);
        if let Some(there) = half_made
            && !self.is_half_made(there, &generated.topology).await
        {
            return Err(Error::bad_input(format!("there is a cluster {new} already")).hint(
                format!("`pgha restore {new}` restores it, `pgha down {new} --volumes` removes it"),
            ));
        }
        self.copy_key(&generated)?;
        let made = tokio::select! {
            made = self.fill(&generated, half_made, id, repository, turn, &work) => made,
            () = interrupted() => Err(Error::failed("interrupted")),
        };
        let session = match made {
            Ok(session) => session,
            Err(error) => {
                work.at("removing it again", "");
                let identity = generated.identity();
                return Err(bring_up::clean_up(&self.engine, &identity, None, false, error)
                    .await
                    .hint("everything of it is removed again but its files"));
            }
        };
        let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let note = format!("{new} has a copy of repository {repository} of {}", self.topology.id);
        work.say(&format!("{note} ({:.1} s)", started.elapsed().as_secs_f64()));
        Ok((session, StepDone { step: Step::Archive, took_ms, note }))
    }

    /// Whether a cluster is what a killed `--into` has left: no node was ever started, and each that has a
    /// mark has the mark of an `--into`.
    async fn is_half_made(&self, cluster: &Cluster, topology: &Topology) -> bool {
        for node in topology.of_role(Role::Postgres) {
            let state = cluster.container(&node.name).map(|container| container.state);
            if state != Some(ContainerState::Created) {
                return false;
            }
            let mark =
                self.engine.get_file(&node.name, &format!("{PGDATA_MOUNT}/{HOLD_FILE}")).await;
            if !mark.is_ok_and(|mark| mark.starts_with(FRESH_ID)) {
                return false;
            }
        }
        true
    }

    async fn fill(
        &self,
        generated: &Generated,
        half_made: Option<&Cluster>,
        id: &str,
        repository: u32,
        turn: Turn,
        work: &Work,
    ) -> Result<Session> {
        let new = generated.topology.id.clone();
        let project = Project::of_files(generated, half_made);
        let compose = ComposeTool::find()?;
        work.at("making its containers", "");
        let host = generated.topology.backup_host().name.clone();
        compose.run(&project, &["up", "--no-start"]).await?;
        drop(turn);
        // Whatever starts them now, no empty database is made.
        for node in generated.topology.of_role(Role::Postgres) {
            self.engine.put_file(&node.name, PGDATA_MOUNT, HOLD_FILE, id).await?;
        }
        // One that an attempt which was killed has started reads what is copied anew.
        compose.run(&project, &["stop", &host]).await?;
        work.at("copying the repository", "");
        let to = generated.topology.backup_host().volume();
        let (from, folder) = self.volume_of(repository).expect("the plan is of a volume");
        let backup_image = Images::of(generated.topology.spec.postgres).backup;
        copy_volume(&from, folder, to, &new, &backup_image).await?;
        work.at("starting its backup host", "");
        compose.run(&project, &["up", "-d", "--no-deps", &host]).await?;
        let found = cluster::find(&self.engine).await?;
        let cluster: &Cluster = found
            .iter()
            .find(|cluster| cluster.id == new)
            .ok_or_else(|| Error::failed(format!("cluster {new} has no containers")))?;
        Session::new(&self.engine, cluster, &self.events)
    }

    fn copy_key(&self, generated: &Generated) -> Result<()> {
        let from = secrets::dir_of(&self.file).join(REPOSITORY_KEY);
        let to = secrets::dir_of(&generated.file).join(REPOSITORY_KEY);
        if !from.exists() {
            return Ok(());
        }
        let key = std::fs::read(&from).or_fail(format!("cannot read {}", from.display()))?;
        kept_file::write(&to, &key, kept_file::PRIVATE)
            .or_fail(format!("cannot write {}", to.display()))
    }
}

async fn copy_volume(
    from: &str,
    folder: &str,
    to: &str,
    id: &ClusterId,
    image: &str,
) -> Result<()> {
    let done = tokio::process::Command::new("docker")
        .args(["run", "--rm", "--network", "none", "--entrypoint", "sh"])
        .args(["--label", &format!("{LABEL_LOOK}={id}")])
        .args(["--volume", &format!("{from}:/from:ro"), "--volume", &format!("{to}:/to")])
        .args([image, "-c", COPY, "copy", &format!("/from/{folder}")])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .or_fail("cannot run `docker run`")?;
    if done.status.success() {
        return Ok(());
    }
    Err(Error::failed(format!(
        "the repository of {from} cannot be copied to {to}:{REPOSITORY_DIR}"
    ))
    .because(String::from_utf8_lossy(&done.stderr)))
}
