//! Asking before something is destroyed: on a terminal, and nowhere else.

use std::io::{BufRead as _, IsTerminal as _};

use crate::error::{Error, OrFail, Result};
use crate::terminal;

/// Fails unless the user agrees, beforehand (`yes`) or now. `otherwise` is how a caller that cannot be
/// asked gets on.
///
/// # Errors
/// When the answer is no, or stdin is no terminal.
pub(crate) fn agree(yes: bool, question: &str, otherwise: &str) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Error::bad_input("refusing without confirmation: stdin is not a terminal")
            .because(format!("{question} Nothing was touched."))
            .hint(otherwise));
    }
    terminal::tell(&format!("{question} [y/N] "))?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).or_fail("cannot read the answer")?;
    if is_yes(&answer) { Ok(()) } else { Err(Error::failed("nothing was touched")) }
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_yes_is_one() {
        for (answer, yes) in
            [("y\n", true), ("YES\n", true), ("", false), ("\n", false), ("yo", false)]
        {
            assert_eq!(is_yes(answer), yes, "{answer:?}");
        }
    }
}
