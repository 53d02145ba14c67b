//! How far a change of members has come.

use serde::{Deserialize, Serialize};

use crate::layout::{ClusterId, Layout};
use crate::layout_change;
use crate::scale::Asked;
use crate::spec::Spec;
use crate::steps::{self, Progress, StepJournal};

/// A step, and what it is about by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is done.
    #[serde(flatten)]
    pub what: layout_change::Step,
    /// The member or the site; empty where it is about none.
    #[serde(default, rename = "about")]
    pub whom: String,
}

impl Step {
    /// The same with the names of a layout.
    pub fn named(what: layout_change::Step, layout: &Layout, cluster: &ClusterId) -> Self {
        use layout_change::Step as S;
        let whom = match what {
            S::AddSite { site } | S::RemoveSite { site } => format!("DC{site}"),
            S::MakeCertificate { id }
            | S::AddLearner { id }
            | S::Promote { id }
            | S::AddNode { id }
            | S::MoveLeader { id }
            | S::RemoveNode { id }
            | S::RemoveEtcd { id } => {
                layout.member(id).map(|member| member.name(cluster)).unwrap_or_default()
            }
            S::RaiseLimits { .. } | S::Apply { .. } | S::DropSlots => String::new(),
        };
        Self { what, whom }
    }
}

impl steps::Step for Step {
    fn word(&self) -> String {
        use layout_change::Step as S;
        let whom = &self.whom;
        match self.what {
            S::AddSite { .. } => format!("network of {whom}, with the router on it"),
            S::MakeCertificate { .. } => format!("certificate of {whom}"),
            S::Apply { generation } => format!("compose file and members, generation {generation}"),
            S::AddLearner { .. } => format!("etcd learner {whom}"),
            S::Promote { .. } => format!("etcd voter {whom}"),
            S::RaiseLimits { nodes } => {
                format!("WAL senders and slots for {nodes} nodes, rolling restart")
            }
            S::AddNode { .. } => format!("node {whom}"),
            S::MoveLeader { .. } => format!("switchover from {whom}"),
            S::RemoveNode { .. } => format!("removal of node {whom}"),
            S::DropSlots => "removal of replication slots".to_owned(),
            S::RemoveEtcd { .. } => format!("removal of etcd member {whom}"),
            S::RemoveSite { .. } => format!("removal of the network of {whom}"),
        }
    }

    fn doing(&self) -> String {
        steps::Step::word(self)
    }
}

/// A change of members that is going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Format; 1.
    pub version: u32,
    /// What was asked for.
    pub asked: Asked,
    /// The layout before, as text.
    pub old: String,
    /// The layout that it ends at, as text.
    pub new: String,
    /// What is to be done.
    pub steps: Vec<Step>,
    /// The generation that the compose file and the members have.
    pub published: u32,
    /// What Patroni's `member_slots_ttl` was before it was set to 0 for a moment, as JSON: `null` where it was absent.
    #[serde(default)]
    pub slots_ttl: Option<String>,
    /// How far it is.
    #[serde(flatten)]
    pub progress: Progress<Step, Step>,
}

impl Journal {
    /// Of a change that nothing is done of.
    pub fn new(
        asked: Asked,
        old: &Layout,
        new: &Layout,
        steps: &[layout_change::Step],
        cluster: &ClusterId,
    ) -> Self {
        Self {
            version: 1,
            asked,
            old: old.to_string(),
            new: new.to_string(),
            steps: steps.iter().map(|step| Step::named(*step, new, cluster)).collect(),
            published: old.generation(),
            slots_ttl: None,
            progress: Progress::default(),
        }
    }

    /// What was asked for, and the next step.
    pub fn told(&self) -> String {
        let next =
            self.next().map_or_else(|| "the end".to_owned(), |step| steps::Step::word(&step));
        format!("{}, at: {next}", self.asked)
    }

    /// The layout that it ends at.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn layout(&self, spec: &Spec) -> Result<Layout, String> {
        Layout::parse(&self.new, spec)
    }
}

impl StepJournal for Journal {
    type Step = Step;
    type Undo = Step;

    fn steps(&self) -> Vec<Step> {
        self.steps.clone()
    }

    /// There is no way back: what was added is removed by another change.
    fn undos(&self) -> Vec<Step> {
        Vec::new()
    }

    fn progress(&self) -> &Progress<Step, Step> {
        &self.progress
    }

    fn progress_mut(&mut self) -> &mut Progress<Step, Step> {
        &mut self.progress
    }

    fn is_untouched(&self) -> bool {
        let first = self.steps.iter();
        let mut first = first
            .skip_while(|step| matches!(step.what, layout_change::Step::MakeCertificate { .. }));
        first.next().is_none_or(|step| !self.has_begun(step))
    }

    fn ways_on(&self, cluster: &str) -> String {
        format!("`pgha scale {cluster} --resume` resumes here")
    }
}
