//! Faults of the member's disk: what Postgres and pgBackRest write on it fails, waits, or takes longer.
//!
//! They run with a library before the C library (`shim/lib.rs`), which reads one word that is kept here in memory. It
//! is gone when the member starts again.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use pgha_core::fault::{Ailment, Delay};
use pgha_core::render::{POSTGRES_PROGRAM, PRELOADED};
use rustix::fs::{FlockOperation, flock};

use crate::{Result, files};

#[path = "../shim/word.rs"]
mod word;

/// The library.
const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/disk.so"));

/// Has the disk be well, and puts the library where programs find it.
pub(crate) fn prepare() -> Result<()> {
    fs::write(path(), 0_u32.to_ne_bytes()).map_err(|e| format!("cannot write {}: {e}", path()))?;
    files::install(PRELOADED, LIBRARY, 0o644)
}

/// The same on a node of this major version, with what Patroni starts as Postgres.
pub(crate) fn prepare_postgres(major: u32) -> Result<()> {
    prepare()?;
    let postgres = format!("/usr/lib/postgresql/{major}/bin/postgres");
    let program = format!("#!/bin/sh\nexport LD_PRELOAD={PRELOADED}\nexec {postgres} \"$@\"\n");
    files::install(POSTGRES_PROGRAM, program.as_bytes(), 0o755)
}

/// What pgBackRest is started with in members.
pub(crate) fn preload() -> Option<(&'static str, &'static str)> {
    Path::new(PRELOADED).exists().then_some(("LD_PRELOAD", PRELOADED))
}

/// From now on the disk is so, beside what it is already.
pub(crate) fn ail(ailment: Ailment, delay: Delay) -> Result<()> {
    change(|now| now & !bits(ailment, u32::MAX) | bits(ailment, delay.milliseconds()))
}

/// It no longer is.
pub(crate) fn heal(ailment: Ailment) -> Result<()> {
    change(|now| now & !bits(ailment, u32::MAX))
}

fn path() -> &'static str {
    word::FILE.to_str().expect("it is ASCII")
}

/// The part of the word that says so.
fn bits(ailment: Ailment, delay_ms: u32) -> u32 {
    match ailment {
        Ailment::Full => word::FULL,
        Ailment::ReadOnly => word::READ_ONLY,
        Ailment::Hung => word::HUNG,
        Ailment::Slow => delay_ms << word::DELAY_SHIFT,
    }
}

fn change(to: impl Fn(u32) -> u32) -> Result<()> {
    let explain = |e: std::io::Error| format!("cannot change {}: {e}", path());
    let file = OpenOptions::new().read(true).write(true).open(path()).map_err(explain)?;
    // Of two commands at once each changes its own part.
    flock(&file, FlockOperation::LockExclusive).map_err(|e| explain(e.into()))?;
    let mut bytes = [0; 4];
    file.read_exact_at(&mut bytes, 0).map_err(explain)?;
    file.write_all_at(&to(u32::from_ne_bytes(bytes)).to_ne_bytes(), 0).map_err(explain)
}

#[cfg(test)]
mod tests {
    use pgha_core::render::{PGDATA_MOUNT, REPOSITORY_DIR};

    use super::*;

    #[test]
    fn the_library_knows_where_the_disks_are() {
        let known = format!("[b\"{PGDATA_MOUNT}/\", b\"{REPOSITORY_DIR}/\"]");
        assert!(include_str!("../shim/lib.rs").contains(&known), "{known}");
    }

    #[test]
    fn what_is_wrong_with_a_disk_has_its_own_part_of_the_word() {
        let of = |ailment| bits(ailment, u32::MAX);
        for one in Ailment::ALL {
            for other in Ailment::ALL {
                assert_eq!(of(one) & of(other) == 0, one != other, "{one:?} {other:?}");
            }
        }
        let longest: Delay = "60s".parse().expect("a delay");
        let ms = longest.milliseconds();
        assert_eq!(bits(Ailment::Slow, ms) >> word::DELAY_SHIFT, ms);
    }
}
