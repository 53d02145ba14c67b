//! All links of a cluster as one: whose packet is it, what happens to it, and which one comes out
//! next.
//!
//! The router holds handles of packets, never their bytes, and does nothing by itself: it is told
//! the time, which is a length of time since an origin of the caller's choosing and never goes
//! back.

use std::time::Duration;

use crate::control::{Direction, LinkState, WanState};
use crate::limits::check;
use crate::link::{Link, Offer};
use crate::packet::{View, site_of};
use crate::schedule::Schedule;
use crate::settings::{LinkChange, LinkSettings};
use crate::units::whole_ms;

/// One direction of a [`Router`]. Numbers are dense and in the order of the sites' numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(u16);

impl LinkId {
    fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// In which pieces a link wants what it is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// As it came: all packets of a super-packet fare alike.
    Whole,
    /// Packet by packet: the caller splits super-packets first.
    Packets,
}

/// What may be held at most; beyond, packets are dropped and counted as `overflow`.
///
/// A packet counts its bytes and [`HELD_OVERHEAD`](crate::link::HELD_OVERHEAD).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// By one direction, in bytes.
    pub link: u64,
    /// By all of them together, in bytes.
    pub all: u64,
}

impl Default for Limits {
    /// 32 MiB on one link, which is 1 Gbit/s over 260 ms, and 128 MiB in all.
    fn default() -> Self {
        Self { link: 32 << 20, all: 128 << 20 }
    }
}

/// What the router has beside the engine of a link.
#[derive(Debug)]
struct Entry<P> {
    /// Indices of sites.
    from: usize,
    to: usize,
    link: Link<P>,
    spec: LinkSettings,
    undo: Option<Undo>,
}

/// The end of a change for a while.
#[derive(Debug)]
struct Undo {
    at: Duration,
    to: LinkSettings,
}

/// A number that no site's index has.
const NO_SITE: u8 = u8::MAX;

/// Every direction between the sites of a cluster.
#[derive(Debug)]
pub struct Router<P> {
    seed: u64,
    /// Ordered by number.
    sites: Vec<(u8, String)>,
    /// The index of each site by its number, or [`NO_SITE`].
    index_of: [u8; 256],
    links: Vec<Entry<P>>,
    schedule: Schedule,
    limits: Limits,
    held: u64,
    malformed: u64,
    foreign: u64,
    next_undo: Option<Duration>,
}

