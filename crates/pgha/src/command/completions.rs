//! `pgha completions` and `pgha man`: what is made from the command line's own description.

use clap::CommandFactory as _;

use crate::cli::{Cli, Completions, Man};
use crate::error::{Error, OrFail, Result};
use crate::events::Events;
use crate::terminal;

/// Carries out `pgha completions`.
pub(crate) fn run(args: &Completions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pgha", &mut script);
    terminal::print(&String::from_utf8(script).or_fail("cannot write the script")?)
}

/// Carries out `pgha man`: one page for the command, and one for each verb.
pub(crate) fn man(args: &Man, events: &Events) -> Result<()> {
    let folder = args.dir.display();
    let cannot = |e| Error::bad_input(format!("cannot write man pages into {folder}")).because(e);
    std::fs::create_dir_all(&args.dir).map_err(cannot)?;
    clap_mangen::generate_to(Cli::command(), &args.dir).map_err(cannot)?;
    events.note(format!("wrote pgha.1 and one page for each verb into {folder}"));
    Ok(())
}
