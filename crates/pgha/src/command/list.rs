//! `pgha list`: the clusters of this engine, also those of which only the data is left.

use crate::cli::List;
use crate::docker::Engine;
use crate::drill::fresh;
use crate::error::Result;
use crate::events::Events;
use crate::screen::list::{self, Listed};
use crate::{cluster, terminal};

/// Carries out `pgha list`.
pub(crate) async fn run(args: &List, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let found = cluster::find(&engine).await?;
    for left in fresh::left(&found) {
        events.note(fresh::told(left));
    }
    let clusters: Vec<Listed> = found.iter().map(Listed::of).collect();
    if args.json {
        return terminal::print_json(&clusters);
    }
    if clusters.is_empty() {
        events.note("there is no cluster on this engine; `pgha up` makes one");
        return Ok(());
    }
    terminal::print(&list::draw(&clusters))
}
