//! One line after the other, for logs and pipes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pgha_core::event::{Event, Record};
use pgha_core::status::NOT_CHECKED;

use super::{stays, write};
use crate::events::Sink;

/// What goes on this long is said again.
const REPEAT: Duration = Duration::from_secs(15);

/// Writes what stays, what members wait for as it changes, and what work is at, without its details.
#[derive(Debug, Default)]
pub(super) struct Lines {
    at: BTreeMap<String, (String, Instant)>,
}

impl Lines {
    fn line(&mut self, event: &Event, now: Instant) -> Option<String> {
        match event {
            Event::Progress { work, doing, .. } => {
                let said = self.at.get(work).is_some_and(|(last, since)| {
                    last == doing && now.duration_since(*since) <= REPEAT
                });
                if said {
                    return None;
                }
                self.at.insert(work.clone(), (doing.clone(), now));
                Some(format!("{doing} …"))
            }
            // Nothing to tell: the first answers are under way.
            Event::Waiting { phrase, .. } if phrase.ends_with(NOT_CHECKED) => None,
            Event::Waiting { member, phrase } => Some(format!("{member}: {phrase}")),
            Event::WorkEnded { work, .. } => {
                self.at.remove(work);
                stays(event)
            }
            other => stays(other),
        }
    }
}

impl Sink for Lines {
    fn take(&mut self, record: &Record) {
        if let Some(line) = self.line(&record.event, Instant::now()) {
            write(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_said_once_and_again_after_a_while() {
        let mut lines = Lines::default();
        let (begin, work) = (Instant::now(), "images".to_owned());
        let at = |doing: &str, detail: &str| Event::Progress {
            work: work.clone(),
            doing: doing.to_owned(),
            detail: detail.to_owned(),
        };
        let mut say = |event: Event, after: u64| {
            lines.line(&event, begin + Duration::from_secs(after)).unwrap_or_default()
        };
        assert_eq!(say(at("compiling", "a"), 0), "compiling …");
        assert_eq!(say(at("compiling", "b"), 15), "");
        assert_eq!(say(at("compiling", "c"), 16), "compiling …");
        assert_eq!(say(at("building", ""), 17), "building …");
        let ended = Event::WorkEnded { work: work.clone(), result: Some("built".into()) };
        assert_eq!(say(ended, 18), "built");
        assert_eq!(say(at("building", ""), 19), "building …");
    }

    #[test]
    fn what_stays_is_written_as_it_always_was() {
        let mut lines = Lines::default();
        let mut say = |event: Event| lines.line(&event, Instant::now());
        let step = Event::StepDone {
            work: "restore demo-1".into(),
            step: "hold".into(),
            took_ms: 4_260,
            note: "all are held".into(),
        };
        assert_eq!(say(step).as_deref(), Some("hold         4.3 s  all are held"));
        let ended = Event::RunEnded {
            exit_code: 1,
            took_ms: 1,
            error: Some("it broke".into()),
            causes: vec!["one\ntwo".into()],
            hint: Some("mend it".into()),
        };
        assert_eq!(say(ended).as_deref(), Some("error: it broke\n  one\n  two\nhint: mend it"));
        let waiting = Event::Waiting { member: "m".into(), phrase: "starting".into() };
        assert_eq!(say(waiting).as_deref(), Some("m: starting"));
        let view = Event::ViewChanged { leader: None, streaming: vec![], problems: vec![] };
        assert_eq!(say(view), None);
    }
}
