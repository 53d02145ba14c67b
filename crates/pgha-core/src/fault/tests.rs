use std::collections::BTreeMap;

use pgha_wan::control::Direction;
use pgha_wan::service::Service;
use pgha_wan::settings::Flap;

use super::*;
use crate::spec::Spec;
use crate::status::tests::Lab;
use crate::status::{ClusterView, ContainerState, NodeRole};
use crate::topology::{Role, Topology};

fn topology() -> Topology {
    Topology::new(Spec { data_centers: 2, ..Spec::default() }, 1)
}

fn healthy() -> ClusterView {
    let mut lab = Lab::healthy();
    lab.configured("{}");
    lab.view()
}

/// Whom a kind hits; of several the last.
fn chosen(kind: Kind, targets: &[&str]) -> Result<Chosen, NoTarget> {
    let targets: Vec<Target> = targets.iter().map(|t| t.parse().expect("never fails")).collect();
    kind.choose(&targets, &topology(), &healthy(), &mut |of| of - 1)
}

fn names(kind: Kind, targets: &[&str]) -> Vec<String> {
    chosen(kind, targets).unwrap_or_else(|e| panic!("{kind} {targets:?}: {e}")).names().to_vec()
}

fn injected(deed: impl Into<Deed>, targets: &[&str]) -> Result<Injected, NotInjected> {
    let deed = deed.into();
    let (topology, chosen) = (topology(), chosen(deed.kind, targets).expect("targets"));
    let all = topology.containers();
    let states: BTreeMap<&str, ContainerState> =
        all.iter().map(|name| (name.as_str(), ContainerState::Running)).collect();
    Injected::new(deed, &chosen, &topology, &states, None)
}

#[test]
fn roles_are_found_when_the_fault_is_injected() {
    let view = healthy();
    let leader = view.leader.clone().expect("a leader");
    assert_eq!(names(Kind::Kill, &["leader"]), std::slice::from_ref(&leader));
    let [replica] = &names(Kind::Pause, &["replica"])[..] else { panic!("one replica") };
    let role = view.members.iter().find(|m| m.name == *replica).and_then(|m| m.role);
    assert_eq!(role, Some(NodeRole::Replica));
    let [etcd] = &names(Kind::EtcdFreeze, &["etcd-leader"])[..] else { panic!("one member") };
    assert!(view.etcd.iter().any(|e| e.name == *etcd && e.leader == Some(true)));
    assert_eq!(names(Kind::Isolate, &["site(leader)"]), ["DC1"]);
    assert_eq!(names(Kind::Isolate, &["Site(not leader)"]), ["DC2"]);
    assert_eq!(names(Kind::Isolate, &["any"]), ["DC3"]);
    // Nobody acknowledges in a cluster that replicates asynchronously.
    assert_eq!(chosen(Kind::Kill, &["sync-standby"]), Err(NoTarget::Nobody(Target::SyncStandby)));
}

#[test]
fn commits_are_cancelled_on_postgres_nodes_and_nothing_takes_that_back() {
    let leader = healthy().leader.expect("a leader");
    assert_eq!(names(Kind::CommitCancel, &["leader"]), [leader]);
    let etcd = chosen(Kind::CommitCancel, &["etcd-leader"]).expect_err("no commits there");
    assert!(etcd.to_string().contains("commit-cancel is for Postgres nodes"), "{etcd}");
    let fault = injected(Kind::CommitCancel, &["leader"]).expect("a fault");
    assert_eq!(fault.undo(), []);
}

#[test]
fn the_archive_breaks_on_postgres_nodes_and_the_repository_is_hit_as_a_container_or_a_disk() {
    let leader = healthy().leader.expect("a leader");
    let broken = injected(Kind::ArchiveBroken, &["leader"]).expect("a fault");
    assert_eq!(broken.undo(), [Undo::Archive(leader)]);
    let host = topology().backup_host().name.clone();
    for kind in Kind::all() {
        let hit = chosen(kind, &["repository"]);
        if matches!(kind.on(), On::Containers | On::Disk(_)) {
            assert_eq!(hit.expect("the backup host").names(), std::slice::from_ref(&host));
        } else {
            let refused = hit.expect_err("refused");
            assert!(matches!(refused, NoTarget::Misfit { .. }), "{kind}: {refused}");
        }
    }
}

