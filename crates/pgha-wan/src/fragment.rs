//! Splits an IPv4 packet that may be fragmented (RFC 791) into fragments that fit an MTU.

use crate::packet::{FLAG_MF, HEADER_MIN, OFFSET_MASK, View, put_u16, seal};

/// Most bytes of a header.
const HEADER_MAX: usize = 60;

/// The fragments of one packet, written one after the other.
///
/// A fragment may be fragmented again. The checksum of the payload has to be complete before; see
/// [`complete_checksum`](crate::packet::complete_checksum).
#[derive(Debug, Clone)]
pub struct Fragments<'a> {
    packet: &'a [u8],
    view: View,
    mtu: usize,
    /// The header of all fragments but the first: only options that are to be copied.
    later_header: [u8; HEADER_MAX],
    later_len: usize,
    /// The next byte of the payload.
    next: usize,
}

impl<'a> Fragments<'a> {
    /// `None` where the packet may not be fragmented, is no IPv4 packet, fits as it is, or has a
    /// header that leaves no room for 8 bytes.
    pub fn of(packet: &'a [u8], mtu: u16) -> Option<Self> {
        let view = View::parse(packet).ok()?;
        let mtu = usize::from(mtu);
        if view.df || view.total_len <= mtu || view.header_len + 8 > mtu {
            return None;
        }
        let packet = &packet[..view.total_len];
        let mut later_header = [0; HEADER_MAX];
        let later_len = copied_header(&packet[..view.header_len], &mut later_header);
        Some(Self { packet, view, mtu, later_header, later_len, next: 0 })
    }

    /// Writes the next fragment and gives its length; `None` after the last one, or where `out` is
    /// shorter than it.
    ///
    /// # Panics
    /// Never: lengths and offsets of IPv4 are bounded.
    pub fn write_next(&mut self, out: &mut [u8]) -> Option<usize> {
        let payload = &self.packet[self.view.header_len..];
        if self.next >= payload.len() {
            return None;
        }
        let header = match self.next {
            0 => &self.packet[..self.view.header_len],
            _ => &self.later_header[..self.later_len],
        };
        let left = payload.len() - self.next;
        let room = self.mtu - header.len();
        let take = if left <= room { left } else { room / 8 * 8 };
        let len = header.len() + take;
        let out = out.get_mut(..len)?;
        out[..header.len()].copy_from_slice(header);
        out[header.len()..].copy_from_slice(&payload[self.next..self.next + take]);
        let more = take < left || self.view.more_fragments;
        // An offset beyond 65535 is a packet that nobody can put together again; it wraps.
        let offset = u16::try_from((self.view.fragment_offset + self.next) / 8)
            .expect("an offset and a payload are below 128 KiB");
        let flags = if more { FLAG_MF } else { 0 };
        put_u16(out, 2, u16::try_from(len).expect("no longer than the packet"));
        put_u16(out, 6, flags | (offset & OFFSET_MASK));
        seal(&mut out[..header.len()]);
        self.next += take;
        Some(len)
    }
}

/// Writes a header with only those options that every fragment carries, and gives its length.
fn copied_header(header: &[u8], out: &mut [u8; HEADER_MAX]) -> usize {
    const END: u8 = 0;
    const NOTHING: u8 = 1;
    const COPIED: u8 = 0x80;
    out[..HEADER_MIN].copy_from_slice(&header[..HEADER_MIN]);
    let (mut len, mut at) = (HEADER_MIN, HEADER_MIN);
    while at < header.len() && header[at] != END {
        if header[at] == NOTHING {
            at += 1;
            continue;
        }
        let size = header.get(at + 1).map_or(0, |&size| usize::from(size));
        let Some(option) = header.get(at..at + size).filter(|_| size >= 2) else { break };
        if option[0] & COPIED != 0 {
            out[len..len + size].copy_from_slice(option);
            len += size;
        }
        at += size;
    }
    // What remains up to a multiple of 4 is zero, which is the end of the options.
    let len = len.div_ceil(4) * 4;
    out[0] = 0x40 | u8::try_from(len / 4).expect("at most 15");
    len
}

#[cfg(test)]
mod tests;
