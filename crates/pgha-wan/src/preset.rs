//! Named distances: what `preset` in the cluster file and `--wan-preset` stand for.
//!
//! Every preset is the same between any two sites and in both directions; docs/wan.md has the
//! source of each number.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::settings::{Distribution, LinkChange, Share};
use crate::units::UnknownChoice;

/// How far sites are from each other, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WanPreset {
    /// Rooms of one building.
    Lan,
    /// Buildings of one city: the availability zones of a cloud region.
    Metro,
    /// The two coasts of a continent.
    Continental,
    /// Two continents with a third one between them.
    Global,
}

impl WanPreset {
    /// Every choice, from near to far.
    pub const ALL: [Self; 4] = [Self::Lan, Self::Metro, Self::Continental, Self::Global];

    /// The word for this choice on the command line and in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Metro => "metro",
            Self::Continental => "continental",
            Self::Global => "global",
        }
    }

    /// What of each direction it decides: latency, jitter and loss.
    pub fn change(self) -> LinkChange {
        let (latency_us, jitter_us, lost_per_million) = match self {
            Self::Lan => (250, 10, 0),
            Self::Metro => (1_000, 50, 0),
            Self::Continental => (33_000, 250, 10),
            Self::Global => (73_000, 500, 100),
        };
        LinkChange {
            latency: Some(Duration::from_micros(latency_us)),
            jitter: Some(Duration::from_micros(jitter_us)),
            distribution: Some(Distribution::Normal),
            loss: Some(Share::per_million(lost_per_million)),
            ..LinkChange::default()
        }
    }
}

impl fmt::Display for WanPreset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for WanPreset {
    type Err = UnknownChoice;

    fn from_str(word: &str) -> Result<Self, UnknownChoice> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == word).ok_or_else(|| UnknownChoice {
            given: word.to_owned(),
            known: Self::ALL.map(Self::as_str).join(", "),
        })
    }
}
