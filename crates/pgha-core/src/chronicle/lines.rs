//! What one line of a log says. The words are those of Patroni 4 and of PostgreSQL 16 to 18, read off running clusters.

use std::collections::BTreeMap;

use pgha_wan::control::{Direction, Request};
use pgha_wan::settings::{Cut, LinkChange};

use super::What;

/// Patroni's words before the name of the source of a rewind.
const REWIND: &str = "running pg_rewind from ";
/// What the router logs of a change of links.
const LINKS: &str = "pgha-node: links: ";

/// What happened by this line; `None` for most.
pub(super) fn read(line: &str) -> Option<What> {
    if let Some(request) = line.strip_prefix(LINKS) {
        return links(&serde_json::from_str(request).ok()?);
    }
    if let Some((head, said)) = line.split_once(" LOG:  ").or_else(|| line.split_once(" FATAL:  "))
    {
        // A line of a session is about that session.
        return head.contains("user=,").then(|| postgres(said)).flatten();
    }
    let (_, said) =
        [" INFO: ", " WARNING: ", " ERROR: "].iter().find_map(|level| line.split_once(level))?;
    patroni(said)
}

/// Whether this line of Patroni says that the files of another node have been copied, with its log.
pub(super) fn copies(line: &str) -> bool {
    ["pg_rewind exit code=0", "replica has been created using"]
        .iter()
        .any(|said| line.contains(said))
}

fn patroni(said: &str) -> Option<What> {
    let starts = |with: &str| said.starts_with(with);
    if starts("promoted self to leader by acquiring") || starts("acquired session lock as a leader")
    {
        Some(What::LeaderKeyTaken)
    } else if starts("Lock owner: None;") {
        Some(What::LeaderKeyFree)
    } else if let Some(rest) = said.strip_prefix("Request failed to ") {
        let (from, request) = rest.split_once(": ")?;
        let asked = request.starts_with("GET ") && request.contains("/patroni ");
        asked.then(|| What::NoAnswer { from: from.to_owned() })
    } else if starts("received switchover request") || starts("received failover request") {
        let candidate = said.split_once("candidate=")?.1.split(' ').next()?;
        Some(What::SwitchoverRequested {
            candidate: (candidate != "None").then(|| candidate.to_owned()),
        })
    } else if let Some(reason) = said.strip_prefix("demoted self because ") {
        Some(What::Demoted { reason: reason.to_owned() })
    } else if let Some(reason) = said.strip_prefix("demoting self because ") {
        Some(What::Demoted { reason: reason.to_owned() })
    } else if said.ends_with(": demoting myself") {
        Some(What::Demoted { reason: said.split(':').next()?.to_owned() })
    } else if starts("initialized a new cluster") {
        Some(What::Initialized)
    } else if starts("replica has been created using") {
        Some(What::Cloned)
    } else if let Some(from) = said.strip_prefix(REWIND) {
        // In full once, with the source as a connection string and as work in progress otherwise.
        (!from.contains(' ')).then(|| What::Rewinding { from: from.to_owned() })
    } else if starts("Error communicating with DCS") || starts("DCS is not accessible") {
        Some(What::EtcdUnreachable)
    } else {
        None
    }
}

fn postgres(said: &str) -> Option<What> {
    let starts = |with: &str| said.starts_with(with);
    let number = |text: &str| text.trim().parse().ok();
    if starts("starting PostgreSQL") {
        Some(What::PostgresStarting)
    } else if starts("database system is ready to accept connections") {
        Some(What::Writable)
    } else if starts("database system is ready to accept read-only connections") {
        Some(What::ReadOnly)
    } else if starts("received promote request") {
        Some(What::PromoteRequested)
    } else if let Some(timeline) = said.strip_prefix("selected new timeline ID: ") {
        Some(What::Timeline { timeline: number(timeline)? })
    } else if starts("started streaming WAL from primary") {
        Some(What::Streaming { timeline: number(said.rsplit_once(" on timeline ")?.1)? })
    } else if starts("could not receive data from WAL stream")
        || starts("replication terminated by primary server")
        || starts("terminating walreceiver due to timeout")
    {
        Some(What::StreamLost)
    } else if said.contains("\" is now a candidate for quorum synchronous standby")
        || said.contains("\" is now a synchronous standby")
    {
        Some(What::Acknowledges { standby: said.split('"').nth(1)?.to_owned() })
    } else if starts("terminating any other active server processes") {
        Some(What::PostgresCrashed)
    } else if starts("received fast shutdown request")
        || starts("received immediate shutdown request")
    {
        Some(What::PostgresStopping)
    } else if starts("database system is shut down") {
        Some(What::PostgresStopped)
    } else {
        None
    }
}

fn links(request: &Request) -> Option<What> {
    let names = |links: &[Direction]| {
        links.iter().map(|link| format!("{}→{}", link.from, link.to)).collect()
    };
    match request {
        Request::Change { links, change, for_ms } => {
            Some(What::Links { links: names(links), change: Some(words(change)), for_ms: *for_ms })
        }
        Request::Reset { links } => {
            Some(What::Links { links: names(links), change: None, for_ms: None })
        }
        Request::State | Request::Stopping => None,
    }
}

/// What is changed of links, as flags name it.
fn words(change: &LinkChange) -> String {
    let so = |cut: &Cut| match cut {
        Cut::Yes => "cut".to_owned(),
        Cut::No => "no longer cut".to_owned(),
        Cut::Flaps(flap) => format!("cut {flap}"),
    };
    // What heals a link heals its services as well.
    if let LinkChange { cut: Some(cut), .. } = change {
        return so(cut);
    }
    let ports = change.cut_ports.iter().map(|(service, cut)| format!("{service} {}", so(cut)));
    let others = LinkChange { cut_ports: BTreeMap::new(), ..change.clone() };
    let value = serde_json::to_value(others).unwrap_or_default();
    let each = value.as_object().into_iter().flatten();
    let each = each.map(|(key, value)| match value.as_str() {
        Some(text) => format!("{key} {text}"),
        None => format!("{key} {value}"),
    });
    ports.chain(each).collect::<Vec<_>>().join(", ")
}
