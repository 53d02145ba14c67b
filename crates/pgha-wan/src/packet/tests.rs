use super::*;
use etherparse::{Icmpv4Slice, Icmpv4Type, Ipv4HeaderSlice, PacketBuilder, TcpSlice};
use proptest::prelude::*;

fn tcp(payload: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv4([198, 18, 1, 2], [198, 18, 2, 3], 64)
        .tcp(5432, 40_000, 1, 1000)
        .write(&mut bytes, &vec![7; payload])
        .expect("a packet fits into memory");
    bytes
}

#[test]
fn bytes_that_are_no_packet_are_refused_by_what_is_wrong_with_them() {
    let good = tcp(100);
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        View::parse(&bytes)
    };
    assert_eq!(View::parse(&[]), Err(Malformed::Short));
    assert_eq!(View::parse(&good[..19]), Err(Malformed::Short));
    assert_eq!(with(0, 0x65), Err(Malformed::Version));
    assert_eq!(with(0, 0x44), Err(Malformed::HeaderLength));
    assert_eq!(View::parse(&[&[0x4f], &good[1..30]].concat()), Err(Malformed::HeaderLength));
    assert_eq!(with(2, 0xff), Err(Malformed::TotalLength));
    assert_eq!(with(3, 10), Err(Malformed::TotalLength));
    assert_eq!(View::parse(&good[..good.len() - 1]), Err(Malformed::TotalLength));
}

#[test]
fn bytes_beyond_the_total_length_are_not_of_the_packet() {
    let mut bytes = tcp(100);
    bytes.extend([0; 6]);
    assert_eq!(View::parse(&bytes).map(|view| view.total_len), Ok(140));
}

#[test]
fn ports_are_those_of_tcp_and_of_its_first_fragment() {
    let mut bytes = tcp(100);
    let ports = |bytes: &[u8]| View::parse(bytes).expect("a packet").tcp_ports(bytes);
    assert_eq!(ports(&bytes), Some([5432, 40_000]));
    bytes[6] = 0x20;
    assert_eq!(ports(&bytes), Some([5432, 40_000]));
    bytes[7] = 1;
    assert_eq!(ports(&bytes), None);
    let mut udp = tcp(100);
    udp[9] = UDP;
    assert_eq!(ports(&udp), None);
    let mut short = tcp(100);
    put_u16(&mut short, 2, 23);
    assert_eq!(ports(&short), None);
}

#[test]
fn a_site_is_the_third_number_of_a_cluster_address() {
    assert_eq!(site_of(Ipv4Addr::new(198, 18, 3, 11)), Some(3));
    assert_eq!(site_of(Ipv4Addr::new(198, 19, 3, 11)), None);
    assert_eq!(site_of(Ipv4Addr::new(10, 18, 3, 11)), None);
}

#[test]
fn the_answer_to_a_packet_too_big_is_one_that_another_parser_takes() {
    for payload in [0, 10, 1400, 9000] {
        let packet = tcp(payload);
        let mut out = [0; REPLY_MAX];
        let from = Ipv4Addr::new(198, 18, 1, 254);
        let len = too_big_reply(&packet, 1400, from, &mut out).expect("an answer");
        let header = Ipv4HeaderSlice::from_slice(&out[..len]).expect("a header");
        assert_eq!(header.source_addr(), from);
        assert_eq!(header.destination_addr(), Ipv4Addr::new(198, 18, 1, 2));
        assert_eq!(usize::from(header.total_len()), len);
        assert_eq!(header.header_checksum(), header.to_header().calc_header_checksum());
        let icmp = Icmpv4Slice::from_slice(&out[20..len]).expect("an ICMP message");
        let Icmpv4Type::DestinationUnreachable(what) = icmp.icmp_type() else { panic!("{icmp:?}") };
        assert_eq!(what.code_u8(), 4);
        assert_eq!(u16_at(&out, 26), 1400);
        assert_eq!(icmp.checksum(), icmp.icmp_type().calc_checksum(icmp.payload()));
        assert_eq!(icmp.payload(), &packet[..packet.len().min(548)]);
    }
}

