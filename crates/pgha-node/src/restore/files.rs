//! Moves data folders aside and back, by renaming: at once, and whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use pgha_core::render::{PGDATA_MOUNT, SPOOL_DIR, data_dir};
use pgha_core::restore::ASIDE;

use crate::files::{self, POSTGRES};
use crate::identity::Identity;
use crate::restore::hold::sync;
use crate::{Result, say};

/// The folders of this node's data.
#[derive(Debug)]
pub(crate) struct Folders {
    /// Where Postgres runs.
    pub(crate) data: PathBuf,
}

impl Folders {
    /// Of this node.
    pub(crate) fn of(me: &Identity) -> Self {
        Self { data: data_dir(me.topology.spec.postgres).into() }
    }

    /// Where the old data stand aside.
    fn aside(&self, id: &str) -> PathBuf {
        PathBuf::from(format!("{}{ASIDE}{id}", self.data.display()))
    }

    /// Where what a restore has made stands until it is removed, after it was given up.
    fn given_up(&self, id: &str) -> PathBuf {
        PathBuf::from(format!("{}.given-up-{id}", self.data.display()))
    }

    /// Bytes in the data folder.
    pub(crate) fn used_bytes(&self) -> u64 {
        used(&self.data)
    }
}

/// Number of the disk that the volume lies on, the same for every volume there; 0 where unknown.
pub(crate) fn device() -> u64 {
    rustix::fs::stat(PGDATA_MOUNT).map_or(0, |seen| seen.st_dev)
}

/// Bytes that are free on the volume.
pub(crate) fn free_bytes() -> u64 {
    rustix::fs::statvfs(PGDATA_MOUNT).map_or(0, |s| s.f_bavail.saturating_mul(s.f_frsize))
}

fn used(path: &Path) -> u64 {
    let Ok(entry) = fs::symlink_metadata(path) else { return 0 };
    if !entry.is_dir() {
        return entry.len();
    }
    fs::read_dir(path).into_iter().flatten().flatten().map(|e| used(&e.path())).sum()
}

/// Whether there is anything in a folder.
pub(crate) fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// Sets the data aside and makes a new, empty folder. Where old data stand aside already, what is in
/// the data folder is this restore's own and stays.
pub(crate) fn aside(me: &Identity, id: &str) -> Result<()> {
    let folders = Folders::of(me);
    let aside = folders.aside(id);
    if !aside.exists() {
        rename(&folders.data, &aside)?;
    }
    make(&folders.data)?;
    forget_spool();
    say(&aside.display().to_string());
    Ok(())
}

/// Removes the data.
pub(crate) fn discard(me: &Identity) -> Result<()> {
    let folders = Folders::of(me);
    remove(&folders.data)?;
    make(&folders.data)?;
    forget_spool();
    Ok(())
}

/// Puts the old data back where they stood. What the restore has made is removed.
pub(crate) fn back(me: &Identity, id: &str) -> Result<()> {
    let folders = Folders::of(me);
    let (aside, given_up) = (folders.aside(id), folders.given_up(id));
    if aside.exists() {
        remove(&given_up)?;
        if folders.data.exists() {
            rename(&folders.data, &given_up)?;
        }
        rename(&aside, &folders.data)?;
    }
    remove(&given_up)?;
    forget_spool();
    Ok(())
}

/// Removes the old data for good.
pub(crate) fn tidy(me: &Identity, id: &str) -> Result<()> {
    let folders = Folders::of(me);
    remove(&folders.aside(id))
}

fn make(path: &Path) -> Result<()> {
    files::private_dir(&path.display().to_string(), POSTGRES)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)
        .map_err(|e| format!("cannot rename {} to {}: {e}", from.display(), to.display()))?;
    sync(Path::new(PGDATA_MOUNT))
}

/// Removes a folder with all that is in it, if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {e}", path.display()))
        }
        _ => Ok(()),
    }
}

/// What was fetched ahead, or noted as pushed, may be of a timeline that will have other contents
/// under the same name.
fn forget_spool() {
    for entry in fs::read_dir(SPOOL_DIR).into_iter().flatten().flatten() {
        let _ = fs::remove_dir_all(entry.path());
    }
}
