//! Round trips between sites as members measure them, and whether they are what was asked for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::settings::{Cut, Distribution, LinkSettings, Share};

/// What one member measured: the answers to echo requests (ICMP) that it sent to every other site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundTrips {
    /// The member's own site.
    pub from: String,
    /// One for each other site, by number.
    pub to: Vec<RoundTrip>,
}

/// The round trip to one site. Of several members there, the one that answered best.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundTrip {
    /// The other site.
    pub to: String,
    /// Requests sent to that member.
    pub sent: u32,
    /// Answers that came before the deadline.
    pub received: u32,
    /// Shortest round trip, in microseconds; `None` without an answer.
    pub min_us: Option<u64>,
    /// The median.
    pub median_us: Option<u64>,
    /// The longest.
    pub max_us: Option<u64>,
}

/// How far a median may be from what is asked before it is a difference: this, or
/// [`TOLERANCE_SHARE`] of it where that is more.
pub const TOLERANCE: Duration = Duration::from_millis(1);
/// One part in so many of what is asked.
pub const TOLERANCE_SHARE: u32 = 20;
/// A measurement that all of these packets are lost by chance less often than this says that there
/// is no way.
const CHANCE: f64 = 0.001;
/// Bytes of an echo request as an IP packet.
const ECHO_BYTES: u64 = 84;

/// What a measured round trip says about the asked one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The median is within the tolerance, or nothing came through a cut or a flap.
    AsAsked,
    /// The median is further from what is asked than the tolerance.
    Differs,
    /// Nothing came back, though something should have.
    NoAnswer,
    /// Something came through a cut.
    NotCut,
    /// Nothing came back, and that may be the loss that was asked for.
    Unclear,
    /// Nobody measured.
    NotMeasured,
}

/// A round trip as asked, as measured, and whether that is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// Both latencies together; `None` where a direction is cut.
    pub asked: Option<Duration>,
    /// The measured median.
    pub measured: Option<Duration>,
    /// How far below what is asked the median may be.
    pub below: Duration,
    /// How far above.
    pub above: Duration,
    /// What follows.
    pub verdict: Verdict,
}

