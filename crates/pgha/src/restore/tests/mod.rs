//! The code that carries out restores, driven on a simulated cluster: killed, or hung up on, at every effect of
//! every step, gone on with, given up, given up again, with work in between.
//!
//! Claims: no committed row and no archived file of a line that is kept is ever lost; what was gone on with
//! ends with the rows of its target, and what was given up with the old rows; no Postgres runs on half a restore;
//! nothing is left behind. [`claims`] and [`world`] make them.

mod answers;
mod claims;
mod fake;
mod lab;
mod recovery;
mod world;

use pgha_core::restore::Step;
use pgha_core::steps::StepJournal as _;
use proptest::prelude::*;

use self::fake::{Crash, How};
use self::lab::{Asked, EARLIER, LATEST, Lab, Op, WHOLE, killed, op};
use self::world::{Fault, World};

/// What a probe on a member of a cluster that is well prints.
pub(crate) fn healthy_report(member: &str) -> String {
    let topology = lab::cluster().topology().expect("it has labels");
    answers::report(&World::new(topology, Fault::None), member)
}

/// Runs it in a time that passes only where everybody waits.
fn run<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().expect("a runtime").block_on(test)
}

#[test]
fn a_restore_ends_with_the_rows_of_its_target_and_leaves_nothing() {
    for asked in [
        LATEST,
        EARLIER,
        Asked { keep_old: true, ..EARLIER },
        Asked { discard_old: true, ..EARLIER },
        Asked { discard_old: true, ..LATEST },
    ] {
        run(async {
            let mut lab = Lab::new(Fault::None, false);
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
        let mut lab = Lab::new(fault, false);
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
    // Of the latest state every other effect on the way back.
    for (asked, stride) in [(LATEST, 2), (EARLIER, 1)] {
        run(async {
            for forward in 0.. {
                let mut lab = Lab::new(Fault::None, false);
                let (ended, _) = lab.carry_out(&Op::Restore(asked, killed(forward))).await;
                if ended.is_some() {
                    assert!(forward > 30, "it is killed at each effect");
                    break;
                }
                lab.succeed(&Op::Work).await;
                for back in (forward % stride..).step_by(stride) {
                    let mut lab = lab.fork();
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

/// Each effect at which a restore, and every other at which then the going on with it, can be killed.
#[test]
fn killed_anywhere_and_gone_on_with_it_ends_with_the_rows_of_its_target() {
    run(async {
        for forward in 0.. {
            let mut lab = Lab::new(Fault::None, false);
            if lab.carry_out(&Op::Restore(EARLIER, killed(forward))).await.0.is_some() {
                break;
            }
            for on in 0.. {
                let mut lab = lab.fork();
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
    let choices = [
        LATEST,
        EARLIER,
        Asked { keep_old: true, ..EARLIER },
        Asked { discard_old: true, ..EARLIER },
    ];
    for asked in choices {
        run(async {
            for forward in 0.. {
                let mut lab = Lab::new(Fault::None, true);
                lab.outlive = forward % 2 == 0;
                let killed = lab.carry_out(&Op::Restore(asked, killed(forward))).await.0.is_none();
                for op in [Op::Work, Op::FailOver, Op::Reboot, Op::Stop] {
                    let mut lab = lab.fork();
                    lab.succeed(&op).await;
                    let mut on = lab.fork();
                    // What a power cut has kept from the archive is not left out where the plan says that nothing is.
                    let (ended, _) = on.carry_out(&Op::GoOn(WHOLE)).await;
                    let ended = ended.expect("it is left alone");
                    let refused = asked.latest && matches!(op, Op::Reboot);
                    if let (Err(error), false) = (&ended, refused) {
                        panic!("{op:?} after {forward}: {error}");
                    }
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
    for how in [How::FailsBefore, How::FailsAfter] {
        run(async {
            for after in 0.. {
                let crash = Some(Crash { after, how });
                let mut lab = Lab::new(Fault::None, false);
                let (_, effects) = lab.carry_out(&Op::Restore(EARLIER, crash)).await;
                let mut back = lab.fork();
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
    let mut late = 0;
    for forward in 0.. {
        let mut lab = Lab::new(Fault::None, false);
        let ended = lab.carry_out(&Op::Restore(EARLIER, killed(forward))).await.0;
        if ended.is_some() {
            break;
        }
        let ended = lab.carry_out(&Op::AbortLate).await.0;
        if let Some(Err(error)) = ended
            && error.exit_code() == 4
        {
            assert!(error.to_string().contains("--abort` resumes it"), "{error}");
            late += 1;
        }
        lab.succeed(&Op::Work).await;
        lab.end().await;
    }
    assert!(late > 10, "it was late");
}

#[test]
fn what_the_old_cluster_archives_after_a_late_abort_is_its_own() {
    run(given_up_late());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn whatever_is_done_nothing_that_is_kept_is_lost(
        in_turns: bool,
        outlive: bool,
        ops in proptest::collection::vec(op(), 0..12),
    ) {
            run(async {
            let mut lab = Lab::new(Fault::None, in_turns);
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
            world.set_journal(serde_json::to_string(&journal).expect("plain data is JSON"));
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
            let mut lab = Lab::new(Fault::LateJournal, false);
            lab.carry_out(&Op::Restore(EARLIER, killed(forward))).await;
            lab.end().await;
        }
    });
}
