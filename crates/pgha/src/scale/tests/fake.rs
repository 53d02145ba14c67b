//! A cluster that is only a few maps, and a client that is killed at any effect.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pgha_core::agent::{BUSY, HELD, NodeState, Request, Restore};
use pgha_core::dynamic::Dynamic;
use pgha_core::layout::{LABEL_LAYOUT, Layout};
use pgha_core::layout_file::{Applied, LayoutFile};
use pgha_core::observe::{
    Dcs, EtcdObservation, EtcdStatus, NodeObservation, Patroni, SiteObservation,
};
use pgha_core::ownership::LABEL_UID;
use pgha_core::restore::Room;
use pgha_core::scale::Asked;
use pgha_core::spec::Spec;
use pgha_core::topology::{Role, Topology};
use serde_json::json;
use tokio::sync::Notify;

use crate::cluster::tests::listed;
use crate::cluster::{Cluster, LABEL_CLUSTER, LABEL_INSTANCE, LABEL_SPEC};
use crate::compose_file::{self, Found};
use crate::error::{Error, Result};
use crate::generated::tests::Place;
use crate::project::Project;
use crate::provider::{Command, Printed, Provider, Thing, Up, not_asked_for};

/// The one database.
const SYSTEM_ID: u64 = 7_711_768_747_749_904_439;
/// Time between two reports of a watch.
const REPORT: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Default)]
struct World {
    /// By name: the layout of its label, and whether it runs.
    containers: BTreeMap<String, (String, bool)>,
    /// By name: labels.
    volumes: BTreeMap<String, HashMap<String, String>>,
    /// What etcd lists: by peer URL, id and whether it has a vote.
    etcd: BTreeMap<String, (u64, bool)>,
    etcd_leader: String,
    leader: String,
    /// Slots that Patroni keeps.
    slots: BTreeSet<String>,
    /// The generation that each member works with, and the one that it was given.
    works_with: BTreeMap<String, u32>,
    given: BTreeMap<String, u32>,
    patch: String,
    /// Slots of members that are gone are kept.
    keeps_slots: bool,
    locked: bool,
    next_id: u64,
}

#[derive(Debug)]
struct Inner {
    place: Place,
    world: Mutex<World>,
    effects: AtomicUsize,
    kill_at: Mutex<Option<usize>>,
    killed: Notify,
}

/// A provider of one simulated cluster.
#[derive(Debug, Clone)]
pub(super) struct Fake(Arc<Inner>);

fn url(topology: &Topology, name: &str) -> String {
    format!("http://{}:2380", topology.member(name).expect("a member").address)
}

