//! What PID 1 writes inside a member: Patroni's, etcd's, pgBackRest's and sshd's configuration.

use std::fmt;
use std::ops::RangeInclusive;

use serde_json::{Value, json};

use crate::archive_get::Reader;
use crate::dynamic;
use crate::links::asked::largest_round_trip;
use crate::names::AGENT;
use crate::render::{
    BACKUP_COMMON_NAME, CONFIG_DIR, NAMESPACE, NODE_COMMON_NAME, PATRONI_API_USER,
    POSTGRES_PROGRAM, PRELOADED, REPOSITORY_DIR, REPOSITORY2_FOLDER, REPOSITORY2_MOUNT, S3_CA_FILE,
    SCOPE, SPOOL_DIR, SSH_PORT, data_dir, parameters, render,
};
use crate::repository::STANZA;
use crate::spec::{Acknowledge, Repo2, SiteRole, Spec};
use crate::topology::{
    CLUSTER_NET, ETCD_CLIENT_PORT, ETCD_PEER_PORT, Member, PATRONI_PORT, PGBACKREST_PORT,
    POSTGRES_PORT, Role, Topology,
};
use crate::tuning::{EtcdTimers, Synchronous};

/// The authorities that Debian trusts, in the image of the backup host.
pub const DEBIAN_CA_FILE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Passwords that a Postgres node's configuration needs.
#[derive(Clone)]
pub struct NodeSecrets {
    /// The superuser's.
    pub postgres: String,
    /// The replication user's.
    pub replicator: String,
    /// The user's that `pg_rewind` connects as.
    pub rewinder: String,
    /// Of Patroni's REST API, for calls that change something.
    pub patroni: String,
}

impl fmt::Debug for NodeSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeSecrets { .. }")
    }
}

/// What the backup host's configuration needs to reach into its repositories.
#[derive(Clone, Default)]
pub struct RepositorySecrets {
    /// The key that they are encrypted with; `None` where they are not.
    pub key: Option<String>,
    /// Access key and its secret, where the second repository is in S3.
    pub s3: Option<[String; 2]>,
}

impl fmt::Debug for RepositorySecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RepositorySecrets { .. }")
    }
}

