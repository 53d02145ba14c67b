//! Waiting for a condition, never for a time.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How soon a condition is looked at again at first, and at most. A look starts programs in containers, which take the
/// processors from what is waited for: eight a second took half of one.
const POLL: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(2500)];
/// The time between two looks as a share of what has passed.
const POLL_SHARE: u32 = 4;

/// Looks until `look` gives a value; past the deadline, panics with the last reason why not.
pub(crate) fn until<T, E: Display>(
    what: &str,
    deadline_s: u64,
    mut look: impl FnMut() -> Result<T, E>,
) -> T {
    let started = Instant::now();
    loop {
        match look() {
            Ok(value) => return value,
            Err(reason) if started.elapsed() > Duration::from_secs(deadline_s) => {
                panic!("after {deadline_s} s still not: {what}; last: {reason}")
            }
            Err(_) => std::thread::sleep((started.elapsed() / POLL_SHARE).clamp(POLL[0], POLL[1])),
        }
    }
}

/// Says what a test is at, and which one where several run.
pub(crate) fn tell(line: &str) {
    let thread = std::thread::current();
    match thread.name().and_then(|test| test.rsplit("::").nth(1)) {
        Some(module) => eprintln!("{module}: {line}"),
        None => eprintln!("{line}"),
    }
}

/// Announces a claim, and how long proving it took.
pub(crate) fn claim<T>(what: &str, prove: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    tell(&format!("claim: {what}"));
    let proved = prove();
    tell(&format!("       … holds ({:.1} s): {what}", started.elapsed().as_secs_f64()));
    proved
}

/// The seed of this run, printed: `PGHA_E2E_SEED`, or from the clock.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("PGHA_E2E_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        u64::from(now.expect("it is after 1970").subsec_nanos())
    });
    tell(&format!("seed: PGHA_E2E_SEED={seed}"));
    seed
}
