//! What was observed, looked up by member, and the parts of the view that follow from it.

use std::collections::BTreeMap;

use super::{
    ArchiveView, BackupsView, ContainerFact, ContainerState, EtcdView, MemberView, NodeRole,
    Observed, SiteView, Tally, archive, identity,
};
use crate::disk::Disk;
use crate::identity::RepositoryFact;
use crate::observe::{
    Dcs, EtcdObservation, NodeObservation, Patroni, ProxyObservation, UnfinishedRepair,
};
use crate::proxy::Behind;
use crate::restore::Unfinished;
use crate::topology::{Member, Role, SiteKind, Topology};
use crate::tuning::SynchronousMode;

/// Of a member whose site has not been asked.
pub const NOT_CHECKED: &str = "not checked yet";

/// What was observed, by member.
pub(super) struct Known<'a> {
    pub(super) topology: &'a Topology,
    pub(super) observed: &'a Observed,
    pub(super) containers: BTreeMap<&'a str, &'a ContainerFact>,
    pub(super) nodes: BTreeMap<&'a str, &'a NodeObservation>,
    pub(super) etcd: BTreeMap<&'a str, &'a EtcdObservation>,
    pub(super) proxies: BTreeMap<&'a str, &'a ProxyObservation>,
    /// The latest read that a quorum consented to.
    pub(super) dcs: Option<&'a Dcs>,
}

impl<'a> Known<'a> {
    pub(super) fn new(topology: &'a Topology, observed: &'a Observed) -> Self {
        let reports = || observed.sites.values().filter_map(|report| report.as_ref().ok());
        Self {
            topology,
            observed,
            containers: observed.containers.iter().map(|c| (c.name.as_str(), c)).collect(),
            nodes: reports().flat_map(|r| &r.postgres).map(|n| (n.name.as_str(), n)).collect(),
            etcd: reports().flat_map(|r| &r.etcd).map(|e| (e.name.as_str(), e)).collect(),
            proxies: reports().flat_map(|r| &r.proxies).map(|p| (p.name.as_str(), p)).collect(),
            dcs: reports()
                .flat_map(|r| &r.etcd)
                .filter_map(|e| e.dcs.as_ref().ok())
                .max_by_key(|dcs| dcs.revision),
        }
    }

    /// The disk with the least that is free, of those that members told of.
    pub(super) fn disk(&self) -> Option<Disk> {
        self.least_disk().map(|(_, disk)| disk)
    }

    pub(super) fn least_disk(&self) -> Option<(&'a str, Disk)> {
        self.disks().min_by_key(|(_, disk)| disk.free_bytes)
    }