#[test]
fn disks_are_those_of_postgres_and_of_the_repository_and_never_those_of_etcd() {
    for kind in [Kind::DiskFull, Kind::DiskReadOnly, Kind::DiskSlow, Kind::DiskHung] {
        let nodes_and_host = names(kind, &["DC1", "repository"]);
        let topology = topology();
        let role = |name: &String| topology.member(name).map(|member| member.role);
        assert!(nodes_and_host.iter().all(|name| role(name) != Some(Role::Etcd)), "{kind}");
        assert_eq!(nodes_and_host.len(), 3, "{nodes_and_host:?}");
        for etcd in ["etcd1", "etcd-leader"] {
            let refused = chosen(kind, &[etcd]).expect_err("refused");
            assert!(matches!(refused, NoTarget::NoLibrary { .. }), "{refused}");
        }
        assert!(matches!(chosen(kind, &["wan"]), Err(NoTarget::Misfit { .. })));
        let fault = injected(kind, &["leader"]).expect("a fault");
        let On::Disk(ailment) = kind.on() else { panic!("a disk") };
        assert_eq!(fault.undo(), [Undo::Disk(fault.targets[0].clone(), ailment)]);
    }
}

#[test]
fn a_slow_disk_has_a_delay_and_nothing_else_does() {
    for kind in Kind::all() {
        let delay = "250ms".parse::<Delay>().expect("a delay");
        let deed = Deed::new(kind, None, None, Some(delay), None);
        assert_eq!(deed.is_ok(), kind == Kind::DiskSlow, "{kind}");
        let Ok(deed) = deed else { continue };
        let fault = injected(deed, &["leader"]).expect("a fault");
        assert!(
            fault.title().starts_with("disk-slow --delay 250ms pgha-demo"),
            "{}",
            fault.title()
        );
        let written = serde_json::to_value(&fault).expect("JSON");
        assert_eq!(written["delay"], "250ms");
        assert_eq!(serde_json::from_value::<Injected>(written).expect("read").deed(), deed);
        assert_eq!(
            Deed::new(kind, None, None, None, None).expect("usual").delay,
            Some(Delay::USUAL)
        );
    }
}

#[test]
fn a_clock_is_that_of_one_program_and_nothing_else_has_an_offset() {
    let offset = "-90s".parse::<Offset>().expect("an offset");
    for kind in Kind::all() {
        let deed = Deed::new(kind, None, None, None, Some(offset));
        assert_eq!(deed.is_ok(), matches!(kind.on(), On::Clock(_)), "{kind}");
        let (Ok(deed), On::Clock(program)) = (deed, kind.on()) else { continue };
        let target = if program == Program::Etcd { "etcd-leader" } else { "leader" };
        let fault = injected(deed, &[target]).expect("a fault");
        assert_eq!(fault.undo(), [Undo::Clock(fault.targets[0].clone(), program)]);
        assert_eq!(fault.title(), format!("{kind} --offset -90s {}", fault.targets[0]));
        let written = serde_json::to_value(&fault).expect("JSON");
        assert_eq!(written["offset"], "-90s");
        assert_eq!(serde_json::from_value::<Injected>(written).expect("read").deed(), deed);
        assert_eq!(Deed::from(kind).offset, Some(Offset::USUAL));
        let other = if program == Program::Etcd { "leader" } else { "etcd-leader" };
        assert!(matches!(chosen(kind, &[other]), Err(NoTarget::Misfit { .. })), "{kind}");
    }
}

#[test]
fn a_site_is_every_member_that_the_kind_hits_there() {
    assert_eq!(
        names(Kind::Kill, &["dc2"]),
        ["pgha-demo1-DC2-1", "pgha-demo2-DC2-1", "pgha-etcd2-DC2-1"]
    );
    assert_eq!(names(Kind::PostgresKill, &["DC2"]), ["pgha-demo1-DC2-1", "pgha-demo2-DC2-1"]);
    assert_eq!(names(Kind::EtcdKill, &["site(leader)"]), ["pgha-etcd1-DC1-1"]);
    assert_eq!(names(Kind::Kill, &["wan", "demo1-DC2", "DC2"]).len(), 4);
}

