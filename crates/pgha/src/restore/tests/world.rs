//! A cluster that is only a few maps: nodes with their volumes, Postgres and Patroni on them, etcd, and the
//! backup host with its archive and the journal.
//!
//! It panics where the product must never let it come: where a Postgres starts on half a restore, where an
//! archived file of a line that is kept goes or is written over, where a leader lacks committed rows.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use pgha_core::render::data_dir;
use pgha_core::restore::{Began, Journal, Move, Volume, aside_of};
use pgha_core::status::ContainerState;
use pgha_core::topology::{Role, Topology};
use pgha_core::wal::{Lsn, Segment};

/// A tablespace on the volume of every node.
pub(super) const FAST: &str = "/pgdata/fast";
/// Label of the one backup, which has the first row.
pub(super) const BACKUP: &str = "20261124-160125F";
/// Where a row lies in its segment.
const ROW_OFFSET: u64 = 0x28;

/// What a part of the simulation does wrong, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// Nodes leave tablespaces where they are.
    DataOnly,
    /// The backup host removes each timeline above the newest that the plan knew.
    ByNumber,
    /// A journal that is written takes effect with the next one.
    LateJournal,
}

/// What recovery is to do with the files of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    /// All files are there.
    pub(super) complete: bool,
    /// The timeline to follow; that of the backup where `None`.
    pub(super) timeline: Option<u32>,
    /// The last position; the end of the archive where `None`.
    pub(super) to: Option<Lsn>,
}

/// What is in a folder: the state of a database, of which a tablespace has its part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    /// The restore that made it; `None` of a line that is kept.
    pub(super) by: Option<String>,
    pub(super) timeline: u32,
    /// The history file of that timeline; empty of the first.
    pub(super) history: String,
    pub(super) rows: BTreeSet<u32>,
    /// Number of the segment that is written to, and the rows in it.
    pub(super) segment: u64,
    pub(super) in_segment: BTreeSet<u32>,
    /// As `pg_controldata` says.
    pub(super) state: &'static str,
    pub(super) pending: Option<Pending>,
}

/// A node: its volume, and what runs on it.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// Folders of the volume; one that is empty has `None`.
    pub(super) folders: BTreeMap<String, Option<Content>>,
    /// The mark that keeps PID 1 from starting Patroni.
    pub(super) mark: Option<String>,
    /// PID 1 runs, and found the mark as it started; it holds the node a moment later.
    pub(super) starting: bool,
    /// PID 1 holds the node.
    pub(super) holding: bool,
    /// PID 1 runs and has started Patroni.
    pub(super) patroni: bool,
}

/// A file of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Archived {
    /// The restore that is not finished whose cluster wrote it.
    pub(super) by: Option<String>,
    pub(super) rows: BTreeSet<u32>,
}

/// All there is.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) topology: Topology,
    pub(super) containers: BTreeMap<String, ContainerState>,
    pub(super) nodes: BTreeMap<String, Node>,
    /// Patroni's keys: `initialize`, `leader`, `status`, `history`, `sync`.
    pub(super) etcd: BTreeMap<String, String>,
    pub(super) archive: BTreeMap<Segment, Archived>,
    /// History files of the archive, and whose they are.
    pub(super) histories: BTreeMap<u32, (String, Option<String>)>,
    pub(super) backup: Content,
    /// The journal's text, and what it says.
    pub(super) journal: String,
    said: OnceCell<Option<Journal>>,
    /// The journal that takes effect with the next one, with [`Fault::LateJournal`].
    pub(super) late: Option<String>,
    pub(super) locked: bool,
    /// Patroni does nothing before it is told to.
    pub(super) lazy: bool,
    pub(super) fault: Fault,
    /// Where each row is.
    pub(super) places: BTreeMap<u32, Lsn>,
    next_row: u32,
    /// Rows of the line that is kept, as clients were told.
    pub(super) committed: BTreeSet<u32>,
    /// Archived files of lines that are kept.
    pub(super) kept: BTreeSet<Segment>,
    /// Rows that a restore which has ended was asked for, with those that came after them.
    pub(super) restored: Option<BTreeSet<u32>>,
}

