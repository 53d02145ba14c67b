//! `pgha drill run`: on a cluster that is there, on one that is made for it, or on one for each value of a setting.

use std::path::{Path, PathBuf};

use pgha_core::drill::{Drill, Expectation, LESSONS, NotFor, Report, Step};
use pgha_core::dynamic::Dynamic;
use pgha_core::fault::On;
use pgha_core::spec::Spec;
use pgha_core::topology::Topology;
use pgha_core::words::list;
use serde::Serialize;

use super::{find, folder};
use crate::cli::ShapeArgs;
use crate::cli::drill::DrillRun;
use crate::cluster::{self, Among};
use crate::command::{spec_args, variants};
use crate::compose_tool::ComposeTool;
use crate::docker::Engine;
use crate::drill::fresh::{self, Fresh};
use crate::drill::{Course, Healthy, Pace};
use crate::error::{Error, Result};
use crate::events::Events;
use crate::fault::{self, Asked};
use crate::init_sql::InitSql;
use crate::interrupt::Interrupts;
use crate::{agree, alerts, screen, terminal};

/// The cluster file that is taken where the command line says nothing of a cluster.
const CLUSTER_FILE: &str = "cluster.toml";

/// What came of a drill.
struct Ran {
    report: Report,
    /// Why not all of it was done.
    ended: Option<Error>,
}

/// The same for one of the values that are compared, as `--json` has it.
#[derive(Serialize)]
struct Compared<'a> {
    value: &'a str,
    #[serde(flatten)]
    report: &'a Report,
}

/// Carries out `pgha drill run`.
pub(super) async fn run(args: &DrillRun, events: &Events) -> Result<()> {
    let drill = find(&args.drill)?;
    if args.step {
        agree::demand_terminal("--step")?;
    }
    if drill.alerts().next().is_some() && !args.dry_run {
        alerts::demand()?;
    }
    if args.own.fresh || !args.own.compare.is_empty() {
        return Box::pin(on_fresh(args, &drill, events)).await;
    }
    if args.own.shape != ShapeArgs::default() {
        return Err(Error::bad_input("the flags of a cluster are for one that is made")
            .hint("--fresh makes one for the drill; without them it runs on one that is there"));
    }
    Box::pin(on_existing(args, &drill, events)).await
}

async fn on_existing(args: &DrillRun, drill: &Drill, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let name = args.cluster.as_deref();
    let cluster = cluster::resolve(cluster::find(&engine).await?, name, Among::Created)?;
    let events = &events.of(&cluster.id);
    let course = Course { engine: &engine, id: &cluster.id, drill, events, pace: pace(args) };
    let healthy = course.healthy().await?;
    let seed = args.seed.unwrap_or_else(rand::random);
    if args.dry_run {
        let (begun, _) = on_cluster(drill, &healthy, seed)?;
        let plan = screen::drill::plan(drill, &begun, healthy.settings.timers());
        return terminal::print(&plan);
    }
    demand_agreed(args, &engine, drill, &healthy).await?;
    let ran = carry_out(args, &course, &healthy, (seed, ""), &mut Interrupts::listen()).await?;
    if args.json {
        terminal::print_json(&ran.report)?;
    }
    match ran.ended {
        Some(error) => Err(error),
        None => judged([(drill.name.as_str(), &ran.report)]),
    }
}

/// Fails unless it is agreed that a drill removes data of a cluster that was not made for one.
async fn demand_agreed(
    args: &DrillRun,
    engine: &Engine,
    drill: &Drill,
    healthy: &Healthy,
) -> Result<()> {
    let cluster = &healthy.cluster;
    if args.yes || cluster.drill.is_some() {
        return Ok(());
    }
    let mut stakes = Vec::new();
    for step in &drill.steps {
        if let Step::Inject { deed, targets } = step
            && deed.kind.on() == On::Volume
        {
            let asked = Asked { deed: *deed, targets: targets.clone(), for_: None };
            let stake = fault::at_stake(engine, cluster, &asked).await?;
            let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
            stakes.push(format!("{}, now {stake}", targets.join(" ")));
        }
    }
    stakes.extend(drill.replaces_data().map(|step| format!("`{step}` replaces all of it")));
    if stakes.is_empty() {
        return Ok(());
    }
    let question = format!(
        "{} removes or replaces data of cluster {}, which was not made for it: {}. This cannot be undone. Go on?",
        drill.name,
        cluster.id,
        stakes.join("; ")
    );
    agree::agree(
        false,
        &question,
        "--yes confirms beforehand, `pgha drill run --fresh` makes a cluster for it",
    )
}

