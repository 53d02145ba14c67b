//! What the live page shows of a cluster beside its view, and the changes that it offers, each with the command line of
//! `pgha` that it stands for.
//!
//! A change is offered only where it makes sense in the state that is shown; that it may be asked for at all is the shell's
//! permission. Runs nothing.

mod failover;

use pgha_wan::control::WanState;
use pgha_wan::settings::Cut;
use serde::Serialize;

use crate::fault::Injected;
use crate::status::{ClusterView, ContainerState};
use crate::survival::present::{losses, present};
use crate::survival::{SurvivalRow, grouped};
use crate::topology::{ClusterId, Role, SiteKind, Topology};

pub use failover::{LastFailover, Part, last_failover};

/// Replicas that are offered one by one for a switchover; beyond, data centers are.
const NODES_MAX: usize = 6;

/// Everything that the page shows of a cluster's state.
#[derive(Debug, Serialize)]
pub struct Console<'a> {
    /// Name and number, such as `demo-1`.
    pub cluster: String,
    /// When it was observed, in milliseconds since 1970.
    pub at_ms: u64,
    /// The cluster.
    pub view: &'a ClusterView,
    /// The survival table, and where the cluster is in it.
    pub survival: Vec<Row>,
    /// What the loss of each site would do now.
    pub losses: Vec<Loss>,
    /// Faults that were injected and not undone.
    pub faults: Vec<Fault>,
    /// Changes are permitted.
    pub may_change: bool,
    /// What can be changed now; nothing without permission.
    pub changes: Vec<Change>,
}

/// A row of the survival table.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of its own")]
pub struct Row {
    /// Which sites are lost.
    pub lost: String,
    /// Columns as in `pgha plan`.
    pub quorum: bool,
    /// Somebody leads again.
    pub leader_again: bool,
    /// A leader that is left goes on.
    pub writes_go_on: bool,
    /// Acknowledged writes may be lost.
    pub may_lose_writes: bool,
    /// This is how the cluster is now.
    pub present: bool,
}

/// What the loss of one site would do now.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// The site.
    pub site: String,
    /// Writes go on.
    pub writes_go_on: bool,
    /// Acknowledged writes may be lost.
    pub may_lose_writes: bool,
    /// What stands against it, in words.
    pub hazards: Vec<String>,
}

/// A fault that lasts.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Its id.
    pub id: String,
    /// What and to whom.
    pub title: String,
    /// Since when: RFC 3339 in UTC.
    pub since: String,
    /// When it ends by itself; null where it does not.
    pub until: Option<String>,
}

/// What a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// The leader moves.
    Switchover,
    /// Members are killed.
    Fault,
    /// Links are blocked or unblocked.
    Wan,
    /// Faults are undone.
    Heal,
}

/// A change that is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is about.
    pub group: Group,
    /// The member, site or pair of sites it is done to; null where it is the cluster.
    pub about: Option<String>,
    /// A few words for a button.
    pub label: String,
    /// The command line, as it is shown and as it is asked for.
    pub command: String,
    /// The arguments of `pgha`.
    #[serde(skip)]
    pub argv: Vec<String>,
}

impl<'a> Console<'a> {
    /// All of it; changes only where `may_change`.
    pub fn new(
        topology: &Topology,
        view: &'a ClusterView,
        links: Option<&WanState>,
        faults: &[&Injected],
        at_ms: u64,
        may_change: bool,
    ) -> Self {
        let losses = losses(view).into_iter().map(|loss| Loss {
            site: loss.site,
            writes_go_on: loss.writes_go_on,
            may_lose_writes: loss.may_lose_writes,
            hazards: loss.hazards.iter().map(ToString::to_string).collect(),
        });
        let shown = faults.iter().map(|fault| {
            let ongoing = fault.ongoing();
            let (title, since, until) = (ongoing.title, ongoing.since, ongoing.until);
            Fault { id: fault.id.clone(), title, since, until }
        });
        let changes = if may_change { changes(topology, view, links, faults) } else { Vec::new() };
        Self {
            cluster: topology.id.to_string(),
            at_ms,
            view,
            survival: survival(topology, view),
            losses: losses.collect(),
            faults: shown.collect(),
            may_change,
            changes,
        }
    }
}

