//! What is said of a repair that is not finished, where its cluster is looked at.

use serde::{Deserialize, Serialize};

use super::{Journal, Step, Undo};
use crate::steps::{Phase, Step as _, StepJournal as _};

/// A repair that is in progress, or was interrupted: nobody but the command that carries it out knows which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// Its id.
    pub id: String,
    /// It is being taken back.
    pub back: bool,
    /// What is being done.
    pub doing: String,
    /// The ways on.
    pub ways: String,
}

impl Journal {
    /// What is said of it.
    pub fn unfinished(&self, cluster: &str) -> Unfinished {
        let back = self.progress.phase == Phase::Back;
        let doing = if back {
            self.next_undo().as_ref().map(Undo::doing)
        } else {
            self.next().as_ref().map(Step::doing)
        };
        let doing = doing.unwrap_or_else(|| "the end".to_owned());
        Unfinished { id: self.id.clone(), back, doing, ways: self.ways_on(cluster) }
    }
}

impl Unfinished {
    /// One sentence, without a full stop.
    pub fn message(&self) -> String {
        let Self { id, doing, .. } = self;
        if self.back {
            format!("repair {id} of etcd is being given up, at: {doing}")
        } else {
            format!("a repair of etcd is in progress ({id}), at: {doing}")
        }
    }
}
