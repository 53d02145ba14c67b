//! What a restore can use of a repository: backups, archived WAL and the histories of timelines.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde_json::Value;

use crate::repository::STANZA;
use crate::repository::{
    self, BackupType, Repository, STATUS_MISSING_STANZA, STATUS_NO_BACKUP, STATUS_OK,
};
use crate::restore::{Lineage, LineageError};
use crate::wal::{Lsn, Segment};

/// A report that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the repository's report cannot be read: {0}")]
pub struct HoldingsError(String);

/// One backup that can be restored by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its label, such as `20261124-160125F`.
    pub label: String,
    /// How much it holds by itself.
    pub kind: BackupType,
    /// When it ended, in seconds since 1970.
    pub stopped_s: i64,
    /// Where it became consistent.
    pub stop: Lsn,
    /// The first segment that it needs.
    pub first: Segment,
    /// The last segment without which it is not consistent.
    pub last: Segment,
    /// Size of the database, in bytes.
    pub size_bytes: u64,
}

/// A segment in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchivedSegment {
    /// Which.
    pub segment: Segment,
    /// When it arrived, in seconds since 1970: nothing in it happened later.
    pub arrived_s: i64,
}

/// What one repository has of the current database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Its number.
    pub repository: u32,
    /// System identifier of the database; `None` where it has none.
    pub system_id: Option<u64>,
    /// Postgres's major version of it, such as `17`.
    pub version: Option<String>,
    /// Why pgBackRest cannot read it; then nothing is known of what it has.
    pub unreadable: Option<String>,
    /// Backups, the oldest first.
    pub backups: Vec<Backup>,
    /// Archived segments of every timeline.
    archive: BTreeMap<Segment, i64>,
    /// Text of each history file, by timeline.
    histories: BTreeMap<u32, String>,
}

impl Holdings {
    /// Of a repository that cannot be read.
    pub fn unreadable(repository: u32, reason: String) -> Self {
        Self { repository, unreadable: Some(reason), ..Self::default() }
    }

    /// Reads the report of `pgha-node repository`:
    ///
    /// ```text
    /// {"repository": 1,
    ///  "info": <pgbackrest info --output=json>,
    ///  "archive": {"17-1": <pgbackrest repo-ls --recurse --output=json>},
    ///  "histories": {"2": "1\t0/5000100\t…"}}
    /// ```
    ///
    /// # Errors
    /// When it is no such report. A stanza without a backup is none.
    pub fn parse(report: &[u8]) -> Result<Self, HoldingsError> {
        let report: Value =
            serde_json::from_slice(report).map_err(|e| HoldingsError(e.to_string()))?;
        Self::of_stanza(&report, STANZA)
    }

    /// As [`Holdings::parse`], for a stanza of another name.
    ///
    /// # Errors
    /// As there.
    pub fn of_stanza(report: &Value, stanza: &str) -> Result<Self, HoldingsError> {
        let number = report["repository"].as_u64().and_then(|n| u32::try_from(n).ok());
        let repository =
            number.ok_or_else(|| HoldingsError("it names no repository".to_owned()))?;
        let info = Repository::of_stanza(report["info"].to_string().as_bytes(), stanza);
        let info = info.map_err(HoldingsError)?;
        // A repository that cannot be read is not an empty one.
        let usable = [STATUS_OK, STATUS_MISSING_STANZA, STATUS_NO_BACKUP];
        let own = info.repositories.iter().find(|own| own.key == repository);
        if let Some(broken) = own.filter(|own| !usable.contains(&own.status.code)) {
            return Ok(Self::unreadable(repository, broken.status.message.clone()));
        }
        // After an upgrade the repository keeps what belongs to the earlier major.
        let database = info.database_in(repository);
        let current = database.map(|database| database.id).unwrap_or_default();
        let of_it = |backup: &&repository::Backup| {
            backup.database == current && backup.repository == repository
        };
        let mut backups: Vec<Backup> =
            info.backups.iter().filter(of_it).filter_map(backup).collect();
        backups.sort_by(|a, b| a.stopped_s.cmp(&b.stopped_s).then(a.label.cmp(&b.label)));

        let mut archive = BTreeMap::new();
        for (id, listing) in report["archive"].as_object().into_iter().flatten() {
            if id.rsplit('-').next().and_then(|n| n.parse::<u32>().ok()) != Some(current) {
                continue;
            }
            for (path, entry) in listing.as_object().into_iter().flatten() {
                if let Some(segment) = segment_of(path) {
                    archive.insert(segment, entry["time"].as_i64().unwrap_or_default());
                }
            }
        }
        let histories = report["histories"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(timeline, text)| {
                Some((timeline.parse().ok()?, text.as_str()?.to_owned()))
            })
            .collect();
        Ok(Self {
            repository,
            system_id: database.map(|database| database.system_id),
            version: database.map(|database| database.version.clone()),
            unreadable: None,
            backups,
            archive,
            histories,
        })
    }

