//! Maintenance: as long as it is on, the container of a node outlives its Patroni, as one that was made with `-b` does.
//!
//! It is a file of the container, so that it outlasts a restart and not the container.

use std::io::ErrorKind;
use std::path::Path;

use pgha_core::agent::MAINTENANCE as FILE;

use crate::Result;

/// Whether it is on.
pub(crate) fn is_on() -> bool {
    Path::new(FILE).exists()
}

/// Switches it, and tells how it was before.
pub(crate) fn switch(on: bool) -> Result<()> {
    crate::say(if is_on() { "on" } else { "off" });
    let switched = if on { std::fs::write(FILE, "") } else { std::fs::remove_file(FILE) };
    match switched {
        Err(e) if on || e.kind() != ErrorKind::NotFound => {
            Err(format!("cannot switch maintenance: {FILE}: {e}"))
        }
        _ => Ok(()),
    }
}
