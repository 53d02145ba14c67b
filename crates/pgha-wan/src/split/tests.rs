use std::collections::BTreeMap;

use etherparse::{Ipv4HeaderSlice, PacketBuilder, TcpSlice};

use super::*;
use crate::packet::{TCP, View, pseudo_header_sum};

const MTUS: [u16; 5] = [68, 400, 551, 552, 1500];

/// A packet of TCP as a kernel hands it over that leaves checksums and segments to the device.
fn tcp(payload: usize, df: bool) -> Vec<u8> {
    let body: Vec<u8> = (0..payload).map(|i| (i % 251).to_le_bytes()[0]).collect();
    let mut bytes = Vec::new();
    PacketBuilder::ipv4([198, 18, 1, 2], [198, 18, 2, 3], 64)
        .tcp(5432, 40_000, 7, 1000)
        .ack(77)
        .write(&mut bytes, &body)
        .expect("a packet fits into memory");
    bytes[6] = if df { 0x40 } else { 0 };
    let view = View::parse(&bytes).expect("a packet");
    let len = u16::try_from(bytes.len() - 20).expect("short");
    let open = pseudo_header_sum(view.src, view.dst, TCP, len);
    bytes[36..38].copy_from_slice(&open.to_be_bytes());
    bytes
}

/// Puts fragments together as a host does, and gives the TCP payload of every packet by sequence number,
/// each with a correct checksum.
fn received(packets: &[Vec<u8>], mtu: u16) -> Vec<u8> {
    let mut parts: BTreeMap<u16, Vec<u8>> = BTreeMap::new();
    let mut stream = BTreeMap::new();
    for packet in packets {
        assert!(packet.len() <= usize::from(mtu), "{} bytes with an MTU of {mtu}", packet.len());
        let ip = Ipv4HeaderSlice::from_slice(packet).expect("a header");
        let whole = parts.entry(ip.identification()).or_default();
        assert_eq!(usize::from(ip.fragments_offset().value()) * 8, whole.len());
        whole.extend_from_slice(&packet[ip.slice().len()..]);
        if ip.more_fragments() {
            continue;
        }
        let whole = parts.remove(&ip.identification()).expect("it was begun");
        let tcp = TcpSlice::from_slice(&whole).expect("a TCP header");
        let sum = tcp.calc_checksum_ipv4(ip.source(), ip.destination()).expect("short");
        assert!(
            tcp.checksum() == sum || (sum == 0 && tcp.checksum() == 0xffff),
            "a wrong checksum"
        );
        stream.insert(tcp.sequence_number(), tcp.payload().to_vec());
    }
    assert!(parts.is_empty(), "a fragment is missing");
    stream.into_values().flatten().collect()
}

fn split(mut packet: Vec<u8>, left: Left, mtu: u16) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let split = Splitter::new().split(&mut packet, left, mtu, |one| all.push(one.to_vec()));
    split.expect("TCP");
    all
}

#[test]
fn what_may_be_split_arrives_whole_with_every_mtu_with_and_without_offload() {
    for mtu in MTUS {
        // The kernel makes segments of 512 bytes where it takes a path for narrower than 552.
        for (payload, left) in [
            (60_000, Left::Segments(512)),
            (60_000, Left::Segments(1448)),
            (1_460, Left::Checksum { start: 20, offset: 16 }),
            (20, Left::Checksum { start: 20, offset: 16 }),
        ] {
            let packet = tcp(payload, false);
            let packets = split(packet.clone(), left, mtu);
            assert_eq!(received(&packets, mtu), packet[40..], "{left:?} with an MTU of {mtu}");
        }
    }
}

#[test]
fn what_may_not_be_split_comes_apart_into_segments_alone() {
    for mtu in MTUS {
        let packets = split(tcp(3_000, true), Left::Segments(512), mtu);
        assert_eq!(
            packets.iter().map(Vec::len).collect::<Vec<_>>(),
            [552, 552, 552, 552, 552, 480]
        );
        let whole = split(tcp(1_000, true), Left::Checksum { start: 20, offset: 16 }, mtu);
        assert_eq!(whole.len(), 1);
    }
}

#[test]
fn the_number_of_packets_is_that_of_the_bytes() {
    let packets = split(tcp(65_000, false), Left::Segments(512), 68);
    // 48 bytes fit behind a header of 20, of 532 bytes of each segment.
    assert_eq!(packets.len(), 65_000_usize.div_ceil(512) * 12 - 1);
    let whole = split(tcp(65_000, false), Left::Checksum { start: 20, offset: 16 }, 68);
    assert_eq!(whole.len(), 65_020_usize.div_ceil(48));
}

#[test]
fn what_is_no_tcp_is_not_cut_into_segments() {
    let mut packet = tcp(3_000, false);
    packet[9] = 17;
    let split = Splitter::new().split(&mut packet, Left::Segments(512), 400, |_| {});
    assert_eq!(split, Err(Malformed::NotTcp));
}
