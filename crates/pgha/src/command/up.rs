//! `pgha up`: generate if absent, build if absent, Compose up, wait until ready.

use std::path::Path;
use std::time::{Duration, Instant};

use bollard::query_parameters::LogsOptions;
use futures_util::StreamExt as _;
use ipnet::Ipv4Net;
use pgha_core::connect::{self, Access, Target};
use pgha_core::ownership::Identity;
use pgha_core::render;
use pgha_core::spec::format_duration;
use pgha_core::status::NetworkFact;
use pgha_core::topology::{ClusterId, HostChoices, Role, Topology};
use pgha_core::wan::asked;
use pgha_core::wan::control::Request;

use crate::cli::{Build, NodeBuild, SpecArgs, Up};
use crate::cluster::{self, Among, Cluster, ClusterState};
use crate::command::spec_args;
use crate::compose_file::{self, Found};
use crate::compose_tool::ComposeTool;
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::generated::{self, Generated};
use crate::pause::{self, Resume};
use crate::progress::Progress;
use crate::project::{self, Project};
use crate::removal::{self, Data};
use crate::turn::Turn;
use crate::waiting::{self, GivenUp, Ready, Waiter};
use crate::{host, images, screen, secrets, wan};

/// Lines of a guilty member's log that are shown.
const LOG_LINES: &str = "25";
/// How often to look whether something is left of a cluster that did not come up.
const CLEAN_UP_ROUNDS: u32 = 5;
/// The time before each look.
const CLEAN_UP_PAUSE: Duration = Duration::from_millis(500);

/// How long the router may take to see that the cluster is up, once this command has.
const DISTANCES_DEADLINE: Duration = Duration::from_secs(20);
/// Time between two looks.
const DISTANCES_POLL: Duration = Duration::from_millis(300);

/// Credentials that only the user has must be there before a container wants them.
fn refuse_empty_secrets(generated: &Generated) -> Result<()> {
    let dir = secrets::dir_of(&generated.file);
    let empty = secrets::to_fill_in(&generated.topology, &dir);
    if empty.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = empty.iter().map(|path| format!("{} is empty", path.display())).collect();
    Err(Error::missing("the credentials of the second repository are not there")
        .because(names.join("\n"))
        .hint("write access key and secret key into these files, then `pgha up` again"))
}

/// In place of a file that is not there the engine would mount an empty folder.
fn refuse_missing_authorities(generated: &Generated) -> Result<()> {
    let Some(path) = render::s3_ca_file(&generated.topology.spec) else { return Ok(()) };
    if Path::new(path).is_file() {
        return Ok(());
    }
    Err(Error::missing("the authorities of the second repository are not there")
        .because(format!("ca_file names {path}, which is no file of this machine"))
        .hint("put the certificate of the authority there, then `pgha up` again"))
}

/// Carries out `pgha up`.
pub(crate) async fn run(args: &Up) -> Result<()> {
    let engine = Engine::connect().await?;
    let compose = ComposeTool::find()?;
    let (existing, turn) = look_around(args, &engine).await?;
    let generated = files(args, &existing)?;
    refuse_empty_secrets(&generated)?;
    refuse_missing_authorities(&generated)?;
    let id = generated.topology.id.clone();
    let before = existing.iter().find(|c| c.id == id);
    if let Some(cluster) = before.filter(|cluster| !cluster.containers.is_empty()) {
        refuse_moved(&generated, cluster)?;
    } else {
        let networks = before.map_or(&[][..], |cluster| &cluster.networks);
        let misfits = generated.misfits(networks);
        removal::remove_networks(&engine, &misfits).await?;
        check_host(&generated.choices, networks, before.is_some())?;
    }
    let project = Project::of_files(&generated, before);
    if !images::missing(&engine, generated.topology.spec.postgres).await.is_empty() {
        let build = Build {
            postgres: generated.topology.spec.postgres,
            no_cache: false,
            source: None,
            pid1: NodeBuild::Auto,
            node_binary: None,
        };
        images::build(&build).await?;
    }

    let started = Instant::now();
    if let Some(frozen) = before {
        pause::resume(&engine, frozen, Resume::All).await?;
    }
    let brought_up = tokio::select! {
        done = bring_up(&engine, &compose, &project, &id, args.wait.timeout, turn) => done,
        () = interrupted() => Err(GivenUp::because(Error::failed("interrupted"))),
    };
    match brought_up {
        Ok(ready) => {
            tell_ready(&generated, &ready, started.elapsed())?;
            tell_distances(&engine, &generated.topology).await
        }
        Err(given_up) => {
            show_guilty(&engine, &given_up).await;
            let identity = generated.identity();
            let keep = args.keep || given_up.to_go_on;
            Err(clean_up(&engine, &identity, before, keep, given_up.error).await)
        }
    }
}

