//! The `restore_command`: gets a file of the archive by pgBackRest, as [`pgha_core::archive_get`] decides.
//!
//! Runs in the data folder, as Postgres runs it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pgha_core::archive_get::{self, Reader, Verdict};
use pgha_core::restore::Lineage;
use pgha_core::wal::Segment;

use crate::files::{self, POSTGRES};
use crate::{Result, log, repository};

/// What a server has asked for since it was copied from its leader; there from then until it streams.
const COPIED: &str = "/pgha/config/copied-from-leader";
/// How long a recovery asks for what nobody can say.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two attempts.
const PAUSE: Duration = Duration::from_secs(1);
/// Ends Postgres's recovery with an error: beyond 125 it does not take a code for "not there".
const FATAL: u8 = 255;

/// Gets `FILE` to `TO` for a `READER`.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let [reader, file, to] = arguments else {
        return Err("usage: pgha-node archive-get standby|recovery FILE TO".to_owned());
    };
    let reader = Reader::parse(reader).ok_or(format!("`{reader}` reads no archive"))?;
    if reader == Reader::Standby && is_not_asked_for(file) {
        return Ok(ExitCode::FAILURE);
    }
    let started = Instant::now();
    loop {
        let status = repository::pgbackrest().args(["archive-get", file, to]).status();
        let status = status.map_err(|e| format!("cannot run pgbackrest: {e}"))?;
        match reader.verdict(status.code()) {
            Verdict::Got => return Ok(ExitCode::SUCCESS),
            Verdict::NotThere => return Ok(ExitCode::FAILURE),
            Verdict::Unknown if started.elapsed() > PATIENCE => {
                log(&format!("{file}: {}", archive_get::UNKNOWN));
                return Ok(ExitCode::from(FATAL));
            }
            Verdict::Unknown => std::thread::sleep(PAUSE),
        }
    }
}

/// Whether a standby is to look elsewhere, whatever the archive has.
fn is_not_asked_for(file: &str) -> bool {
    if let Ok(so_far) = fs::read_to_string(COPIED) {
        match archive_get::first_wanted(&so_far, file) {
            Some(more) => return files::write(COPIED, &more, POSTGRES).is_ok(),
            None => is_no_copy_any_more(),
        }
    }
    let Ok(asked) = file.parse::<Segment>() else { return false };
    let newer = archive_get::left_for(asked, &histories(Path::new("pg_wal")));
    if let Some(newer) = newer {
        log(&format!("{file} is not asked for: timeline {newer} has its own"));
    }
    newer.is_some()
}

/// The histories of timelines in a folder; what cannot be read is none.
fn histories(folder: &Path) -> BTreeMap<u32, Lineage> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let read = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let timeline = u32::from_str_radix(name.strip_suffix(".history")?, 16).ok()?;
        let text = fs::read_to_string(entry.path()).ok()?;
        Some((timeline, Lineage::parse(timeline, &text).ok()?))
    });
    read.collect()
}

/// Remembers that Patroni is about to copy the leader's data.
pub(crate) fn is_about_to_be_copied() -> Result<()> {
    files::write(COPIED, "", POSTGRES)
}

/// Forgets it: the server streams, or its data came from the repository.
pub(crate) fn is_no_copy_any_more() {
    let _ = fs::remove_file(COPIED);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_are_read_from_a_folder_that_has_other_files_too() {
        let folder = std::env::temp_dir().join(format!("pgha-histories-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        for (name, text) in [
            ("00000002.history", "1\t0/5000100\tbefore 2026\n"),
            ("0000000A.history", "nonsense"),
            ("000000010000000000000005", ""),
            ("x.history", "1\t0/5000100\t\n"),
        ] {
            fs::write(folder.join(name), text).expect("a file");
        }
        let read = histories(&folder);
        fs::remove_dir_all(&folder).expect("it was there");
        assert_eq!(read.keys().copied().collect::<Vec<_>>(), [2]);
        assert!(histories(Path::new("/nowhere")).is_empty());
    }
}
