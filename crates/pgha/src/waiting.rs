//! Waiting for a cluster: what each member still waits for, shown as it changes, until none does.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pgha_core::ready::{self, Waiting};
use pgha_core::status::{ClusterView, ContainerState, DATABASE_IN_REPOSITORY, Problem};
use pgha_core::topology::ClusterId;

use crate::cluster::{self, Among};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::observe::Watch;

/// Time between two looks at the latest reports.
const POLL: Duration = Duration::from_millis(200);
/// How long a container may fail and be started again before it is taken for broken.
const BROKEN_AFTER: Duration = Duration::from_secs(15);
/// How long a Postgres may end before it is up: three of Patroni's attempts, with the usual timers.
const FAILED_AFTER: Duration = Duration::from_secs(30);

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
    /// The restore itself, which has a line of its own on a terminal.
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

/// Waits until the cluster is ready.
pub(crate) async fn until_ready(
    engine: &Engine,
    id: &ClusterId,
    timeout: Duration,
    waiter: Waiter,
) -> Result<Ready, GivenUp> {
    let started = Instant::now();
    let mut lines = Lines::new(waiter);
    let mut watch = Watch::default();
    let mut broken: BTreeMap<String, Instant> = BTreeMap::new();
    let give_up =
        |error: Error, guilty: Vec<String>| Err(GivenUp { guilty, ..GivenUp::because(error) });
    loop {
        let view = match look(engine, id, &mut watch).await {
            Ok(view) => view,
            Err(error) => return give_up(error, Vec::new()),
        };
        if waiter == Waiter::User
            && let Some(problem) = ready::hopeless(&view)
        {
            let error = Error::failed(format!("cluster {id} is not ready"));
            let error = error.because(&problem.message).hint(&problem.hint);
            let to_go_on = problem.code == DATABASE_IN_REPOSITORY;
            let guilty = ready::awaiting(&view).into_iter().map(|waiting| waiting.member).collect();
            return Err(GivenUp { error, guilty, to_go_on });
        }
        let waiting = ready::awaiting(&view);
        lines.show(&waiting);
        if waiting.is_empty() {
            return Ok(Ready { view, slowest: lines.slowest() });
        }

        let cut = ready::cut_off(&view);
        lines.warn(cut);

        let now = Instant::now();
        // Each new start of a broken member looks well for a moment: only readiness clears it.
        broken.retain(|name, _| waiting.iter().any(|w| w.member == *name));
        for member in view.members.iter().filter(|m| failing(&view, &m.name)) {
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

async fn look(engine: &Engine, id: &ClusterId, watch: &mut Watch) -> Result<ClusterView> {
    let found =
        cluster::resolve(cluster::find(engine).await?, Some(&id.to_string()), Among::Created)?;
    watch.view(engine, &found).await
}

fn failing(view: &ClusterView, name: &str) -> bool {
    view.member(name).is_some_and(|m| {
        matches!(m.container_state, ContainerState::Restarting | ContainerState::Stopped)
            || m.failure.is_some()
    })
}

/// One line for each member that waits: live on a terminal, elsewhere said when it changes.
#[derive(Debug)]
struct Lines {
    live: Option<MultiProgress>,
    at: BTreeMap<String, Line>,
    past: Vec<(Waiting, Duration)>,
    /// What was warned of last.
    warned: Option<String>,
}

#[derive(Debug)]
struct Line {
    phrase: String,
    since: Instant,
    bar: Option<ProgressBar>,
}

impl Lines {
    fn new(waiter: Waiter) -> Self {
        let live = std::io::stderr().is_terminal().then(|| {
            MultiProgress::with_draw_target(match waiter {
                Waiter::User => ProgressDrawTarget::stderr(),
                Waiter::Restore => ProgressDrawTarget::hidden(),
            })
        });
        Self { live, at: BTreeMap::new(), past: Vec::new(), warned: None }
    }

    /// Says what no waiting mends, once.
    fn warn(&mut self, problem: Option<&Problem>) {
        let Some(problem) = problem else { return };
        if self.warned.as_ref() == Some(&problem.message) {
            return;
        }
        self.warned = Some(problem.message.clone());
        let text = format!("warning: {}; {}", problem.message, problem.hint);
        match &self.live {
            // A line that is written past the live ones is drawn over.
            Some(live) if !live.is_hidden() => drop(live.println(text)),
            _ => anstream::eprintln!("{text}"),
        }
    }

    fn show(&mut self, waiting: &[Waiting]) {
        let now = Instant::now();
        let gone: Vec<_> = self
            .at
            .iter()
            .filter(|(name, line)| {
                !waiting.iter().any(|w| w.member == **name && w.phrase == line.phrase)
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            if let Some(line) = self.at.remove(&name) {
                if let Some(bar) = line.bar {
                    bar.finish_and_clear();
                }
                self.past.push((Waiting { member: name, phrase: line.phrase }, now - line.since));
            }
        }
        for new in waiting {
            if self.at.contains_key(&new.member) {
                continue;
            }
            let bar = self.live.as_ref().map(|live| {
                let bar = live.add(ProgressBar::no_length());
                let style =
                    ProgressStyle::with_template("{spinner} {prefix}  {wide_msg} {elapsed}")
                        .expect("a constant template");
                bar.set_style(style);
                bar.set_prefix(new.member.clone());
                bar.set_message(new.phrase.clone());
                bar.enable_steady_tick(Duration::from_millis(100));
                bar
            });
            if bar.is_none() {
                anstream::eprintln!("{new}");
            }
            self.at
                .insert(new.member.clone(), Line { phrase: new.phrase.clone(), since: now, bar });
        }
    }

    fn slowest(&self) -> Option<(Waiting, Duration)> {
        self.past.iter().max_by_key(|(_, took)| *took).cloned()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        for line in self.at.values() {
            if let Some(bar) = &line.bar {
                bar.finish_and_clear();
            }
        }
    }
}
