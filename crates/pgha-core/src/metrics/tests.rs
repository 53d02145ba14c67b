//! What a healthy cluster, a stopped site and an empty answer look like.

use std::time::Duration;

use pgha_wan::control::{LinkCounters, LinkState, WanState};
use pgha_wan::measured::{RoundTrip, RoundTrips};
use pgha_wan::settings::{Cut, LinkSettings};

use super::*;
use crate::observe::{Archiver, Patroni};
use crate::repository::{Repository, Status};
use crate::status::tests::Lab;

fn wan_state() -> WanState {
    let settings = LinkSettings { latency: Duration::from_millis(20), ..LinkSettings::default() };
    let link = |from: &str, to: &str, cut| LinkState {
        from: from.to_owned(),
        to: to.to_owned(),
        settings: LinkSettings { cut, ..settings.clone() },
        spec: settings.clone(),
        undone_in_ms: None,
        queued_packets: 0,
        queued_bytes: 0,
        flying_packets: 0,
        flying_bytes: 0,
        counters: LinkCounters {
            delivered: 7,
            delivered_bytes: 700,
            cut: 2,
            ..LinkCounters::default()
        },
    };
    WanState {
        seed: 1,
        waiting_for_cluster: false,
        running_ms: 1000,
        malformed: 0,
        foreign: 0,
        links: vec![link("DC1", "DC2", Cut::No), link("DC2", "DC1", Cut::Yes)],
    }
}

fn wan() -> WanView {
    let us = Some(40_100);
    let trip = RoundTrip {
        to: "DC2".to_owned(),
        sent: 9,
        received: 9,
        min_us: us,
        median_us: us,
        max_us: us,
    };
    WanView::new("demo", 1, &wan_state(), &[RoundTrips { from: "DC1".to_owned(), to: vec![trip] }])
}

fn repository() -> Repository {
    Repository::from_info(include_bytes!("../repository/info-three-backups.json"))
        .expect("a listing")
}

fn lab() -> Lab {
    let mut lab = Lab::healthy();
    lab.configured("{}");
    lab.wrote(4000, &[], 0);
    if let Ok(patroni) = lab.node("pgha-demo1-DC1-1") {
        *patroni = Patroni {
            version: Some("4.0.7".to_owned()),
            started_s: Some(1_700_000_000),
            ..patroni.clone()
        };
    }
    lab.observed().now_s = Some(1_900_000_000);
    lab
}

fn metrics(lab: &mut Lab, links: Option<&WanView>, repository: Option<&Repository>) -> String {
    let view = lab.view();
    let write = Some(Write { took: Some(Duration::from_micros(2500)) });
    text(&Seen { view: &view, observed: lab.observed(), links, repository, write })
}

/// The metrics of a cluster of which everything is known.
pub(crate) fn everything() -> String {
    let mut lab = lab();
    lab.observed().links = Some(wan_state());
    lab.observed().archiver = Some(Ok(Archiver {
        last_archived_wal: Some("000000010000000000000009".to_owned()),
        last_archived_age_s: Some(10),
        current_wal: Some("00000001000000000000000C".to_owned()),
        ..Archiver::default()
    }));
    metrics(&mut lab, Some(&wan()), Some(&repository()))
}

#[test]
fn a_healthy_cluster_has_the_names_that_dashboards_know() {
    let text = everything();
    insta::assert_snapshot!(text);
}

#[test]
fn each_family_stands_once_with_help_and_type_and_each_series_once() {
    let text = everything();
    let (mut families, mut series) = (Vec::new(), Vec::new());
    for line in text.lines() {
        match line.strip_prefix("# HELP ") {
            Some(help) => families.push(help.split(' ').next().expect("a name").to_owned()),
            None if line.starts_with("# TYPE ") => {}
            None => {
                let (name, value) = line.rsplit_once(' ').expect("a value");
                value.parse::<f64>().expect("a number");
                assert!(name.starts_with(families.last().expect("a family")), "{line}");
                assert!(name.contains("cluster=\""), "{line}");
                series.push(name.to_owned());
            }
        }
    }
    let counted = |all: &[String]| all.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!(counted(&families), families.len());
    assert_eq!(counted(&series), series.len());
}

#[test]
fn what_is_not_known_has_no_series() {
    let mut lab = lab();
    lab.lose("DC1");
    *lab.node("pgha-demo1-DC2-1") = Err("connection refused".to_owned());
    let text = metrics(&mut lab, None, None);
    let has = |start: &str, member: &str| {
        text.lines().any(|line| line.starts_with(start) && line.contains(member))
    };
    assert!(!has("patroni_primary", "pgha-demo1-DC1-1"), "{text}");
    assert!(
        text.lines()
            .any(|l| l.starts_with("pg_up") && l.contains("demo1-DC1") && l.ends_with(" 0"))
    );
    assert!(!has("pg_up", "pgha-demo1-DC2-1"), "its Patroni does not say: {text}");
    assert!(has("patroni_primary", "pgha-demo2-DC2-1"));
    assert!(!has("pgbackrest_", "") && !has("pgha_link_", ""));
    assert!(text.contains("pgha_has_leader{cluster=\"demo-1\"} 0"), "{text}");
}

#[test]
fn a_repository_without_a_backup_has_a_status_and_no_window() {
    let empty = Repository {
        status: Status { code: 2, message: "no valid backups".to_owned() },
        repositories: Vec::new(),
        databases: Vec::new(),
        backups: Vec::new(),
        archives: Vec::new(),
        running: None,
    };
    let text = metrics(&mut lab(), None, Some(&empty));
    assert!(text.contains("pgbackrest_stanza_status") && text.contains("} 2\n"), "{text}");
    assert!(!text.contains("pgha_recovery_window"), "{text}");
}
