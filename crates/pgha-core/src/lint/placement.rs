//! Second stage: where etcd members and Postgres nodes stand, and which losses that outlives.

use super::Finding;
use crate::placement::Placement;
use crate::spec::{Durability, PlacementRule, Spec};
use crate::topology::{Site, SiteKind, Topology};

/// Most etcd members that etcd's own documentation recommends.
const ETCD_MAX_RECOMMENDED: u32 = 7;

pub(super) fn check(topology: &Topology) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(number_of_members(topology));
    findings.extend(single_points_of_failure(topology));
    findings.extend(what_must_suffice(topology));
    findings.extend(one_data_center(topology));
    findings.extend(durability(&topology.spec));
    findings
}

fn number_of_members(topology: &Topology) -> Vec<Finding> {
    let mut findings = Vec::new();
    let total = topology.placement.total();
    if total > ETCD_MAX_RECOMMENDED {
        let fewer = without_own_numbers(&topology.spec).total();
        findings.push(Finding::warning(
            "etcd_many",
            format!(
                "{total} etcd members are more than the {ETCD_MAX_RECOMMENDED} that etcd recommends: \
                 every write waits for {} of them",
                topology.placement.quorum()
            ),
            if fewer < total {
                format!("{fewer} outlive what is asked: leave out {}", own_numbers(&topology.spec))
            } else {
                "ask to outlive fewer data centers with a larger -m".to_owned()
            },
        ));
    }
    if total % 2 == 0 {
        findings.push(Finding::warning(
            "etcd_even",
            format!(
                "{total} etcd members outlive no more failures than {} do, and one more can fail",
                total - 1
            ),
            "the computed placement has an odd number: leave out --placement classic",
        ));
    }
    findings
}

/// The placement of the same cluster where the planner chooses all of it.
fn without_own_numbers(spec: &Spec) -> Placement {
    Placement::of(&Spec { etcd: None, placement: PlacementRule::Computed, ..spec.clone() })
}

/// The flags by which the spec overrides the planner.
fn own_numbers(spec: &Spec) -> &'static str {
    match (spec.placement, spec.etcd) {
        (PlacementRule::Classic, Some(_)) => "--placement classic and -e",
        (PlacementRule::Classic, None) => "--placement classic",
        (PlacementRule::Computed, _) => "-e",
    }
}

/// Sites whose loss alone takes the quorum. With one data center its own loss is told by
/// [`one_data_center`].
fn single_points_of_failure(topology: &Topology) -> Vec<Finding> {
    let placement = &topology.placement;
    let (total, quorum) = (placement.total(), placement.quorum());
    let lone = topology.spec.data_centers == 1;
    let alone_decides = |(site, members): &(&Site, u32)| {
        total - members < quorum && !(lone && site.kind == SiteKind::DataCenter)
    };
    topology
        .sites
        .iter()
        .zip(placement.per_site())
        .filter(alone_decides)
        .map(|(site, members)| {
            let better = without_own_numbers(&topology.spec);
            let hint = format!(
                "leave out {}: {}",
                own_numbers(&topology.spec),
                if lone {
                    format!("{} members in DC1 need nothing from outside", better.total())
                } else {
                    format!("{} keep quorum without any one site", in_words(&better))
                }
            );
            let message = format!(
                "{} of {total} etcd members stand in {}: without it the rest has no quorum of \
                 {quorum}, and every data center turns read-only",
                members,
                site_in_words(site)
            );
            match site.kind {
                SiteKind::External => {
                    Finding::warning("external_single_point_of_failure", message, hint)
                }
                SiteKind::DataCenter => {
                    Finding::warning("data_center_single_point_of_failure", message, hint)
                }
            }
        })
        .collect()
}

fn site_in_words(site: &Site) -> String {
    match site.kind {
        SiteKind::External => format!("the external site {}", site.name),
        SiteKind::DataCenter => site.name.clone(),
    }
}

/// `3 members (1+1+1)`; the count alone where the sum would be long.
fn in_words(placement: &Placement) -> String {
    let per_site = placement.per_site();
    if per_site.len() > 9 {
        return format!("{} members", placement.total());
    }
    let sum: Vec<String> = per_site.iter().map(u32::to_string).collect();
    format!("{} members ({})", placement.total(), sum.join("+"))
}

/// Whether the data centers that must suffice do.
fn what_must_suffice(topology: &Topology) -> Vec<Finding> {
    let Spec { data_centers: d, must_suffice: m, placement: rule, .. } = topology.spec;
    let mut findings = Vec::new();
    let may_fail = d - m;
    if d > 1 && may_fail == 0 {
        findings.push(Finding::info(
            "no_data_center_may_fail",
            format!("all {d} data centers must suffice, so no loss of one is planned for"),
            format!("-m {} asks for a cluster that outlives a data center", d - 1),
        ));
    }
    if rule == PlacementRule::Classic && m != 1 {
        findings.push(Finding::info(
            "classic_ignores_must_suffice",
            format!("the classic placement does not look at -m {m}"),
            "leave out --placement classic",
        ));
    }
    let placement = &topology.placement;
    let mut inside = placement.data_centers.clone();
    inside.sort_unstable_by(|a, b| b.cmp(a));
    let lost: u32 = inside.iter().take(may_fail as usize).sum();
    let left = placement.total() - lost;
    if left < placement.quorum() {
        findings.push(Finding::warning(
            "must_suffice_not_met",
            format!(
                "{m} of {d} data centers are to suffice, and after the loss of {may_fail} etcd has \
                 {left} members of the {} that it needs",
                placement.quorum()
            ),
            "leave out --placement classic, which does not look at -m",
        ));
    }
    findings
}

fn one_data_center(topology: &Topology) -> Vec<Finding> {
    if topology.spec.data_centers != 1 {
        return Vec::new();
    }
    let here = topology.placement.data_centers[0];
    let why = if here >= topology.placement.quorum() {
        format!(
            "it has {here} of {} etcd members because nothing could go on elsewhere; the external \
             site can be lost and costs backups only; -d 2 outlives a data center",
            topology.placement.total()
        )
    } else {
        "-d 2 outlives a data center".to_owned()
    };
    vec![Finding::info(
        "single_data_center",
        "there is one data center, and all of Postgres is lost with it",
        why,
    )]
}

/// What an acknowledged write is worth.
fn durability(spec: &Spec) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (d, asked) = (spec.data_centers, spec.durability);
    if asked == Durability::Async {
        if d > 1 {
            findings.push(Finding::info(
                "async_may_lose_writes",
                "the latest acknowledged writes may be lost with the leader's data center",
                "--durability quorum has each write in a second data center before it is acknowledged",
            ));
        }
        return findings;
    }
    if d == 1 {
        findings.push(Finding::warning(
            "durability_single_site",
            format!("--durability {asked} cannot reach a second data center: there is one"),
            "it keeps writes through the loss of one node; -d 2 keeps them through that of a site",
        ));
    }
    if d - spec.must_suffice > 1 {
        findings.push(Finding::info(
            "durability_one_site",
            format!(
                "--durability {asked} has each write in two data centers, so with {} lost at once a \
                 write may be lost, and Patroni promotes nobody by itself",
                d - spec.must_suffice
            ),
            "the survival table shows which losses; patronictl failover is the way out by hand",
        ));
    }
    if asked == Durability::Strict {
        findings.push(Finding::info(
            "strict_blocks_writes",
            "with --durability strict writes wait as long as the leader has no standby left",
            "--durability sync and quorum go on without one",
        ));
    }
    findings
}
