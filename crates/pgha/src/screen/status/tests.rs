//! The screen on constructed clusters.

use pgha_core::disk::Disk;
use pgha_core::observe::{
    Archiver, Dcs, EtcdObservation, EtcdStatus, NodeObservation, Patroni, SiteObservation,
};
use pgha_core::spec::Spec;
use pgha_core::status::{ContainerFact, NetworkFact, Observed};
use pgha_core::topology::Topology;

use super::*;

/// A healthy cluster of 2 data centers with 2 nodes each; its leader is in DC1.
fn healthy(name: &str, instance: u32) -> (Topology, Observed) {
    healthy_of(Spec { name: name.to_owned(), data_centers: 2, ..Spec::default() }, instance)
}

/// A healthy cluster of a specification, whose leader is in DC1.
pub(crate) fn healthy_of(spec: Spec, instance: u32) -> (Topology, Observed) {
    let name = spec.name.clone();
    let topology = Topology::new(spec, instance);
    let mut observed = Observed::default();
    let leader = format!("pgha-{name}1-DC1-{instance}");
    for (port, name) in (25551..).zip(topology.containers()) {
        let published = topology.member(&name).is_some_and(|m| m.role == Role::Postgres);
        observed.containers.push(ContainerFact {
            id: name.clone(),
            role: topology.member(&name).map(|m| m.role),
            name,
            state: ContainerState::Running,
            detail: "Up 3 minutes".to_owned(),
            ports: published.then_some((5432, port)).into_iter().collect(),
        });
    }
    for site in &topology.sites {
        observed.networks.push(NetworkFact {
            id: site.network.clone(),
            name: site.network.clone(),
            subnet: Some(format!("10.213.{}.0/24", site.number)),
        });
        let of = |role| topology.of_role(role).filter(|m| m.site == site.number);
        let report = SiteObservation {
            site: site.name.clone(),
            by: String::new(),
            postgres: of(Role::Postgres)
                .map(|m| NodeObservation {
                    name: m.name.clone(),
                    patroni: Ok(node(m.name == leader, 1)),
                })
                .collect(),
            etcd: of(Role::Etcd).map(|m| voter(&m.name, site.number, &leader)).collect(),
            stanza: (site.kind == SiteKind::External).then_some(true),
            backups: (site.kind == SiteKind::External).then(|| {
                ["20261124-154919F", "20261124-154919F_20261124-154924I"].map(str::to_owned).into()
            }),
            repositories: Vec::new(),
            proxies: Vec::new(),
            restoring: false,
            repair: None,
            restore: None,
            disk: Some(Disk { size_bytes: 1 << 40, free_bytes: 38_000_000_000 }),
        };
        observed.sites.insert(site.name.clone(), Ok(report));
    }
    observed.now_s = Some(1_795_539_000);
    observed.archiver = Some(Ok(Archiver {
        last_archived_wal: Some("000000010000000000000004".to_owned()),
        last_archived_age_s: Some(42),
        current_wal: Some("000000010000000000000005".to_owned()),
        ..Archiver::default()
    }));
    (topology, observed)
}

fn node(leads: bool, timeline: u64) -> Patroni {
    let word = |word: &str| Some(word.to_owned());
    Patroni {
        state: "running".to_owned(),
        role: if leads { "primary" } else { "replica" }.to_owned(),
        timeline: Some(timeline),
        location: leads.then_some(83_886_176),
        received: (!leads).then_some(83_886_000),
        replication_state: if leads { None } else { word("streaming") },
        ..Patroni::default()
    }
}

fn voter(name: &str, site: u8, leader: &str) -> EtcdObservation {
    EtcdObservation {
        name: name.to_owned(),
        status: Ok(EtcdStatus {
            member_id: 0xc8e6_dd37_0bde_3520 + u64::from(site),
            leader_id: 0xc8e6_dd37_0bde_3522,
            version: "3.5.16".to_owned(),
            db_size_bytes: 40_960,
            raft_term: 2,
            raft_index: 59,
            raft_applied_index: 59,
            ..EtcdStatus::default()
        }),
        dcs: Ok(Dcs {
            revision: 30,
            leader: Some(leader.to_owned()),
            system_id: Some("7711714383633788977".to_owned()),
            tells_succession: true,
            ..Dcs::default()
        }),
        took_ms: 3.25,
    }
}

fn reports(observed: &mut Observed) -> impl Iterator<Item = &mut SiteObservation> {
    observed.sites.values_mut().filter_map(|r| r.as_mut().ok())
}

fn stop(observed: &mut Observed, which: impl Fn(&str) -> bool) {
    for container in observed.containers.iter_mut().filter(|c| which(&c.name)) {
        container.state = ContainerState::Stopped;
        container.detail = "Exited (137) 5 seconds ago".to_owned();
    }
}

