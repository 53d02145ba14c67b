use proptest::prelude::*;

use super::*;
use crate::status::tests::Lab;
use crate::steps::{Phase, StepDone, StepJournal as _};

fn cluster(have: u32) -> ClusterView {
    let mut view = Lab::healthy().view();
    view.quorum.have = have;
    view.leader = None;
    view
}

fn answers(raft_index: u64) -> Store {
    Store::Answers {
        raft_index,
        raft_term: 3,
        revision: raft_index,
        store_bytes: 1 << 20,
        free_bytes: 1 << 40,
        leader: None,
        system_id: None,
        sync_standbys: Vec::new(),
    }
}

fn unknown() -> Store {
    Store::Unknown { state: ContainerState::Stopped }
}

fn silent() -> Store {
    Store::Silent { reason: "no answer".to_owned() }
}

fn left(stores: &[Store]) -> Vec<Left> {
    let named = (1..).zip(stores);
    named
        .map(|(n, store)| Left {
            name: format!("etcd{n}"),
            site: format!("DC{n}"),
            store: store.clone(),
        })
        .collect()
}

fn planned(stores: &[Store]) -> Result<RepairPlan, Refusal> {
    let mut view = cluster(0);
    view.quorum.need = u32::try_from(stores.len() / 2 + 1).expect("few");
    plan(&view, left(stores))
}

#[test]
fn where_etcd_decides_nothing_is_repaired() {
    let view = cluster(2);
    let refused = plan(&view, left(&[answers(9), Store::Empty, Store::Empty]));
    assert_eq!(refused, Err(Refusal::HasQuorum { have: 2, need: 2 }));
}

#[test]
fn members_that_may_come_back_are_started_instead() {
    let refused = planned(&[answers(9), unknown(), Store::Empty]).expect_err("two of three");
    assert!(refused.hint("demo-1").contains("`pgha start etcd2`"), "{}", refused.hint("demo-1"));
    assert!(refused.to_string().contains("2 members") && refused.to_string().contains("takes 2"));
    assert_eq!(refused.reasons(), ["members: etcd1 and etcd2", "not running: etcd2"]);
    let apart = planned(&[answers(9), answers(9), silent()]).expect_err("three of three");
    assert!(apart.hint("demo-1").contains("pgha wan heal demo-1"));
    assert!(apart.reasons().contains(&"etcd3 does not answer: no answer".to_owned()));
}

#[test]
fn the_newest_survivor_is_the_new_cluster_and_all_others_join() {
    let plan = planned(&[answers(7), Store::Empty, answers(9), Store::Gone, Store::Empty]);
    let plan = plan.expect("two of five");
    assert_eq!(plan.survivor, "etcd3");
    assert_eq!(plan.rejoin, ["etcd1", "etcd2", "etcd4", "etcd5"]);
    assert_eq!(plan.need, 3);
    assert!(!plan.read_only.is_empty());
    // Of equals the first.
    let plan = planned(&[Store::Empty, answers(9), answers(9), Store::Empty, Store::Gone]);
    assert_eq!(plan.expect("two of five").survivor, "etcd2");
}

#[test]
fn without_a_store_or_room_for_its_copy_nothing_is_begun() {
    let nothing = planned(&[Store::Empty, Store::Gone, unknown()]);
    assert_eq!(nothing, Err(Refusal::NothingLeft { silent: Vec::new() }));
    let Store::Answers {
        raft_index, raft_term, revision, leader, system_id, sync_standbys, ..
    } = answers(9)
    else {
        unreachable!("it answers");
    };
    let full = Store::Answers {
        raft_index,
        raft_term,
        revision,
        store_bytes: 100 << 20,
        free_bytes: 200 << 20,
        leader,
        system_id,
        sync_standbys,
    };
    let refused = planned(&[full, Store::Empty, Store::Empty]).expect_err("no room");
    assert!(matches!(refused, Refusal::NoRoom { .. }), "{refused}");
}

#[test]
fn a_survivor_that_was_started_without_a_majority_is_taken_where_there_is_no_other() {
    let waits = || Store::Waits { store_bytes: 1 << 20, free_bytes: 1 << 40 };
    let alone = planned(&[Store::Gone, waits(), Store::Empty]).expect("one of three");
    assert_eq!(alone.survivor, "etcd2");
    for other in [waits(), answers(9)] {
        let refused = planned(&[other, waits(), Store::Empty, Store::Gone, Store::Empty]);
        let refused = refused.expect_err("which has more?");
        assert!(refused.to_string().starts_with("etcd1 and etcd2 have stores"), "{refused}");
        assert!(refused.hint("demo-1").contains("`pgha stop etcd2 --yes`"));
    }
    // One that was stopped is no candidate, and no majority with the other.
    let stopped = planned(&[unknown(), waits(), Store::Empty, Store::Gone, Store::Empty]);
    assert_eq!(stopped.expect("one is meant").survivor, "etcd2");
}

