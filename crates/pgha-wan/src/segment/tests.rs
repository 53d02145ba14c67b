use super::*;
use crate::packet::complete_checksum;
use etherparse::{Ipv4HeaderSlice, PacketBuilder, TcpOptionElement, TcpSlice};
use proptest::prelude::*;

fn super_packet(payload: usize, sequence: u32, options: bool) -> Vec<u8> {
    let body: Vec<u8> = (0..payload).map(|i| (i % 251).to_le_bytes()[0]).collect();
    let mut builder = PacketBuilder::ipv4([198, 18, 1, 2], [198, 18, 2, 3], 64)
        .tcp(5432, 40_000, sequence, 1000)
        .ack(77)
        .psh()
        .fin()
        .cwr();
    if options {
        builder = builder
            .options(&[TcpOptionElement::Timestamp(1, 2), TcpOptionElement::Noop])
            .expect("they fit");
    }
    let mut bytes = Vec::new();
    builder.write(&mut bytes, &body).expect("a packet fits into memory");
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn segments_are_what_a_card_would_have_sent(
        payload in 0usize..65_000,
        gso_size in 1u16..9000,
        sequence: u32,
        options: bool,
    ) {
        let packet = super_packet(payload, sequence, options);
        let headers = if options { 52 } else { 40 };
        let segments = Segments::of(&packet, gso_size.max(40)).expect("a super-packet");
        let size = usize::from(gso_size.max(40));
        prop_assert_eq!(segments.count() as usize, payload.div_ceil(size).max(1));
        let mut out = vec![0; segments.longest()];
        let mut body = Vec::new();
        let id = u16_at(&packet, 4);
        for n in 0..segments.count() {
            let len = segments.write(n, &mut out).expect("the buffer is long enough");
            let (first, last) = (n == 0, n + 1 == segments.count());
            let segment = &mut out[..len];
            let ip = Ipv4HeaderSlice::from_slice(segment).expect("a header");
            prop_assert_eq!(usize::from(ip.total_len()), len);
            prop_assert_eq!(ip.header_checksum(), ip.to_header().calc_header_checksum());
            prop_assert_eq!(ip.identification(), id.wrapping_add(u16::try_from(n).expect("few")));
            prop_assert!(complete_checksum(segment, segments.ip_header_len(), CHECKSUM_OFFSET));
            let ip = Ipv4HeaderSlice::from_slice(segment).expect("a header").to_header();
            let tcp = TcpSlice::from_slice(&segment[20..]).expect("a TCP header");
            // A sum of 0 is written as its complement, which is the same number, as kernels do it.
            let sum = match tcp.calc_checksum_ipv4(ip.source, ip.destination).expect("short") {
                0 => 0xffff,
                sum => sum,
            };
            prop_assert_eq!(tcp.checksum(), sum);
            let before = u32::try_from(body.len()).expect("at most 65535");
            prop_assert_eq!(tcp.sequence_number(), sequence.wrapping_add(before));
            prop_assert_eq!((tcp.fin(), tcp.psh(), tcp.cwr(), tcp.ack()), (last, last, first, true));
            prop_assert_eq!(tcp.payload().len(), if last { payload - body.len() } else { size });
            body.extend_from_slice(tcp.payload());
        }
        prop_assert_eq!(segments.write(segments.count(), &mut out), None);
        prop_assert_eq!(&body[..], &packet[headers..]);
    }
}

#[test]
fn what_is_not_tcp_in_one_piece_is_refused() {
    let packet = super_packet(3000, 1, false);
    let with = |at: usize, value: u8| {
        let mut bytes = packet.clone();
        bytes[at] = value;
        Segments::of(&bytes, 1460).map(|segments| segments.count())
    };
    assert_eq!(Segments::of(&packet, 1460).map(|segments| segments.count()), Ok(3));
    assert_eq!(with(9, 17), Err(Malformed::NotTcp));
    assert_eq!(with(6, 0x20), Err(Malformed::NotTcp));
    assert_eq!(with(7, 1), Err(Malformed::NotTcp));
    assert_eq!(with(32, 0x40), Err(Malformed::TcpHeader));
    assert_eq!(Segments::of(&[], 1460).map(|_| ()), Err(Malformed::Short));
    let mut bare = packet[..30].to_vec();
    put_u16(&mut bare, 2, 30);
    assert_eq!(Segments::of(&bare, 1460).map(|_| ()), Err(Malformed::TcpHeader));
}
