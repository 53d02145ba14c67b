//! Second stage: what `[[data_center]]` says of roles, priorities and tags.

use super::{Finding, shortened};
use crate::spec::{PlacementRule, SiteRole, Spec};

/// Tags that follow from role and priority, or by which a node would not follow the leader: the survival table knows
/// of none of them.
const RESERVED_TAGS: &[&str] =
    &["nofailover", "nosync", "failover_priority", "sync_priority", "nostream", "replicatefrom"];

pub(super) fn check(spec: &Spec) -> Vec<Finding> {
    let mut findings = Vec::new();
    if spec.placement == PlacementRule::Classic && !spec.external {
        findings.push(Finding::error(
            "classic_without_external",
            "placement = \"classic\" needs the external site, and external = false",
            "remove --placement classic or external = false",
        ));
    }
    findings.extend(leaders(spec));
    for (number, it) in (1u32..).zip(&spec.each) {
        if it.priority == Some(0) {
            findings.push(Finding::error(
                "priority_zero",
                format!("DC{number} has the priority 0, with which Patroni never promotes a node"),
                "role = \"standby\" says that, and keeps its nodes from acknowledging",
            ));
        }
        if it.priority.is_some_and(|priority| priority > 0) && it.role == SiteRole::Standby {
            findings.push(Finding::warning(
                "priority_idle",
                format!("the priority of DC{number} does nothing: it is a standby data center"),
                "leave out one of the two",
            ));
        }
        for tag in it.tags.keys().filter(|tag| RESERVED_TAGS.contains(&tag.as_str())) {
            findings.push(Finding::error(
                "tag_reserved",
                format!("DC{number} has the tag {:?}", shortened(tag)),
                "set role and priority instead",
            ));
        }
    }
    findings
}

/// Whether there is somebody to lead, and to take over.
fn leaders(spec: &Spec) -> Option<Finding> {
    let may_lead: u32 = spec.primaries().map(|number| spec.nodes_in(number)).sum();
    match may_lead {
        0 => Some(Finding::error(
            "no_primary_data_center",
            "every data center is a standby one, so no node may lead",
            "leave out role = \"standby\" of one",
        )),
        1 => Some(Finding::warning(
            "one_node_may_lead",
            "one node may lead, and with it lost none is promoted: all others are in standby data centers",
            "give its data center a second node",
        )),
        _ => None,
    }
}
