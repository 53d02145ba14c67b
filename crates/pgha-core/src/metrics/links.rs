//! The WAN: what each direction is configured to be, what it carried, and round trips as members measured them.

use pgha_wan::measured::Verdict;

use super::exposition::{Exposition, Label};
use super::{Seen, flag, number};
use crate::links::view::{LinkStanding, LinkView};

/// One metric of each direction: its name, its help, and its value where there is one.
type Metric = (&'static str, &'static str, fn(&LinkView) -> Option<f64>);

const GAUGES: &[Metric] = &[
    ("pgha_link_latency_seconds", "Configured latency of this direction.", |link| {
        Some(link.settings.latency.as_secs_f64())
    }),
    ("pgha_link_loss_ratio", "Configured packet loss of this direction.", |link| {
        Some(link.settings.loss.probability())
    }),
    ("pgha_link_cut", "Value is 1 if all traffic of this direction is blocked.", |link| {
        Some(flag(link.state == LinkStanding::Cut))
    }),
    (
        "pgha_link_as_specified",
        "Value is 1 if this direction is what the cluster file says.",
        |link| Some(flag(link.state == LinkStanding::AsSpecified)),
    ),
    ("pgha_link_queued_bytes", "Bytes that wait for a link with a bandwidth.", |link| {
        Some(number(link.queued_bytes))
    }),
];

const COUNTERS: &[Metric] = &[
    ("pgha_link_delivered_packets_total", "Packets that were delivered.", |link| {
        Some(number(link.counters.delivered))
    }),
    ("pgha_link_delivered_bytes_total", "Bytes that were delivered.", |link| {
        Some(number(link.counters.delivered_bytes))
    }),
];

pub(super) fn add(out: &mut Exposition, seen: &Seen<'_>) {
    let Some(wan) = seen.links else { return };
    let labels = |link: &LinkView| -> Vec<Label> {
        let [from, to] = [&link.from, &link.to].map(Clone::clone);
        vec![seen.cluster(), ("from", from.clone()), ("site", from), ("to", to)]
    };
    for (name, help, value) in GAUGES {
        let family = out.gauge(name, help);
        wan.links.iter().for_each(|link| family.set_some(labels(link), value(link)));
    }
    for (name, help, value) in COUNTERS {
        let family = out.counter(name, help);
        wan.links.iter().for_each(|link| family.set_some(labels(link), value(link)));
    }
    let family = out.counter("pgha_link_dropped_packets_total", "Packets dropped, by reason.");
    for link in &wan.links {
        let all = &link.counters;
        for (reason, count) in [
            ("loss", all.lost),
            ("cut", all.cut),
            ("queue_full", all.queue_full),
            ("overflow", all.overflow),
        ] {
            let own = [("reason", reason.to_owned())];
            family.set([labels(link).as_slice(), &own].concat(), number(count));
        }
    }
    round_trips(out, seen);
}

fn round_trips(out: &mut Exposition, seen: &Seen<'_>) {
    let Some(wan) = seen.links else { return };
    let seconds = |us: Option<u64>| us.map(|us| number(us) / 1e6);
    let labels =
        |[a, b]: &[String; 2]| vec![seen.cluster(), ("site", a.clone()), ("to", b.clone())];
    let family = out.gauge(
        "pgha_round_trip_configured_seconds",
        "Configured round trip; absent where blocked.",
    );
    for pair in &wan.pairs {
        family.set_some(labels(&pair.between), seconds(pair.asked_us));
    }
    let family =
        out.gauge("pgha_round_trip_measured_seconds", "Median round trip as members measured it.");
    for pair in &wan.pairs {
        family.set_some(labels(&pair.between), seconds(pair.measured_us));
    }
    let family = out.gauge(
        "pgha_round_trip_as_configured",
        "Value is 1 if the measured round trip is within the tolerance.",
    );
    for pair in wan.pairs.iter().filter(|pair| pair.verdict != Verdict::NotMeasured) {
        family.set(labels(&pair.between), flag(pair.verdict == Verdict::AsAsked));
    }
}