#[test]
fn a_target_that_a_kind_is_not_for_is_refused_and_says_what_it_is_for() {
    for (kind, targets, said) in [
        (
            Kind::EtcdKill,
            &["leader"][..],
            "etcd-kill is for etcd members, and pgha-demo1-DC1-1 is none",
        ),
        (Kind::PostgresKill, &["wan"], "is for Postgres nodes"),
        (Kind::PostgresKill, &["DC3"], "DC3 is none"),
        (Kind::Isolate, &["leader"], "isolate is for sites"),
        (Kind::Isolate, &["demo1"], "there are DC1, DC2, DC3"),
        (Kind::Cut, &["DC1"], "between two sites"),
        (Kind::Cut, &["DC1", "dc1"], "between two sites"),
        (Kind::Kill, &["demo1"], "pgha-demo1-DC1-1 or pgha-demo1-DC2-1"),
        (Kind::Kill, &["nobody"], "no member or site"),
    ] {
        let error = chosen(kind, targets).expect_err("refused").to_string();
        assert!(error.contains(said), "{kind} {targets:?}: {error}");
    }
}

#[test]
fn data_are_lost_of_nodes_and_of_etcd_members_and_never_of_the_backup_host() {
    let topology = topology();
    let (host, router) = (topology.backup_host().name.clone(), topology.router());
    let site = topology.backup_site().name.clone();
    for member in [host.as_str(), router.as_str(), "repository"] {
        let refused = chosen(Kind::VolumeLost, &[member]).expect_err("refused").to_string();
        assert!(refused.contains("is for Postgres nodes and etcd members"), "{refused}");
    }
    let nobody = ["sync-standby", "repository"];
    let mut all: Vec<&str> = Target::roles().filter(|role| !nobody.contains(role)).collect();
    all.extend(["DC1", "DC2", site.as_str()]);
    for target in all {
        let view = healthy();
        let targets = [target.parse::<Target>().expect("never fails")];
        for n in 0..topology.members.len() {
            let mut pick = |of: usize| n % of;
            let hit = Kind::VolumeLost.choose(&targets, &topology, &view, &mut pick);
            let hit = hit.unwrap_or_else(|e| panic!("{target}: {e}"));
            let of = |name: &String| topology.member(name).expect("a member").role;
            assert!(
                hit.names().iter().all(|name| matches!(of(name), Role::Postgres | Role::Etcd)),
                "{target}: {hit:?}"
            );
        }
    }
    let lost = injected(Kind::VolumeLost, &["demo1-DC1"]).expect("one");
    assert_eq!(lost.undo(), [Undo::Make("pgha-demo1-DC1-1".to_owned())]);
}

#[test]
fn what_is_printed_for_a_target_means_the_same_target() {
    for word in Target::roles().chain(["DC2", "pgha-demo1-DC1-1"]) {
        let target: Target = word.parse().expect("never fails");
        assert_eq!(target.to_string(), word);
    }
}