fn slot(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

impl Fake {
    /// One data center with 3 nodes, so that two may be removed, and 3 etcd members.
    pub(super) fn new() -> Self {
        let place = Place::of_size("demo", 1, Some("x"), 3);
        let topology = place.topology.clone();
        let mut world = World { keeps_slots: true, next_id: 100, ..World::default() };
        for name in topology.containers() {
            world.containers.insert(name.clone(), ("1".to_owned(), true));
            world.works_with.insert(name, 1);
        }
        for member in &topology.members {
            world.volumes.insert(member.name.clone(), own_labels(&topology.spec, "1"));
        }
        for (id, member) in (1..).zip(topology.of_role(Role::Etcd)) {
            world.etcd.insert(url(&topology, &member.name), (id, true));
        }
        let first = |role| topology.of_role(role).next().expect("a member").name.clone();
        (world.leader, world.etcd_leader) = (first(Role::Postgres), first(Role::Etcd));
        let replicas = topology.of_role(Role::Postgres).skip(1);
        world.slots = replicas.map(|node| slot(&node.name)).collect();
        Self(Arc::new(Inner {
            place,
            world: Mutex::new(world),
            effects: AtomicUsize::new(0),
            kill_at: Mutex::new(None),
            killed: Notify::new(),
        }))
    }

    pub(super) fn place(&self) -> &Place {
        &self.0.place
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.world.lock().expect("nobody panics with it")
    }

    /// From now on the command is killed at that effect, or not at all.
    pub(super) fn kill_at(&self, effect: Option<usize>) {
        self.0.effects.store(0, Ordering::Relaxed);
        *self.0.kill_at.lock().expect("nobody panics with it") = effect;
    }

    /// Ends when the command is killed.
    pub(super) async fn killed(&self) {
        self.0.killed.notified().await;
    }

    async fn effect<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let done = self.0.effects.fetch_add(1, Ordering::Relaxed);
        if *self.0.kill_at.lock().expect("nobody panics with it") == Some(done) {
            self.0.killed.notify_one();
            return std::future::pending().await;
        }
        let changed = change(&mut self.world());
        self.check();
        changed
    }

    /// The cluster as the engine lists it.
    pub(super) fn cluster(&self) -> Cluster {
        let world = self.world();
        listed(self.place(), world.containers.iter(), world.volumes.iter())
    }

    /// The newest layout of all labels, without reading each of them.
    fn topology(&self) -> Topology {
        let world = self.world();
        let of_volumes = world.volumes.values().filter_map(|labels| labels.get(LABEL_LAYOUT));
        let all = world.containers.values().map(|(layout, _)| layout).chain(of_volumes);
        let generation =
            |text: &&String| text.split(' ').next().and_then(|n| n.parse::<u32>().ok());
        let newest = all.max_by_key(generation).expect("there is one");
        let spec = &self.place().topology.spec;
        let layout = Layout::parse(newest, spec).expect("its labels are read");
        Topology::with(spec.clone(), 1, layout)
    }

    /// Whether a change is through: nothing goes on, and the layout is a later one.
    pub(super) fn is_changed(&self) -> bool {
        let goes_on = self.cluster().change().expect("its own").is_some();
        !goes_on && self.topology().layout.generation() > 1
    }

    /// What must be so at any moment.
    pub(super) fn check(&self) {
        let topology = self.topology();
        let world = self.world();
        let runs = |name: &str| world.containers.get(name).is_some_and(|(_, runs)| *runs);
        assert!(runs(&world.leader), "who leads is there: {world:#?}");
        let learners = world.etcd.values().filter(|(_, votes)| !votes).count();
        assert!(learners <= 1, "one learner at a time");
        let voters: Vec<&String> =
            world.etcd.iter().filter(|(_, (_, votes))| *votes).map(|(url, _)| url).collect();
        let well = topology.of_role(Role::Etcd).filter(|m| runs(&m.name));
        let well = well.filter(|m| voters.contains(&&url(&topology, &m.name))).count();
        assert!(well > voters.len() / 2, "a quorum of {} voters", voters.len());
    }

    /// What must be so at the end.
    pub(super) fn check_end(&self, asked: &Asked) {
        self.check();
        let (topology, cluster) = (self.topology(), self.cluster());
        let world = self.world();
        let names: BTreeSet<String> = topology.containers().into_iter().collect();
        let there: BTreeSet<String> = world.containers.keys().cloned().collect();
        assert_eq!(there, names, "{asked}");
        let members: BTreeSet<String> = topology.members.iter().map(|m| m.name.clone()).collect();
        let volumes: BTreeSet<String> = cluster.volumes.iter().cloned().collect();
        assert_eq!(volumes, members, "{asked}");
        let nodes = topology.of_role(Role::Postgres).filter(|node| node.name != world.leader);
        let slots: BTreeSet<String> = nodes.map(|node| slot(&node.name)).collect();
        assert_eq!(world.slots, slots, "{asked}");
        assert!(world.keeps_slots, "{asked}: member_slots_ttl is what it was");
        let urls: BTreeSet<String> =
            topology.of_role(Role::Etcd).map(|m| url(&topology, &m.name)).collect();
        assert_eq!(world.etcd.keys().cloned().collect::<BTreeSet<_>>(), urls, "{asked}");
        assert!(world.etcd.values().all(|(_, votes)| *votes), "{asked}");
        let newest = topology.layout.generation();
        assert!(newest > 1, "{asked}");
        for (name, generation) in &world.works_with {
            assert!(!names.contains(name) || *generation == newest, "{asked}: {name}");
        }
        assert_eq!(cluster.records.len(), 1, "{asked}");
        assert_eq!(cluster.change().expect("its own"), None, "{asked}");
        match compose_file::read(&self.place().file).expect("it is read") {
            Found::Cluster(there) => assert_eq!(there.topology, topology, "{asked}"),
            other => panic!("{other:?}"),
        }
    }

    fn report(&self, by: &str) -> String {
        let topology = self.topology();
        let world = self.world();
        let site = topology.member(by).expect("a member").site;
        let here = |role| topology.of_role(role).filter(move |member| member.site == site);
        let runs = |name: &str| world.containers.get(name).is_some_and(|(_, runs)| *runs);
        let refused = || "connection refused".to_owned();
        let leader_id =
            world.etcd.get(&url(&topology, &world.etcd_leader)).map_or(0, |(id, _)| *id);
        let postgres = here(Role::Postgres).map(|node| NodeObservation {
            name: node.name.clone(),
            patroni: if runs(&node.name) {
                Ok(patroni(node.name == world.leader))
            } else {
                Err(refused())
            },
        });
        let etcd = here(Role::Etcd).map(|member| {
            let listed = world.etcd.get(&url(&topology, &member.name));
            let status = match listed.filter(|_| runs(&member.name)) {
                None => Err(refused()),
                Some((id, votes)) => Ok(EtcdStatus {
                    member_id: *id,
                    leader_id,
                    learner: !votes,
                    ..EtcdStatus::default()
                }),
            };
            let dcs = match &status {
                Err(why) => Err(why.clone()),
                Ok(_) => Ok(Dcs {
                    revision: 1,
                    leader: Some(world.leader.clone()),
                    system_id: Some(SYSTEM_ID.to_string()),
                    tells_succession: true,
                    config: Dynamic::parse("{}"),
                    ..Dcs::default()
                }),
            };
            EtcdObservation { name: member.name.clone(), status, dcs, took_ms: 1.0 }
        });
        let report = SiteObservation {
            site: topology.site(site).name.clone(),
            by: by.to_owned(),
            postgres: postgres.collect(),
            etcd: etcd.collect(),
            proxies: Vec::new(),
            stanza: (topology.backup_host().name == by).then_some(true),
            backups: None,
            repositories: Vec::new(),
            restoring: false,
            repair: None,
            restore: None,
            disk: None,
        };
        serde_json::to_string(&report).expect("plain data is JSON")
    }

    /// What a program in a member prints, or complains of.
    async fn answer(&self, member: &str, command: &Command<'_>) -> Result<String, String> {
        let nothing = Ok(String::new());
        match command.argv {
            ["env", _, "etcdctl", words @ ..] => self.etcdctl(words).await,
            ["etcdctl", "get", ..] => Ok("{\"ttl\": 30}".to_owned()),
            ["psql", .., sql] if sql.contains("max_wal_senders") => Ok("40|40".to_owned()),
            ["psql", .., sql] if sql.contains("pg_replication_slots") => {
                let world = self.world();
                let count = world.slots.iter().filter(|slot| sql.contains(&format!("'{slot}'")));
                Ok(count.count().to_string())
            }
            ["psql", .., "checkpoint"] | ["rm", ..] => nothing,
            ["patronictl", _, _, "edit-config", ..] => {
                let members: BTreeSet<String> = {
                    let world = self.world();
                    world.containers.keys().map(|name| slot(name)).collect()
                };
                let told = |world: &mut World| {
                    world.keeps_slots = !world.patch.contains(":0");
                    if !world.keeps_slots {
                        world.slots.retain(|slot| members.contains(slot));
                    }
                };
                self.effect(told).await;
                nothing
            }
            ["patronictl", _, _, "switchover", .., to] => {
                let moved = |world: &mut World| {
                    let before = std::mem::replace(&mut world.leader, (*to).to_owned());
                    world.slots.remove(&slot(to));
                    world.slots.insert(slot(&before));
                };
                self.effect(moved).await;
                nothing
            }
            argv => match Request::parse(argv) {
                Ok(Request::PutLayout) => self.put(member, command.input).await,
                Ok(Request::ApplyLayout) => {
                    let apply = |world: &mut World| {
                        let generation = world.given.get(member).copied().unwrap_or(1);
                        world.works_with.insert(member.to_owned(), generation);
                        Applied { member: member.to_owned(), generation, ..Applied::default() }
                    };
                    Ok(json!(self.effect(apply).await).to_string())
                }
                Ok(Request::Restore(Restore::Journal)) => nothing,
                Ok(Request::Restore(Restore::Held)) => {
                    let room = Room {
                        device: 1,
                        free_bytes: 1 << 40,
                        data_bytes: 1 << 20,
                        system_id: None,
                    };
                    let state = NodeState {
                        held: false,
                        holding: false,
                        by: None,
                        room,
                        linked: Vec::new(),
                        stopped: None,
                    };
                    Ok(json!(state).to_string())
                }
                _ => Err(format!("there is no such program: {argv:?}")),
            },
        }
    }

    async fn put(&self, member: &str, input: Option<&str>) -> Result<String, String> {
        let place = self.place();
        let spec = &place.topology.spec;
        let text = input.expect("a layout");
        let identity = place.generated().identity();
        let newer = LayoutFile::newer(text, &identity, spec, &Layout::of(spec))?;
        let generation = newer.map_or(1, |layout| layout.generation());
        self.effect(|world| {
            let known = world.given.get(member).copied().unwrap_or(1);
            if generation < known {
                return Err(format!("it has generation {generation}, and this member {known}"));
            }
            world.given.insert(member.to_owned(), generation);
            Ok(String::new())
        })
        .await
    }

    async fn etcdctl(&self, words: &[&str]) -> Result<String, String> {
        let id = |text: &str| u64::from_str_radix(text, 16).map_err(|e| e.to_string());
        match words {
            ["member", "list", ..] => {
                let world = self.world();
                let members = world.etcd.iter().map(|(url, (id, votes))| {
                    json!({ "ID": id, "name": url, "peerURLs": [url], "clientURLs": [url], "isLearner": !votes })
                });
                Ok(json!({ "members": members.collect::<Vec<_>>() }).to_string())
            }
            ["member", "promote", text] => {
                let id = id(text)?;
                self.effect(|world| {
                    let found = world.etcd.values_mut().find(|(own, _)| *own == id);
                    found.map(|(_, votes)| *votes = true)
                })
                .await
                .map(|()| String::new())
                .ok_or("no such member".to_owned())
            }
            ["member", "remove", text] => {
                let (id, topology) = (id(text)?, self.topology());
                self.effect(|world| {
                    let leads =
                        world.etcd.get(&url(&topology, &world.etcd_leader)).map(|own| own.0);
                    assert_ne!(leads, Some(id), "etcd's leader moves before it is removed");
                    world.etcd.retain(|_, (own, _)| *own != id);
                })
                .await;
                Ok(String::new())
            }
            ["move-leader", text] => {
                let (id, topology) = (id(text)?, self.topology());
                self.effect(|world| {
                    let next = topology.of_role(Role::Etcd).find(|m| {
                        world.etcd.get(&url(&topology, &m.name)).is_some_and(|own| own.0 == id)
                    });
                    world.etcd_leader = next.expect("a member").name.clone();
                })
                .await;
                Ok(String::new())
            }
            ["del", ..] => Ok("1".to_owned()),
            _ => Err(format!("unknown command {words:?}")),
        }
    }
}

