//! Running a program to its end or to a deadline.

use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What a program did.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The command as it would be typed.
    pub(crate) shown: String,
    /// Exit code; `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    /// How long it ran.
    pub(crate) took: Duration,
}

impl Ran {
    /// Panics unless it succeeded; gives its standard output without the last line feed.
    pub(crate) fn ok(&self) -> &str {
        assert_eq!(self.code, Some(0), "`{}` failed:\n{}{}", self.shown, self.stdout, self.stderr);
        self.stdout.trim_end_matches('\n')
    }

    /// Standard output where it succeeded, else why not.
    pub(crate) fn result(self) -> Result<String, String> {
        if self.code == Some(0) {
            Ok(self.stdout.trim_end_matches('\n').to_owned())
        } else {
            Err(format!("`{}` failed:\n{}{}", self.shown, self.stdout, self.stderr))
        }
    }

    /// Panics unless it failed with this code and said `error:`, something of `words`, and `hint:`.
    pub(crate) fn refused(&self, code: i32, words: &str) {
        let said = &self.stderr;
        assert_eq!(self.code, Some(code), "`{}`:\n{}{said}", self.shown, self.stdout);
        for part in ["error: ", words, "hint: "] {
            assert!(said.contains(part), "`{}` does not say `{part}`:\n{said}", self.shown);
        }
    }
}

/// Runs a command; panics where it does not end in time.
pub(crate) fn run(command: &mut Command, deadline_s: u64) -> Ran {
    let started = Instant::now();
    let (shown, child) = start(command);
    let pid = child.id();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(Duration::from_secs(deadline_s)) else {
        let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        panic!("`{shown}` did not end within {deadline_s} s");
    };
    ended(shown, output.expect("it is waited for once"), started.elapsed())
}

/// Starts a command with both outputs piped.
pub(crate) fn start(command: &mut Command) -> (String, Child) {
    let shown = shown(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap_or_else(|e| panic!("cannot run `{shown}`: {e}"));
    (shown, child)
}

fn ended(shown: String, output: Output, took: Duration) -> Ran {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran {
        shown,
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        took,
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
