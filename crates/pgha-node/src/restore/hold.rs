//! A node that is held: PID 1 starts neither Patroni nor Postgres, whatever restarts the container.
//!
//! The mark lies on the node's own volume, so it needs nobody else to be reachable and outlives the
//! container. It is put there before anything is stopped, and removed when the data are whole.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use pgha_core::agent::NodeState;
use pgha_core::render::{CONFIG_DIR, PGDATA_MOUNT};
use pgha_core::restore::{HOLD_FILE, Room, Stopped};
use rustix::fs::{FlockOperation, flock};

use crate::files::{self, POSTGRES, sync};
use crate::identity::Identity;
use crate::supervise::{Process, Supervisor, WhenItEnds};
use crate::{Result, say};

/// Says that this PID 1 holds the node; written once it does.
const HELD_FILE: &str = "/pgha/config/held";
/// Held by the step that runs.
const STEP_LOCK: &str = "/pgha/config/restore.lock";
/// Passwords that the restored database shall have, readable for the steps.
pub(crate) const PASSWORDS: [&str; 3] = ["postgres", "replicator", "rewinder"];

fn mark() -> PathBuf {
    Path::new(PGDATA_MOUNT).join(HOLD_FILE)
}

/// The id of the restore that holds this node.
pub(crate) fn held_by() -> Option<String> {
    let text = fs::read_to_string(mark()).ok()?;
    Some(text.trim().to_owned())
}

/// Where a step finds a password.
pub(crate) fn password_file(user: &str) -> String {
    format!("{CONFIG_DIR}/restore-{user}.password")
}

/// What PID 1 runs on a node that is held: only the server that pgBackRest reaches it by.
pub(crate) fn supervisor(id: &str, server: Process) -> Result<Supervisor> {
    crate::log(&format!(
        "held by restore {id}: neither Patroni nor Postgres is started until `pgha restore` has \
         gone on to its end, or `pgha restore --abort` to its beginning"
    ));
    for user in PASSWORDS {
        files::install_secret(user, &password_file(user), POSTGRES)?;
    }
    // Whoever reads that it is held may do what no Postgres must start on: the mark outlives a power cut.
    files::sync(&mark())?;
    sync(Path::new(PGDATA_MOUNT))?;
    files::write(HELD_FILE, id, POSTGRES)?;
    Ok(Supervisor { others: vec![(server, WhenItEnds::Restart)], ..Supervisor::default() })
}

/// What PID 1 does on a node that is not held.
pub(crate) fn not_held() -> Result<()> {
    for user in PASSWORDS {
        files::remove_if_there(Path::new(&password_file(user)))?;
    }
    files::remove_if_there(Path::new(HELD_FILE))
}

/// Fails unless this node is held: a step must never meet a running Patroni.
pub(crate) fn demand() -> Result<()> {
    if held_by().is_some() && Path::new(HELD_FILE).exists() {
        Ok(())
    } else {
        Err("no restore is in progress on this node".to_owned())
    }
}

/// Waits until no other step runs here: one that was left behind by a `pgha` that was killed ends soon.
pub(crate) fn lock_step() -> Result<File> {
    let lock = File::create(STEP_LOCK).map_err(|e| format!("cannot open {STEP_LOCK}: {e}"))?;
    flock(&lock, FlockOperation::LockExclusive)
        .map_err(|e| format!("cannot lock {STEP_LOCK}: {e}"))?;
    Ok(lock)
}

/// Prints how this node is: whether it is held, whether this PID 1 holds it, though the mark may be gone
/// by now, and what is on its volume.
pub(crate) fn print_held(me: &Identity) -> Result<()> {
    let data = super::files::Folders::of(me);
    let state = NodeState {
        held: demand().is_ok(),
        holding: Path::new(HELD_FILE).exists(),
        by: held_by(),
        room: Room {
            device: super::files::device(),
            free_bytes: super::files::free_bytes(),
            data_bytes: data.used_bytes(),
            system_id: crate::start::system_id(me),
        },
        linked: data.linked(),
        stopped: stopped(me, &data.data),
    };
    say(&serde_json::to_string(&state).map_err(|e| format!("cannot write JSON: {e}"))?);
    Ok(())
}

/// How Postgres left the data: what `pg_control` says, and what was not archived; `None` without data.
fn stopped(me: &Identity, data: &Path) -> Option<Stopped> {
    let tool = format!("/usr/lib/postgresql/{}/bin/pg_controldata", me.topology.spec.postgres);
    let said = Command::new(tool).arg(data).env("LC_ALL", "C").output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let field = |name: &str| {
        said.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
    };
    let timeline: u32 = field("Latest checkpoint's TimeLineID")?.parse().ok()?;
    let waiting = fs::read_dir(data.join("pg_wal/archive_status")).into_iter().flatten().flatten();
    let waiting =
        waiting.filter(|entry| entry.path().extension().is_some_and(|ext| ext == "ready"));
    Some(Stopped {
        state: field("Database cluster state")?.to_owned(),
        timeline,
        not_archived: waiting.count(),
    })
}

/// Lets PID 1 start Patroni from the next start of the container on.
pub(crate) fn release() -> Result<()> {
    files::remove_if_there(&mark())?;
    sync(Path::new(PGDATA_MOUNT))
}
