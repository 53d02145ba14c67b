//! Carries out the steps of a restore, each from whatever state it finds.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::try_join_all;
use pgha_core::agent::{NodeState, Recovered, Request, Restore};
use pgha_core::archive_get::advice;
use pgha_core::ready::{self, Waiting};
use pgha_core::render::{PGDATA_MOUNT, data_dir};
use pgha_core::restore::{Began, HOLD_FILE, Journal, Phase, Step, Undo};
use pgha_core::status::ContainerState;
use pgha_core::steps::StepJournal as _;
use pgha_core::topology::Role;
use pgha_core::wal::Segment;
use pgha_core::words::replicas_stream;
use serde_json::json;
use tokio::time::Instant;

use crate::archived;
use crate::bring_up;
use crate::cluster::Cluster;
use crate::error::{Error, OrFail as _, Result};
use crate::events::{Events, Work};
use crate::observe::{self, Watch};
use crate::provider::{Provider, Up};
use crate::restore::Session;
use crate::restore::copied;
use crate::restore::facts::demand_on_volume;
use crate::steps::{self, Lock, Verb};
use crate::waiting::{self, Waiter, Waits};

/// How long the last WAL may take into the repository.
const ARCHIVE_DEADLINE: Duration = Duration::from_secs(60);
/// How long containers may take until PID 1 holds them.
const HOLD_DEADLINE: Duration = Duration::from_secs(60);
/// Time between two looks.
const POLL: Duration = Duration::from_millis(200);
/// Writes a commit after any target there may be.
const LAST_COMMIT: &str = "select pg_current_xact_id()";
/// Ends the segment that has all of it, and names it.
const LAST_SEGMENT: &str = "select pg_walfile_name(pg_switch_wal())";
/// Which timeline a primary is on.
const TIMELINE: &str = "select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int \
    where not pg_is_in_recovery()";
/// Which timeline a standby receives.
const RECEIVES: &str = "select received_tli from pg_stat_wal_receiver where status = 'streaming'";

/// A restore, as a verb in steps.
#[derive(Debug)]
pub(super) struct Restoring<'a, P> {
    pub(super) session: &'a Session<P>,
    /// How long nodes may take to come up.
    pub(super) timeout: Duration,
}

impl<P: Provider> Verb for Restoring<'_, P> {
    type Journal = Journal;

    fn work(&self) -> String {
        format!("restore {}", self.session.topology.id)
    }

    fn events(&self) -> &Events {
        &self.session.events
    }

    fn cluster(&self) -> String {
        self.session.topology.id.to_string()
    }

    async fn keep(&self, journal: Option<&Journal>) -> Result<()> {
        self.session.write_journal(journal).await
    }

    async fn wake(&self, journal: &Journal) -> Result<()> {
        self.session.wake(journal).await
    }

    async fn run(&self, step: Step, journal: &mut Journal, work: &Work) -> Result<String> {
        let Self { session, timeout } = *self;
        let leader = journal.plan.leader.clone();
        match step {
            Step::Archive => session.archive(journal).await,
            Step::Hold => {
                let held = session.hold(journal).await?;
                session.demand_as_planned(journal).await?;
                journal.etcd = session.ask_json(&leader, Restore::Remember).await?;
                Ok(held)
            }
            Step::Aside => session.aside(journal).await,
            Step::Restore => session.fetch(journal, work).await,
            Step::Recover => session.recover(journal, work).await,
            Step::Clear => {
                let clear = Restore::Clear { put_back: BTreeMap::new() };
                session.ask(&leader, Request::Restore(clear)).await?;
                Ok("etcd has forgotten who led".to_owned())
            }
            Step::Lead => {
                let led = session.lead(&leader, timeout).await?;
                // A repository that is away does not keep the cluster from coming back.
                let stanza = Request::Restore(Restore::Stanza);
                let _ = session.ask(&session.backup_host().name, stanza).await;
                Ok(led)
            }
            Step::Replicas => {
                let data = data_dir(session.topology.spec.postgres);
                let (replicas, doing) = (&journal.plan.replicas, Step::Replicas.doing());
                let telling = copied::tell(&session.engine, &leader, replicas, &data, doing, work);
                tokio::select! {
                    done = session.replicas(replicas, timeout) => done,
                    never = telling => match never {},
                }
            }
            Step::Verify => session.verify(journal).await,
            Step::Finish => session.finish(journal).await,
        }
    }

    async fn undo(&self, undo: Undo, journal: &Journal) -> Result<()> {
        self.session.undo(undo, journal, self.timeout).await
    }
}

