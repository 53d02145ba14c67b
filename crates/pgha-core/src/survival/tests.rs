use super::*;
use crate::lint::{check, has_errors};
use crate::placement::Placement;
use crate::spec::{Acknowledge, DataCenterSpec, Durability, PlacementRule, SiteRole, Spec};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

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

    /// The nodes that may lead and acknowledge, by site.
    fn primary_nodes(topology: &Topology) -> Vec<u8> {
        let standby = |site: u8| {
            let said = topology.spec.each.get(usize::from(site) - 1);
            said.is_some_and(|it| it.role == SiteRole::Standby)
        };
        topology.of_role(Role::Postgres).map(|m| m.site).filter(|site| !standby(*site)).collect()
    }

    pub(super) fn without(topology: &Topology, lost: &BTreeSet<u8>) -> Outcome {
        let is_left = |site: u8| !lost.contains(&site);
        let voters = topology.of_role(Role::Etcd).count();
        let voters_left = topology.of_role(Role::Etcd).filter(|m| is_left(m.site)).count();
        let quorum = 2 * voters_left > voters;
        let sites = primary_nodes(topology);
        let nodes: Vec<bool> = sites.iter().map(|site| is_left(*site)).collect();
        let every_node_answers = topology.of_role(Role::Postgres).all(|m| is_left(m.site));
        let strict =
            matches!(topology.spec.durability, Durability::Strict | Durability::QuorumStrict);

        let mut promotable = quorum;
        let mut acknowledged_loss = false;
        let mut go_on = [None::<bool>; 2];
        for leader in 0..nodes.len() {
            if nodes[leader] {
                let somebody_acknowledges =
                    !strict || (0..nodes.len()).any(|other| other != leader && nodes[other]);
                let may_lead = [quorum, quorum || every_node_answers];
                for (so_far, may_lead) in go_on.iter_mut().zip(may_lead) {
                    *so_far = Some(so_far.unwrap_or(true) && may_lead && somebody_acknowledges);
                }
            }
            let standbys = standbys(topology, &sites, leader);
            let needed = needed(topology, &sites, leader).min(standbys.len());
            for have in acknowledgements(topology, &standbys, needed) {
                let on_no_node_left = !nodes[leader] && !have.iter().any(|&n| nodes[n]);
                acknowledged_loss |= on_no_node_left;
                if nodes[leader] {
                    continue;
                }
                let successors: Vec<usize> = (0..nodes.len())
                    .filter(|&n| n != leader && nodes[n])
                    .filter(|&n| patroni_promotes(topology, n, &standbys, &have, &nodes, needed))
                    .collect();
                promotable &= !successors.is_empty();
                acknowledged_loss |= quorum && successors.iter().any(|n| !have.contains(n));
            }
        }
        let [writes_go_on, writes_go_on_failsafe] = go_on.map(|go_on| go_on == Some(true));
        Outcome { quorum, promotable, acknowledged_loss, writes_go_on, writes_go_on_failsafe }
    }

    /// Those that may acknowledge what a leader writes.
    fn standbys(topology: &Topology, sites: &[u8], leader: usize) -> Vec<usize> {
        let local = topology.spec.acknowledge == Acknowledge::Local;
        let meant = |n: &usize| *n != leader && (!local || sites[*n] == sites[leader]);
        (0..sites.len()).filter(meant).collect()
    }

    /// As many as the leader's site has nodes, where another site has any that acknowledge and one of it shall.
    fn needed(topology: &Topology, sites: &[u8], leader: usize) -> usize {
        let here = (0..sites.len()).filter(|node| sites[*node] == sites[leader]).count();
        match (topology.spec.durability, topology.spec.acknowledge) {
            (Durability::Async, _) => 0,
            (_, Acknowledge::Remote) if here < sites.len() => here,
            _ => 1,
        }
    }

    /// Every set of standbys that can have a write at the moment the client hears that it is
    /// committed. In `sync` and `strict` it is also the set that Patroni has named.
    fn acknowledgements(
        topology: &Topology,
        standbys: &[usize],
        needed: usize,
    ) -> Vec<BTreeSet<usize>> {
        let exactly = matches!(topology.spec.durability, Durability::Sync | Durability::Strict);
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
        standbys: &[usize],
        have: &BTreeSet<usize>,
        left: &[bool],
        needed: usize,
    ) -> bool {
        match topology.spec.durability {
            Durability::Async => true,
            Durability::Sync | Durability::Strict => have.contains(&candidate),
            Durability::Quorum | Durability::QuorumStrict => {
                let position = |n: usize| usize::from(have.contains(&n));
                let voters = || standbys.iter().copied().filter(|&n| n != candidate && left[n]);
                let seen_not_ahead =
                    voters().filter(|&n| position(n) <= position(candidate)).count();
                // One without a vote has to hear from one more.
                let own = usize::from(standbys.contains(&candidate));
                seen_not_ahead + own > standbys.len() - needed
            }
        }
    }
}

