//! Patroni's dynamic configuration as it runs: what `patronictl edit-config` changes.
//!
//! The cluster file says what a cluster is made with. From then on what counts is in etcd, under the key
//! that Patroni serves as `/config`, and whoever judges a running cluster judges by that.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::spec::Spec;
use crate::tuning::{PatroniTimers, Synchronous, SynchronousMode};

/// `maximum_lag_on_failover` that a cluster is made with, in bytes of WAL: a replica that is further
/// behind is not promoted. Also what Patroni takes where the setting is absent.
pub const LAG_MAX_BYTES: u64 = 1 << 20;

/// The settings by which a running cluster is judged, by Patroni's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dynamic {
    /// `ttl`, in seconds.
    pub ttl_s: u32,
    /// `loop_wait`, in seconds.
    pub loop_wait_s: u32,
    /// `retry_timeout`, in seconds.
    pub retry_timeout_s: u32,
    /// `maximum_lag_on_failover`, in bytes.
    pub maximum_lag_on_failover_bytes: u64,
    /// `synchronous_mode`.
    pub synchronous_mode: SynchronousMode,
    /// `synchronous_mode_strict`.
    pub synchronous_mode_strict: bool,
    /// `synchronous_node_count`.
    pub synchronous_node_count: u32,
    /// `failsafe_mode`.
    pub failsafe_mode: bool,
}

impl Dynamic {
    /// What a cluster of this specification is made with.
    pub fn of(spec: &Spec) -> Self {
        let PatroniTimers { ttl_s, loop_wait_s, retry_timeout_s } = PatroniTimers::of(spec.timers);
        let Synchronous { mode, strict, node_count } = Synchronous::of(spec);
        Self {
            ttl_s,
            loop_wait_s,
            retry_timeout_s,
            maximum_lag_on_failover_bytes: LAG_MAX_BYTES,
            synchronous_mode: mode,
            synchronous_mode_strict: strict,
            synchronous_node_count: node_count,
            failsafe_mode: false,
        }
    }

    /// Reads what Patroni keeps in etcd and serves as `/config`. What is absent, or is nothing that
    /// Patroni takes, has Patroni's own default. `None` where the text is no configuration.
    pub fn parse(text: &str) -> Option<Self> {
        let config: Value = serde_json::from_str(text).ok()?;
        config.is_object().then_some(())?;
        let number = |key: &str, default: u64| whole(&config[key]).unwrap_or(default);
        let small = |key: &str, default: u32| {
            u32::try_from(number(key, default.into())).unwrap_or(u32::MAX)
        };
        let strict = truth(&config["synchronous_mode_strict"]);
        Some(Self {
            ttl_s: small("ttl", 30),
            loop_wait_s: small("loop_wait", 10),
            retry_timeout_s: small("retry_timeout", 10),
            maximum_lag_on_failover_bytes: number("maximum_lag_on_failover", LAG_MAX_BYTES),
            synchronous_mode: match &config["synchronous_mode"] {
                Value::String(word) if word.eq_ignore_ascii_case("quorum") => {
                    SynchronousMode::Quorum
                }
                word if truth(word) => SynchronousMode::On,
                _ => SynchronousMode::Off,
            },
            synchronous_mode_strict: strict,
            synchronous_node_count: small("synchronous_node_count", 1).max(u32::from(strict)),
            failsafe_mode: truth(&config["failsafe_mode"]),
        })
    }

    /// The three timers.
    pub fn timers(self) -> PatroniTimers {
        PatroniTimers {
            ttl_s: self.ttl_s,
            loop_wait_s: self.loop_wait_s,
            retry_timeout_s: self.retry_timeout_s,
        }
    }

    /// Standbys whose acknowledgement each write waits for in a cluster of so many nodes; none where the
    /// leader alone acknowledges. Patroni goes on with those there are where more are asked for.
    pub fn acknowledging_standbys(self, nodes: usize) -> u32 {
        if self.synchronous_mode == SynchronousMode::Off {
            return 0;
        }
        let others = u32::try_from(nodes.saturating_sub(1)).unwrap_or(u32::MAX);
        self.synchronous_node_count.min(others)
    }

