//! Who takes over in a switchover: the node that was asked for, or the best of those that may.

use std::fmt;

use serde::Serialize;

use crate::status::{ClusterView, MemberView, NodeRole};
use crate::tuning::SynchronousMode;
use crate::words::{bytes, list};

/// Where the leader shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// On the best node.
    Best,
    /// On this node.
    Node(String),
    /// On the best node of this site.
    Site(String),
}

/// A switchover that can be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Switchover {
    /// The leader.
    pub from: String,
    /// The node that takes over.
    pub to: String,
    /// Its site.
    pub site: String,
    /// Bytes of WAL that it is behind; none where that is not known.
    pub lag_bytes: Option<u64>,
    /// It acknowledges commits.
    pub synchronous: bool,
    /// The others that could, the best first.
    pub others: Vec<String>,
}

/// Why there can be none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody leads.
    #[error("the cluster has no leader")]
    NoLeader,
    /// It is so already.
    #[error("{0} is the leader already")]
    LeadsAlready(String),
    /// The leader is in that site already.
    #[error("the leader, {leader}, is in {site} already")]
    InSite {
        /// The leader.
        leader: String,
        /// The site.
        site: String,
    },
    /// That node may not.
    #[error("{node} cannot take over; {}", candidates(.may))]
    NoCandidate {
        /// The node.
        node: String,
        /// Those that may.
        may: Vec<String>,
    },
    /// It could but for the durability, with which Patroni switches over to a synchronous standby alone.
    #[error("{node} is no synchronous standby, and Patroni switches over to one alone; {}", candidates(.may))]
    Asynchronous {
        /// The node.
        node: String,
        /// Those that may.
        may: Vec<String>,
    },
    /// No node may.
    #[error("no node{} can take over; {}", .site.as_ref().map(|site| format!(" in {site}")).unwrap_or_default(), candidates(.may))]
    Nobody {
        /// The site that was asked for.
        site: Option<String>,
        /// Those that may, elsewhere.
        may: Vec<String>,
    },
}

fn candidates(may: &[String]) -> String {
    if may.is_empty() {
        "there is no candidate".to_owned()
    } else {
        format!("candidates: {}", list(may))
    }
}

impl Switchover {
    /// Who takes over, of those that Patroni would promote: one that acknowledges before one that does not, then the one that
    /// is least behind, then one in the leader's site.
    ///
    /// # Errors
    /// When nobody leads, or who is meant may not take over.
    pub fn plan(view: &ClusterView, to: &To) -> Result<Self, Refused> {
        let leader = view.leader.clone().ok_or(Refused::NoLeader)?;
        let here = view.member(&leader).and_then(|member| member.site.clone());
        match to {
            To::Node(node) if *node == leader => return Err(Refused::LeadsAlready(leader)),
            To::Site(site) if here.as_ref() == Some(site) => {
                return Err(Refused::InSite { leader, site: site.clone() });
            }
            _ => {}
        }
        let ready = view.succession.iter().flat_map(|succession| &succession.ready);
        let members = ready.filter(|name| **name != leader).filter_map(|name| view.member(name));
        let members = members.filter(|member| member.error.is_none());
        // As in its `get_failover_candidates`.
        let synchronous = view.settings.is_some_and(|s| s.synchronous_mode != SynchronousMode::Off);
        let (mut may, asynchronous): (Vec<&MemberView>, Vec<&MemberView>) =
            members.partition(|member| !synchronous || acknowledges(member));
        may.sort_by_key(|member| {
            let behind = member.lag_bytes.unwrap_or(u64::MAX);
            (!acknowledges(member), behind, member.site != here, member.name.clone())
        });
        let names = |members: &[&MemberView]| members.iter().map(|m| m.name.clone()).collect();
        let fits = |member: &&&MemberView| match to {
            To::Best => true,
            To::Node(node) => member.name == *node,
            To::Site(site) => member.site.as_ref() == Some(site),
        };
        let Some(next) = may.iter().find(fits).copied() else {
            let may = names(&may);
            if let Some(node) = asynchronous.iter().find(fits) {
                return Err(Refused::Asynchronous { node: node.name.clone(), may });
            }
            return Err(match to {
                To::Node(node) => Refused::NoCandidate { node: node.clone(), may },
                To::Site(site) => Refused::Nobody { site: Some(site.clone()), may },
                To::Best => Refused::Nobody { site: None, may },
            });
        };
        may.retain(|member| member.name != next.name);
        Ok(Self {
            from: leader,
            to: next.name.clone(),
            site: next.site.clone().unwrap_or_default(),
            lag_bytes: next.lag_bytes,
            synchronous: acknowledges(next),
            others: names(&may),
        })
    }
}

