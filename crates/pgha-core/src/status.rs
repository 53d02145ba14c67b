//! What every screen draws of a running cluster: a [`ClusterView`], made from what was observed.
//!
//! The view tells what is known now and nothing else. A leader is named only where etcd names it
//! with a quorum's consent and its own Patroni answers as a running primary; whoever was the leader
//! before is never shown as if it still were. What could not be learned is absent, and a
//! [`Problem`] says so. Nothing here asks anybody anything.

mod archive;
mod identity;
mod known;
mod problems;
mod reach;
mod settings;
mod settling;
mod succession;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use pgha_wan::control::WanState;
use serde::{Deserialize, Serialize};

use crate::disk::DiskUse;
use crate::dynamic::Dynamic;
use crate::observe::{Archiver, Patroni, SiteObservation};
use crate::postgres_log::LogFacts;
use crate::proxy::ProxyPort;
use crate::spec::{Acknowledge, SiteRole};
use crate::topology::{POSTGRES_PORT, Role, SiteKind, Topology};

use known::Known;

pub use crate::dynamic::LAG_MAX_BYTES;
pub use archive::{ArchiveView, BEHIND_MAX_SEGMENTS, BackupsView, age_words};
pub use identity::{
    DATA_LOST, DATABASE_IN_REPOSITORY, FOREIGN_REPOSITORY, SET_UP_FAILED, SET_UP_HINT,
};
pub use known::NOT_CHECKED;
pub use problems::{LINKS_CUT, NO_QUORUM, PATRONI_PAUSED, Problem, RESTORE_UNFINISHED, Severity};
pub use succession::{ByHand, SuccessionView};

/// How the container of a member is, in the engine's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    /// There is none of that name.
    Missing,
    /// Made and never started.
    Created,
    /// Runs.
    Running,
    /// Frozen by `docker pause`.
    Paused,
    /// Ended, and the engine starts it again and again.
    Restarting,
    /// Stopped, killed, ended by itself, or being removed.
    Stopped,
}

impl ContainerState {
    /// The word in listings and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Stopped => "stopped",
        }
    }
}

/// What the engine says of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerFact {
    /// The engine's id of it.
    pub id: String,
    /// Its name, the member's own.
    pub name: String,
    /// What it does, by its label.
    pub role: Option<Role>,
    /// How it is.
    pub state: ContainerState,
    /// The engine's words, such as `Up 3 minutes` or `Exited (137) 2 seconds ago`.
    pub detail: String,
    /// Ports on the host's loopback, by those inside the cluster.
    pub ports: BTreeMap<u16, u16>,
}

impl ContainerFact {
    /// The port of Postgres on the host's loopback, of a proxy that to the leader, where it has one.
    pub fn host_port(&self) -> Option<u16> {
        let inside = [POSTGRES_PORT, ProxyPort::ReadWrite.number()];
        inside.iter().find_map(|port| self.ports.get(port).copied())
    }
}

/// What the engine says of one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkFact {
    /// The engine's id of it: two networks may have one name.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its underlay subnet, such as `172.18.0.0/24`.
    pub subnet: Option<String>,
}

/// A fault that was injected and not taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OngoingFault {
    /// What, and to whom, such as `isolate DC1`.
    pub title: String,
    /// Since when: RFC 3339 in UTC.
    pub since: String,
    /// When it is taken back by itself; `None` where it is not.
    pub until: Option<String>,
}

