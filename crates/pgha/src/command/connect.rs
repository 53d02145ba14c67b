//! `pgha connect`: connection strings. Works while the cluster is stopped, too.

use pgha_core::connect::Target;

use crate::cli::Connect;
use crate::connection::{self, Connection};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::screen;
use crate::screen::connect::{Both, Ways};

/// Carries out `pgha connect`.
pub(crate) async fn run(args: &Connect) -> Result<()> {
    let engine = Engine::connect().await?;
    let cluster = connection::cluster(&engine, args.cluster.as_deref()).await?;
    let connection = Connection::of(&cluster).await?;
    if connection.host.is_empty() {
        return Err(Error::failed(format!("no port of cluster {} is known", cluster.id))
            .because("its containers and its compose file are gone"));
    }
    let password = if args.no_password { None } else { Some(connection.password()?) };
    let ways = ways(&connection, password.as_deref());
    if args.json {
        screen::print_json(&ways)?;
    } else {
        screen::print(&screen::connect::draw(&ways))?;
    }
    if !connection.without_port.is_empty() {
        let names = connection.without_port.join(", ");
        anstream::eprintln!("note: left out for the host, having no port there: {names}");
    }
    match (connection.answering, connection.host.len()) {
        (0, _) => anstream::eprintln!("note: no node answers now; `pgha status` says why"),
        (answering, of) if answering < of => anstream::eprintln!(
            "note: {answering} of {of} nodes answer now, and stand first; `pgha status` says more"
        ),
        _ => {}
    }
    Ok(())
}

fn ways(connection: &Connection, password: Option<&str>) -> Ways {
    let host = |access| Target { access, addresses: &connection.host, password };
    let inside = |access| Target { access, addresses: &connection.inside, password };
    Ways::new(
        |access| Both { host: host(access).uri(), inside: inside(access).uri() },
        |access| Both { host: host(access).keywords(), inside: inside(access).keywords() },
        connection.passfile(),
    )
}
