//! Whom a fault hits: members and sites by name, or by what they are at that moment.

use std::fmt;
use std::str::FromStr;

use super::kind::{Kind, On};
use crate::names::meant;
use crate::status::{ClusterView, NodeRole};
use crate::topology::{Role, SiteKind, Topology};
use crate::words::either;

/// Whom a fault is meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The leader.
    Leader,
    /// A standby that commits wait for.
    SyncStandby,
    /// A replica.
    Replica,
    /// The etcd member that leads the others.
    EtcdLeader,
    /// The site of the leader.
    SiteOfLeader,
    /// A data center that the leader is not in.
    SiteWithoutLeader,
    /// The external site.
    External,
    /// The backup host, which keeps the repository.
    Repository,
    /// A member that the kind can hit, or a site.
    Any,
    /// A member or a site, by its name or a part of it.
    Named(String),
}

/// Words of the targets that are no names, with what they mean.
const ROLES: [(&str, Target); 9] = [
    ("leader", Target::Leader),
    ("sync-standby", Target::SyncStandby),
    ("replica", Target::Replica),
    ("etcd-leader", Target::EtcdLeader),
    ("site(leader)", Target::SiteOfLeader),
    ("site(not leader)", Target::SiteWithoutLeader),
    ("external", Target::External),
    ("repository", Target::Repository),
    ("any", Target::Any),
];

impl Target {
    /// The words that are roles.
    pub fn roles() -> impl Iterator<Item = &'static str> {
        ROLES.iter().map(|(word, _)| *word)
    }
}

impl FromStr for Target {
    type Err = std::convert::Infallible;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let role = ROLES.iter().find(|(role, _)| role.eq_ignore_ascii_case(word));
        Ok(role.map_or_else(|| Self::Named(word.to_owned()), |(_, target)| target.clone()))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            role => {
                let row = ROLES.iter().find(|(_, target)| target == role);
                f.write_str(row.expect("the others are roles").0)
            }
        }
    }
}

/// Who is hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// These members.
    Members(Vec<String>),
    /// These sites.
    Sites(Vec<String>),
}

impl Chosen {
    /// Their names.
    pub fn names(&self) -> &[String] {
        match self {
            Self::Members(names) | Self::Sites(names) => names,
        }
    }
}

/// Why nobody is hit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTarget {
    /// Nobody is that now.
    #[error("no member is `{0}` now")]
    Nobody(Target),
    /// The name fits none, or several.
    #[error("`{given}` is no member or site of this cluster; there are {there}")]
    Unknown {
        /// The name.
        given: String,
        /// What there is.
        there: String,
    },
    /// A part of a name that fits several.
    #[error("`{given}` may be {those}")]
    Ambiguous {
        /// The part.
        given: String,
        /// Whom it fits.
        those: String,
    },
    /// The kind is not for such a target.
    #[error("{kind} is for {wants}, and {given} is none")]
    Misfit {
        /// What is done.
        kind: Kind,
        /// Whom it can hit.
        wants: &'static str,
        /// Whom it was meant for.
        given: String,
    },
    /// etcd calls the kernel without the C library.
    #[error(
        "{kind} cannot be done to {given}: etcd is a static binary, and only programs with the C library see faults of a disk"
    )]
    NoLibrary {
        /// What is done.
        kind: Kind,
        /// The etcd member.
        given: String,
    },
    /// Two sites are wanted.
    #[error("{kind} is between two sites")]
    Sites {
        /// What is done.
        kind: Kind,
    },
}

/// What a kind can hit, in words.
fn wants(kind: Kind) -> &'static str {
    match kind.on() {
        On::Containers => "members and sites",
        On::Processes(program, _) | On::Clock(program) if program.role() == Role::Etcd => {
            "etcd members"
        }
        On::Volume => "Postgres nodes and etcd members",
        On::Disk(_) => "Postgres nodes and the backup host",
        On::Processes(..) | On::Clock(_) | On::Commits | On::Archive => "Postgres nodes",
        On::Site { .. } | On::TwoSites => "sites",
    }
}

impl Kind {
    /// Whether members of this role have what it is done to; of links nobody does.
    pub fn hits(self, role: Role) -> bool {
        match self.on() {
            On::Containers => true,
            On::Processes(program, _) | On::Clock(program) => role == program.role(),
            On::Commits | On::Archive => role == Role::Postgres,
            On::Disk(_) => matches!(role, Role::Postgres | Role::Backup),
            // Never the repository of the backup host.
            On::Volume => matches!(role, Role::Postgres | Role::Etcd),
            On::Site { .. } | On::TwoSites => false,
        }
    }

    /// Whom it hits in a cluster that looks like this. Where several fit `pick` says which, by its place among so many.
    ///
    /// # Errors
    /// When nobody is meant, or the kind is not for them.
    pub fn choose(
        self,
        targets: &[Target],
        topology: &Topology,
        view: &ClusterView,
        pick: &mut dyn FnMut(usize) -> usize,
    ) -> Result<Chosen, NoTarget> {
        let now = Now { topology, view };
        let of_sites = self.on().is_links();
        let mut names: Vec<String> = Vec::new();
        for target in targets {
            let found = if of_sites {
                vec![now.site(self, target, pick)?]
            } else {
                now.members(self, target, pick)?
            };
            let new: Vec<String> = found.into_iter().filter(|name| !names.contains(name)).collect();
            names.extend(new);
        }
        match self.on() {
            On::TwoSites if names.len() != 2 => Err(NoTarget::Sites { kind: self }),
            On::TwoSites | On::Site { .. } => Ok(Chosen::Sites(names)),
            _ => Ok(Chosen::Members(names)),
        }
    }
}

/// The cluster at the moment of the fault.
struct Now<'a> {
    topology: &'a Topology,
    view: &'a ClusterView,
}

