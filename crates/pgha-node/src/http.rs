//! Short questions over HTTP to members of the cluster.

use std::net::Ipv4Addr;
use std::time::Duration;

/// How long a connection, and the whole answer, may take where the caller has no other wish.
const DEADLINE: Duration = Duration::from_secs(1);

/// A client that gives up after `total`, and after `connect` where nobody is there.
///
/// An answer of any status is an answer. A proxy that Docker puts into every container's environment
/// is not for a container's neighbours.
pub(crate) fn client(connect: Duration, total: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_connect(Some(connect))
        .timeout_global(Some(total))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into()
}

/// A client with the usual deadline.
pub(crate) fn patient() -> ureq::Agent {
    client(DEADLINE, DEADLINE)
}

/// Where a member serves.
pub(crate) fn url(address: Ipv4Addr, port: u16, path: &str) -> String {
    format!("http://{address}:{port}/{path}")
}

/// The text of an answer with status 200; `None` for every other answer and for none.
pub(crate) fn get(address: Ipv4Addr, port: u16, path: &str) -> Option<String> {
    let mut answer = patient().get(url(address, port, path)).call().ok()?;
    if answer.status() == 200 { answer.body_mut().read_to_string().ok() } else { None }
}
