//! What is said over the router's control socket: one [`Request`] as a line of JSON, one [`Reply`]
//! back.

use serde::{Deserialize, Serialize};

use crate::settings::{LinkChange, LinkSettings};

/// Where the router listens, inside its container.
pub const SOCKET: &str = "/run/pgha/wan.sock";

/// One direction, by the names of its sites.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Direction {
    /// Where packets come from, such as `DC1`.
    pub from: String,
    /// Where they go.
    pub to: String,
}

/// What the router is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Say what every link is and has carried.
    State,
    /// Change links; all of them or none.
    Change {
        /// Which directions.
        links: Vec<Direction>,
        /// What of each.
        change: LinkChange,
        /// Milliseconds after which each link becomes again what it was before; `None` for good.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// Make links what the specification says; all of them where none is named.
    Reset {
        /// Which directions.
        links: Vec<Direction>,
    },
    /// The cluster is about to be stopped: let its next start be without distances again, until it
    /// is ready.
    Stopping,
}

/// What the router answers; a change answers with the state after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// What every link is and has carried.
    State(WanState),
    /// Nothing was changed, and why.
    Refused(String),
}

/// The router at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WanState {
    /// What all randomness comes from: the same seed and the same packets give the same losses.
    pub seed: u64,
    /// The links of the specification are not in force yet: the cluster is still coming up.
    pub waiting_for_cluster: bool,
    /// Milliseconds since the router's engine started, the clock of its counters.
    pub running_ms: u64,
    /// Packets that are not IPv4, or not as long as they say.
    pub malformed: u64,
    /// Packets that are not from a site of the cluster to another one.
    pub foreign: u64,
    /// Every direction, ordered by the numbers of its sites.
    pub links: Vec<LinkState>,
}

/// One direction at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkState {
    /// Where packets come from.
    pub from: String,
    /// Where they go.
    pub to: String,
    /// What is in force.
    pub settings: LinkSettings,
    /// What the specification says.
    pub spec: LinkSettings,
    /// Milliseconds until this link becomes again what it was, where it was changed for a while.
    pub undone_in_ms: Option<u64>,
    /// Packets that wait for their turn on a link with a rate.
    pub queued_packets: u64,
    /// Bytes of these.
    pub queued_bytes: u64,
    /// Packets on their way.
    pub flying_packets: u64,
    /// Bytes of these.
    pub flying_bytes: u64,
    /// What has happened since the engine started.
    pub counters: LinkCounters,
}

/// What has happened to the packets of one direction.
///
/// `packets + duplicated` is the sum of `delivered`, all drops, and what is queued and flying.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCounters {
    /// Packets that came.
    pub packets: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Packets that were handed to the other site.
    pub delivered: u64,
    /// Bytes of these.
    pub delivered_bytes: u64,
    /// Dropped by the loss asked for.
    pub lost: u64,
    /// Dropped since the link is cut, or their service.
    pub cut: u64,
    /// Dropped since the queue of a link with a rate was full.
    pub queue_full: u64,
    /// Dropped since the router may hold no more.
    pub overflow: u64,
    /// Refused or split since they were larger than the MTU.
    pub too_big: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Packets that went ahead of others.
    pub reordered: u64,
}
