//! How far a rotation of certificates has come.

use serde::{Deserialize, Serialize};

use crate::steps::{self, Progress, StepJournal};

/// One step of a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// A new CA is made, which nobody knows yet.
    Authority,
    /// A member trusts the new CA beside the old one.
    Trust {
        /// Which.
        member: String,
    },
    /// New certificates are made, which nobody serves yet.
    Issue,
    /// A member serves its new certificate.
    Renew {
        /// Which.
        member: String,
    },
    /// The new CA takes the place of the old one among the secrets.
    Replace,
    /// A member trusts the new CA alone.
    Distrust {
        /// Which.
        member: String,
    },
}

impl steps::Step for Step {
    fn word(&self) -> String {
        match self {
            Self::Authority => "new CA".to_owned(),
            Self::Trust { member } => format!("both CAs trusted by {member}"),
            Self::Issue => "new certificates".to_owned(),
            Self::Renew { member } => format!("certificate of {member}"),
            Self::Replace => "old CA removed from the secrets".to_owned(),
            Self::Distrust { member } => format!("new CA alone trusted by {member}"),
        }
    }

    fn doing(&self) -> String {
        self.word()
    }
}

/// A rotation that is going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Format; 1.
    pub version: u32,
    /// There is a new CA, too.
    pub ca: bool,
    /// Days until the new ones expire; they do not where none are given.
    pub days: Option<u32>,
    /// Who has a certificate, in the order in which they get new ones.
    pub members: Vec<String>,
    /// How far it is.
    #[serde(flatten)]
    pub progress: Progress<Step, Step>,
}

impl Journal {
    /// Of a rotation that nothing is done of.
    pub fn new(ca: bool, days: Option<u32>, members: Vec<String>) -> Self {
        Self { version: 1, ca, days, members, progress: Progress::default() }
    }
}

impl StepJournal for Journal {
    type Step = Step;
    type Undo = Step;

    /// The old CA is trusted until every member serves a certificate of the new one.
    fn steps(&self) -> Vec<Step> {
        let each = |step: fn(String) -> Step| self.members.iter().cloned().map(step);
        let renew = each(|member| Step::Renew { member });
        if !self.ca {
            return [Step::Issue].into_iter().chain(renew).collect();
        }
        let trust = each(|member| Step::Trust { member });
        let distrust = each(|member| Step::Distrust { member });
        let begin = [Step::Authority].into_iter().chain(trust);
        begin.chain([Step::Issue]).chain(renew).chain([Step::Replace]).chain(distrust).collect()
    }

    /// There is no way back: another rotation makes other certificates.
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
        let made_only = |step: &Step| matches!(step, Step::Authority | Step::Issue);
        let first = self.steps().into_iter().find(|step| !made_only(step));
        !first.is_some_and(|step| self.has_begun(&step))
    }

    fn ways_on(&self, cluster: &str) -> String {
        format!("`pgha certs rotate {cluster}` resumes here")
    }
}
