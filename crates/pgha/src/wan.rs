//! The WAN of a running cluster: requests to its router, and round trips as its members measure them.
//!
//! Both are programs run in containers (`pgha-node wan-control`, `pgha-node round-trips`); nothing here
//! speaks to a socket inside one by itself.

use std::time::Duration;

use futures_util::future::join_all;
use pgha_core::status::ContainerState;
use pgha_core::topology::{Role, Topology};
use pgha_core::wan::asked::slow_delay;
use pgha_core::wan::control::{Reply, Request, WanState};
use pgha_core::wan::measured::RoundTrips;

use crate::cluster::Cluster;
use crate::docker::Engine;
use crate::error::{Error, Result};

const NODE: &str = "/usr/local/bin/pgha-node";
/// What a request may take: the exec itself, on a busy host.
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
/// What a measurement may take beyond the round trips themselves.
const MEASURE_ALLOWANCE: Duration = Duration::from_secs(8);
/// Members of a site that are tried.
const ATTEMPTS_MAX: usize = 2;

/// Asks the router one thing, and gives the state after it.
///
/// # Errors
/// When the router does not run, is of another version, or refuses; then nothing was changed.
pub(crate) async fn request(
    engine: &Engine,
    cluster: &Cluster,
    request: &Request,
) -> Result<WanState> {
    let router = running_router(cluster)?;
    let json = serde_json::to_string(request).expect("a request is always JSON");
    let argv = [NODE, "wan-control", &json];
    let output = engine.exec(&router, &argv, REQUEST_DEADLINE).await?;
    match serde_json::from_str::<Reply>(output.stdout.trim()) {
        Ok(Reply::State(state)) => Ok(state),
        Ok(Reply::Refused(why)) => {
            Err(Error::bad_input("the router refuses that, and every link stays as it was")
                .because(why))
        }
        Err(_) => Err(Error::failed(format!("{router} does not answer"))
            .because(match output.stderr.trim() {
                "" => output.stdout.trim().to_owned(),
                said => said.to_owned(),
            })
            .hint(format!(
                "`pgha logs {router}` says more; a cluster of an older pgha has no links to \
                 change: make it again with `pgha down` and `pgha up`"
            ))),
    }
}

/// The router's name, where it runs.
///
/// # Errors
/// When it does not; the hint says how it gets to run.
fn running_router(cluster: &Cluster) -> Result<String> {
    let id = &cluster.id;
    let router = cluster.topology()?.router();
    match cluster.container(&router).map(|c| c.state) {
        Some(ContainerState::Running) => Ok(router),
        None => Err(Error::missing(format!("cluster {id} has no router: {router} is not there"))
            .hint("`pgha up` in the folder of its compose file makes it again")),
        Some(_) if cluster.containers.iter().all(|c| c.state != ContainerState::Running) => {
            Err(Error::missing(format!("cluster {id} does not run"))
                .hint(format!("`pgha start {id}` starts it")))
        }
        Some(state) => {
            Err(Error::missing(format!("the router {router} does not run: {}", state.as_str()))
                .because("No packet passes between sites.")
                .hint(format!("`docker start {router}` starts it, `pgha logs {router}` says why")))
        }
    }
}

/// Round trips as one running member of each of these sites measures them, all sites at once, and
/// what could not be learned.
pub(crate) async fn measure(
    engine: &Engine,
    cluster: &Cluster,
    topology: &Topology,
    state: &WanState,
    from: &[String],
) -> (Vec<RoundTrips>, Vec<String>) {
    let slowest = state.links.iter().map(|link| slow_delay(&link.settings)).max();
    let deadline = MEASURE_ALLOWANCE + slowest.unwrap_or_default().saturating_mul(4);
    let asked = from.iter().map(async |site| {
        let mut why = format!("no member of {site} runs");
        let number = topology.sites.iter().find(|s| s.name == *site).map(|s| s.number);
        let mut members: Vec<_> = topology
            .members
            .iter()
            .filter(|m| Some(m.site) == number)
            .filter(|m| {
                cluster.container(&m.name).is_some_and(|c| c.state == ContainerState::Running)
            })
            .collect();
        members.sort_by_key(|m| u8::from(m.role == Role::Postgres));
        for member in members.into_iter().take(ATTEMPTS_MAX) {
            let argv = [NODE, "round-trips"];
            match engine.exec_stdout(&member.name, &argv, deadline).await {
                Ok(printed) => match serde_json::from_slice::<RoundTrips>(&printed) {
                    Ok(trips) => return Ok(trips),
                    Err(e) => why = format!("{}: {e}", member.name),
                },
                Err(error) => why = format!("{}: {}", member.name, error.cause()),
            }
        }
        Err(why)
    });
    let (mut trips, mut failed) = (Vec::new(), Vec::new());
    for answer in join_all(asked).await {
        match answer {
            Ok(answer) => trips.push(answer),
            Err(why) => failed.push(why),
        }
    }
    (trips, failed)
}
