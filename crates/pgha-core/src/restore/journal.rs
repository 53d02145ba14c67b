//! The steps of a restore, of giving it up, and its journal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::restore::RestorePlan;
use crate::steps::{self, Phase, Progress, StepJournal};

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
            Self::Aside => "moving the old data away",
            Self::Restore => "copying the backup",
            Self::Recover => "replaying WAL",
            Self::Clear => "removing the old cluster's keys from etcd",
            Self::Lead => "starting the new leader",
            Self::Replicas => "rebuilding the replicas",
            Self::Verify => "verifying the database",
            Self::Finish => "tidying up",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl steps::Step for Step {
    fn word(&self) -> String {
        self.as_str().to_owned()
    }

    fn doing(&self) -> String {
        (*self).doing().to_owned()
    }
}

/// A step that is done.
pub type StepDone = steps::StepDone<Step>;

/// What is done to give a restore up, in this order.
///
/// As soon as the old cluster may run again, what the archive gets is its own: what comes before
/// [`Undo::Lead`] is never done again once it has been written down as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// No Patroni and no Postgres runs.
    Hold,
    /// The old data are where they were.
    PutBack,
    /// The archive has nothing of the timelines that the restore began.
    Archive,
    /// etcd knows nothing of who led in the meantime; where nobody had led, what it knew before.
    Clear,
    /// The old leader leads again, or where nobody led, all nodes are released.
    Lead,
    /// The others stream.
    Replicas,
}

impl Undo {
    /// Every step in order.
    pub const ALL: [Self; 6] =
        [Self::Hold, Self::PutBack, Self::Archive, Self::Clear, Self::Lead, Self::Replicas];

    /// What is being done, for a line of progress.
    pub fn doing(self) -> &'static str {
        match self {
            Self::Hold => "stopping Patroni and Postgres everywhere",
            Self::PutBack => "putting the old data back",
            Self::Archive => "removing the restore's own timelines from the archive",
            Self::Clear => "removing the restored cluster's keys from etcd",
            Self::Lead => "starting the old cluster",
            Self::Replicas => "waiting for the replicas",
        }
    }
}

impl steps::Step for Undo {
    fn word(&self) -> String {
        (*self).doing().to_owned()
    }

    fn doing(&self) -> String {
        (*self).doing().to_owned()
    }
}

/// The line of history that a restore began: what it may take back from the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Began {
    /// The timeline that begins at the target.
    pub timeline: u32,
    /// Its history file, from which those of all later ones grow.
    pub history: String,
}

impl Began {
    /// The timelines of a repository that are this line's, by the text of each history file. A number
    /// alone does not say whose a timeline is: another line may have taken the same.
    pub fn own(&self, histories: &BTreeMap<u32, String>) -> BTreeSet<u32> {
        let (history, next) = (self.history.trim_end(), format!("{}\t", self.timeline));
        let is_own = |(timeline, text): &(&u32, &String)| {
            let rest = text.trim_end().strip_prefix(history);
            match rest {
                Some("") => **timeline == self.timeline,
                Some(rest) => {
                    let grown = rest.starts_with('\n') && rest.trim_start().starts_with(&next);
                    grown && **timeline > self.timeline
                }
                None => false,
            }
        };
        histories.iter().filter(is_own).map(|(timeline, _)| *timeline).collect()
    }
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
    /// How far it is.
    #[serde(flatten)]
    pub progress: Progress<Step, Undo>,
    /// The timeline that the restored data began, once it has.
    #[serde(default)]
    pub new_timeline: Option<u32>,
    /// The line of history that it began, once it has.
    #[serde(default)]
    pub began: Option<Began>,
    /// What etcd knew when all nodes were stopped, by Patroni's keys.
    #[serde(default)]
    pub etcd: BTreeMap<String, String>,
    /// The cluster was made for this restore: there are no old data.
    #[serde(default)]
    pub fresh: bool,
}

impl Journal {
    /// Of a restore that nothing is done of.
    pub fn new(id: String, plan: RestorePlan, discard_old: bool, keep_old: bool) -> Self {
        Self {
            version: 1,
            id,
            plan,
            discard_old,
            keep_old,
            progress: Progress::default(),
            new_timeline: None,
            began: None,
            etcd: BTreeMap::new(),
            fresh: false,
        }
    }

    /// Whether the old data are all still there.
    pub fn can_go_back(&self) -> bool {
        if self.fresh {
            return false;
        }
        let gone = if self.discard_old { Step::Restore } else { Step::Finish };
        let kept = self.keep_old && !self.discard_old;
        self.progress.phase == Phase::Back || kept || !self.has_begun(&gone)
    }

    /// Whether the plan is to be made anew before it is gone on with: while the cluster may have run in
    /// the meantime, another node may lead, on another timeline.
    pub fn is_open(&self) -> bool {
        self.progress.phase == Phase::Forward && !self.is_done(&Step::Hold)
    }

    /// Whether the old leader is to be started before the others: its data are the newest, which etcd no
    /// longer knows.
    pub fn leads_back(&self) -> bool {
        self.plan.leader_archives && self.has_begun(&Step::Aside)
    }
}

impl StepJournal for Journal {
    type Step = Step;
    type Undo = Undo;

    fn steps(&self) -> Vec<Step> {
        Step::ALL.into()
    }

    fn undos(&self) -> Vec<Undo> {
        // Where nothing was moved, the cluster starts again as after any stop: who leads is etcd's to say.
        let needed = |undo: &Undo| match undo {
            _ if self.is_untouched() => false,
            Undo::Hold | Undo::PutBack | Undo::Archive => self.has_begun(&Step::Aside),
            Undo::Clear => self.leads_back() || self.has_begun(&Step::Clear),
            Undo::Lead => true,
            Undo::Replicas => self.plan.leader_archives,
        };
        Undo::ALL.into_iter().filter(needed).collect()
    }

