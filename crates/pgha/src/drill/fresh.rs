//! A cluster for one drill: made in a folder of its own, and removed with it afterwards.
//!
//! ```text
//! drill-3-20261128-110512/       below the current folder, locked as long as its command runs
//!   docker-compose.yaml, …       as `pgha up` writes them
//! ```
//!
//! All that the engine has of it is labelled with that folder. Where the lock is free, the command was killed, and what is
//! left is nobody's.

use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pgha_core::spec::{Repo2, Spec};
use pgha_core::topology::{ClusterId, Topology};

use crate::bring_up;
use crate::cli::OutputArgs;
use crate::cluster::{self, Cluster, FILE_HERE};
use crate::docker::Engine;
use crate::error::{Error, OrFail as _, Result};
use crate::events::Events;
use crate::generated::{self, Generated};
use crate::init_sql::InitSql;
use crate::interrupt::interrupted;
use crate::project::Project;
use crate::turn::Turn;
use crate::waiting::GivenUp;
use crate::{images, rehearsal};

/// Name of each such cluster; its number is the lowest that is free.
pub(crate) const NAME: &str = "drill";
/// How long it may take to start.
const START_DEADLINE: Duration = Duration::from_secs(300);

/// A cluster for one drill.
#[derive(Debug)]
pub(crate) struct Fresh {
    generated: Generated,
    folder: PathBuf,
    _lock: File,
}

/// What a cluster for a drill is made as, given what is asked for: its name is its own, and it writes to no repository
/// outside of it.
pub(crate) fn own(asked: Spec, events: &Events) -> Spec {
    let mut spec = Spec { name: NAME.to_owned(), ..asked };
    if let Some(Repo2::Posix { path: Some(_) } | Repo2::S3 { .. }) = &spec.backup.repo2 {
        events.note(
            "the second repository is left out: a drill writes to none outside of its cluster",
        );
        spec.backup.repo2 = None;
    }
    spec
}

impl Fresh {
    /// Makes it and waits until it is ready.
    ///
    /// # Errors
    /// When it does not get ready; then nothing of it is left.
    pub(crate) async fn make(
        engine: &Engine,
        spec: Spec,
        init_sql: Option<&InitSql>,
        events: &Events,
    ) -> Result<Self> {
        let ready = async {
            let turn = Turn::take(engine, events).await?;
            let existing = cluster::find(engine).await?;
            for cluster in left(&existing) {
                events.note(told(cluster));
            }
            let instance = generated::lowest_free(&existing);
            images::demand(engine, &spec, events).await?;
            rehearsal::demand(&Topology::new(spec.clone(), instance), events).await?;
            Ok((turn, existing, instance))
        };
        let (turn, existing, instance) = tokio::select! {
            ready = ready => ready?,
            () = interrupted() => return Err(Error::failed("interrupted")),
        };
        let (folder, lock) = folder_for(instance)?;
        let output = OutputArgs {
            output: folder.join(FILE_HERE),
            instance: Some(instance),
            drill: Some(folder.to_string_lossy().into_owned()),
            ..OutputArgs::default()
        };
        let written = generated::generate(spec, &output, Some(&existing), events);
        let generated = written.and_then(|generated| {
            init_sql.map_or(Ok(()), |sql| sql.keep(&generated, false, events))?;
            Ok(generated)
        });
        let generated = match generated {
            Ok(generated) => generated,
            Err(error) => {
                let removed = remove_folder(&folder);
                return Err(removed.err().into_iter().fold(error, Error::because));
            }
        };
        let fresh = Self { generated, folder, _lock: lock };
        match fresh.start(engine, turn, events).await {
            Ok(()) => Ok(fresh),
            Err(error) => Err(match fresh.remove(engine, events).await {
                Ok(()) => error,
                Err(second) => error.because(second.reason()),
            }),
        }
    }

    async fn start(&self, engine: &Engine, turn: Turn, events: &Events) -> Result<()> {
        let (topology, id) = (&self.generated.topology, self.id());
        let events = &events.of(id);
        let project = Project::of_files(&self.generated, None);
        let began = Instant::now();
        let started = bring_up::start(engine, &project, id, START_DEADLINE, Some(turn), events);
        let ready = tokio::select! {
            ready = started => ready,
            () = interrupted() => Err(GivenUp::because(Error::failed("interrupted"))),
        };
        match ready {
            Ok(ready) => {
                bring_up::note_ready(topology, &ready, began.elapsed(), events);
                bring_up::tell_distances(engine, topology, events).await
            }
            Err(given_up) => {
                bring_up::show_guilty(engine, &given_up, events).await;
                Err(given_up.error)
            }
        }
    }

