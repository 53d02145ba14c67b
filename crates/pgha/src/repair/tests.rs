//! A repair on a simulated cluster: killed at each effect, gone on with or given up, no store is lost and no member is
//! left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt as _;
use pgha_core::agent::{BUSY, Etcd, HELD, Request, Restore};
use pgha_core::etcd_repair::{Journal, Left, Mark, RepairPlan, Store, StoreReport, Turn};
use pgha_core::observe::{Dcs, EtcdStatus};
use pgha_core::status::ContainerState;
use pgha_core::steps::Phase;
use pgha_core::topology::Role;
use tokio::sync::Notify;

use super::Session;
use crate::cluster::Cluster;
use crate::cluster::tests::made_from;
use crate::error::{Error, Result};
use crate::events::tests::Kept;
use crate::generated::tests::Place;
use crate::project::Project;
use crate::provider::{Command, Printed, Provider, Up, not_asked_for};
use crate::restore::tests::healthy_report;

const ID: &str = "20261128-190500";
/// Time between two reports of a watch.
const REPORT: Duration = Duration::from_secs(1);

/// Whose store it once was: what is put back must be the same again.
type Content = Option<&'static str>;

/// An etcd member's volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Volume {
    data: Content,
    aside: Option<Content>,
    mark: Option<Mark>,
}

#[derive(Debug, Clone)]
struct World {
    states: BTreeMap<String, ContainerState>,
    volumes: BTreeMap<String, Volume>,
    /// Who votes, by the store that the survivor has.
    voters: BTreeSet<String>,
    learners: BTreeSet<String>,
    journal: String,
}

impl World {
    fn runs(&self, member: &str) -> bool {
        self.states[member] == ContainerState::Running
    }

    /// PID 1 starts: what [`pgha-node`] does by the mark, each of its parts one that can be done again.
    fn start(&mut self, member: &str) {
        if self.runs(member) {
            return;
        }
        self.states.insert(member.to_owned(), ContainerState::Running);
        let Some(volume) = self.volumes.get_mut(member) else { return };
        match volume.mark.clone().map(|mark| mark.turn) {
            Some(Turn::Alone) => {
                volume.aside.get_or_insert(volume.data);
                volume.mark = None;
                self.voters = BTreeSet::from([member.to_owned()]);
                self.learners.clear();
                volume.data = Some("forced");
            }
            Some(Turn::Rejoin) => {
                if volume.aside.is_none() {
                    volume.aside = Some(volume.data.take());
                }
                volume.mark = Some(Mark { turn: Turn::Learner, id: ID.to_owned() });
            }
            Some(Turn::Learner) if volume.data.is_some() => volume.mark = None,
            Some(Turn::Learner) | None => {}
            Some(Turn::Back) => {
                if let Some(old) = volume.aside.take() {
                    volume.data = old;
                }
                volume.mark = None;
            }
        }
    }

    /// What goes on by itself: a member with an empty store joins a cluster that decides.
    fn go_on(&mut self) {
        let forced = |world: &Self, name: &String| {
            world.runs(name)
                && world.volumes[name].data == Some("forced")
                && world.voters.contains(name)
        };
        let decides = self.volumes.keys().any(|name| forced(self, name));
        let names: Vec<String> = self.volumes.keys().cloned().collect();
        for name in names.into_iter().filter(|_| decides) {
            let waits = self.runs(&name) && self.volumes[&name].data.is_none();
            let marked = self.volumes[&name].mark.as_ref().is_some_and(|m| m.turn == Turn::Learner);
            if waits {
                assert!(marked, "{name} joins as a voter, whom a repair did not ask");
                self.learners.insert(name.clone());
                self.volumes.get_mut(&name).expect("it is a member").data = Some("joined");
            }
        }
    }
}

#[derive(Debug, Clone)]
struct Fake(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    world: Mutex<World>,
    cluster: Cluster,
    /// It is killed once so many effects are done.
    left: Mutex<Option<usize>>,
    killed: Notify,
}

