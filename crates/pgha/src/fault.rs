//! Injects faults into a running cluster, and takes them back.
//!
//! Whom a fault hits and what takes it back is decided in [`pgha_core::fault`]. One that lasts is written down before
//! it is done ([`Recorded`]), and is forgotten only once it is taken back and that was looked at.

mod guard;
mod inside;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use pgha_core::agent::Request as Ask;
use pgha_core::event::Event;
use pgha_core::fault::{
    Blow, Chosen, ClockNow, Deed, Delay, Injected, Kind, NoTarget, Offset, On, Target, Undo,
};
use pgha_core::safety;
use pgha_core::status::{ClusterView, ContainerState, Observed, RESTORE_UNFINISHED};
use pgha_core::topology::ClusterId;
use pgha_core::words::list;
use pgha_wan::control::{Direction, Request, WanState};
use pgha_wan::service::Service;
use pgha_wan::settings::{Cut, LinkChange};
use pgha_wan::units::whole_ms;
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, Recorded};
use crate::error::{Error, Result};
use crate::events::Events;
use crate::project::Project;
use crate::provider::{Provider, Thing, Up};
use crate::{observe, wan};

/// How long a fault may take to take hold, and to be over again.
const DEADLINE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);
/// How long somebody may be missing who is in the role that is to be hit.
const ROLE_DEADLINE: Duration = Duration::from_secs(5);

/// A fault that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// What is done.
    pub(crate) deed: Deed,
    /// To whom.
    pub(crate) targets: Vec<Target>,
    /// After which time it is taken back, whatever becomes of this command.
    pub(crate) for_: Option<Duration>,
}

/// Injects a fault and waits until it has taken hold; where several are meant `pick` says which of so many. Whom it has hit is in what is given back.
///
/// # Errors
/// When nobody is hit, or it does not take hold: then what was done of it is taken back.
pub(crate) async fn inject(
    provider: &impl Provider,
    cluster: &Cluster,
    asked: &Asked,
    pick: &mut (dyn FnMut(usize) -> usize + Send),
    events: &Events,
) -> Result<Injected> {
    let kind = asked.deed.kind;
    if asked.for_.is_some() && !kind.lasts() {
        return Err(Error::bad_input(format!(
            "{kind} is over at once, and --for is for what lasts"
        ))
        .hint("`pgha fault list` says which last"));
    }
    let (chosen, wan) = choose(provider, cluster, asked, pick).await?;
    let states: BTreeMap<&str, ContainerState> =
        cluster.containers.iter().map(|c| (c.name.as_str(), c.state)).collect();
    let mut fault = Injected::new(asked.deed, &chosen, cluster.topology()?, &states, wan.as_ref())
        .map_err(|why| {
            let id = &cluster.id;
            Error::missing(why.to_string()).hint(format!("see `pgha status {id}`"))
        })?;
    let now = Timestamp::now();
    fault.id = format!("{:08x}", rand::random::<u32>());
    fault.at = now.to_string();
    fault.until = asked.for_.and_then(|time| {
        now.checked_add(SignedDuration::try_from(time).ok()?).ok().map(|until| until.to_string())
    });
    if kind.on() == On::Volume {
        may_lose(provider, &cluster.id, &fault).await?;
    }
    let recorded = if kind.is_written_down() {
        Some(write_down(provider, cluster, fault.clone()).await?)
    } else {
        None
    };
    let done = async {
        // The router takes cuts back by itself; this forgets them, too.
        if let Some(time) = asked.for_ {
            guard::start(&cluster.id, &fault.id, time)?;
        }
        apply(provider, cluster, &fault, asked.for_).await
    };
    if let Err(error) = done.await {
        let Some(recorded) = recorded else { return Err(error) };
        return Err(match heal(provider, &cluster.id, &recorded).await {
            Ok(()) => error.because("What was done of it is taken back."),
            Err(_) => error.hint(format!("`pgha heal {}` takes back what was done", cluster.id)),
        });
    }
    if let Some(recorded) = recorded.filter(|_| !kind.lasts()) {
        forget(provider, &recorded).await?;
    }
    events.emit(Event::Fault {
        fault: asked.deed.to_string(),
        targets: fault.targets.clone(),
        undone_in_ms: asked.for_.map(whole_ms),
    });
    Ok(fault)
}

