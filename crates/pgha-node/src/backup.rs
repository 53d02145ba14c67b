//! PID 1 of the backup host, and what both ends of pgBackRest share.

use std::process::ExitCode;

use pgha_core::agent::AGENT;
use pgha_core::render::{
    self, CA_CERTIFICATE, CONFIG_DIR, REPOSITORY_DIR, REPOSITORY_KEY, REPOSITORY2_FOLDER,
    REPOSITORY2_MOUNT, RepositorySecrets, S3_CA, S3_CA_FILE, S3_FILES, SSH_FILES,
};
use pgha_core::spec::{BackupTransport, Repo2};
use pgha_core::topology::{Member, Role};

use crate::files::POSTGRES_HOME;
use crate::files::{self, POSTGRES};
use crate::identity::Identity;
use crate::supervise::{Process, Supervisor, WhenItEnds};
use crate::{Result, disk, network, stanza};

/// The CA among the files that pgBackRest reads.
pub(crate) const CA_FILE: &str = "ca.crt";

/// Which end of pgBackRest a member is: it decides the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// A Postgres node.
    Node,
    /// The repository host.
    Host,
}

impl End {
    /// The secrets that have its certificate and key.
    pub(crate) fn secrets(self) -> [&'static str; 2] {
        render::mounted_certificate(match self {
            Self::Node => Role::Postgres,
            Self::Host => Role::Backup,
        })
    }
}

/// The folder with the certificate, the key and the CA that pgBackRest reads.
pub(crate) fn certificates() -> String {
    format!("{CONFIG_DIR}/tls")
}

/// Puts certificate, key and CA where pgBackRest reads them.
pub(crate) fn install_certificates(end: End) -> Result<()> {
    let dir = certificates();
    files::private_dir(&dir, POSTGRES)?;
    let [certificate, key] = end.secrets();
    for (secret, file) in [(CA_CERTIFICATE, CA_FILE), (certificate, "own.crt"), (key, "own.key")] {
        files::install_secret(secret, &format!("{dir}/{file}"), POSTGRES)?;
    }
    Ok(())
}

/// Installs keys and returns the server that the other end talks to.
pub(crate) fn prepare_transport(me: &Identity, member: &Member, end: End) -> Result<Process> {
    match me.topology.spec.backup_transport {
        BackupTransport::Tls => {
            install_certificates(end)?;
            let config = format!("--config={CONFIG_DIR}/pgbackrest.conf");
            let server = ["/usr/bin/pgbackrest", &config, "server"];
            Ok(Process::new(POSTGRES, POSTGRES_HOME, &server).with_variable(disk::preload()))
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
    disk::prepare()?;
    files::private_dir(REPOSITORY_DIR, POSTGRES)?;
    files::private_dir(CONFIG_DIR, POSTGRES)?;
    let spec = &me.topology.spec;
    if matches!(spec.backup.repo2, Some(Repo2::Posix { .. })) {
        files::private_dir(&format!("{REPOSITORY2_MOUNT}/{REPOSITORY2_FOLDER}"), POSTGRES)?;
    }
    if render::s3_ca_file(spec).is_some() {
        files::install_secret(S3_CA, S3_CA_FILE, POSTGRES)?;
    }
    write_config(me)?;
    stanza::forget()?;
    let main = prepare_transport(me, member, End::Host)?;
    let keeper = Process::new(POSTGRES, POSTGRES_HOME, &[AGENT, "keep-stanza"]);
    let schedule = Process::new(POSTGRES, POSTGRES_HOME, &[AGENT, "run-schedule"]);
    let others = vec![(keeper, WhenItEnds::Restart), (schedule, WhenItEnds::Restart)];
    Supervisor { main: Some(main), others, ..Supervisor::default() }.run()
}

/// Writes pgBackRest's configuration, whole and for each repository; the files that were not so already.
pub(crate) fn write_config(me: &Identity) -> Result<Vec<String>> {
    let spec = &me.topology.spec;
    let wanted = render::repository_secrets(spec);
    let key = wanted.contains(&REPOSITORY_KEY).then(|| files::secret(REPOSITORY_KEY));
    let secrets = RepositorySecrets {
        key: key.transpose()?,
        s3: if wanted.contains(&S3_FILES[0]) {
            Some([files::secret(S3_FILES[0])?, files::secret(S3_FILES[1])?])
        } else {
            None
        },
    };
    let all = spec.backup.repositories();
    let text = |numbers| render::pgbackrest_host(&me.topology, &secrets, numbers);
    let whole = (format!("{CONFIG_DIR}/pgbackrest.conf"), text(all.clone()));
    let each = all.map(|one| (render::repository_config(one), text(one..=one)));
    files::write_changed([whole].into_iter().chain(each), POSTGRES)
}
