//! How the archive is, and how old the backups are: from the leader's own count and from the names in
//! the repository.

use serde::{Deserialize, Serialize};

use super::{Known, Problem, Severity};
use crate::observe::Archiver;
use crate::repository::{BackupType, label_time_s};
use crate::wal::Segment;

/// Segments that may wait to be archived before that is worth a problem: 256 MiB of WAL.
pub const BEHIND_MAX_SEGMENTS: u64 = 16;
/// How long the first segment may fail: a new cluster has no stanza yet.
const FIRST_FAILURES_S: u64 = 30;

/// How the archive is, as the leader counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveView {
    /// The last segment, or other file, that was archived; `null` where none was since its statistics
    /// began.
    pub last_wal: Option<String>,
    /// How long ago, in seconds.
    pub last_age_s: Option<u64>,
    /// Segments that are full and wait to be archived; `null` where unknown.
    pub behind_segments: Option<u64>,
    /// Attempts that failed since its statistics began.
    pub failed_count: u64,
    /// The last one that failed.
    pub last_failed_wal: Option<String>,
    /// How long ago, in seconds.
    pub last_failed_age_s: Option<u64>,
    /// It fails now: the last attempt did.
    pub failing: bool,
}

/// How old the backups are, by their names; they are those of the first repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupsView {
    /// How many there are.
    pub count: usize,
    /// The last one of any type.
    pub last: Option<String>,
    /// How long ago it began, in seconds.
    pub last_age_s: Option<u64>,
    /// The last full one.
    pub last_full: Option<String>,
    /// How long ago it began, in seconds.
    pub last_full_age_s: Option<u64>,
}

/// What the leader's count means.
pub(super) fn archive(count: &Archiver) -> ArchiveView {
    let behind = || -> Option<u64> {
        let current: Segment = count.current_wal.as_ref()?.parse().ok()?;
        let last: Segment = count.last_archived_wal.as_ref()?.get(..24)?.parse().ok()?;
        Some(current.number.saturating_sub(last.number + 1))
    };
    // The later of two events has the smaller age.
    let failing = match (count.last_failed_age_s, count.last_archived_age_s) {
        (None, _) => false,
        (Some(failed), Some(archived)) => failed < archived,
        (Some(_), None) => count.counted_for_s.is_none_or(|s| s > FIRST_FAILURES_S),
    };
    ArchiveView {
        last_wal: count.last_archived_wal.clone(),
        last_age_s: count.last_archived_age_s,
        behind_segments: behind(),
        failed_count: count.failed_count,
        last_failed_wal: count.last_failed_wal.clone(),
        last_failed_age_s: count.last_failed_age_s,
        failing,
    }
}

/// What the names in the repository tell.
pub(super) fn backups(labels: &[String], now_s: Option<u64>) -> BackupsView {
    let all = || labels.iter().filter_map(|label| Some((label_time_s(label)?, label)));
    let last = all().map(|((_, at), label)| (at, label)).max();
    let full = all().filter(|((kind, _), _)| *kind == BackupType::Full);
    let last_full = full.map(|((_, at), label)| (at, label)).max();
    let age = |found: Option<(u64, &String)>| Some(now_s?.saturating_sub(found?.0));
    BackupsView {
        count: all().count(),
        last: last.map(|(_, label)| label.clone()),
        last_age_s: age(last),
        last_full: last_full.map(|(_, label)| label.clone()),
        last_full_age_s: age(last_full),
    }
}

/// What is wrong with the archive.
pub(super) fn problems(
    known: &Known<'_>,
    view: Option<&ArchiveView>,
    leader: Option<&str>,
) -> Option<Problem> {
    let (view, leader) = (view?, leader?);
    let host = known.topology.backup_host();
    let host_runs = known.container_state(&host.name) == super::ContainerState::Running;
    let id = &known.topology.id;
    let hint = if !host_runs {
        format!("{} keeps the archive: WAL stays on {leader} until it is back", host.name)
    } else if known.stanza_exists() == Some(false) {
        format!("there is no stanza to archive into; `pgha logs {}` says why", host.name)
    } else {
        format!("`pgha backup check {id}` and `pgha logs {leader}` say why")
    };
    let last = match (&view.last_wal, view.last_age_s) {
        (Some(wal), Some(age)) => format!("the last one was {wal}, {} ago", age_words(age)),
        _ => "none ever was".to_owned(),
    };
    let behind = view.behind_segments.unwrap_or_default();
    let (code, message) = if view.failing {
        ("archive_failing", format!("WAL is not archived: {last}"))
    } else if behind > BEHIND_MAX_SEGMENTS {
        ("archive_lags", format!("{behind} segments of WAL wait to be archived: {last}"))
    } else {
        return None;
    };
    Some(Problem::new(Severity::Warning, code, Some(leader), message, hint))
}

/// `5 s`, `3 min`, `7 h`, `12 d`.
pub fn age_words(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archiver() -> Archiver {
        Archiver {
            last_archived_wal: Some("000000010000000000000009".to_owned()),
            last_archived_age_s: Some(10),
            current_wal: Some("00000001000000000000000C".to_owned()),
            counted_for_s: Some(1000),
            ..Archiver::default()
        }
    }

    #[test]
    fn an_archive_fails_while_the_last_attempt_did() {
        let failing = |failed, archived, counted| {
            let ages = Archiver {
                last_failed_age_s: failed,
                last_archived_age_s: archived,
                counted_for_s: counted,
                ..archiver()
            };
            archive(&ages).failing
        };
        assert!(!failing(None, Some(10), None));
        assert!(!failing(Some(20), Some(10), None), "mended since");
        assert!(failing(Some(5), Some(10), None));
        assert!(!failing(Some(5), None, Some(20)), "a new cluster has no stanza yet");
        assert!(failing(Some(5), None, Some(31)));
    }

    #[test]
    fn segments_that_wait_are_counted_past_the_end_of_a_file_name() {
        assert_eq!(archive(&archiver()).behind_segments, Some(2));
        let last = |name: &str| {
            let last_archived_wal = Some(name.to_owned());
            archive(&Archiver { last_archived_wal, ..archiver() }).behind_segments
        };
        assert_eq!(last("00000001000000000000000B.partial"), Some(0));
        assert_eq!(last("00000001000000000000000D"), Some(0));
        assert_eq!(last("00000002.history"), None);
    }

    #[test]
    fn ages_of_backups_follow_from_their_names() {
        let labels = ["20261124-154919F", "20261124-154919F_20261124-154924I", "latest", "x"];
        let seen = backups(&labels.map(str::to_owned), Some(1_795_535_464));
        assert_eq!(seen.count, 2);
        assert_eq!(seen.last.as_deref(), Some("20261124-154919F_20261124-154924I"));
        assert_eq!((seen.last_age_s, seen.last_full_age_s), (Some(100), Some(105)));
        assert_eq!(backups(&[], Some(1)).last, None);
        assert_eq!(
            [5, 119, 120, 7199, 7200, 172_800].map(age_words).join(" "),
            "5 s 119 s 2 min 119 min 2 h 2 d"
        );
    }
}
