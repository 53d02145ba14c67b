//! `pgha-node set-up-database CONNECTION`: what the cluster file asks for in a new database, once, called by Patroni on the
//! first leader before the cluster has the database (`post_bootstrap`).
//!
//! Patroni gives a database up whose set-up fails, and would make and set up the next one for ever. So it is noted on the
//! node's volume that a set-up has begun, and how it failed; a node with such a note starts no Patroni until the cluster has
//! a database ([`unfinished`]).

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use pgha_core::identity::{Initialized, NotStarted};
use pgha_core::render::{CONFIG_DIR, PGDATA_MOUNT};
use pgha_core::set_up::{INIT_SQL, Step, said, secrets, steps};

use crate::Result;
use crate::files::{self, POSTGRES};
use crate::identity::Identity;

/// Folder with copies of the secrets for the user postgres.
const SECRETS: &str = "/pgha/config/set-up";
/// The note on the node's volume.
const NOTE: &str = "pgha-set-up-failed.json";

/// Puts passwords and `init_sql` where the helper can read them.
pub(crate) fn install(me: &Identity) -> Result<()> {
    let names = secrets(&me.topology.spec);
    if names.is_empty() {
        return Ok(());
    }
    files::private_dir(SECRETS, POSTGRES)?;
    names
        .iter()
        .try_for_each(|name| files::install_secret(name, &format!("{SECRETS}/{name}"), POSTGRES))
}

/// Sets the database up.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let [connection] = arguments else {
        return Err("usage: pgha-node set-up-database CONNECTION".to_owned());
    };
    let me = Identity::from_environment()?;
    let password = |secret: &str| files::read_secret_copy(&format!("{SECRETS}/{secret}"));
    let spec = &me.topology.spec;
    for Step { about, script } in steps(spec, password)? {
        psql(connection, &["-f", "-"], &about, script.as_bytes())?;
        crate::log(&format!("set-up: {about} is made"));
    }
    if let Some(file) = &spec.server.init_sql {
        // By its plain name psql names the line: `psql:init.sql:3: ERROR: ...`.
        psql(connection, &["-f", INIT_SQL], &format!("init_sql ({file})"), &[])?;
        crate::log(&format!("set-up: init_sql ({file}) is done"));
    }
    let note = Path::new(PGDATA_MOUNT).join(NOTE);
    files::remove_if_there(&note)?;
    files::sync(Path::new(PGDATA_MOUNT))?;
    Ok(ExitCode::SUCCESS)
}

/// Runs psql to its end; where it fails, notes what Postgres said, and before that what it is at.
fn psql(connection: &str, arguments: &[&str], about: &str, input: &[u8]) -> Result<()> {
    let failed = |said: String| NotStarted::SetUp { about: about.to_owned(), said };
    note(&failed("it was interrupted".to_owned()))?;
    let folder = if Path::new(SECRETS).is_dir() { SECRETS } else { CONFIG_DIR };
    let mut psql = Command::new("psql")
        .args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", connection])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot run psql: {e}"))?;
    if let Some(mut stdin) = psql.stdin.take() {
        // One that has ended says why itself.
        let _ = stdin.write_all(input);
    }
    let done = psql.wait_with_output().map_err(|e| format!("cannot run psql: {e}"))?;
    if done.status.success() {
        return Ok(());
    }
    let failed = failed(said(&String::from_utf8_lossy(&done.stderr)));
    note(&failed)?;
    Err(failed.to_string())
}

fn note(failed: &NotStarted) -> Result<()> {
    let text = serde_json::to_string(failed).map_err(|e| format!("cannot note {failed}: {e}"))?;
    files::keep(&format!("{PGDATA_MOUNT}/{NOTE}"), &text, POSTGRES)
}

/// The set-up that failed on this node, or was interrupted; nothing where the cluster has a database by now, and then the note
/// goes.
pub(crate) fn unfinished(initialized: Initialized) -> Option<NotStarted> {
    let path = Path::new(PGDATA_MOUNT).join(NOTE);
    let failed = serde_json::from_str(&fs::read_to_string(&path).ok()?).ok()?;
    if matches!(initialized, Initialized::Yes(_)) {
        let _ = files::remove_if_there(&path);
        return None;
    }
    Some(failed)
}
