//! From what was asked for to the layouts of the cluster.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::layout::{Change, Layout, LayoutError, LayoutMember, Role, SiteKind};
use crate::status::ClusterView;
use crate::topology::{ClusterId, Topology};

/// What was asked for. Sites are named by their numbers, members by their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "asked", rename_all = "snake_case")]
pub enum Asked {
    /// Members of one kind in a site.
    Add {
        /// [`Role::Postgres`] or [`Role::Etcd`].
        role: Role,
        /// Number of the site.
        site: u8,
        /// How many.
        count: u32,
    },
    /// A data center.
    AddDataCenter {
        /// Postgres nodes in it.
        nodes: u32,
        /// etcd members in it.
        etcd: u32,
    },
    /// Members, and sites with all that they have.
    Remove {
        /// Names of members.
        members: Vec<String>,
        /// Numbers of sites.
        sites: Vec<u8>,
    },
    /// As many members as that in each data center.
    Scale(Sizes),
}

/// Members of each data center, in the order of their numbers; one number is for all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Postgres nodes; none leaves them as they are.
    pub nodes: Vec<u32>,
    /// etcd members, likewise.
    pub etcd: Vec<u32>,
}

/// Why no layout is meant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// It is so already.
    #[error("nothing is added and nothing removed: the cluster is so already")]
    Nothing,
    /// A list for another number of data centers.
    #[error("{given} numbers for {there} data centers")]
    WrongLength {
        /// Numbers that were given.
        given: usize,
        /// Data centers that there are.
        there: usize,
    },
    /// The backup host or the router.
    #[error("{name} is {what}: there is one, and it stays")]
    Stays {
        /// Its name.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// No such member.
    #[error("there is no member {0}")]
    NoMember(String),
    /// No such layout.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |n: u32, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let listed = |all: &[u32]| all.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        match self {
            Self::Add { role: Role::Etcd, site, count } => {
                write!(f, "add {} in DC{site}", counted(*count, "etcd member"))
            }
            Self::Add { site, count, .. } => {
                write!(f, "add {} in DC{site}", counted(*count, "node"))
            }
            Self::AddDataCenter { nodes, etcd } => write!(
                f,
                "add a data center with {} and {}",
                counted(*nodes, "node"),
                counted(*etcd, "etcd member")
            ),
            Self::Remove { members, sites } => {
                let sites = sites.iter().map(|site| format!("DC{site}"));
                let all: Vec<String> = sites.chain(members.iter().cloned()).collect();
                write!(f, "remove {}", all.join(", "))
            }
            Self::Scale(sizes) => {
                f.write_str("scale")?;
                if !sizes.nodes.is_empty() {
                    write!(f, " -c {}", listed(&sizes.nodes))?;
                }
                if !sizes.etcd.is_empty() {
                    write!(f, " -e {}", listed(&sizes.etcd))?;
                }
                Ok(())
            }
        }
    }
}

impl Asked {
    /// The layout that is meant: what comes in the generation after the present one, and what goes in one after that.
    ///
    /// # Errors
    /// Why there is none.
    pub fn layout(&self, topology: &Topology, view: &ClusterView) -> Result<Layout, Refused> {
        let Topology { id, layout, .. } = topology;
        let (comes, goes) = match self {
            Self::Add { role, site, count } => {
                (vec![Change::AddMember(*role, *site); *count as usize], Vec::new())
            }
            Self::AddDataCenter { nodes, etcd } => {
                // Numbers of sites are never used twice.
                let had = layout.sites().len();
                let site = u8::try_from(had + 1).map_err(|_| LayoutError::NoSiteLeft { had })?;
                let of = |role, count: &u32| vec![Change::AddMember(role, site); *count as usize];
                let all = [of(Role::Postgres, nodes), of(Role::Etcd, etcd)].concat();
                ([vec![Change::AddDataCenter], all].concat(), Vec::new())
            }
            Self::Remove { members, sites } => (Vec::new(), removed(topology, members, sites)?),
            Self::Scale(sizes) => sizes.changes(topology, view)?,
        };
        let mut next = layout.clone();
        for changes in [comes, goes] {
            if !changes.is_empty() {
                next = next.changed(&changes).map_err(|error| named(error, layout, id))?;
            }
        }
        if next == *layout { Err(Refused::Nothing) } else { Ok(next) }
    }
}