    /// The member that told of that disk, where members lie on several.
    pub(super) fn disk_of(&self) -> Option<&'a Member> {
        let (by, least) = self.least_disk()?;
        let several = self.disks().any(|(_, disk)| disk.size_bytes != least.size_bytes);
        self.topology.member(by).filter(|_| several)
    }

    /// Every disk that a member told of, with that member.
    pub(super) fn disks(&self) -> impl Iterator<Item = (&'a str, Disk)> + use<'a> {
        let reports = self.observed.sites.values().filter_map(|report| report.as_ref().ok());
        reports.filter_map(|report| Some((report.by.as_str(), report.disk?)))
    }

    /// What the Patroni of a node answered.
    pub(super) fn patroni(&self, name: &str) -> Option<&'a Patroni> {
        self.nodes.get(name).and_then(|node| node.patroni.as_ref().ok())
    }

    /// Nodes that run as primary on their own word, in order.
    pub(super) fn primaries(&self) -> Vec<&'a str> {
        self.topology
            .of_role(Role::Postgres)
            .filter(|m| self.patroni(&m.name).is_some_and(Patroni::is_running_primary))
            .map(|m| m.name.as_str())
            .collect()
    }

    /// The leader: named by etcd with a quorum's consent, and a running primary on its own word.
    pub(super) fn leader(&self) -> Option<(&'a str, &'a Patroni)> {
        let name = self.dcs?.leader.as_deref()?;
        Some((name, self.patroni(name).filter(|p| p.is_running_primary())?))
    }

    /// The node that runs as primary by consent of all members, and that etcd does not name.
    pub(super) fn failsafe(&self) -> Option<&'a str> {
        let of_store = self.dcs.and_then(|dcs| dcs.leader.as_deref());
        let mut primaries = self.primaries().into_iter();
        primaries
            .find(|name| of_store != Some(name) && self.patroni(name).is_some_and(|p| p.failsafe))
    }

    pub(super) fn system_id(&self) -> Option<String> {
        let of_store = self.dcs.and_then(|dcs| dcs.system_id.clone());
        of_store.or_else(|| {
            self.nodes.values().find_map(|n| n.patroni.as_ref().ok()?.system_id.clone())
        })
    }

    pub(super) fn container_state(&self, name: &str) -> ContainerState {
        self.containers.get(name).map_or(ContainerState::Missing, |c| c.state)
    }

    pub(super) fn quorum(&self) -> Tally {
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
    pub(super) fn silence(&self, member: &Member) -> Option<String> {
        let state = self.container_state(&member.name);
        if state != ContainerState::Running {
            return Some(format!("container {}", state.as_str()));
        }
        match self.observed.sites.get(&self.topology.site(member.site).name) {
            Some(Ok(_)) => None,
            Some(Err(reason)) => Some(format!("unknown: {reason}")),
            None => Some(NOT_CHECKED.to_owned()),
        }
    }

    /// Which nodes a proxy sends connections to.
    pub(super) fn behind(&self, proxy: &str) -> Option<&'a Behind> {
        self.proxies.get(proxy)?.behind.as_ref().ok()
    }

    pub(super) fn etcd_view(&self, member: &Member) -> EtcdView {
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

    pub(super) fn member_view(
        &self,
        member: &Member,
        leader: Option<&str>,
        etcd: &[EtcdView],
    ) -> MemberView {
        let container = self.containers.get(member.name.as_str());
        let mut view = MemberView {
            name: member.name.clone(),
            site: Some(self.topology.site(member.site).name.clone()),
            kind: member.role,
            role: None,
            state: None,
            wanted: None,
            timeline: None,
            pending_restart: None,
            lag_bytes: None,
            replay_lag_bytes: None,
            host_port: container.and_then(|c| c.host_port()),
            address: Some(member.address),
            container_state: self.container_state(&member.name),
            failure: None,
            error: self.silence(member),
        };
        view.wanted =
            self.dcs.filter(|_| member.role == Role::Postgres).map(|dcs| wanted(dcs, &member.name));
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
            Role::Proxy => match self.proxies.get(member.name.as_str()).map(|p| &p.behind) {
                None => {}
                Some(Err(reason)) => view.error = view.error.or_else(|| Some(reason.clone())),
                Some(Ok(behind)) => {
                    let seen = !behind.read_write.is_empty();
                    view.state = Some(if seen { "leader seen" } else { "no leader" }.to_owned());
                }
            },
            Role::Wan => {}
        }
        view
    }

    /// Whether the stanza exists, where the backup host could say.
    pub(super) fn stanza_exists(&self) -> Option<bool> {
        self.observed.sites.get(&self.topology.backup_site().name)?.as_ref().ok()?.stanza
    }

    /// What each repository holds, as far as the backup host could say.
    pub(super) fn repositories(&self) -> &'a [RepositoryFact] {
        let report = self.observed.sites.get(&self.topology.backup_site().name);
        let report = report.and_then(|report| report.as_ref().ok());
        report.map_or(&[], |report| &report.repositories)
    }

    /// Whether a restore is not finished, as far as the backup host could say.
    pub(super) fn is_restoring(&self) -> bool {
        let report = self.observed.sites.get(&self.topology.backup_site().name);
        report.and_then(|report| report.as_ref().ok()).is_some_and(|report| report.restoring)
    }

    /// How far that is, where its journal can be read.
    pub(super) fn restore(&self) -> Option<&'a Unfinished> {
        let report = self.observed.sites.get(&self.topology.backup_site().name)?.as_ref().ok()?;
        report.restore.as_ref()
    }

    /// How far a repair of etcd is that is not finished.
    pub(super) fn repair(&self) -> Option<&'a UnfinishedRepair> {
        let report = self.observed.sites.get(&self.topology.backup_site().name)?.as_ref().ok()?;
        report.repair.as_ref()
    }

    /// Whether it keeps nodes from running.
    pub(super) fn restore_holds(&self) -> bool {
        self.is_restoring() && self.restore().is_none_or(Unfinished::holds)
    }

    pub(super) fn archive(&self) -> Option<ArchiveView> {
        self.leader()?;
        Some(archive::archive(self.observed.archiver.as_ref()?.as_ref().ok()?))
    }

    pub(super) fn backups(&self) -> Option<BackupsView> {
        let report = self.observed.sites.get(&self.topology.backup_site().name)?.as_ref().ok()?;
        Some(archive::backups(report.backups.as_ref()?, self.observed.now_s))
    }

    pub(super) fn router_view(&self) -> MemberView {
        let name = self.topology.router();
        let container_state = self.container_state(&name);
        let runs = container_state == ContainerState::Running;
        MemberView {
            name,
            site: None,
            kind: Role::Wan,
            role: None,
            state: None,
            wanted: None,
            timeline: None,
            pending_restart: None,
            lag_bytes: None,
            replay_lag_bytes: None,
            host_port: None,
            address: None,
            container_state,
            failure: None,
            error: (!runs).then(|| format!("container {}", container_state.as_str())),
        }
    }

    pub(super) fn site_views(&self) -> Vec<SiteView> {
        let subnet = |network: &str| {
            self.observed.networks.iter().find(|n| n.name == network)?.subnet.clone()
        };
        let members = |number| {
            let there = self.topology.members.iter().filter(|m| m.site == number);
            there.map(|m| m.name.clone()).collect()
        };
        let reachable = self.reachable_sites(None);
        self.topology
            .sites
            .iter()
            .map(|site| SiteView {
                name: site.name.clone(),
                kind: site.kind,
                role: (site.kind == SiteKind::DataCenter)
                    .then(|| self.topology.role_in(site.number)),
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

/// What etcd has a node as.
fn wanted(dcs: &Dcs, node: &str) -> NodeRole {
    let quorum =
        dcs.config.is_some_and(|config| config.synchronous_mode == SynchronousMode::Quorum);
    match node {
        _ if dcs.leader.as_deref() == Some(node) => NodeRole::Leader,
        _ if !dcs.sync_standbys.iter().any(|standby| standby == node) => NodeRole::Replica,
        _ if quorum => NodeRole::QuorumStandby,
        _ => NodeRole::SyncStandby,
    }
}

/// As `patronictl list` has it: how a running replica gets its WAL says more than that it runs.
fn node_state(patroni: &Patroni) -> String {
    match &patroni.replication_state {
        Some(replication) if patroni.state == "running" => replication.clone(),
        _ => patroni.state.clone(),
    }
}
