//! Splits a TCP super-packet into the packets that would be on the wire.
//!
//! With segmentation offload the kernel hands over one IPv4 and TCP header with up to 64 KB of
//! payload, and the size of the segments to be. This is what the network card would make of it.

use crate::packet::{Malformed, TCP, View, pseudo_header_sum, put_u16, seal, u16_at};

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

/// Bytes of a TCP header without options.
const TCP_HEADER_MIN: usize = 20;

/// Where in the TCP header its checksum is: `csum_offset` of the virtio header.
pub const CHECKSUM_OFFSET: usize = 16;

/// The segments of one super-packet.
///
/// Checksums of TCP are left to the device: each segment has the sum of its pseudo-header, as
/// `VIRTIO_NET_HDR_F_NEEDS_CSUM` wants it, with `csum_start` =
/// [`ip_header_len`](Self::ip_header_len) and `csum_offset` = [`CHECKSUM_OFFSET`].
#[derive(Debug, Clone, Copy)]
pub struct Segments<'a> {
    packet: &'a [u8],
    view: View,
    /// Bytes of both headers.
    headers: usize,
    size: usize,
    count: u32,
}

impl<'a> Segments<'a> {
    /// Reads the headers of a super-packet. A segment has `gso_size` bytes of payload, the last one
    /// what is left; 0 is taken for 1. A packet without payload is one segment.
    ///
    /// # Panics
    /// Never: a packet has at most 65535 bytes.
    pub fn of(packet: &'a [u8], gso_size: u16) -> Result<Self, Malformed> {
        let view = View::parse(packet)?;
        if view.protocol != TCP || view.is_fragment() {
            return Err(Malformed::NotTcp);
        }
        let packet = &packet[..view.total_len];
        let tcp = &packet[view.header_len..];
        let tcp_len = tcp.get(12).map_or(0, |offset| usize::from(offset >> 4) * 4);
        if tcp_len < TCP_HEADER_MIN || tcp_len > tcp.len() {
            return Err(Malformed::TcpHeader);
        }
        let size = usize::from(gso_size.max(1));
        let segments = (tcp.len() - tcp_len).div_ceil(size).max(1);
        Ok(Self {
            packet,
            view,
            headers: view.header_len + tcp_len,
            size,
            count: u32::try_from(segments).expect("at most one for each byte"),
        })
    }

    /// How many there are, at least one.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of the IP header, the same in each.
    pub fn ip_header_len(&self) -> usize {
        self.view.header_len
    }

    /// Bytes of all of them together, headers included.
    pub fn bytes(&self) -> usize {
        self.packet.len() + (self.count as usize - 1) * self.headers
    }

    /// Bytes of the longest one, headers included.
    pub fn longest(&self) -> usize {
        self.packet.len().min(self.headers + self.size)
    }

    /// Writes segment `n`, from 0, and gives its length; `None` beyond the last, or where `out` is
    /// shorter than it.
    ///
    /// # Panics
    /// Never: a packet has at most 65535 bytes.
    pub fn write(&self, n: u32, out: &mut [u8]) -> Option<usize> {
        if n >= self.count {
            return None;
        }
        let (first, last) = (n == 0, n + 1 == self.count);
        let skipped = n as usize * self.size;
        let payload = &self.packet[self.headers + skipped..];
        let payload = &payload[..payload.len().min(self.size)];
        let len = self.headers + payload.len();
        let out = out.get_mut(..len)?;
        out[..self.headers].copy_from_slice(&self.packet[..self.headers]);
        out[self.headers..].copy_from_slice(payload);

        let (ip, tcp) = out.split_at_mut(self.view.header_len);
        put_u16(ip, 2, u16::try_from(len).expect("no longer than the packet"));
        // Two segments must not have one number, or fragments of them are put together wrongly.
        put_u16(ip, 4, u16_at(ip, 4).wrapping_add((n & 0xffff) as u16));
        seal(ip);

        let sequence = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]])
            .wrapping_add(u32::try_from(skipped).expect("within the packet"));
        tcp[4..8].copy_from_slice(&sequence.to_be_bytes());
        if !last {
            tcp[13] &= !(FIN | PSH);
        }
        if !first {
            tcp[13] &= !CWR;
        }
        let tcp_len = u16::try_from(tcp.len()).expect("no longer than the packet");
        put_u16(
            tcp,
            CHECKSUM_OFFSET,
            pseudo_header_sum(self.view.src, self.view.dst, TCP, tcp_len),
        );
        Some(len)
    }
}

#[cfg(test)]
mod tests;
