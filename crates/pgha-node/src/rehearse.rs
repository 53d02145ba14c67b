//! Makes a database and starts Postgres on it, with the locale, the parameters and the lines of `pg_hba.conf` that the cluster
//! file asks for, in a container of no cluster: so Postgres refuses before there is a cluster what it would refuse then.
//!
//! Runs as the user postgres, without a network, in a folder of its own.

use std::path::Path;
use std::process::{Command, Output};

use pgha_core::postgres_log::complaints;
use pgha_core::render::{self, parameters};

use crate::Result;
use crate::identity::Identity;

/// Where the database is made.
const FOLDER: &str = "/tmp/rehearsal";
/// Seconds for the start.
const START_S: &str = "60";
/// A disk of any size: what follows from it is a limit that Postgres takes.
const DISK_BYTES: u64 = 1 << 40;
/// What stands behind the lines of the cluster file: Postgres refuses to do without any.
const OWN_HBA: &str = "local all postgres peer\n";
/// What a database that nobody connects to does without, and what has its log in one place.
const OVERRIDES: &str = "listen_addresses = ''\nunix_socket_directories = '/tmp/rehearsal'\n\
    archive_mode = off\nlogging_collector = off\nlog_line_prefix = ''\n";

/// Ends well where Postgres starts.
pub(crate) fn run(me: &Identity) -> Result<()> {
    let spec = &me.topology.spec;
    let (data, settings) = (format!("{FOLDER}/data"), format!("{FOLDER}/postgresql.conf"));
    std::fs::create_dir(FOLDER).map_err(|e| format!("cannot make {FOLDER}: {e}"))?;
    let all = parameters::of(&me.topology, DISK_BYTES);
    write(&settings, &format!("{}{OVERRIDES}", parameters::postgresql_conf(&all)))?;
    // Without any data, and so at once.
    let config = format!("config_file={settings}");
    demand("postgres", &["-D", FOLDER, "-c", &config, "-C", "work_mem"])?;

    let options = render::initdb(spec).into_iter().map(|(name, value)| match value {
        Some(value) => format!("--{name}={value}"),
        None => format!("--{name}"),
    });
    let options: Vec<String> = ["--no-sync", "--auth=trust", "-D", &data]
        .map(str::to_owned)
        .into_iter()
        .chain(options)
        .collect();
    demand("initdb", &options)?;
    std::fs::copy(&settings, format!("{data}/postgresql.conf"))
        .map_err(|e| format!("cannot copy {settings}: {e}"))?;
    write(&format!("{data}/pg_hba.conf"), &format!("{}\n{OWN_HBA}", spec.server.hba.join("\n")))?;
    let log = format!("{FOLDER}/log");
    let started = output("pg_ctl", &["start", "-D", &data, "-w", "-t", START_S, "-s", "-l", &log])?;
    if started.status.success() {
        // The container ends with it.
        let _ = output("pg_ctl", &["stop", "-D", &data, "-m", "immediate", "-s"]);
        return Ok(());
    }
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    Err(complaints(&format!("{said}\n{}", String::from_utf8_lossy(&started.stderr))))
}

fn write(path: &str, text: &str) -> Result<()> {
    std::fs::write(Path::new(path), text).map_err(|e| format!("cannot write {path}: {e}"))
}

fn output(program: &str, arguments: &[impl AsRef<std::ffi::OsStr>]) -> Result<Output> {
    Command::new(program).args(arguments).output().map_err(|e| format!("cannot run {program}: {e}"))
}

fn demand(program: &str, arguments: &[impl AsRef<std::ffi::OsStr>]) -> Result<()> {
    let done = output(program, arguments)?;
    if done.status.success() {
        return Ok(());
    }
    Err(complaints(&String::from_utf8_lossy(&done.stderr)))
}
