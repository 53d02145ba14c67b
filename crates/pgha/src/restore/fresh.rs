//! The cluster of `--into`: its files, its containers, a copy of a repository, and the key to it.

use std::path::PathBuf;

use pgha_core::render::{Images, PGDATA_MOUNT, REPOSITORY_DIR, REPOSITORY_KEY};
use pgha_core::restore::source::Found;
use pgha_core::restore::{HOLD_FILE, Step, StepDone};
use pgha_core::spec::Spec;
use pgha_core::status::ContainerState;
use pgha_core::topology::{ClusterId, Role, Topology};
use pgha_wan::units::whole_ms;

use crate::bring_up;
use crate::cli::OutputArgs;
use crate::cluster::{self, Cluster};
use crate::docker::Engine;
use crate::error::{Error, OrFail, Result};
use crate::events::{Events, Work};
use crate::generated::{self, Generated};
use crate::interrupt::interrupted;
use crate::project::Project;
use crate::provider::{Provider as _, Up};
use crate::restore::from::Source;
use crate::restore::{Session, copy};
use crate::turn::Turn;
use crate::{kept_file, secrets};

/// How the ids of restores into a fresh cluster begin.
pub(crate) const FRESH_ID: &str = "into-";
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
    /// What it is.
    pub(crate) spec: Spec,
    /// The key of its repository.
    pub(crate) key: Option<Vec<u8>>,
}

/// What its repository is copied from.
#[derive(Debug)]
pub(crate) enum Origin<'a> {
    /// A folder of a volume.
    Volume {
        /// Name of the volume.
        volume: String,
        /// Path of the repository in it.
        folder: &'static str,
    },
    /// A repository without its cluster.
    Source(&'a Source, &'a Found),
}

/// Writes the files of the fresh cluster, makes its containers, and gives it a copy of the repository, called
/// `what`, and the key to it. What a command that was killed over it has left is made again.
///
/// # Errors
/// When a cluster of that name or number is there, the copy fails, or the command is interrupted; then nothing
/// is left of it but its files.
pub(crate) async fn make(
    engine: &Engine,
    fresh: &Fresh,
    id: &str,
    origin: &Origin<'_>,
    what: &str,
    events: &Events,
) -> Result<(Session, StepDone)> {
    let started = std::time::Instant::now();
    let turn = Turn::take(engine, events).await?;
    let work = events.begin(format!("cluster {}", fresh.name));
    let existing = cluster::find(engine).await?;
    let file = fresh.file.clone();
    let file = file.unwrap_or_else(|| PathBuf::from(&fresh.name).join("docker-compose.yaml"));
    let output = OutputArgs { output: file, instance: fresh.instance, ..OutputArgs::default() };
    let generated = generated::generate(fresh.spec.clone(), &output, Some(&existing), events)?;
    let new = generated.topology.id.clone();
    let half_made = existing.iter().find(|cluster| cluster.id == new);
    if let Some(there) = half_made
        && !is_half_made(engine, there, &generated.topology).await
    {
        return Err(Error::bad_input(format!("there is a cluster {new} already")).hint(format!(
            "`pgha restore {new}` restores it, `pgha down {new} --volumes` removes it"
        )));
    }
    if let Some(key) = &fresh.key {
        let to = secrets::dir_of(&generated.file).join(REPOSITORY_KEY);
        kept_file::write(&to, key, kept_file::PRIVATE)
            .or_fail(format!("cannot write {}", to.display()))?;
    }
    let made = tokio::select! {
        made = fill(engine, &generated, half_made, id, origin, turn, &work) => made,
        () = interrupted() => Err(Error::failed("interrupted")),
    };
    let session = match made {
        Ok(session) => session,
        Err(error) => {
            work.at("removing it again", "");
            let identity = generated.identity();
            return Err(bring_up::clean_up(engine, &identity, None, false, error)
                .await
                .hint("everything of it is removed again but its files"));
        }
    };
    let took_ms = whole_ms(started.elapsed());
    let note = format!("{new} has a copy of {what}");
    work.say(&format!("{note} ({:.1} s)", started.elapsed().as_secs_f64()));
    Ok((session, StepDone { step: Step::Archive, took_ms, note }))
}

/// Whether a cluster is what a killed `--into` has left: no node was ever started, and each that has a
/// mark has the mark of an `--into`.
async fn is_half_made(engine: &Engine, cluster: &Cluster, topology: &Topology) -> bool {
    for node in topology.of_role(Role::Postgres) {
        let state = cluster.container(&node.name).map(|container| container.state);
        if state != Some(ContainerState::Created) {
            return false;
        }
        let mark = engine.get_file(&node.name, &format!("{PGDATA_MOUNT}/{HOLD_FILE}")).await;
        if !mark.is_ok_and(|mark| mark.starts_with(FRESH_ID)) {
            return false;
        }
    }
    true
}

async fn fill(
    engine: &Engine,
    generated: &Generated,
    half_made: Option<&Cluster>,
    id: &str,
    origin: &Origin<'_>,
    turn: Turn,
    work: &Work,
) -> Result<Session> {
    let new = generated.topology.id.clone();
    let project = Project::of_files(generated, half_made);
    work.at("making its containers", "");
    let host = generated.topology.backup_host().name.clone();
    engine.up(&project, Up::MadeAnew).await?;
    drop(turn);
    // Whatever starts them now, no empty database is made.
    for node in generated.topology.of_role(Role::Postgres) {
        engine.put_file(&node.name, PGDATA_MOUNT, HOLD_FILE, id).await?;
    }
    // One that an attempt which was killed has started reads what is copied anew.
    engine.stop(&host).await?;
    work.at("copying the repository", "");
    let to = generated.topology.backup_host().volume();
    match origin {
        Origin::Volume { volume, folder } => {
            let image = Images::of(&generated.topology.spec).backup;
            copy_volume(engine, volume, folder, to, &new, &image).await?;
        }
        Origin::Source(source, found) => source.copy(engine, found, to, &new).await?,
    }
    work.at("starting its backup host", "");
    engine.up(&project, Up::Alone(&host)).await?;
    let found = cluster::find(engine).await?;
    let cluster: &Cluster = found
        .iter()
        .find(|cluster| cluster.id == new)
        .ok_or_else(|| Error::failed(format!("cluster {new} has no containers")))?;
    Session::new(engine, cluster, work.events())
}

async fn copy_volume(
    engine: &Engine,
    from: &str,
    folder: &str,
    to: &str,
    id: &ClusterId,
    image: &str,
) -> Result<()> {
    let (from_mount, to_mount) = (format!("{from}:/from:ro"), format!("{to}:/to"));
    let folder = format!("/from/{folder}");
    let arguments = ["--network", "none", "--volume", &from_mount, "--volume", &to_mount];
    let command = ["--entrypoint", "sh", image, "-c", COPY, "copy", &folder];
    let arguments = [arguments.as_slice(), &command].concat();
    let done = copy::run_copy(engine, id, &arguments, &[]).await?;
    if done.status.success() {
        return Ok(());
    }
    Err(Error::failed(format!(
        "the repository of {from} cannot be copied to {to}:{REPOSITORY_DIR}"
    ))
    .because(String::from_utf8_lossy(&done.stderr)))
}