/// The clusters there are, and the turn to choose for a new one: for that of the compose file, where it is
/// among them, nothing is to be chosen.
async fn look_around(args: &Up, engine: &Engine) -> Result<(Vec<Cluster>, Option<Turn>)> {
    // Whoever is to write there says what is wrong with another file.
    if let Ok(Found::Cluster(there)) = compose_file::read(&args.output.output) {
        let existing = cluster::find(engine).await?;
        let id = &there.topology.id;
        if existing.iter().any(|c| c.id == *id && !c.containers.is_empty()) {
            return Ok((existing, None));
        }
    }
    let turn = Turn::take(engine).await?;
    Ok((cluster::find(engine).await?, Some(turn)))
}

/// The cluster of the compose file that is there, or a new one as the flags say.
fn files(args: &Up, existing: &[Cluster]) -> Result<Generated> {
    let nothing_asked = args.spec == SpecArgs::default()
        && args.output.instance.is_none()
        && args.output.subnets.is_none();
    if nothing_asked && let Some(there) = generated::open(&args.output.output, Some(existing))? {
        return Ok(there);
    }
    let made = generated::generate(spec_args::checked(&args.spec)?, &args.output, Some(existing))?;
    if made.written {
        anstream::eprintln!("{} is written", made.file.display());
    }
    Ok(made)
}

async fn bring_up(
    engine: &Engine,
    compose: &ComposeTool,
    project: &Project,
    id: &ClusterId,
    timeout_s: u64,
    turn: Option<Turn>,
) -> Result<Ready, GivenUp> {
    start_containers(compose, project, id).await.map_err(GivenUp::because)?;
    drop(turn);
    waiting::until_ready(engine, id, Duration::from_secs(timeout_s), Waiter::User).await
}

/// Has Compose make and start whatever does not run.
pub(crate) async fn start_containers(
    compose: &ComposeTool,
    project: &Project,
    id: &ClusterId,
) -> Result<()> {
    let progress = Progress::start(&format!("cluster {id}"));
    progress.at("starting containers", "");
    compose.run(project, &["up", "-d", "--no-recreate"]).await
}

/// Says that the cluster is there, and how to reach it.
pub(crate) fn tell_ready(generated: &Generated, ready: &Ready, took: Duration) -> Result<()> {
    let topology = &generated.topology;
    let replicas = topology.of_role(Role::Postgres).count() - 1;
    anstream::eprintln!(
        "cluster {} is ready after {:.1} s: {} leads, {}",
        topology.id,
        took.as_secs_f64(),
        ready.view.leader.as_deref().unwrap_or("nobody"),
        screen::replicas_stream(replicas),
    );
    if let Some((waiting, took)) = &ready.slowest {
        anstream::eprintln!("slowest: {waiting} ({:.1} s)", took.as_secs_f64());
    }
    screen::print(&format!("{}\n", psql_line(generated, ready)))
}

/// Waits until the distances between sites are in force, where there are any, and says so. The router puts
/// them in force by itself; a cluster is ready without that.
pub(crate) async fn tell_distances(engine: &Engine, topology: &Topology) -> Result<()> {
    if !asked::any(&topology.spec) {
        return Ok(());
    }
    let deadline = Instant::now() + DISTANCES_DEADLINE;
    let name = topology.id.to_string();
    loop {
        let found = cluster::resolve(cluster::find(engine).await?, Some(&name), Among::Created)?;
        let waiting = match wan::request(engine, &found, &Request::State).await {
            Ok(state) if !state.waiting_for_cluster => {
                let longest = topology.spec.largest_round_trip();
                anstream::eprintln!(
                    "distances between sites are in force, round trips of up to {}; `pgha wan show \
                     {name}` measures them",
                    format_duration(longest)
                );
                return Ok(());
            }
            Ok(_) => "the router still waits for the cluster".to_owned(),
            Err(error) => error.to_string(),
        };
        if Instant::now() > deadline {
            anstream::eprintln!("distances between sites are not in force: {waiting}");
            return Ok(());
        }
        tokio::time::sleep(DISTANCES_POLL).await;
    }
}

