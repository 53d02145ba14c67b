//! A run of clients with a table of their own: begun, ended, read.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use pgha_core::history::{End, History, Session as Connection, Workload};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::client::{self, Record, Run};
use super::tables;
use super::tally::Tally;
use super::target::{Session, Target};
use crate::error::{Error, OrFail as _, Result};

/// Schema of the tables of all runs.
const SCHEMA: &str = "pgha_load";
/// How long a node that takes writes is waited for at the begin.
const BEGIN_DEADLINE: Duration = Duration::from_secs(10);
/// And at the end: a failover with the slowest of the timers takes less.
const END_DEADLINE: Duration = Duration::from_secs(120);
/// How long one statement about the table may take.
const TABLE_DEADLINE: Duration = Duration::from_secs(60);
/// Pause between two looks for a node that takes writes.
const PAUSE: Duration = Duration::from_millis(200);

/// What is asked of the clients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clients {
    /// What they do.
    pub(crate) workload: Workload,
    /// How many.
    pub(crate) count: u32,
    /// How many more read on replicas.
    pub(crate) readers: u32,
    /// Operations per second of all that write; `None` for as many as are acknowledged.
    pub(crate) rate: Option<u32>,
    /// How long each waits for an answer.
    pub(crate) timeout: Duration,
}

impl Clients {
    /// Time between two operations of all clients, where they are paced.
    pub(crate) fn pace(&self) -> Option<Duration> {
        self.rate.map(|rate| Duration::from_secs(1) / rate.max(1))
    }
}

/// Clients at work.
#[derive(Debug)]
pub(crate) struct Writing {
    run: Arc<Run>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<Record>>,
}

/// What clients have done.
#[derive(Debug)]
pub(crate) struct Written {
    run: Arc<Run>,
    /// All of it, but for what is there at the end.
    history: History,
}

/// What is there at the end.
#[derive(Debug)]
pub(crate) struct Ended {
    end: End,
    session: Session,
}

impl Writing {
    /// Makes the table in cluster `id` and has clients write to it.
    ///
    /// # Errors
    /// When no node takes writes, or the table cannot be made.
    pub(crate) async fn begin(target: Target, id: &str, clients: Clients) -> Result<Self> {
        let workload = clients.workload;
        let table = make_table(&target, id, workload).await?;
        let pace = clients.pace().map(|pace| pace * clients.count);
        let (writers, timeout) = (clients.count, clients.timeout);
        let (tally, values) = (Tally::begun(), AtomicU32::new(0));
        let run = Run { target, workload, table, writers, timeout, pace, tally, values };
        let (run, (stop, stopped)) = (Arc::new(run), watch::channel(false));
        let task = |n| tokio::spawn(client::work(run.clone(), n, stopped.clone()));
        let all = match workload {
            Workload::None => 0,
            _ => clients.count + clients.readers,
        };
        let tasks = (0..all).map(task).collect();
        Ok(Self { run, stop, tasks })
    }

    /// What all have done so far.
    pub(crate) fn tally(&self) -> &Tally {
        &self.run.tally
    }

    /// Has them end.
    pub(crate) async fn end(self) -> Written {
        // A client that has gone already has told what it did.
        let _ = self.stop.send(true);
        let records = join_all(self.tasks).await.into_iter().filter_map(Result::ok);
        let nodes = self.run.target.nodes.iter().map(|(name, _)| name.clone()).collect();
        let (workload, took) = (self.run.workload, self.run.tally.elapsed());
        let mut history = History { workload, nodes, took, ..History::default() };
        for Record { sessions, done } in records {
            let first = u32::try_from(history.sessions.len()).unwrap_or(u32::MAX);
            history.sessions.extend::<Vec<Connection>>(sessions);
            history.operations.extend(done.into_iter().map(|mut done| {
                done.session += first;
                done
            }));
        }
        Written { run: self.run, history }
    }
}

impl Written {
    /// The table.
    pub(crate) fn table(&self) -> &str {
        &self.run.table
    }

