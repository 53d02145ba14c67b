//! What PID 1 writes inside a proxy: the configuration of `HAProxy` and `PgBouncer`; and what a database is set up with for
//! the latter.

use serde_json::{Value, json};

use super::members::context;
use super::{CONFIG_DIR, render};
use crate::links::asked::largest_round_trip;
use crate::proxy::{PGBOUNCER_USER, ProxyPort};
use crate::topology::{Member, Role, Topology};
use crate::tuning::Limits;

/// Clients that a proxy takes at once.
const CLIENTS_MAX: u32 = 2000;
/// Sessions of one user on one database that a `PgBouncer` has with the leader, at most.
const POOL_MAX: u32 = 20;

/// Where a proxy has the configuration of `HAProxy`.
pub fn haproxy_config() -> String {
    format!("{CONFIG_DIR}/haproxy.cfg")
}

/// Where a proxy has the configuration of `PgBouncer`.
pub fn pgbouncer_config() -> String {
    format!("{CONFIG_DIR}/pgbouncer.ini")
}

/// Where `PgBouncer` has the password of its own user.
pub fn pgbouncer_userlist() -> String {
    format!("{CONFIG_DIR}/userlist.txt")
}

/// `haproxy.cfg` of a proxy.
pub fn haproxy(topology: &Topology, member: &Member) -> String {
    let nodes: Vec<Value> = topology
        .of_role(Role::Postgres)
        .map(|node| json!({ "name": node.name, "address": node.address, "here": node.site == member.site }))
        .collect();
    let names = json!({
        "read_write": ProxyPort::ReadWrite.name(), "read_only": ProxyPort::ReadOnly.name(),
        "statistics": ProxyPort::Statistics.name(),
    });
    let more = shared(topology, json!({ "nodes": nodes, "names": names }));
    render(include_str!("../../templates/haproxy.cfg.j2"), &context(topology, member, more))
}

/// `pgbouncer.ini` of a proxy.
pub fn pgbouncer(topology: &Topology, member: &Member) -> String {
    let proxies = u32::try_from(topology.of_role(Role::Proxy).count()).unwrap_or(u32::MAX);
    // Half of the sessions of a leader are left to those who come directly.
    let sessions = Limits::of(&topology.spec).max_connections / 2;
    let more = json!({
        "auth_user": PGBOUNCER_USER,
        "userlist": pgbouncer_userlist(),
        "pool_size": (sessions / proxies.max(1)).clamp(2, POOL_MAX),
    });
    let more = shared(topology, more);
    render(include_str!("../../templates/pgbouncer.ini.j2"), &context(topology, member, more))
}

/// `userlist.txt` of a proxy. Holds a password.
pub fn userlist(password: &str) -> String {
    format!("\"{PGBOUNCER_USER}\" \"{}\"\n", password.replace('"', "\"\""))
}

/// What both have: ports, limits, and how long a node may take to answer, which is two round trips for a health check.
pub(super) fn shared(topology: &Topology, mut more: Value) -> Value {
    let distance = largest_round_trip(&topology.spec).saturating_mul(4).as_secs();
    more["timeout_s"] = json!(3_u64.saturating_add(distance));
    more["clients"] = json!(CLIENTS_MAX);
    more["doors"] = json!({
        "read_write": ProxyPort::ReadWrite.number(), "read_only": ProxyPort::ReadOnly.number(),
        "pooled": ProxyPort::Pooled.number(), "statistics": ProxyPort::Statistics.number(),
    });
    more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{LinkSpec, ProxySpec, Spec};
    use std::time::Duration;

    fn topology(data_centers: u32) -> Topology {
        let proxy = ProxySpec { haproxy: true, pgbouncer: true };
        Topology::new(Spec { data_centers, proxy, ..Spec::default() }, 1)
    }

    fn proxies(topology: &Topology) -> Vec<&Member> {
        topology.of_role(Role::Proxy).collect()
    }

    #[test]
    fn the_files_of_a_proxy_are_those_in_the_snapshots() {
        let topology = topology(2);
        let second = proxies(&topology)[1];
        assert_eq!(
            (second.name.as_str(), second.address.octets()),
            ("pgha-proxy-DC2-1", [198, 18, 2, 251])
        );
        insta::assert_snapshot!("haproxy", haproxy(&topology, second));
        insta::assert_snapshot!("pgbouncer", pgbouncer(&topology, second));
        assert_eq!(userlist("a\"b"), "\"pgbouncer\" \"a\"\"b\"\n");
    }

    #[test]
    fn a_health_check_has_the_time_of_the_longest_way() {
        let mut spec = topology(2).spec;
        spec.links = vec![LinkSpec::between("DC1", "DC2", Duration::from_millis(500))];
        let topology = Topology::new(spec, 1);
        let text = haproxy(&topology, proxies(&topology)[0]);
        assert!(text.contains("timeout check 7s"), "{text}");
    }

    #[test]
    fn many_proxies_share_the_sessions_of_the_leader() {
        let size = |data_centers| {
            let topology = topology(data_centers);
            let text = pgbouncer(&topology, proxies(&topology)[0]);
            let line = text.lines().find_map(|line| line.strip_prefix("default_pool_size = "));
            line.expect("the size").to_owned()
        };
        assert_eq!((size(1), size(5), size(40)), ("20".into(), "10".into(), "2".into()));
    }
}