    /// Whether what it has is of that database; unless it says of which it is, it may be.
    pub fn is_of(&self, system_id: u64) -> bool {
        self.system_id.is_none_or(|own| own == system_id)
    }

    /// The backup of that label.
    pub fn backup(&self, label: &str) -> Option<&Backup> {
        self.backups.iter().find(|backup| backup.label == label)
    }

    /// Whether a segment is archived.
    pub fn has(&self, segment: Segment) -> bool {
        self.archive.contains_key(&segment)
    }

    /// Numbers in this range that the archive has on any timeline.
    pub fn numbers(&self, range: RangeInclusive<u64>) -> BTreeSet<u64> {
        let numbers = self.archive.keys().map(|segment| segment.number);
        numbers.filter(|number| range.contains(number)).collect()
    }

    /// As if a segment had never been archived.
    #[cfg(test)]
    pub(crate) fn forget(&mut self, segment: Segment) {
        self.archive.remove(&segment);
    }

    /// As if a segment had been archived.
    #[cfg(test)]
    pub(crate) fn learn(&mut self, segment: Segment) {
        self.archive.insert(segment, 0);
    }

    /// When a segment was archived, in seconds since 1970.
    pub fn arrived_s(&self, segment: Segment) -> Option<i64> {
        self.archive.get(&segment).copied()
    }

    /// The line of history that a timeline belongs to.
    ///
    /// # Errors
    /// When its history is malformed, or is not archived and no backup is of that timeline: one that is
    /// needs nothing of the ancestors. So it is in a repository that was made anew.
    pub fn lineage(&self, timeline: u32) -> Result<Lineage, LineageError> {
        let has_backup = self.backups.iter().any(|backup| backup.first.timeline == timeline);
        match self.histories.get(&timeline) {
            Some(text) => Lineage::parse(timeline, text),
            None if timeline == 1 || has_backup => Ok(Lineage::alone(timeline)),
            None => Err(LineageError { timeline, reason: "it is not archived".to_owned() }),
        }
    }

    /// The newest timeline that the archive or a backup knows of.
    pub fn newest_timeline(&self) -> Option<u32> {
        let backups = self.backups.iter().map(|backup| backup.last.timeline);
        let segments = self.archive.keys().map(|segment| segment.timeline);
        backups.chain(segments).chain(self.histories.keys().copied()).max()
    }

    /// The last archived segment on a line of history.
    pub fn last(&self, lineage: &Lineage) -> Option<ArchivedSegment> {
        let on_it = |segment: &Segment| {
            lineage.contains(segment.timeline, segment.start())
                && lineage.segment(segment.number).timeline <= segment.timeline
        };
        let last = self.archive.iter().filter(|(segment, _)| on_it(segment));
        let last = last.max_by_key(|(segment, _)| (segment.number, segment.timeline));
        last.map(|(&segment, &arrived_s)| ArchivedSegment { segment, arrived_s })
    }

    /// Whether a replica that shall follow this line of history can be made from the backup.
    pub fn is_on(&self, backup: &Backup, lineage: &Lineage) -> bool {
        lineage.contains(backup.last.timeline, backup.stop)
    }

    /// The newest backup from which a replica on this line of history can be made.
    pub fn newest_on(&self, lineage: &Lineage) -> Option<&Backup> {
        self.backups.iter().rev().find(|backup| self.is_on(backup, lineage))
    }
}

/// A backup whose positions are known: without them nobody can say what it takes to restore it.
fn backup(listed: &repository::Backup) -> Option<Backup> {
    let (first, last) = (listed.wal_start?, listed.wal_stop?);
    (first.number <= last.number).then_some(Backup {
        label: listed.label.clone(),
        kind: listed.kind,
        stopped_s: i64::try_from(listed.stopped_s).ok()?,
        stop: listed.lsn_stop?,
        first,
        last,
        size_bytes: listed.database_bytes,
    })
}

