//! `docker-compose.yaml`: the contract between pgha and Compose.

use serde_json::{Value, json};

use crate::render::{
    ETCD_MOUNT, NODE_PASSWORDS, PGDATA_MOUNT, REPOSITORY_DIR, REPOSITORY2_MOUNT, S3_CA, SHM_SIZE,
    SSH_FILES, STANZA, TLS_FILES, data_dir, render, repo2_volume, repository_secrets, s3_ca_file,
};
use crate::spec::{BackupTransport, Repo2};
use crate::topology::{HostChoices, Role, SiteKind, Topology};

/// How the second line of every compose file of pgha starts; what tells it from anybody else's.
pub const DOCKER_COMPOSE_HEADER: &str = "# Written by pgha from the specification below.";

/// Names of the images a cluster runs from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// etcd members.
    pub etcd: String,
    /// Postgres nodes; one image for each major version.
    pub postgres: String,
    /// The backup host.
    pub backup: String,
    /// The WAN router.
    pub wan: String,
}

impl Images {
    /// The images for a Postgres major version.
    pub fn of(major: u32) -> Self {
        Self {
            etcd: "pgha-etcd-3.5".to_owned(),
            postgres: format!("pgha-pg{major}-patroni"),
            backup: "pgha-pgbackrest".to_owned(),
            wan: "pgha-wan".to_owned(),
        }
    }

    /// All of them, in the order they are built.
    pub fn all(&self) -> [&str; 4] {
        [&self.etcd, &self.wan, &self.backup, &self.postgres]
    }
}

/// Renders the compose file.
///
/// `secrets_dir` is taken by Compose as relative to the file's own folder. Compose takes a `$` for the
/// start of a variable, so every one of them is written twice; [`unescaped`] takes that back.
///
/// # Panics
/// When `host` lacks the port of a node or the subnet of a site.
pub fn compose(topology: &Topology, host: &HostChoices, secrets_dir: &str) -> String {
    let spec = &topology.spec;
    let (node_keys, backup_keys): (&[&str], &[&str]) = match spec.backup_transport {
        BackupTransport::Tls => (&TLS_FILES[..3], &[TLS_FILES[0], TLS_FILES[3], TLS_FILES[4]]),
        BackupTransport::Ssh => (&SSH_FILES, &SSH_FILES),
    };
    let backup_secrets: Vec<&str> =
        backup_keys.iter().copied().chain(repository_secrets(spec)).collect();
    let node_secrets: Vec<&str> = NODE_PASSWORDS.iter().chain(node_keys).copied().collect();
    let mut all_secrets: Vec<&str> = node_secrets.iter().chain(&backup_secrets).copied().collect();
    all_secrets.sort_unstable();
    all_secrets.dedup();

    let members: Vec<_> = topology
        .members
        .iter()
        .map(|m| {
            let port = (m.role == Role::Postgres).then(|| host.ports[&m.name]);
            let mount = match m.role {
                Role::Postgres => PGDATA_MOUNT,
                Role::Etcd => ETCD_MOUNT,
                Role::Backup | Role::Wan => REPOSITORY_DIR,
            };
            let site = topology.site(m.site);
            json!({
                "name": m.name, "role": m.role, "address": m.address.to_string(),
                "site": site.name, "network": site.network, "port": port, "mount": mount,
            })
        })
        .collect();
    let sites: Vec<_> = topology
        .sites
        .iter()
        .zip(&host.subnets)
        .map(|(site, subnet)| {
            json!({ "name": site.name, "network": site.network, "subnet": subnet.to_string() })
        })
        .collect();
    assert_eq!(sites.len(), topology.sites.len(), "every site has a subnet");

    let repo2 = match &spec.backup.repo2 {
        Some(Repo2::Posix { path }) => json!({
            "volume": repo2_volume(topology),
            "mount": REPOSITORY2_MOUNT, "site": topology.external_site().name, "path": path,
        }),
        Some(Repo2::S3 { .. }) | None => json!(null),
    };
    let images = Images::of(spec.postgres);
    render(
        include_str!("../../templates/docker-compose.yaml.j2"),
        &escaped(json!({
            "title": title(topology),
            "name": topology.id.name,
            "instance": topology.id.instance,
            "uid": host.uid,
            "spec": spec.to_toml(),
            "members": members,
            "etcd": topology.of_role(Role::Etcd).map(|m| &m.name).collect::<Vec<_>>(),
            "sites": sites,
            "router": topology.router(),
            "backup_host": topology.backup_host().name,
            "underlay": underlay(topology, host),
            "endpoints": topology.endpoints(),
            "images": {
                "etcd": images.etcd, "postgres": images.postgres,
                "backup": images.backup, "wan": images.wan,
            },
            "repo2": repo2,
            "data_dir": data_dir(spec.postgres),
            "stanza": STANZA,
            "shm_size": SHM_SIZE,
            "secrets_dir": secrets_dir,
            "secrets": { "postgres": node_secrets, "backup": backup_secrets },
            "all_secrets": all_secrets,
            "s3_ca": S3_CA,
            "s3_ca_file": s3_ca_file(spec),
        })),
    )
}

