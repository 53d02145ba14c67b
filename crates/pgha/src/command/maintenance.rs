//! `pgha maintenance`: the containers of a running cluster's nodes outlive their Patroni, as with `pgha up -b`.

use std::time::Duration;

use pgha_core::agent::Request;
use pgha_core::status::{ClusterView, ContainerState, MemberView};
use pgha_core::words::list;

use crate::agree::agree;
use crate::cli::{Maintenance, Switch};
use crate::cluster::{self, Among, Meant};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::provider::Provider;
use crate::{observe, waiting};

/// How long a node may take to switch.
const DEADLINE: Duration = Duration::from_secs(20);

/// Carries out `pgha maintenance`.
pub(crate) async fn run(args: &Maintenance, events: &Events) -> Result<()> {
    let (on, how) = match args.switch {
        Switch::On => (true, "on"),
        Switch::Off => (false, "off"),
    };
    let engine = Engine::connect().await?;
    let found = cluster::find(&engine).await?;
    let Meant { cluster, guessed } =
        cluster::meant(found, args.cluster.as_deref(), Among::Created)?;
    let (id, events) = (&cluster.id, &events.of(&cluster.id));
    if cluster.topology()?.spec.background {
        return Err(Error::bad_input(format!(
            "cluster {id} was made in background mode (-b): its containers outlive Patroni always"
        ))
        .hint(format!("`pgha start {id}` starts what does not run")));
    }
    if guessed {
        let question = format!("maintenance {how}: cluster {id}, the only one on this engine?");
        agree(false, &question, &format!("name it: `pgha maintenance {how} {id}`"))?;
    }
    let view = observe::view(&engine, &cluster).await?;
    let runs = |node: &&MemberView| node.container_state == ContainerState::Running;
    let (running, stopped): (Vec<&MemberView>, Vec<&MemberView>) = view.nodes().partition(runs);
    if running.is_empty() {
        return Err(Error::missing(format!("no node of cluster {id} runs"))
            .hint(format!("`pgha start {id}` starts it")));
    }
    let work = events.begin(format!("maintenance {how} {id}"));
    let mut switched = Vec::new();
    for node in &running {
        work.at("switching", &node.name);
        if switch(&engine, &node.name, on).await? != how {
            switched.push(node.name.clone());
        }
    }
    if !on {
        restart_those_without_patroni(&engine, &view, work.events()).await?;
    }
    work.done(&match (switched.as_slice(), on) {
        ([], _) => format!("maintenance was {how} already on every node that runs"),
        (nodes, true) => {
            format!("{} outlive Patroni; `pgha maintenance off {id}` ends that", list(nodes))
        }
        (nodes, false) => format!("{} end with Patroni, and start again", list(nodes)),
    });
    let left: Vec<String> = stopped.iter().map(|node| node.name.clone()).collect();
    if !left.is_empty() {
        events.note(format!("left alone, since it does not run: {}", list(&left)));
    }
    Ok(())
}

/// Switches a node; how it was before.
async fn switch(engine: &Engine, node: &str, on: bool) -> Result<String> {
    let ran = engine.exec(node, &Request::Maintenance { on }.argv(), DEADLINE).await?;
    if ran.code == 0 {
        return Ok(ran.stdout.trim().to_owned());
    }
    Err(Error::failed(format!("{node} is not switched"))
        .because(ran.stderr.trim().trim_start_matches("pgha-node: failed: "))
        .hint("`pgha maintenance` again switches those that are left"))
}

/// Nothing else would start it there.
async fn restart_those_without_patroni(
    engine: &Engine,
    view: &ClusterView,
    events: &Events,
) -> Result<()> {
    let id = pgha_core::topology::ClusterId { name: view.cluster.clone(), instance: view.instance };
    let without =
        |node: &&MemberView| node.container_state == ContainerState::Running && node.role.is_none();
    let nodes: Vec<String> = view.nodes().filter(without).map(|node| node.name.clone()).collect();
    for node in &nodes {
        events.note(format!("restarting {node}, whose Patroni does not run"));
        engine.restart(node).await?;
    }
    if nodes.is_empty() {
        return Ok(());
    }
    let ready = waiting::until_members(engine, &id, &nodes, Duration::from_secs(300), events).await;
    ready.map(drop).map_err(|given_up| given_up.error)
}
