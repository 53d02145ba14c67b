//! `pgha restore`: a plan first, then, when it is agreed to, its steps; and what came of them.

use std::time::Duration;

use pgha_core::restore::{
    Journal, LeaderFact, LogicalReplication, Phase, RestorePlan, Step, StepDone, Target,
    TargetError, TargetOptions, Undo,
};
use pgha_core::steps::StepJournal as _;
use pgha_core::topology::Topology;

use crate::agree;
use crate::cli::{Restore, RestoreTarget};
use crate::cluster::{self, Among, Cluster};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::interrupt::interrupted;
use crate::restore::Session;
use crate::restore::fresh::FRESH_ID;
use crate::screen::{self, restore::OldData};
use crate::steps::Lock;
use crate::terminal;

/// Carries out `pgha restore`.
pub(crate) async fn run(args: &Restore, events: &Events) -> Result<()> {
    let options = options(&args.target);
    let target = match Target::parse(&options) {
        Ok(target) => Some(target),
        Err(TargetError::Missing) if options.is_empty() => None,
        Err(error) => return Err(bad_target(&error)),
    };
    if args.from.from.is_some() {
        let target = target.ok_or_else(|| bad_target(&TargetError::Missing))?;
        return Box::pin(super::restore_from::run(args, &target, events)).await;
    }
    let engine = Engine::connect().await?;
    let cluster::Meant { cluster, guessed } =
        cluster::meant(cluster::find(&engine).await?, args.cluster.as_deref(), Among::Created)?;
    let session = Session::new(&engine, &cluster, events)?;
    demand_backup_host(&session, &cluster)?;
    let timeout = Duration::from_secs(args.wait.timeout);
    if let Some(name) = &args.into {
        let target = target.ok_or_else(|| bad_target(&TargetError::Missing))?;
        return Box::pin(beside(args, &session, name, &target, timeout)).await;
    }
    if let Some(name) = &args.node {
        let target = target.ok_or_else(|| bad_target(&TargetError::Missing))?;
        return look(args, &session, name, &target, timeout).await;
    }
    if args.dry_run {
        let target = target.ok_or_else(|| bad_target(&TargetError::Missing))?;
        let plan = session.plan(&cluster, &target, args.repo, args.discard_old).await?;
        return show(args, &cluster, &plan);
    }

    let lock = session.lock().await?;
    if let Some(change) = session.cluster().await?.change()? {
        let id = cluster.id.to_string();
        return Err(Error::failed(format!("the members of cluster {id} are being changed"))
            .because(change.told())
            .hint(format!("{}; then restore", change.ways_on(&id))));
    }
    let journal = session.journal().await?;
    if args.abort {
        let mut journal = journal.ok_or_else(|| {
            Error::bad_input(format!("cluster {} has no restore in progress", cluster.id))
                .hint("there is nothing to put back")
        })?;
        if guessed || journal.is_done(&Step::Lead) {
            let id = &cluster.id;
            let question =
                format!("Put the old data of {id} back? Writes since the restore will be lost.");
            agree(args, &question)?;
        }
        let ended = tokio::select! {
            ended = session.give_up(&mut journal, timeout, &lock) => Some(ended),
            () = interrupted() => None,
        };
        return ended.unwrap_or_else(|| {
            let at = journal.next_undo().map_or("the end", Undo::doing);
            Err(stopped_at(&format!("giving it up, at: {at}"), &journal, &cluster.id.to_string()))
        });
    }
    let mut journal = match journal {
        // Without old data there is no way back, only another target.
        Some(failed)
            if !failed.can_go_back()
                && target.as_ref().is_some_and(|t| {
                    *t != failed.plan.target
                        || args.repo.is_some_and(|r| r != failed.plan.repository)
                }) =>
        {
            let mut journal = begin(args, &session, &cluster, target).await?;
            journal.discard_old = true;
            journal.id = failed.id;
            let failed = failed.progress;
            journal.progress.begun = failed.begun;
            journal.progress.done =
                failed.done.into_iter().filter(|done| done.step <= Step::Aside).collect();
            journal
        }
        Some(journal) => {
            if guessed {
                agree(args, &format!("Go on with the restore of {}?", cluster.id))?;
            }
            let mut journal =
                go_on_with(args, &cluster, journal, target.as_ref(), &session.events)?;
            session.renew(&cluster, &mut journal).await?;
            journal
        }
        None => begin(args, &session, &cluster, target).await?,
    };
    finish(args, &session, &mut journal, timeout, &lock).await
}

