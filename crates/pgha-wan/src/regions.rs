//! Round trips between named regions of cloud providers, from what was published about them.
//!
//! The numbers are data, in `regions/<provider>.csv`, each file with its source and date. Nothing
//! here is measured or interpolated: a pair that nobody published has no round trip.

use std::fmt;
use std::time::Duration;

use crate::preset::WanPreset;

/// Tables by provider.
const TABLES: &[(&str, &str)] = &[
    ("aws", include_str!("../regions/aws.csv")),
    ("azure", include_str!("../regions/azure.csv")),
    ("ibm", include_str!("../regions/ibm.csv")),
];

/// A region of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region {
    /// Such as `azure`.
    pub provider: &'static str,
    /// The provider's own name for it, such as `westeurope`.
    pub name: &'static str,
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.provider, self.name)
    }
}

/// Every region there is a table for, by provider and in the order of its table.
pub fn names() -> impl Iterator<Item = Region> {
    TABLES.iter().flat_map(|&(provider, table)| {
        let mut seen = Vec::new();
        for (a, b, _) in rows(table) {
            for name in [a, b] {
                if !seen.contains(&name) {
                    seen.push(name);
                }
            }
        }
        seen.into_iter().map(move |name| Region { provider, name })
    })
}

/// The region of that name, written `provider:region`.
pub fn find(text: &str) -> Option<Region> {
    let (provider, name) = text.split_once(':')?;
    names().find(|region| region.provider == provider && region.name == name)
}

/// The published round trip between two regions; within one region, that of the preset `metro`.
pub fn round_trip(a: Region, b: Region) -> Option<Duration> {
    if a == b {
        return Some(WanPreset::Metro.change().latency? * 2);
    }
    if a.provider != b.provider {
        return None;
    }
    let (_, table) = TABLES.iter().find(|(provider, _)| *provider == a.provider)?;
    rows(table)
        .find(|&(one, other, _)| {
            (one, other) == (a.name, b.name) || (one, other) == (b.name, a.name)
        })
        .map(|(_, _, round_trip)| round_trip)
}

/// The names most like a text that is none, the likest first; at most three.
pub fn nearest(text: &str) -> Vec<Region> {
    let (provider, name) = text.split_once(':').unwrap_or(("", text));
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_', ' '], "");
    let mut by_distance: Vec<(usize, Region)> = names()
        .map(|region| {
            let elsewhere = usize::from(!provider.is_empty() && region.provider != provider);
            (distance(&plain(name), &plain(region.name)) + elsewhere, region)
        })
        .collect();
    by_distance.sort();
    by_distance.into_iter().take(3).map(|(_, region)| region).collect()
}

/// Rows of a table: two regions and their round trip. Lines that begin with `#` are remarks.
///
/// # Panics
/// When a table of this program is not well-formed; the tests read all of them.
fn rows(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str, Duration)> {
    table.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| {
        let mut fields = line.split(',');
        let mut field = || fields.next().expect("a row has two regions and a round trip");
        let (a, b, ms) = (field(), field(), field());
        (a, b, Duration::from_millis(ms.parse().expect("a round trip is in whole milliseconds")))
    })
}

/// Letters to insert, remove or change to get from one text to the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    // Long texts are no region's name, and this takes time by the product of both lengths.
    let a: Vec<char> = a.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let change = diagonal + usize::from(*x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_every_pair_of_its_regions_once() {
        for &(provider, table) in TABLES {
            let here: Vec<_> = names().filter(|r| r.provider == provider).collect();
            assert!(here.len() >= 12, "{provider} has {} regions", here.len());
            assert_eq!(rows(table).count(), here.len() * (here.len() - 1) / 2, "{provider}");
            for a in &here {
                for b in &here {
                    let round_trip = round_trip(*a, *b).unwrap_or_default();
                    assert!(!round_trip.is_zero(), "{a} to {b}");
                    assert!(round_trip < Duration::from_millis(450), "{a} to {b}");
                }
            }
        }
    }

    #[test]
    fn a_slip_finds_the_region_that_was_meant() {
        for (slip, meant) in [
            ("azure:westeurop", "azure:westeurope"),
            ("azure:West Europe", "azure:westeurope"),
            ("japaneast", "azure:japaneast"),
            ("azure:east-us", "azure:eastus"),
            ("aws:us-east1", "aws:us-east-1"),
            ("ibm:eu-dk", "ibm:eu-de"),
        ] {
            assert_eq!(find(slip), None);
            assert_eq!(nearest(slip)[0].to_string(), meant, "{slip}");
        }
        assert_eq!(nearest(&"x".repeat(1_000_000)).len(), 3);
    }
}
