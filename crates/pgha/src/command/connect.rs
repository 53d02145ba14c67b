//! `pgha connect`: connection strings. Works while the cluster is stopped, too.

use pgha_core::connect::{Access, Target};

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
    let (answering, of) = (connection.answering, connection.host.len());
    if answering < of {
        anstream::eprintln!(
            "note: {answering} of {of} nodes answer now, and stand first; `pgha status` says more"
        );
    }
    Ok(())
}

fn ways(connection: &Connection, password: Option<&str>) -> Ways {
    let both = |access, write: fn(&Target) -> String| Both {
        host: write(&Target { access, addresses: &connection.host, password }),
        inside: write(&Target { access, addresses: &connection.inside, password }),
    };
    Ways::new(
        |access: Access| both(access, |target| target.uri()),
        |access: Access| both(access, |target| target.keywords()),
        connection.passfile(),
    )
}
