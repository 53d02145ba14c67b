//! `pgha up`: generate if absent, build if absent, Compose up, wait until ready.

use std::path::Path;
use std::time::{Duration, Instant};

use bollard::query_parameters::LogsOptions;
use futures_util::StreamExt as _;
use pgha_core::connect::{self, Access, Target};
use pgha_core::render;
use pgha_core::spec::format_duration;
use pgha_core::topology::{ClusterId, Role, Topology};
use pgha_core::wan::asked;
use pgha_core::wan::control::Request;

use crate::cli::{Build, NodeBuild, SpecArgs, Up};
use crate::cluster::{self, Among, Cluster};
use crate::command::spec_args;
use crate::compose_file::{self, Found};
use crate::compose_tool::ComposeTool;
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::generated::{self, Generated};
use crate::pause::{self, Resume};
use crate::progress::Progress;
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
    if before.is_none_or(|c| c.containers.is_empty()) {
        check_ports(&generated.file, &existing)?;
    }
    if !images::missing(&engine, generated.topology.spec.postgres).await.is_empty() {
        let build = Build {
            postgres: generated.topology.spec.postgres,
            no_cache: false,
            source: None,
            pid1: NodeBuild::Auto,
        };
        images::build(&engine, &build).await?;
    }

    let started = Instant::now();
    if let Some(frozen) = before {
        pause::resume(&engine, frozen, Resume::All).await?;
    }
    let brought_up = tokio::select! {
        done = bring_up(&engine, &compose, &generated, args.wait.timeout, turn) => done,
        () = interrupted() => Err(GivenUp { error: Error::failed("interrupted"), guilty: Vec::new() }),
    };
    match brought_up {
        Ok(ready) => {
            tell_ready(&generated, &ready, started.elapsed())?;
            tell_distances(&engine, &generated.topology).await
        }
        Err(given_up) => {
            show_guilty(&engine, &given_up).await;
            Err(clean_up(
                &engine,
                &compose,
                &generated.file,
                &id,
                before,
                args.keep,
                given_up.error,
            )
            .await)
        }
    }
}

/// The clusters there are, and the turn to choose for a new one: for that of the compose file, where it is
/// among them, nothing is to be chosen.
async fn look_around(args: &Up, engine: &Engine) -> Result<(Vec<Cluster>, Option<Turn>)> {
    // Whoever is to write there says what is wrong with another file.
    if let Ok(Found::Cluster(there)) = compose_file::read(&args.output.output) {
        let existing = cluster::find(engine).await?;
        if existing.iter().any(|c| c.id == there.0.id && !c.containers.is_empty()) {
            return Ok((existing, None));
        }
    }
    let turn = Turn::take().await?;
    Ok((cluster::find(engine).await?, Some(turn)))
}

/// The cluster of the compose file that is there, or a new one as the flags say.
fn files(args: &Up, existing: &[Cluster]) -> Result<Generated> {
    let nothing_asked = args.spec == SpecArgs::default()
        && args.output.instance.is_none()
        && args.output.subnets.is_none();
    if nothing_asked && let Some((there, _)) = generated::open(&args.output.output)? {
        return Ok(there);
    }
    let made = generated::generate(spec_args::checked(&args.spec)?, &args.output, existing)?;
    if made.written {
        anstream::eprintln!("{} is written", made.file.display());
    }
    Ok(made)
}

async fn bring_up(
    engine: &Engine,
    compose: &ComposeTool,
    generated: &Generated,
    timeout_s: u64,
    turn: Option<Turn>,
) -> Result<Ready, GivenUp> {
    let id = &generated.topology.id;
    start_containers(compose, &generated.file, id)
        .await
        .map_err(|error| GivenUp { error, guilty: Vec::new() })?;
    drop(turn);
    waiting::until_ready(engine, id, Duration::from_secs(timeout_s), Waiter::User).await
}

/// Has Compose make and start whatever does not run.
pub(crate) async fn start_containers(
    compose: &ComposeTool,
    file: &Path,
    id: &ClusterId,
) -> Result<()> {
    let progress = Progress::start(&format!("cluster {id}"));
    progress.at("starting containers", "");
    compose.run(file, &["up", "-d", "--no-recreate"]).await
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

/// A port that somebody took since it was chosen is better said now than by the engine half-way.
fn check_ports(file: &Path, existing: &[Cluster]) -> Result<()> {
    let Some((generated, choices)) = generated::open(file)? else { return Ok(()) };
    let other = existing
        .iter()
        .find(|c| c.id.instance == generated.topology.id.instance && c.id != generated.topology.id);
    if let Some(other) = other {
        return Err(Error::bad_input(format!(
            "instance {} is now cluster {}",
            other.id.instance, other.id
        ))
        .hint("write the file anew with another `--instance` and `--force`"));
    }
    let taken: Vec<_> = choices
        .ports
        .values()
        .filter(|port| !host::port_is_free(**port))
        .map(u16::to_string)
        .collect();
    if !taken.is_empty() {
        return Err(Error::failed(format!("port {} of 127.0.0.1 is taken by another program", taken.join(", ")))
            .hint("end that program, or choose other ports with `pgha generate --force` and the cluster's flags"));
    }
    let networks = host::Networks::of_this_host();
    let subnet = choices.subnets.iter().find(|subnet| networks.take(**subnet));
    if let Some(subnet) = subnet {
        return Err(Error::failed(format!("the subnet {subnet} is in use on this host"))
            .hint("choose others with `pgha generate --force` and the cluster's flags"));
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
    compose: &ComposeTool,
    file: &Path,
    id: &ClusterId,
    before: Option<&Cluster>,
    keep: bool,
    error: Error,
) -> Error {
    if before.is_some() {
        return error.also_hint(&format!(
            "cluster {id} was there before and is left as it is; `pgha status {id}`"
        ));
    }
    if keep {
        return error
            .hint(format!("its containers are kept; `pgha down {id} --volumes` removes them"));
    }
    let down = ["down", "--volumes", "--timeout", "5"];
    let mut removed = compose.run(file, &down).await;
    for _ in 0..CLEAN_UP_ROUNDS {
        // What the engine was making for a Compose that was interrupted appears only now.
        tokio::time::sleep(CLEAN_UP_PAUSE).await;
        let found = cluster::find(engine).await.unwrap_or_default();
        if removed.is_ok() && found.iter().all(|c| c.id != *id) {
            break;
        }
        removed = compose.run(file, &down).await;
    }
    match removed {
        Ok(()) => error.hint("everything is removed again; `--keep` leaves it for a look"),
        Err(second) => error.because(second),
    }
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