    fn progress(&self) -> &Progress<Step, Undo> {
        &self.progress
    }

    fn progress_mut(&mut self) -> &mut Progress<Step, Undo> {
        &mut self.progress
    }

    /// Nothing is touched as long as the leader only archives.
    fn is_untouched(&self) -> bool {
        !self.has_begun(&Step::Hold)
    }

    fn ways_on(&self, cluster: &str) -> String {
        if self.progress.phase == Phase::Back {
            return format!("`pgha restore {cluster} --abort` resumes it");
        }
        let resume = format!("`pgha restore {cluster}` resumes here");
        if self.fresh {
            return format!("{resume}, `pgha down {cluster} --volumes` removes what was made");
        }
        if !self.can_go_back() {
            let why = if self.discard_old { "were discarded" } else { "are being removed" };
            return format!("{resume}; the old data {why}, so that there is no way back");
        }
        let back = if self.is_untouched() {
            "forgets it: nothing was touched"
        } else if self.has_begun(&Step::Aside) {
            "puts the old data back"
        } else {
            "starts the cluster as it was: nothing was moved"
        };
        format!("{resume}, `pgha restore {cluster} --abort` {back}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::plan::tests::latest_plan;

    fn at(step: Step) -> Journal {
        let mut journal = Journal::new("1".into(), latest_plan(), false, false);
        while journal.begin() != Some(step) {
            let step = journal.next().expect("a step");
            journal.progress.done.push(StepDone { step, took_ms: 0, note: String::new() });
        }
        journal
    }

    #[test]
    fn both_ways_on_are_named_where_they_are_open() {
        let said = |journal: &Journal| {
            journal.ways_on("demo").split_once(" resumes").map(|s| s.1.to_owned())
        };
        let back = |way: &str| Some(format!(" here, `pgha restore demo --abort` {way}"));
        assert_eq!(said(&at(Step::Archive)), back("forgets it: nothing was touched"));
        assert_eq!(said(&at(Step::Hold)), back("starts the cluster as it was: nothing was moved"));
        for step in [Step::Aside, Step::Recover, Step::Lead, Step::Verify] {
            assert_eq!(said(&at(step)), back("puts the old data back"), "{step}");
        }
        assert!(at(Step::Finish).ways_on("demo").ends_with("there is no way back"));
        assert!(Journal { keep_old: true, ..at(Step::Finish) }.can_go_back());
        for (step, way_back) in [(Step::Aside, true), (Step::Restore, false)] {
            assert_eq!(Journal { discard_old: true, ..at(step) }.can_go_back(), way_back, "{step}");
        }
        let fresh = Journal { fresh: true, ..at(Step::Lead) };
        assert!(
            fresh.ways_on("before").ends_with("`pgha down before --volumes` removes what was made")
        );
        let mut given_up = at(Step::Lead);
        given_up.progress.phase = Phase::Back;
        assert_eq!(given_up.ways_on("demo"), "`pgha restore demo --abort` resumes it");
    }

    #[test]
    fn a_journal_of_an_earlier_version_is_read() {
        let mut old = serde_json::to_value(at(Step::Lead)).expect("JSON");
        for new in ["begun", "undone", "began", "etcd", "fresh"] {
            old.as_object_mut().expect("an object").remove(new);
        }
        assert_eq!(old["done"][0]["step"], "archive");
        let read: Journal = serde_json::from_value(old).expect("a journal");
        assert!(read.has_begun(&Step::Clear) && !read.is_untouched());
    }

    #[test]
    fn a_journal_that_an_earlier_version_wrote_is_gone_on_with() {
        // Of commit 69dd72f, killed while WAL was replayed.
        let read: Journal =
            serde_json::from_str(include_str!("journal_recorded.json")).expect("it");
        assert_eq!(read.next(), Some(Step::Recover));
        assert_eq!(read.next_undo(), Some(Undo::Hold));
        assert!(read.can_go_back() && !read.is_open());
    }

    fn histories(of: &[(u32, &str)]) -> BTreeMap<u32, String> {
        of.iter().map(|(timeline, text)| (*timeline, (*text).to_owned())).collect()
    }

    #[test]
    fn a_restore_owns_the_timelines_that_grow_from_the_one_it_began() {
        let third = "1\t0/5000100\tno recovery target specified\n\n2\t0/8000028\tbefore 2026\n";
        let began = Began { timeline: 3, history: third.to_owned() };
        let fourth = format!("{third}\n3\t0/9000000\tno recovery target specified\n");
        let fifth = format!("{fourth}\n4\t0/A000000\tno recovery target specified\n");
        let all = histories(&[
            (2, "1\t0/5000100\tno recovery target specified\n"),
            (3, third),
            (4, &fourth),
            (5, &fifth),
        ]);
        assert_eq!(began.own(&all), BTreeSet::from([3, 4, 5]));
    }

    #[test]
    fn the_same_number_of_another_line_is_not_its_own() {
        let own = "1\t0/5000100\tbefore 2026\n";
        let began = Began { timeline: 2, history: own.to_owned() };
        for other in ["1\t0/5000200\tno recovery target specified\n", "1\t0/5000100\tbefore 2025\n"]
        {
            let grown = format!("{other}\n2\t0/9000000\t\n");
            assert!(began.own(&histories(&[(2, other), (3, &grown)])).is_empty(), "{other}");
        }
        let skipped = format!("{own}\n9\t0/9000000\t\n");
        assert_eq!(began.own(&histories(&[(2, own), (12, &skipped)])), BTreeSet::from([2]));
    }
}
