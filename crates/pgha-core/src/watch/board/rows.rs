//! Sites and members as rows: glyph and word of the role, state, lag, and what is to be said of each.

use serde::Serialize;

use crate::spec::SiteRole;
use crate::status::{ClusterView, ContainerState, LAG_MAX_BYTES, MemberView, NodeRole, SiteView};
use crate::topology::{Role, SiteKind};
use crate::watch::{Lag, Memory, ago};

/// How a row stands out; words say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It leads, as it should.
    Good,
    /// Nothing is to be said of it.
    Plain,
    /// Less than it should be.
    Warning,
    /// Down, silent, or where it should not be.
    Bad,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberRow {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: Role,
    /// Its role at a glance.
    pub glyph: char,
    /// Its role in words; `?` where that is not known now.
    pub role: String,
    /// What etcd has it as, where that is something else.
    pub wanted: Option<String>,
    /// Its state.
    pub state: String,
    /// Timeline of a node.
    pub timeline: Option<u64>,
    /// How far behind it is with receiving.
    pub received: Option<Lag>,
    /// How far behind it is with replaying.
    pub replayed: Option<Lag>,
    /// Port on the host's loopback.
    pub port: Option<u16>,
    /// How it stands out.
    pub standing: Standing,
    /// What is to be said of it beside all that.
    pub note: Option<String>,
}

/// One site with its members; the router, which is in all of them, is one without members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SiteRows {
    /// Its name.
    pub name: String,
    /// What it is, and how its members are as a whole.
    pub summary: String,
    /// How it stands out.
    pub standing: Standing,
    /// Its members.
    pub members: Vec<MemberRow>,
}

impl SiteRows {
    /// Something is to be said of it or a member.
    pub fn is_ill(&self) -> bool {
        self.standing >= Standing::Warning || self.ill_members().next().is_some()
    }

    /// Members that something is to be said of.
    pub fn ill_members(&self) -> impl Iterator<Item = &MemberRow> {
        self.members.iter().filter(|member| member.standing >= Standing::Warning)
    }
}

/// Every site, and the router.
pub(super) fn sites(
    view: &ClusterView,
    memory: &Memory,
    now_ms: u64,
    current: bool,
) -> Vec<SiteRows> {
    let row = |member: &MemberView| {
        if current {
            known(view, member, memory, now_ms)
        } else {
            unknown(member, "?", memory, now_ms)
        }
    };
    let site = |site: &SiteView| {
        let members: Vec<MemberRow> =
            site.members.iter().filter_map(|name| view.member(name)).map(row).collect();
        let isolated = current && site.reachable == Some(false);
        let down = members.iter().all(|member| member.standing == Standing::Bad);
        SiteRows {
            name: site.name.clone(),
            summary: summary(site, &members, isolated, current),
            standing: if isolated || down { Standing::Bad } else { Standing::Plain },
            members,
        }
    };
    let router = view.router().map(row).map(|router| SiteRows {
        summary: match router.note {
            Some(note) => format!("router, {} ({note})", router.state),
            None => format!("router, {}", router.state),
        },
        name: router.name,
        standing: router.standing,
        members: Vec::new(),
    });
    view.sites.iter().map(site).chain(router).collect()
}

fn summary(site: &SiteView, members: &[MemberRow], isolated: bool, current: bool) -> String {
    let kind = match site.kind {
        SiteKind::DataCenter if site.role == Some(SiteRole::Standby) => "standby data center",
        SiteKind::DataCenter => "data center",
        SiteKind::External => "external site",
    };
    let mut said = vec![kind.to_owned()];
    for (role, name) in [(Role::Postgres, "nodes"), (Role::Etcd, "etcd"), (Role::Backup, "backup")]
    {
        let of_role = || members.iter().filter(|member| member.kind == role);
        let well = of_role().filter(|member| member.standing < Standing::Bad).count();
        let all = of_role().count();
        if all > 0 && current {
            said.push(format!("{name} {well}/{all}"));
        }
    }
    if isolated {
        said.push("cut off".to_owned());
    }
    said.join(", ")
}

