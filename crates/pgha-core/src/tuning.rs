//! Settings that follow from the spec: timers, synchronous replication, and limits that grow with
//! the cluster.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::spec::{Acknowledge, Durability, Spec, TimerPreset};

/// Patroni's timers, in whole seconds as Patroni takes them.
///
/// Patroni wants `ttl >= 20`, `loop_wait >= 1`, `retry_timeout >= 3` and
/// `loop_wait + 2 * retry_timeout <= ttl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatroniTimers {
    /// Seconds after which a leader that no longer renews its key has lost it.
    pub ttl_s: u32,
    /// Seconds between two rounds of the HA loop.
    pub loop_wait_s: u32,
    /// Seconds for which a failing call to etcd or Postgres is retried.
    pub retry_timeout_s: u32,
}

impl PatroniTimers {
    /// The timers of a preset. All but the default are those of Pigsty's `pg_rto_plan`.
    pub fn of(preset: TimerPreset) -> Self {
        let (ttl_s, loop_wait_s, retry_timeout_s) = match preset {
            TimerPreset::Default => (30, 10, 10),
            TimerPreset::Fast => (20, 5, 5),
            TimerPreset::Norm => (30, 5, 10),
            TimerPreset::Safe => (60, 10, 20),
            TimerPreset::Wide => (120, 20, 30),
        };
        Self { ttl_s, loop_wait_s, retry_timeout_s }
    }

    /// The largest round trip that a preset is meant for.
    fn round_trip_max(preset: TimerPreset) -> Duration {
        Duration::from_millis(match preset {
            TimerPreset::Fast => 10,
            TimerPreset::Default | TimerPreset::Norm => 50,
            TimerPreset::Safe => 150,
            TimerPreset::Wide => 400,
        })
    }

    /// The largest round trip that timers of any length are meant for: that of the widest preset whose
    /// `ttl` and `retry_timeout` they reach.
    pub fn meant_for(self) -> Duration {
        let reached = TimerPreset::ALL.iter().filter(|preset| {
            let of = Self::of(**preset);
            self.ttl_s >= of.ttl_s && self.retry_timeout_s >= of.retry_timeout_s
        });
        let widest = reached.map(|preset| Self::round_trip_max(*preset)).max();
        widest.unwrap_or_else(|| Self::round_trip_max(TimerPreset::Fast))
    }

    /// The tightest preset that is meant for a round trip; `None` where none is.
    pub fn preset_for(round_trip: Duration) -> Option<TimerPreset> {
        [TimerPreset::Norm, TimerPreset::Safe, TimerPreset::Wide]
            .into_iter()
            .find(|&preset| round_trip <= Self::round_trip_max(preset))
    }
}

/// Seconds for which a primary that crashed may recover before another is promoted (`primary_start_timeout`), by Pigsty's
/// `pg_rto_plan`; `None` for Patroni's own 300.
pub fn primary_start_timeout_s(preset: TimerPreset) -> Option<u32> {
    match preset {
        TimerPreset::Default => None,
        TimerPreset::Fast => Some(15),
        TimerPreset::Norm => Some(25),
        TimerPreset::Safe => Some(45),
        TimerPreset::Wide => Some(95),
    }
}

/// etcd's timers, in whole milliseconds as etcd takes them, equal on all members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EtcdTimers {
    /// Milliseconds between two heartbeats of the etcd leader; 0.5 to 1.5 round trips.
    pub heartbeat_ms: u32,
    /// Milliseconds without heartbeat after which an election starts; at least 10 round trips, at
    /// most 50 000 (etcd's tuning guide).
    pub election_ms: u32,
}

impl EtcdTimers {
    /// The longest election timeout that etcd takes.
    pub const ELECTION_MAX_MS: u32 = 50_000;
    /// The longest time to hand leadership over.
    const STOP_GRACE_MAX: Duration = Duration::from_secs(5);