/// The rows of the table, with that of the present state marked; where rows stand for several sets of sites, the present
/// set has a row of its own before them.
fn survival(topology: &Topology, view: &ClusterView) -> Vec<Row> {
    let now = present(view, topology);
    let external = topology.external_site().map(|site| site.name.as_str());
    let names = now.lost.iter().map(String::as_str);
    let words = names.map(|name| if Some(name) == external { "external" } else { name });
    let lost = words.collect::<Vec<_>>().join(" + ");
    let mut rows: Vec<SurvivalRow> = grouped(topology);
    if let Some(outcome) = now.outcome.filter(|_| rows.iter().all(|row| row.lost != lost)) {
        rows.insert(0, SurvivalRow { lost: lost.clone(), sets: 1, outcome });
    }
    let shown = |row: SurvivalRow| Row {
        present: now.outcome.is_some() && row.lost == lost,
        lost: row.lost,
        quorum: row.outcome.quorum,
        leader_again: row.outcome.promotable,
        writes_go_on: row.outcome.writes_go_on,
        may_lose_writes: row.outcome.acknowledged_loss,
    };
    rows.into_iter().map(shown).collect()
}

/// What can be done to a cluster in this state.
pub fn changes(
    topology: &Topology,
    view: &ClusterView,
    links: Option<&WanState>,
    faults: &[&Injected],
) -> Vec<Change> {
    let id = &topology.id;
    let mut all = switchovers(id, view);
    all.extend(kills(id, view));
    all.extend(links.map(|state| cuts(topology, state)).unwrap_or_default());
    for fault in faults {
        let about = fault.targets.first().cloned();
        let label = format!("Heal {}", fault.ongoing().title);
        all.push(change(
            Group::Heal,
            about,
            label,
            &["heal", &id.to_string(), "--fault", &fault.id],
        ));
    }
    if faults.len() > 1 {
        let label = "Heal all faults".to_owned();
        all.push(change(Group::Heal, None, label, &["heal", &id.to_string()]));
    }
    all
}

fn switchovers(id: &ClusterId, view: &ClusterView) -> Vec<Change> {
    let (Some(leader), Some(succession)) = (&view.leader, &view.succession) else {
        return Vec::new();
    };
    let id = id.to_string();
    let ready: Vec<&String> = succession.ready.iter().filter(|name| *name != leader).collect();
    if ready.is_empty() {
        return Vec::new();
    }
    let best = "Switchover to the best candidate".to_owned();
    let mut all = vec![change(Group::Switchover, None, best, &["switchover", &id])];
    if ready.len() <= NODES_MAX {
        all.extend(ready.into_iter().map(|node| {
            let label = format!("Switchover to {}", short(node));
            change(Group::Switchover, Some(node.clone()), label, &["switchover", &id, "--to", node])
        }));
        return all;
    }
    let site_of = |name: &String| view.member(name).and_then(|member| member.site.clone());
    let mut sites: Vec<String> = ready.into_iter().filter_map(site_of).collect();
    sites.sort();
    sites.dedup();
    sites.retain(|site| Some(site) != site_of(leader).as_ref());
    all.extend(sites.into_iter().map(|site| {
        let label = format!("Switchover to {site}");
        let argv = ["switchover", id.as_str(), "--site", &site];
        change(Group::Switchover, Some(site.clone()), label, &argv)
    }));
    all
}

fn kills(id: &ClusterId, view: &ClusterView) -> Vec<Change> {
    let id = id.to_string();
    let runs = |name: &str| {
        view.member(name).is_some_and(|m| m.container_state == ContainerState::Running)
    };
    let members = view.members.iter().filter(|m| m.kind != Role::Wan && runs(&m.name));
    let mut all: Vec<Change> = members
        .map(|member| {
            let label = format!("Kill {}", short(&member.name));
            change(Group::Fault, Some(member.name.clone()), label, &["kill", &id, &member.name])
        })
        .collect();
    for site in view.sites.iter().filter(|site| site.members.iter().any(|name| runs(name))) {
        let kind = if site.kind == SiteKind::External { "external site" } else { "data center" };
        let label = format!("Kill {kind} {}", site.name);
        all.push(change(Group::Fault, Some(site.name.clone()), label, &["kill", &id, &site.name]));
    }
    all
}

