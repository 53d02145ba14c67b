//! Where etcd members stand, so that the failures that must be survived are survived.
//!
//! With `n` members a quorum is `floor(n/2) + 1`. Losing any `d - m` data centers must leave a
//! quorum, and so must losing the external site where the numbers allow it.

use crate::spec::{PlacementRule, Spec};

/// How many etcd members each site has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Members in each data center, `DC1` first.
    pub data_centers: Vec<u32>,
    /// Members in the external site; 0 also where there is none.
    pub external: u32,
}

impl Placement {
    /// Members in all sites together.
    pub fn total(&self) -> u32 {
        self.data_centers.iter().sum::<u32>() + self.external
    }

    /// Members that must answer for anything to be decided: `floor(total/2) + 1`.
    pub fn quorum(&self) -> u32 {
        quorum(self.total())
    }

    /// Members of each site, the external one last.
    pub fn per_site(&self) -> Vec<u32> {
        self.data_centers.iter().copied().chain([self.external]).collect()
    }

    /// The placement the spec asks for. Total for every spec; whether it is wise is the lint's say.
    pub fn of(spec: &Spec) -> Self {
        let each = spec.etcd_each();
        let inside = match (spec.placement, each) {
            (PlacementRule::Computed, None) => return computed(spec),
            (PlacementRule::Classic, None) => vec![1; spec.data_centers as usize],
            (_, Some(each)) => each,
        };
        let external = match spec.placement {
            _ if !spec.external => 0,
            PlacementRule::Computed => witnesses(&inside, spec.may_fail()),
            PlacementRule::Classic => {
                let paper = ClassicPaper::of(&inside);
                (paper.base + paper.external).saturating_sub(inside.iter().sum())
            }
        };
        Self { data_centers: inside, external }
    }
}

/// Members that make a majority of `total`.
pub fn quorum(total: u32) -> u32 {
    total / 2 + 1
}

/// Fewest members for any placement: two would stop at the loss of either.
const MIN_TOTAL: u32 = 3;

/// The smallest odd total, free to leave data centers without a member.
///
/// To outlive `f = d - m` data centers *and* the external site, each at its worst, takes `2f + 1`
/// members of which no data center has more than one: with fewer, the `f` fullest data centers
/// would hold all but a minority. One data center has nothing to outlive but the external site,
/// so its three members stand inside it.
///
/// Without an external site the most that can be outlived is a minority of the data centers, for which one
/// member in each of an odd number of them is enough. Two data centers cannot each be outlived: the
/// majority is in the first whose nodes may lead.
fn computed(spec: &Spec) -> Placement {
    let d = spec.data_centers;
    let total = MIN_TOTAL.max(spec.may_fail().saturating_mul(2).saturating_add(1));
    let one_each = |total: u32| (0..d).map(|site| u32::from(site < total)).collect::<Vec<_>>();
    match (d, spec.external) {
        (1, _) => Placement { data_centers: vec![MIN_TOTAL], external: 0 },
        (2, false) => {
            let majority = spec.primaries().next().unwrap_or(1);
            let data_centers = (1..=2).map(|site| 1 + u32::from(site == majority)).collect();
            Placement { data_centers, external: 0 }
        }
        (_, false) => {
            let most = if d % 2 == 0 { d.saturating_sub(1) } else { d };
            Placement { data_centers: one_each(total.min(most)), external: 0 }
        }
        (_, true) => {
            let data_centers = one_each(total);
            let inside: u32 = data_centers.iter().sum();
            Placement { data_centers, external: total - inside }
        }
    }
}

/// The fewest members outside that give an odd total and keep quorum without any `may_fail` data centers.
///
/// At worst these are the fullest, with `w` members. What is left is a majority of an odd total `n` where
/// `n >= 2w + 1`. Among totals that satisfy it the smallest has fewer members outside than inside wherever
/// any has, so it survives the loss of the external site wherever that is possible.
fn witnesses(inside: &[u32], may_fail: u32) -> u32 {
    let mut fullest = inside.to_vec();
    fullest.sort_unstable_by(|a, b| b.cmp(a));
    let sum = |numbers: &[u32]| numbers.iter().copied().fold(0, u32::saturating_add);
    let worst = sum(&fullest[..fullest.len().min(may_fail as usize)]);
    let total = worst.saturating_mul(2).saturating_add(1).max(MIN_TOTAL);
    let inside = sum(inside);
    let outside = total.saturating_sub(inside);
    outside + u32::from(inside.saturating_add(outside) % 2 == 0)
}