/// What every template may use, and over it what one template needs besides.
pub(super) fn context(topology: &Topology, member: &Member, more: Value) -> Value {
    let mut all = json!({
        "member": { "name": member.name, "address": member.address },
        "site": topology.site(member.site).name,
        "stanza": STANZA,
        "repositories": repositories(topology, None),
        "backup": topology.spec.backup,
        "level": topology.spec.backup.compression_level,
        "spool_dir": SPOOL_DIR,
        "preloaded": PRELOADED,
        // Over SSH the other side has no environment to find it by, nor the key that is in it.
        "config_file": format!("{CONFIG_DIR}/pgbackrest.conf"),
        "data_dir": data_dir(topology.spec.postgres),
        "major": topology.spec.postgres,
        "transport": topology.spec.backup_transport,
        "tls_dir": format!("{CONFIG_DIR}/tls"),
        "ssh_dir": format!("{CONFIG_DIR}/ssh"),
        "ports": {
            "postgres": POSTGRES_PORT, "patroni": PATRONI_PORT, "etcd_client": ETCD_CLIENT_PORT,
            "etcd_peer": ETCD_PEER_PORT, "pgbackrest": PGBACKREST_PORT, "ssh": SSH_PORT,
        },
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
        all.extend(more);
    }
    all
}

/// `patroni.conf` of a Postgres node, whose disk has this size. Holds passwords.
pub fn patroni(
    topology: &Topology,
    member: &Member,
    secrets: &NodeSecrets,
    disk_size_bytes: u64,
) -> String {
    let spec = &topology.spec;
    let etcd: Vec<_> =
        topology.of_role(Role::Etcd).map(|m| format!("{}:{ETCD_CLIENT_PORT}", m.address)).collect();
    let more = json!({
        "scope": SCOPE,
        "dynamic": dynamic::configuration(spec),
        "parameters": parameters::of(topology, disk_size_bytes),
        "hba": spec.server.hba,
        "initdb": initdb(spec),
        "set_up": spec.sets_up().then(|| format!("{AGENT} set-up-database")),
        "namespace": NAMESPACE,
        "own_hba": own_hba(),
        "own_ident": OWN_IDENT,
        "api_user": PATRONI_API_USER,
        "secret": {
            "postgres": secrets.postgres, "replicator": secrets.replicator,
            "rewinder": secrets.rewinder, "patroni": secrets.patroni,
        },
        "agent": AGENT,
        "postgres_program": POSTGRES_PROGRAM,
        "etcd": etcd,
        "tags": tags(topology, member),
        "recovery_conf": recovery_conf().map(|(name, value)| json!([name, value])),
    });
    render(include_str!("../../templates/patroni.yaml.j2"), &context(topology, member, more))
}

/// What Patroni reads anew in each round while this node leads: how many standbys then acknowledge each write, where
/// etcd has the number that the cluster was made with, and which alone may, where not all of them.
/// `images/patroni_acknowledge.py` has the other side.
pub fn acknowledge(topology: &Topology, member: &Member) -> String {
    let made_with = Synchronous::of(&topology.spec).node_count;
    let here = topology.acknowledgements_in(member.site);
    let among: Option<Vec<&str>> = (topology.spec.acknowledge == Acknowledge::Local).then(|| {
        topology.acknowledging_nodes(member.site).map(|node| node.name.as_str()).collect()
    });
    format!("{}\n", json!({ "made_with": made_with, "here": here, "among": among }))
}

/// Patroni's tags of a node: the free ones of its data center, and those that follow from its role and priority.
fn tags(topology: &Topology, member: &Member) -> Value {
    let site = u32::from(member.site);
    let said = topology.spec.data_center(site).cloned().unwrap_or_default();
    let mut tags = json!(said.tags);
    if said.role == SiteRole::Standby {
        tags["nofailover"] = json!(true);
        tags["nosync"] = json!(true);
    } else if let Some(priority) = said.priority {
        tags["failover_priority"] = json!(priority);
    }
    tags
}

/// The lines of `pg_hba.conf` behind those of the cluster file: pgha connects by those with `peer`, and replicas by those
/// for replication.
pub fn own_hba() -> Vec<String> {
    vec![
        "local all all peer map=pgha".to_owned(),
        "local replication all peer map=pgha".to_owned(),
        "host replication replicator 127.0.0.1/32 scram-sha-256".to_owned(),
        format!("host replication replicator {CLUSTER_NET} scram-sha-256"),
        "host all all 0.0.0.0/0 scram-sha-256".to_owned(),
    ]
}

/// The lines of `pg_ident.conf`.
pub const OWN_IDENT: [&str; 2] = ["pgha root postgres", "pgha postgres postgres"];

/// What a standby recovers with.
pub fn recovery_conf() -> [(&'static str, String); 2] {
    [
        ("recovery_target_timeline", "latest".to_owned()),
        ("restore_command", Reader::Standby.restore_command()),
    ]
}

/// Options of `initdb`, without their dashes, and their values: what a new database is made with.
pub fn initdb(spec: &Spec) -> Vec<(&'static str, Option<&str>)> {
    let locale = spec.server.locale.as_deref().unwrap_or("C.UTF-8");
    let mut options = vec![("encoding", Some("UTF8")), ("locale", Some(locale))];
    if let Some(icu) = &spec.server.icu_locale {
        options.extend([("locale-provider", Some("icu")), ("icu-locale", Some(icu))]);
    }
    options.push(("data-checksums", None));
    options
}

/// `pgbackrest.conf` of a Postgres node.
pub fn pgbackrest_node(topology: &Topology, member: &Member) -> String {
    let more =
        json!({ "backup_host": topology.backup_host().name, "shared_cn": BACKUP_COMMON_NAME });
    render(
        include_str!("../../templates/pgbackrest-node.conf.j2"),
        &context(topology, member, more),
    )
}

/// Where the backup host has a configuration with the repository of that number only.
pub fn repository_config(number: u32) -> String {
    format!("{CONFIG_DIR}/pgbackrest-repo{number}.conf")
}

/// Every repository with its number and place; for the host that of S3 too, with its credentials.
fn repositories(topology: &Topology, s3_secrets: Option<&[String; 2]>) -> Vec<Value> {
    let first = json!({ "key": 1, "path": REPOSITORY_DIR, "s3": null });
    let second = match &topology.spec.backup.repo2 {
        None => return vec![first],
        // A folder below the mount: the mount itself may be a folder of the user's.
        Some(Repo2::Posix { .. }) => {
            let path = format!("{REPOSITORY2_MOUNT}/{REPOSITORY2_FOLDER}");
            json!({ "key": 2, "path": path, "s3": null })
        }
        Some(Repo2::S3 { bucket, endpoint, region, uri_style, port, verify_tls, ca_file }) => {
            let s3 = s3_secrets.map(|[key, key_secret]| {
                json!({
                    "bucket": bucket, "endpoint": endpoint, "region": region, "uri_style": uri_style,
                    "port": port, "verify_tls": verify_tls, "key": key, "key_secret": key_secret,
                    "ca_file": ca_file.as_ref().map_or(DEBIAN_CA_FILE, |_| S3_CA_FILE),
                })
            });
            json!({ "key": 2, "path": format!("/pgha/{}", topology.id), "s3": s3 })
        }
    };
    vec![first, second]
}

/// `pgbackrest.conf` of the backup host, with these of its repositories. Holds their key and credentials.
pub fn pgbackrest_host(
    topology: &Topology,
    secrets: &RepositorySecrets,
    numbers: RangeInclusive<u32>,
) -> String {
    let nodes: Vec<_> = topology.of_role(Role::Postgres).map(|m| &m.name).collect();
    let more = json!({
        "nodes": nodes,
        "shared_cn": NODE_COMMON_NAME,
        "cipher_pass": secrets.key,
        "repositories": &repositories(topology, secrets.s3.as_ref())
            [*numbers.start() as usize - 1..*numbers.end() as usize],
    });
    render(
        include_str!("../../templates/pgbackrest-host.conf.j2"),
        &context(topology, topology.backup_host(), more),
    )
}

/// `etcd.yaml` of an etcd member: of a new cluster, or of one that exists with these members, by name and
/// peer URL. A member that has a store takes no notice of either.
pub fn etcd(topology: &Topology, member: &Member, joins: Option<&[(String, String)]>) -> String {
    let timers = EtcdTimers::of(largest_round_trip(&topology.spec));
    let initial_cluster: Vec<_> = match joins {
        // One that was added later joins them.
        None => topology
            .of_role(Role::Etcd)
            .filter(|m| m.added == 1)
            .map(|m| format!("{}=http://{}:{ETCD_PEER_PORT}", m.name, m.address))
            .collect(),
        Some(members) => members.iter().map(|(name, url)| format!("{name}={url}")).collect(),
    };
    let more = json!({
        "initial_cluster": initial_cluster.join(","),
        "state": if joins.is_some() { "existing" } else { "new" },
        "token": format!("pgha-{}", topology.id),
        "timers": { "heartbeat_ms": timers.heartbeat_ms, "election_ms": timers.election_ms },
    });
    render(include_str!("../../templates/etcd.yaml.j2"), &context(topology, member, more))
}

/// `sshd_config` of a member that pgBackRest reaches over SSH.
pub fn sshd_config(topology: &Topology, member: &Member) -> String {
    let context = context(topology, member, json!({}));
    render(include_str!("../../templates/sshd_config.j2"), &context)
}

/// `ssh_config` of the user postgres: which key to show and whose host key to believe.
pub fn ssh_client_config() -> String {
    format!(
        "Host *\n  IdentityFile {CONFIG_DIR}/ssh/key\n  UserKnownHostsFile {CONFIG_DIR}/ssh/known_hosts\n  \
         StrictHostKeyChecking yes\n  BatchMode yes\n  ConnectTimeout 10\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{BackupSpec, BackupTransport, Compression, Durability, Spec, UriStyle};
    use serde_json::Value as Json;

    /// Size of a node's disk, in bytes.
    const DISK: u64 = 1 << 40;

    fn topology(spec: Spec) -> Topology {
        Topology::new(spec, 1)
    }

    fn secrets() -> NodeSecrets {
        NodeSecrets {
            postgres: "p\"w: #1".into(),
            replicator: "r".into(),
            rewinder: "w".into(),
            patroni: "a".into(),
        }
    }

    fn patroni_json(spec: Spec) -> Json {
        let topology = topology(spec);
        let text = patroni(&topology, &topology.members[0], &secrets(), DISK);
        serde_saphyr::from_str(&text).expect("YAML")
    }

    #[test]
    fn patroni_of_the_first_node_is_the_file_in_the_snapshot() {
        let topology = topology(Spec { data_centers: 2, ..Spec::default() });
        insta::assert_snapshot!(patroni(&topology, &topology.members[0], &secrets(), DISK));
    }

    #[test]
    fn a_password_with_quotes_survives_the_yaml() {
        let file = patroni_json(Spec::default());
        assert_eq!(file["postgresql"]["authentication"]["superuser"]["password"], "p\"w: #1");
    }

    #[test]
    fn what_the_cluster_file_asks_for_is_where_patroni_and_initdb_find_it() {
        let text = "[postgres]\nhba = [\"local all all trust # it's\"]\nlocale = \"de_DE.UTF-8\"\n\
            icu_locale = \"de\"\nusers = [\"app\"]\n[postgres.parameters]\nwork_mem = \"64MB\"\n\
            cron.database_name = \"shop\"\n[patroni]\nfailsafe = true\n\
            [patroni.slots.cdc]\ntype = \"logical\"\n";
        let file = patroni_json(Spec::from_toml(text).expect("a spec"));
        let bootstrap = &file["bootstrap"];
        let dcs = &bootstrap["dcs"];
        assert_eq!(dcs["failsafe_mode"], true);
        assert_eq!(dcs["slots"]["cdc"]["type"], "logical");
        assert_eq!(dcs["postgresql"]["parameters"]["work_mem"], "64MB");
        assert_eq!(dcs["postgresql"]["parameters"]["cron.database_name"], "shop");
        let hba = dcs["postgresql"]["pg_hba"].as_array().expect("lines");
        assert_eq!(hba[0], "local all all trust # it's");
        assert_eq!(hba[1], "local all all peer map=pgha");
        assert_eq!(bootstrap["initdb"][1]["locale"], "de_DE.UTF-8");
        assert_eq!(bootstrap["initdb"][3]["icu-locale"], "de");
        assert_eq!(bootstrap["post_bootstrap"], "/usr/local/bin/pgha-node set-up-database");
        assert_eq!(patroni_json(Spec::default())["bootstrap"]["post_bootstrap"], Json::Null);
    }

    #[test]
    fn bootstrap_holds_everything_the_reference_shows() {
        let file = patroni_json(Spec::default());
        let dcs = &file["bootstrap"]["dcs"];
        let parameters = dcs["postgresql"]["parameters"].as_object().expect("parameters");
        for name in [
            "archive_command",
            "archive_mode",
            "archive_timeout",
            "hot_standby",
            "log_filename",
            "log_line_prefix",
            "log_lock_waits",
            "log_min_duration_statement",
            "logging_collector",
            "max_replication_slots",
            "max_wal_senders",
            "max_wal_size",
            "wal_keep_size",
            "wal_level",
            "wal_log_hints",
        ] {
            assert!(parameters.contains_key(name), "{name} is missing");
        }
        assert_eq!(dcs["ttl"], 30);
        assert_eq!(dcs["loop_wait"], 10);
        assert_eq!(dcs["retry_timeout"], 10);
        assert_eq!(dcs["maximum_lag_on_failover"], 1_048_576);
        assert_eq!(dcs["postgresql"]["use_pg_rewind"], true);
        assert_eq!(dcs["postgresql"]["recovery_conf"]["recovery_target_timeline"], "latest");
        assert!(dcs.get("synchronous_mode").is_none());
    }

    #[test]
    fn the_local_file_leaves_what_people_change_to_edit_config() {
        let file = patroni_json(Spec::default());
        let (local, shared) = (&file["postgresql"], &file["bootstrap"]["dcs"]["postgresql"]);
        for name in ["pg_hba", "pg_ident"] {
            assert!(local.get(name).is_none() && !shared[name][0].is_null(), "{name}");
        }
        let parameters = local["parameters"].as_object().expect("parameters");
        assert_eq!(parameters.keys().collect::<Vec<_>>(), ["unix_socket_directories"]);
    }

    #[test]
    fn quorum_commit_waits_for_as_many_standbys_as_a_site_has_nodes() {
        let file = patroni_json(Spec {
            data_centers: 2,
            nodes: 3,
            durability: Durability::Quorum,
            ..Spec::default()
        });
        assert_eq!(file["bootstrap"]["dcs"]["synchronous_mode"], "quorum");
        assert_eq!(file["bootstrap"]["dcs"]["synchronous_node_count"], 3);
    }

    #[test]
    fn every_other_file_is_the_one_in_the_snapshot() {
        for &backup_transport in BackupTransport::ALL {
            let topology = topology(Spec { data_centers: 2, backup_transport, ..Spec::default() });
            let etcd_member = topology.of_role(Role::Etcd).next().expect("an etcd member");
            let all = [
                pgbackrest_node(&topology, &topology.members[0]),
                pgbackrest_host(&topology, &RepositorySecrets::default(), 1..=1),
                etcd(&topology, etcd_member, None),
                sshd_config(&topology, &topology.members[0]),
                ssh_client_config(),
            ];
            insta::assert_snapshot!(format!("files_{backup_transport}"), all.join("\n----\n"));
        }
    }

    #[test]
    fn an_etcd_member_that_joins_is_told_who_is_there() {
        let topology = topology(Spec { data_centers: 2, ..Spec::default() });
        let member = topology.of_role(Role::Etcd).next().expect("an etcd member");
        let there = [("a", "http://x:2380"), ("b", "http://y:2380")];
        let there = there.map(|(name, url)| (name.to_owned(), url.to_owned()));
        let file = etcd(&topology, member, Some(&there));
        let file: Json = serde_saphyr::from_str(&file).expect("YAML");
        assert_eq!(file["initial-cluster"], "a=http://x:2380,b=http://y:2380");
        assert_eq!(file["initial-cluster-state"], "existing");
    }

    #[test]
    fn the_host_alone_has_key_and_credentials() {
        let backup = BackupSpec {
            retention_diff: Some(4),
            retention_archive: Some(1),
            compression: Compression::Lz4,
            compression_level: Some(0),
            archive_async: false,
            repo2: Some(Repo2::S3 {
                bucket: "shop".into(),
                endpoint: "s3.example.com".into(),
                region: "eu-west-1".into(),
                uri_style: UriStyle::Path,
                port: Some(9000),
                verify_tls: false,
                ca_file: None,
            }),
            ..BackupSpec::default()
        };
        let topology = topology(Spec { backup, ..Spec::default() });
        let secrets = RepositorySecrets {
            key: Some("the-key".into()),
            s3: Some(["access".into(), "the-secret".into()]),
        };
        let host = pgbackrest_host(&topology, &secrets, 1..=2);
        let node = pgbackrest_node(&topology, &topology.members[0]);
        for hidden in ["the-key", "access", "the-secret"] {
            assert!(host.contains(hidden) && !node.contains(hidden), "{hidden}");
        }
        insta::assert_snapshot!("repo2_s3", format!("{host}----\n{node}"));
        assert_eq!(format!("{secrets:?}"), "RepositorySecrets { .. }");
    }

    #[test]
    fn a_second_volume_is_encrypted_and_expired_like_the_first() {
        let backup =
            BackupSpec { repo2: Some(Repo2::Posix { path: None }), ..BackupSpec::default() };
        let topology = topology(Spec { backup, ..Spec::default() });
        let secrets = RepositorySecrets { key: Some("k".into()), s3: None };
        let host = pgbackrest_host(&topology, &secrets, 1..=2);
        for line in [
            "repo2-path=/pgha/pgbackrest2/repository",
            "repo2-cipher-pass=k",
            "repo2-cipher-type=aes-256-cbc",
            "repo2-retention-full=2",
        ] {
            assert!(host.lines().any(|l| l == line), "{line}\n{host}");
        }
        let alone = pgbackrest_host(&topology, &secrets, 2..=2);
        assert!(alone.contains("repo2-cipher-pass=k") && !alone.contains("repo1-"), "{alone}");
        let node = pgbackrest_node(&topology, &topology.members[0]);
        assert!(node.contains("repo2-host=pgha-pgbackrest-DC2-1"), "{node}");
    }
}
