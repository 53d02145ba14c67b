//! Asking before something is done: on a terminal, and nowhere else.

use std::io::{BufRead, IsTerminal as _};

use tokio::sync::oneshot;

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

/// Fails unless the user types the name of what it is about, beforehand (`given`) or now. `otherwise` is how a caller that
/// cannot be asked gets on.
///
/// # Errors
/// When another name is given or typed, or stdin is no terminal.
pub(crate) fn agree_by_name(
    given: Option<&str>,
    name: &str,
    question: &str,
    otherwise: &str,
) -> Result<()> {
    let typed = if let Some(given) = given {
        given.to_owned()
    } else {
        if !std::io::stdin().is_terminal() {
            return Err(Error::bad_input("refusing without confirmation: stdin is not a terminal")
                .because(format!("{question} Nothing was touched."))
                .hint(otherwise));
        }
        terminal::tell(&format!("{question} Type {name}: "))?;
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).or_fail("cannot read the answer")?;
        answer.trim().to_owned()
    };
    if typed == name {
        return Ok(());
    }
    Err(Error::bad_input(format!("{typed:?} is not {name}: nothing was touched")).hint(otherwise))
}

/// Fails where nobody can press Enter; `flag` is what asks for that.
///
/// # Errors
/// When stdin or stderr is no terminal.
pub(crate) fn demand_terminal(flag: &str) -> Result<()> {
    let other = match (std::io::stdin().is_terminal(), std::io::stderr().is_terminal()) {
        (true, true) => return Ok(()),
        (false, _) => "stdin",
        (true, false) => "stderr",
    };
    Err(Error::bad_input(format!("{flag} waits for Enter, and {other} is not a terminal"))
        .hint(format!("leave {flag} out, or run it on a terminal")))
}

/// Says what is done next, and waits until somebody presses Enter.
///
/// # Errors
/// When the input ends.
pub(crate) async fn enter(next: &str) -> Result<()> {
    terminal::tell(&format!("{next} [Enter] "))?;
    let (pressed, wait) = oneshot::channel();
    // No task: the program could not end before somebody presses Enter.
    std::thread::spawn(move || pressed.send(is_pressed(&mut std::io::stdin().lock())));
    match wait.await {
        Ok(true) => Ok(()),
        _ => Err(Error::failed("interrupted").because("end of input at a step")),
    }
}

/// Asks until one of so many choices is named by its number.
///
/// # Errors
/// When the input ends.
pub(crate) async fn choose(question: &str, choices: usize) -> Result<usize> {
    let mut prompt = question.to_owned();
    loop {
        terminal::tell(&format!("{prompt}Your prediction [1-{choices}]: "))?;
        let (typed, wait) = oneshot::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            typed.send(read.is_ok_and(|bytes| bytes > 0).then_some(line))
        });
        let line = wait.await.ok().flatten();
        let line =
            line.ok_or_else(|| Error::failed("interrupted").because("end of input at a question"))?;
        if let Some(choice) = choice(&line, choices) {
            return Ok(choice);
        }
        prompt.clear();
    }
}

/// The choice that a line names.
fn choice(line: &str, choices: usize) -> Option<usize> {
    line.trim().parse().ok().filter(|choice| (1..=choices).contains(choice))
}

fn is_pressed(input: &mut impl BufRead) -> bool {
    input.read_line(&mut String::new()).is_ok_and(|bytes| bytes > 0)
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_input_is_no_enter() {
        assert!(is_pressed(&mut "\n".as_bytes()) && is_pressed(&mut "go on\n".as_bytes()));
        assert!(!is_pressed(&mut "".as_bytes()));
    }

    #[test]
    fn a_choice_is_one_of_the_numbers() {
        for (line, chosen) in [
            ("2\n", Some(2)),
            (" 3 \n", Some(3)),
            ("0", None),
            ("4", None),
            ("two", None),
            ("", None),
        ] {
            assert_eq!(choice(line, 3), chosen, "{line:?}");
        }
    }

    #[test]
    fn nothing_but_a_yes_is_one() {
        for (answer, yes) in
            [("y\n", true), ("YES\n", true), ("", false), ("\n", false), ("yo", false)]
        {
            assert_eq!(is_yes(answer), yes, "{answer:?}");
        }
    }
}