impl World {
    /// A cluster that runs, with a backup that has the first row, and rows after it.
    pub(super) fn new(topology: &Topology, fault: Fault) -> Self {
        let first = Content {
            by: None,
            timeline: 1,
            history: String::new(),
            rows: BTreeSet::new(),
            segment: 4,
            in_segment: BTreeSet::new(),
            state: "in production",
            pending: None,
        };
        let mut world = Self {
            topology: topology.clone(),
            containers: topology
                .containers()
                .into_iter()
                .map(|name| (name, ContainerState::Running))
                .collect(),
            nodes: BTreeMap::new(),
            etcd: BTreeMap::new(),
            archive: BTreeMap::new(),
            histories: BTreeMap::new(),
            backup: first.clone(),
            journal: String::new(),
            said: OnceCell::new(),
            late: None,
            locked: false,
            lazy: false,
            fault,
            places: BTreeMap::new(),
            next_row: 1,
            committed: BTreeSet::new(),
            kept: BTreeSet::new(),
            restored: None,
        };
        for member in topology.of_role(Role::Postgres) {
            let mut node = Node { patroni: true, ..Node::default() };
            node.put(&world.data(), Some(&first));
            world.nodes.insert(member.name.clone(), node);
        }
        let leader = world.names()[0].clone();
        world.etcd.insert("initialize".into(), SYSTEM_ID.to_string());
        world.etcd.insert("leader".into(), leader.clone());
        world.work();
        world.backup = world.content(&leader).clone();
        world.backup.segment -= 1;
        (0..4).for_each(|_| world.work());
        world
    }

    pub(super) fn data(&self) -> String {
        data_dir(self.topology.spec.postgres)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.topology.of_role(Role::Postgres).map(|member| member.name.clone()).collect()
    }

