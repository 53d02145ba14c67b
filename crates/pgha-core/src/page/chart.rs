//! What clients saw and how each member was, over the time of a run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::{Record, escaped, lanes, short};
use crate::chronicle::{Entry, What};
use crate::drill::{RunReport, since_fault_s};
use crate::fault::Kind;
use crate::history::{Operation, Outcome, outages};

/// Columns: names on the left, time on the right.
const LEFT: f64 = 150.0;
const WIDTH: f64 = 1000.0;
/// Acknowledged writes are counted in pieces of this length.
const PIECE_MS: u64 = 100;
/// Heights: of the writes, of a lane, and from one lane to the next.
const WRITES: f64 = 70.0;
const LANE: f64 = 16.0;
const NEXT: f64 = 28.0;
/// Room for the text of a fault.
const TEXT: f64 = 190.0;

/// How a node was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Leads,
    Streams,
    Away,
}

impl State {
    fn class(self) -> &'static str {
        match self {
            Self::Leads => "leads",
            Self::Streams => "streams",
            Self::Away => "away",
        }
    }
}

/// Where things stand, left to right.
struct Scale {
    took_s: f64,
}

impl Scale {
    fn x(&self, at_s: f64) -> f64 {
        LEFT + (at_s / self.took_s).clamp(0.0, 1.0) * (WIDTH - LEFT)
    }
}

/// The chart of a run, with its legend.
pub(super) fn run(run: &RunReport, record: &Record) -> String {
    let scale = Scale { took_s: record.took.as_secs_f64().max(0.001) };
    let faults = faults(record);
    let (etcd, links) = (lanes::etcd(record), lanes::links(record));
    let lanes = record.nodes.len() + faults.len() + links.len() + usize::from(!etcd.is_empty());
    #[allow(clippy::cast_precision_loss, reason = "some lanes")]
    let height = 20.0 + WRITES + 18.0 + NEXT * lanes as f64 + 26.0;
    let mut svg = String::new();
    grid(&mut svg, &scale, height);
    let mut y = 20.0;
    outage(&mut svg, record, &scale, height);
    writes(&mut svg, record, &scale, y);
    y += WRITES + 18.0;
    for (number, (from, to, what)) in faults.iter().enumerate() {
        if number == 0 {
            name(&mut svg, "faults", y);
        }
        labelled(&mut svg, "fault", (scale.x(*from), scale.x(*to)), y, what);
        y += NEXT;
    }
    for (link, spans) in &links {
        name(&mut svg, link, y);
        for span in spans {
            labelled(&mut svg, span.class, (scale.x(span.from), scale.x(span.to)), y, &span.said);
        }
        y += NEXT;
    }
    if !etcd.is_empty() {
        name(&mut svg, "etcd's leader", y);
        for span in &etcd {
            let (from, to) = (scale.x(span.from), scale.x(span.to));
            bar(&mut svg, span.class, (from, to), y, &span.said);
            if to - from > TEXT && span.class != "unseen" {
                write_on(&mut svg, "on", from + 5.0, y, &span.said);
            }
        }
        y += NEXT;
    }
    for (place, node) in record.nodes.iter().enumerate() {
        name(&mut svg, short(node), y);
        for (from, to, state, said) in spans(run, record, node) {
            bar(&mut svg, state.class(), (scale.x(from), scale.x(to)), y, &said);
        }
        acknowledged(&mut svg, record, &scale, place, y + LANE);
        for (at, timeline) in timelines(record, node) {
            let x = scale.x(at);
            let _ = write!(
                svg,
                "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/><text text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">TL {timeline}</text>",
                y - 3.0,
                y + LANE + 3.0,
                x - 4.0,
                y + 12.0
            );
        }
        y += NEXT;
    }
    let label = format!(
        "Writes, links and members over {:.0} seconds: no write was acknowledged for {}",
        scale.took_s,
        run.rto_s.map_or_else(|| "the rest of the run".to_owned(), |s| format!("{s:.1} seconds"))
    );
    let legend = [
        ("ok", "writes acknowledged, per 100 ms"),
        ("unknown", "unknown"),
        ("failed", "failed"),
        ("leads", "accepts writes"),
        ("streams", "streams"),
        ("away", "neither"),
        ("fault", "fault"),
    ];
    let of_links = links.iter().flat_map(|(_, spans)| spans).any(|span| span.class == "slow");
    let slow = of_links.then_some(("slow", "link changed"));
    let of_etcd =
        [("etcd", "leads etcd"), ("none", "etcd without a leader"), ("unseen", "not known")];
    let of_etcd =
        of_etcd.into_iter().filter(|(class, _)| etcd.iter().any(|span| span.class == *class));

    let mut key = String::new();
    for (class, what) in legend.into_iter().chain(slow).chain(of_etcd) {
        let _ = write!(
            key,
            "<span><svg viewBox=\"0 0 12 12\" aria-hidden=\"true\"><rect class=\"{class}\" width=\"12\" height=\"12\" rx=\"2\"/></svg>{what}</span>"
        );
    }
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Chart\"><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">{svg}</svg></div>\
        <p class=\"legend\">{key}</p>",
        escaped(&label)
    )
}

