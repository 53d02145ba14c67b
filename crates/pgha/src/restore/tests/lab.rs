//! A simulated cluster, and the commands that are run on it one after the other.

use std::sync::OnceLock;
use std::time::Duration;

use pgha_core::restore::{Journal, Phase, Target, TargetOptions};
use pgha_core::status::ContainerState;
use pgha_core::steps::StepJournal as _;
use proptest::prelude::*;

use super::fake::{Crash, Fake, How};
use super::world::{Fault, World};
use crate::cluster::Cluster;
use crate::cluster::tests::made_from;
use crate::error::{Error, Result};
use crate::events::tests::Kept;
use crate::generated::tests::Place;
use crate::project::Project;
use crate::restore::Session;

/// What a restore is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// All that there is; otherwise what there was two rows ago.
    pub(super) latest: bool,
    pub(super) keep_old: bool,
    pub(super) discard_old: bool,
}

pub(super) const LATEST: Asked = Asked { latest: true, keep_old: false, discard_old: false };
pub(super) const EARLIER: Asked = Asked { latest: false, keep_old: false, discard_old: false };
/// A command that is left alone.
pub(super) const WHOLE: Option<Crash> = None;

#[allow(clippy::unnecessary_wraps, reason = "a command is killed or left alone")]
pub(super) fn killed(after: usize) -> Option<Crash> {
    Some(Crash { after, how: How::Killed })
}

#[derive(Debug, Clone)]
pub(super) enum Op {
    /// Rows are committed on whatever leads.
    Work,
    /// `pgha restore` to a target.
    Restore(Asked, Option<Crash>),
    /// `pgha restore`.
    GoOn(Option<Crash>),
    /// `pgha restore --abort`.
    Abort(Option<Crash>),
    /// The same, out of time as it waits for the leader, which leads after that.
    AbortLate,
    /// Another node takes over.
    FailOver,
    /// All nodes lose their power and start again.
    Reboot,
    /// In the middle of a restore somebody stops all nodes.
    Stop,
}

/// A cluster, and commands that are run on it one after the other.
pub(super) struct Lab {
    pub(super) fake: Fake,
    session: Session<Fake>,
    in_turns: bool,
    restores: u32,
    pub(super) keeps_old: bool,
    /// Commands in containers go on to their ends when the one who has asked for them is killed.
    pub(super) outlive: bool,
}

/// A cluster as its labels say.
pub(super) fn cluster() -> &'static Cluster {
    static MADE: OnceLock<Cluster> = OnceLock::new();
    MADE.get_or_init(|| made_from(&Place::with("demo", 1, Some("x"))))
}

impl Lab {
    pub(super) fn new(fault: Fault, in_turns: bool) -> Self {
        let topology = cluster().topology().expect("it has labels");
        Self::of(World::new(topology, fault), in_turns, 0, false)
    }

    fn of(world: World, in_turns: bool, restores: u32, keeps_old: bool) -> Self {
        let topology = world.topology.clone();
        let fake = Fake::new(world, cluster(), in_turns);
        let file = std::path::PathBuf::from("/srv/demo/docker-compose.yaml");
        let session = Session {
            engine: fake.clone(),
            events: Kept::stream().0,
            topology,
            file: file.clone(),
            project: Project { name: "demo".to_owned(), file },
        };
        Self { fake, session, in_turns, restores, keeps_old, outlive: false }
    }

    /// The same, in another world.
    pub(super) fn fork(&self) -> Self {
        let world = self.fake.world().clone();
        Self::of(world, self.in_turns, self.restores, self.keeps_old)
    }

    /// Does one thing; how a command ended, and how many effects it had. What must be so is so afterwards.
    pub(super) async fn carry_out(&mut self, op: &Op) -> (Option<Result<()>>, usize) {
        let crash = match op {
            Op::Restore(_, crash) | Op::GoOn(crash) | Op::Abort(crash) => *crash,
            _ => WHOLE,
        };
        self.fake.crash(crash);
        self.fake.world().lazy = matches!(op, Op::AbortLate);
        if let Op::Restore(..) = op {
            self.restores += 1;
        }
        let (number, fake) = (self.restores, self.fake.clone());
        let command = async {
            match op {
                Op::FailOver => {
                    self.fake.world().fail_over();
                    Ok(())
                }
                Op::Reboot => {
                    self.reboot();
                    Ok(())
                }
                Op::Stop => {
                    self.stop();
                    Ok(())
                }
                Op::Work => {
                    self.fake.world().work();
                    Ok(())
                }
                Op::Restore(asked, _) => self.restore(*asked, number).await,
                Op::GoOn(_) => self.go_on().await,
                Op::Abort(_) => self.abort(Duration::from_secs(300)).await,
                Op::AbortLate => self.abort(Duration::ZERO).await,
            }
        };
        let ended = tokio::select! {
            biased;
            ended = command => Some(ended),
            () = fake.killed() => None,
        };
        let effects = self.fake.effects();
        // What it held it holds no longer.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        self.fake.crash(WHOLE);
        self.fake.orphans(self.outlive && ended.is_none()).await;
        let mut world = self.fake.world();
        assert!(!world.locked, "the lock is free");
        if std::mem::take(&mut world.lazy) {
            world.patroni();
        }
        world.check();
        if let Op::Restore(asked, _) = op {
            self.keeps_old |= asked.keep_old;
        }
        (ended, effects)
    }