/// Data centers that may differ in everything that the table counts.
fn unequal(most_nodes: u32) -> impl Strategy<Value = Spec> {
    let one = (1u32..4, prop::option::of(0u32..4), prop::bool::weighted(0.25));
    let numbers = (
        prop::collection::vec(one, 1..5),
        any::<[bool; 3]>(),
        1u32..5,
        prop::option::of(1u32..4),
        prop::sample::select(Durability::ALL),
        prop::sample::select(Acknowledge::ALL),
    );
    numbers.prop_filter_map(
        "no cluster",
        move |(each, [external, classic, equal], m, etcd, durability, acknowledge)| {
            let data_centers = u32::try_from(each.len()).expect("a few");
            let differs = each.iter().map(|&(nodes, etcd, standby)| DataCenterSpec {
                nodes: Some(nodes),
                etcd,
                role: if standby { SiteRole::Standby } else { SiteRole::Primary },
                ..DataCenterSpec::default()
            });
            let spec = Spec {
                data_centers,
                nodes: each[0].0,
                each: if equal { Vec::new() } else { differs.collect() },
                external,
                etcd,
                must_suffice: m.min(data_centers),
                placement: if classic { PlacementRule::Classic } else { PlacementRule::Computed },
                durability,
                acknowledge,
                ..Spec::default()
            };
            let possible = !has_errors(&check(&spec)) && spec.all_nodes() <= most_nodes;
            possible.then_some(spec)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]
    #[test]
    fn every_row_is_what_playing_out_each_case_gives(spec in unequal(8)) {
        let topology = Topology::new(spec, 1);
        for row in table(&topology) {
            let sites = topology.sites.iter().filter(|site| row.lost.contains(&site.name));
            let lost = sites.map(|site| site.number).collect();
            let played = brute_force::without(&topology, &lost);
            prop_assert_eq!(row.outcome, played, "{:?} {:?}", row.lost, topology.spec);
        }
    }

    #[test]
    fn the_smallest_losses_are_the_minimal_sets_of_the_table(spec in unequal(12)) {
        let topology = Topology::new(spec, 1);
        let rows = table(&topology);
        let smallest = smallest(&topology);
        prop_assert!(smallest.complete);
        for (said, bad) in [
            (&smallest.stop_writes, &(|row: &Survival| row.outcome.stops_writes()) as &dyn Fn(&Survival) -> bool),
            (&smallest.may_lose_writes, &|row: &Survival| row.outcome.acknowledged_loss),
        ] {
            let bad: Vec<BTreeSet<&String>> =
                rows.iter().filter(|row| bad(row)).map(|row| row.lost.iter().collect()).collect();
            let minimal: Vec<_> =
                bad.iter().filter(|set| bad.iter().all(|other| other == *set || !other.is_subset(set))).collect();
            // Each minimal set is in one of the groups, and each group's first set is minimal.
            prop_assert_eq!(said.is_empty(), minimal.is_empty());
            let kinds: BTreeSet<_> = minimal.iter().map(|set| kind(&topology, set)).collect();
            prop_assert_eq!(said.len(), kinds.len(), "{:?} {:?}", said, minimal);
        }
    }
}

/// What a set of sites counts for: equal of sets that are interchangeable.
fn kind(topology: &Topology, set: &BTreeSet<&String>) -> Vec<String> {
    let of = |name: &&String| {
        let site = topology.sites.iter().find(|site| site.name == **name).expect("a site");
        let count = |role| topology.of_role(role).filter(|m| m.site == site.number).count();
        let role = topology.role_in(site.number);
        format!("{:?} {role} {} {}", site.kind, count(Role::Etcd), count(Role::Postgres))
    };
    let mut all: Vec<String> = set.iter().map(of).collect();
    all.sort();
    all
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
        let answers = |row: &SurvivalRow| {
            let it = row.outcome;
            [it.quorum, it.promotable, it.acknowledged_loss, it.writes_go_on, it.writes_go_on_failsafe]
        };
        let count = |rows: &[SurvivalRow]| {
            let mut counts = BTreeMap::new();
            for row in rows {
                *counts.entry(answers(row)).or_insert(0) += row.sets;
            }
            counts
        };
        prop_assert_eq!(count(&explicit(&topology, &rows)), count(&groups));
        let names: BTreeSet<&str> = groups.iter().map(|r| r.lost.as_str()).collect();
        prop_assert_eq!(names.len(), groups.len(), "two rows have one name");
    }
}

