//! What links carried, dropped and held between two looks at the router.

use serde::{Deserialize, Serialize};

use crate::control::{LinkState, WanState};
use crate::settings::Cut;

/// What all links did between two looks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Milliseconds since the router's engine started.
    pub running_ms: u64,
    /// Milliseconds that the rates are about; null at the first look and after a restart of the
    /// router, which have none.
    pub over_ms: Option<u64>,
    /// Every direction, by the numbers of its sites.
    pub links: Vec<LinkSample>,
}

/// What one direction did between two looks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinkSample {
    /// Where packets come from.
    pub from: String,
    /// Where they go.
    pub to: String,
    /// Nothing passes.
    pub cut: bool,
    /// Bytes of IP packets that came, in a second.
    pub bytes_per_s: u64,
    /// Packets that came, in a second.
    pub packets_per_s: u64,
    /// Packets handed to the other site, in a second.
    pub delivered_per_s: u64,
    /// Packets dropped by the loss asked for, in a second.
    pub lost_per_s: u64,
    /// Packets dropped by a cut, in a second.
    pub cut_per_s: u64,
    /// Packets dropped since a queue was full, here or in the router as a whole, in a second.
    pub queue_full_per_s: u64,
    /// Bytes that wait for their turn.
    pub queued_bytes: u64,
    /// Bytes on their way.
    pub flying_bytes: u64,
}

/// What the links did between two looks; the first look, and one at a router that has started anew, has no
/// rates.
pub fn compared(before: Option<&WanState>, now: &WanState) -> Sample {
    let over_ms = before
        .and_then(|before| now.running_ms.checked_sub(before.running_ms))
        .filter(|&over| over > 0);
    let links = now
        .links
        .iter()
        .map(|link| {
            let earlier = before.and_then(|b| {
                b.links.iter().find(|other| other.from == link.from && other.to == link.to)
            });
            link_sample(link, earlier, over_ms)
        })
        .collect();
    Sample { running_ms: now.running_ms, over_ms, links }
}

fn link_sample(now: &LinkState, before: Option<&LinkState>, over_ms: Option<u64>) -> LinkSample {
    let (new, old) = (&now.counters, before.map(|b| b.counters).unwrap_or_default());
    let rate = |new: u64, old: u64| {
        let per_s = over_ms.map(|ms| u128::from(new.saturating_sub(old)) * 1000 / u128::from(ms));
        per_s.map_or(0, |rate| u64::try_from(rate).unwrap_or(u64::MAX))
    };
    LinkSample {
        from: now.from.clone(),
        to: now.to.clone(),
        cut: now.settings.cut == Cut::Yes,
        bytes_per_s: rate(new.bytes, old.bytes),
        packets_per_s: rate(new.packets, old.packets),
        delivered_per_s: rate(new.delivered, old.delivered),
        lost_per_s: rate(new.lost, old.lost),
        cut_per_s: rate(new.cut, old.cut),
        queue_full_per_s: rate(new.queue_full + new.overflow, old.queue_full + old.overflow),
        queued_bytes: now.queued_bytes,
        flying_bytes: now.flying_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::LinkCounters;
    use crate::settings::LinkSettings;

    fn state(running_ms: u64, bytes: u64) -> WanState {
        let link = LinkState {
            from: "DC1".into(),
            to: "DC2".into(),
            settings: LinkSettings::default(),
            spec: LinkSettings::default(),
            undone_in_ms: None,
            queued_packets: 0,
            queued_bytes: 7,
            flying_packets: 0,
            flying_bytes: 9,
            counters: LinkCounters { bytes, overflow: bytes, queue_full: 1, ..Default::default() },
        };
        WanState {
            seed: 1,
            waiting_for_cluster: false,
            running_ms,
            malformed: 0,
            foreign: 0,
            links: vec![link],
        }
    }

    #[test]
    fn rates_are_over_the_router_s_own_time_and_begin_anew_with_it() {
        let second = compared(Some(&state(1000, 50)), &state(3000, 250));
        assert_eq!(second.over_ms, Some(2000));
        assert_eq!(second.links[0].bytes_per_s, 100);
        assert_eq!(second.links[0].queue_full_per_s, 100);
        assert_eq!((second.links[0].queued_bytes, second.links[0].flying_bytes), (7, 9));
        for first in [None, Some(&state(9000, 900))] {
            let sample = compared(first, &state(3000, 250));
            assert_eq!((sample.over_ms, sample.links[0].bytes_per_s), (None, 0));
        }
    }
}
