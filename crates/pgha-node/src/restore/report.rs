//! On the backup host: what the repository has, the journal of a restore, and its lock.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use pgha_core::render::{REPOSITORY_DIR, STANZA};
use pgha_core::restore::{Holdings, JOURNAL_FILE};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Map, Value, json};

use crate::files::{self, POSTGRES};
use crate::identity::Identity;
use crate::restore::hold::pgbackrest;
use crate::{Result, say};

/// Held by the restore that goes on.
const LOCK_FILE: &str = "restore.lock";

/// Where the journal is while a restore is not finished.
pub(crate) fn journal() -> PathBuf {
    Path::new(REPOSITORY_DIR).join(JOURNAL_FILE)
}

/// Everything a plan needs to know of a repository, as [`pgha_core::restore::Holdings`] reads it.
pub(crate) fn repository(number: u32) -> Result<Value> {
    let repo = format!("--repo={number}");
    let info: Value = json_of(&["--output=json", &repo, "info"])?;
    let mut archive = Map::new();
    let mut histories = Map::new();
    let ids = info[0]["archive"].as_array().into_iter().flatten();
    for id in ids.filter_map(|archive| archive["id"].as_str()) {
        let path = format!("archive/{STANZA}/{id}");
        let listing = json_of(&["--output=json", &repo, "--recurse", "repo-ls", &path])?;
        for name in listing.as_object().into_iter().flatten().map(|(name, _)| name) {
            let number =
                name.strip_suffix(".history").and_then(|n| u32::from_str_radix(n, 16).ok());
            if let Some(number) = number {
                let text = said(&[&repo, "repo-get", &format!("{path}/{name}")])?;
                histories.insert(number.to_string(), Value::String(text));
            }
        }
        archive.insert(id.to_owned(), listing);
    }
    Ok(json!({ "repository": number, "info": info, "archive": archive, "histories": histories }))
}

/// What a repository has.
pub(crate) fn holdings(number: u32) -> Result<Holdings> {
    Holdings::parse(repository(number)?.to_string().as_bytes()).map_err(|e| e.to_string())
}

/// Prints what is known of one: `pgha-node repository 2`.
pub(crate) fn print_repository(arguments: &[String]) -> Result<()> {
    let number = arguments.first().and_then(|number| number.parse().ok());
    say(&repository(number.ok_or("usage: pgha-node repository NUMBER")?)?.to_string());
    Ok(())
}

fn said(arguments: &[&str]) -> Result<String> {
    let shown = arguments.join(" ");
    let done = pgbackrest()
        .arg("--log-level-console=off")
        .arg("--log-level-stderr=error")
        .args(arguments)
        .output()
        .map_err(|e| format!("cannot run pgbackrest: {e}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Err(format!("pgbackrest {shown} failed: {why}"))
}

fn json_of(arguments: &[&str]) -> Result<Value> {
    let text = said(arguments)?;
    serde_json::from_str(&text)
        .map_err(|e| format!("pgbackrest {} prints no JSON: {e}", arguments.join(" ")))
}

/// Prints the journal; nothing where no restore goes on.
pub(crate) fn print_journal() -> Result<()> {
    match fs::read_to_string(journal()) {
        Ok(text) => say(text.trim_end()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(format!("cannot read {}: {e}", journal().display())),
    }
    Ok(())
}

/// Writes the journal; an empty one is removed.
pub(crate) fn write_journal(text: &str) -> Result<()> {
    let path = journal();
    if text.is_empty() {
        return files::remove_if_there(&path);
    }
    files::write(&path.display().to_string(), text, POSTGRES)?;
    File::open(&path)
        .and_then(|file| file.sync_all())
        .map_err(|e| format!("cannot write {} to the disk: {e}", path.display()))
}

/// Removes from the archive what timelines after this one have put there: a restore that was given up
/// must not leave a history that replicas of the old data would try to follow.
pub(crate) fn forget_after(me: &Identity, timeline: &str) -> Result<()> {
    let known: u32 = timeline.parse().map_err(|e| format!("`{timeline}` is no timeline: {e}"))?;
    me.topology.spec.backup.repositories().try_for_each(|number| forget_after_in(number, known))
}

fn forget_after_in(number: u32, known: u32) -> Result<()> {
    let repo = format!("--repo={number}");
    let repository = repository(number)?;
    for (id, listing) in repository["archive"].as_object().into_iter().flatten() {
        for name in listing.as_object().into_iter().flatten().map(|(name, _)| name) {
            let file = name.rsplit('/').next().unwrap_or_default();
            let is_file = file.contains('-') || file.contains('.');
            let own = file.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok());
            if is_file && own.is_some_and(|own| own > known) {
                said(&[&repo, "repo-rm", &format!("archive/{STANZA}/{id}/{name}")])?;
            }
        }
    }
    Ok(())
}

/// Holds the lock as long as somebody holds the other end of standard input. Prints `held`, or `busy`
/// where another restore has it.
pub(crate) fn lock() -> Result<()> {
    let path = Path::new(REPOSITORY_DIR).join(LOCK_FILE);
    let file = File::create(&path).map_err(|e| format!("cannot open {}: {e}", path.display()))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        say("busy");
        return Ok(());
    }
    say("held");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    Ok(())
}
