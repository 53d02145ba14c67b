//! What the user asked for: the cluster specification and its file format.
//!
//! [`SpecV1`] is the file format (TOML, unknown keys refused); [`Spec`] is the model everything
//! else works on. Values that are merely unwise are kept here and judged by [`crate::lint`]; only
//! what cannot be expressed as a number, a name or a choice is refused while parsing.

mod links;

use std::fmt;
use std::str::FromStr;

use pgha_wan::units::UnknownChoice;
use serde::{Deserialize, Serialize};

pub use links::{DEFAULT_SEED, LinkEnds, LinkSpec, SEED_MAX, WanSpec};
use links::{LinkV1, WanV1};

/// The longest cluster name, in bytes: with prefix, site and instance it must stay a DNS label (63).
pub const NAME_MAX_LEN: usize = 24;

/// What the user asked for, complete with defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Cluster name, `[a-z]+`, at most [`NAME_MAX_LEN`] bytes (checked by the lint).
    pub name: String,
    /// Data centers (`-d`).
    pub data_centers: u32,
    /// Postgres nodes in each data center (`-c`) that [`Self::each`] says nothing else of; see [`Self::nodes_in`].
    pub nodes: u32,
    /// etcd members in each data center (`-e`), likewise; `None` lets the planner choose. See [`Self::etcd_each`].
    pub etcd: Option<u32>,
    /// What data centers have that differs, `DC1` first; none at the end that says nothing.
    pub each: Vec<DataCenterSpec>,
    /// Whether there is a site without Postgres; without it the backup host is in the last data center.
    pub external: bool,
    /// Data centers that must suffice after a failure (`-m`).
    pub must_suffice: u32,
    /// Postgres major version (`-v`).
    pub postgres: u32,
    /// Patroni in the background, the container outlives it (`-b`).
    pub background: bool,
    /// Who must have a write before it is acknowledged.
    pub durability: Durability,
    /// Which standbys acknowledge it.
    pub acknowledge: Acknowledge,
    /// Patroni's timers.
    pub timers: TimerPreset,
    /// How etcd members are placed.
    pub placement: PlacementRule,
    /// How pgBackRest reaches the other side.
    pub backup_transport: BackupTransport,
    /// How backups and the archive are kept.
    pub backup: BackupSpec,
    /// What the database is asked to be, beside its version.
    pub server: PostgresSpec,
    /// What Patroni's dynamic configuration starts with.
    pub patroni: PatroniSpec,
    /// The proxies of each data center.
    pub proxy: ProxySpec,
    /// What holds for the distances between sites as a whole.
    pub wan: WanSpec,
    /// What is asked of the links between two sites; see [`crate::links::asked`].
    pub links: Vec<LinkSpec>,
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? } default $default:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every choice, in the order the documentation lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for this choice on the command line and in the file.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl Default for $name {
            fn default() -> Self { Self::$default }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }

        impl FromStr for $name {
            type Err = UnknownChoice;
            fn from_str(word: &str) -> Result<Self, UnknownChoice> {
                Self::ALL.iter().copied().find(|c| c.as_str() == word).ok_or_else(|| UnknownChoice {
                    given: word.to_owned(),
                    known: Self::ALL.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

mod amount;
mod backup;
mod data_center;
mod patroni;
mod postgres;
mod proxy;

use data_center::DataCenterV1;
pub use data_center::{DataCenterSpec, SiteRole, TagValue};

pub use amount::{Bytes, Cpus, NoBytes};
pub use backup::{BackupSpec, Compression, Encryption, Repo2, UriStyle};
pub use patroni::PatroniSpec;
use postgres::PostgresV1;
pub use postgres::{Database, PostgresSpec};
pub use proxy::ProxySpec;

choice! {
    /// Who must have a write before the client is told that it is committed.
    Durability {
        /// The leader alone.
        Async = "async",
        /// As many standbys as [`Acknowledge`] makes necessary, chosen by Patroni; fewer when fewer are left.
        Sync = "sync",
        /// As `sync`, but writes wait when no standby is left.
        Strict = "strict",
        /// Any standbys, as many as for `sync`.
        Quorum = "quorum",
        /// As `quorum`, but writes wait when no standby is left.
        QuorumStrict = "quorum-strict",
    } default Async
}

impl Durability {
    /// Whether writes wait where no standby is left to acknowledge them.
    pub fn is_strict(self) -> bool {
        matches!(self, Self::Strict | Self::QuorumStrict)
    }
}

choice! {
    /// Which standbys acknowledge a write, where a standby has to.
    Acknowledge {
        /// As many as the leader's site has nodes, so that one in another site is among them.
        Remote = "remote",
        /// One in the leader's site.
        Local = "local",
        /// One in any site.
        Any = "any",
    } default Remote
}

choice! {
    /// Patroni's `ttl`, `loop_wait` and `retry_timeout`.
    TimerPreset {
        /// 30 / 10 / 10 s, Patroni's own defaults.
        Default = "default",
        /// 20 / 5 / 5 s.
        Fast = "fast",
        /// 30 / 5 / 10 s.
        Norm = "norm",
        /// 60 / 10 / 20 s.
        Safe = "safe",
        /// 120 / 20 / 30 s.
        Wide = "wide",
    } default Default
}

choice! {
    /// How etcd members are placed over the sites.
    PlacementRule {
        /// The smallest odd number that survives what was asked.
        Computed = "computed",
        /// The numbers of the earlier bash scripts, exactly.
        Classic = "classic",
    } default Computed
}

choice! {
    /// How pgBackRest on one host talks to pgBackRest on another.
    BackupTransport {
        /// pgBackRest's own TLS server with certificates of this cluster.
        Tls = "tls",
        /// SSH with keys of this cluster.
        Ssh = "ssh",
    } default Tls
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            name: "demo".to_owned(),
            data_centers: 1,
            nodes: 2,
            etcd: None,
            each: Vec::new(),
            external: true,
            must_suffice: 1,
            postgres: 17,
            background: false,
            durability: Durability::default(),
            acknowledge: Acknowledge::default(),
            timers: TimerPreset::default(),
            placement: PlacementRule::default(),
            backup_transport: BackupTransport::default(),
            backup: BackupSpec::default(),
            server: PostgresSpec::default(),
            patroni: PatroniSpec::default(),
            proxy: ProxySpec::default(),
            wan: WanSpec::default(),
            links: Vec::new(),
        }
    }
}

impl Spec {
    /// Parses a `cluster.toml`.
    ///
    /// # Errors
    /// When the text is not TOML, has an unknown key, a value of the wrong type or an unknown
    /// choice; the message has line, column and a caret.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        let file: SpecV1 = toml::from_str(text).map_err(|e| SpecError::Toml(e.to_string()))?;
        if file.version != 1 {
            return Err(SpecError::Version(file.version));
        }
        Self::try_from(file)
    }

    /// Whether a new database is set up with anything.
    pub fn sets_up(&self) -> bool {
        self.server.sets_up() || self.proxy.pgbouncer
    }

    /// The canonical `cluster.toml`: every value stated, links sorted by site; the number of etcd
    /// members, the seed and distances only where they were given.
    ///
    /// # Panics
    /// Never: numbers, words and tables are always TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(&SpecV1::from(self)).expect("numbers, words and tables are always TOML")
    }
}

