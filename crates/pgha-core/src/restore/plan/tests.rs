//! Claims about plans and refusals.

use serde_json::{Value, json};

use super::*;
use crate::restore::TargetOptions;
use crate::spec::Spec;
use crate::wal::{Lsn, Segment};

mod ends;

/// 2026-11-24 16:00:00 UTC.
const T0: i64 = 1_795_536_000;

fn backup(label: &str, first: &str, last: &str, stop: &str, stopped_s: i64) -> Value {
    let kind = match label.chars().last() {
        Some('F') => "full",
        Some('D') => "diff",
        _ => "incr",
    };
    json!({
        "archive": {"start": first, "stop": last}, "database": {"id": 1, "repo-key": 1},
        "info": {"size": 23_481_115, "delta": 1, "repository": {"delta": 1}}, "label": label,
        "lsn": {"start": stop, "stop": stop}, "timestamp": {"start": stopped_s, "stop": stopped_s},
        "type": kind,
    })
}

fn listing(segments: &[(u32, u64, i64)]) -> Value {
    segments
        .iter()
        .map(|&(timeline, number, time)| {
            let name = Segment { timeline, number }.to_string();
            (
                format!("{}/{name}-{:040x}.gz", &name[..16], number),
                json!({"type": "file", "time": time}),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Timeline 1 up to segment 12 with a full backup at 4, a differential one at 8 and an incremental one
/// at 11; timeline 2 left it in segment 9, and is at 10.
fn holdings() -> Holdings {
    let mut segments: Vec<_> =
        (1..=12).map(|n| (1, n, T0 + 60 * i64::try_from(n).unwrap_or(0))).collect();
    segments.extend([(2, 9, T0 + 2000), (2, 10, T0 + 2060)]);
    let report = json!({
        "repository": 1,
        "info": [{"name": "pgha_db", "status": {"code": 0, "message": "ok"},
            "db": [{"id": 1, "repo-key": 1, "system-id": 1, "version": "17"}], "backup": [
            backup("20261124-160400F", "000000010000000000000004", "000000010000000000000004", "0/4000100", T0 + 240),
            backup("20261124-160400F_20261124-160800D", "000000010000000000000008", "000000010000000000000008", "0/8000100", T0 + 480),
            backup("20261124-160400F_20261124-161100I", "00000001000000000000000B", "00000001000000000000000B", "0/B000100", T0 + 660),
        ]}],
        "archive": {"17-1": listing(&segments)},
        "histories": {"2": "1\t0/9000200\tbefore 2026-11-24 16:09:10\n"},
    });
    Holdings::parse(report.to_string().as_bytes()).expect("a report")
}

fn without(mut holdings: Holdings, timeline: u32, number: u64) -> Holdings {
    holdings.forget(Segment { timeline, number });
    holdings
}

fn topology() -> Topology {
    Topology::new(Spec { data_centers: 2, ..Spec::default() }, 1)
}

/// Where nothing is known.
fn facts(topology: &Topology) -> Facts<'_> {
    Facts {
        topology,
        repositories: &[],
        leader: None,
        running: Vec::new(),
        databases: Vec::new(),
        named: false,
        copy: false,
        source: None,
        logical: LogicalReplication::default(),
        now_s: T0 + 3000,
    }
}

fn leader(timeline: u32) -> LeaderFact {
    let (written, now_s) = (Lsn(0xA00_0000 + 0x4000), T0 + 3000);
    LeaderFact { name: "pgha-demo2-DC1-1".to_owned(), system_id: 1, timeline, written, now_s }
}

fn planned(
    holdings: &Holdings,
    leader: Option<LeaderFact>,
    options: impl std::borrow::Borrow<TargetOptions>,
) -> Result<RestorePlan, Refusal> {
    planned_from(std::slice::from_ref(holdings), leader, options)
}

fn planned_from(
    repositories: &[Holdings],
    leader: Option<LeaderFact>,
    options: impl std::borrow::Borrow<TargetOptions>,
) -> Result<RestorePlan, Refusal> {
    let topology = topology();
    let target = Target::parse(options.borrow()).expect("a target");
    let running = vec!["pgha-demo1-DC2-1".to_owned()];
    let facts = Facts {
        topology: &topology,
        repositories,
        leader,
        running,
        databases: Vec::new(),
        named: false,
        ..facts(&topology)
    };
    plan(&facts, &target)
}

/// Of a cluster of whose nodes one has data of each of these databases.
fn planned_over(databases: &[u64], named: bool) -> Result<RestorePlan, Refusal> {
    let (topology, repositories) = (topology(), [holdings()]);
    let target = Target::parse(&latest()).expect("a target");
    let facts = Facts {
        topology: &topology,
        repositories: &repositories,
        leader: None,
        running: vec!["pgha-demo1-DC2-1".to_owned()],
        databases: databases.to_vec(),
        named,
        ..facts(&topology)
    };
    plan(&facts, &target)
}

#[test]
fn no_node_of_a_standby_data_center_is_restored_on() {
    let repositories = [holdings()];
    let target = Target::parse(&latest()).expect("a target");
    let file = "[[data_center]]\nrole = \"standby\"\n[[data_center]]\n";
    let topology = Topology::new(Spec::from_toml(file).expect("a spec"), 1);
    let on = |running: &[&str]| {
        let running = running.iter().map(|name| (*name).to_owned()).collect();
        let facts = Facts { repositories: &repositories, running, ..facts(&topology) };
        plan(&facts, &target).expect("a plan").leader
    };
    assert_eq!(on(&["pgha-demo1-DC1-1", "pgha-demo2-DC2-1"]), "pgha-demo2-DC2-1");
    assert_eq!(on(&["pgha-demo1-DC1-1"]), "pgha-demo1-DC2-1");
}

#[test]
fn another_database_is_replaced_only_where_its_repository_was_named() {
    let other = planned_over(&[9], false).expect_err("the nodes have another database");
    assert!(matches!(other, Refusal::OtherDatabase { held: 1, own: 9, .. }), "{other:?}");
    assert_eq!(planned_over(&[9], true).expect("named").replaces, [9]);
    assert_eq!(planned_over(&[9, 1], false).expect("its own too").replaces, [9]);
    assert_eq!(planned_over(&[1, 1], false).expect("its own").replaces, [0; 0]);
}

#[test]
fn a_leader_of_another_database_archives_nothing_of_this_one() {
    let (topology, repositories) = (topology(), [holdings()]);
    let facts = Facts {
        topology: &topology,
        repositories: &repositories,
        leader: Some(LeaderFact { system_id: 9, ..leader(1) }),
        running: vec!["pgha-demo2-DC1-1".to_owned()],
        databases: vec![9],
        named: true,
        ..facts(&topology)
    };
    let plan = plan(&facts, &Target::parse(&latest()).expect("a target")).expect("a plan");
    assert!(!plan.leader_archives && !plan.nodes_empty);
    assert!(matches!(plan.loss, Loss::NotArchived { .. }), "{:?}", plan.loss);
    assert_eq!((plan.timeline, plan.replaces), (2, vec![9]));
    assert_eq!(plan.leader, "pgha-demo2-DC1-1", "it is the one that runs as primary");
}

#[test]
fn where_no_node_has_data_the_plan_knows() {
    let plan = planned_over(&[], false).expect("a plan");
    assert!(plan.nodes_empty && !plan.leader_archives, "{plan:?}");
    assert!(!planned_over(&[1], false).expect("a plan").nodes_empty);
}

fn latest() -> TargetOptions {
    TargetOptions { latest: true, ..TargetOptions::default() }
}

fn time(second: i64) -> TargetOptions {
    TargetOptions { time: Some(utc(second)), ..TargetOptions::default() }
}

fn lsn(text: &str) -> TargetOptions {
    TargetOptions { lsn: Some(text.to_owned()), ..TargetOptions::default() }
}

/// Three segments after a backup, up to the end.
pub(crate) fn latest_plan() -> RestorePlan {
    planned(&holdings(), Some(leader(2)), latest()).expect("a plan")
}

/// Five segments after a backup, up to a position.
pub(crate) fn lsn_plan() -> RestorePlan {
    planned(&holdings(), Some(leader(2)), lsn("0/80000FF")).expect("a plan")
}

#[test]
fn a_backup_of_the_part_of_history_that_was_left_is_not_chosen() {
    let plan = planned(&holdings(), Some(leader(2)), latest()).expect("a plan");
    assert_eq!(plan.backup, "20261124-160400F_20261124-160800D");
    assert_eq!(plan.left_behind, ["20261124-160400F_20261124-161100I"]);
    assert_eq!(plan.wal.segments, 3);
    assert_eq!(plan.wal.last.map(|s| s.to_string()).as_deref(), Some("00000002000000000000000A"));
    assert_eq!((plan.loss, plan.leader.as_str()), (Loss::Nothing, "pgha-demo2-DC1-1"));
    assert_eq!(plan.replicas.len(), 3);
}

#[test]
fn the_left_part_of_history_can_be_asked_for() {
    let options = TargetOptions { timeline: Some(1), ..latest() };
    let plan = planned(&holdings(), Some(leader(2)), options).expect("a plan");
    assert_eq!(plan.backup, "20261124-160400F_20261124-161100I");
    assert!(plan.pgbackrest().contains(&"--target-timeline=1".to_owned()));
    assert!(matches!(plan.loss, Loss::NotArchived { .. }), "{:?}", plan.loss);
}

#[test]
fn the_newest_backup_that_had_ended_before_the_target_is_chosen() {
    for (second, label) in [
        (T0 + 241, "20261124-160400F"),
        (T0 + 480, "20261124-160400F"),
        (T0 + 481, "20261124-160400F_20261124-160800D"),
    ] {
        let plan = planned(&holdings(), Some(leader(2)), time(second)).expect("a plan");
        assert_eq!(plan.backup, label, "{second}");
    }
    let plan = planned(&holdings(), Some(leader(2)), lsn("0/8000100")).expect("a plan");
    assert_eq!(plan.backup, "20261124-160400F_20261124-160800D");
    let plan = planned(&holdings(), Some(leader(2)), lsn("0/80000FF")).expect("a plan");
    assert_eq!(plan.backup, "20261124-160400F");
    assert_eq!(plan.wal.segments, 5);
}

#[test]
fn a_node_that_runs_leads_where_nobody_does() {
    let plan = planned(&holdings(), None, latest()).expect("a plan");
    assert_eq!(plan.leader, "pgha-demo1-DC2-1");
    assert!(!plan.leader_archives);
}

#[test]
fn each_refusal_names_the_nearest_choice() {
    let all = holdings();
    let refused = |holdings: &Holdings, leader: Option<LeaderFact>, options: TargetOptions| {
        let refusal = planned(holdings, leader, options).expect_err("it cannot be");
        format!("{refusal}\n  hint: {}", refusal.hint())
    };
    let set =
        |label: &str, more: TargetOptions| TargetOptions { set: Some(label.to_owned()), ..more };
    let none = TargetOptions::default;
    let said = [
        refused(&Holdings::default(), Some(leader(1)), latest()),
        refused(&all, Some(leader(2)), set("20261124-000000F", none())),
        refused(&all, Some(leader(2)), set("20261124-160400F_20261124-161100I", latest())),
        refused(&all, Some(leader(2)), set("20261124-160400F_20261124-160800D", time(T0 + 480))),
        refused(&all, Some(leader(2)), time(T0 + 100)),
        refused(&all, Some(leader(2)), lsn("0/3000000")),
        refused(&all, Some(leader(2)), time(T0 + 3001)),
        refused(&all, None, time(T0 + 3001)),
        refused(&all, Some(leader(2)), lsn("1/0")),
        refused(&all, None, lsn("1/0")),
        refused(&all, Some(leader(2)), TargetOptions { timeline: Some(7), ..latest() }),
        refused(&without(all.clone(), 2, 9), Some(leader(2)), latest()),
        refused(&without(all.clone(), 1, 8), Some(leader(2)), latest()),
        refused(&without(all, 1, 6), Some(leader(2)), time(T0 + 400)),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn of_many_missing_segments_the_first_are_named_and_the_rest_counted() {
    let mut far = holdings();
    for number in [4, 8] {
        far.forget(Segment { timeline: 1, number });
    }
    far.learn(Segment { timeline: 2, number: Segment::NUMBER_MAX });
    let options = TargetOptions { set: Some("20261124-160400F".into()), ..latest() };
    let refusal = planned(&far, Some(leader(2)), options).expect_err("there is a gap").to_string();
    let four_there = Segment::NUMBER_MAX - 3 - 6;
    assert!(refusal.ends_with(&format!(" and {} more", four_there - 5)), "{refusal}");
}

#[test]
fn a_gap_after_the_target_is_no_hindrance() {
    let gap = without(holdings(), 2, 9);
    planned(&gap, Some(leader(2)), lsn("0/8FFFFFF")).expect("it lies before the gap");
    planned(&gap, Some(leader(2)), time(T0 + 479)).expect("segment 8 arrived later than that");
}

#[test]
fn a_transaction_or_a_name_takes_the_newest_backup_and_says_so() {
    let name = TargetOptions { name: Some("before the change".into()), ..TargetOptions::default() };
    let plan = planned(&holdings(), Some(leader(2)), name.clone()).expect("a plan");
    assert!(plan.backup_assumed);
    assert_eq!(plan.backup, "20261124-160400F_20261124-160800D");
    let with_set = TargetOptions { set: Some("20261124-160400F".into()), ..name };
    let plan = planned(&holdings(), Some(leader(2)), with_set).expect("a plan");
    assert!(!plan.backup_assumed);
    assert_eq!(
        plan.pgbackrest(),
        [
            "--repo=1",
            "--set=20261124-160400F",
            "--target-timeline=2",
            "--type=name",
            "--target-action=promote",
            "--target=before the change",
            "restore"
        ]
    );
}

#[test]
fn a_backup_alone_is_restored_on_its_own_timeline() {
    let options = TargetOptions {
        set: Some("20261124-160400F_20261124-161100I".into()),
        ..TargetOptions::default()
    };
    let plan = planned(&holdings(), Some(leader(2)), options).expect("a plan");
    assert_eq!((plan.timeline, plan.wal.segments), (1, 1));
    assert!(plan.pgbackrest().contains(&"--type=immediate".to_owned()));
}

/// The same content in another repository.
fn second(mut holdings: Holdings) -> Holdings {
    holdings.repository = 2;
    holdings
}

fn broken() -> Holdings {
    let mut broken = second(Holdings::default());
    broken.unreadable = Some("no key".to_owned());
    broken
}

#[test]
fn the_first_repository_that_has_the_target_is_taken() {
    let both = [holdings(), second(holdings())];
    let plan = planned_from(&both, Some(leader(2)), latest()).expect("a plan");
    assert_eq!(plan.repository, 1);
    for first in [Holdings::default(), broken(), without(holdings(), 2, 9)] {
        let both = [first, second(holdings())];
        let plan = planned_from(&both, Some(leader(2)), latest()).expect("a plan");
        assert_eq!(plan.pgbackrest().first().map(String::as_str), Some("--repo=2"));
    }
}

#[test]
fn where_nobody_leads_the_archive_that_goes_furthest_has_the_latest_state() {
    let both = [without(holdings(), 2, 10), second(holdings())];
    assert_eq!(planned_from(&both, None, latest()).expect("a plan").repository, 2);
    assert_eq!(planned_from(&both, None, lsn("0/8FFFFFF")).expect("a plan").repository, 1);
    let same = [holdings(), second(holdings())];
    assert_eq!(planned_from(&same, None, latest()).expect("a plan").repository, 1);
}

#[test]
fn a_refusal_is_about_the_target_where_one_repository_has_backups() {
    let both = [Holdings::default(), second(holdings())];
    let refusal = planned_from(&both, None, lsn("1/0")).expect_err("it is too late");
    assert!(matches!(refusal, Refusal::TooLate { .. }), "{refusal}");
    let refusal = planned(&broken(), None, latest()).expect_err("it is broken");
    assert_eq!(refusal.to_string(), "repository 2 cannot be read: no key");
}

#[test]
fn a_backup_of_the_timeline_itself_needs_no_history() {
    let plan = planned(&holdings(), Some(leader(2)), latest()).expect("a plan");
    assert!(plan.pgbackrest().contains(&"--target-timeline=2".to_owned()));
    let mut of_it = plan;
    of_it.wal.first.timeline = 2;
    assert!(of_it.pgbackrest().contains(&"--target-timeline=current".to_owned()));
}
