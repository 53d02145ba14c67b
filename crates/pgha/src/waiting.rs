//! Waiting for a cluster: what each member still waits for, shown as it changes, until none does.

use std::collections::BTreeMap;
use std::time::Duration;

use pgha_core::event::Event;
use pgha_core::ready::{self, Waiting};
use pgha_core::status::{
    ClusterView, ContainerState, DATABASE_IN_REPOSITORY, MemberView, NOT_CHECKED, Problem,
    SET_UP_FAILED, SET_UP_HINT,
};
use pgha_core::topology::ClusterId;
use pgha_wan::units::whole_ms;
use tokio::time::Instant;

use crate::cluster::{self, Among};
use crate::error::{Error, Result};
use crate::events::Events;
use crate::observe::Watch;
use crate::provider::Provider;

/// Time between two looks at the latest reports.
const POLL: Duration = Duration::from_millis(200);
/// How long a container may fail and be started again before it is taken for broken.
const BROKEN_AFTER: Duration = Duration::from_secs(15);
/// How long a Postgres may end before it is up: three of Patroni's attempts, with the usual timers.
const FAILED_AFTER: Duration = Duration::from_secs(30);

/// How long a cluster may take until it is ready again after something was done to it: clones of all replicas, on a slow host.
const WHOLE_DEADLINE: Duration = Duration::from_secs(300);

/// A cluster that is ready.
#[derive(Debug)]
pub(crate) struct Ready {
    /// How it looks.
    pub(crate) view: ClusterView,
    /// What took longest: the member, what it waited for, and how long.
    pub(crate) slowest: Option<(Waiting, Duration)>,
}

/// Who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiter {
    /// Somebody who wants to use the cluster: a restore that is not finished is the end of that.
    User,
    /// The restore itself.
    Restore,
}

/// A wait that came to nothing.
#[derive(Debug)]
pub(crate) struct GivenUp {
    /// What to say.
    pub(crate) error: Error,
    /// Members to blame, the first one most.
    pub(crate) guilty: Vec<String>,
    /// What was begun is what the user goes on from.
    pub(crate) to_go_on: bool,
}

impl GivenUp {
    /// For this reason, and nobody is to blame.
    pub(crate) fn because(error: Error) -> Self {
        Self { error, guilty: Vec::new(), to_go_on: false }
    }
}

/// Waits, for some minutes at most, until a cluster that was ready is so again: every node streams, and the durability is met.
///
/// # Errors
/// When it is not in time, or will not be.
pub(crate) async fn until_whole(
    provider: &impl Provider,
    id: &ClusterId,
    events: &Events,
) -> Result<ClusterView> {
    let ready = until_ready(provider, id, WHOLE_DEADLINE, Waiter::User, events).await;
    ready.map(|ready| ready.view).map_err(|given_up| given_up.error)
}

/// Waits until the cluster is ready.
pub(crate) async fn until_ready(
    provider: &impl Provider,
    id: &ClusterId,
    timeout: Duration,
    waiter: Waiter,
    events: &Events,
) -> Result<Ready, GivenUp> {
    until(provider, id, timeout, (waiter, None), events).await
}

/// Waits until these members of a cluster are ready, however the others are.
pub(crate) async fn until_members(
    provider: &impl Provider,
    id: &ClusterId,
    members: &[String],
    timeout: Duration,
    events: &Events,
) -> Result<Ready, GivenUp> {
    until(provider, id, timeout, (Waiter::User, Some(members)), events).await
}

