//! The compose file, as it is read by Compose and by people.

use serde_json::Value;

use super::*;
use crate::spec::Spec;
use crate::topology::FIRST_HOST_PORT;

pub(crate) fn choices(topology: &Topology) -> HostChoices {
    HostChoices {
        ports: topology
            .published()
            .iter()
            .zip(FIRST_HOST_PORT..)
            .map(|(published, port)| (published.key(), port))
            .collect(),
        subnets: (0..topology.sites.len())
            .map(|n| format!("10.213.{n}.0/24").parse().expect("a subnet"))
            .collect(),
        uid: Some("0123456789abcdef".to_owned()),
        drill: None,
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
fn a_proxy_has_its_ports_and_its_secret_and_no_volume() {
    let spec = Spec::from_toml("data_centers = 2\n[proxy]\nhaproxy = true\npgbouncer = true\n");
    let spec = spec.expect("a spec");
    let file: Value = serde_saphyr::from_str(&rendered(spec.clone())).expect("YAML");
    let proxy = &file["services"]["pgha-proxy-DC2-1"];
    assert_eq!(proxy["image"], "pgha-proxy");
    let first = FIRST_HOST_PORT + 4 + 4;
    let ports = [5000, 5001, 6432, 7000].into_iter().zip(first..);
    let ports: Vec<_> = ports.map(|(port, host)| format!("127.0.0.1:{host}:{port}")).collect();
    assert_eq!(proxy["ports"], Value::from(ports));
    assert_eq!(proxy["secrets"], Value::from(vec!["pgbouncer"]));
    assert_eq!(proxy["volumes"].as_array().map_or(0, Vec::len), 0);
    assert_eq!(proxy["labels"]["pgha.role"], "proxy");
    assert!(file["volumes"]["pgha-proxy-DC2-1"].is_null());
    // Nodes make its user; nobody else has the password.
    for (name, service) in file["services"].as_object().expect("services") {
        let mut secrets = service["secrets"].as_array().into_iter().flatten();
        let has = secrets.any(|secret| secret == "pgbouncer");
        assert_eq!(has, name.contains("-demo") || name.contains("-proxy-"), "{name}");
    }
    let without = Spec { proxy: crate::spec::ProxySpec { pgbouncer: false, ..spec.proxy }, ..spec };
    let file: Value = serde_saphyr::from_str(&rendered(without)).expect("YAML");
    assert!(file["services"]["pgha-proxy-DC1-1"]["secrets"].is_null());
    assert!(file["secrets"]["pgbouncer"].is_null());
}

#[test]
fn everything_of_a_cluster_for_a_drill_says_so() {
    let topology = Topology::new(Spec::default(), 1);
    let folder = "/srv/$a/drill-1".to_owned();
    let host = HostChoices { drill: Some(folder.clone()), ..choices(&topology) };
    let text = compose(&topology, &host, "./docker-compose.secrets");
    let file: Value = serde_saphyr::from_str(&text).expect("YAML");
    for part in ["services", "networks", "volumes"] {
        for (name, thing) in file[part].as_object().expect("a map") {
            let label = thing["labels"]["pgha.drill"].as_str().expect("the label");
            assert_eq!(unescaped(label), folder, "{part} {name}");
        }
    }
}

#[test]
fn what_is_there_already_keeps_its_label_and_containers_have_the_newest() {
    use crate::layout::{Change, Layout};
    let spec = Spec::default();
    let node = [Change::AddMember(Role::Postgres, 1)];
    let layout = Layout::of(&spec).changed(&node).expect("a node");
    let topology = Topology::with(spec, 1, layout.clone());
    let text = compose(&topology, &choices(&topology), "./docker-compose.secrets");
    let file: Value = serde_saphyr::from_str(&text).expect("YAML");
    let label = |part: &str, name: &str| file[part][name]["labels"]["pgha.layout"].to_string();
    let newest = Value::String(layout.to_string()).to_string();
    assert_eq!(label("networks", "pgha-net-DC1-1"), "\"1\"");
    assert_eq!(label("volumes", "pgha-demo1-DC1-1"), "\"1\"");
    assert_eq!(label("volumes", "pgha-demo3-DC1-1"), newest);
    assert_eq!(label("services", "pgha-demo1-DC1-1"), newest);
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

#[test]
fn what_the_database_is_asked_to_be_comes_to_nodes_alone() {
    let spec = Spec::from_toml(
        "[postgres]\nmemory = \"2g\"\ncpus = 1.5\nshm_size = \"256m\"\nextensions = [\"pgvector\"]\n\
         users = [\"app\"]\ninit_sql = \"schema.sql\"\n",
    );
    let file: Value = serde_saphyr::from_str(&rendered(spec.expect("a spec"))).expect("YAML");
    for secret in ["user-app", "init.sql"] {
        let path = format!("./docker-compose.secrets/{secret}");
        assert_eq!(file["secrets"][secret]["file"], path.as_str());
    }
    for (name, service) in file["services"].as_object().expect("services") {
        let is_node = name.starts_with("pgha-demo");
        let secrets: Vec<_> = service["secrets"].as_array().into_iter().flatten().collect();
        assert_eq!(secrets.iter().any(|s| **s == "user-app"), is_node, "{name}");
        assert_eq!(secrets.iter().any(|s| **s == "init.sql"), is_node, "{name}");
        let limits = [&service["mem_limit"], &service["cpus"], &service["shm_size"]];
        let wanted = [Value::from("2g"), Value::from(1.5), Value::from("256m")];
        assert_eq!(limits == wanted.each_ref(), is_node, "{name}: {limits:?}");
        assert_eq!(service["image"] == "pgha-pg17-patroni-pgvector", is_node, "{name}");
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