impl Fake {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.world.lock().expect("nobody panics with it")
    }

    async fn effect(&self, change: impl FnOnce(&mut World)) {
        let over = {
            let mut left = self.0.left.lock().expect("nobody panics with it");
            let over = *left == Some(0);
            *left = left.map(|left| left.saturating_sub(1));
            over
        };
        if over {
            self.0.killed.notify_one();
            std::future::pending::<()>().await;
        }
        change(&mut self.world());
    }

    async fn answer(&self, member: &str, request: &Etcd) -> Result<String, String> {
        self.world().go_on();
        match request {
            Etcd::Store => {
                let world = self.world();
                let volume = &world.volumes[member];
                let report = StoreReport {
                    mark: volume.mark.clone(),
                    there: volume.data.is_some(),
                    opened: volume.data.is_some(),
                    aside: volume.aside.map(|_| ID.to_owned()).into_iter().collect(),
                    store_bytes: 1,
                    free_bytes: 1 << 40,
                    status: Ok(EtcdStatus::default()),
                    keys: Ok(Dcs::default()),
                };
                return serde_json::to_string(&report).map_err(|e| e.to_string());
            }
            Etcd::Promote { member: other } => {
                if self.world().volumes[member].data != Some("forced") {
                    return Err("no quorum".to_owned());
                }
                let learns = self.world().learners.contains(other);
                if learns {
                    self.effect(|world| {
                        world.learners.remove(other);
                        world.voters.insert(other.clone());
                    })
                    .await;
                }
                let voters: Vec<String> = self.world().voters.iter().cloned().collect();
                return Ok(voters.join("\n"));
            }
            Etcd::Tidy { .. } => {
                self.effect(|world| {
                    let volume = world.volumes.get_mut(member).expect("it is a member");
                    (volume.aside, volume.mark) = (None, None);
                })
                .await;
            }
            Etcd::Journal => return Ok(self.world().journal.clone()),
            Etcd::KeepJournal(text) => self.effect(|world| world.journal.clone_from(text)).await,
        }
        Ok(String::new())
    }
}

impl Provider for Fake {
    not_asked_for!(restart, kill, pause, unpause, make_volume, remove, get_file);

    async fn clusters(&self) -> Result<Vec<Cluster>> {
        let mut cluster = self.0.cluster.clone();
        let world = self.world();
        for container in &mut cluster.containers {
            container.state = world.states[&container.name];
        }
        Ok(vec![cluster])
    }

    async fn up(&self, _: &Project, up: Up<'_>) -> Result<()> {
        assert_eq!(up, Up::All, "all containers are there");
        let names: Vec<String> = self.world().states.keys().cloned().collect();
        for name in names {
            self.effect(|world| world.start(&name)).await;
        }
        Ok(())
    }

    async fn stop(&self, container: &str) -> Result<()> {
        let stopped = ContainerState::Stopped;
        let stop = |world: &mut World| {
            world.states.insert(container.to_owned(), stopped);
        };
        self.effect(stop).await;
        Ok(())
    }

    async fn start(&self, container: &str) -> Result<()> {
        self.effect(|world| world.start(container)).await;
        Ok(())
    }

    async fn run(
        &self,
        container: &str,
        command: Command<'_>,
        mut each: impl FnMut(Printed<'_>) + Send,
    ) -> Result<Option<i64>> {
        if !self.world().runs(container) {
            return Err(Error::failed("no command runs in it").because("it does not run"));
        }
        let mut say = |text: &str| each(Printed::Out(format!("{text}\n").as_bytes()));
        match Request::parse(command.argv) {
            Ok(Request::Watch { .. }) => loop {
                say(&healthy_report(container));
                tokio::time::sleep(REPORT).await;
            },
            Ok(Request::Probe) => say(&healthy_report(container)),
            Ok(Request::Restore(Restore::Lock)) => {
                assert_ne!(HELD, BUSY);
                say(HELD);
                std::future::pending::<()>().await;
            }
            Ok(Request::Etcd(request)) => match self.answer(container, &request).await {
                Ok(text) => say(&text),
                Err(reason) => {
                    each(Printed::Err(reason.as_bytes()));
                    return Ok(Some(1));
                }
            },
            other => panic!("a repair does not ask for {other:?}"),
        }
        Ok(Some(0))
    }

    async fn put_file(&self, container: &str, _: &str, _: &str, text: &str) -> Result<()> {
        let mark = text.parse().expect("a mark");
        self.effect(|world| {
            world.volumes.get_mut(container).expect("it is a member").mark = Some(mark);
        })
        .await;
        Ok(())
    }

    async fn log(&self, _: &str, _: u32) -> String {
        String::new()
    }
}

/// A cluster that has lost all stores but its first member's, and one old store that etcd does not answer from.
struct Lab {
    fake: Fake,
    session: Session<Fake>,
    before: BTreeMap<String, Volume>,
    plan: RepairPlan,
}

impl Lab {
    fn new() -> Self {
        let cluster = made_from(&Place::with("demo", 1, Some("x")));
        let topology = cluster.topology().expect("it has labels").clone();
        let names: Vec<String> = topology.of_role(Role::Etcd).map(|m| m.name.clone()).collect();
        let stores = ["survivor", "stale"].map(Some).into_iter().chain(std::iter::repeat(None));
        let volumes = names.iter().zip(stores);
        let before: BTreeMap<String, Volume> = volumes
            .map(|(name, data)| (name.clone(), Volume { data, ..Volume::default() }))
            .collect();
        let states = cluster.containers.iter().map(|c| (c.name.clone(), ContainerState::Running));
        let world = World {
            states: states.collect(),
            volumes: before.clone(),
            voters: names.iter().cloned().collect(),
            learners: BTreeSet::new(),
            journal: String::new(),
        };
        let left = |name: &String| Left {
            name: name.clone(),
            site: "DC1".to_owned(),
            store: Store::Empty,
        };
        let plan = RepairPlan {
            need: 2,
            left: names.iter().map(left).collect(),
            survivor: names[0].clone(),
            rejoin: names[1..].to_vec(),
            read_only: Vec::new(),
            primary: None,
        };
        let fake = Fake(Arc::new(Inner {
            world: Mutex::new(world),
            cluster,
            left: Mutex::new(None),
            killed: Notify::new(),
        }));
        let file = std::path::PathBuf::from("/srv/demo/docker-compose.yaml");
        let session = Session {
            engine: fake.clone(),
            events: Kept::stream().0,
            topology,
            project: Project { name: "demo".to_owned(), file },
            timeout: Duration::from_secs(60),
        };
        Self { fake, session, before, plan }
    }

