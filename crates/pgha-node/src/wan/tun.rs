//! The TUN device through which the kernel hands over whatever goes from one site to another.
//!
//! Packets carry a virtio header, so the kernel hands over and takes back TCP super-packets of up
//! to 64 KiB whose checksums nobody has to compute.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::ioctl::{IntegerSetter, Opcode, Setter, ioctl};

use crate::Result;

/// Name of the device; PID 1 makes it.
pub(crate) const DEVICE: &str = "wan";
/// Length of the header before every packet, in bytes (`struct virtio_net_hdr`).
pub(crate) const HEADER_LEN: usize = 10;
/// The longest thing the kernel hands over.
pub(crate) const READ_MAX: usize = HEADER_LEN + 65_535;

// From linux/if_tun.h.
const TUNSETIFF: Opcode = 0x4004_54ca;
const TUNSETOFFLOAD: Opcode = 0x4004_54d0;
const IFF_TUN: u16 = 0x0001;
const IFF_NO_PI: u16 = 0x1000;
const IFF_VNET_HDR: u16 = 0x4000;
const TUN_F_CSUM: usize = 0x01;
const TUN_F_TSO4: usize = 0x02;

/// The part of `struct ifreq` that TUNSETIFF reads and writes, padded to the length of the whole.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// Opens the device that PID 1 made, as its owner, without blocking.
///
/// The kernel drops what is sent to the device while nobody has it open.
#[allow(unsafe_code, reason = "the ioctls of a TUN device have no safe wrapper")]
pub(crate) fn open() -> Result<OwnedFd> {
    let explain = |what: &str, e: Errno| format!("cannot {what} the TUN device {DEVICE}: {e}");
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open("/dev/net/tun", flags, Mode::empty())
        .map_err(|e| format!("cannot open /dev/net/tun: {e}"))?;
    let mut request = InterfaceRequest {
        name: [0; 16],
        flags: IFF_TUN | IFF_NO_PI | IFF_VNET_HDR,
        rest: [0; 22],
    };
    request.name[..DEVICE.len()].copy_from_slice(DEVICE.as_bytes());
    // SAFETY: TUNSETIFF takes a pointer to `struct ifreq`, of which this has size and layout.
    unsafe { ioctl(&file, Setter::<TUNSETIFF, InterfaceRequest>::new(request)) }
        .map_err(|e| explain("attach to", e))?;
    // SAFETY: TUNSETOFFLOAD takes its flags as the argument itself.
    unsafe { ioctl(&file, IntegerSetter::<TUNSETOFFLOAD>::new_usize(TUN_F_CSUM | TUN_F_TSO4)) }
        .map_err(|e| explain("set the offloads of", e))?;
    Ok(file)
}

/// A TUN device that the process was given.
#[derive(Debug)]
pub(crate) struct Tun<'a>(BorrowedFd<'a>);

impl<'a> Tun<'a> {
    /// The device behind a descriptor that [`open`] made.
    pub(crate) fn new(file: &'a impl AsFd) -> Self {
        Self(file.as_fd())
    }

    /// Reads one packet with its header; `None` where there is none now.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> Result<Option<usize>> {
        loop {
            match rustix::io::read(self.0, &mut *buffer) {
                Ok(len) => return Ok(Some(len)),
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => {}
                Err(e) => return Err(format!("cannot read from the TUN device: {e}")),
            }
        }
    }

    /// Writes one packet with its header. What the kernel refuses is as good as lost.
    pub(crate) fn write(&self, packet: &[u8]) -> std::result::Result<(), Errno> {
        rustix::io::retry_on_intr(|| rustix::io::write(self.0, packet)).map(drop)
    }
}

impl AsFd for Tun<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0
    }
}

/// What the kernel leaves to be done to a packet, and wants to hear of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offload {
    /// Nothing but perhaps to complete its checksum: the sum begins at the first number, and its place is
    /// the second one further, in bytes.
    Whole {
        /// Where.
        checksum: Option<(usize, usize)>,
    },
    /// A TCP super-packet, to be split into segments with this much payload each, in bytes.
    Tcp {
        /// Payload of one segment.
        segment: u16,
    },
    /// Something that was not asked for.
    Unknown,
}

const NEEDS_CHECKSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;

/// Reads the header before a packet.
pub(crate) fn offload(header: &[u8]) -> Offload {
    let segment = u16::from_ne_bytes([header[4], header[5]]);
    match header[1] {
        GSO_NONE => {
            let place = |at: usize| usize::from(u16::from_ne_bytes([header[at], header[at + 1]]));
            let wanted = header[0] & NEEDS_CHECKSUM != 0;
            Offload::Whole { checksum: wanted.then(|| (place(6), place(8))) }
        }
        GSO_TCPV4 if segment > 0 => Offload::Tcp { segment },
        _ => Offload::Unknown,
    }
}

/// The header of one segment cut out of a super-packet: its checksum is to be completed.
pub(crate) fn segment_header(super_packet: &[u8]) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[0] = NEEDS_CHECKSUM;
    header[6..HEADER_LEN].copy_from_slice(&super_packet[6..HEADER_LEN]);
    header
}

/// The header of a packet that wants nothing.
pub(crate) const PLAIN_HEADER: [u8; HEADER_LEN] = [0; HEADER_LEN];
