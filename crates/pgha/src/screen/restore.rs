//! What a restore would do, and what it did.

use std::fmt::Write as _;

use pgha_core::restore::{Journal, Loss, RestorePlan, StepDone};
use pgha_core::words::bytes;
use serde::Serialize;

use crate::screen::table::{Row, draw};
use crate::screen::{BAD, GOOD, PLAIN, TITLE, WARN};

/// What becomes of the data that are there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OldData {
    /// Kept until the end, then removed.
    UntilVerified,
    /// Kept beyond the end.
    Kept,
    /// Not kept.
    Discarded,
    /// There are none: they are another cluster's, which stays as it is.
    OfAnother,
    /// There are none: only the repository is left.
    Gone,
}

/// What a restore did.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    cluster: String,
    restore: String,
    target: String,
    backup: String,
    repository: u32,
    leader: String,
    new_timeline: Option<u32>,
    old_data_kept: bool,
    took_ms: u64,
    steps: Vec<StepDone>,
}

impl Report {
    /// From a journal that has come to its end.
    pub(crate) fn of(cluster: &str, journal: &Journal) -> Self {
        Self {
            cluster: cluster.to_owned(),
            restore: journal.id.clone(),
            target: journal.plan.target.to_string(),
            backup: journal.plan.backup.clone(),
            repository: journal.plan.repository,
            leader: journal.plan.leader.clone(),
            new_timeline: journal.new_timeline,
            old_data_kept: journal.keep_old,
            took_ms: journal.done.iter().map(|done| done.took_ms).sum(),
            steps: journal.done.clone(),
        }
    }
}

/// Draws a plan.
pub(crate) fn plan(cluster: &str, plan: &RestorePlan, old: OldData) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{TITLE}Restore of {cluster} to {}{TITLE:#}", plan.target);
    let mut line = |style: anstyle::Style, name: &str, text: &str| {
        let _ = writeln!(out, "  {name:<12}{style}{text}{style:#}");
    };
    line(
        PLAIN,
        "backup",
        &format!(
            "{}, {}, ended {}, {}, in repository {}",
            plan.backup,
            plan.backup_kind,
            utc(plan.backup_stopped_s),
            bytes(plan.backup_bytes),
            plan.repository
        ),
    );
    if plan.backup_assumed {
        line(
            WARN,
            "",
            "the newest: should the target lie before its end, name an earlier one with --set",
        );
    }
    let last = plan.wal.last.map_or("the end of the backup".to_owned(), |last| last.to_string());
    line(
        PLAIN,
        "WAL",
        &format!(
            "{} to {last} on timeline {}: {} segments, none is missing",
            plan.wal.first, plan.timeline, plan.wal.segments
        ),
    );
    if !plan.replaces.is_empty() {
        let all: Vec<String> = plan.replaces.iter().map(ToString::to_string).collect();
        line(BAD, "lost", &format!("all of the database {}, which nodes have now", all.join(", ")));
    }
    match &plan.loss {
        Loss::Nothing => {
            line(GOOD, "lost", "nothing: the leader archives all it has before it is stopped");
        }
        Loss::AfterTarget => {
            line(WARN, "lost", &format!("all that was written after {}", plan.target));
        }
        Loss::NotArchived { last: Some(last), arrived_s } => {
            let why = match (plan.nodes_empty, plan.replaces.is_empty()) {
                (true, _) => "no node has data any more",
                (_, true) => "nobody leads",
                (_, false) => "no node leads this database",
            };
            let at = arrived_s.map(|at| format!(" of {}", utc(at))).unwrap_or_default();
            line(
                WARN,
                "lost",
                &format!("what is not archived: {why}, and the last segment is {last}{at}"),
            );
        }
        Loss::NotArchived { last: None, .. } => {
            line(WARN, "lost", "all after the backup: no WAL is archived");
        }
    }
    if !plan.left_behind.is_empty() {
        line(
            PLAIN,
            "left behind",
            &format!(
                "{}: later than the target, of use with --timeline {} only",
                plan.left_behind.join(", "),
                plan.timeline
            ),
        );
    }
    match old {
        OldData::UntilVerified => {
            line(PLAIN, "old data", "kept beside the new on each node until all is verified");
        }
        OldData::Kept => {
            line(PLAIN, "old data", "kept beside the new on each node, also afterwards");
        }
        OldData::OfAnother => line(GOOD, "old data", "left as they are: the source is only read"),
        OldData::Gone => line(GOOD, "repository", "only read: the new cluster has a copy of it"),
        OldData::Discarded => line(BAD, "old data", "discarded: there will be no way back"),
    }
    line(PLAIN, "leader", &format!("{} is restored and leads", plan.leader));
    if !plan.replicas.is_empty() {
        line(
            PLAIN,
            "then",
            &format!("{}: made anew from the repository, all at once", plan.replicas.join(", ")),
        );
    }
    out
}

/// Draws a plan of one container, in which nobody leads or follows.
pub(crate) fn plan_of_one(cluster: &str, of: &RestorePlan) -> String {
    let alone =
        RestorePlan { leader: "the container".to_owned(), replicas: Vec::new(), ..of.clone() };
    let text = plan(cluster, &alone, OldData::OfAnother);
    text.lines()
        .filter(|line| !line.contains("the container is restored"))
        .fold(String::new(), |text, line| text + line + "\n")
}

/// Draws what was done.
pub(crate) fn report(report: &Report) -> String {
    let rows: Vec<Row> = report
        .steps
        .iter()
        .map(|done| Row {
            style: PLAIN,
            cells: vec![done.step.to_string(), seconds(done.took_ms), done.note.clone()],
        })
        .chain([Row {
            style: GOOD,
            cells: vec![
                "all".to_owned(),
                seconds(report.took_ms),
                format!("{} is restored to {}", report.cluster, report.target),
            ],
        }])
        .collect();
    draw(&["STEP", "SECONDS", "RESULT"], &[1], &rows)
}

#[allow(clippy::cast_precision_loss, reason = "a restore takes fewer than 2^53 ms")]
fn seconds(ms: u64) -> String {
    format!("{:.1}", ms as f64 / 1000.0)
}

fn utc(second: i64) -> String {
    let time = jiff::Timestamp::from_second(second).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
