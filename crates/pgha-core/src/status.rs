//! What every screen draws of a running cluster: a [`ClusterView`], made from what was observed.
//!
//! The view tells what is known now and nothing else. A leader is named only where etcd names it
//! with a quorum's consent and its own Patroni answers as a running primary; whoever was the leader
//! before is never shown as if it still were. What could not be learned is absent, and a
//! [`Problem`] says so. Nothing here asks anybody anything.

mod archive;
mod identity;
mod problems;
mod reach;
mod settings;
mod settling;
mod succession;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use pgha_wan::control::WanState;
use serde::{Deserialize, Serialize};

use crate::disk::{Disk, DiskUse};
use crate::dynamic::Dynamic;
use crate::identity::RepositoryFact;
use crate::observe::{Archiver, Dcs, EtcdObservation, NodeObservation, Patroni, SiteObservation};
use crate::postgres_log::LogFacts;
use crate::restore::Unfinished;
use crate::topology::{Member, Role, SiteKind, Topology};

pub use crate::dynamic::LAG_MAX_BYTES;
pub use archive::{ArchiveView, BEHIND_MAX_SEGMENTS, BackupsView, age_words};
pub use identity::{DATA_LOST, DATABASE_IN_REPOSITORY, FOREIGN_REPOSITORY};
pub use problems::{LINKS_CUT, PATRONI_PAUSED, Problem, RESTORE_UNFINISHED, Severity};
pub use succession::SuccessionView;

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
    /// Port on the host's loopback, where it has one.
    pub host_port: Option<u16>,
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
    /// replica`. etcd: `healthy` or `unhealthy`. Backup host: `stanza exists` or `no stanza`.
    /// `null` where unknown.
    pub state: Option<String>,
    /// Timeline of a Postgres node.
    pub timeline: Option<u64>,
    /// A changed setting of a node waits for its restart; `null` where unknown and for other kinds.
    pub pending_restart: Option<bool>,
    /// How far a replica is behind the leader, in bytes of WAL received; `null` where either
    /// position is unknown or they are on different timelines.
    pub lag_bytes: Option<u64>,
    /// Port on the host's loopback.
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
                member.lag_bytes = known.patroni(&member.name).and_then(|p| lag(leader, p));
            }
        }
        members.push(known.router_view());
        let mut view = Self {
            cluster: topology.id.name.clone(),
            instance: topology.id.instance,
            leader: leader.map(|(name, _)| name.to_owned()),
            failsafe: known.failsafe().map(str::to_owned),
            system_id: known.system_id(),
            sites: known.site_views(),
            quorum: known.quorum(),
            acknowledging: acknowledging(known.settings(), &members),
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

    /// The worst severity among the problems.
    pub fn worst(&self) -> Option<Severity> {
        self.problems.iter().map(|p| p.severity).min()
    }
}

/// How many standbys acknowledge each write, of those that the settings ask for.
fn acknowledging(settings: Dynamic, members: &[MemberView]) -> Tally {
    let counts =
        |m: &&MemberView| matches!(m.role, Some(NodeRole::SyncStandby | NodeRole::QuorumStandby));
    let have = members.iter().filter(counts).count();
    let nodes = members.iter().filter(|m| m.kind == Role::Postgres).count();
    let need = settings.acknowledging_standbys(nodes);
    Tally { have: u32::try_from(have).unwrap_or(u32::MAX), need }
}

/// How far a running replica has received less than the leader has written. Positions on different
/// timelines do not compare.
fn lag(leader: &Patroni, replica: &Patroni) -> Option<u64> {
    if replica.role != "replica" || replica.timeline? != leader.timeline? {
        return None;
    }
    let has = replica.received.max(replica.replayed)?;
    Some(leader.location?.saturating_sub(has))
}

/// What was observed, by member.
struct Known<'a> {
    topology: &'a Topology,
    observed: &'a Observed,
    containers: BTreeMap<&'a str, &'a ContainerFact>,
    nodes: BTreeMap<&'a str, &'a NodeObservation>,
    etcd: BTreeMap<&'a str, &'a EtcdObservation>,
    /// The latest read that a quorum consented to.
    dcs: Option<&'a Dcs>,
}

