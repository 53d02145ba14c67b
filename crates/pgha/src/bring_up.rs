//! What bringing a cluster up has in several verbs: starting its containers, saying that it is there, and what is
//! to be done where it did not come up.

use std::time::{Duration, Instant};

use pgha_core::connect::{self, Access, DATABASE, Target, USER};
use pgha_core::event::Event;
use pgha_core::links::asked::{self, largest_round_trip};
use pgha_core::ownership::Identity;
use pgha_core::topology::{ClusterId, Role, Topology};
use pgha_core::words::replicas_stream;
use pgha_wan::control::Request;
use pgha_wan::units::format_duration;

use crate::cluster::{self, Among, Cluster, ClusterState};
use crate::error::{Error, Result};
use crate::events::Events;
use crate::generated::Generated;
use crate::program::on_path;
use crate::project::Project;
use crate::provider::{Provider, Up};
use crate::removal::{self, Data};
use crate::turn::Turn;
use crate::waiting::{self, GivenUp, Ready, Waiter};
use crate::{fault, secrets, terminal, wan};

/// Lines of a guilty member's log that are shown.
const LOG_LINES: u32 = 25;
/// How often to look whether something is left of a cluster that did not come up.
const CLEAN_UP_ROUNDS: u32 = 5;
/// The time before each look.
const CLEAN_UP_PAUSE: Duration = Duration::from_millis(500);
/// How long the router may take to see that the cluster is up, once this command has.
const DISTANCES_DEADLINE: Duration = Duration::from_secs(20);
/// Time between two looks.
const DISTANCES_POLL: Duration = Duration::from_millis(300);

/// Makes and starts whatever does not run, and with it takes back what was done to members on purpose.
pub(crate) async fn start_containers(
    provider: &impl Provider,
    project: &Project,
    id: &ClusterId,
    events: &Events,
) -> Result<()> {
    let work = events.begin(format!("cluster {id}"));
    work.at("starting containers", "");
    provider.up(project, Up::All).await?;
    fault::heal_members(provider, id).await
}

/// Does that for a cluster whose files are there, and waits until it is ready. The turn ends once the engine knows what was
/// chosen for it.
pub(crate) async fn start(
    provider: &impl Provider,
    project: &Project,
    id: &ClusterId,
    timeout: Duration,
    turn: Option<Turn>,
    events: &Events,
) -> Result<Ready, GivenUp> {
    start_containers(provider, project, id, events).await.map_err(GivenUp::because)?;
    drop(turn);
    waiting::until_ready(provider, id, timeout, Waiter::User, events).await
}

/// Says that the cluster is there, and how to reach it.
pub(crate) fn tell_ready(
    generated: &Generated,
    ready: &Ready,
    took: Duration,
    events: &Events,
) -> Result<()> {
    note_ready(&generated.topology, ready, took, events);
    terminal::print(&format!("{}\n", psql_line(generated, ready)))
}

/// Says that the cluster is there.
pub(crate) fn note_ready(topology: &Topology, ready: &Ready, took: Duration, events: &Events) {
    let replicas = topology.of_role(Role::Postgres).count() - 1;
    events.note(format!(
        "cluster {} is ready after {:.1} s: {} leads, {}",
        topology.id,
        took.as_secs_f64(),
        ready.view.leader.as_deref().unwrap_or("nobody"),
        replicas_stream(replicas),
    ));
    if let Some((waiting, took)) = &ready.slowest {
        events.note(format!("slowest: {waiting} ({:.1} s)", took.as_secs_f64()));
    }
}

/// Waits until the distances between sites are in force, where there are any, and says so. The router puts
/// them in force by itself; a cluster is ready without that.
pub(crate) async fn tell_distances(
    provider: &impl Provider,
    topology: &Topology,
    events: &Events,
) -> Result<()> {
    if !asked::any(&topology.spec) {
        return Ok(());
    }
    let deadline = Instant::now() + DISTANCES_DEADLINE;
    let name = topology.id.to_string();
    loop {
        let found = cluster::resolve(provider.clusters().await?, Some(&name), Among::Created)?;
        let waiting = match wan::request(provider, &found, &Request::State).await {
            Ok(state) if !state.waiting_for_cluster => {
                let longest = largest_round_trip(&topology.spec);
                events.note(format!(
                    "WAN latency applied, round trips up to {}; `pgha wan show {name}` measures them",
                    format_duration(longest)
                ));
                return Ok(());
            }
            Ok(_) => "the router still waits for the cluster".to_owned(),
            Err(error) => error.to_string(),
        };
        if Instant::now() > deadline {
            events.note(format!("WAN latency not applied: {waiting}"));
            return Ok(());
        }
        tokio::time::sleep(DISTANCES_POLL).await;
    }
}

