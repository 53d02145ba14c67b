//! Second stage: where etcd members and Postgres nodes stand, and which losses that outlives.

use super::Finding;
use crate::placement::Placement;
use crate::spec::{Acknowledge, Durability, PlacementRule, Spec};
use crate::topology::{Site, SiteKind, Topology};
use crate::words::either;

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
                "{total} etcd members exceed the recommended maximum of {ETCD_MAX_RECOMMENDED}: \
                 every write waits for {} of them",
                topology.placement.quorum()
            ),
            if fewer < total {
                format!("{fewer} are enough: leave out {}", own_numbers(&topology.spec))
            } else {
                "a larger -m means fewer data centers may fail".to_owned()
            },
        ));
    }
    if total % 2 == 0 {
        findings.push(Finding::warning(
            "etcd_even",
            format!("{total} etcd members tolerate no more failures than {}", total - 1),
            match topology.spec.placement {
                PlacementRule::Classic => {
                    "use the computed placement (odd number): leave out --placement classic"
                }
                PlacementRule::Computed => {
                    "leave out the numbers of etcd members: the planner chooses an odd one"
                }
            },
        ));
    }
    findings
}

/// The placement of the same cluster where the planner chooses all of it.
fn without_own_numbers(spec: &Spec) -> Placement {
    let mut spec = Spec { placement: PlacementRule::Computed, ..spec.clone() };
    spec.etcd = None;
    for it in &mut spec.each {
        it.etcd = None;
    }
    Placement::of(&spec)
}

/// Whether the planner alone placed them.
fn is_planned(spec: &Spec) -> bool {
    spec.placement == PlacementRule::Computed && spec.etcd_each().is_none()
}

