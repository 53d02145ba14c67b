//! What passes by itself: right after a promotion or a start, replicas are not yet where they belong.

use super::{ContainerState, Known};

impl Known<'_> {
    /// Within this time a replica has usually found its new leader: Patroni's own patience, `ttl`.
    pub(super) fn usual_s(&self) -> u64 {
        u64::from(self.settings().ttl_s)
    }

    /// When the leader was promoted is not known, since the one who asked etcd does not tell.
    pub(super) fn promotion_is_unknown(&self) -> bool {
        self.dcs.is_some_and(|dcs| !dcs.tells_succession)
    }

    /// A leader was promoted a moment ago, for certain. One that is not recorded yet is younger than that.
    pub(super) fn promoted_lately(&self) -> bool {
        if self.promotion_is_unknown() {
            return false;
        }
        let (Some(dcs), Some((_, leader))) = (self.dcs, self.leader()) else { return false };
        let Some(timeline) = leader.timeline else { return false };
        match dcs.promotion {
            None => timeline > 1,
            Some(promotion) if promotion.timeline < timeline => true,
            Some(promotion) => self.lately(promotion.at_s),
        }
    }

    /// A node, its Postgres or its container, was started a moment ago.
    pub(super) fn started_lately(&self, node: &str) -> bool {
        let container = self.containers.get(node);
        let up =
            container.filter(|c| c.state == ContainerState::Running).and_then(|c| up_s(&c.detail));
        up.is_some_and(|up| up < self.usual_s())
            || self.patroni(node).is_some_and(|p| self.lately(p.started_s))
    }

    /// A node is not where it belongs since too little time has passed.
    pub(super) fn settles(&self, node: &str) -> bool {
        self.promoted_lately() || self.started_lately(node)
    }

    fn lately(&self, at_s: Option<u64>) -> bool {
        let (Some(at), Some(now)) = (at_s, self.observed.now_s) else { return false };
        now.saturating_sub(at) < self.usual_s()
    }
}

/// For how many seconds a container has been up, by the engine's words: `Up 5 seconds`; `None` where it is
/// not up, or for so long that nobody counts seconds.
fn up_s(detail: &str) -> Option<u64> {
    let mut words = detail.strip_prefix("Up ")?.split(' ');
    match (words.next()?, words.next()?) {
        ("Less", _) => Some(0),
        ("About", "a") if detail.contains("minute") => Some(60),
        (count, "second" | "seconds") => count.parse().ok(),
        (count, "minute" | "minutes") => Some(count.parse::<u64>().ok()?.saturating_mul(60)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_words_tell_how_long_a_container_is_up() {
        assert_eq!(up_s("Up Less than a second"), Some(0));
        assert_eq!(up_s("Up 1 second"), Some(1));
        assert_eq!(up_s("Up 45 seconds (healthy)"), Some(45));
        assert_eq!(up_s("Up About a minute"), Some(60));
        assert_eq!(up_s("Up 3 minutes"), Some(180));
        for long in ["Up About an hour", "Up 3 days", "Exited (1) 5 seconds ago", "", "Up"] {
            assert_eq!(up_s(long), None, "{long}");
        }
    }
}
