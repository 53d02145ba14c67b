//! Live lines on a terminal: one for each piece of work and one row for each member that is waited for, below what stays.
//! A row stays in its place; once nobody is waited for any more, what each member did becomes lines that stay.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pgha_core::event::{Event, Record};

use super::{stays, write};
use crate::events::Sink;
use crate::terminal;

/// Of a piece of work.
const WORK: &str = "{spinner} {prefix}: {wide_msg} {elapsed}";
/// Of a member that is waited for.
const WAITING: &str = "{spinner} {prefix}  {wide_msg} {elapsed}";
/// Of one that is not.
const OVER: &str = "  {prefix}  {wide_msg}";

/// The lines that are there now.
#[derive(Debug)]
pub(super) struct Live {
    screen: MultiProgress,
    works: BTreeMap<String, ProgressBar>,
    members: BTreeMap<String, (ProgressBar, Row)>,
    /// When the first member was waited for.
    began: Option<Instant>,
}

impl Default for Live {
    fn default() -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Self { screen, works: BTreeMap::new(), members: BTreeMap::new(), began: None }
    }
}

/// What a member waits for, and what it did before.
#[derive(Debug, Default)]
struct Row {
    now: Option<String>,
    past: Vec<(String, Duration)>,
    /// When it was not waited for any more, counted from the begin.
    over: Duration,
}

impl Row {
    /// What comes first is what a narrow terminal shows.
    fn text(&self) -> String {
        let past = self.past.iter().rev();
        let past: Vec<_> =
            past.map(|(phrase, took)| format!("{phrase} {:.1} s", took.as_secs_f64())).collect();
        let past = past.join(" ← ");
        match &self.now {
            Some(now) if past.is_empty() => now.clone(),
            Some(now) => format!("{now} ← {past}"),
            None => format!("ready after {:.1} s: {past}", self.over.as_secs_f64()),
        }
    }

    /// What stays of it: when it was ready, and what took longest.
    fn result(&self) -> String {
        let ready = format!("ready after {:.1} s", self.over.as_secs_f64());
        match self.past.iter().max_by_key(|(_, took)| *took) {
            Some((phrase, took)) => {
                format!("{ready}; longest {:.1} s: {phrase}", took.as_secs_f64())
            }
            None => ready,
        }
    }
}

/// One line of a terminal.
fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a constant template")
}

fn alive(bar: ProgressBar, prefix: &str, template: &str) -> ProgressBar {
    bar.set_style(style(template));
    bar.set_prefix(prefix.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

impl Live {
    fn waiting(&mut self, member: &str, phrase: &str) {
        self.began.get_or_insert_with(Instant::now);
        let before = self.members.range(..member.to_owned()).count();
        let (bar, row) = self.members.entry(member.to_owned()).or_insert_with(|| {
            let bar = self.screen.insert(self.works.len() + before, ProgressBar::no_length());
            (alive(bar, member, WAITING), Row::default())
        });
        if row.now.is_none() && !row.past.is_empty() {
            bar.set_style(style(WAITING));
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        row.now = Some(phrase.to_owned());
        bar.reset_elapsed();
        bar.set_message(row.text());
    }

    fn over(&mut self, member: &str, phrase: &str, took: Duration) {
        let Some((bar, row)) = self.members.get_mut(member) else { return };
        row.past.push((phrase.to_owned(), took));
        row.now = None;
        row.over = self.began.map(|began| began.elapsed()).unwrap_or_default();
        bar.disable_steady_tick();
        bar.set_style(style(OVER));
        bar.set_message(row.text());
    }

    /// What the members did, once nobody is waited for.
    fn settle(&mut self) {
        if self.members.values().any(|(_, row)| row.now.is_some()) {
            return;
        }
        let width = self.members.keys().map(String::len).max().unwrap_or_default();
        for (member, (bar, row)) in std::mem::take(&mut self.members) {
            bar.finish_and_clear();
            let line = format!("  {member:width$}  {}", row.result());
            self.screen.suspend(|| write(&cut(&line, terminal::width())));
        }
        self.began = None;
    }
}

impl Sink for Live {
    fn take(&mut self, record: &Record) {
        match &record.event {
            Event::Progress { work, doing, detail } => {
                let bar = self.works.entry(work.clone()).or_insert_with(|| {
                    alive(self.screen.insert(0, ProgressBar::no_length()), work, WORK)
                });
                let space = if detail.is_empty() { "" } else { "  " };
                bar.set_message(format!("{doing}{space}{detail}"));
            }
            Event::WorkEnded { work, .. } => {
                if let Some(bar) = self.works.remove(work) {
                    bar.finish_and_clear();
                }
            }
            Event::Waiting { member, phrase } => self.waiting(member, phrase),
            Event::WaitOver { member, phrase, took_ms } => {
                self.over(member, phrase, Duration::from_millis(*took_ms));
            }
            Event::RunEnded { .. } => {
                for bar in self.works.values().chain(self.members.values().map(|(bar, _)| bar)) {
                    bar.finish_and_clear();
                }
                self.members.clear();
            }
            _ => {}
        }
        if let Some(text) = stays(&record.event) {
            self.settle();
            self.screen.suspend(|| write(&text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_is_done_now_and_what_was_before_with_its_times() {
        let second = Duration::from_secs(1);
        let mut row = Row { now: Some("starting".into()), ..Row::default() };
        assert_eq!(row.text(), "starting");
        row.past.push(("starting".into(), second));
        row.now = Some("cloning".into());
        assert_eq!(row.text(), "cloning ← starting 1.0 s");
        row.past.push(("cloning".into(), 2 * second));
        (row.now, row.over) = (None, 4 * second);
        assert_eq!(row.text(), "ready after 4.0 s: cloning 2.0 s ← starting 1.0 s");
        assert_eq!(row.result(), "ready after 4.0 s; longest 2.0 s: cloning");
        assert_eq!(cut(&row.result(), 20), "ready after 4.0 s; …");
    }

    #[test]
    fn a_member_keeps_its_row_and_gives_it_up_once_nobody_is_waited_for() {
        let mut live = Live {
            screen: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
            ..Live::default()
        };
        let mut take = |event: Event| {
            live.take(&Record { at: "t".into(), run: "r".into(), cluster: None, event });
            live.members.keys().cloned().collect::<Vec<_>>().join(" ")
        };
        let waiting =
            |member: &str| Event::Waiting { member: member.into(), phrase: "starting".into() };
        let over = |member: &str| Event::WaitOver {
            member: member.into(),
            phrase: "starting".into(),
            took_ms: 1,
        };
        take(waiting("b"));
        assert_eq!(take(waiting("a")), "a b");
        assert_eq!(take(over("b")), "a b");
        assert_eq!(take(Event::Note { text: "meanwhile".into() }), "a b", "one still waits");
        assert_eq!(take(over("a")), "a b", "it may wait for something else");
        assert_eq!(take(Event::Note { text: "ready".into() }), "");
    }
}
