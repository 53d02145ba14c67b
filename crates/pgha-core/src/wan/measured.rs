//! Round trips between sites as members measure them.

use serde::{Deserialize, Serialize};

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
