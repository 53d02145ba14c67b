//! What becomes of events: lines, live lines on a terminal, or JSON. Nothing else of this program writes
//! about work that goes on.

mod jsonl;
mod lines;
mod live;

use std::io::IsTerminal as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use pgha_core::event::Event;
use pgha_core::finding::Severity;

use crate::error;
use crate::events::Sink;
use crate::terminal::{BAD, tell};

/// How events are written: for people, live on a terminal and else line by line; or as one JSON object a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    // No doc comments: each would be a line of every help.
    #[default]
    Text,
    Jsonl,
}

/// The sink of that format, on standard error.
pub(crate) fn of(format: Format) -> Box<dyn Sink> {
    match format {
        Format::Jsonl => Box::new(jsonl::Jsonl),
        Format::Text if std::io::stderr().is_terminal() => Box::new(live::Live::default()),
        Format::Text => Box::new(lines::Lines::default()),
    }
}

/// What an event says in lines that stay; `None` where it says something only while it lasts, or nothing to
/// people.
fn stays(event: &Event) -> Option<String> {
    Some(match event {
        Event::Note { text } => text.trim_end().to_owned(),
        Event::WorkEnded { result, .. } => result.clone()?,
        Event::StepDone { step, took_ms, note, .. } => {
            let took = Duration::from_millis(*took_ms).as_secs_f64();
            format!("{step:<9} {took:>6.1} s  {note}")
        }
        Event::Finding { severity, message, hint, .. } => {
            let style = style(*severity);
            format!("{style}{}:{style:#} {message}\n  hint: {hint}", severity.as_str())
        }
        Event::Log { line, .. } => format!("  {line}"),
        Event::RunEnded { error, causes, hint, .. } => {
            error::shown(error.as_deref()?, causes, hint.as_deref())
        }
        Event::RunStarted { .. }
        | Event::Progress { .. }
        | Event::Waiting { .. }
        | Event::WaitOver { .. }
        | Event::Fault { .. }
        | Event::ViewChanged { .. }
        | Event::LinkSample(_) => return None,
    })
}

/// How the word of a severity is drawn.
pub(crate) fn style(severity: Severity) -> Style {
    match severity {
        Severity::Error => BAD,
        Severity::Warning => AnsiColor::Yellow.on_default().bold(),
        Severity::Info => AnsiColor::Cyan.on_default(),
    }
}

fn write(text: &str) {
    // Where standard error is gone, nobody is left to be told.
    let _ = tell(&format!("{text}\n"));
}
