//! The node screen.

use pgha_core::watch::{NodeReport, Session, ago};

use super::Picture;
use super::page::{Page, cell};

/// Lines of the log's end at least.
const LOG_MIN: usize = 4;

pub(super) fn draw(picture: &Picture<'_>, page: &mut Page<'_>) {
    let Some(name) = picture.console.node.as_deref() else {
        page.text(" no node is chosen and none leads: choose one with ↑↓");
        return;
    };
    let member = picture.board.and_then(|board| board.member(name));
    let role = member.map_or("?", |member| member.role.as_str());
    let state = member.map_or("?", |member| member.state.as_str());
    page.title(&format!(" {name}: {role}, {state}"));
    let Some((report, log)) = page.told(name, &picture.node) else { return };
    page.text(&format!(" {}", summary(report)));
    page.text("");
    let room = page.left();
    let for_log = log.len().min(LOG_MIN.max(room / 3)) + 1;
    replicas(report, page, room.saturating_sub(for_log) / 2);
    sessions(&report.sessions, page, for_log);
    page.title(" LOG");
    let left = page.left();
    for line in log.iter().skip(log.len().saturating_sub(left)) {
        page.text(&format!("  {line}"));
    }
}

fn summary(report: &NodeReport) -> String {
    let lsn = report.lsn.as_deref().unwrap_or("?");
    let wal = match (&report.received, report.recovery) {
        (Some(received), true) => format!("received {received}, replayed {lsn}"),
        (None, true) => format!("replayed {lsn}"),
        (_, false) => format!("written {lsn}"),
    };
    let (now, most) = (report.connections, report.connections_max);
    format!("WAL {wal} · {now} of {most} connections · up {}", ago(report.started_s * 1000))
}

fn replicas(report: &NodeReport, page: &mut Page<'_>, most: usize) {
    if report.replicas.is_empty() {
        return;
    }
    let row = |cells: [&str; 5]| {
        let [name, state, sync, sent, replay] = cells;
        format!(
            "  {} {} {} {} {replay}",
            cell(name, 20),
            cell(state, 10),
            cell(sync, 7),
            cell(sent, 14)
        )
    };
    page.title(&row(["REPLICA", "STATE", "SYNC", "SENT", "REPLAY"]));
    for replica in report.replicas.iter().take(most.max(1)) {
        let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "?".to_owned());
        let replay = replica.replay_ms.map(|ms| format!("{ms} ms")).unwrap_or_default();
        let text = row([
            &replica.name,
            &word(&replica.state),
            &word(&replica.sync),
            &word(&replica.sent),
            &replay,
        ]);
        page.text(text.trim_end());
    }
    page.text("");
}

fn sessions(sessions: &[Session], page: &mut Page<'_>, kept: usize) {
    let row = |cells: [&str; 5]| {
        let [pid, user, state, time, query] = cells;
        format!("  {pid:>7} {} {} {time:>9} {query}", cell(user, 10), cell(state, 12))
    };
    page.title(&row(["PID", "USER", "STATE", "TIME", "QUERY"]));
    let word = |word: &Option<String>| word.clone().unwrap_or_default();
    let room = page.left().saturating_sub(kept + 1);
    for session in sessions.iter().take(room) {
        let state = match (&session.state, &session.wait) {
            (Some(state), Some(wait)) if state == "active" => format!("{state} {wait}"),
            (state, _) => word(state),
        };
        let time = session.ms.filter(|_| session.state.as_deref() != Some("idle"));
        let time = time.map(|ms| format!("{ms} ms")).unwrap_or_default();
        let pid = session.pid.to_string();
        page.text(&row([&pid, &word(&session.user), &state, &time, &word(&session.query)]));
    }
    page.text("");
}
