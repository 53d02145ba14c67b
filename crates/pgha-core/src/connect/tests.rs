use super::*;
use crate::spec::Spec;
use crate::topology::Published;
use proptest::prelude::*;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, LoadBalanceHosts, TargetSessionAttrs};

fn topology(data_centers: u32, nodes: u32) -> Topology {
    Topology::new(Spec { data_centers, nodes, ..Spec::default() }, 1)
}

fn all(topology: &Topology) -> Vec<&Member> {
    in_order(topology, None, Access::ReadWrite, None)
}

fn ports(topology: &Topology) -> BTreeMap<String, u16> {
    topology.of_role(Role::Postgres).map(|m| m.name.clone()).zip(25551..).collect()
}

#[test]
fn strings_are_those_of_the_reference() {
    let topology = topology(2, 1);
    let inside = from_inside(&all(&topology));
    let host = from_host(&all(&topology), &ports(&topology));
    let target = |access, addresses, password| Target {
        access,
        addresses,
        user: USER,
        database: DATABASE,
        password,
    };

    let write = target(Access::ReadWrite, &host, Some("p@ss 'word'"));
    assert_eq!(
        write.uri(),
        "postgresql://postgres:p%40ss%20%27word%27@127.0.0.1:25551,127.0.0.1:25552/postgres\
         ?target_session_attrs=read-write&connect_timeout=3"
    );
    assert_eq!(
        write.keywords(),
        r"host=127.0.0.1,127.0.0.1 port=25551,25552 user=postgres dbname=postgres password='p@ss \'word\'' target_session_attrs=read-write connect_timeout=3"
    );
    assert_eq!(
        target(Access::LoadBalanced, &inside, None).uri(),
        "postgresql://postgres@pgha-demo1-DC1-1:5432,pgha-demo1-DC2-1:5432/postgres\
         ?load_balance_hosts=random&connect_timeout=3"
    );
    assert_eq!(
        target(Access::ReadOnly, &inside, Some("secret")).keywords(),
        "host=pgha-demo1-DC1-1,pgha-demo1-DC2-1 port=5432,5432 user=postgres dbname=postgres \
         password=secret target_session_attrs=read-only connect_timeout=3"
    );
}

#[test]
fn the_leader_is_tried_first_for_writes_and_last_for_reads() {
    let topology = topology(2, 2);
    let order = |leader, access| -> Vec<&str> {
        let nodes = in_order(&topology, leader, access, None);
        nodes.iter().map(|node| &node.name["pgha-demo".len()..]).collect()
    };
    let leader = Some("pgha-demo1-DC2-1");
    assert_eq!(order(leader, Access::ReadWrite), ["1-DC2-1", "1-DC1-1", "2-DC1-1", "2-DC2-1"]);
    assert_eq!(order(leader, Access::ReadOnly), ["1-DC1-1", "2-DC1-1", "2-DC2-1", "1-DC2-1"]);
    for access in Access::ALL {
        assert_eq!(order(None, access), ["1-DC1-1", "2-DC1-1", "1-DC2-1", "2-DC2-1"]);
    }
}

#[test]
fn nodes_of_the_clients_site_are_tried_before_others_that_will_do() {
    let topology = topology(2, 2);
    let there = topology.of_role(Role::Postgres).last().expect("a node").site;
    let order = |leader, access| -> Vec<&str> {
        let nodes = in_order(&topology, leader, access, Some(there));
        nodes.iter().map(|node| &node.name["pgha-demo".len()..]).collect()
    };
    let leader = Some("pgha-demo1-DC1-1");
    assert_eq!(order(leader, Access::ReadWrite), ["1-DC1-1", "1-DC2-1", "2-DC2-1", "2-DC1-1"]);
    let leader = Some("pgha-demo1-DC2-1");
    for access in [Access::ReadOnly, Access::PreferReplica] {
        assert_eq!(order(leader, access), ["2-DC2-1", "1-DC1-1", "2-DC1-1", "1-DC2-1"]);
    }
}