/// A member of a look that is current.
fn known(view: &ClusterView, member: &MemberView, memory: &Memory, now_ms: u64) -> MemberRow {
    if member.container_state != ContainerState::Running {
        return unknown(member, member.container_state.as_str(), memory, now_ms);
    }
    if member.kind != Role::Wan && member.state.is_none() {
        return unknown(member, "no answer", memory, now_ms);
    }
    let state = member.state.clone().unwrap_or_else(|| "running".to_owned());
    let mut row = bare(member, state);
    match member.kind {
        Role::Postgres => node(&mut row, member, memory),
        Role::Etcd => {
            let etcd = view.etcd.iter().find(|etcd| etcd.name == member.name);
            let leads = etcd.is_some_and(|etcd| etcd.leader == Some(true));
            (row.glyph, row.role) =
                if leads { ('◆', "etcd leader".to_owned()) } else { ('●', "etcd".to_owned()) };
            if !etcd.is_some_and(|etcd| etcd.healthy) {
                (row.standing, row.glyph) = (Standing::Bad, '✗');
                row.note.clone_from(&member.error);
            }
        }
        Role::Backup => {
            (row.glyph, row.role) = ('■', "backup host".to_owned());
            if row.state != "stanza exists" {
                row.standing = Standing::Warning;
            }
        }
        Role::Wan => {}
    }
    row
}

fn node(row: &mut MemberRow, member: &MemberView, memory: &Memory) {
    let streams = member.state.as_deref() == Some("streaming");
    (row.glyph, row.standing) = match member.role {
        Some(NodeRole::Leader) => ('◆', Standing::Good),
        Some(NodeRole::Primary) => ('▲', Standing::Bad),
        Some(NodeRole::SyncStandby) => ('●', Standing::Plain),
        Some(NodeRole::QuorumStandby) => ('◐', Standing::Plain),
        Some(NodeRole::Replica) => ('○', Standing::Plain),
        None => ('?', Standing::Bad),
    };
    row.role = member.role.map_or("?".to_owned(), word);
    row.timeline = member.timeline;
    row.received = member.lag_bytes.map(|behind| memory.trail().lag(behind));
    row.replayed = member.replay_lag_bytes.map(|behind| memory.trail().lag(behind));
    let behind = member.lag_bytes.is_some_and(|lag| lag > LAG_MAX_BYTES);
    if member.role.is_some_and(NodeRole::follows) && (!streams || behind) {
        row.standing = Standing::Warning;
    }
    // With quorum commit Patroni names standbys in etcd some rounds after they acknowledge.
    let leads = |role: Option<NodeRole>| role == Some(NodeRole::Leader);
    if member.wanted.is_some() && leads(member.wanted) != leads(member.role) {
        row.wanted = member.wanted.map(word);
        row.standing = Standing::Bad;
    }
    let wanted = row.wanted.as_ref().map(|wanted| format!("etcd has it as {wanted}"));
    let pending = (member.pending_restart == Some(true)).then(|| "pending restart".to_owned());
    let said: Vec<String> = [wanted, pending, member.failure.clone(), member.error.clone()]
        .into_iter()
        .flatten()
        .collect();
    row.note = (!said.is_empty()).then(|| said.join("; "));
}

/// A member of which nothing is known now.
fn unknown(member: &MemberView, state: &str, memory: &Memory, now_ms: u64) -> MemberRow {
    let mut row = bare(member, state.to_owned());
    (row.role, row.standing) = ("?".to_owned(), Standing::Bad);
    row.glyph = if state == "?" || state == "no answer" { '?' } else { '✗' };
    let seen = memory.last_seen(&member.name, now_ms).map(|seen| {
        let role = seen.role.map(|role| format!("{}, ", word(role))).unwrap_or_default();
        format!("last seen {} ago: {role}{}", ago(seen.ago_ms), seen.state)
    });
    row.note = seen.or_else(|| member.error.clone().filter(|_| state == "no answer"));
    row
}

fn bare(member: &MemberView, state: String) -> MemberRow {
    MemberRow {
        name: member.name.clone(),
        kind: member.kind,
        glyph: '?',
        role: String::new(),
        wanted: None,
        state,
        timeline: None,
        received: None,
        replayed: None,
        port: member.host_port,
        standing: Standing::Plain,
        note: None,
    }
}

fn word(role: NodeRole) -> String {
    match role {
        NodeRole::Primary => "primary?".to_owned(),
        role => role.as_str().replace('_', " "),
    }
}
