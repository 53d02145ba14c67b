//! Whether a segment of WAL is archived. Not whether all of it is: under steady writes there is always
//! another segment that waits.

use pgha_core::wal::Segment;

/// A question to the primary that wrote the segment and has switched away from it since: how many files
/// up to this one still wait for the archiver, and what it has failed with last, as `0|`.
///
/// Postgres marks a finished segment `.ready` before the switch returns, and the archiver takes the mark
/// away once it has it. By name histories of timelines and segments of earlier ones come before.
pub(crate) fn waiting_up_to(segment: Segment) -> String {
    format!(
        "select (select count(*) from pg_ls_archive_statusdir() where name like '%.ready' \
         and name collate \"C\" <= '{segment}.ready'), \
         coalesce((select last_failed_wal from pg_stat_archiver \
         where last_failed_time > coalesce(last_archived_time, '-infinity')), '')"
    )
}

/// Reads the answer: files that wait, and the one that has failed.
pub(crate) fn parse(answer: &str) -> (u64, Option<&str>) {
    let (waiting, failed) = answer.trim().split_once('|').unwrap_or_default();
    // What cannot be read is not taken for archived.
    (waiting.parse().unwrap_or(1), Some(failed).filter(|failed| !failed.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_up_to_the_segment_are_asked_for_and_nonsense_is_not_archived() {
        let segment: Segment = "000000010000000000000005".parse().expect("a segment");
        assert!(waiting_up_to(segment).contains("<= '000000010000000000000005.ready'"));
        assert_eq!(parse("0|\n"), (0, None));
        assert_eq!(parse("2|000000010000000000000004\n"), (2, Some("000000010000000000000004")));
        assert_eq!(parse(""), (1, None));
    }
}
