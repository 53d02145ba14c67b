//! What pgBackRest's repositories hold, asked of pgBackRest on the backup host or a node.

use std::ops::RangeInclusive;
use std::process::Command;
use std::thread;

use pgha_core::identity::{Contents, RepositoryFact};
use pgha_core::render::CONFIG_DIR;
use pgha_core::repository::{Repository, STANZA, json_of_printed};
use pgha_core::restore::Holdings;
use serde_json::{Map, Value, json};

use crate::files::POSTGRES_HOME;
use crate::{Result, disk, say};

/// pgBackRest with this member's configuration, as the user postgres: it refuses keys that are not its
/// user's own.
pub(crate) fn pgbackrest() -> Command {
    pgbackrest_with(&format!("{CONFIG_DIR}/pgbackrest.conf"))
}

/// The same with another configuration.
pub(crate) fn pgbackrest_with(config: &str) -> Command {
    let mut command = Command::new("/usr/local/bin/pgbackrest");
    command
        .args([format!("--config={config}"), format!("--stanza={STANZA}")])
        .env("HOME", POSTGRES_HOME)
        .envs(disk::preload());
    command
}

/// How pgBackRest is asked: arguments to what it prints.
pub(crate) type Said<'a> = dyn Fn(&[&str]) -> Result<String> + 'a;

/// Everything a plan needs to know of a repository, as [`pgha_core::restore::Holdings`] reads it.
pub(crate) fn read(number: u32) -> Result<Value> {
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
    Holdings::parse(read(number)?.to_string().as_bytes()).map_err(|e| e.to_string())
}

/// Prints what is known of one.
pub(crate) fn print(number: u32) -> Result<()> {
    say(&read(number)?.to_string());
    Ok(())
}

pub(crate) fn said(arguments: &[&str]) -> Result<String> {
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
pub(crate) fn print_tablespaces(repository: u32, backup: &str) -> Result<()> {
    say(&json!(tablespaces(&repository.to_string(), backup)?).to_string());
    Ok(())
}
