//! The cluster screen: a headline, what one more loss would do, problems, and each site with its members.

mod rows;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::{Memory, NextLoss, ago, next_losses};
use crate::status::{ClusterView, EtcdView, Problem, Tally};

pub use rows::{MemberRow, SiteRows, Standing};

/// Everything on the cluster screen at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Board {
    /// Cluster name.
    pub cluster: String,
    /// Instance number.
    pub instance: u32,
    /// How old the latest look is, in milliseconds.
    pub age_ms: u64,
    /// Whether it tells how the cluster is now; where not, everything is as last seen.
    pub current: bool,
    /// Why there is no newer look.
    pub failure: Option<String>,
    /// The cluster as a whole.
    pub headline: Headline,
    /// What one more loss would do, the worst first.
    pub next_losses: Vec<NextLoss>,
    /// What is wrong, the worst first; those of the latest look.
    pub problems: Vec<Problem>,
    /// Each site with its members, then the router.
    pub sites: Vec<SiteRows>,
}

/// The cluster as a whole; what is not known is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Headline {
    /// The leader.
    pub leader: Option<String>,
    /// Its site.
    pub leader_site: Option<String>,
    /// Its timeline.
    pub timeline: Option<u64>,
    /// Who led last, where nobody is known to lead now.
    pub last_leader: Option<String>,
    /// How long ago that was seen, in milliseconds.
    pub last_leader_ago_ms: Option<u64>,
    /// etcd members in touch with each other, and how many it takes.
    pub quorum: Option<Tally>,
    /// How many etcd members there are.
    pub etcd_members: usize,
    /// Which etcd member leads.
    pub etcd_leader: Option<String>,
    /// The durability that Patroni runs with.
    pub durability: Option<String>,
    /// Standbys that acknowledge each commit, and how many are asked for.
    pub acknowledging: Option<Tally>,
    /// Bytes of WAL that the leader writes in a second.
    pub wal_bytes_per_s: Option<u64>,
}

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Line<'a> {
    /// A site.
    Site(&'a SiteRows),
    /// A member of the site above.
    Member(&'a MemberRow),
    /// What is to be said of the member above.
    Note(&'a str),
}

impl<'a> Line<'a> {
    /// The site or member that can be chosen in it.
    pub fn id(self) -> Option<&'a str> {
        match self {
            Self::Site(site) => Some(&site.name),
            Self::Member(member) => Some(&member.name),
            Self::Note(_) => None,
        }
    }
}

impl Board {
    /// What there is to show; `None` until the first look.
    pub fn of(memory: &Memory, now_ms: u64) -> Option<Self> {
        let view = memory.view()?;
        let current = memory.is_current(now_ms);
        Some(Self {
            cluster: view.cluster.clone(),
            instance: view.instance,
            age_ms: memory.age_ms(now_ms).unwrap_or_default(),
            current,
            failure: memory.failure().map(str::to_owned),
            headline: Headline::of(view, memory, now_ms, current),
            next_losses: if current { next_losses(view) } else { Vec::new() },
            problems: view.problems.clone(),
            sites: rows::sites(view, memory, now_ms, current),
        })
    }

    /// `demo-1`.
    pub fn id(&self) -> String {
        format!("{}-{}", self.cluster, self.instance)
    }

    /// The member of that name.
    pub fn member(&self, name: &str) -> Option<&MemberRow> {
        self.sites.iter().flat_map(|site| &site.members).find(|member| member.name == name)
    }

    /// The table in at most `room` lines, where that is enough for a line for each site and each member that something is
    /// to be said of. Then sites with such members come first, and of the others as many are whole as there is room for.
    pub fn lines(&self, room: usize) -> Vec<Line<'_>> {
        let whole: Vec<Line<'_>> =
            self.sites.iter().flat_map(|site| lines_of(site, site.members.iter())).collect();
        if whole.len() <= room {
            return whole;
        }
        let (ill, well): (Vec<_>, Vec<_>) = self.sites.iter().partition(|site| site.is_ill());
        let mut lines: Vec<Line<'_>> =
            ill.into_iter().flat_map(|site| lines_of(site, site.ill_members())).collect();
        let mut left = room.saturating_sub(lines.len() + well.len());
        for site in well {
            let of_site = lines_of(site, site.members.iter());
            match left.checked_sub(of_site.len() - 1) {
                Some(still) => {
                    left = still;
                    lines.extend(of_site);
                }
                None => lines.push(Line::Site(site)),
            }
        }
        lines
    }
}

fn lines_of<'a>(site: &'a SiteRows, members: impl Iterator<Item = &'a MemberRow>) -> Vec<Line<'a>> {
    let of_member = |member: &'a MemberRow| {
        [Line::Member(member)].into_iter().chain(member.note.as_deref().map(Line::Note))
    };
    [Line::Site(site)].into_iter().chain(members.flat_map(of_member)).collect()
}

impl Headline {
    fn of(view: &ClusterView, memory: &Memory, now_ms: u64, current: bool) -> Self {
        let now = Some(view).filter(|_| current);
        let leader = now.and_then(|view| view.leader.clone());
        let node = leader.as_ref().and_then(|leader| view.member(leader));
        let last = memory.last_leader(now_ms).filter(|_| leader.is_none());
        let leads = |etcd: &&EtcdView| etcd.leader == Some(true);
        Self {
            leader_site: node.and_then(|node| node.site.clone()),
            timeline: node.and_then(|node| node.timeline),
            last_leader: last.map(|(name, _)| name.to_owned()),
            last_leader_ago_ms: last.map(|(_, ago)| ago),
            quorum: now.map(|view| view.quorum),
            etcd_members: view.etcd.len(),
            etcd_leader: now.and_then(|v| v.etcd.iter().find(leads)).map(|etcd| etcd.name.clone()),
            durability: now.and_then(|v| v.settings).map(|s| s.durability().to_string()),
            acknowledging: now.map(|view| view.acknowledging),
            wal_bytes_per_s: memory.trail().rate().filter(|_| leader.is_some()),
            leader,
        }
    }

    /// `leader pgha-demo1-DC1-1 (DC1), timeline 1`, or who led last.
    pub fn leader_words(&self) -> String {
        match (&self.leader, &self.last_leader, self.last_leader_ago_ms) {
            (Some(leader), ..) => {
                let site = self.leader_site.as_ref().map(|site| format!(" ({site})"));
                let timeline = self.timeline.map(|timeline| format!(", timeline {timeline}"));
                format!(
                    "leader {leader}{}{}",
                    site.unwrap_or_default(),
                    timeline.unwrap_or_default()
                )
            }
            (None, Some(last), Some(ms)) => {
                format!("no leader known, {last} was seen {} ago", ago(ms))
            }
            _ => "no leader known".to_owned(),
        }
    }
}
