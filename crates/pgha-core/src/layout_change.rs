//! How a running cluster comes from one layout to the next: the steps in their order, or why not now.
//!
//! Nothing here takes a step. What is not known to be well counts as away.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::layout::{ClusterId, Layout, LayoutMember, Role};
use crate::placement::quorum;
use crate::safety::{Hazard, unsafe_to_stop};
use crate::status::ClusterView;
use crate::tuning::Limits;
use crate::words::list;

/// Why a cluster does not come from one layout to another now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Error)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// The new layout is not made from the old one.
    #[error("the new layout (generation {new}) does not come from the old one (generation {old})")]
    NotFromThis {
        /// Generation of the old one.
        old: u32,
        /// Generation of the new one.
        new: u32,
    },
    /// etcd decides nothing now.
    #[error("etcd has no quorum now: {healthy} members are healthy, and it takes {need}")]
    NoQuorumNow {
        /// Members in touch with each other.
        healthy: u32,
        /// How many it takes.
        need: u32,
    },
    /// etcd takes in no member while one is away.
    #[error("etcd adds no member while one is away: {}", list(away))]
    EtcdAway {
        /// Names of those that stay members and are not healthy.
        away: Vec<String>,
    },
    /// A removal would leave etcd without a quorum.
    #[error(
        "etcd would lose its quorum without {member}: {left} healthy members are left, and it takes {need}"
    )]
    QuorumLost {
        /// The member whose turn it would be.
        member: String,
        /// Healthy voters that would be left.
        left: u32,
        /// How many it would take.
        need: u32,
    },
    /// Nobody is known to lead, so what a removal does is not known.
    #[error("no leader is known: no node is removed")]
    NoLeader,
    /// A removed node leads, and the number of replicas that may take over is zero.
    #[error("removing {}: {hazard}", list(members))]
    Unsafe {
        /// Nodes that are to leave.
        members: Vec<String>,
        /// What would happen.
        hazard: Hazard,
    },
}

/// One step on the way. Members and sites are named by their identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Makes the network of a site, with the router on it.
    AddSite {
        /// Its number.
        site: u8,
    },
    /// Makes a certificate for a member that is about to be added.
    MakeCertificate {
        /// The member.
        id: u32,
    },
    /// Adds an etcd member without a vote, and waits until it has what the others have.
    AddLearner {
        /// The member.
        id: u32,
    },
    /// Gives an etcd member its vote.
    Promote {
        /// The member.
        id: u32,
    },
    /// Has Postgres take more replicas: slots and senders of WAL, which nodes restart for.
    RaiseLimits {
        /// Nodes that there are to be at most.
        nodes: u32,
    },
    /// Adds a Postgres node, and waits until it streams.
    AddNode {
        /// The member.
        id: u32,
    },
    /// Writes the compose file of that generation of the layout, and has every member work with it.
    Apply {
        /// Which.
        generation: u32,
    },
    /// Has another node lead.
    MoveLeader {
        /// The node that leads.
        id: u32,
    },
    /// Removes a Postgres node.
    RemoveNode {
        /// The member.
        id: u32,
    },
    /// Has Patroni drop the replication slots of nodes that are gone.
    DropSlots,
    /// Removes an etcd member.
    RemoveEtcd {
        /// The member.
        id: u32,
    },
    /// Removes the network of a site.
    RemoveSite {
        /// Its number.
        site: u8,
    },
}

impl Step {
    /// What a cluster on its way from `at` to `new` is after this step.
    pub fn after(self, at: Layout, new: &Layout) -> Layout {
        match self {
            Self::AddSite { site } | Self::RemoveSite { site } => at.with_site_of(new, site),
            // A learner is a member: it has its name and its address.
            Self::AddLearner { id }
            | Self::AddNode { id }
            | Self::RemoveNode { id }
            | Self::RemoveEtcd { id } => at.with_member_of(new, id),
            Self::Apply { generation } => at.in_generation(generation, new),
            Self::MakeCertificate { .. }
            | Self::DropSlots
            | Self::Promote { .. }
            | Self::RaiseLimits { .. }
            | Self::MoveLeader { .. } => at,
        }
    }
}

