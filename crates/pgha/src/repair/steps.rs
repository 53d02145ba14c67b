//! Carries out the steps of a repair, each from whatever state it finds.

use std::time::Duration;

use futures_util::future::try_join_all;
use pgha_core::agent::Etcd;
use pgha_core::etcd_repair::{Journal, MARK_FILE, Mark, Step, Turn, Undo};
use pgha_core::render::ETCD_MOUNT;
use pgha_core::status::ContainerState;
use pgha_core::steps::{Phase, StepJournal as _};
use pgha_core::topology::Role;
use pgha_core::words::{list, replicas_stream};
use tokio::time::{Instant, sleep};

use crate::error::{Error, Result};
use crate::events::{Events, Work};
use crate::provider::{Provider, Up};
use crate::repair::Session;
use crate::steps::{self, Lock, Verb};
use crate::waiting::{self, Waiter};

/// How long an etcd member may take until it serves, joins or has its store back.
const MEMBER_DEADLINE: Duration = Duration::from_secs(180);
/// Time between two looks.
const POLL: Duration = Duration::from_millis(300);

impl<P: Provider> Verb for Session<P> {
    type Journal = Journal;

    fn work(&self) -> String {
        format!("repair {}", self.topology.id)
    }

    fn events(&self) -> &Events {
        &self.events
    }

    fn cluster(&self) -> String {
        self.topology.id.to_string()
    }

    async fn keep(&self, journal: Option<&Journal>) -> Result<()> {
        self.write_journal(journal).await
    }

    /// The survivor serves whoever joins, and tells who votes.
    async fn wake(&self, journal: &Journal) -> Result<()> {
        if journal.progress.phase == Phase::Forward && journal.is_done(&Step::Alone) {
            self.wake_up(&journal.plan.survivor).await
        } else {
            Ok(())
        }
    }

    async fn run(&self, step: Step, journal: &mut Journal, _: &Work) -> Result<String> {
        let survivor = &journal.plan.survivor;
        match step {
            Step::Stop => self.stop(&journal.plan.rejoin).await,
            Step::Alone => {
                self.marked(survivor, Turn::Alone, journal).await?;
                self.until_votes(survivor, survivor, |votes| votes == [survivor.clone()]).await?;
                Ok(format!("{survivor} decides alone, with all keys that it had"))
            }
            Step::Rejoin { member } => {
                let has_joined = match self.report(&member).await {
                    Ok(report) => report.aside.contains(&journal.id),
                    // It does not run: what is done again is done once.
                    Err(_) => false,
                };
                if !has_joined {
                    self.marked(&member, Turn::Rejoin, journal).await?;
                }
                let votes =
                    self.until_votes(survivor, &member, |votes| votes.contains(&member)).await?;
                Ok(format!("{} etcd members vote", votes.len()))
            }
            Step::Lead => self.lead().await,
            Step::Finish => {
                let (members, tidy) = (self.members(), Etcd::Tidy { id: journal.id.clone() });
                let each = members.iter().map(|member| self.ask(member, tidy.clone()));
                try_join_all(each).await?;
                Ok("the old stores are removed".to_owned())
            }
        }
    }

    async fn undo(&self, undo: Undo, journal: &Journal) -> Result<()> {
        match undo {
            Undo::Stop => self.stop(&self.members()).await.map(drop),
            Undo::PutBack => {
                for member in journal.touched() {
                    self.marked(&member, Turn::Back, journal).await?;
                }
                for member in self.members() {
                    self.wake_up(&member).await?;
                }
                try_join_all(journal.touched().iter().map(|member| self.until_unmarked(member)))
                    .await
                    .map(drop)
            }
        }
    }
}

impl<P: Provider> Session<P> {
    /// Carries out what is not done yet, and writes down each step.
    ///
    /// # Errors
    /// When a step fails: the journal says where to go on.
    pub(crate) async fn go_on(&self, journal: &mut Journal, lock: &Lock) -> Result<()> {
        steps::go_on(self, journal, lock).await
    }

