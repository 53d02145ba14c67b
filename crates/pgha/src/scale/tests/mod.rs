//! The code that changes members, driven on a simulated cluster: killed at every effect, then repeated.
//!
//! Claims: the repeat ends with the members that were asked for and leaves nothing of those that went; a member that stays
//! works with the newest layout; etcd never loses its quorum, and has one learner at most; who leads is never removed.

mod fake;

use std::time::Duration;

use pgha_core::layout::Role;
use pgha_core::scale::{Asked, Sizes};
use pgha_core::steps::StepJournal as _;

use self::fake::Fake;
use crate::error::Result;
use crate::events::tests::Kept;
use crate::project::Project;
use crate::scale::Scaling;
use crate::waiting::{self, Waiter};

/// How long one member may take, in a time that passes only where everybody waits.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Runs it in a time that passes only where everybody waits.
fn run<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().expect("a runtime").block_on(test)
}

fn scaling(fake: &Fake) -> Scaling<Fake> {
    let place = &fake.place();
    let file = place.file.clone();
    Scaling {
        provider: fake.clone(),
        events: Kept::stream().0,
        identity: place.generated().identity(),
        spec: place.topology.spec.clone(),
        project: Project { name: "demo".to_owned(), file: file.clone() },
        file,
        timeout: TIMEOUT,
    }
}

/// One command: it goes on with what was interrupted, else begins.
async fn command(fake: &Fake, asked: &Asked) -> Result<()> {
    let scaling = scaling(fake);
    let lock = scaling.lock().await?;
    let mut journal = match scaling.cluster().await?.change()? {
        Some(journal) => journal,
        None => scaling.plan(asked, true).await?.0,
    };
    scaling.go_on(&mut journal, &lock).await?;
    let id = scaling.cluster().await?.id;
    let whole = waiting::until_ready(fake, &id, TIMEOUT, Waiter::User, &scaling.events).await;
    whole.map(drop).map_err(|given_up| given_up.error)
}

/// The command, killed at that effect; whether it came to its end before.
async fn killed(fake: &Fake, asked: &Asked, effect: usize) -> bool {
    fake.kill_at(Some(effect));
    let ended = tokio::select! {
        biased;
        ended = command(fake, asked) => {
            ended.expect("nothing is wrong");
            true
        }
        () = fake.killed() => false,
    };
    fake.kill_at(None);
    // What it held it holds no longer.
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    ended
}

fn remove(members: &[&str]) -> Asked {
    Asked::Remove { members: members.iter().map(|m| (*m).to_owned()).collect(), sites: vec![] }
}

fn scale(nodes: &[u32], etcd: &[u32]) -> Asked {
    Asked::Scale(Sizes { nodes: nodes.to_vec(), etcd: etcd.to_vec() })
}

/// Kills the command at these effects, each on a cluster of its own, and repeats it.
fn kill_and_repeat(asked: &Asked, effects: impl Iterator<Item = usize>) {
    run(async {
        for effect in effects {
            let fake = Fake::new();
            if killed(&fake, asked, effect).await {
                assert!(effect > 8, "{asked}: it has {effect} effects");
                return;
            }
            fake.check();
            if fake.is_changed() {
                // All that is left is a record that a newer one has replaced.
                continue;
            }
            command(&fake, asked).await.unwrap_or_else(|e| panic!("{asked}, {effect}: {e}"));
            fake.check_end(asked);
        }
    });
}

#[test]
fn killed_at_every_effect_a_repeat_ends_with_the_members_that_were_asked_for() {
    kill_and_repeat(&scale(&[4], &[2]), 0..);
}

#[test]
fn the_leader_and_an_etcd_member_go_however_often_that_is_interrupted() {
    kill_and_repeat(&remove(&["pgha-demo1-DC1-1", "pgha-etcd1-DC1-1"]), (0..).step_by(2));
}

#[test]
fn an_etcd_member_comes_with_one_vote_however_often_that_is_interrupted() {
    kill_and_repeat(&Asked::Add { role: Role::Etcd, site: 1, count: 1 }, (0..).step_by(2));
}

#[test]
fn what_was_interrupted_twice_is_gone_on_with() {
    run(async {
        let asked = Asked::Add { role: Role::Postgres, site: 1, count: 1 };
        for first in (3..30).step_by(7) {
            let fake = Fake::new();
            if killed(&fake, &asked, first).await {
                return;
            }
            killed(&fake, &asked, 2).await;
            fake.check();
            command(&fake, &asked).await.expect("it goes on");
            fake.check_end(&asked);
        }
    });
}

#[test]
fn a_journal_is_there_from_the_first_effect_to_the_last() {
    run(async {
        let asked = Asked::Add { role: Role::Postgres, site: 1, count: 1 };
        let fake = Fake::new();
        assert!(!killed(&fake, &asked, 6).await);
        let journal = fake.cluster().change().expect("its own").expect("it goes on");
        assert_eq!(journal.asked, asked);
        assert!(journal.next().is_some() && fake.cluster().records.len() <= 2);
        command(&fake, &asked).await.expect("it goes on");
        let cluster = fake.cluster();
        assert_eq!((cluster.change().expect("its own"), cluster.records.len()), (None, 1));
    });
}