#[test]
fn two_data_centers_and_a_witness_outlive_any_one_site() {
    let rows = table(&topology(2, 2, 1, Durability::Async));
    for lost in ["DC1", "DC2", "DC3"] {
        assert!(row(&rows, &[lost]).outcome.promotable, "{lost}");
    }
    assert!(row(&rows, &["DC1"]).outcome.acknowledged_loss);
    assert!(!row(&rows, &["DC3"]).outcome.acknowledged_loss);
    assert!(!row(&rows, &["DC1", "DC3"]).outcome.quorum);
}

#[test]
fn synchronous_modes_lose_nothing_with_one_data_center() {
    for durability in [Durability::Sync, Durability::Strict, Durability::Quorum] {
        let rows = table(&topology(3, 2, 1, durability));
        assert!(rows.iter().filter(|r| r.lost.len() == 1).all(|r| r.outcome.promotable));
        assert!(rows.iter().filter(|r| r.lost.len() == 1).all(|r| !r.outcome.acknowledged_loss));
        let two = row(&rows, &["DC1", "DC2"]);
        assert!(two.outcome.quorum && !two.outcome.promotable && two.outcome.acknowledged_loss);
    }
}

#[test]
fn acknowledgements_of_the_leaders_own_site_are_lost_with_it() {
    for acknowledge in [Acknowledge::Local, Acknowledge::Any] {
        for durability in Durability::ALL.iter().filter(|it| **it != Durability::Async) {
            let spec =
                Spec { data_centers: 2, durability: *durability, acknowledge, ..Spec::default() };
            let rows = table(&Topology::new(spec, 1));
            let lost = row(&rows, &["DC1"]).outcome;
            assert!(lost.acknowledged_loss && !lost.promotable, "{durability} {acknowledge}");
            assert!(lost.writes_go_on, "a leader in the other site does not need this one");
        }
    }
}

#[test]
fn losing_every_node_loses_what_was_acknowledged() {
    for &durability in Durability::ALL {
        let rows = table(&topology(1, 3, 1, durability));
        assert!(row(&rows, &["DC1"]).outcome.acknowledged_loss, "{durability}");
    }
}

#[test]
fn without_quorum_nothing_is_promoted() {
    for &durability in Durability::ALL {
        let rows = table(&topology(4, 2, 2, durability));
        assert!(rows.iter().all(|r| r.outcome.quorum || !r.outcome.promotable));
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
