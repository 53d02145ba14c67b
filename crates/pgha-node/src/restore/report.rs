//! On the backup host: what the repository has, the journal of a restore, and its lock.

use std::fs::{self, File};
use std::io::Read as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::thread;

use pgha_core::identity::{Contents, RepositoryFact};
use pgha_core::render::{REPOSITORY_DIR, STANZA};
use pgha_core::repository::{Repository, json_of_printed};
use pgha_core::restore::{Began, Holdings, JOURNAL_FILE};
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

/// How pgBackRest is asked: arguments to what it prints.
pub(crate) type Said<'a> = dyn Fn(&[&str]) -> Result<String> + 'a;

/// Everything a plan needs to know of a repository, as [`pgha_core::restore::Holdings`] reads it.
pub(crate) fn repository(number: u32) -> Result<Value> {
    of_stanza(&said, number, STANZA)
}

/// The same of a stanza of any name.
pub(crate) fn of_stanza(said: &Said<'_>, number: u32, stanza: &str) -> Result<Value> {
    let repo = format!("--repo={number}");
    let info: Value = json_of(said, &["--output=json", &repo, "info"])?;
    let mut archive = Map::new();
    let mut histories = Map::new();
    let ids = info[0]["archive"].as_array().into_iter().flatten();
    for id in ids.filter_map(|archive| archive["id"].as_str()) {
        let path = format!("archive/{stanza}/{id}");
        let listing = json_of(said, &["--output=json", &repo, "--recurse", "repo-ls", &path])?;
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

/// What each of these repositories holds. Each is asked by itself, all at once: of several a node's
/// pgBackRest learns the key of the first alone, and one that is away takes half a minute to say so.
pub(crate) fn repository_facts(numbers: RangeInclusive<u32>) -> Vec<RepositoryFact> {
    let asked: Vec<_> =
        numbers.map(|number| thread::spawn(move || repository_fact(number))).collect();
    asked.into_iter().map(|asked| asked.join().expect("it does not panic")).collect()
}

fn repository_fact(repository: u32) -> RepositoryFact {
    let said = said(&["--output=json", &format!("--repo={repository}"), "info"]);
    match said.and_then(|printed| Repository::from_info(printed.as_bytes())) {
        Ok(listing) => RepositoryFact::of(repository, &listing),
        Err(reason) => RepositoryFact { repository, contents: Contents::Unreadable { reason } },
    }
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

fn json_of(said: &Said<'_>, arguments: &[&str]) -> Result<Value> {
    let text = json_of_printed(said(arguments)?.as_bytes());
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
        files::remove_if_there(&path)?;
        return files::sync(Path::new(REPOSITORY_DIR));
    }
    files::keep(&path.display().to_string(), text, POSTGRES)
}

/// Removes from the archive what the timelines of a restore have put there: one that was given up must not
/// leave a history that replicas of the old data would try to follow.
pub(crate) fn forget(me: &Identity, began: &str) -> Result<()> {
    let began: Began = serde_json::from_str(began).map_err(|e| format!("`{began}`: {e}"))?;
    me.topology.spec.backup.repositories().try_for_each(|number| forget_in(number, &began))
}

fn forget_in(number: u32, began: &Began) -> Result<()> {
    let repo = format!("--repo={number}");
    let report = repository(number)?;
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
                said(&[&repo, "repo-rm", &format!("archive/{STANZA}/{id}/{name}")])?;
            }
        }
    }
    Ok(())
}

/// Where a backup has tablespaces, as pgBackRest's own listing says.
pub(crate) fn tablespaces(repository: &str, backup: &str) -> Result<Vec<String>> {
    tablespaces_of(&said, repository, backup)
}

/// The same of any stanza.
pub(crate) fn tablespaces_of(
    said: &Said<'_>,
    repository: &str,
    backup: &str,
) -> Result<Vec<String>> {
    let (repo, set) = (format!("--repo={repository}"), format!("--set={backup}"));
    let info = json_of(said, &["--output=json", &repo, &set, "info"])?;
    let listed = info[0]["backup"].as_array().into_iter().flatten();
    let of_it = listed.filter(|listed| listed["label"] == backup);
    let places = of_it.flat_map(|listed| listed["tablespace"].as_array().into_iter().flatten());
    Ok(places.filter_map(|place| place["destination"].as_str().map(str::to_owned)).collect())
}

/// Prints it as a list of paths in JSON.
pub(crate) fn print_tablespaces(repository: &str, backup: &str) -> Result<()> {
    say(&json!(tablespaces(repository, backup)?).to_string());
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
