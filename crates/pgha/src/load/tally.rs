//! What all clients have done so far, for a line that is shown while they are at it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pgha_core::history::Outcome;

/// So long without an acknowledged write is shown.
const SHOWN_OUTAGE: Duration = Duration::from_secs(1);

/// The numbers so far.
#[derive(Debug)]
pub(crate) struct Tally {
    begin: Instant,
    counts: Mutex<Counts>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    acknowledged: u64,
    unknown: u64,
    lost: u64,
    last: Duration,
    last_sent: Duration,
    longest: Duration,
    shown: u64,
}

impl Tally {
    /// Of a run that begins now.
    pub(crate) fn begun() -> Self {
        Self { begin: Instant::now(), counts: Mutex::default() }
    }

    /// How long the run has been going on.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Counts an operation that has just ended.
    pub(crate) fn count(&self, outcome: Outcome, sent: Duration, ended: Duration) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Outcome::Ok => {
                counts.acknowledged += 1;
                counts.longest = counts.longest.max(ended.saturating_sub(counts.last));
                counts.last = counts.last.max(ended);
                counts.last_sent = counts.last_sent.max(sent);
            }
            Outcome::Unknown => counts.unknown += 1,
            Outcome::Failed => {}
        }
    }

    /// When the latest write was sent that is acknowledged.
    pub(crate) fn last_sent(&self) -> Duration {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).last_sent
    }

    /// Counts acknowledged writes that are not where they should be, as a client sees it that has connected anew.
    pub(crate) fn lose(&self, more: u64) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).lost += more;
    }

    /// The line, for a second that has just passed.
    pub(crate) fn line(&self) -> String {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = counts.acknowledged - counts.shown;
        counts.shown = counts.acknowledged;
        line(&counts, new, self.elapsed())
    }
}

fn line(counts: &Counts, new: u64, now: Duration) -> String {
    let without = now.saturating_sub(counts.last);
    let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    let mut parts = vec![if without >= SHOWN_OUTAGE {
        format!("no write for {}", seconds(without))
    } else {
        format!("{new} writes/s")
    }];
    parts.push(format!("{} acknowledged", counts.acknowledged));
    if counts.unknown > 0 {
        parts.push(format!("{} unknown", counts.unknown));
    }
    parts.push(format!("{} lost", counts.lost));
    let longest = counts.longest.max(without);
    if longest >= SHOWN_OUTAGE {
        parts.push(format!("longest outage {}", seconds(longest)));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_what_matters_now() {
        let fine =
            Counts { acknowledged: 900, last: Duration::from_millis(4990), ..Counts::default() };
        assert_eq!(
            line(&fine, 300, Duration::from_secs(5)),
            "300 writes/s, 900 acknowledged, 0 lost"
        );
        let away = Counts { unknown: 4, ..fine };
        assert_eq!(
            line(&away, 0, Duration::from_millis(8190)),
            "no write for 3.2 s, 900 acknowledged, 4 unknown, 0 lost, longest outage 3.2 s"
        );
        let back = Counts { lost: 17, longest: Duration::from_millis(18_300), ..away };
        assert_eq!(
            line(&back, 250, Duration::from_secs(5)),
            "250 writes/s, 900 acknowledged, 4 unknown, 17 lost, longest outage 18.3 s"
        );
    }

    #[test]
    fn the_longest_outage_is_between_acknowledged_writes_of_any_client() {
        let tally = Tally::begun();
        for (at, outcome) in
            [(1, Outcome::Ok), (2, Outcome::Unknown), (9, Outcome::Ok), (10, Outcome::Ok)]
        {
            tally.count(outcome, Duration::from_secs(at - 1), Duration::from_secs(at));
        }
        let counts = *tally.counts.lock().expect("nobody panics");
        assert_eq!(
            (counts.longest, counts.last),
            (Duration::from_secs(8), Duration::from_secs(10))
        );
        assert_eq!((counts.acknowledged, counts.unknown), (3, 1));
        assert_eq!(tally.last_sent(), Duration::from_secs(9));
    }
}
