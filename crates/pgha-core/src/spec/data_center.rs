//! `[[data_center]]` of the cluster file: what one data center has that differs from the others.
//!
//! The tables stand for `DC1`, `DC2` and so on, in order. What a table does not say is as in all data centers.
//! Whether the numbers fit is judged by the lint.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use pgha_wan::units::UnknownChoice;
use serde::{Deserialize, Serialize};

use super::{Spec, SpecError};

choice! {
    /// What a data center is for.
    SiteRole {
        /// Its nodes may lead and acknowledge.
        Primary = "primary",
        /// Its nodes never lead and never acknowledge: Patroni's tags `nofailover` and `nosync`.
        Standby = "standby",
    } default Primary
}

/// The value of a free tag: what Patroni takes in `tags`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a tag is true or false, a whole number or a text")]
pub enum TagValue {
    /// `true` or `false`.
    Truth(bool),
    /// A whole number.
    Whole(i64),
    /// A text.
    Text(String),
}

/// What one data center has that differs from the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataCenterSpec {
    /// Postgres nodes; `None` for as many as in all.
    pub nodes: Option<u32>,
    /// etcd members; `None` for as many as in all, or 1 where the planner would choose.
    pub etcd: Option<u32>,
    /// What it is for.
    pub role: SiteRole,
    /// Patroni's `failover_priority` of its nodes, from 1; of nodes that are equally far, the one with more leads.
    pub priority: Option<u32>,
    /// Patroni's tags of its nodes beside those that follow from role and priority.
    pub tags: BTreeMap<String, TagValue>,
}

/// One `[[data_center]]` of the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DataCenterV1 {
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etcd: Option<u32>,
    /// Another way to write `wan.regions`.
    #[serde(skip_serializing)]
    region: Option<String>,
    #[serde(skip_serializing_if = "is_primary")]
    role: SiteRole,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u32>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, TagValue>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_primary(role: &SiteRole) -> bool {
    *role == SiteRole::Primary
}

impl From<&DataCenterSpec> for DataCenterV1 {
    fn from(of: &DataCenterSpec) -> Self {
        let DataCenterSpec { nodes, etcd, role, priority, tags } = of.clone();
        Self { nodes, etcd, region: None, role, priority, tags }
    }
}

/// The tables as the model has them; their regions go to those of the WAN.
pub(super) fn read(
    tables: Vec<DataCenterV1>,
    regions: &mut BTreeMap<String, String>,
) -> Result<Vec<DataCenterSpec>, SpecError> {
    let mut all = Vec::with_capacity(tables.len());
    for (number, table) in (1u32..).zip(tables) {
        let DataCenterV1 { nodes, etcd, region, role, priority, tags } = table;
        if let Some(region) = region {
            let site = format!("DC{number}");
            if let Some(other) = regions.insert(site.clone(), region.clone()) {
                if other != region {
                    return Err(SpecError::RegionTwice { site, regions: [other, region] });
                }
            }
        }
        all.push(DataCenterSpec { nodes, etcd, role, priority, tags });
    }
    Ok(trimmed(all))
}

/// The tables without those at the end that say nothing.
fn trimmed(mut all: Vec<DataCenterSpec>) -> Vec<DataCenterSpec> {
    while all.last().is_some_and(|last| *last == DataCenterSpec::default()) {
        all.pop();
    }
    all
}

impl Spec {
    /// What is said of the data center of that number, from 1.
    pub fn data_center(&self, number: u32) -> Option<&DataCenterSpec> {
        self.each.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    /// Postgres nodes that the data center of that number is made with.
    pub fn nodes_in(&self, number: u32) -> u32 {
        self.data_center(number).and_then(|it| it.nodes).unwrap_or(self.nodes)
    }

    /// Postgres nodes in all data centers.
    pub fn all_nodes(&self) -> u32 {
        let each = (1..=self.data_centers).map(|number| self.nodes_in(number));
        each.fold(0, u32::saturating_add)
    }

    /// What the data center of that number is for.
    pub fn role_in(&self, number: u32) -> SiteRole {
        self.data_center(number).map(|it| it.role).unwrap_or_default()
    }

    /// The data centers whose nodes may lead.
    pub fn primaries(&self) -> impl Iterator<Item = u32> + '_ {
        (1..=self.data_centers).filter(|number| self.role_in(*number) == SiteRole::Primary)
    }

    /// Sites that it is made with: the data centers, and the external one where there is one.
    pub fn sites(&self) -> u32 {
        self.data_centers.saturating_add(self.external.into())
    }

    /// Data centers that may be lost: those beyond the ones that must suffice.
    pub fn may_fail(&self) -> u32 {
        self.data_centers.saturating_sub(self.must_suffice)
    }

