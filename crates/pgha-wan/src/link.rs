//! One direction between two sites: what happens to a packet, and when it comes out.
//!
//! ```text
//! entry: cut, loss, duplicate ─► queue and serialiser, with a rate ─► flight: latency and jitter ─► out
//!                                                                 └─► express lane, if reordered ─► out
//! ```
//!
//! Each stage is a FIFO, so order is kept; what is to overtake has a lane of its own. A link never
//! looks into a packet and never allocates for one beyond the growth of its FIFOs.

use std::collections::VecDeque;
use std::time::Duration;

use crate::control::LinkCounters;
use crate::delay::Delay;
use crate::loss::Loss;
use crate::random::{Chance, Purpose, Stream};
use crate::service::Service;
use crate::settings::{Cut, LinkSettings, Rate};

/// What a packet that is held counts beside its own bytes against
/// [`Limits`](crate::router::Limits): its place in a FIFO and in the caller's books.
pub const HELD_OVERHEAD: u64 = 128;

/// What became of a packet that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer<P> {
    /// Nothing holds it up: it is the caller's to deliver at once, and counted as delivered.
    Now(P),
    /// It comes out later.
    Kept,
    /// It is lost, and counted as what it was lost to.
    Dropped(P),
}

/// A packet, or a super-packet of several, that is held.
#[derive(Debug)]
struct Held<P> {
    payload: P,
    bytes: u32,
    packets: u32,
    /// Overtakes: neither latency nor jitter.
    express: bool,
}

impl<P> Held<P> {
    fn cost(&self) -> u64 {
        u64::from(self.bytes) + HELD_OVERHEAD
    }
}

/// Packets and bytes of a stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Packets.
    pub packets: u64,
    /// Bytes of these.
    pub bytes: u64,
}

impl Load {
    fn add<P>(&mut self, held: &Held<P>) {
        self.packets += u64::from(held.packets);
        self.bytes += u64::from(held.bytes);
    }

    fn take<P>(&mut self, held: &Held<P>) {
        self.packets -= u64::from(held.packets);
        self.bytes -= u64::from(held.bytes);
    }
}

/// A cut, and since when it is asked for.
#[derive(Debug, Clone, Copy, Default)]
struct Gate {
    cut: Cut,
    since: Duration,
}

impl Gate {
    /// A flap that is asked for already goes on as it did.
    fn set(&mut self, now: Duration, cut: Cut) {
        if self.cut != cut {
            *self = Self { cut, since: now };
        }
    }

    fn is_down(self, now: Duration) -> bool {
        self.cut.is_down(now.saturating_sub(self.since))
    }
}

/// One direction. `P` is the caller's handle of a packet.
#[derive(Debug)]
pub struct Link<P> {
    settings: LinkSettings,
    gate: Gate,
    /// The same for each service.
    services: [(Service, Gate); Service::ALL.len()],
    loss: Loss,
    duplicate: Chance,
    reorder: Chance,
    delay: Delay,
    /// Bytes that the queue holds at most.
    queue_limit: u64,

    losing: Stream,
    duplicating: Stream,
    reordering: Stream,
    delaying: Stream,

    /// What waits for the serialiser; the first one is in it.
    queue: VecDeque<Held<P>>,
    /// When the last bit of the first one has passed, and the rate at which it passes. Of no
    /// meaning with an empty queue.
    leaves: Duration,
    passes_at: Rate,
    /// How many in the queue are to overtake.
    express_queued: usize,
    /// What is on its way, with its moment; moments never fall.
    flight: VecDeque<(Duration, Held<P>)>,
    /// The same for what overtakes.
    express: VecDeque<(Duration, Held<P>)>,

    queued: Load,
    flying: Load,
    held: u64,
    counters: LinkCounters,
}