impl Now<'_> {
    fn of_role(&self, is: impl Fn(NodeRole) -> bool) -> Vec<String> {
        let nodes = self.view.members.iter().filter(|m| m.role.is_some_and(&is));
        nodes.map(|m| m.name.clone()).collect()
    }

    /// Every member that has what the kind hits.
    fn fitting(&self, kind: Kind) -> Vec<String> {
        let members = self.topology.members.iter().filter(|m| kind.hits(m.role));
        members.map(|m| m.name.clone()).collect()
    }

    fn members(
        &self,
        kind: Kind,
        target: &Target,
        pick: &mut dyn FnMut(usize) -> usize,
    ) -> Result<Vec<String>, NoTarget> {
        let waited_for = |role| matches!(role, NodeRole::SyncStandby | NodeRole::QuorumStandby);
        let among = match target {
            Target::Leader => self.view.leader.iter().cloned().collect(),
            Target::SyncStandby => self.of_role(waited_for),
            Target::Replica => self.of_role(NodeRole::follows),
            Target::EtcdLeader => {
                let leads = self.view.etcd.iter().filter(|e| e.leader == Some(true));
                leads.map(|e| e.name.clone()).collect()
            }
            Target::Repository => vec![self.topology.backup_host().name.clone()],
            Target::Any => self.fitting(kind),
            Target::SiteOfLeader | Target::SiteWithoutLeader | Target::External => {
                return self.all_of(kind, &self.site(kind, target, pick)?);
            }
            Target::Named(name) => return self.named(kind, name),
        };
        let chosen = one(target, among, pick)?;
        self.fits(kind, chosen).map(|name| vec![name])
    }

    fn fits(&self, kind: Kind, name: String) -> Result<String, NoTarget> {
        if self.fitting(kind).contains(&name)
            || name == self.topology.router() && kind.on() == On::Containers
        {
            return Ok(name);
        }
        let etcd = self.topology.member(&name).is_some_and(|member| member.role == Role::Etcd);
        if etcd && matches!(kind.on(), On::Disk(_)) {
            return Err(NoTarget::NoLibrary { kind, given: name });
        }
        Err(NoTarget::Misfit { kind, wants: wants(kind), given: name })
    }

    /// Every member of a site that the kind hits.
    fn all_of(&self, kind: Kind, site: &str) -> Result<Vec<String>, NoTarget> {
        let fitting = self.fitting(kind);
        let here = |name: &&String| {
            self.topology.member(name).is_some_and(|m| self.topology.site(m.site).name == site)
        };
        let found: Vec<String> = fitting.iter().filter(here).cloned().collect();
        if found.is_empty() {
            return Err(NoTarget::Misfit { kind, wants: wants(kind), given: site.to_owned() });
        }
        Ok(found)
    }

    fn named(&self, kind: Kind, given: &str) -> Result<Vec<String>, NoTarget> {
        if let Some(site) = self.topology.sites.iter().find(|s| s.name.eq_ignore_ascii_case(given))
        {
            return self.all_of(kind, &site.name);
        }
        let all = self.topology.containers();
        let names: Vec<&str> = all.iter().map(String::as_str).collect();
        match meant(&names, given)[..] {
            [name] => self.fits(kind, name.to_owned()).map(|name| vec![name]),
            [] => Err(unknown(given, &all)),
            ref several => {
                let those: Vec<String> = several.iter().map(|name| (*name).to_owned()).collect();
                Err(NoTarget::Ambiguous { given: given.to_owned(), those: either(&those) })
            }
        }
    }

    fn site(
        &self,
        kind: Kind,
        target: &Target,
        pick: &mut dyn FnMut(usize) -> usize,
    ) -> Result<String, NoTarget> {
        let of_member = |name: &str| {
            self.topology.member(name).map(|m| self.topology.site(m.site).name.clone())
        };
        let leaders = || self.view.leader.as_deref().and_then(of_member);
        let with_nodes = || {
            let mut sites: Vec<String> =
                self.topology.of_role(Role::Postgres).filter_map(|m| of_member(&m.name)).collect();
            sites.dedup();
            sites
        };
        let among = match target {
            Target::SiteOfLeader => leaders().into_iter().collect(),
            Target::SiteWithoutLeader => match leaders() {
                None => Vec::new(),
                Some(leaders) => with_nodes().into_iter().filter(|site| *site != leaders).collect(),
            },
            Target::External => {
                let external = self.topology.sites.iter().filter(|s| s.kind == SiteKind::External);
                external.map(|s| s.name.clone()).collect()
            }
            Target::Any => self.topology.sites.iter().map(|s| s.name.clone()).collect(),
            Target::Named(given) => {
                let sites: Vec<String> =
                    self.topology.sites.iter().map(|s| s.name.clone()).collect();
                let found = sites.iter().find(|name| name.eq_ignore_ascii_case(given)).cloned();
                return found.ok_or_else(|| unknown(given, &sites));
            }
            Target::Leader
            | Target::SyncStandby
            | Target::Replica
            | Target::EtcdLeader
            | Target::Repository => {
                return Err(NoTarget::Misfit {
                    kind,
                    wants: wants(kind),
                    given: target.to_string(),
                });
            }
        };
        one(target, among, pick)
    }
}

fn unknown(given: &str, there: &[String]) -> NoTarget {
    NoTarget::Unknown { given: given.to_owned(), there: there.join(", ") }
}

fn one(
    target: &Target,
    among: Vec<String>,
    pick: &mut dyn FnMut(usize) -> usize,
) -> Result<String, NoTarget> {
    let place = if among.len() > 1 { pick(among.len()) } else { 0 };
    among.into_iter().nth(place).ok_or_else(|| NoTarget::Nobody(target.clone()))
}
