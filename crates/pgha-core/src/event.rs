//! What a verb reports while it is at work, as one stream: lines, live screens and files are made from it, and
//! from nothing else.
//!
//! Results, such as a table or a connection string, are no events: they go to standard output.

use pgha_wan::sample::Sample;
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Severity};
use crate::ready::Waiting;
use crate::status::Problem;

/// An event with when, where and by whom. One line of `--events jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When: RFC 3339 in UTC, with milliseconds.
    pub at: String,
    /// The run of a command that it is of.
    pub run: String,
    /// The cluster, `demo-1`; null where it is about none, or none is known yet.
    pub cluster: Option<String>,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened. Variants and fields may be added; those that are here keep their meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A command begins.
    RunStarted {
        /// Its verb, such as `up`.
        verb: String,
        /// Of which pgha.
        version: String,
    },
    /// It has ended.
    RunEnded {
        /// What the process exits with; 0 where it did what was asked.
        exit_code: u8,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// What failed.
        error: Option<String>,
        /// Why, the outermost reason first.
        causes: Vec<String>,
        /// What to do.
        hint: Option<String>,
    },
    /// A piece of work is at something.
    Progress {
        /// What is worked on, such as `cluster demo-1`.
        work: String,
        /// What is being done to it.
        doing: String,
        /// How far that is; may be empty.
        detail: String,
    },
    /// A piece of work is over, well or not.
    WorkEnded {
        /// What was worked on.
        work: String,
        /// What came of it; null where something else says so.
        result: Option<String>,
    },
    /// A step of several is done.
    StepDone {
        /// What the steps are of, such as `restore demo-1`.
        work: String,
        /// Which.
        step: String,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// What came of it.
        note: String,
    },
    /// A member is waited for.
    Waiting {
        /// Its name.
        member: String,
        /// What it still has to do.
        phrase: String,
    },
    /// It is not waited for any more, or for something else.
    WaitOver {
        /// Its name.
        member: String,
        /// What it had to do.
        phrase: String,
        /// How long that took, in milliseconds.
        took_ms: u64,
    },
    /// A remark of a check.
    Finding {
        /// How much it matters.
        severity: Severity,
        /// Stable word for programs.
        code: String,
        /// What is the matter.
        message: String,
        /// What can be done.
        hint: String,
    },
    /// Something was done to a cluster that it has to live with, or is over.
    Fault {
        /// What, such as `cut` or `heal`.
        fault: String,
        /// To what: members, or links as `DC1 to DC2`.
        targets: Vec<String>,
        /// When it undoes itself, in milliseconds from now.
        undone_in_ms: Option<u64>,
    },
    /// A cluster looks otherwise than at the last look.
    ViewChanged {
        /// Who leads, by etcd and its own word.
        leader: Option<String>,
        /// Replicas that stream.
        streaming: Vec<String>,
        /// Codes of the problems there are.
        problems: Vec<String>,
    },
    /// What the links carried since the last look.
    LinkSample(Sample),
    /// A line of a member's log.
    Log {
        /// Its name.
        member: String,
        /// The line.
        line: String,
    },
    /// Something that is good to know: a sentence.
    Note {
        /// The sentence, without a full stop.
        text: String,
    },
}

impl From<&Finding> for Event {
    fn from(finding: &Finding) -> Self {
        Self::Finding {
            severity: finding.severity,
            code: finding.code.to_owned(),
            message: finding.message.clone(),
            hint: finding.hint.clone(),
        }
    }
}

impl From<&Problem> for Event {
    fn from(problem: &Problem) -> Self {
        Self::Finding {
            severity: problem.severity,
            code: problem.code.clone(),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        }
    }
}

impl From<&Waiting> for Event {
    fn from(waiting: &Waiting) -> Self {
        Self::Waiting { member: waiting.member.clone(), phrase: waiting.phrase.clone() }
    }
}

#[cfg(test)]
mod tests {
    use pgha_wan::sample::LinkSample;
    use proptest::prelude::*;

    use super::*;

    fn any_event() -> impl Strategy<Value = Event> {
        let text = "[ -~\n\"é]{0,12}";
        let texts = prop::collection::vec(text, 0..3);
        prop_oneof![
            (text, text).prop_map(|(verb, version)| Event::RunStarted { verb, version }),
            (
                any::<u8>(),
                any::<u64>(),
                prop::option::of(text),
                texts.clone(),
                prop::option::of(text)
            )
                .prop_map(|(exit_code, took_ms, error, causes, hint)| {
                    Event::RunEnded { exit_code, took_ms, error, causes, hint }
                }),
            (text, text, text).prop_map(|(work, doing, detail)| Event::Progress {
                work,
                doing,
                detail
            }),
            (text, prop::option::of(text))
                .prop_map(|(work, result)| Event::WorkEnded { work, result }),
            (text, text, any::<u64>(), text).prop_map(|(work, step, took_ms, note)| {
                Event::StepDone { work, step, took_ms, note }
            }),
            (text, text).prop_map(|(member, phrase)| Event::Waiting { member, phrase }),
            (text, text, any::<u64>()).prop_map(|(member, phrase, took_ms)| Event::WaitOver {
                member,
                phrase,
                took_ms
            }),
            (text, text).prop_map(|(message, hint)| {
                Event::from(&Finding::warning("some_code", message, hint))
            }),
            (text, texts.clone(), prop::option::of(any::<u64>())).prop_map(
                |(fault, targets, undone_in_ms)| Event::Fault { fault, targets, undone_in_ms }
            ),
            (prop::option::of(text), texts.clone(), texts).prop_map(
                |(leader, streaming, problems)| Event::ViewChanged { leader, streaming, problems }
            ),
            (any::<u64>(), prop::option::of(any::<u64>()), text, any::<bool>()).prop_map(
                |(running_ms, over_ms, from, cut)| {
                    let link = LinkSample { from, cut, ..LinkSample::default() };
                    Event::LinkSample(Sample { running_ms, over_ms, links: vec![link] })
                }
            ),
            (text, text).prop_map(|(member, line)| Event::Log { member, line }),
            text.prop_map(|text| Event::Note { text }),
        ]
    }

    proptest! {
        #[test]
        fn a_record_is_one_line_and_reads_back(event in any_event(), cluster: Option<String>) {
            let record =
                Record { at: "2026-11-27T18:30:00.123Z".into(), run: "r".into(), cluster, event };
            let line = serde_json::to_string(&record).expect("plain data is JSON");
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(serde_json::from_str::<Record>(&line).expect("it is read"), record);
        }
    }

    #[test]
    fn every_event_is_named_in_a_field_of_its_own() {
        let event = Event::Waiting { member: "pgha-etcd1-DC1-1".into(), phrase: "starting".into() };
        let record = Record { at: "t".into(), run: "r".into(), cluster: None, event };
        assert_eq!(
            serde_json::to_string(&record).expect("plain data is JSON"),
            r#"{"at":"t","run":"r","cluster":null,"event":"waiting","member":"pgha-etcd1-DC1-1","phrase":"starting"}"#
        );
    }
}
