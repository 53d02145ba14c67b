//! `pgha web`: the live page of a cluster.

use serde::Serialize;

use crate::cli::web::Web;
use crate::cluster::{self, Among};
use crate::docker::Engine;
use crate::error::Result;
use crate::events::Events;
use crate::terminal;
use crate::web::Page;
use crate::web::token::Token;

/// Where the page is.
#[derive(Debug, Serialize)]
struct Address {
    cluster: String,
    /// With the token.
    url: String,
    port: u16,
    allow_changes: bool,
}

/// Carries out `pgha web`.
pub(crate) async fn run(args: &Web, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let found = cluster::find(&engine).await?;
    let cluster = cluster::resolve(found, args.cluster.as_deref(), Among::Created)?;
    cluster.topology()?;
    let token = match &args.token_file {
        Some(file) => Token::kept_in(file)?,
        None => Token::random(),
    };
    let page = Page::listen(args.port, token).await?;
    let url = page.url();
    if args.json {
        terminal::print_json(&Address {
            cluster: cluster.id.to_string(),
            url,
            port: page.port(),
            allow_changes: args.allow_changes,
        })?;
    } else {
        terminal::print(&format!("{url}\n"))?;
        let may = if args.allow_changes { "changes allowed" } else { "read-only" };
        events.note(format!("cluster {}, {may}; Ctrl-C ends the page", cluster.id));
    }
    page.serve(engine, &cluster, args.allow_changes).await
}
