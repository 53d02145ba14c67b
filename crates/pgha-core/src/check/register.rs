//! The checker of registers: each is linearizable, that is, every operation takes effect at one moment between its being
//! sent and being answered.
//!
//! It goes through the history by time and keeps every state that the register may be in, with the operations that have
//! taken effect before they were answered (Wing and Gong, 1993; Lowe, "Testing for linearizability", 2017). States that
//! are the same are kept once. What is not decided within a bound is undecided.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Checked, Findings, Kind};
use crate::history::Outcome;

/// Most states at one moment.
const STATES_MAX: usize = 20_000;
/// Most states that are looked at for one register.
const WORK_MAX: usize = 5_000_000;
/// Most operations that are under way at once; those of unknown outcome are for ever.
const UNDER_WAY_MAX: usize = 128;

/// What is done to a register. Values are written once, and 0 is in a new register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It gets this value.
    Set(u64),
    /// It gets the second value, where it had the first.
    Swap(u64, u64),
    /// It has this value.
    Get(u64),
}

impl Access {
    /// The value afterwards; none where it cannot be done to this one.
    fn applied(self, value: u64) -> Option<u64> {
        match self {
            Self::Set(new) => Some(new),
            Self::Swap(old, new) => (old == value).then_some(new),
            Self::Get(seen) => (seen == value).then_some(value),
        }
    }
}

/// An operation on a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Which register.
    pub key: u32,
    /// What was done.
    pub access: Access,
    /// When it was sent.
    pub sent: Duration,
    /// When it was answered.
    pub ended: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

/// Judges operations on registers, in any order.
pub fn register(calls: &[Call]) -> Checked {
    let mut findings = Findings::default();
    let mut by_key: BTreeMap<u32, Vec<Call>> = BTreeMap::new();
    for call in calls {
        by_key.entry(call.key).or_default().push(*call);
    }
    for (key, calls) in by_key {
        match linearizable(&calls) {
            Found::Holds => {}
            Found::Undecided(why) => findings.undecided(|| format!("register {key}: {why}")),
            Found::Violated(call, possible) => findings.add(Kind::NotLinearizable, || {
                let (sent, ended) = (call.sent.as_secs_f64(), call.ended.as_secs_f64());
                let what = match call.access {
                    Access::Set(value) => format!("a write of {value}"),
                    Access::Swap(old, new) => format!("a change from {old} to {new}"),
                    Access::Get(value) => format!("a read of {value}"),
                };
                format!(
                    "register {key}: {what} between {sent:.6} s and {ended:.6} s, \
                     when its value can only have been {possible}"
                )
            }),
        }
    }
    findings.checked("register", calls.len())
}

enum Found {
    Holds,
    Undecided(&'static str),
    /// The first operation that cannot have been, and the values that were possible before it.
    Violated(Call, String),
}

/// The value, and which of the operations under way have taken effect.
type State = (u64, u128);

fn linearizable(calls: &[Call]) -> Found {
    let calls = relevant(calls);
    // What is sent at the moment at which another one is answered was under way with it.
    let mut moments: Vec<(Duration, bool, usize)> = Vec::with_capacity(2 * calls.len());
    for (number, call) in calls.iter().enumerate() {
        moments.push((call.sent, false, number));
        if call.outcome == Outcome::Ok {
            moments.push((call.ended.max(call.sent), true, number));
        }
    }
    moments.sort_unstable();
    let mut states: BTreeSet<State> = BTreeSet::from([(0, 0)]);
    let mut places: Vec<Option<usize>> = Vec::new();
    let mut work = 0;
    for (_, answered, number) in moments {
        if !answered {
            match places.iter_mut().find(|place| place.is_none()) {
                Some(place) => *place = Some(number),
                None => places.push(Some(number)),
            }
            if places.len() > UNDER_WAY_MAX {
                return Found::Undecided("too many operations at once, or of unknown outcome");
            }
            continue;
        }
        let place = places.iter().position(|place| *place == Some(number)).unwrap_or_default();
        let Some(all) = effects(&states, &places, &calls, place, &mut work) else {
            return Found::Undecided("too many orders are possible to try all of them");
        };
        if all.is_empty() {
            let values: BTreeSet<u64> = states.iter().map(|state| state.0).collect();
            let values: Vec<String> = values.iter().take(5).map(u64::to_string).collect();
            return Found::Violated(calls[number], values.join(", "));
        }
        states = all;
        places[place] = None;
    }
    Found::Holds
}

/// What matters. A write of unknown outcome whose value nobody saw may as well not have been, and a read that was not
/// answered says nothing.
fn relevant(calls: &[Call]) -> Vec<Call> {
    let reads = |call: &Call| match call.access {
        Access::Get(value) | Access::Swap(value, _) => Some(value),
        Access::Set(_) => None,
    };
    let seen: BTreeSet<u64> =
        calls.iter().filter(|call| call.outcome != Outcome::Failed).filter_map(reads).collect();
    let matters = |call: &&Call| match (call.outcome, call.access) {
        (Outcome::Ok, _) => true,
        (Outcome::Failed, _) | (Outcome::Unknown, Access::Get(_)) => false,
        (Outcome::Unknown, Access::Set(new) | Access::Swap(_, new)) => seen.contains(&new),
    };
    calls.iter().filter(matters).copied().collect()
}

/// Every state in which the operation at this place has taken effect, reached by letting operations under way take
/// effect; without that operation, which is over. None where the bound is reached.
fn effects(
    states: &BTreeSet<State>,
    places: &[Option<usize>],
    calls: &[Call],
    wanted: usize,
    work: &mut usize,
) -> Option<BTreeSet<State>> {
    let bit = 1_u128 << wanted;
    let mut done = BTreeSet::new();
    let mut seen: BTreeSet<State> = states.clone();
    let mut next: Vec<State> = states.iter().copied().collect();
    while let Some((value, effective)) = next.pop() {
        *work += 1;
        if seen.len() > STATES_MAX || *work > WORK_MAX {
            return None;
        }
        if effective & bit != 0 {
            done.insert((value, effective & !bit));
            continue;
        }
        for (place, number) in places.iter().enumerate() {
            let mask = 1_u128 << place;
            let Some(number) = number.filter(|_| effective & mask == 0) else { continue };
            if let Some(value) = calls[number].access.applied(value) {
                let state = (value, effective | mask);
                if seen.insert(state) {
                    next.push(state);
                }
            }
        }
    }
    Some(done)
}

#[cfg(test)]
mod tests;