fn acknowledges(member: &MemberView) -> bool {
    matches!(member.role, Some(NodeRole::SyncStandby | NodeRole::QuorumStandby))
}

impl fmt::Display for Switchover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "switchover from {} to {} in {}", self.from, self.to, self.site)?;
        if self.synchronous {
            f.write_str(", a synchronous standby")?;
        }
        match self.lag_bytes {
            Some(lag) => write!(f, ", {} behind", bytes(lag)),
            None => f.write_str(", lag unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::tests::Lab;

    fn lag(view: &mut ClusterView, name: &str, lag: u64) {
        let member = view.members.iter_mut().find(|member| member.name == name);
        member.expect("a member").lag_bytes = Some(lag);
    }

    #[test]
    fn the_best_acknowledges_is_least_behind_and_near() {
        let (mut view, leader, replicas) = Lab::led();
        for (name, behind) in replicas.iter().zip([300, 20, 10]) {
            lag(&mut view, name, behind);
        }
        let best = |view: &ClusterView| Switchover::plan(view, &To::Best).expect("a candidate");
        assert_eq!((best(&view).to, best(&view).from), (replicas[2].clone(), leader.clone()));
        assert_eq!(best(&view).others, [replicas[1].clone(), replicas[0].clone()]);
        for member in view.members.iter_mut().filter(|member| member.name == replicas[0]) {
            member.role = Some(NodeRole::SyncStandby);
        }
        assert_eq!(best(&view).to, replicas[0]);
        assert!(best(&view).to_string().ends_with(", a synchronous standby, 300 B behind"));
        // With the same lag the near one.
        let (mut view, leader, replicas) = Lab::led();
        for name in &replicas {
            lag(&mut view, name, 7);
        }
        let site = |name: &str| view.member(name).and_then(|m| m.site.clone());
        assert_eq!(site(&best(&view).to), site(&leader));
    }

    #[test]
    fn who_is_asked_for_takes_over_or_it_is_said_why_not() {
        let (mut view, leader, replicas) = Lab::led();
        let of = |view: &ClusterView, to| Switchover::plan(view, &to);
        for name in &replicas {
            assert_eq!(of(&view, To::Node(name.clone())).map(|it| it.to).as_ref(), Ok(name));
        }
        let site = |name: &str| view.member(name).and_then(|m| m.site.clone()).expect("its site");
        let far = replicas.iter().find(|name| site(name) != site(&leader)).expect("another site");
        let there = of(&view, To::Site(site(far))).expect("a candidate");
        assert_eq!(there.site, site(far));
        assert_eq!(of(&view, To::Node(leader.clone())), Err(Refused::LeadsAlready(leader.clone())));
        let here = Refused::InSite { leader: leader.clone(), site: site(&leader) };
        assert_eq!(of(&view, To::Site(site(&leader))), Err(here));
        let gone = replicas[0].clone();
        view.succession.as_mut().expect("known").ready.retain(|name| *name != gone);
        let refused = of(&view, To::Node(gone.clone())).expect_err("no candidate").to_string();
        assert!(refused.contains(&format!("{gone} cannot take over; candidates: ")), "{refused}");
        view.succession.as_mut().expect("known").ready.clear();
        let refused = of(&view, To::Best).expect_err("nobody").to_string();
        assert_eq!(refused, "no node can take over; there is no candidate");
        view.leader = None;
        assert_eq!(of(&view, To::Best), Err(Refused::NoLeader));
    }

    #[test]
    fn with_synchronous_replication_a_synchronous_standby_takes_over_and_nobody_else() {
        for (mode, role) in
            [("\"on\"", NodeRole::SyncStandby), ("\"quorum\"", NodeRole::QuorumStandby)]
        {
            let mut lab = Lab::healthy();
            lab.configured(&format!(r#"{{"synchronous_mode": {mode}}}"#));
            let replicas: Vec<String> = Lab::led().2;
            lab.wrote(4000, &replicas[..1], 0);
            let mut view = lab.view();
            view.succession.as_mut().expect("known").ready = replicas.clone();
            let plan = |view: &ClusterView, to: To| Switchover::plan(view, &to);
            let nobody = Refused::Asynchronous { node: replicas[0].clone(), may: Vec::new() };
            assert_eq!(plan(&view, To::Node(replicas[0].clone())), Err(nobody));
            for member in view.members.iter_mut().filter(|member| member.name == replicas[0]) {
                member.role = Some(role);
            }
            assert_eq!(plan(&view, To::Best).map(|it| it.to), Ok(replicas[0].clone()));
            let may = vec![replicas[0].clone()];
            let other = Refused::Asynchronous { node: replicas[1].clone(), may };
            assert!(other.to_string().contains("no synchronous standby"));
            assert_eq!(plan(&view, To::Node(replicas[1].clone())), Err(other));
        }
    }
}
