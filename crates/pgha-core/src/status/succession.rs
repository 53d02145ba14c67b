//! Who may take the leader key, by Patroni's own rules (`is_healthiest_node`): the one place that has them.

use serde::{Deserialize, Serialize};

use super::{ContainerState, Known};
use crate::observe::{Dcs, Patroni};
use crate::topology::Role;
use crate::tuning::SynchronousMode;
use crate::words::{bytes, either, list};

/// Who may be promoted, were the leader lost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuccessionView {
    /// Nodes that nothing of their own keeps from being promoted.
    pub ready: Vec<String>,
    /// Nodes that run and have a vote, with quorum commit.
    pub voters: Vec<String>,
    /// How many of the voters a node has to reach to be promoted, itself counted where it is one; 0 where none has a
    /// vote.
    pub votes_needed: u64,
    /// Replicas that run, the least behind first: one of them can be promoted by hand, whatever keeps Patroni from it.
    #[serde(default)]
    pub by_hand: Vec<ByHand>,
}

/// A replica that can be promoted by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByHand {
    /// The node.
    pub name: String,
    /// Bytes of WAL that it is behind the leader's last position in etcd; `null` where it does not tell.
    pub behind_bytes: Option<u64>,
    /// Why Patroni does not promote it by itself; `null` where it does.
    pub barred: Option<String>,
}

impl SuccessionView {
    /// Who may be promoted while these members are stopped.
    pub fn without<'a>(&'a self, stopped: &'a [&str]) -> impl Iterator<Item = &'a str> {
        let stays = |name: &&String| !stopped.contains(&name.as_str());
        let votes = self.voters.iter().filter(stays).count() as u64;
        // A voter reaches itself, so each reaches as many.
        let enough = votes >= self.votes_needed;
        self.ready.iter().filter(stays).filter(move |_| enough).map(String::as_str)
    }
}

/// What keeps a replica from being promoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bar {
    /// Its container does not run.
    Down(ContainerState),
    /// Its Patroni gave no answer.
    Silent,
    /// Its Postgres is not there to be promoted; Patroni's word for its state.
    NotRunning(String),
    /// It does not tell how far it is.
    NoPosition,
    /// Further behind the last known position of the leader than is allowed, in bytes.
    Behind(u64),
    /// On an older timeline.
    Timeline(u64),
    /// Not among the synchronous standbys.
    NotSynchronous,
    /// In a standby data center, whose nodes have the tag `nofailover`.
    Standby,
    /// Sees too few voters.
    TooFewVoters,
}

/// The replicas that there are for a leader that is lost.
#[derive(Debug, Default)]
pub(super) struct Succession {
    /// Those that may be promoted.
    pub(super) may: Vec<String>,
    /// Their lag, timeline and votes were compared with what is in etcd.
    pub(super) certain: bool,
    /// The others, and why not.
    pub(super) barred: Vec<(String, Bar)>,
}

impl Succession {
    /// The replica that is barred by its lag alone and has the least.
    pub(super) fn least_behind(&self) -> Option<(&str, u64)> {
        let behind = self.barred.iter().filter_map(|(name, bar)| match bar {
            Bar::Behind(by) => Some((name.as_str(), *by)),
            _ => None,
        });
        behind.min_by_key(|(_, by)| *by)
    }

    /// Why nobody may, as a list of all nodes.
    pub(super) fn reasons(&self) -> String {
        let each: Vec<String> =
            self.barred.iter().map(|(name, bar)| format!("{name} {}", said(bar))).collect();
        list(&each)
    }

    /// `a or b`.
    pub(super) fn names(&self) -> String {
        either(&self.may)
    }
}

fn said(bar: &Bar) -> String {
    match bar {
        Bar::Down(state) => format!("is {}", state.as_str()),
        Bar::Silent => "does not answer".to_owned(),
        Bar::NotRunning(state) => format!("is in state `{state}`"),
        Bar::NoPosition => "does not report its WAL position".to_owned(),
        Bar::Behind(by) => format!("is {} behind the leader's last known position", bytes(*by)),
        Bar::Timeline(timeline) => format!("is on the older timeline {timeline}"),
        Bar::Standby => "is in a standby data center (nofailover)".to_owned(),
        Bar::NotSynchronous => "is no synchronous standby".to_owned(),
        Bar::TooFewVoters => "reaches too few voters".to_owned(),
    }
}

