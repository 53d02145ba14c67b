//! What `pgha-node`, psql and a probe answer in a simulated member.

use std::collections::{BTreeMap, BTreeSet};

use pgha_core::agent::{NodeState, Recovered, Request, Restore};
use pgha_core::observe::{
    Dcs, EtcdObservation, EtcdStatus, NodeObservation, Patroni, SiteObservation,
};
use pgha_core::restore::{Began, Linked, LogicalReplication, Recovery, Room, Stopped};
use pgha_core::status::ContainerState;
use pgha_core::topology::Role;
use pgha_core::wal::{Lsn, Segment};
use serde_json::{Value, json};

use super::fake::Fake;
use super::world::{BACKUP, FAST, Fault, Pending, SYSTEM_ID, World, written};
use crate::error::Result;

/// The time in this world, in seconds since 1970.
const NOW_S: i64 = 1_795_600_000;

/// What is printed, or the complaint of a command that failed.
pub(super) type Answer = Result<String, String>;

impl Fake {
    /// Carries out a command in a member that runs.
    pub(super) async fn answer(&self, member: &str, argv: &[&str]) -> Result<Answer> {
        if let ["psql", .., sql] = argv {
            return self.sql(member, sql).await;
        }
        match Request::parse(argv) {
            Ok(Request::Repository { .. }) => Ok(Ok(repository(&self.world()).to_string())),
            Ok(Request::Restore(restore)) => self.of_restore(member, restore).await,
            _ => Ok(Err("there is no such program".to_owned())),
        }
    }

    async fn of_restore(&self, member: &str, request: Restore) -> Result<Answer> {
        let free = || {
            let node = &self.world().nodes[member];
            !node.holding || node.mark.is_none()
        };
        if request.needs_hold() && free() {
            return Ok(Err("no restore is in progress on this node".to_owned()));
        }
        let nothing = |()| Ok(Ok(String::new()));
        match request {
            Restore::Journal => Ok(Ok(self.world().journal.clone())),
            Restore::KeepJournal(text) => {
                nothing(self.effect(|world| world.write_journal(&text)).await?)
            }
            Restore::Stanza => nothing(()),
            Restore::Tablespaces { .. } => Ok(Ok(json!([FAST]).to_string())),
            Restore::Forget(began) => self.forget(&began).await,
            Restore::Held => {
                let mut world = self.world();
                let state = held(&world, member);
                world.hold(member);
                Ok(Ok(json!(state).to_string()))
            }
            Restore::Release => nothing(self.effect(|world| world.node(member).mark = None).await?),
            Restore::Remember => {
                let mut known = self.world().etcd.clone();
                known.remove("leader");
                Ok(Ok(json!(known).to_string()))
            }
            Restore::Clear { put_back } => self.clear(put_back).await,
            Restore::Tidy { id } => self.moves(member, &id, Folders::Tidy).await,
            Restore::Aside { id, .. } => self.moves(member, &id, Folders::Aside).await,
            Restore::Back { id } => self.moves(member, &id, Folders::Back).await,
            Restore::Discard => self.discard(member).await,
            Restore::Fetch { arguments } => self.fetch(member, &arguments).await,
            Restore::Recover(how) => self.recover(member, how).await,
            Restore::Lock | Restore::Folders(_) => panic!("nobody asks for {request:?} here"),
        }
    }

    async fn clear(&self, put_back: BTreeMap<String, String>) -> Result<Answer> {
        for key in ["initialize", "leader", "status"] {
            self.effect(|world| world.etcd.remove(key)).await?;
        }
        for (key, value) in put_back {
            self.effect(|world| world.etcd.insert(key, value)).await?;
        }
        Ok(Ok(String::new()))
    }

    async fn forget(&self, began: &Began) -> Result<Answer> {
        let (files, timelines) = self.world().own(began);
        for segment in files {
            self.effect(|world| world.forget(segment)).await?;
        }
        for timeline in timelines {
            self.effect(|world| world.histories.remove(&timeline)).await?;
        }
        Ok(Ok(String::new()))
    }

