//! Who led etcd, and what was done to links, over the time of a run: what the lanes of these are drawn from.

use std::collections::{BTreeMap, BTreeSet};

use super::chart::timed;
use super::{Record, short};
use crate::chronicle::What;

/// A part of a lane.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span {
    pub(super) from: f64,
    pub(super) to: f64,
    /// How it is drawn.
    pub(super) class: &'static str,
    /// What is said of it.
    pub(super) said: String,
}

/// Who led etcd, as far as that was seen; nothing where nobody looked.
///
/// In one term one member leads at most, so it led between two looks that saw it in the same one. Where they differ it
/// did until a fault hit it, and from then on to the next look it is not known. Without a leader it is until faults are
/// taken back.
pub(super) fn etcd(record: &Record) -> Vec<Span> {
    let end = record.took.as_secs_f64();
    let looks: Vec<(f64, &Option<String>, &Option<u64>)> = timed(record)
        .filter_map(|(at, entry)| match &entry.what {
            What::EtcdLeader { leader, term } => Some((at.clamp(0.0, end), leader, term)),
            _ => None,
        })
        .collect();
    let mut spans: Vec<Span> = Vec::new();
    let mut put = |from: f64, to: f64, class, said: String| match spans.last_mut() {
        Some(last) if last.class == class && last.said == said => last.to = to,
        _ if to > from => spans.push(Span { from, to, class, said }),
        _ => {}
    };
    let unseen = || "etcd: leader not known".to_owned();
    if let Some((first, ..)) = looks.first() {
        put(0.0, *first, "unseen", unseen());
    }
    for (place, (at, leader, term)) in looks.iter().enumerate() {
        let next = looks.get(place + 1);
        let to = next.map_or(end, |next| next.0);
        let stays = next.is_none_or(|(_, then, later)| then == leader && later == term);
        let until = match leader {
            _ if stays => to,
            Some(name) => hit(record, name, *at, to).unwrap_or(*at),
            None => healed(record, *at, to).unwrap_or(*at),
        };
        match leader {
            Some(name) => put(*at, until, "etcd", format!("{} leads etcd", short(name))),
            None => put(*at, until, "none", "etcd has no leader".to_owned()),
        }
        put(until, to, "unseen", unseen());
    }
    spans
}

/// When a fault hit that member, or its site, in this time.
fn hit(record: &Record, member: &str, from: f64, to: f64) -> Option<f64> {
    let is_it = |target: &String| target == member || member.contains(&format!("-{target}-"));
    let found = timed(record).find(|(at, entry)| match &entry.what {
        What::Fault { targets, .. } => (from..to).contains(at) && targets.iter().any(is_it),
        _ => false,
    });
    found.map(|(at, _)| at)
}

/// When what kept etcd from electing was taken back, in this time.
fn healed(record: &Record, from: f64, to: f64) -> Option<f64> {
    let found = timed(record).find(|(at, e)| (from..to).contains(at) && e.what == What::Healed);
    found.map(|(at, _)| at)
}

/// What becomes of a link at one moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// That setting, or the blocking of that service, ends.
    Ends(String),
    /// Blocking ends, of every service.
    Opens,
    /// All is as configured.
    Reset,
    /// It is so from now on.
    Is(String, String),
}

/// The lanes of the links that were changed: of both directions one where the same was done to them.
pub(super) fn links(record: &Record) -> Vec<(String, Vec<Span>)> {
    let end = record.took.as_secs_f64();
    let mut turns: BTreeMap<String, Vec<(f64, Turn)>> = BTreeMap::new();
    let mut put = |names: &[String], at: f64, turn: &Turn| {
        for name in names {
            turns.entry(name.clone()).or_default().push((at.clamp(0.0, end), turn.clone()));
        }
    };
    let mut mentioned: BTreeSet<&String> = BTreeSet::new();
    for (_, entry) in timed(record) {
        if let What::Links { links, .. } = &entry.what {
            mentioned.extend(links);
        }
    }
    let every: Vec<String> = if mentioned.is_empty() {
        vec!["all links".to_owned()]
    } else {
        mentioned.into_iter().cloned().collect()
    };
    for (at, entry) in timed(record) {
        let What::Links { links, change, for_ms } = &entry.what else { continue };
        let names = if links.is_empty() { &every } else { links };
        let Some(change) = change else {
            put(names, at, &Turn::Reset);
            continue;
        };
        for turn in change.split(", ").map(read) {
            put(names, at, &turn);
            if let (Some(ms), Turn::Is(key, _)) = (for_ms, &turn) {
                let ms = std::time::Duration::from_millis(*ms).as_secs_f64();
                put(names, at + ms, &Turn::Ends(key.clone()));
            }
        }
    }
    let lanes = turns.into_iter().map(|(name, turns)| (name, spans(turns, end)));
    let lanes: BTreeMap<String, Vec<Span>> = lanes.filter(|(_, spans)| !spans.is_empty()).collect();
    let mut all = Vec::new();
    for (name, spans) in &lanes {
        let Some((from, to)) = name.split_once('→') else {
            all.push((name.clone(), spans.clone()));
            continue;
        };
        let same = lanes.get(&format!("{to}→{from}")).is_some_and(|back| back == spans);
        match same {
            true if from < to => all.push((format!("{from}↔{to}"), spans.clone())),
            true => {}
            false => all.push((name.clone(), spans.clone())),
        }
    }
    all
}

/// One part of a change, as the chronicle words it: `cut`, `etcd no longer cut`, `latency 40ms`.
fn read(part: &str) -> Turn {
    let word = part.split(' ').next().unwrap_or_default();
    if part == "no longer cut" {
        Turn::Opens
    } else if let Some(service) = part.strip_suffix(" no longer cut") {
        Turn::Ends(format!("{service} cut"))
    } else if word == "cut" {
        Turn::Is(" cut".to_owned(), part.to_owned())
    } else if part.contains(" cut") {
        Turn::Is(format!("{word} cut"), part.to_owned())
    } else {
        Turn::Is(word.to_owned(), part.to_owned())
    }
}

fn spans(mut turns: Vec<(f64, Turn)>, end: f64) -> Vec<Span> {
    // What ends at the moment in which something begins comes before it.
    turns.sort_by(|(one, turn), (other, next)| one.total_cmp(other).then_with(|| turn.cmp(next)));
    let mut now: BTreeMap<String, String> = BTreeMap::new();
    let (mut from, mut all) = (0.0, Vec::<Span>::new());
    for (at, turn) in turns.into_iter().map(|(at, turn)| (at, Some(turn))).chain([(end, None)]) {
        if at > from && !now.is_empty() {
            let class = if now.keys().any(|key| key.ends_with("cut")) { "fault" } else { "slow" };
            let said = now.values().cloned().collect::<Vec<_>>().join(", ");
            match all.last_mut() {
                Some(last) if last.to.total_cmp(&from).is_eq() && last.said == said => last.to = at,
                _ => all.push(Span { from, to: at, class, said }),
            }
        }
        from = at;
        match turn {
            Some(Turn::Is(key, said)) => drop(now.insert(key, said)),
            Some(Turn::Ends(key)) => drop(now.remove(&key)),
            Some(Turn::Opens) => now.retain(|key, _| !key.ends_with("cut")),
            Some(Turn::Reset) => now.clear(),
            None => {}
        }
    }
    all
}