    /// Timers that fit the largest round trip between two members.
    pub fn of(largest_round_trip: Duration) -> Self {
        let round_trip_ms = u32::try_from(largest_round_trip.as_millis()).unwrap_or(u32::MAX);
        let (heartbeat_ms, election_ms) = match round_trip_ms {
            0..=50 => (100, 1000),
            51..=150 => (150, 2000),
            151..=400 => (400, 4000),
            more => {
                let election = more.saturating_mul(10).min(Self::ELECTION_MAX_MS);
                (more.min(election / 5), election)
            }
        };
        Self { heartbeat_ms, election_ms }
    }

    /// Whether an election outlasts ten of these round trips, in whole milliseconds as [`Self::of`] counts.
    pub fn fit(self, round_trip: Duration) -> bool {
        round_trip.as_millis().saturating_mul(10) <= u128::from(self.election_ms)
    }

    /// How long a member that is asked to stop may take before it is killed.
    ///
    /// An etcd leader hands leadership over first, which spares the others an election and takes them two
    /// round trips, a fifth of an election timeout. Where all members stop at once nobody answers, and etcd
    /// would wait several election timeouts, or for TCP to give up. Killing it loses nothing: it has whatever
    /// it acknowledged on its disk.
    pub fn stop_grace(self) -> Duration {
        Duration::from_millis(u64::from(self.election_ms / 2)).min(Self::STOP_GRACE_MAX)
    }
}

/// Patroni's `synchronous_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SynchronousMode {
    /// The leader alone acknowledges.
    Off,
    /// Named standbys acknowledge, and only they may be promoted.
    On,
    /// Any of the standbys acknowledge (Patroni 4.0 and later).
    Quorum,
}

impl SynchronousMode {
    /// Patroni's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Quorum => "quorum",
        }
    }
}

/// Who must have a write before it is acknowledged, in Patroni's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synchronous {
    /// `synchronous_mode`.
    pub mode: SynchronousMode,
    /// `synchronous_mode_strict`: writes wait when no standby is left.
    pub strict: bool,
    /// `synchronous_node_count`: standbys that acknowledge each write, at most; [`Self::node_count_in`] the site
    /// of the leader it may be fewer.
    pub node_count: u32,
}

impl Synchronous {
    /// The settings for a spec.
    pub fn of(spec: &Spec) -> Self {
        let (mode, strict) = match spec.durability {
            Durability::Async => (SynchronousMode::Off, false),
            Durability::Sync => (SynchronousMode::On, false),
            Durability::Strict => (SynchronousMode::On, true),
            Durability::Quorum => (SynchronousMode::Quorum, false),
            Durability::QuorumStrict => (SynchronousMode::Quorum, true),
        };
        // Those without a table of their own are alike, and there may be absurdly many.
        let distinct = u32::try_from(spec.each.len()).unwrap_or(u32::MAX).saturating_add(2);
        let some = spec.primaries().take_while(|number| *number <= distinct);
        let each = some.map(|number| Self::node_count_in(spec, number));
        Self { mode, strict, node_count: each.max().unwrap_or(1) }
    }

    /// Standbys that acknowledge each write of a leader in the data center of that number.
    ///
    /// The leader's own site has one standby fewer than it has nodes, so as many acknowledgements
    /// as it has nodes always include another site. Where no other site has nodes that acknowledge, or none is asked
    /// for, one standby it is.
    pub fn node_count_in(spec: &Spec, number: u32) -> u32 {
        let others = spec.primaries().any(|other| other != number);
        let remote = spec.acknowledge == Acknowledge::Remote && others;
        if remote { spec.nodes_in(number) } else { 1 }
    }

    /// Standbys that must have a write before it is acknowledged; none where the leader alone does.
    pub fn acknowledging_standbys(self) -> u32 {
        if self.mode == SynchronousMode::Off { 0 } else { self.node_count }
    }
}

