//! The screen of `pgha status`: problems first, then what the earlier `pghastat` showed.
//!
//! Draws a [`ClusterView`] and judges nothing: what is a problem is decided with the view.

use std::fmt::Write as _;

use anstyle::Style;
use pgha_core::status::{
    ClusterView, ContainerState, EtcdView, LAG_MAX_BYTES, MemberView, NodeRole, Problem, Severity,
    SiteView, age_words,
};
use pgha_core::topology::{Role, SiteKind};
use pgha_core::words::bytes;

use crate::screen::table::{self, Row};
use crate::screen::{BAD, GOOD, PLAIN, TITLE, WARN};

/// Lines that may be wrapped are, at this many characters.
const WIDTH: usize = 80;
/// Where a value of the summary begins.
const VALUE_COLUMN: usize = 26;

/// Draws several clusters, one below the other.
pub(crate) fn draw_all(views: &[ClusterView]) -> String {
    views.iter().map(draw).collect::<Vec<_>>().join("\n\n")
}

/// Draws one cluster.
pub(crate) fn draw(view: &ClusterView) -> String {
    let mut out = headline(view);
    for problem in &view.problems {
        out.push_str(&problem_lines(problem));
    }
    out.push_str(&section("Summary", &summary(view)));
    let id = view.system_id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
    out.push_str(&section(&format!("Patroni cluster pgha_cluster{id}"), &patroni(view)));
    out.push_str(&section("Networks", &networks(view)));
    out.push_str(&section("etcd health", &etcd_health(view)));
    out.push_str(&section("etcd status", &etcd_status(view)));
    out
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

fn problem_lines(problem: &Problem) -> String {
    let style = match problem.severity {
        Severity::Error => BAD,
        Severity::Warning => WARN,
        Severity::Info => PLAIN,
    };
    let word = problem.severity.as_str();
    // What follows from the problem above stands under it.
    let indent = if problem.cause.is_some() { 6 } else { 2 };
    let said = wrap(&problem.message, indent + word.len() + 2);
    let hint = wrap(&problem.hint, indent + 10);
    format!("{:indent$}{style}{word}{style:#}: {said}\n{:indent$}    hint: {hint}\n", "", "")
}

fn section(title: &str, body: &str) -> String {
    format!("\n{TITLE}{title}{TITLE:#}\n{body}")
}

fn summary(view: &ClusterView) -> String {
    let count = |test: fn(&MemberView) -> bool| view.nodes().filter(|n| test(n)).count();
    let nodes = view.nodes().count();
    let streaming = count(|n| n.state.as_deref() == Some("streaming"));
    let answering = count(|n| n.state.is_some());
    let leader = match &view.leader {
        Some(leader) => format!("{leader}{}", site_of(view, leader)),
        None => match &view.failsafe {
            Some(primary) => format!("none in etcd; {primary} by failsafe mode"),
            None => "none that is certain".to_owned(),
        },
    };
    let centers: Vec<&SiteView> =
        view.sites.iter().filter(|s| s.kind == SiteKind::DataCenter).collect();
    let reachable: Vec<&str> = centers
        .iter()
        .filter(|site| site.reachable.unwrap_or_else(|| !running_in(view, site).is_empty()))
        .map(|site| site.name.as_str())
        .collect();
    let backup = view.members.iter().find(|m| m.kind == Role::Backup);
    let stanza = backup.and_then(|b| b.state.as_deref()).unwrap_or("not known");
    let router = view.router().map_or("missing", |r| r.container_state.as_str());

    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        let value = wrap(value, VALUE_COLUMN);
        let width = VALUE_COLUMN - 2;
        let _ = writeln!(out, "  {name:width$}{value}");
    };
    line("Patroni leader", &leader);
    line("Postgres nodes", &format!("{answering} of {nodes} answer, {streaming} stream"));
    let list =
        if reachable.is_empty() { String::new() } else { format!(": {}", reachable.join(", ")) };
    line("Reachable data centers", &format!("{} of {}{list}", reachable.len(), centers.len()));
    let (have, need) = (view.quorum.have, view.quorum.need);
    let of = view.etcd.len();
    line("etcd quorum", &format!("{have} of {of} together, {need} needed"));
    line("Backup", &backups(view, stanza));
    line("Archive", &archive(view));
    line("WAN router", router);
    for site in &view.sites {
        let there = running_in(view, site);
        let value = if there.is_empty() { "nothing".to_owned() } else { there.join(" ") };
        line(&format!("Running in {}", site.name), &value);
    }
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

fn patroni(view: &ClusterView) -> String {
    let rows: Vec<Row> = view.nodes().map(node_row).collect();
    table::draw(&["MEMBER", "SITE", "ROLE", "STATE", "TL", "LAG", "PORT"], &[4, 5, 6], &rows)
}

fn node_row(node: &MemberView) -> Row {
    let streams = node.state.as_deref() == Some("streaming");
    let style = match node.role {
        Some(NodeRole::Leader) => GOOD,
        Some(NodeRole::Primary) | None => BAD,
        Some(_) if streams && node.lag_bytes.is_none_or(|lag| lag <= LAG_MAX_BYTES) => PLAIN,
        Some(_) => WARN,
    };
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
        style,
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

fn networks(view: &ClusterView) -> String {
    let row = |site: &SiteView| {
        let (running, of) = (running_in(view, site).len(), site.members.len());
        let kind = match site.kind {
            SiteKind::DataCenter => "data center",
            SiteKind::External => "external",
        };
        let isolated = running > 0 && site.reachable == Some(false);
        let style = if site.subnet.is_none() || running == 0 || isolated {
            BAD
        } else if running < of {
            WARN
        } else {
            PLAIN
        };
        Row {
            style,
            cells: vec![
                site.name.clone(),
                kind.to_owned(),
                site.network.clone(),
                site.subnet.clone().unwrap_or_else(|| "missing".to_owned()),
                format!("{running} of {of} run{}", if isolated { ", isolated" } else { "" }),
            ],
        }
    };
    let rows: Vec<Row> = view.sites.iter().map(row).collect();
    table::draw(&["SITE", "KIND", "NETWORK", "SUBNET", "MEMBERS"], &[], &rows)
}

fn etcd_health(view: &ClusterView) -> String {
    let row = |member: &EtcdView| Row {
        style: etcd_style(member),
        cells: vec![
            member.name.clone(),
            if member.healthy { "true" } else { "false" }.to_owned(),
            member.took_ms.map(|ms| format!("{ms:.1} ms")).unwrap_or_default(),
            member.version.clone().unwrap_or_else(|| "?".to_owned()),
            member.error.clone().unwrap_or_default(),
        ],
    };
    let rows: Vec<Row> = view.etcd.iter().map(row).collect();
    table::draw(&["MEMBER", "HEALTHY", "TOOK", "VERSION", "ERROR"], &[2], &rows)
}

fn etcd_status(view: &ClusterView) -> String {
    let row = |member: &EtcdView| {
        let role = match (member.leader, member.learner) {
            (Some(true), _) => "leader",
            (_, Some(true)) => "learner",
            (Some(false), _) => "follower",
            (None, _) => "?",
        };
        Row {
            style: etcd_style(member),
            cells: vec![
                member.name.clone(),
                member.id.clone().unwrap_or_else(|| "?".to_owned()),
                member.db_size_bytes.map_or_else(|| "?".to_owned(), bytes),
                role.to_owned(),
                or_unknown(member.raft_term),
                or_unknown(member.raft_index),
                or_unknown(member.raft_applied_index),
            ],
        }
    };
    let rows: Vec<Row> = view.etcd.iter().map(row).collect();
    table::draw(
        &["MEMBER", "ID", "DB SIZE", "ROLE", "TERM", "INDEX", "APPLIED"],
        &[2, 4, 5, 6],
        &rows,
    )
}

fn etcd_style(member: &EtcdView) -> Style {
    match (member.healthy, &member.error, member.leader) {
        (false, _, _) => BAD,
        (true, Some(_), _) => WARN,
        (true, None, Some(true)) => GOOD,
        (true, None, _) => PLAIN,
    }
}

fn or_unknown(number: Option<u64>) -> String {
    number.map_or_else(|| "?".to_owned(), |n| n.to_string())
}

/// Breaks a text between words so that it fits, when its first line begins at `column`.
fn wrap(text: &str, column: usize) -> String {
    let mut out = String::new();
    let mut at = column;
    for word in text.split_whitespace() {
        let long = word.chars().count();
        if at > column && at + 1 + long > WIDTH {
            let _ = write!(out, "\n{:column$}", "");
            at = column;
        } else if at > column {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += long;
    }
    out
}

#[cfg(test)]
mod tests;
