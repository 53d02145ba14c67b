//! `proxysql.cnf`, for a `ProxySQL` of the user's own: no image of pgha's has that program.

use serde_json::{Value, json};

use super::proxy::shared;
use super::render;
use crate::topology::{POSTGRES_PORT, Role, Topology};

/// Port for the leader: that of `ProxySQL`'s own example.
pub const READ_WRITE_PORT: u16 = 6133;
/// Port for replicas.
pub const READ_ONLY_PORT: u16 = 6134;
/// Hostgroup of the leader, and of replicas.
const GROUPS: [u32; 2] = [0, 1];
/// How much more often than another a replica of the same site is chosen.
const NEAR_WEIGHT: u32 = 1000;

/// A user with a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The role of Postgres.
    pub name: String,
    /// Its password.
    pub password: String,
}

/// What is secret in `proxysql.cnf`.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxysqlSecrets {
    /// Who asks nodes whether they are replicas.
    pub monitor: Login,
    /// Who may log in.
    pub users: Vec<Login>,
    /// Password of the consoles.
    pub admin_password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login {{ name: {:?}, .. }}", self.name)
    }
}

impl std::fmt::Debug for ProxysqlSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProxysqlSecrets {{ users: {:?}, .. }}", self.users)
    }
}

/// `proxysql.cnf` for a `ProxySQL` in a site. Holds passwords.
pub fn proxysql(topology: &Topology, site: u8, secrets: &ProxysqlSecrets) -> String {
    let nodes: Vec<Value> = topology
        .of_role(Role::Postgres)
        .map(|node| {
            let weight = if node.site == site { NEAR_WEIGHT } else { 1 };
            json!({ "name": node.name, "address": node.address, "weight": weight })
        })
        .collect();
    let login =
        |user: &Login| json!({ "name": quoted(&user.name), "password": quoted(&user.password) });
    let context = json!({
        "site": topology.site(site).name,
        "cluster": topology.id.to_string(),
        "datadir": "/var/lib/proxysql",
        "nodes": nodes,
        "ports": { "postgres": POSTGRES_PORT },
        "groups": { "leader": GROUPS[0], "replicas": GROUPS[1] },
        "monitor": login(&secrets.monitor),
        "users": secrets.users.iter().map(login).collect::<Vec<_>>(),
        "admin_password": quoted(&secrets.admin_password),
    });
    let mut context = shared(topology, context);
    context["timeout_ms"] = json!(context["timeout_s"].as_u64().unwrap_or_default() * 1000);
    context["doors"] = json!({ "read_write": READ_WRITE_PORT, "read_only": READ_ONLY_PORT });
    render(include_str!("../../templates/proxysql.cnf.j2"), &context)
}

/// As it stands between double quotes in a file of libconfig.
fn quoted(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::spec::{LinkSpec, Spec};

    fn login(name: &str, password: &str) -> Login {
        Login { name: name.to_owned(), password: password.to_owned() }
    }

    fn secrets() -> ProxysqlSecrets {
        ProxysqlSecrets {
            monitor: login("app", "app's"),
            users: vec![login("app", "app's"), login("report", r#"a"b\c"#)],
            admin_password: "for the console".to_owned(),
        }
    }

    fn topology() -> Topology {
        Topology::new(Spec { data_centers: 2, ..Spec::default() }, 1)
    }

    #[test]
    fn the_file_is_the_one_in_the_snapshot() {
        insta::assert_snapshot!(proxysql(&topology(), 2, &secrets()));
    }

    #[test]
    fn a_check_has_the_time_of_the_longest_way() {
        let mut spec = topology().spec;
        spec.links = vec![LinkSpec::between("DC1", "DC2", Duration::from_millis(500))];
        let text = proxysql(&Topology::new(spec, 1), 1, &secrets());
        assert!(text.contains("monitor_read_only_timeout = 7000"), "{text}");
    }

    #[test]
    fn passwords_are_not_shown_by_accident() {
        assert!(!format!("{:?}", secrets()).contains("app's"));
    }
}