fn lose_quorum(observed: &mut Observed) {
    for member in reports(observed).flat_map(|r| &mut r.etcd) {
        member.dcs = Err("no answer within 400 ms".to_owned());
        member.took_ms = 401.5;
        if let Ok(status) = &mut member.status {
            status.leader_id = 0;
            status.errors = vec!["etcdserver: no leader".to_owned()];
        }
    }
}

fn plain(drawn: &str) -> String {
    anstream::adapter::strip_str(drawn).to_string()
}

const SHORT: Extent = Extent { all: false, width: 80 };
const LONG: Extent = Extent { all: true, width: 80 };

fn screen((topology, observed): &(Topology, Observed)) -> String {
    let drawn = plain(&draw(&ClusterView::new(topology, observed), SHORT));
    assert!(drawn.lines().count() <= LINES_MAX, "{drawn}");
    assert!(drawn.lines().all(|line| line.chars().count() <= SHORT.width), "{drawn}");
    drawn
}

#[test]
fn a_healthy_cluster() {
    insta::assert_snapshot!(screen(&healthy("demo", 1)));
}

#[test]
fn everything_of_a_healthy_cluster() {
    let (topology, observed) = healthy("demo", 1);
    let drawn = plain(&draw(&ClusterView::new(&topology, &observed), LONG));
    assert!(drawn.lines().all(|line| line.chars().count() <= LONG.width), "{drawn}");
    insta::assert_snapshot!(drawn);
}

/// A cluster of as many nodes, of which every second one has an end of its own.
fn large_and_ill(data_centers: u32, nodes: u32) -> (Topology, Observed) {
    let mut lab =
        healthy_of(Spec { name: "demo".to_owned(), data_centers, nodes, ..Spec::default() }, 1);
    stop(&mut lab.1, |name| name.contains("demo2") || name.contains("etcd2"));
    for seen in reports(&mut lab.1).flat_map(|report| &mut report.postgres) {
        if seen.name.contains("demo2") {
            seen.patroni = Err("connection refused".to_owned());
        }
    }
    lab
}

#[test]
fn many_problems_and_nodes_fit_the_screen_and_are_counted() {
    let drawn = screen(&large_and_ill(5, 4));
    assert!(drawn.contains("`pgha status demo-1 --all` shows them"), "{drawn}");
    insta::assert_snapshot!(drawn);
}

#[test]
fn no_cluster_has_more_lines_than_the_screen() {
    for data_centers in 1..=8 {
        for nodes in [1, 2, 5, 9] {
            let (topology, observed) = large_and_ill(data_centers, nodes);
            let view = ClusterView::new(&topology, &observed);
            for width in [60, 80, 120] {
                let drawn = plain(&draw(&view, Extent { all: false, width }));
                assert!(drawn.lines().count() <= LINES_MAX, "{width}:\n{drawn}");
                assert!(drawn.contains("MEMBER"), "{width}:\n{drawn}");
            }
            let all = plain(&draw(&view, LONG));
            let missing = |node: &MemberView| !all.contains(&node.name);
            assert!(!view.nodes().any(missing), "{all}");
        }
    }
}

#[test]
fn the_site_of_the_leader_is_down() {
    let mut lab = healthy("demo", 1);
    stop(&mut lab.1, |name| name.contains("-DC1-"));
    lab.1.sites.remove("DC1");
    insta::assert_snapshot!(screen(&lab));
}

#[test]
fn another_site_took_over() {
    let mut lab = healthy("demo", 1);
    stop(&mut lab.1, |name| name.contains("-DC1-"));
    lab.1.sites.remove("DC1");
    for report in reports(&mut lab.1) {
        for (n, seen) in report.postgres.iter_mut().enumerate() {
            seen.patroni = Ok(node(n == 0, 2));
        }
        for member in &mut report.etcd {
            if let Ok(dcs) = &mut member.dcs {
                dcs.leader = Some("pgha-demo1-DC2-1".to_owned());
            }
        }
    }
    insta::assert_snapshot!(screen(&lab));
}

#[test]
fn etcd_without_a_quorum() {
    let mut lab = healthy("demo", 1);
    stop(&mut lab.1, |name| name.contains("etcd1") || name.contains("etcd2"));
    lose_quorum(&mut lab.1);
    for member in reports(&mut lab.1).flat_map(|r| &mut r.etcd) {
        if !member.name.contains("etcd3") {
            member.status = Err("connection refused".to_owned());
        }
    }
    insta::assert_snapshot!(screen(&lab));
}

#[test]
fn the_router_is_down() {
    let mut lab = healthy("demo", 1);
    stop(&mut lab.1, |name| name.contains("-wan-"));
    lose_quorum(&mut lab.1);
    insta::assert_snapshot!(screen(&lab));
}

#[test]
fn two_clusters() {
    let (one, mut two) = (healthy("demo", 1), healthy("shop", 2));
    stop(&mut two.1, |_| true);
    two.1.sites.clear();
    let views = [&one, &two].map(|(topology, observed)| ClusterView::new(topology, observed));
    insta::assert_snapshot!(plain(&draw_all(&views, SHORT)));
}
