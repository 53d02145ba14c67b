//! The `restore_command`: gets a file of the archive by pgBackRest, as [`pgha_core::archive_get`] decides.
//!
//! Runs in the data folder, as Postgres runs it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pgha_core::archive_get::{self, Reader, Running, Verdict, Wanted};
use pgha_core::restore::Lineage;
use pgha_core::wal::Segment;

use crate::files::{self, POSTGRES};
use crate::{Result, log, repository};

/// There from the time that a server is copied from its leader until it streams.
const COPIED: &str = "/pgha/config/copied-from-leader";
/// What a standby has asked for lately.
const WANTED: &str = "/pgha/config/wanted-of-archive";
/// How long that counts: a standby whose leader is away asks again within `wal_retrieve_retry_interval`, 5 s at most.
const LATELY: Duration = Duration::from_secs(30);
/// The server that is about to be promoted, or was.
const PROMOTED: &str = "/pgha/config/promoted";
/// The server of the data folder.
const POSTMASTER: &str = "postmaster.pid";
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
    let mut wanted = (reader == Reader::Standby && may_look_elsewhere()).then(wanted_lately);
    let asks = wanted.as_mut().is_none_or(|wanted| wanted.asks(file));
    // What cannot be remembered would be declined for ever.
    if !asks && wanted.as_ref().is_some_and(|wanted| remember(wanted).is_ok()) {
        return Ok(ExitCode::FAILURE);
    }
    if reader == Reader::Standby && is_left(file) {
        return Ok(ExitCode::FAILURE);
    }
    let verdict = ask(reader, file, to)?;
    if let Some(mut wanted) = wanted {
        wanted.came(verdict == Verdict::Got);
        let _ = remember(&wanted);
    }
    Ok(match verdict {
        Verdict::Got => ExitCode::SUCCESS,
        Verdict::NotThere => ExitCode::FAILURE,
        Verdict::Unknown => {
            log(&format!("{file}: {}", archive_get::UNKNOWN));
            ExitCode::from(FATAL)
        }
    })
}

/// Asks the archive, for a while where nobody can say whether it has the file.
fn ask(reader: Reader, file: &str, to: &str) -> Result<Verdict> {
    let started = Instant::now();
    loop {
        let status = repository::pgbackrest().args(["archive-get", file, to]).status();
        let status = status.map_err(|e| format!("cannot run pgbackrest: {e}"))?;
        let verdict = reader.verdict(status.code());
        if verdict != Verdict::Unknown || started.elapsed() > PATIENCE {
            return Ok(verdict);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Whether a standby may be sent elsewhere for what it wants first: a fresh copy, or one that has replayed all it had
/// when it started. One that is being promoted asks for histories to find a number that no timeline has yet, and `pg_rewind`
/// runs where no server does.
fn may_look_elsewhere() -> bool {
    if Path::new(COPIED).exists() {
        return true;
    }
    let server = fs::read_to_string(POSTMASTER).ok().and_then(|text| Running::parse(&text));
    let promoted = fs::read_to_string(PROMOTED).unwrap_or_default();
    server.is_some_and(|server| server.ready && promoted != server.id)
}

/// Remembers that the server of this node is about to be promoted. Never fails: Patroni would not promote.
pub(crate) fn is_about_to_be_promoted(data: &str) -> ExitCode {
    is_no_copy_any_more();
    let server = fs::read_to_string(Path::new(data).join(POSTMASTER));
    if let Some(server) = server.ok().and_then(|text| Running::parse(&text)) {
        let kept = files::write(PROMOTED, &server.id, POSTGRES);
        kept.unwrap_or_else(|reason| log(&format!("before the promotion: {reason}")));
    }
    ExitCode::SUCCESS
}

/// What was wanted lately, by the file that [`remember`] writes.
fn wanted_lately() -> Wanted {
    let age = fs::metadata(WANTED).and_then(|file| file.modified()).ok();
    let lately = age.is_some_and(|written| written.elapsed().is_ok_and(|age| age < LATELY));
    let text = lately.then(|| fs::read_to_string(WANTED).ok()).flatten();
    text.map(|text| Wanted::parse(&text)).unwrap_or_default()
}

fn remember(wanted: &Wanted) -> Result<()> {
    files::write(WANTED, &wanted.text(), POSTGRES)
}

/// Whether a segment's timeline has been left by a newer one, which has its own.
fn is_left(file: &str) -> bool {
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
