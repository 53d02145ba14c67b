//! The container that copies a repository to a volume of a fresh cluster, and `docker run` for containers that end by
//! themselves.
//!
//! It outlives a `pgha` that is killed, and would copy on beside the next one: one for each cluster is at work.

use std::process::{Output, Stdio};

use pgha_core::topology::ClusterId;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::cluster::LABEL_LOOK;
use crate::error::{OrFail as _, Result};
use crate::provider::{Provider, Thing};

/// Runs the copy of a fresh cluster's repository to its end: a container with these arguments, told `input`. What an
/// attempt that was killed has left is removed first, by its label.
///
/// # Errors
/// When that cannot be removed, or `docker` cannot be run. That the copy failed is in the output.
pub(super) async fn run_copy(
    provider: &impl Provider,
    id: &ClusterId,
    arguments: &[&str],
    input: &[u8],
) -> Result<Output> {
    // A cluster that is only being made has no other containers that work for it.
    let made = provider.clusters().await?.into_iter().find(|cluster| cluster.id == *id);
    for left in made.into_iter().flat_map(|cluster| cluster.looks) {
        provider.remove(Thing::Container { container: &left.id, volumes: true }).await?;
    }
    let name = format!("pgha-{}-copy-{}", id.name, id.instance);
    let label = format!("{LABEL_LOOK}={id}");
    run(&[&["--name", &name, "--label", &label], arguments].concat(), input).await
}

/// Runs a container to its end, of which nothing is left then, and tells it `input`.
///
/// # Errors
/// When `docker` cannot be run. That the container failed is in the output.
pub(super) async fn run(arguments: &[&str], input: &[u8]) -> Result<Output> {
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--interactive"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().or_fail("cannot run `docker run`")?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that has ended says why itself.
        let _ = stdin.write_all(input).await;
    }
    child.wait_with_output().await.or_fail("cannot run `docker run`")
}
