use super::*;
use crate::service::Service;
use crate::settings::{Cut, Flap, Share};

pub(super) const MS: Duration = Duration::from_millis(1);

pub(super) fn sites() -> Vec<(u8, String)> {
    (1..=3).map(|number| (number, format!("DC{number}"))).collect()
}

pub(super) fn latency(latency: Duration) -> LinkSettings {
    LinkSettings { latency, ..LinkSettings::default() }
}

pub(super) fn direction(from: &str, to: &str) -> Direction {
    Direction { from: from.to_owned(), to: to.to_owned() }
}

fn router(asked: &[(u8, u8, LinkSettings)]) -> Router<u32> {
    Router::new(&sites(), asked, 1).expect("a router")
}

#[test]
fn a_link_of_which_nothing_is_asked_holds_nothing() {
    let mut router = router(&[]);
    let id = router.between(1, 2).expect("a link");
    assert_eq!(router.treatment(id), Treatment::Whole);
    assert_eq!(router.offer(MS, id, 64_000, 44, 7, |_| None), Offer::Now(7));
    assert!(router.is_empty());
    assert_eq!((router.link(id).counters().delivered, router.next_due()), (44, None));
}

#[test]
fn packets_of_all_links_come_out_by_their_moments() {
    let mut router =
        router(&[(1, 2, latency(30 * MS)), (2, 1, latency(10 * MS)), (1, 3, latency(20 * MS))]);
    for (payload, (from, to)) in [(1, 2), (2, 1), (1, 3)].into_iter().enumerate() {
        let id = router.between(from, to).expect("a link");
        let payload = u32::try_from(payload).expect("few");
        assert_eq!(router.offer(MS, id, 100, 1, payload, |_| None), Offer::Kept);
    }
    assert_eq!(router.next_due(), Some(11 * MS));
    assert_eq!(router.pop_due(10 * MS), None);
    let order: Vec<u32> = std::iter::from_fn(|| router.pop_due(100 * MS)).collect();
    assert_eq!(order, [1, 2, 0]);
    assert!(router.is_empty());
}

#[test]
fn packets_of_a_late_caller_still_come_out_by_their_moments() {
    // The first of these may come after 13 ms, and does so only later.
    let rated = LinkSettings { rate: "8mbit".parse().ok(), jitter: 2 * MS, ..latency(20 * MS) };
    let mut router = router(&[(1, 2, rated), (2, 1, latency(14 * MS))]);
    let [slow, other] = [(1, 2), (2, 1)].map(|(f, t)| router.between(f, t).expect("a link"));
    for n in 0..2 {
        router.offer(Duration::ZERO, slow, 1000, 1, n, |_| None);
    }
    router.offer(Duration::ZERO, other, 1000, 1, 10, |_| None);
    assert_eq!(router.next_due(), Some(13 * MS));
    let order: Vec<u32> = std::iter::from_fn(|| router.pop_due(100 * MS)).collect();
    assert_eq!(order, [10, 0, 1]);
}

#[test]
fn a_packet_waits_behind_those_that_are_due_now() {
    let mut router = router(&[(1, 2, latency(30 * MS))]);
    let id = router.between(1, 2).expect("a link");
    router.offer(MS, id, 100, 1, 1, |_| None);
    router.clear(2 * MS, &[]);
    assert_eq!(router.offer(2 * MS, id, 100, 1, 2, |_| None), Offer::Kept);
    let order: Vec<u32> = std::iter::from_fn(|| router.pop_due(2 * MS)).collect();
    assert_eq!(order, [1, 2]);
    assert_eq!(router.offer(2 * MS, id, 100, 1, 3, |_| None), Offer::Now(3));

    let overtaking =
        LinkChange { reorder: Some(Share::ALL), rate: "1mbit".parse().ok(), ..later(9 * MS) };
    router.change(3 * MS, &[id], &overtaking, None).expect("possible");
    assert_eq!(router.offer(3 * MS, id, 100, 1, 4, |_| None), Offer::Kept);
    router.clear(3 * MS, &[]);
    assert_eq!(router.offer(3 * MS, id, 100, 1, 5, |_| None), Offer::Kept);
    assert_eq!(std::iter::from_fn(|| router.pop_due(3 * MS)).count(), 2);
}

