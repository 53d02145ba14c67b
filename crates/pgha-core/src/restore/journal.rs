//! How far a restore has come: what is written down before and after each step.
//!
//! Every step can be done again from its beginning, so a journal that is one step behind is no harm.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::restore::RestorePlan;

/// What is done to restore a cluster, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The leader's last WAL is in the repository.
    Archive,
    /// No Patroni and no Postgres runs, and none will before it is let.
    Hold,
    /// The old data stand beside.
    Aside,
    /// The new leader has the files of the backup.
    Restore,
    /// It has replayed WAL up to the target and begun a new timeline.
    Recover,
    /// etcd knows nothing of who led and how far it was.
    Clear,
    /// The new leader leads.
    Lead,
    /// Every replica is made anew and streams.
    Replicas,
    /// The database has said that all of this is so.
    Verify,
    /// The old data are gone, or are kept as asked.
    Finish,
}

impl Step {
    /// Every step in order.
    pub const ALL: [Self; 10] = [
        Self::Archive,
        Self::Hold,
        Self::Aside,
        Self::Restore,
        Self::Recover,
        Self::Clear,
        Self::Lead,
        Self::Replicas,
        Self::Verify,
        Self::Finish,
    ];

    /// The word for it in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Hold => "hold",
            Self::Aside => "aside",
            Self::Restore => "restore",
            Self::Recover => "recover",
            Self::Clear => "clear",
            Self::Lead => "lead",
            Self::Replicas => "replicas",
            Self::Verify => "verify",
            Self::Finish => "finish",
        }
    }

    /// What is being done, for a line of progress.
    pub fn doing(self) -> &'static str {
        match self {
            Self::Archive => "archiving the last WAL",
            Self::Hold => "stopping Patroni and Postgres everywhere",
            Self::Aside => "setting the old data aside",
            Self::Restore => "copying the backup",
            Self::Recover => "replaying WAL",
            Self::Clear => "clearing what etcd knows of the old cluster",
            Self::Lead => "starting the new leader",
            Self::Replicas => "rebuilding the replicas",
            Self::Verify => "asking the database",
            Self::Finish => "tidying up",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A step that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepDone {
    /// Which.
    pub step: Step,
    /// How long it took, in milliseconds, without what an interrupted attempt had taken.
    pub took_ms: u64,
    /// What came of it, for people.
    pub note: String,
}

/// Which way a restore goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// To the target.
    #[default]
    Forward,
    /// Back to the old data.
    Back,
}

/// A restore that is going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Format; 1.
    pub version: u32,
    /// When it began, as `20261124-155501`; part of the names of the old data.
    pub id: String,
    /// What was decided.
    pub plan: RestorePlan,
    /// The new leader's old data are not kept.
    pub discard_old: bool,
    /// The old data stay beside after the end.
    pub keep_old: bool,
    /// Which way it goes.
    #[serde(default)]
    pub phase: Phase,
    /// What is done.
    pub done: Vec<StepDone>,
    /// The timeline that the restored data began, once it has.
    #[serde(default)]
    pub new_timeline: Option<u32>,
}

impl Journal {
    /// The step to go on with; `None` when all are done.
    pub fn next(&self) -> Option<Step> {
        Step::ALL.into_iter().find(|step| !self.is_done(*step))
    }

    /// Whether a step is done.
    pub fn is_done(&self, step: Step) -> bool {
        self.done.iter().any(|done| done.step == step)
    }

    /// Whether the old data are all still there.
    pub fn can_go_back(&self) -> bool {
        !self.discard_old || self.next().is_none_or(|step| step <= Step::Aside)
    }
}
