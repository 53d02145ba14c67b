//! What the database is asked to be: the table `[postgres]` of the cluster file.
//!
//! `postgres = 17` is the short form of `[postgres]` with `version = 17`. Values are kept as Postgres takes them and
//! judged by [`crate::lint`]; what Postgres alone can judge is tried in its image before a cluster is made.
//! Nothing here is secret: passwords and the text of `init_sql` are files beside the compose file.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error as _, IntoDeserializer as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::amount::{Bytes, Cpus};

/// What the database is asked to be, but for its version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresSpec {
    /// Locale of the database, as `initdb --locale` takes it; `None` for `C.UTF-8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Locale of ICU, which then sorts; `None` for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icu_locale: Option<String>,
    /// Most that `/dev/shm` of a node may hold; `None` for [`crate::render::SHM_SIZE`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shm_size: Option<Bytes>,
    /// Most memory that a node may use; `None` for no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// Processors that a node may use; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Cpus>,
    /// A file of psql's that is run once, on the first leader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_sql: Option<String>,
    /// Extensions, by the names of [`crate::extensions`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
    /// Users that can log in, with a password made for each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// Databases beside `postgres`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<Database>,
    /// Lines of `pg_hba.conf` in front of the cluster's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hba: Vec<String>,
    /// Parameters, over those of [`crate::render::parameters`].
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "parameters")]
    pub parameters: BTreeMap<String, String>,
}

impl PostgresSpec {
    /// What a cluster takes over that gets its database from a backup: users, databases and what `init_sql` made come
    /// with that.
    #[must_use]
    pub fn of_a_restored(self) -> Self {
        Self { users: Vec::new(), databases: Vec::new(), init_sql: None, ..self }
    }

    /// Whether a new database is set up with anything.
    pub fn sets_up(&self) -> bool {
        !self.users.is_empty()
            || !self.databases.is_empty()
            || !self.extensions.is_empty()
            || self.init_sql.is_some()
    }

    /// Whether it says anything that Postgres may refuse to start with.
    pub fn may_not_start(&self) -> bool {
        let locales = self.locale.is_some() || self.icu_locale.is_some();
        let libraries = !self.extensions.is_empty();
        locales || libraries || !self.parameters.is_empty() || !self.hba.is_empty()
    }
}

/// A database to make; in the file its name, or `{ name = "shop", owner = "app" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// The user that owns it; `None` for the superuser.
    pub owner: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DatabaseV1 {
    name: String,
    #[serde(default)]
    owner: Option<String>,
}

impl Serialize for Database {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.owner {
            None => to.serialize_str(&self.name),
            owner => DatabaseV1 { name: self.name.clone(), owner: owner.clone() }.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Database {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NameOrTable;
        impl<'de> Visitor<'de> for NameOrTable {
            type Value = Database;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a database, or a table with its name and owner")
            }

            fn visit_str<E>(self, name: &str) -> Result<Database, E> {
                Ok(Database { name: name.to_owned(), owner: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Database, A::Error> {
                let DatabaseV1 { name, owner } =
                    DatabaseV1::deserialize(MapAccessDeserializer::new(table))?;
                Ok(Database { name, owner })
            }
        }
        from.deserialize_any(NameOrTable)
    }
}

/// Reads parameters: words, numbers and truths, as Postgres writes them. A name with a dot may be a key with one, which
/// is a table to TOML.
fn parameters<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a parameter is a text, a number, true or false")]
    enum Value {
        Truth(bool),
        Whole(i64),
        Fraction(f64),
        Text(String),
        Prefix(BTreeMap<String, Value>),
    }
    fn flatten(prefix: &str, values: BTreeMap<String, Value>, to: &mut BTreeMap<String, String>) {
        for (key, value) in values {
            let name = format!("{prefix}{key}");
            let text = match value {
                Value::Truth(truth) => if truth { "on" } else { "off" }.to_owned(),
                Value::Whole(number) => number.to_string(),
                Value::Fraction(number) => number.to_string(),
                Value::Text(text) => text,
                Value::Prefix(more) => {
                    flatten(&format!("{name}."), more, to);
                    continue;
                }
            };
            to.insert(name, text);
        }
    }
    let mut all = BTreeMap::new();
    flatten("", BTreeMap::deserialize(from)?, &mut all);
    Ok(all)
}

/// `postgres` in the file: a major version, or a table that has one.
#[derive(Debug, Clone)]
pub(super) struct PostgresV1 {
    pub(super) version: u32,
    pub(super) table: PostgresSpec,
}

impl Serialize for PostgresV1 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Table<'a> {
            version: u32,
            #[serde(flatten)]
            table: &'a PostgresSpec,
        }
        if self.table == PostgresSpec::default() {
            return to.serialize_u32(self.version);
        }
        Table { version: self.version, table: &self.table }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for PostgresV1 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(VersionOrTable)
    }
}