fn patroni(leads: bool) -> Patroni {
    Patroni {
        state: "running".to_owned(),
        role: if leads { "primary" } else { "replica" }.to_owned(),
        timeline: Some(1),
        location: leads.then_some(5000),
        received: (!leads).then_some(5000),
        replayed: (!leads).then_some(5000),
        replication_state: (!leads).then(|| "streaming".to_owned()),
        quorum_standby: !leads,
        system_id: Some(SYSTEM_ID.to_string()),
        ..Patroni::default()
    }
}

fn own_labels(spec: &Spec, layout: &str) -> HashMap<String, String> {
    let own = [(LABEL_CLUSTER, "demo"), (LABEL_INSTANCE, "1"), (LABEL_LAYOUT, layout)];
    let own = own.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let mut labels = HashMap::from(own);
    labels.insert(LABEL_SPEC.to_owned(), spec.to_toml());
    labels.insert(LABEL_UID.to_owned(), "x".to_owned());
    labels
}

/// Lets go of the lock, however whoever holds it ends.
struct Held(Fake);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.world().locked = false;
    }
}

impl Provider for Fake {
    not_asked_for!(start, restart, kill, pause, unpause, get_file);

    async fn clusters(&self) -> Result<Vec<Cluster>> {
        Ok(vec![self.cluster()])
    }

