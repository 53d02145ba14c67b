//! Patroni's dynamic configuration as it runs: what `patronictl edit-config` changes.
//!
//! The cluster file says what a cluster is made with. From then on what counts is in etcd, under the key
//! that Patroni serves as `/config`, and whoever judges a running cluster judges by that.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::spec::{Durability, Spec};
use crate::topology::Topology;
use crate::tuning::{PatroniTimers, Synchronous, SynchronousMode, primary_start_timeout_s};

/// `maximum_lag_on_failover` that a cluster is made with, in bytes of WAL: a replica that is further
/// behind is not promoted. Also what Patroni takes where the setting is absent.
pub const LAG_MAX_BYTES: u64 = 1 << 20;

/// Patroni's default of `primary_start_timeout`, in seconds.
pub(crate) const PRIMARY_START_TIMEOUT_S: u32 = 300;

/// The settings by which a running cluster is judged, by Patroni's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dynamic {
    /// `ttl`, in seconds.
    pub ttl_s: u32,
    /// `loop_wait`, in seconds.
    pub loop_wait_s: u32,
    /// `retry_timeout`, in seconds.
    pub retry_timeout_s: u32,
    /// `primary_start_timeout`, in seconds.
    pub primary_start_timeout_s: u32,
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
        Self::read(&configuration(spec).into_iter().collect())
    }

    /// Reads what Patroni keeps in etcd and serves as `/config`. What is absent, or is nothing that
    /// Patroni takes, has Patroni's own default. `None` where the text is no configuration.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().as_ref().map(Self::read)
    }

    /// Reads it as an object, likewise.
    pub(crate) fn read(config: &Map<String, Value>) -> Self {
        let value = |key: &str| config.get(key).unwrap_or(&Value::Null);
        let number = |key: &str, default: u64| whole(value(key)).unwrap_or(default);
        let small = |key: &str, default: u32| {
            u32::try_from(number(key, default.into())).unwrap_or(u32::MAX)
        };
        let strict = truth(value("synchronous_mode_strict"));
        Self {
            ttl_s: small("ttl", 30),
            loop_wait_s: small("loop_wait", 10),
            retry_timeout_s: small("retry_timeout", 10),
            primary_start_timeout_s: small("primary_start_timeout", PRIMARY_START_TIMEOUT_S),
            maximum_lag_on_failover_bytes: number("maximum_lag_on_failover", LAG_MAX_BYTES),
            synchronous_mode: match value("synchronous_mode") {
                Value::String(word) if word.eq_ignore_ascii_case("quorum") => {
                    SynchronousMode::Quorum
                }
                word if truth(word) => SynchronousMode::On,
                _ => SynchronousMode::Off,
            },
            synchronous_mode_strict: strict,
            synchronous_node_count: small("synchronous_node_count", 1).max(u32::from(strict)),
            failsafe_mode: truth(value("failsafe_mode")),
        }
    }

    /// The three timers.
    pub fn timers(self) -> PatroniTimers {
        PatroniTimers {
            ttl_s: self.ttl_s,
            loop_wait_s: self.loop_wait_s,
            retry_timeout_s: self.retry_timeout_s,
        }
    }

    /// The durability that these settings are.
    pub fn durability(self) -> Durability {
        match (self.synchronous_mode, self.synchronous_mode_strict) {
            (SynchronousMode::Off, _) => Durability::Async,
            (SynchronousMode::On, false) => Durability::Sync,
            (SynchronousMode::On, true) => Durability::Strict,
            (SynchronousMode::Quorum, false) => Durability::Quorum,
            (SynchronousMode::Quorum, true) => Durability::QuorumStrict,
        }
    }

    /// Standbys whose acknowledgement each write of a leader in that site waits for; none where the leader alone
    /// acknowledges. Patroni goes on with those there are where more are asked for. Where it runs with the number
    /// that the cluster was made with, a leader in a smaller site asks for fewer.
    pub fn acknowledging_standbys(self, topology: &Topology, leader_site: Option<u8>) -> u32 {
        if self.synchronous_mode == SynchronousMode::Off {
            return 0;
        }
        let made_with = Synchronous::of(&topology.spec).node_count;
        let asked = match leader_site.filter(|_| self.synchronous_node_count == made_with) {
            Some(site) => topology.acknowledgements_in(site),
            None => self.synchronous_node_count,
        };
        let nodes = match leader_site {
            Some(site) => topology.acknowledging_nodes(site).count(),
            None => topology.primary_nodes().count(),
        };
        asked.min(u32::try_from(nodes).unwrap_or(u32::MAX).saturating_sub(1))
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

/// Patroni's dynamic configuration of a new cluster but for its part `postgresql`, in the order of the file: what
/// `timers` and `durability` give, and over it what the cluster file has in `[patroni]`.
pub fn configuration(spec: &Spec) -> Vec<(String, Value)> {
    let PatroniTimers { ttl_s, loop_wait_s, retry_timeout_s } = PatroniTimers::of(spec.timers);
    let Synchronous { mode, strict, node_count } = Synchronous::of(spec);
    let mut all = vec![
        ("ttl", json!(ttl_s)),
        ("loop_wait", json!(loop_wait_s)),
        ("retry_timeout", json!(retry_timeout_s)),
        ("maximum_lag_on_failover", json!(LAG_MAX_BYTES)),
    ];
    let start_timeout = primary_start_timeout_s(spec.timers);
    all.extend(start_timeout.map(|seconds| ("primary_start_timeout", json!(seconds))));
    if mode != SynchronousMode::Off {
        all.push(("synchronous_mode", json!(mode.as_str())));
        all.push(("synchronous_mode_strict", json!(strict)));
        all.push(("synchronous_node_count", json!(node_count)));
    }
    for (name, value) in spec.patroni.settings() {
        match all.iter_mut().find(|(own, _)| *own == name) {
            Some((_, own)) => *own = value.clone(),
            None => all.push((name, value.clone())),
        }
    }
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
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
        assert_eq!(bare, Dynamic::of(&Spec::default()));
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
    fn the_cluster_file_prevails_over_what_presets_give() {
        let text = "timers = \"wide\"\ndurability = \"quorum\"\n\
            [patroni]\nfailsafe = true\nttl = 90\nprimary_start_timeout = 7\nmember_slots_ttl = \"1h\"\n";
        let spec = Spec::from_toml(text).expect("a spec");
        let dynamic = Dynamic::of(&spec);
        assert_eq!((dynamic.ttl_s, dynamic.loop_wait_s, dynamic.failsafe_mode), (90, 20, true));
        let all = configuration(&spec);
        let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "ttl",
                "loop_wait",
                "retry_timeout",
                "maximum_lag_on_failover",
                "primary_start_timeout",
                "synchronous_mode",
                "synchronous_mode_strict",
                "synchronous_node_count",
                "failsafe_mode",
                "member_slots_ttl"
            ]
        );
        assert_eq!(all[4].1, json!(7));
    }

    #[test]
    fn each_preset_but_the_default_says_how_long_a_primary_may_start() {
        let of = |timers| {
            let all = configuration(&Spec { timers, ..Spec::default() });
            all.into_iter()
                .find(|(name, _)| name == "primary_start_timeout")
                .map(|(_, value)| value)
        };
        let all: Vec<_> = TimerPreset::ALL.iter().map(|preset| of(*preset)).collect();
        assert_eq!(all, [None, Some(json!(15)), Some(json!(25)), Some(json!(45)), Some(json!(95))]);
    }

    #[test]
    fn no_more_standbys_are_waited_for_than_there_are_and_none_in_a_standby_site() {
        let asked = |text: &str, spec: &Spec, site| {
            let settings = Dynamic::parse(text).expect("a configuration");
            settings.acknowledging_standbys(&Topology::new(spec.clone(), 1), site)
        };
        let two = Spec { data_centers: 2, ..Spec::default() };
        let of_five = r#"{"synchronous_mode": "quorum", "synchronous_node_count": 5}"#;
        assert_eq!(asked(of_five, &two, Some(1)), 3);
        assert_eq!(asked(of_five, &Spec { nodes: 5, ..two.clone() }, Some(1)), 5);
        assert_eq!(asked(r#"{"synchronous_node_count": 5}"#, &two, Some(1)), 0);
        let strict = r#"{"synchronous_mode": true, "synchronous_mode_strict": true, "synchronous_node_count": 0}"#;
        assert_eq!(asked(strict, &two, None), 1);

        let file =
            "durability = \"quorum\"\n[[data_center]]\nnodes = 3\n[[data_center]]\nnodes = 1\n";
        let unequal = Spec::from_toml(file).expect("a spec");
        let three = r#"{"synchronous_mode": "quorum", "synchronous_node_count": 3}"#;
        assert_eq!(asked(three, &unequal, Some(1)), 3);
        assert_eq!(asked(three, &unequal, Some(2)), 1);
        assert_eq!(asked(three, &unequal, None), 3);
        assert_eq!(asked(&three.replace('3', "2"), &unequal, Some(2)), 2, "as somebody set it");
        let standby = Spec::from_toml(&format!("{file}role = \"standby\"\n")).expect("a spec");
        assert_eq!(asked(of_five, &standby, Some(1)), 2);
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
