//! Gathers what happened to a cluster from what it keeps by itself; changes nothing.

use jiff::Timestamp;
use pgha_core::chronicle::{Entry, What, of_logs};
use pgha_core::fault::Injected;
use pgha_core::repository::Repository;
use pgha_core::status::{ClusterView, NO_QUORUM};

use crate::cluster::Cluster;
use crate::docker::Engine;
use crate::member_logs::{of_cluster, stamp};

/// What happened from `since` on, by time: from the logs of members, and the faults that last.
pub(crate) async fn entries(
    engine: &Engine,
    cluster: &Cluster,
    since: Option<Timestamp>,
) -> Vec<Entry> {
    let mut all = of_logs(&of_cluster(engine, cluster, since).await);
    all.extend(cluster.faults.iter().filter_map(|recorded| {
        let fault = &recorded.fault;
        let at: Timestamp = fault.at.parse().ok()?;
        Some(self::fault(at, fault))
    }));
    ordered(all, since)
}

/// A fault that was injected.
pub(crate) fn fault(at: Timestamp, fault: &Injected) -> Entry {
    let what = What::Fault { fault: fault.deed().to_string(), targets: fault.targets.clone() };
    Entry { at: stamp(at), member: None, what }
}

/// Who leads etcd in a cluster that looks like this; `None` where that cannot be seen.
pub(crate) fn etcd_leader(at: Timestamp, view: &ClusterView) -> Option<Entry> {
    let leads = view.etcd.iter().find(|etcd| view.quorum.reached() && etcd.leader == Some(true));
    if leads.is_none() && !view.problems.iter().any(|problem| problem.code == NO_QUORUM) {
        return None;
    }
    let what = What::EtcdLeader {
        leader: leads.map(|etcd| etcd.name.clone()),
        term: leads.and_then(|etcd| etcd.raft_term),
    };
    Some(Entry { at: stamp(at), member: None, what })
}

/// The backups of a repository.
pub(crate) fn backups(repository: &Repository) -> Vec<Entry> {
    let at = |seconds: u64| {
        let at = Timestamp::from_second(i64::try_from(seconds).unwrap_or_default());
        stamp(at.unwrap_or_default())
    };
    let both = repository.backups.iter().flat_map(|backup| {
        let label = || backup.label.clone();
        [
            (backup.started_s, What::BackupStarted { label: label() }),
            (backup.stopped_s, What::BackupDone { label: label() }),
        ]
    });
    both.map(|(seconds, what)| Entry { at: at(seconds), member: None, what }).collect()
}

/// In the order of their times, without what is older.
pub(crate) fn ordered(mut all: Vec<Entry>, since: Option<Timestamp>) -> Vec<Entry> {
    let since = since.map(stamp).unwrap_or_default();
    // A container's log is asked for by whole seconds.
    all.retain(|entry| entry.at >= since);
    all.sort();
    all.dedup();
    all
}
