//! `pgha switchover`: moves the leader, and tells for how long no write went.

use std::time::{Duration, Instant};

use pgha_core::switchover::{Refused, Switchover, To};
use pgha_core::topology::{Role, Topology};
use pgha_wan::units::whole_ms;
use serde::Serialize;

use crate::agree::agree;
use crate::cli;
use crate::cluster::{self, Among, Meant};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::{Events, Work};
use crate::load::probe::{Probe, Probed};
use crate::{member, observe, patroni, terminal, waiting};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Done {
    cluster: String,
    #[serde(flatten)]
    plan: Switchover,
    /// Nothing was done.
    dry_run: bool,
    #[serde(flatten)]
    probed: Probed,
    /// Until every node streamed from the new leader.
    took_ms: Option<u64>,
}

/// Carries out `pgha switchover`.
pub(crate) async fn run(args: &cli::Switchover, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let found = cluster::find(&engine).await?;
    let Meant { cluster, guessed } =
        cluster::meant(found, args.cluster.as_deref(), Among::Created)?;
    let (id, events) = (&cluster.id, &events.of(&cluster.id));
    let view = observe::view(&engine, &cluster).await?;
    let plan = Switchover::plan(&view, &asked(args, cluster.topology()?)?).map_err(|refused| {
        let hint = format!("`pgha status {id}` says how each node is");
        match refused {
            Refused::LeadsAlready(_) | Refused::InSite { .. } => {
                Error::bad_input(refused.to_string())
            }
            Refused::Asynchronous { .. } => Error::missing(refused.to_string()).hint(format!(
                "`pgha config set {id} synchronous_mode=off` lets any replica take over; set it back afterwards: a failure in \
                 between may lose writes"
            )),
            _ => Error::missing(refused.to_string()).hint(hint),
        }
    })?;
    events.note(plan.to_string());
    let mut done = Done {
        cluster: id.to_string(),
        plan,
        dry_run: args.dry_run,
        probed: Probed::default(),
        took_ms: None,
    };
    if !args.dry_run {
        if guessed {
            let question = format!("Move the leader of cluster {id}, the only one on this engine?");
            agree(false, &question, &format!("name it: `pgha switchover {id}`"))?;
        }
        let work = events.begin(format!("switchover {id}"));
        work.at("starting the write probe", "");
        let probe = Probe::begin(&engine, &cluster).await?;
        let began = Instant::now();
        let moved = tokio::select! {
            moved = carry_out(&engine, &done.plan, &work) => moved,
            () = crate::interrupt::interrupted() => Err(Error::failed("interrupted")
                .hint(format!("`pgha status {id}` says who leads"))),
        };
        let whole = match moved {
            Ok(()) => whole(&engine, &done, &cluster.id, events).await,
            Err(error) => Err(error),
        };
        done.took_ms = Some(whole_ms(began.elapsed()));
        done.probed = probe.end().await;
        drop(work);
        whole?;
    }
    if args.json {
        terminal::print_json(&done)?;
    } else if let Some(no_writes_ms) = done.probed.no_writes_ms {
        terminal::print(&format!(
            "{} leads; no writes for {:.2} s, {}\n",
            done.plan.to,
            Duration::from_millis(no_writes_ms).as_secs_f64(),
            done.probed.lost()
        ))?;
    }
    done.probed.judge(id)
}

fn asked(args: &cli::Switchover, topology: &Topology) -> Result<To> {
    if let Some(wanted) = &args.to {
        let nodes: Vec<&str> = topology.of_role(Role::Postgres).map(|m| m.name.as_str()).collect();
        return Ok(To::Node(member::pick(&nodes, wanted)?.to_owned()));
    }
    let Some(wanted) = &args.site else { return Ok(To::Best) };
    Ok(To::Site(member::site(topology, wanted)?.name.clone()))
}

async fn carry_out(engine: &Engine, plan: &Switchover, work: &Work) -> Result<()> {
    work.at("checkpoint", &plan.from);
    patroni::checkpoint(engine, &plan.from).await?;
    work.at("switchover", &plan.to);
    patroni::hand_over(engine, &plan.from, &plan.to).await
}

/// Waits until every node streams from the new leader.
async fn whole(
    engine: &Engine,
    done: &Done,
    id: &pgha_core::topology::ClusterId,
    events: &Events,
) -> Result<()> {
    let leader = waiting::until_whole(engine, id, events).await?.leader;
    if leader.as_ref() == Some(&done.plan.to) {
        return Ok(());
    }
    let leads =
        leader.map_or_else(|| "nobody leads".to_owned(), |leader| format!("{leader} leads"));
    Err(Error::failed(format!("{} does not lead after the switchover", done.plan.to))
        .because(leads)
        .hint(format!("`pgha status {id}` and `pgha logs {}` say more", done.plan.to)))
}