    /// `pgha repair etcd`, or `--abort`, killed after so many effects; whether it came to its end.
    async fn command(&self, abort: bool, effects: Option<usize>) -> bool {
        // Of several calls at once each may have told of the last kill.
        let _ = self.fake.0.killed.notified().now_or_never();
        *self.fake.0.left.lock().expect("nobody panics with it") = effects;
        let command = async {
            let lock = self.session.lock().await?;
            let journal = self.session.journal().await?;
            match (journal, abort) {
                (Some(mut journal), true) => self.session.give_up(&mut journal, &lock).await,
                (None, true) => Ok(()),
                (Some(journal), false) if journal.progress.phase == Phase::Back => {
                    panic!("it is being given up")
                }
                (journal, false) => {
                    let new = || Journal::new(ID.to_owned(), self.plan.clone());
                    let mut journal = journal.unwrap_or_else(new);
                    self.session.go_on(&mut journal, &lock).await
                }
            }
        };
        let ended = tokio::select! {
            biased;
            ended = command => Some(ended),
            () = self.fake.0.killed.notified() => None,
        };
        *self.fake.0.left.lock().expect("nobody panics with it") = None;
        self.check_copies();
        match ended {
            Some(Err(error)) if abort && error.to_string().contains("no longer") => true,
            Some(ended) => {
                ended.expect("it is left alone");
                true
            }
            None => false,
        }
    }

    /// Until nothing is left to take back, what the survivor had is there.
    fn check_copies(&self) {
        let world = self.fake.world();
        let there = |content: &Volume| {
            content.data == Some("survivor") || content.aside == Some(Some("survivor"))
        };
        let whole = world.voters.len() == self.before.len();
        assert!(whole || there(&world.volumes[&self.plan.survivor]), "{world:?}");
    }

    fn check_repaired(&self) {
        let world = self.fake.world();
        let all: BTreeSet<String> = self.before.keys().cloned().collect();
        assert_eq!(world.voters, all);
        assert!(world.learners.is_empty() && world.journal.is_empty());
        for (name, volume) in &world.volumes {
            let data = if *name == self.plan.survivor { "forced" } else { "joined" };
            assert_eq!(*volume, Volume { data: Some(data), ..Volume::default() }, "{name}");
            assert!(world.runs(name));
        }
    }
}

fn run(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().expect("a runtime").block_on(test);
}

#[test]
fn killed_anywhere_and_gone_on_with_it_ends_with_a_cluster_that_votes() {
    run(async {
        for effects in 0.. {
            let lab = Lab::new();
            let ended = lab.command(false, Some(effects)).await;
            assert!(ended || lab.command(false, None).await);
            lab.check_repaired();
            if ended {
                assert!(effects > 20, "it is killed at each effect");
                break;
            }
        }
    });
}

#[test]
fn killed_anywhere_and_given_up_anywhere_every_store_is_where_it_was() {
    run(async {
        for forward in 0.. {
            let killed = Lab::new();
            if killed.command(false, Some(forward)).await {
                break;
            }
            let world = killed.fake.world().clone();
            // Every third effect on the way back, another third for each on the way forward.
            for back in (forward % 3..).step_by(3) {
                let lab = Lab::new();
                *lab.fake.world() = world.clone();
                let ended = lab.command(true, Some(back)).await;
                assert!(ended || lab.command(true, None).await);
                if lab.fake.world().journal.is_empty() && !lab.is_over() {
                    assert_eq!(lab.fake.world().volumes, lab.before);
                } else {
                    // Old stores were being removed: it can only be gone on with.
                    assert!(lab.command(false, None).await);
                    lab.check_repaired();
                }
                if ended {
                    break;
                }
            }
        }
    });
}

impl Lab {
    /// It had come to its last step before it was killed.
    fn is_over(&self) -> bool {
        let world = self.fake.world();
        world.voters.len() == self.before.len()
            && world.volumes[&self.plan.survivor].data == Some("forced")
    }
}
