//! The files a cluster runs from, as text.
//!
//! The compose file is rendered by `pgha generate`; the members' own configuration by PID 1 inside
//! each container, from the same specification. Templates are in `templates/`, one for each file.

#[cfg(any(test, feature = "compose"))]
mod compose;
mod members;
pub mod parameters;
mod proxy;
mod proxysql;

#[cfg(any(test, feature = "compose"))]
pub use compose::{DOCKER_COMPOSE_HEADER, Images, compose, unescaped};
pub use members::{
    DEBIAN_CA_FILE, NodeSecrets, OWN_IDENT, RepositorySecrets, acknowledge, etcd, initdb, own_hba,
    patroni, pgbackrest_host, pgbackrest_node, recovery_conf, repository_config, ssh_client_config,
    sshd_config,
};

pub use proxy::{
    haproxy, haproxy_config, pgbouncer, pgbouncer_config, pgbouncer_userlist, userlist,
};

pub use proxysql::{Login, ProxysqlSecrets, READ_ONLY_PORT, READ_WRITE_PORT, proxysql};

use std::net::Ipv4Addr;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};

use crate::spec::{Encryption, Repo2, Spec};
use crate::topology::{Role, Topology};

/// Patroni's scope: the name of the cluster inside etcd.
pub const SCOPE: &str = "pgha_cluster";
/// Patroni's namespace: the folder of the scope inside etcd, without slashes.
pub const NAMESPACE: &str = "pgha";
/// Where PID 1 writes a member's configuration.
pub const CONFIG_DIR: &str = "/pgha/config";
/// pgBackRest's repository on the backup host.
pub const REPOSITORY_DIR: &str = "/pgha/pgbackrest";
/// Where the backup host keeps its schedule: on its volume, beside the repository.
pub const SCHEDULE_FILE: &str = "/pgha/pgbackrest/pgha-schedule";
/// Mount point of the second repository on the backup host, where it is a volume.
pub const REPOSITORY2_MOUNT: &str = "/pgha/pgbackrest2";
/// The second repository below its mount, which may be a folder of the user's.
pub const REPOSITORY2_FOLDER: &str = "repository";
/// Where nodes keep WAL on its way, on their own volume.
pub const SPOOL_DIR: &str = "/pgdata/pgbackrest-spool";
/// Mount point of a Postgres node's volume.
pub const PGDATA_MOUNT: &str = "/pgdata";
/// The library by which Postgres and pgBackRest see faults of their disk.
pub const PRELOADED: &str = "/usr/local/lib/pgha/disk.so";
/// What Patroni starts as Postgres: Postgres with that library.
pub const POSTGRES_PROGRAM: &str = "/usr/local/lib/pgha/postgres";
/// Mount point of an etcd member's volume.
pub const ETCD_MOUNT: &str = "/pgha/etcd";
/// Most that `/dev/shm` of a Postgres node may hold, in the words of Docker and Compose: parallel queries
/// share hash tables there. A limit that nothing is set aside for; Docker's own is 64 MB.
pub const SHM_SIZE: &str = "1g";
/// User name of Patroni's REST API for calls that change something.
pub const PATRONI_API_USER: &str = "pgha";
/// Common name in the certificate that all nodes of a cluster of an earlier pgha share.
pub const NODE_COMMON_NAME: &str = "pgha-node";
/// Common name in the certificate of the backup host of such a cluster.
pub const BACKUP_COMMON_NAME: &str = "pgha-backup";
/// Port of sshd with the `ssh` transport; above 1024, since it runs without privileges.
pub const SSH_PORT: u16 = 2222;

/// Secrets mounted into Postgres nodes, by file name.
pub const NODE_PASSWORDS: [&str; 4] = ["postgres", "replicator", "rewinder", "patroni"];
/// Certificate of the cluster's CA, for the `tls` transport.
pub const CA_CERTIFICATE: &str = "backup-ca.crt";
/// The key that the CA signs with. It is mounted nowhere.
pub const CA_KEY: &str = "backup-ca.key";
/// Certificate and key of all nodes, as every node has them mounted; in a cluster of an earlier pgha also the files.
pub const NODE_CERTIFICATE: [&str; 2] = ["backup-node.crt", "backup-node.key"];
/// The same of the backup host.
pub const HOST_CERTIFICATE: [&str; 2] = ["backup-host.crt", "backup-host.key"];
/// Keys for the `ssh` transport: one pair for logging in, one for the servers.
pub const SSH_FILES: [&str; 4] = ["ssh_key", "ssh_key.pub", "ssh_host_key", "ssh_host_key.pub"];