/// Makes a cluster, or one for each value that is compared, runs the drill on it, and removes it whatever came of that.
async fn on_fresh(args: &DrillRun, drill: &Drill, events: &Events) -> Result<()> {
    let (spec, file) = asked(&args.own.shape, drill, Path::new(CLUSTER_FILE), events)?;
    let spec = fresh::own(spec, events);
    let compares = !args.own.compare.is_empty();
    let all = if compares {
        variants::of(&spec, &args.own.compare)?
    } else {
        vec![(String::new(), spec)]
    };
    let seed = args.seed.unwrap_or_else(rand::random);
    let mut plans = String::new();
    for (value, spec) in &all {
        spec_args::demand_possible(spec, events)?;
        let settings = Dynamic::of(spec);
        // What the drill is not for is no reason to make a cluster.
        let begun = begun(drill, &Topology::new(spec.clone(), 1), settings, seed);
        let (begun, _) = begun.map_err(|why| {
            Error::bad_input(format!("{} is not for such a cluster", called(drill, value)))
                .because(why)
                .hint("another -d, -c or --durability; `pgha drill show` prints what a drill needs")
        })?;
        plans += &screen::drill::plan(drill, &begun, settings.timers());
    }
    let init_sql = InitSql::read(&all[0].1, file.as_deref())?;
    if args.dry_run {
        return terminal::print(&plans);
    }
    let engine = Engine::connect().await?;
    ComposeTool::find()?;
    let (mut done, mut ended) = (Vec::new(), None);
    let mut interrupts = Interrupts::listen();
    for (value, spec) in all {
        if interrupts.any() {
            ended = Some(Error::failed("interrupted"));
            break;
        }
        let fresh = match Fresh::make(&engine, spec, init_sql.as_ref(), events).await {
            Ok(fresh) => fresh,
            Err(error) => {
                ended = Some(error);
                break;
            }
        };
        let course = Course {
            engine: &engine,
            id: &fresh.id().clone(),
            drill,
            events: &events.of(fresh.id()),
            pace: pace(args),
        };
        let ran = Box::pin(on(args, &course, (seed, &value), &mut interrupts)).await;
        let removed = fresh.remove(&engine, events).await.err();
        let failed = match ran {
            Ok(Ran { report, ended }) => {
                done.push((value, report));
                ended
            }
            Err(error) => Some(error),
        };
        ended = match (failed, removed) {
            (Some(failed), Some(removed)) => Some(failed.because(removed)),
            (failed, removed) => failed.or(removed),
        };
        if ended.is_some() {
            break;
        }
    }
    show(args, &done)?;
    match ended {
        Some(error) => Err(error),
        None => judged(done.iter().map(|(value, report)| (called(drill, value), report))),
    }
}

/// Does all runs on a cluster that has just become ready.
async fn on(
    args: &DrillRun,
    course: &Course<'_>,
    which: (u64, &str),
    interrupts: &mut Interrupts,
) -> Result<Ran> {
    let healthy = tokio::select! {
        healthy = course.settled() => healthy?,
        () = interrupts.next() => return Err(Error::failed("interrupted")),
    };
    carry_out(args, course, &healthy, which, interrupts).await
}

/// Who is waited for between its steps.
fn pace(args: &DrillRun) -> Pace {
    match (args.lesson, args.step) {
        (true, _) => Pace::Lesson,
        (false, true) => Pace::Steps,
        (false, false) => Pace::Alone,
    }
}

/// The drill, with the value that it is run with where several are compared.
fn called(drill: &Drill, value: &str) -> String {
    if value.is_empty() { drill.name.clone() } else { format!("{} with {value}", drill.name) }
}

/// Prints what is to be said of all clusters together.
fn show(args: &DrillRun, done: &[(String, Report)]) -> Result<()> {
    match (args.own.compare.is_empty(), args.json) {
        (true, true) => done.iter().try_for_each(|(_, report)| terminal::print_json(report)),
        (false, true) => {
            let all = done.iter().map(|(value, report)| Compared { value, report });
            terminal::print_json(&all.collect::<Vec<_>>())
        }
        (false, false) if !done.is_empty() => {
            terminal::print(&format!("\n{}", screen::compare::drills(done)))
        }
        (_, false) => Ok(()),
    }
}

