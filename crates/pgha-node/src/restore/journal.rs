//! On the backup host: the journal of a restore, and its lock.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use pgha_core::agent::{BUSY, HELD};
use pgha_core::render::REPOSITORY_DIR;
use pgha_core::repository::STANZA;
use pgha_core::restore::{Began, JOURNAL_FILE, Journal, Unfinished};
use pgha_core::topology::Topology;
use rustix::fs::{FlockOperation, flock};

use crate::files::{self, POSTGRES};
use crate::identity::Identity;
use crate::repository;
use crate::{Result, say};

/// Held by the restore that goes on.
const LOCK_FILE: &str = "restore.lock";

/// Where the journal is while a restore is not finished.
pub(crate) fn path() -> PathBuf {
    Path::new(REPOSITORY_DIR).join(JOURNAL_FILE)
}

/// How far the restore is that is not finished; `None` where there is none, or its journal is of another version.
pub(crate) fn unfinished(topology: &Topology) -> Option<Unfinished> {
    let journal: Journal = serde_json::from_str(&fs::read_to_string(path()).ok()?).ok()?;
    Some(journal.unfinished(&topology.id.to_string()))
}

/// Prints the journal; nothing where no restore goes on.
pub(crate) fn print() -> Result<()> {
    match fs::read_to_string(path()) {
        Ok(text) => say(text.trim_end()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(format!("cannot read {}: {e}", path().display())),
    }
    Ok(())
}

/// Writes the journal; an empty one is removed.
pub(crate) fn write(text: &str) -> Result<()> {
    let path = path();
    if text.is_empty() {
        files::remove_if_there(&path)?;
        return files::sync(Path::new(REPOSITORY_DIR));
    }
    files::keep(&path.display().to_string(), text, POSTGRES)
}

/// Removes from the archive what the timelines of a restore have put there: one that was given up must not
/// leave a history that replicas of the old data would try to follow.
pub(crate) fn forget(me: &Identity, began: &Began) -> Result<()> {
    me.topology.spec.backup.repositories().try_for_each(|number| forget_in(number, began))
}

fn forget_in(number: u32, began: &Began) -> Result<()> {
    let repo = format!("--repo={number}");
    let report = repository::read(number)?;
    let histories = report["histories"].as_object().into_iter().flatten();
    let histories = histories
        .filter_map(|(timeline, text)| Some((timeline.parse().ok()?, text.as_str()?.to_owned())));
    let own = began.own(&histories.collect());
    for (id, listing) in report["archive"].as_object().into_iter().flatten() {
        let mut files: Vec<&String> =
            listing.as_object().into_iter().flatten().map(|(name, _)| name).collect();
        // By its history a timeline is known again after an interruption, so that goes last.
        files.sort_by_key(|name| name.ends_with(".history"));
        for name in files {
            let file = name.rsplit('/').next().unwrap_or_default();
            let is_file = file.contains('-') || file.contains('.');
            let timeline = file.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok());
            if is_file && timeline.is_some_and(|timeline| own.contains(&timeline)) {
                repository::said(&[&repo, "repo-rm", &format!("archive/{STANZA}/{id}/{name}")])?;
            }
        }
    }
    Ok(())
}

/// Holds the lock as long as somebody holds the other end of standard input. Prints [`HELD`], or [`BUSY`]
/// where another restore has it.
pub(crate) fn lock() -> Result<()> {
    let path = Path::new(REPOSITORY_DIR).join(LOCK_FILE);
    let file = File::create(&path).map_err(|e| format!("cannot open {}: {e}", path.display()))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        say(BUSY);
        return Ok(());
    }
    say(HELD);
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    Ok(())
}
