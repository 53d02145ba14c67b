//! What is said of a drill once all of its runs are over.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::judge::{Prediction, Verdict};
use super::phases::Phases;
use super::{Beside, Expectation, Lost, Rules, Writes};
use crate::check::Checked;
use crate::dynamic::Dynamic;
use crate::history::{Operation, Outcome};

/// A drill with all of its runs: what `pgha drill run --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Its name.
    pub drill: String,
    /// What it is about.
    pub title: String,
    /// The cluster, such as `demo-1`.
    pub cluster: String,
    /// What all that is drawn at random is made from, together with the number of the run.
    pub seed: u64,
    /// The durability in force.
    pub durability: String,
    /// The timers in force, as `ttl/loop_wait/retry_timeout` in seconds.
    pub timers: String,
    /// What was expected.
    pub predicted: Predicted,
    /// The runs, in order.
    pub runs: Vec<RunReport>,
    /// Over all runs.
    pub observed: Observed,
    /// No prediction was refuted, and each run was judged.
    pub passed: bool,
}

/// What was expected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    /// What becomes of writes.
    pub writes: Writes,
    /// For how many seconds no write goes at most; null where that lasts until it is healed.
    pub outage_max_s: Option<f64>,
    /// What becomes of acknowledged writes.
    pub lost: Lost,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// What became of the prediction.
    pub verdict: Verdict,
    /// Whom each fault has hit, such as `isolate DC1`.
    pub faults: Vec<String>,
    /// Acknowledged writes.
    pub ok: u64,
    /// Those that are lost; null where the end could not be read.
    pub lost: Option<u64>,
    /// Writes of which nobody can say.
    pub unknown: u64,
    /// Rows that nobody wrote.
    pub unexpected: u64,
    /// For how many seconds two nodes accepted writes at once.
    #[serde(default)]
    pub two_writers_s: f64,
    /// What each checker says of what clients did.
    #[serde(default)]
    pub checks: Vec<Checked>,
    /// For how many seconds no write went, at the longest; null where none went any more.
    pub rto_s: Option<f64>,
    /// From healed to every node streaming with the durability met, in seconds; null where that was not in time.
    pub full_redundancy_s: Option<f64>,
    /// When the parts of the failover were reached; null where there was none.
    #[serde(default)]
    pub phases: Option<Phases>,
    /// Who led before, and who at the end.
    pub leaders: [Option<String>; 2],
    /// How long a commit took; null where none was acknowledged before the first fault or after it.
    #[serde(default)]
    pub commits: Option<Commits>,
    /// What it takes to judge it again beside its history; null in a report of an older version.
    #[serde(default)]
    pub beside: Option<Beside>,
}

/// How long the write in the middle took, from sent to acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Commits {
    /// Before the first fault, in milliseconds.
    pub before_ms: f64,
    /// From then until all was about to be taken back.
    pub meanwhile_ms: f64,
}

impl Commits {
    pub(super) fn of(writes: &[Operation], injected: Duration, healing: Duration) -> Option<Self> {
        let median = |fits: &dyn Fn(&Operation) -> bool| {
            let ok = writes.iter().filter(|o| o.outcome == Outcome::Ok && fits(o));
            let took = ok.map(|o| o.ended.saturating_sub(o.sent).as_secs_f64() * 1_000.0);
            Some(Figures::of(took)?.median)
        };
        Some(Self {
            before_ms: median(&|o| o.ended <= injected)?,
            meanwhile_ms: median(&|o| o.sent >= injected && o.ended <= healing)?,
        })
    }
}

/// Smallest, middle and largest of some figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The smallest.
    pub min: f64,
    /// The middle one; of an even number the lower of the two.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} / {:.1} / {:.1} s", self.min, self.median, self.max)
    }
}

impl Figures {
    /// Of these; `None` where there are none.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut all: Vec<f64> = figures.into_iter().collect();
        all.sort_by(f64::total_cmp);
        let median = *all.get(all.len().checked_sub(1)? / 2)?;
        Some(Self { min: *all.first()?, median, max: *all.last()? })
    }
}

/// Over all runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Seconds without writes; null where no run had any again.
    pub outage_s: Option<Figures>,
    /// Acknowledged writes of all runs.
    pub ok: u64,
    /// Lost ones of all runs.
    pub lost: u64,
    /// Writes of all runs of which nobody can say.
    #[serde(default)]
    pub unknown: u64,
    /// Of how many runs the prediction is confirmed.
    pub confirmed: usize,
    /// Better than predicted.
    pub better: usize,
    /// Refuted.
    pub refuted: usize,
    /// Not reached.
    pub not_reached: usize,
}

impl Report {
    /// Works out what is said over all runs.
    #[must_use]
    pub fn with_runs(mut self, runs: Vec<RunReport>) -> Self {
        let of = |which: Prediction| runs.iter().filter(|r| r.verdict.prediction == which).count();
        self.observed = Observed {
            outage_s: Figures::of(runs.iter().filter_map(|run| run.rto_s)),
            ok: runs.iter().map(|run| run.ok).sum(),
            lost: runs.iter().filter_map(|run| run.lost).sum(),
            unknown: runs.iter().map(|run| run.unknown).sum(),
            confirmed: of(Prediction::Confirmed),
            better: of(Prediction::Better),
            refuted: of(Prediction::Refuted),
            not_reached: of(Prediction::NotReached),
        };
        self.passed = !runs.is_empty() && self.observed.refuted + self.observed.not_reached == 0;
        self.runs = runs;
        self
    }

    /// The failover in the middle, by how long no write went, with the number of its run.
    pub fn median_failover(&self) -> Option<(usize, &Phases)> {
        let of = |(number, run): (usize, &'_ RunReport)| Some((run.rto_s?, number));
        let all = (1..).zip(&self.runs).filter(|(_, run)| run.phases.is_some());
        let mut all: Vec<(f64, usize)> = all.filter_map(of).collect();
        all.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let (_, number) = *all.get(all.len().checked_sub(1)? / 2)?;
        Some((number, self.runs[number - 1].phases.as_ref()?))
    }

    /// With nothing run yet, in a cluster with these settings.
    pub fn begun(
        drill: &super::Drill,
        cluster: String,
        seed: u64,
        settings: Dynamic,
        expected: Expectation,
    ) -> Self {
        let Rules { outage_max, timers, .. } = Rules::of(expected, settings);
        let outage_max_s = outage_max.map(|most| most.as_secs_f64());
        Self {
            drill: drill.name.clone(),
            title: drill.title.clone(),
            cluster,
            seed,
            durability: settings.durability().to_string(),
            timers: format!("{}/{}/{}", timers.ttl_s, timers.loop_wait_s, timers.retry_timeout_s),
            predicted: Predicted { writes: expected.writes, outage_max_s, lost: expected.lost },
            runs: Vec::new(),
            observed: Observed {
                outage_s: None,
                ok: 0,
                lost: 0,
                unknown: 0,
                confirmed: 0,
                better: 0,
                refuted: 0,
                not_reached: 0,
            },
            passed: false,
        }
    }
}
