//! What is said elsewhere of a restore that is not finished.

use serde::{Deserialize, Serialize};

use crate::restore::{Journal, Step, Undo};
use crate::steps::{Phase, StepJournal as _};

/// A restore that is in progress, or was interrupted: nobody but the command that carries it out knows which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// Its id.
    pub id: String,
    /// Where it ends.
    pub target: String,
    /// Which way it goes.
    pub phase: Phase,
    /// The step that it is at, `recover` such as; `None` where all are done or on the way back.
    pub step: Option<Step>,
    /// What is being done.
    pub doing: String,
    /// Both ways on.
    pub ways: String,
}

impl Journal {
    /// What is said of it where the cluster is looked at.
    pub fn unfinished(&self, cluster: &str) -> Unfinished {
        let back = self.progress.phase == Phase::Back;
        let step = self.next().filter(|_| !back);
        let doing = if back {
            self.next_undo().map_or("the end", Undo::doing)
        } else {
            step.map_or("the end", Step::doing)
        };
        Unfinished {
            id: self.id.clone(),
            target: self.plan.target.to_string(),
            phase: self.progress.phase,
            step,
            doing: doing.to_owned(),
            ways: self.ways_on(cluster),
        }
    }
}

impl Unfinished {
    /// Whether nodes lack Patroni and Postgres because of it: it has begun to stop them.
    pub fn holds(&self) -> bool {
        self.phase == Phase::Back || self.step != Some(Step::Archive)
    }

    /// One sentence, without a full stop.
    pub fn message(&self) -> String {
        let Self { id, target, doing, .. } = self;
        let place = match (self.phase, self.step) {
            (Phase::Back, _) => return format!("restore {id} is being given up, at: {doing}"),
            (Phase::Forward, Some(step)) => format!("at step {step} ({doing})"),
            (Phase::Forward, None) => "at its end".to_owned(),
        };
        let meanwhile = match self.step {
            Some(Step::Archive) => "nothing is stopped yet",
            Some(step) if step < Step::Lead => "no node runs Patroni or Postgres until step lead",
            Some(Step::Lead) => "only the restored node starts Patroni",
            _ => "replicas are made from the restored node's database",
        };
        format!("a restore to {target} is in progress ({id}), {place}: {meanwhile}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::StepDone;
    use crate::restore::plan::tests::latest_plan;

    #[test]
    fn each_step_says_where_it_is_and_both_ways_on() {
        let mut journal = Journal::new("1".to_owned(), latest_plan(), false, false);
        for step in Step::ALL {
            journal.begin();
            let said = journal.unfinished("demo-1");
            assert!(
                said.message().contains(&format!("at step {step} ({})", step.doing())),
                "{said:?}"
            );
            assert!(said.ways.contains("`pgha restore demo-1` resumes"), "{said:?}");
            assert_eq!(said.holds(), step != Step::Archive);
            let json = serde_json::to_string(&said).expect("plain data is JSON");
            assert_eq!(serde_json::from_str::<Unfinished>(&json).ok(), Some(said));
            if step == Step::Recover {
                let mut back = journal.clone();
                back.progress.phase = Phase::Back;
                let back = back.unfinished("demo-1");
                assert!(back.holds() && back.message().contains("stopping Patroni"), "{back:?}");
            }
            journal.progress.done.push(StepDone { step, took_ms: 0, note: String::new() });
        }
    }
}
