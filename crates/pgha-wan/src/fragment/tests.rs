use super::*;
use crate::packet::{complete_checksum, too_big_reply};
use crate::segment::Segments;
use etherparse::{Ipv4HeaderSlice, PacketBuilder};
use proptest::prelude::*;
use std::net::Ipv4Addr;

/// A UDP packet; `options` go into its header, in whole words.
fn packet(payload: usize, options: &[u8]) -> Vec<u8> {
    let body: Vec<u8> = (0..payload).map(|i| (i % 251).to_le_bytes()[0]).collect();
    let mut bytes = Vec::new();
    PacketBuilder::ipv4([198, 18, 1, 2], [198, 18, 2, 3], 64)
        .udp(4000, 4001)
        .write(&mut bytes, &body)
        .expect("a packet fits into memory");
    bytes[6] = 0;
    let header = 20 + options.len();
    bytes.splice(20..20, options.iter().copied());
    bytes[0] = 0x40 | u8::try_from(header / 4).expect("at most 60");
    let total = u16::try_from(bytes.len()).expect("at most 65535");
    put_u16(&mut bytes, 2, total);
    seal(&mut bytes[..header]);
    bytes
}

/// Puts fragments together again as a host does, and checks each.
fn reassembled(packet: &[u8], mtu: u16) -> Vec<u8> {
    let mut fragments = Fragments::of(packet, mtu).expect("larger than the MTU");
    let mut out = vec![0; usize::from(mtu)];
    let (mut payload, mut ended) = (Vec::new(), false);
    while let Some(len) = fragments.write_next(&mut out) {
        let header = Ipv4HeaderSlice::from_slice(&out[..len]).expect("a header");
        assert!(!ended && len <= usize::from(mtu));
        assert_eq!(usize::from(header.total_len()), len);
        assert_eq!(header.header_checksum(), header.to_header().calc_header_checksum());
        assert_eq!(usize::from(header.fragments_offset().value()) * 8, payload.len());
        payload.extend_from_slice(&out[header.slice().len()..len]);
        ended = !header.more_fragments();
    }
    assert!(ended);
    payload
}

proptest! {
    #[test]
    fn fragments_fit_and_are_the_packet_when_put_together(
        payload in 100usize..20_000,
        mtu in 68u16..1501,
        words in 0usize..11,
    ) {
        let packet = packet(payload, &vec![1; words * 4]);
        prop_assume!(packet.len() > usize::from(mtu));
        prop_assert_eq!(&reassembled(&packet, mtu)[..], &packet[20 + words * 4..]);
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..300),
        plausible: bool,
        mtu: u16,
        gso_size: u16,
        start: usize,
    ) {
        if let (true, [first, .., _]) = (plausible && bytes.len() > 3, &mut bytes[..]) {
            *first = 0x45 + *first % 11;
            let len = u16::try_from(bytes.len()).expect("short");
            put_u16(&mut bytes, 2, len);
        }
        let mut out = [0; 600];
        let _ = too_big_reply(&bytes, mtu, Ipv4Addr::new(198, 18, 1, 254), &mut out);
        if let Some(mut fragments) = Fragments::of(&bytes, mtu) {
            while fragments.write_next(&mut out).is_some() {}
        }
        if let Ok(segments) = Segments::of(&bytes, gso_size) {
            for n in 0..segments.count() {
                prop_assert!(segments.write(n, &mut out).is_some());
            }
        }
        let _ = complete_checksum(&mut bytes, start, 16);
    }
}

#[test]
fn only_options_that_are_to_be_copied_are_in_later_fragments() {
    // Record route (not copied), a loose source route (copied), and the end.
    let options = [7, 7, 4, 0, 0, 0, 0, 0x83, 7, 4, 9, 9, 9, 9, 0, 0];
    let packet = packet(2000, &options);
    let mut fragments = Fragments::of(&packet, 576).expect("larger");
    let mut out = [0; 576];
    let first = fragments.write_next(&mut out).expect("a fragment");
    assert_eq!(
        Ipv4HeaderSlice::from_slice(&out[..first]).expect("a header").options(),
        &options[..]
    );
    let second = fragments.write_next(&mut out).expect("a fragment");
    let header = Ipv4HeaderSlice::from_slice(&out[..second]).expect("a header");
    assert_eq!(header.options(), &[0x83, 7, 4, 9, 9, 9, 9, 0]);
    assert_eq!(&reassembled(&packet, 576)[..], &packet[36..]);
}

#[test]
fn a_fragment_of_a_fragment_keeps_its_place_and_that_more_follow() {
    let whole = packet(3000, &[]);
    let mut out = [0; 1500];
    let mut fragments = Fragments::of(&whole, 1500).expect("larger");
    fragments.write_next(&mut out).expect("the first");
    let len = fragments.write_next(&mut out).expect("the second");
    let second = out[..len].to_vec();
    let mut smaller = Fragments::of(&second, 576).expect("larger");
    let mut last = (0, false);
    while let Some(len) = smaller.write_next(&mut out) {
        let view = View::parse(&out[..len]).expect("a packet");
        last = (view.fragment_offset + len - 20, view.more_fragments);
    }
    let view = View::parse(&second).expect("a packet");
    assert_eq!(last, (view.fragment_offset + second.len() - 20, view.more_fragments));
}

#[test]
fn what_may_not_be_split_or_fits_is_left_alone() {
    let mut bytes = packet(2000, &[]);
    assert!(Fragments::of(&bytes, 2028).is_none());
    assert!(Fragments::of(&bytes, 27).is_none());
    assert!(Fragments::of(&bytes, 28).is_some());
    bytes[6] = 0x40;
    assert!(Fragments::of(&bytes, 1500).is_none());
}
