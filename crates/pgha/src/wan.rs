//! The WAN of a running cluster: requests to its router, and round trips as its members measure them.
//!
//! Both are programs run in containers (`pgha-node wan-control`, `pgha-node round-trips`); nothing here
//! speaks to a socket inside one by itself.

use std::time::Duration;

use futures_util::future::join_all;
use pgha_core::agent;
use pgha_core::links::asked::{self, slow_delay};
use pgha_core::status::ContainerState;
use pgha_core::topology::{Role, Topology};
use pgha_wan::control::{Reply, Request, WanState};
use pgha_wan::measured::RoundTrips;

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::provider::Provider;

/// What a request may take: the exec itself, on a busy host.
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
/// Echo requests to each member: enough for a median that one late answer does not move.
const ECHOES: u16 = 9;
/// What an answer may take beyond the slowest round trip that is asked for.
const ANSWER_ALLOWANCE: Duration = Duration::from_millis(700);
/// The most that `round-trips --wait` takes, in milliseconds.
const WAIT_MAX_MS: u16 = 60_000;
/// What a measurement may take beyond that: the exec itself, on a busy host.
const MEASURE_ALLOWANCE: Duration = Duration::from_secs(5);
/// Members of a site that are tried.
const ATTEMPTS_MAX: usize = 2;

/// Asks the router one thing, and gives the state after it.
///
/// # Errors
/// When the router does not run, is of another version, or refuses; then nothing was changed.
pub(crate) async fn request(
    provider: &impl Provider,
    cluster: &Cluster,
    request: &Request,
) -> Result<WanState> {
    let router = running_router(cluster)?;
    let argv = agent::Request::WanControl(request.clone()).argv();
    let old = || {
        format!(
            "`pgha logs {router}` says more; a router of an older pgha has no links to change: \
             `pgha down` and `pgha up` make a new one"
        )
    };
    let printed =
        provider.exec_stdout(&router, &argv, REQUEST_DEADLINE).await.map_err(|error| {
            Error::failed(format!("the router {router} does not answer"))
                .because(error.cause())
                .hint(old())
        })?;
    match serde_json::from_slice::<Reply>(&printed) {
        Ok(Reply::State(state)) => Ok(state),
        Ok(Reply::Refused(why)) => {
            Err(Error::bad_input("the router refuses that, and every link stays as it was")
                .because(why))
        }
        Err(e) => {
            Err(Error::failed(format!("the router {router} says something else than expected"))
                .because(e)
                .hint(old()))
        }
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
    provider: &impl Provider,
    cluster: &Cluster,
    topology: &Topology,
    state: &WanState,
    from: &[String],
) -> (Vec<RoundTrips>, Vec<String>) {
    let wait = wait_for_answers(state);
    let deadline = wait + MEASURE_ALLOWANCE;
    let wait_ms = u16::try_from(wait.as_millis()).unwrap_or(WAIT_MAX_MS).min(WAIT_MAX_MS);
    let argv = agent::Request::RoundTrips { count: ECHOES, wait_ms }.argv();
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
            match provider.exec_stdout(&member.name, &argv, deadline).await {
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

/// How long the last answer may take: the slowest way there and back with full queues, and some more.
fn wait_for_answers(state: &WanState) -> Duration {
    let slowest = state.links.iter().map(|link| {
        let queue = link.settings.rate.map(|rate| rate.time_of(link.settings.queue.bytes(rate)));
        slow_delay(&link.settings).saturating_add(queue.unwrap_or_default())
    });
    let both_ways = slowest.max().unwrap_or_default().saturating_mul(2);
    both_ways.min(Duration::from_secs(60)) + ANSWER_ALLOWANCE
}

/// Tells the router that the cluster is about to be stopped, so that its next start is without
/// distances again until it is ready. Best effort: a router that does not hear it starts with them.
pub(crate) async fn announce_stop(provider: &impl Provider, cluster: &Cluster) {
    let distances = cluster.topology.as_ref().is_some_and(|t| asked::any(&t.spec));
    if distances {
        let _ = request(provider, cluster, &Request::Stopping).await;
    }
}
