//! Judges a run by what clients did, also long after, and compares that with what was said of it then.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Commits, Expectation, Facts, Lost, Prediction, Report, RunReport, Verdict, Writes, judge,
};
use crate::check::{Checked, Judged, Lie, Told};
use crate::dynamic::Dynamic;
use crate::history::{History, Operation, Outage, Outcome, Workload, outages};
use crate::tuning::PatroniTimers;

/// How long a client waits for an answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What of a run is in no history. Times are since the begin of its load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// When the first fault was about to be injected.
    pub injected_s: f64,
    /// When all were taken back.
    pub healed_s: f64,
    /// When that began.
    pub healing_s: f64,
    /// Nodes that had other rows than the leader at the end.
    pub differing_nodes: u64,
    /// Alerts that steps expected, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<Alerted>,
    /// What statements answered instead of what steps expected; a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<String>,
}

/// An alert that a step expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alerted {
    /// Its name.
    pub alert: String,
    /// For how many seconds it was waited for.
    pub within_s: f64,
    /// After how many seconds of the step it was seen to fire; null where it did not in time.
    pub after_s: Option<f64>,
}

impl Beside {
    /// What steps were to see and did not.
    fn unmet(&self) -> Vec<String> {
        let missing = |it: &Alerted| {
            let Alerted { alert, within_s, .. } = it;
            format!("alert {alert} did not fire within {within_s:.0} s")
        };
        let missing = self.alerts.iter().filter(|it| it.after_s.is_none()).map(missing);
        missing.chain(self.unmet.iter().cloned()).collect()
    }
}

/// What a run was expected to cost, as far as it is needed to judge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// What was expected.
    pub expected: Expectation,
    /// The longest time without writes; none where that lasts until it is healed.
    pub outage_max: Option<Duration>,
    /// The timers in force.
    pub timers: PatroniTimers,
}

impl Rules {
    /// What a run is judged by in a cluster with these settings.
    pub fn of(expected: Expectation, settings: Dynamic) -> Self {
        let timers = settings.timers();
        let outage_max = expected.writes.bound(timers, settings.primary_start_timeout_s);
        Self { expected, outage_max, timers }
    }
}

impl Report {
    /// What its runs are judged by; `None` where it says so in no way that this version reads.
    pub fn rules(&self) -> Option<Rules> {
        let mut timers = self.timers.split('/').map(|s| s.parse::<u32>().ok());
        let mut next = || timers.next().flatten();
        let timers =
            PatroniTimers { ttl_s: next()?, loop_wait_s: next()?, retry_timeout_s: next()? };
        let outage_max = match self.predicted.outage_max_s {
            Some(most) => Some(Duration::try_from_secs_f64(most).ok()?),
            None if self.predicted.writes == Writes::Healed => None,
            None => return None,
        };
        let expected = Expectation { writes: self.predicted.writes, lost: self.predicted.lost };
        Some(Rules { expected, outage_max, timers })
    }
}

impl RunReport {
    /// Judges a run; what no history has is given.
    pub fn judged(
        history: &History,
        rules: &Rules,
        beside: Beside,
        full_redundancy_s: Option<f64>,
    ) -> Self {
        let (writes, judged) = (history.writes(), Judged::of(history));
        let Judged { ledger, counted, .. } = &judged;
        let counted = |count: usize| if *counted { count as u64 } else { 0 };
        let lost = history.end.as_ref().map(|_| counted(ledger.lost.len()));
        // Of a file that somebody has edited, too.
        let seconds = |s: f64| Duration::try_from_secs_f64(s).unwrap_or_default();
        let injected = seconds(beside.injected_s);
        let longest = longest(&writes, history.took, injected);
        let ok = |o: &&Operation| o.outcome == Outcome::Ok && o.ended <= injected;
        let facts = Facts {
            without_clients: history.workload == Workload::None,
            injected,
            healed: seconds(beside.healed_s),
            healing: seconds(beside.healing_s),
            outage: longest.map_or((injected, Some(injected)), |outage| (outage.from, outage.to)),
            before: writes.iter().filter(ok).count() as u64,
            lost,
            unexpected: counted(ledger.unexpected.len()),
            violations: judged.contradictions(),
            // That the end could not be read is said by itself.
            undecided: (judged.checks.iter().filter(|_| history.end.is_some()))
                .find_map(|check| check.undecided.clone()),
            differing_nodes: beside.differing_nodes,
            converged: full_redundancy_s.is_some(),
            unmet: beside.unmet(),
        };
        Self {
            verdict: judge(rules, &facts),
            faults: Vec::new(),
            ok: ledger.acknowledged,
            lost,
            unknown: ledger.unknown,
            unexpected: facts.unexpected,
            two_writers_s: judged.two_writers.as_secs_f64(),
            checks: judged.checks,
            rto_s: facts.outage.1.map(|to| to.saturating_sub(facts.outage.0).as_secs_f64()),
            full_redundancy_s,
            phases: None,
            leaders: [None, None],
            commits: Commits::of(&writes, injected, facts.healing),
            beside: Some(beside),
        }
    }
}