    /// Puts the old stores back.
    ///
    /// # Errors
    /// When they are no longer there, or a step fails: the same command goes on.
    pub(crate) async fn give_up(&self, journal: &mut Journal, lock: &Lock) -> Result<()> {
        let id = &self.topology.id;
        if !journal.can_go_back() {
            return Err(Error::failed("the old stores are no longer all there")
                .hint(journal.ways_on(&id.to_string())));
        }
        let work = steps::go_back(self, journal, lock).await?;
        work.done(&format!("the repair of cluster {id} is given up: etcd is as it was"));
        Ok(())
    }

    fn members(&self) -> Vec<String> {
        self.topology.of_role(Role::Etcd).map(|member| member.name.clone()).collect()
    }

    async fn state(&self, member: &str) -> Result<ContainerState> {
        let cluster = self.cluster().await?;
        Ok(cluster.container(member).map_or(ContainerState::Missing, |container| container.state))
    }

    /// Stops members; those that are missing are made.
    async fn stop(&self, members: &[String]) -> Result<String> {
        let cluster = self.cluster().await?;
        if members.iter().any(|member| cluster.container(member).is_none()) {
            self.engine.up(&self.project, Up::Made).await?;
        }
        let each = members.iter().map(async |member| {
            if cluster.container(member).is_some_and(|c| c.state == ContainerState::Paused) {
                self.engine.unpause(member).await?;
            }
            self.engine.stop(member).await
        });
        try_join_all(each).await?;
        Ok(format!("{} do not run", list(members)))
    }

    /// Has PID 1 of a member do something with its store: at its next start, which is now.
    async fn marked(&self, member: &str, turn: Turn, journal: &Journal) -> Result<()> {
        let mark = Mark { turn, id: journal.id.clone() };
        self.engine.put_file(member, ETCD_MOUNT, MARK_FILE, &mark.to_string()).await?;
        self.engine.stop(member).await?;
        self.engine.start(member).await
    }

    /// Starts a member that does not run.
    async fn wake_up(&self, member: &str) -> Result<()> {
        match self.state(member).await? {
            ContainerState::Running => Ok(()),
            ContainerState::Paused => self.engine.unpause(member).await,
            ContainerState::Missing => self.engine.up(&self.project, Up::Made).await,
            _ => self.engine.start(member).await,
        }
    }

    /// Has the survivor give a member its vote as soon as that is up to date, until those that vote are as wanted.
    async fn until_votes(
        &self,
        survivor: &str,
        member: &str,
        so: impl Fn(&[String]) -> bool,
    ) -> Result<Vec<String>> {
        let started = Instant::now();
        loop {
            let request = Etcd::Promote { member: member.to_owned() };
            let why = match self.ask(survivor, request).await {
                Ok(said) => {
                    let votes: Vec<String> = said.lines().map(str::to_owned).collect();
                    if so(&votes) {
                        return Ok(votes);
                    }
                    format!("those that vote: {}", list(&votes))
                }
                Err(error) => error.cause().to_owned(),
            };
            if started.elapsed() > MEMBER_DEADLINE {
                let what = format!("{member} has no vote yet");
                let hint = format!("`pgha logs {member}` and `pgha logs {survivor}` say more");
                return Err(Error::deadline(what).because(why).hint(hint));
            }
            sleep(POLL).await;
        }
    }

    /// Waits until PID 1 has done what its mark asks for.
    async fn until_unmarked(&self, member: &str) -> Result<()> {
        let started = Instant::now();
        loop {
            let why = match self.report(member).await {
                Ok(report) if report.mark.is_none() => return Ok(()),
                Ok(_) => "it has not begun".to_owned(),
                Err(error) => error.cause().to_owned(),
            };
            if started.elapsed() > MEMBER_DEADLINE {
                return Err(Error::deadline(format!("{member} has not its old store"))
                    .because(why)
                    .hint(format!("`pgha logs {member}` says more")));
            }
            sleep(POLL).await;
        }
    }

    /// Starts whatever does not run, and waits until the cluster is whole.
    async fn lead(&self) -> Result<String> {
        let id = &self.topology.id;
        self.engine.up(&self.project, Up::All).await?;
        let ready =
            waiting::until_ready(&self.engine, id, self.timeout, Waiter::User, &self.events).await;
        let view = ready.map_err(|given_up| given_up.error)?.view;
        let replicas = view.nodes().count().saturating_sub(1);
        Ok(format!(
            "{} leads, {}",
            view.leader.as_deref().unwrap_or("nobody"),
            replicas_stream(replicas)
        ))
    }
}
