//! The code that carries out restores, driven on a simulated cluster: killed, or hung up on, at every effect of
//! every step, gone on with, given up, given up again, with work in between.
//!
//! Claims: no committed row and no archived file of a line that is kept is ever lost; what was gone on with
//! ends with the rows of its target, and what was given up with the old rows; no Postgres runs on half a restore;
//! nothing is left behind. [`world`] makes most of them.

mod answers;
mod fake;
mod world;

use std::time::Duration;

use pgha_core::restore::{Journal, Phase, Step, Target, TargetOptions};
use pgha_core::status::ContainerState;
use pgha_core::steps::StepJournal as _;
use proptest::prelude::*;

use self::fake::{Crash, Fake, How};
use self::world::{Fault, World};
use crate::cluster::Cluster;
use crate::cluster::tests::made_from;
use crate::error::{Error, Result};
use crate::events::tests::Kept;
use crate::generated::tests::Place;
use crate::project::Project;
use crate::restore::Session;

/// What a restore is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    /// All that there is; otherwise what there was two rows ago.
    latest: bool,
    keep_old: bool,
    discard_old: bool,
}

const LATEST: Asked = Asked { latest: true, keep_old: false, discard_old: false };
const EARLIER: Asked = Asked { latest: false, keep_old: false, discard_old: false };
/// A command that is left alone.
const WHOLE: Option<Crash> = None;

#[allow(clippy::unnecessary_wraps, reason = "a command is killed or left alone")]
fn killed(after: usize) -> Option<Crash> {
    Some(Crash { after, how: How::Killed })
}

#[derive(Debug, Clone)]
enum Op {
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
    /// All nodes lose their power and start again.
    Reboot,
    /// In the middle of a restore somebody stops all nodes.
    Stop,
}

/// A cluster, and commands that are run on it one after the other.
struct Lab {
    fake: Fake,
    session: Session<Fake>,
    in_turns: bool,
    restores: u32,
    keeps_old: bool,
    /// Commands in containers go on to their ends when the one who has asked for them is killed.
    outlive: bool,
}

/// A cluster as its labels say.
fn cluster() -> Cluster {
    made_from(&Place::with("demo", 1, Some("x")))
}

impl Lab {
    fn new(cluster: &Cluster, fault: Fault, in_turns: bool) -> Self {
        let topology = cluster.topology().expect("it has labels");
        Self::of(World::new(topology, fault), cluster, in_turns, 0, false)
    }