struct VersionOrTable;

impl<'de> Visitor<'de> for VersionOrTable {
    type Value = PostgresV1;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a major version of PostgreSQL such as 17, or the table [postgres]")
    }

    fn visit_i64<E: serde::de::Error>(self, version: i64) -> Result<PostgresV1, E> {
        let version = u32::try_from(version)
            .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(version), &self))?;
        Ok(PostgresV1 { version, table: PostgresSpec::default() })
    }

    fn visit_u64<E: serde::de::Error>(self, version: u64) -> Result<PostgresV1, E> {
        self.visit_i64(i64::try_from(version).unwrap_or(i64::MAX))
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<PostgresV1, A::Error> {
        let mut version = super::default_postgres();
        let rest = Rest { table, version: &mut version };
        let table = PostgresSpec::deserialize(MapAccessDeserializer::new(rest))?;
        Ok(PostgresV1 { version, table })
    }
}

/// The table without its version, which is kept as it comes. Not by `serde(flatten)`, which keeps all values first: what is
/// wrong with one would be told without its line.
struct Rest<'a, A> {
    table: A,
    version: &'a mut u32,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        mut seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        loop {
            match self.table.next_key_seed(VersionOr(seed))? {
                None => return Ok(None),
                Some(Key::Other(key)) => return Ok(Some(key)),
                Some(Key::Version(again)) => {
                    *self.version = self.table.next_value()?;
                    seed = again;
                }
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.table.next_value_seed(seed)
    }
}

/// A key of the table, or `version` and the seed that was not needed for it.
enum Key<S, K> {
    Version(S),
    Other(K),
}

struct VersionOr<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for VersionOr<S> {
    type Value = Key<S, S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        let key = String::deserialize(from)?;
        if key == "version" {
            return Ok(Key::Version(self.0));
        }
        // What is no key is refused by the seed, here, where its place is known.
        let read = self.0.deserialize(key.into_deserializer());
        read.map(Key::Other).map_err(|e: serde::de::value::Error| D::Error::custom(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    const WHOLE: &str = r#"
name = "shop"
[postgres]
version = 16
locale = "de_DE.UTF-8"
icu_locale = "de"
shm_size = "2g"
memory = "4g"
cpus = 1.5
init_sql = "schema.sql"
extensions = ["pgvector", "cron"]
users = ["app", "report"]
databases = ["crm", { name = "shop", owner = "app" }]
hba = ["hostssl all all 0.0.0.0/0 scram-sha-256"]

[postgres.parameters]
work_mem = "64MB"
random_page_cost = 1.1
max_connections = 200
jit = false
cron.database_name = "shop"
"#;

    #[test]
    fn a_table_with_everything_reads_back_as_the_same_spec() {
        let spec = Spec::from_toml(WHOLE).expect("a spec");
        assert_eq!((spec.postgres, spec.name.as_str()), (16, "shop"));
        let parameters: Vec<_> =
            spec.server.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            parameters,
            [
                "cron.database_name=shop",
                "jit=off",
                "max_connections=200",
                "random_page_cost=1.1",
                "work_mem=64MB"
            ]
        );
        assert_eq!(spec.server.databases[1].owner.as_deref(), Some("app"));
        assert_eq!(Spec::from_toml(&spec.to_toml()), Ok(spec));
    }

    #[test]
    fn a_version_alone_stays_the_number_that_it_was() {
        let spec = Spec::from_toml("postgres = 18").expect("a spec");
        assert_eq!((spec.postgres, &spec.server), (18, &PostgresSpec::default()));
        assert!(spec.to_toml().contains("postgres = 18\n"), "{}", spec.to_toml());
        assert_eq!(Spec::from_toml("[postgres]\nversion = 18"), Ok(spec));
        let table = Spec::from_toml("[postgres]\nusers = [\"app\"]").expect("a spec");
        assert_eq!(table.postgres, Spec::default().postgres);
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_line() {
        for (text, line, word) in [
            ("[postgres]\nusers = []\nuser = []\n", "line 3", "user"),
            ("[postgres]\nversion = \"x\"\n", "line 2", "u32"),
            ("[postgres]\nmemory = \"4t\"\n", "line 2", "4t"),
            ("[postgres]\n\ncpus = 0\n", "line 3", "processors"),
            ("[postgres]\ndatabases = [{ nam = \"x\" }]\n", "line 2", "nam"),
            ("\npostgres = -1\n", "line 2", "major version"),
            ("[postgres.parameters]\nwork_mem = [1]\n", "line 2", "parameter"),
        ] {
            let error = Spec::from_toml(text).expect_err(text).to_string();
            assert!(error.contains(line) && error.contains(word), "{text}: {error}");
        }
    }
}
