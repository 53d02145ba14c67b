use super::*;
use crate::placement::Placement;
use crate::spec::{PlacementRule, Spec};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn topology(d: u32, nodes: u32, m: u32, durability: Durability) -> Topology {
    let spec =
        Spec { data_centers: d, nodes, must_suffice: m.min(d), durability, ..Spec::default() };
    Topology::new(spec, 1)
}

fn row<'a>(rows: &'a [Survival], lost: &[&str]) -> &'a Survival {
    rows.iter().find(|r| r.lost == lost).expect("the set is in the table")
}

/// The same answers by playing out every case: each leader, each set of standbys that have the
/// write, each candidate that is left.
///
/// It knows Patroni's rules for one candidate and counts nothing in advance.
mod brute_force {
    use super::*;

    pub(super) fn without(topology: &Topology, lost: &BTreeSet<u8>) -> Outcome {
        let is_left = |site: u8| !lost.contains(&site);
        let voters = topology.of_role(Role::Etcd).count();
        let voters_left = topology.of_role(Role::Etcd).filter(|m| is_left(m.site)).count();
        let quorum = 2 * voters_left > voters;
        let nodes: Vec<bool> = topology.of_role(Role::Postgres).map(|m| is_left(m.site)).collect();

        let mut promotable = quorum;
        let mut acknowledged_loss = false;
        for leader in 0..nodes.len() {
            for have in acknowledgements(topology, leader, nodes.len()) {
                let on_no_node_left = !nodes[leader] && !have.iter().any(|&n| nodes[n]);
                acknowledged_loss |= on_no_node_left;
                if nodes[leader] {
                    continue;
                }
                let successors: Vec<usize> = (0..nodes.len())
                    .filter(|&n| n != leader && nodes[n])
                    .filter(|&n| patroni_promotes(topology, n, leader, &have, &nodes))
                    .collect();
                promotable &= !successors.is_empty();
                acknowledged_loss |= quorum && successors.iter().any(|n| !have.contains(n));
            }
        }
        Outcome { quorum, promotable, acknowledged_loss }
    }

    /// Every set of standbys that can have a write at the moment the client hears that it is
    /// committed. In `sync` and `strict` it is also the set that Patroni has named.
    fn acknowledgements(topology: &Topology, leader: usize, nodes: usize) -> Vec<BTreeSet<usize>> {
        let spec = &topology.spec;
        let needed = match (spec.durability, spec.data_centers) {
            (Durability::Async, _) => 0,
            (_, 1) => 1,
            _ => spec.nodes as usize,
        };
        let standbys: Vec<usize> = (0..nodes).filter(|&n| n != leader).collect();
        let exactly = matches!(spec.durability, Durability::Sync | Durability::Strict);
        (0u32..1 << standbys.len())
            .map(|set| {
                standbys
                    .iter()
                    .enumerate()
                    .filter(|(bit, _)| set & (1 << bit) != 0)
                    .map(|(_, &n)| n)
                    .collect::<BTreeSet<usize>>()
            })
            .filter(|set| if exactly { set.len() == needed } else { set.len() >= needed })
            .collect()
    }

