//! The WAN of a running cluster in one value: what every screen of `pgha wan` draws and what its
//! `--json` prints.
//!
//! Made from the router's [`WanState`] and the members' [`RoundTrips`]. Fields of the JSON may be
//! added to; they keep their names and meanings (docs/wan.md).

use std::time::Duration;

use pgha_wan::control::{LinkCounters, LinkState, WanState};
use pgha_wan::measured::{RoundTrip, RoundTrips, Verdict, compare};
use pgha_wan::settings::{Cut, LinkSettings, Share};
use serde::Serialize;

/// The WAN of one cluster at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WanView {
    /// Cluster name.
    pub cluster: String,
    /// Instance number.
    pub instance: u32,
    /// What all randomness comes from.
    pub seed: u64,
    /// The distances of the specification are not in force yet: the cluster is still coming up.
    pub waiting_for_cluster: bool,
    /// Names of the sites, by number.
    pub sites: Vec<String>,
    /// Every pair of sites once, by number.
    pub pairs: Vec<PairView>,
    /// Every direction, by the numbers of its sites.
    pub links: Vec<LinkView>,
}

/// Two sites and the way there and back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PairView {
    /// Both sites.
    pub between: [String; 2],
    /// Both latencies in force together, in microseconds; null where a direction is cut.
    pub asked_us: Option<u64>,
    /// The measured median, in microseconds; null where nothing came back or nobody measured.
    pub measured_us: Option<u64>,
    /// Echo requests that were sent.
    pub sent: u32,
    /// Answers that came.
    pub received: u32,
    /// How far below `asked_us` the median may be, in microseconds.
    pub tolerance_below_us: u64,
    /// How far above.
    pub tolerance_above_us: u64,
    /// What follows.
    pub verdict: Verdict,
}

/// One direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkView {
    /// Where packets come from.
    pub from: String,
    /// Where they go.
    pub to: String,
    /// How it stands to the specification.
    pub state: LinkStanding,
    /// What is in force.
    pub settings: LinkSettings,
    /// What the specification says.
    pub spec: LinkSettings,
    /// Milliseconds until it becomes again what it was, where it was changed for a while.
    pub undone_in_ms: Option<u64>,
    /// Packets that wait for their turn.
    pub queued_packets: u64,
    /// Bytes of these.
    pub queued_bytes: u64,
    /// Packets on their way.
    pub flying_packets: u64,
    /// Bytes of these.
    pub flying_bytes: u64,
    /// What has happened since the router's engine started.
    pub counters: LinkCounters,
}

/// How a direction stands to the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkStanding {
    /// It is what the specification says.
    AsSpecified,
    /// Something of it is not.
    Changed,
    /// Nothing passes.
    Cut,
}

impl WanView {
    /// What the router says, with what was measured; of both directions of a pair, the measurement
    /// that has answers, and else the first.
    pub fn new(cluster: &str, instance: u32, state: &WanState, measured: &[RoundTrips]) -> Self {
        let mut sites: Vec<String> = Vec::new();
        for link in &state.links {
            if !sites.contains(&link.from) {
                sites.push(link.from.clone());
            }
        }
        let find = |from: &str, to: &str| {
            state.links.iter().find(|link| link.from == from && link.to == to)
        };
        let mut pairs = Vec::new();
        for (n, a) in sites.iter().enumerate() {
            for b in &sites[n + 1..] {
                if let (Some(forth), Some(back)) = (find(a, b), find(b, a)) {
                    pairs.push(PairView::new(forth, back, round_trip(measured, a, b)));
                }
            }
        }
        Self {
            cluster: cluster.to_owned(),
            instance,
            seed: state.seed,
            waiting_for_cluster: state.waiting_for_cluster,
            pairs,
            links: state.links.iter().map(|link| LinkView::new(link, state)).collect(),
            sites,
        }
    }

    /// The pair of two sites, in either order.
    pub fn pair(&self, a: &str, b: &str) -> Option<&PairView> {
        self.pairs.iter().find(|pair| {
            let [one, other] = &pair.between;
            (one == a && other == b) || (one == b && other == a)
        })
    }

