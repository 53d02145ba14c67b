//! One fault of a cluster that has to live with it, as it is written down before it is done, and what takes it back.

use std::collections::BTreeMap;

use pgha_wan::control::{Direction, WanState};
use pgha_wan::service::Service;
use pgha_wan::settings::Flap;
use serde::{Deserialize, Serialize};

use super::clock::Offset;
use super::deed::Deed;
use super::disk::{Ailment, Delay};
use super::kind::{Blow, Kind, On, Program};
use super::target::Chosen;
use crate::status::{ContainerState, OngoingFault};
use crate::topology::Topology;
use crate::words::list;

/// A fault with exactly what it changes: a link that was cut before is none of it, nor is a container that did not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Injected {
    /// Tells it apart from the others of the cluster: hexadecimal digits.
    pub id: String,
    /// What was done.
    pub kind: Kind,
    /// The service whose packets it cuts; absent where it cuts all, or is not about links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Service>,
    /// How it comes and goes; absent where it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flap: Option<Flap>,
    /// How slow the disk is; absent where it is not about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Delay>,
    /// How far off the clock is; absent where it is not about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<Offset>,
    /// To which members or sites.
    pub targets: Vec<String>,
    /// The links that it cuts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Direction>,
    /// When: RFC 3339 in UTC.
    pub at: String,
    /// When it is taken back by itself; absent where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// Something that takes a fault back, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undo {
    /// The container is started.
    Start(String),
    /// The container is made, with a volume where that is missing, and started.
    Make(String),
    /// The frozen container goes on.
    Unpause(String),
    /// The frozen processes of a member go on.
    Thaw(String, Program),
    /// The archive command of the node works again.
    Archive(String),
    /// The disk of the member no longer has that.
    Disk(String, Ailment),
    /// The program in the member has the machine's clock.
    Clock(String, Program),
    /// The links are no longer cut, or one service on them.
    Heal(Vec<Direction>, Option<Service>),
}

/// Why nothing is done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotInjected {
    /// Members that do not run cannot be hit.
    #[error("nothing to {kind}: {}", states(.members))]
    NotRunning {
        /// What was to be done.
        kind: Kind,
        /// To whom, and how they are.
        members: Vec<(String, ContainerState)>,
    },
    /// The links are cut already.
    #[error("nothing to {}: the links of {} are cut already", .deed, list(.sites))]
    Cut {
        /// What was to be done.
        deed: Deed,
        /// At which sites.
        sites: Vec<String>,
    },
}

fn states(members: &[(String, ContainerState)]) -> String {
    let each = members.iter().map(|(name, state)| format!("{name} is {}", state.as_str()));
    list(&each.collect::<Vec<_>>())
}

impl Injected {
    /// What the fault is to those chosen, in a cluster whose containers and links are so. `id`, `at` and `until` are
    /// as in the fields.
    ///
    /// # Errors
    /// When there is nothing to do to them.
    pub fn new(
        deed: Deed,
        chosen: &Chosen,
        topology: &Topology,
        containers: &BTreeMap<&str, ContainerState>,
        wan: Option<&WanState>,
    ) -> Result<Self, NotInjected> {
        let Deed { kind, port, flap, delay, offset } = deed;
        let state =
            |name: &String| *containers.get(name.as_str()).unwrap_or(&ContainerState::Missing);
        let hit = |name: &&String| match state(name) {
            ContainerState::Running => true,
            // What is frozen can still be killed.
            ContainerState::Paused => kind == Kind::Kill,
            _ => false,
        };
        let (targets, links) = match chosen {
            Chosen::Members(members) => {
                let targets: Vec<String> = members.iter().filter(hit).cloned().collect();
                if targets.is_empty() {
                    let members = members.iter().map(|name| (name.clone(), state(name))).collect();
                    return Err(NotInjected::NotRunning { kind, members });
                }
                (targets, Vec::new())
            }
            Chosen::Sites(sites) => {
                let is_cut = |link: &Direction| {
                    let links = wan.iter().flat_map(|wan| &wan.links);
                    let mut same = links.filter(|l| l.from == link.from && l.to == link.to);
                    same.any(|l| l.settings.cuts(port).is_asked())
                };
                let mut links = links(kind, sites, topology);
                links.retain(|link| !is_cut(link));
                if links.is_empty() {
                    return Err(NotInjected::Cut { deed, sites: sites.clone() });
                }
                (sites.clone(), links)
            }
        };
        let (id, at) = (String::new(), String::new());
        Ok(Self { id, kind, port, flap, delay, offset, targets, links, at, until: None })
    }

    /// What was done.
    pub fn deed(&self) -> Deed {
        let Self { kind, port, flap, delay, offset, .. } = *self;
        Deed { kind, port, flap, delay, offset }
    }

    /// What takes it back; nothing of one that is over by itself.
    pub fn undo(&self) -> Vec<Undo> {
        let each = |undo: fn(String) -> Undo| self.targets.iter().cloned().map(undo).collect();
        match self.kind.on() {
            On::Containers => match self.kind {
                Kind::Pause => each(Undo::Unpause),
                Kind::Kill | Kind::Stop => each(Undo::Start),
                _ => Vec::new(),
            },
            On::Processes(program, Blow::Freeze) => {
                self.targets.iter().map(|name| Undo::Thaw(name.clone(), program)).collect()
            }
            On::Volume => each(Undo::Make),
            On::Archive => each(Undo::Archive),
            On::Disk(ailment) => {
                self.targets.iter().map(|name| Undo::Disk(name.clone(), ailment)).collect()
            }
            On::Clock(program) => {
                self.targets.iter().map(|name| Undo::Clock(name.clone(), program)).collect()
            }
            On::Processes(..) | On::Commits => Vec::new(),
            On::Site { .. } | On::TwoSites => vec![Undo::Heal(self.links.clone(), self.port)],
        }
    }

    /// The same for a view of the cluster.
    pub fn ongoing(&self) -> OngoingFault {
        OngoingFault { title: self.title(), since: self.at.clone(), until: self.until.clone() }
    }

    /// What it is, in a few words: `isolate --port etcd DC1`.
    pub fn title(&self) -> String {
        format!("{} {}", self.deed(), self.targets.join(" "))
    }
}

/// The links that a kind cuts at these sites, in order.
fn links(kind: Kind, sites: &[String], topology: &Topology) -> Vec<Direction> {
    let all = topology.sites.iter().flat_map(|from| {
        topology
            .sites
            .iter()
            .filter(move |to| to.number != from.number)
            .map(|to| Direction { from: from.name.clone(), to: to.name.clone() })
    });
    let within = |name: &String| sites.contains(name);
    all.filter(|link| match kind.on() {
        On::Site { out, into } => (out && within(&link.from)) || (into && within(&link.to)),
        On::TwoSites => within(&link.from) && within(&link.to),
        _ => false,
    })
    .collect()
}
