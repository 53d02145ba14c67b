//! In which order single members are stopped and started, and what stopping them means for the cluster.

use serde::Serialize;

use crate::safety::{Hazard, unsafe_to_stop};
use crate::status::{ClusterView, ContainerState, MemberView};
use crate::topology::Role;

/// Members that are stopped, and what that means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// Those of one phase at once, the phases one after the other: replicas, the leader, etcd members and the backup host,
    /// the router. No phase is empty.
    pub phases: Vec<Vec<String>>,
    /// The leader, where it is among them and another node can take over.
    pub hands_over: Option<String>,
    /// What would be unsafe about it.
    pub hazards: Vec<Hazard>,
    /// Those of them that do not run.
    pub stopped_already: Vec<String>,
}

impl Stop {
    /// How these members of a cluster are stopped.
    pub fn plan(view: &ClusterView, members: &[String]) -> Self {
        let (running, stopped) = apart(view, members, |member| {
            use ContainerState::{Created, Missing, Stopped};
            !matches!(member.container_state, Created | Missing | Stopped)
        });
        let leads = |member: &MemberView| view.leader.as_ref() == Some(&member.name);
        let mut phases = vec![Vec::new(); 4];
        for member in &running {
            let phase = match member.kind {
                Role::Proxy => 0,
                Role::Postgres => usize::from(leads(member)),
                Role::Etcd | Role::Backup => 2,
                Role::Wan => 3,
            };
            phases[phase].push(member.name.clone());
        }
        phases.retain(|phase: &Vec<String>| !phase.is_empty());
        let names: Vec<&str> = running.iter().map(|member| member.name.as_str()).collect();
        let hazards = unsafe_to_stop(view, &names);
        // Nobody takes over without etcd, nor across sites without the router.
        let stays = !hazards.iter().any(|hazard| {
            matches!(
                hazard,
                Hazard::NobodyTakesOver { .. } | Hazard::QuorumLost { .. } | Hazard::SitesApart
            )
        });
        let leader = running.iter().find(|member| leads(member)).filter(|_| stays);
        Self {
            phases,
            hands_over: leader.map(|member| member.name.clone()),
            hazards,
            stopped_already: stopped.iter().map(|member| member.name.clone()).collect(),
        }
    }

    /// What ends writes, now or with the next failure of nothing else: somebody has to agree where there is any.
    pub fn ends_writes(&self) -> impl Iterator<Item = &Hazard> {
        self.hazards.iter().filter(|hazard| hazard.ends_writes())
    }
}

/// Members that are started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Start {
    /// Those of one phase at once, the phases one after the other: the router, etcd members and the backup host, nodes. No
    /// phase is empty.
    pub phases: Vec<Vec<String>>,
    /// Those of them that run.
    pub running_already: Vec<String>,
}

/// Why members are not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoStart {
    /// There is nothing to start.
    #[error("{0} has no container")]
    Missing(String),
    /// Postgres nodes would wait for etcd in vain.
    #[error("etcd would have no quorum: {left} of its members would run, and it takes {need}")]
    NoQuorum {
        /// Members that would run.
        left: u32,
        /// How many it takes.
        need: u32,
    },
}

impl Start {
    /// How these members of a cluster are started.
    ///
    /// # Errors
    /// When one is not there, or nodes would wait for etcd in vain.
    pub fn plan(view: &ClusterView, members: &[String]) -> Result<Self, NoStart> {
        let runs = |member: &MemberView| member.container_state == ContainerState::Running;
        let (running, stopped) = apart(view, members, runs);
        let missing = |member: &&&MemberView| member.container_state == ContainerState::Missing;
        if let Some(member) = stopped.iter().find(missing) {
            return Err(NoStart::Missing(member.name.clone()));
        }
        let etcd = view.members.iter().filter(|member| member.kind == Role::Etcd);
        let left = etcd.filter(|member| runs(member) || members.contains(&member.name)).count();
        let (left, need) = (u32::try_from(left).unwrap_or(u32::MAX), view.quorum.need);
        if left < need && stopped.iter().any(|member| member.kind == Role::Postgres) {
            return Err(NoStart::NoQuorum { left, need });
        }
        let mut phases = vec![Vec::new(); 4];
        for member in stopped {
            let phase = match member.kind {
                Role::Wan => 0,
                Role::Etcd | Role::Backup => 1,
                Role::Postgres => 2,
                Role::Proxy => 3,
            };
            phases[phase].push(member.name.clone());
        }
        phases.retain(|phase: &Vec<String>| !phase.is_empty());
        let running_already = running.iter().map(|member| member.name.clone()).collect();
        Ok(Self { phases, running_already })
    }
}