#[test]
fn a_temporary_change_ends() {
    let mut router = router(&[(1, 2, latency(30 * MS))]);
    let id = router.find(&direction("DC1", "DC2")).expect("a link");
    let cut = LinkChange::cutting(None, Cut::Yes);
    let lossy = LinkChange { loss: Some(Share::ALL), ..LinkChange::default() };
    router.change(MS, &[id], &cut, Some(10 * MS)).expect("possible");
    router.change(2 * MS, &[id], &lossy, Some(20 * MS)).expect("possible");
    assert_eq!(router.next_due(), Some(20 * MS));
    assert_eq!(router.pop_due(19 * MS), None);
    assert_eq!(router.link(id).settings().cut, Cut::Yes);
    router.expire(20 * MS);
    assert_eq!(*router.link(id).settings(), latency(30 * MS));
    assert_eq!(router.next_due(), None);
}

fn packet(from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![0; 40];
    (bytes[0], bytes[3]) = (0x45, 40);
    bytes[12..16].copy_from_slice(&from);
    bytes[16..20].copy_from_slice(&to);
    bytes
}

#[test]
fn only_packets_from_one_site_to_another_have_a_link() {
    let mut router = router(&[]);
    let (id, view) = router.classify(&packet([198, 18, 1, 5], [198, 18, 3, 7])).expect("a link");
    assert_eq!(Some(id), router.between(1, 3));
    assert_eq!(view.total_len, 40);
    for (from, to) in [
        ([198, 18, 1, 5], [198, 18, 1, 6]),
        ([198, 18, 1, 5], [198, 18, 4, 6]),
        ([198, 18, 0, 5], [198, 18, 1, 6]),
        ([10, 0, 1, 5], [198, 18, 1, 6]),
        ([198, 18, 1, 5], [224, 0, 0, 18]),
    ] {
        assert_eq!(router.classify(&packet(from, to)), None);
    }
    assert_eq!(router.classify(&[0x60; 60]), None);
    let state = router.state(MS, false);
    assert_eq!((state.foreign, state.malformed), (5, 1));
}

/// A TCP packet between two sites, with these ports.
fn tcp(from: u8, to: u8, ports: [u16; 2]) -> Vec<u8> {
    let mut bytes = packet([198, 18, from, 5], [198, 18, to, 6]);
    bytes[9] = crate::packet::TCP;
    for (place, port) in [(20, ports[0]), (22, ports[1])] {
        bytes[place..place + 2].copy_from_slice(&port.to_be_bytes());
    }
    bytes
}

fn drops(router: &mut Router<u32>, now: Duration, bytes: &[u8]) -> bool {
    let (id, view) = router.classify(bytes).expect("a link");
    router.drops(now, id, (bytes, &view), (40, 1))
}

#[test]
fn a_service_is_cut_by_itself_in_the_directions_named_and_as_long_as_that_is_asked() {
    let mut router = router(&[]);
    let ids = [(1, 2), (2, 1)].map(|(from, to)| router.between(from, to).expect("a link"));
    let cut = LinkChange::cutting(Some(Service::Etcd), Cut::Yes);
    router.change(MS, &ids[..1], &cut, Some(9 * MS)).expect("possible");
    for port in [2379, 2380] {
        assert!(drops(&mut router, MS, &tcp(1, 2, [40_000, port])), "a request to {port}");
        assert!(drops(&mut router, MS, &tcp(1, 2, [port, 40_000])), "an answer from {port}");
        assert!(!drops(&mut router, MS, &tcp(2, 1, [40_000, port])), "the other direction");
        assert!(!drops(&mut router, MS, &tcp(1, 3, [40_000, port])), "another site");
    }
    for port in [5432, 8008, 8432] {
        assert!(!drops(&mut router, MS, &tcp(1, 2, [40_000, port])), "{port}");
    }
    // What is no TCP has no ports: echo requests pass.
    assert!(!drops(&mut router, MS, &packet([198, 18, 1, 5], [198, 18, 2, 6])));
    let counters = *router.link(ids[0]).counters();
    assert_eq!((counters.packets, counters.bytes, counters.cut), (4, 160, 4));
    assert_eq!(router.treatment(ids[0]), Treatment::Whole);
    assert!(!drops(&mut router, 9 * MS, &tcp(1, 2, [40_000, 2379])), "its time is over");
    assert_eq!(*router.link(ids[0]).settings(), LinkSettings::default());
}

