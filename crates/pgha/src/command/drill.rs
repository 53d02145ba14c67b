//! `pgha drill`: what goes wrong under load, predicted, done and compared.

mod check;
pub(in crate::command) mod folder;
mod run;

use std::fs;
use std::path::Path;

use pgha_core::drill::{self, BadDrill, CATALOGUE, Drill};

use crate::cli::drill::{self as cli, DrillList, DrillNew, DrillRun, DrillShow, DrillVerb};
use crate::cluster::{self, Among};
use crate::docker::Engine;
use crate::error::{Error, OrFail as _, Result};
use crate::events::Events;
use crate::{screen, terminal};

/// Carries out `pgha drill`.
pub(crate) async fn run(args: &cli::Drill, events: &Events) -> Result<()> {
    match &args.verb {
        DrillVerb::List(args) => list(args).await,
        DrillVerb::Show(args) => show(args),
        DrillVerb::Run(args) => carry_out(args, events).await,
        DrillVerb::Check(args) => check::check(args),
        DrillVerb::SelfTest(args) => check::self_test(args),
        DrillVerb::New(args) => new(args, events),
    }
}

/// Runs a drill or a lesson.
pub(super) async fn carry_out(args: &DrillRun, events: &Events) -> Result<()> {
    Box::pin(run::run(args, events)).await
}

/// Every drill of the catalogue.
fn all() -> Vec<Drill> {
    CATALOGUE.iter().filter_map(|(name, _)| drill::by_name(name)).collect()
}

async fn list(args: &DrillList) -> Result<()> {
    let drills = all();
    let there = match &args.cluster {
        None => None,
        Some(name) => {
            let engine = Engine::connect().await?;
            let found = cluster::find(&engine).await?;
            let cluster = cluster::resolve(found, Some(name), Among::Created)?;
            let topology = cluster.topology()?.clone();
            Some(topology)
        }
    };
    let rows = screen::drill::rows(&drills, there.as_ref());
    if args.json {
        terminal::print_json(&rows)
    } else {
        terminal::print(&screen::drill::list(&rows))
    }
}

fn show(args: &DrillShow) -> Result<()> {
    match drill::text_of(&args.drill) {
        Some(text) => terminal::print(text),
        None => Err(unknown(&args.drill)),
    }
}

fn unknown(name: &str) -> Error {
    Error::bad_input(format!("there is no drill `{name}`"))
        .hint("`pgha drill list` and `pgha learn` list them; a file of your own has a path, such as ./mine.toml")
}

fn new(args: &DrillNew, events: &Events) -> Result<()> {
    let shown = args.file.display();
    if args.file.exists() {
        return Err(Error::bad_input(format!("{shown} is there already")).hint("give another name"));
    }
    fs::write(&args.file, drill::TEMPLATE).or_fail(format!("cannot write {shown}"))?;
    events.note(format!("{shown} is written; `pgha drill run {shown} --dry-run` checks it"));
    Ok(())
}

/// The drill of that name, or in that file.
fn find(given: &str) -> Result<Drill> {
    if let Some(drill) = drill::by_name(given) {
        return Ok(drill);
    }
    let path = Path::new(given);
    if !path.exists() {
        return Err(unknown(given));
    }
    let text = fs::read_to_string(path).or_fail(format!("cannot read {given}"))?;
    let name =
        path.file_stem().map_or_else(|| given.to_owned(), |n| n.to_string_lossy().into_owned());
    Drill::parse(&name, &text).map_err(|why: BadDrill| {
        Error::bad_input(format!("{given} is no drill"))
            .because(why)
            .hint("`pgha drill new FILE` writes one that is, `pgha fault list` has all faults")
    })
}
