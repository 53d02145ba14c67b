//! The schedule of the backup host: kept in a file on its volume, and carried out by a process of its
//! own beside the repository's server. What was due while the host was down is not made up for.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use pgha_core::render::SCHEDULE_FILE;
use pgha_core::schedule::{Entry, Followed, Schedule};

use crate::Result;
use crate::backup_run::{backup_command, full_disks};
use crate::files::{self, POSTGRES};

/// How often to look at the clock and at the file.
const TICK: Duration = Duration::from_secs(2);

/// Carries out the schedule for ever.
pub(crate) fn run() -> Result<ExitCode> {
    let mut reported = String::new();
    let mut followed = Followed::from(Timestamp::now());
    loop {
        std::thread::sleep(TICK);
        let due = match read() {
            Ok(Some(schedule)) => followed.due(&schedule, Timestamp::now()).cloned(),
            Ok(None) => None,
            Err(reason) => {
                if reason != reported {
                    crate::log(&reason);
                    reported = reason;
                }
                None
            }
        };
        if let Some(entry) = due {
            carry_out(&entry);
        }
        followed.pass_over(Timestamp::now());
    }
}

fn carry_out(entry: &Entry) {
    let (mut command, source) = match backup_command() {
        Ok(command) => command,
        Err(reason) => {
            crate::log(&format!("`{entry}` failed: {reason}"));
            return;
        }
    };
    crate::log(&format!("`{entry}` is due: {source}"));
    let done = command
        .args([
            &format!("--type={}", entry.kind),
            &format!("--annotation=schedule={entry}"),
            "--log-level-console=warn",
            "backup",
        ])
        .stdin(Stdio::null())
        .status();
    if !matches!(&done, Ok(status) if status.success()) {
        full_disks().for_each(|full| crate::log(&full));
    }
    crate::log(&match done {
        Ok(status) if status.success() => format!("`{entry}` is done"),
        Ok(status) => format!("`{entry}` failed: pgbackrest ended with {status}"),
        Err(e) => format!("`{entry}` failed: cannot run pgbackrest: {e}"),
    });
}

/// Prints the schedule there is.
pub(crate) fn show() -> Result<()> {
    let text = read()?.map(|schedule| schedule.to_string()).unwrap_or_default();
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|e| format!("cannot print the schedule: {e}"))
}

/// Writes one.
pub(crate) fn keep(schedule: &Schedule) -> Result<()> {
    files::keep(SCHEDULE_FILE, &format!("{schedule}\n"), POSTGRES)
}

/// Removes it.
pub(crate) fn clear() -> Result<()> {
    match fs::remove_file(SCHEDULE_FILE) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(format!("cannot remove {SCHEDULE_FILE}: {e}"))
        }
        _ => Ok(()),
    }
}

fn read() -> Result<Option<Schedule>> {
    if !Path::new(SCHEDULE_FILE).exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(SCHEDULE_FILE)
        .map_err(|e| format!("cannot read {SCHEDULE_FILE}: {e}"))?;
    text.parse().map(Some).map_err(|e| format!("{SCHEDULE_FILE} holds no schedule: {e}"))
}
