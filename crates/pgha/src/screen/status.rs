//! The screen of `pgha status`: what is wrong, a summary and the Postgres nodes, in no more lines than the end of a small
//! terminal shows. `--all` draws every problem and node, and before them what is known of each site and etcd member.
//!
//! Draws a [`ClusterView`] and judges nothing: what is a problem is decided with the view.

mod parts;

use std::fmt::Write as _;

use anstyle::Style;
use pgha_core::status::{
    ClusterView, ContainerState, LAG_MAX_BYTES, MemberView, NodeRole, Problem, Severity, SiteView,
    age_words,
};
use pgha_core::topology::{Role, SiteKind};
use pgha_core::words::bytes;

use crate::screen::plan::disk_use;
use crate::screen::table::{self, Row};
use crate::screen::text::wrap;
use crate::screen::{BAD, GOOD, PLAIN, WARN};

/// Lines of a cluster at most, unless all are asked for: a terminal of 24 has room for a command and a prompt too.
const LINES_MAX: usize = 20;
/// Lines that problems may take where nodes want the room as well.
const PROBLEM_LINES_MIN: usize = 6;
/// Where a value of the summary begins.
const VALUE_COLUMN: usize = 16;

/// How much is drawn, and how wide.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// Everything, however long.
    pub(crate) all: bool,
    /// Columns that text is wrapped at.
    pub(crate) width: usize,
}

/// Draws several clusters, one below the other.
pub(crate) fn draw_all(views: &[ClusterView], extent: Extent) -> String {
    views.iter().map(|view| draw(view, extent)).collect::<Vec<_>>().join("\n\n")
}

/// Draws one cluster.
pub(crate) fn draw(view: &ClusterView, extent: Extent) -> String {
    let before = if extent.all { parts::draw(view) } else { String::new() };
    let (headline, summary) = (headline(view), summary(view, extent.width));
    let problems: Vec<String> =
        view.problems.iter().map(|problem| problem_lines(problem, extent.width)).collect();
    let nodes: Vec<&MemberView> = view.nodes().collect();
    // An empty line before the summary and the table, and the table's header.
    let room = LINES_MAX.saturating_sub(lines(&headline) + lines(&summary) + 3);
    let (problems, nodes) = if extent.all {
        (problems.concat(), patroni(&nodes, 0))
    } else {
        let wanted: usize = problems.iter().map(|problem| lines(problem)).sum();
        let for_problems = wanted.min(room.saturating_sub(nodes.len()).max(PROBLEM_LINES_MIN));
        let problems = first(view, &problems, for_problems);
        let (shown, left_out) = worth_showing(nodes, room.saturating_sub(lines(&problems)));
        (problems, patroni(&shown, left_out))
    };
    format!("{before}{headline}{problems}\n{summary}\n{nodes}")
}

fn lines(text: &str) -> usize {
    text.lines().count()
}

/// The first problems, as many as there is room for, and how many more there are.
fn first(view: &ClusterView, problems: &[String], room: usize) -> String {
    if problems.iter().map(|problem| lines(problem)).sum::<usize>() <= room {
        return problems.concat();
    }
    let (mut out, mut shown) = (String::new(), 0);
    for problem in problems {
        // The first is shown whatever it takes, and the last line says that there are more.
        if shown > 0 && lines(&out) + lines(problem) + 1 > room {
            break;
        }
        out.push_str(problem);
        shown += 1;
    }
    let more = problems.len() - shown;
    if more > 0 {
        let id = format!("{}-{}", view.cluster, view.instance);
        let _ = writeln!(out, "  and {more} more: `pgha status {id} --all` shows them");
    }
    out
}

