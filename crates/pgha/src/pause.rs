//! Containers that `docker pause` froze: they are resumed before Compose is told anything.
//!
//! Compose waits for a frozen container to start or stop until its own deadline.

use futures_util::future::join_all;
use pgha_core::status::ContainerState;
use pgha_core::topology::Role;

use crate::cluster::Cluster;
use crate::error::Result;
use crate::provider::Provider;

/// Which members are resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resume {
    /// All, the Postgres nodes last: a leader whose key has run out meanwhile is to find etcd at once.
    All,
    /// All but Postgres nodes. The engine resumes a node itself as it stops it, with the signal already
    /// waiting, so that a leader of yesterday takes in as little as can be.
    AllButNodes,
}

/// Names of the containers that are frozen: Postgres nodes, and the others.
fn frozen(cluster: &Cluster) -> (Vec<&str>, Vec<&str>) {
    let is_node = |name: &str| {
        let member = cluster.topology.as_ref().and_then(|topology| topology.member(name));
        member.is_some_and(|member| member.role == Role::Postgres)
    };
    let paused = cluster.containers.iter().filter(|c| c.state == ContainerState::Paused);
    paused.map(|c| c.name.as_str()).partition(|name| is_node(name))
}

/// Resumes what is frozen.
///
/// # Errors
/// When the engine refuses.
pub(crate) async fn resume(
    provider: &impl Provider,
    cluster: &Cluster,
    which: Resume,
) -> Result<()> {
    let (nodes, others) = frozen(cluster);
    let nodes = if which == Resume::All { nodes } else { Vec::new() };
    for group in [others, nodes] {
        let resumed = group.iter().map(|name| provider.unpause(name));
        join_all(resumed).await.into_iter().collect::<Result<Vec<()>>>()?;
    }
    Ok(())
}
