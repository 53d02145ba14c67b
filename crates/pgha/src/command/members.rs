//! `pgha stop` and `pgha start` of single members and sites of a cluster.

use std::time::{Duration, Instant};

use pgha_core::fault::{Kind, Target};
use pgha_core::names;
use pgha_core::status::{ClusterView, ContainerState};
use pgha_core::stopping::{self, NoStart};
use pgha_core::topology::{ClusterId, Topology};
use pgha_core::words::list;

use crate::agree::agree;
use crate::bring_up;
use crate::cli::{Start, Stop};
use crate::cluster::{self, Among, Cluster};
use crate::command::fault::whom;
use crate::command::wan::sites::is_site;
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::{Events, Work};
use crate::provider::Provider;
use crate::{fault, observe, waiting, wan};

/// How long another node may take to lead, beyond `ttl`.
const TAKE_OVER_ALLOWANCE: Duration = Duration::from_secs(30);
/// Time between two looks.
const POLL: Duration = Duration::from_millis(500);

/// A cluster, and the words that are members or sites of it.
pub(super) type Named<'a> = (Cluster, &'a [String]);

/// The members and sites that are named; `None` where a cluster as a whole is meant.
///
/// # Errors
/// When the words are none of either, or nobody agrees to the cluster.
pub(super) fn named<'a>(
    clusters: &[Cluster],
    words: &'a [String],
    verb: &str,
) -> Result<Option<Named<'a>>> {
    let Some(first) = words.first() else { return Ok(None) };
    let is_cluster = clusters.iter().any(|c| c.id.name == *first || c.id.to_string() == *first);
    if is_cluster && words.len() == 1 {
        return Ok(None);
    }
    let all: Vec<&str> =
        clusters.iter().flat_map(|c| &c.containers).map(|c| c.name.as_str()).collect();
    let known = is_cluster
        || is_site(first)
        || sites(clusters).any(|site| site.eq_ignore_ascii_case(first))
        || !names::meant_as_whole(&all, first).is_empty();
    if !known {
        let error = cluster::resolve(clusters.to_vec(), Some(first), Among::Created)
            .expect_err("no cluster is called so");
        return Err(
            error.also_hint(&format!("a member or a site may be named too: `pgha {verb} DC2`"))
        );
    }
    whom::of(clusters.to_vec(), words, verb).map(Some)
}

fn sites(clusters: &[Cluster]) -> impl Iterator<Item = &str> {
    clusters
        .iter()
        .filter_map(|cluster| cluster.topology.as_ref())
        .flat_map(|topology| topology.sites.iter().map(|site| site.name.as_str()))
}

/// No member of the cluster has this as a whole part of its name, and no site is called so.
pub(super) fn unknown_to(id: &ClusterId, word: &str) -> Error {
    Error::bad_input(format!("cluster {id} has no member and no site `{word}`")).hint(format!(
        "whole parts of a name will do, such as `demo2-DC1`; `pgha status {id} --all` lists all"
    ))
}

/// The members of a cluster that are meant; a site means all of its members.
fn meant(cluster: &Cluster, view: &ClusterView, words: &[String]) -> Result<Vec<String>> {
    let topology = cluster.topology()?;
    let all: Vec<&str> = view.members.iter().map(|member| member.name.as_str()).collect();
    let is_site = |word: &str| topology.sites.iter().any(|s| s.name.eq_ignore_ascii_case(word));
    // A part of a part may be a slip.
    let unknown = |word: &&String| !is_site(word) && names::meant_as_whole(&all, word).is_empty();
    if let Some(word) = words.iter().find(unknown) {
        return Err(unknown_to(&cluster.id, word));
    }
    let targets: Vec<Target> = words.iter().cloned().map(Target::Named).collect();
    // Whatever can be killed can be stopped.
    let chosen = Kind::Kill.choose(&targets, topology, view, &mut |_| 0);
    chosen.map(|chosen| chosen.names().to_vec()).map_err(|none| {
        Error::bad_input(none.to_string())
            .hint(format!("`pgha status {} --all` lists members and sites", cluster.id))
    })
}

/// Stops members, in order.
pub(super) async fn stop(
    engine: &Engine,
    (cluster, words): Named<'_>,
    args: &Stop,
    events: &Events,
) -> Result<()> {
    let (id, events) = (&cluster.id, &events.of(&cluster.id));
    let view = observe::view(engine, &cluster).await?;
    let plan = stopping::Stop::plan(&view, &meant(&cluster, &view, words)?);
    tell(&plan.phases, "stop", &plan.stopped_already, "does not run", events);
    for hazard in &plan.hazards {
        events.note(format!("then {hazard}"));
    }
    if let Some(leader) = &plan.hands_over {
        events.note(format!("{leader} leads: another node takes over"));
    }
    if args.dry_run || plan.phases.is_empty() {
        return Ok(());
    }
    let hazards: Vec<String> = plan.ends_writes().map(ToString::to_string).collect();
    if !hazards.is_empty() {
        let question = format!(
            "Stop {} of cluster {id}? Writes stop, or no failure is survived: {}.",
            words.join(", "),
            hazards.join("; ")
        );
        agree(args.yes, &question, "--yes confirms beforehand, --dry-run only prints")?;
    }
    let work = events.begin(format!("stop {}", words.join(" ")));
    let stops_router = plan.phases.iter().flatten().any(|name| *name == router(&cluster));
    if stops_router {
        wan::announce_stop(engine, &cluster).await;
    }
    for phase in &plan.phases {
        work.at("stopping", &phase.join(", "));
        each(phase, |name| engine.stop(name)).await?;
        if let Some(leader) = plan.hands_over.as_ref().filter(|leader| phase.contains(leader)) {
            until_another_leads(engine, id, leader, &view, &work).await?;
        }
    }
    demand_stopped(engine, id, &plan.phases.concat()).await?;
    work.done(&format!(
        "{} stopped; `pgha start {id} {}` starts them",
        counted(&plan.phases.concat()),
        words.join(" ")
    ));
    Ok(())
}

