//! Drills: one file says what goes wrong while clients write, and what that is predicted to cost.
//!
//! A drill begins on a healthy cluster, does its steps while clients write, heals everything, waits until the cluster is
//! whole, and reads what is there. What it then found is compared with what was expected ([`judge()`]). Nothing here does
//! any of that.

mod catalogue;
mod check;
mod file;
mod judge;
mod phases;
mod proof;
mod prove;
mod report;
mod teach;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dynamic::Dynamic;
use crate::fault::{Deed, Target};
use crate::history::Workload;
use crate::prediction::failover_max;
use crate::spec::{Acknowledge, Durability, Spec};
use crate::topology::{Role, Site, SiteKind, Topology};
use crate::tuning::{EtcdTimers, PatroniTimers};

pub use catalogue::{CATALOGUE, LESSONS, by_name, text_of};
pub use check::{
    ANSWER_TIMEOUT, Again, Alerted, Beside, Difference, Rules, longest, self_test, totals,
};
pub use file::{BadDrill, TEMPLATE};
pub use judge::{Facts, Prediction, Verdict, judge};
pub use phases::{Clock, Phases, since_fault_s};
pub use proof::{Proof, Proved};
pub use prove::{Case, LeaderIs, cases};
pub use report::{Commits, Figures, Observed, Report, RunReport};
pub use teach::{CLUSTER, Question, arguments, explained};

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drill {
    /// What it is called: the name of its file.
    pub name: String,
    /// What it is about, in a few words.
    pub title: String,
    /// More of it; may be empty.
    pub description: String,
    /// Data centers that there have to be at least.
    pub data_centers: u32,
    /// Postgres nodes that there have to be at least.
    pub nodes: u32,
    /// `failsafe_mode` has to be on.
    pub failsafe: bool,
    /// The cluster that is made for it where nothing else is asked for.
    pub cluster: Option<Spec>,
    /// Who writes meanwhile.
    pub load: Load,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What is expected, by durability; a drill is not for one that is not in here. `quorum-strict` goes by `strict` where it has
    /// no line of its own: in both, writes wait for the last standby.
    pub expect: BTreeMap<Durability, Expectation>,
    /// The same where only the leader's data center acknowledges.
    pub expect_local: BTreeMap<Durability, Expectation>,
    /// The same where any one standby acknowledges.
    pub expect_any: BTreeMap<Durability, Expectation>,
}

/// Clients that write while a drill goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Load {
    /// What they do.
    pub workload: Workload,
    /// How many.
    pub clients: u32,
    /// How many more read on replicas.
    pub readers: u32,
    /// Operations per second of all that write together; 0 for as many as are acknowledged.
    pub rate: u32,
}

impl Default for Load {
    fn default() -> Self {
        Self { workload: Workload::Ledger, clients: 4, readers: 0, rate: 200 }
    }
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing, for a time between these, drawn anew in each run: the phase of Patroni's loop is another one each time.
    Sleep {
        /// At least so long.
        least: Duration,
        /// And at most so long.
        most: Duration,
    },
    /// A fault.
    Inject {
        /// What.
        deed: Deed,
        /// To whom.
        targets: Vec<Target>,
    },
    /// Waits until something is so; where it is not in time the drill goes on, and that is told.
    Wait {
        /// What for.
        until: Until,
        /// For how long.
        timeout: Duration,
    },
    /// Every fault of the drill is taken back.
    Heal,
    /// An alert has to fire; where it does not in time the prediction is refuted.
    Alert {
        /// One of the rules in [`crate::prometheus::RULES`].
        name: String,
        /// For how long it is waited for.
        within: Duration,
    },
    /// A verb of pgha, with its arguments; [`CLUSTER`] stands for the cluster.
    Pgha(Vec<String>),
    /// What a statement has to answer on the leader; any other answer refutes the prediction.
    Check {
        /// The statement, whose first value counts.
        sql: String,
        /// The answer.
        is: String,
    },
    /// A text to read.
    Say(String),
    /// A question before what comes is seen.
    Ask(Question),
}

