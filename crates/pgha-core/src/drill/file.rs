//! The file of a drill, as people write it: strict, so that a word that is not known is an error at its place.

use std::collections::BTreeMap;
use std::time::Duration;

use pgha_wan::service::Service;
use pgha_wan::settings::{Flap, Share};
use pgha_wan::units::parse_duration;
use serde::Deserialize;

use super::{Drill, Expectation, Load, Step, Until};
use crate::fault::{BadDeed, DUTY, Deed, Delay, Kind, Offset, Target, UnknownKind};
use crate::history::Workload;
use crate::spec::Durability;

/// How long a step waits where the file does not say.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Most clients of each kind, as of `pgha load`.
const CLIENTS_MAX: u32 = 64;

/// A drill to begin with, for `pgha drill new`.
pub const TEMPLATE: &str = include_str!("template.toml");

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDrill {
    /// It is no TOML, or has a key that is not known or of another type; with the line.
    #[error("{0}")]
    Syntax(String),
    /// A step cannot be so.
    #[error("step {number}: {reason}")]
    Step {
        /// Which, from 1.
        number: usize,
        /// Why.
        reason: String,
    },
    /// Something about the whole.
    #[error("{0}")]
    Whole(&'static str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    needs: Needs,
    #[serde(default)]
    load: Load,
    #[serde(default)]
    step: Vec<RawStep>,
    #[serde(default)]
    expect: BTreeMap<Durability, Expectation>,
    #[serde(default)]
    expect_local: BTreeMap<Durability, Expectation>,
    #[serde(default)]
    expect_any: BTreeMap<Durability, Expectation>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Needs {
    data_centers: u32,
    nodes: u32,
}

impl Default for Needs {
    fn default() -> Self {
        Self { data_centers: 1, nodes: 2 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    sleep: Option<Range>,
    inject: Option<String>,
    target: Option<Words>,
    port: Option<Service>,
    flap: Option<String>,
    duty: Option<Share>,
    delay: Option<Delay>,
    offset: Option<Offset>,
    wait: Option<Until>,
    timeout: Option<String>,
    heal: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Range {
    One(String),
    Two([String; 2]),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Some(Vec<String>),
}

impl Drill {
    /// Reads a file.
    ///
    /// # Errors
    /// When there is no such drill.
    pub fn parse(name: &str, text: &str) -> Result<Self, BadDrill> {
        let file: File = toml::from_str(text).map_err(|e| BadDrill::Syntax(e.to_string()))?;
        let numbered = file.step.into_iter().zip(1..);
        let steps = numbered
            .map(|(step, number)| read(step).map_err(|reason| BadDrill::Step { number, reason }));
        let steps: Vec<Step> = steps.collect::<Result<_, _>>()?;
        if !steps.iter().any(|step| matches!(step, Step::Inject { .. })) {
            return Err(BadDrill::Whole(
                "no step injects anything: a drill without a fault tries nothing",
            ));
        }
        let waits = |step: &Step| matches!(step, Step::Wait { until: Until::Writes, .. });
        if file.load.workload == Workload::None && steps.iter().any(waits) {
            return Err(BadDrill::Whole(
                "a step waits for writes, and with `workload = \"none\"` nobody writes",
            ));
        }
        if file.load.clients == 0 || file.load.clients > CLIENTS_MAX {
            return Err(BadDrill::Whole("`clients` of [load] is from 1 to 64"));
        }
        if file.load.readers > CLIENTS_MAX {
            return Err(BadDrill::Whole("`readers` of [load] is 64 at most"));
        }
        if [&file.expect, &file.expect_local, &file.expect_any].iter().all(|it| it.is_empty()) {
            return Err(BadDrill::Whole(
                "nothing is expected: [expect] has a line for each durability",
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            title: file.title,
            description: file.description,
            data_centers: file.needs.data_centers,
            nodes: file.needs.nodes,
            load: file.load,
            steps,
            expect: file.expect,
            expect_local: file.expect_local,
            expect_any: file.expect_any,
        })
    }
}

fn read(step: RawStep) -> Result<Step, String> {
    let time = |text: &str| parse_duration(text).map_err(|e| format!("`{text}`: {e}"));
    let only = |given: bool, word: &str, of: &str| {
        if given { Err(format!("`{word}` belongs to `{of}`")) } else { Ok(()) }
    };
    if step.inject.is_none() {
        only(step.target.is_some(), "target", "inject")?;
        only(step.port.is_some(), "port", "inject")?;
        only(step.flap.is_some(), "flap", "inject")?;
        only(step.delay.is_some(), "delay", "inject")?;
        only(step.offset.is_some(), "offset", "inject")?;
    }
    if step.flap.is_none() {
        only(step.duty.is_some(), "duty", "flap")?;
    }
    if step.wait.is_none() {
        only(step.timeout.is_some(), "timeout", "wait")?;
    }
    match (step.sleep, step.inject, step.wait, step.heal) {
        (Some(Range::One(one)), None, None, None) => {
            let time = time(&one)?;
            Ok(Step::Sleep { least: time, most: time })
        }
        (Some(Range::Two([least, most])), None, None, None) => {
            let (least, most) = (time(&least)?, time(&most)?);
            if least > most {
                return Err(format!("it sleeps at least {least:?} and at most {most:?}"));
            }
            Ok(Step::Sleep { least, most })
        }
        (None, Some(kind), None, None) => {
            let words = match step.target {
                None => return Err(format!("`{kind}` wants a `target`")),
                Some(Words::One(word)) => vec![word],
                Some(Words::Some(words)) => words,
            };
            let kind: Kind = kind.parse().map_err(|e: UnknownKind| e.to_string())?;
            let period = step.flap.as_deref().map(time).transpose()?;
            let flap = period.map(|period| Flap::new(period, step.duty.unwrap_or(DUTY)));
            let flap = flap.transpose().map_err(|e| e.to_string())?;
            let deed = Deed::new(kind, step.port, flap, step.delay, step.offset);
            let deed = deed.map_err(|e: BadDeed| e.to_string())?;
            let target =
                |word: &String| -> Target { word.parse().unwrap_or_else(|never| match never {}) };
            Ok(Step::Inject { deed, targets: words.iter().map(target).collect() })
        }
        (None, None, Some(until), None) => {
            let timeout = step.timeout.as_deref().map_or(Ok(TIMEOUT), time)?;
            Ok(Step::Wait { until, timeout })
        }
        (None, None, None, Some(true)) => Ok(Step::Heal),
        _ => {
            Err("a step is one of `sleep`, `inject` with `target`, `wait`, `heal = true`"
                .to_owned())
        }
    }
}
