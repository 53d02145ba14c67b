//! IPv4 packets as bytes: what of them a router looks at, their checksums, and the answer to one
//! that is too big.
//!
//! Nothing here keeps a packet or decides about it.

use std::net::Ipv4Addr;

/// Protocol number of ICMP.
pub const ICMP: u8 = 1;
/// Protocol number of TCP.
pub const TCP: u8 = 6;
/// Protocol number of UDP.
pub const UDP: u8 = 17;

/// The whole range of cluster addresses that members use.
pub const CLUSTER_NET: &str = "198.18.0.0/16";

/// Bytes of an IPv4 header without options.
pub const HEADER_MIN: usize = 20;

/// Bytes of both ports, which a TCP header begins with.
const TCP_PORTS: usize = 4;

/// Bytes that are no IPv4 packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Fewer bytes than a header has.
    #[error("shorter than an IPv4 header")]
    Short,
    /// Another version, such as IPv6.
    #[error("not of version 4")]
    Version,
    /// The header says of itself that it is shorter than the shortest, or than there are bytes.
    #[error("a header of an impossible length")]
    HeaderLength,
    /// Less than the header, or more than there are bytes.
    #[error("an impossible total length")]
    TotalLength,
    /// Not TCP in one piece, where that is asked for.
    #[error("not an unfragmented TCP packet")]
    NotTcp,
    /// A TCP header of an impossible length.
    #[error("a TCP header of an impossible length")]
    TcpHeader,
}

/// What a router looks at.
///
/// Options are allowed. Bytes beyond the total length are tolerated, as the kernel does, and are
/// not part of the packet. The header's checksum is not looked at: the kernel that handed the
/// packet over has, and the one that takes it will.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Where it comes from.
    pub src: Ipv4Addr,
    /// Where it goes.
    pub dst: Ipv4Addr,
    /// Bytes of the header, 20 to 60.
    pub header_len: usize,
    /// Bytes of the whole packet.
    pub total_len: usize,
    /// Don't fragment.
    pub df: bool,
    /// Fragments follow.
    pub more_fragments: bool,
    /// Where this fragment belongs, in bytes.
    pub fragment_offset: usize,
    /// What the payload is, such as [`TCP`].
    pub protocol: u8,
}

impl View {
    /// Reads a header.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() < HEADER_MIN {
            return Err(Malformed::Short);
        }
        if bytes[0] >> 4 != 4 {
            return Err(Malformed::Version);
        }
        let header_len = usize::from(bytes[0] & 0xf) * 4;
        if header_len < HEADER_MIN || header_len > bytes.len() {
            return Err(Malformed::HeaderLength);
        }
        let total_len = usize::from(u16_at(bytes, 2));
        if total_len < header_len || total_len > bytes.len() {
            return Err(Malformed::TotalLength);
        }
        let fragment = u16_at(bytes, 6);
        Ok(Self {
            src: address_at(bytes, 12),
            dst: address_at(bytes, 16),
            header_len,
            total_len,
            df: fragment & FLAG_DF != 0,
            more_fragments: fragment & FLAG_MF != 0,
            fragment_offset: usize::from(fragment & OFFSET_MASK) * 8,
            protocol: bytes[9],
        })
    }

    /// Source and destination port of a TCP packet; `None` of any other, and of a fragment that is not the first.
    pub fn tcp_ports(&self, bytes: &[u8]) -> Option<[u16; 2]> {
        let has_ports = self.protocol == TCP
            && self.fragment_offset == 0
            && self.total_len >= self.header_len + TCP_PORTS
            && bytes.len() >= self.header_len + TCP_PORTS;
        let at = |place| u16_at(bytes, self.header_len + place);
        has_ports.then(|| [at(0), at(2)])
    }

    /// Whether this is a part of a packet.
    pub fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset > 0
    }
}

pub(super) const FLAG_DF: u16 = 0x4000;
pub(super) const FLAG_MF: u16 = 0x2000;
pub(super) const OFFSET_MASK: u16 = 0x1fff;

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn put_u16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

fn address_at(bytes: &[u8], at: usize) -> Ipv4Addr {
    Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3])
}

/// The number of the site that a cluster address (`198.18.<site>.<member>`) belongs to; `None` for
/// any other address.
pub fn site_of(address: Ipv4Addr) -> Option<u8> {
    match address.octets() {
        [198, 18, site, _] => Some(site),
        _ => None,
    }
}

// The pattern above is the [`CLUSTER_NET`], spelled out for speed.
const _: () = assert!(matches!(CLUSTER_NET.as_bytes(), b"198.18.0.0/16"));

