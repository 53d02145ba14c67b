//! The file of a drill, as people write it: strict, so that a word that is not known is an error at its place.

use std::collections::BTreeMap;
use std::time::Duration;

use pgha_wan::service::Service;
use pgha_wan::settings::{Flap, Share};
use pgha_wan::units::parse_duration;
use serde::Deserialize;

use super::teach::{self, Question};
use super::{Drill, Expectation, Load, Step, Until};
use crate::fault::{BadDeed, DUTY, Deed, Delay, Kind, Offset, Target, UnknownKind};
use crate::history::Workload;
use crate::prometheus;
use crate::spec::{Durability, Spec};

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
    #[error("line {line}, step {number}: {reason}")]
    Step {
        /// Where it begins, from 1.
        line: usize,
        /// Which, from 1.
        number: usize,
        /// Why.
        reason: String,
    },
    /// The cluster that is made for it cannot be so.
    #[error("[cluster]: {0}")]
    Cluster(String),
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
    /// Keys of a cluster file.
    cluster: Option<toml::Table>,
    #[serde(default)]
    step: Vec<toml::Spanned<RawStep>>,
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
    failsafe: bool,
}

impl Default for Needs {
    fn default() -> Self {
        Self { data_centers: 1, nodes: 2, failsafe: false }
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
    alert: Option<String>,
    within: Option<String>,
    pgha: Option<Vec<String>>,
    check: Option<String>,
    is: Option<String>,
    say: Option<String>,
    ask: Option<String>,
    choices: Option<Vec<String>>,
    answer: Option<usize>,
    because: Option<String>,
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
        let cluster = file.cluster.map(|keys| Spec::from_toml(&keys.to_string()));
        let cluster = cluster.transpose().map_err(|e| BadDrill::Cluster(e.to_string()))?;
        let numbered = file.step.into_iter().zip(1..);
        let steps = numbered.map(|(step, number)| {
            let before = text.get(..step.span().start).unwrap_or_default();
            let line = 1 + before.matches('\n').count();
            read(step.into_inner()).map_err(|reason| BadDrill::Step { line, number, reason })
        });
        let steps: Vec<Step> = steps.collect::<Result<_, _>>()?;
        let tries = |step: &Step| matches!(step, Step::Inject { .. } | Step::Pgha(_));
        if !steps.iter().any(tries) {
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
            failsafe: file.needs.failsafe,
            cluster,
            load: file.load,
            steps,
            expect: file.expect,
            expect_local: file.expect_local,
            expect_any: file.expect_any,
        })
    }
}

fn read(step: RawStep) -> Result<Step, String> {
    belongs(&step)?;
    let verbs = [
        step.sleep.is_some(),
        step.inject.is_some(),
        step.wait.is_some(),
        step.heal == Some(true),
        step.alert.is_some(),
        step.pgha.is_some(),
        step.check.is_some(),
        step.say.is_some(),
        step.ask.is_some(),
    ];
    if verbs.into_iter().filter(|given| *given).count() != 1 {
        return Err("a step is one of `sleep`, `inject` with `target`, `wait`, `heal = true`, `alert`, `pgha`, `check`, \
                    `say`, `ask`"
            .to_owned());
    }
    match step {
        RawStep { sleep: Some(range), .. } => sleep(range),
        RawStep { inject: Some(_), .. } => inject(step),
        RawStep { wait: Some(until), timeout, .. } => {
            let timeout = timeout.as_deref().map_or(Ok(TIMEOUT), time)?;
            Ok(Step::Wait { until, timeout })
        }
        RawStep { alert: Some(name), within, .. } => {
            let within = within.as_deref().map(time).transpose()?;
            let within = within.ok_or_else(|| format!("`{name}` wants a `within`"))?;
            prometheus::demand(&name, within)?;
            Ok(Step::Alert { name, within })
        }
        RawStep { pgha: Some(arguments), .. } => {
            teach::demand_verb(&arguments)?;
            Ok(Step::Pgha(arguments))
        }
        RawStep { check: Some(sql), is, .. } => {
            let is = is.ok_or("`check` wants an `is`: what the statement answers")?;
            Ok(Step::Check { sql, is })
        }
        RawStep { say: Some(text), .. } => Ok(Step::Say(text.trim().to_owned())),
        RawStep { ask: Some(text), choices, answer, because, .. } => {
            let question = Question::new(&text, choices, answer, because)?;
            Ok(Step::Ask(question))
        }
        _ => Ok(Step::Heal),
    }
}

/// Each further word stands beside the one that it says more about.
fn belongs(step: &RawStep) -> Result<(), String> {
    let (inject, ask) = (step.inject.is_some(), step.ask.is_some());
    let words = [
        (step.target.is_some(), "target", inject, "inject"),
        (step.port.is_some(), "port", inject, "inject"),
        (step.flap.is_some(), "flap", inject, "inject"),
        (step.delay.is_some(), "delay", inject, "inject"),
        (step.offset.is_some(), "offset", inject, "inject"),
        (step.duty.is_some(), "duty", step.flap.is_some(), "flap"),
        (step.timeout.is_some(), "timeout", step.wait.is_some(), "wait"),
        (step.within.is_some(), "within", step.alert.is_some(), "alert"),
        (step.is.is_some(), "is", step.check.is_some(), "check"),
        (step.choices.is_some(), "choices", ask, "ask"),
        (step.answer.is_some(), "answer", ask, "ask"),
        (step.because.is_some(), "because", ask, "ask"),
    ];
    match words.into_iter().find(|(given, _, there, _)| *given && !there) {
        Some((_, word, _, of)) => Err(format!("`{word}` belongs to `{of}`")),
        None => Ok(()),
    }
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|e| format!("`{text}`: {e}"))
}

fn sleep(range: Range) -> Result<Step, String> {
    let (least, most) = match range {
        Range::One(one) => (time(&one)?, time(&one)?),
        Range::Two([least, most]) => (time(&least)?, time(&most)?),
    };
    if least > most {
        return Err(format!("it sleeps at least {least:?} and at most {most:?}"));
    }
    Ok(Step::Sleep { least, most })
}

fn inject(step: RawStep) -> Result<Step, String> {
    let kind = step.inject.unwrap_or_default();
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
    let target = |word: &String| -> Target { word.parse().unwrap_or_else(|never| match never {}) };
    Ok(Step::Inject { deed, targets: words.iter().map(target).collect() })
}
