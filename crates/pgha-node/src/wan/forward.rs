//! The loop that moves packets: from the TUN device through the engine, and back when they are due.
//!
//! One thread does it all: what it costs is copying packets out of the kernel and into it, once each.

use std::num::NonZeroU64;
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pgha_core::topology::Topology;
use pgha_wan::link::Offer;
use pgha_wan::packet::{self, View, site_of};
use pgha_wan::router::{LinkId, Router, Treatment};
use pgha_wan::segment::Segments;
use pgha_wan::split::{Left, Splitter};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::Result;
use crate::identity::Identity;
use crate::wan::arrivals::Arrivals;
use crate::wan::desk::Desk;
use crate::wan::pool::{Pool, Slot};
use crate::wan::tun::{HEADER_LEN, Offload, PLAIN_HEADER, READ_MAX, Tun, offload, segment_header};

/// Packets read before those that are due are looked at again.
const BATCH: usize = 32;
/// What is shorter is copied into a slot of its size; what is longer keeps the slot it came in.
const COPY_MAX: usize = 16 << 10;
/// How long nothing may happen before memory is given back.
const IDLE: Duration = Duration::from_secs(1);
/// The longest lateness that is made up for; a machine busier than that has no time to be awake for.
const LATENESS_MAX: Duration = Duration::from_micros(300);
/// Memory that is not worth giving back, in bytes.
const KEEP_BYTES: usize = 4 << 20;

/// Runs as the engine of the router, with the TUN device as standard input, and as standard output the
/// packet socket that tells when packets came.
pub(crate) fn run(me: &Identity) -> Result<ExitCode> {
    // The kernel may otherwise be 50 µs late on purpose.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))
        .map_err(|e| format!("cannot ask for exact timers: {e}"))?;
    let (device, stamps) = (std::io::stdin(), std::io::stdout());
    let (mut desk, router) = Desk::open(me)?;
    let mut forwarder =
        Forwarder::new(&me.topology, Tun::new(&device), Arrivals::new(&stamps), router);
    loop {
        forwarder.round()?;
        let now = forwarder.now();
        desk.serve(&mut forwarder.router, now);
        forwarder.wait(&desk)?;
    }
}

struct Forwarder<'a> {
    tun: Tun<'a>,
    arrivals: Arrivals<'a>,
    topology: &'a Topology,
    router: Router<Slot>,
    pool: Pool,
    /// Where the next packet is read into.
    landing: Slot,
    origin: Instant,
    /// How late sleeps ended, the latest of the last ones.
    lateness: Duration,
    /// When the last sleep began or the packet before came, as long as stamps are of what is read.
    unread_since: Option<Duration>,
    /// Where packets are made.
    scratch: Vec<u8>,
    /// Where what is too large is split.
    splitter: Splitter,
    /// The kernel has refused a packet, and the log says so.
    refusal_is_logged: bool,
}

