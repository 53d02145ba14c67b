//! The router's engine allocates nothing for a packet once its queues have grown.
//!
//! A program of its own, since counting replaces the allocator.

use std::time::Duration;

use pgha_wan::link::Offer;
use pgha_wan::packet::{REPLY_MAX, too_big_reply};
use pgha_wan::router::Router;
use pgha_wan::segment::Segments;
use pgha_wan::settings::{LinkSettings, Share};

const US: Duration = Duration::from_micros(1);

/// A TCP packet from site 1 to site 2 with a payload of zeros.
fn packet(len: u16) -> Vec<u8> {
    let mut bytes = vec![0; usize::from(len)];
    bytes[0] = 0x45;
    bytes[2..4].copy_from_slice(&len.to_be_bytes());
    bytes[9] = 6;
    bytes[12..16].copy_from_slice(&[198, 18, 1, 1]);
    bytes[16..20].copy_from_slice(&[198, 18, 2, 1]);
    bytes[32] = 0x50;
    bytes
}

fn settings() -> LinkSettings {
    let share = Share::per_million(20_000);
    LinkSettings {
        latency: Duration::from_millis(20),
        jitter: Duration::from_millis(2),
        loss: share,
        burst: Some(3),
        duplicate: share,
        reorder: share,
        rate: "900mbit".parse().ok(),
        ..LinkSettings::default()
    }
}

/// Splits super-packets into a link that is asked for everything, for some time, and takes what
/// comes out.
fn second(router: &mut Router<u32>, super_packet: &[u8], from: Duration) -> u64 {
    let mut segment = [0; 1500];
    let mut out = 0;
    for n in 0..2_000u32 {
        let now = from + n * 500 * US;
        let (link, _) = router.classify(super_packet).expect("a packet of the cluster");
        let segments = Segments::of(super_packet, 1460).expect("a super-packet");
        for i in 0..segments.count() {
            let len = segments.write(i, &mut segment).expect("long enough");
            let bytes = u32::try_from(len).expect("short");
            if let Offer::Now(_) = router.offer(now, link, bytes, 1, i, |&p| Some(p)) {
                out += 1;
            }
        }
        let reply =
            too_big_reply(super_packet, 1400, [198, 18, 1, 254].into(), &mut [0; REPLY_MAX]);
        assert!(reply.is_some());
        while router.pop_due(now).is_some() {
            out += 1;
        }
    }
    out
}

#[test]
fn a_packet_costs_no_allocation() {
    let sites: Vec<(u8, String)> = (1..=3).map(|n| (n, format!("DC{n}"))).collect();
    let mut router = Router::new(&sites, &[(1, 2, settings())], 1).expect("a router");
    let super_packet = packet(60_000);
    // Queues grow to what this traffic needs.
    for n in 0..4 {
        second(&mut router, &super_packet, Duration::from_secs(n));
    }
    let mut out = 0;
    let counted = allocation_counter::measure(|| {
        out = second(&mut router, &super_packet, Duration::from_secs(4));
    });
    assert!(out > 50_000, "{out} packets came out");
    assert_eq!(counted.count_total, 0);
}
