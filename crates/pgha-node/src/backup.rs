//! PID 1 of the backup host, the creation of the stanza, and what both ends of pgBackRest share.

use std::process::{Command, ExitCode};
use std::time::Duration;

use pgha_core::backup_run::without_requests;
use pgha_core::render::{
    self, CONFIG_DIR, REPOSITORY_DIR, REPOSITORY_KEY, REPOSITORY2_FOLDER, REPOSITORY2_MOUNT,
    RepositorySecrets, S3_CA, S3_CA_FILE, S3_FILES, SSH_FILES, STANZA,
};
use pgha_core::repository::{
    Repository, STATUS_MISSING_STANZA, STATUS_NO_BACKUP, STATUS_OK, Status,
};
use pgha_core::spec::{BackupTransport, Repo2};
use pgha_core::topology::{Member, Role};

use crate::files::{self, POSTGRES};
use crate::identity::Identity;
use crate::supervise::{Process, Supervisor, WhenItEnds};
use crate::{Result, backup_run, network, patroni};

/// Home of the user postgres in every image.
pub(crate) const POSTGRES_HOME: &str = "/var/lib/postgresql";
/// How often to look for a leader while the stanza does not exist.
const STANZA_POLL: Duration = Duration::from_millis(500);
/// How often at the least, once it has failed with a leader.
const STANZA_POLL_MAX: Duration = Duration::from_secs(15);

/// Which end of pgBackRest a member is: it decides the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// A Postgres node.
    Node,
    /// The repository host.
    Host,
}

/// Installs keys and returns the server that the other end talks to.
pub(crate) fn prepare_transport(me: &Identity, member: &Member, end: End) -> Result<Process> {
    match me.topology.spec.backup_transport {
        BackupTransport::Tls => {
            let dir = format!("{CONFIG_DIR}/tls");
            files::private_dir(&dir, POSTGRES)?;
            let own = match end {
                End::Node => "backup-node",
                End::Host => "backup-host",
            };
            for (secret, file) in [
                ("backup-ca.crt".to_owned(), "ca.crt"),
                (format!("{own}.crt"), "own.crt"),
                (format!("{own}.key"), "own.key"),
            ] {
                files::install_secret(&secret, &format!("{dir}/{file}"), POSTGRES)?;
            }
            let config = format!("--config={CONFIG_DIR}/pgbackrest.conf");
            Ok(Process::new(POSTGRES, POSTGRES_HOME, &["/usr/bin/pgbackrest", &config, "server"]))
        }
        BackupTransport::Ssh => {
            let dir = format!("{CONFIG_DIR}/ssh");
            files::private_dir(&dir, POSTGRES)?;
            let [key, public, host_key, host_public] = SSH_FILES;
            files::install_secret(key, &format!("{dir}/key"), POSTGRES)?;
            files::install_secret(public, &format!("{dir}/authorized_keys"), POSTGRES)?;
            files::install_secret(host_key, &format!("{dir}/host_key"), POSTGRES)?;
            let known = format!("* {}\n", files::secret(host_public)?);
            files::write(&format!("{dir}/known_hosts"), &known, POSTGRES)?;
            let sshd_config = format!("{dir}/sshd_config");
            files::write(&sshd_config, &render::sshd_config(&me.topology, member), POSTGRES)?;
            let client_dir = format!("{POSTGRES_HOME}/.ssh");
            files::private_dir(&client_dir, POSTGRES)?;
            files::write(&format!("{client_dir}/config"), &render::ssh_client_config(), POSTGRES)?;
            Ok(Process::new(
                POSTGRES,
                POSTGRES_HOME,
                &["/usr/sbin/sshd", "-D", "-e", "-f", &sshd_config],
            ))
        }
    }
}

