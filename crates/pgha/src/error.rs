//! What a command says when it fails: what failed, why, what to do, and with which exit code.

use std::fmt;

use pgha_core::event::Event;

/// Exit codes, as documented in the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something that should have worked did not.
    Failed = 1,
    /// The command line, the spec file or a name is not valid.
    BadInput = 2,
    /// The Docker engine, Compose, an image or the cluster is not there.
    Missing = 3,
    /// A wait ran into its deadline.
    Deadline = 4,
    /// What was claimed does not hold: acknowledged writes were lost.
    Violated = 5,
}

/// An expected failure. Only `main` prints it and exits.
#[derive(Debug)]
pub(crate) struct Error {
    what: String,
    why: Vec<String>,
    hint: Option<String>,
    exit: Exit,
}

/// Result of everything in the shell.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Something that should have worked did not; `what` is a sentence without a full stop.
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self { what: what.into(), why: Vec::new(), hint: None, exit: Exit::Failed }
    }

    /// The user's input is not valid.
    pub(crate) fn bad_input(what: impl Into<String>) -> Self {
        Self { exit: Exit::BadInput, ..Self::failed(what) }
    }

    /// Something the command needs is not there.
    pub(crate) fn missing(what: impl Into<String>) -> Self {
        Self { exit: Exit::Missing, ..Self::failed(what) }
    }

    /// A wait ran into its deadline.
    pub(crate) fn deadline(what: impl Into<String>) -> Self {
        Self { exit: Exit::Deadline, ..Self::failed(what) }
    }

    /// A measurement has shown that a claim does not hold.
    pub(crate) fn violated(what: impl Into<String>) -> Self {
        Self { exit: Exit::Violated, ..Self::failed(what) }
    }

    /// Adds the reason; several lines are kept as they are.
    pub(crate) fn because(mut self, why: impl fmt::Display) -> Self {
        self.why.push(why.to_string());
        self
    }

    /// Adds what the user can do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what else the user can do.
    pub(crate) fn also_hint(mut self, hint: &str) -> Self {
        let before = self.hint.take().map(|before| before + "; ").unwrap_or_default();
        self.hint(before + hint)
    }

    /// The innermost reason there is, for quoting in a larger answer.
    pub(crate) fn cause(&self) -> &str {
        self.why.last().unwrap_or(&self.what).trim()
    }

    /// What failed and why, for quoting in a larger answer.
    pub(crate) fn reason(&self) -> String {
        [std::slice::from_ref(&self.what), self.why.as_slice()].concat().join(": ")
    }

    /// What failed, for quoting in a larger answer.
    pub(crate) fn headline(&self) -> &str {
        &self.what
    }

    /// What the user can do, for quoting in a larger answer.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The end of a run that failed with this.
    pub(crate) fn ended(&self, took_ms: u64) -> Event {
        Event::RunEnded {
            exit_code: self.exit_code(),
            took_ms,
            error: Some(self.what.clone()),
            causes: self.why.clone(),
            hint: self.hint.clone(),
        }
    }

    /// The code `main` exits with.
    pub(crate) fn exit_code(&self) -> u8 {
        self.exit as u8
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.what, &self.why, self.hint.as_deref()))
    }
}

/// What failed, why, and what to do, in lines for people.
pub(crate) fn shown(what: &str, why: &[String], hint: Option<&str>) -> String {
    let why = why.iter().flat_map(|why| why.trim_end().lines().map(|line| format!("\n  {line}")));
    let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    format!("error: {what}{}{hint}", why.collect::<String>())
}

impl std::error::Error for Error {}

/// Puts a verb phrase before a lower-level error: `.or_fail("cannot write secrets")`.
pub(crate) trait OrFail<T> {
    /// Turns the error into an [`Error`] that says what was being done.
    fn or_fail(self, what: impl Into<String>) -> Result<T>;
}

impl<T, E: fmt::Display> OrFail<T> for std::result::Result<T, E> {
    fn or_fail(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|e| Error::failed(what).because(e))
    }
}