    /// etcd members of each data center where the specification says; `None` lets the planner choose.
    pub fn etcd_each(&self) -> Option<Vec<u32>> {
        let said = self.etcd.is_some() || self.each.iter().any(|it| it.etcd.is_some());
        let each = |number| self.data_center(number).and_then(|it| it.etcd).or(self.etcd);
        said.then(|| (1..=self.data_centers).map(|number| each(number).unwrap_or(1)).collect())
    }

    /// Gives data centers these numbers of nodes: one for all, or one each, whose number then is that of
    /// data centers.
    pub fn set_nodes(&mut self, numbers: &[u32]) {
        let all = self.set_each(numbers, |it, number| it.nodes = number);
        self.nodes = all.unwrap_or(self.nodes);
    }

    /// The same of etcd members.
    pub fn set_etcd(&mut self, numbers: &[u32]) {
        let all = self.set_each(numbers, |it, number| it.etcd = number);
        self.etcd = all.or(self.etcd);
    }

    /// The number for all, where there is one.
    fn set_each(
        &mut self,
        numbers: &[u32],
        set: fn(&mut DataCenterSpec, Option<u32>),
    ) -> Option<u32> {
        for it in &mut self.each {
            set(it, None);
        }
        let (first, rest) = numbers.split_first()?;
        if !rest.is_empty() {
            self.data_centers = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        }
        if rest.iter().any(|number| number != first) {
            self.each.resize(self.each.len().max(numbers.len()), DataCenterSpec::default());
            for (it, number) in self.each.iter_mut().zip(numbers) {
                set(it, Some(*number));
            }
        }
        self.each = trimmed(std::mem::take(&mut self.each));
        rest.iter().all(|number| number == first).then_some(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_a_data_center_reads_back_from_the_canonical_file() {
        let text = r#"
            nodes = 2
            external = false
            [[data_center]]
            nodes = 3
            etcd = 2
            region = "azure:westeurope"
            priority = 2
            [[data_center]]
            [[data_center]]
            role = "standby"
            tags = { noloadbalance = true, rack = "r1", weight = 3 }
            [[data_center]]
        "#;
        let spec = Spec::from_toml(text).expect("it is a spec");
        assert_eq!(spec.data_centers, 4);
        assert_eq!((spec.nodes_in(1), spec.nodes_in(2), spec.all_nodes()), (3, 2, 9));
        assert_eq!(spec.etcd_each(), Some(vec![2, 1, 1, 1]));
        assert_eq!(spec.primaries().collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(spec.wan.regions["DC1"], "azure:westeurope");
        assert_eq!(spec.each.len(), 3);
        assert_eq!(Spec::from_toml(&spec.to_toml()), Ok(spec));
    }

    #[test]
    fn equal_data_centers_are_written_as_they_always_were() {
        let text = Spec { data_centers: 3, ..Spec::default() }.to_toml();
        assert!(!text.contains("external") && !text.contains("data_center]"), "{text}");
    }

    #[test]
    fn numbers_for_each_replace_what_the_file_says_and_equal_ones_are_one() {
        let mut spec =
            Spec::from_toml("[[data_center]]\nnodes = 4\npriority = 2\n").expect("a spec");
        spec.set_nodes(&[3, 1]);
        assert_eq!((spec.data_centers, spec.nodes_in(1), spec.nodes_in(2)), (2, 3, 1));
        assert_eq!(spec.each[0].priority, Some(2));
        spec.set_nodes(&[2, 2, 2]);
        assert_eq!((spec.data_centers, spec.nodes, spec.each.len()), (3, 2, 1));
        spec.set_etcd(&[2, 1, 0]);
        assert_eq!(spec.etcd_each(), Some(vec![2, 1, 0]));
        spec.set_etcd(&[1]);
        assert_eq!((spec.etcd, spec.etcd_each()), (Some(1), Some(vec![1, 1, 1])));
    }

    #[test]
    fn a_region_is_given_once() {
        let twice = "[wan.regions]\nDC1 = \"aws:a\"\n[[data_center]]\nregion = \"aws:b\"\n";
        assert!(matches!(Spec::from_toml(twice), Err(SpecError::RegionTwice { .. })));
        assert!(Spec::from_toml(&twice.replace(":b", ":a")).is_ok());
    }

    #[test]
    fn a_bad_value_is_refused_with_its_line() {
        for bad in ["role = \"witness\"", "priority = -1", "tags = { a = 1.5 }", "zone = 1"] {
            let error = Spec::from_toml(&format!("[[data_center]]\n{bad}\n")).expect_err(bad);
            assert!(error.to_string().contains("line 2"), "{error}");
        }
    }
}
