//! `pgha failover`: promotes a replica by hand, once it is agreed what that may lose.

use std::time::{Duration, Instant};

use pgha_core::failover::{Failover, Refused};
use pgha_core::topology::Role;
use pgha_core::words::bytes;
use pgha_wan::units::whole_ms;
use serde::Serialize;
use tokio::time::sleep;

use crate::agree::agree_by_name;
use crate::cli;
use crate::cluster::{self, Among, Cluster};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::{member, observe, patroni, terminal};

/// How long the new leader may take until `pgha status` knows it for one.
const LEADS_DEADLINE: Duration = Duration::from_secs(120);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Done {
    cluster: String,
    #[serde(flatten)]
    plan: Failover,
    /// Nothing was done.
    dry_run: bool,
    /// Until the node led.
    took_ms: Option<u64>,
}

/// Carries out `pgha failover`.
pub(crate) async fn run(args: &cli::Failover, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let found = cluster::find(&engine).await?;
    let cluster = cluster::resolve(found, args.cluster.as_deref(), Among::Created)?;
    let (id, events) = (&cluster.id, &events.of(&cluster.id));
    let there: Vec<&str> =
        cluster.topology()?.of_role(Role::Postgres).map(|node| node.name.as_str()).collect();
    let to = args.to.as_ref().map(|to| member::pick(&there, to)).transpose()?;
    let view = observe::view(&engine, &cluster).await?;
    let plan = Failover::plan(&view, to).map_err(|why| {
        let hint = match why {
            Refused::Leads(_) => format!("`pgha switchover {id}` moves the leader without loss"),
            _ => format!("`pgha status {id}` says how each node is"),
        };
        Error::missing(why.to_string()).hint(hint)
    })?;
    events.note(said(&plan));
    let mut done = Done { cluster: id.to_string(), plan, dry_run: args.dry_run, took_ms: None };
    if !args.dry_run {
        let question = format!("Promote {}? At stake: {}.", done.plan.to, done.plan.at_stake);
        let otherwise = format!("`pgha failover {id} --to {} --confirm {id}`", done.plan.to);
        agree_by_name(args.confirm.as_deref(), &id.to_string(), &question, &otherwise)?;
        let began = Instant::now();
        let work = events.begin(format!("failover {id}"));
        work.at("promoting", &done.plan.to);
        patroni::fail_over(&engine, &done.plan.to).await?;
        leads(&engine, &cluster, &done.plan.to).await?;
        done.took_ms = Some(whole_ms(began.elapsed()));
        work.done(&format!("{} leads", done.plan.to));
    }
    if args.json { terminal::print_json(&done) } else { Ok(()) }
}

/// `pgha-demo1-DC2-1, 16 MiB behind the leader's last position in etcd; Patroni does not promote it: it …`.
fn said(plan: &Failover) -> String {
    let behind = plan.behind_bytes.map_or_else(
        || "its WAL position unknown".to_owned(),
        |behind| format!("{} behind the leader's last position in etcd", bytes(behind)),
    );
    let barred = plan
        .barred
        .as_ref()
        .map(|why| format!("; by itself Patroni does not promote it: it {why}"));
    format!(
        "failover to {}, {behind}{}; at stake: {}",
        plan.to,
        barred.unwrap_or_default(),
        plan.at_stake
    )
}

/// Waits until the node leads, by etcd and by itself.
async fn leads(engine: &Engine, cluster: &Cluster, node: &str) -> Result<()> {
    let began = Instant::now();
    loop {
        let leader = observe::view(engine, cluster).await?.leader;
        if leader.as_deref() == Some(node) {
            return Ok(());
        }
        if began.elapsed() > LEADS_DEADLINE {
            let now = leader.map_or_else(|| "nobody leads".to_owned(), |it| format!("{it} leads"));
            return Err(Error::deadline(format!("{node} does not lead"))
                .because(now)
                .hint(format!("`pgha status {}` and `pgha logs {node}` say more", cluster.id)));
        }
        sleep(PAUSE).await;
    }
}
