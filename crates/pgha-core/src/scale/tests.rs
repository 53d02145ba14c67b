//! What is asked for, as layouts and as a plan.

use super::*;
use crate::layout::{Layout, LayoutError, Role};
use crate::layout_change::{Step as LayoutStep, change};
use crate::spec::Spec;
use crate::status::ClusterView;
use crate::status::tests::Lab;
use crate::steps::StepJournal as _;
use crate::topology::Topology;
use crate::tuning::Limits;

fn two() -> (Topology, ClusterView) {
    let mut lab = Lab::healthy();
    lab.configured("{}");
    (Topology::new(Spec { data_centers: 2, ..Spec::default() }, 1), lab.view())
}

fn remove(members: &[&str], sites: &[u8]) -> Asked {
    let members = members.iter().map(|name| (*name).to_owned()).collect();
    Asked::Remove { members, sites: sites.to_vec() }
}

#[test]
fn sizes_are_as_many_members_as_that_in_each_data_center() {
    let (topology, view) = two();
    let layout = |nodes: &[u32], etcd: &[u32]| {
        let sizes = Sizes { nodes: nodes.to_vec(), etcd: etcd.to_vec() };
        Asked::Scale(sizes).layout(&topology, &view)
    };
    let text = |found: Result<Layout, Refused>| found.map(|layout| layout.to_string());
    assert_eq!(text(layout(&[3, 2], &[])), Ok("2 d1-2 x3 p1-2*2 e1-3 b3 p1@2".to_owned()));
    // The leader is the last to go, whatever its number.
    let fewer = layout(&[1], &[]).expect("a layout");
    let left: Vec<String> = fewer
        .current()
        .filter(|m| m.role == Role::Postgres)
        .map(|m| m.name(&topology.id))
        .collect();
    assert!(left.contains(view.leader.as_ref().expect("it leads")), "{left:?}");
    // What comes and what goes is of two generations.
    let both = layout(&[3, 1], &[2, 1]).expect("a layout");
    assert_eq!(both.to_string(), "3 d1-2 x3 p1*2 p2 p2!3 e1-3 b3 p1@2 e1@2");
    assert_eq!(both.at(1), topology.layout);
    assert_eq!(both.at(2).to_string(), "2 d1-2 x3 p1-2*2 e1-3 b3 p1@2 e1@2");
    assert_eq!(layout(&[2], &[1]), Err(Refused::Nothing));
    assert_eq!(layout(&[3, 2, 2], &[]), Err(Refused::WrongLength { given: 3, there: 2 }));
    let none = Refused::Layout(LayoutError::LastNode { site: 2 });
    assert_eq!(layout(&[2, 0], &[]), Err(none));
}

#[test]
fn what_a_cluster_needs_is_not_removed() {
    let (topology, view) = two();
    let refused = |asked: Asked| asked.layout(&topology, &view).expect_err("refused").to_string();
    for (asked, why) in [
        (remove(&["pgha-wan-1"], &[]), "pgha-wan-1 is the WAN router"),
        (remove(&["pgha-pgbackrest-DC3-1"], &[]), "is the backup host: there is one, and it stays"),
        (remove(&["nobody"], &[]), "there is no member nobody"),
        (remove(&[], &[3]), "the external site cannot be removed"),
        (remove(&[], &[1, 2]), "no data center"),
        (remove(&["pgha-demo1-DC1-1", "pgha-demo2-DC1-1"], &[]), "DC1 would have no Postgres node"),
        (
            remove(&["pgha-etcd1-DC1-1", "pgha-etcd2-DC2-1", "pgha-etcd3-DC3-1"], &[]),
            "no etcd member",
        ),
    ] {
        let said = refused(asked);
        assert!(said.contains(why), "{said}");
    }
    let gone = remove(&["pgha-demo1-DC1-1"], &[1]).layout(&topology, &view).expect("a layout");
    assert_eq!(gone.to_string(), "2 d1!2 d2 x3 p1*2!2 p2*2 e1!2 e2-3 b3");
}

#[test]
fn a_leader_waits_for_as_many_standbys_as_its_site_has_nodes_by_now() {
    let (topology, view) = two();
    let sizes = Sizes { nodes: vec![3, 2], etcd: vec![] };
    let layout = Asked::Scale(sizes).layout(&topology, &view).expect("a layout");
    let after = Topology::with(topology.spec.clone(), 1, layout);
    let asked = |t: &Topology| [1, 2].map(|site| t.acknowledgements_in(site));
    assert_eq!((asked(&topology), asked(&after)), ([2, 2], [3, 2]));
}

#[test]
fn a_fourth_voter_beside_the_first_is_survived_less_well_and_a_node_is_not() {
    let (topology, view) = two();
    let less = |asked: Asked| {
        let new = asked.layout(&topology, &view).expect("a layout");
        let journal = Journal::new(asked, &topology.layout, &new, &[], &topology.id);
        let after = Topology::with(topology.spec.clone(), 1, new);
        Plan::of(&journal, (&topology, &after), &view, None, None).survived_less()
    };
    let add = |role| Asked::Add { role, site: 1, count: 1 };
    assert_eq!(less(add(Role::Etcd)), ["DC1"]);
    assert_eq!(less(add(Role::Postgres)), [""; 0]);
    assert_eq!(less(remove(&["pgha-etcd1-DC1-1"], &[])), ["DC2", "DC3"]);
}

#[test]
fn a_journal_reads_back_and_its_steps_have_names() {
    let (topology, view) = two();
    let limits = Limits::for_nodes(4);
    let asked = Asked::Scale(Sizes { nodes: vec![3, 1], etcd: vec![] });
    let new = asked.layout(&topology, &view).expect("a layout");
    let steps = change(&topology.layout, &new, &view, limits).expect("steps");
    let mut journal = Journal::new(asked, &topology.layout, &new, &steps, &topology.id);
    journal.begin();
    assert!(journal.is_untouched(), "only a certificate is made");
    let text = serde_json::to_string(&journal).expect("plain data is JSON");
    assert_eq!(serde_json::from_str::<Journal>(&text).expect("its own"), journal);
    let after = Topology::with(topology.spec.clone(), 1, new);
    let plan = Plan::of(&journal, (&topology, &after), &view, None, None);
    assert_eq!(plan.added, ["pgha-demo3-DC1-1"]);
    assert_eq!(plan.removed.len(), 1);
    insta::assert_snapshot!(plan.steps.join("\n"));
    assert!(matches!(journal.steps[1].what, LayoutStep::Apply { generation: 2 }));
}