/// A value with every `$` of its texts as Compose wants it where no variable is meant.
fn escaped(value: Value) -> Value {
    match value {
        Value::String(text) => text.replace('$', "$$").into(),
        Value::Array(all) => all.into_iter().map(escaped).collect(),
        Value::Object(all) => all.into_iter().map(|(key, value)| (key, escaped(value))).collect(),
        other => other,
    }
}

/// A text of the compose file as it was before it was written there.
pub fn unescaped(text: &str) -> String {
    text.replace("$$", "$")
}

/// Which underlay subnet is which site's, for the router: `1=10.213.0.0/24 2=…`.
fn underlay(topology: &Topology, host: &HostChoices) -> String {
    topology
        .sites
        .iter()
        .zip(&host.subnets)
        .map(|(site, subnet)| format!("{}={subnet}", site.number))
        .collect::<Vec<_>>()
        .join(" ")
}

/// One line that says what the cluster is.
fn title(topology: &Topology) -> String {
    let sites = topology.sites.iter().filter(|s| s.kind == SiteKind::DataCenter).count();
    let etcd: Vec<_> = topology.placement.per_site().iter().map(u32::to_string).collect();
    format!(
        "Cluster {}: {sites} data center{} with {} Postgres {} nodes each, etcd {} (the last outside).",
        topology.id,
        if sites == 1 { "" } else { "s" },
        topology.spec.nodes,
        topology.spec.postgres,
        etcd.join("+"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;
    use crate::topology::FIRST_HOST_PORT;

    pub(crate) fn choices(topology: &Topology) -> HostChoices {
        HostChoices {
            ports: topology
                .of_role(Role::Postgres)
                .zip(FIRST_HOST_PORT..)
                .map(|(m, port)| (m.name.clone(), port))
                .collect(),
            subnets: (0..topology.sites.len())
                .map(|n| format!("10.213.{n}.0/24").parse().expect("a subnet"))
                .collect(),
            uid: Some("0123456789abcdef".to_owned()),
        }
    }

    fn rendered(spec: Spec) -> String {
        let topology = Topology::new(spec, 1);
        compose(&topology, &choices(&topology), "./docker-compose.secrets")
    }

    #[test]
    fn two_by_two_is_the_file_in_the_snapshot() {
        insta::assert_snapshot!(rendered(Spec { data_centers: 2, ..Spec::default() }));
    }

    #[test]
    fn the_volumes_are_those_that_the_file_declares() {
        for repo2 in [None, Some(Repo2::Posix { path: None })] {
            let mut spec = Spec { data_centers: 2, ..Spec::default() };
            spec.backup.repo2 = repo2;
            let file: Value = serde_saphyr::from_str(&rendered(spec.clone())).expect("YAML");
            let declared = file["volumes"].as_object().expect("volumes").values();
            let mut declared: Vec<_> = declared.filter_map(|v| v["name"].as_str()).collect();
            let mut told = crate::render::volumes(&Topology::new(spec, 1));
            declared.sort_unstable();
            told.sort_unstable();
            assert_eq!(told, declared);
        }
    }

    #[test]
    fn the_authorities_of_the_bucket_come_to_the_backup_host_alone() {
        let spec = Spec::from_toml(
            "[backup.repo2]\ntype = \"s3\"\nbucket = \"b\"\nendpoint = \"e\"\nregion = \"r\"\n\
             ca_file = \"/srv/ca.crt\"\n",
        );
        let file: Value = serde_saphyr::from_str(&rendered(spec.expect("a spec"))).expect("YAML");
        assert_eq!(file["secrets"][S3_CA]["file"], "/srv/ca.crt");
        for (name, service) in file["services"].as_object().expect("services") {
            let mut secrets = service["secrets"].as_array().into_iter().flatten();
            assert_eq!(secrets.any(|s| s == S3_CA), name.starts_with("pgha-pgbackrest"), "{name}");
        }
    }

    /// What Compose makes of a text: `None` where it would look for a variable.
    fn interpolated(text: &str) -> Option<String> {
        (!text.split("$$").any(|part| part.contains('$'))).then(|| text.replace("$$", "$"))
    }

    /// Every text of a document.
    fn texts(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(all) => all.iter().for_each(|one| texts(one, found)),
            Value::Object(all) => all.values().for_each(|one| texts(one, found)),
            _ => {}
        }
    }

    #[test]
    fn compose_finds_no_variable_in_what_a_user_wrote() {
        let hostile = "/srv/a$b${HOME}$$c$";
        let s3 = format!(
            "[backup.repo2]\ntype = \"s3\"\nbucket = \"b\"\nendpoint = \"e\"\nregion = \"r\"\n\
             ca_file = \"{hostile}\"\n"
        );
        let posix = format!("[backup.repo2]\ntype = \"posix\"\npath = \"{hostile}\"\n");
        for toml in [s3, posix] {
            let spec = Spec::from_toml(&toml).expect("a spec");
            let topology = Topology::new(spec.clone(), 1);
            let text = compose(&topology, &choices(&topology), hostile);
            let file: Value = serde_saphyr::from_str(&text).expect("YAML");
            let mut all = Vec::new();
            texts(&file, &mut all);
            let seen: Vec<_> = all.iter().map(|t| interpolated(t).expect(t)).collect();
            assert!(seen.contains(&format!("{hostile}/postgres")), "{seen:?}");
            assert!(seen.contains(&hostile.to_owned()), "{seen:?}");
            let environment = &file["services"][topology.router()]["environment"]["PGHA_SPEC"];
            for spec_text in [environment, &file["x-spec"]] {
                let back = unescaped(spec_text.as_str().expect("the spec"));
                assert_eq!(Spec::from_toml(&back).as_ref(), Ok(&spec));
            }
        }
    }

    #[test]
    fn the_file_is_yaml_with_one_network_for_each_member_and_loopback_ports_only() {
        for transport in BackupTransport::ALL {
            let text =
                rendered(Spec { data_centers: 3, backup_transport: *transport, ..Spec::default() });
            let file: Value = serde_saphyr::from_str(&text).expect("YAML");
            let services = file["services"].as_object().expect("services");
            assert_eq!(services.len(), 6 + 5 + 1 + 1);
            for (name, service) in services {
                let networks = service["networks"].as_array().expect("networks").len();
                assert_eq!(networks, if name.starts_with("pgha-wan") { 4 } else { 1 }, "{name}");
                for port in service["ports"].as_array().into_iter().flatten() {
                    assert!(port.as_str().expect("a string").starts_with("127.0.0.1:"), "{port}");
                }
                for secret in service["secrets"].as_array().into_iter().flatten() {
                    assert!(!file["secrets"][secret.as_str().expect("a name")].is_null());
                }
                assert_eq!(
                    Spec::from_toml(service["labels"]["pgha.spec"].as_str().expect("the spec")),
                    Spec::from_toml(file["x-spec"].as_str().expect("the spec"))
                );
            }
        }
    }
}
