//! Which changes may be made, what is at stake, and what Patroni is told.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Config, Key, masked, masked_line, same, written};
use crate::dynamic::Dynamic;
use crate::finding::Severity;
use crate::lint;
use crate::render::{self, parameters};
use crate::spec::Durability;
use crate::topology::Topology;
use crate::tuning::SynchronousMode;

/// Lines of `pg_hba.conf` that pgha and the replicas connect by: the first of [`render::own_hba`].
const NEEDED_HBA: usize = 4;

/// Parameters whose value may cost data, with the values that do not, and what the others do.
const RISKY: [(&str, &[&str], &str); 3] = [
    ("fsync", &["on"], "a crash of the machine may corrupt the database"),
    ("full_page_writes", &["on"], "a crash of the machine may corrupt the database"),
    (
        "synchronous_commit",
        &["on", "remote_write", "remote_apply"],
        "commits are acknowledged before any standby has them",
    ),
];

/// A setting that differs, as people and programs are told; secrets are `***`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its name.
    pub setting: String,
    /// Its value before; null where it was not set.
    pub before: Option<Value>,
    /// Its value afterwards; null where it is not set any more.
    pub after: Option<Value>,
}

impl Change {
    /// The values as people write them, `default` where none is set.
    pub fn values(&self) -> [String; 2] {
        let shown = |value: &Option<Value>| value.as_ref().map_or("default".to_owned(), written);
        [shown(&self.before), shown(&self.after)]
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after] = self.values();
        write!(f, "{}: {before} → {after}", self.setting)
    }
}

/// What Postgres is started with, to see whether it does: for `pgha-node`, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// A `postgresql.conf`.
    pub parameters: String,
    /// The lines of `pg_hba.conf`.
    pub hba: Vec<String>,
}

/// A change that may be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The settings that differ; none where nothing does.
    pub changes: Vec<Change>,
    /// Their parameters of Postgres.
    pub parameters: Vec<String>,
    /// What is at stake, a sentence each without a full stop; somebody has to agree where there is any.
    pub risks: Vec<String>,
    /// What Patroni's configuration is patched with: null removes a key.
    pub patch: Value,
    /// What Postgres has to start with first; `None` where nothing of it is changed.
    pub trial: Option<Trial>,
}

/// Why a change is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Something that pgha or Patroni relies on.
    #[error("{setting} is not changed by `pgha config`: {why}")]
    Controlled {
        /// The setting.
        setting: String,
        /// Who relies on it.
        why: String,
    },
    /// A value that Patroni does not take.
    #[error("{setting} = {value}, and Patroni takes {wanted}")]
    Value {
        /// The setting.
        setting: String,
        /// Its value.
        value: String,
        /// What it takes.
        wanted: &'static str,
    },
    /// There is nothing to remove.
    #[error("{0} is not set")]
    NotSet(String),
    /// Lines of `pg_hba.conf` that are needed would be missing.
    #[error("hba lacks a line that pgha and the replicas connect by: {0}")]
    Hba(String),
    /// What the lint says of it.
    #[error("{message}")]
    Lint {
        /// What is the matter.
        message: String,
        /// What can be done.
        hint: String,
    },
}

impl Refused {
    /// The way on.
    pub fn hint(&self) -> String {
        match self {
            Self::Controlled { setting, .. } if setting == "pause" => {
                "`pgha pause` and `pgha resume` switch automatic failover off and on".to_owned()
            }
            Self::Controlled { .. } => {
                "leave it as it is; `pgha patronictl NAME edit-config` changes it unchecked"
                    .to_owned()
            }
            Self::Value { setting, .. } => {
                format!("`pgha config unset {setting}` is for Patroni's default")
            }
            Self::NotSet(_) => "`pgha config show` prints what is set".to_owned(),
            Self::Hba(_) => {
                "keep the lines with peer and those for replication; others may stand before them"
                    .to_owned()
            }
            Self::Lint { hint, .. } => hint.clone(),
        }
    }
}

impl Plan {
    /// What setting these does to a configuration; `None` removes a setting.
    ///
    /// # Errors
    /// When one of them must not be changed so.
    pub fn of(
        topology: &Topology,
        made_as: &Config,
        running: &Config,
        asked: Vec<(Key, Option<String>)>,
    ) -> Result<Self, Refused> {
        let before = running.settings();
        let mut after = before.clone();
        for (key, value) in asked {
            let key = spelled(&before, key);
            match (&key, value.map(|text| read(&key, &text)).transpose()?) {
                (Key::Hba, lines) => {
                    let own = render::own_hba();
                    let mut all = lines_of(&lines.unwrap_or_default());
                    all.retain(|line| !own.contains(line));
                    after.insert(Key::Hba, all.into_iter().chain(own).collect());
                }
                (_, Some(value)) => drop(after.insert(key, value)),
                (_, None) => {
                    // A slip, or the name of another cluster.
                    let unset = || Refused::NotSet(key.to_string());
                    after.remove(&key).ok_or_else(unset)?;
                }
            }
        }
        Self::to(topology, made_as, &before, &after)
    }

