//! One container for a look at an earlier state: PID 1 of `pgha restore --node`.
//!
//! It stands in no network of the cluster. It reads the repository from the backup host's volume, mounted
//! read-only, restores into a volume of its own, and runs Postgres without Patroni and without an archive.

use std::process::ExitCode;

use pgha_core::agent::AGENT;
use pgha_core::render::{
    CONFIG_DIR, PGDATA_MOUNT, REPOSITORY_DIR, REPOSITORY2_FOLDER, REPOSITORY2_MOUNT,
};
use pgha_core::repository::STANZA;
use pgha_core::restore::{RECOVER_OR_END, Recovery};
use pgha_core::spec::Encryption;

use crate::Result;
use crate::files::POSTGRES_HOME;
use crate::files::{self, POSTGRES};
use crate::identity::Identity;
use crate::restore::files::Folders;
use crate::restore::recover;
use crate::supervise::{Process, Supervisor};

/// Says that the state to look at is there; a container that is started again restores nothing.
const READY: &str = "/pgdata/look.ready";

/// Restores with these arguments of pgBackRest, then runs Postgres until it is asked to stop.
pub(crate) fn run(or_end: bool, arguments: &[String]) -> Result<ExitCode> {
    let me = Identity::from_environment()?;
    let data = Folders::of(&me).data.display().to_string();
    for dir in [PGDATA_MOUNT, CONFIG_DIR, &data, "/run/postgresql"] {
        files::private_dir(dir, POSTGRES)?;
    }
    // The one that is mounted is the one that is meant.
    let second = arguments.iter().any(|argument| argument == "--repo=2");
    let (repo, path) = if second {
        ("repo2", format!("{REPOSITORY2_MOUNT}/{REPOSITORY2_FOLDER}"))
    } else {
        ("repo1", REPOSITORY_DIR.to_owned())
    };
    let cipher = match me.topology.spec.backup.encryption {
        Encryption::None => String::new(),
        kind @ Encryption::Aes256Cbc => format!(
            "{repo}-cipher-type={kind}\n{repo}-cipher-pass={}\n",
            files::secret("repository-key")?
        ),
    };
    let config = format!(
        "[global]\n{repo}-path={path}\n{cipher}log-level-console=info\nlog-level-file=off\n\n\
         [{STANZA}]\npg1-path={data}\n"
    );
    files::write(&format!("{CONFIG_DIR}/pgbackrest.conf"), &config, POSTGRES)?;
    if !std::path::Path::new(READY).exists() {
        let mut argv = vec![AGENT, "look-restore"];
        argv.extend(or_end.then_some(RECOVER_OR_END));
        argv.extend(arguments.iter().map(String::as_str));
        let main = Some(Process::new(POSTGRES, POSTGRES_HOME, &argv));
        if let Some(stopped) = (Supervisor { main, ..Supervisor::default() }).run_first()? {
            return Ok(stopped);
        }
        if !std::path::Path::new(READY).exists() {
            return Err("the restore has failed, as is said above".to_owned());
        }
    }
    files::remove_stale(&std::path::Path::new(&data).join("postmaster.pid"))?;
    let postgres = format!("/usr/lib/postgresql/{}/bin/postgres", me.topology.spec.postgres);
    let mut argv = vec![postgres.as_str(), "-D", &data];
    // It answers nobody but who looks: no archive, no standbys to wait for.
    for setting in [
        "listen_addresses=*",
        "archive_mode=off",
        "synchronous_standby_names=",
        "logging_collector=off",
        "unix_socket_directories=/run/postgresql",
    ] {
        argv.extend(["-c", setting]);
    }
    let main = Some(Process::new(POSTGRES, POSTGRES_HOME, &argv));
    Supervisor { main, ..Supervisor::default() }.run()
}

/// Restores and recovers; runs as the user postgres.
pub(crate) fn restore(arguments: &[String]) -> Result<ExitCode> {
    let me = Identity::from_environment()?;
    let (or_end, arguments) = match arguments {
        [first, rest @ ..] if first == RECOVER_OR_END => (true, rest),
        _ => (false, arguments),
    };
    recover::fetch(&me, arguments)?;
    recover::recover(&me, Recovery { or_end, copy: true })?;
    files::keep(READY, "", POSTGRES)?;
    Ok(ExitCode::SUCCESS)
}