    async fn moves(&self, node: &str, id: &str, folders: Folders) -> Result<Answer> {
        // Until nothing is left to do; folders are made and moved away once.
        for _ in 0..if folders == Folders::Aside { 1 } else { 3 } {
            let mut moves = {
                let volume = self.world().volume(node, id);
                match folders {
                    Folders::Aside => volume.aside(&BTreeSet::from([FAST.to_owned()]), id),
                    Folders::Back => volume.back(id),
                    Folders::Tidy => volume.tidy(id),
                }
            };
            if self.world().fault == Fault::DataOnly {
                moves.retain(|change| !format!("{change:?}").contains(FAST));
            }
            for change in moves {
                self.effect(|world| world.apply(node, &change)).await?;
            }
        }
        Ok(Ok(format!("/pgdata/before-restore-{id}")))
    }

    async fn discard(&self, node: &str) -> Result<Answer> {
        let data = self.world().data();
        for folder in [data, FAST.to_owned()] {
            self.effect(|world| world.node(node).folders.insert(folder, None)).await?;
        }
        Ok(Ok(String::new()))
    }

    async fn fetch(&self, node: &str, arguments: &[String]) -> Result<Answer> {
        let option = |name: &str| arguments.iter().find_map(|a| a.strip_prefix(name));
        assert_eq!(option("--set="), Some(BACKUP));
        let timeline = option("--target-timeline=").expect("it is named");
        let to = option("--target=").map(|text| text.parse().expect("a position"));
        let mut pending = Pending { complete: false, timeline: timeline.parse().ok(), to };
        let by = self.world().nodes[node].mark.clone().expect("it is held");
        self.effect(|world| world.fetch(node, &by, &pending)).await?;
        pending.complete = true;
        self.effect(|world| world.fetch(node, &by, &pending)).await?;
        Ok(Ok("restore size = 22.4MB".to_owned()))
    }

    async fn recover(&self, node: &str, how: Recovery) -> Result<Answer> {
        if let Err(reason) = self.effect(|world| world.replay(node, how.or_end)).await? {
            return Ok(Err(reason));
        }
        let world = self.world();
        let content = world.content(node);
        let recovered = Recovered {
            timeline: Some(content.timeline),
            lsn: Some(written(content).to_string()),
            history: Some(content.history.clone()),
            ..Recovered::default()
        };
        Ok(Ok(json!(recovered).to_string()))
    }

    async fn sql(&self, node: &str, sql: &str) -> Result<Answer> {
        let content = {
            let world = self.world();
            if !world.nodes[node].patroni {
                return Ok(Err("no server is running".to_owned()));
            }
            world.content_of(node).cloned()
        };
        let Some(content) = content else { return Ok(Err("no server is running".to_owned())) };
        let leads = self.world().leader().as_deref() == Some(node);
        let has = |part: &str| sql.contains(part);
        Ok(Ok(if has("pg_switch_wal") {
            self.effect(|world| world.switch(node)).await?.to_string()
        } else if has("pg_current_xact_id") {
            "745".to_owned()
        } else if has("pg_ls_archive_statusdir") {
            "0|".to_owned()
        } else if has("system_identifier") {
            let at = written(&content).0;
            let at = Lsn(at);
            format!("{}|{at}|{NOW_S}|{SYSTEM_ID}", content.timeline)
        } else if has("pg_replication_slots") {
            serde_json::to_string(&LogicalReplication::default()).expect("plain data is JSON")
        } else if has("received_tli") || leads {
            content.timeline.to_string()
        } else {
            String::new()
        }))
    }
}

/// What is done with the folders of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Folders {
    Aside,
    Back,
    Tidy,
}

fn held(world: &World, name: &str) -> NodeState {
    let node = &world.nodes[name];
    let content = world.content_of(name);
    let linked = content.map(|_| Linked {
        link: "pg_tblspc/16386".to_owned(),
        path: FAST.to_owned(),
        on_volume: true,
    });
    NodeState {
        held: node.holding && node.mark.is_some(),
        holding: node.holding,
        by: node.mark.clone(),
        room: Room {
            device: 1,
            free_bytes: 1 << 40,
            data_bytes: 23_481_115,
            system_id: content.map(|_| SYSTEM_ID),
        },
        linked: linked.into_iter().collect(),
        stopped: content.filter(|_| !node.patroni).map(|content| Stopped {
            state: content.state.to_owned(),
            timeline: content.timeline,
            not_archived: 0,
        }),
    }
}

