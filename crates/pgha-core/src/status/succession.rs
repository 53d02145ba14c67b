//! Who may take the leader key, by Patroni's own rules (`is_healthiest_node`).

use super::{ContainerState, Known};
use crate::dynamic::Dynamic;
use crate::observe::Dcs;
use crate::topology::Role;
use crate::tuning::SynchronousMode;
use crate::words::{bytes, either, list};

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
        Bar::NoPosition => "does not tell its WAL position".to_owned(),
        Bar::Behind(by) => format!("is {} behind the leader's last known position", bytes(*by)),
        Bar::Timeline(timeline) => format!("is on the older timeline {timeline}"),
        Bar::NotSynchronous => "is no synchronous standby".to_owned(),
        Bar::TooFewVoters => "reaches too few voters".to_owned(),
    }
}

impl Known<'_> {
    /// Who may take over from `former`, which does not count itself.
    pub(super) fn succession(&self, dcs: &Dcs, former: Option<&str>) -> Succession {
        let settings = self.settings();
        let voters: Vec<&str> = dcs.sync_standbys.iter().map(String::as_str).collect();
        let alive = |name: &str| {
            self.patroni(name).is_some_and(|p| p.state == "running" && p.role == "replica")
        };
        let mut succession = Succession { certain: dcs.tells_succession, ..Succession::default() };
        for node in self.topology.of_role(Role::Postgres) {
            let name = node.name.as_str();
            if Some(name) == former {
                continue;
            }
            let others = voters.iter().filter(|v| **v != name && alive(v)).count() as u64;
            let reached = others + u64::from(voters.contains(&name));
            match self.bar(dcs, settings, name, reached) {
                None => succession.may.push(name.to_owned()),
                Some(bar) => succession.barred.push((name.to_owned(), bar)),
            }
        }
        succession
    }

    /// What keeps one node from being promoted, which reaches so many voters with itself.
    fn bar(&self, dcs: &Dcs, settings: Dynamic, name: &str, reached: u64) -> Option<Bar> {
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
            // It has to hear from as many besides itself, one more where it has no vote itself.
            SynchronousMode::Quorum if synchronous.is_some() => {
                (reached < dcs.sync_quorum + 1).then_some(Bar::TooFewVoters)
            }
            _ => None,
        }
    }
}
