//! `pgha up`: generate if absent, build if absent, Compose up, wait until ready.

use std::path::Path;
use std::time::{Duration, Instant};

use ipnet::Ipv4Net;
use pgha_core::render;
use pgha_core::status::NetworkFact;
use pgha_core::topology::HostChoices;

use crate::bring_up;
use crate::cli::{OutputArgs, Up};
use crate::cluster::{self, Cluster, ClusterState};
use crate::command::spec_args;
use crate::compose_file::{self, Found};
use crate::compose_tool::ComposeTool;
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::generated::{self, Generated};
use crate::init_sql::{self, InitSql};
use crate::interrupt::interrupted;
use crate::pause::{self, Resume};
use crate::project::{self, Project};
use crate::turn::Turn;
use crate::waiting::GivenUp;
use crate::{host, images, rehearsal, removal, secrets};

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
    Err(Error::missing("the CA file of the second repository does not exist")
        .because(format!("ca_file names {path}, which is no file of this machine"))
        .hint("put the CA certificate there, then `pgha up` again"))
}

/// Carries out `pgha up`.
pub(crate) async fn run(args: &Up, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    // Without Compose nothing is written either.
    ComposeTool::find()?;
    let (existing, turn) = look_around(args, &engine, events).await?;
    let generated = files(args, &existing, events)?;
    refuse_empty_secrets(&generated)?;
    refuse_missing_authorities(&generated)?;
    init_sql::demand(&generated)?;
    let id = generated.topology.id.clone();
    let events = &events.of(&id);
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
    images::demand(&engine, &generated.topology.spec, events).await?;

    if before.is_none_or(|cluster| cluster.state() == ClusterState::Leftovers) {
        rehearsal::demand(&generated.topology, events).await?;
    }

    let (started, timeout) = (Instant::now(), Duration::from_secs(args.wait.timeout));
    if let Some(frozen) = before {
        pause::resume(&engine, frozen, Resume::All).await?;
    }
    let brought_up = tokio::select! {
        done = bring_up::start(&engine, &project, &id, timeout, turn, events) => done,
        () = interrupted() => Err(GivenUp::because(Error::failed("interrupted"))),
    };
    match brought_up {
        Ok(ready) => {
            bring_up::tell_ready(&generated, &ready, started.elapsed(), events)?;
            bring_up::tell_distances(&engine, &generated.topology, events).await
        }
        Err(given_up) => {
            bring_up::show_guilty(&engine, &given_up, events).await;
            let identity = generated.identity();
            let keep = args.keep || given_up.to_go_on;
            Err(bring_up::clean_up(&engine, &identity, before, keep, given_up.error).await)
        }
    }
}

/// The clusters there are, and the turn to choose for a new one: for that of the compose file, where it is
/// among them, nothing is to be chosen.
async fn look_around(
    args: &Up,
    engine: &Engine,
    events: &Events,
) -> Result<(Vec<Cluster>, Option<Turn>)> {
    // Whoever is to write there says what is wrong with another file.
    if let Ok(Found::Cluster(there)) = compose_file::read(&args.output.output) {
        let existing = cluster::find(engine).await?;
        let id = &there.topology.id;
        if existing.iter().any(|c| c.id == *id && !c.containers.is_empty()) {
            return Ok((existing, None));
        }
    }
    let turn = Turn::take(engine, events).await?;
    Ok((cluster::find(engine).await?, Some(turn)))
}

/// The cluster of the compose file that is there, or a new one as the flags say.
fn files(args: &Up, existing: &[Cluster], events: &Events) -> Result<Generated> {
    let output = spec_args::output(&args.spec, &args.output)?;
    if means_the_one_here(args, &output)
        && let Some(there) = generated::open(&output.output, Some(existing))?
    {
        return Ok(there);
    }
    let spec = spec_args::checked(&args.spec, events)?;
    let init_sql = InitSql::read(&spec, args.spec.shape.file.as_deref())?;
    let made = generated::generate(spec, &output, Some(existing), events)?;
    if let Some(init_sql) = init_sql {
        let exists = existing.iter().any(|cluster| {
            cluster.id == made.topology.id && cluster.state() != ClusterState::Leftovers
        });
        init_sql.keep(&made, exists, events)?;
    }
    if made.written {
        events.note(format!("{} is written", made.file.display()));
    }
    Ok(made)
}

/// Whether nothing is asked but the cluster of the compose file: by nothing at all, or by its name.
fn means_the_one_here(args: &Up, output: &OutputArgs) -> bool {
    if !spec_args::only_names(&args.spec) || output.subnets.is_some() {
        return false;
    }
    let name = spec_args::name(&args.spec);
    if name.is_none() && output.instance.is_none() {
        return true;
    }
    let Ok(Found::Cluster(there)) = compose_file::read(&output.output) else { return false };
    let id = &there.topology.id;
    name.is_none_or(|name| id.name == name) && output.instance.is_none_or(|n| id.instance == n)
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
        .filter(|port| host::port_is_taken(**port))
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
