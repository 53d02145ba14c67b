//! What must be so in the simulated world: after everything that is done, and once nothing is going on.

use pgha_core::restore::{Journal, Phase, Step, aside_of, is_moved};
use pgha_core::steps::StepJournal as _;

use super::world::{FAST, Node, World};

impl World {
    /// A restore is over: it has come to its end, or was given up.
    pub(super) fn over(&mut self, journal: &Journal) {
        self.late = None;
        let whole = journal.progress.phase == Phase::Forward && journal.is_done(&Step::Finish);
        let own = |by: &Option<String>| by.as_deref() == Some(journal.id.as_str());
        let made = self.archive.values().filter(|file| own(&file.by)).count();
        if !whole {
            assert_eq!(made, 0, "files of a restore that was given up are left in the archive");
            assert!(!self.histories.values().any(|(_, by)| own(by)), "histories of it are left");
            self.restored = None;
            return;
        }
        // What it has made is the line that is kept now.
        for (segment, file) in &mut self.archive {
            if own(&file.by) {
                file.by = None;
                self.kept.insert(*segment);
            }
        }
        self.histories.values_mut().filter(|(_, by)| own(by)).for_each(|(_, by)| *by = None);
        for content in self.nodes.values_mut().flat_map(|node| node.folders.values_mut()).flatten()
        {
            if own(&content.by) {
                content.by = None;
            }
        }
        let leader = self.leader().expect("it has been verified");
        let rows = self.content(&leader).rows.clone();
        assert_eq!(Some(&rows), self.restored.as_ref(), "these are not the rows of the target");
        self.restored = None;
        self.committed = rows;
    }

    /// What must be so whatever has happened.
    pub(super) fn check(&self) {
        for segment in &self.kept {
            assert!(self.archive.contains_key(segment), "{segment} is gone");
        }
        // The rows that are kept are on a node, whole, with their tablespace; at the latest before the last
        // step is begun.
        let journal = self.read_journal();
        let ending = journal.as_ref().is_some_and(|journal| !journal.can_go_back());
        let id = journal.map(|journal| journal.id).unwrap_or_default();
        let whole = |node: &Node| {
            let of = |folder: &str| {
                let aside = node.folders.get(&aside_of(folder, &id));
                aside.or_else(|| node.folders.get(folder)).cloned().flatten()
            };
            let data = of(&self.data());
            data == of(FAST) && data.is_some_and(|data| data.rows.is_superset(&self.committed))
        };
        assert!(ending || self.nodes.values().any(whole), "rows are lost: {:#?}", self.nodes);
    }

    /// What must be so once nothing is going on.
    pub(super) fn check_end(&self, keeps_old: bool) {
        assert_eq!(self.journal, "", "it has an end");
        assert!(!self.locked, "the lock is free");
        let leader = self.leader().expect("somebody leads");
        assert_eq!(self.content(&leader).rows, self.committed, "these are the rows that are kept");
        for (name, node) in &self.nodes {
            assert!(node.patroni && node.mark.is_none(), "{name} is held");
            let left = node.folders.keys().filter(|folder| is_moved(folder) && !keeps_old);
            assert_eq!(left.count(), 0, "{name}: something is left: {:?}", node.folders.keys());
        }
        assert!(self.archive.values().all(|file| file.by.is_none()), "files of nobody are left");
    }
}
