use super::*;
use crate::settings::{Distribution, QueueLimit, Share};
use proptest::prelude::*;

mod arbitrary;
mod statistics;
mod sweep;

const US: Duration = Duration::from_micros(1);
const MS: Duration = Duration::from_millis(1);
const ROOM: u64 = u64::MAX;

fn link(settings: LinkSettings) -> Link<u32> {
    crate::limits::check(&settings).expect("possible settings");
    Link::new(1, 2, settings, 7)
}

fn latency(latency: Duration) -> LinkSettings {
    LinkSettings { latency, ..LinkSettings::default() }
}

fn rated(bits: u64, queue: QueueLimit) -> LinkSettings {
    LinkSettings { rate: Some(Rate::bits_per_second(bits)), queue, ..LinkSettings::default() }
}

fn put(link: &mut Link<u32>, at: Duration, bytes: u32, payload: u32) -> Offer<u32> {
    link.offer(at, (bytes, 1), payload, |&p| Some(p), ROOM)
}

/// Everything that comes out up to a moment, with the moment of each.
fn drain(link: &mut Link<u32>, until: Duration) -> Vec<(Duration, u32)> {
    let mut out = Vec::new();
    while let Some(at) = link.next_due().filter(|at| *at <= until) {
        out.extend(link.pop_due(at).map(|payload| (at, payload)));
    }
    out
}

fn balanced(link: &Link<u32>) -> bool {
    let c = link.counters();
    let dropped = c.lost + c.cut + c.queue_full + c.overflow + c.too_big;
    c.packets + c.duplicated
        == c.delivered + dropped + link.queued().packets + link.flying().packets
}

#[test]
fn a_packet_leaves_when_its_last_bit_has_passed() {
    let mut link =
        link(LinkSettings { latency: 10 * MS, ..rated(8_000_000, QueueLimit::Bytes(10_000)) });
    for n in 0..3 {
        assert_eq!(put(&mut link, MS, 1000, n), Offer::Kept);
    }
    assert_eq!(drain(&mut link, 100 * MS), [(12 * MS, 0), (13 * MS, 1), (14 * MS, 2)]);
}

#[test]
fn the_newest_is_dropped_where_the_queue_is_full() {
    let mut link = link(rated(8_000_000, QueueLimit::Bytes(3000)));
    let offers: Vec<Offer<u32>> = (0..5).map(|n| put(&mut link, MS, 1000, n)).collect();
    assert_eq!(offers[..3], [Offer::Kept; 3]);
    assert_eq!(offers[3..], [Offer::Dropped(3), Offer::Dropped(4)]);
    assert_eq!(link.counters().queue_full, 2);
    assert_eq!(put(&mut link, 2 * MS, 1000, 5), Offer::Kept);
    assert!(balanced(&link));
}

#[test]
fn a_packet_that_is_reordered_overtakes_and_the_others_keep_their_order() {
    let mut link = link(latency(10 * MS));
    put(&mut link, MS, 100, 0);
    link.change(MS, LinkSettings { reorder: Share::ALL, ..latency(10 * MS) });
    assert_eq!(put(&mut link, 2 * MS, 100, 1), Offer::Now(1));
    link.change(2 * MS, latency(10 * MS));
    put(&mut link, 3 * MS, 100, 2);
    assert_eq!(drain(&mut link, 50 * MS), [(11 * MS, 0), (13 * MS, 2)]);
}

#[test]
fn a_packet_that_is_reordered_waits_for_the_rate() {
    let half = LinkSettings {
        latency: 50 * MS,
        reorder: Share::per_million(500_000),
        ..rated(8_000_000, QueueLimit::Bytes(1_000_000))
    };
    let mut link = link(half);
    for n in 0..100 {
        put(&mut link, Duration::ZERO, 1000, n);
    }
    let out = drain(&mut link, 500 * MS);
    let passed = |n: u32| (n + 1) * MS;
    let express = out.iter().filter(|(at, n)| *at == passed(*n)).count();
    let delayed: Vec<u32> =
        out.iter().filter(|(at, n)| *at == passed(*n) + 50 * MS).map(|(_, n)| *n).collect();
    assert_eq!(express + delayed.len(), 100);
    assert!(delayed.is_sorted() && out.is_sorted_by_key(|(at, _)| *at));
    assert!((30..70).contains(&express) && link.counters().reordered <= express as u64);
}