/// The numbers that the rule of the bash scripts shows, some of which exist on paper only. It ignores `m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassicPaper {
    /// Members the data centers are thought to need.
    pub base: u32,
    /// Members to be added outside.
    pub external: u32,
}

impl ClassicPaper {
    /// The paper numbers of data centers with so many members each; where they differ, the most counts.
    ///
    /// A base of all members inside, or 3 where these are at most 2, is thought to be joined by one more data
    /// center's; what the quorum of those together lacks when one data center is left is external. Whatever
    /// of base and external together does not fit into the data centers also stands outside.
    pub fn of(inside: &[u32]) -> Self {
        let most = inside.iter().copied().max().unwrap_or_default();
        let inside = inside.iter().copied().fold(0, u32::saturating_add);
        let base = if inside <= 2 { 3 } else { inside };
        Self { base, external: quorum(base.saturating_add(most)).saturating_sub(most) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(d: u32, e: Option<u32>, m: u32, rule: PlacementRule) -> Placement {
        Placement::of(&Spec {
            data_centers: d,
            etcd: e,
            must_suffice: m,
            placement: rule,
            ..Spec::default()
        })
    }

    /// Whether a quorum is left after losing any `lost` data centers, by trying each set.
    fn outlives_data_centers(placement: &Placement, lost: u32) -> bool {
        let sites = placement.data_centers.len();
        (0u32..1 << sites).filter(|set| set.count_ones() == lost).all(|set| {
            let left: u32 = (0..sites)
                .filter(|site| set & (1 << site) == 0)
                .map(|site| placement.data_centers[site])
                .sum();
            left + placement.external >= placement.quorum()
        })
    }

    fn outlives_external(placement: &Placement) -> bool {
        placement.data_centers.iter().sum::<u32>() >= placement.quorum()
    }

    /// Every way to put at most `total` members into `sites` data centers, the rest outside.
    fn all_placements(sites: usize, total: u32) -> Vec<Placement> {
        fn fill(sites: usize, left: u32, so_far: &mut Vec<u32>, out: &mut Vec<Placement>) {
            if sites == 0 {
                out.push(Placement { data_centers: so_far.clone(), external: left });
                return;
            }
            for here in 0..=left {
                so_far.push(here);
                fill(sites - 1, left - here, so_far, out);
                so_far.pop();
            }
        }
        let mut out = Vec::new();
        fill(sites, total, &mut Vec::new(), &mut out);
        out
    }

    #[test]
    fn the_two_documented_classic_examples_come_out_exactly() {
        assert_eq!(ClassicPaper::of(&[1]), ClassicPaper { base: 3, external: 2 });
        let one = of(1, Some(1), 1, PlacementRule::Classic);
        assert_eq!((one.total(), one.external, one.quorum()), (5, 4, 3));
        let three = of(3, Some(2), 1, PlacementRule::Classic);
        assert_eq!((three.total(), three.external, three.quorum()), (9, 3, 5));
    }

    #[test]
    fn the_classic_rule_gives_two_data_centers_three_outside() {
        assert_eq!(of(2, Some(1), 1, PlacementRule::Classic).per_site(), [1, 1, 3]);
    }

    #[test]
    fn two_data_centers_and_a_witness_have_one_member_each() {
        assert_eq!(of(2, None, 1, PlacementRule::Computed).per_site(), [1, 1, 1]);
    }

    #[test]
    fn one_data_center_keeps_its_three_members_inside() {
        assert_eq!(of(1, None, 1, PlacementRule::Computed).per_site(), [3, 0]);
    }

    proptest! {
        #[test]
        fn a_computed_placement_outlives_what_it_must(d in 1u32..9, m in 1u32..9, e in prop::option::of(1u32..4)) {
            prop_assume!(m <= d);
            let placement = of(d, e, m, PlacementRule::Computed);
            prop_assert!(placement.total() % 2 == 1 && placement.total() >= 3);
            prop_assert!(outlives_data_centers(&placement, d - m));
            // One member in one data center cannot outlive the witnesses it needs.
            prop_assert!(outlives_external(&placement) || d * e.unwrap_or(3) == 1);
        }
    }

    fn without_external(d: u32, m: u32) -> Placement {
        Placement::of(&Spec {
            data_centers: d,
            must_suffice: m,
            external: false,
            ..Spec::default()
        })
    }

    #[test]
    fn without_an_external_site_a_minority_of_data_centers_may_be_lost() {
        for d in 1..=9 {
            for m in 1..=d {
                let placement = without_external(d, m);
                assert_eq!(placement.external, 0);
                assert!(placement.total() % 2 == 1 && placement.total() >= 3, "{placement:?}");
                let most = d.saturating_sub(1) / 2;
                assert!(
                    outlives_data_centers(&placement, most.min(d - m)),
                    "d={d} m={m}: {placement:?}"
                );
                // More than that no placement outlives.
                if d - m > most && d <= 4 {
                    for other in all_placements(d as usize, 7) {
                        assert!(other.external > 0 || !outlives_data_centers(&other, d - m));
                    }
                }
            }
        }
    }

    #[test]
    fn of_two_data_centers_without_a_witness_the_primary_one_has_the_majority() {
        assert_eq!(without_external(2, 1).data_centers, [2, 1]);
        let text = "external = false\n[[data_center]]\nrole = \"standby\"\n[[data_center]]\n";
        let spec = Spec::from_toml(text).expect("a spec");
        assert_eq!(Placement::of(&spec).data_centers, [1, 2]);
    }

    proptest! {
        #[test]
        fn witnesses_are_as_few_as_do_where_data_centers_have_numbers_of_their_own(
            each in prop::collection::vec(0u32..4, 1..6),
            m in 1u32..6,
        ) {
            let d = u32::try_from(each.len()).expect("a few");
            prop_assume!(m <= d);
            let mut spec = Spec { must_suffice: m, ..Spec::default() };
            spec.data_centers = d;
            spec.set_etcd(&each);
            let chosen = Placement::of(&spec);
            prop_assert_eq!(&chosen.data_centers, &each);
            prop_assert!(chosen.total() % 2 == 1 && chosen.total() >= 3);
            prop_assert!(outlives_data_centers(&chosen, d - m));
            for external in 0..chosen.external {
                let fewer = Placement { external, ..chosen.clone() };
                let does = fewer.total() >= 3 && fewer.total() % 2 == 1 && outlives_data_centers(&fewer, d - m);
                prop_assert!(!does, "{fewer:?} would do");
            }
        }
    }

    #[test]
    fn no_smaller_odd_total_outlives_the_same() {
        for d in 2..=4 {
            for m in 1..=d {
                let chosen = of(d, None, m, PlacementRule::Computed).total();
                for total in (3..chosen).step_by(2) {
                    for other in all_placements(d as usize, total) {
                        assert!(
                            !(outlives_data_centers(&other, d - m) && outlives_external(&other)),
                            "d={d} m={m}: {other:?} would do with fewer than {chosen}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn no_fewer_external_members_do_where_each_data_center_is_given_its_number() {
        for d in 1..=5 {
            for e in 1..=3 {
                for m in 1..=d {
                    let chosen = of(d, Some(e), m, PlacementRule::Computed);
                    for external in 0..chosen.external {
                        let fewer = Placement { external, ..chosen.clone() };
                        assert!(
                            fewer.total() < 3
                                || fewer.total() % 2 == 0
                                || !outlives_data_centers(&fewer, d - m),
                            "d={d} e={e} m={m}: {fewer:?} would do"
                        );
                    }
                }
            }
        }
    }
}