/// Why a `cluster.toml` cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("{0}")]
    Toml(String),
    /// A format version that this pgha does not know.
    #[error("the file says `version = {0}`, and this pgha knows version 1")]
    Version(u32),
    /// The same pair of sites twice, or the same direction.
    #[error("the link {0} is given twice")]
    LinkTwice(String),
    /// A link that does not name exactly two sites, in one of the two ways.
    #[error(
        "a link has two ends: `between = [\"DC1\", \"DC2\"]` for both directions, or \
         `from = \"DC1\"` and `to = \"DC2\"` for one; there is a link {0}"
    )]
    LinkEnds(String),
    /// A link without any setting.
    #[error("the link {0} says nothing: give it a latency, for example")]
    LinkSaysNothing(String),
    /// Two regions for one site.
    #[error(
        "{site} is in the region {:?} by [wan.regions], and in {:?} by [[data_center]]: leave one out",
        regions[0], regions[1]
    )]
    RegionTwice {
        /// The site.
        site: String,
        /// The two.
        regions: [String; 2],
    },
    /// A seed beyond the integers of TOML.
    #[error("the seed {0} is more than {SEED_MAX}, the largest integer of TOML")]
    Seed(u64),
}

/// The file format, version 1. Durations carry their unit: `"40ms"`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpecV1 {
    /// Format version; 1 where absent.
    #[serde(default = "one")]
    version: u32,
    #[serde(default = "default_name")]
    name: String,
    /// As many as there are tables where absent, and at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_centers: Option<u32>,
    #[serde(default = "two")]
    nodes: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etcd: Option<u32>,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    external: bool,
    #[serde(default = "one")]
    must_suffice: u32,
    #[serde(default = "version_alone")]
    postgres: PostgresV1,
    #[serde(default)]
    background: bool,
    #[serde(default)]
    durability: Durability,
    #[serde(default)]
    acknowledge: Acknowledge,
    #[serde(default)]
    timers: TimerPreset,
    #[serde(default)]
    placement: PlacementRule,
    #[serde(default)]
    backup_transport: BackupTransport,
    #[serde(default)]
    backup: BackupSpec,
    #[serde(default, skip_serializing_if = "PatroniSpec::is_empty")]
    patroni: PatroniSpec,
    #[serde(default, skip_serializing_if = "ProxySpec::is_none")]
    proxy: ProxySpec,
    #[serde(default, skip_serializing_if = "WanV1::says_nothing")]
    wan: WanV1,
    #[serde(default, rename = "data_center", skip_serializing_if = "Vec::is_empty")]
    each: Vec<DataCenterV1>,
    #[serde(default, rename = "link", skip_serializing_if = "Vec::is_empty")]
    links: Vec<LinkV1>,
}