    fn patroni_promotes(
        topology: &Topology,
        candidate: usize,
        leader: usize,
        have: &BTreeSet<usize>,
        left: &[bool],
    ) -> bool {
        match topology.spec.durability {
            Durability::Async => true,
            Durability::Sync | Durability::Strict => have.contains(&candidate),
            Durability::Quorum => {
                let needed = if topology.spec.data_centers == 1 { 1 } else { topology.spec.nodes };
                let voters = left.len() - 1;
                let position = |n: usize| usize::from(have.contains(&n));
                let seen_not_ahead = (0..left.len())
                    .filter(|&n| n != leader && n != candidate && left[n])
                    .filter(|&n| position(n) <= position(candidate))
                    .count();
                seen_not_ahead >= voters - needed as usize
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]
    #[test]
    fn every_row_is_what_playing_out_each_case_gives(
        d in 1u32..5,
        nodes in 1u32..4,
        m in 1u32..5,
        e in prop::option::of(1u32..4),
        classic: bool,
        durability in prop::sample::select(Durability::ALL),
    ) {
        prop_assume!(d * nodes >= 2 && d * nodes <= 8);
        let spec = Spec {
            data_centers: d,
            nodes,
            must_suffice: m.min(d),
            etcd: e,
            placement: if classic { PlacementRule::Classic } else { PlacementRule::Computed },
            durability,
            ..Spec::default()
        };
        let topology = Topology::new(spec, 1);
        for row in table(&topology) {
            let lost = topology
                .sites
                .iter()
                .filter(|site| row.lost.contains(&site.name))
                .map(|site| site.number)
                .collect();
            let played = brute_force::without(&topology, &lost);
            let counted = Outcome {
                quorum: row.quorum,
                promotable: row.promotable,
                acknowledged_loss: row.acknowledged_loss,
            };
            prop_assert_eq!(counted, played, "{:?} {:?}", row.lost, topology.spec);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn grouped_rows_hide_no_set_and_count_none_twice(
        d in 1u32..16,
        nodes in 2u32..5,
        m in 1u32..16,
        e in prop::option::of(1u32..4),
        durability in prop::sample::select(Durability::ALL),
    ) {
        let spec = Spec {
            data_centers: d, nodes, must_suffice: m.min(d), etcd: e, durability, ..Spec::default()
        };
        let topology = Topology::new(spec, 1);
        let rows = table(&topology);
        let groups = grouped(&topology);
        for (quorum, promotable, acknowledged_loss) in (0u8..8).map(|n| (n & 1 > 0, n & 2 > 0, n & 4 > 0)) {
            let sets = rows
                .iter()
                .filter(|r| (r.quorum, r.promotable, r.acknowledged_loss)
                    == (quorum, promotable, acknowledged_loss))
                .count() as u64;
            let grouped: u64 = groups
                .iter()
                .filter(|r| (r.quorum, r.promotable, r.acknowledged_loss)
                    == (quorum, promotable, acknowledged_loss))
                .map(|r| r.sets)
                .sum();
            prop_assert_eq!(sets, grouped);
        }
        let names: BTreeSet<&str> = groups.iter().map(|r| r.lost.as_str()).collect();
        prop_assert_eq!(names.len(), groups.len(), "two rows have one name");
    }
}

#[test]
fn two_data_centers_and_a_witness_outlive_any_one_site() {
    let rows = table(&topology(2, 2, 1, Durability::Async));
    for lost in ["DC1", "DC2", "DC3"] {
        assert!(row(&rows, &[lost]).promotable, "{lost}");
    }
    assert!(row(&rows, &["DC1"]).acknowledged_loss);
    assert!(!row(&rows, &["DC3"]).acknowledged_loss);
    assert!(!row(&rows, &["DC1", "DC3"]).quorum);
}

#[test]
fn synchronous_modes_lose_nothing_with_one_data_center() {
    for durability in [Durability::Sync, Durability::Strict, Durability::Quorum] {
        let rows = table(&topology(3, 2, 1, durability));
        assert!(rows.iter().filter(|r| r.lost.len() == 1).all(|r| r.promotable));
        assert!(rows.iter().filter(|r| r.lost.len() == 1).all(|r| !r.acknowledged_loss));
        let two = row(&rows, &["DC1", "DC2"]);
        assert!(two.quorum && !two.promotable && two.acknowledged_loss);
    }
}

#[test]
fn losing_every_node_loses_what_was_acknowledged() {
    for &durability in Durability::ALL {
        let rows = table(&topology(1, 3, 1, durability));
        assert!(row(&rows, &["DC1"]).acknowledged_loss, "{durability}");
    }
}

#[test]
fn without_quorum_nothing_is_promoted() {
    for &durability in Durability::ALL {
        let rows = table(&topology(4, 2, 2, durability));
        assert!(rows.iter().all(|r| r.quorum || !r.promotable));
    }
}

#[test]
fn twelve_data_centers_have_every_set() {
    let topology = topology(12, 4, 1, Durability::Quorum);
    let rows = table(&topology);
    assert_eq!(rows.len(), 8191);
    let distinct: BTreeSet<_> = rows.iter().map(|r| &r.lost).collect();
    assert_eq!(distinct.len(), 8191);
}

#[test]
fn beyond_twelve_data_centers_singles_and_pairs_are_listed() {
    let rows = table(&topology(13, 2, 1, Durability::Async));
    assert_eq!(rows.len(), 14 + 14 * 13 / 2);
}

#[test]
fn up_to_five_sites_each_set_has_its_own_row() {
    let names: Vec<String> =
        grouped(&topology(2, 2, 1, Durability::Async)).into_iter().map(|r| r.lost).collect();
    assert_eq!(
        names,
        [
            "DC1",
            "DC2",
            "external",
            "DC1 + DC2",
            "DC1 + external",
            "DC2 + external",
            "DC1 + DC2 + external"
        ]
    );
    assert_eq!(grouped(&topology(4, 2, 1, Durability::Async)).len(), 31);
}

#[test]
fn twelve_equal_data_centers_take_few_rows() {
    let spec = Spec { data_centers: 12, etcd: Some(1), must_suffice: 6, ..Spec::default() };
    let rows = grouped(&Topology::new(spec, 1));
    let names: Vec<&str> = rows.iter().map(|r| r.lost.as_str()).collect();
    assert_eq!(
        names,
        [
            "any 1 to 6 data centers",
            "any 7 to 12 data centers",
            "external",
            "external + any 1 to 5 data centers",
            "external + any 6 to 12 data centers",
        ]
    );
}

#[test]
fn data_centers_with_different_numbers_of_members_are_told_apart() {
    let topology = topology(12, 2, 8, Durability::Async);
    assert_eq!(Placement::of(&topology.spec).per_site(), [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0]);
    let rows = grouped(&topology);
    assert!(rows.len() <= 16, "{rows:#?}");
    insta::assert_debug_snapshot!(rows.iter().map(|r| r.lost.as_str()).collect::<Vec<_>>());
}
