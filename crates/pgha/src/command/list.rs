//! `pgha list`: the clusters of this engine, also those of which only the data is left.

use crate::cli::List;
use crate::docker::Engine;
use crate::error::Result;
use crate::screen::list::{self, Listed};
use crate::{cluster, screen};

/// Carries out `pgha list`.
pub(crate) async fn run(args: &List) -> Result<()> {
    let engine = Engine::connect().await?;
    let clusters: Vec<Listed> = cluster::find(&engine).await?.iter().map(Listed::of).collect();
    if args.json {
        return screen::print_json(&clusters);
    }
    if clusters.is_empty() {
        anstream::eprintln!("there is no cluster on this engine; `pgha up` makes one");
        return Ok(());
    }
    screen::print(&list::draw(&clusters))
}