    /// What turning one configuration into another does.
    ///
    /// # Errors
    /// When a setting that differs must not be changed so.
    pub fn between(
        topology: &Topology,
        made_as: &Config,
        running: &Config,
        wanted: &Config,
    ) -> Result<Self, Refused> {
        Self::to(topology, made_as, &running.settings(), &wanted.settings())
    }

    fn to(
        topology: &Topology,
        made_as: &Config,
        before: &BTreeMap<Key, Value>,
        after: &BTreeMap<Key, Value>,
    ) -> Result<Self, Refused> {
        let changed = changed(before, after);
        for key in &changed {
            may_change(key, after.get(key))?;
        }
        let (running, wanted) = (Config::of(before), Config::of(after));
        let known = lint::check(&running.export(topology, made_as).spec);
        let found = lint::check(&wanted.export(topology, made_as).spec);
        let new = |finding: &&lint::Finding| {
            finding.severity == Severity::Error && !known.contains(finding)
        };
        if let Some(finding) = found.iter().find(new) {
            let (message, hint) = (masked_line(&finding.message), finding.hint.clone());
            return Err(Refused::Lint { message, hint });
        }
        let of_postgres = |key: &&Key| matches!(key, Key::Parameter(_) | Key::Hba);
        let named = |key: &Key| match key {
            Key::Parameter(name) => Some(name.clone()),
            _ => None,
        };
        Ok(Self {
            changes: between(before, after),
            parameters: changed.iter().filter_map(named).collect(),
            risks: risks(topology, &running, &wanted, &changed, after),
            patch: patch(running.0.into(), &wanted.0.into()),
            trial: changed.iter().any(|key| of_postgres(&key)).then(|| trial(after)),
        })
    }
}

/// The settings that differ, as people are told.
pub(super) fn between(before: &BTreeMap<Key, Value>, after: &BTreeMap<Key, Value>) -> Vec<Change> {
    let shown = |settings: &BTreeMap<Key, Value>, key: &Key| {
        settings.get(key).map(|value| masked(&key.to_string(), value))
    };
    let change = |key: Key| Change {
        before: shown(before, &key),
        after: shown(after, &key),
        setting: key.to_string(),
    };
    changed(before, after).into_iter().map(change).collect()
}

fn changed(before: &BTreeMap<Key, Value>, after: &BTreeMap<Key, Value>) -> Vec<Key> {
    let mut keys: Vec<Key> = before.keys().chain(after.keys()).cloned().collect();
    keys.sort();
    keys.dedup();
    keys.retain(|key| match (before.get(key), after.get(key)) {
        (Some(before), Some(after)) => !same(before, after),
        _ => true,
    });
    keys
}

/// A parameter that is set already keeps its spelling: capitals make no difference to Postgres.
fn spelled(settings: &BTreeMap<Key, Value>, key: Key) -> Key {
    let Key::Parameter(name) = &key else { return key };
    let known = settings.keys().find(|known| match known {
        Key::Parameter(known) => known.eq_ignore_ascii_case(name),
        _ => false,
    });
    known.cloned().unwrap_or(key)
}

/// The value that a text means.
fn read(key: &Key, text: &str) -> Result<Value, Refused> {
    match (key, text) {
        (Key::Parameter(_), text) => Ok(text.into()),
        (Key::Hba, "") => Ok(Value::Array(Vec::new())),
        (Key::Hba, text) => Ok(match serde_json::from_str(text) {
            Ok(Value::Array(lines)) => lines.into(),
            _ => vec![Value::from(text)].into(),
        }),
        (_, "on" | "yes") => Ok(true.into()),
        (_, "off" | "no") => Ok(false.into()),
        (_, "null" | "") => Err(Refused::Value {
            setting: key.to_string(),
            value: if text.is_empty() { "nothing" } else { text }.to_owned(),
            wanted: "a value",
        }),
        (_, text) => Ok(serde_json::from_str(text).unwrap_or_else(|_| text.into())),
    }
}

fn lines_of(hba: &Value) -> Vec<String> {
    hba.as_array().into_iter().flatten().map(written).collect()
}

