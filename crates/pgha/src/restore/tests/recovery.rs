//! A simulated restore inside a node: the files of a backup, and a Postgres that replays the archive.

use std::collections::BTreeSet;

use pgha_core::restore::Lineage;
use pgha_core::wal::{Lsn, Segment};

use super::world::{Content, FAST, Pending, World};

impl World {
    /// The files of the backup come to a node: at first some of them.
    pub(super) fn fetch(&mut self, name: &str, by: &str, pending: &Pending) {
        let content = Content {
            by: Some(by.to_owned()),
            pending: Some(pending.clone()),
            ..self.backup.clone()
        };
        let folder = self.data();
        assert!(self.nodes[name].folders.contains_key(FAST), "{name} has no tablespace's folder");
        self.node(name).put(&folder, Some(&content));
    }

    /// A Postgres without Patroni replays the archive on a node up to the target and begins a timeline.
    pub(super) fn replay(&mut self, name: &str, or_end: bool) -> Result<(), String> {
        let mut content = self.content_of(name).ok_or("there are no data")?.clone();
        let Some(pending) = content.pending.take() else { return Ok(()) };
        assert!(pending.complete, "{name}: a recovery is begun with half the files");
        let timeline = pending.timeline.unwrap_or(content.timeline);
        let history = self.histories.get(&timeline).map(|(text, _)| text.clone());
        let history = history.unwrap_or_default();
        let lineage = Lineage::parse(timeline, &history).map_err(|e| e.to_string())?;
        let to = pending.to.unwrap_or(Lsn(u64::MAX));
        let mut ends = None;
        while let Some(archived) = self.archive.get(&lineage.segment(content.segment)) {
            let (rows, after): (BTreeSet<u32>, BTreeSet<u32>) =
                archived.rows.iter().partition(|row| self.places[row] <= to);
            content.rows.extend(&rows);
            let segment = Segment { timeline, number: content.segment };
            if !after.is_empty() || to <= segment.last_byte() {
                content.in_segment = rows;
                ends = Some(Lsn(to.0 + 8));
                break;
            }
            content.segment += 1;
        }
        if ends.is_none() && pending.to.is_some() && !or_end {
            return Err("recovery ended before configured recovery target was reached".to_owned());
        }
        content.timeline = timeline;
        content.history = history;
        let at = ends.unwrap_or(Lsn(Segment { timeline, number: content.segment }.start().0));
        (content.timeline, content.history) = self.branch(&content, at);
        content.state = "shut down";
        let asked = self.committed.iter().copied().filter(|row| self.places[row] <= to).collect();
        assert_eq!(content.rows, asked, "these are not the rows of the target");
        self.restored = Some(asked);
        let folder = self.data();
        self.node(name).put(&folder, Some(&content));
        Ok(())
    }
}
