//! Has a change done: the `pgha` that serves the page, run as a child with the command line that the button shows.
//!
//! Only what is offered at that moment is run, and one change at a time.

use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgha_core::console::Change;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

use super::feed::{Feed, Topic};

/// Lines that are kept of what a command says.
const LINES_MAX: usize = 60;

/// Why a change is not begun.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No such command line is offered now.
    NotOffered,
    /// Another one is under way.
    Busy,
}

/// A change that runs or ran.
#[derive(Debug, Clone, Default, Serialize)]
struct Running {
    command: String,
    /// What it said last.
    lines: Vec<String>,
    /// Its exit code; null while it runs, -1 where it was killed or did not start.
    code: Option<i32>,
}

/// Carries out changes.
#[derive(Debug)]
pub(super) struct Runner {
    feed: Arc<Feed>,
    offered: Mutex<Vec<Change>>,
    running: Mutex<Running>,
}

impl Runner {
    /// One that tells of what it does.
    pub(super) fn new(feed: Arc<Feed>) -> Self {
        let running = Running { code: Some(0), ..Running::default() };
        Self { feed, offered: Mutex::default(), running: Mutex::new(running) }
    }

    /// What is offered from now on.
    pub(super) fn offer(&self, changes: Vec<Change>) {
        *self.offered.lock().unwrap_or_else(PoisonError::into_inner) = changes;
    }

    /// Begins the change with that command line.
    ///
    /// # Errors
    /// When it is not offered, or another one runs.
    pub(super) fn begin(self: &Arc<Self>, command: &str) -> Result<(), Refusal> {
        let offered = self.offered.lock().unwrap_or_else(PoisonError::into_inner);
        let change = offered.iter().find(|change| change.command == command);
        let change = change.ok_or(Refusal::NotOffered)?.clone();
        drop(offered);
        let mut running = self.running();
        if running.code.is_none() {
            return Err(Refusal::Busy);
        }
        *running = Running { command: change.command, ..Running::default() };
        self.feed.tell(Topic::Run, &*running);
        drop(running);
        let runner = self.clone();
        tokio::spawn(async move { runner.carry_out(&change.argv).await });
        Ok(())
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn carry_out(&self, argv: &[String]) {
        let code = match self.child(argv).await {
            Ok(code) => code.unwrap_or(-1),
            Err(error) => {
                self.said(format!("error: cannot run pgha: {error}"));
                -1
            }
        };
        let mut running = self.running();
        running.code = Some(code);
        self.feed.tell(Topic::Run, &*running);
    }

    async fn child(&self, argv: &[String]) -> std::io::Result<Option<i32>> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(argv)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        tokio::join!(self.listen(out), self.listen(err));
        Ok(child.wait().await?.code())
    }

    async fn listen(&self, pipe: Option<impl AsyncRead + Unpin>) {
        let Some(pipe) = pipe else { return };
        let mut lines = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            self.said(line);
        }
    }

    fn said(&self, line: String) {
        let mut running = self.running();
        running.lines.push(line);
        let over = running.lines.len().saturating_sub(LINES_MAX);
        running.lines.drain(..over);
        self.feed.tell(Topic::Run, &*running);
    }
}
