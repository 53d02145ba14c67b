//! What each Patroni says, under the names of its own `/metrics`.

use super::exposition::{Exposition, Label};
use super::{Seen, flag, number};
use crate::observe::Patroni;
use crate::status::MemberView;

/// One metric of Patroni: its name, its help, and its value where there is one.
type Metric = (&'static str, &'static str, fn(&Patroni) -> Option<f64>);

/// In the order in which Patroni has them.
const METRICS: &[Metric] = &[
    ("patroni_version", "Patroni semver without periods.", |p| version(p.version.as_deref()?)),
    ("patroni_postgres_running", "Value is 1 if Postgres is running, 0 otherwise.", |p| {
        Some(flag(runs(p)))
    }),
    ("patroni_postmaster_start_time", "Epoch seconds since Postgres started.", |p| {
        p.started_s.map(number)
    }),
    ("patroni_primary", "Value is 1 if this node is the leader, 0 otherwise.", |p| {
        Some(flag(p.is_running_primary()))
    }),
    (
        "patroni_xlog_location",
        "Current location of the Postgres transaction log, 0 if this node is not the leader.",
        |p| Some(number(p.location.unwrap_or_default())),
    ),
    ("patroni_replica", "Value is 1 if this node is a replica, 0 otherwise.", |p| {
        Some(flag(p.role == "replica"))
    }),
    ("patroni_sync_standby", "Value is 1 if this node is a sync standby, 0 otherwise.", |p| {
        Some(flag(p.sync_standby))
    }),
    ("patroni_quorum_standby", "Value is 1 if this node is a quorum standby, 0 otherwise.", |p| {
        Some(flag(p.quorum_standby))
    }),
    (
        "patroni_xlog_received_location",
        "Current location of the received Postgres transaction log, 0 if this node is not a replica.",
        |p| Some(number(p.received.unwrap_or_default())),
    ),
    (
        "patroni_xlog_replayed_location",
        "Current location of the replayed Postgres transaction log, 0 if this node is not a replica.",
        |p| Some(number(p.replayed.unwrap_or_default())),
    ),
    ("patroni_postgres_streaming", "Value is 1 if Postgres is streaming, 0 otherwise.", |p| {
        Some(flag(p.replication_state.as_deref() == Some("streaming")))
    }),
    (
        "patroni_postgres_in_archive_recovery",
        "Value is 1 if Postgres is replicating from archive, 0 otherwise.",
        |p| Some(flag(p.replication_state.as_deref() == Some("in archive recovery"))),
    ),
    ("patroni_postgres_server_version", "Version of Postgres (if running), 0 otherwise.", |p| {
        Some(number(p.server_version.unwrap_or_default()))
    }),
    ("patroni_cluster_unlocked", "Value is 1 if the cluster is unlocked, 0 if locked.", |p| {
        Some(flag(p.cluster_unlocked))
    }),
    (
        "patroni_failsafe_mode_is_active",
        "Value is 1 if failsafe mode is active, 0 if inactive.",
        |p| Some(flag(p.failsafe)),
    ),
    (
        "patroni_postgres_timeline",
        "Postgres timeline of this node (if running), 0 otherwise.",
        |p| Some(number(p.timeline.unwrap_or_default())),
    ),
    (
        "patroni_dcs_last_seen",
        "Epoch timestamp when DCS was last contacted successfully by Patroni.",
        |p| p.dcs_last_seen_s.map(number),
    ),
    ("patroni_pending_restart", "Value is 1 if the node needs a restart, 0 otherwise.", |p| {
        Some(flag(p.pending_restart))
    }),
    ("patroni_is_paused", "Value is 1 if auto failover is disabled, 0 otherwise.", |p| {
        Some(flag(p.pause))
    }),
];

/// A Patroni that says nothing has no series, as a target that is down has none.
pub(super) fn add(out: &mut Exposition, seen: &Seen<'_>) {
    let nodes: Vec<(Vec<Label>, &Patroni)> = answers(seen)
        .map(|(member, patroni)| {
            let mut labels = seen.of_member(member);
            // Patroni's own is the same in every cluster of pgha.
            labels.insert(0, ("scope", seen.cluster().1));
            (labels, patroni)
        })
        .collect();
    for (name, help, value) in METRICS {
        let family = out.gauge(name, help);
        for (labels, patroni) in &nodes {
            family.set_some(labels.clone(), value(patroni));
        }
    }
}

/// The nodes whose Patroni runs and answers, in order.
pub(super) fn answers<'a>(
    seen: &'a Seen<'_>,
) -> impl Iterator<Item = (&'a MemberView, &'a Patroni)> {
    seen.view.nodes().filter_map(|member| {
        let reports = seen.observed.sites.values().filter_map(|report| report.as_ref().ok());
        let mut nodes = reports.flat_map(|report| &report.postgres);
        let patroni = nodes.find(|node| node.name == member.name)?.patroni.as_ref().ok()?;
        patroni.not_started.is_none().then_some((member, patroni))
    })
}

pub(super) fn runs(patroni: &Patroni) -> bool {
    patroni.state == "running"
}

/// `4.0.7` as `040007`.
fn version(text: &str) -> Option<f64> {
    let parts: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
    Some(f64::from(parts?.into_iter().fold(0, |all, part| all * 100 + part.min(99))))
}