    pub(super) fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.get_mut(name).expect("a node")
    }

    /// The data of a node, where it has some.
    pub(super) fn content_of(&self, name: &str) -> Option<&Content> {
        self.nodes[name].folders.get(&self.data())?.as_ref()
    }

    pub(super) fn content(&self, name: &str) -> &Content {
        self.content_of(name).expect("it has data")
    }

    /// Changes what is in the data and the tablespace of a node.
    pub(super) fn change(&mut self, name: &str, change: impl Fn(&mut Content)) {
        for folder in [self.data(), FAST.to_owned()] {
            let content = self.node(name).folders.get_mut(&folder).and_then(Option::as_mut);
            change(content.expect("it has data"));
        }
    }

    /// Who leads, as etcd has it.
    pub(super) fn leader(&self) -> Option<String> {
        self.etcd.get("leader").cloned()
    }

    pub(super) fn read_journal(&self) -> Option<Journal> {
        let read = || match self.journal.as_str() {
            "" => None,
            text => Some(serde_json::from_str(text).expect("a journal can be read")),
        };
        self.said.get_or_init(read).clone()
    }

    pub(super) fn set_journal(&mut self, text: String) {
        (self.journal, self.said) = (text, OnceCell::new());
    }

    /// A client commits a row on whatever leads, and its segment is archived.
    pub(super) fn work(&mut self) {
        let Some(leader) = self.leader() else { return };
        let row = self.next_row;
        self.next_row += 1;
        let content = self.content(&leader).clone();
        let segment = Segment { timeline: content.timeline, number: content.segment };
        self.places.insert(row, Lsn(segment.start().0 + ROW_OFFSET));
        if content.by.is_none() {
            self.committed.insert(row);
        } else if let Some(restored) = &mut self.restored {
            restored.insert(row);
        }
        self.change(&leader, |content| {
            content.rows.insert(row);
            content.in_segment.insert(row);
        });
        self.switch(&leader);
        self.follow();
    }

    /// Ends the segment that a node writes to, archives it, and gives it.
    pub(super) fn switch(&mut self, name: &str) -> Segment {
        let content = self.content(name).clone();
        let segment = Segment { timeline: content.timeline, number: content.segment };
        let new = Archived { by: content.by.clone(), rows: content.in_segment };
        if let Some(there) = self.archive.get(&segment) {
            assert_eq!(*there, new, "{segment} is archived already, by another line");
        }
        if new.by.is_none() {
            self.kept.insert(segment);
        }
        self.archive.insert(segment, new);
        self.change(name, |content| {
            content.segment += 1;
            content.in_segment.clear();
        });
        segment
    }

    fn archive_history(&mut self, name: &str) {
        let Content { by, timeline, history, .. } = self.content(name).clone();
        if timeline == 1 {
            return;
        }
        if let Some((there, _)) = self.histories.get(&timeline) {
            assert_eq!(*there, history, "the history of {timeline} is archived, of another line");
        }
        self.histories.entry(timeline).or_insert((history, by));
    }

    /// The timeline that Postgres takes next after this one.
    fn next_timeline(&self, after: u32) -> u32 {
        (after + 1..1000).find(|n| !self.histories.contains_key(n)).expect("there are not so many")
    }

    /// A node begins a timeline of its own and takes the leader key.
    pub(super) fn promote(&mut self, name: &str) {
        self.archive_history(name);
        let content = self.content(name).clone();
        let lost: Vec<_> = self.committed.difference(&content.rows).collect();
        assert!(content.by.is_some() || lost.is_empty(), "{name} leads without rows {lost:?}");
        let (timeline, history) = self.branch(&content, Lsn(written(&content).0));
        self.change(name, |content| {
            content.timeline = timeline;
            content.history.clone_from(&history);
            content.state = "in production";
        });
        self.archive_history(name);
        self.etcd.insert("leader".into(), name.to_owned());
        self.etcd.insert("initialize".into(), SYSTEM_ID.to_string());
        self.etcd.insert("status".into(), write_place(self.content(name)));
    }

    pub(super) fn branch(&self, from: &Content, at: Lsn) -> (u32, String) {
        let before =
            if from.history.is_empty() { String::new() } else { format!("{}\n", from.history) };
        let history = format!("{before}{}\t{at}\tno recovery target specified\n", from.timeline);
        (self.next_timeline(from.timeline), history)
    }

    /// Nodes whose Patroni runs.
    fn patronis(&self) -> Vec<String> {
        self.names().into_iter().filter(|name| self.nodes[name].patroni).collect()
    }

    /// What Patroni does on all nodes, until nothing is left to do.
    pub(super) fn patroni(&mut self) {
        if self.lazy {
            return;
        }
        let running = self.patronis();
        if self.leader().is_some_and(|leader| !running.contains(&leader)) {
            self.etcd.remove("leader");
        }
        if self.leader().is_none() {
            // One that is behind the last leader, or on an earlier timeline, is not promoted.
            let known = self.etcd.get("status").map_or((0, 0), |text| read_place(text));
            let may = running.iter().filter_map(|name| Some((place(self.content_of(name)?), name)));
            let best = may.filter(|(at, _)| at.0 >= known.0 && at.1 >= known.1).max();
            if let Some(name) = best.map(|(_, name)| name.clone()) {
                self.promote(&name);
            }
        }
        self.follow();
    }

    /// Every other node streams from the leader, or is cloned.
    fn follow(&mut self) {
        let Some(leader) = self.leader() else { return };
        let data = self.content(&leader).clone();
        self.etcd.insert("status".into(), write_place(&data));
        let folder = self.data();
        for name in self.patronis().into_iter().filter(|name| *name != leader) {
            assert!(
                self.nodes[&name].folders.contains_key(FAST),
                "{name} has no tablespace's folder"
            );
            self.node(&name).put(&folder, Some(&data));
        }
    }

    /// PID 1 of a node starts.
    pub(super) fn start(&mut self, name: &str) {
        let before = self.containers.insert(name.to_owned(), ContainerState::Running);
        if before == Some(ContainerState::Running) || !self.nodes.contains_key(name) {
            return;
        }
        let held = self.nodes[name].mark.is_some();
        self.node(name).starting = held;
        if !held {
            self.start_patroni(name);
        }
    }

    /// PID 1 of a node that has found the mark is through with its start; the mark may be gone by now.
    pub(super) fn hold(&mut self, name: &str) {
        let node = self.node(name);
        if std::mem::take(&mut node.starting) {
            node.holding = node.mark.is_some();
            if !node.holding {
                self.start_patroni(name);
            }
        }
    }

    fn start_patroni(&mut self, name: &str) {
        self.node(name).patroni = true;
        if let Some(content) = self.content_of(name) {
            assert_eq!(content.pending, None, "{name} runs on half a restore");
            let fast = self.nodes[name].folders.get(FAST).and_then(Option::as_ref);
            assert_eq!(fast, Some(content), "{name}: the tablespace is not of these data");
        }
        self.patroni();
    }

    /// A container ends by itself.
    pub(super) fn stop(&mut self, name: &str) {
        let before = self.containers.insert(name.to_owned(), ContainerState::Stopped);
        if before != Some(ContainerState::Running) || !self.nodes.contains_key(name) {
            return;
        }
        let leads = self.leader().as_deref() == Some(name);
        let ran = self.nodes[name].patroni && self.content_of(name).is_some();
        if leads {
            // It waits until those that stream have all of it.
            self.switch(name);
            self.follow();
            self.etcd.insert("status".into(), write_place(self.content(name)));
            self.etcd.remove("leader");
        }
        if ran {
            let state = if leads { "shut down" } else { "shut down in recovery" };
            self.change(name, |content| content.state = state);
        }
        let node = self.node(name);
        (node.starting, node.holding, node.patroni) = (false, false, false);
        self.patroni();
    }

    /// Another node that streams takes over from the leader.
    pub(super) fn fail_over(&mut self) {
        let Some(leader) = self.leader() else { return };
        let other = self.patronis().into_iter().find(|name| *name != leader);
        if let Some(other) = other {
            self.promote(&other);
            self.follow();
        }
    }

    /// The power of a node fails, and it starts again.
    pub(super) fn cut_power(&mut self, name: &str) {
        if self.nodes[name].patroni && self.content_of(name).is_some() {
            self.change(name, |content| content.state = "in production");
        }
        let node = self.node(name);
        (node.starting, node.holding, node.patroni) = (false, false, false);
        self.containers.insert(name.to_owned(), ContainerState::Stopped);
        self.start(name);
    }

    /// What an archive has of the line that a restore began, in the order that it is removed.
    pub(super) fn own(&self, began: &Began) -> (Vec<Segment>, BTreeSet<u32>) {
        let texts = self.histories.iter().map(|(number, (text, _))| (*number, text.clone()));
        let mut own = began.own(&texts.collect());
        if self.fault == Fault::ByNumber {
            let newest = self.read_journal().map_or(1, |journal| journal.plan.newest_timeline);
            own =
                self.archive.keys().map(|s| s.timeline).filter(|number| *number > newest).collect();
        }
        let files = self.archive.keys().filter(|segment| own.contains(&segment.timeline));
        (files.copied().collect(), own)
    }

    pub(super) fn forget(&mut self, segment: Segment) {
        assert!(!self.kept.contains(&segment), "{segment} of a line that is kept is removed");
        self.archive.remove(&segment);
    }

    /// What there is on a node's volume.
    pub(super) fn volume(&self, name: &str, id: &str) -> Volume {
        let (data, folders) = (self.data(), &self.nodes[name].folders);
        let links = |path: &str| match folders.get(path) {
            Some(Some(_)) => BTreeSet::from([FAST.to_owned()]),
            _ => BTreeSet::new(),
        };
        let (linked, old_linked) = (links(&data), links(&aside_of(&data, id)));
        Volume { data, there: folders.keys().cloned().collect(), linked, old_linked }
    }

    pub(super) fn apply(&mut self, name: &str, change: &Move) {
        let folders = &mut self.node(name).folders;
        match change.clone() {
            Move::Rename { from, to } => {
                let content = folders.remove(&from).expect("it is there");
                assert!(folders.insert(to, content).is_none(), "something is written over");
            }
            Move::Make(path) => drop(folders.entry(path).or_default()),
            Move::Remove(path) => drop(folders.remove(&path)),
            Move::Empty(path) => drop(folders.insert(path, None)),
        }
    }

    /// The journal is written; an empty one says that it is over.
    pub(super) fn write_journal(&mut self, text: &str) {
        let text = match self.fault {
            Fault::LateJournal => match self.late.replace(text.to_owned()) {
                Some(before) if !text.is_empty() => before,
                _ => text.to_owned(),
            },
            _ => text.to_owned(),
        };
        let ended = if text.is_empty() { self.read_journal() } else { None };
        self.set_journal(text);
        if let Some(journal) = ended {
            self.over(&journal);
        }
    }
}

/// The one database.
pub(super) const SYSTEM_ID: u64 = 7_711_768_747_749_904_439;

/// How far data are: timeline and segment.
fn place(content: &Content) -> (u32, u64) {
    (content.timeline, content.segment)
}

/// The same as etcd has it.
fn write_place(content: &Content) -> String {
    format!("{} {}", content.timeline, content.segment)
}

fn read_place(text: &str) -> (u32, u64) {
    let (timeline, segment) = text.split_once(' ').expect("two numbers");
    (timeline.parse().expect("a number"), segment.parse().expect("a number"))
}

/// How far a database has written.
pub(super) fn written(content: &Content) -> Lsn {
    let segment = Segment { timeline: content.timeline, number: content.segment };
    let within = if content.in_segment.is_empty() { 0 } else { 2 * ROW_OFFSET };
    Lsn(segment.start().0 + within)
}

impl Node {
    /// Fills data and tablespace.
    pub(super) fn put(&mut self, data: &str, content: Option<&Content>) {
        for folder in [data, FAST] {
            self.folders.insert(folder.to_owned(), content.cloned());
        }
    }
}