    async fn up(&self, project: &Project, up: Up<'_>) -> Result<()> {
        let Up::Alone(name) = up else { panic!("nobody asks for {up:?}") };
        let Found::Cluster(there) = compose_file::read(&project.file)? else {
            panic!("the file is the cluster's")
        };
        let topology = there.topology;
        let member = topology.member(name).unwrap_or_else(|| panic!("{name} is in the file"));
        let (layout, generation) = (topology.layout.to_string(), topology.layout.generation());
        self.effect(|world| {
            let volume = topology.layout.at(member.added).to_string();
            world
                .volumes
                .entry(name.to_owned())
                .or_insert_with(|| own_labels(&topology.spec, &volume));
        })
        .await;
        self.effect(|world| {
            let made = (layout, true);
            let there = world.containers.entry(name.to_owned()).or_insert(made);
            there.1 = true;
            world.works_with.entry(name.to_owned()).or_insert(generation);
            world.given.entry(name.to_owned()).or_insert(generation);
            if member.role == Role::Postgres {
                world.slots.insert(slot(name));
            } else {
                let id = world.next_id;
                world.next_id += 1;
                world.etcd.entry(url(&topology, name)).or_insert((id, false));
            }
        })
        .await;
        Ok(())
    }

    async fn stop(&self, container: &str) -> Result<()> {
        self.effect(|world| {
            if let Some((_, runs)) = world.containers.get_mut(container) {
                *runs = false;
            }
        })
        .await;
        Ok(())
    }