/// Everything that was observed of one cluster at one time.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The containers there are.
    pub containers: Vec<ContainerFact>,
    /// The networks there are.
    pub networks: Vec<NetworkFact>,
    /// By name of the site: what its probe printed, or why there is no report. A site of which no
    /// container runs is not in here.
    pub sites: BTreeMap<String, Result<SiteObservation, String>>,
    /// How the router's links are; `None` where it was not asked or did not say.
    pub links: Option<WanState>,
    /// By name of a node that does not run or stream: what its log says.
    pub logs: BTreeMap<String, LogFacts>,
    /// What the leader says of its archive, or why it says nothing; `None` where it was not asked.
    pub archiver: Option<Result<Archiver, String>>,
    /// What was done to the cluster on purpose and not taken back.
    pub faults: Vec<OngoingFault>,
    /// The change of members that is not finished: what was asked for, and its next step.
    pub changing: Option<String>,
    /// Nodes whose containers outlive their Patroni by `pgha maintenance`.
    pub maintenance: Vec<String>,
    /// When all this was observed, in seconds since 1970; `None` where nobody asks for ages.
    pub now_s: Option<u64>,
}

/// A cluster as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterView {
    /// Name of the cluster.
    pub cluster: String,
    /// Instance number.
    pub instance: u32,
    /// The leader, where it is certain; see the module.
    pub leader: Option<String>,
    /// The node that is primary without etcd, by consent of all members (`failsafe_mode`).
    pub failsafe: Option<String>,
    /// Identifier of the database system.
    pub system_id: Option<String>,
    /// Every site, the external one last.
    pub sites: Vec<SiteView>,
    /// Every member, the router last.
    pub members: Vec<MemberView>,
    /// Every etcd member.
    pub etcd: Vec<EtcdView>,
    /// Whether etcd can decide anything.
    pub quorum: Tally,
    /// Standbys whose acknowledgement each commit waits for, and how many the settings ask for.
    pub acknowledging: Tally,
    /// Which standbys these are, by the cluster file.
    #[serde(default)]
    pub acknowledge: Acknowledge,
    /// Position in the WAL up to which the leader has written, in bytes; `null` where nobody leads.
    #[serde(default)]
    pub written_bytes: Option<u64>,
    /// Who may be promoted, were the leader lost; `null` where that is not known.
    #[serde(default)]
    pub succession: Option<SuccessionView>,
    /// The settings that Patroni runs with; `null` where etcd did not say.
    pub settings: Option<Dynamic>,
    /// How the archive is; `null` where the leader did not say.
    pub archive: Option<ArchiveView>,
    /// How old the backups are; `null` where the backup host did not say.
    pub backups: Option<BackupsView>,
    /// What the cluster may take of the disk, and what is free where there is least.
    #[serde(default)]
    pub disk: Option<DiskUse>,
    /// What is wrong or could not be learned, the worst first.
    pub problems: Vec<Problem>,
}

/// One site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteView {
    /// Its name, such as `DC1`.
    pub name: String,
    /// Data center or external.
    pub kind: SiteKind,
    /// Whether its nodes may lead and acknowledge; `null` for the external site.
    #[serde(default)]
    pub role: Option<SiteRole>,
    /// Name of its Docker network.
    pub network: String,
    /// Docker's subnet of it; `null` where the network is not there.
    pub subnet: Option<String>,
    /// Names of its members.
    pub members: Vec<String>,
    /// A member of it runs, and packets pass between it and the leader's site, or where nobody leads the
    /// site with most of etcd; `null` where the router did not say.
    pub reachable: Option<bool>,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberView {
    /// Its name.
    pub name: String,
    /// Its site; `null` for the router, which stands in all.
    pub site: Option<String>,
    /// What it is for.
    pub kind: Role,
    /// What a Postgres node is among the others; `null` where unknown and for other kinds.
    pub role: Option<NodeRole>,
    /// Postgres: `streaming`, or Patroni's word for its state, such as `running` or `creating
    /// replica`. etcd: `healthy` or `unhealthy`. Backup host: `stanza exists` or `no stanza`. Proxy: `leader seen` or
    /// `no leader`.
    /// `null` where unknown.
    pub state: Option<String>,
    /// What etcd has a Postgres node as; `null` where etcd did not say and for other kinds.
    #[serde(default)]
    pub wanted: Option<NodeRole>,
    /// Timeline of a Postgres node.
    pub timeline: Option<u64>,
    /// A changed setting of a node waits for its restart; `null` where unknown and for other kinds.
    pub pending_restart: Option<bool>,
    /// How far a replica is behind the leader, in bytes of WAL received; `null` where either
    /// position is unknown or they are on different timelines.
    pub lag_bytes: Option<u64>,
    /// How far it has replayed less than the leader has written, in bytes of WAL; `null` likewise.
    #[serde(default)]
    pub replay_lag_bytes: Option<u64>,
    /// Port on the host's loopback; of a proxy that to the leader.
    pub host_port: Option<u16>,
    /// Its address inside the cluster; `null` for the router, which has one in every site.
    pub address: Option<Ipv4Addr>,
    /// How its container is.
    pub container_state: ContainerState,
    /// What Postgres ended with where it does not start, from its log.
    pub failure: Option<String>,
    /// Why nothing more is known of it.
    pub error: Option<String>,
}