fn router(cluster: &Cluster) -> String {
    cluster.topology.as_ref().map(Topology::router).unwrap_or_default()
}

fn counted(members: &[String]) -> String {
    match members.len() {
        1 => "1 member is".to_owned(),
        more => format!("{more} members are"),
    }
}

/// Says what is done in which order, and what needs nothing.
fn tell(phases: &[Vec<String>], verb: &str, so_already: &[String], is: &str, events: &Events) {
    for name in so_already {
        events.note(format!("{name} {is}"));
    }
    for (n, phase) in (1..).zip(phases) {
        events.note(format!("{n}. {verb} {}", phase.join(", ")));
    }
}

/// Does it to all of them at once, and says what failed first.
async fn each<'a, F: Future<Output = Result<()>>>(
    members: &'a [String],
    what: impl Fn(&'a str) -> F,
) -> Result<()> {
    let all = members.iter().map(|name| what(name));
    futures_util::future::join_all(all).await.into_iter().collect()
}

async fn until_another_leads(
    engine: &Engine,
    id: &ClusterId,
    leader: &str,
    before: &ClusterView,
    work: &Work,
) -> Result<()> {
    let ttl_s = before.settings.map_or(30, |settings| settings.ttl_s);
    let deadline = Duration::from_secs(ttl_s.into()) + TAKE_OVER_ALLOWANCE;
    work.at("waiting until another node leads", "");
    let began = Instant::now();
    loop {
        let found = cluster::find(engine).await?;
        let found = cluster::resolve(found, Some(&id.to_string()), Among::Created)?;
        let view = observe::view(engine, &found).await?;
        if let Some(next) = view.leader.as_ref().filter(|next| *next != leader) {
            work.say(&format!("{next} leads"));
            return Ok(());
        }
        if began.elapsed() > deadline {
            return Err(Error::deadline(format!(
                "no node leads {} s after {leader} was stopped",
                deadline.as_secs()
            ))
            .hint(format!("`pgha status {id}` says why, `pgha start {leader}` starts it again")));
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn demand_stopped(engine: &Engine, id: &ClusterId, members: &[String]) -> Result<()> {
    let found = cluster::find(engine).await?;
    let found = cluster::resolve(found, Some(&id.to_string()), Among::Created)?;
    let runs = |name: &&String| {
        found.container(name).is_some_and(|container| container.state == ContainerState::Running)
    };
    let running: Vec<String> = members.iter().filter(runs).cloned().collect();
    if running.is_empty() {
        return Ok(());
    }
    Err(Error::failed(format!("{} runs again", list(&running)))
        .hint(format!("something else starts it; `pgha stop {id} {}` again", running.join(" "))))
}

/// Starts members, in order, and waits until they are ready.
pub(super) async fn start(
    engine: &Engine,
    (cluster, words): Named<'_>,
    args: &Start,
    events: &Events,
) -> Result<()> {
    let (id, events) = (&cluster.id, &events.of(&cluster.id));
    let view = observe::view(engine, &cluster).await?;
    let members = meant(&cluster, &view, words)?;
    let plan = stopping::Start::plan(&view, &members).map_err(|why| {
        let hint = match &why {
            NoStart::Missing(_) => format!("`pgha start {id}` makes it"),
            NoStart::NoQuorum { .. } => {
                format!("`pgha start {id}` starts the whole cluster; or name etcd members too")
            }
        };
        Error::missing(why.to_string()).hint(hint)
    })?;
    tell(&plan.phases, "start", &plan.running_already, "runs already", events);
    if args.dry_run || plan.phases.is_empty() {
        return Ok(());
    }
    let began = Instant::now();
    let work = events.begin(format!("start {}", words.join(" ")));
    for phase in &plan.phases {
        work.at("starting", &phase.join(", "));
        each(phase, |name| start_one(engine, &cluster, name)).await?;
    }
    forget_faults(engine, &cluster, &plan.phases.concat()).await?;
    drop(work);
    let timeout = Duration::from_secs(args.wait.timeout);
    let started = plan.phases.concat();
    match waiting::until_members(engine, id, &started, timeout, events).await {
        Ok(ready) => {
            let leads = ready.view.leader.map(|leader| format!("; {leader} leads"));
            events.note(format!(
                "{} ready after {:.1} s{}",
                counted(&started),
                began.elapsed().as_secs_f64(),
                leads.unwrap_or_default()
            ));
            Ok(())
        }
        Err(given_up) => {
            bring_up::show_guilty(engine, &given_up, events).await;
            Err(given_up.error.also_hint(&format!("`pgha status {id}` shows the progress")))
        }
    }
}

async fn start_one(engine: &Engine, cluster: &Cluster, name: &str) -> Result<()> {
    match cluster.container(name).map(|container| container.state) {
        Some(ContainerState::Paused) => engine.unpause(name).await,
        _ => engine.start(name).await,
    }
}

/// What was done on purpose to members that are started is over.
async fn forget_faults(engine: &Engine, cluster: &Cluster, started: &[String]) -> Result<()> {
    for recorded in &cluster.faults {
        let fault = &recorded.fault;
        let of_these = fault.targets.iter().all(|target| started.contains(target));
        if !fault.kind.on().is_links() && of_these {
            fault::heal(engine, &cluster.id, recorded).await?;
        }
    }
    Ok(())
}
