//! A provider of containers that are only simulated, whose client can be killed, or hung up on, at any effect.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pgha_core::agent::{BUSY, HELD, Request, Restore};
use pgha_core::status::ContainerState;
use tokio::sync::Notify;

use super::world::World;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::project::Project;
use crate::provider::{Command, Printed, Provider, Up, not_asked_for};

/// Time between two reports of a watch.
const REPORT: Duration = Duration::from_secs(1);
/// Reports until a watch ends.
const REPORTS: u32 = 30;

/// How a command comes to grief.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It is killed; what it had in memory is gone.
    Killed,
    /// A call fails once before it has done anything, and the command may still do something.
    FailsBefore,
    /// A call fails once though it was carried out.
    FailsAfter,
}

/// When it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crash {
    /// So many effects are carried out before.
    pub(super) after: usize,
    pub(super) how: How,
}

/// A provider of one simulated cluster.
#[derive(Debug, Clone)]
pub(super) struct Fake(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    world: Mutex<World>,
    /// The cluster as its labels say, with containers that all run.
    cluster: Cluster,
    crash: Mutex<Option<Crash>>,
    effects: AtomicUsize,
    killed: Notify,
    /// Commands in containers that have begun and not ended.
    running: Mutex<Vec<(String, Vec<String>)>>,
    /// Calls that are at work at the same time take turns after each effect.
    in_turns: bool,
}

impl Fake {
    pub(super) fn new(world: World, cluster: &Cluster, in_turns: bool) -> Self {
        Self(Arc::new(Inner {
            world: Mutex::new(world),
            cluster: cluster.clone(),
            crash: Mutex::new(None),
            effects: AtomicUsize::new(0),
            killed: Notify::new(),
            running: Mutex::new(Vec::new()),
            in_turns,
        }))
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.world.lock().expect("nobody panics with it")
    }

    /// From now on it crashes so, or not at all.
    pub(super) fn crash(&self, crash: Option<Crash>) {
        self.0.effects.store(0, Ordering::Relaxed);
        *self.0.crash.lock().expect("nobody panics with it") = crash;
    }

    /// Effects since the last call of [`Fake::crash`].
    pub(super) fn effects(&self) -> usize {
        self.0.effects.load(Ordering::Relaxed)
    }

    /// Ends when the command is killed.
    pub(super) async fn killed(&self) {
        self.0.killed.notified().await;
    }

    /// Changes the world, unless the command is killed or hung up on before.
    pub(super) async fn effect<T>(&self, change: impl FnOnce(&mut World) -> T) -> Result<T> {
        let done = self.0.effects.fetch_add(1, Ordering::Relaxed);
        let crash = *self.0.crash.lock().expect("nobody panics with it");
        let crash = crash.filter(|crash| crash.after == done);
        let hung_up = || Err(Error::failed("the engine has hung up"));
        match crash.map(|crash| crash.how) {
            Some(How::Killed) => {
                self.0.killed.notify_one();
                return std::future::pending().await;
            }
            Some(How::FailsBefore) => return hung_up(),
            Some(How::FailsAfter) => {
                change(&mut self.world());
                return hung_up();
            }
            None => {}
        }
        let changed = change(&mut self.world());
        if self.0.in_turns {
            tokio::task::yield_now().await;
        }
        Ok(changed)
    }

    /// Commands in containers outlive the one who has asked for them, and go on to their ends; unless the
    /// containers end with it.
    pub(super) async fn orphans(&self, outlive: bool) {
        let left = std::mem::take(&mut *self.running());
        for (member, argv) in left {
            let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
            if outlive && self.world().containers[&member] == ContainerState::Running {
                let _ = self.answer(&member, &argv).await;
            }
        }
    }

    fn running(&self) -> MutexGuard<'_, Vec<(String, Vec<String>)>> {
        self.0.running.lock().expect("nobody panics with it")
    }

    /// Starts containers, the nodes last.
    async fn start_all(&self) -> Result<()> {
        let names: Vec<String> = {
            let world = self.world();
            let down = |state: &ContainerState| *state != ContainerState::Running;
            let names = world.containers.iter().filter(|(_, state)| down(state));
            let (nodes, others): (Vec<String>, Vec<String>) = names
                .map(|(name, _)| name.clone())
                .partition(|name| world.nodes.contains_key(name));
            others.into_iter().chain(nodes).collect()
        };
        for name in names {
            self.effect(|world| world.start(&name)).await?;
        }
        Ok(())
    }

    /// What a probe on a member reports.
    fn report(&self, member: &str) -> String {
        let world = self.world();
        super::answers::report(&world, member)
    }
}

/// Lets go of the lock, however whoever holds it ends.
struct Held(Fake);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.world().locked = false;
    }
}

impl Provider for Fake {
    not_asked_for!(start, kill, pause, unpause, make_volume, remove, get_file);

    async fn clusters(&self) -> Result<Vec<Cluster>> {
        let mut cluster = self.0.cluster.clone();
        let world = self.world();
        for container in &mut cluster.containers {
            container.state = world.containers[&container.name];
        }
        Ok(vec![cluster])
    }

    async fn up(&self, _: &Project, up: Up<'_>) -> Result<()> {
        match up {
            Up::All => self.start_all().await,
            other => panic!("no restore of a cluster that is there asks for {other:?}"),
        }
    }

    async fn stop(&self, container: &str) -> Result<()> {
        self.effect(|world| world.stop(container)).await
    }

    async fn restart(&self, container: &str) -> Result<()> {
        self.stop(container).await?;
        self.effect(|world| world.start(container)).await
    }

    async fn run(
        &self,
        container: &str,
        command: Command<'_>,
        mut each: impl FnMut(Printed<'_>) + Send,
    ) -> Result<Option<i64>> {
        if self.world().containers.get(container) != Some(&ContainerState::Running) {
            return Err(Error::failed("no command runs in it").because("it does not run"));
        }
        let mut say = |text: &str| each(Printed::Out(format!("{text}\n").as_bytes()));
        // psql is none, and other programs are not here.
        let request = Request::parse(command.argv);
        let answer = match request {
            Ok(Request::Watch { .. }) => {
                for _ in 0..REPORTS {
                    say(&self.report(container));
                    tokio::time::sleep(REPORT).await;
                }
                return Ok(None);
            }
            Ok(Request::Probe) => Ok(self.report(container)),
            Ok(Request::Restore(Restore::Lock)) => {
                let taken = std::mem::replace(&mut self.world().locked, true);
                say(if taken { BUSY } else { HELD });
                if !taken {
                    let _held = Held(self.clone());
                    std::future::pending::<()>().await;
                }
                return Ok(None);
            }
            _ => {
                let argv = command.argv;
                let begun = (container.to_owned(), argv.iter().map(ToString::to_string).collect());
                self.running().push(begun.clone());
                let answer = self.answer(container, argv).await;
                self.running().retain(|running| *running != begun);
                answer?
            }
        };
        match answer {
            Ok(text) => {
                say(text.trim_end());
                Ok(Some(0))
            }
            Err(reason) => {
                each(Printed::Err(reason.as_bytes()));
                Ok(Some(1))
            }
        }
    }

    async fn put_file(&self, container: &str, _: &str, _: &str, text: &str) -> Result<()> {
        self.effect(|world| world.node(container).mark = Some(text.to_owned())).await
    }

    async fn log(&self, _: &str, _: u32) -> String {
        String::new()
    }
}