fn one() -> u32 {
    1
}
fn two() -> u32 {
    2
}
fn yes() -> bool {
    true
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_yes(flag: &bool) -> bool {
    *flag
}
fn default_name() -> String {
    Spec::default().name
}
fn default_postgres() -> u32 {
    Spec::default().postgres
}
fn version_alone() -> PostgresV1 {
    PostgresV1 { version: default_postgres(), table: PostgresSpec::default() }
}

impl TryFrom<SpecV1> for Spec {
    type Error = SpecError;

    fn try_from(file: SpecV1) -> Result<Self, SpecError> {
        let mut wan: WanSpec = file.wan.try_into()?;
        let tables = u32::try_from(file.each.len()).unwrap_or(u32::MAX);
        let each = data_center::read(file.each, &mut wan.regions)?;
        Ok(Self {
            name: file.name,
            data_centers: file.data_centers.unwrap_or(tables.max(1)),
            nodes: file.nodes,
            etcd: file.etcd,
            each,
            external: file.external,
            must_suffice: file.must_suffice,
            postgres: file.postgres.version,
            background: file.background,
            durability: file.durability,
            acknowledge: file.acknowledge,
            timers: file.timers,
            placement: file.placement,
            backup_transport: file.backup_transport,
            backup: file.backup,
            server: file.postgres.table,
            patroni: file.patroni,
            proxy: file.proxy,
            wan,
            links: links::sorted(file.links)?,
        })
    }
}

impl From<&Spec> for SpecV1 {
    fn from(spec: &Spec) -> Self {
        Self {
            version: 1,
            name: spec.name.clone(),
            data_centers: Some(spec.data_centers),
            nodes: spec.nodes,
            etcd: spec.etcd,
            each: spec.each.iter().map(DataCenterV1::from).collect(),
            external: spec.external,
            must_suffice: spec.must_suffice,
            postgres: PostgresV1 { version: spec.postgres, table: spec.server.clone() },
            background: spec.background,
            durability: spec.durability,
            acknowledge: spec.acknowledge,
            timers: spec.timers,
            placement: spec.placement,
            backup_transport: spec.backup_transport,
            backup: spec.backup.clone(),
            patroni: spec.patroni.clone(),
            proxy: spec.proxy,
            wan: WanV1::from(&spec.wan),
            links: spec.links.iter().map(LinkV1::from).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_empty_file_is_the_default_spec() {
        assert_eq!(Spec::from_toml(""), Ok(Spec::default()));
    }

    #[test]
    fn the_canonical_file_reads_back_as_the_same_spec() {
        let spec = Spec {
            etcd: Some(2),
            data_centers: 3,
            durability: Durability::Quorum,
            links: vec![LinkSpec::between("DC1", "DC2", Duration::from_millis(40))],
            ..Spec::default()
        };
        assert_eq!(Spec::from_toml(&spec.to_toml()), Ok(spec));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place() {
        let error = Spec::from_toml("name = \"demo\"\ndatacenters = 2\n").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        assert!(error.contains("datacenters"), "{error}");
    }
}
