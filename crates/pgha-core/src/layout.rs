//! Which sites and members a cluster has, each with an identity of its own.
//!
//! The layout of a new cluster follows from its specification: generation 1. Every change makes the next
//! generation. A member that was removed stays in the list as removed, so that its id, name and address
//! never become another's. Never asks a cluster anything, and makes no change itself.

mod error;
mod text;

#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

pub use error::LayoutError;

use crate::placement::Placement;
use crate::spec::Spec;

/// Most sites, the external one included: the third byte of a cluster address.
pub const MAX_SITES: u32 = 250;
/// Most Postgres nodes in one data center.
pub const MAX_NODES_PER_SITE: u32 = 150;
/// Most etcd members in one site.
pub const MAX_ETCD_PER_SITE: u32 = 97;
/// Most members of one cluster: each knows the name and address of every other, so what the engine and
/// Compose have to keep grows with the square of their number.
pub const MAX_MEMBERS: u32 = 1000;
const BACKUP_OCTET: u8 = 2;
const FIRST_ETCD_OCTET: u8 = 3;
const FIRST_POSTGRES_OCTET: u8 = 101;

/// Label with the text of a layout.
pub const LABEL_LAYOUT: &str = "pgha.layout";

/// Name and instance number: what tells two clusters on one host apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId {
    /// Name, `[a-z]+`.
    pub name: String,
    /// Instance, from 1. Etcd members, networks and the backup host carry only this number, so it
    /// is unique on a host.
    pub instance: u32,
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.name, self.instance)
    }
}

/// What a site is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteKind {
    /// Holds Postgres nodes.
    DataCenter,
    /// Holds etcd witnesses and the backup host, and no Postgres.
    External,
}

/// What a member does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Postgres under Patroni.
    Postgres,
    /// A voter of the distributed configuration store.
    Etcd,
    /// pgBackRest's repository host.
    Backup,
    /// `HAProxy` and `PgBouncer` of one data center. In no layout: see [`crate::topology`].
    Proxy,
    /// The router that joins the sites.
    Wan,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Postgres, Self::Etcd, Self::Backup, Self::Proxy, Self::Wan];

    /// The role of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// The word used in labels and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Postgres => "postgres",
            Role::Etcd => "etcd",
            Role::Backup => "backup",
            Role::Proxy => "proxy",
            Role::Wan => "wan",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// In which generations something is part of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The generation that it was added in, from 1.
    pub added: u32,
    /// The generation that it was removed in.
    pub removed: Option<u32>,
}

impl Span {
    /// Whether it is part of the newest generation.
    pub fn is_current(self) -> bool {
        self.removed.is_none()
    }
}

/// A site, also one that was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayoutSite {
    /// Its identity, from 1; the third byte of its cluster addresses.
    pub number: u8,
    /// What it is for.
    pub kind: SiteKind,
    /// When it is there.
    pub span: Span,
}

/// A member, also one that was removed; never the router or a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayoutMember {
    /// Its identity, from 1 in the order of addition.
    pub id: u32,
    /// What it does.
    pub role: Role,
    /// Number of its site.
    pub site: u8,
    /// The number in its name: of a node inside its site, of an etcd member in the cluster, from 1.
    pub number: u32,
    /// Its cluster address.
    pub address: Ipv4Addr,
    /// When it is there.
    pub span: Span,
}

impl LayoutMember {
    /// The name of its container, service and host.
    pub fn name(&self, cluster: &ClusterId) -> String {
        let (number, instance) = (self.number, cluster.instance);
        let what = match self.role {
            Role::Postgres => format!("{}{number}", cluster.name),
            Role::Etcd => format!("etcd{number}"),
            Role::Backup | Role::Proxy | Role::Wan => "pgbackrest".to_owned(),
        };
        format!("pgha-{what}-DC{}-{instance}", self.site)
    }
}

/// The sites and members of a cluster in one generation, with all that were removed before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    generation: u32,
    sites: Vec<LayoutSite>,
    members: Vec<LayoutMember>,
}