#[test]
fn a_flap_comes_and_goes_on_all_of_its_links_at_once_and_ends_with_its_time() {
    let mut router = router(&[]);
    let ids = [(1, 2), (2, 1)].map(|(from, to)| router.between(from, to).expect("a link"));
    let flap = Flap::new(100 * MS, Share::per_million(400_000)).expect("possible");
    let change = LinkChange::cutting(None, Cut::Flaps(flap));
    router.change(7 * MS, &ids, &change, Some(257 * MS)).expect("possible");
    let passes = |router: &mut Router<u32>, at_ms: u32| {
        let offers = ids.map(|id| router.offer(at_ms * MS, id, 40, 1, 0, |_| None));
        assert_eq!(offers[0], offers[1], "{at_ms} ms");
        offers[0] == Offer::Now(0)
    };
    for (at_ms, so) in [(7, false), (46, false), (47, true), (106, true), (107, false)] {
        assert_eq!(passes(&mut router, at_ms), so, "{at_ms} ms");
    }
    // A change of something else, and another flap, leave it at its beat.
    router.change(120 * MS, &ids, &loss(0), None).expect("possible");
    let etcd = LinkChange::cutting(Some(Service::Etcd), Cut::Flaps(flap));
    router.change(180 * MS, &ids, &etcd, Some(257 * MS)).expect("possible");
    for (at_ms, link, etcd) in
        [(180, true, false), (207, false, false), (219, false, false), (220, false, true)]
    {
        assert_eq!(passes(&mut router, at_ms), link, "{at_ms} ms");
        let dropped = drops(&mut router, at_ms * MS, &tcp(1, 2, [2379, 40_000]));
        assert_eq!(dropped, !etcd, "{at_ms} ms");
    }
    assert!(passes(&mut router, 257));
    assert_eq!(*router.link(ids[0]).settings(), LinkSettings::default());
    assert_eq!(router.next_due(), None);
}

#[test]
fn cuts_of_services_end_one_by_one() {
    let mut router = router(&[]);
    let id = [router.between(1, 2).expect("a link")];
    let mut cut = |port, so, undo_at| {
        router.change(MS, &id, &LinkChange::cutting(port, so), undo_at).expect("possible");
    };
    cut(Some(Service::Etcd), Cut::Yes, Some(50 * MS));
    cut(Some(Service::Patroni), Cut::Yes, None);
    cut(None, Cut::Yes, None);
    cut(None, Cut::No, None);
    router.expire(50 * MS);
    let left: Vec<&Service> = router.link(id[0]).settings().cut_ports.keys().collect();
    assert_eq!(left, [&Service::Patroni]);
}

#[test]
fn links_are_in_the_order_of_their_sites_whatever_the_order_given() {
    let mut sites = sites();
    sites.reverse();
    let mut router: Router<u32> = Router::new(&sites, &[(3, 1, latency(MS))], 9).expect("a router");
    let state = router.state(5 * MS, true);
    let links: Vec<String> = state.links.iter().map(|l| format!("{}-{}", l.from, l.to)).collect();
    assert_eq!(links, ["DC1-DC2", "DC1-DC3", "DC2-DC1", "DC2-DC3", "DC3-DC1", "DC3-DC2"]);
    assert_eq!(state.links[4].settings, latency(MS));
    assert_eq!(router.ids().nth(4), router.between(3, 1));
    assert_eq!((state.seed, state.running_ms, state.waiting_for_cluster), (9, 5, true));
}

#[test]
fn a_direction_that_does_not_exist_is_refused_with_those_that_do() {
    let router = router(&[]);
    let unknown = router.find(&direction("DC1", "DC9")).expect_err("no such site");
    assert_eq!(unknown, "there is no site \"DC9\"; the sites are DC1, DC2, DC3");
    let itself = router.find(&direction("DC2", "DC2")).expect_err("itself");
    assert!(itself.contains("DC2 to itself"), "{itself}");
    assert!(Router::<u32>::new(&sites(), &[(1, 1, latency(MS))], 1).is_err());
    assert!(Router::<u32>::new(&sites(), &[(1, 4, latency(MS))], 1).is_err());
    let twice = [sites(), sites()].concat();
    assert!(Router::<u32>::new(&twice, &[], 1).is_err());
}

