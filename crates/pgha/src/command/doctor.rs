//! `pgha doctor`: whether this machine can run a cluster.

use serde::Serialize;

use crate::cli::Doctor;
use crate::doctor::{self, Check, State};
use crate::error::{Error, Result};
use crate::screen;
use crate::terminal;

/// What `pgha doctor --json` prints.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether nothing failed.
    ok: bool,
    checks: Vec<Check>,
}

/// Carries out `pgha doctor`.
pub(crate) async fn run(args: &Doctor) -> Result<()> {
    let checks = doctor::examine().await;
    let failed: Vec<&str> =
        checks.iter().filter(|c| c.state == State::Failed).map(|c| c.name).collect();
    let verdict = if failed.is_empty() {
        Ok(())
    } else {
        Err(Error::missing("this machine cannot run a cluster yet")
            .because(format!("failed: {}", failed.join(", ")))
            .hint("each check above says what to do"))
    };
    if args.json {
        terminal::print_json(&Report { ok: verdict.is_ok(), checks })?;
    } else {
        terminal::print(&screen::doctor::draw(&checks))?;
    }
    verdict
}
