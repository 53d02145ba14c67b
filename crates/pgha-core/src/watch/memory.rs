//! What was seen last, and when: the only thing that is kept from one look to the next.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{STALE_MS, Trail};
use crate::status::{ClusterView, NodeRole};

/// What was known of a member before it fell silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastSeen {
    /// Its role.
    pub role: Option<NodeRole>,
    /// Its state.
    pub state: String,
    /// How long ago, in milliseconds.
    pub ago_ms: u64,
}

#[derive(Debug, Clone)]
struct Seen {
    role: Option<NodeRole>,
    state: String,
    at_ms: u64,
}

/// Looks at one cluster, the latest and what the others leave behind. Times are milliseconds of one clock.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    latest: Option<(ClusterView, u64)>,
    failure: Option<String>,
    members: BTreeMap<String, Seen>,
    leader: Option<(String, u64)>,
    trail: Trail,
}

impl Memory {
    /// Takes in a look, or why there was none.
    pub fn take(&mut self, at_ms: u64, look: Result<ClusterView, String>) {
        let view = match look {
            Ok(view) => view,
            Err(why) => {
                self.failure = Some(why);
                return;
            }
        };
        self.failure = None;
        for member in &view.members {
            if let Some(state) = &member.state {
                let seen = Seen { role: member.role, state: state.clone(), at_ms };
                self.members.insert(member.name.clone(), seen);
            }
        }
        if let Some(leader) = &view.leader {
            self.leader = Some((leader.clone(), at_ms));
            if let Some(written) = view.written_bytes {
                self.trail.note(at_ms, leader, written);
            }
        }
        self.latest = Some((view, at_ms));
    }

    /// The latest look, however old.
    pub fn view(&self) -> Option<&ClusterView> {
        self.latest.as_ref().map(|(view, _)| view)
    }

    /// How old the latest look is, in milliseconds.
    pub fn age_ms(&self, now_ms: u64) -> Option<u64> {
        self.latest.as_ref().map(|(_, at)| now_ms.saturating_sub(*at))
    }

    /// Whether the latest look tells how the cluster is.
    pub fn is_current(&self, now_ms: u64) -> bool {
        self.age_ms(now_ms).is_some_and(|age| age <= STALE_MS)
    }

    /// Why the last attempt to look failed.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Where the leader's WAL was.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Who led last, and how long ago that was seen, in milliseconds.
    pub fn last_leader(&self, now_ms: u64) -> Option<(&str, u64)> {
        self.leader.as_ref().map(|(name, at)| (name.as_str(), now_ms.saturating_sub(*at)))
    }

    /// How a member was when it was known last.
    pub fn last_seen(&self, member: &str, now_ms: u64) -> Option<LastSeen> {
        let seen = self.members.get(member)?;
        let ago_ms = now_ms.saturating_sub(seen.at_ms);
        Some(LastSeen { role: seen.role, state: seen.state.clone(), ago_ms })
    }
}
