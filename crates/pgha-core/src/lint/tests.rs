use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::placement::Placement;
use crate::spec::{Acknowledge, Durability, LinkSpec, PlacementRule, TimerPreset};

fn codes(spec: &Spec) -> Vec<&'static str> {
    check(spec).into_iter().map(|finding| finding.code).collect()
}

fn severity_of(spec: &Spec, code: &str) -> Option<Severity> {
    check(spec).into_iter().find(|finding| finding.code == code).map(|finding| finding.severity)
}

fn link(a: &str, b: &str, latency: Duration) -> LinkSpec {
    LinkSpec::between(a, b, latency)
}

fn two() -> Spec {
    Spec { data_centers: 2, ..Spec::default() }
}

#[test]
fn each_impossible_number_is_an_error_of_its_own() {
    let cases = [
        (Spec { data_centers: 0, ..two() }, "no_data_center"),
        (Spec { data_centers: 250, ..two() }, "too_many_data_centers"),
        (Spec { nodes: 0, ..two() }, "too_few_nodes"),
        (Spec { nodes: 1, data_centers: 1, ..two() }, "too_few_nodes"),
        (Spec { nodes: 151, ..two() }, "too_many_nodes_per_site"),
        (Spec { nodes: 150, data_centers: 100, ..two() }, "too_many_nodes"),
        (Spec { nodes: 10, data_centers: 98, ..two() }, "too_many_members"),
        (Spec { etcd: Some(20), data_centers: 49, must_suffice: 25, ..two() }, "too_many_members"),
        (Spec { etcd: Some(0), ..two() }, "no_etcd"),
        (Spec { etcd: Some(98), ..two() }, "too_many_etcd_per_site"),
        (Spec { etcd: Some(50), data_centers: 9, ..two() }, "too_many_etcd_outside"),
        (Spec { data_centers: 249, ..two() }, "too_many_etcd_outside"),
        (Spec { must_suffice: 0, ..two() }, "none_must_suffice"),
        (Spec { must_suffice: 3, ..two() }, "more_must_suffice_than_exist"),
        (Spec { postgres: 15, ..two() }, "postgres_unsupported"),
        (Spec { name: String::new(), ..two() }, "name_not_lower_case"),
        (Spec { name: "Demo".into(), ..two() }, "name_not_lower_case"),
        (Spec { name: "a".repeat(25), ..two() }, "name_too_long"),
        (Spec { name: "etcd".into(), ..two() }, "name_reserved"),
        (Spec { links: vec![link("DC1", "DC4", Duration::ZERO)], ..two() }, "link_unknown_site"),
        (Spec { links: vec![link("DC1", "DC1", Duration::ZERO)], ..two() }, "link_to_itself"),
        (Spec { links: vec![link("DC1", "DC2", Duration::MAX)], ..two() }, "link_latency_absurd"),
    ];
    for (spec, code) in cases {
        assert_eq!(severity_of(&spec, code), Some(Severity::Error), "{code} of {spec:?}");
        let errors = check(&spec).into_iter().filter(|f| f.severity == Severity::Error).count();
        assert_eq!(errors, 1, "{code} comes alone: {:?}", check(&spec));
    }
}

#[test]
fn what_data_centers_cannot_be_is_told() {
    let of = |text: &str| Spec::from_toml(text).expect("it is a spec");
    for (text, code, severity) in [
        (
            "data_centers = 1\n[[data_center]]\n[[data_center]]\nnodes = 1\n",
            "data_center_tables_extra",
            Severity::Error,
        ),
        ("[[data_center]]\nrole = \"standby\"\n", "no_primary_data_center", Severity::Error),
        ("[[data_center]]\nnodes = 0\n[[data_center]]\n", "too_few_nodes", Severity::Error),
        (
            "[[data_center]]\netcd = 0\n[[data_center]]\netcd = 98\n",
            "too_many_etcd_per_site",
            Severity::Error,
        ),
        ("external = false\n[[data_center]]\netcd = 0\n", "no_etcd", Severity::Error),
        ("[[data_center]]\npriority = 0\n", "priority_zero", Severity::Error),
        ("[[data_center]]\ntags = { nosync = true }\n", "tag_reserved", Severity::Error),
        (
            "external = false\nplacement = \"classic\"\n",
            "classic_without_external",
            Severity::Error,
        ),
        (
            "[[data_center]]\nnodes = 1\n[[data_center]]\nrole = \"standby\"\n",
            "one_node_may_lead",
            Severity::Warning,
        ),
        (
            "[[data_center]]\n[[data_center]]\nrole = \"standby\"\npriority = 2\n",
            "priority_idle",
            Severity::Warning,
        ),
        ("external = false\ndata_centers = 2\n", "must_suffice_not_met", Severity::Warning),
        (
            "external = false\ndata_centers = 2\nmust_suffice = 2\n",
            "data_center_single_point_of_failure",
            Severity::Warning,
        ),
        (
            "durability = \"sync\"\n[[data_center]]\n[[data_center]]\nrole = \"standby\"\n",
            "durability_single_site",
            Severity::Warning,
        ),
    ] {
        assert_eq!(severity_of(&of(text), code), Some(severity), "{code} of {text}");
    }
    let whole = "external = false\n[[data_center]]\nnodes = 3\n[[data_center]]\n[[data_center]]\nmust_suffice = 2\n";
    let whole = whole.replace("must_suffice = 2\n", "").replacen(
        "external",
        "must_suffice = 2\nexternal",
        1,
    );
    let worst = check(&of(&whole)).first().map(|finding| finding.severity);
    assert_eq!(worst, Some(Severity::Info), "{:?}", check(&of(&whole)));
}

