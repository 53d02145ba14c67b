//! Patroni's dynamic configuration as a whole: read, changed, compared with what the cluster was made as, and written as a
//! cluster file.
//!
//! A setting is called as in the cluster file: a setting of Patroni by its name, the lines of `pg_hba.conf` `hba`, and every
//! other name is a parameter of Postgres. Decides what may be changed and asks nobody; what only Postgres can judge is in
//! [`Plan::trial`].

pub mod applied;
mod change;
mod export;
mod key;
mod text;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::dynamic;
use crate::render::{self, parameters};
use crate::topology::Topology;

pub use change::{Change, Plan, Refused, Trial};
pub use export::Export;
pub use key::{BadKey, Key};

/// Stands for a value that is not shown.
const MASKED: &str = "***";
/// Parts of names whose values are not shown.
const SECRET_NAMES: [&str; 4] = ["password", "passwd", "secret", "conninfo"];
/// Options in a line of `pg_hba.conf` whose values are not shown.
const SECRET_OPTIONS: [&str; 2] = ["ldapbindpasswd=", "radiussecrets="];

/// A configuration: an object as etcd has it under the key `config`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config(Map<String, Value>);

impl Config {
    /// Reads what Patroni keeps in etcd, as JSON; `None` where it is no configuration.
    pub fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok().map(Self)
    }

    /// What a cluster is made with whose nodes keep so much WAL for replicas (`wal_keep_size`, in MiB), which follows from
    /// the size of their disk.
    pub fn made_with(topology: &Topology, wal_keep_mib: u64) -> Self {
        let own_hba = render::own_hba();
        let hba: Vec<&String> = topology.spec.server.hba.iter().chain(&own_hba).collect();
        let parameters: Map<_, _> = parameters::with(topology, wal_keep_mib).into_iter().collect();
        let mut all: Map<String, Value> =
            dynamic::configuration(&topology.spec).into_iter().collect();
        let recovery_conf: BTreeMap<_, _> = render::recovery_conf().into();
        let postgresql = json!({
            "use_pg_rewind": true,
            "use_slots": true,
            "parameters": parameters,
            "pg_hba": hba,
            "pg_ident": render::OWN_IDENT,
            "recovery_conf": recovery_conf,
        });
        all.insert("postgresql".to_owned(), postgresql);
        Self(all)
    }

    /// The text that people edit: TOML, with everything there is.
    ///
    /// # Errors
    /// When a value is none of TOML's.
    pub fn to_text(&self) -> Result<String, String> {
        text::write(&self.0)
    }

    /// Reads that text; `None` where nothing but comments is left of it.
    ///
    /// # Errors
    /// When it is not TOML; the message has the line.
    pub fn from_text(text: &str) -> Result<Option<Self>, String> {
        let config = text::read(text)?;
        Ok((!config.is_empty()).then_some(Self(config)))
    }

    /// The same with `***` in place of passwords and secrets.
    #[must_use]
    pub fn masked(&self) -> Self {
        Self(self.0.iter().map(|(name, value)| (name.clone(), masked(name, value))).collect())
    }

    /// The object.
    pub fn as_json(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Each setting that differs between what runs and what the cluster was made as.
    pub fn differences(&self, made_as: &Self) -> Vec<Change> {
        change::between(&made_as.settings(), &self.settings())
    }

    /// Every setting by its key. What Patroni takes for absent is absent.
    fn settings(&self) -> BTreeMap<Key, Value> {
        let mut all = BTreeMap::new();
        for (name, value) in self.0.iter().filter(|(_, value)| !value.is_null()) {
            let Some(postgresql) = value.as_object().filter(|_| name == "postgresql") else {
                all.insert(Key::Patroni(name.clone()), value.clone());
                continue;
            };
            for (name, value) in postgresql.iter().filter(|(_, value)| !value.is_null()) {
                match (name.as_str(), value) {
                    ("parameters", Value::Object(parameters)) => {
                        let set = parameters.iter().filter(|(_, value)| !value.is_null());
                        all.extend(set.map(|(n, v)| (Key::Parameter(n.clone()), v.clone())));
                    }
                    ("pg_hba", hba) => drop(all.insert(Key::Hba, hba.clone())),
                    (name, value) => {
                        all.insert(Key::Postgresql(name.to_owned()), value.clone());
                    }
                }
            }
        }
        all
    }

    /// A configuration of these settings.
    fn of(settings: &BTreeMap<Key, Value>) -> Self {
        let mut all = Map::new();
        let (mut postgresql, mut parameters) = (Map::new(), Map::new());
        for (key, value) in settings {
            let (to, name) = match key {
                Key::Patroni(name) => (&mut all, name.as_str()),
                Key::Hba => (&mut postgresql, "pg_hba"),
                Key::Postgresql(name) => (&mut postgresql, name.as_str()),
                Key::Parameter(name) => (&mut parameters, name.as_str()),
            };
            to.insert(name.to_owned(), value.clone());
        }
        postgresql.insert("parameters".to_owned(), parameters.into());
        all.insert("postgresql".to_owned(), postgresql.into());
        Self(all)
    }
}

/// A value as people write it.
fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether Patroni and Postgres take two values for the same: `100` and `"100"`.
fn same(one: &Value, other: &Value) -> bool {
    one == other || written(one) == written(other)
}

fn masked(name: &str, value: &Value) -> Value {
    let lower = name.to_ascii_lowercase();
    match value {
        Value::Object(inner) => {
            let inner = inner.iter().map(|(name, value)| (name.clone(), masked(name, value)));
            Value::Object(inner.collect())
        }
        Value::Array(list) => list.iter().map(|value| masked(name, value)).collect(),
        // How passwords are kept is no secret.
        _ if lower == "password_encryption" => value.clone(),
        _ if SECRET_NAMES.iter().any(|part| lower.contains(part)) => MASKED.into(),
        Value::String(line) => masked_line(line).into(),
        other => other.clone(),
    }
}

/// A line without the values of its secret options.
fn masked_line(line: &str) -> String {
    let mut line = line.to_owned();
    for option in SECRET_OPTIONS {
        let Some(at) = line.to_ascii_lowercase().find(option) else { continue };
        let value = at + option.len();
        let rest = &line[value..];
        let end = match rest.strip_prefix('"') {
            Some(quoted) => quoted.find('"').map_or(rest.len(), |end| end + 2),
            None => rest.find(char::is_whitespace).unwrap_or(rest.len()),
        };
        line.replace_range(value..value + end, MASKED);
    }
    line
}

#[cfg(test)]
mod tests;