impl<P: Provider> Session<P> {
    /// Carries out what is not done yet, and writes down each step.
    ///
    /// # Errors
    /// When a step fails: the journal says where to go on.
    pub(crate) async fn go_on(
        &self,
        journal: &mut Journal,
        timeout: Duration,
        lock: &Lock,
    ) -> Result<()> {
        steps::go_on(&Restoring { session: self, timeout }, journal, lock).await
    }

    /// Starts what was stopped since an attempt that was interrupted: its steps ask running nodes, some of which
    /// may have only just started.
    async fn wake(&self, journal: &Journal) -> Result<()> {
        let held = match (journal.progress.phase, journal.next(), journal.next_undo()) {
            (Phase::Forward, Some(next), _) if journal.is_done(&Step::Hold) => next < Step::Lead,
            (Phase::Back, _, Some(Undo::PutBack | Undo::Archive | Undo::Clear)) => true,
            (Phase::Back, _, Some(Undo::Replicas)) => false,
            // What is next starts them itself, or nothing was stopped.
            _ => return Ok(()),
        };
        let cluster = self.cluster().await?;
        let nodes = self.nodes();
        let runs = |node: &String| {
            cluster.container(node).is_some_and(|c| c.state == ContainerState::Running)
        };
        if !nodes.iter().all(runs) {
            self.up(Up::All).await?;
        }
        if held { self.wait_held(&nodes, &journal.id).await } else { Ok(()) }
    }