#[test]
fn a_file_that_no_environment_takes_is_refused() {
    let all = |sites: u32| {
        let pairs = (1..=sites).flat_map(|a| (a + 1..=sites).map(move |b| (a, b)));
        let links = pairs.map(|(a, b)| {
            link(&format!("DC{a}"), &format!("DC{b}"), Duration::from_millis(u64::from(a + b)))
        });
        Spec { data_centers: sites, must_suffice: sites - 1, links: links.collect(), ..two() }
    };
    assert_eq!(severity_of(&all(40), "cluster_file_too_long"), None);
    assert_eq!(severity_of(&all(80), "cluster_file_too_long"), Some(Severity::Error));
}

#[test]
fn everything_wrong_is_said_at_once() {
    let spec = Spec {
        name: "Bad-Name".into(),
        data_centers: 0,
        nodes: 0,
        etcd: Some(0),
        must_suffice: 0,
        postgres: 9,
        links: vec![link("DC1", "DC1", Duration::from_secs(60))],
        ..Spec::default()
    };
    let found: BTreeSet<_> = codes(&spec).into_iter().collect();
    let expected = BTreeSet::from([
        "name_not_lower_case",
        "no_data_center",
        "too_few_nodes",
        "no_etcd",
        "none_must_suffice",
        "postgres_unsupported",
        "link_to_itself",
        "link_latency_absurd",
    ]);
    assert_eq!(found, expected);
}

#[test]
fn absurd_numbers_are_refused_before_anything_is_computed_from_them() {
    let most = u32::MAX;
    for spec in [
        Spec { data_centers: most, ..two() },
        Spec { nodes: most, ..two() },
        Spec { etcd: Some(most), ..two() },
        Spec { must_suffice: most, ..two() },
        Spec { data_centers: most, nodes: most, etcd: Some(most), must_suffice: most, ..two() },
    ] {
        assert!(has_errors(&check(&spec)));
    }
}

#[test]
fn the_usual_cluster_has_neither_errors_nor_warnings() {
    for spec in [Spec::default(), two(), Spec { data_centers: 3, nodes: 3, ..two() }] {
        let worst = check(&spec).first().map(|finding| finding.severity);
        assert_eq!(worst, Some(Severity::Info), "{:?}", check(&spec));
    }
}

#[test]
fn nine_members_of_the_classic_rule_are_a_warning_and_no_error() {
    let spec = Spec {
        data_centers: 3,
        etcd: Some(2),
        placement: PlacementRule::Classic,
        ..Spec::default()
    };
    assert_eq!(severity_of(&spec, "etcd_many"), Some(Severity::Warning));
    assert!(!has_errors(&check(&spec)));
}

#[test]
fn the_classic_rule_gives_the_external_site_the_last_word() {
    let spec = Spec { placement: PlacementRule::Classic, ..two() };
    assert_eq!(severity_of(&spec, "external_single_point_of_failure"), Some(Severity::Warning));
    let one = Spec { placement: PlacementRule::Classic, ..Spec::default() };
    assert_eq!(severity_of(&one, "external_single_point_of_failure"), Some(Severity::Warning));
}

#[test]
fn an_even_total_is_a_warning() {
    let spec = Spec { placement: PlacementRule::Classic, etcd: Some(2), ..Spec::default() };
    assert_eq!(Placement::of(&spec).total(), 4);
    assert_eq!(severity_of(&spec, "etcd_even"), Some(Severity::Warning));
}

#[test]
fn three_members_inside_the_only_data_center_are_explained() {
    let finding = check(&Spec::default())
        .into_iter()
        .find(|f| f.code == "single_data_center")
        .expect("it is told");
    assert_eq!(finding.severity, Severity::Info);
    assert!(finding.hint.contains("3 of 3"), "{}", finding.hint);
}

#[test]
fn synchronous_durability_in_one_data_center_is_a_warning() {
    let spec = Spec { durability: Durability::Sync, ..Spec::default() };
    assert_eq!(severity_of(&spec, "durability_single_site"), Some(Severity::Warning));
    assert_eq!(severity_of(&Spec { data_centers: 2, ..spec }, "durability_single_site"), None);
}

#[test]
fn a_second_data_center_is_as_far_as_a_write_is_carried() {
    let spec = Spec { data_centers: 3, durability: Durability::Quorum, ..Spec::default() };
    assert_eq!(severity_of(&spec, "durability_one_site"), Some(Severity::Info));
    assert_eq!(severity_of(&Spec { must_suffice: 2, ..spec }, "durability_one_site"), None);
}