impl<'a> Forwarder<'a> {
    fn new(
        topology: &'a Topology,
        tun: Tun<'a>,
        arrivals: Arrivals<'a>,
        router: Router<Slot>,
    ) -> Self {
        let mut pool = Pool::new();
        let landing = pool.take(READ_MAX).expect("a new pool has every slot");
        Self {
            tun,
            arrivals,
            topology,
            router,
            pool,
            landing,
            scratch: vec![0; READ_MAX],
            splitter: Splitter::new(),
            origin: Instant::now(),
            lateness: Duration::ZERO,
            unread_since: None,
            refusal_is_logged: false,
        }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Takes in what has come, up to a batch, and hands out what is due.
    fn round(&mut self) -> Result<()> {
        for _ in 0..BATCH {
            let Some(len) = self.tun.read(self.pool.bytes_mut(&self.landing))? else { break };
            let came = self.came();
            self.take_in(came, len);
        }
        self.unread_since = None;
        let now = self.now();
        while let Some(slot) = self.router.pop_due(now) {
            self.hand_out(slot);
        }
        Ok(())
    }

    /// When the packet came that was just read: where it may have ended a sleep, as the kernel says, and
    /// now otherwise.
    ///
    /// Packets and stamps are both in the order in which they came. A packet that came after the last read
    /// and before the stamps were forgotten has none, and takes that of the next one: it may leave late by
    /// what is between them, and none leaves early. What is written is stamped as well, so nobody asks for
    /// stamps after that.
    fn came(&mut self) -> Duration {
        let ago = self.unread_since.and_then(|_| self.arrivals.next());
        // Read after the other clock, so that whatever comes in between makes nothing come earlier.
        let now = self.now();
        let Some(since) = self.unread_since else { return now };
        self.unread_since = ago.map(|ago| now.saturating_sub(ago).max(since));
        self.unread_since.unwrap_or(now)
    }

    /// Sleeps until a packet comes, one is due, or somebody asks for something.
    ///
    /// A sleep ends late, on a virtual machine by more than a link may add. So it is asked to end earlier
    /// by as much as the latest of the last ones was late, and what is left is waited for awake.
    fn wait(&mut self, desk: &Desk) -> Result<()> {
        let wants_trim = self.router.is_empty() && self.pool.holds_more_than(KEEP_BYTES);
        let now = self.now();
        let due = self.router.next_due();
        let timeout = match due.map(|due| due.saturating_sub(now)) {
            Some(left) if left <= self.lateness => return Ok(()),
            Some(left) => Some(left.saturating_sub(self.lateness)),
            None => wants_trim.then_some(IDLE),
        };
        let limit =
            timeout.map(|t| Timespec::try_from(t).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 }));
        let mut on = [
            PollFd::from_borrowed_fd(self.tun.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(desk.bell(), PollFlags::IN),
        ];
        self.arrivals.forget();
        self.unread_since = Some(now);
        match poll(&mut on, limit.as_ref()) {
            Ok(0) if wants_trim => self.pool.trim(&mut self.landing),
            Ok(0) => {
                let late = self.now().saturating_sub(now + timeout.unwrap_or_default());
                self.lateness = late.min(LATENESS_MAX).max(self.lateness * 15 / 16);
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(format!("cannot wait for packets: {e}")),
        }
        if on[1].revents().contains(PollFlags::IN) {
            desk.quiet();
        }
        Ok(())
    }

    /// Decides about the packet that has landed, as of `now`.
    fn take_in(&mut self, now: Duration, len: usize) {
        let seen = &self.pool.bytes(&self.landing)[..len];
        let Some((header, packet)) = seen.split_at_checked(HEADER_LEN) else { return };
        let Some((link, view)) = self.router.classify(packet) else { return };
        // Whatever comes behind a packet is not its.
        let len = HEADER_LEN + view.total_len;
        let (longest, bytes, packets) = match offload(header) {
            Offload::Whole { .. } => (view.total_len, view.total_len, 1),
            Offload::Tcp { segment } => match Segments::of(packet, segment) {
                Ok(cut) => (cut.longest(), cut.bytes(), cut.count()),
                Err(_) => return self.router.malformed(),
            },
            Offload::Unknown => return self.router.malformed(),
        };
        // No packet, whole or cut, is near 4 GiB.
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if self.router.drops(now, link, (packet, &view), (bytes, packets)) {
            return;
        }
        if longest > usize::from(self.router.mtu(link)) {
            self.router.too_big(link, bytes);
            self.answer_or_split(now, link, len, &view);
        } else if packets > 1 && self.router.treatment(link) == Treatment::Packets {
            self.take_apart(now, link, len);
        } else {
            self.keep(now, link, len, bytes, packets);
        }
    }

    /// Offers what has landed as it is.
    fn keep(&mut self, now: Duration, link: LinkId, len: usize, bytes: u32, packets: u32) {
        let slot = if len <= COPY_MAX {
            self.copy_of_landed(len)
        } else {
            self.pool.take(READ_MAX).map(|next| {
                let mut slot = std::mem::replace(&mut self.landing, next);
                slot.set_len(len);
                slot
            })
        };
        match slot {
            Some(slot) => self.offer(now, link, bytes, packets, slot),
            None => self.router.overflow(link, bytes, packets),
        }
    }

    fn copy_of_landed(&mut self, len: usize) -> Option<Slot> {
        let slot = self.pool.take(len)?;
        self.pool.copy_into(&self.landing, &slot);
        Some(slot)
    }

    /// Offers each packet of a super-packet by itself.
    fn take_apart(&mut self, now: Duration, link: LinkId, len: usize) {
        let mut next = 0;
        loop {
            let seen = &self.pool.bytes(&self.landing)[..len];
            let Offload::Tcp { segment } = offload(&seen[..HEADER_LEN]) else { return };
            let header = segment_header(seen);
            let Ok(cut) = Segments::of(&seen[HEADER_LEN..], segment) else { return };
            let mut scratch = std::mem::take(&mut self.scratch);
            let written = cut.write(next, &mut scratch);
            if let Some(written) = written {
                self.offer_new(now, link, header, &scratch[..written]);
            }
            self.scratch = scratch;
            if written.is_none() {
                return;
            }
            next += 1;
        }
    }

    /// A packet is larger than its link takes: says so to its sender, or splits it where it may be split.
    fn answer_or_split(&mut self, now: Duration, link: LinkId, len: usize, view: &View) {
        let mtu = self.router.mtu(link);
        let seen = &mut self.pool.bytes_mut(&self.landing)[..len];
        let (header, packet) = seen.split_at_mut(HEADER_LEN);
        if view.df {
            let Some(site) = site_of(view.src) else { return };
            let from = self.topology.site(site).nobodys_address();
            let (plain, reply) = self.scratch.split_at_mut(HEADER_LEN);
            plain.copy_from_slice(&PLAIN_HEADER);
            if let Some(written) = packet::too_big_reply(packet, mtu, from, reply) {
                self.unread_since = None;
                // What the kernel refuses is as good as lost on the way.
                let _ = self.tun.write(&self.scratch[..HEADER_LEN + written]);
            }
            return;
        }
        let left = match offload(header) {
            Offload::Whole { checksum: None } => Left::Nothing,
            Offload::Whole { checksum: Some((start, offset)) } => Left::Checksum { start, offset },
            Offload::Tcp { segment } => Left::Segments(segment),
            Offload::Unknown => return,
        };
        let mut whole = std::mem::take(&mut self.scratch);
        let mut splitter = std::mem::take(&mut self.splitter);
        whole[..packet.len()].copy_from_slice(packet);
        let packet = &mut whole[..len - HEADER_LEN];
        let split = splitter.split(packet, left, mtu, |piece| {
            self.offer_new(now, link, PLAIN_HEADER, piece);
        });
        (self.scratch, self.splitter) = (whole, splitter);
        if split.is_err() {
            self.router.malformed();
        }
    }

    /// Offers a packet that was made here.
    fn offer_new(&mut self, now: Duration, link: LinkId, header: [u8; HEADER_LEN], piece: &[u8]) {
        let bytes = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        let Some(slot) = self.pool.take(HEADER_LEN + piece.len()) else {
            return self.router.overflow(link, bytes, 1);
        };
        let (head, rest) = self.pool.bytes_mut(&slot).split_at_mut(HEADER_LEN);
        head.copy_from_slice(&header);
        rest.copy_from_slice(piece);
        self.offer(now, link, bytes, 1, slot);
    }

    fn offer(&mut self, now: Duration, link: LinkId, bytes: u32, packets: u32, slot: Slot) {
        let pool = &mut self.pool;
        match self.router.offer(now, link, bytes, packets, slot, |slot| pool.copy(slot)) {
            Offer::Now(slot) => self.hand_out(slot),
            Offer::Kept => {}
            Offer::Dropped(slot) => self.pool.give_back(slot),
        }
    }

    /// Writes a packet back to the kernel, which takes it to its site.
    fn hand_out(&mut self, slot: Slot) {
        self.unread_since = None;
        if let Err(e) = self.tun.write(self.pool.bytes(&slot)) {
            if !std::mem::replace(&mut self.refusal_is_logged, true) {
                crate::log(&format!("the kernel refuses a packet: {e}; later ones are not logged"));
            }
        }
        self.pool.give_back(slot);
    }
}