/// Runs the repository host until it is asked to stop.
pub(crate) fn run(me: &Identity) -> Result<ExitCode> {
    let member = me.member()?;
    network::join_site(member, me.topology.site(member.site))?;
    network::give_up_network_rights()?;
    files::private_dir(REPOSITORY_DIR, POSTGRES)?;
    files::private_dir(CONFIG_DIR, POSTGRES)?;
    let spec = &me.topology.spec;
    if matches!(spec.backup.repo2, Some(Repo2::Posix { .. })) {
        files::private_dir(&format!("{REPOSITORY2_MOUNT}/{REPOSITORY2_FOLDER}"), POSTGRES)?;
    }
    if render::s3_ca_file(spec).is_some() {
        files::install_secret(S3_CA, S3_CA_FILE, POSTGRES)?;
    }
    let wanted = render::repository_secrets(spec);
    let read = |name: &str| match files::secret(name)? {
        text if text.is_empty() => {
            Err(format!("the secret {name} is empty: write it into its file"))
        }
        text => Ok(text),
    };
    let secrets = RepositorySecrets {
        key: wanted.contains(&REPOSITORY_KEY).then(|| read(REPOSITORY_KEY)).transpose()?,
        s3: if wanted.contains(&S3_FILES[0]) {
            Some([read(S3_FILES[0])?, read(S3_FILES[1])?])
        } else {
            None
        },
    };
    let config = format!("{CONFIG_DIR}/pgbackrest.conf");
    files::write(&config, &render::pgbackrest_host(&me.topology, &secrets), POSTGRES)?;
    let main = prepare_transport(me, member, End::Host)?;
    let stanza =
        Process::new(POSTGRES, POSTGRES_HOME, &["/usr/local/bin/pgha-node", "create-stanza"]);
    let schedule =
        Process::new(POSTGRES, POSTGRES_HOME, &["/usr/local/bin/pgha-node", "run-schedule"]);
    let others = vec![(stanza, WhenItEnds::Forget), (schedule, WhenItEnds::Restart)];
    Supervisor { main: Some(main), others, ..Supervisor::default() }.run()
}

/// Creates the stanza in every repository that has none, as soon as there is a leader and the repository
/// can be reached, however long that takes, and checks it.
///
/// The check switches to a new WAL segment and waits until it is archived: archive commands that
/// failed before there was a stanza would otherwise be tried again only a minute later.
pub(crate) fn create_stanza() -> Result<ExitCode> {
    let me = Identity::from_environment()?;
    let nodes: Vec<_> = me.topology.of_role(Role::Postgres).collect();
    if statuses()?.iter().all(has_stanza) {
        return Ok(ExitCode::SUCCESS);
    }
    let mut reported = String::new();
    for command in ["stanza-create", "check"] {
        let mut pause = STANZA_POLL;
        loop {
            let complaint = if nodes.iter().any(|node| patroni::says_yes(node, "primary")) {
                pause = STANZA_POLL_MAX.min(pause * 2);
                if command == "check" { pgbackrest(command)? } else { create_where_missing()? }
            } else {
                Some("there is no leader".to_owned())
            };
            let Some(complaint) = complaint else { break };
            // The same complaint again is no news.
            if complaint != reported {
                crate::log(&format!("{command} cannot be done yet: {complaint}"));
                reported = complaint;
            }
            std::thread::sleep(pause);
        }
        crate::log(&format!("{command} is done"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the stanza where a repository has lost it.
pub(crate) fn make_missing_stanza() -> Result<()> {
    if !statuses()?.iter().any(is_missing) {
        return Ok(());
    }
    pgbackrest("stanza-create")?.map_or(Ok(()), Err)
}

/// What speaks against every repository having the stanza, after it was made where it is missing. Where
/// none misses it nothing is locked: one that is away keeps nobody from using the other.
fn create_where_missing() -> Result<Option<String>> {
    let all = statuses()?;
    if all.iter().any(is_missing) {
        return pgbackrest("stanza-create");
    }
    let unknown = all.into_iter().find(|status| !has_stanza(status));
    Ok(unknown.map(|status| status.message))
}

fn has_stanza(status: &Status) -> bool {
    [STATUS_OK, STATUS_NO_BACKUP].contains(&status.code)
}

fn is_missing(status: &Status) -> bool {
    status.code == STATUS_MISSING_STANZA
}

/// How each repository is.
fn statuses() -> Result<Vec<Status>> {
    let info = backup_run::pgbackrest()
        .args(["--output=json", "--log-level-console=off", "info"])
        .output()
        .map_err(|e| format!("cannot run pgbackrest: {e}"))?;
    let info = Repository::from_info(&info.stdout)?;
    if info.repositories.is_empty() {
        return Ok(vec![info.status]);
    }
    Ok(info.repositories.into_iter().map(|repository| repository.status).collect())
}

/// Runs one command of pgBackRest; what it complains of, if it fails.
fn pgbackrest(command: &str) -> Result<Option<String>> {
    let done = Command::new("/usr/bin/pgbackrest")
        .arg(format!("--config={CONFIG_DIR}/pgbackrest.conf"))
        .args([
            &format!("--stanza={STANZA}"),
            "--log-level-console=warn",
            "--no-log-timestamp",
            command,
        ])
        .output()
        .map_err(|e| format!("cannot run pgbackrest: {e}"))?;
    let said = without_requests(String::from_utf8_lossy(&done.stdout).trim());
    Ok(if done.status.success() { None } else { Some(said) })
}
