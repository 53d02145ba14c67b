//! Text that is wrapped to a screen.

use std::fmt::Write as _;

/// Breaks a text between words so that it fits into `width` columns, when its first line begins at `column` and the
/// others are indented to it. What stands in backticks is one word: a command that is copied must be whole.
pub(crate) fn wrap(text: &str, column: usize, width: usize) -> String {
    let mut out = String::new();
    let mut at = column;
    for word in words(text) {
        let long = word.chars().count();
        if at > column && at + 1 + long > width {
            let _ = write!(out, "\n{:column$}", "");
            at = column;
        } else if at > column {
            out.push(' ');
            at += 1;
        }
        out.push_str(&word);
        at += long;
    }
    out
}

/// Words between blanks, those between backticks together.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut quoted = false;
    for part in text.split_whitespace() {
        match words.last_mut().filter(|_| quoted) {
            Some(command) => {
                command.push(' ');
                command.push_str(part);
            }
            None => words.push(part.to_owned()),
        }
        quoted ^= part.matches('`').count() % 2 == 1;
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_words_are_not_broken_and_long_lines_are() {
        let wrapped = wrap(&"word ".repeat(30), 10, 80);
        assert!(wrapped.lines().all(|line| line.chars().count() <= 80));
        assert!(wrapped.lines().skip(1).all(|line| line.starts_with("          word")));
        let long = "x".repeat(100);
        assert_eq!(wrap(&long, 10, 80), long);
    }

    #[test]
    fn a_command_in_backticks_stays_on_one_line() {
        let said =
            "it is so; (`docker start pgha-demo1-DC1-1`) starts it, and `pgha status` shows it";
        for width in 10..100 {
            let wrapped = wrap(said, 4, width);
            assert!(wrapped.contains("(`docker start pgha-demo1-DC1-1`)"), "{width}: {wrapped}");
            assert!(wrapped.contains("`pgha status`"), "{width}: {wrapped}");
        }
    }

    proptest! {
        #[test]
        fn wrapping_changes_blanks_alone(text in "[a-z` ]{0,80}", column in 0_usize..20, width in 1_usize..90) {
            let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assert_eq!(plain(&wrap(&text, column, width)), plain(&text));
        }
    }
}
