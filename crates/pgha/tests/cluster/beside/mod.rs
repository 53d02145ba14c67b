//! Tests that can be run beside each other, and beside none but these: one measures round trips, the others change a
//! compose file between `generate` and `up`, when others may take its ports.

use std::sync::{Mutex, MutexGuard, PoisonError};

mod distances;
mod failed_up;
mod full_disk;

static PORTS: Mutex<()> = Mutex::new(());

/// Until this value is gone, the others here take no port.
fn ports() -> MutexGuard<'static, ()> {
    PORTS.lock().unwrap_or_else(PoisonError::into_inner)
}