/// What a Postgres node is among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    /// The leader, confirmed by etcd and by itself.
    Leader,
    /// Runs as primary on its own word: not confirmed by etcd.
    Primary,
    /// Follows.
    Replica,
    /// Follows, and is waited for.
    SyncStandby,
    /// Follows, and counts for quorum commit.
    QuorumStandby,
}

impl NodeRole {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::SyncStandby => "sync_standby",
            Self::QuorumStandby => "quorum_standby",
        }
    }

    /// It follows some leader.
    pub fn follows(self) -> bool {
        matches!(self, Self::Replica | Self::SyncStandby | Self::QuorumStandby)
    }
}

/// One etcd member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EtcdView {
    /// Its name.
    pub name: String,
    /// It answered a linearizable read, so it is in touch with a quorum.
    pub healthy: bool,
    /// It leads the others; `null` where it is not healthy or does not know.
    pub leader: Option<bool>,
    /// How long that read took or was waited for, in milliseconds.
    pub took_ms: Option<f64>,
    /// Its id, in hexadecimal as `etcdctl` shows it.
    pub id: Option<String>,
    /// Version of etcd.
    pub version: Option<String>,
    /// Size of its database on disk.
    pub db_size_bytes: Option<u64>,
    /// It has no vote yet.
    pub learner: Option<bool>,
    /// Raft term.
    pub raft_term: Option<u64>,
    /// Last index in its log.
    pub raft_index: Option<u64>,
    /// Last index it has applied.
    pub raft_applied_index: Option<u64>,
    /// Why it is not healthy, or what it complains of.
    pub error: Option<String>,
}

/// How many there are of how many that it takes.
///
/// Of etcd members: those known to stand together, at least `need` if and only if a linearizable
/// read succeeded, otherwise the most that can be together and fewer than `need`; `need` is a
/// majority of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many there are.
    pub have: u32,
    /// How many it takes.
    pub need: u32,
}

impl Tally {
    /// There are enough.
    pub fn reached(self) -> bool {
        self.have >= self.need
    }
}

impl ClusterView {
    /// Draws the conclusions from what was observed.
    pub fn new(topology: &Topology, observed: &Observed) -> Self {
        let known = Known::new(topology, observed);
        let leader = known.leader();
        let etcd: Vec<EtcdView> =
            topology.of_role(Role::Etcd).map(|member| known.etcd_view(member)).collect();
        let mut members: Vec<MemberView> = topology
            .members
            .iter()
            .map(|member| known.member_view(member, leader.map(|(name, _)| name), &etcd))
            .collect();
        if let Some((_, leader)) = leader {
            for member in &mut members {
                let replica = known.patroni(&member.name).filter(|p| comparable(leader, p));
                let behind = |has: Option<u64>| Some(leader.location?.saturating_sub(has?));
                member.lag_bytes = replica.and_then(|p| behind(p.received.max(p.replayed)));
                member.replay_lag_bytes = replica.and_then(|p| behind(p.replayed));
            }
        }
        members.push(known.router_view());
        let leaders_site = leader.and_then(|(name, _)| Some(topology.member(name)?.site));
        let mut view = Self {
            cluster: topology.id.name.clone(),
            instance: topology.id.instance,
            leader: leader.map(|(name, _)| name.to_owned()),
            failsafe: known.failsafe().map(str::to_owned),
            system_id: known.system_id(),
            sites: known.site_views(),
            quorum: known.quorum(),
            acknowledging: acknowledging(known.settings(), topology, leaders_site, &members),
            acknowledge: topology.spec.acknowledge,
            written_bytes: leader.and_then(|(_, patroni)| patroni.location),
            succession: known.succession_view(leader.map(|(name, _)| name)),
            settings: known.dcs.and_then(|dcs| dcs.config),
            members,
            etcd,
            archive: known.archive(),
            backups: known.backups(),
            disk: known.disk().map(|disk| DiskUse::of(topology, Some(disk))),
            problems: Vec::new(),
        };
        view.problems = problems::of(&known, &view);
        view
    }