/// Waits for all members, or for these alone.
async fn until(
    provider: &impl Provider,
    id: &ClusterId,
    timeout: Duration,
    (waiter, only): (Waiter, Option<&[String]>),
    events: &Events,
) -> Result<Ready, GivenUp> {
    let meant = |name: &String| only.is_none_or(|members| members.contains(name));
    let started = Instant::now();
    let (mut waits, mut last) = (Waits::default(), None);
    let mut watch = Watch::default();
    let mut broken: BTreeMap<String, Instant> = BTreeMap::new();
    let give_up =
        |error: Error, guilty: Vec<String>| Err(GivenUp { guilty, ..GivenUp::because(error) });
    loop {
        let view = match look(provider, id, &mut watch).await {
            Ok(view) => view,
            Err(error) => return give_up(error, Vec::new()),
        };
        if waiter == Waiter::User
            && let Some(problem) = ready::hopeless(&view)
        {
            let error = Error::failed(format!("cluster {id} is not ready"));
            // What becomes of the attempt is for the caller to say.
            let hint = if problem.code == SET_UP_FAILED { SET_UP_HINT } else { &problem.hint };
            let error = error.because(&problem.message).hint(hint);
            let to_go_on = problem.code == DATABASE_IN_REPOSITORY;
            let waiting = ready::awaiting(&view).into_iter().map(|waiting| waiting.member);
            let guilty = problem.about.iter().cloned().chain(waiting).collect();
            return Err(GivenUp { error, guilty, to_go_on });
        }
        let mut waiting = ready::awaiting(&view);
        waiting.retain(|waiting| meant(&waiting.member));
        if let Some(event) = changed(&view, &mut last) {
            events.emit(event);
        }
        waits.take(&waiting, Instant::now(), events);
        if waiting.is_empty() {
            return Ok(Ready { view, slowest: waits.slowest() });
        }

        let cut = ready::cut_off(&view);
        waits.warn(cut, events);

        let now = Instant::now();
        // Each new start of a broken member looks well for a moment: only readiness clears it.
        broken.retain(|name, _| waiting.iter().any(|w| w.member == *name));
        for member in view.members.iter().filter(|m| meant(&m.name) && failing(&view, &m.name)) {
            let since = *broken.entry(member.name.clone()).or_insert(now);
            let patience = if member.failure.is_some() { FAILED_AFTER } else { BROKEN_AFTER };
            if now - since > patience {
                let error = match &member.failure {
                    Some(failure) => {
                        Error::failed(format!("{}: start failed", member.name)).because(failure)
                    }
                    None => Error::failed(format!("{} does not stay up", member.name)),
                };
                return give_up(error, vec![member.name.clone()]);
            }
        }
        if started.elapsed() > timeout {
            let what = format!("cluster {id} is not ready after {} s", timeout.as_secs());
            let behind: Vec<_> = waiting.iter().map(ToString::to_string).collect();
            let guilty = waiting.into_iter().map(|w| w.member).collect();
            let error = Error::deadline(what).because(behind.join("\n"));
            let error = match cut {
                Some(cut) => error.because(&cut.message).hint(&cut.hint),
                None => error,
            };
            return give_up(error, guilty);
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn look(provider: &impl Provider, id: &ClusterId, watch: &mut Watch) -> Result<ClusterView> {
    let found =
        cluster::resolve(provider.clusters().await?, Some(&id.to_string()), Among::Created)?;
    watch.view(provider, &found).await
}

fn failing(view: &ClusterView, name: &str) -> bool {
    view.member(name).is_some_and(|m| {
        matches!(m.container_state, ContainerState::Restarting | ContainerState::Stopped)
            || m.failure.is_some()
    })
}

/// What each member waits for, and since when; changes are reported.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    now: BTreeMap<String, (String, Instant)>,
    past: Vec<(Waiting, Duration)>,
    /// What was warned of last.
    warned: Option<String>,
}

impl Waits {
    /// Says what no waiting mends, once.
    fn warn(&mut self, problem: Option<&Problem>, events: &Events) {
        let Some(problem) = problem else { return };
        if self.warned.as_ref() != Some(&problem.message) {
            self.warned = Some(problem.message.clone());
            events.emit(problem.into());
        }
    }

    /// Takes what is waited for now.
    pub(crate) fn take(&mut self, waiting: &[Waiting], now: Instant, events: &Events) {
        let still = |member: &str, phrase: &str| {
            waiting.iter().any(|w| w.member == member && w.phrase == phrase)
        };
        let (stays, over): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.now)
            .into_iter()
            .partition(|(member, (phrase, _))| still(member, phrase));
        self.now = stays;
        for (member, (phrase, since)) in over {
            let took = now - since;
            let took_ms = whole_ms(took);
            let (name, what) = (member.clone(), phrase.clone());
            events.emit(Event::WaitOver { member: name, phrase: what, took_ms });
            self.past.push((Waiting { member, phrase }, took));
        }
        for new in waiting {
            if !self.now.contains_key(&new.member) {
                events.emit(new.into());
                self.now.insert(new.member.clone(), (new.phrase.clone(), now));
            }
        }
    }

    fn slowest(&self) -> Option<(Waiting, Duration)> {
        let known = self.past.iter().filter(|(past, _)| !past.phrase.ends_with(NOT_CHECKED));
        known.max_by_key(|(_, took)| *took).cloned()
    }
}

/// What a look at a cluster is reported by: it is, where it differs from the one before.
fn changed(view: &ClusterView, last: &mut Option<Event>) -> Option<Event> {
    let streams = |member: &&MemberView| member.state.as_deref() == Some("streaming");
    let streaming = view.members.iter().filter(streams).map(|member| member.name.clone());
    let event = Event::ViewChanged {
        leader: view.leader.clone(),
        streaming: streaming.collect(),
        problems: view.problems.iter().map(|problem| problem.code.clone()).collect(),
    };
    let differs = last.as_ref() != Some(&event);
    *last = Some(event.clone());
    differs.then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::tests::Kept;

    #[test]
    fn a_wait_is_reported_when_it_begins_changes_and_ends() {
        let (events, kept) = Kept::stream();
        let begin = Instant::now();
        let mut waits = Waits::default();
        let mut at = |second: u64, waiting: &[(&str, &str)]| {
            let waiting: Vec<_> = waiting
                .iter()
                .map(|(m, p)| Waiting { member: (*m).into(), phrase: (*p).into() })
                .collect();
            waits.take(&waiting, begin + Duration::from_secs(second), &events);
        };
        at(0, &[("a", "starting"), ("b", "starting")]);
        at(1, &[("a", "starting"), ("b", "starting")]);
        at(2, &[("a", "cloning")]);
        at(5, &[]);
        let told: Vec<_> = kept
            .events()
            .iter()
            .map(|event| match event {
                Event::Waiting { member, phrase } => format!("{member} {phrase}"),
                Event::WaitOver { member, phrase, took_ms } => {
                    format!("{member} {phrase}: {took_ms}")
                }
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(
            told,
            [
                "a starting",
                "b starting",
                "a starting: 2000",
                "b starting: 2000",
                "a cloning",
                "a cloning: 3000"
            ]
        );
        let slowest = waits.slowest().map(|(waiting, took)| (waiting.to_string(), took.as_secs()));
        assert_eq!(slowest, Some(("a: cloning".to_owned(), 3)));
    }
}