    async fn make_volume(&self, name: &str, labels: &[(&str, String)]) -> Result<()> {
        let labels = labels.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
        self.effect(|world| assert!(world.volumes.insert(name.to_owned(), labels).is_none())).await;
        Ok(())
    }

    async fn remove(&self, thing: Thing<'_>) -> Result<()> {
        match thing {
            Thing::Container { container, .. } => {
                self.effect(|world| world.containers.remove(container)).await;
            }
            Thing::Volume(volume) => {
                self.effect(|world| {
                    let used = world.containers.contains_key(volume);
                    assert!(!used, "{volume} is in use");
                    world.volumes.remove(volume)
                })
                .await;
            }
            Thing::Network(network) => panic!("nobody removes {network}"),
        }
        Ok(())
    }

    async fn run(
        &self,
        container: &str,
        command: Command<'_>,
        mut each: impl FnMut(Printed<'_>) + Send,
    ) -> Result<Option<i64>> {
        let runs = self.world().containers.get(container).is_some_and(|(_, runs)| *runs);
        if !runs {
            return Err(Error::failed("no command runs in it").because("it does not run"));
        }
        let mut say = |text: &str| each(Printed::Out(format!("{text}\n").as_bytes()));
        match Request::parse(command.argv) {
            Ok(Request::Watch { .. }) => loop {
                say(&self.report(container));
                tokio::time::sleep(REPORT).await;
            },
            Ok(Request::Probe) => {
                say(&self.report(container));
                return Ok(None);
            }
            Ok(Request::Restore(Restore::Lock)) => {
                let taken = std::mem::replace(&mut self.world().locked, true);
                say(if taken { BUSY } else { HELD });
                if !taken {
                    let _held = Held(self.clone());
                    std::future::pending::<()>().await;
                }
                return Ok(None);
            }
            _ => {}
        }
        match self.answer(container, &command).await {
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

    async fn put_file(&self, _: &str, _: &str, _: &str, text: &str) -> Result<()> {
        self.effect(|world| text.clone_into(&mut world.patch)).await;
        Ok(())
    }

    async fn log(&self, _: &str, _: u32) -> String {
        String::new()
    }
}
