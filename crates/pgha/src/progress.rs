//! What long work shows while it goes on: one live line on a terminal, single lines elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Where there is no terminal, a step is said again when it has gone on this long.
const REPEAT: Duration = Duration::from_secs(15);

/// The line of one piece of work.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    live: bool,
    last: std::cell::RefCell<(String, Instant)>,
}

impl Progress {
    /// Begins to show a piece of work, on standard error.
    pub(crate) fn start(what: &str) -> Self {
        let live = std::io::stderr().is_terminal();
        let target = if live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("{spinner} {prefix}: {wide_msg} {elapsed}")
            .expect("a constant template");
        bar.set_style(style);
        bar.set_prefix(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, live, last: std::cell::RefCell::new((String::new(), Instant::now())) }
    }

    /// Shows what is being done, and a detail that may change quickly.
    pub(crate) fn at(&self, doing: &str, detail: &str) {
        if self.live {
            let space = if detail.is_empty() { "" } else { "  " };
            self.bar.set_message(format!("{doing}{space}{detail}"));
            return;
        }
        let mut last = self.last.borrow_mut();
        if last.0 != doing || last.1.elapsed() > REPEAT {
            anstream::eprintln!("{doing} …");
            *last = (doing.to_owned(), Instant::now());
        }
    }

    /// Says a detail where there is no line that shows it.
    pub(crate) fn note(&self, detail: &str) {
        if !self.live {
            anstream::eprintln!("  {detail}");
        }
    }

    /// Says something that stays.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| anstream::eprintln!("{line}"));
    }

    /// Ends the line with what came of it.
    pub(crate) fn done(self, result: &str) {
        self.bar.finish_and_clear();
        anstream::eprintln!("{result}");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