    fn of(world: World, cluster: &Cluster, in_turns: bool, restores: u32, keeps_old: bool) -> Self {
        let topology = world.topology.clone();
        let fake = Fake::new(world, cluster, in_turns);
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
    fn fork(&self, cluster: &Cluster) -> Self {
        let world = self.fake.world().clone();
        Self::of(world, cluster, self.in_turns, self.restores, self.keeps_old)
    }

    /// Does one thing; how a command ended, and how many effects it had. What must be so is so afterwards.
    async fn carry_out(&mut self, op: &Op) -> (Option<Result<()>>, usize) {
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
        if world.read_journal().is_none_or(|journal| journal.is_open() || journal.next().is_none())
        {
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
    async fn end(&mut self) {
        let journal = self.fake.world().read_journal();
        let only_forward = journal
            .as_ref()
            .is_some_and(|j| j.progress.phase == Phase::Forward && !j.can_go_back());
        let op = if only_forward { Op::GoOn(WHOLE) } else { Op::Abort(WHOLE) };
        self.succeed(&op).await;
        self.fake.world().check_end(self.keeps_old);
    }

    async fn succeed(&mut self, op: &Op) -> usize {
        let (ended, effects) = self.carry_out(op).await;
        if let Some(Err(error)) = &ended {
            panic!("{op:?}: {error}\n{:#?}", self.fake.world());
        }
        effects
    }
}

/// Runs it in a time that passes only where everybody waits.
fn run<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().expect("a runtime").block_on(test)
}

#[test]
fn a_restore_ends_with_the_rows_of_its_target_and_leaves_nothing() {
    let cluster = cluster();
    for asked in [
        LATEST,
        EARLIER,
        Asked { keep_old: true, ..EARLIER },
        Asked { discard_old: true, ..EARLIER },
        Asked { discard_old: true, ..LATEST },
    ] {
        run(async {
            let mut lab = Lab::new(&cluster, Fault::None, false);
            lab.succeed(&Op::Restore(asked, WHOLE)).await;
            lab.succeed(&Op::Work).await;
            lab.succeed(&Op::Restore(EARLIER, WHOLE)).await;
            lab.fake.world().check_end(lab.keeps_old);
        });
    }
}

/// A restore that was killed as it began this step.
async fn killed_at(step: Step, fault: Fault) -> Lab {
    for forward in 0..60 {
        let mut lab = Lab::new(&cluster(), fault, false);
        lab.carry_out(&Op::Restore(EARLIER, killed(forward))).await;
        if lab.fake.world().read_journal().is_some_and(|j| j.next() == Some(step)) {
            return lab;
        }
    }
    panic!("it never comes to step {step}")
}

/// Each effect at which a restore, and then the giving up of it, can be killed.
#[test]
fn killed_anywhere_and_given_up_anywhere_the_old_data_come_back() {
    let cluster = cluster();
    for asked in [LATEST, EARLIER] {
        run(async {
            for forward in 0.. {
                let mut lab = Lab::new(&cluster, Fault::None, false);
                let (ended, _) = lab.carry_out(&Op::Restore(asked, killed(forward))).await;
                if ended.is_some() {
                    assert!(forward > 30, "it is killed at each effect");
                    break;
                }
                lab.succeed(&Op::Work).await;
                for back in 0.. {
                    let mut lab = lab.fork(&cluster);
                    let (ended, _) = lab.carry_out(&Op::Abort(killed(back))).await;
                    lab.succeed(&Op::Work).await;
                    lab.end().await;
                    if ended.is_some() {
                        break;
                    }
                }
            }
        });
    }
}

/// Each effect at which a restore, and then the going on with it, can be killed.
#[test]
fn killed_anywhere_and_gone_on_with_it_ends_with_the_rows_of_its_target() {
    let cluster = cluster();
    run(async {
        for forward in 0.. {
            let mut lab = Lab::new(&cluster, Fault::None, false);
            if lab.carry_out(&Op::Restore(EARLIER, killed(forward))).await.0.is_some() {
                break;
            }
            for on in 0.. {
                let mut lab = lab.fork(&cluster);
                let (ended, _) = lab.carry_out(&Op::GoOn(killed(on))).await;
                lab.succeed(&Op::GoOn(WHOLE)).await;
                lab.fake.world().check_end(false);
                if ended.is_some() {
                    break;
                }
            }
        }
    });
}

/// With every choice of what becomes of the old data, with what happens to a cluster meanwhile, and with
/// commands in containers that go on alone.
#[test]
fn whatever_happens_after_it_was_killed_it_can_be_ended_and_the_next_restore_is_as_any() {
    let cluster = cluster();
    let choices = [
        LATEST,
        EARLIER,
        Asked { keep_old: true, ..EARLIER },
        Asked { discard_old: true, ..EARLIER },
    ];
    for asked in choices {
        run(async {
            for forward in 0.. {
                let mut lab = Lab::new(&cluster, Fault::None, true);
                lab.outlive = forward % 2 == 0;
                let killed = lab.carry_out(&Op::Restore(asked, killed(forward))).await.0.is_none();
                for op in [Op::Work, Op::Reboot, Op::Stop] {
                    let mut lab = lab.fork(&cluster);
                    lab.succeed(&op).await;
                    let mut on = lab.fork(&cluster);
                    // What a power cut has kept from the archive is not left out where the plan says that nothing is.
                    let (ended, _) = on.carry_out(&Op::GoOn(WHOLE)).await;
                    assert!(
                        matches!(ended, Some(Ok(()))) || asked.latest && matches!(op, Op::Reboot)
                    );
                    on.end().await;
                    lab.end().await;
                    if matches!(op, Op::Work) {
                        lab.succeed(&Op::Restore(EARLIER, WHOLE)).await;
                        lab.end().await;
                    }
                }
                if !killed {
                    break;
                }
            }
        });
    }
}

/// A call that fails ends a command, or is made again; either way it can be gone on with and given up.
#[test]
fn whichever_call_fails_nothing_is_lost_and_both_ways_are_open() {
    let cluster = cluster();
    for how in [How::FailsBefore, How::FailsAfter] {
        run(async {
            for after in 0.. {
                let crash = Some(Crash { after, how });
                let mut lab = Lab::new(&cluster, Fault::None, false);
                let (_, effects) = lab.carry_out(&Op::Restore(EARLIER, crash)).await;
                let mut back = lab.fork(&cluster);
                let (ended, _) = back.carry_out(&Op::Abort(crash)).await;
                let failed = matches!(ended, Some(Err(_)));
                back.end().await;
                lab.succeed(&Op::GoOn(WHOLE)).await;
                lab.end().await;
                if effects <= after && !failed {
                    break;
                }
            }
        });
    }
}

/// `--abort` runs into its deadline, the old cluster goes on, and `--abort` is called again.
async fn given_up_late() {
    let cluster = cluster();
    for forward in 0.. {
        let mut lab = Lab::new(&cluster, Fault::None, false);
        let ended = lab.carry_out(&Op::Restore(EARLIER, killed(forward))).await.0;
        if ended.is_some() {
            break;
        }
        lab.carry_out(&Op::AbortLate).await;
        lab.succeed(&Op::Work).await;
        lab.end().await;
    }
}

#[test]
fn what_the_old_cluster_archives_after_a_late_abort_is_its_own() {
    run(given_up_late());
}

fn op() -> impl Strategy<Value = Op> {
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
        1 => Just(Op::Reboot),
        1 => Just(Op::Stop),
        3 => (asked, crash()).prop_map(|(asked, crash)| Op::Restore(asked, crash)),
        3 => crash().prop_map(Op::GoOn),
        3 => crash().prop_map(Op::Abort),
        1 => Just(Op::AbortLate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn whatever_is_done_nothing_that_is_kept_is_lost(
        in_turns: bool,
        outlive: bool,
        ops in proptest::collection::vec(op(), 0..12),
    ) {
        let cluster = cluster();
        run(async {
            let mut lab = Lab::new(&cluster, Fault::None, in_turns);
            lab.outlive = outlive;
            for op in &ops {
                lab.carry_out(op).await;
            }
            lab.end().await;
        });
    }
}

#[test]
#[should_panic(expected = "of a line that is kept is removed")]
fn an_abort_that_removes_by_number_again_is_found() {
    run(async {
        let mut lab = killed_at(Step::Replicas, Fault::None).await;
        lab.carry_out(&Op::AbortLate).await;
        lab.succeed(&Op::Work).await;
        {
            let mut world = lab.fake.world();
            let mut journal = world.read_journal().expect("it is late");
            journal.progress.undone.clear();
            world.journal = serde_json::to_string(&journal).expect("plain data is JSON");
            world.fault = Fault::ByNumber;
        }
        lab.end().await;
    });
}

#[test]
#[should_panic(expected = "the tablespace is not of these data")]
fn a_node_that_leaves_a_tablespace_in_place_is_found() {
    run(async {
        let mut lab = killed_at(Step::Clear, Fault::DataOnly).await;
        lab.end().await;
    });
}

#[test]
#[should_panic(expected = "is held")]
fn a_journal_that_is_written_too_late_is_found() {
    run(async {
        for forward in 0..30 {
            let mut lab = Lab::new(&cluster(), Fault::LateJournal, false);
            lab.carry_out(&Op::Restore(EARLIER, killed(forward))).await;
            lab.end().await;
        }
    });
}