/// `0000000100000000/000000010000000000000004-<checksum>.gz` is a segment; a history, a backup's label
/// and the partial end of a timeline are none.
fn segment_of(path: &str) -> Option<Segment> {
    let file = path.rsplit('/').next()?;
    let (name, _) = file.split_once('-')?;
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As pgBackRest 2.55 prints it.
    const REPORT: &str = r#"{"repository": 1,
        "info": [{"archive":[{"database":{"id":1,"repo-key":1},"id":"17-1"}],
            "backup":[{"archive":{"start":"000000010000000000000004","stop":"000000010000000000000005"},
                "database":{"id":1,"repo-key":1},"error":false,"info":{"size":23481115,"delta":1,"repository":{"delta":1}},
                "label":"20261124-160125F","lsn":{"start":"0/4000028","stop":"0/5000050"},
                "timestamp":{"start":1795536085,"stop":1795536088},"type":"full"}],
            "db":[{"id":1,"repo-key":1,"system-id":7711768747749904439,"version":"17"}],
            "name":"pgha_db","status":{"code":0,"message":"ok"}}],
        "archive": {"17-1": {".":{"type":"path"},"0000000100000000":{"type":"path"},
            "0000000100000000/000000010000000000000004-a5aca69179f2aa1f5bccb2e47b50cc58ae3629bd.gz":
                {"type":"file","size":16550,"time":1795536085},
            "0000000100000000/000000010000000000000004.00000028.backup":{"type":"file","time":1795536088},
            "0000000100000000/000000010000000000000005.partial-9c20cba4f3fedf7ab952fae29902ffda541a6537.gz":
                {"type":"file","time":1795536088},
            "00000002.history":{"type":"file","size":41,"time":1795536090}}},
        "histories": {"2": "1\t0/5000100\tno recovery target specified\n"}}"#;

    #[test]
    fn a_report_of_pgbackrest_reads() {
        let holdings = Holdings::parse(REPORT.as_bytes()).expect("a report");
        let backup = holdings.backup("20261124-160125F").expect("a backup");
        assert_eq!((backup.stop, backup.stopped_s), (Lsn(0x500_0050), 1_795_536_088));
        let segments: Vec<_> = holdings.archive.keys().map(ToString::to_string).collect();
        assert_eq!(segments, ["000000010000000000000004"]);
        assert_eq!(holdings.newest_timeline(), Some(2));
        let lineage = holdings.lineage(2).expect("a history");
        assert_eq!(holdings.newest_on(&lineage), Some(backup));
        assert!(holdings.lineage(3).is_err());
    }

    #[test]
    fn a_backup_is_of_use_where_the_history_of_its_timeline_was_lost() {
        let lost = REPORT.replace("00000001000", "00000003000").replace("\"2\":", "\"9\":");
        let holdings = Holdings::parse(lost.as_bytes()).expect("a report");
        let lineage = holdings.lineage(3).expect("a backup is of it");
        assert_eq!(holdings.newest_on(&lineage), holdings.backup("20261124-160125F"));
        assert!(holdings.lineage(2).is_err());
    }

    #[test]
    fn what_an_earlier_major_left_is_not_the_clusters() {
        let upgraded = REPORT
            .replace(r#""db":[{"#, r#""db":[{"id":2,"repo-key":1,"system-id":1,"version":"18"},{"#);
        let holdings = Holdings::parse(upgraded.as_bytes()).expect("a report");
        assert!(holdings.backups.is_empty() && holdings.archive.is_empty());
    }

    #[test]
    fn a_repository_that_cannot_be_read_is_not_taken_for_an_empty_one() {
        let broken = r#"{"repository":1,"info":[{"name":"pgha_db","status":{"code":99,"message":"other"},"repo":
            [{"key":1,"cipher":"none","status":{"code":99,"message":"[FileReadError] no key"}}]}]}"#;
        let holdings = Holdings::parse(broken.as_bytes()).expect("a report");
        assert_eq!(holdings.unreadable.as_deref(), Some("[FileReadError] no key"));
    }

    #[test]
    fn what_another_repository_has_is_not_this_ones() {
        let second = REPORT.replace(r#""repository": 1,"#, r#""repository": 2,"#);
        let holdings = Holdings::parse(second.as_bytes()).expect("a report");
        assert_eq!((holdings.repository, holdings.backups.len()), (2, 0));
    }

    #[test]
    fn an_empty_repository_has_nothing_and_nonsense_is_refused() {
        let empty = Holdings { repository: 1, ..Holdings::default() };
        assert_eq!(Holdings::parse(br#"{"repository": 1, "info": []}"#), Ok(empty));
        for text in
            ["", "oops", r#"{"info":[]}"#, r#"{"repository":1,"info":[{"name":"pgha_db"}]}"#]
        {
            assert!(Holdings::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