    /// Each setting that differs from another configuration, as `ttl 60 (30)`, the other's in
    /// parentheses. What is without effect where nothing is synchronous does not count.
    pub fn differences(self, other: Self) -> Vec<String> {
        let synchronous = |d: Self| {
            (d.synchronous_mode != SynchronousMode::Off).then_some(d.synchronous_node_count)
        };
        let mut pairs = vec![
            ("ttl", self.ttl_s.to_string(), other.ttl_s.to_string()),
            ("loop_wait", self.loop_wait_s.to_string(), other.loop_wait_s.to_string()),
            ("retry_timeout", self.retry_timeout_s.to_string(), other.retry_timeout_s.to_string()),
            (
                "maximum_lag_on_failover",
                self.maximum_lag_on_failover_bytes.to_string(),
                other.maximum_lag_on_failover_bytes.to_string(),
            ),
            (
                "synchronous_mode",
                self.synchronous_mode.as_str().to_owned(),
                other.synchronous_mode.as_str().to_owned(),
            ),
            ("failsafe_mode", self.failsafe_mode.to_string(), other.failsafe_mode.to_string()),
        ];
        if let (Some(mine), Some(its)) = (synchronous(self), synchronous(other)) {
            pairs.push((
                "synchronous_mode_strict",
                self.synchronous_mode_strict.to_string(),
                other.synchronous_mode_strict.to_string(),
            ));
            pairs.push(("synchronous_node_count", mine.to_string(), its.to_string()));
        }
        pairs.retain(|(_, mine, its)| mine != its);
        pairs.into_iter().map(|(name, mine, its)| format!("{name} {mine} ({its})")).collect()
    }
}

/// A whole number, or one in quotes, as Patroni takes both.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// What Patroni takes for true.
fn truth(value: &Value) -> bool {
    let word = match value {
        Value::Bool(truth) => return *truth,
        Value::String(word) => word.to_ascii_lowercase(),
        other => other.to_string(),
    };
    matches!(word.as_str(), "on" | "true" | "yes" | "1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Durability, TimerPreset};
    use proptest::prelude::*;

    #[test]
    fn what_is_absent_or_odd_has_patronis_default() {
        let bare = Dynamic::parse("{}").expect("a configuration");
        assert_eq!(bare, Dynamic { synchronous_node_count: 1, ..Dynamic::of(&Spec::default()) });
        assert_eq!(Dynamic::parse(r#"{"ttl": "x", "loop_wait": null}"#), Some(bare));
        for no_configuration in ["", "null", "[]", "3"] {
            assert_eq!(Dynamic::parse(no_configuration), None, "{no_configuration}");
        }
    }

    #[test]
    fn every_spelling_of_synchronous_mode_is_known() {
        let mode = |word: &str| {
            let text = format!(r#"{{"synchronous_mode": {word}}}"#);
            Dynamic::parse(&text).expect("a configuration").synchronous_mode
        };
        for on in ["true", "\"on\"", "\"Yes\"", "1", "\"1\""] {
            assert_eq!(mode(on), SynchronousMode::On, "{on}");
        }
        for off in ["false", "\"off\"", "null", "0", "\"maybe\"", "[]"] {
            assert_eq!(mode(off), SynchronousMode::Off, "{off}");
        }
        assert_eq!(mode("\"Quorum\""), SynchronousMode::Quorum);
    }

    #[test]
    fn no_more_standbys_are_waited_for_than_there_are() {
        let asked = |text: &str| Dynamic::parse(text).expect("a configuration");
        let five = asked(r#"{"synchronous_mode": "quorum", "synchronous_node_count": 5}"#);
        assert_eq!(five.acknowledging_standbys(4), 3);
        assert_eq!(five.acknowledging_standbys(9), 5);
        assert_eq!(asked(r#"{"synchronous_node_count": 5}"#).acknowledging_standbys(4), 0);
        let strict = asked(
            r#"{"synchronous_mode": true, "synchronous_mode_strict": true, "synchronous_node_count": 0}"#,
        );
        assert_eq!(strict.acknowledging_standbys(4), 1);
    }

    #[test]
    fn each_changed_setting_is_named_with_both_values() {
        let file = Dynamic::of(&Spec {
            data_centers: 2,
            durability: Durability::Quorum,
            timers: TimerPreset::Wide,
            ..Spec::default()
        });
        assert_eq!(file.differences(file), [""; 0]);
        let off = Dynamic { synchronous_mode: SynchronousMode::Off, ..file };
        assert_eq!(off.differences(file), ["synchronous_mode off (quorum)"]);
        let one = Dynamic { synchronous_node_count: 1, ttl_s: 60, ..file };
        assert_eq!(one.differences(file), ["ttl 60 (120)", "synchronous_node_count 1 (2)"]);
        // A cluster without synchronous replication has no such settings at all.
        let bare = Dynamic::of(&Spec { data_centers: 2, ..Spec::default() });
        assert_eq!(Dynamic::parse("{}").expect("a configuration").differences(bare), [""; 0]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String, value in "(-1|1e99|\"\"|\\{\\}|18446744073709551616)") {
            let _ = Dynamic::parse(&text);
            let odd = format!(r#"{{"ttl": {value}, "synchronous_node_count": {value}}}"#);
            prop_assert!(Dynamic::parse(&odd).is_some());
        }
    }
}
