//! `pgha restart`: restarts Postgres on nodes, and tells for how long no write went.

use std::time::{Duration, Instant};

use pgha_core::rolling::{self, Asked, Refused, Step};
use pgha_core::status::ClusterView;
use pgha_core::switchover::{Switchover, To};
use pgha_core::topology::{ClusterId, Role};
use pgha_wan::units::whole_ms;
use serde::Serialize;

use crate::agree::agree;
use crate::cli;
use crate::cluster::{self, Among, Cluster, Meant};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::{Events, Work};
use crate::load::probe::{Probe, Probed};
use crate::{member, observe, patroni, terminal, waiting};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Done {
    cluster: String,
    /// What was to be done.
    steps: Vec<Step>,
    /// Nothing was done.
    dry_run: bool,
    #[serde(flatten)]
    probed: Probed,
    /// All of it.
    took_ms: Option<u64>,
}

/// Carries out `pgha restart`.
pub(crate) async fn run(args: &cli::Restart, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let (Meant { cluster, guessed }, words) = whom(cluster::find(&engine).await?, &args.words)?;
    let (id, events) = (&cluster.id, &events.of(&cluster.id));
    let of_role = cluster.topology()?.of_role(Role::Postgres);
    let there: Vec<&str> = of_role.map(|node| node.name.as_str()).collect();
    let nodes = words.iter().map(|word| member::pick(&there, word).map(str::to_owned));
    let nodes: Vec<String> = nodes.collect::<Result<_>>()?;
    if nodes.is_empty() && !args.rolling && !args.pending {
        return Err(Error::bad_input(
            "nodes to restart, or --rolling for all of them, are missing",
        )
        .hint(format!("`pgha restart {id} --rolling`, or `pgha restart {}`", there[0])));
    }
    let asked = Asked { nodes, rolling: args.rolling, pending: args.pending };
    let view = observe::view(&engine, &cluster).await?;
    let steps = rolling::plan(&view, &asked).map_err(|why| refusal(&why, id))?;
    if steps.is_empty() {
        events.note("no setting waits for a restart");
    }
    for (n, step) in (1..).zip(&steps) {
        events.note(format!("{n}. {}", said(step)));
    }
    let (probed, dry_run) = (Probed::default(), args.dry_run);
    let mut done = Done { cluster: id.to_string(), steps, dry_run, probed, took_ms: None };
    if !dry_run && !done.steps.is_empty() {
        if guessed {
            let question =
                format!("Restart Postgres in cluster {id}, the only one on this engine?");
            agree(false, &question, &format!("name it: `pgha restart {id} …`"))?;
        }
        let work = events.begin(format!("restart {id}"));
        work.at("starting the write probe", "");
        let probe = Probe::begin(&engine, &cluster).await?;
        let began = Instant::now();
        let ended = carry_out(&engine, &cluster, &done.steps, &work).await;
        done.took_ms = Some(whole_ms(began.elapsed()));
        done.probed = probe.end().await;
        drop(work);
        ended?;
        let view = observe::view(&engine, &cluster).await?;
        let pending = view.nodes().filter(|node| node.pending_restart == Some(true));
        let pending: Vec<&str> = pending.map(|node| node.name.as_str()).collect();
        if !pending.is_empty() {
            let nodes = pending.join(", ");
            events.note(format!(
                "a changed setting still waits for a restart of {nodes}: `pgha restart {id} --rolling --pending`"
            ));
        }
    }
    if args.json {
        terminal::print_json(&done)?;
    } else if let (Some(most), Some(all)) =
        (done.probed.no_writes_ms, done.probed.no_writes_total_ms)
    {
        let seconds = |ms| Duration::from_millis(ms).as_secs_f64();
        let restarts = done.steps.iter().filter(|step| matches!(step, Step::Restart { .. }));
        terminal::print(&format!(
            "{} restarted; no writes for {:.2} s at most, {:.2} s in all, {}\n",
            nodes_in_words(restarts.count()),
            seconds(most),
            seconds(all),
            done.probed.lost()
        ))?;
    }
    done.probed.judge(id)
}

