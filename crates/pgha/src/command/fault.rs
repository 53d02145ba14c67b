//! `pgha fault`, `pgha heal`, `pgha kill` and `pgha pause-container`: what goes wrong, by hand.

pub(super) mod whom;

use pgha_core::fault::{DUTY, Deed, Injected, Kind, On, Target};
use pgha_core::words::list;
use pgha_wan::settings::Flap;
use pgha_wan::units::format_duration;
use rand::RngExt as _;
use tokio::time::sleep;

use crate::agree::agree;
use crate::cli::fault::{Fault, FaultList, FaultShow, FaultVerb, Heal, Inject, Struck};
use crate::cluster::{self, Among, Cluster};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::fault::{self, Asked};
use crate::{screen, terminal};

/// Carries out `pgha fault`.
pub(crate) async fn run(args: &Fault, events: &Events) -> Result<()> {
    match &args.verb {
        FaultVerb::List(args) => kinds(args),
        FaultVerb::Inject(args) => inject(args, events).await,
        FaultVerb::Show(args) => show(args).await,
    }
}

/// Carries out `pgha kill` and `pgha pause-container`.
pub(crate) async fn strike(args: &Struck, kind: Kind, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let command = if kind == Kind::Kill { "kill" } else { "pause-container" };
    let (cluster, targets) = whom::of(cluster::find(&engine).await?, &args.targets, command)?;
    let asked = Asked { deed: kind.into(), targets: whom::read(targets), for_: None };
    carry_out(&engine, &cluster, &asked, events).await
}

fn kinds(args: &FaultList) -> Result<()> {
    if args.json {
        return terminal::print_json(&screen::fault::document());
    }
    terminal::print(&screen::fault::kinds())
}

async fn inject(args: &Inject, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let clusters = cluster::find(&engine).await?;
    let (name, rest) = whom::apart(&whom::ids(&clusters), &args.words);
    // A cluster may be called as a kind is.
    let (name, words) = match (args.words[0].parse::<Kind>(), rest[0].parse::<Kind>()) {
        (Ok(_), Err(_)) => (None, args.words.as_slice()),
        _ => (name, rest),
    };
    let kind = words[0].parse::<Kind>().map_err(|unknown| {
        Error::bad_input(unknown.to_string()).hint("`pgha fault list` explains the kinds")
    })?;
    let flap = args.flap.map(|period| Flap::new(period, args.duty.unwrap_or(DUTY))).transpose();
    let flap = flap.map_err(|bad| {
        Error::bad_input(bad.to_string()).hint("--flap 10s --duty 40% blocks 4 s of each 10 s")
    })?;
    let deed = Deed::new(kind, args.port, flap, args.delay, args.offset).map_err(|bad| {
        Error::bad_input(bad.to_string()).hint("`pgha fault list` explains the kinds")
    })?;
    if words.len() < 2 {
        return Err(Error::bad_input(format!("{kind} wants a target"))
            .hint(format!("`pgha fault inject {} leader`", args.words.join(" "))));
    }
    let targets: Vec<String> =
        name.map(str::to_owned).into_iter().chain(words[1..].to_vec()).collect();
    let (cluster, targets) = whom::of(clusters, &targets, &format!("fault inject {kind}"))?;
    let asked = Asked { deed, targets: whom::read(targets), for_: args.for_ };
    if kind.on() == On::Volume && !args.yes {
        let (id, stake) = (&cluster.id, fault::at_stake(&engine, &cluster, &asked).await?);
        let question = format!("Remove from cluster {id} {stake}. This cannot be undone. Go on?");
        agree(false, &question, "--yes confirms beforehand")?;
    }
    carry_out(&engine, &cluster, &asked, events).await
}