/// One wish for the next generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A data center of the next number.
    AddDataCenter,
    /// A Postgres node or an etcd member.
    AddMember(Role, u8),
    /// Takes the member of that id away.
    RemoveMember(u32),
    /// Takes a site away that has no member left.
    RemoveSite(u8),
}

impl fmt::Display for Layout {
    /// The text of a layout; see [`Layout::parse`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::write(self))
    }
}

impl Layout {
    /// Generation 1: the sites and members that a specification asks for.
    ///
    /// # Panics
    /// When there are more sites or members than addresses; the lint refuses such a spec first.
    pub fn of(spec: &Spec) -> Self {
        let mut layout = Self { generation: 1, sites: Vec::new(), members: Vec::new() };
        let fits = "the lint bounds sites and members";
        for _ in 0..spec.data_centers {
            layout.push_site(SiteKind::DataCenter, 1).expect(fits);
        }
        if spec.external {
            layout.push_site(SiteKind::External, 1).expect(fits);
        }
        let all: Vec<u8> = layout.sites.iter().map(|site| site.number).collect();
        for (&site, number) in all.iter().zip(1..=spec.data_centers) {
            for _ in 0..spec.nodes_in(number) {
                layout.push_member(Role::Postgres, site, 1).expect(fits);
            }
        }
        for (&site, voters) in all.iter().zip(Placement::of(spec).per_site()) {
            for _ in 0..voters {
                layout.push_member(Role::Etcd, site, 1).expect(fits);
            }
        }
        let last = all.last().expect("there is a data center");
        layout.push_member(Role::Backup, *last, 1).expect(fits);
        layout
    }

    /// Reads the text of a layout of a cluster that was made from `spec`.
    ///
    /// Generation 1 is `1`: it follows from the specification. A later one has all sites and members in the
    /// order of addition, as words `KIND SITE[-SITE][*COUNT][@ADDED][!REMOVED]` without blanks inside: `d` is
    /// a data center, `x` the external site, `p` a node, `e` an etcd member, `b` the backup host. So
    /// `2 d1-2 x3 p1-2*2 e1-3 b3 d4@2 p4*2@2` has a third data center with two nodes since generation 2.
    ///
    /// # Errors
    /// What of it is not to be understood, or no layout.
    pub fn parse(text: &str, spec: &Spec) -> Result<Self, String> {
        text::parse(text, spec)
    }

    /// The newest of what containers, compose file and files say; of equal ones the first.
    pub fn newest(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        all.into_iter()
            .reduce(|best, next| if next.generation > best.generation { next } else { best })
    }

    /// The number of this generation, from 1.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Every site there ever was, by number.
    pub fn sites(&self) -> &[LayoutSite] {
        &self.sites
    }

    /// Every member there ever was, by id.
    pub fn members(&self) -> &[LayoutMember] {
        &self.members
    }

    /// The members of today, by id.
    pub fn current(&self) -> impl Iterator<Item = &LayoutMember> {
        self.members.iter().filter(|member| member.span.is_current())
    }

    /// The member of that id, also one that was removed.
    pub fn member(&self, id: u32) -> Option<&LayoutMember> {
        let place = self.members.binary_search_by_key(&id, |m| m.id).ok()?;
        Some(&self.members[place])
    }

    /// The next generation, with all of these changes.
    ///
    /// # Errors
    /// Why there can be no such layout.
    pub fn changed(&self, changes: &[Change]) -> Result<Self, LayoutError> {
        let mut next = Self { generation: self.generation + 1, ..self.clone() };
        let now = next.generation;
        for change in changes {
            match *change {
                Change::AddDataCenter => {
                    next.push_site(SiteKind::DataCenter, now)?;
                }
                Change::AddMember(role @ (Role::Postgres | Role::Etcd), site) => {
                    next.push_member(role, site, now)?;
                }
                Change::AddMember(role, site) => {
                    return Err(LayoutError::WrongPlace { role, site });
                }
                Change::RemoveMember(id) => next.remove_member(id, now)?,
                Change::RemoveSite(site) => next.remove_site(site, now)?,
            }
        }
        next.check()?;
        let members = next.current().count();
        if members > MAX_MEMBERS as usize {
            return Err(LayoutError::TooManyMembers { members });
        }
        Ok(next)
    }