/// The longest time without writes that ended after the fault.
pub fn longest(operations: &[Operation], took: Duration, injected: Duration) -> Option<Outage> {
    let all = outages(operations, took, Duration::ZERO).into_iter();
    all.filter(|outage| outage.to.is_none_or(|to| to > injected))
        // The end of the run is no outage where writes went on until then.
        .filter(|outage| outage.to.is_some() || outage.length(took) > ANSWER_TIMEOUT)
        .max_by_key(|outage| outage.length(took))
}

/// A run that was judged again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Again {
    /// What was said of it then.
    pub then: Verdict,
    /// What is said now; null where that cannot be said.
    pub now: Option<Verdict>,
    /// What is not the same.
    pub differs: Vec<Difference>,
    /// What cannot be judged again, and why.
    pub open: Option<&'static str>,
}

/// A figure that is not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its name in the report.
    pub what: &'static str,
    /// What it was then.
    pub then: String,
    /// What it is now.
    pub now: String,
}

/// Judges a run of a report again, and says what of it does not count, and why.
fn anew(report: &Report, run: &RunReport, history: &History) -> (RunReport, Option<&'static str>) {
    let rules = report.rules();
    let open = match (&rules, &run.beside) {
        (None, _) => Some("verdict and outage: timers or prediction of this report are unreadable"),
        (_, None) => Some("verdict and outage: this older report lacks the times of the faults"),
        _ => None,
    };
    let any = Rules {
        expected: Expectation { writes: Writes::Healed, lost: Lost::Possible },
        outage_max: None,
        timers: PatroniTimers { ttl_s: 0, loop_wait_s: 0, retry_timeout_s: 0 },
    };
    let (rules, beside) = (rules.unwrap_or(any), run.beside.clone().unwrap_or_default());
    let now = RunReport::judged(history, &rules, beside, run.full_redundancy_s);
    (RunReport { beside: run.beside.clone(), ..now }, open)
}

impl Again {
    /// Judges a run of a report again, by what clients did.
    pub fn of(report: &Report, run: &RunReport, history: &History) -> Self {
        let (now, open) = anew(report, run, history);
        let mut differs = compared(run, &now);
        differs.retain(|d| open.is_none() || !["prediction", "reasons", "rto_s"].contains(&d.what));
        let then = run.verdict.clone();
        Self { then, now: open.is_none().then_some(now.verdict), differs, open }
    }

    /// It is the same, and as predicted or better.
    pub fn passed(&self) -> bool {
        let said = self.now.as_ref().unwrap_or(&self.then);
        let good = matches!(said.prediction, Prediction::Confirmed | Prediction::Better);
        good && self.differs.is_empty()
    }
}

/// What of a run is not the same. A history on disk has times to the microsecond: more than that is not compared.
fn compared(then: &RunReport, now: &RunReport) -> Vec<Difference> {
    let count = |count: Option<u64>| count.map_or_else(|| "unknown".to_owned(), |c| c.to_string());
    let seconds = |s: Option<f64>| s.map_or_else(|| "never".to_owned(), |s| format!("{s:.3} s"));
    let near = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) => (one - other).abs() < 0.001,
        (one, other) => one.is_none() && other.is_none(),
    };
    let checks = |run: &RunReport| -> Vec<String> {
        let said = |c: &Checked| {
            let count: u64 = c.violations().map(|anomaly| anomaly.count).sum();
            format!("{} {} ({count})", c.check, c.verdict.as_str())
        };
        run.checks.iter().map(said).collect()
    };
    let figures = |run: &RunReport| {
        [
            ("prediction", run.verdict.prediction.as_str().to_owned()),
            ("reasons", run.verdict.reasons.join("; ")),
            ("ok", run.ok.to_string()),
            ("lost", count(run.lost)),
            ("unknown", run.unknown.to_string()),
            ("unexpected", run.unexpected.to_string()),
            ("checks", checks(run).join(", ")),
        ]
    };
    let both = figures(then).into_iter().zip(figures(now));
    let mut differs: Vec<Difference> = both
        .filter(|((_, then), (_, now))| then != now)
        .map(|((what, then), (_, now))| Difference { what, then, now })
        .collect();
    let times = [
        ("rto_s", then.rto_s, now.rto_s),
        ("two_writers_s", Some(then.two_writers_s), Some(now.two_writers_s)),
    ];
    let times = times.into_iter().filter(|(_, then, now)| !near(*then, *now));
    differs.extend(times.map(|(what, then, now)| Difference {
        what,
        then: seconds(then),
        now: seconds(now),
    }));
    differs
}

