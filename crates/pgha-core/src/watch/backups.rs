//! The backups screen: the last backup of each type, how the archive is, and what can be recovered.

use super::Standing;
use crate::repository::{BackupType, Repository, STATUS_OK};
use crate::status::{ArchiveView, age_words};
use crate::words::bytes;

/// Everything on the backups screen at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupsBoard {
    /// The last backup of each type, full first.
    pub last: Vec<LastBackup>,
    /// How many there are.
    pub count: usize,
    /// How the archive is.
    pub archive: String,
    /// How that stands out.
    pub archive_standing: Standing,
    /// What can be recovered.
    pub recoverable: String,
    /// What pgBackRest complains of, or how far a running backup is.
    pub remarks: Vec<String>,
}

/// The last backup of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastBackup {
    /// The type.
    pub kind: BackupType,
    /// Its label; `None` where there is none.
    pub label: Option<String>,
    /// How long ago it ended.
    pub age: String,
    /// Size of the database, and what it takes in the repository.
    pub size: String,
}

impl BackupsBoard {
    /// From the repository's listing and the leader's count of its archive; now in seconds since 1970.
    pub fn of(repository: &Repository, archive: Option<&ArchiveView>, now_s: u64) -> Self {
        let age = |at: u64| format!("{} ago", age_words(now_s.saturating_sub(at)));
        let last = BackupType::ALL.map(|kind| {
            let of_kind = repository.backups.iter().filter(|backup| backup.kind == kind);
            let backup = of_kind.max_by_key(|backup| backup.stopped_s);
            let size = |b: &crate::repository::Backup| {
                format!("{}, stored {}", bytes(b.database_bytes), bytes(b.repository_bytes))
            };
            LastBackup {
                kind,
                label: backup.map(|backup| backup.label.clone()),
                age: backup.map(|backup| age(backup.stopped_s)).unwrap_or_default(),
                size: backup.map(size).unwrap_or_default(),
            }
        });
        let (archive_standing, said) = archive.map_or_else(
            || (Standing::Warning, "not known: the leader did not say".to_owned()),
            archive_words,
        );
        Self {
            last: last.into(),
            count: repository.backups.len(),
            archive: said,
            archive_standing,
            recoverable: recoverable(repository, archive, &age),
            remarks: remarks(repository),
        }
    }
}

fn archive_words(archive: &ArchiveView) -> (Standing, String) {
    let mut said = match (&archive.last_wal, archive.last_age_s) {
        (Some(wal), Some(age)) => format!("{wal}, {} ago", age_words(age)),
        _ => "nothing archived yet".to_owned(),
    };
    let waiting = archive.behind_segments.filter(|behind| *behind > 0);
    if let Some(waiting) = waiting {
        said = format!("{said}; {waiting} segments wait");
    }
    if archive.failing {
        return (Standing::Bad, format!("{said}; failing, {} times so far", archive.failed_count));
    }
    (if waiting.is_some() { Standing::Warning } else { Standing::Plain }, said)
}

/// A gap in the archive is not seen from here: `pgha restore --dry-run` looks for one.
fn recoverable(
    repository: &Repository,
    archive: Option<&ArchiveView>,
    age: &dyn Fn(u64) -> String,
) -> String {
    let Some(oldest) = repository.backups.iter().map(|backup| backup.stopped_s).min() else {
        return "nothing: there is no backup".to_owned();
    };
    let until = archive.and_then(|archive| archive.last_age_s);
    let until = until.map_or_else(
        || "the last archived WAL".to_owned(),
        |ago| format!("what was archived {} ago", age_words(ago)),
    );
    format!("from the end of the oldest backup, {}, to {until}", age(oldest))
}

fn remarks(repository: &Repository) -> Vec<String> {
    let running = repository.running.map(|running| match running.percent() {
        Some(percent) => format!("a backup is being made: {percent} % is copied"),
        None => "a backup is being made".to_owned(),
    });
    let said = (repository.status.code != STATUS_OK)
        .then(|| format!("pgBackRest says: {}", repository.status.message));
    let damaged = repository.backups.iter().filter(|backup| backup.page_errors);
    let damaged = damaged.map(|backup| format!("{}: pages with wrong checksums", backup.label));
    running.into_iter().chain(said).chain(damaged).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> Repository {
        let info = include_bytes!("../repository/info-three-backups.json");
        Repository::from_info(info).expect("a listing")
    }

    #[test]
    fn the_last_of_each_type_is_shown_with_its_age() {
        let repository = repository();
        let newest = repository.latest().expect("a backup").stopped_s;
        let board = BackupsBoard::of(&repository, None, newest + 300);
        assert_eq!((board.count, board.last.len()), (3, 3));
        assert!(board.last[0].label.as_ref().is_some_and(|label| label.ends_with('F')));
        assert!(board.last.iter().any(|last| last.age == "5 min ago"), "{board:?}");
        assert!(board.recoverable.starts_with("from the end of the oldest backup, "));
        assert_eq!(board.archive_standing, Standing::Warning, "the leader did not say");
    }

    #[test]
    fn an_archive_that_fails_stands_out() {
        let archive = ArchiveView {
            last_wal: Some("000000010000000000000004".to_owned()),
            last_age_s: Some(42),
            behind_segments: Some(3),
            failed_count: 7,
            last_failed_wal: None,
            last_failed_age_s: Some(1),
            failing: true,
        };
        let board = BackupsBoard::of(&repository(), Some(&archive), 0);
        assert_eq!(board.archive_standing, Standing::Bad);
        assert!(board.archive.contains("3 segments wait; failing, 7 times so far"), "{board:?}");
        let none = Repository::from_info(b"[]").expect("a listing");
        let board = BackupsBoard::of(&none, Some(&archive), 0);
        assert_eq!(board.recoverable, "nothing: there is no backup");
        assert_eq!(board.remarks, ["pgBackRest says: the stanza does not exist"]);
    }
}
