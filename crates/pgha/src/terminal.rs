//! Standard output for results, standard error for the rest; both with colours only for a terminal, and never
//! against `NO_COLOR`.

use std::io::{ErrorKind, Write};

use anstyle::{AnsiColor, Style};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::error::{OrFail, Result};

/// Titles and headers of tables.
pub(crate) const TITLE: Style = Style::new().bold();
/// As it should be.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Works, with less than it should have.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// Does not work.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// Plain.
pub(crate) const PLAIN: Style = Style::new();

/// Writes data to stdout, coloured only for a terminal and never against `NO_COLOR`. A reader that
/// has seen enough, such as `head`, is no failure.
///
/// # Errors
/// When stdout cannot be written to.
pub(crate) fn print(text: &str) -> Result<()> {
    write_all(&mut anstream::stdout().lock(), text)
}

/// Columns of the terminal within reason; 80 where there is none.
pub(crate) fn width() -> usize {
    /// Below that, words would stand one below the other; above it, lines are hard to read.
    const READABLE: std::ops::RangeInclusive<u16> = 60..=120;
    let columns = terminal_size::terminal_size().map_or(80, |(columns, _)| columns.0);
    columns.clamp(*READABLE.start(), *READABLE.end()).into()
}

/// Writes talk to stderr, coloured likewise.
///
/// # Errors
/// When stderr cannot be written to.
pub(crate) fn tell(text: &str) -> Result<()> {
    write_all(&mut anstream::stderr().lock(), text)
}

/// Writes a piece of data that goes on to stdout; `false` once nobody reads any more.
///
/// # Errors
/// When stdout cannot be written to.
pub(crate) fn stream(text: &str) -> Result<bool> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(e).or_fail("cannot write the output"),
    }
}

/// Has the terminal put a text into the clipboard (OSC 52), which not every terminal does.
///
/// # Errors
/// When stdout cannot be written to.
pub(crate) fn copy(text: &str) -> Result<()> {
    let encoded = BASE64_STANDARD.encode(text);
    write_all(&mut std::io::stdout().lock(), &format!("\u{1b}]52;c;{encoded}\u{7}"))
}

fn write_all(out: &mut dyn Write, text: &str) -> Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.or_fail("cannot write the output"),
    }
}

/// Writes JSON to stdout, indented.
///
/// # Errors
/// When stdout cannot be written to.
///
/// # Panics
/// Never: what is printed is plain data.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).expect("plain data is always JSON");
    text.push('\n');
    print(&text)
}