#[test]
fn no_error_is_sent_to_errors_later_fragments_or_many_hosts() {
    let mut out = [0; REPLY_MAX];
    let mut answer = |packet: &[u8]| too_big_reply(packet, 1400, Ipv4Addr::LOCALHOST, &mut out);
    let mut error = [0; REPLY_MAX];
    let len = too_big_reply(&tcp(10), 1400, Ipv4Addr::new(198, 18, 1, 254), &mut error);
    assert_eq!(answer(&error[..len.expect("an answer")]), None);
    let mut fragment = tcp(10);
    fragment[7] = 1;
    assert_eq!(answer(&fragment), None);
    for source in [[224, 0, 0, 1], [255; 4], [127, 0, 0, 1], [0; 4]] {
        let mut packet = tcp(10);
        packet[12..16].copy_from_slice(&source);
        assert_eq!(answer(&packet), None);
    }
    assert_eq!(too_big_reply(&tcp(10), 1400, Ipv4Addr::LOCALHOST, &mut [0; 40]), None);
}

#[test]
fn a_checksum_left_to_the_device_is_completed() {
    let mut packet = tcp(101);
    let right = u16_at(&packet, 36);
    let len = u16::try_from(packet.len() - 20).expect("short");
    let partial =
        pseudo_header_sum(Ipv4Addr::new(198, 18, 1, 2), Ipv4Addr::new(198, 18, 2, 3), TCP, len);
    put_u16(&mut packet, 36, partial);
    assert!(complete_checksum(&mut packet, 20, 16));
    assert_eq!(u16_at(&packet, 36), right);
    assert!(!complete_checksum(&mut packet, 130, 16));
    assert!(!complete_checksum(&mut packet, usize::MAX, 16));
    assert!(TcpSlice::from_slice(&packet[20..]).is_ok());
}

proptest! {
    #[test]
    fn a_header_is_read_as_another_parser_reads_it(
        mut bytes in proptest::collection::vec(any::<u8>(), 20..120),
        plausible in any::<bool>(),
    ) {
        if plausible {
            bytes[0] = 0x45 + bytes[0] % 4;
            let len = u16::try_from(bytes.len()).expect("short");
            let total = len - u16::from(bytes[3] % 8);
            put_u16(&mut bytes, 2, total);
        }
        let Ok(view) = View::parse(&bytes) else {
            // The other one does not look at the total length.
            let read = Ipv4HeaderSlice::from_slice(&bytes).is_ok_and(|header| {
                let total = usize::from(header.total_len());
                total >= header.slice().len() && total <= bytes.len()
            });
            prop_assert!(!read, "another parser reads it");
            return Ok(());
        };
        let other = Ipv4HeaderSlice::from_slice(&bytes).expect("the other one reads it too");
        prop_assert_eq!(view, View {
            src: other.source_addr(),
            dst: other.destination_addr(),
            header_len: other.slice().len(),
            total_len: other.total_len().into(),
            df: other.dont_fragment(),
            more_fragments: other.more_fragments(),
            fragment_offset: usize::from(other.fragments_offset().value()) * 8,
            protocol: other.protocol().0,
        });
    }

    #[test]
    fn a_sum_of_words_is_the_sum_of_its_parts(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        at in 0usize..100,
    ) {
        let mut plain: u32 = 0;
        for pair in bytes.chunks(2) {
            let word = [pair[0], *pair.get(1).unwrap_or(&0)];
            plain += u32::from(u16::from_be_bytes(word));
        }
        while plain > 0xffff {
            plain = (plain & 0xffff) + (plain >> 16);
        }
        prop_assert_eq!(u32::from(sum(0, &bytes)), plain);
        let (head, tail) = bytes.split_at((at * 2).min(bytes.len() / 2 * 2));
        prop_assert_eq!(sum(sum(0, head), tail), sum(0, &bytes));
    }
}