#[test]
fn links_are_cut_in_the_directions_of_the_kind() {
    let of = |kind, targets| {
        let links = injected(kind, targets).expect("injected").links;
        links.iter().map(|l| format!("{}>{}", l.from, l.to)).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(of(Kind::Isolate, &["DC1"]), "DC1>DC2 DC1>DC3 DC2>DC1 DC3>DC1");
    assert_eq!(of(Kind::Mute, &["DC1"]), "DC1>DC2 DC1>DC3");
    assert_eq!(of(Kind::Deafen, &["DC1"]), "DC2>DC1 DC3>DC1");
    assert_eq!(of(Kind::Cut, &["DC1", "DC3"]), "DC1>DC3 DC3>DC1");
}

#[test]
fn what_takes_a_fault_back_is_about_exactly_what_it_changed() {
    let wan = |cut: &[(&str, &str)], port: Option<Service>| {
        use pgha_wan::control::{LinkCounters, LinkState, WanState};
        use pgha_wan::settings::{Cut, LinkChange, LinkSettings};
        let mut settings = LinkSettings::default();
        LinkChange::cutting(port, Cut::Yes).apply(&mut settings);
        let link = |(from, to): &(&str, &str)| LinkState {
            from: (*from).to_owned(),
            to: (*to).to_owned(),
            settings: settings.clone(),
            spec: LinkSettings::default(),
            undone_in_ms: None,
            queued_packets: 0,
            queued_bytes: 0,
            flying_packets: 0,
            flying_bytes: 0,
            counters: LinkCounters::default(),
        };
        WanState {
            seed: 1,
            waiting_for_cluster: false,
            running_ms: 1,
            malformed: 0,
            foreign: 0,
            links: cut.iter().map(link).collect(),
        }
    };
    let topology = topology();
    let sites = Chosen::Sites(vec!["DC1".to_owned()]);
    let containers = BTreeMap::new();
    let etcd = Some(Service::Etcd);
    let injected = |port, before: &_| {
        let deed = Deed { port, ..Kind::Mute.into() };
        Injected::new(deed, &sites, &topology, &containers, Some(before))
    };
    let link = |to: &str| Direction { from: "DC1".to_owned(), to: to.to_owned() };
    for port in [None, etcd] {
        let before = wan(&[("DC1", "DC2"), ("DC2", "DC3")], port);
        let mute = injected(port, &before).expect("one");
        assert_eq!(mute.undo(), [Undo::Heal(vec![link("DC3")], port)]);
        let all = wan(&[("DC1", "DC2"), ("DC1", "DC3")], port);
        let refused = injected(port, &all);
        assert!(matches!(refused, Err(NotInjected::Cut { .. })), "{refused:?}");
        // Another cut is another fault.
        let other = if port.is_none() { etcd } else { None };
        let mute = injected(other, &all).expect("two");
        assert_eq!(mute.undo(), [Undo::Heal(vec![link("DC2"), link("DC3")], other)]);
    }
}

#[test]
fn a_port_and_a_flap_are_for_links_alone_and_are_in_the_words_of_the_fault() {
    let flap: Flap = "40% of 10s".parse().expect("a flap");
    for kind in Kind::all() {
        assert_eq!(
            Deed::new(kind, None, Some(flap), None, None).is_ok(),
            kind.on().is_links(),
            "{kind}"
        );
        for port in Service::ALL {
            let Ok(deed) = Deed::new(kind, Some(port), Some(flap), None, None) else {
                assert!(!kind.on().is_links(), "{kind}");
                continue;
            };
            let sites: &[&str] = if kind == Kind::Cut { &["DC1", "DC2"] } else { &["DC1"] };
            let fault = injected(deed, sites).expect("injected");
            let words = format!("{kind} --port {port} --flap 10s --duty 40%");
            assert_eq!(fault.title(), format!("{words} {}", sites.join(" ")));
            assert_eq!(fault.links, injected(kind, sites).expect("the same links").links);
            let written = serde_json::to_value(&fault).expect("JSON");
            assert_eq!(written["port"], port.as_str());
            assert_eq!(written["flap"], "40% of 10s");
            assert_eq!(serde_json::from_value::<Injected>(written).expect("read").deed(), deed);
        }
    }
    let said = Deed::new(Kind::Kill, Some(Service::Etcd), None, None, None)
        .expect_err("no links")
        .to_string();
    assert_eq!(said, "kill is not for links, and port and flap are: isolate, mute, deafen, cut");
}

#[test]
fn members_that_do_not_run_are_left_alone() {
    let topology = topology();
    let members =
        Chosen::Members(topology.of_role(Role::Postgres).map(|m| m.name.clone()).collect());
    let states = BTreeMap::from([
        ("pgha-demo1-DC1-1", ContainerState::Running),
        ("pgha-demo2-DC1-1", ContainerState::Paused),
        ("pgha-demo1-DC2-1", ContainerState::Stopped),
    ]);
    let of = |kind: Kind| Injected::new(kind.into(), &members, &topology, &states, None);
    assert_eq!(of(Kind::Pause).expect("one").targets, ["pgha-demo1-DC1-1"]);
    let killed = of(Kind::Kill).expect("two");
    assert_eq!(killed.targets, ["pgha-demo1-DC1-1", "pgha-demo2-DC1-1"]);
    assert_eq!(killed.undo(), killed.targets.iter().cloned().map(Undo::Start).collect::<Vec<_>>());
    let none = Injected::new(Kind::Stop.into(), &members, &topology, &BTreeMap::new(), None);
    assert!(none.expect_err("nobody runs").to_string().contains("pgha-demo1-DC1-1 is missing"));
}

#[test]
fn whatever_lasts_is_taken_back_and_what_was_written_down_is_read() {
    for kind in Kind::all() {
        let targets: &[&str] = match kind.on() {
            On::Site { .. } => &["DC1"],
            On::TwoSites => &["DC1", "DC2"],
            On::Processes(Program::Etcd, _) | On::Clock(Program::Etcd) => &["etcd1"],
            _ => &["demo1-DC1"],
        };
        let mut fault = injected(kind, targets).expect("injected");
        assert_eq!(fault.undo().is_empty(), !kind.is_written_down(), "{kind}");
        (fault.id, fault.at) = ("1f".to_owned(), "2026-11-28T03:00:00Z".to_owned());
        let written = serde_json::to_string(&fault).expect("JSON");
        assert_eq!(serde_json::from_str::<Injected>(&written).expect("read"), fault);
        assert!(fault.title().starts_with(kind.as_str()));
    }
}
