//! `pgha status`: how one cluster is, or all of them.

use std::io::IsTerminal as _;
use std::time::Duration;

use futures_util::future::join_all;
use pgha_core::status::ClusterView;

use crate::cli::Status;
use crate::cluster::{self, Among};
use crate::docker::Engine;
use crate::error::Result;
use crate::events::Events;
use crate::interrupt::interrupted;
use crate::screen::status::{Extent, draw_all};
use crate::{observe, terminal};

/// Time between two looks with `--watch`.
const WATCH: Duration = Duration::from_secs(2);
/// Clears a terminal and goes to its top.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J\u{1b}[3J";

/// Carries out `pgha status`. A cluster with problems is an answer and no failure.
pub(crate) async fn run(args: &Status, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let extent = || Extent { all: args.all, width: terminal::width() };
    if !args.watch {
        let views = views(&engine, args.cluster.as_deref(), events).await?;
        return match (&views[..], &args.cluster) {
            ([view], Some(_)) if args.json => terminal::print_json(view),
            _ if args.json => terminal::print_json(&views),
            _ => terminal::print(&draw_all(&views, extent())),
        };
    }
    let clear = if std::io::stdout().is_terminal() { CLEAR } else { "" };
    let watch = async {
        loop {
            let views = views(&engine, args.cluster.as_deref(), events).await?;
            // All at once, lest it flickers.
            if !terminal::stream(&format!("{clear}{}\n", draw_all(&views, extent())))? {
                return Ok(());
            }
            tokio::time::sleep(WATCH).await;
        }
    };
    tokio::select! {
        done = watch => done,
        () = interrupted() => Ok(()),
    }
}

/// The cluster that is named, or all that can be read.
async fn views(engine: &Engine, name: Option<&str>, events: &Events) -> Result<Vec<ClusterView>> {
    let clusters = cluster::find(engine).await?;
    if name.is_some() {
        let cluster = cluster::resolve(clusters, name, Among::All)?;
        return Ok(vec![observe::whole_view(engine, &cluster).await?]);
    }
    if clusters.is_empty() {
        events.note("there is no cluster on this engine; `pgha up` makes one");
    }
    let mut views = Vec::new();
    for (cluster, view) in
        clusters.iter().zip(join_all(clusters.iter().map(|c| observe::whole_view(engine, c))).await)
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
    Ok(views)
}