/// The cluster that is asked for, and the file that says so. Where nothing is said of a cluster it is the one that the drill is
/// written for, or that of this folder.
fn asked(
    shape: &ShapeArgs,
    drill: &Drill,
    here: &Path,
    events: &Events,
) -> Result<(Spec, Option<PathBuf>)> {
    if let Some(spec) = drill.cluster.as_ref().filter(|_| *shape == ShapeArgs::default()) {
        return Ok((spec.clone(), None));
    }
    let mut shape = shape.clone();
    if shape == ShapeArgs::default() && here.is_file() {
        events.note(format!("the cluster is that of ./{}", here.display()));
        shape.file = Some(here.to_owned());
    }
    Ok((spec_args::shape(&shape)?, shape.file))
}

/// The report before the first run, and what is expected of each.
fn begun(
    drill: &Drill,
    topology: &Topology,
    settings: Dynamic,
    seed: u64,
) -> Result<(Report, Expectation), NotFor> {
    let expected = drill.expected_with(topology, settings)?;
    let cluster = topology.id.to_string();
    Ok((Report::begun(drill, cluster, seed, settings, expected), expected))
}

/// The same for a cluster that is there.
fn on_cluster(drill: &Drill, healthy: &Healthy, seed: u64) -> Result<(Report, Expectation)> {
    let topology = healthy.cluster.topology()?;
    begun(drill, topology, healthy.settings, seed).map_err(|why| {
        Error::missing(format!("{} is not for cluster {}", drill.name, topology.id))
            .because(why)
            .hint(if LESSONS.iter().any(|(lesson, _)| *lesson == drill.name) {
                format!("`pgha learn {}` makes a cluster that it is for", drill.name)
            } else {
                format!("`pgha drill list {}` lists those that are", topology.id)
            })
    })
}

/// Does all runs on a cluster, and keeps and shows what came of them; `value` is the one that is compared with others, or
/// nothing.
async fn carry_out(
    args: &DrillRun,
    course: &Course<'_>,
    healthy: &Healthy,
    (seed, value): (u64, &str),
    interrupts: &mut Interrupts,
) -> Result<Ran> {
    let drill = course.drill;
    let (begun, expected) = on_cluster(drill, healthy, seed)?;
    match (args.json, args.lesson) {
        // What is expected would be the answer.
        (_, true) => terminal::tell(&screen::learn::begin(drill, &course.id.to_string()))?,
        (false, false) => {
            terminal::print(&screen::drill::plan(drill, &begun, healthy.settings.timers()))?;
        }
        (true, false) => {}
    }
    let name =
        if value.is_empty() { drill.name.clone() } else { format!("{}-{value}", drill.name) };
    let kept = args.report_dir.as_deref().map(|dir| folder::new(dir, &name)).transpose()?;
    let conditions = folder::conditions(healthy.cluster.topology()?);
    let (mut runs, mut records, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    let mut ended = None;
    for number in 1..=args.runs {
        if interrupts.any() {
            ended = Some(Error::failed("interrupted"));
            break;
        }
        let title = format!("{} {number} of {}", called(drill, value), args.runs);
        match Box::pin(course.run(expected, seed.wrapping_add(number.into()), &title)).await {
            Ok(run) => {
                if let Some(kept) = &kept {
                    folder::keep_run(kept, number as usize, &run)?;
                }
                answers = run.answers;
                runs.push(run.report);
                records.push(run.record);
            }
            Err(error) => {
                ended = Some(error);
                break;
            }
        }
    }
    let report = begun.with_runs(runs);
    if let Some(kept) = &kept {
        folder::keep(kept, &report, &records, (drill, &args.drill), &conditions)?;
        let shown = kept.display();
        course.events.note(format!("{shown} has the report and what clients did"));
    }
    if !args.json && !report.runs.is_empty() {
        terminal::print(&screen::drill::report(&report))?;
    }
    if let Some(run) = report.runs.last().filter(|_| !args.json) {
        terminal::print(&screen::learn::answers(drill, &answers, run))?;
    }
    Ok(Ran { report, ended })
}

/// Fails where a drill is not as predicted.
fn judged<'a, N: Into<String>>(reports: impl IntoIterator<Item = (N, &'a Report)>) -> Result<()> {
    let reports = reports.into_iter().filter(|(_, report)| !report.passed);
    let failed: Vec<(String, &Report)> =
        reports.map(|(name, report)| (name.into(), report)).collect();
    let names: Vec<String> = failed.iter().map(|(name, _)| name.clone()).collect();
    let verb = match failed.len() {
        0 => return Ok(()),
        1 => "is",
        _ => "are",
    };
    let reasons = failed.iter().flat_map(|(_, report)| screen::drill::reasons(report));
    let reasons = reasons.collect::<Vec<_>>().join("\n");
    Err(Error::violated(format!("{} {verb} not as predicted", list(&names)))
        .because(reasons)
        .hint("docs/drills.md explains the verdict"))
}