/// The members that are so, and the others.
fn apart<'a>(
    view: &'a ClusterView,
    members: &[String],
    so: impl Fn(&MemberView) -> bool,
) -> (Vec<&'a MemberView>, Vec<&'a MemberView>) {
    let meant = view.members.iter().filter(|member| members.contains(&member.name));
    meant.partition(|member| so(member))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;
    use crate::status::tests::Lab;

    fn healthy() -> ClusterView {
        let mut lab = Lab::healthy();
        lab.configured("{}");
        lab.view()
    }

    fn of_site(view: &ClusterView, site: &str) -> Vec<String> {
        view.sites.iter().find(|s| s.name == site).expect("a site").members.clone()
    }

    fn all(view: &ClusterView) -> Vec<String> {
        view.members.iter().map(|member| member.name.clone()).collect()
    }

    #[test]
    fn a_site_stops_with_its_replicas_first_and_the_leader_before_etcd() {
        let view = healthy();
        let leader = view.leader.clone().expect("it has one");
        let stop = Stop::plan(&view, &of_site(&view, "DC1"));
        assert_eq!(stop.phases.len(), 3, "{stop:?}");
        assert_eq!(stop.phases[1], std::slice::from_ref(&leader));
        assert_eq!(stop.hands_over, Some(leader));
        assert_eq!((stop.ends_writes().count(), stop.stopped_already.len()), (0, 0), "{stop:?}");
        let started = Start::plan(&view, &of_site(&view, "DC1")).expect("it can be");
        assert_eq!(
            (started.phases.len(), started.running_already.len()),
            (0, stop.phases.concat().len())
        );
    }

    #[test]
    fn what_ends_writes_is_told_and_nobody_is_waited_for_then() {
        let view = healthy();
        let etcd = view.members.iter().filter(|m| m.kind == Role::Etcd).map(|m| m.name.clone());
        let members: Vec<String> = etcd.take(2).chain(view.leader.clone()).collect();
        let stop = Stop::plan(&view, &members);
        assert!(stop.ends_writes().any(|h| matches!(h, Hazard::QuorumLost { .. })), "{stop:?}");
        assert_eq!(stop.hands_over, None);
        let whole = Stop::plan(&view, &all(&view));
        assert!(whole.ends_writes().count() > 1 && whole.hands_over.is_none(), "{whole:?}");
    }

    #[test]
    fn what_cannot_be_started_is_refused_with_the_number() {
        let mut view = healthy();
        for member in &mut view.members {
            member.container_state = ContainerState::Stopped;
        }
        let node = view.nodes().next().expect("a node").name.clone();
        let refused = Start::plan(&view, std::slice::from_ref(&node));
        assert_eq!(refused, Err(NoStart::NoQuorum { left: 0, need: 2 }));
        let started = Start::plan(&view, &all(&view)).expect("it can be");
        assert_eq!(started.phases.len(), 3);
        view.members[0].container_state = ContainerState::Missing;
        let name = view.members[0].name.clone();
        let refused = Start::plan(&view, std::slice::from_ref(&name));
        assert_eq!(refused, Err(NoStart::Missing(name)));
    }

    proptest! {
        #[test]
        fn each_member_that_is_meant_is_in_one_phase_and_starting_goes_the_other_way_round(
            members in { let all = all(&healthy()); subsequence(all.clone(), 0..=all.len()) }
        ) {
            let mut view = healthy();
            let stop = Stop::plan(&view, &members);
            let mut stopped = stop.phases.concat();
            for member in view.members.iter_mut().filter(|m| members.contains(&m.name)) {
                member.container_state = ContainerState::Stopped;
            }
            let again = Stop::plan(&view, &members);
            prop_assert_eq!((again.phases.len(), again.stopped_already.len()), (0, members.len()));
            let start = Start::plan(&view, &members).expect("all that were stopped");
            let rank = |name: &String| view.member(name).expect("a member").kind;
            let of = |phases: &[Vec<String>]| phases.concat().iter().map(rank).collect::<Vec<_>>();
            let last = |roles: &[Role], role| roles.iter().rposition(|is| *is == role);
            let (down, up) = (of(&stop.phases), of(&start.phases));
            if down.contains(&Role::Postgres) && down.contains(&Role::Etcd) {
                prop_assert!(last(&down, Role::Postgres) < down.iter().position(|is| *is == Role::Etcd));
                prop_assert!(last(&up, Role::Etcd) < up.iter().position(|is| *is == Role::Postgres));
            }
            let mut started = start.phases.concat();
            let mut members = members;
            for names in [&mut stopped, &mut started, &mut members] {
                names.sort();
            }
            prop_assert_eq!((&stopped, &started), (&members, &members));
        }
    }
}
