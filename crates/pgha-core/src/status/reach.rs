//! Which sites reach each other: by the links that are cut, and by the router.

use std::collections::BTreeSet;

use pgha_wan::service::Service;

use super::{ContainerState, Known};

impl Known<'_> {
    /// The router said how its links are, or does not run, so that nothing passes.
    fn links_known(&self) -> bool {
        self.observed.links.is_some() || !self.router_runs()
    }

    pub(super) fn router_runs(&self) -> bool {
        self.container_state(&self.topology.router()) == ContainerState::Running
    }

    /// A connection between two sites is not possible, or not all the time, to this service where one is named: a direction of it is cut.
    pub(super) fn cut_between(&self, a: &str, b: &str, service: Option<Service>) -> bool {
        if a == b {
            return false;
        }
        let links = self.observed.links.iter().flat_map(|state| &state.links);
        let mut cut = links
            .filter(|link| link.settings.cut.is_asked() || link.settings.cuts(service).is_asked());
        !self.router_runs() || cut.any(|l| (l.from == a && l.to == b) || (l.from == b && l.to == a))
    }

    /// Name of the site of a member.
    pub(super) fn site_of(&self, member: &str) -> Option<&str> {
        let member = self.topology.member(member)?;
        Some(&self.topology.site(member.site).name)
    }

    fn site_runs(&self, site: &str) -> bool {
        let runs = |name: &str| self.container_state(name) == ContainerState::Running;
        self.topology
            .members
            .iter()
            .any(|m| self.topology.site(m.site).name == site && runs(&m.name))
    }

    /// The sites that run and reach a site, or this service there, by way of others too; it is among them.
    fn group_of(&self, site: &str, service: Option<Service>) -> BTreeSet<&str> {
        let mut group: BTreeSet<&str> = BTreeSet::new();
        loop {
            let joins = |name: &str| {
                name == site || group.iter().any(|there| !self.cut_between(there, name, service))
            };
            let more: BTreeSet<&str> = self
                .topology
                .sites
                .iter()
                .map(|s| s.name.as_str())
                .filter(|name| self.site_runs(name) && joins(name))
                .collect();
            if more.len() == group.len() {
                return group;
            }
            group = more;
        }
    }

    /// The sites that reach the leader's, or where nobody leads the largest group by etcd members; `None`
    /// where the links are not known.
    pub(super) fn reachable_sites(&self, service: Option<Service>) -> Option<BTreeSet<&str>> {
        if !self.links_known() {
            return None;
        }
        if let Some(site) = self.leader().and_then(|(name, _)| self.site_of(name)) {
            return Some(self.group_of(site, service));
        }
        let alive = |group: &BTreeSet<&str>| {
            let etcd = self.topology.of_role(crate::topology::Role::Etcd);
            let there = |name: &str| self.site_of(name).is_some_and(|site| group.contains(site));
            etcd.filter(|m| {
                there(&m.name) && self.container_state(&m.name) == ContainerState::Running
            })
            .count()
        };
        let groups = self.topology.sites.iter().map(|site| self.group_of(&site.name, service));
        // Of two as large the first one.
        groups.reduce(|best, next| if alive(&next) > alive(&best) { next } else { best })
    }

    /// Sites that run and that the others do not reach, or this service there.
    pub(super) fn isolated_sites(&self, service: Option<Service>) -> Vec<&str> {
        let Some(reachable) = self.reachable_sites(service) else { return Vec::new() };
        let sites = self.topology.sites.iter().map(|s| s.name.as_str());
        sites.filter(|name| self.site_runs(name) && !reachable.contains(name)).collect()
    }
}
