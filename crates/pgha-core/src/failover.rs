//! A promotion by hand, where Patroni promotes nobody: whom, and what that may lose.

use serde::Serialize;

use crate::spec::Durability;
use crate::status::{ByHand, ClusterView};
use crate::words::{bytes, list};

/// A failover that can be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failover {
    /// The node that is promoted.
    pub to: String,
    /// Bytes of WAL that it is behind the last known position of the former leader; null where it does not tell.
    pub behind_bytes: Option<u64>,
    /// Why Patroni does not promote it by itself; null where it is about to.
    pub barred: Option<String>,
    /// What may be lost.
    pub at_stake: String,
    /// The others that could be promoted, the least behind first.
    pub others: Vec<String>,
}

/// Why there can be none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Somebody leads.
    #[error("{0} leads: a failover is for a cluster without a leader")]
    Leads(String),
    /// etcd does not say who could take over.
    #[error("it is not known who could be promoted: etcd does not answer")]
    Unknown,
    /// That node cannot be promoted.
    #[error("{node} cannot be promoted: it is no replica that runs{}", others(.may))]
    NoCandidate {
        /// The node.
        node: String,
        /// Those that can.
        may: Vec<String>,
    },
    /// No node can.
    #[error("no replica runs that could be promoted")]
    Nobody,
}

fn others(may: &[String]) -> String {
    if may.is_empty() { String::new() } else { format!("; candidates: {}", list(may)) }
}

impl Failover {
    /// Promotes that node, or the one that is least behind.
    ///
    /// # Errors
    /// When somebody leads, or there is nobody to promote.
    pub fn plan(view: &ClusterView, to: Option<&str>) -> Result<Self, Refused> {
        if let Some(leader) = &view.leader {
            return Err(Refused::Leads(leader.clone()));
        }
        let all = &view.succession.as_ref().ok_or(Refused::Unknown)?.by_hand;
        let names = || all.iter().map(|it| it.name.clone());
        let chosen = match to {
            None => all.first().ok_or(Refused::Nobody)?,
            Some(node) => all.iter().find(|it| it.name == node).ok_or_else(|| {
                Refused::NoCandidate { node: node.to_owned(), may: names().collect() }
            })?,
        };
        let durability = view.settings.map(crate::dynamic::Dynamic::durability);
        Ok(Self {
            to: chosen.name.clone(),
            behind_bytes: chosen.behind_bytes,
            barred: chosen.barred.clone(),
            at_stake: at_stake(chosen, durability),
            others: names().filter(|name| *name != chosen.name).collect(),
        })
    }
}

/// Which acknowledged writes it may not have.
fn at_stake(it: &ByHand, durability: Option<Durability>) -> String {
    let synchronous = durability.filter(|durability| *durability != Durability::Async);
    match (&it.barred, synchronous, it.behind_bytes) {
        (None, Some(durability), _) => {
            format!("nothing: with {durability} it has every acknowledged write")
        }
        (_, _, None) => "how many acknowledged writes it lacks is not known".to_owned(),
        (_, None, Some(0)) => {
            "acknowledged writes since the former leader last wrote its position to etcd".to_owned()
        }
        (_, None, Some(behind)) => format!(
            "acknowledged writes: at least {} of WAL, and what followed the leader's last position \
             in etcd",
            bytes(behind)
        ),
        (Some(_), Some(durability), Some(behind)) => format!(
            "acknowledged writes, which {durability} promises to keep: {} behind the leader's last \
             position in etcd, and what followed",
            bytes(behind)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::tests::Lab;
    use crate::topology::Role;

    fn without_a_leader(config: &str, has: u64) -> (ClusterView, Vec<String>) {
        let mut lab = Lab::healthy();
        lab.configured(config);
        let view = lab.view();
        let leader = view.leader.clone().expect("a leader");
        let nodes = view.members.iter().filter(|m| m.kind == Role::Postgres);
        let replicas: Vec<String> =
            nodes.map(|m| m.name.clone()).filter(|name| *name != leader).collect();
        lab.wrote(5000, &replicas[..1], 0);
        *lab.node(&leader) = Err("no answer within 400 ms".to_owned());
        for (name, behind) in replicas.iter().zip([0, 700, 900]) {
            if let Ok(patroni) = lab.node(name) {
                (patroni.received, patroni.replayed) = (Some(has - behind), None);
            }
        }
        let mut view = lab.view();
        view.leader = None;
        (view, replicas)
    }

    #[test]
    fn the_least_behind_is_promoted_and_what_it_lacks_is_said() {
        let (view, replicas) = without_a_leader(r#"{"maximum_lag_on_failover": 10}"#, 4500);
        let plan = Failover::plan(&view, None).expect("somebody");
        assert_eq!((&plan.to, plan.behind_bytes), (&replicas[0], Some(500)));
        assert_eq!(plan.others, replicas[1..]);
        assert!(plan.barred.as_ref().is_some_and(|why| why.contains("behind")), "{plan:?}");
        assert!(plan.at_stake.starts_with("acknowledged writes: at least 500"), "{plan:?}");
        let other = Failover::plan(&view, Some(&replicas[2])).expect("it runs");
        assert_eq!(other.behind_bytes, Some(1400));
    }

    #[test]
    fn a_synchronous_standby_has_every_write_and_another_may_not() {
        let (view, replicas) = without_a_leader(r#"{"synchronous_mode": "on"}"#, 5000);
        let plan = Failover::plan(&view, None).expect("somebody");
        assert_eq!((&plan.to, &plan.barred), (&replicas[0], &None));
        assert!(plan.at_stake.starts_with("nothing: with sync"), "{plan:?}");
        let other = Failover::plan(&view, Some(&replicas[1])).expect("it runs");
        assert_eq!(other.barred.as_deref(), Some("is no synchronous standby"));
        assert!(other.at_stake.contains("which sync promises to keep"), "{other:?}");
    }

    #[test]
    fn with_a_leader_or_without_a_candidate_there_is_none() {
        let (mut view, replicas) = without_a_leader("{}", 5000);
        let down = Failover::plan(&view, Some("pgha-demo9-DC9-1")).expect_err("no such node");
        assert!(down.to_string().contains(&format!("candidates: {}", replicas[0])), "{down}");
        view.succession.as_mut().expect("known").by_hand.clear();
        assert_eq!(Failover::plan(&view, None), Err(Refused::Nobody));
        view.succession = None;
        assert_eq!(Failover::plan(&view, None), Err(Refused::Unknown));
        view.leader = Some(replicas[0].clone());
        assert_eq!(Failover::plan(&view, None), Err(Refused::Leads(replicas[0].clone())));
    }
}
