//! A fault of a node: its archive command fails, until it is healed or the member starts again.
//!
//! pgBackRest brings that along: it archives nothing, and says why, as long as there is a stop file, which
//! `pgbackrest stop` makes. One that a user has made is left alone.

use std::fs;
use std::path::Path;

use pgha_core::repository::STANZA;
use rustix::process::Signal;

use crate::Result;
use crate::files::{self, POSTGRES};
use crate::processes::{self, Seen};

/// pgBackRest's `lock-path` where no configuration names another.
const LOCK_DIR: &str = "/tmp/pgbackrest";
/// What tells the file from that of a user, which is empty.
const MARK: &str = "made by `pgha fault inject`; `pgha heal` removes it\n";

fn stop_file() -> String {
    format!("{LOCK_DIR}/{STANZA}.stop")
}

/// From now on it fails.
pub(crate) fn stop() -> Result<()> {
    let file = stop_file();
    if Path::new(&file).exists() && !is_own(&file) {
        return Err(
            "`pgbackrest stop` was called here: `pgbackrest start` lets it archive".to_owned()
        );
    }
    files::private_dir(LOCK_DIR, POSTGRES)?;
    files::write(&file, MARK, POSTGRES)
}

/// It works again, and Postgres tries at once: by itself it would only a minute after several failures.
pub(crate) fn go_on() -> Result<()> {
    let file = stop_file();
    if !is_own(&file) {
        return Ok(());
    }
    files::remove_if_there(Path::new(&file))?;
    // It reads its configuration, and then looks what there is to archive.
    processes::all()?
        .iter()
        .filter(|seen| is_archiver(seen))
        .try_for_each(|seen| seen.signal(Signal::HUP))
}

fn is_own(file: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text == MARK)
}

/// `postgres: demo: archiver last was 000000010000000000000004`.
fn is_archiver(seen: &Seen) -> bool {
    let title = seen.arguments.first().and_then(|title| title.strip_prefix("postgres: "));
    let work = title.and_then(|title| title.split_once(": ")).map(|(_, work)| work);
    work.is_some_and(|work| work.split(' ').next() == Some("archiver"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archiver_is_told_by_its_title() {
        let title = |title| is_archiver(&processes::seen(&[title]));
        assert!(title("postgres: demo: archiver last was 000000010000000000000004"));
        assert!(title("postgres: demo: archiver "));
        assert!(!title("postgres: demo: checkpointer "));
        assert!(!title("/usr/lib/postgresql/17/bin/postgres"));
    }
}