    async fn restore(&self, asked: Asked, number: u32) -> Result<()> {
        let lock = self.session.lock().await?;
        if self.session.journal().await?.is_some() {
            return Err(Error::failed("another restore is under way"));
        }
        let target = self.target(asked);
        let cluster = self.session.cluster().await?;
        let plan = self.session.plan(&cluster, &target, None, asked.discard_old).await?;
        let id = format!("20261124-{number:06}");
        let mut journal = Journal::new(id, plan, asked.discard_old, asked.keep_old);
        self.session.go_on(&mut journal, Duration::from_secs(300), &lock).await
    }

    fn target(&self, asked: Asked) -> Target {
        let world = self.fake.world();
        let row =
            world.committed.iter().rev().filter(|row| **row > 1).take(3).last().expect("rows");
        let lsn = world.places[row].to_string();
        let options = TargetOptions {
            latest: asked.latest,
            lsn: (!asked.latest).then_some(lsn),
            ..TargetOptions::default()
        };
        Target::parse(&options).expect("a target")
    }

    async fn go_on(&self) -> Result<()> {
        let lock = self.session.lock().await?;
        let Some(mut journal) = self.session.journal().await? else { return Ok(()) };
        if journal.progress.phase == Phase::Back {
            return Err(Error::failed("it is being given up"));
        }
        let cluster = self.session.cluster().await?;
        self.session.renew(&cluster, &mut journal).await?;
        self.session.go_on(&mut journal, Duration::from_secs(300), &lock).await
    }

    async fn abort(&self, timeout: Duration) -> Result<()> {
        let lock = self.session.lock().await?;
        let Some(mut journal) = self.session.journal().await? else { return Ok(()) };
        self.session.give_up(&mut journal, timeout, &lock).await
    }

    fn reboot(&self) {
        let mut world = self.fake.world();
        for name in world.names() {
            if world.containers[&name] == ContainerState::Running {
                world.cut_power(&name);
            }
        }
    }

    fn stop(&self) {
        let mut world = self.fake.world();
        // Of one that has only its journal to remove nothing is started again.
        let goes_on = |journal: &Journal| match journal.progress.phase {
            Phase::Forward => !journal.is_open() && journal.next().is_some(),
            Phase::Back => journal.next_undo().is_some(),
        };
        if !world.read_journal().is_some_and(|journal| goes_on(&journal)) {
            return;
        }
        let leader = world.leader();
        let mut names = world.names();
        names.sort_by_key(|name| Some(name) == leader.as_ref());
        for name in names {
            world.stop(&name);
        }
    }

    /// Gives up or ends whatever is going on, uninterrupted; nothing is left then.
    pub(super) async fn end(&mut self) {
        let journal = self.fake.world().read_journal();
        let only_forward = journal
            .as_ref()
            .is_some_and(|j| j.progress.phase == Phase::Forward && !j.can_go_back());
        let op = if only_forward { Op::GoOn(WHOLE) } else { Op::Abort(WHOLE) };
        self.succeed(&op).await;
        self.fake.world().check_end(self.keeps_old);
    }

    pub(super) async fn succeed(&mut self, op: &Op) -> usize {
        let (ended, effects) = self.carry_out(op).await;
        if let Some(Err(error)) = &ended {
            panic!("{op:?}: {error}\n{:#?}", self.fake.world());
        }
        effects
    }
}

/// Anything that may be done.
pub(super) fn op() -> impl Strategy<Value = Op> {
    let crash = || {
        let how = prop_oneof![
            3 => Just(How::Killed),
            1 => Just(How::FailsBefore),
            1 => Just(How::FailsAfter),
        ];
        prop_oneof![
            1 => Just(WHOLE),
            2 => (0..45_usize, how).prop_map(|(after, how)| Some(Crash { after, how })),
        ]
    };
    let asked = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.2));
    let asked = asked.prop_map(|(latest, keep_old, discard_old)| Asked {
        latest,
        keep_old: keep_old && !discard_old,
        discard_old,
    });
    prop_oneof![
        3 => Just(Op::Work),
        1 => Just(Op::FailOver),
        1 => Just(Op::Reboot),
        1 => Just(Op::Stop),
        3 => (asked, crash()).prop_map(|(asked, crash)| Op::Restore(asked, crash)),
        3 => crash().prop_map(Op::GoOn),
        3 => crash().prop_map(Op::Abort),
        1 => Just(Op::AbortLate),
    ]
}
