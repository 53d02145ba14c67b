//! What is done: a kind of fault, of links which packets, of a slow disk how slow, and of a clock how far off.

use std::fmt;

use pgha_wan::service::Service;
use pgha_wan::settings::{Cut, Flap, Share};
use pgha_wan::units::format_duration;

use super::clock::Offset;
use super::disk::{Ailment, Delay};
use super::kind::{Kind, On};

/// Which part of each period a flap is down where nobody says.
pub const DUTY: Share = Share::per_million(500_000);

/// What is done, whoever it hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deed {
    /// The kind.
    pub kind: Kind,
    /// The packets of this service alone; of a kind that is about links.
    pub port: Option<Service>,
    /// It comes and goes; likewise.
    pub flap: Option<Flap>,
    /// How slow the disk is; of the kind that slows it.
    pub delay: Option<Delay>,
    /// How far off the clock is; of the kinds that are about clocks.
    pub offset: Option<Offset>,
}

/// What no kind of fault can be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDeed {
    /// Only links have packets, and only they flap.
    #[error("{kind} is not for links, and port and flap are: {}", of_links())]
    NoLinks {
        /// The kind.
        kind: Kind,
    },
    /// Only a clock has an offset.
    #[error("{kind} has no offset: it is for {} and {}", Kind::PatroniClock, Kind::EtcdClock)]
    NoClock {
        /// The kind.
        kind: Kind,
    },
    /// Only a slow disk has a delay.
    #[error("{kind} has no delay: it is for {}", Kind::DiskSlow)]
    NotSlow {
        /// The kind.
        kind: Kind,
    },
}

/// The kinds that are about links.
fn of_links() -> String {
    let links = Kind::all().filter(|kind| kind.on().is_links());
    links.map(Kind::as_str).collect::<Vec<_>>().join(", ")
}

impl On {
    /// It is about links, and not about members.
    pub fn is_links(self) -> bool {
        matches!(self, Self::Site { .. } | Self::TwoSites)
    }
}

impl Deed {
    /// A kind, and of links the packets of one service where it is named, and how it comes and goes; of a slow disk the
    /// delay, and of a clock the offset, where these are not the usual ones.
    ///
    /// # Errors
    /// When the kind is not about links, or has no delay or offset.
    pub fn new(
        kind: Kind,
        port: Option<Service>,
        flap: Option<Flap>,
        delay: Option<Delay>,
        offset: Option<Offset>,
    ) -> Result<Self, BadDeed> {
        if (port.is_some() || flap.is_some()) && !kind.on().is_links() {
            return Err(BadDeed::NoLinks { kind });
        }
        let plain = Self::from(kind);
        if delay.is_some() && plain.delay.is_none() {
            return Err(BadDeed::NotSlow { kind });
        }
        if offset.is_some() && plain.offset.is_none() {
            return Err(BadDeed::NoClock { kind });
        }
        let (delay, offset) = (delay.or(plain.delay), offset.or(plain.offset));
        Ok(Self { kind, port, flap, delay, offset })
    }

    /// How it cuts the links that it is about.
    pub fn cut(self) -> Cut {
        self.flap.map_or(Cut::Yes, Cut::Flaps)
    }
}

impl From<Kind> for Deed {
    fn from(kind: Kind) -> Self {
        let delay = (kind.on() == On::Disk(Ailment::Slow)).then_some(Delay::USUAL);
        let offset = matches!(kind.on(), On::Clock(_)).then_some(Offset::USUAL);
        Self { kind, port: None, flap: None, delay, offset }
    }
}

/// As the words of the command.
impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        if let Some(port) = self.port {
            write!(f, " --port {port}")?;
        }
        if let Some(flap) = self.flap {
            let period = format_duration(flap.period());
            write!(f, " --flap {period} --duty {}", flap.duty())?;
        }
        if let Some(delay) = self.delay {
            write!(f, " --delay {delay}")?;
        }
        if let Some(offset) = self.offset {
            write!(f, " --offset {offset}")?;
        }
        Ok(())
    }
}