/// The nodes that there is room for, those first of which something is to be said, in their order; and how many are left
/// out.
fn worth_showing(nodes: Vec<&MemberView>, room: usize) -> (Vec<&MemberView>, usize) {
    if nodes.len() <= room {
        return (nodes, 0);
    }
    // One line says how many are not shown.
    let room = room.saturating_sub(1).max(1);
    let well = |node: &&MemberView| node_style(node) == PLAIN;
    let (well_ones, mut shown): (Vec<_>, Vec<_>) = nodes.iter().copied().partition(well);
    shown.truncate(room);
    shown.extend(well_ones.into_iter().take(room - shown.len()));
    let left_out = nodes.len() - shown.len();
    let order = |node: &&MemberView| nodes.iter().position(|other| other.name == node.name);
    shown.sort_by_key(order);
    (shown, left_out)
}

fn headline(view: &ClusterView) -> String {
    let (style, what) = match (&view.leader, view.worst()) {
        (Some(leader), worst) => {
            let style = match worst {
                None | Some(Severity::Info) => GOOD,
                Some(Severity::Warning) => WARN,
                Some(Severity::Error) => BAD,
            };
            (style, format!("leader {leader}{}", site_of(view, leader)))
        }
        (None, _) => match &view.failsafe {
            Some(primary) => {
                let site = site_of(view, primary);
                (WARN, format!("primary {primary}{site} without etcd (failsafe mode)"))
            }
            None => (BAD, "no leader".to_owned()),
        },
    };
    let style = style.bold();
    format!("{style}{}-{}: {what}{style:#}\n", view.cluster, view.instance)
}

fn site_of(view: &ClusterView, member: &str) -> String {
    let site = view.member(member).and_then(|m| m.site.as_deref());
    site.map(|site| format!(" in {site}")).unwrap_or_default()
}

fn problem_lines(problem: &Problem, width: usize) -> String {
    let style = match problem.severity {
        Severity::Error => BAD,
        Severity::Warning => WARN,
        Severity::Info => PLAIN,
    };
    let word = problem.severity.as_str();
    // What follows from the problem above stands under it.
    let indent = if problem.cause.is_some() { 4 } else { 2 };
    let said = wrap(&problem.message, indent + word.len() + 2, width);
    let hint = wrap(&problem.hint, indent + 8, width);
    format!("{:indent$}{style}{word}{style:#}: {said}\n{:indent$}  hint: {hint}\n", "", "")
}

fn summary(view: &ClusterView, width: usize) -> String {
    let count = |test: fn(&MemberView) -> bool| view.nodes().filter(|n| test(n)).count();
    let nodes = view.nodes().count();
    let streaming = count(|n| n.state.as_deref() == Some("streaming"));
    let answering = count(|n| n.state.is_some());
    let centers: Vec<&SiteView> =
        view.sites.iter().filter(|s| s.kind == SiteKind::DataCenter).collect();
    let reachable: Vec<&str> = centers
        .iter()
        .filter(|site| site.reachable.unwrap_or_else(|| !running_in(view, site).is_empty()))
        .map(|site| site.name.as_str())
        .collect();
    let backup = view.members.iter().find(|m| m.kind == Role::Backup);
    let stanza = backup.and_then(|b| b.state.as_deref()).unwrap_or("not known");

    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        let value = wrap(value, VALUE_COLUMN, width);
        let width = VALUE_COLUMN - 2;
        let _ = writeln!(out, "  {name:width$}{value}");
    };
    line("Postgres", &format!("{answering} of {nodes} nodes answer, {streaming} stream"));
    let names =
        if reachable.is_empty() { String::new() } else { format!(": {}", reachable.join(", ")) };
    line("Data centers", &format!("{} of {} reachable{names}", reachable.len(), centers.len()));
    let (have, need) = (view.quorum.have, view.quorum.need);
    let of = view.etcd.len();
    line("etcd", &format!("{have} of {of} members together, {need} needed"));
    let proxies = || view.members.iter().filter(|m| m.kind == Role::Proxy);
    if proxies().next().is_some() {
        let seeing = proxies().filter(|m| m.state.as_deref() == Some("leader seen")).count();
        line("Proxies", &format!("{seeing} of {} see a leader", proxies().count()));
    }
    line("Backup", &backups(view, stanza));
    line("Archive", &archive(view));
    let disk = view.disk.as_ref().map_or_else(|| "not known".to_owned(), disk_use);
    line("Disk", &disk);
    out
}

