//! Whether a round trip fits the timers that a cluster runs with.

use std::time::Duration;

use pgha_wan::units::format_duration;

use crate::finding::Finding;
use crate::links::asked::largest_round_trip;
use crate::spec::Spec;
use crate::tuning::{EtcdTimers, PatroniTimers};

/// The timers in force that a round trip does not fit, as warnings. Those of etcd are the ones that the
/// specification was rendered with, whatever the links are now; those of Patroni run in it.
pub fn timers(spec: &Spec, patroni: PatroniTimers, round_trip: Duration) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (etcd, needed) = (EtcdTimers::of(largest_round_trip(spec)), EtcdTimers::of(round_trip));
    if !etcd.fit(round_trip) {
        findings.push(Finding::warning(
            "etcd_election_too_short",
            format!(
                "etcd's election timeout is {} ms; a round trip of {} needs {} ms",
                etcd.election_ms,
                format_duration(round_trip),
                needed.election_ms
            ),
            "etcd may lose its leader repeatedly; with the latency in the cluster file, pgha \
             derives fitting timers",
        ));
    }
    let meant_for = patroni.meant_for();
    if round_trip > meant_for {
        let needed = match PatroniTimers::preset_for(round_trip) {
            Some(preset) => {
                let t = PatroniTimers::of(preset);
                format!(
                    "--timers {preset} ({}/{}/{} s) fits; `patronictl edit-config` changes them while \
                     the cluster runs",
                    t.ttl_s, t.loop_wait_s, t.retry_timeout_s
                )
            }
            None => "no preset is meant for so much".to_owned(),
        };
        findings.push(Finding::warning(
            "patroni_timers_too_tight",
            format!(
                "Patroni runs with ttl/loop_wait/retry_timeout {}/{}/{} s, meant for round trips up \
                 to {}, and this one is {}",
                patroni.ttl_s,
                patroni.loop_wait_s,
                patroni.retry_timeout_s,
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

    fn of(spec: &Spec, ms: u64) -> Vec<Finding> {
        timers(spec, PatroniTimers::of(spec.timers), Duration::from_millis(ms))
    }

    fn codes(spec: &Spec, ms: u64) -> Vec<&'static str> {
        of(spec, ms).iter().map(|f| f.code).collect()
    }

    #[test]
    fn each_timer_that_a_round_trip_does_not_fit_is_named() {
        let spec = Spec::default();
        assert_eq!(codes(&spec, 50), [""; 0]);
        assert_eq!(codes(&spec, 51), ["patroni_timers_too_tight"]);
        assert_eq!(codes(&spec, 101), ["etcd_election_too_short", "patroni_timers_too_tight"]);
        let wide = Spec { timers: TimerPreset::Wide, ..spec };
        assert_eq!(codes(&wide, 400), ["etcd_election_too_short"]);
        let said = of(&wide, 400).remove(0).message;
        assert!(said.contains("1000 ms") && said.contains("4000 ms"), "{said}");
    }

    #[test]
    fn timers_that_run_count_and_not_those_of_the_file() {
        let (file, running) = (Spec::default(), PatroniTimers::of(TimerPreset::Safe));
        assert_eq!(timers(&file, running, Duration::from_millis(100)), []);
        let wide = Spec { timers: TimerPreset::Wide, ..file };
        let said = timers(&wide, running, Duration::from_millis(151)).pop().expect("a finding");
        assert!(said.message.contains("60/10/20 s, meant for round trips up to 150ms"), "{said:?}");
    }
}
