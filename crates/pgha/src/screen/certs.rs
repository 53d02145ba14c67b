//! The table of `pgha certs show`.

use std::fmt::Write as _;

use pgha_core::certs::{CertificateView, Problem, Served};

use crate::screen::table::{self, Row};
use crate::screen::{BAD, PLAIN, WARN};

/// Digits of a fingerprint that a table has.
const DIGITS: usize = 16;

/// Draws what is known of certificates, what is wrong, and a rotation in progress.
pub(crate) fn draw(
    all: &[CertificateView],
    problems: &[Problem],
    rotation: Option<&str>,
) -> String {
    let header =
        ["MEMBER", "FOR", "NAMES", "FROM", "UNTIL", "DAYS", "SHA-256", "SIGNED BY", "SERVED"];
    let rows: Vec<Row> = all.iter().map(row).collect();
    let mut out = table::draw(&header, &[5], &rows);
    for problem in problems {
        let _ = writeln!(out, "{BAD}{}{BAD:#}\n  hint: {}", problem.message, problem.hint);
    }
    if let Some(rotation) = rotation {
        let _ = writeln!(out, "{WARN}{rotation}{WARN:#}");
    }
    out
}

fn row(one: &CertificateView) -> Row {
    let (served, style) = match &one.served {
        None => (String::new(), PLAIN),
        Some(Served::Same) => ("yes".to_owned(), PLAIN),
        Some(Served::Other { fingerprint }) => (format!("no, {}", short(fingerprint)), BAD),
        Some(Served::NotRunning) => ("not running".to_owned(), WARN),
        Some(Served::Unknown { reason }) => (format!("unknown: {reason}"), WARN),
    };
    let day = |time: jiff::Timestamp| time.strftime("%Y-%m-%d").to_string();
    let common = |name: &str| name.trim_start_matches("CN=").to_owned();
    Row {
        style,
        cells: vec![
            one.member.clone().unwrap_or_else(|| common(&one.subject)),
            one.purpose.to_string(),
            one.names.join(", "),
            day(one.not_before),
            day(one.not_after),
            one.days_left.to_string(),
            short(&one.fingerprint),
            common(&one.issuer),
            served,
        ],
    }
}

fn short(fingerprint: &str) -> String {
    fingerprint.chars().take(DIGITS).collect()
}
