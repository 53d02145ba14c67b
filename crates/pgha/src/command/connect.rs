//! `pgha connect`: connection strings. Works while the cluster is stopped, too.

use pgha_core::connect::{Access, Address, Target};

use crate::cli::Connect;
use crate::connection::{self, Connection};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::screen;
use crate::screen::connect::{Both, Ways};
use crate::terminal;

/// Carries out `pgha connect`.
pub(crate) async fn run(args: &Connect, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let cluster = connection::cluster(&engine, args.cluster.as_deref()).await?;
    let connection = Connection::of(&engine, &cluster).await?;
    let all = connection.on_host(Access::ReadWrite).len();
    if all == 0 {
        return Err(Error::failed(format!("no port of cluster {} is known", cluster.id))
            .because("its containers and its compose file are gone"));
    }
    let password = if args.no_password {
        None
    } else {
        Some(connection.password().map_err(|e| e.also_hint("`--no-password` does without them"))?)
    };
    if let Err(error) = connection.fresh_passfile() {
        events.note(format!("note: the password file was not updated: {error}"));
    }
    let ways = ways(&connection, password.as_deref());
    if args.json {
        terminal::print_json(&ways)?;
    } else {
        terminal::print(&screen::connect::draw(&ways))?;
    }
    if let Some(restore) = connection.restore() {
        events.note(format!("note: {}; {}", restore.message, restore.hint));
    }
    let without_port = connection.without_port();
    if !without_port.is_empty() {
        let names = without_port.join(", ");
        events.note(format!("note: left out for the host, having no port there: {names}"));
    }
    match (connection.answering(Access::ReadWrite).len(), all) {
        (0, _) => events.note("note: no node answers now; see `pgha status`"),
        (answering, of) if answering < of => events.note(format!(
            "note: {answering} of {of} nodes answer now and are listed first; see `pgha status`"
        )),
        _ => {}
    }
    Ok(())
}

fn ways(connection: &Connection, password: Option<&str>) -> Ways {
    let both = |access, keywords| {
        let say = |addresses: &[Address]| {
            let target = Target { access, addresses, password };
            if keywords { target.keywords() } else { target.uri() }
        };
        Both { host: say(&connection.on_host(access)), inside: say(&connection.inside(access)) }
    };
    Ways::new(|access| both(access, false), |access| both(access, true), connection.passfile())
}
