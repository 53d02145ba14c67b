//! What each etcd member says, under the names of its own `/metrics`.

use super::exposition::{Exposition, Label};
use super::{Seen, flag, number};
use crate::status::EtcdView;

/// One metric of etcd: its name, its help, and its value where there is one.
type Metric = (&'static str, &'static str, fn(&EtcdView) -> Option<f64>);

const METRICS: &[Metric] = &[
    (
        "etcd_server_has_leader",
        "Whether or not a leader exists. 1 is existence, 0 is not.",
        // One that has a leader says so only in touch with it.
        |etcd| Some(flag(etcd.leader.is_some())),
    ),
    (
        "etcd_server_is_leader",
        "Whether or not this member is a leader. 1 if is, 0 otherwise.",
        |etcd| Some(flag(etcd.leader == Some(true))),
    ),
    (
        "etcd_server_is_learner",
        "Whether or not this member is a learner. 1 if is, 0 otherwise.",
        |etcd| etcd.learner.map(flag),
    ),
    (
        "etcd_server_proposals_committed_total",
        "The total number of consensus proposals committed.",
        |etcd| etcd.raft_index.map(number),
    ),
    (
        "etcd_server_proposals_applied_total",
        "The total number of consensus proposals applied.",
        |etcd| etcd.raft_applied_index.map(number),
    ),
    (
        "etcd_mvcc_db_total_size_in_bytes",
        "Total size of the underlying database physically allocated in bytes.",
        |etcd| etcd.db_size_bytes.map(number),
    ),
    (
        "pgha_etcd_read_seconds",
        "How long a linearizable read took, in seconds; absent where it failed.",
        |etcd| etcd.took_ms.filter(|_| etcd.healthy).map(|ms| ms / 1000.0),
    ),
];

/// A member that does not answer has no series, as a target that is down has none.
pub(super) fn add(out: &mut Exposition, seen: &Seen<'_>) {
    let labels = |name: &str| seen.view.member(name).map(|member| seen.of_member(member));
    let answers = seen.view.etcd.iter().filter(|etcd| etcd.id.is_some());
    let members: Vec<(Vec<Label>, &EtcdView)> =
        answers.filter_map(|etcd| Some((labels(&etcd.name)?, etcd))).collect();
    let family = out.gauge(
        "etcd_server_id",
        "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.",
    );
    for (labels, etcd) in &members {
        let id = etcd.id.clone().unwrap_or_default();
        family.set([labels.as_slice(), &[("server_id", id)]].concat(), 1.0);
    }
    let family = out.gauge(
        "etcd_server_version",
        "Which version is running. 1 for 'server_version' label with current version.",
    );
    for (labels, etcd) in &members {
        if let Some(version) = etcd.version.clone().filter(|version| !version.is_empty()) {
            family.set([labels.as_slice(), &[("server_version", version)]].concat(), 1.0);
        }
    }
    for (name, help, value) in METRICS {
        let family = out.gauge(name, help);
        for (labels, etcd) in &members {
            family.set_some(labels.clone(), value(etcd));
        }
    }
}