impl<P> Router<P> {
    /// A router between sites, given by number and name, where `asked` says what the specification
    /// asks of the direction from one number to another; nothing is asked of a direction that is
    /// not named, and the last one counts of those named twice.
    ///
    /// Fails where a number or name is given twice, a direction is not one of these sites, or
    /// cannot be what it is asked to be.
    pub fn new(
        sites: &[(u8, String)],
        asked: &[(u8, u8, LinkSettings)],
        seed: u64,
    ) -> Result<Self, String> {
        let mut sites = sites.to_vec();
        sites.sort_unstable();
        let mut index_of = [NO_SITE; 256];
        for (index, (number, name)) in sites.iter().enumerate() {
            let place = &mut index_of[usize::from(*number)];
            if *place != NO_SITE || sites[..index].iter().any(|(_, other)| other == name) {
                return Err(format!("the site {name} with the number {number} is there twice"));
            }
            *place =
                u8::try_from(index).ok().filter(|&index| index != NO_SITE).ok_or_else(|| {
                    format!("{} sites are more than there are addresses for", sites.len())
                })?;
        }
        let mut links = Vec::with_capacity(sites.len() * sites.len().saturating_sub(1));
        for from in 0..sites.len() {
            for to in (0..sites.len()).filter(|&to| to != from) {
                let spec = LinkSettings::default();
                let link = Link::new(sites[from].0, sites[to].0, spec.clone(), seed);
                links.push(Entry { from, to, link, spec, undo: None });
            }
        }
        let mut router = Self {
            seed,
            sites,
            index_of,
            schedule: Schedule::new(links.len()),
            links,
            limits: Limits::default(),
            held: 0,
            malformed: 0,
            foreign: 0,
            next_undo: None,
        };
        for (from, to, settings) in asked {
            check(settings).map_err(|what| what.to_string())?;
            let id = router
                .between(*from, *to)
                .ok_or_else(|| format!("there is no link from site {from} to site {to}"))?;
            router.links[id.index()].spec = settings.clone();
        }
        router.reset(Duration::ZERO, &[]);
        Ok(router)
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Which link a packet is for. What is no IPv4 packet is counted as malformed, and what is not
    /// from one site of the cluster to another as foreign; both are the caller's to drop.
    pub fn classify(&mut self, packet: &[u8]) -> Option<(LinkId, View)> {
        let Ok(view) = View::parse(packet) else {
            self.malformed += 1;
            return None;
        };
        let sites = site_of(view.src).zip(site_of(view.dst));
        let Some(id) = sites.and_then(|(from, to)| self.between(from, to)) else {
            self.foreign += 1;
            return None;
        };
        Some((id, view))
    }

    /// Whether a packet, or a super-packet of several, is of a service that its link cuts: then it is counted, and the
    /// caller's to drop. Later fragments of one pass: without the first they are nothing.
    pub fn drops(
        &mut self,
        now: Duration,
        id: LinkId,
        (packet, view): (&[u8], &View),
        (bytes, packets): (u32, u32),
    ) -> bool {
        self.expire(now);
        let link = &mut self.links[id.index()].link;
        if link.settings().cut_ports.is_empty() {
            return false;
        }
        let cut = view.tcp_ports(packet).is_some_and(|ports| link.cuts(now, ports));
        if cut {
            link.cut(bytes, packets);
        }
        cut
    }

    /// The link between two sites, by their numbers.
    ///
    /// # Panics
    /// Never: there are at most 255 sites.
    pub fn between(&self, from: u8, to: u8) -> Option<LinkId> {
        let [from, to] = [from, to].map(|number| self.index_of[usize::from(number)]);
        if from == NO_SITE || to == NO_SITE || from == to {
            return None;
        }
        let [from, to] = [from, to].map(usize::from);
        let index = from * (self.sites.len() - 1) + to - usize::from(to > from);
        Some(LinkId(u16::try_from(index).expect("at most 255 sites")))
    }

    /// The link of a direction. The error names the sites there are.
    pub fn find(&self, direction: &Direction) -> Result<LinkId, String> {
        let number = |name: &str| {
            self.sites
                .iter()
                .find(|(_, other)| other == name)
                .map(|(number, _)| *number)
                .ok_or_else(|| {
                    let all: Vec<&str> = self.sites.iter().map(|(_, name)| name.as_str()).collect();
                    format!("there is no site {name:?}; the sites are {}", all.join(", "))
                })
        };
        let (from, to) = (number(&direction.from)?, number(&direction.to)?);
        self.between(from, to).ok_or_else(|| {
            format!(
                "there is no link from {} to itself; a link is between two sites",
                direction.from
            )
        })
    }

    /// All links, in the order of their sites' numbers.
    ///
    /// # Panics
    /// Never: there are at most 255 sites.
    pub fn ids(&self) -> impl Iterator<Item = LinkId> + use<P> {
        (0..self.links.len()).map(|index| LinkId(u16::try_from(index).expect("at most 255 sites")))
    }

    /// The engine of a link, to look at.
    pub fn link(&self, id: LinkId) -> &Link<P> {
        &self.links[id.index()].link
    }

    /// In which pieces a link wants what it is offered.
    pub fn treatment(&self, id: LinkId) -> Treatment {
        if self.link(id).wants_packets() { Treatment::Packets } else { Treatment::Whole }
    }

    /// The largest packet of a link, in bytes. The caller answers or splits larger ones, and says
    /// so with [`too_big`](Self::too_big).
    pub fn mtu(&self, id: LinkId) -> u16 {
        self.link(id).settings().mtu
    }

    /// Counts a packet that came and was larger than the MTU, refused or split. It ends here: its
    /// fragments are packets of their own, which the caller offers.
    pub fn too_big(&mut self, id: LinkId, bytes: u32) {
        self.links[id.index()].link.too_big(bytes);
    }

    /// Counts a packet that came and that the caller has no room for.
    pub fn overflow(&mut self, id: LinkId, bytes: u32, packets: u32) {
        self.links[id.index()].link.overflow(bytes, packets);
    }

    /// Counts a packet that [`classify`](Self::classify) let through and that is malformed all the same.
    pub fn malformed(&mut self) {
        self.malformed += 1;
    }

    /// Takes a packet in, or a super-packet of several where the [`treatment`](Self::treatment) is
    /// whole; `bytes` are those of all packets. `copy` makes a duplicate; `None` where it cannot,
    /// and then there is none.
    pub fn offer(
        &mut self,
        now: Duration,
        id: LinkId,
        bytes: u32,
        packets: u32,
        payload: P,
        copy: impl FnOnce(&P) -> Option<P>,
    ) -> Offer<P> {
        self.expire(now);
        let link = &mut self.links[id.index()].link;
        let before = link.held();
        let room = (self.limits.all.saturating_sub(self.held))
            .min(self.limits.link.saturating_sub(before));
        let offer = link.offer(now, (bytes, packets), payload, copy, room);
        if matches!(offer, Offer::Kept) {
            self.held += link.held() - before;
            self.schedule.set(id.index(), link.next_due());
        }
        offer
    }

    /// When the router wants attention at the earliest: nothing comes out and no change ends
    /// before.
    pub fn next_due(&self) -> Option<Duration> {
        [self.schedule.first(), self.next_undo].into_iter().flatten().min()
    }

    /// The next packet that is due, over all links. Also ends changes whose time is over.
    pub fn pop_due(&mut self, now: Duration) -> Option<P> {
        self.expire(now);
        loop {
            let (at, index) = self.schedule.next().filter(|(at, _)| *at <= now)?;
            let link = &mut self.links[index].link;
            let before = link.held();
            // Not up to now: another link may have something in between.
            let popped = link.pop_due(at);
            self.held -= before - link.held();
            self.schedule.set(index, link.next_due());
            if popped.is_some() {
                return popped;
            }
        }
    }

    /// Changes links, all of them or none, at once and without losing what they hold.
    ///
    /// With `undo_at` each becomes then what it was before the first such change that is still in
    /// force. Without, what the change names stays: a change for a while that is in force ends as
    /// it was to, but for that, and where nothing is left to undo it is forgotten.
    pub fn change(
        &mut self,
        now: Duration,
        links: &[LinkId],
        change: &LinkChange,
        undo_at: Option<Duration>,
    ) -> Result<(), String> {
        self.expire(now);
        let changed = |settings: &LinkSettings| {
            let mut settings = settings.clone();
            change.apply(&mut settings);
            check(&settings).map(|()| settings).map_err(|what| what.to_string())
        };
        for id in links {
            let entry = &self.links[id.index()];
            changed(entry.link.settings())?;
            if let (Some(undo), None) = (&entry.undo, undo_at) {
                changed(&undo.to)?;
            }
        }
        for id in links {
            let entry = &mut self.links[id.index()];
            let settings = changed(entry.link.settings())?;
            entry.undo = match (entry.undo.take(), undo_at) {
                (Some(undo), Some(at)) => Some(Undo { at, ..undo }),
                (None, Some(at)) => Some(Undo { at, to: entry.link.settings().clone() }),
                (Some(undo), None) => {
                    let to = changed(&undo.to)?;
                    (to != settings).then_some(Undo { to, ..undo })
                }
                (None, None) => None,
            };
            self.put(now, *id, settings);
        }
        self.find_next_undo();
        Ok(())
    }

    /// Makes links what the specification says, for good; all of them where none is named.
    pub fn reset(&mut self, now: Duration, links: &[LinkId]) {
        self.restore(now, links, |entry| entry.spec.clone());
    }

    /// Makes links as if nothing were asked of them, for good; all of them where none is named.
    /// [`reset`](Self::reset) brings the specification into force.
    pub fn clear(&mut self, now: Duration, links: &[LinkId]) {
        self.restore(now, links, |_| LinkSettings::default());
    }

    /// Ends changes whose time is over. Offering and popping do so too.
    pub fn expire(&mut self, now: Duration) {
        if self.next_undo.is_none_or(|at| at > now) {
            return;
        }
        for id in self.ids() {
            let entry = &mut self.links[id.index()];
            if let Some(undo) = entry.undo.take_if(|undo| undo.at <= now) {
                self.put(now, id, undo.to);
            }
        }
        self.find_next_undo();
    }

    /// What is held counts against the limits: bytes, and an overhead for each packet.
    pub fn held_bytes(&self) -> u64 {
        self.held
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// The router at this moment, for the control socket.
    pub fn state(&mut self, now: Duration, waiting_for_cluster: bool) -> WanState {
        self.expire(now);
        let sites = &self.sites;
        let state = |entry: &mut Entry<P>| {
            entry.link.advance(now);
            let (queued, flying) = (entry.link.queued(), entry.link.flying());
            LinkState {
                from: sites[entry.from].1.clone(),
                to: sites[entry.to].1.clone(),
                settings: entry.link.settings().clone(),
                spec: entry.spec.clone(),
                undone_in_ms: entry.undo.as_ref().map(|undo| whole_ms(undo.at.saturating_sub(now))),
                queued_packets: queued.packets,
                queued_bytes: queued.bytes,
                flying_packets: flying.packets,
                flying_bytes: flying.bytes,
                counters: *entry.link.counters(),
            }
        };
        WanState {
            seed: self.seed,
            waiting_for_cluster,
            running_ms: whole_ms(now),
            malformed: self.malformed,
            foreign: self.foreign,
            links: self.links.iter_mut().map(state).collect(),
        }
    }

    fn restore(&mut self, now: Duration, links: &[LinkId], to: impl Fn(&Entry<P>) -> LinkSettings) {
        let all: Vec<LinkId> = if links.is_empty() { self.ids().collect() } else { links.to_vec() };
        for id in all {
            let entry = &mut self.links[id.index()];
            entry.undo = None;
            let settings = to(entry);
            self.put(now, id, settings);
        }
        self.find_next_undo();
    }

    fn put(&mut self, now: Duration, id: LinkId, settings: LinkSettings) {
        let link = &mut self.links[id.index()].link;
        if *link.settings() != settings {
            link.change(now, settings);
            self.schedule.set(id.index(), link.next_due());
        }
    }

    fn find_next_undo(&mut self) {
        self.next_undo = self.links.iter().filter_map(|e| e.undo.as_ref().map(|u| u.at)).min();
    }
}

#[cfg(test)]
mod tests;
