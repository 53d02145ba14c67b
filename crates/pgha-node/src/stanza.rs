//! The stanza in every repository: made as soon as there is a leader, each repository by itself, and what
//! each holds kept in a file for the probe. `pgha-node keep-stanza` runs beside the backup host's server.
//!
//! One repository that cannot be read keeps nobody from the other: pgBackRest makes a stanza in all of its
//! repositories or fails, so it is given a configuration with the one that is meant.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pgha_core::identity::{Contents, RepositoryFact};
use pgha_core::render::repository_config;
use pgha_core::repository::without_requests;
use pgha_core::spec::Spec;
use pgha_core::topology::Role;

use crate::files::{self, POSTGRES};
use crate::identity::Identity;
use crate::{Result, patroni, repository};

/// What each repository holds, as JSON.
const FACTS_FILE: &str = "/pgha/config/repositories.json";
/// How often to look for a leader while a stanza is missing.
const POLL: Duration = Duration::from_millis(500);
/// How often at the least to try again, and to look what a repository holds while one has no stanza.
const POLL_MAX: Duration = Duration::from_secs(15);
/// How often to look once every repository has had the stanza, and while one has it not or is away.
const WATCH: Duration = Duration::from_secs(60);
/// See [`WATCH`].
const WATCH_AILING: Duration = Duration::from_secs(10);

/// Forgets what an earlier start of this container has found.
pub(crate) fn forget() -> Result<()> {
    files::remove_if_there(Path::new(FACTS_FILE))
}

/// What was found last; empty where nothing was yet.
pub(crate) fn facts() -> Vec<RepositoryFact> {
    let text = std::fs::read(FACTS_FILE).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Creates the stanza in every repository that has none, and checks it there; then only keeps looking.
///
/// The check switches to a new WAL segment and waits until it is archived: archive commands that
/// failed before there was a stanza would otherwise be tried again only a minute later.
pub(crate) fn keep() -> Result<ExitCode> {
    let me = Identity::from_environment()?;
    let nodes: Vec<_> = me.topology.of_role(Role::Postgres).collect();
    let mut unchecked = BTreeSet::new();
    let (mut reported, mut pause) = (String::new(), POLL);
    let mut facts = look(&me.topology.spec)?;
    let mut looked = Instant::now();
    while !(all_hold_a_database(&facts) && unchecked.is_empty()) {
        let complaint = if nodes.iter().any(|node| patroni::says_yes(node, "primary")) {
            pause = POLL_MAX.min(pause * 2);
            let failed = create(&facts, &mut unchecked).err();
            (facts, looked) = (look(&me.topology.spec)?, Instant::now());
            failed.or_else(|| without_stanza(&facts))
        } else {
            if looked.elapsed() > POLL_MAX {
                (facts, looked) = (look(&me.topology.spec)?, Instant::now());
            }
            Some("there is no leader".to_owned())
        };
        let Some(complaint) = complaint else { continue };
        // The same again is no news.
        if complaint != reported {
            crate::log(&format!("the stanza is not in every repository: {complaint}"));
            reported = complaint;
        }
        std::thread::sleep(pause);
    }
    crate::log("every repository has the stanza");
    loop {
        std::thread::sleep(if all_hold_a_database(&facts) { WATCH } else { WATCH_AILING });
        facts = look(&me.topology.spec)?;
    }
}

/// Makes the stanza where a repository has lost it.
pub(crate) fn make_missing() -> Result<()> {
    let me = Identity::from_environment()?;
    let made = empty(&look(&me.topology.spec)?)
        .map(|number| run(number, "stanza-create"))
        .fold(Ok(()), Result::and);
    look(&me.topology.spec)?;
    made
}

/// Makes the stanza where there is none, and checks it.
fn create(facts: &[RepositoryFact], unchecked: &mut BTreeSet<u32>) -> Result<()> {
    let mut done = Ok(());
    // The first one last: a cluster whose first repository has the stanza counts as ready.
    for number in empty(facts).collect::<Vec<_>>().into_iter().rev() {
        let made = run(number, "stanza-create");
        if made.is_ok() {
            crate::log(&format!("repository {number}: the stanza is created"));
            unchecked.insert(number);
        }
        done = done.and(made);
    }
    for number in unchecked.clone() {
        let checked = run(number, "check");
        if checked.is_ok() {
            crate::log(&format!("repository {number}: WAL is archived"));
            unchecked.remove(&number);
        }
        done = done.and(checked);
    }
    done
}

fn empty(facts: &[RepositoryFact]) -> impl Iterator<Item = u32> {
    facts.iter().filter(|fact| fact.contents == Contents::Empty).map(|fact| fact.repository)
}

fn all_hold_a_database(facts: &[RepositoryFact]) -> bool {
    facts.iter().all(|fact| matches!(fact.contents, Contents::Database { .. }))
}

/// What speaks against one that has none, though nothing failed.
fn without_stanza(facts: &[RepositoryFact]) -> Option<String> {
    let without = facts.iter().find(|fact| !matches!(fact.contents, Contents::Database { .. }));
    without.map(ToString::to_string)
}

/// Asks each repository what it holds, and writes that down.
fn look(spec: &Spec) -> Result<Vec<RepositoryFact>> {
    let facts = repository::repository_facts(spec.backup.repositories());
    let text = serde_json::to_string(&facts).map_err(|e| format!("cannot write JSON: {e}"))?;
    files::write(FACTS_FILE, &text, POSTGRES)?;
    Ok(facts)
}

/// Runs one command of pgBackRest on one repository.
fn run(number: u32, command: &str) -> Result<()> {
    let done = repository::pgbackrest_with(&repository_config(number))
        .args(["--log-level-console=warn", "--no-log-timestamp", command])
        .output()
        .map_err(|e| format!("cannot run pgbackrest: {e}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = without_requests(String::from_utf8_lossy(&done.stdout).trim());
    Err(format!("repository {number}: {command} failed: {said}"))
}
