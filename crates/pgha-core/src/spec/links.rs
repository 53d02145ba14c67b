//! What the user asked of the distances between sites: `[wan]` and `[[link]]` of the cluster file.
//!
//! Holds the words of the file alone. What they mean for each direction is worked out in
//! [`crate::links::asked`], and whether it is wise is judged by the lint.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pgha_wan::preset::WanPreset;
use pgha_wan::settings::LinkChange;
use serde::{Deserialize, Serialize};

use super::SpecError;

mod read;

/// The seed of a cluster that names none.
pub const DEFAULT_SEED: u64 = 1;
/// The largest seed: integers of TOML go no further.
pub const SEED_MAX: u64 = i64::MAX as u64;

/// What holds for the distances as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WanSpec {
    /// What every pair of sites starts from; `None` for no distance.
    pub preset: Option<WanPreset>,
    /// What all randomness comes from, at most [`SEED_MAX`]; `None` for [`DEFAULT_SEED`].
    pub seed: Option<u64>,
    /// Distances hold while the cluster comes up, and not only once it is ready.
    pub from_start: bool,
    /// The region that a site stands for, as `provider:region`, by site.
    pub regions: BTreeMap<String, String>,
}

impl WanSpec {
    /// The seed in force.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(DEFAULT_SEED)
    }
}

/// What is asked of the links between two sites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSpec {
    /// Which of them.
    pub ends: LinkEnds,
    /// What differs from the preset and the regions.
    pub change: LinkChange,
}

impl LinkSpec {
    /// Both directions between two sites, with a delay each.
    pub fn between(a: &str, b: &str, latency: Duration) -> Self {
        Self {
            ends: LinkEnds::Between([a.to_owned(), b.to_owned()]),
            change: LinkChange { latency: Some(latency), ..LinkChange::default() },
        }
    }

    /// One direction, with its delay.
    pub fn one_way(from: &str, to: &str, latency: Duration) -> Self {
        Self {
            ends: LinkEnds::OneWay { from: from.to_owned(), to: to.to_owned() },
            change: LinkChange { latency: Some(latency), ..LinkChange::default() },
        }
    }
}

/// Which directions a [`LinkSpec`] is about. One direction goes before both, so it is ordered after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkEnds {
    /// Both directions.
    Between([String; 2]),
    /// One of them.
    OneWay {
        /// Where packets come from.
        from: String,
        /// Where they go.
        to: String,
    },
}

impl LinkEnds {
    /// The two sites, in the order of the packets where it is one direction.
    pub fn sites(&self) -> [&str; 2] {
        match self {
            Self::Between([a, b]) => [a, b],
            Self::OneWay { from, to } => [from, to],
        }
    }

    /// Whether packets from one site to the other are meant.
    pub fn covers(&self, from: &str, to: &str) -> bool {
        let [a, b] = self.sites();
        (a, b) == (from, to) || (matches!(self, Self::Between(_)) && (b, a) == (from, to))
    }
}

impl std::fmt::Display for LinkEnds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Between([a, b]) => write!(f, "between {a} and {b}"),
            Self::OneWay { from, to } => write!(f, "from {from} to {to}"),
        }
    }
}

/// `[wan]` of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WanV1 {
    #[serde(skip_serializing_if = "Option::is_none")]
    preset: Option<WanPreset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    from_start: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    regions: BTreeMap<String, String>,
}

impl WanV1 {
    pub(super) fn says_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl TryFrom<WanV1> for WanSpec {
    type Error = SpecError;

    fn try_from(file: WanV1) -> Result<Self, SpecError> {
        if let Some(seed) = file.seed.filter(|&seed| seed > SEED_MAX) {
            return Err(SpecError::Seed(seed));
        }
        let WanV1 { preset, seed, from_start, regions } = file;
        Ok(Self { preset, seed, from_start, regions })
    }
}

impl From<&WanSpec> for WanV1 {
    fn from(wan: &WanSpec) -> Self {
        Self {
            preset: wan.preset,
            seed: wan.seed.map(|seed| seed.min(SEED_MAX)),
            from_start: wan.from_start,
            regions: wan.regions.clone(),
        }
    }
}

/// One `[[link]]` of the file: its ends, and beside them the keys of a [`LinkChange`].
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct LinkV1 {
    #[serde(skip_serializing_if = "Option::is_none")]
    between: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(flatten)]
    change: LinkChange,
}

impl TryFrom<LinkV1> for LinkSpec {
    type Error = SpecError;

    fn try_from(link: LinkV1) -> Result<Self, SpecError> {
        let ends = match (link.between, link.from, link.to) {
            (Some(between), None, None) => {
                let mut between: [String; 2] = between
                    .try_into()
                    .map_err(|ends| SpecError::LinkEnds(format!("between {ends:?}")))?;
                between.sort();
                LinkEnds::Between(between)
            }
            (None, Some(from), Some(to)) => LinkEnds::OneWay { from, to },
            (None, None, None) => return Err(SpecError::LinkEnds("without any".to_owned())),
            (Some(_), _, _) => {
                return Err(SpecError::LinkEnds("with `between` and `from` or `to`".to_owned()));
            }
            (None, Some(from), None) => {
                return Err(SpecError::LinkEnds(format!("from {from:?} without `to`")));
            }
            (None, None, Some(to)) => {
                return Err(SpecError::LinkEnds(format!("to {to:?} without `from`")));
            }
        };
        if link.change == LinkChange::default() {
            return Err(SpecError::LinkSaysNothing(ends.to_string()));
        }
        Ok(Self { ends, change: link.change })
    }
}

