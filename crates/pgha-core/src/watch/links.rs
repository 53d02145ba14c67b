//! The links screen: each pair of sites with what is configured, measured and carried.

use pgha_wan::measured::Verdict;
use pgha_wan::sample::Sample;
use pgha_wan::settings::Cut;

use super::{Standing, ago};
use crate::links::view::{LinkStanding, LinkView, PairView, WanView, milliseconds, remarks};
use crate::words::bytes;

/// Everything on the links screen at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinksBoard {
    /// Each pair of sites once.
    pub rows: Vec<LinkRow>,
    /// How old the measurement is, such as `measured 3 s ago`.
    pub measured: String,
}

/// Two sites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// Both.
    pub between: [String; 2],
    /// Round trip as configured, or `cut`.
    pub configured: String,
    /// Round trip as measured.
    pub measured: String,
    /// Loss, forth and back where they differ.
    pub loss: String,
    /// Bytes in a second there and back.
    pub throughput: String,
    /// As specified, changed or cut, and for how long still.
    pub state: String,
    /// How it stands out.
    pub standing: Standing,
    /// Latency of the direction from the first to the second, in milliseconds.
    pub latency_ms: u64,
}

impl LinksBoard {
    /// From what the router says, what the links carried since the look before, and when members measured.
    pub fn of(view: &WanView, carried: &Sample, measured_ago_ms: Option<u64>) -> Self {
        let measured = match measured_ago_ms {
            Some(ms) => format!("round trips measured {} ago", ago(ms)),
            None => "round trips not measured yet".to_owned(),
        };
        let rows = view.pairs.iter().map(|pair| row(view, pair, carried)).collect();
        Self { rows, measured }
    }
}

fn row(view: &WanView, pair: &PairView, carried: &Sample) -> LinkRow {
    let [a, b] = &pair.between;
    let both = [view.link(a, b), view.link(b, a)];
    let of = |each: &dyn Fn(&LinkView) -> String| {
        let [forth, back] = both.map(|link| link.map(each).unwrap_or_default());
        if forth == back { forth } else { format!("{forth} / {back}") }
    };
    let rate = |from: &str, to: &str| {
        let link = carried.links.iter().find(|link| link.from == from && link.to == to);
        let rate = link.filter(|_| carried.over_ms.is_some()).map(|link| bytes(link.bytes_per_s));
        rate.map_or_else(|| "?".to_owned(), |rate| format!("{rate}/s"))
    };
    let unlike = both.into_iter().flatten().any(|link| link.state != LinkStanding::AsSpecified);
    let cut = both.into_iter().flatten().any(|link| link.settings.cut == Cut::Yes);
    LinkRow {
        between: pair.between.clone(),
        configured: match pair.asked_us {
            Some(0) => "none".to_owned(),
            Some(us) => milliseconds(us),
            None => "cut".to_owned(),
        },
        measured: match (pair.verdict, pair.measured_us) {
            (Verdict::NotMeasured, _) => "?".to_owned(),
            (_, Some(us)) => milliseconds(us),
            (_, None) => "no answer".to_owned(),
        },
        loss: of(&|link| link.settings.loss.to_string()),
        throughput: format!("{} → {} ←", rate(a, b), rate(b, a)),
        state: of(&state),
        standing: match pair.verdict {
            _ if cut => Standing::Bad,
            Verdict::NoAnswer | Verdict::NotCut => Standing::Bad,
            Verdict::Differs | Verdict::Unclear => Standing::Warning,
            _ if unlike => Standing::Warning,
            Verdict::AsAsked | Verdict::NotMeasured => Standing::Plain,
        },
        latency_ms: both[0]
            .map_or(0, |link| u64::try_from(link.settings.latency.as_millis()).unwrap_or(u64::MAX)),
    }
}

/// `changed (24 s): loss 5%`.
fn state(link: &LinkView) -> String {
    let word = match link.state {
        LinkStanding::AsSpecified => "as specified",
        LinkStanding::Changed => "changed",
        LinkStanding::Cut => "cut",
    };
    let left = link.undone_in_ms.map(|ms| format!(" ({} s left)", ms.div_ceil(1000)));
    let remarks = remarks(&link.settings).into_iter().filter(|said| !said.starts_with("loss "));
    let said: Vec<String> =
        [format!("{word}{}", left.unwrap_or_default())].into_iter().chain(remarks).collect();
    said.join(", ")
}
