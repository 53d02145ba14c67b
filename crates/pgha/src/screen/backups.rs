//! The table of `pgha backups`, and what is said beside it.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pgha_core::repository::{Backup, BackupType, Repository, STATUS_NO_BACKUP, STATUS_OK};
use pgha_core::words::bytes;

use crate::screen::table::{self, Row};
use crate::screen::text;
use crate::screen::{BAD, GOOD, PLAIN};

/// Columns of the screen at most.
const WIDTH_MAX: usize = 100;
/// Where the second line of a backup begins.
const INDENT: usize = 4;

/// Draws backups, each in a row and below it a line with its WAL and its notes; nothing where there is none.
pub(crate) fn table(backups: &[&Backup]) -> String {
    if backups.is_empty() {
        return String::new();
    }
    let header = ["LABEL", "TYPE", "REPO", "STOP (UTC)", "DATABASE", "COPIED", "STORED", "TL"];
    let rows: Vec<Row> = backups.iter().map(|backup| row(backup)).collect();
    let drawn = table::draw(&header, &[2, 4, 5, 6, 7], &rows);
    let mut lines = drawn.lines();
    let mut out = lines.next().map(|header| format!("{header}\n")).unwrap_or_default();
    for (row, backup) in lines.zip(backups) {
        let below = text::wrap(&below(backup), INDENT, WIDTH_MAX);
        let _ = writeln!(out, "{row}\n{:INDENT$}{below}", "");
    }
    out
}

fn row(backup: &Backup) -> Row {
    Row {
        style: match backup.kind {
            _ if backup.page_errors => BAD,
            BackupType::Full => GOOD,
            BackupType::Diff | BackupType::Incr => PLAIN,
        },
        cells: vec![
            backup.label.clone(),
            backup.kind.to_string(),
            backup.repository.to_string(),
            utc(backup.stopped_s),
            bytes(backup.database_bytes),
            bytes(backup.copied_bytes),
            bytes(backup.repository_bytes),
            backup.timeline().map_or_else(|| "?".to_owned(), |timeline| timeline.to_string()),
        ],
    }
}

fn below(backup: &Backup) -> String {
    let notes = backup.annotations.iter().map(|(key, value)| format!("{key}={value}"));
    let bad_pages = backup.page_errors.then(|| "PAGES WITH WRONG CHECKSUMS".to_owned());
    let all: Vec<_> =
        bad_pages.into_iter().chain([format!("WAL {}", wal(backup))]).chain(notes).collect();
    all.join(", ")
}

/// First and last segment; of the last one only what may differ from the first.
fn wal(backup: &Backup) -> String {
    match (backup.wal_start, backup.wal_stop) {
        (Some(start), Some(stop)) if start == stop => start.to_string(),
        (Some(start), Some(stop)) => {
            let (start, stop) = (start.to_string(), stop.to_string());
            let same = if start[..16] == stop[..16] { 16 } else { 0 };
            format!("{start}-{}", &stop[same..])
        }
        _ => "not known".to_owned(),
    }
}

/// What is worth saying about the repository as a whole, a line each.
pub(crate) fn remarks(repository: &Repository, id: &str) -> String {
    let mut lines = Vec::new();
    if let Some(running) = repository.running {
        let at = running.percent().map(|p| format!(": {p} % is copied")).unwrap_or_default();
        lines.push(format!("a backup is being made{at}"));
    }
    match repository.status.code {
        STATUS_OK => {}
        STATUS_NO_BACKUP => {
            lines.push(format!("there is no backup yet; `pgha backup {id}` makes one"));
        }
        _ => lines.push(format!("pgBackRest says: {}", repository.status.message)),
    }
    let several = repository.repositories.len() > 1;
    let bad = repository.repositories.iter().filter(|one| several && one.status.code != STATUS_OK);
    for one in bad {
        lines.push(format!("repository {}: {}", one.key, one.status.message));
    }
    lines.into_iter().fold(String::new(), |all, line| all + &line + "\n")
}

/// What came of a backup: how much of the database went into it, how fast, and what it takes.
pub(crate) fn made(backup: &Backup, id: &str, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = backup.copied_bytes as f64 / seconds.max(0.001) / 1e6;
    format!(
        "{} backup of cluster {id} is made: {} copied in {seconds:.1} s ({rate:.0} MB/s), {} stored",
        backup.kind,
        bytes(backup.copied_bytes),
        bytes(backup.repository_bytes),
    )
}

/// `2026-11-24 15:49:22` of seconds since 1970.
pub(crate) fn utc(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok());
    at.map_or_else(
        || "?".to_owned(),
        |at| TimeZone::UTC.to_datetime(at).to_string().replace('T', " "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> Repository {
        let info = include_bytes!("../../../pgha-core/src/repository/info-three-backups.json");
        Repository::from_info(info).expect("a listing")
    }

    #[test]
    fn three_backups_are_this_table() {
        let repository = repository();
        let backups: Vec<_> = repository.backups.iter().collect();
        let drawn = table(&backups);
        let drawn = anstream::adapter::strip_str(&drawn).to_string();
        assert!(drawn.lines().all(|line| line.chars().count() <= WIDTH_MAX), "{drawn}");
        insta::assert_snapshot!(drawn);
    }

    #[test]
    fn a_backup_with_bad_pages_shows_it_first() {
        let mut repository = repository();
        repository.backups[0].page_errors = true;
        let drawn = table(&[&repository.backups[0]]);
        assert!(drawn.contains("    PAGES WITH WRONG CHECKSUMS, WAL "), "{drawn}");
    }

    #[test]
    fn nothing_to_list_says_what_to_do() {
        let empty = Repository::from_info(b"[]").expect("a listing");
        assert_eq!(table(&[]), "");
        assert!(remarks(&empty, "demo-1").contains("does not exist"));
        assert_eq!(remarks(&repository(), "demo-1"), "");
    }
}
