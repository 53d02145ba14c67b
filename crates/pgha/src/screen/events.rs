//! What happened to a cluster: a line for each.

use std::fmt::Write as _;

use pgha_core::chronicle::{Entry, MemberLog};
use pgha_core::member_log::merged;

/// Lines for people: time, member, what.
pub(crate) fn text(all: &[Entry]) -> String {
    let name = |entry: &Entry| entry.member.clone().unwrap_or_else(|| "pgha".to_owned());
    let width = all.iter().map(|entry| name(entry).len()).max().unwrap_or_default();
    let mut out = String::new();
    for entry in all {
        let _ = writeln!(out, "{}  {:width$}  {}", entry.at, name(entry), entry.what);
    }
    out
}

/// An object a line.
pub(crate) fn json(all: &[Entry]) -> String {
    let line = |entry: &Entry| serde_json::to_string(entry).expect("plain data is JSON") + "\n";
    all.iter().map(line).collect()
}

/// The logs of all members by time.
pub(crate) fn log(logs: &[MemberLog]) -> String {
    let both = |log: &MemberLog| {
        let lines = |lines: &[_]| (log.member.clone(), lines.to_vec());
        [lines(&log.container), lines(&log.postgres)]
    };
    let logs: Vec<_> = logs.iter().flat_map(both).collect();
    let mut out = String::new();
    for (member, line) in merged(&logs, None, None) {
        let _ = writeln!(out, "{}  {member}  {}", line.at, line.text);
    }
    out
}
