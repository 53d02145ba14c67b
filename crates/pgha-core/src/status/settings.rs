//! Patroni's settings as they run: where they differ from the cluster file, and which wait for a restart.

use std::collections::BTreeMap;

use super::{Known, Problem, Severity};
use crate::dynamic::Dynamic;
use crate::observe::Patroni;
use crate::topology::Role;

impl Known<'_> {
    /// The settings that Patroni runs with; those of the cluster file until etcd says.
    pub(super) fn settings(&self) -> Dynamic {
        let running = self.dcs.and_then(|dcs| dcs.config);
        running.unwrap_or_else(|| Dynamic::of(&self.topology.spec))
    }
}

/// What is to be said of the settings.
pub(super) fn problems(known: &Known<'_>, view: &super::ClusterView) -> Vec<Problem> {
    changed(known).into_iter().chain(pending_restart(known, view)).collect()
}

fn changed(known: &Known<'_>) -> Option<Problem> {
    let differences = known.dcs?.config?.differences(Dynamic::of(&known.topology.spec));
    let id = &known.topology.id;
    (!differences.is_empty()).then(|| {
        Problem::new(
            Severity::Info,
            "settings_changed",
            None,
            format!(
                "Patroni runs with other settings than the cluster file has (in parentheses): {}",
                differences.join(", ")
            ),
            format!(
                "status judges by what runs, `pgha plan` by the cluster file; `pgha config diff {id}` shows both, \
                 `pgha config set {id}` changes what runs"
            ),
        )
    })
}

/// One problem for all nodes that wait for the same settings. Without a leader nobody can
/// restart them, and there is a worse one.
fn pending_restart(known: &Known<'_>, view: &super::ClusterView) -> Vec<Problem> {
    let Some(leader) = view.leader.as_deref() else { return Vec::new() };
    let mut waiting: BTreeMap<&[String], Vec<&str>> = BTreeMap::new();
    for member in known.topology.of_role(Role::Postgres) {
        if let Some(Patroni { pending_settings, .. }) =
            known.patroni(&member.name).filter(|p| p.pending_restart)
        {
            waiting.entry(pending_settings).or_default().push(&member.name);
        }
    }
    let problem = |(settings, nodes): (&[String], Vec<&str>)| {
        let what = if settings.is_empty() {
            "a changed setting".to_owned()
        } else {
            format!("a changed setting (in parentheses): {}", settings.join(", "))
        };
        let interrupts =
            if nodes.contains(&leader) { "; clients of the leader are disconnected" } else { "" };
        let verb = if nodes.len() == 1 { "waits" } else { "wait" };
        let id = &known.topology.id;
        Problem::new(
            Severity::Info,
            "pending_restart",
            (nodes.len() == 1).then(|| nodes[0]),
            format!("{} {verb} for a restart with {what}", nodes.join(", ")),
            format!(
                "`pgha restart {id} --rolling --pending` restarts Postgres on them one by one{interrupts}"
            ),
        )
    };
    waiting.into_iter().map(problem).collect()
}
