//! The links as the page draws them: few fields, since there are many links.

use std::collections::BTreeMap;

use pgha_core::links::view::{LinkStanding, WanView, milliseconds, remarks};
use pgha_wan::control::WanState;
use pgha_wan::measured::Verdict;
use pgha_wan::sample::compared;
use serde::Serialize;

use super::slow::Measured;

/// All links.
#[derive(Debug, Default, Serialize)]
pub(super) struct Links {
    /// The router answered.
    known: bool,
    directions: Vec<Direction>,
    pairs: Vec<Pair>,
}

/// One direction.
#[derive(Debug, Serialize)]
struct Direction {
    from: String,
    to: String,
    state: LinkStanding,
    /// Loss, bandwidth and the like, in words.
    remarks: Vec<String>,
    undone_in_s: Option<u64>,
    bytes_per_s: u64,
}

/// Two sites.
#[derive(Debug, Serialize)]
struct Pair {
    between: [String; 2],
    configured_us: Option<u64>,
    measured_us: Option<u64>,
    /// What is measured, or else configured, in words; null where it is blocked.
    label: Option<String>,
    verdict: Verdict,
    /// What is not as configured, in words.
    difference: Option<String>,
}

impl Links {
    pub(super) fn new(
        state: Option<&WanState>,
        before: Option<&WanState>,
        measured: &Measured,
    ) -> Self {
        let Some(state) = state else { return Self::default() };
        let view = WanView::new("", 0, state, &measured.trips);
        let sample = compared(before, state);
        let directions = view.links.iter().zip(&sample.links).map(|(link, sample)| Direction {
            from: link.from.clone(),
            to: link.to.clone(),
            state: link.state,
            remarks: remarks(&link.settings),
            undone_in_s: link.undone_in_ms.map(|ms| ms.div_ceil(1000)),
            bytes_per_s: sample.bytes_per_s,
        });
        let pairs = view.pairs.iter().map(|pair| Pair {
            between: pair.between.clone(),
            configured_us: pair.asked_us,
            measured_us: pair.measured_us,
            label: pair.asked_us.map(|asked| milliseconds(pair.measured_us.unwrap_or(asked))),
            verdict: pair.verdict,
            difference: pair.difference(),
        });
        Self { known: true, directions: directions.collect(), pairs: pairs.collect() }
    }

    pub(super) fn any_cut(&self) -> bool {
        self.directions.iter().any(|link| link.state == LinkStanding::Cut)
    }

    pub(super) fn bytes_per_s(&self) -> u64 {
        self.directions.iter().map(|link| link.bytes_per_s).sum()
    }

    /// Milliseconds by pair; what was measured before a pair was blocked is no round trip of it now.
    pub(super) fn round_trips(&self) -> BTreeMap<String, Option<f64>> {
        #[allow(clippy::cast_precision_loss, reason = "a round trip is far below 2^52 µs")]
        let ms = |us: u64| us as f64 / 1000.0;
        let pairs = self.pairs.iter();
        let now = |pair: &Pair| pair.configured_us.and(pair.measured_us).map(ms);
        pairs.map(|pair| (pair.between.join("–"), now(pair))).collect()
    }
}
