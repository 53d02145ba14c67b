//! A cluster that is only a few maps, restored, interrupted, gone on with and given up in any order, by
//! the decisions that the product takes: no committed row and no archived file of a line of history that is
//! kept is ever lost.

use std::collections::{BTreeMap, BTreeSet};

use pgha_core::repository::BackupType;
use pgha_core::restore::{
    Began, End, Journal, LogicalReplication, Loss, Move, Phase, RestorePlan, Step, StepDone,
    Stopped, Target, TargetOptions, Undo, Volume, WalRange, aside_of,
};
use pgha_core::steps::StepJournal as _;
use pgha_core::wal::Segment;
use proptest::prelude::*;

const DATA: &str = "/pgdata/17";
const FAST: &str = "/pgdata/fast";
const NODES: [&str; 2] = ["a", "b"];

/// What is in a folder: the state of a database, of which a tablespace has its part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Content {
    timeline: u32,
    history: String,
    rows: BTreeSet<u32>,
    clean: bool,
}

/// A node's volume, and what runs on it.
#[derive(Debug, Clone, Default)]
struct Node {
    folders: BTreeMap<String, Option<Content>>,
    marked: bool,
    runs: bool,
}

impl Node {
    fn data(&self) -> Option<&Content> {
        self.folders.get(DATA)?.as_ref()
    }

    fn put(&mut self, content: &Content) {
        for folder in [DATA, FAST] {
            self.folders.insert(folder.to_owned(), Some(content.clone()));
        }
    }

    fn volume(&self, id: &str) -> Volume {
        let links = |path: &str| match self.folders.get(path) {
            Some(Some(_)) => BTreeSet::from([FAST.to_owned()]),
            _ => BTreeSet::new(),
        };
        Volume {
            data: DATA.to_owned(),
            there: self.folders.keys().cloned().collect(),
            linked: links(DATA),
            old_linked: links(&aside_of(DATA, id)),
        }
    }

    fn apply(&mut self, change: Move) {
        match change {
            Move::Rename { from, to } => {
                let content = self.folders.remove(&from).expect("it is there");
                assert!(self.folders.insert(to, content).is_none(), "something is overwritten");
            }
            Move::Make(path) => {
                self.folders.entry(path).or_default();
            }
            Move::Remove(path) => {
                self.folders.remove(&path);
            }
            Move::Empty(path) => {
                self.folders.insert(path, None);
            }
        }
    }
}

/// A file of the archive: who wrote it, and what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Archived {
    /// The restore that is not finished whose cluster wrote it.
    by: Option<String>,
    row: u32,
}

#[derive(Debug, Clone)]
enum Op {
    /// Rows are committed on whatever leads.
    Work,
    /// The other node takes over.
    Failover,
    /// `pgha restore --latest` or to an earlier state, killed after so many effects.
    Restore { latest: bool, keep_old: bool, effects: usize },
    /// `pgha restore`, killed after so many effects.
    GoOn { effects: usize },
    /// `pgha restore --abort`, killed after so many effects, or out of time as it waits for the leader.
    Abort { effects: usize, late: bool },
}

/// The command was killed, or has failed; what it had in memory is gone.
#[derive(Debug)]
struct Ended;

/// What a faulty product would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Does all of giving up again each time.
    Forgetful,
    /// Leaves tablespaces where they are.
    DataOnly,
    /// Removes each timeline above the newest that the plan knew.
    ByNumber,
}

struct World {
    nodes: BTreeMap<&'static str, Node>,
    leader: Option<&'static str>,
    archive: BTreeMap<(u32, u32), Archived>,
    histories: BTreeMap<u32, String>,
    journal: Option<Journal>,
    next: u32,
    effects: usize,
    fault: Fault,
    /// Rows of the line that is kept, as clients were told.
    committed: BTreeSet<u32>,
    /// Archived files of lines that are kept.
    kept: BTreeSet<(u32, u32)>,
}

impl World {
    fn new(fault: Fault) -> Self {
        let mut world = Self {
            nodes: NODES.into_iter().map(|name| (name, Node::default())).collect(),
            leader: Some("a"),
            archive: BTreeMap::new(),
            histories: BTreeMap::new(),
            journal: None,
            next: 1,
            effects: 0,
            fault,
            committed: BTreeSet::new(),
            kept: BTreeSet::new(),
        };
        let first = Content { timeline: 1, ..Content::default() };
        for node in world.nodes.values_mut() {
            node.put(&first);
            node.runs = true;
        }
        world.work();
        world
    }

    fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.get_mut(name).expect("a node")
    }

    /// One effect of the command; it may be killed before any.
    fn effect(&mut self) -> Result<(), Ended> {
        if self.effects == 0 {
            return Err(Ended);
        }
        self.effects -= 1;
        Ok(())
    }

    fn write(&mut self, journal: Option<&Journal>) -> Result<(), Ended> {
        self.effect()?;
        self.journal = journal.cloned();
        Ok(())
    }

    /// The restore whose data run.
    fn unfinished(&self, node: &str) -> Option<String> {
        let journal = self.journal.as_ref()?;
        // As it ends, it removes the old data of one node after the other.
        let ending = journal.progress.phase == Phase::Forward && journal.has_begun(&Step::Finish);
        let aside = aside_of(DATA, &journal.id);
        let moved = self.nodes[node].folders.contains_key(&aside);
        (ending || moved).then(|| journal.id.clone())
    }

    fn archive(&mut self, timeline: u32, row: u32, by: Option<&String>) {
        let number = u32::try_from(self.archive.len()).expect("few") + 1000 * self.next;
        let file = (timeline, number);
        self.archive.insert(file, Archived { by: by.cloned(), row });
        if by.is_none() {
            self.kept.insert(file);
        }
    }

    fn work(&mut self) {
        let Some(leader) = self.leader else { return };
        let by = self.unfinished(leader);
        let row = self.next;
        self.next += 1;
        let mut now = self.nodes[leader].data().expect("it runs").clone();
        now.rows.insert(row);
        self.archive(now.timeline, row, by.as_ref());
        if by.is_none() {
            self.committed.insert(row);
        }
        for node in self.nodes.values_mut().filter(|node| node.runs) {
            node.put(&now);
        }
    }

    /// A node begins a timeline of its own.
    fn promote(&mut self, name: &'static str) {
        let by = self.unfinished(name);
        let mut now = self.nodes[name].data().expect("it has data").clone();
        // Replicas that were behind follow; a leader that is behind loses what it lacks.
        let lost: Vec<_> = self.committed.difference(&now.rows).collect();
        assert!(by.is_some() || lost.is_empty(), "{name} leads without {lost:?}");
        let mut next = now.timeline + 1;
        while self.histories.contains_key(&next) {
            next += 1;
        }
        let ends = now.rows.len();
        now.history =
            format!("{}\n{}\t0/{ends}\tno recovery target specified\n", now.history, now.timeline);
        now.timeline = next;
        self.histories.insert(next, now.history.clone());
        let row = now.rows.last().copied().unwrap_or_default();
        self.archive(next, row, by.as_ref());
        let all: Vec<&str> =
            NODES.into_iter().filter(|n| *n == name || self.nodes[n].runs).collect();
        for node in all {
            self.node(node).put(&now);
        }
        self.leader = Some(name);
    }

    /// Patroni starts on a node.
    fn start(&mut self, name: &'static str) {
        let node = self.node(name);
        if node.runs {
            return;
        }
        node.marked = false;
        node.runs = true;
        if node.data().is_some() {
            assert_eq!(
                node.folders.get(FAST),
                node.folders.get(DATA),
                "{name}: the tablespace is not of these data"
            );
        }
    }

    fn stop_all(&mut self) {
        let mut last = None;
        for name in ["b", "a"] {
            let node = self.node(name);
            if node.runs {
                last = node.data().cloned();
            }
            node.runs = false;
        }
        if let (Some(mut data), Some(leader)) = (last, self.leader.take()) {
            // A clean end is archived.
            data.clean = true;
            self.node(leader).put(&data);
        }
    }

    fn plan(&self, latest: bool) -> RestorePlan {
        let none = TargetOptions::default();
        let options = if latest {
            TargetOptions { latest, ..none }
        } else {
            TargetOptions { name: Some("p1".into()), ..none }
        };
        let leader = self.leader.unwrap_or("a");
        RestorePlan {
            target: Target::parse(&options).expect("a target"),
            repository: 1,
            backup: "20261124-160400F".into(),
            backup_kind: BackupType::Full,
            backup_stopped_s: 0,
            backup_bytes: 0,
            backup_assumed: false,
            timeline: self.nodes[leader].data().map_or(1, |data| data.timeline),
            newest_timeline: self.histories.keys().max().copied().unwrap_or(1),
            wal: WalRange { first: Segment { timeline: 1, number: 1 }, last: None, segments: 1 },
            loss: if latest { Loss::Nothing } else { Loss::AfterTarget },
            left_behind: Vec::new(),
            leader: leader.to_owned(),
            replicas: NODES.into_iter().filter(|n| *n != leader).map(str::to_owned).collect(),
            leader_archives: self.leader.is_some(),
            replaces: Vec::new(),
            nodes_empty: false,
            tablespaces: Vec::new(),
            ends: if latest { End::Archive } else { End::Target },
            copy: false,
            source: None,
            logical: LogicalReplication::default(),
            steps: Step::ALL.into(),
        }
    }

    fn do_op(&mut self, op: &Op) {
        let (Ok(()) | Err(Ended)) = match *op {
            Op::Work => {
                self.work();
                return;
            }
            Op::Failover => {
                let other = self.leader.map(|leader| if leader == "a" { "b" } else { "a" });
                if let Some(other) = other.filter(|other| self.nodes[other].runs) {
                    self.promote(other);
                }
                return;
            }
            Op::Restore { latest, keep_old, effects } => {
                self.effects = effects;
                if self.journal.is_some() || self.leader.is_none() {
                    return;
                }
                let id = format!("20261124-{:06}", self.next);
                self.next += 1;
                self.forward(Journal::new(id, self.plan(latest), false, keep_old))
            }
            Op::GoOn { effects } => {
                self.effects = effects;
                let Some(mut journal) =
                    self.journal.clone().filter(|j| j.progress.phase == Phase::Forward)
                else {
                    return;
                };
                if journal.is_open() && self.leader.is_some() {
                    journal.plan = self.plan(journal.plan.loss == Loss::Nothing);
                    journal.progress.done.clear();
                }
                self.forward(journal)
            }
            Op::Abort { effects, late } => {
                self.effects = effects;
                let Some(journal) = self.journal.clone() else { return };
                self.back(journal, late)
            }
        };
        self.check();
    }

    fn forward(&mut self, mut journal: Journal) -> Result<(), Ended> {
        journal.begin();
        self.write(Some(&journal))?;
        while let Some(step) = journal.next() {
            self.step(step, &mut journal)?;
            journal.progress.done.push(StepDone { step, took_ms: 0, note: String::new() });
            journal.begin();
            self.write(Some(&journal))?;
        }
        self.write(None)?;
        // What it has made is the line that is kept now.
        let id = Some(journal.id);
        for (file, archived) in &mut self.archive {
            if archived.by == id {
                archived.by = None;
                self.kept.insert(*file);
            }
        }
        let leader = self.leader.expect("it has been verified");
        let rows = self.nodes[leader].data().expect("it runs").rows.clone();
        if journal.plan.loss == Loss::Nothing {
            assert!(rows.is_superset(&self.committed), "the latest state lacks rows");
        }
        self.committed = rows;
        Ok(())
    }

    fn step(&mut self, step: Step, journal: &mut Journal) -> Result<(), Ended> {
        let leader = NODES.into_iter().find(|n| *n == journal.plan.leader).expect("a node");
        match step {
            Step::Archive | Step::Verify => Ok(()),
            Step::Hold => {
                self.hold()?;
                let stopped = |content: &Content| Stopped {
                    state: if content.clean { "shut down" } else { "in production" }.to_owned(),
                    timeline: content.timeline,
                    not_archived: 0,
                };
                let nodes = self.nodes.iter();
                let nodes =
                    nodes.map(|(name, node)| ((*name).to_owned(), node.data().map(stopped)));
                journal.plan.demand_stopped(&nodes.collect()).map_err(|_| Ended)
            }
            Step::Aside => {
                for name in NODES {
                    let mut moves =
                        self.nodes[name].volume(&journal.id).aside(&BTreeSet::new(), &journal.id);
                    if self.fault == Fault::DataOnly {
                        moves.retain(|change| !format!("{change:?}").contains(FAST));
                    }
                    self.apply(name, moves)?;
                }
                Ok(())
            }
            Step::Restore | Step::Clear => self.effect(),
            Step::Recover => self.recover(leader, journal),
            Step::Lead => {
                self.effect()?;
                if !self.nodes[leader].runs {
                    self.start(leader);
                    let data = self.nodes[leader].data().expect("it is restored").clone();
                    self.histories.insert(data.timeline, data.history);
                    self.promote(leader);
                }
                Ok(())
            }
            Step::Replicas => {
                self.effect()?;
                let data = self.nodes[leader].data().expect("it leads").clone();
                for name in NODES.into_iter().filter(|name| *name != leader) {
                    if !self.nodes[name].runs {
                        self.node(name).put(&data);
                        self.start(name);
                    }
                }
                Ok(())
            }
            Step::Finish => {
                if journal.keep_old {
                    return Ok(());
                }
                for name in NODES {
                    let moves = self.nodes[name].volume(&journal.id).tidy(&journal.id);
                    self.apply(name, moves)?;
                }
                Ok(())
            }
        }
    }

    fn recover(&mut self, leader: &'static str, journal: &mut Journal) -> Result<(), Ended> {
        self.effect()?;
        let done = self.nodes[leader].data().is_some_and(|data| !data.history.is_empty());
        if !done {
            let old = &self.nodes[leader].folders[&aside_of(DATA, &journal.id)];
            let mut data = old.clone().expect("the old data");
            if journal.plan.loss != Loss::Nothing {
                data.rows.pop_last();
            }
            let mut next = data.timeline + 1;
            while self.histories.contains_key(&next) {
                next += 1;
            }
            let ends = data.rows.len();
            data.history = format!(
                "{}\n{}\t0/{ends}\tno recovery target specified\n",
                data.history, data.timeline
            );
            data.timeline = next;
            self.node(leader).put(&data);
        }
        let data = self.nodes[leader].data().expect("it is restored").clone();
        journal.new_timeline = Some(data.timeline);
        journal.began = Some(Began { timeline: data.timeline, history: data.history });
        Ok(())
    }

    fn apply(&mut self, name: &str, moves: Vec<Move>) -> Result<(), Ended> {
        for change in moves {
            self.effect()?;
            self.node(name).apply(change);
        }
        Ok(())
    }

    fn hold(&mut self) -> Result<(), Ended> {
        self.effect()?;
        self.nodes.values_mut().for_each(|node| node.marked = true);
        self.effect()?;
        self.stop_all();
        Ok(())
    }

    fn back(&mut self, mut journal: Journal, late: bool) -> Result<(), Ended> {
        if !journal.can_go_back() {
            return Err(Ended);
        }
        journal.progress.phase = Phase::Back;
        self.write(Some(&journal))?;
        if self.fault == Fault::Forgetful {
            journal.progress.undone.clear();
        }
        while let Some(undo) = journal.next_undo() {
            self.undo(undo, &journal, late)?;
            journal.progress.undone.push(undo);
            self.write(Some(&journal))?;
        }
        self.write(None)
    }

    fn undo(&mut self, undo: Undo, journal: &Journal, late: bool) -> Result<(), Ended> {
        let leader = NODES.into_iter().find(|n| *n == journal.plan.leader).expect("a node");
        match undo {
            Undo::Hold => self.hold(),
            Undo::PutBack => {
                for name in NODES {
                    let mut moves = self.nodes[name].volume(&journal.id).back(&journal.id);
                    if self.fault == Fault::DataOnly {
                        moves.retain(|change| !format!("{change:?}").contains(FAST));
                    }
                    self.apply(name, moves)?;
                }
                Ok(())
            }
            Undo::Archive => {
                let mut own =
                    journal.began.as_ref().map(|b| b.own(&self.histories)).unwrap_or_default();
                if self.fault == Fault::ByNumber {
                    let known = journal.plan.newest_timeline;
                    own = self
                        .archive
                        .keys()
                        .map(|(timeline, _)| *timeline)
                        .filter(|t| *t > known)
                        .collect();
                }
                let gone: Vec<(u32, u32)> = self
                    .archive
                    .keys()
                    .filter(|(timeline, _)| own.contains(timeline))
                    .copied()
                    .collect();
                for file in gone {
                    self.effect()?;
                    assert!(
                        !self.kept.contains(&file),
                        "{file:?} of a line that is kept is removed"
                    );
                    let removed = self.archive.remove(&file).expect("it is there");
                    assert_eq!(removed.by.as_deref(), Some(journal.id.as_str()), "{removed:?}");
                }
                for timeline in own {
                    self.effect()?;
                    self.histories.remove(&timeline);
                }
                Ok(())
            }
            Undo::Clear => self.effect(),
            Undo::Lead => {
                self.effect()?;
                if journal.leads_back() {
                    if !self.nodes[leader].runs {
                        self.start(leader);
                        self.promote(leader);
                    }
                    return if late { Err(Ended) } else { Ok(()) };
                }
                let stopped = self.nodes.values().all(|node| !node.runs);
                for name in NODES {
                    self.start(name);
                }
                if stopped {
                    self.promote(leader);
                }
                Ok(())
            }
            Undo::Replicas => {
                self.effect()?;
                let data = self.leader.and_then(|l| self.nodes[l].data()).cloned();
                for name in NODES {
                    if !self.nodes[name].runs {
                        self.start(name);
                    }
                    if let Some(data) = &data {
                        self.node(name).put(data);
                    }
                }
                Ok(())
            }
        }
    }

    /// What must be so whatever has happened.
    fn check(&self) {
        for file in &self.kept {
            assert!(self.archive.contains_key(file), "{file:?} is gone");
        }
        // The rows that are kept are on a node, whole, with their tablespace; at the latest before the last
        // step is begun.
        let ending = self.journal.as_ref().is_some_and(|j| !j.can_go_back());
        let id = self.journal.as_ref().map(|journal| journal.id.clone()).unwrap_or_default();
        let whole = |node: &Node| {
            let of = |folder: &str| {
                let aside = node.folders.get(&aside_of(folder, &id));
                aside.or_else(|| node.folders.get(folder)).cloned().flatten()
            };
            let data = of(DATA);
            data.is_some()
                && data == of(FAST)
                && data.is_some_and(|d| d.rows.is_superset(&self.committed))
        };
        assert!(ending || self.nodes.values().any(whole), "rows are lost: {:?}", self.nodes);
    }

    /// Gives up or ends whatever is going on, without being interrupted.
    fn end(&mut self) {
        let forward = self
            .journal
            .as_ref()
            .is_some_and(|j| j.progress.phase == Phase::Forward && !j.can_go_back());
        let op = if forward {
            Op::GoOn { effects: 1000 }
        } else {
            Op::Abort { effects: 1000, late: false }
        };
        self.do_op(&op);
        assert!(self.journal.is_none(), "it has an end");
        let leader = self.leader.expect("it leads");
        let data = self.nodes[leader].data().expect("it runs");
        assert!(data.rows.is_superset(&self.committed), "rows are lost");
        assert!(self.nodes.values().all(|node| node.runs));
    }
}

