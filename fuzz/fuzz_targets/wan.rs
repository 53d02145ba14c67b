//! A packet is anybody's bytes: it is classified, answered, and split into pieces that are the packet.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pgha_wan::fragment::Fragments;
use pgha_wan::link::Offer;
use pgha_wan::packet::{REPLY_MAX, View, complete_checksum, too_big_reply};
use pgha_wan::router::Router;
use pgha_wan::segment::Segments;

/// What comes before the packet: an MTU, a size of segments, where a checksum starts and stands.
const PREFIX: usize = 8;

fuzz_target!(|bytes: &[u8]| {
    let Some((prefix, packet)) = bytes.split_at_checked(PREFIX) else { return };
    let number = |at: usize| u16::from_be_bytes([prefix[at], prefix[at + 1]]);
    let (mtu, gso_size) = (number(0), number(2));

    let sites = [(1, "DC1".to_owned()), (2, "DC2".to_owned())];
    let mut router: Router<()> = Router::new(&sites, &[], 0).expect("two sites");
    if let Some((link, view)) = router.classify(packet) {
        let len = u32::try_from(view.total_len).expect("16 bits");
        let offer = router.offer(Duration::ZERO, link, len, 1, (), |()| None);
        assert_eq!(offer, Offer::Now(()));
    }

    let mut reply = [0; REPLY_MAX];
    if let Some(len) = too_big_reply(packet, mtu, [198, 18, 1, 254].into(), &mut reply) {
        View::parse(&reply[..len]).expect("an answer is a packet");
        assert_eq!(
            too_big_reply(&reply[..len], mtu, [198, 18, 1, 254].into(), &mut [0; REPLY_MAX]),
            None
        );
    }

    let mut out = vec![0; 1 << 16];
    if let Some(mut fragments) = Fragments::of(packet, mtu) {
        let whole = View::parse(packet).expect("it was split");
        let mut payload = Vec::new();
        while let Some(len) = fragments.write_next(&mut out) {
            assert!(len <= usize::from(mtu));
            let view = View::parse(&out[..len]).expect("a fragment is a packet");
            assert_eq!(view.total_len, len);
            payload.extend_from_slice(&out[view.header_len..len]);
        }
        assert_eq!(payload, packet[whole.header_len..whole.total_len]);
    }

    if let Ok(segments) = Segments::of(packet, gso_size) {
        let whole = View::parse(packet).expect("it was split");
        let mut payload = Vec::new();
        for n in 0..segments.count() {
            let len = segments.write(n, &mut out).expect("as long as any packet");
            assert!(len <= segments.longest());
            let view = View::parse(&out[..len]).expect("a segment is a packet");
            let headers = view.header_len + usize::from(out[view.header_len + 12] >> 4) * 4;
            payload.extend_from_slice(&out[headers..len]);
        }
        assert!(packet[..whole.total_len].ends_with(&payload));
    }

    let mut completed = packet.to_vec();
    let _ = complete_checksum(&mut completed, number(4).into(), number(6).into());
});