fn backups(view: &ClusterView, stanza: &str) -> String {
    let Some(backups) = &view.backups else { return stanza.to_owned() };
    let ago = |seconds: Option<u64>| seconds.map_or_else(|| "?".to_owned(), age_words);
    let (last, full) = (ago(backups.last_age_s), ago(backups.last_full_age_s));
    if backups.last_full.is_none() {
        return format!("{stanza}, no backup yet");
    }
    let plural = if backups.count == 1 { "" } else { "s" };
    format!("{stanza}, {} backup{plural}, last {last} (full {full}) ago", backups.count)
}

fn archive(view: &ClusterView) -> String {
    let Some(archive) = &view.archive else { return "not known".to_owned() };
    let mut said = match (&archive.last_wal, archive.last_age_s) {
        (Some(wal), Some(age)) => format!("{wal} {} ago", age_words(age)),
        _ => "nothing archived yet".to_owned(),
    };
    if let Some(behind) = archive.behind_segments.filter(|behind| *behind > 0) {
        let _ = write!(said, ", {behind} waiting");
    }
    if archive.failing {
        let _ = write!(said, ", failing ({} times so far)", archive.failed_count);
    }
    said
}

fn running_in<'a>(view: &'a ClusterView, site: &SiteView) -> Vec<&'a str> {
    view.members
        .iter()
        .filter(|m| m.site.as_deref() == Some(&site.name))
        .filter(|m| m.container_state == ContainerState::Running)
        .map(|m| m.name.as_str())
        .collect()
}

/// The table of nodes, and how many are not in it.
fn patroni(nodes: &[&MemberView], left_out: usize) -> String {
    let rows: Vec<Row> = nodes.iter().map(|node| node_row(node)).collect();
    let header = ["MEMBER", "SITE", "ROLE", "STATE", "TL", "LAG", "PORT"];
    let mut out = table::draw(&header, &[4, 5, 6], &rows);
    if left_out > 0 {
        let _ = writeln!(out, "  and {left_out} more; --all shows them");
    }
    out
}

/// How a node is coloured: plain where it is a replica without anything to be said of it.
fn node_style(node: &MemberView) -> Style {
    let streams = node.state.as_deref() == Some("streaming");
    match node.role {
        Some(NodeRole::Leader) => GOOD,
        Some(NodeRole::Primary) | None => BAD,
        Some(_) if streams && node.lag_bytes.is_none_or(|lag| lag <= LAG_MAX_BYTES) => PLAIN,
        Some(_) => WARN,
    }
}

fn node_row(node: &MemberView) -> Row {
    let role = match node.role {
        Some(NodeRole::Primary) => "primary?".to_owned(),
        Some(role) => role.as_str().replace('_', " "),
        None => "?".to_owned(),
    };
    let state = match &node.state {
        Some(state) => state.clone(),
        None if node.container_state == ContainerState::Running => "no answer".to_owned(),
        None if node.container_state == ContainerState::Paused => "paused (docker)".to_owned(),
        None => node.container_state.as_str().to_owned(),
    };
    let lag = match (node.lag_bytes, node.role) {
        (Some(lag), _) => bytes(lag),
        (None, Some(NodeRole::Leader | NodeRole::Primary)) => String::new(),
        (None, _) => "?".to_owned(),
    };
    Row {
        style: node_style(node),
        cells: vec![
            node.name.clone(),
            node.site.clone().unwrap_or_default(),
            role,
            state,
            or_unknown(node.timeline),
            lag,
            node.host_port.map(|p| p.to_string()).unwrap_or_default(),
        ],
    }
}

fn or_unknown(number: Option<u64>) -> String {
    number.map_or_else(|| "?".to_owned(), |n| n.to_string())
}

#[cfg(test)]
pub(crate) mod tests;