/// The cluster that is named first, else that of the first node, else the one that is meant; and the words that are nodes.
fn whom(clusters: Vec<Cluster>, words: &[String]) -> Result<(Meant, &[String])> {
    let named =
        |word: &String| clusters.iter().any(|c| c.id.name == *word || c.id.to_string() == *word);
    match words {
        [first, rest @ ..] if named(first) => {
            Ok((cluster::meant(clusters, Some(first), Among::Created)?, rest))
        }
        [first, ..] => {
            let (cluster, _) = member::find_in(clusters, first)?;
            Ok((Meant { cluster, guessed: false }, words))
        }
        [] => Ok((cluster::meant(clusters, None, Among::Created)?, words)),
    }
}

fn refusal(why: &Refused, id: &ClusterId) -> Error {
    let hint = match why {
        Refused::NoSwitchover { .. } => {
            format!(
                "`pgha status {id}` says how each node is; without --rolling the leader is restarted as it is"
            )
        }
        Refused::NoLeader | Refused::NotRunning { .. } => {
            format!("`pgha status {id}` says how each node is")
        }
    };
    Error::missing(why.to_string()).hint(hint)
}

/// `restart pgha-demo1-DC1-1 (commits wait: …)`.
fn said(step: &Step) -> String {
    match step {
        Step::Restart { node, hazards } if hazards.is_empty() => format!("restart {node}"),
        Step::Restart { node, hazards } => {
            let hazards: Vec<String> = hazards.iter().map(ToString::to_string).collect();
            format!("restart {node} (meanwhile {})", hazards.join("; "))
        }
        Step::Switchover { from, to } => format!("switchover from {from} to {to}"),
    }
}

fn nodes_in_words(nodes: usize) -> String {
    format!("{nodes} node{}", if nodes == 1 { "" } else { "s" })
}

/// Does one step after the other; each ends with a whole cluster.
async fn carry_out(engine: &Engine, cluster: &Cluster, steps: &[Step], work: &Work) -> Result<()> {
    for (n, step) in steps.iter().enumerate() {
        let began = Instant::now();
        let ended = tokio::select! {
            ended = carry_out_one(engine, cluster, step, work) => ended,
            () = crate::interrupt::interrupted() => Err(Error::failed("interrupted")),
        };
        ended.map_err(|error| to_go_on(error, &cluster.id, &steps[n..]))?;
        let brief = match step {
            Step::Restart { node, .. } => format!("restart {node}"),
            Step::Switchover { .. } => said(step),
        };
        work.step_done(&brief, whole_ms(began.elapsed()), "");
    }
    Ok(())
}

async fn carry_out_one(engine: &Engine, cluster: &Cluster, step: &Step, work: &Work) -> Result<()> {
    match step {
        Step::Restart { node, .. } => {
            work.at("restarting", node);
            patroni::restart(engine, node).await?;
        }
        Step::Switchover { from, to } => {
            let view = observe::view(engine, cluster).await?;
            let next = successor(&view, to)?;
            work.at("checkpoint", from);
            patroni::checkpoint(engine, from).await?;
            work.at("switchover", &next);
            patroni::hand_over(engine, from, &next).await?;
        }
    }
    waiting::until_whole(engine, &cluster.id, work.events()).await.map(drop)
}

/// The one that was planned, or another where that one may not any more.
fn successor(view: &ClusterView, planned: &str) -> Result<String> {
    let plan = |to| Switchover::plan(view, &to).map(|plan| plan.to);
    plan(To::Node(planned.to_owned()))
        .or_else(|_| plan(To::Best))
        .map_err(|why| Error::failed(why.to_string()))
}

/// With the command that does what is left.
fn to_go_on(error: Error, id: &ClusterId, left: &[Step]) -> Error {
    let nodes = left.iter().filter_map(|step| match step {
        Step::Restart { node, .. } => Some(node.as_str()),
        Step::Switchover { .. } => None,
    });
    let nodes: Vec<&str> = nodes.collect();
    let leads = left.iter().any(|step| matches!(step, Step::Switchover { .. }));
    let rolling = if leads { " --rolling" } else { "" };
    error.also_hint(&format!("`pgha restart {id} {}{rolling}` does what is left", nodes.join(" ")))
}