#[test]
fn a_change_that_one_link_cannot_have_changes_none() {
    let slow = LinkSettings { mtu: 68, rate: "1kbit".parse().ok(), ..LinkSettings::default() };
    let mut router = router(&[(1, 2, latency(MS)), (1, 3, slow)]);
    let ids: Vec<LinkId> = router.ids().collect();
    let before = router.state(MS, false);
    let change = LinkChange { mtu: Some(1500), latency: Some(9 * MS), ..LinkChange::default() };
    let error = router.change(MS, &ids, &change, None).expect_err("the rate is too low for it");
    assert!(error.contains("12kbit"), "{error}");
    assert_eq!(router.state(MS, false), before);
}

fn loss(parts: u32) -> LinkChange {
    LinkChange { loss: Some(Share::per_million(parts)), ..LinkChange::default() }
}

fn later(latency: Duration) -> LinkChange {
    LinkChange { latency: Some(latency), ..LinkChange::default() }
}

#[test]
fn a_lasting_change_of_the_same_ends_a_temporary_one() {
    let mut router = router(&[(1, 2, latency(30 * MS))]);
    let id = router.between(1, 2).expect("a link");
    router.change(MS, &[id], &later(90 * MS), Some(50 * MS)).expect("possible");
    assert_eq!(router.state(10 * MS, false).links[0].undone_in_ms, Some(40));
    router.change(20 * MS, &[id], &later(60 * MS), None).expect("possible");
    assert_eq!(router.state(20 * MS, false).links[0].undone_in_ms, None);
    assert_eq!(router.next_due(), None);
    router.expire(60 * MS);
    assert_eq!(*router.link(id).settings(), latency(60 * MS));
}

#[test]
fn a_lasting_change_stays_when_a_temporary_one_of_something_else_ends() {
    let mut router = router(&[]);
    let id = router.between(1, 2).expect("a link");
    let cut = LinkChange::cutting(None, Cut::Yes);
    router.change(MS, &[id], &cut, Some(50 * MS)).expect("possible");
    router.change(2 * MS, &[id], &later(60 * MS), None).expect("possible");
    assert_eq!(router.link(id).settings().cut, Cut::Yes);
    router.expire(50 * MS);
    assert_eq!(*router.link(id).settings(), latency(60 * MS));
}

#[test]
fn reset_brings_the_specification_and_forgets_what_was_to_be_undone() {
    let mut router = router(&[(1, 2, latency(30 * MS)), (2, 1, latency(40 * MS))]);
    let [id, back] = [(1, 2), (2, 1)].map(|(f, t)| router.between(f, t).expect("a link"));
    router.clear(MS, &[]);
    assert_eq!(*router.link(id).settings(), LinkSettings::default());
    router.change(MS, &[id, back], &loss(10_000), Some(50 * MS)).expect("possible");
    router.reset(2 * MS, &[id]);
    assert_eq!(*router.link(id).settings(), latency(30 * MS));
    assert_eq!(router.link(back).settings().loss, Share::per_million(10_000));
    router.reset(3 * MS, &[]);
    assert_eq!((router.next_due(), router.link(back).settings()), (None, &latency(40 * MS)));
}

#[test]
fn links_that_space_or_tell_packets_apart_want_them_one_by_one() {
    let one = Share::per_million(1);
    let with = |change: LinkChange| {
        let mut router = router(&[(1, 2, latency(MS))]);
        let id = router.between(1, 2).expect("a link");
        router.change(MS, &[id], &change, None).expect("possible");
        router.treatment(id)
    };
    let none = LinkChange::default();
    assert_eq!(with(none.clone()), Treatment::Whole);
    assert_eq!(with(LinkChange::cutting(None, Cut::Yes)), Treatment::Whole);
    assert_eq!(with(LinkChange { mtu: Some(900), ..none.clone() }), Treatment::Whole);
    for change in [
        loss(1),
        LinkChange { duplicate: Some(one), ..none.clone() },
        LinkChange { reorder: Some(one), ..none.clone() },
        LinkChange { jitter: Some(MS), ..none.clone() },
        LinkChange { rate: "1gbit".parse().ok(), ..none },
    ] {
        assert_eq!(with(change), Treatment::Packets);
    }
}

