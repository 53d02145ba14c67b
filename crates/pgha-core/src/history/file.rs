//! A history on disk: a line of JSON for what the run was, each connection, each operation, and the end.
//!
//! ```text
//! {"history":[1,"append",["pgha-demo1-DC1-1","pgha-demo1-DC1-2"]]}
//! {"session":[0,1,7]}                            client, node, timeline (null on a replica)
//! {"op":[0,1,520,913,"ok",{"lists":[…]}]}        session, id, sent and time taken in µs, outcome, what
//! {"end":[2000000,{"node":…,"found":…}]}         length of the run in µs, what was there (null where not read)
//! ```
//!
//! Sessions count from 0, in the order of their lines. A history without its last line is of a run that was cut off.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Outcome;
use super::record::{Action, Done, End, History, Session, Workload};

/// The number of this format.
const FORMAT: u32 = 1;

/// Why a file is not a history.
#[derive(Debug, thiserror::Error)]
pub enum BadHistory {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line is something else.
    #[error("line {line}: {reason}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
}

/// `A` is borrowed where it is written, and owned where it is read.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<A, E> {
    History(u32, Workload, Vec<String>),
    Session(u32, u32, Option<u32>),
    Op(u32, u64, u64, u64, Outcome, A),
    End(u64, Option<E>),
}

fn us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl History {
    /// Writes it.
    ///
    /// # Errors
    /// When that cannot be written to.
    pub fn write_to(&self, mut to: impl Write) -> io::Result<()> {
        let mut line = |line: &Line<&Action, &End>| -> io::Result<()> {
            serde_json::to_writer(&mut to, line)?;
            to.write_all(b"\n")
        };
        line(&Line::History(FORMAT, self.workload, self.nodes.clone()))?;
        for Session { client, node, timeline } in &self.sessions {
            line(&Line::Session(*client, *node, *timeline))?;
        }
        for Done { session, id, sent, ended, outcome, action } in &self.operations {
            let took = us(*ended).saturating_sub(us(*sent));
            line(&Line::Op(*session, *id, us(*sent), took, *outcome, action))?;
        }
        line(&Line::End(us(self.took), self.end.as_ref()))?;
        to.flush()
    }

    /// Reads it. Times are those of the run to the microsecond.
    ///
    /// # Errors
    /// When it cannot be read, or is something else.
    pub fn read_from(mut from: impl BufRead) -> Result<Self, BadHistory> {
        let mut history = Self::default();
        let (mut line, mut number, mut ended) = (String::new(), 0, false);
        loop {
            line.clear();
            if from.read_line(&mut line)? == 0 {
                return Ok(history);
            }
            number += 1;
            let bad = |reason: String| BadHistory::Line { line: number, reason };
            let read: Line<Action, End> =
                serde_json::from_str(&line).map_err(|why| bad(why.to_string()))?;
            if (number == 1) != matches!(read, Line::History(..)) {
                return Err(bad("the first line, and no other, says what the run was".to_owned()));
            }
            if ended {
                return Err(bad("there is something after the end".to_owned()));
            }
            match read {
                Line::History(format, workload, nodes) => {
                    if format != FORMAT {
                        return Err(bad(format!("format {format}; this pgha reads {FORMAT}")));
                    }
                    (history.workload, history.nodes) = (workload, nodes);
                }
                Line::Session(client, node, timeline) => {
                    history.sessions.push(Session { client, node, timeline });
                }
                Line::Op(session, id, sent, took, outcome, action) => {
                    if session as usize >= history.sessions.len() {
                        return Err(bad(format!("there is no session {session}")));
                    }
                    let sent = Duration::from_micros(sent);
                    let ended = sent.saturating_add(Duration::from_micros(took));
                    history.took = history.took.max(ended);
                    history.operations.push(Done { session, id, sent, ended, outcome, action });
                }
                Line::End(took, end) => {
                    (history.took, history.end) = (Duration::from_micros(took), end);
                    ended = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::history::{Found, ListStep};

    fn action() -> impl Strategy<Value = Action> {
        prop_oneof![
            Just(Action::Insert),
            any::<(u32, Option<u64>)>().prop_map(|(c, id)| Action::Largest(c, id)),
            (any::<(u32, u32)>(), prop::collection::vec(any::<u32>(), 0..4)).prop_map(
                |((key, value), list)| Action::Lists(vec![
                    ListStep::Append { key, value },
                    ListStep::Read { key, list }
                ])
            ),
            any::<(u32, u64, u64)>().prop_map(|(k, a, b)| Action::Swap(k, a, b)),
            any::<(u32, u64)>().prop_map(|(k, a)| Action::Set(k, a)),
            any::<(u32, u64)>().prop_map(|(k, a)| Action::Get(k, a)),
            any::<(u32, u32, i64)>().prop_map(|(a, b, n)| Action::Transfer(a, b, n)),
            prop::collection::vec(any::<i64>(), 0..4).prop_map(Action::Balances),
        ]
    }

    fn whole(actions: Vec<Action>) -> History {
        let operations = actions.into_iter().zip(1..);
        let operations = operations.map(|(action, id)| Done {
            session: 0,
            id,
            sent: Duration::from_micros(id * 7),
            ended: Duration::from_micros(id * 9),
            outcome: match id % 3 {
                0 => Outcome::Ok,
                1 => Outcome::Failed,
                _ => Outcome::Unknown,
            },
            action,
        });
        let found = Found::Lists(BTreeMap::from([(3, vec![1, 2])]));
        History {
            workload: Workload::Append,
            nodes: vec!["a".to_owned(), "b".to_owned()],
            took: Duration::from_secs(9),
            sessions: vec![Session { client: 0, node: 1, timeline: Some(7) }],
            operations: operations.collect(),
            end: Some(End { node: "b".to_owned(), found }),
        }
    }

    fn written(history: &History) -> Vec<u8> {
        let mut bytes = Vec::new();
        history.write_to(&mut bytes).expect("memory");
        bytes
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(actions in prop::collection::vec(action(), 0..9)) {
            let history = whole(actions);
            let read = History::read_from(written(&history).as_slice()).expect("a history");
            prop_assert_eq!(read, history);
        }

        #[test]
        fn whatever_is_read_nothing_breaks(bytes in prop::collection::vec(any::<u8>(), 0..99)) {
            let _ = History::read_from(bytes.as_slice());
        }
    }

    #[test]
    fn a_line_that_is_none_is_pointed_at() {
        let good = String::from_utf8(written(&whole(vec![Action::Insert]))).expect("text");
        insta::assert_snapshot!(good);
        for (from, to, said) in [
            ("[1,\"append", "[2,\"append", "line 1: format 2"),
            ("\"op\":[0", "\"op\":[1", "line 3: there is no session 1"),
            ("\"insert\"", "\"inzert\"", "line 3: unknown variant `inzert`"),
            ("{\"session", "{\"sezzion", "line 2: unknown variant `sezzion`"),
            ("{\"history", "\n{\"history", "line 1"),
        ] {
            let text = good.replace(from, to);
            assert_ne!(text, good);
            let error = History::read_from(text.as_bytes()).expect_err(to).to_string();
            assert!(error.contains(said), "{to}: {error}");
        }
        let (cut_off, _) = good.split_at(good.find("{\"end").expect("an end"));
        let read = History::read_from(cut_off.as_bytes()).expect("a history");
        assert_eq!((read.operations.len(), read.end), (1, None));
    }
}