impl<P> Link<P> {
    /// A link between two sites, by their numbers, with nothing on it. The settings are trusted to
    /// pass [`check`](crate::limits::check).
    pub fn new(from: u8, to: u8, settings: LinkSettings, seed: u64) -> Self {
        let stream = |purpose| Stream::new(seed, from, to, purpose);
        let mut link = Self {
            gate: Gate::default(),
            services: Service::ALL.map(|service| (service, Gate::default())),
            loss: Loss::new(&settings),
            duplicate: Chance::NEVER,
            reorder: Chance::NEVER,
            delay: Delay::new(&settings),
            queue_limit: 0,
            losing: stream(Purpose::Loss),
            duplicating: stream(Purpose::Duplicate),
            reordering: stream(Purpose::Reorder),
            delaying: stream(Purpose::Delay),
            queue: VecDeque::new(),
            leaves: Duration::ZERO,
            passes_at: Rate::bits_per_second(1),
            express_queued: 0,
            flight: VecDeque::new(),
            express: VecDeque::new(),
            queued: Load::default(),
            flying: Load::default(),
            held: 0,
            counters: LinkCounters::default(),
            settings: LinkSettings::default(),
        };
        link.change(Duration::ZERO, settings);
        link
    }

    /// What is in force.
    pub fn settings(&self) -> &LinkSettings {
        &self.settings
    }

    /// What has happened so far.
    pub fn counters(&self) -> &LinkCounters {
        &self.counters
    }

    /// What waits for its turn, the packet that is passing included.
    pub fn queued(&self) -> Load {
        self.queued
    }

    /// What is on its way.
    pub fn flying(&self) -> Load {
        self.flying
    }

    /// What all that is held counts against the limits: bytes, and [`HELD_OVERHEAD`] for each
    /// packet or super-packet.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// Whether every packet has to be looked at by itself, since settings distinguish or space
    /// them.
    pub fn wants_packets(&self) -> bool {
        self.settings.rate.is_some()
            || self.loss.is_asked()
            || self.duplicate != Chance::NEVER
            || (self.reorder != Chance::NEVER && !self.delay.is_zero())
            || self.delay.has_jitter()
    }

    /// Counts a packet that came and was larger than the MTU. It ends here: its fragments, if it
    /// was split, are packets of their own.
    pub fn too_big(&mut self, bytes: u32) {
        self.counters.packets += 1;
        self.counters.bytes += u64::from(bytes);
        self.counters.too_big += 1;
    }

    /// Whether a TCP packet with these ports is of a service that is cut now.
    pub fn cuts(&self, now: Duration, ports: [u16; 2]) -> bool {
        self.services.iter().any(|(service, gate)| gate.is_down(now) && service.has(ports))
    }

    /// Counts packets that came and that the caller drops, since their service is cut.
    pub fn cut(&mut self, bytes: u32, packets: u32) {
        self.counters.packets += u64::from(packets);
        self.counters.bytes += u64::from(bytes);
        self.counters.cut += u64::from(packets);
    }

    /// Counts packets that came and that the caller has no room for.
    pub fn overflow(&mut self, bytes: u32, packets: u32) {
        self.counters.packets += u64::from(packets);
        self.counters.bytes += u64::from(bytes);
        self.counters.overflow += u64::from(packets);
    }