impl Known<'_> {
    /// Who may be promoted, were this leader lost; `None` where that is not known.
    pub(super) fn succession_view(&self, leader: Option<&str>) -> Option<SuccessionView> {
        let dcs = self.dcs.filter(|dcs| dcs.tells_succession && dcs.config.is_some())?;
        let by_votes = self.votes_needed(dcs).is_some();
        let others = |is: &dyn Fn(&str) -> bool| {
            let nodes = self.topology.of_role(Role::Postgres).map(|node| node.name.clone());
            nodes.filter(|name| Some(name.as_str()) != leader && is(name)).collect()
        };
        Some(SuccessionView {
            ready: others(&|name| self.own_bar(dcs, name).is_none()),
            voters: others(&|name| by_votes && self.votes(dcs, name)),
            votes_needed: self.votes_needed(dcs).unwrap_or_default(),
            by_hand: self.by_hand(dcs, leader),
        })
    }

    /// Replicas whose Postgres runs and that Patroni lets be promoted at all.
    fn by_hand(&self, dcs: &Dcs, leader: Option<&str>) -> Vec<ByHand> {
        let runs = |p: &&Patroni| p.state == "running" && p.role == "replica";
        let mut all: Vec<ByHand> = self
            .topology
            .primary_nodes()
            .filter(|node| Some(node.name.as_str()) != leader)
            .filter_map(|node| Some((node, self.patroni(&node.name).filter(runs)?)))
            .map(|(node, patroni)| ByHand {
                name: node.name.clone(),
                behind_bytes: patroni
                    .received
                    .max(patroni.replayed)
                    .map(|has| dcs.last_lsn.unwrap_or_default().saturating_sub(has)),
                barred: self.bar(dcs, &node.name).map(|bar| said(&bar)),
            })
            .collect();
        all.sort_by_key(|it| (it.behind_bytes.unwrap_or(u64::MAX), it.barred.is_some()));
        all
    }

    /// Whether a node has a vote, as etcd has it, and is there to give it.
    fn votes(&self, dcs: &Dcs, name: &str) -> bool {
        let runs = |p: &Patroni| p.state == "running" && p.role == "replica";
        dcs.sync_standbys.iter().any(|voter| voter == name) && self.patroni(name).is_some_and(runs)
    }

    /// How many voters a candidate has to reach, itself counted; `None` where none is asked.
    fn votes_needed(&self, dcs: &Dcs) -> Option<u64> {
        let by_votes = self.settings().synchronous_mode == SynchronousMode::Quorum
            && dcs.sync_leader.is_some();
        // It has to hear from as many besides itself, one more where it has no vote itself.
        by_votes.then_some(dcs.sync_quorum + 1)
    }

    /// Who may take over from `former`, which does not count itself.
    pub(super) fn succession(&self, dcs: &Dcs, former: Option<&str>) -> Succession {
        let mut succession = Succession { certain: dcs.tells_succession, ..Succession::default() };
        for node in self.topology.of_role(Role::Postgres) {
            let name = node.name.as_str();
            if Some(name) == former {
                continue;
            }
            match self.bar(dcs, name) {
                None => succession.may.push(name.to_owned()),
                Some(bar) => succession.barred.push((name.to_owned(), bar)),
            }
        }
        succession
    }

    /// What keeps one node from being promoted.
    fn bar(&self, dcs: &Dcs, name: &str) -> Option<Bar> {
        self.own_bar(dcs, name).or_else(|| {
            if !dcs.tells_succession || self.patroni(name).is_some_and(Patroni::is_running_primary)
            {
                return None;
            }
            let needed = self.votes_needed(dcs)?;
            let others = dcs.sync_standbys.iter().filter(|v| *v != name && self.votes(dcs, v));
            let own = u64::from(dcs.sync_standbys.iter().any(|voter| voter == name));
            (others.count() as u64 + own < needed).then_some(Bar::TooFewVoters)
        })
    }

    /// What of its own keeps one node from being promoted, whoever votes for it.
    fn own_bar(&self, dcs: &Dcs, name: &str) -> Option<Bar> {
        let settings = self.settings();
        let container = self.container_state(name);
        if container != ContainerState::Running {
            return Some(Bar::Down(container));
        }
        let Some(patroni) = self.patroni(name) else { return Some(Bar::Silent) };
        if patroni.state != "running" {
            return Some(Bar::NotRunning(patroni.state.clone()));
        }
        let timeline = dcs.promotion.map_or(1, |p| p.timeline);
        if let Some(older) = patroni.timeline.filter(|mine| *mine < timeline) {
            return Some(Bar::Timeline(older));
        }
        // One that still runs as primary takes the key back.
        if patroni.is_running_primary() {
            return None;
        }
        if patroni.role != "replica" {
            return Some(Bar::NotRunning(patroni.role.clone()));
        }
        if self.topology.primary_nodes().all(|node| node.name != name) {
            return Some(Bar::Standby);
        }
        if !dcs.tells_succession {
            return None;
        }
        let Some(has) = patroni.received.max(patroni.replayed) else {
            return Some(Bar::NoPosition);
        };
        let behind = dcs.last_lsn.unwrap_or_default().saturating_sub(has);
        if behind > settings.maximum_lag_on_failover_bytes {
            return Some(Bar::Behind(behind));
        }
        let synchronous = dcs.sync_leader.as_deref();
        match settings.synchronous_mode {
            SynchronousMode::On if synchronous.is_some() => {
                let named =
                    synchronous == Some(name) || dcs.sync_standbys.iter().any(|s| s == name);
                (!named).then_some(Bar::NotSynchronous)
            }
            _ => None,
        }
    }
}