/// What a report says over all of its runs, and they do not; a run that only its history tells of was left out.
pub fn totals(report: &Report, histories: usize) -> Vec<Difference> {
    let again = report.clone().with_runs(report.runs.clone());
    let said = |report: &Report| {
        let observed = &report.observed;
        let verdicts =
            [observed.confirmed, observed.better, observed.refuted, observed.not_reached];
        [
            ("runs", report.runs.len().to_string()),
            ("outage", observed.outage_s.map_or_else(String::new, |o| o.to_string())),
            ("ok", observed.ok.to_string()),
            ("lost", observed.lost.to_string()),
            ("confirmed/better/refuted/not reached", verdicts.map(|n| n.to_string()).join("/")),
            ("passed", report.passed.to_string()),
        ]
    };
    let mut now = said(&again);
    now[0].1 = histories.to_string();
    let both = said(report).into_iter().zip(now);
    let differ = both.filter(|((_, then), (_, now))| then != now);
    differ.map(|((what, then), (_, now))| Difference { what, then, now }).collect()
}

/// Changes one thing of a run, where it has that.
type Plant = fn(&mut RunReport) -> Option<()>;

/// One thing in which a report says what the history does not.
const FALSE_REPORTS: [(&str, Plant); 4] = [
    ("the outage in the report is shortened", |run| {
        let rto_s = run.rto_s.filter(|_| run.beside.is_some())?;
        run.rto_s = (rto_s > 0.01).then_some(rto_s / 2.0);
        run.rto_s.map(drop)
    }),
    ("the report has one acknowledged write more", |run| {
        run.ok += 1;
        Some(())
    }),
    ("the report has another number of lost writes", |run| {
        run.lost = Some(run.lost?.checked_sub(1).unwrap_or(1));
        Some(())
    }),
    ("the report has another verdict", |run| {
        run.beside.as_ref()?;
        let confirmed = run.verdict.prediction == Prediction::Confirmed;
        run.verdict.prediction =
            if confirmed { Prediction::Refuted } else { Prediction::Confirmed };
        Some(())
    }),
];

/// Writes come back a second later than predicted.
const LATE: &str = "writes come back later than predicted";

/// Plants lies in a run, one at a time: what each is, and what became of it.
pub fn self_test(report: &Report, run: &RunReport, history: &History) -> Vec<(&'static str, Told)> {
    let honest = Judged::of(history);
    let mut told: Vec<_> =
        Lie::of(history.workload).map(|lie| (lie.what, lie.told(history, &honest))).collect();
    told.push((LATE, late(report, run, history)));
    // In a report that is true: this one may have been edited.
    let (truth, _) = anew(report, run, history);
    for (what, plant) in FALSE_REPORTS {
        let mut lying = truth.clone();
        let planted = plant(&mut lying);
        let found = planted.map(|()| !Again::of(report, &lying, history).differs.is_empty());
        let result = match found {
            None => Told::NoPlace,
            Some(true) => Told::Found,
            Some(false) => Told::Missed,
        };
        told.push((what, result));
    }
    told
}

