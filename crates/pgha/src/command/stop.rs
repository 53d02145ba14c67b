//! `pgha stop`, `pgha start` and `pgha down`, of a cluster that labels find.

use std::time::{Duration, Instant};

use crate::agree::agree;
use crate::bring_up;
use crate::cli::{Down, Start, Stop};
use crate::cluster::{self, Among, Cluster, Meant};
use crate::command::members;
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::pause::{self, Resume};
use crate::project::Project;
use crate::removal::{self, Data};
use crate::terminal;
use crate::waiting::{self, Waiter};

/// Carries out `pgha stop`.
pub(crate) async fn stop(args: &Stop, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let clusters = cluster::find(&engine).await?;
    if let Some(meant) = members::named(&clusters, &args.words, "stop")? {
        return members::stop(&engine, meant, args, events).await;
    }
    let name = args.words.first().map(String::as_str);
    let Meant { cluster, guessed } = cluster::meant(clusters, name, Among::Created)?;
    let id = &cluster.id;
    if args.dry_run {
        events.of(id).note(format!(
            "the whole cluster {id} would be stopped: nodes, backup host and etcd, router"
        ));
        return Ok(());
    }
    if guessed {
        let question = format!("Stop cluster {id}, the only one on this engine?");
        agree(args.yes, &question, &format!("name it: `pgha stop {id}`"))?;
    }
    let work = events.of(id).begin(format!("cluster {id}"));
    work.at("stopping containers", "");
    removal::stop(&engine, &cluster).await?;
    work.done(&format!("cluster {id} is stopped; `pgha start {id}` starts it"));
    Ok(())
}

/// Carries out `pgha start`.
pub(crate) async fn start(args: &Start, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let clusters = cluster::find(&engine).await?;
    if let Some(meant) = members::named(&clusters, &args.words, "start")? {
        return members::start(&engine, meant, args, events).await;
    }
    let name = args.words.first().map(String::as_str);
    let cluster = cluster::resolve(clusters, name, Among::Created)?;
    let events = &events.of(&cluster.id);
    if args.dry_run {
        events.note(format!("whatever does not run of cluster {} would be started", cluster.id));
        return Ok(());
    }
    let (project, generated) = Project::of_cluster(&cluster)?;
    let started = Instant::now();
    pause::resume(&engine, &cluster, Resume::All).await?;
    bring_up::start_containers(&engine, &project, &cluster.id, events).await?;
    let timeout = Duration::from_secs(args.wait.timeout);
    match waiting::until_ready(&engine, &cluster.id, timeout, Waiter::User, events).await {
        Ok(ready) => {
            bring_up::tell_ready(&generated, &ready, started.elapsed(), events)?;
            bring_up::tell_distances(&engine, &generated.topology, events).await
        }
        Err(given_up) => {
            bring_up::show_guilty(&engine, &given_up, events).await;
            let hint = format!("`pgha status {}` shows the progress", cluster.id);
            Err(given_up.error.also_hint(&hint))
        }
    }
}

/// Carries out `pgha down`.
pub(crate) async fn down(args: &Down, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let clusters = cluster::find(&engine).await?;
    let Meant { cluster, guessed } = cluster::meant(clusters, args.cluster.as_deref(), Among::All)?;
    let id = &cluster.id;
    let data = if args.volumes { Data::Removed } else { Data::Kept };
    let doomed = removal::doomed(&cluster, data);
    let listed = doomed.iter().fold(String::new(), |text, line| text + line + "\n");
    if args.dry_run {
        return terminal::print(&listed);
    }
    if doomed.is_empty() {
        return Err(Error::bad_input(format!(
            "cluster {id} is down already, and its data is kept"
        ))
        .hint(format!("`pgha down {id} --volumes` removes the data")));
    }
    if destroys(&cluster, data) {
        events.of(id).note(listed);
        agree(args.yes, &question(&cluster), "--yes confirms beforehand, --dry-run only lists")?;
    } else if guessed {
        let question =
            format!("Remove cluster {id}, the only one on this engine? Its data is kept.");
        agree(args.yes, &question, &format!("name it: `pgha down {id}`"))?;
    }
    let work = events.of(id).begin(format!("cluster {id}"));
    work.at("removing", "");
    removal::remove(&engine, &cluster, data).await?;
    work.done(&match data {
        Data::Removed => format!("cluster {id} and its data are removed"),
        Data::Kept if cluster.volumes.is_empty() => format!("cluster {id} is removed"),
        Data::Kept => format!(
            "cluster {id} is removed, its data kept; `pgha down {id} --volumes` removes that too"
        ),
    });
    Ok(())
}

/// Whether something is lost with it.
fn destroys(cluster: &Cluster, data: Data) -> bool {
    data == Data::Removed && !(cluster.volumes.is_empty() && cluster.looks.is_empty())
}

fn question(cluster: &Cluster) -> String {
    let looks: Vec<_> = cluster.looks.iter().map(|c| c.name.as_str()).collect();
    let looks =
        if looks.is_empty() { String::new() } else { format!(", and {}", looks.join(", ")) };
    format!(
        "Remove cluster {} with its {} volumes, data and backups{looks}? This cannot be undone.",
        cluster.id,
        cluster.volumes.len()
    )
}
