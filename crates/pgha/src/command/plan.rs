//! `pgha plan`: placement and survival, before anything runs.

use crate::cli::Plan;
use crate::command::spec_args;
use crate::error::Result;

/// Carries out `pgha plan`.
pub(crate) fn run(args: &Plan) -> Result<()> {
    let _spec = spec_args::spec(&args.spec)?;
    Ok(())
}