/// The sum that an internet checksum (RFC 1071) is the complement of, over these bytes and what was
/// summed before.
///
/// # Panics
/// Never: chunks have their size, and a folded sum has 16 bits.
pub fn sum(before: u16, bytes: &[u8]) -> u16 {
    // Four bytes at once, in the machine's order: a sum with end-around carry does not mind.
    let mut total = u64::from(before.to_be());
    let words = bytes.chunks_exact(4);
    let rest = words.remainder();
    for word in words {
        total += u64::from(u32::from_ne_bytes(word.try_into().expect("a chunk has 4 bytes")));
    }
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    total += u64::from(u32::from_ne_bytes(last));
    while total >> 16 != 0 {
        total = (total & 0xffff) + (total >> 16);
    }
    u16::from_be(u16::try_from(total).expect("folded into 16 bits"))
}

/// The internet checksum of these bytes.
pub fn checksum(bytes: &[u8]) -> u16 {
    !sum(0, bytes)
}

/// The sum of the pseudo-header of TCP and UDP for `len` bytes of header and payload. Written into
/// the checksum's place as it is, it is what `VIRTIO_NET_HDR_F_NEEDS_CSUM` starts from.
pub fn pseudo_header_sum(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, len: u16) -> u16 {
    let [s, d] = [src.octets(), dst.octets()];
    let [hi, lo] = len.to_be_bytes();
    sum(0, &[s[0], s[1], s[2], s[3], d[0], d[1], d[2], d[3], 0, protocol, hi, lo])
}

/// Completes a checksum that was left to the device (`VIRTIO_NET_HDR_F_NEEDS_CSUM`): everything
/// from `start` is summed, and the complement put at `start + offset`. Says whether that place
/// exists.
///
/// To be done before a packet is fragmented, since no fragment's device can do it.
pub fn complete_checksum(packet: &mut [u8], start: usize, offset: usize) -> bool {
    let Some(at) = start.checked_add(offset) else { return false };
    if at.checked_add(2).is_none_or(|end| end > packet.len()) {
        return false;
    }
    let value = checksum(&packet[start..]);
    // For UDP no checksum is 0, and that one and its complement are the same number.
    put_u16(packet, at, if value == 0 { 0xffff } else { value });
    true
}

/// Writes the checksum of a header anew.
pub(super) fn seal(header: &mut [u8]) {
    put_u16(header, 10, 0);
    let value = checksum(header);
    put_u16(header, 10, value);
}

/// Most bytes of an ICMP error (RFC 1812, 4.3.2.3).
pub const REPLY_MAX: usize = 576;

/// Bytes of an ICMP header.
const ICMP_HEADER: usize = 8;

/// Writes the answer to a packet that is too big and may not be fragmented: ICMP "fragmentation
/// needed" (RFC 1191) with the MTU of the link and as much of the packet as fits into [`REPLY_MAX`].
/// Gives its length.
///
/// It comes `from` an address that whoever forwards it does not have itself, such as one of the site that
/// nobody has: its kernel drops what comes from its own as forged.
///
/// `None` where no answer may be sent (RFC 1122, 3.2.2): to another ICMP error, to a fragment that
/// is not the first, to what is no IPv4 packet, or to what is not the address of one host. Also
/// where `out` is shorter than the answer.
///
/// # Panics
/// Never: an answer has at most [`REPLY_MAX`] bytes.
pub fn too_big_reply(packet: &[u8], mtu: u16, from: Ipv4Addr, out: &mut [u8]) -> Option<usize> {
    let view = View::parse(packet).ok()?;
    let one_host = !(view.src.is_unspecified()
        || view.src.is_loopback()
        || view.src.is_multicast()
        || view.src.is_broadcast());
    if view.fragment_offset > 0 || !one_host || is_icmp_error(&view, packet) {
        return None;
    }
    let quoted = view.total_len.min(REPLY_MAX - HEADER_MIN - ICMP_HEADER);
    let len = HEADER_MIN + ICMP_HEADER + quoted;
    let out = out.get_mut(..len)?;
    out[..HEADER_MIN + ICMP_HEADER].fill(0);
    out[0] = 0x45;
    // Internetwork control, as RFC 1812 asks for errors.
    out[1] = 0xc0;
    put_u16(out, 2, u16::try_from(len).expect("at most REPLY_MAX"));
    out[8] = 64;
    out[9] = ICMP;
    out[12..16].copy_from_slice(&from.octets());
    out[16..20].copy_from_slice(&view.src.octets());
    seal(&mut out[..HEADER_MIN]);
    let icmp = &mut out[HEADER_MIN..];
    icmp[0] = 3;
    icmp[1] = 4;
    put_u16(icmp, 6, mtu);
    icmp[ICMP_HEADER..].copy_from_slice(&packet[..quoted]);
    let value = checksum(icmp);
    put_u16(icmp, 2, value);
    Some(len)
}

/// Whether this is an ICMP message that must not be answered with an error; one whose type is
/// missing counts as such.
fn is_icmp_error(view: &View, packet: &[u8]) -> bool {
    const QUERIES: [u8; 4] = [0, 8, 13, 14];
    view.protocol == ICMP
        && (view.total_len <= view.header_len || !QUERIES.contains(&packet[view.header_len]))
}

#[cfg(test)]
mod tests;
