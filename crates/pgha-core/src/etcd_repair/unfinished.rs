//! What is said of a repair that is not finished, where its cluster is looked at.

use super::{Journal, Step, Undo};
use crate::observe::UnfinishedRepair;
use crate::steps::{Phase, Step as _, StepJournal as _};

impl Journal {
    /// What is said of it.
    pub fn unfinished(&self, cluster: &str) -> UnfinishedRepair {
        let back = self.progress.phase == Phase::Back;
        let doing = if back {
            self.next_undo().as_ref().map(Undo::doing)
        } else {
            self.next().as_ref().map(Step::doing)
        };
        let doing = doing.unwrap_or_else(|| "the end".to_owned());
        UnfinishedRepair { id: self.id.clone(), back, doing, ways: self.ways_on(cluster) }
    }
}