/// An error that names a member by its name.
fn named(error: LayoutError, layout: &Layout, cluster: &ClusterId) -> Refused {
    match error {
        LayoutError::NoSuchMember { id } => match layout.member(id) {
            Some(member) => Refused::NoMember(member.name(cluster)),
            None => error.into(),
        },
        other => other.into(),
    }
}

fn removed(topology: &Topology, members: &[String], sites: &[u8]) -> Result<Vec<Change>, Refused> {
    let Topology { id, layout, .. } = topology;
    if members.contains(&topology.router()) {
        return Err(Refused::Stays { name: topology.router(), what: "the WAN router" });
    }
    let of_sites = layout.current().filter(|member| sites.contains(&member.site));
    let mut ids: Vec<u32> = Vec::new();
    for member in of_sites {
        // Its site says why it stays.
        if member.role != Role::Backup {
            ids.push(member.id);
        }
    }
    for name in members {
        let found = layout.current().find(|member| member.name(id) == *name);
        let member = found.ok_or_else(|| Refused::NoMember(name.clone()))?;
        if member.role == Role::Backup {
            return Err(Refused::Stays { name: name.clone(), what: "the backup host" });
        }
        if !ids.contains(&member.id) {
            ids.push(member.id);
        }
    }
    let backup = layout.current().find(|member| member.role == Role::Backup);
    if let Some(backup) = backup.filter(|backup| sites.contains(&backup.site)) {
        let external = layout
            .sites()
            .iter()
            .any(|site| site.number == backup.site && site.kind == SiteKind::External);
        let error =
            if external { LayoutError::ExternalSiteStays } else { LayoutError::BackupHostStays };
        return Err(error.into());
    }
    let members = ids.into_iter().map(Change::RemoveMember);
    Ok(members.chain(sites.iter().map(|site| Change::RemoveSite(*site))).collect())
}

impl Sizes {
    /// What comes, and what goes.
    fn changes(
        &self,
        topology: &Topology,
        view: &ClusterView,
    ) -> Result<(Vec<Change>, Vec<Change>), Refused> {
        let sites = topology.sites.iter().filter(|site| site.kind == SiteKind::DataCenter);
        let sites: Vec<u8> = sites.map(|site| site.number).collect();
        let (mut comes, mut goes) = (Vec::new(), Vec::new());
        for (role, wanted) in [(Role::Postgres, &self.nodes), (Role::Etcd, &self.etcd)] {
            let each: Vec<u32> = match wanted.as_slice() {
                [] => continue,
                [all] => vec![*all; sites.len()],
                some if some.len() == sites.len() => some.to_vec(),
                some => {
                    let (given, there) = (some.len(), sites.len());
                    return Err(Refused::WrongLength { given, there });
                }
            };
            for (&site, wanted) in sites.iter().zip(each) {
                let mut there: Vec<&LayoutMember> = topology
                    .layout
                    .current()
                    .filter(|member| member.role == role && member.site == site)
                    .collect();
                let wanted = wanted as usize;
                let more = wanted.saturating_sub(there.len());
                comes.extend(vec![Change::AddMember(role, site); more]);
                // Those that are not well go first, then the newest, and one that leads at last.
                there.sort_by_key(|m| {
                    (rank(view, &m.name(&topology.id)), std::cmp::Reverse(m.number))
                });
                let fewer = there.len().saturating_sub(wanted);
                goes.extend(there[..fewer].iter().map(|m| Change::RemoveMember(m.id)));
            }
        }
        Ok((comes, goes))
    }
}

/// Which of several members goes first: the smallest.
fn rank(view: &ClusterView, name: &str) -> u8 {
    let etcd = view.etcd.iter().find(|etcd| etcd.name == name);
    let (leads, well) = match etcd {
        Some(etcd) => (etcd.leader == Some(true), etcd.healthy),
        None => (
            view.leader.as_deref() == Some(name),
            view.member(name).is_some_and(|member| member.role.is_some()),
        ),
    };
    match (leads, well) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    }
}
