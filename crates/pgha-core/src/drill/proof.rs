//! What came of trying a survival table: as far as it went, so that it can be gone on with.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::judge::Prediction;
use super::prove::Case;
use super::report::RunReport;
use crate::spec::Durability;

/// The rows that were tried, in the order of [`super::cases`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// The cluster, such as `demo-1`.
    pub cluster: String,
    /// Its cluster file.
    pub spec: String,
    /// Which of its members were added or removed since, as in a label.
    #[serde(default = "first")]
    pub layout: String,
    /// The durability in force.
    pub durability: Durability,
    /// The timers in force, as `ttl/loop_wait/retry_timeout` in seconds.
    pub timers: String,
    /// What all that is drawn at random is made from.
    pub seed: u64,
    /// The rows.
    pub rows: Vec<Proved>,
}

/// One row with one place of the leader, tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proved {
    /// Which.
    #[serde(flatten)]
    pub case: Case,
    /// What came of it; null where it was not reached.
    pub run: Option<RunReport>,
    /// Why it was not reached.
    pub why: Option<String>,
}

impl Proved {
    /// What became of the prediction.
    pub fn prediction(&self) -> Prediction {
        self.run.as_ref().map_or(Prediction::NotReached, |run| run.verdict.prediction)
    }

    /// Why it is not simply confirmed.
    pub fn reasons(&self) -> Vec<String> {
        let run = self.run.iter().flat_map(|run| run.verdict.reasons.clone());
        run.chain(self.why.clone()).collect()
    }
}

/// The layout that follows from the specification.
fn first() -> String {
    "1".to_owned()
}

impl Proof {
    /// Whether a case was tried and judged: it need not be tried again.
    pub fn has(&self, case: &Case) -> bool {
        let same = |row: &&Proved| row.case == *case;
        self.rows.iter().find(same).is_some_and(|row| row.prediction() != Prediction::NotReached)
    }

    /// Puts a row in, in place of an earlier one of the same case.
    pub fn put(&mut self, row: Proved) {
        match self.rows.iter_mut().find(|known| known.case == row.case) {
            Some(known) => *known = row,
            None => self.rows.push(row),
        }
    }

    /// How many rows have this prediction.
    pub fn count(&self, prediction: Prediction) -> usize {
        self.rows.iter().filter(|row| row.prediction() == prediction).count()
    }

    /// Every row was judged, and none is refuted.
    pub fn passed(&self) -> bool {
        self.count(Prediction::Refuted) + self.count(Prediction::NotReached) == 0
    }

    /// As XML of `JUnit`, a test case for each row: what CI systems show.
    pub fn junit(&self) -> String {
        let (failed, skipped) =
            (self.count(Prediction::Refuted), self.count(Prediction::NotReached));
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"pgha prove {} {}\" tests=\"{}\" failures=\"{failed}\" skipped=\"{skipped}\">\n",
            escaped(&self.cluster),
            self.durability,
            self.rows.len(),
        );
        for row in &self.rows {
            let name = escaped(&row.case.name());
            let why = escaped(&row.reasons().join("; "));
            let _ = match row.prediction() {
                Prediction::Refuted => writeln!(
                    xml,
                    "  <testcase name=\"{name}\"><failure message=\"{why}\"/></testcase>"
                ),
                Prediction::NotReached => writeln!(
                    xml,
                    "  <testcase name=\"{name}\"><skipped message=\"{why}\"/></testcase>"
                ),
                Prediction::Confirmed | Prediction::Better => {
                    writeln!(xml, "  <testcase name=\"{name}\"/>")
                }
            };
        }
        xml + "</testsuite>\n"
    }
}

/// For the value of an attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::super::{Expectation, LeaderIs, Lost, Verdict, Writes};
    use super::*;

    fn row(site: &str, prediction: Option<Prediction>, reason: &str) -> Proved {
        let run = prediction.map(|prediction| RunReport {
            verdict: Verdict { prediction, reasons: vec![reason.to_owned()] },
            faults: Vec::new(),
            ok: 1,
            lost: Some(0),
            unknown: 0,
            unexpected: 0,
            two_writers_s: 0.0,
            checks: Vec::new(),
            rto_s: Some(1.0),
            full_redundancy_s: Some(1.0),
            phases: None,
            leaders: [None, None],
            commits: None,
            beside: None,
        });
        let expected = Expectation { writes: Writes::Failover, lost: Lost::None };
        let case = Case { lost: vec![site.to_owned()], leader: LeaderIs::Inside, expected };
        let why = run.is_none().then(|| reason.to_owned());
        Proved { case, run, why }
    }

    fn proof(rows: Vec<Proved>) -> Proof {
        Proof {
            cluster: "demo-1".to_owned(),
            spec: String::new(),
            layout: first(),
            durability: Durability::Quorum,
            timers: "20/5/5".to_owned(),
            seed: 1,
            rows,
        }
    }

    #[test]
    fn what_was_judged_is_not_tried_again_and_what_was_not_reached_is() {
        let mut proof = proof(vec![
            row("DC1", Some(Prediction::Confirmed), ""),
            row("DC2", None, "interrupted"),
        ]);
        assert!(proof.has(&row("DC1", None, "").case) && !proof.has(&row("DC2", None, "").case));
        assert!(!proof.has(&row("DC3", None, "").case) && !proof.passed());
        proof.put(row("DC2", Some(Prediction::Better), ""));
        assert_eq!(proof.rows.len(), 2);
        assert!(proof.passed());
        let text = serde_json::to_string(&proof).expect("JSON");
        assert_eq!(serde_json::from_str::<Proof>(&text).expect("read"), proof);
    }

    #[test]
    fn junit_has_a_case_for_each_row_and_no_byte_that_breaks_it() {
        let proof = proof(vec![
            row("DC1", Some(Prediction::Confirmed), ""),
            row("DC2", Some(Prediction::Refuted), "7 < 8 & \"more\"\nlost"),
            row("DC3", None, "nobody may lead"),
        ]);
        insta::assert_snapshot!(proof.junit(), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuite name="pgha prove demo-1 quorum" tests="3" failures="1" skipped="1">
          <testcase name="DC1, leader inside"/>
          <testcase name="DC2, leader inside"><failure message="7 &lt; 8 &amp; &quot;more&quot; lost"/></testcase>
          <testcase name="DC3, leader inside"><skipped message="nobody may lead"/></testcase>
        </testsuite>
        "#);
    }
}
