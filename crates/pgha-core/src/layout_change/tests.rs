//! The way from one layout to the next, on any cluster in any state.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::layout::Change;
use crate::layout::tests::{histories, layouts, specs};
use crate::spec::Spec;
use crate::status::tests::Lab;
use crate::status::{EtcdView, MemberView, NodeRole, Tally};
use crate::topology::Topology;

/// More than any of these clusters takes.
const LIMITS: Limits = Limits {
    max_wal_senders: 10_000,
    max_replication_slots: 10_000,
    max_connections: 100,
    max_worker_processes: 8,
};

/// A view of a cluster in which these etcd members are away.
fn view(layout: &Layout, away: &BTreeSet<u32>) -> ClusterView {
    let mut lab = Lab::healthy();
    lab.configured("{}");
    let base = lab.view();
    let topology = Topology::with(Spec::default(), 1, layout.clone());
    let id = ClusterId { name: "demo".to_owned(), instance: 1 };
    let is_away =
        |name: &str| layout.current().any(|m| m.name(&id) == name && away.contains(&m.id));
    let mut leads = false;
    let etcd = topology.of_role(Role::Etcd).map(|m| {
        let healthy = !is_away(&m.name);
        let leader = healthy && !leads;
        leads |= leader;
        EtcdView { name: m.name.clone(), healthy, leader: Some(leader), ..base.etcd[0].clone() }
    });
    let etcd: Vec<EtcdView> = etcd.collect();
    let node = |role: NodeRole| {
        base.members.iter().find(|m| m.role == Some(role)).expect("a node").clone()
    };
    let nodes = topology.of_role(Role::Postgres).enumerate().map(|(n, m)| MemberView {
        name: m.name.clone(),
        ..node(if n == 0 { NodeRole::Leader } else { NodeRole::Replica })
    });
    let others = base.members.iter().filter(|m| m.kind != Role::Postgres).cloned();
    let need = topology.placement.quorum();
    let leader = topology.of_role(Role::Postgres).next().map(|m| m.name.clone());
    ClusterView {
        leader,
        members: nodes.chain(others).collect(),
        quorum: Tally { need, ..base.quorum },
        etcd,
        ..base
    }
}

fn two() -> Layout {
    Layout::of(&Spec { data_centers: 2, ..Spec::default() })
}

fn with(layout: &Layout, changes: &[Change]) -> Layout {
    layout.changed(changes).expect("a layout")
}

#[test]
fn a_data_center_comes_site_first_then_etcd_then_nodes() {
    let old = two();
    let node = Change::AddMember(Role::Postgres, 4);
    let new = with(&old, &[node; 0]);
    assert_eq!(change(&old, &new, &view(&old, &BTreeSet::new()), LIMITS), Ok(vec![]));
    let etcd = Change::AddMember(Role::Etcd, 4);
    let new = with(&old, &[Change::AddDataCenter, node, etcd, etcd]);
    assert_eq!(
        change(&old, &new, &view(&old, &BTreeSet::new()), LIMITS),
        Ok(vec![
            Step::MakeCertificate { id: 9 },
            Step::Apply { generation: 2 },
            Step::AddSite { site: 4 },
            Step::AddLearner { id: 10 },
            Step::Promote { id: 10 },
            Step::AddLearner { id: 11 },
            Step::Promote { id: 11 },
            Step::AddNode { id: 9 },
        ])
    );
    let few = Limits { max_wal_senders: 7, ..LIMITS };
    let steps = change(&old, &new, &view(&old, &BTreeSet::new()), few).expect("steps");
    assert_eq!(steps[7..], [Step::RaiseLimits { nodes: 5 }, Step::AddNode { id: 9 }]);
}

#[test]
fn a_data_center_goes_nodes_first_and_the_leader_moves_before() {
    let old = two();
    let gone: Vec<Change> = [1, 2, 5].map(Change::RemoveMember).to_vec();
    let new = with(&old, &[gone, vec![Change::RemoveSite(1)]].concat());
    let steps = change(&old, &new, &view(&old, &BTreeSet::new()), LIMITS);
    assert_eq!(
        steps,
        Ok(vec![
            Step::MoveLeader { id: 1 },
            Step::RemoveNode { id: 1 },
            Step::RemoveNode { id: 2 },
            Step::DropSlots,
            Step::RemoveEtcd { id: 5 },
            Step::Apply { generation: 2 },
            Step::RemoveSite { site: 1 },
        ])
    );
}

