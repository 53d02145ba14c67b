//! The steps of a repair, of taking it back, and its journal.

use serde::{Deserialize, Serialize};

use super::RepairPlan;
use crate::steps::{self, Progress, StepJournal};

/// Where the backup host keeps it, in the folder of the repository.
pub const JOURNAL_FILE: &str = "etcd-repair.json";

/// What is done, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// No etcd member but the survivor runs.
    Stop,
    /// The survivor is a cluster of one, with all that it had.
    Alone,
    /// A member has joined it, with an empty store, and votes.
    Rejoin {
        /// Which.
        member: String,
    },
    /// A node leads, and all stream.
    Lead,
    /// The old stores are gone.
    Finish,
}

impl steps::Step for Step {
    fn word(&self) -> String {
        match self {
            Self::Stop => "stop".to_owned(),
            Self::Alone => "alone".to_owned(),
            Self::Rejoin { member } => format!("rejoin {member}"),
            Self::Lead => "lead".to_owned(),
            Self::Finish => "finish".to_owned(),
        }
    }

    fn doing(&self) -> String {
        match self {
            Self::Stop => "stopping the other etcd members".to_owned(),
            Self::Alone => "making the survivor a cluster of one".to_owned(),
            Self::Rejoin { member } => format!("adding {member}"),
            Self::Lead => "waiting for the leader and the replicas".to_owned(),
            Self::Finish => "removing the old stores".to_owned(),
        }
    }
}

/// What takes it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// No etcd member runs.
    Stop,
    /// Each member has the store that it had, and runs.
    PutBack,
}

impl steps::Step for Undo {
    fn word(&self) -> String {
        self.doing()
    }

    fn doing(&self) -> String {
        match self {
            Self::Stop => "stopping etcd".to_owned(),
            Self::PutBack => "putting the old stores back".to_owned(),
        }
    }
}

/// A repair that is going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Format; 1.
    pub version: u32,
    /// When it began, as `20261128-190500`; part of the names of the old stores.
    pub id: String,
    /// What was decided.
    pub plan: RepairPlan,
    /// How far it is.
    #[serde(flatten)]
    pub progress: Progress<Step, Undo>,
}

impl Journal {
    /// Of a repair that nothing is done of.
    pub fn new(id: String, plan: RepairPlan) -> Self {
        Self { version: 1, id, plan, progress: Progress::default() }
    }

    /// Whether all old stores are still there.
    pub fn can_go_back(&self) -> bool {
        !self.has_begun(&Step::Finish)
    }

    /// The members whose stores were touched: copied or moved away.
    pub fn touched(&self) -> Vec<String> {
        let survivor = self.has_begun(&Step::Alone).then(|| self.plan.survivor.clone());
        let joined = self.plan.rejoin.iter().filter(|member| {
            let member = (*member).clone();
            self.has_begun(&Step::Rejoin { member })
        });
        survivor.into_iter().chain(joined.cloned()).collect()
    }
}

impl StepJournal for Journal {
    type Step = Step;
    type Undo = Undo;

    fn steps(&self) -> Vec<Step> {
        let rejoin = self.plan.rejoin.iter().map(|member| Step::Rejoin { member: member.clone() });
        [Step::Stop, Step::Alone]
            .into_iter()
            .chain(rejoin)
            .chain([Step::Lead, Step::Finish])
            .collect()
    }

    fn undos(&self) -> Vec<Undo> {
        if self.is_untouched() { Vec::new() } else { vec![Undo::Stop, Undo::PutBack] }
    }

    fn progress(&self) -> &Progress<Step, Undo> {
        &self.progress
    }

    fn progress_mut(&mut self) -> &mut Progress<Step, Undo> {
        &mut self.progress
    }

    fn is_untouched(&self) -> bool {
        self.progress.begun.is_none()
    }

    fn ways_on(&self, cluster: &str) -> String {
        if self.progress.phase == steps::Phase::Back {
            return format!("`pgha repair etcd {cluster} --abort` resumes it");
        }
        let on = format!("`pgha repair etcd {cluster}` resumes here");
        if self.can_go_back() {
            format!("{on}, `pgha repair etcd {cluster} --abort` puts the old stores back")
        } else {
            format!("{on}; the old stores are being removed, so that there is no way back")
        }
    }
}
