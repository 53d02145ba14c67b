//! What a setting is called.

use std::fmt;
use std::str::FromStr;

/// Settings of Patroni that are no setting of the cluster file's `[patroni]`.
const OF_PATRONI: [&str; 5] = [
    "pause",
    "standby_cluster",
    "synchronous_mode",
    "synchronous_mode_strict",
    "synchronous_node_count",
];

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A setting of Patroni, with all that is below it.
    Patroni(String),
    /// The lines of `pg_hba.conf`.
    Hba,
    /// Something else below `postgresql`, such as `use_slots`.
    Postgresql(String),
    /// A parameter of Postgres.
    Parameter(String),
}

/// What is the name of no setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Nothing.
    #[error("a setting without a name")]
    Empty,
    /// A part of a setting that is set as a whole.
    #[error("{0} is set as a whole")]
    Part(String),
}

impl FromStr for Key {
    type Err = BadKey;

    /// A name that Patroni has for a setting is that; every other is a parameter of Postgres, which
    /// `postgresql.parameters.` may stand before.
    fn from_str(word: &str) -> Result<Self, BadKey> {
        let word = word.trim();
        let is_patronis = |name: &str| {
            crate::lint::patroni_settings().any(|known| known == name) || OF_PATRONI.contains(&name)
        };
        let first = word.split('.').next().unwrap_or_default();
        let key = match word {
            "hba" | "pg_hba" | "postgresql.pg_hba" => Self::Hba,
            "failsafe" => Self::Patroni("failsafe_mode".to_owned()),
            "postgresql" | "postgresql.parameters" => return Err(BadKey::Part(word.to_owned())),
            name if is_patronis(name) => Self::Patroni(name.to_owned()),
            _ if is_patronis(first) => return Err(BadKey::Part(first.to_owned())),
            _ => match (
                word.strip_prefix("postgresql.parameters."),
                word.strip_prefix("postgresql."),
            ) {
                (Some(name), _) => Self::Parameter(name.to_owned()),
                (None, Some(name)) => Self::Postgresql(name.to_owned()),
                (None, None) => Self::Parameter(word.to_owned()),
            },
        };
        match &key {
            Self::Parameter(name) | Self::Postgresql(name) if name.is_empty() => Err(BadKey::Empty),
            _ => Ok(key),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Patroni(name) | Self::Parameter(name) => f.write_str(name),
            Self::Hba => f.write_str("hba"),
            Self::Postgresql(name) => write!(f, "postgresql.{name}"),
        }
    }
}