/// What a step waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// A write that was sent after the last fault is acknowledged.
    Writes,
    /// Another node leads than before the drill.
    AnotherLeader,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sleep { least, most } if least == most => write!(f, "sleep {least:?}"),
            Self::Sleep { least, most } => write!(f, "sleep {least:?} to {most:?}"),
            Self::Inject { deed, targets } => {
                let targets: Vec<String> = targets.iter().map(Target::to_string).collect();
                write!(f, "inject {deed} {}", targets.join(" "))
            }
            Self::Wait { until: Until::Writes, timeout } => {
                write!(f, "wait for writes, {timeout:?} at most")
            }
            Self::Wait { until: Until::AnotherLeader, timeout } => {
                write!(f, "wait for another leader, {timeout:?} at most")
            }
            Self::Heal => f.write_str("heal"),
            Self::Alert { name, within } => write!(f, "alert {name} within {within:?}"),
            Self::Pgha(arguments) => write!(f, "pgha {}", arguments.join(" ")),
            Self::Check { sql, is } => write!(f, "check `{sql}` is {is}"),
            Self::Say(text) => {
                let words: Vec<&str> = text.split_whitespace().take(6).collect();
                write!(f, "say {} …", words.join(" "))
            }
            Self::Ask(question) => write!(f, "ask {}", question.text),
        }
    }
}

/// What is expected of a drill under one durability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// What becomes of writes.
    pub writes: Writes,
    /// What becomes of those that were acknowledged.
    pub lost: Lost,
}

/// For how long no write goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Writes {
    /// For a moment at most.
    GoOn,
    /// As long as a leader takes that hands over.
    Switchover,
    /// As long as Postgres takes to be started again.
    Crash,
    /// As long as the lease of the lost leader and the promotion of another take.
    Failover,
    /// Until the fault is taken back.
    Healed,
}

/// What becomes of acknowledged writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lost {
    /// None is lost.
    None,
    /// Some may be: with none lost the expectation holds as well.
    Possible,
    /// Some are: a drill that shows what goes wrong.
    Some,
}

impl Lost {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Possible => "possible",
            Self::Some => "some",
        }
    }
}

/// What is called a moment: a write that is sent again on another connection takes less.
const MOMENT: Duration = Duration::from_secs(5);
/// A leader that hands over: checkpoint, shutdown, promotion; measured below 3 s on an idle host.
const SWITCHOVER: Duration = Duration::from_secs(10);

impl Writes {
    /// The longest time without writes that is expected with these timers; none where that is up to whoever heals.
    ///
    /// A failover is that of [`crate::prediction`]; a crash takes `primary_start_timeout` and two rounds.
    pub fn bound(self, timers: PatroniTimers, primary_start_timeout_s: u32) -> Option<Duration> {
        let seconds = |s: u32| Duration::from_secs(s.into());
        match self {
            Self::GoOn => Some(MOMENT),
            Self::Switchover => Some(SWITCHOVER),
            Self::Crash => Some(seconds(primary_start_timeout_s + 2 * timers.loop_wait_s)),
            Self::Failover => Some(failover_max(timers, EtcdTimers::of(Duration::ZERO))),
            Self::Healed => None,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::GoOn => "go on",
            Self::Switchover => "away for a switchover",
            Self::Crash => "away until Postgres is up again",
            Self::Failover => "away for a failover",
            Self::Healed => "away until healed",
        }
    }
}

/// Why a drill is not for a cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFor {
    /// Too few data centers.
    #[error("it wants {wants} data centers, and there are {there}")]
    DataCenters {
        /// How many it wants.
        wants: u32,
        /// How many there are.
        there: usize,
    },
    /// Too few nodes.
    #[error("it wants {wants} Postgres nodes, and there are {there}")]
    Nodes {
        /// How many it wants.
        wants: u32,
        /// How many there are.
        there: usize,
    },
    /// `failsafe_mode` is off.
    #[error("it wants failsafe_mode, which is off")]
    Failsafe,
    /// There is no external site.
    #[error("it wants the external site, and there is none")]
    NoExternal,
    /// Nothing is expected with this durability.
    #[error("it says nothing about durability {0}")]
    Durability(Durability),
    /// Nothing is expected where these standbys acknowledge.
    #[error("it says nothing about acknowledge = \"{0}\"")]
    Acknowledge(Acknowledge),
    /// A leader somewhere has nobody to acknowledge its writes.
    #[error("with acknowledge = \"local\" a leader in {0} has no standby beside it")]
    Alone(String),
}