    /// Name and number.
    pub(crate) fn id(&self) -> &ClusterId {
        &self.generated.topology.id
    }

    /// Removes it with its data and its files.
    ///
    /// # Errors
    /// When something of it is left.
    pub(crate) async fn remove(self, engine: &Engine, events: &Events) -> Result<()> {
        let id = self.id();
        let work = events.of(id).begin(format!("cluster {id}"));
        work.at("removing", "");
        let removed = bring_up::remove_again(engine, &self.generated.identity()).await;
        removed.and_then(|()| remove_folder(&self.folder)).map_err(|error| {
            error.hint(format!(
                "`pgha down {id} --volumes` removes the cluster; its files are in {}",
                self.folder.display()
            ))
        })?;
        work.done(&format!("cluster {id} is removed"));
        Ok(())
    }
}

/// A new folder below the current one, and its lock.
fn folder_for(instance: u32) -> Result<(PathBuf, File)> {
    let begun = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    let folder = std::path::absolute(format!("{NAME}-{instance}-{begun}"));
    let folder = folder.or_fail("cannot find the current folder")?;
    let cannot = || format!("cannot make the folder {}", folder.display());
    DirBuilder::new().mode(0o700).create(&folder).or_fail(cannot())?;
    let lock = File::open(&folder).or_fail(cannot())?;
    lock.lock().or_fail(cannot())?;
    Ok((folder, lock))
}

fn remove_folder(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder).or_fail(format!("cannot remove {}", folder.display()))
}

/// Clusters that were made for drills whose command was killed.
pub(crate) fn left(clusters: &[Cluster]) -> impl Iterator<Item = &Cluster> {
    clusters.iter().filter(|cluster| cluster.drill.as_deref().is_some_and(nobody_has))
}

/// Says what is left, and what removes it.
pub(crate) fn told(cluster: &Cluster) -> String {
    let id = &cluster.id;
    let folder = cluster.drill.iter().filter(|folder| folder.exists());
    let folder = folder.map(|folder| format!(", and its files are in {}", folder.display()));
    format!(
        "cluster {id} is left of a drill that was killed: `pgha down {id} --volumes` removes it{}",
        folder.collect::<String>()
    )
}

fn nobody_has(folder: &Path) -> bool {
    match File::open(folder) {
        Ok(lock) => lock.try_lock().is_ok(),
        // The folder goes last.
        Err(e) => e.kind() == ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::made_from;
    use crate::events::tests::Kept;
    use crate::generated::tests::Place;

    #[test]
    fn what_is_left_is_a_drills_whose_command_has_gone() {
        let place = Place::with(NAME, 1, Some("x"));
        let folder = tempfile::tempdir().expect("a folder");
        let drill = |folder: Option<&Path>| {
            let mut cluster = made_from(&place);
            cluster.drill = folder.map(Path::to_owned);
            [cluster]
        };
        let is_left = |clusters: [Cluster; 1]| left(&clusters).count() == 1;
        assert!(!is_left(drill(None)), "it was made for no drill");
        let lock = File::open(folder.path()).expect("a folder");
        lock.lock().expect("nobody has it");
        assert!(!is_left(drill(Some(folder.path()))), "its command runs");
        drop(lock);
        let [cluster] = drill(Some(folder.path()));
        let said = told(&cluster);
        assert!(said.contains("`pgha down drill-1 --volumes`"), "{said}");
        assert!(said.contains(&folder.path().display().to_string()), "{said}");
        assert!(is_left([cluster]));
        let [cluster] = drill(Some(Path::new("/nonexistent/drill-1")));
        assert!(!told(&cluster).contains("nonexistent") && is_left([cluster]));
    }

    #[test]
    fn a_cluster_for_a_drill_writes_to_no_repository_of_somebody_else() {
        let (events, kept) = Kept::stream();
        let with = |repo2: Option<Repo2>| {
            let mut spec = Spec { data_centers: 3, ..Spec::default() };
            spec.backup.repo2 = repo2;
            own(spec, &events)
        };
        let inside = Some(Repo2::Posix { path: None });
        let spec = with(inside.clone());
        assert_eq!((spec.name.as_str(), spec.data_centers), (NAME, 3));
        assert_eq!(spec.backup.repo2, inside);
        assert_eq!(kept.events().len(), 0);
        let folder = Some(Repo2::Posix { path: Some("/srv/backups".to_owned()) });
        assert_eq!(with(folder).backup.repo2, None);
        assert_eq!(kept.events().len(), 1);
    }
}