/// Whose data a fault that removes some would destroy now, and what is left of them: for a question.
///
/// # Errors
/// When nobody would be hit.
pub(crate) async fn at_stake(
    provider: &impl Provider,
    cluster: &Cluster,
    asked: &Asked,
) -> Result<String> {
    let mut one_of = 1;
    let mut first = |of: usize| {
        one_of = one_of.max(of);
        0
    };
    let (chosen, _) = choose(provider, cluster, asked, &mut first).await?;
    let (Chosen::Members(names) | Chosen::Sites(names)) = chosen;
    let remains = safety::Remains::without(&observe::view(provider, cluster).await?, &names);
    let whose = list(&names);
    Ok(if one_of > 1 {
        format!("the data of one of {one_of} members, such as {whose}; left then: {remains}")
    } else {
        format!("the data of {whose}; left then: {remains}")
    })
}

/// Who is hit, and how the links are where it is about links.
async fn choose(
    provider: &impl Provider,
    cluster: &Cluster,
    asked: &Asked,
    pick: &mut (dyn FnMut(usize) -> usize + Send),
) -> Result<(Chosen, Option<WanState>)> {
    let topology = cluster.topology()?;
    let named =
        |target: &Target| matches!(target, Target::Named(_) | Target::Any | Target::Repository);
    let by_name = asked.targets.iter().all(named);
    let began = Instant::now();
    let chosen = loop {
        let view = if by_name {
            // Names are found without asking anybody.
            ClusterView::new(topology, &Observed::default())
        } else {
            observe::view(provider, cluster).await?
        };
        let chosen = asked.deed.kind.choose(&asked.targets, topology, &view, pick);
        // For a moment nobody leads, or follows: after a crash, or while the one before is healed.
        let nobody = matches!(chosen, Err(NoTarget::Nobody(_)));
        if !nobody || began.elapsed() > ROLE_DEADLINE {
            break chosen;
        }
        sleep(POLL).await;
    };
    let chosen = chosen.map_err(|why| {
        Error::bad_input(why.to_string()).hint(format!(
            "targets are names, sites, or {}",
            Target::roles().collect::<Vec<_>>().join(", ")
        ))
    })?;
    let wan = match &chosen {
        Chosen::Sites(_) => Some(wan::request(provider, cluster, &Request::State).await?),
        Chosen::Members(_) => None,
    };
    Ok((chosen, wan))
}

/// Does it to all at once, and waits until it has taken hold.
async fn apply(
    provider: &impl Provider,
    cluster: &Cluster,
    fault: &Injected,
    for_: Option<Duration>,
) -> Result<()> {
    match fault.kind.on() {
        On::Containers => {
            let each = fault.targets.iter().map(async |name| match fault.kind {
                Kind::Kill => provider.kill(name).await,
                Kind::Stop => provider.stop(name).await,
                Kind::Pause => provider.pause(name).await,
                _ => provider.restart(name).await,
            });
            all(join_all(each).await)?;
            let held = |state: ContainerState| match fault.kind {
                Kind::Kill | Kind::Stop => state == ContainerState::Stopped,
                Kind::Pause => state == ContainerState::Paused,
                _ => state == ContainerState::Running,
            };
            until(provider, &cluster.id, &fault.targets, held).await
        }
        On::Processes(program, blow) => {
            let each =
                fault.targets.iter().map(|name| inside::signal(provider, name, program, blow));
            all(join_all(each).await)
        }
        On::Volume => lose(provider, &cluster.id, fault).await,
        On::Commits => {
            let each = fault.targets.iter().map(|name| inside::cancel_commits(provider, name));
            all(join_all(each).await)
        }
        On::Archive => {
            let each = fault.targets.iter().map(|name| inside::break_archive(provider, name));
            all(join_all(each).await)
        }
        On::Disk(ailment) => {
            let delay = fault.delay.unwrap_or(Delay::USUAL);
            let (request, what) = (Ask::Disk { ailment, delay }, format!("inject {}", fault.kind));
            let each =
                fault.targets.iter().map(|name| inside::ask(provider, name, &request, &what));
            all(join_all(each).await)
        }
        On::Clock(program) => {
            let offset = fault.offset.unwrap_or(Offset::USUAL);
            let request = Ask::Clock { program, offset };
            let what = format!("inject {}", fault.kind);
            let each =
                fault.targets.iter().map(|name| inside::ask(provider, name, &request, &what));
            all(join_all(each).await)
        }
        On::Site { .. } | On::TwoSites => {
            let for_ms = for_.map(|time| whole_ms(time).max(1));
            let (port, so) = (fault.port, fault.deed().cut());
            cut(provider, cluster, (&fault.links, port), so, for_ms).await
        }
    }
}

/// Writes a fault of a cluster down.
async fn write_down(
    provider: &impl Provider,
    cluster: &Cluster,
    fault: Injected,
) -> Result<Recorded> {
    let (recorded, labels) = Recorded::of(cluster, fault);
    provider.make_volume(&recorded.volume, &labels).await?;
    Ok(recorded)
}

