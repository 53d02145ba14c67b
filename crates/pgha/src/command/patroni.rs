//! `pgha pause`, `resume`, `reload`, `reinit` and `history`.

use pgha_core::safety::unsafe_to_stop;
use pgha_core::status::{ClusterView, PATRONI_PAUSED};
use pgha_core::topology::Role;
use serde::{Deserialize, Serialize};

use crate::agree::agree;
use crate::cli;
use crate::cluster::{self, Among, Cluster, Meant};
use crate::docker::Engine;
use crate::error::{Error, OrFail as _, Result};
use crate::events::Events;
use crate::screen::table;
use crate::{member, observe, patroni, terminal, waiting};

/// Carries out `pgha pause` and `pgha resume`.
pub(crate) async fn pause(args: &cli::Operated, paused: bool, events: &Events) -> Result<()> {
    let verb = if paused { "pause" } else { "resume" };
    let (engine, cluster) = meant(args, verb).await?;
    let (id, events) = (&cluster.id, events.of(&cluster.id));
    let view = observe::view(&engine, &cluster).await?;
    let is_paused = view.problems.iter().any(|problem| problem.code == PATRONI_PAUSED);
    if is_paused == paused {
        let is = if paused { "is paused already" } else { "is not paused" };
        events.note(format!("Patroni of {id} {is}"));
        return Ok(());
    }
    let work = events.begin(format!("{verb} {id}"));
    work.at("waiting until every node knows", "");
    patroni::pause(&engine, patroni::answering(&view)?, paused).await?;
    drop(work);
    events.note(if paused {
        format!(
            "Patroni of {id} is paused: nothing fails over by itself; `pgha resume {id}` ends that"
        )
    } else {
        format!("Patroni of {id} fails over by itself again")
    });
    Ok(())
}

/// Carries out `pgha reload`.
pub(crate) async fn reload(args: &cli::Operated, events: &Events) -> Result<()> {
    let (engine, cluster) = meant(args, "reload").await?;
    let (id, events) = (&cluster.id, events.of(&cluster.id));
    let view = observe::view(&engine, &cluster).await?;
    patroni::reload(&engine, patroni::answering(&view)?).await?;
    let rounds = view.settings.map_or(10, |settings| settings.loop_wait_s);
    events.note(format!(
        "every Patroni of {id} reads its configuration within {rounds} s; what waits for a restart then, `pgha status {id}` says"
    ));
    Ok(())
}

/// Carries out `pgha reinit`.
pub(crate) async fn reinit(args: &cli::Reinit, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let (cluster, node) = member::find_in(cluster::find(&engine).await?, &args.node)?;
    let (id, events) = (&cluster.id, &events.of(&cluster.id));
    let view = observe::view(&engine, &cluster).await?;
    may_be_cloned(&view, &node, id)?;
    let hazards = unsafe_to_stop(&view, &[&node]);
    let hazards: Vec<String> =
        hazards.iter().map(|hazard| format!(" Meanwhile {hazard}.")).collect();
    let question = format!("Remove the data of {node} and clone it again?{}", hazards.concat());
    agree(args.yes, &question, &format!("`pgha reinit {node} --yes`"))?;
    let work = events.begin(format!("reinit {node}"));
    work.at("cloning", &node);
    patroni::reinit(&engine, &node).await?;
    waiting::until_whole(&engine, id, events).await?;
    work.done(&format!("{node} was cloned and streams"));
    Ok(())
}

/// A replica has its data from somebody else, and there has to be somebody.
fn may_be_cloned(view: &ClusterView, node: &str, id: &impl std::fmt::Display) -> Result<()> {
    if view.member(node).is_none_or(|member| member.kind != Role::Postgres) {
        return Err(Error::bad_input(format!("{node} is no Postgres node")));
    }
    match view.leader.as_deref() {
        Some(leader) if leader == node => {
            Err(Error::missing(format!("{node} is the leader: its data is what the others copy"))
                .hint(format!("`pgha switchover {id}` moves the leader first")))
        }
        Some(_) => Ok(()),
        None => Err(Error::missing("the cluster has no leader to copy from")
            .hint(format!("`pgha status {id}` says why"))),
    }
}

/// One timeline, as Patroni keeps it: number, the last position of the one before, why, when, and who led it.
#[derive(Debug, Serialize, Deserialize)]
struct Timeline {
    #[serde(rename(serialize = "timeline", deserialize = "TL"))]
    number: u64,
    #[serde(rename(deserialize = "LSN"))]
    lsn: u64,
    #[serde(rename(deserialize = "Reason"))]
    reason: String,
    #[serde(rename(deserialize = "Timestamp"), default)]
    ended: Option<String>,
    #[serde(rename(deserialize = "New Leader"), default)]
    next_leader: Option<String>,
}

/// Carries out `pgha history`.
pub(crate) async fn history(args: &cli::History) -> Result<()> {
    let engine = Engine::connect().await?;
    let clusters = cluster::find(&engine).await?;
    let cluster = cluster::resolve(clusters, args.cluster.as_deref(), Among::Created)?;
    let view = observe::view(&engine, &cluster).await?;
    let said = patroni::history(&engine, patroni::answering(&view)?).await?;
    let timelines: Vec<Timeline> =
        serde_json::from_str(&said).or_fail("patronictl prints another history")?;
    if args.json {
        return terminal::print_json(&timelines);
    }
    if timelines.is_empty() {
        return terminal::print("the first timeline is the only one\n");
    }
    let row = |timeline: &Timeline| {
        let lsn = format!("{:X}/{:08X}", timeline.lsn >> 32, timeline.lsn & 0xFFFF_FFFF);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (ended, next) = (text(&timeline.ended), text(&timeline.next_leader));
        vec![timeline.number.to_string(), lsn, ended, next, timeline.reason.clone()]
    };
    let header = ["TL", "ENDED AT", "WHEN", "THEN LED BY", "REASON"];
    let table = table::wrapped(&header, &[0], timelines.iter().map(row));
    terminal::print(&format!("{table}\n"))
}

/// The cluster that is meant; where it was not named, after a question.
async fn meant(args: &cli::Operated, verb: &str) -> Result<(Engine, Cluster)> {
    let engine = Engine::connect().await?;
    let found = cluster::find(&engine).await?;
    let Meant { cluster, guessed } =
        cluster::meant(found, args.cluster.as_deref(), Among::Created)?;
    if guessed {
        let id = &cluster.id;
        let question = format!("{verb}: cluster {id}, the only one on this engine?");
        agree(false, &question, &format!("name it: `pgha {verb} {id}`"))?;
    }
    Ok((engine, cluster))
}
