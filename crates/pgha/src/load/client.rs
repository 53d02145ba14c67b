//! One client: does what its workload has, one thing after the other, and connects anew where that no longer goes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pgha_core::history::{self, Action, Done, Outcome, Workload};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};

use super::tally::Tally;
use super::target::{Session, Target};
use super::work::{Chooser, Statements, unanswered};

/// Pause between two attempts to find a node that takes writes.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);
/// Time between two reads of a client that reads on replicas: what it is to see is there for longer.
const READ_PACE: Duration = Duration::from_millis(10);

/// What every client of a run knows.
#[derive(Debug)]
pub(crate) struct Run {
    /// Where to write.
    pub(crate) target: Target,
    /// What to do.
    pub(crate) workload: Workload,
    /// With which table.
    pub(crate) table: String,
    /// Clients that write; those after them read on replicas.
    pub(crate) writers: u32,
    /// How long to wait for an answer.
    pub(crate) timeout: Duration,
    /// Time between two operations of one client; `None` for none.
    pub(crate) pace: Option<Duration>,
    /// What all have done so far.
    pub(crate) tally: Tally,
    /// The latest value that some client has for itself.
    pub(crate) values: AtomicU32,
}

/// A client at work.
#[derive(Debug)]
struct Client {
    run: Arc<Run>,
    number: u32,
    chooser: Chooser,
    record: Record,
    /// Rows that were found missing after a failover: told once.
    missing: BTreeSet<u64>,
    pace: Option<Interval>,
}

/// What one client did.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Its connections.
    pub(crate) sessions: Vec<history::Session>,
    /// What it did, with its own connections counted.
    pub(crate) done: Vec<Done>,
}

/// Works until it is told to stop; gives all that was done.
pub(crate) async fn work(run: Arc<Run>, number: u32, mut stop: watch::Receiver<bool>) -> Record {
    let pace = if number < run.writers { run.pace } else { Some(READ_PACE) };
    let pace = pace.map(|pace| {
        let mut ticks = interval(pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticks
    });
    let chooser = Chooser::new(run.workload, run.writers);
    let (record, missing) = (Record::default(), BTreeSet::new());
    let mut client = Client { run, number, chooser, record, missing, pace };
    tokio::select! {
        () = client.work() => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    client.record
}

impl Client {
    fn reads_only(&self) -> bool {
        self.number >= self.run.writers
    }

    async fn work(&mut self) {
        let nodes = u32::try_from(self.run.target.nodes.len()).unwrap_or(1).max(1);
        let mut next = self.number % nodes;
        loop {
            let session = if self.reads_only() {
                next = (next + 1) % nodes;
                self.run.target.connect_to_any(next).await
            } else {
                self.run.target.connect().await
            };
            if let Some(session) = session {
                // Of a connection that ends before anything was done nothing is to be told.
                let _ = self.work_on(&session).await;
            }
            sleep(RECONNECT_PAUSE).await;
        }
    }

    /// Works until something goes wrong.
    async fn work_on(&mut self, session: &Session) -> Option<()> {
        let (run, reads_only) = (self.run.clone(), self.reads_only());
        let timeline = timeout(run.timeout, session.timeline()).await.ok()??;
        if timeline.is_none() != reads_only {
            return None;
        }
        let statements = Statements::prepare(&session.client, run.workload, &run.table, reads_only);
        let statements = timeout(run.timeout, statements).await.ok()?.ok()?;
        if !reads_only && !self.record.done.is_empty() {
            self.look_back(session).await?;
        }
        let (client, node) = (self.number, session.node);
        self.record.sessions.push(history::Session { client, node, timeline });
        loop {
            if let Some(pace) = &mut self.pace {
                pace.tick().await;
            }
            let action = if reads_only {
                self.chooser.read(run.values.load(Ordering::Relaxed))
            } else {
                self.chooser.next(run.values.fetch_add(1, Ordering::Relaxed) + 1)
            };
            if !self.carry_out(session, &statements, action).await {
                return None;
            }
        }
    }

    /// Does one thing; whether the session is as good as before.
    async fn carry_out(
        &mut self,
        session: &Session,
        statements: &Statements,
        mut action: Action,
    ) -> bool {
        let Self { run, number, record, .. } = self;
        let (id, sent) = (record.done.len() as u64 + 1, run.tally.elapsed());
        // Written down before it is sent: one that is given up in the middle was sent.
        record.done.push(Done {
            session: u32::try_from(record.sessions.len()).unwrap_or(u32::MAX) - 1,
            id,
            sent,
            ended: sent,
            outcome: Outcome::Unknown,
            action: unanswered(&action),
        });
        let asked = statements.carry_out(&session.client, (*number, id), &mut action);
        let answer = timeout(run.timeout, asked).await;
        let ended = run.tally.elapsed();
        let (outcome, goes_on) = match answer {
            Ok(answer) if answer.outcome == Outcome::Ok && session.has_warned() => {
                (Outcome::Unknown, false)
            }
            Ok(answer) => (answer.outcome, answer.goes_on),
            Err(_) => (Outcome::Unknown, false),
        };
        if action.writes() {
            run.tally.count(outcome, sent, ended);
        }
        if outcome == Outcome::Ok {
            self.chooser.note(&action);
        }
        if let Some(done) = record.done.last_mut() {
            (done.ended, done.outcome) = (ended, outcome);
            if outcome == Outcome::Ok {
                done.action = action;
            }
        }
        goes_on
    }

    /// Looks whether the node that takes writes now has all rows that were acknowledged.
    async fn look_back(&mut self, session: &Session) -> Option<()> {
        if self.run.workload != Workload::Ledger {
            return Some(());
        }
        let sql = format!("select id from {} where client = $1", self.run.table);
        let client = i64::from(self.number);
        let asked = timeout(self.run.timeout, session.client.query(&sql, &[&client])).await;
        let rows = asked.ok()?.ok()?;
        let there: BTreeSet<i64> = rows.iter().map(|row| row.get(0)).collect();
        let acknowledged = self.record.done.iter().filter(|done| done.outcome == Outcome::Ok);
        let is_there = |id: u64| i64::try_from(id).is_ok_and(|id| there.contains(&id));
        let missing: BTreeSet<u64> =
            acknowledged.map(|done| done.id).filter(|id| !is_there(*id)).collect();
        let more = missing.difference(&self.missing).count();
        self.run.tally.lose(more as u64);
        self.missing.extend(missing);
        Some(())
    }
}
