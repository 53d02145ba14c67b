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
    /// Members in the external site.
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
        match spec.placement {
            PlacementRule::Classic => classic(spec.data_centers, spec.etcd.unwrap_or(1)),
            PlacementRule::Computed => match spec.etcd {
                Some(each) => computed_with(spec.data_centers, each, spec.must_suffice),
                None => computed(spec.data_centers, spec.must_suffice),
            },
        }
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
fn computed(data_centers: u32, must_suffice: u32) -> Placement {
    let d = data_centers as usize;
    if d == 1 {
        return Placement { data_centers: vec![MIN_TOTAL], external: 0 };
    }
    let failures = data_centers.saturating_sub(must_suffice);
    let total = MIN_TOTAL.max(failures.saturating_mul(2).saturating_add(1));
    let data_centers = (0..data_centers).map(|site| u32::from(site < total)).collect::<Vec<_>>();
    let inside: u32 = data_centers.iter().sum();
    Placement { data_centers, external: total - inside }
}

/// `each` members in every data center; the fewest outside that give an odd total and keep quorum.
///
/// `m*e + x >= floor((d*e + x)/2) + 1` gives `x >= (d - 2m)*e + 1`. Among totals that satisfy it
/// the smallest is also at most `d*e - 1` outside wherever any is, so it survives the loss of the
/// external site wherever that is possible.
fn computed_with(data_centers: u32, each: u32, must_suffice: u32) -> Placement {
    let (d, e, m) = (i64::from(data_centers), i64::from(each), i64::from(must_suffice));
    let inside = d * e;
    let mut external = ((d - 2 * m) * e + 1).max(0).max(i64::from(MIN_TOTAL) - inside);
    external += i64::from((inside + external) % 2 == 0);
    Placement {
        data_centers: vec![each; data_centers as usize],
        external: u32::try_from(external).unwrap_or(u32::MAX),
    }
}

/// The rule of the bash scripts, which ignores `m`.
///
/// A base of `d*e` members, or 3 where that is at most 2, is thought to be joined by one more set
/// of `e`; what the quorum of those two together lacks when one data center is left is external.
/// Whatever of base and external together does not fit into the data centers also stands outside.
fn classic(data_centers: u32, each: u32) -> Placement {
    let paper = ClassicPaper::of(data_centers, each);
    Placement {
        data_centers: vec![each; data_centers as usize],
        external: paper.base + paper.external - data_centers * each,
    }
}

/// The numbers that the classic rule shows, some of which exist on paper only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassicPaper {
    /// Members the data centers are thought to need.
    pub base: u32,
    /// Members to be added outside.
    pub external: u32,
}

impl ClassicPaper {
    /// The paper numbers for `data_centers` with `each` members.
    pub fn of(data_centers: u32, each: u32) -> Self {
        let inside = data_centers * each;
        let base = if inside <= 2 { 3 } else { inside };
        Self { base, external: quorum(base + each).saturating_sub(each) }
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
        assert_eq!(ClassicPaper::of(1, 1), ClassicPaper { base: 3, external: 2 });
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
