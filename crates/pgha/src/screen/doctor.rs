//! What `pgha doctor` found, one line for each thing and one for each hint.

use std::fmt::Write as _;

use super::{BAD, GOOD, PLAIN, WARN};
use crate::doctor::{Check, State};

/// Draws it.
pub(crate) fn draw(checks: &[Check]) -> String {
    let mut out = String::new();
    for check in checks {
        let (word, style) = match check.state {
            State::Ok => ("ok", GOOD),
            State::Info => ("info", PLAIN),
            State::Warning => ("warning", WARN),
            State::Failed => ("failed", BAD),
        };
        writeln!(out, "{style}{word:<7}{style:#}  {:<10}  {}", check.name, check.found)
            .expect("a string takes all");
        if let Some(hint) = &check.hint {
            writeln!(out, "{:<7}  {:<10}  hint: {hint}", "", "").expect("a string takes all");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_stands_under_what_it_is_for() {
        let check = |state, hint: Option<&str>| Check {
            name: "disk",
            state,
            found: "3 GB free".to_owned(),
            hint: hint.map(ToOwned::to_owned),
        };
        let drawn = draw(&[check(State::Ok, None), check(State::Warning, Some("make room"))]);
        assert_eq!(
            anstream::adapter::strip_str(&drawn).to_string(),
            "ok       disk        3 GB free\n\
             warning  disk        3 GB free\n\
             \x20                    hint: make room\n"
        );
    }
}