impl<'a> Known<'a> {
    fn new(topology: &'a Topology, observed: &'a Observed) -> Self {
        let reports = || observed.sites.values().filter_map(|report| report.as_ref().ok());
        Self {
            topology,
            observed,
            containers: observed.containers.iter().map(|c| (c.name.as_str(), c)).collect(),
            nodes: reports().flat_map(|r| &r.postgres).map(|n| (n.name.as_str(), n)).collect(),
            etcd: reports().flat_map(|r| &r.etcd).map(|e| (e.name.as_str(), e)).collect(),
            dcs: reports()
                .flat_map(|r| &r.etcd)
                .filter_map(|e| e.dcs.as_ref().ok())
                .max_by_key(|dcs| dcs.revision),
        }
    }

    /// The disk with the least that is free, of those that members told of.
    fn disk(&self) -> Option<Disk> {
        self.least_disk().map(|(_, disk)| disk)
    }

    fn least_disk(&self) -> Option<(&'a str, Disk)> {
        self.disks().min_by_key(|(_, disk)| disk.free_bytes)
    }

    /// The member that told of that disk, where members lie on several.
    fn disk_of(&self) -> Option<&'a Member> {
        let (by, least) = self.least_disk()?;
        let several = self.disks().any(|(_, disk)| disk.size_bytes != least.size_bytes);
        self.topology.member(by).filter(|_| several)
    }

    /// Every disk that a member told of, with that member.
    fn disks(&self) -> impl Iterator<Item = (&'a str, Disk)> + use<'a> {
        let reports = self.observed.sites.values().filter_map(|report| report.as_ref().ok());
        reports.filter_map(|report| Some((report.by.as_str(), report.disk?)))
    }

    /// What the Patroni of a node answered.
    fn patroni(&self, name: &str) -> Option<&'a Patroni> {
        self.nodes.get(name).and_then(|node| node.patroni.as_ref().ok())
    }

    /// Nodes that run as primary on their own word, in order.
    fn primaries(&self) -> Vec<&'a str> {
        self.topology
            .of_role(Role::Postgres)
            .filter(|m| self.patroni(&m.name).is_some_and(Patroni::is_running_primary))
            .map(|m| m.name.as_str())
            .collect()
    }

    /// The leader: named by etcd with a quorum's consent, and a running primary on its own word.
    fn leader(&self) -> Option<(&'a str, &'a Patroni)> {
        let name = self.dcs?.leader.as_deref()?;
        Some((name, self.patroni(name).filter(|p| p.is_running_primary())?))
    }

    /// The node that runs as primary by consent of all members, and that etcd does not name.
    fn failsafe(&self) -> Option<&'a str> {
        let of_store = self.dcs.and_then(|dcs| dcs.leader.as_deref());
        let mut primaries = self.primaries().into_iter();
        primaries
            .find(|name| of_store != Some(name) && self.patroni(name).is_some_and(|p| p.failsafe))
    }

    fn system_id(&self) -> Option<String> {
        let of_store = self.dcs.and_then(|dcs| dcs.system_id.clone());
        of_store.or_else(|| {
            self.nodes.values().find_map(|n| n.patroni.as_ref().ok()?.system_id.clone())
        })
    }

    fn container_state(&self, name: &str) -> ContainerState {
        self.containers.get(name).map_or(ContainerState::Missing, |c| c.state)
    }

    fn quorum(&self) -> Tally {
        let need = self.topology.placement.quorum();
        let count = |answered: fn(&EtcdObservation) -> bool, site: Option<&str>| -> u32 {
            let reports = self
                .observed
                .sites
                .iter()
                .filter(|(name, _)| site.is_none_or(|site| site == name.as_str()));
            let members = reports
                .filter_map(|(_, report)| report.as_ref().ok())
                .flat_map(|report| &report.etcd)
                .filter(|member| answered(member));
            u32::try_from(members.count()).unwrap_or(u32::MAX)
        };
        if self.dcs.is_some() {
            return Tally { have: count(|m| m.dcs.is_ok(), None).max(need), need };
        }
        let alive: fn(&EtcdObservation) -> bool = |m| m.status.is_ok();
        let together = if self.container_state(&self.topology.router()) == ContainerState::Running {
            count(alive, None)
        } else {
            let of_site = |site: &crate::topology::Site| count(alive, Some(&site.name));
            self.topology.sites.iter().map(of_site).max().unwrap_or_default()
        };
        Tally { have: together.min(need.saturating_sub(1)), need }
    }

    /// Why nothing is known of a member, apart from what was asked of itself.
    fn silence(&self, member: &Member) -> Option<String> {
        let state = self.container_state(&member.name);
        if state != ContainerState::Running {
            return Some(format!("container {}", state.as_str()));
        }
        match self.observed.sites.get(&self.topology.site(member.site).name) {
            Some(Ok(_)) => None,
            Some(Err(reason)) => Some(format!("could not learn: {reason}")),
            None => Some("could not learn: its site was not asked".to_owned()),
        }
    }

    fn etcd_view(&self, member: &Member) -> EtcdView {
        let seen = self.etcd.get(member.name.as_str());
        let status = seen.and_then(|seen| seen.status.as_ref().ok());
        let healthy = seen.is_some_and(|seen| seen.dcs.is_ok());
        let complaint = status.and_then(|s| s.errors.first()).cloned();
        let error = if healthy {
            complaint
        } else {
            self.silence(member).or(complaint).or_else(|| {
                let seen = seen?;
                seen.status.as_ref().err().or(seen.dcs.as_ref().err()).cloned()
            })
        };
        EtcdView {
            name: member.name.clone(),
            healthy,
            leader: status
                .filter(|s| healthy && s.leader_id != 0)
                .map(|s| s.leader_id == s.member_id),
            took_ms: seen.map(|seen| seen.took_ms),
            id: status.map(|s| format!("{:x}", s.member_id)),
            version: status.map(|s| s.version.clone()),
            db_size_bytes: status.map(|s| s.db_size_bytes),
            learner: status.map(|s| s.learner),
            raft_term: status.map(|s| s.raft_term),
            raft_index: status.map(|s| s.raft_index),
            raft_applied_index: status.map(|s| s.raft_applied_index),
            error,
        }
    }

    fn member_view(&self, member: &Member, leader: Option<&str>, etcd: &[EtcdView]) -> MemberView {
        let container = self.containers.get(member.name.as_str());
        let mut view = MemberView {
            name: member.name.clone(),
            site: Some(self.topology.site(member.site).name.clone()),
            kind: member.role,
            role: None,
            state: None,
            timeline: None,
            pending_restart: None,
            lag_bytes: None,
            host_port: container.and_then(|c| c.host_port),
            address: Some(member.address),
            container_state: self.container_state(&member.name),
            failure: None,
            error: self.silence(member),
        };
        match member.role {
            Role::Postgres => match self.nodes.get(member.name.as_str()).map(|n| &n.patroni) {
                None => {}
                Some(Err(reason)) => view.error = view.error.or_else(|| Some(reason.clone())),
                Some(Ok(patroni)) => {
                    view.role = node_role(patroni, leader == Some(&member.name));
                    view.state = Some(node_state(patroni));
                    view.timeline = patroni.timeline;
                    view.pending_restart = Some(patroni.pending_restart);
                    let log = self.observed.logs.get(&member.name);
                    view.failure = log
                        .filter(|_| patroni.state != "running")
                        .and_then(|log| log.start_failure.clone());
                    view.error = identity::why_not_started(patroni);
                }
            },
            Role::Etcd => {
                if let Some(seen) = etcd.iter().find(|e| e.name == member.name) {
                    let word = if seen.healthy { "healthy" } else { "unhealthy" };
                    view.state = seen.took_ms.map(|_| word.to_owned());
                    view.error.clone_from(&seen.error);
                }
            }
            Role::Backup => {
                view.state = self
                    .stanza_exists()
                    .map(|exists| if exists { "stanza exists" } else { "no stanza" }.to_owned());
            }
            Role::Wan => {}
        }
        view
    }

    /// Whether the stanza exists, where the backup host could say.
    fn stanza_exists(&self) -> Option<bool> {
        self.observed.sites.get(&self.topology.external_site().name)?.as_ref().ok()?.stanza
    }

    /// What each repository holds, as far as the backup host could say.
    fn repositories(&self) -> &'a [RepositoryFact] {
        let report = self.observed.sites.get(&self.topology.external_site().name);
        let report = report.and_then(|report| report.as_ref().ok());
        report.map_or(&[], |report| &report.repositories)
    }

    /// Whether a restore is not finished, as far as the backup host could say.
    fn is_restoring(&self) -> bool {
        let report = self.observed.sites.get(&self.topology.external_site().name);
        report.and_then(|report| report.as_ref().ok()).is_some_and(|report| report.restoring)
    }

    /// How far that is, where its journal can be read.
    fn restore(&self) -> Option<&'a Unfinished> {
        let report = self.observed.sites.get(&self.topology.external_site().name)?.as_ref().ok()?;
        report.restore.as_ref()
    }

    /// Whether it keeps nodes from running.
    fn restore_holds(&self) -> bool {
        self.is_restoring() && self.restore().is_none_or(Unfinished::holds)
    }

    fn archive(&self) -> Option<ArchiveView> {
        self.leader()?;
        Some(archive::archive(self.observed.archiver.as_ref()?.as_ref().ok()?))
    }

    fn backups(&self) -> Option<BackupsView> {
        let report = self.observed.sites.get(&self.topology.external_site().name)?.as_ref().ok()?;
        Some(archive::backups(report.backups.as_ref()?, self.observed.now_s))
    }

    fn router_view(&self) -> MemberView {
        let name = self.topology.router();
        let container_state = self.container_state(&name);
        let runs = container_state == ContainerState::Running;
        MemberView {
            name,
            site: None,
            kind: Role::Wan,
            role: None,
            state: None,
            timeline: None,
            pending_restart: None,
            lag_bytes: None,
            host_port: None,
            address: None,
            container_state,
            failure: None,
            error: (!runs).then(|| format!("container {}", container_state.as_str())),
        }
    }

    fn site_views(&self) -> Vec<SiteView> {
        let subnet = |network: &str| {
            self.observed.networks.iter().find(|n| n.name == network)?.subnet.clone()
        };
        let members = |number| {
            let there = self.topology.members.iter().filter(|m| m.site == number);
            there.map(|m| m.name.clone()).collect()
        };
        let reachable = self.reachable_sites();
        self.topology
            .sites
            .iter()
            .map(|site| SiteView {
                name: site.name.clone(),
                kind: site.kind,
                network: site.network.clone(),
                subnet: subnet(&site.network),
                members: members(site.number),
                reachable: reachable.as_ref().map(|there| there.contains(site.name.as_str())),
            })
            .collect()
    }
}

fn node_role(patroni: &Patroni, leader: bool) -> Option<NodeRole> {
    match patroni.role.as_str() {
        _ if leader => Some(NodeRole::Leader),
        _ if patroni.is_running_primary() => Some(NodeRole::Primary),
        "replica" if patroni.sync_standby => Some(NodeRole::SyncStandby),
        "replica" if patroni.quorum_standby => Some(NodeRole::QuorumStandby),
        "replica" => Some(NodeRole::Replica),
        _ => None,
    }
}

/// As `patronictl list` has it: how a running replica gets its WAL says more than that it runs.
fn node_state(patroni: &Patroni) -> String {
    match &patroni.replication_state {
        Some(replication) if patroni.state == "running" => replication.clone(),
        _ => patroni.state.clone(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
