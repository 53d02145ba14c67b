//! The events of this run: whatever is at work reports here, and nowhere else.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgha_core::event::{Event, Record};
use pgha_core::finding::Finding;

use crate::error::Error;

/// Where events go: see [`crate::sink`].
pub(crate) trait Sink: std::fmt::Debug + Send {
    /// Takes one event.
    fn take(&mut self, record: &Record);
}

/// The way to report. A clone reports into the same stream.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    stream: Arc<Mutex<Stream>>,
    cluster: Option<String>,
}

#[derive(Debug)]
struct Stream {
    run: String,
    sink: Box<dyn Sink>,
}

impl Events {
    /// A stream into a sink.
    pub(crate) fn into_sink(sink: Box<dyn Sink>) -> Self {
        let begun = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
        let run = format!("{begun}-{}", std::process::id());
        Self { stream: Arc::new(Mutex::new(Stream { run, sink })), cluster: None }
    }

    /// The same stream, for what is about this cluster.
    pub(crate) fn of(&self, cluster: &(impl ToString + ?Sized)) -> Self {
        Self { cluster: Some(cluster.to_string()), ..self.clone() }
    }

    /// Reports.
    pub(crate) fn emit(&self, event: Event) {
        let mut stream = self.stream();
        let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
        let record = Record { at, run: stream.run.clone(), cluster: self.cluster.clone(), event };
        stream.sink.take(&record);
    }

    /// Says something that is good to know; nothing where there is nothing to say.
    pub(crate) fn note(&self, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.emit(Event::Note { text });
        }
    }

    /// Says what a check has found.
    pub(crate) fn findings(&self, findings: &[Finding]) {
        for finding in findings {
            self.emit(finding.into());
        }
    }

    /// Begins a piece of work, which is over when the value is dropped.
    pub(crate) fn begin(&self, work: impl Into<String>) -> Work {
        Work { events: self.clone(), name: work.into(), result: None }
    }

    /// Says how this run has ended.
    pub(crate) fn end(&self, failed: Option<&Error>, took_ms: u64) {
        self.emit(match failed {
            None => Event::RunEnded {
                exit_code: 0,
                took_ms,
                error: None,
                causes: Vec::new(),
                hint: None,
            },
            Some(error) => error.ended(took_ms),
        });
    }

    fn stream(&self) -> MutexGuard<'_, Stream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A piece of work that reports how far it is.
#[derive(Debug)]
pub(crate) struct Work {
    events: Events,
    name: String,
    result: Option<String>,
}

impl Work {
    /// Says what is being done, and a detail that may change quickly.
    pub(crate) fn at(&self, doing: &str, detail: &str) {
        let (work, doing, detail) = (self.name.clone(), doing.to_owned(), detail.to_owned());
        self.events.emit(Event::Progress { work, doing, detail });
    }

    /// Shows nothing of it until it says what is done next.
    pub(crate) fn pause(&self) {
        self.events.emit(Event::WorkEnded { work: self.name.clone(), result: None });
    }

    /// The stream that it reports into.
    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// Says something that stays.
    pub(crate) fn say(&self, line: &str) {
        self.events.note(line);
    }

    /// Says that one of several steps is done.
    pub(crate) fn step_done(&self, step: &str, took_ms: u64, note: &str) {
        let (work, step, note) = (self.name.clone(), step.to_owned(), note.to_owned());
        self.events.emit(Event::StepDone { work, step, took_ms, note });
    }

    /// Ends it with what came of it.
    pub(crate) fn done(mut self, result: &str) {
        self.result = Some(result.to_owned());
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let (work, result) = (self.name.clone(), self.result.take());
        self.events.emit(Event::WorkEnded { work, result });
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Keeps what it is given.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Kept(Arc<Mutex<Vec<Record>>>);

    impl Sink for Kept {
        fn take(&mut self, record: &Record) {
            self.0.lock().expect("nobody panics with it").push(record.clone());
        }
    }

    impl Kept {
        /// A stream that is kept.
        pub(crate) fn stream() -> (Events, Self) {
            let kept = Self::default();
            (Events::into_sink(Box::new(kept.clone())), kept)
        }

        /// What was reported.
        pub(crate) fn events(&self) -> Vec<Event> {
            let records = self.0.lock().expect("nobody panics with it");
            records.iter().map(|record| record.event.clone()).collect()
        }
    }

    #[test]
    fn work_is_over_however_it_ends_and_clones_report_into_one_stream() {
        let (events, kept) = Kept::stream();
        let of = events.of("demo-1");
        of.begin("cluster demo-1").at("stopping", "");
        events.begin("images").done("built");
        let work = |event: &Event| match event {
            Event::Progress { work, doing, .. } => format!("{work}: {doing}"),
            Event::WorkEnded { work, result } => format!("{work} ended: {result:?}"),
            other => format!("{other:?}"),
        };
        assert_eq!(
            kept.events().iter().map(work).collect::<Vec<_>>(),
            [
                "cluster demo-1: stopping",
                "cluster demo-1 ended: None",
                "images ended: Some(\"built\")"
            ]
        );
        let records = kept.0.lock().expect("nobody panics with it");
        let clusters: Vec<_> = records.iter().map(|record| record.cluster.as_deref()).collect();
        assert_eq!(clusters, [Some("demo-1"), Some("demo-1"), None]);
        assert!(records.iter().all(|record| record.run == records[0].run));
    }
}