/// What `pgha-node repository 1` prints.
fn repository(world: &World) -> Value {
    let name = |number| Segment { timeline: 1, number }.to_string();
    let number = world.backup.segment;
    let files = world.archive.keys().map(|segment| {
        let path = format!("{}/{segment}-0123456789.gz", &segment.to_string()[..16]);
        (path, json!({"type": "file", "size": 16550, "time": NOW_S - 100}))
    });
    let histories = world.histories.iter().map(|(number, (text, _))| (number.to_string(), text));
    let stop = Lsn(Segment { timeline: 1, number }.start().0 + 0x100);
    json!({
        "repository": 1,
        "info": [{
            "archive": [{"database": {"id": 1, "repo-key": 1}, "id": "17-1"}],
            "backup": [{
                "archive": {"start": name(number), "stop": name(number)},
                "database": {"id": 1, "repo-key": 1}, "error": false,
                "info": {"size": 23_481_115, "delta": 1, "repository": {"delta": 1}},
                "label": BACKUP, "lsn": {"start": name_of(number), "stop": stop.to_string()},
                "timestamp": {"start": NOW_S - 500, "stop": NOW_S - 490}, "type": "full",
            }],
            "db": [{"id": 1, "repo-key": 1, "system-id": SYSTEM_ID, "version": "17"}],
            "name": "pgha_db", "status": {"code": 0, "message": "ok"},
        }],
        "archive": {"17-1": files.collect::<BTreeMap<_, _>>()},
        "histories": histories.collect::<BTreeMap<_, _>>(),
    })
}

fn name_of(number: u64) -> String {
    Segment { timeline: 1, number }.start().to_string()
}

/// What a probe prints.
pub(super) fn report(world: &World, member: &str) -> String {
    let topology = &world.topology;
    let site = topology.member(member).expect("a member").site;
    let here = |role| topology.of_role(role).filter(move |member| member.site == site);
    let runs = |name: &str| world.containers[name] == ContainerState::Running;
    let refused = || "connection refused".to_owned();
    let leader = world.leader();
    let postgres = here(Role::Postgres).map(|node| NodeObservation {
        name: node.name.clone(),
        patroni: if runs(&node.name) && world.nodes[&node.name].patroni {
            Ok(patroni(world, &node.name, leader.as_deref()))
        } else {
            Err(refused())
        },
    });
    let (postgres, etcd) = (postgres.collect(), here(Role::Etcd));
    let etcd = etcd.map(|etcd| EtcdObservation {
        name: etcd.name.clone(),
        status: if runs(&etcd.name) { Ok(EtcdStatus::default()) } else { Err(refused()) },
        dcs: Ok(Dcs {
            revision: 1,
            leader: leader.clone(),
            system_id: world.etcd.get("initialize").cloned(),
            ..Dcs::default()
        }),
        took_ms: 1.0,
    });
    let by_backup_host = topology.backup_host().name == member;
    let journal = if by_backup_host { world.read_journal() } else { None };
    let report = SiteObservation {
        site: topology.site(site).name.clone(),
        by: member.to_owned(),
        postgres,
        etcd: etcd.collect(),
        stanza: by_backup_host.then_some(true),
        backups: None,
        repositories: Vec::new(),
        proxies: Vec::new(),
        restoring: journal.is_some(),
        repair: None,
        restore: journal.map(|journal| journal.unfinished(&topology.id.to_string())),
        disk: None,
    };
    serde_json::to_string(&report).expect("plain data is JSON")
}

fn patroni(world: &World, name: &str, leader: Option<&str>) -> Patroni {
    let Some(content) = world.content_of(name) else {
        let words = ("stopped".to_owned(), "uninitialized".to_owned());
        return Patroni { state: words.0, role: words.1, ..Patroni::default() };
    };
    let leads = leader == Some(name);
    let at = Some(written(content).0);
    Patroni {
        state: "running".to_owned(),
        role: if leads { "primary" } else { "replica" }.to_owned(),
        timeline: Some(u64::from(content.timeline)),
        location: at.filter(|_| leads),
        received: at.filter(|_| !leads),
        replayed: at.filter(|_| !leads),
        replication_state: (!leads && leader.is_some()).then(|| "streaming".to_owned()),
        quorum_standby: !leads && leader.is_some(),
        system_id: Some(SYSTEM_ID.to_string()),
        ..Patroni::default()
    }
}