/// The flags by which the spec overrides the planner.
fn own_numbers(spec: &Spec) -> &'static str {
    match (spec.placement, spec.etcd_each()) {
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
            let spec = &topology.spec;
            let better = without_own_numbers(spec);
            let (better_total, most) = (better.total(), better.per_site().into_iter().max());
            let outlives_any = better_total - most.unwrap_or_default() >= better.quorum();
            let hint = if lone {
                let members = better.total();
                let own = own_numbers(spec);
                format!("leave out {own}: {members} members in DC1 need nothing from outside")
            } else if outlives_any && !is_planned(spec) {
                let (own, better) = (own_numbers(spec), in_words(&better));
                format!("leave out {own}: {better} keep quorum without any one site")
            } else {
                "a third site is needed: leave out external = false, or -d 3".to_owned()
            };
            let message = format!(
                "{} of {total} etcd members are in {}: without it there is no quorum ({quorum}), \
                 and all data centers become read-only",
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
    let spec_external = topology.spec.external;
    let mut findings = Vec::new();
    let may_fail = d - m;
    if d > 1 && may_fail == 0 {
        findings.push(Finding::info(
            "no_data_center_may_fail",
            format!("-m {d} of {d} data centers: no data center may fail"),
            format!("-m {} tolerates the loss of a data center", d - 1),
        ));
    }
    if rule == PlacementRule::Classic && m != 1 {
        findings.push(Finding::info(
            "classic_ignores_must_suffice",
            format!("placement = \"classic\" ignores -m {m}"),
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
                "-m {m}: after losing {may_fail} of {d} data centers etcd has {left} of {} members \
                 needed for quorum",
                placement.quorum()
            ),
            match (rule, spec_external) {
                (PlacementRule::Classic, _) => {
                    "leave out --placement classic, which ignores -m".to_owned()
                }
                (PlacementRule::Computed, false) => format!(
                    "without an external site a minority may fail: -m {}, or leave out external = false",
                    d / 2 + 1
                ),
                (PlacementRule::Computed, true) => "leave out -e".to_owned(),
            },
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
        let total = topology.placement.total();
        let outside = if topology.spec.external {
            "losing the external site affects backups only; "
        } else {
            ""
        };
        format!(
            "it holds {here} of {total} etcd members, since it holds all Postgres nodes; \
             {outside}-d 2 tolerates the loss of a data center"
        )
    } else {
        "-d 2 tolerates the loss of a data center".to_owned()
    };
    vec![Finding::info(
        "single_data_center",
        "one data center: its loss takes down all Postgres nodes",
        why,
    )]
}

/// What an acknowledged write is worth.
fn durability(spec: &Spec) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (d, asked) = (spec.data_centers, spec.durability);
    let reaches_another = spec.primaries().count() > 1;
    if asked == Durability::Async {
        if spec.acknowledge != Acknowledge::default() {
            findings.push(Finding::info(
                "acknowledge_idle",
                format!(
                    "--acknowledge {} has no effect: async waits for no standby",
                    spec.acknowledge
                ),
                "it goes with --durability sync, strict, quorum or quorum-strict",
            ));
        }
        if d > 1 {
            findings.push(Finding::info(
                "async_may_lose_writes",
                "asynchronous replication: losing the leader's data center may lose acknowledged writes",
                if reaches_another {
                    "--durability quorum keeps each acknowledged write in two data centers"
                } else {
                    "standby data centers do not acknowledge: set role = \"primary\"for another, \
                     with --durability quorum"
                },
            ));
        }
        return findings;
    }
    findings.extend(acknowledgements(spec));
    let remote = spec.acknowledge == Acknowledge::Remote;
    if !reaches_another && remote {
        let why = if d == 1 { "there is one" } else { "the others are standby data centers" };
        findings.push(Finding::warning(
            "durability_single_site",
            format!("--durability {asked} cannot reach a second data center: {why}"),
            if d == 1 {
                "acknowledged writes survive the loss of a node; -d 2 for that of a site"
            } else {
                "acknowledged writes survive the loss of a node; set role = \"primary\"for another \
                 data center for that of a site"
            },
        ));
    }
    if reaches_another && remote && d - spec.must_suffice > 1 {
        findings.push(Finding::info(
            "durability_one_site",
            format!(
                "--durability {asked} keeps each write in two data centers: losing {} at once may \
                 lose writes, and Patroni does not fail over by itself",
                d - spec.must_suffice
            ),
            "see the survival table; `pgha failover` promotes manually",
        ));
    }
    if asked.is_strict() {
        findings.push(Finding::info(
            "strict_blocks_writes",
            format!("--durability {asked}: writes block while no standby is available"),
            "--durability sync and quorum continue without one",
        ));
    }
    findings
}

/// What it costs that no other data center has to acknowledge.
fn acknowledgements(spec: &Spec) -> Vec<Finding> {
    let asked = spec.acknowledge;
    let whose = match asked {
        Acknowledge::Remote => return Vec::new(),
        Acknowledge::Local => "the standby that acknowledges is in the leader's data center",
        Acknowledge::Any => "the standby that acknowledges may be in the leader's data center",
    };
    let mut findings = Vec::new();
    if spec.primaries().count() > 1 {
        findings.push(Finding::info(
            "acknowledged_in_one_site",
            format!(
                "--acknowledge {asked}: {whose}; the loss of both may lose writes, and Patroni then \
                 promotes nobody by itself"
            ),
            "`pgha failover` promotes manually; --acknowledge remote survives the loss",
        ));
    }
    let alone = |number: &u32| asked == Acknowledge::Local && spec.nodes_in(*number) == 1;
    let alone: Vec<String> = spec.primaries().filter(alone).map(|n| format!("DC{n}")).collect();
    if !alone.is_empty() {
        findings.push(Finding::warning(
            "acknowledged_by_nobody",
            format!("--acknowledge local: a leader in {} has no standby beside it", either(&alone)),
            "a second node there acknowledges its writes; --acknowledge any takes one of any data \
             center",
        ));
    }
    findings
}