#[test]
fn acknowledgements_that_need_no_other_data_center_are_told_with_what_they_cost() {
    let spec = Spec { durability: Durability::Quorum, ..two() };
    for acknowledge in [Acknowledge::Local, Acknowledge::Any] {
        let spec = Spec { acknowledge, ..spec.clone() };
        assert_eq!(severity_of(&spec, "acknowledged_in_one_site"), Some(Severity::Info));
        assert_eq!(severity_of(&spec, "acknowledged_by_nobody"), None);
        let alone = Spec { data_centers: 1, ..spec.clone() };
        assert_eq!(severity_of(&alone, "acknowledged_in_one_site"), None);
        let idle = Spec { durability: Durability::Async, ..spec };
        assert_eq!(severity_of(&idle, "acknowledge_idle"), Some(Severity::Info));
    }
    assert_eq!(severity_of(&spec, "acknowledged_in_one_site"), None);
    let unequal = "durability = \"sync\"\nacknowledge = \"local\"\n[[data_center]]\n[[data_center]]\nnodes = 1\n";
    let unequal = Spec::from_toml(unequal).expect("a file");
    let found = check(&unequal).into_iter().find(|f| f.code == "acknowledged_by_nobody");
    assert!(found.expect("it is told").message.contains("a leader in DC2 has"));
}

#[test]
fn a_long_round_trip_asks_for_the_smallest_preset_that_fits() {
    for (latency_ms, preset, better) in [
        (25, TimerPreset::Default, None),
        (26, TimerPreset::Default, Some("--timers safe fits")),
        (6, TimerPreset::Fast, Some("--timers norm fits")),
        (100, TimerPreset::Safe, Some("--timers wide fits")),
    ] {
        let links = vec![link("DC1", "DC2", Duration::from_millis(latency_ms))];
        let spec = Spec { links, timers: preset, ..two() };
        let found = check(&spec).into_iter().find(|f| f.code == "timers_too_tight");
        assert_eq!(found.as_ref().map(|f| f.hint.as_str()), better, "{latency_ms} ms, {preset}");
    }
}

#[test]
fn distances_beyond_what_etcd_can_elect_over_are_a_warning() {
    let at = |ms| Spec { links: vec![link("DC1", "DC2", Duration::from_millis(ms))], ..two() };
    assert_eq!(severity_of(&at(2500), "etcd_election_capped"), None);
    assert_eq!(severity_of(&at(2501), "etcd_election_capped"), Some(Severity::Warning));
}

#[test]
fn a_synchronous_commit_is_told_its_shortest_wait() {
    let links =
        vec![link("DC1", "DC2", Duration::from_millis(5)), link("DC3", "DC1", Duration::ZERO)];
    let spec = Spec { links, durability: Durability::Quorum, ..two() };
    let finding = check(&spec).into_iter().find(|f| f.code == "commit_waits_for_wan");
    assert!(finding.expect("it is told").message.contains("10ms"));
}

#[test]
fn a_commit_that_the_leaders_own_site_acknowledges_does_not_wait_for_another() {
    let links = vec![link("DC1", "DC2", Duration::from_millis(5))];
    let of = |acknowledge, nodes| {
        let links = links.clone();
        let spec = Spec { links, acknowledge, nodes, durability: Durability::Sync, ..two() };
        severity_of(&spec, "commit_waits_for_wan").is_some()
    };
    assert!(of(Acknowledge::Remote, 2) && of(Acknowledge::Any, 1));
    assert!(!of(Acknowledge::Local, 2) && !of(Acknowledge::Any, 2));
}

proptest! {
    #[test]
    fn no_spec_makes_the_lint_panic_and_one_without_errors_has_a_topology(
        d: u32, nodes: u32, e: Option<u32>, m: u32,
        small in (0u32..260, 0u32..160, prop::option::of(0u32..100), 0u32..260),
        use_small in prop::bool::weighted(0.8),
        classic: bool,
        name in "[a-zA-Z0-9-]{0,30}",
        latency_ms: u64,
        durability in prop::sample::select(Durability::ALL),
    ) {
        let (d, nodes, e, m) = if use_small { small } else { (d, nodes, e, m) };
        let spec = Spec {
            name, data_centers: d, nodes, etcd: e, must_suffice: m, durability,
            placement: if classic { PlacementRule::Classic } else { PlacementRule::Computed },
            links: vec![link("DC1", "DC2", Duration::from_millis(latency_ms))],
            ..Spec::default()
        };
        let findings = check(&spec);
        for finding in &findings {
            prop_assert!(!finding.message.is_empty() && !finding.hint.is_empty());
            prop_assert!(!finding.message.ends_with('.') && !finding.hint.ends_with('.'));
        }
        prop_assert!(findings.is_sorted_by_key(|f| f.severity));
        if !has_errors(&findings) {
            Topology::new(spec, 1);
        }
    }
}
