//! The cluster file of what runs.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Config, Key, masked, masked_line, same, written};
use crate::dynamic::{self, Dynamic, LAG_MAX_BYTES, PRIMARY_START_TIMEOUT_S};
use crate::render::{self, parameters};
use crate::spec::{Acknowledge, PatroniSpec, Spec, TimerPreset};
use crate::topology::Topology;
use crate::tuning::{Synchronous, SynchronousMode};

/// A specification that makes what runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The specification.
    pub spec: Spec,
    /// What runs and is not in it, a sentence each without a full stop.
    pub left_out: Vec<String>,
}

impl Config {
    /// The specification of a cluster that is made with these settings; `made_as` is what this one was made with. Never
    /// holds a secret.
    pub fn export(&self, topology: &Topology, made_as: &Self) -> Export {
        let mut left_out = Vec::new();
        let (running, made) = (self.settings(), made_as.settings());
        let mut spec = topology.spec.clone();
        synchronous(self.dynamic(), &mut spec, &mut left_out);
        patroni(&running, &mut spec, &mut left_out);
        server(topology, &running, &made, &mut spec, &mut left_out);
        Export { spec, left_out }
    }

    /// The settings by which a running cluster is judged.
    pub fn dynamic(&self) -> Dynamic {
        Dynamic::read(&self.0)
    }
}

/// What durability says, and which standbys acknowledge.
fn synchronous(dynamic: Dynamic, spec: &mut Spec, left_out: &mut Vec<String>) {
    spec.durability = dynamic.durability();
    let asks_for = |acknowledge: Acknowledge| {
        Synchronous::of(&Spec { acknowledge, ..spec.clone() }).acknowledging_standbys()
    };
    let running = match dynamic.synchronous_mode {
        SynchronousMode::Off => 0,
        _ => dynamic.synchronous_node_count,
    };
    let choices = [spec.acknowledge, Acknowledge::Remote, Acknowledge::Any];
    match choices.into_iter().find(|choice| asks_for(*choice) == running) {
        Some(choice) => spec.acknowledge = choice,
        None => left_out.push(format!(
            "synchronous_node_count = {running}: the cluster file asks for {} by `acknowledge`",
            asks_for(spec.acknowledge)
        )),
    }
}

/// The table `[patroni]`, over the timers that leave the least for it.
fn patroni(running: &BTreeMap<Key, Value>, spec: &mut Spec, left_out: &mut Vec<String>) {
    let mut wanted: BTreeMap<&str, Value> = BTreeMap::new();
    for (key, value) in running {
        let Key::Patroni(name) = key else { continue };
        match name.as_str() {
            "synchronous_mode" | "synchronous_mode_strict" | "synchronous_node_count" => {}
            "pause" => left_out.push("Patroni is paused".to_owned()),
            "standby_cluster" => left_out.push("standby_cluster".to_owned()),
            name if masked(name, value) != *value => {
                left_out.push(format!("{name}, which holds a secret"));
            }
            name => drop(wanted.insert(name, plain(value))),
        }
    }
    // What Patroni takes where a preset says something and nothing is set.
    for (name, default) in [
        ("ttl", json!(30)),
        ("loop_wait", json!(10)),
        ("retry_timeout", json!(10)),
        ("maximum_lag_on_failover", json!(LAG_MAX_BYTES)),
        ("primary_start_timeout", json!(PRIMARY_START_TIMEOUT_S)),
    ] {
        wanted.entry(name).or_insert(default);
    }
    let over = |timers: TimerPreset| {
        let bare = Spec { timers, patroni: PatroniSpec::default(), ..spec.clone() };
        let mut given: Map<String, Value> = dynamic::configuration(&bare).into_iter().collect();
        given.entry("primary_start_timeout").or_insert(json!(PRIMARY_START_TIMEOUT_S));
        let differs =
            |(name, value): &(&&str, &Value)| !given.get(**name).is_some_and(|g| same(g, value));
        let table = wanted.iter().filter(differs);
        table.map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<BTreeMap<_, _>>()
    };
    let presets = [spec.timers].into_iter().chain(TimerPreset::ALL.iter().copied());
    let best = presets.map(|timers| (timers, over(timers))).min_by_key(|(_, table)| table.len());
    let (timers, mut table) = best.expect("there are presets");
    if timers == spec.timers {
        // As it was written, where it is so still.
        for (name, value) in &spec.patroni.0 {
            let own = if name == "failsafe" { "failsafe_mode" } else { name };
            if wanted.get(own).is_some_and(|wanted| same(wanted, value)) {
                table.remove(own);
                table.insert(name.clone(), value.clone());
            }
        }
    }
    spec.timers = timers;
    spec.patroni = PatroniSpec(table);
}

/// A number or a truth in quotes is one to Patroni too.
fn plain(value: &Value) -> Value {
    let scalar = |text: &str| serde_json::from_str(text).ok().filter(|v: &Value| !v.is_null());
    value.as_str().and_then(scalar).unwrap_or_else(|| value.clone())
}

/// Parameters and lines of `pg_hba.conf`.
fn server(
    topology: &Topology,
    running: &BTreeMap<Key, Value>,
    made: &BTreeMap<Key, Value>,
    spec: &mut Spec,
    left_out: &mut Vec<String>,
) {
    let unlike = |key: &Key, value: &Value| !made.get(key).is_some_and(|made| same(made, value));
    for (key, value) in running.iter().filter(|(key, value)| unlike(key, value)) {
        match key {
            Key::Parameter(name) if masked(name, value) != *value => {
                left_out.push(format!("{name}, which holds a secret"));
            }
            Key::Parameter(name) if parameters::controlled(name).is_some() => {
                left_out.push(format!("{name}, which is not for a cluster file"));
            }
            Key::Parameter(name) => {
                spec.server.parameters.retain(|own, _| !own.eq_ignore_ascii_case(name));
                spec.server.parameters.insert(name.clone(), written(value));
            }
            Key::Postgresql(_) => left_out.push(format!("{key}, which is not for a cluster file")),
            Key::Hba | Key::Patroni(_) => {}
        }
    }
    for key in made.keys().filter(|key| !running.contains_key(key)) {
        if let Key::Parameter(name) = key {
            spec.server.parameters.remove(name);
            if parameters::is_own(topology, name) {
                left_out.push(format!("that {name} is not set: a new cluster has a value for it"));
            }
        }
    }
    if let Some(hba) = running.get(&Key::Hba).filter(|hba| unlike(&Key::Hba, hba)) {
        let own = render::own_hba();
        let lines: Vec<String> = hba.as_array().into_iter().flatten().map(written).collect();
        let theirs: Vec<String> =
            lines.iter().filter(|line| !own.contains(line)).cloned().collect();
        if lines != [theirs.as_slice(), own.as_slice()].concat() {
            left_out.push(
                "the order of hba: the cluster's own lines stand behind the others".to_owned(),
            );
        }
        let secret = |line: &String| masked_line(line) != *line;
        let (secret, shown): (Vec<String>, Vec<String>) = theirs.into_iter().partition(secret);
        left_out.extend(
            secret
                .iter()
                .map(|line| format!("a line of hba, which holds a secret: {}", masked_line(line))),
        );
        spec.server.hba = shown;
    }
}
