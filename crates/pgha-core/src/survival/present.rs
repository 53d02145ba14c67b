//! The survival table and a cluster as it is now: which row it is in, and what one more loss would do.

use crate::safety::{Hazard, unsafe_to_stop};
use crate::status::{ClusterView, ContainerState, MemberView, NodeRole};
use crate::topology::Topology;

use super::{Counting, Outcome};

/// Where a cluster stands in its survival table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Names of the sites that are lost, in order.
    pub lost: Vec<String>,
    /// What the table says of their loss; `None` where none is.
    pub outcome: Option<Outcome>,
}

/// Which sites are lost now: no member of them runs, or the leader's site does not reach them.
pub fn present(view: &ClusterView, topology: &Topology) -> Present {
    let runs = |site: &str| {
        let mut members = view.members.iter().filter(|m| m.site.as_deref() == Some(site));
        members.any(|m| m.container_state == ContainerState::Running)
    };
    let lost: Vec<usize> = view
        .sites
        .iter()
        .enumerate()
        .filter(|(_, site)| !runs(&site.name) || site.reachable == Some(false))
        .map(|(place, _)| place)
        .collect();
    let outcome = (!lost.is_empty()).then(|| Counting::of(topology).without(&lost));
    Present { lost: lost.iter().map(|place| view.sites[*place].name.clone()).collect(), outcome }
}

/// What the loss of one site would do to the cluster as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteLoss {
    /// The site.
    pub site: String,
    /// Writes go on, after a failover where the leader is in it. `false` also where nobody leads now.
    pub writes_go_on: bool,
    /// A write that was acknowledged may be on no node that is left.
    pub may_lose_writes: bool,
    /// What stands against it.
    pub hazards: Vec<Hazard>,
}

/// The loss of each site, by what is known now.
pub fn losses(view: &ClusterView) -> Vec<SiteLoss> {
    view.sites
        .iter()
        .map(|site| {
            let members: Vec<&str> = site.members.iter().map(String::as_str).collect();
            let hazards = unsafe_to_stop(view, &members);
            SiteLoss {
                site: site.name.clone(),
                writes_go_on: view.leader.is_some() && !hazards.iter().any(Hazard::ends_writes),
                may_lose_writes: may_lose_writes(view, &site.name),
                hazards,
            }
        })
        .collect()
}

/// The leader and as many standbys as acknowledge may all be in the site.
fn may_lose_writes(view: &ClusterView, site: &str) -> bool {
    let here = |node: &&MemberView| node.site.as_deref() == Some(site);
    let acknowledges = |node: &&MemberView| {
        matches!(node.role, Some(NodeRole::SyncStandby | NodeRole::QuorumStandby))
    };
    if !view.nodes().any(|node| here(&node) && node.role == Some(NodeRole::Leader)) {
        return false;
    }
    let standbys = view.nodes().filter(here).filter(acknowledges).count();
    standbys >= view.acknowledging.have.min(view.acknowledging.need) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::tests::Lab;

    #[test]
    fn a_healthy_cluster_has_lost_nothing_and_survives_each_data_center() {
        let (view, _, _) = Lab::led();
        let topology = Lab::healthy().topology().clone();
        assert_eq!(present(&view, &topology), Present { lost: Vec::new(), outcome: None });
        let losses = losses(&view);
        assert!(losses.iter().all(|loss| loss.writes_go_on), "{losses:?}");
        let losing = losses.iter().filter(|loss| loss.may_lose_writes);
        // Asynchronous: what only the leader has is lost with it.
        assert_eq!(losing.map(|loss| loss.site.as_str()).collect::<Vec<_>>(), ["DC1"]);
    }

    #[test]
    fn a_site_without_a_running_member_is_lost_and_the_next_one_is_one_too_many() {
        let mut lab = Lab::healthy();
        lab.configured("{}");
        lab.wrote(4000, &[], 0);
        lab.lose("DC2");
        let view = lab.view();
        let now = present(&view, lab.topology());
        assert_eq!(now.lost, ["DC2"]);
        assert!(now.outcome.is_some_and(|outcome| outcome.quorum));
        let survives: Vec<bool> = losses(&view).iter().map(|loss| loss.writes_go_on).collect();
        assert_eq!(survives, [false, true, false]);
    }

    #[test]
    fn a_standby_elsewhere_that_acknowledges_keeps_the_writes() {
        let mut lab = Lab::healthy();
        lab.configured(r#"{"synchronous_mode": "quorum", "synchronous_node_count": 2}"#);
        for node in ["pgha-demo2-DC1-1", "pgha-demo1-DC2-1", "pgha-demo2-DC2-1"] {
            if let Ok(patroni) = lab.node(node) {
                patroni.quorum_standby = true;
            }
        }
        assert!(losses(&lab.view()).iter().all(|loss| !loss.may_lose_writes));
    }
}