#[test]
fn all_links_together_hold_no_more_than_the_limit() {
    let asked = [(1, 2, latency(MS)), (1, 3, latency(MS)), (2, 1, latency(MS))];
    let limits = Limits { link: 40_000, all: 100_000 };
    let mut router = router(&asked).with_limits(limits);
    for n in 0..100 {
        for id in router.ids().collect::<Vec<_>>() {
            router.offer(MS, id, 1000, 1, n, |_| None);
            assert!(router.held_bytes() <= limits.all && router.link(id).held() <= limits.link);
        }
    }
    let overflow: u64 = router.ids().map(|id| router.link(id).counters().overflow).sum();
    let mut out = 0;
    while router.pop_due(2 * MS).is_some() {
        out += 1;
    }
    assert_eq!((out + overflow, router.held_bytes()), (300, 0));
    assert!(out >= 80 && router.is_empty());
    // What is not held needs no room.
    let free = router.between(3, 2).expect("a link");
    assert_eq!(router.link(free).counters().delivered, 100);
}

mod arbitrary {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A packet is dropped for its service exactly where that is cut, and every one is accounted for.
        #[test]
        fn packets_of_a_service_that_is_cut_are_dropped_and_no_others(
            cut in proptest::collection::btree_set(proptest::sample::select(&Service::ALL[..]), 0..3),
            packets in proptest::collection::vec(
                (
                    proptest::sample::select(vec![5432, 2379, 2380, 8008, 8432, 22, 40_000]),
                    any::<u16>(),
                    any::<bool>(),
                    proptest::sample::select(vec![crate::packet::TCP, crate::packet::UDP]),
                    0u16..3,
                ),
                0..50,
            ),
        ) {
            let mut router = router(&[]);
            let id = router.between(1, 2).expect("a link");
            for service in &cut {
                let change = LinkChange::cutting(Some(*service), Cut::Yes);
                router.change(MS, &[id], &change, None).expect("possible");
            }
            let count = packets.len() as u64;
            for (port, other, back, protocol, fragment) in packets {
                let ports = if back { [port, other] } else { [other, port] };
                let mut bytes = tcp(1, 2, ports);
                bytes[9] = protocol;
                bytes[6..8].copy_from_slice(&fragment.to_be_bytes());
                let first = protocol == crate::packet::TCP && fragment == 0;
                let dropped = drops(&mut router, MS, &bytes);
                prop_assert_eq!(dropped, first && cut.iter().any(|s| s.has(ports)));
                if !dropped {
                    prop_assert_eq!(router.offer(MS, id, 40, 1, 0, |_| None), Offer::Now(0));
                }
            }
            let counters = *router.link(id).counters();
            prop_assert_eq!(counters.packets, count);
            prop_assert_eq!(counters.delivered + counters.cut, count);
        }

        /// Whatever is offered and changed, moments never fall and nothing is left.
        #[test]
        fn packets_come_out_when_the_router_says_and_in_that_order(
            asked in proptest::collection::vec((0u32..40, 0u32..4, 0u64..3), 6),
            steps in proptest::collection::vec((0usize..6, 0u32..3000, 0u32..20), 1..200),
        ) {
            let mut router = router(&[]);
            let ids: Vec<LinkId> = router.ids().collect();
            for (id, (latency, jitter, mbit)) in ids.iter().zip(asked) {
                let change = LinkChange {
                    latency: Some(latency * MS),
                    jitter: Some(jitter * MS),
                    reorder: Some(Share::per_million(50_000)),
                    rate: format!("{}mbit", mbit.max(1)).parse().ok().filter(|_| mbit > 0),
                    ..LinkChange::default()
                };
                router.change(Duration::ZERO, &[*id], &change, None).expect("possible");
            }
            let (mut now, mut out, mut kept) = (Duration::ZERO, 0, 0);
            let mut drain = |router: &mut Router<u32>, until: Duration| {
                let mut last = Duration::ZERO;
                while let Some(at) = router.next_due().filter(|at| *at <= until) {
                    prop_assert!(at >= last);
                    last = at;
                    out += u32::from(router.pop_due(at).is_some());
                }
                prop_assert!(router.pop_due(until).is_none());
                Ok(out)
            };
            for (link, gap, kind) in steps {
                now += Duration::from_micros(gap.into());
                drain(&mut router, now)?;
                if kind == 0 {
                    let undo = Some(now + 3 * MS);
                    router.change(now, &ids[link..], &later(MS), undo).expect("possible");
                } else if matches!(
                    router.offer(now, ids[link], 1500, 1, gap, |_| None),
                    Offer::Kept
                ) {
                    kept += 1;
                }
            }
            prop_assert_eq!(drain(&mut router, now + Duration::from_secs(100))?, kept);
            prop_assert!(router.is_empty() && router.next_due().is_none());
        }
    }
}
