//! One command at a time chooses what is free on this host.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::progress::Progress;

/// In the folder for temporary files.
const FILE: &str = "pgha.lock";
/// How long another command may take, which may have images to build.
const DEADLINE: Duration = Duration::from_secs(15 * 60);
const POLL: Duration = Duration::from_millis(100);

/// The right to choose instance numbers, ports and subnets, until the engine knows that they are taken.
///
/// It ends when this is dropped, and with the process.
#[derive(Debug)]
pub(crate) struct Turn {
    /// `None` where there is no such file to be had: then nobody waits.
    _lock: Option<File>,
}

impl Turn {
    /// Waits until no other command has it.
    ///
    /// # Errors
    /// When another one has it for a quarter of an hour.
    pub(crate) async fn take() -> Result<Self> {
        let Some(file) = open(&std::env::temp_dir().join(FILE)) else {
            return Ok(Self { _lock: None });
        };
        let started = Instant::now();
        let mut progress = None;
        while let Err(TryLockError::WouldBlock) = file.try_lock() {
            if started.elapsed() > DEADLINE {
                return Err(Error::failed(
                    "another pgha makes containers on this host, and does not end",
                )
                .hint("`pgrep -a pgha` lists them"));
            }
            progress
                .get_or_insert_with(|| Progress::start("pgha"))
                .at("waiting for another pgha to make its containers", "");
            tokio::time::sleep(POLL).await;
        }
        Ok(Self { _lock: Some(file) })
    }
}

/// Opens a file that any user of this host may have made.
fn open(path: &Path) -> Option<File> {
    let there = || File::open(path);
    match there() {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let made = OpenOptions::new().write(true).create_new(true).open(path);
            // Somebody else may just have made it.
            made.or_else(|_| there()).ok()
        }
        opened => opened.ok(),
    }
}