fn late(report: &Report, run: &RunReport, history: &History) -> Told {
    let (Some(rules), Some(beside)) = (report.rules(), run.beside.clone()) else {
        return Told::NoPlace;
    };
    let injected = Duration::try_from_secs_f64(beside.injected_s).unwrap_or_default();
    let lasted = Duration::try_from_secs_f64(beside.healed_s - beside.injected_s);
    let after = Writes::Failover.bound(rules.timers, 0).unwrap_or_default();
    let late = rules.outage_max.unwrap_or(after + lasted.unwrap_or_default());
    let late = late + Duration::from_secs(1);
    let mut changed = history.clone();
    let mut moved = 0;
    for done in changed.operations.iter_mut().filter(|done| done.ended > injected) {
        moved += u32::from(done.outcome == Outcome::Ok && done.action.writes());
        (done.sent, done.ended) = (done.sent + late, done.ended + late);
    }
    changed.took += late;
    if moved == 0 {
        return Told::NoPlace;
    }
    let now = RunReport::judged(&changed, &rules, beside, run.full_redundancy_s).verdict;
    let said =
        |why: &String| why.starts_with("no write went") || why.starts_with("writes came back");
    if now.reasons.iter().any(said) { Told::Found } else { Told::Missed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::by_name;
    use crate::history::{Action, Done, End, Found, Session};
    use crate::spec::{Durability, Spec, TimerPreset};

    /// A leader until 5 s, another one from 15 s on.
    fn failover() -> History {
        let ms = Duration::from_millis;
        let session = |node, timeline| Session { client: 0, node, timeline: Some(timeline) };
        let of = |session, id, at| Done {
            session,
            id,
            sent: ms(at),
            ended: ms(at + 5),
            outcome: Outcome::Ok,
            action: Action::Insert,
        };
        let before = (0..500).map(|id| of(0, id, id * 10));
        let after = (500..1_000).map(|id| of(1, id, 10_000 + id * 10));
        History {
            workload: Workload::Ledger,
            nodes: vec!["a".to_owned(), "b".to_owned()],
            took: ms(20_010),
            sessions: vec![session(0, 1), session(1, 2)],
            operations: before.chain(after).collect(),
            end: Some(End {
                node: "b".to_owned(),
                found: Found::Rows((0..1_000).map(|id| (0, id)).collect()),
            }),
        }
    }

    fn report(history: &History) -> Report {
        let timers = PatroniTimers { ttl_s: 20, loop_wait_s: 5, retry_timeout_s: 5 };
        let expected = Expectation { writes: Writes::Failover, lost: Lost::None };
        let drill = by_name("leader-killed").expect("a drill");
        let spec =
            Spec { durability: Durability::Quorum, timers: TimerPreset::Fast, ..Spec::default() };
        let begun = Report::begun(&drill, "demo-1".to_owned(), 7, Dynamic::of(&spec), expected);
        let beside =
            Beside { injected_s: 4.9, healed_s: 16.0, healing_s: 15.0, ..Beside::default() };
        let rules = begun.rules().expect("rules");
        assert_eq!((rules.timers, rules.expected), (timers, expected));
        let run = RunReport::judged(history, &rules, beside, Some(2.0));
        begun.with_runs(vec![run])
    }

    #[test]
    fn a_run_that_is_judged_again_is_the_same() {
        let history = failover();
        let report = report(&history);
        // As a folder has it.
        let json = serde_json::to_string(&report).expect("plain data is JSON");
        let report: Report = serde_json::from_str(&json).expect("a report");
        let mut bytes = Vec::new();
        history.write_to(&mut bytes).expect("memory");
        let history = History::read_from(bytes.as_slice()).expect("a history");
        let again = Again::of(&report, &report.runs[0], &history);
        assert_eq!((&again.differs, again.open), (&Vec::new(), None));
        assert_eq!(again.now.as_ref().map(|now| now.prediction), Some(Prediction::Confirmed));
        assert!(again.passed());
    }

    #[test]
    fn every_lie_about_a_failover_is_found() {
        let history = failover();
        let report = report(&history);
        // Whatever the report itself says: it may have been edited.
        let mut edited = report.runs[0].clone();
        (edited.rto_s, edited.ok) = (Some(1.0), 7);
        let runs = [&report.runs[0], &edited];
        let told = runs.into_iter().flat_map(|run| self_test(&report, run, &history));
        for (what, told) in told {
            let reads = what != "a client reads less than it has read before";
            assert_eq!(told, if reads { Told::Found } else { Told::NoPlace }, "{what}");
        }
    }

    #[test]
    fn an_older_report_says_what_is_not_judged_again() {
        let mut history = failover();
        let mut report = report(&history);
        report.runs[0].beside = None;
        let again = Again::of(&report, &report.runs[0], &history);
        assert!(again.open.is_some_and(|why| why.contains("outage")) && again.now.is_none());
        assert!(again.passed(), "{again:?}");
        let Some(End { found: Found::Rows(rows), .. }) = &mut history.end else { panic!("rows") };
        rows.pop();
        let again = Again::of(&report, &report.runs[0], &history);
        let differs: Vec<&str> = again.differs.iter().map(|d| d.what).collect();
        assert_eq!((differs, again.passed()), (vec!["lost", "checks"], false));
    }

    #[test]
    fn a_refuted_run_stays_so() {
        let mut history = failover();
        let Some(End { found: Found::Rows(rows), .. }) = &mut history.end else { panic!("rows") };
        rows.pop();
        let report = report(&history);
        let again = Again::of(&report, &report.runs[0], &history);
        assert_eq!((again.differs.len(), again.passed()), (0, false));
    }
}
