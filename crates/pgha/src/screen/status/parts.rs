//! What `pgha status --all` shows of the parts: sites with their members, and etcd.

use anstyle::Style;
use pgha_core::spec::SiteRole;
use pgha_core::status::{ClusterView, EtcdView, SiteView};
use pgha_core::topology::SiteKind;
use pgha_core::words::bytes;

use super::{or_unknown, running_in};
use crate::screen::table::{self, Row};
use crate::screen::{BAD, GOOD, PLAIN, TITLE, WARN};

/// Draws them, each under a title.
pub(super) fn draw(view: &ClusterView) -> String {
    let id = view.system_id.as_ref().map(|id| format!(", system {id}")).unwrap_or_default();
    let router = view.router().map_or("missing", |router| router.container_state.as_str());
    let networks =
        format!("Networks of {}-{}{id}; WAN router: {router}", view.cluster, view.instance);
    [
        (networks.as_str(), networks_table(view)),
        ("etcd health", etcd_health(view)),
        ("etcd status", etcd_status(view)),
    ]
    .map(|(title, body)| format!("{TITLE}{title}{TITLE:#}\n{body}\n"))
    .concat()
}

fn networks_table(view: &ClusterView) -> String {
    let row = |site: &SiteView| {
        let (running, of) = (running_in(view, site).len(), site.members.len());
        let kind = match site.kind {
            SiteKind::DataCenter if site.role == Some(SiteRole::Standby) => "standby data center",
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
