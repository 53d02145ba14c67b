//! Splits what is larger than the MTU of a link, and may be split, into packets that fit.
//!
//! A super-packet comes apart into its segments first, as a network card would do it before the packets
//! reach a router. What is still too large is fragmented, with a complete checksum: no device can
//! complete one that spans fragments. The work grows with the bytes, not with the square of them.

use crate::fragment::Fragments;
use crate::packet::{Malformed, complete_checksum};
use crate::segment::{CHECKSUM_OFFSET, Segments};

/// The longest packet of IPv4, in bytes.
const PACKET_MAX: usize = 65_535;

/// What the sender's kernel has left to be done to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// To complete its checksum: the sum begins at `start`, and its place is `offset` bytes further.
    Checksum {
        /// From the start of the packet, in bytes.
        start: usize,
        /// From `start`, in bytes.
        offset: usize,
    },
    /// To cut it into TCP segments with this much payload each, in bytes, and to complete theirs.
    Segments(u16),
}

/// Memory for one packet at a time; none by default.
#[derive(Debug, Default)]
pub struct Splitter {
    segment: Vec<u8>,
    fragment: Vec<u8>,
}

impl Splitter {
    /// Takes what it needs, once.
    pub fn new() -> Self {
        Self { segment: vec![0; PACKET_MAX], fragment: vec![0; PACKET_MAX] }
    }

    /// Hands over every packet that `packet` becomes on a link, in order and with complete checksums.
    ///
    /// What may not be split stays as large as it is; the caller has answered it instead.
    ///
    /// # Errors
    /// When segments are wanted of what is no TCP packet in one piece; then nothing was handed over.
    pub fn split(
        &mut self,
        packet: &mut [u8],
        left: Left,
        mtu: u16,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Malformed> {
        match left {
            Left::Nothing => fragments(packet, mtu, &mut self.fragment, &mut each),
            Left::Checksum { start, offset } => {
                complete_checksum(packet, start, offset);
                fragments(packet, mtu, &mut self.fragment, &mut each);
            }
            Left::Segments(size) => {
                let segments = Segments::of(packet, size)?;
                let mut next = 0;
                while let Some(len) = segments.write(next, &mut self.segment) {
                    let segment = &mut self.segment[..len];
                    complete_checksum(segment, segments.ip_header_len(), CHECKSUM_OFFSET);
                    fragments(segment, mtu, &mut self.fragment, &mut each);
                    next += 1;
                }
            }
        }
        Ok(())
    }
}

/// Hands over the fragments of a packet, or the packet where it has none.
fn fragments(packet: &[u8], mtu: u16, out: &mut [u8], each: &mut impl FnMut(&[u8])) {
    let Some(mut fragments) = Fragments::of(packet, mtu) else { return each(packet) };
    while let Some(len) = fragments.write_next(out) {
        each(&out[..len]);
    }
}

#[cfg(test)]
mod tests;
