//! `pgha status`: how one cluster is, or all of them.

use futures_util::future::join_all;

use crate::cli::Status;
use crate::cluster::{self, Among};
use crate::docker::Engine;
use crate::error::Result;
use crate::events::Events;
use crate::terminal;
use crate::{observe, screen};

/// Carries out `pgha status`. A cluster with problems is an answer and no failure.
pub(crate) async fn run(args: &Status, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let clusters = cluster::find(&engine).await?;
    if let Some(name) = &args.cluster {
        let cluster = cluster::resolve(clusters, Some(name), Among::All)?;
        let view = observe::whole_view(&engine, &cluster).await?;
        return if args.json {
            terminal::print_json(&view)
        } else {
            terminal::print(&screen::status::draw(&view))
        };
    }
    let mut views = Vec::new();
    for (cluster, view) in clusters
        .iter()
        .zip(join_all(clusters.iter().map(|c| observe::whole_view(&engine, c))).await)
    {
        match view {
            Ok(view) => views.push(view),
            Err(_) if cluster.containers.is_empty() => {
                events.note(format!("{}: {}", cluster.id, cluster.state()));
            }
            // What cannot be read of one cluster says nothing about the others.
            Err(error) => events.note(format!("{error}")),
        }
    }
    if args.json {
        return terminal::print_json(&views);
    }
    if clusters.is_empty() {
        events.note("there is no cluster on this engine; `pgha up` makes one");
    }
    terminal::print(&screen::status::draw_all(&views))
}
