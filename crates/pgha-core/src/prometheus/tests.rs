//! That rules and dashboard ask for metrics that there are.

use std::collections::BTreeSet;

use super::*;
use crate::metrics::tests::everything;
use crate::spec::Spec;
use crate::topology::Topology;

/// Names of metrics in an expression for Prometheus.
fn names(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = ["pgha_", "patroni_", "pg_", "etcd_", "pgbackrest_"];
    words.filter(|word| ours.iter().any(|start| word.starts_with(start))).collect()
}

#[test]
fn each_metric_of_a_rule_or_a_panel_is_one_that_is_written() {
    let text = everything();
    let families: BTreeSet<&str> =
        text.lines().filter_map(|l| l.strip_prefix("# HELP ")?.split(' ').next()).collect();
    let panels = dashboard::expressions();
    let rules = RULES.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let mut asked = BTreeSet::new();
    for expression in rules.chain(panels.iter().map(String::as_str)) {
        let names = names(expression);
        assert!(!names.is_empty(), "{expression}");
        asked.extend(names.into_iter().map(str::to_owned));
    }
    let unknown: Vec<&String> =
        asked.iter().filter(|name| !families.contains(name.as_str())).collect();
    assert_eq!(unknown, Vec::<&String>::new());
}

#[test]
fn rules_have_the_names_that_people_know_and_each_says_what_it_is() {
    let rules: serde_json::Value = serde_saphyr::from_str(RULES).expect("YAML");
    let groups = rules["groups"].as_array().expect("groups");
    let all: Vec<&serde_json::Value> =
        groups.iter().flat_map(|group| group["rules"].as_array().expect("rules")).collect();
    let names: BTreeSet<&str> = all.iter().filter_map(|rule| rule["alert"].as_str()).collect();
    assert_eq!(names.len(), all.len(), "each name stands once");
    for known in [
        "PatroniHasNoLeader",
        "PostgresPartition",
        "PostgresReplicationLag",
        "EtcdNoLeader",
        "EtcdInsufficientMembers",
    ] {
        assert!(names.contains(known), "{known}");
    }
    for rule in all {
        assert!(
            rule["annotations"]["summary"].is_string() && rule["labels"]["severity"].is_string(),
            "{rule}"
        );
    }
}

#[test]
fn the_configuration_is_this_text() {
    let id = Topology::new(Spec::default(), 1).id;
    insta::assert_snapshot!(configuration(&id, 7432, "token", "rules.yml"));
}

#[test]
fn the_dashboard_is_json_whose_panels_do_not_overlap() {
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard()).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut cells = BTreeSet::new();
    for panel in panels {
        let at = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(x < 24 && cells.insert((x, y)), "{}", panel["title"]);
            }
        }
    }
}