    /// Takes a packet, or a super-packet of several, in. `room` is what more may be held.
    ///
    /// `copy` is asked for a duplicate only where it will be kept; with `None` there is none.
    pub fn offer(
        &mut self,
        now: Duration,
        (bytes, packets): (u32, u32),
        payload: P,
        copy: impl FnOnce(&P) -> Option<P>,
        room: u64,
    ) -> Offer<P> {
        let count = u64::from(packets);
        self.counters.packets += count;
        self.counters.bytes += u64::from(bytes);
        if self.gate.is_down(now) {
            self.counters.cut += count;
            return Offer::Dropped(payload);
        }
        if self.loss.takes(&mut self.losing) {
            self.counters.lost += count;
            return Offer::Dropped(payload);
        }
        let twice = self.duplicating.happens(self.duplicate);
        let express = self.reordering.happens(self.reorder);
        self.advance(now);

        let held = Held { payload, bytes, packets, express };
        if !twice && self.rate().is_none() && self.is_free(&held) {
            self.counters.delivered += count;
            self.counters.delivered_bytes += u64::from(bytes);
            return Offer::Now(held.payload);
        }
        let waiting = self.queued.bytes;
        if let Some(full) = self.refuses(&held, waiting, room) {
            let copies = 1 + u64::from(twice);
            self.counters.duplicated += count * (copies - 1);
            *full.counter(&mut self.counters) += count * copies;
            return Offer::Dropped(held.payload);
        }
        let mut second = None;
        if twice {
            // The copy comes behind the original.
            let (waiting, room) = (waiting + u64::from(bytes), room - held.cost());
            if let Some(full) = self.refuses(&held, waiting, room) {
                self.counters.duplicated += count;
                *full.counter(&mut self.counters) += count;
            } else if let Some(payload) = copy(&held.payload) {
                self.counters.duplicated += count;
                second = Some(payload);
            }
        }
        self.enter(now, held);
        if let Some(payload) = second {
            self.enter(now, Held { payload, bytes, packets, express });
        }
        Offer::Kept
    }

    /// When this link wants attention at the earliest: nothing comes out before.
    pub fn next_due(&self) -> Option<Duration> {
        let leaves = (!self.queue.is_empty()).then_some(self.leaves);
        let flying = match self.flight.front() {
            Some((due, _)) => Some(*due),
            // What is in the serialiser is the first to come.
            None => leaves.map(|at| at.saturating_add(self.delay.least())),
        };
        let express = match self.express.front() {
            Some((due, _)) => Some(*due),
            None if self.express_queued > 0 => leaves,
            None => None,
        };
        [flying, express].into_iter().flatten().min()
    }

    /// The next packet that is due. Packets come out by their moments.
    pub fn pop_due(&mut self, now: Duration) -> Option<P> {
        self.advance(now);
        let flying = self.flight.front().map(|(due, _)| *due);
        let express = self.express.front().map(|(due, _)| *due);
        let lane = match (flying, express) {
            (Some(due), Some(ahead)) if ahead < due => &mut self.express,
            (None, Some(_)) => &mut self.express,
            _ => &mut self.flight,
        };
        if lane.front()?.0 > now {
            return None;
        }
        let (_, held) = lane.pop_front()?;
        self.flying.take(&held);
        self.held -= held.cost();
        self.counters.delivered += u64::from(held.packets);
        self.counters.delivered_bytes += u64::from(held.bytes);
        Some(held.payload)
    }

    /// Makes the link what is asked, at once. Nothing that is held is lost, and nothing that flies
    /// comes later than it would have:
    ///
    /// - what is flying comes within the longest delay that is asked now, in its order;
    /// - what waits has the delay that is asked when it leaves;
    /// - what is passing leaves sooner where the rate is higher now;
    /// - without a rate the queue is empty, and what was in it flies;
    /// - a smaller queue holds what it held, and takes nothing until there is room.
    ///
    /// Cut, loss and duplication concern what comes from now on. A flap begins with being down.
    pub fn change(&mut self, now: Duration, settings: LinkSettings) {
        self.advance(now);
        self.settings = settings;
        self.gate.set(now, self.settings.cut);
        for (service, gate) in &mut self.services {
            gate.set(now, self.settings.cuts(Some(*service)));
        }
        self.loss.change(&self.settings);
        self.duplicate = self.settings.duplicate.into();
        self.reorder = self.settings.reorder.into();
        self.queue_limit = self.settings.rate.map_or(0, |rate| self.settings.queue.bytes(rate));
        self.delay = Delay::new(&self.settings);

        let latest = now.saturating_add(self.delay.most());
        for (due, _) in self.flight.iter_mut().rev().take_while(|(due, _)| *due > latest) {
            *due = latest;
        }
        match self.rate() {
            // What has passed of the first one has passed.
            Some(rate) if rate > self.passes_at && !self.queue.is_empty() => {
                let left = self.leaves.saturating_sub(now).as_nanos();
                let left = (left * u128::from(self.passes_at.bits())).div_ceil(rate.bits().into());
                let left = u64::try_from(left).map_or(Duration::MAX, Duration::from_nanos);
                self.leaves = self.leaves.min(now.saturating_add(left));
                self.passes_at = rate;
            }
            Some(_) => {}
            None => {
                while let Some(held) = self.queue.pop_front() {
                    self.depart(now, held, true);
                }
            }
        }
    }