impl From<&LinkSpec> for LinkV1 {
    fn from(link: &LinkSpec) -> Self {
        let (between, from, to) = match link.ends.clone() {
            LinkEnds::Between(between) => (Some(between.to_vec()), None, None),
            LinkEnds::OneWay { from, to } => (None, Some(from), Some(to)),
        };
        Self { between, from, to, change: link.change.clone() }
    }
}

/// All links of a file, sorted by what goes before what, then by site.
pub(super) fn sorted(links: Vec<LinkV1>) -> Result<Vec<LinkSpec>, SpecError> {
    let mut seen = BTreeSet::new();
    let mut sorted = Vec::with_capacity(links.len());
    for link in links {
        let link = LinkSpec::try_from(link)?;
        if !seen.insert(link.ends.clone()) {
            return Err(SpecError::LinkTwice(link.ends.to_string()));
        }
        sorted.push(link);
    }
    sorted.sort_by(|a, b| a.ends.cmp(&b.ends));
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use pgha_wan::settings::RateLimit;

    use super::*;
    use crate::spec::Spec;

    fn read(text: &str) -> Result<Spec, SpecError> {
        Spec::from_toml(text)
    }

    #[test]
    fn every_key_of_a_link_and_of_the_wan_reads_back_from_the_canonical_file() {
        let text = r#"
            data_centers = 2
            [wan]
            preset = "metro"
            seed = 7
            from_start = true
            [wan.regions]
            DC1 = "azure:westeurope"
            [[link]]
            between = ["DC2", "DC1"]
            latency = "40ms"
            jitter = "1500us"
            distribution = "pareto"
            loss = "0.5%"
            burst = 10
            burst_loss = "80%"
            duplicate = "0.1%"
            reorder = "1%"
            rate = "100mbit"
            queue = "256kb"
            mtu = 1400
            cut = false
            [[link]]
            from = "DC3"
            to = "DC1"
            rate = "unlimited"
        "#;
        let spec = read(text).expect("it is a spec");
        assert_eq!(spec.links.len(), 2);
        assert_eq!(spec.links[0].ends, LinkEnds::Between(["DC1".into(), "DC2".into()]));
        assert_eq!(spec.links[1].change.rate, Some(RateLimit(None)));
        assert_eq!(spec.wan.seed(), 7);
        assert_eq!(read(&spec.to_toml()), Ok(spec));
    }

    #[test]
    fn a_file_without_distances_says_nothing_of_the_wan() {
        assert!(!Spec::default().to_toml().contains("wan"));
    }

    #[test]
    fn one_link_cannot_be_given_twice_in_either_order() {
        let both = r#"
            [[link]]
            between = ["DC1", "DC2"]
            latency = "1ms"
            [[link]]
            between = ["DC2", "DC1"]
            latency = "2ms"
        "#;
        assert_eq!(read(both), Err(SpecError::LinkTwice("between DC1 and DC2".into())));
        let one = r#"
            [[link]]
            from = "DC1"
            to = "DC2"
            latency = "1ms"
            [[link]]
            from = "DC1"
            to = "DC2"
            loss = "1%"
        "#;
        assert_eq!(read(one), Err(SpecError::LinkTwice("from DC1 to DC2".into())));
        assert!(
            read(&one.replacen(
                "from = \"DC1\"\n            to = \"DC2\"",
                "from = \"DC2\"\n            to = \"DC1\"",
                1
            ))
            .is_ok()
        );
    }

    #[test]
    fn a_link_names_two_ends_in_one_way_and_says_something() {
        for bad in [
            "[[link]]\nlatency = \"1ms\"\n",
            "[[link]]\nbetween = [\"DC1\"]\nlatency = \"1ms\"\n",
            "[[link]]\nfrom = \"DC1\"\nlatency = \"1ms\"\n",
            "[[link]]\nto = \"DC1\"\nlatency = \"1ms\"\n",
            "[[link]]\nbetween = [\"DC1\", \"DC2\"]\nfrom = \"DC1\"\nlatency = \"1ms\"\n",
        ] {
            assert!(matches!(read(bad), Err(SpecError::LinkEnds(_))), "{bad}");
        }
        let nothing = "[[link]]\nbetween = [\"DC1\", \"DC2\"]\n";
        assert!(matches!(read(nothing), Err(SpecError::LinkSaysNothing(_))));
    }

    #[test]
    fn a_bad_value_of_a_link_is_refused_with_its_line() {
        for bad in [
            "latency = \"40\"",
            "latency = \"-1ms\"",
            "loss = \"101%\"",
            "loss = 0.5",
            "rate = \"fast\"",
            "mtu = 70000",
            "distribution = \"gamma\"",
            "latenzy = \"1ms\"",
        ] {
            let text = format!("[[link]]\nbetween = [\"DC1\", \"DC2\"]\n{bad}\n");
            let error = read(&text).expect_err(bad).to_string();
            assert!(error.contains("line 3"), "{error}");
        }
    }
}