/// A line that opens psql on the leader. It holds no password: on the host that comes from a file,
/// and inside a member the user is known.
fn psql_line(generated: &Generated, ready: &Ready) -> String {
    if !on_path("psql") {
        let leader = ready.view.leader.as_deref().unwrap_or("LEADER");
        return format!("docker exec -it {leader} psql -U postgres");
    }
    let ports = ready.view.nodes().filter_map(|node| Some((node.name.clone(), node.host_port?)));
    let leader = ready.view.leader.as_deref();
    let nodes = connect::in_order(&generated.topology, leader, Access::ReadWrite, None);
    let addresses = connect::from_host(&nodes, &ports.collect());
    let target = Target {
        access: Access::ReadWrite,
        addresses: &addresses,
        user: USER,
        database: DATABASE,
        password: None,
    };
    format!(
        "PGPASSFILE='{}' psql '{}'",
        secrets::fresh_pgpass(&generated.file)
            .unwrap_or_else(|_| secrets::pgpass_of(&generated.file))
            .display(),
        target.uri()
    )
}

/// Shows the end of the log of the member that is most to blame.
pub(crate) async fn show_guilty(provider: &impl Provider, given_up: &GivenUp, events: &Events) {
    let Some(name) = given_up.guilty.first() else { return };
    events.note(format!("the end of the log of {name}:"));
    for line in provider.log(name, LOG_LINES).await.lines() {
        events.emit(Event::Log { member: name.clone(), line: line.to_owned() });
    }
}

/// Leaves nothing of a cluster that did not come up, and everything of one that was there before.
pub(crate) async fn clean_up(
    provider: &impl Provider,
    identity: &Identity,
    before: Option<&Cluster>,
    keep: bool,
    error: Error,
) -> Error {
    let id = &identity.id;
    // Networks that an `up` has left which was killed are nothing to keep.
    if before.is_some_and(|cluster| cluster.state() != ClusterState::Leftovers) {
        return error.also_hint(&format!(
            "cluster {id} was there before and is left as it is; `pgha status {id}`"
        ));
    }
    if keep {
        return error
            .hint(format!("its containers are kept; `pgha down {id} --volumes` removes them"));
    }
    match remove_again(provider, identity).await {
        Ok(()) => error.also_hint("everything was removed; `--keep` keeps the containers"),
        Err(second) => error.because(second),
    }
}

/// Removes what there is of a cluster that was being made, until nothing more of it appears.
///
/// # Errors
/// When something is left.
pub(crate) async fn remove_again(provider: &impl Provider, identity: &Identity) -> Result<()> {
    let mut removed = remove_all(provider, identity).await;
    for _ in 0..CLEAN_UP_ROUNDS {
        // What the engine was making for a Compose that was interrupted appears only now.
        tokio::time::sleep(CLEAN_UP_PAUSE).await;
        let found = remove_all(provider, identity).await;
        let nothing_more = matches!((&removed, &found), (Ok(_), Ok(false)));
        removed = found;
        if nothing_more {
            break;
        }
    }
    removed.map(drop)
}

/// Removes what there is of a cluster; whether there was anything.
///
/// # Errors
/// When something is left.
pub(crate) async fn remove_all(provider: &impl Provider, identity: &Identity) -> Result<bool> {
    let clusters = provider.clusters().await?;
    let found = clusters.into_iter().find(|cluster| cluster.known().is(identity));
    if let Some(cluster) = &found {
        removal::remove_what_is_there(provider, cluster, Data::Removed).await?;
    }
    Ok(found.is_some())
}