/// Removes what was written down.
///
/// # Errors
/// When the engine does not.
pub(crate) async fn forget(provider: &impl Provider, recorded: &Recorded) -> Result<()> {
    provider.remove(Thing::Volume(&recorded.volume)).await
}

/// Takes a fault back, looks that it is, and forgets it. What is so already is left alone.
///
/// # Errors
/// When a part of it cannot be taken back; it stays written down then.
pub(crate) async fn heal(
    provider: &impl Provider,
    id: &ClusterId,
    recorded: &Recorded,
) -> Result<()> {
    let found = provider.clusters().await?.into_iter().find(|cluster| cluster.id == *id);
    let Some(cluster) = found else { return forget(provider, recorded).await };
    let each = recorded.fault.undo().into_iter().map(|undo| take_back(provider, &cluster, undo));
    all(join_all(each).await)?;
    forget(provider, recorded).await
}

/// How the clocks are now that a fault has put off, by member: a process that was started since has the machine's.
pub(crate) async fn clocks(
    provider: &impl Provider,
    cluster: &Cluster,
    fault: &Injected,
) -> BTreeMap<String, ClockNow> {
    let On::Clock(program) = fault.kind.on() else { return BTreeMap::new() };
    let each = fault.targets.iter().map(async |name| {
        let state = cluster.container(name).map(|container| container.state);
        let now = match state {
            Some(ContainerState::Running) => match inside::clock(provider, name, program).await {
                Ok(offset) => offset.map_or(ClockNow::Machine, ClockNow::Off),
                Err(_) => ClockNow::Unknown,
            },
            Some(ContainerState::Paused) => ClockNow::Unknown,
            _ => ClockNow::NotRunning,
        };
        (name.clone(), now)
    });
    join_all(each).await.into_iter().collect()
}

/// Takes back what was done to members, once all of them are started. Cuts stay: only who asks for links means links.
///
/// # Errors
/// As [`heal`].
pub(crate) async fn heal_members(provider: &impl Provider, id: &ClusterId) -> Result<()> {
    let found = provider.clusters().await?.into_iter().find(|cluster| cluster.id == *id);
    for recorded in found.iter().flat_map(|cluster| &cluster.faults) {
        if !recorded.fault.kind.on().is_links() {
            heal(provider, id, recorded).await?;
        }
    }
    Ok(())
}

async fn take_back(provider: &impl Provider, cluster: &Cluster, undo: Undo) -> Result<()> {
    let state = |name: &str| cluster.container(name).map_or(ContainerState::Missing, |c| c.state);
    let runs = |state| state == ContainerState::Running;
    match undo {
        Undo::Start(name) => {
            match state(&name) {
                // Somebody has removed it: there is nothing to start.
                ContainerState::Missing => return Ok(()),
                ContainerState::Paused => provider.unpause(&name).await?,
                ContainerState::Running => {}
                _ => provider.start(&name).await?,
            }
            until(provider, &cluster.id, &[name], runs).await
        }
        Undo::Make(name) => {
            if !runs(state(&name)) {
                let (project, _) = Project::of_cluster(cluster)?;
                provider.up(&project, Up::Alone(&name)).await?;
            }
            until(provider, &cluster.id, &[name], runs).await
        }
        Undo::Unpause(name) if state(&name) == ContainerState::Paused => {
            provider.unpause(&name).await?;
            until(provider, &cluster.id, &[name], runs).await
        }
        Undo::Thaw(name, program) if runs(state(&name)) => {
            inside::signal(provider, &name, program, Blow::Thaw).await
        }
        Undo::Archive(name) => {
            inside::mend(provider, cluster, &name, &Ask::Archive { broken: false }).await
        }
        Undo::Disk(name, ailment) => {
            inside::mend(provider, cluster, &name, &Ask::DiskHealed(ailment)).await
        }
        Undo::Clock(name, program) => {
            inside::mend(provider, cluster, &name, &Ask::ClockHealed(program)).await
        }
        // It was thawed, or is gone and its processes with it.
        Undo::Unpause(_) | Undo::Thaw(..) => Ok(()),
        Undo::Heal(links, port) => {
            let router = cluster.topology()?.router();
            // A router that starts again has forgotten every cut.
            if runs(state(&router)) {
                cut(provider, cluster, (&links, port), Cut::No, None).await
            } else {
                Ok(())
            }
        }
    }
}