/// Restores into a fresh cluster.
async fn beside(
    args: &Restore,
    source: &Session,
    name: &str,
    target: &Target,
    timeout: Duration,
) -> Result<()> {
    // The number is of no matter for the plan but in names.
    let instance = args.instance.unwrap_or(source.topology.id.instance);
    let topology = Topology::new(source.fresh_spec(name)?, instance);
    let leading = source.leading_if_it_answers().await;
    let planned = source.plan_into(&topology, target, args.repo, leading.as_ref()).await?;
    let title = format!("{} into {name}", source.topology.id);
    if args.dry_run && args.json {
        return terminal::print_json(&planned);
    }
    let text = screen::restore::plan(&title, &planned, OldData::OfAnother);
    if args.dry_run {
        return terminal::print(&text);
    }
    source.events.note(text);
    agree(args, &format!("make cluster {name} from it? {} stays as it is.", source.topology.id))?;
    let id = format!("{FRESH_ID}{}", new_id());
    let (file, number) = (args.output.clone(), args.instance);
    let made = source.make_beside(name, file, number, &id, planned.repository).await?;
    restore_made(args, made, planned, leading.as_ref(), id, timeout).await
}

/// Restores the fresh cluster from its copy of the repository.
pub(super) async fn restore_made(
    args: &Restore,
    (session, made): (Session, StepDone),
    planned: RestorePlan,
    leading: Option<&(LeaderFact, LogicalReplication)>,
    id: String,
    timeout: Duration,
) -> Result<()> {
    let lock = session.lock().await?;
    let mut journal = Journal {
        plan: session.plan_into(&session.topology, &planned.target, None, leading).await?,
        fresh: true,
        ..new_journal(args, planned, id)
    };
    journal.progress.done.push(made);
    finish(args, &session, &mut journal, timeout, &lock).await
}

/// Restores into one container.
async fn look(
    args: &Restore,
    session: &Session,
    name: &str,
    target: &Target,
    timeout: Duration,
) -> Result<()> {
    let leading = session.leading_if_it_answers().await;
    let plan = session.plan_into(&session.topology, target, args.repo, leading.as_ref()).await?;
    if args.dry_run && args.json {
        return terminal::print_json(&plan);
    }
    let title = format!("{} into one container", session.topology.id);
    let text = screen::restore::plan_of_one(&title, &plan);
    if args.dry_run {
        return terminal::print(&text);
    }
    session.events.note(text);
    agree(args, &format!("make it? {} stays as it is.", session.topology.id))?;
    let look = session.look(name, &plan, timeout).await?;
    if args.json {
        return terminal::print_json(&look);
    }
    terminal::print(&format!("docker exec -it -u postgres {} psql\n", look.container))
}

/// Carries out what is left of a restore, and reports.
async fn finish(
    args: &Restore,
    session: &Session,
    journal: &mut Journal,
    timeout: Duration,
    lock: &Lock,
) -> Result<()> {
    let ended = tokio::select! {
        ended = session.go_on(journal, timeout, lock) => Some(ended),
        () = interrupted() => None,
    };
    let id = session.topology.id.to_string();
    ended.unwrap_or_else(|| {
        let step = journal.next().unwrap_or(Step::Finish);
        Err(stopped_at(&format!("at step {step} ({})", step.doing()), journal, &id))
    })?;
    let report = screen::restore::Report::of(&session.topology.id.to_string(), journal);
    if args.json {
        return terminal::print_json(&report);
    }
    terminal::print(&screen::restore::report(&report))
}

/// What is left when somebody ends this command.
fn stopped_at(place: &str, journal: &Journal, id: &str) -> Error {
    Error::failed(format!("interrupted: restore {} of cluster {id} is {place}", journal.id))
        .hint(journal.ways_on(id))
}