/// A line that opens psql on the leader. It holds no password: on the host that comes from a file,
/// and inside a member the user is known.
fn psql_line(generated: &Generated, ready: &Ready) -> String {
    if !host::on_path("psql") {
        let leader = ready.view.leader.as_deref().unwrap_or("LEADER");
        return format!("docker exec -it {leader} psql -U postgres");
    }
    let ports = ready.view.nodes().filter_map(|node| Some((node.name.clone(), node.host_port?)));
    let leader = ready.view.leader.as_deref();
    let nodes = connect::in_order(&generated.topology, leader, Access::ReadWrite);
    let addresses = connect::from_host(&nodes, &ports.collect());
    let target = Target { access: Access::ReadWrite, addresses: &addresses, password: None };
    format!(
        "PGPASSFILE='{}' psql '{}'",
        secrets::fresh_pgpass(&generated.file)
            .unwrap_or_else(|_| secrets::pgpass_of(&generated.file))
            .display(),
        target.uri()
    )
}

/// Containers have their secrets mounted from where the files were when they were made: started after a
/// move they would find nothing there.
fn refuse_moved(generated: &Generated, cluster: &Cluster) -> Result<()> {
    let Some(before) = cluster.compose.as_ref().map(|compose| &compose.file) else { return Ok(()) };
    let unmoved = *before == generated.file || project::still_there(before, &generated.identity());
    if unmoved || cluster.state() == ClusterState::Running {
        return Ok(());
    }
    let id = &cluster.id;
    Err(Error::bad_input(format!(
        "the files of cluster {id} were moved since its containers were made"
    ))
    .because(format!("they were at {}", before.display()))
    .hint(format!("`pgha down {id}`, then `pgha up` here: data are kept")))
}

/// A port or a subnet that somebody took since it was chosen is better said now than by the engine
/// half-way. `own` are the networks of an earlier `up`, which is nobody else.
fn check_host(choices: &HostChoices, own: &[NetworkFact], exists: bool) -> Result<()> {
    // The files of a cluster that exists stay as they are.
    let others = if exists {
        ""
    } else {
        ", or choose others with `pgha generate --force` and the cluster's flags"
    };
    let taken: Vec<_> = choices
        .ports
        .values()
        .filter(|port| !host::port_is_free(**port))
        .map(u16::to_string)
        .collect();
    if !taken.is_empty() {
        return Err(Error::failed(format!(
            "port {} of 127.0.0.1 is taken by another program",
            taken.join(", ")
        ))
        .hint(format!("end that program{others}")));
    }
    let own: Vec<Ipv4Net> = own.iter().filter_map(|n| n.subnet.as_ref()?.parse().ok()).collect();
    let networks = host::Networks::of_this_host().without(&own);
    let subnet = choices.subnets.iter().find(|subnet| networks.take(**subnet));
    if let Some(subnet) = subnet {
        return Err(Error::failed(format!("the subnet {subnet} is in use on this host"))
            .hint(format!("free it{others}")));
    }
    Ok(())
}

/// Shows the end of the log of the member that is most to blame.
pub(crate) async fn show_guilty(engine: &Engine, given_up: &GivenUp) {
    let Some(name) = given_up.guilty.first() else { return };
    anstream::eprintln!("the end of the log of {name}:");
    let tail = LOG_LINES.to_owned();
    let options = LogsOptions { stdout: true, stderr: true, tail, ..LogsOptions::default() };
    let mut log = engine.api().logs(name, Some(options));
    while let Some(Ok(piece)) = log.next().await {
        for line in String::from_utf8_lossy(&piece.into_bytes()).lines() {
            anstream::eprintln!("  {line}");
        }
    }
}

/// Leaves nothing of a cluster that did not come up, and everything of one that was there before.
pub(crate) async fn clean_up(
    engine: &Engine,
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
    let mut removed = remove_all(engine, identity).await;
    for _ in 0..CLEAN_UP_ROUNDS {
        // What the engine was making for a Compose that was interrupted appears only now.
        tokio::time::sleep(CLEAN_UP_PAUSE).await;
        let found = remove_all(engine, identity).await;
        let nothing_more = matches!((&removed, &found), (Ok(_), Ok(false)));
        removed = found;
        if nothing_more {
            break;
        }
    }
    match removed {
        Ok(_) => error.also_hint("everything is removed again; `--keep` leaves it for a look"),
        Err(second) => error.because(second),
    }
}

/// Removes what there is of a cluster; whether there was anything.
async fn remove_all(engine: &Engine, identity: &Identity) -> Result<bool> {
    let clusters = cluster::find(engine).await?;
    let found = clusters.into_iter().find(|cluster| cluster.known().is(identity));
    if let Some(cluster) = &found {
        removal::remove_what_is_there(engine, cluster, Data::Removed).await?;
    }
    Ok(found.is_some())
}

/// Ends when somebody wants this command to end.
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
