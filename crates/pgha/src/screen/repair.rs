//! What is left of etcd, what a repair would do, and what it did.

use std::fmt::Write as _;

use pgha_core::etcd_repair::{Journal, Left, RepairPlan, Step, Store};
use pgha_core::steps::{Step as _, StepDone, StepJournal as _};
use pgha_core::words::list;
use serde::Serialize;

use crate::screen::table::{Row, draw};
use crate::screen::text::wrap;
use crate::screen::{BAD, GOOD, PLAIN, TITLE};

/// What a repair did.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    cluster: String,
    repair: String,
    survivor: String,
    took_ms: u64,
    steps: Vec<StepDone<Step>>,
}

impl Report {
    /// From a journal that has come to its end.
    pub(crate) fn of(cluster: &str, journal: &Journal) -> Self {
        Self {
            cluster: cluster.to_owned(),
            repair: journal.id.clone(),
            survivor: journal.plan.survivor.clone(),
            took_ms: journal.progress.done.iter().map(|done| done.took_ms).sum(),
            steps: journal.progress.done.clone(),
        }
    }
}

/// Draws a plan.
pub(crate) fn plan(cluster: &str, plan: &RepairPlan) -> String {
    let mut out = String::new();
    let left = plan.left.iter().filter(|left| !matches!(left.store, Store::Empty | Store::Gone));
    let _ = writeln!(
        out,
        "{TITLE}etcd of {cluster}: {} of {} members may have a store, and it takes {}{TITLE:#}",
        left.count(),
        plan.left.len(),
        plan.need
    );
    let rows: Vec<Row> = plan.left.iter().map(|left| row(plan, left)).collect();
    out += &draw(&["MEMBER", "SITE", "STORE", "RAFT INDEX", "REVISION", "BECOMES"], &[3, 4], &rows);
    for line in about(plan) {
        let _ = writeln!(out, "  {}", wrap(&line, 2, 80));
    }
    let steps = Journal::new(String::new(), plan.clone()).steps();
    for (n, step) in (1..).zip(steps) {
        let _ = writeln!(out, "  {n}. {}", step.doing());
    }
    out
}

fn row(plan: &RepairPlan, left: &Left) -> Row {
    let (store, index, revision) = match &left.store {
        Store::Answers { raft_index, revision, .. } => {
            ("answers".to_owned(), raft_index.to_string(), revision.to_string())
        }
        Store::Waits { .. } => ("waits".to_owned(), "?".to_owned(), "?".to_owned()),
        Store::Empty => ("empty".to_owned(), String::new(), String::new()),
        Store::Gone => ("gone".to_owned(), String::new(), String::new()),
        Store::Silent { .. } => ("does not answer".to_owned(), String::new(), String::new()),
        Store::Unknown { state } => (state.as_str().to_owned(), String::new(), String::new()),
    };
    let survives = left.name == plan.survivor;
    let (style, becomes) = match (survives, index.is_empty()) {
        (true, _) => (GOOD, "the new cluster"),
        (false, true) => (BAD, "joins"),
        (false, false) => (PLAIN, "joins"),
    };
    let cells =
        vec![left.name.clone(), left.site.clone(), store, index, revision, becomes.to_owned()];
    Row { style, cells }
}

/// What Patroni's keys say, and how the nodes are.
fn about(plan: &RepairPlan) -> Vec<String> {
    let survivor = plan.left.iter().find(|left| left.name == plan.survivor);
    let mut about =
        vec!["who joins comes empty; an old store is moved away until all is well".to_owned()];
    if let Some(Store::Answers { leader, system_id, sync_standbys, .. }) =
        survivor.map(|left| &left.store)
    {
        let leader = leader.as_deref().unwrap_or("nobody");
        let database = system_id.as_deref().unwrap_or("none");
        let mut keys = format!("Patroni's keys there: leader {leader}, database {database}");
        if !sync_standbys.is_empty() {
            let _ = write!(keys, ", acknowledging standbys {}", list(sync_standbys));
        }
        about.push(keys);
    }
    about.push(match &plan.primary {
        Some(primary) => {
            format!("{primary} still takes writes: until it gives up (ttl), or in failsafe mode")
        }
        None => "no node takes writes until etcd decides again".to_owned(),
    });
    if !plan.read_only.is_empty() {
        about.push(format!("read-only meanwhile: {}", list(&plan.read_only)));
    }
    about
}

/// Draws what was done.
pub(crate) fn report(report: &Report) -> String {
    let mut out = String::new();
    let seconds = |ms: u64| format!("{}.{} s", ms / 1000, ms % 1000 / 100);
    let rows: Vec<Row> = report
        .steps
        .iter()
        .map(|done| Row {
            style: PLAIN,
            cells: vec![done.step.word(), seconds(done.took_ms), done.note.clone()],
        })
        .collect();
    let _ = writeln!(
        out,
        "{TITLE}etcd of {} is repaired from {} in {}{TITLE:#}",
        report.cluster,
        report.survivor,
        seconds(report.took_ms)
    );
    out += &draw(&["STEP", "TOOK", "WHAT CAME OF IT"], &[1], &rows);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(name: &str, store: Store) -> Left {
        Left { name: name.to_owned(), site: "DC1".to_owned(), store }
    }

    #[test]
    fn what_is_left_and_what_becomes_of_it_is_drawn() {
        let answers = |raft_index| Store::Answers {
            raft_index,
            raft_term: 3,
            revision: raft_index / 2,
            store_bytes: 1,
            free_bytes: 1,
            leader: Some("pgha-demo1-DC1-1".to_owned()),
            system_id: Some("7515".to_owned()),
            sync_standbys: vec!["pgha-demo1-DC2-1".to_owned()],
        };
        let plan = RepairPlan {
            need: 3,
            left: vec![
                left("pgha-etcd1-DC1-1", answers(90)),
                left("pgha-etcd1-DC1-2", Store::Empty),
                left("pgha-etcd1-DC2-1", answers(120)),
                left("pgha-etcd1-DC2-2", Store::Gone),
                left("pgha-etcd1-DC3-1", Store::Empty),
            ],
            survivor: "pgha-etcd1-DC2-1".to_owned(),
            rejoin: ["1-1", "1-2", "2-2", "3-1"]
                .map(|member| format!("pgha-etcd1-DC{member}"))
                .to_vec(),
            read_only: vec!["pgha-demo1-DC1-1".to_owned(), "pgha-demo1-DC2-1".to_owned()],
            primary: None,
        };
        let drawn = anstream::adapter::strip_str(&super::plan("demo-1", &plan)).to_string();
        insta::assert_snapshot!(drawn);
    }
}
