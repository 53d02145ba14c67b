//! Live lines on a terminal: one for each piece of work and each member that is waited for, below what stays.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pgha_core::event::{Event, Record};

use super::{stays, write};
use crate::events::Sink;

/// The lines that are there now.
#[derive(Debug)]
pub(super) struct Live {
    screen: MultiProgress,
    works: BTreeMap<String, ProgressBar>,
    members: BTreeMap<String, ProgressBar>,
}

impl Default for Live {
    fn default() -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Self { screen, works: BTreeMap::new(), members: BTreeMap::new() }
    }
}

fn line(screen: &MultiProgress, template: &str, prefix: &str) -> ProgressBar {
    let bar = screen.add(ProgressBar::no_length());
    let style = ProgressStyle::with_template(template).expect("a constant template");
    bar.set_style(style);
    bar.set_prefix(prefix.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

impl Sink for Live {
    fn take(&mut self, record: &Record) {
        match &record.event {
            Event::Progress { work, doing, detail } => {
                let screen = &self.screen;
                let bar = self.works.entry(work.clone()).or_insert_with(|| {
                    line(screen, "{spinner} {prefix}: {wide_msg} {elapsed}", work)
                });
                let space = if detail.is_empty() { "" } else { "  " };
                bar.set_message(format!("{doing}{space}{detail}"));
            }
            Event::WorkEnded { work, .. } => {
                if let Some(bar) = self.works.remove(work) {
                    bar.finish_and_clear();
                }
            }
            Event::Waiting { member, phrase } => {
                let screen = &self.screen;
                let bar = self.members.entry(member.clone()).or_insert_with(|| {
                    line(screen, "{spinner} {prefix}  {wide_msg} {elapsed}", member)
                });
                bar.set_message(phrase.clone());
            }
            Event::WaitOver { member, .. } => {
                if let Some(bar) = self.members.remove(member) {
                    bar.finish_and_clear();
                }
            }
            Event::RunEnded { .. } => {
                for bar in self.works.values().chain(self.members.values()) {
                    bar.finish_and_clear();
                }
            }
            _ => {}
        }
        if let Some(text) = stays(&record.event) {
            self.screen.suspend(|| write(&text));
        }
    }
}
