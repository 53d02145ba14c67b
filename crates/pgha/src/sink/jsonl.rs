//! JSON for programs: each event as one line.

use std::io::Write as _;

use pgha_core::event::{Event, Record};

use crate::events::Sink;

/// Writes records to standard error.
#[derive(Debug)]
pub(super) struct Jsonl;

impl Sink for Jsonl {
    fn take(&mut self, record: &Record) {
        let line = serde_json::to_string(&plain(record)).expect("plain data is always JSON");
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
}

/// Without the colours of a text that is drawn for people.
fn plain(record: &Record) -> Record {
    let mut record = record.clone();
    if let Event::Note { text } = &mut record.event {
        *text = anstream::adapter::strip_str(text.trim_end()).to_string();
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_has_no_colours() {
        let event = Event::Note { text: "\u{1b}[1mbold\u{1b}[0m\n".into() };
        let record = Record { at: "t".into(), run: "r".into(), cluster: None, event };
        assert_eq!(plain(&record).event, Event::Note { text: "bold".into() });
    }
}
