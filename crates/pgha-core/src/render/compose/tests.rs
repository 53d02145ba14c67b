//! The compose file, as it is read by Compose and by people.

use serde_json::Value;

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
                let source = secret["source"].as_str().or(secret.as_str());
                assert!(!file["secrets"][source.expect("a name")].is_null());
            }
            assert_eq!(
                Spec::from_toml(service["labels"]["pgha.spec"].as_str().expect("the spec")),
                Spec::from_toml(file["x-spec"].as_str().expect("the spec"))
            );
        }
    }
}