    /// What it was in that generation, or is where that is its own or a later one.
    #[must_use]
    pub fn at(&self, generation: u32) -> Self {
        let then = |span: Span| Span {
            added: span.added,
            removed: span.removed.filter(|removed| *removed <= generation),
        };
        let sites = self.sites.iter().filter(|site| site.span.added <= generation);
        let members = self.members.iter().filter(|member| member.span.added <= generation);
        Self {
            generation: generation.min(self.generation),
            sites: sites.map(|site| LayoutSite { span: then(site.span), ..*site }).collect(),
            members: members.map(|m| LayoutMember { span: then(m.span), ..*m }).collect(),
        }
    }

    /// Whether `old` became this by changes, or is the same.
    pub fn comes_from(&self, old: &Self) -> bool {
        let span = |now: Span, before: Span| {
            now.added == before.added
                && before.removed.is_none_or(|_| now.removed == before.removed)
        };
        let sites = self.sites.iter().zip(&old.sites);
        let members = self.members.iter().zip(&old.members);
        let is_later = |now: Span| now.added > old.generation;
        self.generation >= old.generation
            && (self.generation > old.generation || self == old)
            && self.sites.len() >= old.sites.len()
            && self.members.len() >= old.members.len()
            && sites.clone().all(|(a, b)| a.kind == b.kind && span(a.span, b.span))
            && members
                .clone()
                .all(|(a, b)| (a.role, a.site) == (b.role, b.site) && span(a.span, b.span))
            && self.sites[old.sites.len()..].iter().all(|site| is_later(site.span))
            && self.members[old.members.len()..].iter().all(|member| is_later(member.span))
    }

    /// This layout with what another one says of a site.
    pub(crate) fn with_site_of(mut self, other: &Self, number: u8) -> Self {
        let Some(site) = other.sites.iter().find(|s| s.number == number) else { return self };
        self.sites.retain(|s| s.number != number);
        let place = self.sites.partition_point(|s| s.number < number);
        self.sites.insert(place, *site);
        self
    }

    /// This layout with what another one says of a member.
    pub(crate) fn with_member_of(mut self, other: &Self, id: u32) -> Self {
        let Some(member) = other.member(id) else { return self };
        self.members.retain(|m| m.id != id);
        let place = self.members.partition_point(|m| m.id < id);
        self.members.insert(place, *member);
        self
    }

    /// This layout in that generation on its way to another one, with what came and went between the two.
    pub(crate) fn in_generation(self, generation: u32, other: &Self) -> Self {
        let gone = |span: Span| span.added > self.generation && !span.is_current();
        let sites = other.sites.iter().filter(|s| gone(s.span)).map(|s| s.number);
        let members = other.members.iter().filter(|m| gone(m.span)).map(|m| m.id);
        let (sites, members): (Vec<u8>, Vec<u32>) = (sites.collect(), members.collect());
        let at = Self { generation, ..self };
        let at = sites.into_iter().fold(at, |at, site| at.with_site_of(other, site));
        members.into_iter().fold(at, |at, id| at.with_member_of(other, id))
    }

    fn site(&self, number: u8) -> Result<&LayoutSite, LayoutError> {
        let found = self.sites.iter().find(|s| s.number == number && s.span.is_current());
        found.ok_or(LayoutError::NoSuchSite { site: number })
    }

    fn push_site(&mut self, kind: SiteKind, added: u32) -> Result<u8, LayoutError> {
        let had = self.sites.len();
        let number = u8::try_from(had + 1).ok().filter(|n| u32::from(*n) <= MAX_SITES);
        let number = number.ok_or(LayoutError::NoSiteLeft { had })?;
        self.sites.push(LayoutSite { number, kind, span: Span { added, removed: None } });
        Ok(number)
    }

