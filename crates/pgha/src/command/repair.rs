//! `pgha repair etcd`: what is left first, then, when it is agreed to, the steps; and what came of them.

use std::time::Duration;

use pgha_core::etcd_repair::{Journal, RepairPlan};
use pgha_core::steps::{Phase, Step as _, StepJournal as _};

use crate::agree::agree_by_name;
use crate::cli::repair::{Repair, RepairEtcd, RepairVerb};
use crate::cluster::{self, Among};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::interrupt::interrupted;
use crate::repair::Session;
use crate::steps::Lock;
use crate::{screen, terminal};

/// Carries out `pgha repair`.
pub(crate) async fn run(args: &Repair, events: &Events) -> Result<()> {
    match &args.verb {
        RepairVerb::Etcd(args) => etcd(args, events).await,
    }
}

async fn etcd(args: &RepairEtcd, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let found = cluster::find(&engine).await?;
    let cluster = cluster::resolve(found, args.cluster.as_deref(), Among::Created)?;
    let id = cluster.id.to_string();
    let session = Session::new(&engine, &cluster, Duration::from_secs(args.wait.timeout), events)?;
    let lock = session.lock().await?;
    let journal = session.journal().await?;
    if args.abort {
        let mut journal = journal.ok_or_else(|| {
            Error::bad_input(format!("cluster {id} has no repair in progress"))
                .hint("there is nothing to put back")
        })?;
        let question = format!("Put the old etcd stores of {id} back?");
        agree_to(args, &id, &question)?;
        return give_up(&session, &mut journal, &id, &lock).await;
    }
    let mut journal = match journal {
        Some(journal) if journal.progress.phase == Phase::Back => {
            return Err(Error::failed(format!("the repair of cluster {id} is being given up"))
                .because(format!("begun as {}", journal.id))
                .hint(journal.ways_on(&id)));
        }
        Some(journal) => {
            let step = journal.next().map_or_else(|| "the end".to_owned(), |step| step.word());
            if args.dry_run {
                return show(args, &id, &journal.plan);
            }
            session.events.note(format!("going on with repair {} at step {step}", journal.id));
            journal
        }
        None => {
            let plan = session.plan().await?;
            if args.dry_run {
                return show(args, &id, &plan);
            }
            session.events.note(screen::repair::plan(&id, &plan));
            let question = format!(
                "Make {} the new etcd of {id}? What it does not know is lost.",
                plan.survivor
            );
            agree_to(args, &id, &question)?;
            Journal::new(jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string(), plan)
        }
    };
    let ended = tokio::select! {
        ended = session.go_on(&mut journal, &lock) => Some(ended),
        () = interrupted() => None,
    };
    ended.unwrap_or_else(|| {
        let step = journal.next().map_or_else(|| "the end".to_owned(), |step| step.doing());
        Err(stopped(&journal, &id, &step))
    })?;
    let report = screen::repair::Report::of(&id, &journal);
    if args.json {
        return terminal::print_json(&report);
    }
    terminal::print(&screen::repair::report(&report))
}

async fn give_up(session: &Session, journal: &mut Journal, id: &str, lock: &Lock) -> Result<()> {
    let ended = tokio::select! {
        ended = session.give_up(journal, lock) => Some(ended),
        () = interrupted() => None,
    };
    ended.unwrap_or_else(|| {
        let at = journal.next_undo().map_or_else(|| "the end".to_owned(), |undo| undo.doing());
        Err(stopped(journal, id, &at))
    })
}

/// What is left when somebody ends this command.
fn stopped(journal: &Journal, id: &str, at: &str) -> Error {
    Error::failed(format!("interrupted: repair {} of cluster {id} is at: {at}", journal.id))
        .hint(journal.ways_on(id))
}

/// Shows the plan on stdout.
fn show(args: &RepairEtcd, id: &str, plan: &RepairPlan) -> Result<()> {
    if args.json {
        terminal::print_json(plan)
    } else {
        terminal::print(&screen::repair::plan(id, plan))
    }
}

/// Fails unless the cluster's name is typed, or nobody is to be asked.
fn agree_to(args: &RepairEtcd, id: &str, question: &str) -> Result<()> {
    let given = args.yes.then_some(id);
    agree_by_name(given, id, question, "--yes confirms beforehand, --dry-run only shows the plan")
}
