//! When packets came to the TUN device, by the kernel's own clock.
//!
//! Whoever sleeps wakes late, on a virtual machine by more than a link may add, and the device does not
//! say for how long a packet has been there. A packet socket on it does, as for any capture: the kernel
//! stamps what it keeps there. Nothing is read from it but these stamps.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::ioctl::{Getter, Opcode, ioctl};
use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, netdevice, sockopt};
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::Result;
use crate::wan::tun::DEVICE;

/// From `linux/sockios.h`: the moment at which what was received last had come.
const SIOCGSTAMPNS: Opcode = 0x8907;

/// `struct sockaddr_ll` of `linux/if_packet.h`: an interface.
#[repr(C)]
struct LinkAddress {
    family: u16,
    /// As on the wire.
    protocol: u16,
    interface: u32,
    hardware: u16,
    packet: u8,
    address_len: u8,
    address: [u8; 8],
}

const LINK_ADDRESS_LEN: SocketAddrLen = 20;
const _: () = assert!(size_of::<LinkAddress>() == LINK_ADDRESS_LEN as usize);

// SAFETY: what is lent has length and layout of `struct sockaddr_ll`, and lives longer than the call.
#[allow(unsafe_code, reason = "there is no safe form of this kind of address")]
unsafe impl SocketAddrArg for LinkAddress {
    unsafe fn with_sockaddr<R>(
        &self,
        f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R,
    ) -> R {
        f(std::ptr::from_ref(self).cast(), LINK_ADDRESS_LEN)
    }
}

/// Opens a packet socket on the TUN device, which takes `NET_RAW`.
pub(crate) fn open() -> Result<OwnedFd> {
    listen_on(DEVICE).map_err(|e| format!("cannot open a packet socket on {DEVICE}: {e}"))
}

fn listen_on(device: &str) -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // Of no protocol until it has its device, so that nothing of another one is kept.
    let socket = rustix::net::socket_with(AddressFamily::PACKET, SocketType::DGRAM, flags, None)?;
    // The least there is, for a few packets: those that end a sleep.
    sockopt::set_socket_recv_buffer_size(&socket, 0)?;
    let address = LinkAddress {
        family: AddressFamily::PACKET.as_raw(),
        protocol: u16::try_from(rustix::net::eth::ALL.as_raw().get()).expect("it has 16 bits"),
        interface: netdevice::name_to_index(&socket, device)?,
        hardware: 0,
        packet: 0,
        address_len: 0,
        address: [0; 8],
    };
    rustix::net::bind(&socket, &address)?;
    // Asking once is what turns the stamps on.
    let _ = last_stamp(socket.as_fd());
    Ok(socket)
}

/// When what was received last had come, by the system's clock.
#[allow(unsafe_code, reason = "the ioctls of a socket have no safe wrapper")]
fn last_stamp(socket: BorrowedFd<'_>) -> rustix::io::Result<Timespec> {
    // SAFETY: SIOCGSTAMPNS writes a `struct timespec`.
    unsafe { ioctl(socket, Getter::<SIOCGSTAMPNS, Timespec>::new()) }
}

/// The packet socket that the process was given, if any.
#[derive(Debug)]
pub(crate) struct Arrivals<'a>(Option<BorrowedFd<'a>>);

impl<'a> Arrivals<'a> {
    /// The socket behind a descriptor, if [`open`] made it.
    pub(crate) fn new(file: &'a impl AsFd) -> Self {
        let is_ours = sockopt::socket_domain(file) == Ok(AddressFamily::PACKET);
        Self(is_ours.then(|| file.as_fd()))
    }

    /// Forgets whatever has come so far, to have room for what comes next.
    pub(crate) fn forget(&self) {
        while self.receive().is_some() {}
    }

    /// How long ago the next packet came that was not asked for yet; `None` where nobody knows.
    pub(crate) fn next(&self) -> Option<Duration> {
        let stamp = last_stamp(self.receive()?).ok()?;
        let now = clock_gettime(ClockId::Realtime);
        Some(Duration::try_from(now).ok()?.saturating_sub(Duration::try_from(stamp).ok()?))
    }

    /// Takes one packet from the socket, without its bytes.
    fn receive(&self) -> Option<BorrowedFd<'a>> {
        let socket = self.0?;
        loop {
            match rustix::net::recv(
                socket,
                &mut [0u8; 0][..],
                RecvFlags::DONTWAIT | RecvFlags::TRUNC,
            ) {
                Ok(_) => return Some(socket),
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }
}
