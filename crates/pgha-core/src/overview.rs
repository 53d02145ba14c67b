//! The Overview block that `generate` prints, with the lines of the earlier bash scripts.
//!
//! The words are theirs, since people and scripts look for them. For the classic
//! placement so are the numbers, some of which exist on paper only ([`ClassicPaper`]); for a
//! computed one they are those of the real placement.

use crate::placement::{ClassicPaper, Placement, quorum};
use crate::spec::PlacementRule;
use crate::topology::Topology;

/// The block, with a newline at its end.
pub fn overview(topology: &Topology) -> String {
    let spec = &topology.spec;
    let placement = &topology.placement;
    let (base, external) = match spec.placement {
        PlacementRule::Classic => {
            let paper = ClassicPaper::of(&placement.data_centers);
            (paper.base, paper.external)
        }
        PlacementRule::Computed => (placement.data_centers.iter().sum(), placement.external),
    };
    let total = base + external;
    let (base_quorum, total_quorum) = (quorum(base), quorum(total));
    let (data_centers, must_suffice) = (spec.data_centers, spec.must_suffice);
    let each = per_data_center(placement);
    format!(
        "Overview ...

Number of data centers: {data_centers}
Original number of ETCD nodes needed: {base}
Original number of ETCD nodes needed for a quorum: {base_quorum}
Original number of ETCD nodes to deploy per data center: {each}
The number of data centers to maintain running after all others fail: {must_suffice}
Number of external ETCD nodes needed outside of data centers to maintain a quorum: {external}
Total ETCD nodes needed including the external ones: {total}
The new number of nodes needed to maintain a quorum: {total_quorum}
"
    )
}

/// The number that every data center has; `1 (DC1-DC3), 0 (DC4)` where they differ.
fn per_data_center(placement: &Placement) -> String {
    let mut runs: Vec<(u32, usize, usize)> = Vec::new();
    for (number, &members) in (1..).zip(&placement.data_centers) {
        match runs.last_mut() {
            Some((same, _, last)) if *same == members => *last = number,
            _ => runs.push((members, number, number)),
        }
    }
    match runs.as_slice() {
        [(members, _, _)] => members.to_string(),
        runs => runs
            .iter()
            .map(|&(members, first, last)| {
                if first == last {
                    format!("{members} (DC{first})")
                } else {
                    format!("{members} (DC{first}-DC{last})")
                }
            })
            .collect::<Vec<_>>()
            .join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    fn of(spec: Spec) -> String {
        overview(&Topology::new(spec, 1))
    }

    fn numbers(block: &str) -> Vec<&str> {
        block.lines().filter_map(|line| line.split_once(": ")).map(|(_, number)| number).collect()
    }

    #[test]
    fn the_first_documented_example_comes_out_word_for_word() {
        let classic = Spec { placement: PlacementRule::Classic, ..Spec::default() };
        assert_eq!(
            of(classic),
            "Overview ...\n\n\
             Number of data centers: 1\n\
             Original number of ETCD nodes needed: 3\n\
             Original number of ETCD nodes needed for a quorum: 2\n\
             Original number of ETCD nodes to deploy per data center: 1\n\
             The number of data centers to maintain running after all others fail: 1\n\
             Number of external ETCD nodes needed outside of data centers to maintain a quorum: 2\n\
             Total ETCD nodes needed including the external ones: 5\n\
             The new number of nodes needed to maintain a quorum: 3\n"
        );
    }

    #[test]
    fn the_second_documented_example_has_its_numbers() {
        let spec = Spec {
            data_centers: 3,
            etcd: Some(2),
            placement: PlacementRule::Classic,
            ..Spec::default()
        };
        assert_eq!(numbers(&of(spec)), ["3", "6", "4", "2", "1", "3", "9", "5"]);
    }

    #[test]
    fn a_computed_placement_shows_what_really_stands_where() {
        let two = Spec { data_centers: 2, ..Spec::default() };
        assert_eq!(numbers(&of(two)), ["2", "2", "2", "1", "1", "1", "3", "2"]);
        let uneven = Spec { data_centers: 4, must_suffice: 3, ..Spec::default() };
        assert_eq!(
            numbers(&of(uneven)),
            ["4", "3", "2", "1 (DC1-DC3), 0 (DC4)", "3", "0", "3", "2"]
        );
    }
}
