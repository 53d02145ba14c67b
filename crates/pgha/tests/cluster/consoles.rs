//! Consoles of the documentation: ` ```console ` blocks with `$ command` lines and what each prints.
//!
//! Numbers differ from run to run, and so does which node leads: numbers are compared as `#`, `…` stands for any text within
//! a line, and a line in brackets with an ellipsis, as `[…]`, for any number of lines. Lines that stand together may come in another
//! order, as rows of a table do. Of a command without output only the exit code is compared.

use std::fs;
use std::path::Path;

/// One command of a console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Typed {
    /// File and line.
    pub(crate) at: String,
    /// As it is typed.
    pub(crate) command: String,
    /// What is printed, line by line.
    pub(crate) printed: Vec<String>,
}

/// The commands of all consoles in a file of the repository, in its order.
pub(crate) fn of(file: &str) -> Vec<Typed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    let found = read(file, &fs::read_to_string(path).expect("a file of the documentation"));
    assert!(!found.is_empty(), "{file} has no console");
    found
}

fn read(file: &str, text: &str) -> Vec<Typed> {
    let mut found: Vec<Typed> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let (true, Some(command)) = (inside, line.strip_prefix("$ ")) {
            let at = format!("{file}:{}", number + 1);
            found.push(Typed { at, command: command.to_owned(), printed: Vec::new() });
        } else if inside {
            let last = found.last_mut().expect("a console begins with a command");
            last.printed.push(line.to_owned());
        }
    }
    found
}

impl Typed {
    /// Whether this is what was printed.
    ///
    /// # Errors
    /// What the documentation has and `output` has not.
    pub(crate) fn compare(&self, output: &str) -> Result<(), String> {
        if self.printed.is_empty() {
            return Ok(());
        }
        // What stands together, between lines that stand for any number of lines.
        let mut parts = vec![Vec::new()];
        for line in self.printed.iter().filter(|line| !line.trim().is_empty()) {
            if line.starts_with("[…") && line.ends_with(']') {
                parts.push(Vec::new());
            } else {
                parts.last_mut().expect("there is one").push(plain(line));
            }
        }
        let output: Vec<String> = output.lines().map(plain).filter(|l| !l.is_empty()).collect();
        let mut rest = output.as_slice();
        for (number, part) in parts.iter().enumerate() {
            let (first, last) = (number == 0, number + 1 == parts.len());
            let fits_at = |at: &usize| {
                let end = at + part.len();
                let in_place =
                    (!first || *at == 0) && (!last || part.is_empty() || end == rest.len());
                in_place && same(part, &rest[*at..end])
            };
            let at = (0..=rest.len().saturating_sub(part.len()))
                .find(|at| at + part.len() <= rest.len() && fits_at(at))
                .ok_or_else(|| format!("{part:#?}\nis not in its place in\n{rest:#?}"))?;
            rest = &rest[at + part.len()..];
        }
        Ok(())
    }
}

/// Whether these are the same lines, in whatever order.
fn same(expected: &[String], lines: &[String]) -> bool {
    let mut left: Vec<&String> = lines.iter().collect();
    expected.len() == lines.len()
        && expected.iter().all(|pattern| {
            let found = left.iter().position(|line| fits(pattern, line));
            found.map(|at| left.swap_remove(at)).is_some()
        })
}

/// Whether a line is as a pattern says, in which `…` stands for any text.
fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    rest.is_empty() || last.is_some_and(|part| part.is_empty() || line.ends_with(part))
}

/// A line without colours, with single spaces, and with `#` for numbers, identifiers and positions in WAL.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            // A sequence ends with its letter.
            rest.by_ref().find(char::is_ascii_alphabetic);
        } else {
            text.push(c);
        }
    }
    // Which replicas count for a quorum already differs from one look to the next.
    let text = text.replace("quorum standby", "replica");
    let mut words: Vec<String> = text.split_whitespace().map(numberless).collect();
    // The unit goes with the number.
    for at in 1..words.len() {
        if words[at - 1] == "#" && ["kB", "MB", "GB", "ms", "min"].contains(&words[at].as_str()) {
            let unit = if words[at].ends_with('B') { "B" } else { "s" };
            unit.clone_into(&mut words[at]);
        }
    }
    words.join(" ")
}

fn numberless(word: &str) -> String {
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let hexadecimal = bare.chars().all(|c| c.is_ascii_hexdigit() || c == '/');
    if hexadecimal && (bare.len() >= 8 || bare.contains('/')) {
        return word.replace(bare, "#");
    }
    let mut without = String::new();
    for c in word.chars() {
        let part = c.is_ascii_digit() || (without.ends_with('#') && ".:-".contains(c));
        if !part {
            without.push(c);
        } else if !without.ends_with('#') {
            without.push('#');
        }
    }
    without
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> Typed {
        let consoles = read("a.md", &format!("text\n```console\n$ pgha x\n{text}\n```\n"));
        assert_eq!((consoles.len(), consoles[0].at.as_str()), (1, "a.md:3"));
        consoles[0].clone()
    }

    #[test]
    fn numbers_spaces_order_and_what_is_left_out_may_differ_and_nothing_else() {
        let shown =
            "ready after 12.1 s: demo1 leads\n[… rows …]\nMEMBER  ROLE\na1  leader\na2  replica";
        let same = "ready after 8.0 s: demo2 leads\nx\nMEMBER ROLE\na1   replica\na2 leader\n";
        assert_eq!(printed(shown).compare(same), Ok(()));
        for other in [
            "ready after 8.0 s: demo2 leads\nx\nMEMBER ROLE\na1 replica\na2 replica\n",
            "is ready after 8.0 s: demo2 leads\nMEMBER ROLE\na1 leader\na2 replica\n",
            "ready after 8.0 s: demo2 leads\nMEMBER ROLE\na1 leader\na2 replica\nmore\n",
        ] {
            assert!(printed(shown).compare(other).is_err(), "{other}");
        }
    }

    #[test]
    fn identifiers_times_and_positions_are_numbers() {
        for (word, other) in [
            ("5b1c22d0", "6006e929"),
            ("`00000001000000000000000A`,", "`000000010000000000000003`,"),
            ("0/E000090", "0/3000148"),
            ("03:00:01", "07:20:51"),
            ("pgha-demo1-DC1-1:", "pgha-demo2-DC2-9001:"),
            ("lag 0 B  894 ms", "lag 1.2 kB  3.1 s"),
        ] {
            assert_eq!(plain(word), plain(other));
        }
        assert_ne!(plain("\u{1b}[1mdatabase\u{1b}[0m"), plain("face"));
    }

    #[test]
    fn an_ellipsis_is_any_text_within_a_line_and_any_lines_by_itself() {
        assert_eq!(printed("psql 'x:25551,…'\n[…]").compare("psql 'x:1,y'\nmore\nmore\n"), Ok(()));
        assert_eq!(printed("[…]\nlast").compare("one\ntwo\nlast\n"), Ok(()));
        assert!(printed("[…]\nlast").compare("one\nlast\ntwo\n").is_err());
        assert!(printed("psql 'x:25551,…'").compare("psql 'x:1,y\n").is_err());
        assert_eq!(printed("").compare("anything\n"), Ok(()));
    }
}