    /// The direction from one site to another.
    pub fn link(&self, from: &str, to: &str) -> Option<&LinkView> {
        self.links.iter().find(|link| link.from == from && link.to == to)
    }
}

impl PairView {
    fn new(forth: &LinkState, back: &LinkState, measured: Option<&RoundTrip>) -> Self {
        let compared = compare(&forth.settings, &back.settings, measured);
        Self {
            between: [forth.from.clone(), forth.to.clone()],
            asked_us: compared.asked.map(micros),
            measured_us: compared.measured.map(micros),
            sent: measured.map_or(0, |m| m.sent),
            received: measured.map_or(0, |m| m.received),
            tolerance_below_us: micros(compared.below),
            tolerance_above_us: micros(compared.above),
            verdict: compared.verdict,
        }
    }

    /// What a measurement that is not as asked says, as a sentence without a full stop.
    pub fn difference(&self) -> Option<String> {
        let [a, b] = &self.between;
        let ms = |us: Option<u64>| milliseconds(us.unwrap_or_default());
        let said = match self.verdict {
            Verdict::AsAsked | Verdict::NotMeasured => return None,
            Verdict::Differs => format!(
                "round trip between {a} and {b}: measured {}, configured {} (tolerance −{}, +{})",
                ms(self.measured_us),
                ms(self.asked_us),
                milliseconds(self.tolerance_below_us),
                milliseconds(self.tolerance_above_us)
            ),
            Verdict::NoAnswer => format!(
                "all {} echo requests between {a} and {b} lost; configured round trip {}",
                self.sent,
                ms(self.asked_us)
            ),
            Verdict::NotCut => format!(
                "{} of {} echo requests between {a} and {b} answered although the link is blocked",
                self.received, self.sent
            ),
            Verdict::Unclear => format!(
                "all {} echo requests between {a} and {b} lost, possibly due to the configured loss",
                self.sent
            ),
        };
        Some(said)
    }
}

impl LinkView {
    fn new(link: &LinkState, state: &WanState) -> Self {
        let differs = link.settings != link.spec && !state.waiting_for_cluster;
        Self {
            from: link.from.clone(),
            to: link.to.clone(),
            state: match () {
                () if link.settings.cut == Cut::Yes => LinkStanding::Cut,
                () if differs || link.undone_in_ms.is_some() => LinkStanding::Changed,
                () => LinkStanding::AsSpecified,
            },
            settings: link.settings.clone(),
            spec: link.spec.clone(),
            undone_in_ms: link.undone_in_ms,
            queued_packets: link.queued_packets,
            queued_bytes: link.queued_bytes,
            flying_packets: link.flying_packets,
            flying_bytes: link.flying_bytes,
            counters: link.counters,
        }
    }
}

fn round_trip<'a>(measured: &'a [RoundTrips], a: &str, b: &str) -> Option<&'a RoundTrip> {
    let of = |from: &str, to: &str| {
        measured.iter().find(|m| m.from == from)?.to.iter().find(|trip| trip.to == to)
    };
    let both = [of(a, b), of(b, a)];
    let mut known = both.into_iter().flatten();
    known.clone().find(|trip| trip.median_us.is_some()).or_else(|| known.next())
}

/// What is worth a line beside the delay: `loss 0.5%`, `100mbit` and so on; empty for a plain link.
pub fn remarks(link: &LinkSettings) -> Vec<String> {
    let mut said = Vec::new();
    if link.loss > Share::ZERO {
        said.push(format!("loss {}", link.loss));
    }
    said.extend(link.rate.map(|rate| rate.to_string()));
    if matches!(link.cut, Cut::Flaps(_)) {
        said.push("flaps".to_owned());
    }
    said.extend(link.cut_ports.iter().map(|(service, cut)| match cut {
        Cut::Flaps(_) => format!("{service} flaps"),
        _ => format!("{service} cut"),
    }));
    said
}

/// `80.4 ms`, `0.42 ms`: three figures or so.
pub fn milliseconds(us: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "a round trip is far below 2^52 microseconds")]
    let ms = us as f64 / 1000.0;
    match us {
        0..10_000 => format!("{ms:.2} ms"),
        10_000..1_000_000 => format!("{ms:.1} ms"),
        _ => format!("{ms:.0} ms"),
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