impl Drill {
    /// What is expected of it in a cluster.
    ///
    /// # Errors
    /// When it is not for such a cluster.
    pub fn expected(
        &self,
        topology: &Topology,
        durability: Durability,
    ) -> Result<Expectation, NotFor> {
        let sites = topology.sites.iter().filter(|s| s.kind == SiteKind::DataCenter).count();
        if sites < self.data_centers as usize {
            return Err(NotFor::DataCenters { wants: self.data_centers, there: sites });
        }
        let nodes = topology.of_role(Role::Postgres).count();
        if nodes < self.nodes as usize {
            return Err(NotFor::Nodes { wants: self.nodes, there: nodes });
        }
        let external = |step: &Step| match step {
            Step::Inject { targets, .. } => targets.contains(&Target::External),
            _ => false,
        };
        let has_external = topology.sites.iter().any(|s| s.kind == SiteKind::External);
        if self.steps.iter().any(external) && !has_external {
            return Err(NotFor::NoExternal);
        }
        let acknowledge = topology.spec.acknowledge;
        let expect = match (durability, acknowledge) {
            (Durability::Async, _) | (_, Acknowledge::Remote) => &self.expect,
            (_, Acknowledge::Local) => &self.expect_local,
            (_, Acknowledge::Any) => &self.expect_any,
        };
        if expect.is_empty() {
            return Err(NotFor::Acknowledge(acknowledge));
        }
        let alone = |site: &&Site| topology.acknowledging_nodes(site.number).count() == 1;
        if let Some(site) = topology.sites.iter().find(alone) {
            if durability != Durability::Async && acknowledge == Acknowledge::Local {
                return Err(NotFor::Alone(site.name.clone()));
            }
        }
        let own = expect.get(&durability);
        let strict = || expect.get(&Durability::Strict).filter(|_| durability.is_strict());
        own.or_else(strict).copied().ok_or(NotFor::Durability(durability))
    }

    /// What is expected of it in a cluster that runs with these settings.
    ///
    /// # Errors
    /// When it is not for such a cluster.
    pub fn expected_with(
        &self,
        topology: &Topology,
        settings: Dynamic,
    ) -> Result<Expectation, NotFor> {
        if self.failsafe && !settings.failsafe_mode {
            return Err(NotFor::Failsafe);
        }
        self.expected(topology, settings.durability())
    }

    /// The alerts that it expects.
    pub fn alerts(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Alert { name, .. } => Some(name.as_str()),
            _ => None,
        })
    }

    /// The questions that it asks, in order.
    pub fn questions(&self) -> impl Iterator<Item = &Question> {
        self.steps.iter().filter_map(|step| match step {
            Step::Ask(question) => Some(question),
            _ => None,
        })
    }

    /// Verbs among its steps that put other data in the place of those of the cluster.
    pub fn replaces_data(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| match step {
            Step::Pgha(arguments) => teach::replaces_data(arguments),
            _ => false,
        })
    }

    /// Its steps in words; the last is what every run ends with.
    pub fn in_words(&self) -> Vec<String> {
        let end = "heal, wait until it is whole, read what is there".to_owned();
        self.steps.iter().map(Step::to_string).chain([end]).collect()
    }

    /// How long a run takes with these timers, about: what is slept and waited for, and what comes before and after.
    pub fn estimate(&self, timers: PatroniTimers) -> Duration {
        const AROUND: Duration = Duration::from_secs(25);
        let failover = Writes::Failover.bound(timers, 0).unwrap_or_default();
        let step = |step: &Step| match step {
            Step::Sleep { least, most } => (*least + *most) / 2,
            Step::Wait { timeout, .. } => failover.min(*timeout),
            Step::Alert { within, .. } => *within / 2,
            Step::Pgha(arguments) if teach::replaces_data(arguments) => Duration::from_secs(60),
            Step::Pgha(_) => Duration::from_secs(10),
            Step::Inject { .. } | Step::Heal | Step::Check { .. } => Duration::from_secs(1),
            Step::Say(_) | Step::Ask(_) => Duration::ZERO,
        };
        AROUND + self.steps.iter().map(step).sum::<Duration>()
    }
}
