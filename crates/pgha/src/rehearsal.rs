//! Whether Postgres takes what a cluster file asks of it, asked in a container of the cluster's image before there is a
//! cluster.

use std::process::Stdio;

use pgha_core::agent::Request;
use pgha_core::render::{Images, SHM_SIZE};
use pgha_core::topology::{Role, Topology};
use tokio::process::Command;

use crate::error::{Error, OrFail as _, Result};
use crate::events::Events;

/// Fails with what Postgres says where it would not start; a cluster file that asks for nothing of that kind is not tried.
///
/// # Errors
/// Also when `docker` cannot be run.
pub(crate) async fn demand(topology: &Topology, events: &Events) -> Result<()> {
    let (spec, server) = (&topology.spec, &topology.spec.server);
    if !server.may_not_start() {
        return Ok(());
    }
    let work = events.begin("settings of Postgres");
    work.at("trying them", "");
    let node = topology.of_role(Role::Postgres).next().expect("a cluster has nodes");
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--network", "none", "--cap-drop", "ALL", "--user", "postgres"]);
    command.args(["--hostname", &node.name, "--env", "PGHA_SPEC", "--env", "PGHA_INSTANCE"]);
    command.env("PGHA_SPEC", spec.to_toml()).env("PGHA_INSTANCE", topology.id.instance.to_string());
    let size = server.shm_size.map_or_else(|| SHM_SIZE.to_owned(), |size| size.to_string());
    command.args(["--shm-size", &size]);
    if let Some(memory) = server.memory {
        command.args(["--memory", &memory.to_string()]);
    }
    let argv = Request::Rehearse.argv();
    command.args(["--entrypoint", &argv[0], &Images::of(spec).postgres]).args(&argv[1..]);
    let done = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let done = done.or_fail("cannot run `docker run`")?;
    if done.status.success() {
        work.done("Postgres takes the settings of the cluster file");
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let said = said.trim().trim_start_matches("pgha-node: failed: ");
    Err(Error::bad_input("Postgres does not start with the settings of the cluster file")
        .because(said)
        .hint("correct [postgres] in the cluster file; no container was made"))
}
