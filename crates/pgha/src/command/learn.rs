//! `pgha learn`: lessons, each a drill that explains and asks.

use std::io::IsTerminal as _;

use pgha_core::drill::{Drill, LESSONS, by_name};

use crate::cli::drill::{DrillRun, Learn, OwnArgs};
use crate::error::{Error, Result};
use crate::events::Events;
use crate::{screen, terminal};

/// Carries out `pgha learn`.
pub(crate) async fn run(args: &Learn, events: &Events) -> Result<()> {
    let Some(name) = &args.lesson else {
        let lessons: Vec<Drill> = LESSONS.iter().filter_map(|(name, _)| by_name(name)).collect();
        let rows = screen::learn::rows(&lessons);
        return if args.json {
            terminal::print_json(&rows)
        } else {
            terminal::print(&screen::learn::list(&rows))
        };
    };
    if !LESSONS.iter().any(|(known, _)| known == name) {
        return Err(Error::bad_input(format!("there is no lesson `{name}`")).hint(
            "`pgha learn` lists them; `pgha drill run` runs a lesson in a file of your own",
        ));
    }
    let person = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let drill = DrillRun {
        drill: name.clone(),
        cluster: args.cluster.clone(),
        runs: 1,
        seed: None,
        report_dir: args.report_dir.clone(),
        step: false,
        dry_run: args.dry_run,
        yes: args.yes,
        json: args.json,
        lesson: person && !args.yes,
        own: OwnArgs { fresh: args.cluster.is_none(), ..OwnArgs::default() },
    };
    super::drill::carry_out(&drill, events).await
}