    fn push_member(&mut self, role: Role, site: u8, added: u32) -> Result<(), LayoutError> {
        let kind = self.site(site)?.kind;
        let wrong = match role {
            Role::Postgres => kind != SiteKind::DataCenter,
            Role::Etcd | Role::Backup => false,
            Role::Proxy | Role::Wan => true,
        };
        if wrong {
            return Err(LayoutError::WrongPlace { role, site });
        }
        let had = |here: bool| {
            let same = |m: &&LayoutMember| m.role == role && (!here || m.site == site);
            u32::try_from(self.members.iter().filter(same).count()).unwrap_or(u32::MAX)
        };
        let before = had(true);
        let (first, max) = match role {
            Role::Postgres => (FIRST_POSTGRES_OCTET, MAX_NODES_PER_SITE),
            Role::Etcd => (FIRST_ETCD_OCTET, MAX_ETCD_PER_SITE),
            Role::Backup | Role::Proxy | Role::Wan => (BACKUP_OCTET, 1),
        };
        let full = LayoutError::NoAddressLeft { role, site, had: before };
        let octet = u8::try_from(u32::from(first) + before).ok().filter(|_| before < max);
        let octet = octet.ok_or(full)?;
        let number = if role == Role::Etcd { had(false) + 1 } else { before + 1 };
        let id = u32::try_from(self.members.len() + 1).expect("sites have addresses for fewer");
        let (address, span) = (address(site, octet), Span { added, removed: None });
        self.members.push(LayoutMember { id, role, site, number, address, span });
        Ok(())
    }

    fn remove_member(&mut self, id: u32, now: u32) -> Result<(), LayoutError> {
        let found = self
            .members
            .iter_mut()
            .find(|m| m.id == id && m.span.is_current() && m.span.added < now);
        let member = found.ok_or(LayoutError::NoSuchMember { id })?;
        if member.role == Role::Backup {
            return Err(LayoutError::BackupHostStays);
        }
        member.span.removed = Some(now);
        Ok(())
    }

    fn remove_site(&mut self, number: u8, now: u32) -> Result<(), LayoutError> {
        let site = *self.site(number)?;
        if site.kind == SiteKind::External {
            return Err(LayoutError::ExternalSiteStays);
        }
        let members = self.current().filter(|m| m.site == number).count();
        if members > 0 {
            return Err(LayoutError::SiteHasMembers { site: number, members });
        }
        if site.span.added == now {
            return Err(LayoutError::NoSuchSite { site: number });
        }
        self.sites[usize::from(number) - 1].span.removed = Some(now);
        Ok(())
    }

    /// What every cluster has: a data center with a node, an etcd member, and the backup host, in the external
    /// site where there is one; no member in a site that is gone.
    fn check(&self) -> Result<(), LayoutError> {
        let current = || self.sites.iter().filter(|site| site.span.is_current());
        let some = |role, site: u8| self.current().any(|m| m.role == role && m.site == site);
        let external: Vec<_> = current().filter(|s| s.kind == SiteKind::External).collect();
        match external.as_slice() {
            [] if self.sites.iter().any(|site| site.kind == SiteKind::External) => {
                return Err(LayoutError::ExternalSiteStays);
            }
            [] if self.current().filter(|m| m.role == Role::Backup).count() == 1 => {}
            [one] if some(Role::Backup, one.number) => {}
            [] | [_] => return Err(LayoutError::BackupHostStays),
            _ => return Err(LayoutError::ExternalSiteStays),
        }
        let mut data_centers = current().filter(|s| s.kind == SiteKind::DataCenter).peekable();
        if data_centers.peek().is_none() {
            return Err(LayoutError::NoDataCenter);
        }
        for site in data_centers {
            if !some(Role::Postgres, site.number) {
                return Err(LayoutError::LastNode { site: site.number });
            }
        }
        for member in self.current() {
            self.site(member.site)?;
        }
        if self.current().any(|m| m.role == Role::Etcd) { Ok(()) } else { Err(LayoutError::NoEtcd) }
    }
}

pub(crate) fn address(site: u8, member: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 18, site, member)
}
