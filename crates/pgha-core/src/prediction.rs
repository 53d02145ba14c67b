//! How long no write is expected to go, by kind of failure: a model, to be compared with what is measured.
//!
//! A failover has parts. The leader's key in etcd lives on for `ttl - loop_wait` to `ttl`, since a leader renews it every
//! `loop_wait`. A replica notices within `loop_wait`, asks the other nodes for at most [`RACE_MAX`], and is promoted within
//! [`PROMOTION_MAX`]. The parts are taken as evenly distributed and independent, so the mean is the middle. (This is the model
//! of Pigsty's `pg_rto_plan`, with the race in place of its proxies.)
//!
//! - **Node loss**: these three.
//! - **Site loss**: the same; where etcd's leader is lost with the site, its successor first has to be elected, within two
//!   election timeouts, and then gives every key its whole `ttl` again and one election timeout more (`Promote` of etcd's
//!   lessor). Each etcd member is as likely to lead as any other.
//! - **Crash** of Postgres alone: Patroni notices within `loop_wait` and starts it; another `loop_wait` passes where it
//!   looks too early. Recovery takes as long as it takes, at most `primary_start_timeout`, and next to nothing in the mean
//!   that is given here.
//! - **Switchover**: the leader stops, which is not counted; the rest is a promotion that a replica notices within
//!   `loop_wait`, at best at once.
//!
//! Whether a failover comes about at all is the survival table's business.

use std::time::Duration;

use serde::Serialize;

use crate::dynamic::Dynamic;
use crate::links::asked::largest_round_trip;
use crate::topology::{Role, Topology};
use crate::tuning::{EtcdTimers, PatroniTimers};

/// How long a replica waits in the race for other nodes that do not answer: the timeout with which Patroni asks their REST API
/// (`fetch_node_status` in its `ha.py`).
pub const RACE_MAX: Duration = Duration::from_secs(2);
/// The longest that a promotion takes, with the first standby that acknowledges.
pub const PROMOTION_MAX: Duration = Duration::from_secs(2);

/// The longest that a failover takes after any loss, that of etcd's leader included.
pub fn failover_max(timers: PatroniTimers, etcd: EtcdTimers) -> Duration {
    let rounds = Duration::from_secs((timers.ttl_s + timers.loop_wait_s).into());
    3 * Duration::from_millis(etcd.election_ms.into()) + rounds + RACE_MAX + PROMOTION_MAX
}

/// A time without writes, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Outage {
    /// At least.
    pub min_s: f64,
    /// In the mean.
    pub avg_s: f64,
    /// At most.
    pub max_s: f64,
}

/// Times without writes by what fails.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Prediction {
    /// The leader's container or machine is lost.
    pub node_loss: Outage,
    /// The leader's site is lost, at worst the one with most of etcd.
    pub site_loss: Outage,
    /// The leader's Postgres crashes, and its Patroni does not.
    pub crash: Outage,
    /// Somebody moves the leader.
    pub switchover: Outage,
}

impl Outage {
    /// Independent parts one after the other, each from and to so many seconds.
    fn of(parts: &[[f64; 2]]) -> Self {
        let sum = |end: usize| parts.iter().map(|part| part[end]).sum::<f64>();
        let (min_s, max_s) = (sum(0), sum(1));
        Self { min_s, avg_s: f64::midpoint(min_s, max_s), max_s }
    }
}

impl Prediction {
    /// What is expected of a cluster.
    pub fn of(topology: &Topology) -> Self {
        let settings = Dynamic::of(&topology.spec);
        let timers = settings.timers();
        let (ttl, loop_wait) = (f64::from(timers.ttl_s), f64::from(timers.loop_wait_s));
        let etcd = EtcdTimers::of(largest_round_trip(&topology.spec));
        let election = f64::from(etcd.election_ms) / 1000.0;
        let notice = [0.0, loop_wait];
        let promotion = [0.0, (RACE_MAX + PROMOTION_MAX).as_secs_f64()];

        let node_loss = Outage::of(&[[ttl - loop_wait, ttl], notice, promotion]);
        let with_etcd_leader =
            Outage::of(&[[election, 3.0 * election], [ttl, ttl], notice, promotion]);
        let share = largest_share_of_etcd(topology);
        let site_loss = if share > 0.0 {
            Outage {
                avg_s: node_loss.avg_s * (1.0 - share) + with_etcd_leader.avg_s * share,
                max_s: with_etcd_leader.max_s,
                ..node_loss
            }
        } else {
            node_loss
        };
        let started = Outage::of(&[notice, notice]);
        let crash = Outage {
            max_s: started.max_s + f64::from(settings.primary_start_timeout_s),
            ..started
        };
        let switchover = Outage::of(&[notice, [0.0, PROMOTION_MAX.as_secs_f64()]]);
        Self { node_loss, site_loss, crash, switchover }
    }
}

/// The largest share of etcd that a site has which may have the leader.
fn largest_share_of_etcd(topology: &Topology) -> f64 {
    let count = |site: u8| {
        let here = topology.of_role(Role::Etcd).filter(|m| m.site == site).count();
        u32::try_from(here).unwrap_or(u32::MAX)
    };
    let most = topology.primary_nodes().map(|node| count(node.site)).max().unwrap_or_default();
    f64::from(most) / f64::from(topology.placement.total().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Spec, TimerPreset};

    fn of(timers: TimerPreset) -> Prediction {
        Prediction::of(&Topology::new(Spec { data_centers: 2, timers, ..Spec::default() }, 1))
    }

    #[test]
    fn a_node_loss_is_near_what_the_model_was_published_with() {
        // Those include up to 2 s of proxies' health checks, which there are none of.
        for (timers, [min_s, avg_s, max_s]) in
            [(TimerPreset::Fast, [16.0, 23.0, 29.0]), (TimerPreset::Norm, [27.0, 34.0, 41.0])]
        {
            let of = of(timers).node_loss;
            for (ours, published) in [(of.min_s, min_s), (of.avg_s, avg_s), (of.max_s, max_s)] {
                assert!(ours <= published && published - ours <= 4.0, "{timers}: {of:?}");
            }
        }
    }

    #[test]
    fn a_site_is_no_sooner_replaced_than_a_node_and_a_mean_is_in_between() {
        for &timers in TimerPreset::ALL {
            let all = of(timers);
            assert!(all.site_loss.avg_s > all.node_loss.avg_s, "{all:?}");
            assert!(all.site_loss.max_s > all.node_loss.max_s, "{all:?}");
            for one in [all.node_loss, all.site_loss, all.crash, all.switchover] {
                assert!(one.min_s <= one.avg_s && one.avg_s <= one.max_s, "{one:?}");
            }
        }
    }
}