    /// Reads the table on the node that takes writes, once there is one.
    ///
    /// # Errors
    /// When there is none in time, or it cannot be read.
    pub(crate) async fn read(&self) -> Result<Ended> {
        let session = session(&self.run.target, END_DEADLINE).await?;
        // What a client gave up may still be under way on the server: its commit would come after what is read here.
        // One that waits for a standby without end is waited for no longer.
        let settled = format!(
            "begin; set local lock_timeout = '10s'; lock table {} in exclusive mode; commit",
            self.table()
        );
        let found = async {
            if session.client.batch_execute(&settled).await.is_err() {
                session.client.batch_execute("rollback").await?;
            }
            tables::read(&session.client, self.run.workload, self.table()).await
        };
        let found = timeout(TABLE_DEADLINE, found)
            .await
            .map_err(|_| Error::deadline("what is there could not be read in time"))?
            .or_fail("what is there cannot be read")?;
        let node = self.run.target.nodes[session.node as usize].0.clone();
        Ok(Ended { end: End { node, found }, session })
    }

    /// All that was done, and what is there.
    pub(crate) fn history(self, ended: Option<Ended>) -> History {
        History { end: ended.map(|ended| ended.end), ..self.history }
    }

    /// Nodes that have something else than what was found, once they have replayed what the node that was read had
    /// written; with those that cannot be asked.
    pub(crate) async fn differing(&self, ended: &Ended) -> Vec<String> {
        let each = (0_u32..).zip(&self.run.target.nodes).map(async |(place, (name, _))| {
            (!self.has_same(place, ended).await).then(|| name.clone())
        });
        join_all(each).await.into_iter().flatten().collect()
    }

    async fn has_same(&self, place: u32, ended: &Ended) -> bool {
        let began = Instant::now();
        loop {
            if let Some(session) = self.run.target.connect_to_any(place).await {
                let read = tables::read(&session.client, self.run.workload, self.table());
                if let Ok(Ok(found)) = timeout(TABLE_DEADLINE, read).await
                    && found == ended.end.found
                {
                    return true;
                }
            }
            if began.elapsed() > TABLE_DEADLINE {
                return false;
            }
            sleep(PAUSE).await;
        }
    }

    /// Removes the table, and the schema where no other run has a table there.
    pub(crate) async fn drop_table(&self, ended: &Ended) {
        for sql in [format!("drop table {}", self.table()), format!("drop schema {SCHEMA}")] {
            // Rows that stay hurt nobody: a failed run's figures matter more.
            let _ = timeout(TABLE_DEADLINE, ended.session.client.batch_execute(&sql)).await;
        }
    }
}

/// Makes the table of this run, in a schema of its own.
async fn make_table(target: &Target, id: &str, workload: Workload) -> Result<String> {
    let session = session(target, BEGIN_DEADLINE).await.map_err(|error| {
        error.hint(format!("`pgha status {id}` says why; clients want a leader to begin with"))
    })?;
    let begun = jiff::Timestamp::now().strftime("%Y%m%d_%H%M%S_%f");
    let table = format!("{SCHEMA}.run_{begun}_{}", std::process::id());
    let statements =
        format!("create schema if not exists {SCHEMA}; {}", tables::create(workload, &table));
    let made = timeout(TABLE_DEADLINE, session.client.batch_execute(&statements)).await;
    let made = made.map_err(|_| {
        Error::deadline("the table is not made")
            .because(format!("no answer within {} s", TABLE_DEADLINE.as_secs()))
            .hint(format!(
                "`pgha status {id}`: with strict durability every write waits for a standby"
            ))
    })?;
    made.or_fail("the table cannot be made")?;
    Ok(table)
}

async fn session(target: &Target, deadline: Duration) -> Result<Session> {
    let started = Instant::now();
    loop {
        if let Some(session) = target.connect().await {
            return Ok(session);
        }
        if started.elapsed() > deadline {
            return Err(Error::deadline("no node takes writes")
                .because(format!("looked for one for {} s", deadline.as_secs())));
        }
        sleep(PAUSE).await;
    }
}