async fn carry_out(
    engine: &Engine,
    cluster: &Cluster,
    asked: &Asked,
    events: &Events,
) -> Result<()> {
    let (id, events) = (&cluster.id, events.of(&cluster.id));
    let mut pick = |of: usize| rand::rng().random_range(0..of);
    let done = fault::inject(engine, cluster, asked, &mut pick, &events).await?;
    if let Some(left) = left_alone(&asked.targets, &done) {
        events.note(left);
    }
    let end = match asked.for_ {
        Some(time) => {
            format!("taken back in {}; `pgha heal {id}` does it now", format_duration(time))
        }
        None if done.kind.lasts() => format!("`pgha heal {id}` takes it back"),
        None => "it is over by itself".to_owned(),
    };
    events.note(format!("{}: {}; {end}", done.deed(), list(&done.targets)));
    Ok(())
}

/// Members that were named and could not be hit.
fn left_alone(asked: &[Target], done: &Injected) -> Option<String> {
    let named = asked.iter().filter_map(|target| match target {
        Target::Named(name) => Some(name),
        _ => None,
    });
    let hit = |name: &&String| {
        done.targets
            .iter()
            .any(|target| target.to_ascii_lowercase().contains(&name.to_ascii_lowercase()))
    };
    let missed: Vec<String> = named.filter(|name| !hit(name)).cloned().collect();
    (!missed.is_empty()).then(|| format!("left alone, since it does not run: {}", list(&missed)))
}

async fn show(args: &FaultShow) -> Result<()> {
    let engine = Engine::connect().await?;
    let name = args.cluster.as_deref();
    let cluster = cluster::resolve(cluster::find(&engine).await?, name, Among::Created)?;
    let mut faults = Vec::new();
    for recorded in &cluster.faults {
        let fault = &recorded.fault;
        let clocks = fault::clocks(&engine, &cluster, fault).await;
        faults.push(screen::fault::Shown { fault, clocks });
    }
    if args.json {
        terminal::print_json(&faults)
    } else {
        terminal::print(&screen::fault::injected(&faults))
    }
}

/// Carries out `pgha heal`.
pub(crate) async fn heal(args: &Heal, events: &Events) -> Result<()> {
    if let Some(time) = args.after {
        sleep(time).await;
    }
    let engine = Engine::connect().await?;
    let name = args.cluster.as_deref();
    let cluster = cluster::resolve(cluster::find(&engine).await?, name, Among::Created)?;
    let (id, events) = (&cluster.id, events.of(&cluster.id));
    let meant = |id: &str| args.fault.as_deref().is_none_or(|only| only == id);
    let faults: Vec<_> = cluster.faults.iter().filter(|f| meant(&f.fault.id)).collect();
    if let (Some(only), []) = (&args.fault, faults.as_slice()) {
        return Err(Error::bad_input(format!("cluster {id} has no fault {only}"))
            .hint(format!("`pgha fault show {id}` lists them")));
    }
    if faults.is_empty() {
        events.note(format!("cluster {id} has no fault"));
    }
    let work = events.begin(format!("heal {id}"));
    let mut failed = None;
    // The newest first, as they lie upon each other.
    for recorded in faults.into_iter().rev() {
        let title = recorded.fault.title();
        work.at(&title, "");
        let before = fault::clocks(&engine, &cluster, &recorded.fault).await;
        match fault::heal(&engine, id, recorded).await {
            Ok(()) => {
                events.emit(pgha_core::event::Event::Fault {
                    fault: "heal".to_owned(),
                    targets: recorded.fault.targets.clone(),
                    undone_in_ms: None,
                });
                let shown = screen::fault::Shown { fault: &recorded.fault, clocks: before };
                shown.remarks().into_iter().for_each(|remark| events.note(remark));
                events.note(format!("{title} is taken back"));
            }
            Err(error) => failed = Some(failed.map_or(error, |first: Error| first)),
        }
    }
    failed.map_or(Ok(()), |error| {
        Err(error.also_hint(&format!("`pgha heal {id}` again takes back what is left")))
    })
}