#[test]
fn each_driver_is_asked_in_its_own_words() {
    let topology = topology(2, 1);
    let addresses = from_host(&all(&topology), &ports(&topology));
    let mut all = String::new();
    for (name, format) in Format::ALL {
        for access in Access::ALL {
            let (user, database) = ("app", "shop 1");
            let password = Some("a;b'c\"d&e");
            let target = Target { access, addresses: &addresses, user, database, password };
            let text = target.string(format);
            writeln!(all, "{name}, {}", access.name()).expect("a string");
            writeln!(all, "  {}", text.as_deref().unwrap_or("-")).expect("a string");
        }
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_service_says_the_same_line_by_line() {
    let topology = topology(2, 1);
    let addresses = from_host(&all(&topology), &ports(&topology));
    let (access, user, database) = (Access::BalancedReplicas, USER, "shop 1");
    let target = Target { access, addresses: &addresses, user, database, password: Some("p") };
    assert_eq!(
        target.service("demo-1", "/srv/my demo/pgpass"),
        "[demo-1]\nhost=127.0.0.1,127.0.0.1\nport=25551,25552\nuser=postgres\ndbname=shop 1\n\
         passfile=/srv/my demo/pgpass\ntarget_session_attrs=read-only\nload_balance_hosts=random\n\
         connect_timeout=3\n"
    );
}

#[test]
fn a_node_without_a_port_is_left_out_for_the_host() {
    let topology = topology(2, 1);
    let mut ports = ports(&topology);
    ports.remove("pgha-demo1-DC1-1");
    let host = from_host(&all(&topology), &ports);
    assert_eq!(host, [Address { host: "127.0.0.1".to_owned(), port: 25552 }]);
}

/// What tokio-postgres knows.
const KNOWN: [(Access, TargetSessionAttrs, LoadBalanceHosts); 4] = [
    (Access::ReadWrite, TargetSessionAttrs::ReadWrite, LoadBalanceHosts::Disable),
    (Access::ReadOnly, TargetSessionAttrs::ReadOnly, LoadBalanceHosts::Disable),
    (Access::BalancedReplicas, TargetSessionAttrs::ReadOnly, LoadBalanceHosts::Random),
    (Access::LoadBalanced, TargetSessionAttrs::Any, LoadBalanceHosts::Random),
];

const NAME: &str = "[^\\x00]{1,20}";

proptest! {
    /// No password of Postgres holds a zero byte.
    #[test]
    fn tokio_postgres_reads_back_what_was_said(
        data_centers in 1u32..4,
        nodes in 1u32..4,
        user in NAME,
        database in NAME,
        password in prop::option::of("[^\\x00]{0,40}|['\\\\ @:/?#%&=,+\\t\\n]{1,12}"),
    ) {
        let topology = topology(data_centers, nodes);
        for addresses in [from_inside(&all(&topology)), from_host(&all(&topology), &ports(&topology))] {
            for (access, session, balance) in KNOWN {
                let (user, database) = (user.as_str(), database.as_str());
                let password = password.as_deref();
                let target = Target { access, addresses: &addresses, user, database, password };
                for text in [target.uri(), target.keywords()] {
                    let config: Config = text.parse().expect(&text);
                    prop_assert_eq!(config.get_user(), Some(user));
                    prop_assert_eq!(config.get_dbname(), Some(database));
                    prop_assert_eq!(config.get_password(), password.map(str::as_bytes));
                    let hosts: Vec<_> =
                        addresses.iter().map(|a| Host::Tcp(a.host.clone())).collect();
                    prop_assert_eq!(config.get_hosts(), hosts);
                    let ports: Vec<_> = addresses.iter().map(|a| a.port).collect();
                    prop_assert_eq!(config.get_ports(), ports);
                    prop_assert_eq!(
                        (config.get_target_session_attrs(), config.get_load_balance_hosts()),
                        (session, balance)
                    );
                    let timeout = Duration::from_secs(CONNECT_TIMEOUT_S.into());
                    prop_assert_eq!(config.get_connect_timeout(), Some(&timeout));
                }
            }
        }
    }
}

#[test]
fn a_string_through_proxies_names_those_alone_and_the_own_site_first() {
    let proxy = crate::spec::ProxySpec { haproxy: true, pgbouncer: true };
    let topology = Topology::new(Spec { data_centers: 2, proxy, ..Spec::default() }, 1);
    let inside = proxies_from_inside(&topology, ProxyPort::Pooled, Some(2));
    assert_eq!(hosts(&inside), "pgha-proxy-DC2-1,pgha-proxy-DC1-1");
    let chosen = topology.published().iter().map(Published::key).zip(25551..).collect();
    let on_host = proxies_from_host(&topology, ProxyPort::ReadWrite, None, &chosen);
    let target = Target {
        access: Access::Proxied,
        addresses: &on_host,
        user: USER,
        database: DATABASE,
        password: None,
    };
    assert_eq!(
        target.uri(),
        "postgresql://postgres@127.0.0.1:25555,127.0.0.1:25559/postgres?connect_timeout=3"
    );
}