fn op() -> impl Strategy<Value = Op> {
    let effects = || prop_oneof![2 => 0_usize..45, 1 => Just(1000_usize)];
    prop_oneof![
        3 => Just(Op::Work),
        1 => Just(Op::Failover),
        3 => (any::<bool>(), any::<bool>(), effects()).prop_map(|(latest, keep_old, effects)| Op::Restore { latest, keep_old, effects }),
        3 => effects().prop_map(|effects| Op::GoOn { effects }),
        3 => (effects(), any::<bool>()).prop_map(|(effects, late)| Op::Abort { effects, late }),
    ]
}

fn run(fault: Fault, ops: &[Op]) {
    let mut world = World::new(fault);
    for op in ops {
        world.do_op(op);
    }
    world.end();
}

const FOR_EVER: usize = 1000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn whatever_is_done_nothing_that_is_kept_is_lost(ops in proptest::collection::vec(op(), 0..20)) {
        run(Fault::None, &ops);
    }
}

/// Each number of effects after which a restore, and then the giving up of it, can be killed.
#[test]
fn killed_anywhere_and_given_up_anywhere_the_old_data_come_back() {
    for latest in [true, false] {
        for forward in 0..45 {
            for back in 0..45 {
                run(
                    Fault::None,
                    &[
                        Op::Restore { latest, keep_old: false, effects: forward },
                        Op::Work,
                        Op::Abort { effects: back, late: true },
                        Op::Work,
                    ],
                );
            }
        }
    }
}

