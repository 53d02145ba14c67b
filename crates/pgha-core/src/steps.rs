//! A verb in steps: how far it has come, what is next, and what takes it back.
//!
//! What is done stands in a journal, which is written down before anything of a step is done. Every step can
//! be done again from its beginning, so a journal that is one step behind is no harm. Decides only; who carries
//! steps out and keeps the journal is the shell's business, and what the steps are is each verb's.

use serde::{Deserialize, Serialize};

/// One step of a verb, or of taking it back.
pub trait Step: Clone + PartialEq {
    /// The word for it in JSON and in tables.
    fn word(&self) -> String;

    /// What is being done, for a line of progress.
    fn doing(&self) -> String;
}

/// A step that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepDone<S> {
    /// Which.
    pub step: S,
    /// How long it took, in milliseconds, without what an interrupted attempt had taken.
    pub took_ms: u64,
    /// What came of it, for people.
    pub note: String,
}

/// Which way a verb goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// To its end.
    #[default]
    Forward,
    /// Back to what was before.
    Back,
}

/// How far a verb has come, with steps `S`, and how far it is taken back, with steps `U`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "S: Deserialize<'de>, U: Deserialize<'de>"))]
pub struct Progress<S, U> {
    /// Which way it goes.
    #[serde(default)]
    pub phase: Phase,
    /// What is done.
    pub done: Vec<StepDone<S>>,
    /// The last step that was ever begun: what it does may be done, whole or in part.
    #[serde(default)]
    pub begun: Option<S>,
    /// What is done of taking it back.
    #[serde(default)]
    pub undone: Vec<U>,
}

impl<S, U> Default for Progress<S, U> {
    fn default() -> Self {
        Self { phase: Phase::Forward, done: Vec::new(), begun: None, undone: Vec::new() }
    }
}

/// The journal of a verb: what was decided, and how far it is.
pub trait StepJournal {
    /// What is done.
    type Step: Step;
    /// What takes it back.
    type Undo: Step;

    /// Every step, in order.
    fn steps(&self) -> Vec<Self::Step>;

    /// What takes back all that was begun and nothing else, in order.
    fn undos(&self) -> Vec<Self::Undo>;

    /// How far it is.
    fn progress(&self) -> &Progress<Self::Step, Self::Undo>;

    /// How far it is, to be written to.
    fn progress_mut(&mut self) -> &mut Progress<Self::Step, Self::Undo>;

    /// Whether nothing was touched: a verb that fails then leaves no journal.
    fn is_untouched(&self) -> bool;

    /// How to go on in that cluster, and how to go back, for a hint.
    fn ways_on(&self, cluster: &str) -> String;

    /// Whether a step is done.
    fn is_done(&self, step: &Self::Step) -> bool {
        self.progress().done.iter().any(|done| done.step == *step)
    }

    /// The step to go on with: the first that is not done; `None` when all are.
    fn next(&self) -> Option<Self::Step> {
        self.steps().into_iter().find(|step| !self.is_done(step))
    }

    /// Begins the next step: to be written down before anything of it is done.
    fn begin(&mut self) -> Option<Self::Step> {
        let next = self.next()?;
        let begun = self.progress().begun.as_ref();
        if begun.is_none_or(|begun| self.place(begun) < self.place(&next)) {
            self.progress_mut().begun = Some(next.clone());
        }
        Some(next)
    }

    /// Whether a step was ever begun.
    fn has_begun(&self, step: &Self::Step) -> bool {
        // One that another version wrote down may be in the middle of the step after the last that is done.
        let begun = self.progress().begun.clone().or_else(|| self.next());
        self.is_done(step) || begun.is_none_or(|begun| self.place(&begun) >= self.place(step))
    }

    /// What to do next to take it back; `None` when nothing is left of it.
    fn next_undo(&self) -> Option<Self::Undo> {
        self.undos().into_iter().find(|undo| !self.progress().undone.contains(undo))
    }

    /// Where a step stands among all; one that is none of them stands behind.
    fn place(&self, step: &Self::Step) -> usize {
        let steps = self.steps();
        steps.iter().position(|other| other == step).unwrap_or(steps.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A verb that restarts nodes: its steps are known only when it is planned.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Restart {
        nodes: Vec<String>,
        #[serde(flatten)]
        progress: Progress<String, String>,
    }

    impl Step for String {
        fn word(&self) -> String {
            self.clone()
        }

        fn doing(&self) -> String {
            format!("restarting {self}")
        }
    }

    impl StepJournal for Restart {
        type Step = String;
        type Undo = String;

        fn steps(&self) -> Vec<String> {
            self.nodes.clone()
        }

        fn undos(&self) -> Vec<String> {
            self.nodes.iter().rev().filter(|node| self.has_begun(node)).cloned().collect()
        }

        fn progress(&self) -> &Progress<String, String> {
            &self.progress
        }

        fn progress_mut(&mut self) -> &mut Progress<String, String> {
            &mut self.progress
        }

        fn is_untouched(&self) -> bool {
            self.progress.begun.is_none()
        }

        fn ways_on(&self, cluster: &str) -> String {
            format!("again, in {cluster}")
        }
    }

    proptest! {
        #[test]
        fn steps_are_begun_in_order_and_exactly_those_are_taken_back(of in 1..6_usize, done in 0..6_usize) {
            let nodes: Vec<String> = (0..of).map(|node| format!("node {node}")).collect();
            let mut journal = Restart { nodes: nodes.clone(), progress: Progress::default() };
            let done = done.min(of);
            for step in &nodes[..done] {
                prop_assert_eq!(journal.begin(), Some(step.clone()));
                prop_assert!(journal.has_begun(step) && !journal.is_done(step));
                let note = String::new();
                journal.progress.done.push(StepDone { step: step.clone(), took_ms: 0, note });
            }
            let next = journal.begin();
            prop_assert_eq!(next.as_ref(), nodes.get(done));
            // What has to be read back is the journal, not what was in memory.
            let text = serde_json::to_string(&journal).expect("plain data is JSON");
            let mut journal: Restart = serde_json::from_str(&text).expect("its own");
            let mut taken_back = Vec::new();
            journal.progress.phase = Phase::Back;
            while let Some(undo) = journal.next_undo() {
                taken_back.push(undo.clone());
                journal.progress.undone.push(undo);
            }
            let begun = nodes[..of.min(done + 1)].iter().rev().cloned();
            prop_assert_eq!(taken_back, begun.collect::<Vec<_>>());
        }

        #[test]
        fn a_step_that_is_done_again_is_not_the_last_that_was_begun(again in 0..4_usize) {
            let nodes: Vec<String> = (0..5).map(|node| format!("node {node}")).collect();
            let mut journal = Restart { nodes: nodes.clone(), progress: Progress::default() };
            for step in &nodes[..4] {
                journal.begin();
                let note = String::new();
                journal.progress.done.push(StepDone { step: step.clone(), took_ms: 0, note });
            }
            journal.progress.done.truncate(again);
            prop_assert_eq!(journal.begin(), Some(nodes[again].clone()));
            prop_assert!(journal.has_begun(&nodes[3]) && !journal.has_begun(&nodes[4]));
        }
    }
}
