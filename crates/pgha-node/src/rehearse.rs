//! Makes a database and starts Postgres on it, with the locale, the parameters and the lines of `pg_hba.conf` that the cluster
//! file asks for, in a container of no cluster, or with changed ones in a node of a cluster: so Postgres refuses beforehand
//! what it would refuse then.
//!
//! Runs as the user postgres, in a folder of its own that is removed, and listens nowhere.

use std::path::Path;
use std::process::{Command, Output};

use pgha_core::config::Trial;
use pgha_core::postgres_log::complaints;
use pgha_core::render::{self, parameters};
use pgha_core::spec::Spec;

use crate::Result;
use crate::identity::Identity;

/// Seconds for the start.
const START_S: &str = "60";
/// A disk of any size: what follows from it is a limit that Postgres takes.
const DISK_BYTES: u64 = 1 << 40;
/// What stands behind the lines of the cluster file: Postgres refuses to do without any.
const OWN_HBA: &str = "local all postgres peer\n";

/// Ends well where Postgres starts with what the cluster file asks for.
pub(crate) fn run(me: &Identity) -> Result<()> {
    let spec = &me.topology.spec;
    let parameters = parameters::postgresql_conf(&parameters::of(&me.topology, DISK_BYTES));
    start(spec, &Trial { parameters, hba: spec.server.hba.clone() })
}

/// Ends well where Postgres starts with what a file has, which is removed.
pub(crate) fn run_file(me: &Identity, path: &Path) -> Result<()> {
    let cannot = |e: &dyn std::fmt::Display| format!("cannot read {}: {e}", path.display());
    let text = std::fs::read_to_string(path).map_err(|e| cannot(&e))?;
    std::fs::remove_file(path).map_err(|e| format!("cannot remove {}: {e}", path.display()))?;
    let trial: Trial = serde_json::from_str(&text).map_err(|e| cannot(&e))?;
    start(&me.topology.spec, &trial)
}

fn start(spec: &Spec, trial: &Trial) -> Result<()> {
    let folder = format!("/tmp/rehearsal-{}", std::process::id());
    std::fs::create_dir(&folder).map_err(|e| format!("cannot make {folder}: {e}"))?;
    let started = start_in(&folder, spec, trial);
    std::fs::remove_dir_all(&folder).map_err(|e| format!("cannot remove {folder}: {e}"))?;
    started
}

fn start_in(folder: &str, spec: &Spec, trial: &Trial) -> Result<()> {
    let (data, settings) = (format!("{folder}/data"), format!("{folder}/postgresql.conf"));
    // What a database that nobody connects to does without, and what has its log in one place.
    let overrides = format!(
        "listen_addresses = ''\nunix_socket_directories = '{folder}'\narchive_mode = off\n\
         logging_collector = off\nlog_line_prefix = ''\n"
    );
    write(&settings, &format!("{}{overrides}", trial.parameters))?;
    // Without any data, and so at once.
    let config = format!("config_file={settings}");
    demand("postgres", &["-D", folder, "-c", &config, "-C", "work_mem"])?;

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
    write(&format!("{data}/pg_hba.conf"), &format!("{}\n{OWN_HBA}", trial.hba.join("\n")))?;
    let log = format!("{folder}/log");
    let started = output("pg_ctl", &["start", "-D", &data, "-w", "-t", START_S, "-s", "-l", &log])?;
    if started.status.success() {
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