/// `--abort` runs into its deadline, the old cluster goes on, and `--abort` is called again.
fn abort_late_and_again() -> [Op; 4] {
    [
        Op::Restore { latest: false, keep_old: false, effects: 24 },
        Op::Abort { effects: FOR_EVER, late: true },
        Op::Work,
        Op::Abort { effects: FOR_EVER, late: false },
    ]
}

#[test]
fn what_the_old_cluster_archives_after_a_late_abort_is_its_own() {
    run(Fault::None, &abort_late_and_again());
}

#[test]
#[should_panic(expected = "of a line that is kept is removed")]
fn the_model_finds_an_abort_that_removes_by_number_again() {
    let mut world = World::new(Fault::Forgetful);
    let [restore, abort, work, again] = abort_late_and_again();
    world.do_op(&restore);
    world.do_op(&abort);
    world.do_op(&work);
    world.fault = Fault::ByNumber;
    let journal = world.journal.as_mut().expect("it is late");
    journal.progress.undone.clear();
    world.do_op(&again);
}

#[test]
#[should_panic(expected = "the tablespace is not of these data")]
fn the_model_finds_a_tablespace_that_was_left_in_place() {
    run(
        Fault::DataOnly,
        &[
            Op::Restore { latest: false, keep_old: false, effects: 15 },
            Op::Abort { effects: FOR_EVER, late: false },
        ],
    );
}
