//! First stage: what `[patroni]` asks for and Patroni does not take. Patroni itself says nothing of a setting that it does
//! not know, and goes on with its own value for one that it cannot read.

use serde_json::Value;

use super::{Finding, shortened};
use crate::dynamic::Dynamic;
use crate::spec::Spec;

/// What a setting takes.
#[derive(Debug, Clone, Copy)]
enum Takes {
    /// A whole number from this one upward.
    Whole(i64),
    /// The same, or a time with its unit such as `30min`.
    Time,
    /// True or false.
    Truth,
    /// A table.
    Table,
    /// A list.
    List,
}

/// Dynamic settings of Patroni 4.1, without those that follow from other keys of the cluster file.
const KNOWN: [(&str, Takes); 13] = [
    ("check_timeline", Takes::Truth),
    ("failsafe_mode", Takes::Truth),
    ("ignore_slots", Takes::List),
    ("loop_wait", Takes::Whole(1)),
    ("max_timelines_history", Takes::Whole(0)),
    ("maximum_lag_on_failover", Takes::Whole(0)),
    ("maximum_lag_on_syncnode", Takes::Whole(-1)),
    ("member_slots_ttl", Takes::Time),
    ("primary_start_timeout", Takes::Whole(0)),
    ("primary_stop_timeout", Takes::Whole(0)),
    ("retry_timeout", Takes::Whole(3)),
    ("slots", Takes::Table),
    ("ttl", Takes::Whole(20)),
];

/// The names of these settings.
pub(crate) fn known() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, _)| *name)
}

/// Everything there is to say about `[patroni]`; what follows from the whole spec only where its numbers are possible.
pub(super) fn check(spec: &Spec, is_possible: bool) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        spec.patroni.settings().filter_map(|(name, value)| setting(name, value)).collect();
    let named = spec.patroni.settings().filter(|(name, _)| *name == "failsafe_mode").count();
    if named > 1 {
        findings.push(Finding::error(
            "patroni_setting",
            "failsafe and failsafe_mode are the same setting",
            "leave one of them out",
        ));
    }
    if findings.is_empty() && is_possible {
        findings.extend(timers(spec));
    }
    findings
}

fn setting(name: &str, value: &Value) -> Option<Finding> {
    let shown = shortened(name);
    let elsewhere = match name {
        "postgresql" => Some("Postgres's parameters and lines of pg_hba.conf are in [postgres]"),
        "synchronous_mode" | "synchronous_mode_strict" | "synchronous_node_count" => {
            Some("it follows from durability")
        }
        "standby_cluster" | "pause" => Some("a cluster does not start that way"),
        _ => None,
    };
    if let Some(why) = elsewhere {
        return Some(Finding::error(
            "patroni_setting_elsewhere",
            format!("{shown} is not for [patroni]: {why}"),
            "`pgha config set` changes what runs",
        ));
    }
    let Some((_, takes)) = KNOWN.iter().find(|(known, _)| *known == name) else {
        let known: Vec<_> = KNOWN.iter().map(|(name, _)| *name).collect();
        return Some(Finding::error(
            "patroni_setting_unknown",
            format!("{shown} is no dynamic setting of Patroni"),
            format!("there are failsafe, {}", known.join(", ")),
        ));
    };
    let whole = |least: i64| value.as_i64().is_some_and(|number| number >= least);
    let (fits, wanted) = match takes {
        Takes::Whole(least) => (whole(*least), format!("a whole number from {least} upward")),
        Takes::Time => {
            let starts_with_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
            let text = value.as_str().is_some_and(starts_with_digit);
            (text || whole(0), "seconds, or a time such as \"30min\"".to_owned())
        }
        Takes::Truth => (value.is_boolean(), "true or false".to_owned()),
        Takes::Table => (value.is_object(), "a table".to_owned()),
        Takes::List => (value.is_array(), "a list".to_owned()),
    };
    (!fits).then(|| {
        Finding::error(
            "patroni_setting",
            format!("{shown} = {}, and Patroni takes {wanted}", shortened(&value.to_string())),
            "leave it out for the value that follows from the timers",
        )
    })
}

/// The rule that Patroni keeps by changing what breaks it.
fn timers(spec: &Spec) -> Option<Finding> {
    let t = Dynamic::of(spec).timers();
    let least = u64::from(t.loop_wait_s) + 2 * u64::from(t.retry_timeout_s);
    (least > t.ttl_s.into()).then(|| {
        Finding::error(
            "patroni_timers",
            format!(
                "ttl is {} s, and Patroni wants at least loop_wait + 2 × retry_timeout: {} + 2 × {} s",
                t.ttl_s, t.loop_wait_s, t.retry_timeout_s
            ),
            format!("ttl = {least}, or shorter times for the others"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(table: &str) -> Vec<&'static str> {
        let spec = Spec::from_toml(&format!("[patroni]\n{table}\n")).expect(table);
        check(&spec, true).iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn what_patroni_takes_is_nothing_to_talk_about() {
        for table in [
            "",
            "failsafe = true\nprimary_start_timeout = 0\nmaximum_lag_on_failover = 33554432",
            "ttl = 60\nretry_timeout = 20\nloop_wait = 20",
            "member_slots_ttl = \"1h\"\nmaximum_lag_on_syncnode = -1",
            "slots = { cdc = { type = \"physical\" } }\nignore_slots = [{ type = \"logical\" }]",
        ] {
            assert_eq!(codes(table), [""; 0], "{table}");
        }
    }

    #[test]
    fn what_patroni_would_pass_over_in_silence_is_an_error() {
        for (table, code) in [
            ("failsave = true", "patroni_setting_unknown"),
            ("failsafe = \"yes\"", "patroni_setting"),
            ("failsafe = true\nfailsafe_mode = false", "patroni_setting"),
            ("ttl = 19", "patroni_setting"),
            ("primary_start_timeout = \"25s\"", "patroni_setting"),
            ("maximum_lag_on_failover = 1.5", "patroni_setting"),
            ("member_slots_ttl = \"soon\"", "patroni_setting"),
            ("ttl = 29", "patroni_timers"),
            ("synchronous_mode = \"quorum\"", "patroni_setting_elsewhere"),
            ("postgresql = { parameters = { work_mem = \"1MB\" } }", "patroni_setting_elsewhere"),
        ] {
            assert_eq!(codes(table), [code], "{table}");
        }
    }
}