/// A bar with its text: in it where there is room, else beside it.
fn labelled(svg: &mut String, class: &str, (from, to): (f64, f64), y: f64, what: &str) {
    bar(svg, class, (from, to), y, what);
    let (class, x) = if to - from > TEXT { ("on", from) } else { ("off", to) };
    write_on(svg, class, x.min(WIDTH - TEXT) + 5.0, y, what);
}

fn write_on(svg: &mut String, class: &str, x: f64, y: f64, what: &str) {
    let (at, what) = (y + 12.0, escaped(what));
    let _ = write!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{at:.1}\">{what}</text>");
}

fn name(svg: &mut String, name: &str, y: f64) {
    let _ = write!(svg, "<text x=\"0\" y=\"{:.1}\">{}</text>", y + 12.0, escaped(name));
}

fn bar(svg: &mut String, class: &str, (from, to): (f64, f64), y: f64, said: &str) {
    let width = (to - from).max(2.0);
    let _ = write!(
        svg,
        "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{LANE}\"><title>{}</title></rect>",
        escaped(said)
    );
}

/// A line every few seconds, with its time.
fn grid(svg: &mut String, scale: &Scale, height: f64) {
    let step = [1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0];
    let step = step.into_iter().find(|step| scale.took_s / step <= 14.0).unwrap_or(600.0);
    let mut at = 0.0;
    while at <= scale.took_s {
        let x = scale.x(at);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"14\" y2=\"{:.1}\"/><text class=\"dim\" x=\"{:.1}\" y=\"{:.1}\">{at:.0} s</text>",
            height - 18.0,
            (x - 6.0).min(WIDTH - 30.0),
            height - 4.0
        );
        at += step;
    }
}

fn outage(svg: &mut String, record: &Record, scale: &Scale, height: f64) {
    let all = outages(&record.operations, record.took, Duration::ZERO).into_iter();
    let after = all.filter(|o| o.to.is_none_or(|to| to > record.clock.fault));
    let Some(longest) = after.max_by_key(|o| o.length(record.took)) else { return };
    let (from, to) = (longest.from.as_secs_f64(), longest.to.unwrap_or(record.took).as_secs_f64());
    let _ = write!(
        svg,
        "<rect class=\"outage\" x=\"{:.1}\" y=\"14\" width=\"{:.1}\" height=\"{:.1}\"><title>no writes for {:.1} s</title></rect>",
        scale.x(from),
        scale.x(to) - scale.x(from),
        height - 32.0,
        to - from
    );
}

/// Acknowledged writes as bars, and below them a band of those that failed or are unknown.
fn writes(svg: &mut String, record: &Record, scale: &Scale, y: f64) {
    let mut counts: BTreeMap<u64, [u32; 3]> = BTreeMap::new();
    for operation in &record.operations {
        let piece = counts.entry(piece(operation.ended)).or_default();
        piece[match operation.outcome {
            Outcome::Ok => 0,
            Outcome::Unknown => 1,
            Outcome::Failed => 2,
        }] += 1;
    }
    let most = counts.values().map(|c| c[0]).max().unwrap_or_default();
    name(svg, "writes", y + 20.0);
    let _ = write!(
        svg,
        "<text class=\"dim\" x=\"0\" y=\"{:.1}\">{most} per {PIECE_MS} ms at most</text>",
        y + 48.0
    );
    for (place, class) in ["ok", "unknown", "failed"].into_iter().enumerate() {
        let mut path = String::new();
        for (number, count) in &counts {
            let of = count[place];
            if of == 0 {
                continue;
            }
            let (x, width) = column(scale, *number);
            let (top, height) = if place == 0 {
                let height = f64::from(of) / f64::from(most.max(1)) * WRITES;
                (y + WRITES - height, height)
            } else {
                (y + WRITES + 2.0, 8.0)
            };
            let _ = write!(path, "M{x:.1} {top:.1}h{width:.1}v{height:.1}h-{width:.1}z");
        }
        if !path.is_empty() {
            let _ = write!(svg, "<path class=\"{class}\" d=\"{path}\"/>");
        }
    }
}