fn options(target: &RestoreTarget) -> TargetOptions {
    TargetOptions {
        latest: target.latest,
        time: target.time.clone(),
        lsn: target.lsn.clone(),
        xid: target.xid.clone(),
        name: target.name.clone(),
        set: target.set.clone(),
        timeline: target.timeline,
        exclusive: target.exclusive,
    }
}

fn bad_target(error: &TargetError) -> Error {
    Error::bad_input(error.to_string()).hint(error.hint())
}

fn demand_backup_host(session: &Session, cluster: &Cluster) -> Result<()> {
    use pgha_core::status::ContainerState;
    let host = &session.topology.backup_host().name;
    match cluster.container(host) {
        Some(container) if container.state == ContainerState::Running => Ok(()),
        Some(_) => Err(Error::missing(format!("the backup host {host} does not run"))
            .because("it has the backups")
            .hint(format!(
                "`pgha start {}` starts the cluster, `docker start {host}` it alone",
                cluster.id
            ))),
        None => Err(Error::missing(format!("the backup host {host} is not there"))
            .because("it has the backups")
            .hint("`pgha up` in the folder of the compose file makes it again")),
    }
}

/// Shows the plan on stdout.
fn show(args: &Restore, cluster: &Cluster, plan: &RestorePlan) -> Result<()> {
    if args.json {
        return terminal::print_json(plan);
    }
    terminal::print(&screen::restore::plan(&cluster.id.to_string(), plan, fate(args)))
}

/// What becomes of the old data.
fn fate(args: &Restore) -> OldData {
    match (args.discard_old, args.keep_old) {
        (true, _) => OldData::Discarded,
        (_, true) => OldData::Kept,
        _ => OldData::UntilVerified,
    }
}

/// Takes up a restore that was interrupted.
fn go_on_with(
    args: &Restore,
    cluster: &Cluster,
    journal: Journal,
    target: Option<&Target>,
    events: &Events,
) -> Result<Journal> {
    let id = &cluster.id;
    let step = journal.next().map_or("the end", Step::as_str);
    if journal.progress.phase == Phase::Back {
        return Err(Error::failed(format!("a restore of cluster {id} is being given up"))
            .because(format!("to {}, begun as {}", journal.plan.target, journal.id))
            .hint(journal.ways_on(&id.to_string())));
    }
    let other_repository = args.repo.is_some_and(|repo| repo != journal.plan.repository);
    if other_repository || target.is_some_and(|target| *target != journal.plan.target) {
        return Err(Error::failed(format!("cluster {id} has another restore in progress"))
            .because(format!(
                "to {} from repository {}, begun as {}, at step {step}",
                journal.plan.target, journal.plan.repository, journal.id
            ))
            .hint(journal.ways_on(&id.to_string())));
    }
    let text = screen::restore::plan(&id.to_string(), &journal.plan, fate(args));
    events.note(text);
    events.note(format!("going on with restore {} at step {step}", journal.id));
    Ok(journal)
}

/// Plans, shows, asks, and begins.
async fn begin(
    args: &Restore,
    session: &Session,
    cluster: &Cluster,
    target: Option<Target>,
) -> Result<Journal> {
    let target = target.ok_or_else(|| bad_target(&TargetError::Missing))?;
    let plan = session.plan(cluster, &target, args.repo, args.discard_old).await?;
    session.events.note(screen::restore::plan(&cluster.id.to_string(), &plan, fate(args)));
    agree(args, &format!("restore cluster {}? It is down meanwhile.", cluster.id))?;
    Ok(new_journal(args, plan, new_id()))
}

/// The name of a restore that begins now.
pub(super) fn new_id() -> String {
    jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string()
}

fn new_journal(args: &Restore, plan: RestorePlan, id: String) -> Journal {
    Journal::new(id, plan, args.discard_old, args.keep_old)
}

/// Fails unless the user agrees, beforehand or now.
pub(super) fn agree(args: &Restore, question: &str) -> Result<()> {
    agree::agree(args.yes, question, "--yes confirms beforehand, --dry-run only shows the plan")
}