    fn rate(&self) -> Option<Rate> {
        self.settings.rate
    }

    /// Whether nothing would come out before this packet if it came out at once.
    fn is_free(&self, held: &Held<P>) -> bool {
        let undelayed = held.express || self.delay.is_zero();
        undelayed && self.express.is_empty() && (held.express || self.flight.is_empty())
    }

    /// Why a packet cannot be held behind `waiting` bytes of the queue.
    fn refuses(&self, held: &Held<P>, waiting: u64, room: u64) -> Option<Full> {
        if self.rate().is_some()
            && waiting > 0
            && waiting + u64::from(held.bytes) > self.queue_limit
        {
            return Some(Full::Queue);
        }
        (held.cost() > room).then_some(Full::Room)
    }

    /// Holds a packet.
    fn enter(&mut self, now: Duration, held: Held<P>) {
        self.held += held.cost();
        match self.rate() {
            None => self.depart(now, held, false),
            Some(rate) => {
                if self.queue.is_empty() {
                    self.pass(now, held.bytes, rate);
                }
                self.queued.add(&held);
                self.express_queued += usize::from(held.express);
                self.queue.push_back(held);
            }
        }
    }

    /// Lets everything leave the serialiser whose last bit has passed.
    pub(super) fn advance(&mut self, now: Duration) {
        while self.leaves <= now {
            let Some(held) = self.queue.pop_front() else { return };
            let left_at = self.leaves;
            if let (Some(next), Some(rate)) = (self.queue.front(), self.rate()) {
                self.pass(left_at, next.bytes, rate);
            }
            self.depart(left_at, held, true);
        }
    }

    /// Begins to pass the first packet of the queue.
    fn pass(&mut self, at: Duration, bytes: u32, rate: Rate) {
        self.leaves = at.saturating_add(passing_time(rate, bytes));
        self.passes_at = rate;
    }

    /// Sends a packet on its way, after the queue if there was one.
    fn depart(&mut self, at: Duration, held: Held<P>, from_queue: bool) {
        if from_queue {
            self.queued.take(&held);
            self.express_queued -= usize::from(held.express);
        }
        self.flying.add(&held);
        let last = self.flight.back().map_or(Duration::ZERO, |(due, _)| *due);
        if held.express {
            if last > at {
                self.counters.reordered += u64::from(held.packets);
            }
            self.express.push_back((at, held));
        } else {
            let delay = self.delay.of(at, &mut self.delaying);
            self.flight.push_back((at.saturating_add(delay).max(last), held));
        }
    }
}

/// What has no room for a packet.
#[derive(Debug, Clone, Copy)]
enum Full {
    Queue,
    Room,
}

impl Full {
    fn counter(self, counters: &mut LinkCounters) -> &mut u64 {
        match self {
            Self::Queue => &mut counters.queue_full,
            Self::Room => &mut counters.overflow,
        }
    }
}

/// How long a packet takes to pass, rounded up: rounded down, many small ones would exceed the
/// rate.
fn passing_time(rate: Rate, bytes: u32) -> Duration {
    let bits = rate.bits().max(1);
    match u64::from(bytes).checked_mul(8 * 1_000_000_000) {
        Some(scaled) => Duration::from_nanos(scaled.div_ceil(bits)),
        None => rate.time_of(bytes.into()).saturating_add(Duration::from_nanos(1)),
    }
}

#[cfg(test)]
mod tests;
