//! `pgha patronictl` and `pgha pgbackrest`: the cluster's own programs, where they find their configuration.

use pgha_core::repository::STANZA;
use pgha_core::status::ContainerState;
use pgha_core::topology::{Member, Role};

use crate::cli::Tool;
use crate::cluster::{self, Among, Cluster};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::{handover, observe};

/// Carries out `pgha patronictl`; becomes `docker exec` in the leader where there is one, else in any node.
pub(crate) async fn patronictl(args: &Tool) -> Result<()> {
    let engine = Engine::connect().await?;
    let (cluster, arguments) = meant(cluster::find(&engine).await?, &args.words)?;
    let nodes = running(&cluster, Role::Postgres)?;
    // A node that is cut off from etcd knows nothing of the others.
    let leader = observe::whole_view(&engine, &cluster).await?.leader;
    let node = nodes.iter().find(|node| Some(*node) == leader.as_ref()).unwrap_or(&nodes[0]);
    handover::to(handover::docker_exec().args([node, "patronictl"]).args(arguments))
}

/// Carries out `pgha pgbackrest`; becomes `docker exec` on the backup host.
pub(crate) async fn pgbackrest(args: &Tool) -> Result<()> {
    let engine = Engine::connect().await?;
    let (cluster, arguments) = meant(cluster::find(&engine).await?, &args.words)?;
    let hosts = running(&cluster, Role::Backup)?;
    let mut docker = handover::docker_exec();
    // By the environment, since not every command takes the option.
    handover::env(&mut docker, "PGBACKREST_STANZA", STANZA);
    handover::to(docker.args([&hosts[0], "pgbackrest"]).args(arguments))
}

/// The cluster that the first word names, else the one that is meant where none is named; and what is for the program.
fn meant(clusters: Vec<Cluster>, words: &[String]) -> Result<(Cluster, &[String])> {
    let (first, rest) =
        words.split_first().map_or((None, words), |(first, rest)| (Some(first), rest));
    let names = |cluster: &Cluster| {
        first.is_some_and(|word| *word == cluster.id.name || *word == cluster.id.to_string())
    };
    let (name, arguments) = if clusters.iter().any(names) { (first, rest) } else { (None, words) };
    let cluster = cluster::resolve(clusters, name.map(String::as_str), Among::Created)?;
    let arguments = arguments.strip_prefix(&["--".to_owned()]).unwrap_or(arguments);
    Ok((cluster, arguments))
}

/// Members of a role whose containers run, at least one.
fn running(cluster: &Cluster, role: Role) -> Result<Vec<String>> {
    let runs = |member: &&Member| {
        cluster.container(&member.name).is_some_and(|c| c.state == ContainerState::Running)
    };
    let names: Vec<_> =
        cluster.topology()?.of_role(role).filter(runs).map(|member| member.name.clone()).collect();
    if names.is_empty() {
        let what = if role == Role::Backup { "the backup host" } else { "no node" };
        let what = format!(
            "{what} of cluster {} {}",
            cluster.id,
            if role == Role::Backup { "does not run" } else { "runs" }
        );
        return Err(Error::missing(what)
            .hint(format!("`pgha start {}` starts what is stopped", cluster.id)));
    }
    Ok(names)
}