/// Postgres limits that grow with the number of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `max_wal_senders`: one stream and one base backup for each replica, and some for people.
    pub max_wal_senders: u32,
    /// `max_replication_slots`: one for each other member, and some for logical replication.
    pub max_replication_slots: u32,
    /// `max_connections`.
    pub max_connections: u32,
    /// `max_worker_processes`.
    pub max_worker_processes: u32,
}

impl Limits {
    /// The limits for a spec; never below the ten of the small clusters of old.
    pub fn of(spec: &Spec) -> Self {
        Self::for_nodes(spec.all_nodes())
    }

    /// Whether so many nodes can replicate from each other, each with a stream and a base backup at a time; what there is
    /// beyond that is for people.
    pub fn carry(self, nodes: u32) -> bool {
        let replicas = nodes.saturating_sub(1);
        self.max_wal_senders >= replicas.saturating_mul(2) && self.max_replication_slots > replicas
    }

    /// The limits for a number of nodes.
    pub fn for_nodes(nodes: u32) -> Self {
        Self {
            max_wal_senders: (2 * nodes + 4).max(10),
            max_replication_slots: (nodes + 6).max(10),
            max_connections: 100,
            max_worker_processes: 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_one_that_patroni_takes() {
        for &preset in TimerPreset::ALL {
            let t = PatroniTimers::of(preset);
            assert!(t.ttl_s >= 20 && t.loop_wait_s >= 1 && t.retry_timeout_s >= 3, "{preset}");
            assert!(t.loop_wait_s + 2 * t.retry_timeout_s <= t.ttl_s, "{preset}");
        }
    }

    #[test]
    fn timers_of_a_preset_are_meant_for_what_the_preset_is() {
        for &preset in TimerPreset::ALL {
            let meant_for = PatroniTimers::of(preset).meant_for();
            assert_eq!(meant_for, PatroniTimers::round_trip_max(preset), "{preset}");
        }
        let wide = PatroniTimers { ttl_s: 90, loop_wait_s: 10, retry_timeout_s: 25 };
        assert_eq!(wide.meant_for(), PatroniTimers::round_trip_max(TimerPreset::Safe));
    }

    #[test]
    fn elections_outlast_ten_round_trips_up_to_the_most_etcd_takes() {
        for ms in [0u32, 10, 50, 51, 150, 151, 400, 401, 5000] {
            let t = EtcdTimers::of(Duration::from_millis(u64::from(ms)));
            assert!(t.election_ms >= 10 * ms, "{ms} ms: {t:?}");
            assert!(t.heartbeat_ms * 5 <= t.election_ms, "etcd refuses less: {t:?}");
        }
        let between = Duration::from_micros(400_900);
        assert!(EtcdTimers::of(between).fit(between), "timers fit what they were made for");
        let hour = Duration::from_secs(3600);
        assert_eq!(EtcdTimers::of(hour).election_ms, EtcdTimers::ELECTION_MAX_MS);
        assert!(!EtcdTimers::of(hour).fit(hour));
    }

    #[test]
    fn an_etcd_member_has_time_to_hand_over_leadership_and_no_more() {
        for ms in [0u32, 50, 150, 400, 401, 1000] {
            let t = EtcdTimers::of(Duration::from_millis(u64::from(ms)));
            let hand_over = Duration::from_millis(u64::from(2 * ms + t.heartbeat_ms));
            assert!(t.stop_grace() > hand_over, "{ms} ms: {t:?}");
        }
        assert_eq!(EtcdTimers::of(Duration::ZERO).stop_grace(), Duration::from_millis(500));
        assert_eq!(EtcdTimers::of(Duration::from_secs(3600)).stop_grace(), Duration::from_secs(5));
    }

    #[test]
    fn acknowledging_standbys_cannot_all_stand_in_the_leaders_site() {
        for durability in [Durability::Sync, Durability::Strict, Durability::Quorum] {
            for (data_centers, nodes) in [(2, 2), (3, 4), (2, 5)] {
                let spec = Spec { data_centers, nodes, durability, ..Spec::default() };
                assert!(Synchronous::of(&spec).node_count > nodes - 1);
            }
        }
    }
}