#[test]
fn what_runs_without_a_store_is_empty_whatever_etcd_says() {
    let report = StoreReport {
        mark: None,
        there: false,
        aside: Vec::new(),
        opened: false,
        store_bytes: 0,
        free_bytes: 1,
        status: Ok(EtcdStatus::default()),
        keys: Ok(Dcs::default()),
    };
    assert_eq!(Store::of(&report), Store::Empty);
    let mute = Err("refused".to_owned());
    let silent = StoreReport { there: true, keys: mute.clone(), ..report.clone() };
    assert_eq!(Store::of(&silent), Store::Silent { reason: "refused".to_owned() });
    let waits = StoreReport { there: true, opened: true, keys: mute, ..report.clone() };
    assert_eq!(Store::of(&waits), Store::Waits { store_bytes: 0, free_bytes: 1 });
    let answers = StoreReport { there: true, opened: true, ..report };
    assert!(matches!(Store::of(&answers), Store::Answers { .. }));
}

fn a_store() -> impl Strategy<Value = Store> {
    prop_oneof![
        (0..4_u64).prop_map(answers),
        Just(Store::Empty),
        Just(Store::Gone),
        Just(silent()),
        Just(unknown()),
    ]
}

proptest! {
    #[test]
    fn no_majority_of_stores_is_ever_given_up(stores in proptest::collection::vec(a_store(), 1..8)) {
        let may_be = stores.iter().filter(|store| store.may_be()).count();
        match planned(&stores) {
            Ok(plan) => {
                prop_assert!(may_be < plan.need as usize);
                prop_assert_eq!(plan.rejoin.len() + 1, stores.len());
                prop_assert!(!plan.rejoin.contains(&plan.survivor));
                let index = |store: &Store| match store {
                    Store::Answers { raft_index, .. } => Some(*raft_index),
                    _ => None,
                };
                let of = plan.left.iter().find(|left| left.name == plan.survivor);
                let newest = stores.iter().filter_map(index).max();
                prop_assert_eq!(of.and_then(|left| index(&left.store)), newest);
            }
            Err(Refusal::MayComeBack { stores: names, .. }) => {
                prop_assert_eq!(names.len(), may_be);
                prop_assert!(may_be > stores.len() / 2);
            }
            Err(Refusal::NothingLeft { .. }) => {
                let answers = |store: &Store| matches!(store, Store::Answers { .. });
                prop_assert!(!stores.iter().any(answers));
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

#[test]
fn the_way_back_is_open_until_old_stores_are_removed() {
    let plan = planned(&[answers(9), Store::Empty, Store::Empty]).expect("one of three");
    let mut journal = Journal::new("20261128-190500".to_owned(), plan);
    assert!(journal.is_untouched() && journal.undos().is_empty());
    let mut words = Vec::new();
    while let Some(step) = journal.begin() {
        let read = serde_json::to_string(&journal).expect("plain data");
        assert_eq!(serde_json::from_str(&read).ok(), Some(journal.clone()));
        words.push(steps_word(&step));
        let said = journal.unfinished("demo-1");
        assert!(said.message().ends_with(&crate::steps::Step::doing(&step)), "{}", said.message());
        assert_eq!(said.ways, journal.ways_on("demo-1"));
        assert_eq!(journal.can_go_back(), step != Step::Finish);
        let resumes = journal.ways_on("demo-1");
        assert_eq!(resumes.contains("--abort"), step != Step::Finish, "{resumes}");
        let touched = journal.touched();
        match &step {
            Step::Stop => assert_eq!(touched, Vec::<String>::new()),
            Step::Alone => assert_eq!(touched, ["etcd1"]),
            Step::Rejoin { member } => assert_eq!(touched.last(), Some(member)),
            Step::Lead | Step::Finish => assert_eq!(touched, ["etcd1", "etcd2", "etcd3"]),
        }
        journal.progress.done.push(StepDone { step, took_ms: 1, note: String::new() });
    }
    assert_eq!(words, ["stop", "alone", "rejoin etcd2", "rejoin etcd3", "lead", "finish"]);
    journal.progress.phase = Phase::Back;
    assert!(journal.ways_on("demo-1").contains("--abort` resumes"));
    let back = journal.unfinished("demo-1").message();
    assert!(back.contains("is being given up, at: stopping etcd"), "{back}");
}

fn steps_word(step: &Step) -> String {
    crate::steps::Step::word(step)
}
