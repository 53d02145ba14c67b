//! Whether a round trip fits the timers that a cluster runs with.

use std::time::Duration;

use crate::lint::Finding;
use crate::spec::{Spec, format_duration};
use crate::tuning::{EtcdTimers, PatroniTimers};

/// The timers in force that a round trip does not fit, as warnings; the timers are those that the
/// specification was rendered with, whatever the links are now.
pub fn timers(spec: &Spec, round_trip: Duration) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (etcd, needed) = (EtcdTimers::of(spec.largest_round_trip()), EtcdTimers::of(round_trip));
    if round_trip.saturating_mul(10) > Duration::from_millis(u64::from(etcd.election_ms)) {
        findings.push(Finding::warning(
            "etcd_election_too_short",
            format!(
                "etcd elects after {} ms without a heartbeat, and a round trip of {} needs {} ms",
                etcd.election_ms,
                format_duration(round_trip),
                needed.election_ms
            ),
            "etcd may lose its leader again and again; a distance in the cluster file makes the timers fit",
        ));
    }
    let meant_for = PatroniTimers::round_trip_max(spec.timers);
    if round_trip > meant_for {
        let t = PatroniTimers::of(spec.timers);
        let needed = match PatroniTimers::preset_for(round_trip) {
            Some(preset) => {
                let t = PatroniTimers::of(preset);
                format!(
                    "--timers {preset} ({}/{}/{} s) fits",
                    t.ttl_s, t.loop_wait_s, t.retry_timeout_s
                )
            }
            None => "no preset is meant for so much".to_owned(),
        };
        findings.push(Finding::warning(
            "patroni_timers_too_tight",
            format!(
                "Patroni runs with ttl/loop_wait/retry_timeout {}/{}/{} s ({}), meant for round trips up \
                 to {}, and this one is {}",
                t.ttl_s,
                t.loop_wait_s,
                t.retry_timeout_s,
                spec.timers,
                format_duration(meant_for),
                format_duration(round_trip)
            ),
            needed,
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::TimerPreset;

    fn codes(spec: &Spec, ms: u64) -> Vec<&'static str> {
        timers(spec, Duration::from_millis(ms)).iter().map(|f| f.code).collect()
    }

    #[test]
    fn each_timer_that_a_round_trip_does_not_fit_is_named() {
        let spec = Spec::default();
        assert_eq!(codes(&spec, 50), [""; 0]);
        assert_eq!(codes(&spec, 51), ["patroni_timers_too_tight"]);
        assert_eq!(codes(&spec, 101), ["etcd_election_too_short", "patroni_timers_too_tight"]);
        let wide = Spec { timers: TimerPreset::Wide, ..spec };
        assert_eq!(codes(&wide, 400), ["etcd_election_too_short"]);
        let said = timers(&wide, Duration::from_millis(400)).remove(0).message;
        assert!(said.contains("1000 ms") && said.contains("4000 ms"), "{said}");
    }
}