#[test]
fn reasons_have_their_numbers() {
    let old = two();
    let refused = |new: &Layout, away: &[u32]| {
        let away = away.iter().copied().collect();
        change(&old, new, &view(&old, &away), LIMITS).expect_err("not now")
    };
    let remove = |id| with(&old, &[Change::RemoveMember(id)]);
    assert_eq!(refused(&remove(6), &[5, 6]), [Reason::NoQuorumNow { healthy: 1, need: 2 }]);
    let lost = Reason::QuorumLost { member: "pgha-etcd2-DC2-1".into(), left: 1, need: 2 };
    assert_eq!(refused(&remove(6), &[5]), [lost]);
    let add = with(&old, &[Change::AddMember(Role::Etcd, 2)]);
    let away = Reason::EtcdAway { away: vec!["pgha-etcd1-DC1-1".to_owned()] };
    assert_eq!(refused(&add, &[5]), [away]);
    // One that is away may leave, and another comes for it.
    let replaced = with(&old, &[Change::RemoveMember(5), Change::AddMember(Role::Etcd, 1)]);
    let steps = change(&old, &replaced, &view(&old, &BTreeSet::from([5])), LIMITS).expect("steps");
    let applied = Step::Apply { generation: 2 };
    assert_eq!(steps[..3], [Step::RemoveEtcd { id: 5 }, applied, Step::AddLearner { id: 9 }]);

    let other = with(&two(), &[Change::AddMember(Role::Etcd, 1)]);
    let back = change(&other, &old, &view(&old, &BTreeSet::new()), LIMITS);
    assert_eq!(back, Err(vec![Reason::NotFromThis { old: 2, new: 1 }]));

    let unknown = ClusterView { leader: None, ..view(&old, &BTreeSet::new()) };
    assert_eq!(change(&old, &remove(2), &unknown, LIMITS), Err(vec![Reason::NoLeader]));
    let mut lab = Lab::healthy();
    lab.configured(r#"{"synchronous_mode": "quorum", "synchronous_node_count": 3}"#);
    let names = vec!["pgha-demo2-DC1-1".to_owned()];
    let hazard = Hazard::FewerAcknowledge { left: 2, need: 3 };
    let unsafe_now = Reason::Unsafe { members: names, hazard };
    assert!(unsafe_now.to_string().contains("acknowledged by 2 standbys, not by 3"));
    assert_eq!(change(&old, &remove(2), &lab.view(), LIMITS), Err(vec![unsafe_now]));
}

proptest! {
    #[test]
    fn every_step_keeps_a_quorum_and_the_last_one_ends_at_the_new_layout(
        spec in specs(),
        history in histories(),
        away in prop::collection::btree_set(1u32..40, 0..4),
        jump in 1usize..3,
    ) {
        let all = layouts(&spec, &history);
        for (old, new) in all.iter().zip(all.iter().skip(jump)) {
            let view = view(old, &away);
            let voters = |layout: &Layout| -> BTreeSet<u32> {
                layout.current().filter(|m| m.role == Role::Etcd).map(|m| m.id).collect()
            };
            let well = |voters: &BTreeSet<u32>, before: &BTreeSet<u32>| {
                voters.iter().filter(|id| !before.contains(id) || !away.contains(id)).count()
            };
            let founders = voters(old);
            let Ok(steps) = change(old, new, &view, LIMITS) else { continue };
            let (mut at, mut now) = (old.clone(), founders.clone());
            let mut learner = None;
            for step in steps {
                at = step.after(at, new);
                match step {
                    Step::AddLearner { id } => {
                        prop_assert!(learner.replace(id).is_none(), "one at a time");
                    }
                    Step::Promote { id } => {
                        prop_assert_eq!(learner.take(), Some(id));
                        now.insert(id);
                    }
                    Step::RemoveEtcd { id } => prop_assert!(now.remove(&id)),
                    _ => {}
                }
                let moved = now != founders;
                let need = quorum(count(now.len())) as usize;
                prop_assert!(!moved || well(&now, &founders) >= need, "{:?}", step);
            }
            // A change that changes nothing has no step.
            if at != *old {
                prop_assert_eq!(&at, new);
            }
            prop_assert_eq!(now, voters(new));
        }
    }
}