    /// Has the leader archive all that it has written, while nothing is stopped yet.
    async fn archive(&self, journal: &Journal) -> Result<String> {
        let leader = &journal.plan.leader;
        if !journal.plan.leader_archives {
            return Ok("nobody leads this database: what is archived is all".to_owned());
        }
        // Without a stanza a repository takes no WAL, and no segment counts as archived.
        self.ask(&self.backup_host().name, Request::Restore(Restore::Stanza)).await?;
        self.sql(leader, LAST_COMMIT).await?;
        let last = self.sql(leader, LAST_SEGMENT).await?;
        let last: Segment =
            last.trim().parse().or_fail(format!("{leader} does not name its last segment"))?;
        let started = Instant::now();
        loop {
            let said = self.sql(leader, &archived::waiting_up_to(last)).await?;
            let (waiting, failed) = archived::parse(&said);
            if waiting == 0 {
                return Ok(format!("{leader} has archived its last segment, {last}"));
            }
            if started.elapsed() > ARCHIVE_DEADLINE {
                let error =
                    Error::deadline("the last WAL cannot be archived, and nothing was touched")
                        .because(format!("{leader} still has {waiting} files to archive"));
                let error = match failed {
                    Some(failed) => error.because(format!("the archiver has failed with {failed}")),
                    None => error,
                };
                return Err(error.hint(format!("`pgha logs {leader}` says why")));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Marks every node, stops Patroni and Postgres, the leader last, and starts the containers again,
    /// held.
    pub(super) async fn hold(&self, journal: &Journal) -> Result<String> {
        let cluster = self.cluster().await?;
        let nodes = self.nodes();
        if nodes.iter().any(|node| cluster.container(node).is_none()) {
            self.up(Up::Made).await?;
        }
        let mark = |node: String| async move {
            self.engine.put_file(&node, PGDATA_MOUNT, HOLD_FILE, &journal.id).await
        };
        try_join_all(nodes.iter().cloned().map(mark)).await?;
        // With the leader stopped first, a replica would take over and begin a timeline of its own.
        try_join_all(journal.plan.replicas.iter().map(|node| self.engine.stop(node))).await?;
        self.engine.stop(&journal.plan.leader).await?;
        self.up(Up::All).await?;
        self.wait_held(&nodes, &journal.id).await?;
        Ok(format!("{} nodes run neither Patroni nor Postgres", nodes.len()))
    }

    /// Fails where the stopped nodes are not what the plan is about; nothing is moved then.
    async fn demand_as_planned(&self, journal: &Journal) -> Result<()> {
        let nodes = self.nodes();
        let ask = |node: String| async move {
            let state: NodeState = self.ask_json(&node, Restore::Held).await?;
            demand_on_volume(&node, &state)?;
            Ok((node, state.stopped))
        };
        let stopped: Result<Vec<_>> = try_join_all(nodes.into_iter().map(ask)).await;
        let changed = stopped.and_then(|stopped| {
            journal.plan.demand_stopped(&stopped.into_iter().collect()).map_err(|changed| {
                let error = Error::failed(changed.to_string());
                changed.reason().into_iter().fold(error, Error::because)
            })
        });
        changed.map_err(|error| {
            let id = &self.topology.id;
            error
                .because("nothing was moved")
                .hint(format!("`pgha restore {id} --abort`, then restore again"))
        })
    }

    /// Starts nodes that do not run, held.
    pub(super) async fn start_held(&self, journal: &Journal) -> Result<()> {
        let cluster = self.cluster().await?;
        let runs = |node: &String| {
            cluster.container(node).is_some_and(|c| c.state == ContainerState::Running)
        };
        let nodes: Vec<String> = self.nodes().into_iter().filter(|node| !runs(node)).collect();
        if nodes.is_empty() {
            return Ok(());
        }
        for node in &nodes {
            self.engine.put_file(node, PGDATA_MOUNT, HOLD_FILE, &journal.id).await?;
        }
        self.up(Up::All).await?;
        self.wait_held(&nodes, &journal.id).await
    }

    /// Makes the plan anew where the cluster may have run since it was made: with the leader of now, which
    /// has archived nothing for it yet.
    ///
    /// # Errors
    /// When the target can no longer be reached.
    pub(crate) async fn renew(&self, cluster: &Cluster, journal: &mut Journal) -> Result<()> {
        if !journal.is_open() || observe::view(&self.engine, cluster).await?.leader.is_none() {
            return Ok(());
        }
        let (target, repository) = (journal.plan.target.clone(), journal.plan.repository);
        let plan = self.plan(cluster, &target, Some(repository), journal.discard_old).await;
        journal.plan = plan.map_err(|error| self.resumable(error, journal))?;
        journal.progress.done.clear();
        Ok(())
    }

    /// An error after which the restore can be gone on with.
    fn resumable(&self, error: Error, journal: &Journal) -> Error {
        error.also_hint(&journal.ways_on(&self.topology.id.to_string()))
    }

    pub(super) fn nodes(&self) -> Vec<String> {
        self.topology.of_role(Role::Postgres).map(|node| node.name.clone()).collect()
    }

    async fn wait_held(&self, nodes: &[String], id: &str) -> Result<()> {
        let started = Instant::now();
        for node in nodes {
            loop {
                let answer = self.ask_json(node, Restore::Held).await;
                let held = |state: &NodeState| state.held && state.by.as_deref() == Some(id);
                match answer {
                    Ok(answer) if held(&answer) => break,
                    Ok(_) | Err(_) if started.elapsed() < HOLD_DEADLINE => {
                        tokio::time::sleep(POLL).await;
                    }
                    Ok(answer) => {
                        return Err(Error::deadline(format!("{node} is not held"))
                            .because(json!(answer))
                            .hint(format!("`pgha logs {node}` says why")));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    async fn aside(&self, journal: &Journal) -> Result<String> {
        if journal.discard_old {
            let discard = || Request::Restore(Restore::Discard);
            let all = journal.plan.replicas.iter().map(|node| self.ask(node, discard()));
            try_join_all(all).await?;
            return Ok("the replicas' data are gone, the leader's are restored in place".to_owned());
        }
        let nodes = self.nodes();
        let (id, tablespaces) = (journal.id.clone(), journal.plan.tablespaces.clone());
        let aside = Request::Restore(Restore::Aside { id, tablespaces });
        let said = try_join_all(nodes.iter().map(|node| self.ask(node, aside.clone()))).await?;
        if journal.fresh {
            return Ok("a fresh cluster has no old data".to_owned());
        }
        Ok(format!("in {} of each node", said.first().map_or("", |path| path.trim())))
    }

    async fn fetch(&self, journal: &Journal, work: &Work) -> Result<String> {
        let plan = &journal.plan;
        let argv = Request::Restore(Restore::Fetch { arguments: plan.pgbackrest() }).argv();
        let mut size = String::new();
        let each = |line: &str| {
            if let Some((_, said)) = line.split_once("restore size = ") {
                said.clone_into(&mut size);
            }
            if let Some((_, done)) = line.rsplit_once(", ")
                && let Some((percent, _)) = done.split_once("%)")
            {
                work.at(Step::Restore.doing(), &format!("{percent} %"));
            }
        };
        self.engine.exec_step(&plan.leader, &argv, each).await?;
        Ok(format!("{} to {}: {size}", plan.backup, plan.leader))
    }

    async fn recover(&self, journal: &mut Journal, work: &Work) -> Result<String> {
        let mut last = String::new();
        let each = |line: &str| {
            if let Some((_, file)) = line.split_once("restored log file \"") {
                let file = file.split('"').next().unwrap_or_default();
                work.at(Step::Recover.doing(), file);
            }
            line.clone_into(&mut last);
        };
        let argv = Request::Restore(Restore::Recover(journal.plan.recovery())).argv();
        let done = self.engine.exec_step(&journal.plan.leader, &argv, each).await;
        done.map_err(|error| {
            let (reason, host) = (error.cause().to_owned(), &self.backup_host().name);
            error.hint(advice(&reason, journal.discard_old, host))
        })?;
        let Recovered { timeline, lsn, stopped, last, history, made, disabled } =
            serde_json::from_str(&last).unwrap_or_default();
        journal.new_timeline = timeline;
        journal.began =
            timeline.zip(history).map(|(timeline, history)| Began { timeline, history });
        if !made.is_empty() {
            // They replay the same WAL.
            let folders = Request::Restore(Restore::Folders(made));
            let replicas = journal.plan.replicas.iter();
            try_join_all(replicas.map(|node| self.ask(node, folders.clone()))).await?;
        }
        let timeline = timeline.map_or("?".to_owned(), |timeline| timeline.to_string());
        let lsn = lsn.as_deref().unwrap_or("?");
        let stopped = match (stopped, last) {
            (Some(stopped), _) => stopped,
            (None, Some(last)) => format!("all archived WAL is replayed, {last}"),
            (None, None) => "all archived WAL is replayed".to_owned(),
        };
        let disabled = match disabled[..] {
            [] => String::new(),
            _ => format!("; subscriptions disabled: {}", disabled.join(", ")),
        };
        Ok(format!("{stopped}; timeline {timeline} begins here, at {lsn} now{disabled}"))
    }

    /// Lets the restored node start Patroni, alone, and waits until it leads.
    pub(super) async fn lead(&self, leader: &str, timeout: Duration) -> Result<String> {
        self.let_go(&[leader.to_owned()]).await?;
        let started = Instant::now();
        let mut watch = Watch::default();
        let mut waits = Waits::default();
        loop {
            let view = watch.view(&self.engine, &self.cluster().await?).await?;
            if view.leader.as_deref() == Some(leader) {
                waits.take(&[], Instant::now(), &self.events);
                let timeline = self.sql(leader, TIMELINE).await.unwrap_or_default();
                let timeline = match timeline.trim() {
                    "" => String::new(),
                    timeline => {
                        format!(" on timeline {timeline}, which its promotion by Patroni begins")
                    }
                };
                return Ok(format!("{leader} leads{timeline}"));
            }
            let reason = ready::to_lead(&view, leader);
            let waiting = Waiting { member: leader.to_owned(), phrase: reason.clone() };
            waits.take(&[waiting], Instant::now(), &self.events);
            if started.elapsed() > timeout {
                return Err(Error::deadline(format!("{leader} does not lead after {timeout:?}"))
                    .because(reason)
                    .hint(format!("`pgha logs {leader}` says why")));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Has nodes that are held start Patroni. One that an interrupted attempt has let go already is left
    /// to what it does: it may be in the middle of a clone.
    pub(super) async fn let_go(&self, nodes: &[String]) -> Result<()> {
        let release = || Request::Restore(Restore::Release);
        try_join_all(nodes.iter().map(|node| self.ask(node, release()))).await?;
        let states = nodes.iter().map(|node| self.ask_json::<NodeState>(node, Restore::Held));
        let states = try_join_all(states).await?;
        let held = nodes.iter().zip(&states).filter(|(_, state)| state.holding);
        try_join_all(held.map(|(node, _)| self.engine.restart(node))).await.map(drop)
    }

    /// Lets the others start Patroni, all at once, and waits until each streams.
    pub(super) async fn replicas(&self, replicas: &[String], timeout: Duration) -> Result<String> {
        self.let_go(replicas).await?;
        let id = &self.topology.id;
        match waiting::until_ready(&self.engine, id, timeout, Waiter::Restore, &self.events).await {
            Ok(_) => Ok(replicas_stream(replicas.len())),
            Err(given_up) => {
                bring_up::show_guilty(&self.engine, &given_up, &self.events).await;
                Err(given_up.error)
            }
        }
    }

    /// Asks the database itself whether all of it is as it should be.
    async fn verify(&self, journal: &Journal) -> Result<String> {
        // Another node may have taken over since.
        let view = observe::view(&self.engine, &self.cluster().await?).await?;
        let leader = &view.leader.unwrap_or_else(|| journal.plan.leader.clone());
        let timeline = self.sql(leader, TIMELINE).await?.trim().to_owned();
        let number: u32 = timeline.parse().unwrap_or_default();
        if journal.new_timeline.is_none_or(|begun| number < begun) {
            return Err(Error::failed(format!("{leader} is not on the restored timeline"))
                .because(format!("it is on timeline {timeline:?}")));
        }
        for replica in self.nodes().iter().filter(|node| *node != leader) {
            let received = self.sql(replica, RECEIVES).await?;
            if received.trim() != timeline {
                return Err(Error::failed(format!(
                    "{replica} does not stream timeline {timeline}"
                ))
                .because(format!("it receives {:?}", received.trim())));
            }
        }
        Ok(format!("{leader} takes writes on timeline {timeline}, and all replicas stream it"))
    }

    async fn finish(&self, journal: &Journal) -> Result<String> {
        if journal.discard_old {
            return Ok("no old data were kept".to_owned());
        }
        if journal.keep_old {
            return Ok("the old data are kept (--keep-old)".to_owned());
        }
        let nodes = self.nodes();
        let tidy = Request::Restore(Restore::Tidy { id: journal.id.clone() });
        try_join_all(nodes.iter().map(|node| self.ask(node, tidy.clone()))).await?;
        let old = if journal.fresh {
            "a fresh cluster has no old data"
        } else {
            "the old data are removed"
        };
        Ok(old.to_owned())
    }
}