/// The steps from one layout of a cluster to a later one, in their order.
///
/// Every member knows of those that are new before they start, and of those that are gone only when they are: what comes and
/// what goes is therefore of two generations, where there is both. etcd members that are away leave first, since etcd takes in
/// nobody while one is away; then those that are new come, one at a time, and at last the others leave, etcd's leader
/// the last of them. `limits` are those that Postgres runs with.
///
/// # Errors
/// Every reason why not now.
pub fn change(
    old: &Layout,
    new: &Layout,
    view: &ClusterView,
    limits: Limits,
) -> Result<Vec<Step>, Vec<Reason>> {
    if !new.comes_from(old) {
        let (old, new) = (old.generation(), new.generation());
        return Err(vec![Reason::NotFromThis { old, new }]);
    }
    let way = Way {
        cluster: ClusterId { name: view.cluster.clone(), instance: view.instance },
        added: new.current().filter(|m| old.member(m.id).is_none()).copied().collect(),
        removed: old.current().filter(|m| new.current().all(|n| n.id != m.id)).copied().collect(),
        view,
    };
    let mut reasons = Vec::new();
    let etcd = way.etcd(old, &mut reasons);
    let leader = way.nodes(&mut reasons);
    if !reasons.is_empty() {
        return Err(reasons);
    }
    let of = |members: &[LayoutMember], role: Role| -> Vec<u32> {
        members.iter().filter(|m| m.role == role).map(|m| m.id).collect()
    };
    let mut steps: Vec<Step> = etcd.first.iter().map(|&id| Step::RemoveEtcd { id }).collect();
    let is_new = |number: u8| old.sites().iter().all(|s| s.number != number);
    let current = |layout: &Layout, number: u8| {
        layout.sites().iter().any(|s| s.number == number && s.span.is_current())
    };
    let new_sites: Vec<u8> = new
        .sites()
        .iter()
        .filter(|s| is_new(s.number) && s.span.is_current())
        .map(|s| s.number)
        .collect();
    let nodes = of(&way.added, Role::Postgres);
    steps.extend(nodes.iter().map(|&id| Step::MakeCertificate { id }));
    let first = way.added.iter().map(|m| m.span.added).max();
    steps.extend(first.map(|generation| Step::Apply { generation }));
    steps.extend(new_sites.into_iter().map(|site| Step::AddSite { site }));
    for id in of(&way.added, Role::Etcd) {
        steps.extend([Step::AddLearner { id }, Step::Promote { id }]);
    }
    let before = count(old.current().filter(|m| m.role == Role::Postgres).count());
    let at_most = before.saturating_add(count(nodes.len()));
    if !nodes.is_empty() && !limits.carry(at_most) {
        steps.push(Step::RaiseLimits { nodes: at_most });
    }
    steps.extend(nodes.into_iter().map(|id| Step::AddNode { id }));
    steps.extend(leader.map(|id| Step::MoveLeader { id }));
    let nodes = of(&way.removed, Role::Postgres);
    let slots = (!nodes.is_empty()).then_some(Step::DropSlots);
    steps.extend(nodes.into_iter().map(|id| Step::RemoveNode { id }));
    steps.extend(slots);
    steps.extend(etcd.last.into_iter().map(|id| Step::RemoveEtcd { id }));
    let last = new.generation();
    if !way.removed.is_empty() || first.is_some_and(|first| first < last) {
        steps.push(Step::Apply { generation: last });
    }
    let gone = old.sites().iter().map(|s| s.number);
    let gone = gone.filter(|&site| current(old, site) && !current(new, site));
    steps.extend(gone.map(|site| Step::RemoveSite { site }));
    Ok(steps)
}

/// What changes, and what is known of the cluster.
struct Way<'a> {
    cluster: ClusterId,
    added: Vec<LayoutMember>,
    removed: Vec<LayoutMember>,
    view: &'a ClusterView,
}

/// etcd members that leave.
struct Leaving {
    /// Before anybody is added.
    first: Vec<u32>,
    /// After that.
    last: Vec<u32>,
}

impl Way<'_> {
    /// In which order etcd members leave.
    fn etcd(&self, old: &Layout, reasons: &mut Vec<Reason>) -> Leaving {
        let is_etcd = |m: &&LayoutMember| m.role == Role::Etcd;
        let seen = |m: &LayoutMember| {
            let name = m.name(&self.cluster);
            self.view.etcd.iter().find(|etcd| etcd.name == name)
        };
        let healthy = |m: &LayoutMember| seen(m).is_some_and(|etcd| etcd.healthy);
        let leads = |m: &LayoutMember| seen(m).is_some_and(|etcd| etcd.leader == Some(true));
        let voters: Vec<&LayoutMember> = old.current().filter(is_etcd).collect();
        let mut total = count(voters.len());
        let mut well = count(voters.iter().filter(|m| healthy(m)).count());
        let (mut last, first): (Vec<&LayoutMember>, Vec<_>) =
            self.removed.iter().filter(is_etcd).partition(|m| healthy(m));
        last.sort_by_key(|m| (leads(m), m.id));
        let added = count(self.added.iter().filter(is_etcd).count());
        let ids = |members: &[&LayoutMember]| members.iter().map(|m| m.id).collect();
        let leaving = Leaving { first: ids(&first), last: ids(&last) };
        if added == 0 && leaving.first.is_empty() && leaving.last.is_empty() {
            return leaving;
        }
        if well < quorum(total) {
            reasons.push(Reason::NoQuorumNow { healthy: well, need: quorum(total) });
            return leaving;
        }
        let stay = |m: &&&LayoutMember| self.removed.iter().all(|gone| gone.id != m.id);
        let away = voters.iter().filter(stay).filter(|m| !healthy(m));
        let away: Vec<String> = away.map(|m| m.name(&self.cluster)).collect();
        if added > 0 && !away.is_empty() {
            reasons.push(Reason::EtcdAway { away });
        }
        total = total.saturating_sub(count(first.len())).saturating_add(added);
        well = well.saturating_add(added);
        for member in last {
            (total, well) = (total.saturating_sub(1), well.saturating_sub(1));
            if total == 0 || well < quorum(total) {
                let (member, need) = (member.name(&self.cluster), quorum(total));
                reasons.push(Reason::QuorumLost { member, left: well, need });
                break;
            }
        }
        leaving
    }

    /// Whether the nodes may leave, and the leader where it is among them.
    fn nodes(&self, reasons: &mut Vec<Reason>) -> Option<u32> {
        let leave: Vec<&LayoutMember> =
            self.removed.iter().filter(|m| m.role == Role::Postgres).collect();
        if leave.is_empty() {
            return None;
        }
        let names: Vec<String> = leave.iter().map(|m| m.name(&self.cluster)).collect();
        let Some(leader) = &self.view.leader else {
            reasons.push(Reason::NoLeader);
            return None;
        };
        let words: Vec<&str> = names.iter().map(String::as_str).collect();
        reasons.extend(
            unsafe_to_stop(self.view, &words)
                .into_iter()
                .map(|hazard| Reason::Unsafe { members: names.clone(), hazard }),
        );
        let leads = names.iter().position(|name| name == leader);
        leads.map(|place| leave[place].id)
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
