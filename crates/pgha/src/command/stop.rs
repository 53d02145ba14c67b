//! `pgha stop`, `pgha start` and `pgha down`: what Compose does to a cluster that labels find.

use std::io::{BufRead as _, IsTerminal as _};
use std::time::{Duration, Instant};

use bollard::query_parameters::{RemoveContainerOptions, RemoveVolumeOptions};

use crate::cli::{Down, Start, Stop};
use crate::cluster::{self, Among, Cluster, Compose};
use crate::command::up;
use crate::compose_tool::ComposeTool;
use crate::docker::Engine;
use crate::error::{Error, OrFail, Result};
use crate::pause::{self, Resume};
use crate::progress::Progress;
use crate::waiting::{self, Waiter};
use crate::{generated, screen, wan};

/// Carries out `pgha stop`.
pub(crate) async fn stop(args: &Stop) -> Result<()> {
    let (engine, cluster) = find(args.cluster.as_deref(), Among::Created).await?;
    let id = &cluster.id;
    let progress = Progress::start(&format!("cluster {id}"));
    progress.at("stopping containers", "");
    let (compose, file) = (ComposeTool::find()?, &compose_of(&cluster)?.file);
    pause::resume(&engine, &cluster, Resume::AllButNodes).await?;
    wan::announce_stop(&engine, &cluster).await;
    compose.run(file, &["stop"]).await?;
    progress.done(&format!("cluster {id} is stopped; `pgha start {id}` starts it"));
    Ok(())
}

/// Carries out `pgha start`.
pub(crate) async fn start(args: &Start) -> Result<()> {
    let (engine, cluster) = find(args.cluster.as_deref(), Among::Created).await?;
    let file = &compose_of(&cluster)?.file;
    let (generated, _) = generated::open(file)?.ok_or_else(|| gone(&cluster))?;
    let started = Instant::now();
    pause::resume(&engine, &cluster, Resume::All).await?;
    up::start_containers(&ComposeTool::find()?, file, &cluster.id).await?;
    let timeout = Duration::from_secs(args.wait.timeout);
    match waiting::until_ready(&engine, &cluster.id, timeout, Waiter::User).await {
        Ok(ready) => {
            up::tell_ready(&generated, &ready, started.elapsed())?;
            up::tell_distances(&engine, &generated.topology).await
        }
        Err(given_up) => {
            up::show_guilty(&engine, &given_up).await;
            let hint = format!("`pgha status {}` tells how far it is", cluster.id);
            Err(given_up.error.also_hint(&hint))
        }
    }
}

/// Carries out `pgha down`.
pub(crate) async fn down(args: &Down) -> Result<()> {
    let (engine, cluster) = find(args.cluster.as_deref(), Among::All).await?;
    let id = &cluster.id;
    let doomed = doomed(&cluster, args.volumes);
    if args.dry_run {
        return screen::print(&doomed.iter().fold(String::new(), |text, line| text + line + "\n"));
    }
    if doomed.is_empty() {
        return Err(Error::bad_input(format!(
            "cluster {id} is down already, and its data is kept"
        ))
        .hint(format!("`pgha down {id} --volumes` removes the data")));
    }
    if args.volumes && !args.yes && std::io::stdin().is_terminal() && !confirmed(&cluster)? {
        return Err(Error::failed("nothing was removed"));
    }
    let progress = Progress::start(&format!("cluster {id}"));
    progress.at("removing", "");
    match compose_of(&cluster) {
        Ok(compose) => {
            let arguments: &[&str] = if args.volumes { &["down", "--volumes"] } else { &["down"] };
            ComposeTool::find()?.run(&compose.file, arguments).await?;
        }
        // Labels alone suffice to remove what Compose can no longer be told of.
        Err(_) => remove_by_label(&engine, &cluster, args.volumes).await?,
    }
    progress.done(&if args.volumes {
        format!("cluster {id} and its data are removed")
    } else {
        format!(
            "cluster {id} is removed, its data kept; `pgha down {id} --volumes` removes that too"
        )
    });
    Ok(())
}

/// What `down` would remove, a line each.
fn doomed(cluster: &Cluster, volumes: bool) -> Vec<String> {
    let containers = cluster.containers.iter().map(|c| format!("container  {}", c.name));
    let networks = cluster.networks.iter().map(|n| format!("network    {}", n.name));
    let volumes = cluster.volumes.iter().filter(|_| volumes).map(|v| format!("volume     {v}"));
    containers.chain(networks).chain(volumes).collect()
}

async fn find(name: Option<&str>, among: Among) -> Result<(Engine, Cluster)> {
    let engine = Engine::connect().await?;
    let cluster = cluster::resolve(cluster::find(&engine).await?, name, among)?;
    Ok((engine, cluster))
}

/// Where Compose has a cluster from.
///
/// # Errors
/// When the file is gone.
pub(crate) fn compose_of(cluster: &Cluster) -> Result<&Compose> {
    cluster.compose.as_ref().filter(|c| c.file.exists()).ok_or_else(|| gone(cluster))
}

fn gone(cluster: &Cluster) -> Error {
    let file = cluster.compose.as_ref().map(|c| format!(" ({})", c.file.display()));
    let file = file.unwrap_or_default();
    Error::missing(format!("the compose file of cluster {} is gone{file}", cluster.id))
        .hint("put it back, with its secrets; `pgha down` works without it")
}

fn confirmed(cluster: &Cluster) -> Result<bool> {
    screen::tell(&format!(
        "remove cluster {} with its {} volumes, data and backups? This cannot be undone. [y/N] ",
        cluster.id,
        cluster.volumes.len()
    ))?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).or_fail("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

async fn remove_by_label(engine: &Engine, cluster: &Cluster, volumes: bool) -> Result<()> {
    let api = engine.api();
    for container in &cluster.containers {
        let options = RemoveContainerOptions { force: true, ..RemoveContainerOptions::default() };
        let what = format!("cannot remove {}", container.name);
        api.remove_container(&container.name, Some(options)).await.or_fail(what)?;
    }
    for network in &cluster.networks {
        api.remove_network(&network.name)
            .await
            .or_fail(format!("cannot remove {}", network.name))?;
    }
    for volume in cluster.volumes.iter().filter(|_| volumes) {
        let what = format!("cannot remove {volume}");
        api.remove_volume(volume, None::<RemoveVolumeOptions>).await.or_fail(what)?;
    }
    Ok(())
}