/// Each pair of sites once: blocked where nothing of it is, else unblocked.
fn cuts(topology: &Topology, state: &WanState) -> Vec<Change> {
    let id = topology.id.to_string();
    let cut = |a: &str, b: &str| {
        let mut links = state.links.iter();
        links.any(|link| link.from == a && link.to == b && link.settings.cut == Cut::Yes)
    };
    let mut all = Vec::new();
    for (place, a) in topology.sites.iter().enumerate() {
        for b in &topology.sites[place + 1..] {
            let (a, b) = (a.name.as_str(), b.name.as_str());
            let is_cut = cut(a, b) || cut(b, a);
            let (verb, word) = if is_cut { ("heal", "Unblock") } else { ("cut", "Block") };
            let about = Some(format!("{a} {b}"));
            let label = format!("{word} {a} – {b}");
            all.push(change(Group::Wan, about, label, &["wan", verb, &id, a, b]));
        }
    }
    all
}

fn change(group: Group, about: Option<String>, label: String, argv: &[&str]) -> Change {
    let command = format!("pgha {}", argv.join(" "));
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    Change { group, about, label, command, argv }
}

/// `demo1-DC2` of `pgha-demo1-DC2-1`.
fn short(name: &str) -> &str {
    let name = name.strip_prefix("pgha-").unwrap_or(name);
    name.rsplit_once('-').map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::tests::Lab;

    fn commands(changes: &[Change], group: Group) -> Vec<&str> {
        let of = changes.iter().filter(|change| change.group == group);
        of.map(|change| change.command.as_str()).collect()
    }

    #[test]
    fn a_healthy_cluster_offers_every_other_node_and_no_heal() {
        let (view, leader, replicas) = Lab::led();
        let lab = Lab::healthy();
        let all = changes(lab.topology(), &view, None, &[]);
        let switchovers = commands(&all, Group::Switchover);
        assert_eq!(switchovers.len(), 1 + replicas.len());
        assert!(switchovers.iter().all(|command| !command.contains(&leader)), "{switchovers:?}");
        assert_eq!(switchovers[0], "pgha switchover demo-1");
        assert_eq!(commands(&all, Group::Heal), Vec::<&str>::new());
        assert!(commands(&all, Group::Fault).contains(&"pgha kill demo-1 DC2"));
        for change in &all {
            assert_eq!(change.command, format!("pgha {}", change.argv.join(" ")));
        }
    }

    #[test]
    fn without_a_leader_nobody_takes_over_and_what_does_not_run_is_not_killed() {
        let mut lab = Lab::healthy();
        lab.configured("{}");
        lab.lose("DC1");
        let view = lab.view();
        let all = changes(lab.topology(), &view, None, &[]);
        assert_eq!(commands(&all, Group::Switchover), Vec::<&str>::new());
        let kills = commands(&all, Group::Fault);
        assert!(!kills.is_empty() && kills.iter().all(|kill| !kill.contains("DC1")), "{kills:?}");
    }

    #[test]
    fn one_row_is_lit_while_a_site_is_lost_and_none_otherwise() {
        let (view, _, _) = Lab::led();
        let mut lab = Lab::healthy();
        assert!(survival(lab.topology(), &view).iter().all(|row| !row.present));
        lab.configured("{}");
        lab.lose("DC2");
        let view = lab.view();
        let rows = survival(lab.topology(), &view);
        let lit: Vec<&str> =
            rows.iter().filter(|row| row.present).map(|r| r.lost.as_str()).collect();
        assert_eq!(lit, ["DC2"]);
    }

    #[test]
    fn nothing_is_offered_without_permission() {
        let (view, _, _) = Lab::led();
        let lab = Lab::healthy();
        assert!(Console::new(lab.topology(), &view, None, &[], 0, false).changes.is_empty());
        assert!(!Console::new(lab.topology(), &view, None, &[], 0, true).changes.is_empty());
    }
}