/// Whether a setting may be changed to this value, whatever the others are.
fn may_change(key: &Key, value: Option<&Value>) -> Result<(), Refused> {
    let setting = key.to_string();
    let controlled =
        |why: &str| Err(Refused::Controlled { setting: setting.clone(), why: why.to_owned() });
    let takes = |fits: bool, wanted| match value {
        Some(value) if !fits => {
            Err(Refused::Value { setting: setting.clone(), value: written(value), wanted })
        }
        _ => Ok(()),
    };
    match key {
        Key::Postgresql(_) => controlled("replicas and restores rely on it"),
        Key::Parameter(name) => parameters::controlled(name).map_or(Ok(()), controlled),
        Key::Hba => {
            let Some(Value::Array(lines)) = value else {
                return Err(Refused::Hba(render::own_hba().swap_remove(0)));
            };
            let mut needed = render::own_hba().into_iter().take(NEEDED_HBA);
            let has = |line: &String| lines.iter().any(|own| own.as_str() == Some(line));
            needed.find(|line| !has(line)).map_or(Ok(()), |line| Err(Refused::Hba(line)))
        }
        Key::Patroni(name) => match name.as_str() {
            "pause" => controlled("it is Patroni's maintenance mode"),
            "standby_cluster" => controlled("the leader would become a standby of another cluster"),
            "synchronous_mode" => {
                let fits = |value: &Value| value.is_boolean() || value.as_str() == Some("quorum");
                takes(value.is_some_and(fits), "on, off or quorum")
            }
            "synchronous_mode_strict" => {
                takes(value.is_some_and(Value::is_boolean), "true or false")
            }
            "synchronous_node_count" => takes(
                value.and_then(Value::as_u64).is_some_and(|n| (1..1000).contains(&n)),
                "a whole number from 1 upward",
            ),
            _ => Ok(()),
        },
    }
}

/// What is at stake.
fn risks(
    topology: &Topology,
    running: &Config,
    wanted: &Config,
    changed: &[Key],
    after: &BTreeMap<Key, Value>,
) -> Vec<String> {
    let made = Dynamic::of(&topology.spec);
    let [now, then] = [running, wanted].map(Config::dynamic);
    let mut risks = Vec::new();
    let [new, own] = [then.durability(), made.durability()];
    let weaker = strength(new) < strength(own) && strength(new) < strength(now.durability());
    let stricter = new.is_strict() && !own.is_strict() && !now.durability().is_strict();
    if weaker || stricter {
        risks.push(format!("{}; the cluster was made with {own}", promise(new)));
    }
    let synchronous = then.synchronous_mode != SynchronousMode::Off;
    let fewer = then.synchronous_node_count < now.synchronous_node_count
        && then.synchronous_node_count < made.synchronous_node_count;
    if synchronous && fewer {
        risks.push(format!(
            "commits wait for fewer standbys: {}, and the cluster was made with {}",
            then.synchronous_node_count, made.synchronous_node_count
        ));
    }
    for key in changed {
        let known = RISKY.iter().find(|(name, ..)| key.to_string().eq_ignore_ascii_case(name));
        if let (Some((name, safe, what)), Some(value)) = (known, after.get(key)) {
            let value = written(value);
            let is_safe =
                safe.iter().any(|safe| value.eq_ignore_ascii_case(safe)) || value == "true";
            let matters = *name != "synchronous_commit" || synchronous;
            if !is_safe && matters {
                risks.push(format!("with {name} = {value} {what}"));
            }
        }
    }
    risks
}

/// How much a durability promises.
fn strength(durability: Durability) -> u8 {
    match durability {
        Durability::Async => 0,
        Durability::Sync | Durability::Quorum => 1,
        Durability::Strict | Durability::QuorumStrict => 2,
    }
}

/// What a durability means for writes.
fn promise(durability: Durability) -> String {
    match durability {
        Durability::Async => "a failover may lose acknowledged writes (async)".to_owned(),
        durability if durability.is_strict() => {
            format!("commits wait where no standby is left ({durability})")
        }
        durability => {
            format!(
                "commits are acknowledged by the leader alone where no standby is left ({durability})"
            )
        }
    }
}

/// What turns one value into another, by Patroni's rule: objects are merged, and null removes.
fn patch(before: Value, after: &Value) -> Value {
    let (Value::Object(mut before), Value::Object(after)) = (before, after) else {
        return after.clone();
    };
    let mut patched = Map::new();
    for (key, value) in after {
        match before.remove(key) {
            Some(old) if same(&old, value) => {}
            Some(old) => drop(patched.insert(key.clone(), patch(old, value))),
            None => drop(patched.insert(key.clone(), value.clone())),
        }
    }
    patched.extend(before.into_iter().map(|(key, _)| (key, Value::Null)));
    patched.into()
}

fn trial(after: &BTreeMap<Key, Value>) -> Trial {
    let parameters: Vec<(String, Value)> = after
        .iter()
        .filter_map(|(key, value)| match key {
            Key::Parameter(name) => Some((name.clone(), value.clone())),
            _ => None,
        })
        .collect();
    let hba = after.get(&Key::Hba).map(lines_of).unwrap_or_default();
    Trial { parameters: parameters::postgresql_conf(&parameters), hba }
}
