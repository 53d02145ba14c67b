//! `pgha connect`: connection strings. Works while the cluster is stopped, too.

use pgha_core::connect::{Access, Address, Format, Target};
use pgha_core::proxy::ProxyPort;

use crate::cli::Connect;
use crate::connection::{self, Connection};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::screen;
use crate::screen::connect::{Both, Kinds, Ways};
use crate::terminal;

/// Carries out `pgha connect`.
pub(crate) async fn run(args: &Connect, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let cluster = connection::cluster(&engine, args.cluster.as_deref()).await?;
    let connection = Connection::of(&engine, &cluster).await?.in_site(args.site.as_deref())?;
    let all = connection.on_host(Access::ReadWrite).len();
    if all == 0 {
        return Err(Error::failed(format!("no port of cluster {} is known", cluster.id))
            .because("its containers and its compose file are gone"));
    }
    if args.service {
        write_services(args, &cluster.id.to_string(), &connection)?;
    } else {
        print(args, &connection, events)?;
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

fn print(args: &Connect, connection: &Connection, events: &Events) -> Result<()> {
    let password = if args.no_password {
        None
    } else {
        let password = connection.password(&args.username);
        Some(password.map_err(|e| e.also_hint("`--no-password` does without"))?)
    };
    if let Err(error) = connection.fresh_passfile() {
        events.note(format!("note: the password file was not updated: {error}"));
    }
    let kinds = |format| {
        Kinds::new(|access| {
            let say = |addresses: Vec<Address>| {
                target(args, access, &addresses, password.as_deref()).string(format)
            };
            Both { host: say(connection.on_host(access)), inside: say(connection.inside(access)) }
        })
    };
    let keywords = args.format.is_none().then(|| kinds(Format::Keywords));
    let strings = kinds(args.format.unwrap_or(Format::Uri));
    let proxies = connection.proxy_ports().into_iter().map(|port| {
        let (host, inside) = (connection.proxies_on_host(port), connection.proxies_inside(port));
        let say = |addresses: &[Address]| match port {
            ProxyPort::Statistics => Some(pages(addresses)),
            _ => target(args, Access::Proxied, addresses, password.as_deref())
                .string(args.format.unwrap_or(Format::Uri)),
        };
        (port, Both { host: say(&host), inside: say(&inside) })
    });
    let ways = Ways::new(strings, keywords, connection.passfile()).through(proxies);
    if args.json {
        terminal::print_json(&ways)
    } else {
        terminal::print(&screen::connect::draw(&ways))
    }
}

/// The statistics page of each proxy.
fn pages(addresses: &[Address]) -> String {
    let page = |address: &Address| format!("http://{}:{}/", address.host, address.port);
    addresses.iter().map(page).collect::<Vec<_>>().join(" ")
}

/// One service for each kind of access; that for writes has the cluster's name.
fn write_services(args: &Connect, id: &str, connection: &Connection) -> Result<()> {
    let passfile = connection.fresh_passfile()?;
    let passfile = passfile.to_string_lossy();
    let names = Access::ALL.map(|access| match access {
        Access::ReadWrite => (id.to_owned(), access),
        _ => (format!("{id}-{}", access.name()), access),
    });
    let sections = names.iter().map(|(name, access)| {
        target(args, *access, &connection.on_host(*access), None).service(name, &passfile)
    });
    let file = connection.write_services(&sections.collect::<Vec<_>>().join("\n"))?;
    terminal::print(&screen::connect::services(&file.to_string_lossy(), &names))
}

fn target<'a>(
    args: &'a Connect,
    access: Access,
    addresses: &'a [Address],
    password: Option<&'a str>,
) -> Target<'a> {
    Target { access, addresses, user: &args.username, database: &args.dbname, password }
}
