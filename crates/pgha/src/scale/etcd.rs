//! etcd members: a new one joins as a learner and gets its vote once it has what the others have; one that goes is removed from
//! the list before its container is, so that nobody waits for it.

use pgha_core::etcd_start::{self, Listed};
use pgha_core::status::ContainerState;
use pgha_core::topology::{ETCD_CLIENT_PORT, ETCD_PEER_PORT, Member, Role, Topology};
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::events::Work;
use crate::observe;
use crate::provider::{Provider, Up};
use crate::scale::{POLL, Scaling};

impl<P: Provider> Scaling<P> {
    /// Starts a new member, which enters the cluster without a vote.
    pub(super) async fn add_learner(
        &self,
        name: &str,
        topology: &Topology,
        work: &Work,
    ) -> Result<String> {
        self.provider.up(&self.project, Up::Alone(name)).await?;
        let me = member(topology, name)?;
        let began = Instant::now();
        loop {
            let listed = self.listed(topology, me).await;
            let found = listed.as_ref().ok().and_then(|(_, members)| find(members, me));
            if let Some(found) = found.filter(|found| found.has_run) {
                let what = if found.is_learner { "learner" } else { "voter already" };
                return Ok(format!("{:x}, {what}", found.id));
            }
            let why = match listed {
                Err(error) => error.reason(),
                Ok(_) if found.is_some() => "listed, and has not started".to_owned(),
                Ok(_) => "not listed yet".to_owned(),
            };
            work.at(&format!("etcd learner {name}"), &why);
            if began.elapsed() > self.timeout {
                return Err(self.behind(name, &why));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Gives a learner its vote, which etcd does once it is in step with the leader.
    pub(super) async fn promote(
        &self,
        name: &str,
        topology: &Topology,
        work: &Work,
    ) -> Result<String> {
        let me = member(topology, name)?;
        let began = Instant::now();
        loop {
            let why = match self.listed(topology, me).await {
                Err(error) => error.reason(),
                Ok((through, members)) => match find(&members, me) {
                    None => return Err(Error::failed(format!("etcd does not list {name}"))),
                    Some(found) if !found.is_learner => {
                        let voters = members.iter().filter(|member| !member.is_learner).count();
                        return Ok(format!("{voters} voters"));
                    }
                    Some(found) => {
                        let id = format!("{:x}", found.id);
                        let words = ["member", "promote", &id];
                        match self.etcdctl(&through, &words).await {
                            Ok(_) => continue,
                            Err(error) => error.cause().to_owned(),
                        }
                    }
                },
            };
            work.at(&format!("etcd voter {name}"), &why);
            if began.elapsed() > self.timeout {
                return Err(self.behind(name, &why));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Removes a member: another one leads, it is taken from the list, then its container goes.
    pub(super) async fn remove_etcd(&self, name: &str, end: &Topology) -> Result<String> {
        let cluster = self.cluster().await?;
        let topology = cluster.topology()?;
        let view = observe::view(&self.provider, &cluster).await?;
        let leads = view.etcd.iter().any(|etcd| etcd.name == name && etcd.leader == Some(true));
        let stays = |name: &str| end.of_role(Role::Etcd).any(|member| member.name == name);
        if leads {
            let next = view
                .etcd
                .iter()
                .find(|etcd| etcd.healthy && etcd.learner != Some(true) && stays(&etcd.name));
            if let (Some(id), Some(own)) =
                (next.and_then(|next| next.id.as_deref()), topology.member(name))
            {
                self.etcdctl(own, &["move-leader", id]).await?;
            }
        }
        // Until it is gone the layout has it.
        if let Some(me) = topology.member(name) {
            let (through, members) = self.listed(topology, me).await?;
            if let Some(found) = find(&members, me) {
                self.etcdctl(&through, &["member", "remove", &format!("{:x}", found.id)]).await?;
            }
        }
        self.remove_member(name).await?;
        Ok(if leads { "its leadership moved first".to_owned() } else { String::new() })
    }

    /// Which members etcd lists, and the one that said so: none that goes, and no learner answers.
    async fn listed(&self, topology: &Topology, except: &Member) -> Result<(Member, Vec<Listed>)> {
        let cluster = self.cluster().await?;
        let runs = |name: &str| {
            cluster.container(name).is_some_and(|c| c.state == ContainerState::Running)
        };
        let others = topology.of_role(Role::Etcd).filter(|m| *m != except && runs(&m.name));
        let mut failed = Error::failed("no other etcd member runs");
        for other in others {
            let asked = self.etcdctl(other, &["member", "list", "-w", "json"]).await;
            match asked.map(|said| etcd_start::members(said.trim().as_bytes())) {
                Ok(Ok(members)) => return Ok((other.clone(), members)),
                Ok(Err(why)) => failed = Error::failed(format!("{}: {why}", other.name)),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Runs `etcdctl` in a member, which answers itself.
    async fn etcdctl(&self, member: &Member, words: &[&str]) -> Result<String> {
        // A flag beside the variable is refused.
        let endpoint = format!("ETCDCTL_ENDPOINTS={}:{ETCD_CLIENT_PORT}", member.address);
        let argv = [&["env", &endpoint, "etcdctl"], words].concat();
        self.ask(&member.name, &argv).await
    }

    /// Removes what Patroni has written into etcd about a node.
    pub(super) async fn forget_node(&self, key: &str, topology: &Topology) -> Result<()> {
        let cluster = self.cluster().await?;
        let runs = |name: &str| {
            cluster.container(name).is_some_and(|c| c.state == ContainerState::Running)
        };
        let mut failed = Error::failed("no etcd member runs");
        for member in topology.of_role(Role::Etcd).filter(|m| runs(&m.name)) {
            match self.etcdctl(member, &["del", key]).await {
                Ok(_) => return Ok(()),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// A member that does not come to where it should be in time.
    pub(super) fn behind(&self, name: &str, why: &str) -> Error {
        let seconds = self.timeout.as_secs();
        Error::deadline(format!("{name} is behind after {seconds} s"))
            .because(why)
            .hint(format!("`pgha logs {name}` says why"))
    }
}

fn member<'a>(topology: &'a Topology, name: &str) -> Result<&'a Member> {
    topology.member(name).ok_or_else(|| Error::failed(format!("there is no member {name}")))
}

/// The member of that address; its name is not known before it has run.
fn find<'a>(members: &'a [Listed], me: &Member) -> Option<&'a Listed> {
    let url = format!("http://{}:{ETCD_PEER_PORT}", me.address);
    members.iter().find(|listed| listed.peer_url == url)
}