/// Fails where other members do not have the data that these would lose. Data that another command is about to remove count as
/// removed.
async fn may_lose(provider: &impl Provider, id: &ClusterId, fault: &Injected) -> Result<Cluster> {
    let clusters = provider.clusters().await?;
    let cluster = clusters.into_iter().find(|cluster| cluster.id == *id);
    let cluster = cluster.ok_or_else(|| Error::missing(format!("there is no cluster {id}")))?;
    let view = observe::view(provider, &cluster).await?;
    let faults = cluster.faults.iter().map(|recorded| &recorded.fault);
    let others = faults.filter(|other| other.kind.on() == On::Volume && other.id != fault.id);
    let lost: Vec<&str> =
        others.chain([fault]).flat_map(|fault| &fault.targets).map(String::as_str).collect();
    let mut why: Vec<String> =
        safety::unsafe_to_lose(&view, &lost).iter().map(ToString::to_string).collect();
    why.extend(
        view.problems.iter().filter(|p| p.code == RESTORE_UNFINISHED).map(|p| p.message.clone()),
    );
    if why.is_empty() {
        return Ok(cluster);
    }
    Err(Error::missing(format!("the data of {} must not be lost now", list(&fault.targets)))
        .because(why.join("\n"))
        .hint(format!("nothing was touched; see `pgha status {id}`")))
}

/// Kills members, removes their containers and their data, and makes both again.
async fn lose(provider: &impl Provider, id: &ClusterId, fault: &Injected) -> Result<()> {
    // Once more, now that it is written down: of two commands at once each sees the other.
    let cluster = may_lose(provider, id, fault).await?;
    // Nothing is removed that could not be made again.
    let (project, _) = Project::of_cluster(&cluster)?;
    let topology = cluster.topology()?;
    let doomed = fault.targets.iter().map(|name| {
        let member = topology.member(name).filter(|member| Kind::VolumeLost.hits(member.role));
        // The volume of a member has its name; both are the cluster's by their labels.
        let container = cluster.container(name).filter(|container| {
            container.role.is_some_and(|role| Kind::VolumeLost.hits(role))
                && cluster.volumes.contains(name)
        });
        let found = member.and(container).map(|container| (name, container.id.as_str()));
        found.ok_or_else(|| Error::missing(format!("{name} has no volume to lose")))
    });
    let doomed = doomed.collect::<Result<Vec<_>>>()?;
    all(join_all(doomed.iter().map(|(_, container)| provider.kill(container))).await)?;
    let removed = doomed.iter().map(async |&(name, container)| {
        provider.remove(Thing::Container { container, volumes: true }).await?;
        provider.remove(Thing::Volume(name)).await
    });
    all(join_all(removed).await)?;
    for name in &fault.targets {
        provider.up(&project, Up::Alone(name)).await?;
    }
    until(provider, id, &fault.targets, |state| state == ContainerState::Running).await
}

async fn cut(
    provider: &impl Provider,
    cluster: &Cluster,
    (links, port): (&[Direction], Option<Service>),
    cut: Cut,
    for_ms: Option<u64>,
) -> Result<()> {
    let change = LinkChange::cutting(port, cut);
    let request = Request::Change { links: links.to_vec(), change, for_ms };
    let after = wan::request(provider, cluster, &request).await?;
    let differs = |link: &&Direction| {
        let same = after.links.iter().find(|l| l.from == link.from && l.to == link.to);
        same.is_some_and(|same| same.settings.cuts(port) != cut)
    };
    match links.iter().find(differs) {
        None => Ok(()),
        Some(link) => Err(Error::failed(format!(
            "the link from {} to {} is {}",
            link.from,
            link.to,
            if cut.is_asked() { "not cut" } else { "still cut" }
        ))),
    }
}

/// Waits until containers are in a state.
async fn until(
    provider: &impl Provider,
    id: &ClusterId,
    members: &[String],
    so: impl Fn(ContainerState) -> bool,
) -> Result<()> {
    let began = Instant::now();
    loop {
        let clusters = provider.clusters().await?;
        let cluster = clusters.iter().find(|cluster| cluster.id == *id);
        let state = |name: &str| {
            let container = cluster.and_then(|cluster| cluster.container(name));
            container.map_or(ContainerState::Missing, |container| container.state)
        };
        let Some(other) = members.iter().find(|name| !so(state(name))) else { return Ok(()) };
        if began.elapsed() > DEADLINE {
            let state = state(other).as_str();
            return Err(Error::deadline(format!("{other} is {state}"))
                .because(format!("looked for {} s", DEADLINE.as_secs())));
        }
        sleep(POLL).await;
    }
}

/// The first failure, with all others as reasons.
fn all(done: Vec<Result<()>>) -> Result<()> {
    let mut failed = done.into_iter().filter_map(Result::err);
    let Some(first) = failed.next() else { return Ok(()) };
    Err(failed.fold(first, |first, other| first.because(other.reason())))
}
