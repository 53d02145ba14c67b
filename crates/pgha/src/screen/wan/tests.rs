use std::time::Duration;

use pgha_core::links::asked;
use pgha_core::spec::{LinkSpec, Spec};
use pgha_core::topology::Topology;
use pgha_wan::control::{LinkCounters, LinkState, WanState};
use pgha_wan::measured::{RoundTrip, RoundTrips};
use pgha_wan::service::Service;
use pgha_wan::settings::{Cut, LinkChange, LinkSettings};

use super::*;

/// The router of a cluster of two data centers, 80 and 7 ms apart.
fn state() -> WanState {
    let ms = Duration::from_millis;
    let mut links =
        vec![LinkSpec::between("DC1", "DC2", ms(40)), LinkSpec::one_way("DC1", "DC3", ms(7))];
    links[0].change.loss = Some("0.5%".parse().expect("a share"));
    links[0].change.rate = Some("100mbit".parse().expect("a rate"));
    let topology = Topology::new(Spec { data_centers: 2, links, ..Spec::default() }, 1);
    let links = asked::links(&topology)
        .into_iter()
        .map(|link| LinkState {
            from: topology.site(link.from).name.clone(),
            to: topology.site(link.to).name.clone(),
            settings: link.settings.clone(),
            spec: link.settings,
            undone_in_ms: None,
            queued_packets: 0,
            queued_bytes: 0,
            flying_packets: 0,
            flying_bytes: 0,
            counters: LinkCounters::default(),
        })
        .collect();
    WanState {
        seed: 1,
        waiting_for_cluster: false,
        running_ms: 61_000,
        malformed: 0,
        foreign: 0,
        links,
    }
}

fn change(state: &mut WanState, from: &str, to: &str, with: impl Fn(&mut LinkState)) {
    let link = state.links.iter_mut().find(|l| l.from == from && l.to == to);
    with(link.expect("a link of the cluster"));
}

fn trip(to: &str, us: Option<u64>) -> RoundTrip {
    let received = if us.is_some() { 10 } else { 0 };
    RoundTrip { to: to.into(), sent: 10, received, min_us: us, median_us: us, max_us: us }
}

fn measured(dc2: Option<u64>, dc3: Option<u64>) -> Vec<RoundTrips> {
    vec![
        RoundTrips { from: "DC1".into(), to: vec![trip("DC2", dc2), trip("DC3", dc3)] },
        RoundTrips { from: "DC2".into(), to: vec![trip("DC1", dc2), trip("DC3", Some(180))] },
    ]
}

fn screen(state: &WanState, trips: &[RoundTrips]) -> String {
    let text = draw(&WanView::new("demo", 1, state, trips));
    let text = anstream::adapter::strip_str(&text).to_string();
    let fits = |line: &str| line.contains("warning:") || line.chars().count() <= 80;
    assert!(text.lines().all(fits), "{text}");
    text
}

#[test]
fn links_as_specified_look_like_this() {
    insta::assert_snapshot!(screen(&state(), &measured(Some(80_412), Some(7_304))));
}

#[test]
fn a_one_way_cut_names_the_direction() {
    let mut state = state();
    change(&mut state, "DC1", "DC3", |link| link.settings.cut = Cut::Yes);
    insta::assert_snapshot!(screen(&state, &measured(Some(80_412), None)));
}

#[test]
fn a_service_that_is_cut_is_named_beside_what_passes() {
    let mut state = state();
    for (from, to) in [("DC1", "DC2"), ("DC2", "DC1"), ("DC1", "DC3")] {
        change(&mut state, from, to, |link| {
            LinkChange::cutting(Some(Service::Etcd), Cut::Yes).apply(&mut link.settings);
        });
    }
    let text = screen(&state, &measured(Some(80_412), Some(7_304)));
    assert!(text.contains("of 6 links 3 changed"), "{text}");
    assert!(text.contains("  etcd cut") && text.contains("→ etcd cut"), "{text}");
    assert!(text.contains("cut_ports etcd") && text.contains("80.4 ms measured"), "{text}");
    assert!(!text.contains("warning"), "{text}");
}

#[test]
fn a_change_for_a_while_says_how_long_it_still_holds() {
    let mut state = state();
    for (from, to) in [("DC1", "DC2"), ("DC2", "DC1")] {
        change(&mut state, from, to, |link| {
            link.settings.cut = Cut::Yes;
            link.undone_in_ms = Some(23_400);
        });
    }
    change(&mut state, "DC2", "DC3", |link| {
        link.settings = LinkSettings { latency: Duration::from_millis(3), ..link.settings.clone() };
    });
    insta::assert_snapshot!(screen(&state, &measured(None, Some(7_304))));
}

#[test]
fn a_round_trip_that_is_not_as_asked_is_a_warning_above_the_matrix() {
    insta::assert_snapshot!(screen(&state(), &measured(Some(300_000), None)));
}

#[test]
fn nothing_is_claimed_of_what_nobody_measured() {
    let mut state = state();
    state.waiting_for_cluster = true;
    let text = screen(&state, &[]);
    assert!(text.contains("not measured") && text.contains("once the cluster is ready"), "{text}");
    assert!(!text.contains("warning") && !text.contains("Not as the cluster file says"), "{text}");
}

#[test]
fn many_sites_are_listed_by_pair() {
    let topology = Topology::new(Spec { data_centers: 5, ..Spec::default() }, 1);
    let mut five = state();
    let plain = five.links[1].clone();
    five.links = asked::links(&topology)
        .into_iter()
        .map(|link| LinkState {
            from: topology.site(link.from).name.clone(),
            to: topology.site(link.to).name.clone(),
            settings: link.settings.clone(),
            spec: link.settings,
            ..plain.clone()
        })
        .collect();
    let text = screen(&five, &[]);
    assert!(text.contains("DC5 – DC6"), "{text}");
}

#[test]
fn traffic_looks_like_this() {
    let link = |from: &str, to: &str, cut| pgha_wan::sample::LinkSample {
        from: from.into(),
        to: to.into(),
        cut,
        bytes_per_s: 1_550_000,
        packets_per_s: 1200,
        delivered_per_s: 1190,
        lost_per_s: if cut { 0 } else { 6 },
        cut_per_s: if cut { 40 } else { 0 },
        queue_full_per_s: 4,
        queued_bytes: 9_000,
        flying_bytes: 120_000,
    };
    let sample = Sample {
        running_ms: 61_000,
        over_ms: Some(1000),
        links: vec![link("DC1", "DC2", false), link("DC2", "DC1", true)],
    };
    let text = traffic("demo-1", &sample);
    insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
}