    /// The member of that name.
    pub fn member(&self, name: &str) -> Option<&MemberView> {
        self.members.iter().find(|m| m.name == name)
    }

    /// Postgres nodes, in order.
    pub fn nodes(&self) -> impl Iterator<Item = &MemberView> {
        self.members.iter().filter(|m| m.kind == Role::Postgres)
    }

    /// Nodes that run and whose Postgres could not be started.
    pub fn failed(&self) -> Vec<&str> {
        let failed = |m: &&MemberView| m.state.as_deref().is_some_and(problems::is_failed);
        self.nodes().filter(failed).map(|m| m.name.as_str()).collect()
    }

    /// Nodes that run and neither lead nor stream, and are not being made: their logs may say why.
    pub fn not_following(&self) -> Vec<&str> {
        let leads = |m: &MemberView| matches!(m.role, Some(NodeRole::Leader | NodeRole::Primary));
        let stuck = |m: &&MemberView| {
            let passes = |state: &str| {
                state == "streaming"
                    || state == "creating replica"
                    || state.starts_with("initializing")
            };
            m.state.as_deref().is_some_and(|state| !passes(state)) && !leads(m)
        };
        self.nodes().filter(stuck).map(|m| m.name.as_str()).collect()
    }

    /// The router.
    pub fn router(&self) -> Option<&MemberView> {
        self.members.iter().find(|m| m.kind == Role::Wan)
    }

    /// Whether a node is in a data center whose nodes acknowledge what the leader writes.
    pub fn may_acknowledge(&self, node: &MemberView) -> bool {
        let leader = self.leader.as_ref().and_then(|leader| self.member(leader));
        if self.acknowledge == Acknowledge::Local && leader.is_some_and(|l| l.site != node.site) {
            return false;
        }
        let site = self.sites.iter().find(|site| Some(&site.name) == node.site.as_ref());
        site.is_none_or(|site| site.role != Some(SiteRole::Standby))
    }

    /// The worst severity among the problems.
    pub fn worst(&self) -> Option<Severity> {
        self.problems.iter().map(|p| p.severity).min()
    }
}

/// How many standbys acknowledge each write, of those that the settings ask for.
fn acknowledging(
    settings: Dynamic,
    topology: &Topology,
    leader: Option<u8>,
    members: &[MemberView],
) -> Tally {
    let counts =
        |m: &&MemberView| matches!(m.role, Some(NodeRole::SyncStandby | NodeRole::QuorumStandby));
    let have = members.iter().filter(counts).count();
    let need = settings.acknowledging_standbys(topology, leader);
    Tally { have: u32::try_from(have).unwrap_or(u32::MAX), need }
}

/// A running replica on the leader's timeline: positions on different ones do not compare.
fn comparable(leader: &Patroni, replica: &Patroni) -> bool {
    replica.role == "replica" && replica.timeline.is_some() && replica.timeline == leader.timeline
}

#[cfg(test)]
pub(crate) mod tests;
