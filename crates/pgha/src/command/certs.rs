//! `pgha certs`: what certificates there are, and new ones for every member.

use std::time::Instant;

use jiff::Timestamp;
use pgha_core::certs::Step;
use pgha_core::steps::{Step as _, StepDone, StepJournal as _};
use pgha_wan::units::whole_ms;
use serde::Serialize;

use crate::agree::agree;
use crate::certs::{Rotation, told};
use crate::cli::certs::{Certs, CertsVerb, RotateCerts, ShowCerts};
use crate::cluster::{self, Among, Meant};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::{screen, terminal};

/// What `certs rotate --json` prints.
#[derive(Debug, Serialize)]
struct Done {
    cluster: String,
    /// There is a new CA, too.
    ca: bool,
    /// Days until the new ones expire; `null` where they do not.
    days: Option<u32>,
    /// What is left to do; nothing without --dry-run.
    to_do: Vec<String>,
    steps: Vec<StepDone<Step>>,
    /// Members that do not run, and find theirs when they start.
    at_their_start: Vec<String>,
    /// An interrupted command was gone on with.
    resumed: bool,
    dry_run: bool,
    took_ms: Option<u64>,
}

/// Carries out `pgha certs`.
pub(crate) async fn run(args: &Certs, events: &Events) -> Result<()> {
    match &args.verb {
        CertsVerb::Show(args) => show(args, events).await,
        CertsVerb::Rotate(args) => rotate(args, events).await,
    }
}

async fn show(args: &ShowCerts, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let found = cluster::find(&engine).await?;
    let cluster = cluster::resolve(found, args.cluster.as_deref(), Among::Created)?;
    let report = Rotation::new(&engine, &cluster, events)?.look(Timestamp::now()).await?;
    if args.json {
        return terminal::print_json(&report);
    }
    let (all, rotation) = (&report.certificates, report.rotation.as_deref());
    terminal::print(&screen::certs::draw(all, &report.problems, rotation))
}

async fn rotate(args: &RotateCerts, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let found = cluster::find(&engine).await?;
    let Meant { cluster, guessed } =
        cluster::meant(found, args.cluster.as_deref(), Among::Created)?;
    let id = &cluster.id;
    let rotation = Rotation::new(&engine, &cluster, events)?;
    // Nobody else begins one between the plan and its first step.
    let lock = if args.dry_run { None } else { Some(rotation.lock().await?) };
    let plan = rotation.plan(args.ca, args.days).await?;
    let mut journal = plan.journal;
    let to_do = journal.steps().into_iter().filter(|step| !journal.is_done(step));
    let to_do: Vec<String> = to_do.map(|step| step.word()).collect();
    for (n, step) in (1..).zip(&to_do) {
        rotation.events.note(format!("{n}. {step}"));
    }
    let mut done = Done {
        cluster: id.to_string(),
        ca: journal.ca,
        days: journal.days,
        to_do,
        steps: journal.progress.done.clone(),
        at_their_start: plan.at_their_start,
        resumed: plan.resumed,
        dry_run: args.dry_run,
        took_ms: None,
    };
    let Some(lock) = lock else {
        return if args.json { terminal::print_json(&done) } else { Ok(()) };
    };
    if guessed {
        let question = format!("New certificates in cluster {id}, the only one on this engine?");
        agree(false, &question, &format!("name it: `pgha certs rotate {id}`"))?;
    }
    if plan.resumed {
        rotation.events.note(format!("going on: {}", told(&journal)));
    }
    let began = Instant::now();
    let ended = tokio::select! {
        ended = rotation.go_on(&mut journal, &lock) => Some(ended),
        () = crate::interrupt::interrupted() => None,
    };
    ended.unwrap_or_else(|| {
        let what = format!("interrupted: {}, in cluster {id}", told(&journal));
        Err(Error::failed(what).hint(journal.ways_on(&id.to_string())))
    })?;
    for member in &done.at_their_start {
        rotation
            .events
            .note(format!("{member} does not run, and finds its certificate when it starts"));
    }
    (done.to_do, done.steps) = (Vec::new(), journal.progress.done);
    done.took_ms = Some(whole_ms(began.elapsed()));
    if args.json {
        return terminal::print_json(&done);
    }
    let seconds = began.elapsed().as_secs_f64();
    let what = if done.ca { "a new CA and new certificates" } else { "new certificates" };
    terminal::print(&format!("{id}: {what} in {seconds:.1} s\n"))
}