/// The key of an encrypted repository, by file name. Only the backup host has it.
pub const REPOSITORY_KEY: &str = "repository-key";
/// Credentials of a second repository in S3, by file name: access key and its secret. They are the
/// user's to fill in.
pub const S3_FILES: [&str; 2] = ["repo2-s3-key", "repo2-s3-key-secret"];

/// The authorities that a second repository in S3 is checked against, by name of the secret. The file
/// is the user's, wherever it lies.
pub const S3_CA: &str = "repo2-s3-ca";
/// Where the backup host has [`S3_CA`].
pub const S3_CA_FILE: &str = "/pgha/config/repo2-ca.crt";

/// The secrets that the backup host needs for its repositories, by file name.
pub fn repository_secrets(spec: &Spec) -> Vec<&'static str> {
    let key = (spec.backup.encryption != Encryption::None).then_some(REPOSITORY_KEY);
    let s3 = matches!(spec.backup.repo2, Some(Repo2::S3 { .. }));
    key.into_iter().chain(S3_FILES.into_iter().filter(|_| s3)).collect()
}

/// A certificate that a cluster needs for the `tls` transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The files of certificate and key, among the secrets.
    pub files: [String; 2],
    /// Its common name, by which pgBackRest tells who may do what.
    pub common_name: String,
    /// The names that it is valid for, which whoever dials checks.
    pub names: Vec<String>,
    /// The addresses that it is valid for.
    pub addresses: Vec<Ipv4Addr>,
}

/// The certificates of a cluster: one for each member that talks to pgBackRest's server or is one. With `shared`
/// those of a cluster of an earlier pgha, whose nodes share one.
pub fn certificates(topology: &Topology, shared: bool) -> Vec<Certificate> {
    if shared {
        let of = |role: Role, name: &str| Certificate {
            files: mounted_certificate(role).map(str::to_owned),
            common_name: name.to_owned(),
            names: topology.of_role(role).map(|m| m.name.clone()).collect(),
            addresses: Vec::new(),
        };
        return vec![of(Role::Postgres, NODE_COMMON_NAME), of(Role::Backup, BACKUP_COMMON_NAME)];
    }
    let members =
        topology.members.iter().filter(|m| matches!(m.role, Role::Postgres | Role::Backup));
    let own = members.map(|m| Certificate {
        files: certificate_files(&m.name),
        common_name: m.name.clone(),
        names: vec![m.name.clone()],
        addresses: vec![m.address],
    });
    own.collect()
}

/// The files of a member's own certificate and key.
fn certificate_files(member: &str) -> [String; 2] {
    [format!("{member}.crt"), format!("{member}.key")]
}

/// The names that a node or the backup host has its certificate and key mounted by.
pub fn mounted_certificate(role: Role) -> [&'static str; 2] {
    if role == Role::Postgres { NODE_CERTIFICATE } else { HOST_CERTIFICATE }
}

/// The file of [`S3_CA`] on this machine, where one is named.
pub fn s3_ca_file(spec: &Spec) -> Option<&str> {
    match &spec.backup.repo2 {
        Some(Repo2::S3 { ca_file, .. }) => ca_file.as_deref(),
        _ => None,
    }
}

/// The volume of a second repository that is one.
pub fn repo2_volume(topology: &Topology) -> String {
    format!("{}-repo2", topology.backup_host().name)
}

/// Names of the volumes that the compose file of a cluster declares.
pub fn volumes(topology: &Topology) -> Vec<String> {
    let members = topology.members.iter().filter(|m| m.has_volume()).map(|m| m.name.clone());
    let second = matches!(topology.spec.backup.repo2, Some(Repo2::Posix { .. }));
    members.chain(second.then(|| repo2_volume(topology))).collect()
}

/// The data directory of a Postgres major version.
pub fn data_dir(major: u32) -> String {
    format!("{PGDATA_MOUNT}/{major}")
}

/// Renders one template of `templates/`; the text ends with one line feed.
///
/// # Panics
/// When the template uses a name that `context` does not have: templates are part of the program
/// and every one of them is rendered by the tests.
fn render(template: &str, context: &serde_json::Value) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut text = environment
        .render_str(template, Serde(context))
        .unwrap_or_else(|e| panic!("a template does not fit its context: {e:#}"));
    text.push('\n');
    text
}
