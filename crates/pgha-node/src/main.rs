//! The one static binary inside pgha's images.
//!
//! `pgha-node run` is PID 1 of every member: it gives the member its cluster address, writes its
//! configuration, gives up what privileges it no longer needs, and runs the member's service as a
//! user without any. The other verbs are helpers that run inside a member. It never talks to Docker.

mod archive_get;
mod archiving;
mod backup;
mod backup_run;
mod certs;
mod clock;
mod dcs;
mod disk;
mod etcd;
mod files;
mod http;
mod identity;
mod layout;
mod maintenance;
mod network;
mod patroni;
mod postgres;
mod probe;
mod processes;
mod proxy;
mod rehearse;
mod repository;
mod restore;
mod schedule;
mod secret;
mod set_up;
mod signal;
mod stanza;
mod start;
mod supervise;
mod wan;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use pgha_core::agent::Request;
use pgha_core::topology::Role;

use crate::identity::Identity;

/// What is said where nothing is asked, or something unknown.
const USAGE: &str = "usage: pgha-node run, or what pgha asks of it";

/// What every step of PID 1 returns; the text says what failed and why.
type Result<T, E = String> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let verb = std::env::args().nth(1).unwrap_or_default();
    // PID 1, Postgres, Patroni or a user asks for these; all others are requests of pgha.
    let done = match verb.as_str() {
        "run" => run(),
        "keep-stanza" => stanza::keep(),
        "run-schedule" => schedule::run(),
        "archive-get" => archive_get::run(&arguments()),
        "replica-from-backup" => postgres::replica_from_backup(),
        "patroni" => start::run(),
        "set-up-database" => set_up::run(&arguments()),
        "settle" => postgres::settle(),
        "etcd-start" => etcd::start(),
        "etcd-alone" => etcd::alone(&arguments()),
        "wan-engine" => Identity::from_environment().and_then(|me| wan::engine(&me)),
        "restoreme" => restore::restoreme::ask(),
        "restoreme-now" => restore::restoreme::now(),
        "look-restore" => restore::look::restore(&arguments()),
        "" => Err(USAGE.to_owned()),
        _ => asked(),
    };
    match done {
        Ok(code) => code,
        Err(reason) => {
            log(&format!("failed: {reason}"));
            ExitCode::FAILURE
        }
    }
}

/// Does what pgha asks for.
fn asked() -> Result<ExitCode> {
    let argv: Vec<String> = std::env::args().collect();
    let request = Request::parse(&argv).map_err(|unknown| format!("{unknown}\n{USAGE}"))?;
    match request {
        Request::Probe => probe::run(&Identity::from_environment()?, Duration::ZERO),
        Request::Watch { seconds } => {
            probe::run(&Identity::from_environment()?, Duration::from_secs(seconds))
        }
        Request::Backup(backup) => return backup_run::run(&backup),
        Request::FullDisks => {
            backup_run::full_disks().for_each(|full| say(&full));
            Ok(())
        }
        Request::ShowSchedule => schedule::show(),
        Request::KeepSchedule(schedule) => schedule::keep(&schedule),
        Request::ClearSchedule => schedule::clear(),
        Request::Repository { number } => repository::print(number),
        Request::WanControl(request) => wan::relay(&request),
        Request::RoundTrips { count, wait_ms } => {
            let wait = Duration::from_millis(wait_ms.into());
            wan::round_trips(&Identity::from_environment()?, count, wait)
        }
        Request::PutLayout => layout::put(&Identity::from_environment()?),
        Request::ApplyLayout => layout::print_applied(&Identity::from_environment()?),
        Request::Signal { program, blow } => signal::run(program, blow),
        Request::Archive { broken: true } => archiving::stop(),
        Request::Archive { broken: false } => archiving::go_on(),
        Request::Disk { ailment, delay } => disk::ail(ailment, delay),
        Request::DiskHealed(ailment) => disk::heal(ailment),
        Request::Clock { program, offset } => {
            clock::put_off(&Identity::from_environment()?, program, offset)
        }
        Request::ClockHealed(program) => clock::put_right(&Identity::from_environment()?, program),
        Request::ClockState(program) => clock::state(program),
        Request::Etcd(request) => etcd::repair(&request),
        Request::Restore(request) => restore::run(&request),
        Request::Rehearse => rehearse::run(&Identity::from_environment()?),
        Request::RehearseFile { path } => {
            rehearse::run_file(&Identity::from_environment()?, Path::new(&path))
        }
        Request::Maintenance { on } => maintenance::switch(on),
        Request::SecretFile { path } => {
            secret::take(&Identity::from_environment()?, Path::new(&path))
        }
        Request::Certificates => certs::show(),
        Request::CertificatesFile { path } => {
            certs::take(&Identity::from_environment()?, Path::new(&path))
        }
        Request::Source => restore::source::run(),
        Request::Look { or_end, arguments } => return restore::look::run(or_end, &arguments),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// What stands behind the verb.
fn arguments() -> Vec<String> {
    std::env::args().skip(2).collect()
}

/// Does the work of PID 1 for whichever member this is.
fn run() -> Result<ExitCode> {
    supervise::end_when_asked()?;
    let me = Identity::from_environment()?;
    // An older layout is better than none: neither keeps the member from starting.
    let unknown = layout::know_hosts(&me.topology).err();
    me.not_taken.iter().chain(&unknown).for_each(|reason| log(reason));
    match me.role() {
        Role::Postgres => postgres::run(&me),
        Role::Etcd => etcd::run(&me),
        Role::Backup => backup::run(&me),
        Role::Proxy => proxy::run(&me),
        Role::Wan => wan::run(&me),
    }
}

/// Writes one line to the container's log.
#[allow(clippy::print_stderr, reason = "standard error is the log of a container")]
fn log(line: &str) {
    eprintln!("pgha-node: {line}");
}

/// Writes one line to standard output, for whoever has started this helper.
fn say(line: &str) {
    use std::io::Write as _;
    // One who no longer reads has no use for the rest.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
