//! The alerts that the rules define, and those that Prometheus says are firing.

use std::time::Duration;

use pgha_wan::units::{format_duration, parse_duration};
use serde::Deserialize;

use super::RULES;

/// How much later than its `for` an alert is seen to fire: metrics are gathered, scraped and evaluated, a few seconds each.
const BEYOND: Duration = Duration::from_secs(10);

/// Each alert with its `for`: how long its condition has to last.
fn all() -> Vec<(&'static str, Duration)> {
    let mut alerts = Vec::new();
    for line in RULES.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("- alert: ") {
            alerts.push((name, Duration::ZERO));
        } else if let (Some(lasts), Some(last)) = (line.strip_prefix("for: "), alerts.last_mut()) {
            last.1 = parse_duration(lasts).unwrap_or_default();
        }
    }
    alerts
}

/// Fails unless there is a rule of that name, and it can fire in that time.
///
/// # Errors
/// When there is none, with the names that are most like it; or the time is shorter than its `for`.
pub fn demand(name: &str, within: Duration) -> Result<(), String> {
    let all = all();
    let Some((_, lasts)) = all.iter().find(|(known, _)| *known == name) else {
        let mut near: Vec<&str> = all.iter().map(|(known, _)| *known).collect();
        near.sort_by_key(|known| edits(&known.to_lowercase(), &name.to_lowercase()));
        let near = near[..3].join(", ");
        return Err(format!(
            "there is no alert `{name}`; the most similar are {near}; `pgha export prometheus` writes all rules"
        ));
    };
    let least = *lasts + BEYOND;
    if within < least {
        return Err(format!(
            "{name} fires once its condition has lasted {}: `within` is at least {}",
            format_duration(*lasts),
            format_duration(least)
        ));
    }
    Ok(())
}

/// Insertions, deletions and replacements from one word to the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    state: String,
    labels: Labels,
}

#[derive(Deserialize)]
struct Labels {
    alertname: String,
}

/// The names of alerts that fire, by what `/api/v1/alerts` answers; `None` where that is no such answer. One that is pending
/// does not fire yet.
pub fn firing(answer: &str) -> Option<Vec<String>> {
    let answer: Answer = serde_json::from_str(answer).ok()?;
    let firing = answer.data.alerts.into_iter().filter(|alert| alert.state == "firing");
    Some(firing.map(|alert| alert.labels.alertname).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_found_with_its_time() {
        let all = all();
        assert_eq!(all.len(), RULES.matches("- alert: ").count());
        let of = |name| all.iter().find(|(known, _)| *known == name).map(|(_, lasts)| *lasts);
        assert_eq!(of("PatroniHasNoLeader"), Some(Duration::from_secs(30)));
        assert_eq!(of("PatroniPaused"), Some(Duration::from_secs(900)));
        assert_eq!(of("PostgresPartition"), Some(Duration::ZERO));
        let with = all.iter().filter(|(_, lasts)| !lasts.is_zero()).count();
        assert_eq!(with, RULES.matches(" for: ").count());
    }

    #[test]
    fn an_alert_that_cannot_fire_is_refused() {
        let seconds = Duration::from_secs;
        assert_eq!(demand("PatroniHasNoLeader", seconds(40)), Ok(()));
        let short = demand("PatroniHasNoLeader", seconds(39)).expect_err("too short");
        assert!(short.contains("`within` is at least 40s"), "{short}");
        assert_eq!(demand("PostgresPartition", seconds(10)), Ok(()));
        for (wrong, meant) in [
            ("PatroniHasNoLeeder", "PatroniHasNoLeader"),
            ("patronihasnoleader", "PatroniHasNoLeader"),
            ("EtcdLeader", "EtcdNoLeader"),
            ("PostgresReplicationLagging", "PostgresReplicationLag"),
        ] {
            let why = demand(wrong, seconds(600)).expect_err("no such alert");
            assert!(why.contains(&format!("the most similar are {meant},")), "{why}");
        }
    }

    #[test]
    fn the_distance_of_two_words() {
        for (from, to, distance) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
        ] {
            assert_eq!(edits(from, to), distance, "{from} {to}");
        }
    }

    #[test]
    fn only_what_fires_is_told() {
        let alert = |name: &str, state: &str| {
            format!(
                r#"{{"labels":{{"alertname":"{name}","cluster":"demo"}},"annotations":{{}},"state":"{state}","activeAt":"2026-01-01T00:00:00Z","value":"0e+00"}}"#
            )
        };
        let of = |alerts: &str| {
            firing(&format!(r#"{{"status":"success","data":{{"alerts":[{alerts}]}}}}"#))
        };
        let both = [alert("EtcdNoLeader", "pending"), alert("PatroniDown", "firing")].join(",");
        assert_eq!(of(&both), Some(vec!["PatroniDown".to_owned()]));
        assert_eq!(of(""), Some(vec![]));
        assert_eq!(firing(r#"{"status":"error","error":"shutting down"}"#), None);
        assert_eq!(firing("starting"), None);
    }
}