/// Compares a measurement with what is asked of both directions.
///
/// The tolerance is the larger of 1 ms and 5 %, and what the settings explain: both jitters; above,
/// also what an echo takes to pass a rate and its full queue; below, everything where at least a
/// quarter of the packets is not delayed so that it overtakes others.
pub fn compare(
    forth: &LinkSettings,
    back: &LinkSettings,
    measured: Option<&RoundTrip>,
) -> Comparison {
    let both = [forth, back];
    let asked: Duration = both.iter().map(|link| link.latency).sum();
    let jitter: Duration =
        both.iter().filter(|l| l.distribution != Distribution::None).map(|link| link.jitter).sum();
    let passing: Duration = both
        .iter()
        .filter_map(|link| link.rate.map(|rate| rate.time_of(ECHO_BYTES + link.queue.bytes(rate))))
        .fold(Duration::ZERO, Duration::saturating_add);
    let overtakes = both.iter().any(|link| link.reorder.parts_per_million() >= 250_000);
    let tolerance = TOLERANCE.max(asked / TOLERANCE_SHARE).saturating_add(jitter);
    let below = if overtakes { asked } else { tolerance };
    let above = tolerance.saturating_add(passing);
    let median = measured.and_then(|m| m.median_us).map(Duration::from_micros);
    let cut = both.iter().any(|link| link.cut == Cut::Yes);
    let flaps = both.iter().any(|link| link.cut.is_asked());
    let verdict = match (measured, median) {
        (None, _) => Verdict::NotMeasured,
        (Some(_), None) if flaps => Verdict::AsAsked,
        (Some(_), Some(_)) if cut => Verdict::NotCut,
        (Some(m), None) => {
            let through: f64 = both.iter().map(|link| 1.0 - link.loss.probability()).product();
            let bursts = both.iter().any(|link| link.burst.is_some() && link.loss > Share::ZERO);
            let none = (1.0 - through).powi(i32::try_from(m.sent).unwrap_or(i32::MAX));
            if bursts || none > CHANCE { Verdict::Unclear } else { Verdict::NoAnswer }
        }
        (Some(_), Some(median)) => {
            let fits =
                median.saturating_add(below) >= asked && median <= asked.saturating_add(above);
            if fits { Verdict::AsAsked } else { Verdict::Differs }
        }
    };
    Comparison { asked: (!cut).then_some(asked), measured: median, below, above, verdict }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Rate;

    fn link(latency_ms: u64) -> LinkSettings {
        LinkSettings { latency: Duration::from_millis(latency_ms), ..LinkSettings::default() }
    }

    fn median(us: Option<u64>) -> RoundTrip {
        let received = if us.is_some() { 10 } else { 0 };
        RoundTrip { to: "DC2".into(), sent: 10, received, min_us: us, median_us: us, max_us: us }
    }

    fn verdict(forth: &LinkSettings, back: &LinkSettings, us: Option<u64>) -> Verdict {
        compare(forth, back, Some(&median(us))).verdict
    }

    #[test]
    fn a_millisecond_or_five_percent_is_no_difference() {
        let near = link(0);
        assert_eq!(verdict(&near, &near, Some(900)), Verdict::AsAsked);
        assert_eq!(verdict(&near, &near, Some(1_001)), Verdict::Differs);
        let far = link(40);
        assert_eq!(verdict(&far, &far, Some(76_000)), Verdict::AsAsked);
        assert_eq!(verdict(&far, &far, Some(84_000)), Verdict::AsAsked);
        assert_eq!(verdict(&far, &far, Some(75_900)), Verdict::Differs);
        assert_eq!(verdict(&far, &far, Some(84_100)), Verdict::Differs);
        assert_eq!(compare(&far, &link(10), None).asked, Some(Duration::from_millis(50)));
    }

    #[test]
    fn jitter_and_a_queue_explain_more() {
        let jitter = LinkSettings { jitter: Duration::from_millis(5), ..link(40) };
        assert_eq!(verdict(&jitter, &jitter, Some(70_000)), Verdict::AsAsked);
        let none = LinkSettings { distribution: Distribution::None, ..jitter };
        assert_eq!(verdict(&none, &none, Some(70_000)), Verdict::Differs);
        let slow = LinkSettings { rate: Some(Rate::bits_per_second(1_000_000)), ..link(0) };
        assert_eq!(verdict(&slow, &link(0), Some(50_000)), Verdict::AsAsked);
        assert_eq!(verdict(&slow, &link(0), Some(60_000)), Verdict::Differs);
        let overtaking = LinkSettings { reorder: Share::per_million(500_000), ..link(40) };
        assert_eq!(verdict(&overtaking, &link(0), Some(300)), Verdict::AsAsked);
    }

    #[test]
    fn silence_is_right_only_through_a_cut_and_unclear_through_much_loss() {
        let cut = LinkSettings { cut: Cut::Yes, ..link(40) };
        assert_eq!(verdict(&cut, &link(40), None), Verdict::AsAsked);
        assert_eq!(verdict(&cut, &link(40), Some(80_000)), Verdict::NotCut);
        let flap = "40% of 1s".parse().expect("a flap");
        let flaps = LinkSettings { cut: Cut::Flaps(flap), ..link(40) };
        assert_eq!(verdict(&flaps, &link(40), None), Verdict::AsAsked);
        assert_eq!(verdict(&flaps, &link(40), Some(80_000)), Verdict::AsAsked);
        assert_eq!(compare(&flaps, &link(40), None).asked, Some(Duration::from_millis(80)));
        assert_eq!(verdict(&link(40), &link(40), None), Verdict::NoAnswer);
        let lossy =
            |percent: u32| LinkSettings { loss: Share::per_million(percent * 10_000), ..link(4) };
        assert_eq!(verdict(&lossy(5), &lossy(5), None), Verdict::NoAnswer);
        assert_eq!(verdict(&lossy(60), &lossy(60), None), Verdict::Unclear);
        assert_eq!(compare(&link(4), &link(4), None).verdict, Verdict::NotMeasured);
    }
}