/// Where a node acknowledged writes, below its lane.
fn acknowledged(svg: &mut String, record: &Record, scale: &Scale, place: usize, y: f64) {
    let mut pieces: Vec<u64> = record
        .operations
        .iter()
        .filter(|o| o.outcome == Outcome::Ok && o.node as usize == place)
        .map(|o| piece(o.ended))
        .collect();
    pieces.sort_unstable();
    pieces.dedup();
    let mut path = String::new();
    for number in pieces {
        let (x, width) = column(scale, number);
        let _ = write!(path, "M{x:.1} {y:.1}h{width:.1}v4h-{width:.1}z");
    }
    if !path.is_empty() {
        let _ = write!(
            svg,
            "<path class=\"ok\" d=\"{path}\"><title>acknowledged writes</title></path>"
        );
    }
}

fn piece(at: Duration) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX) / PIECE_MS
}

fn column(scale: &Scale, number: u64) -> (f64, f64) {
    let at = |number: u64| Duration::from_millis(number.saturating_mul(PIECE_MS)).as_secs_f64();
    let (from, to) = (scale.x(at(number)), scale.x(at(number + 1)));
    (from, (to - from).max(0.6))
}

/// Each event with its seconds since the begin of the load.
pub(super) fn timed(record: &Record) -> impl Iterator<Item = (f64, &Entry)> {
    let fault = record.clock.fault.as_secs_f64();
    record.events.iter().filter_map(move |e| Some((since_fault_s(record.clock, &e.at)? + fault, e)))
}

/// Each fault, until those that lasted were taken back.
fn faults(record: &Record) -> Vec<(f64, f64, String)> {
    let healed = |from: f64| {
        let after = |(at, e): &(f64, &Entry)| *at >= from && e.what == What::Healed;
        timed(record).find(after).map(|(at, _)| at)
    };
    let each = timed(record).filter_map(|(at, e)| match &e.what {
        What::Fault { fault, targets } => {
            let targets = targets.join(", ").replace("pgha-", "");
            let lasts = fault.parse().is_ok_and(Kind::lasts);
            let to = if lasts { healed(at).unwrap_or(at) } else { at };
            Some((at, to, format!("{fault} {targets}")))
        }
        _ => None,
    });
    each.collect()
}

fn timelines(record: &Record, node: &str) -> Vec<(f64, u32)> {
    let of = |(at, e): (f64, &Entry)| match e.what {
        What::Timeline { timeline } if e.member.as_deref() == Some(node) => Some((at, timeline)),
        _ => None,
    };
    timed(record).filter_map(of).collect()
}

/// How a node was, from when to when, and what began it.
fn spans(run: &RunReport, record: &Record, node: &str) -> Vec<(f64, f64, State, String)> {
    let led = run.leaders[0].as_deref() == Some(node);
    let mut state = if led { State::Leads } else { State::Streams };
    let (mut from, mut said) = (0.0, "at the begin".to_owned());
    let mut all = Vec::new();
    let place = record.nodes.iter().position(|name| name == node);
    let own = |o: &&Operation| o.outcome == Outcome::Ok && place == Some(o.node as usize);
    let mut acknowledged: Vec<f64> =
        record.operations.iter().filter(own).map(|o| o.ended.as_secs_f64()).collect();
    acknowledged.sort_by(f64::total_cmp);
    let mut acknowledged = acknowledged.into_iter().peekable();
    let end = record.took.as_secs_f64();
    for (at, entry) in timed(record).map(|(at, entry)| (at, Some(entry))).chain([(end, None)]) {
        // What a node acknowledges it accepts, whatever has become of its log. An answer may still be under way when a fault
        // takes hold.
        while let Some(write) = acknowledged.next_if(|write| *write < at) {
            if state != State::Leads && write > from + 1.0 {
                all.push((from, write, state, said));
                (from, state, said) = (write, State::Leads, "a write was acknowledged".to_owned());
            }
        }
        let Some(entry) = entry else { break };
        let own = entry.member.as_deref() == Some(node);
        let next = match &entry.what {
            What::Fault { fault, targets } if targets.iter().any(|t| t == node) => {
                // A program inside it may be gone while Postgres goes on.
                let whole = ["kill", "stop", "pause", "restart"].contains(&fault.as_str());
                (whole || fault.starts_with("postgres")).then_some(State::Away)
            }
            // A node that takes the key is promoted at once; of that, the log of Postgres may be gone.
            What::Writable | What::LeaderKeyTaken if own => Some(State::Leads),
            What::Streaming { .. } if own => Some(State::Streams),
            What::StreamLost
            | What::PostgresStopping
            | What::PostgresStarting
            | What::PostgresCrashed
                if own =>
            {
                Some(State::Away)
            }
            _ => None,
        };
        if let Some(next) = next.filter(|next| *next != state) {
            all.push((from, at, state, said));
            (from, state, said) = (at, next, entry.what.to_string());
        }
    }
    all.push((from, record.took.as_secs_f64(), state, said));
    all
}