#[test]
fn a_duplicate_comes_right_behind_its_original() {
    let mut link = link(LinkSettings { duplicate: Share::ALL, ..latency(5 * MS) });
    put(&mut link, MS, 100, 1);
    put(&mut link, 2 * MS, 100, 2);
    assert_eq!(link.offer(3 * MS, (100, 1), 3, |_| None, ROOM), Offer::Kept);
    let out: Vec<u32> = drain(&mut link, 50 * MS).into_iter().map(|(_, n)| n).collect();
    assert_eq!((out, link.counters().duplicated), (vec![1, 1, 2, 2, 3], 2));
    assert!(balanced(&link));
}

#[test]
fn a_duplicate_for_which_there_is_no_room_is_counted_and_never_made() {
    let asked = LinkSettings { duplicate: Share::ALL, ..rated(8_000_000, QueueLimit::Bytes(3000)) };
    let mut link = link(asked);
    // The second packet finds 2000 bytes waiting: it fits, and its copy does not.
    for n in 0..2 {
        let copy = |&p: &u32| (n == 0).then_some(p).or_else(|| panic!("{p} was copied"));
        assert_eq!(link.offer(MS, (1000, 1), n, copy, ROOM), Offer::Kept);
    }
    assert_eq!((link.counters().duplicated, link.counters().queue_full), (2, 1));
    assert!(balanced(&link));
}

#[test]
fn cut_takes_what_comes_and_not_what_is_on_its_way() {
    let mut link = link(latency(10 * MS));
    put(&mut link, MS, 100, 1);
    link.change(2 * MS, LinkSettings { cut: Cut::Yes, ..latency(10 * MS) });
    assert_eq!(put(&mut link, 3 * MS, 100, 2), Offer::Dropped(2));
    assert_eq!(drain(&mut link, 50 * MS), [(11 * MS, 1)]);
    assert_eq!(link.counters().cut, 1);
}

#[test]
fn a_shorter_latency_concerns_what_is_flying_and_a_longer_one_does_not() {
    let mut link = link(latency(500 * MS));
    put(&mut link, Duration::ZERO, 100, 1);
    put(&mut link, 10 * MS, 100, 2);
    link.change(20 * MS, latency(900 * MS));
    link.change(30 * MS, latency(5 * MS));
    put(&mut link, 31 * MS, 100, 3);
    assert_eq!(drain(&mut link, MS * 1000), [(35 * MS, 1), (35 * MS, 2), (36 * MS, 3)]);
}

#[test]
fn a_higher_rate_shortens_what_is_passing_by_what_has_not_passed() {
    let queue = QueueLimit::Bytes(10_000);
    let mut link = link(rated(8_000_000, queue));
    put(&mut link, Duration::ZERO, 1000, 1);
    put(&mut link, Duration::ZERO, 1000, 2);
    // A slower one waits for the next packet, and is not what the first one passes at.
    link.change(200 * US, rated(100_000, queue));
    link.change(500 * US, rated(80_000_000, queue));
    assert_eq!(drain(&mut link, MS * 10), [(550 * US, 1), (650 * US, 2)]);
}

#[test]
fn without_a_rate_the_queue_flies_at_once() {
    let slow = rated(80_000, QueueLimit::Bytes(10_000));
    let mut link = link(LinkSettings { latency: 5 * MS, ..slow });
    for n in 0..3 {
        put(&mut link, Duration::ZERO, 1000, n);
    }
    link.change(MS, latency(5 * MS));
    assert_eq!((link.queued(), link.flying().packets), (Load::default(), 3));
    assert_eq!(drain(&mut link, 50 * MS), [(6 * MS, 0), (6 * MS, 1), (6 * MS, 2)]);
}

#[test]
fn no_more_is_held_than_there_is_room_for() {
    let mut link = link(LinkSettings { duplicate: Share::ALL, ..latency(10 * MS) });
    let room = 3 * (100 + HELD_OVERHEAD);
    for n in 0..4 {
        let left = room - link.held();
        link.offer(MS, (100, 1), n, |&p| Some(p), left);
        assert!(balanced(&link) && link.held() <= room);
    }
    // Two, one without its copy, and two that are dropped with theirs.
    assert_eq!((link.flying().packets, link.counters().overflow), (3, 5));
    assert_eq!((drain(&mut link, 50 * MS).len(), link.held()), (3, 0));
}

#[test]
fn what_is_too_big_is_counted_as_come_and_gone() {
    let mut link = link(latency(MS));
    link.too_big(1600);
    put(&mut link, MS, 1500, 1);
    assert_eq!((link.counters().packets, link.counters().bytes), (2, 3100));
    assert!(balanced(&link));
}
