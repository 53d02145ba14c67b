//! What a restore would do, and what it did.

use std::fmt::Write as _;

use pgha_core::restore::{End, Journal, Loss, RestorePlan, StepDone, Stop};
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
            took_ms: journal.progress.done.iter().map(|done| done.took_ms).sum(),
            steps: journal.progress.done.clone(),
        }
    }
}

/// Draws a plan.
pub(crate) fn plan(cluster: &str, plan: &RestorePlan, old: OldData) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{TITLE}Restore of {cluster} to {}{TITLE:#}", plan.target);
    let line = &mut |style: anstyle::Style, name: &str, text: &str| {
        let _ = writeln!(out, "  {name:<12}{style}{text}{style:#}");
    };
    origin(plan, line);
    loss(plan, old, line);
    logical(plan, line);
    fate(plan, old, line);
    out
}

/// Writes one line: its style, its name and its text.
type Line<'a> = dyn FnMut(anstyle::Style, &str, &str) + 'a;

/// What it is made from, and how far it goes.
fn origin(plan: &RestorePlan, line: &mut Line<'_>) {
    if let Some(zone) = &plan.target.zone {
        line(PLAIN, "time zone", &format!("{} is {} at that time", zone.name, zone.offset));
    }
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
    match plan.ends {
        End::Target => {}
        End::TargetOrArchive => {
            line(
                WARN,
                "ends",
                "at the target; at the end of the archive where that has nothing from it on",
            );
        }
        End::Archive if plan.target.stop == Stop::Latest => {}
        End::Archive => {
            line(
                WARN,
                "ends",
                "at the end of the archive: all of it was archived before the target",
            );
        }
    }
}

/// What the result will not have.
fn loss(plan: &RestorePlan, old: OldData, line: &mut Line<'_>) {
    if !plan.replaces.is_empty() {
        let all: Vec<String> = plan.replaces.iter().map(ToString::to_string).collect();
        line(BAD, "lost", &format!("all of the database {}, which nodes have now", all.join(", ")));
    }
    // Of a copy nothing is lost: its source has it.
    let name = if plan.copy { "without" } else { "lost" };
    match &plan.loss {
        Loss::Nothing => {
            line(GOOD, "lost", "nothing: the leader archives all it has before it is stopped");
        }
        Loss::AfterTarget => {
            line(WARN, name, &format!("all that was written after {}", plan.target));
        }
        Loss::NotArchived { last: Some(last), arrived_s } => {
            let why = match (plan.nodes_empty, plan.replaces.is_empty()) {
                (true, _) => "no node has data any more, and ",
                _ if plan.copy => "",
                (_, true) => "nobody leads, and ",
                (_, false) => "no node leads this database, and ",
            };
            let at = arrived_s.map(|at| format!(", archived at {}", utc(at))).unwrap_or_default();
            line(WARN, name, &format!("what is not archived: {why}the last segment is {last}{at}"));
        }
        Loss::NotArchived { last: None, .. } => {
            line(WARN, name, "all after the backup: no WAL is archived");
        }
    }
    if plan.copy {
        let text = match &plan.source {
            Some(source) => {
                let ahead = source.bytes.map_or(String::new(), |ahead| {
                    format!(", {} after the last archived segment", bytes(ahead))
                });
                format!(
                    "{} leads and has written up to {}{ahead}: what it has not archived is not in the copy",
                    source.leader, source.written
                )
            }
            None if old == OldData::Gone => {
                "of its cluster nothing is known here; only what that has archived is in the new one"
                    .to_owned()
            }
            None => {
                "has no leader that answers; only what it has archived is in the copy".to_owned()
            }
        };
        line(PLAIN, "source", &text);
    }
}

/// What becomes of backups, data and nodes.
fn fate(plan: &RestorePlan, old: OldData, line: &mut Line<'_>) {
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
    if old != OldData::OfAnother || plan.leader != ONE {
        line(PLAIN, "leader", &format!("{} is restored and leads", plan.leader));
        line(
            PLAIN,
            "timelines",
            &format!(
                "WAL is replayed on {}; the recovery begins a new one at its end, and the \
                 promotion by Patroni one more",
                plan.timeline
            ),
        );
    }
    if !plan.replicas.is_empty() {
        line(
            PLAIN,
            "then",
            &format!(
                "{}: re-initialized from the repository, all at once",
                plan.replicas.join(", ")
            ),
        );
    }
}

/// What becomes of logical replication.
fn logical(plan: &RestorePlan, line: &mut Line<'_>) {
    let listed = |all: Vec<String>| all.join(", ");
    let slots = listed(plan.logical.slots.iter().map(ToString::to_string).collect());
    let subscriptions =
        listed(plan.logical.subscriptions.iter().map(ToString::to_string).collect());
    if !slots.is_empty() && plan.copy {
        line(PLAIN, "slots", &format!("logical slots stay with the source: {slots}"));
    } else if !slots.is_empty() {
        let text = format!(
            "logical slots are lost, and their consumers are to be synchronized anew: {slots}"
        );
        line(BAD, "slots", &text);
    }
    if subscriptions.is_empty() {
        return;
    }
    if plan.copy {
        let text = format!(
            "disabled in the copy, without their slots, which are the source's: {subscriptions}"
        );
        line(WARN, "subscribed", &text);
    } else if plan.loss != Loss::Nothing {
        let text = format!(
            "publishers do not send again what they sent after the target; synchronize anew: {subscriptions}"
        );
        line(BAD, "subscribed", &text);
    }
}

/// What stands for the leader in the plan of one container.
const ONE: &str = "the container";

/// Draws a plan of one container, in which nobody leads or follows.
pub(crate) fn plan_of_one(cluster: &str, of: &RestorePlan) -> String {
    let alone = RestorePlan { leader: ONE.to_owned(), replicas: Vec::new(), ..of.clone() };
    plan(cluster, &alone, OldData::OfAnother)
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
