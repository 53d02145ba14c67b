//! One client: inserts rows one after the other, and connects anew where that no longer goes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pgha_core::history::{Operation, Outcome};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};
use tokio_postgres::Statement;

use super::tally::Tally;
use super::target::{Session, Target};

/// Pause between two attempts to find a node that takes writes.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// What every client of a run knows.
#[derive(Debug)]
pub(crate) struct Run {
    /// Where to write.
    pub(crate) target: Target,
    /// Into which table.
    pub(crate) table: String,
    /// How long to wait for an answer.
    pub(crate) timeout: Duration,
    /// Time between two writes of one client; `None` for none.
    pub(crate) pace: Option<Duration>,
    /// What all have done so far.
    pub(crate) tally: Tally,
}

/// A client at work.
#[derive(Debug)]
struct Client {
    run: Arc<Run>,
    number: u32,
    done: Vec<Operation>,
    /// Rows that were found missing after a failover: told once.
    missing: BTreeSet<u64>,
    pace: Option<Interval>,
}

/// Writes until it is told to stop; gives all that was done.
pub(crate) async fn write(
    run: Arc<Run>,
    number: u32,
    mut stop: watch::Receiver<bool>,
) -> Vec<Operation> {
    let pace = run.pace.map(|pace| {
        let mut ticks = interval(pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticks
    });
    let mut client = Client { run, number, done: Vec::new(), missing: BTreeSet::new(), pace };
    tokio::select! {
        () = client.work() => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    client.done
}

impl Client {
    async fn work(&mut self) {
        loop {
            if let Some(session) = self.run.target.connect().await {
                // Of a connection that ends before anything was written nothing is to be told.
                let _ = self.work_on(&session).await;
            }
            sleep(RECONNECT_PAUSE).await;
        }
    }

    /// Writes until something goes wrong.
    async fn work_on(&mut self, session: &Session) -> Option<()> {
        let run = self.run.clone();
        let insert = format!("insert into {} (client, id) values ($1, $2)", run.table);
        let insert = timeout(run.timeout, session.client.prepare(&insert)).await.ok()?.ok()?;
        if !self.done.is_empty() {
            self.look_back(session).await?;
        }
        loop {
            if let Some(pace) = &mut self.pace {
                pace.tick().await;
            }
            let outcome = self.insert(session, &insert).await;
            if outcome != Outcome::Ok {
                return None;
            }
        }
    }

    /// Writes one row.
    async fn insert(&mut self, session: &Session, insert: &Statement) -> Outcome {
        let (id, sent) = (self.done.len() as u64 + 1, self.run.tally.elapsed());
        let client = i64::from(self.number);
        // Written down before it is sent: one that is given up in the middle was sent.
        self.done.push(Operation {
            client: self.number,
            id,
            sent,
            ended: sent,
            outcome: Outcome::Unknown,
            node: session.node,
        });
        let number = i64::try_from(id).unwrap_or(i64::MAX);
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&client, &number];
        let answer = timeout(self.run.timeout, session.client.execute(insert, &values)).await;
        let outcome = match answer {
            Ok(Ok(_)) if session.has_warned() => Outcome::Unknown,
            Ok(Ok(_)) => Outcome::Ok,
            Ok(Err(error)) => {
                Outcome::of_error(error.code().map(tokio_postgres::error::SqlState::code))
            }
            Err(_) => Outcome::Unknown,
        };
        let ended = self.run.tally.elapsed();
        if let Some(operation) = self.done.last_mut() {
            (operation.ended, operation.outcome) = (ended, outcome);
        }
        self.run.tally.count(outcome, ended);
        outcome
    }

    /// Looks whether the node that takes writes now has all that was acknowledged.
    async fn look_back(&mut self, session: &Session) -> Option<()> {
        let sql = format!("select id from {} where client = $1", self.run.table);
        let client = i64::from(self.number);
        let asked = timeout(self.run.timeout, session.client.query(&sql, &[&client])).await;
        let rows = asked.ok()?.ok()?;
        let there: BTreeSet<i64> = rows.iter().map(|row| row.get(0)).collect();
        let acknowledged = self.done.iter().filter(|o| o.outcome == Outcome::Ok);
        let is_there = |id: u64| i64::try_from(id).is_ok_and(|id| there.contains(&id));
        let missing: BTreeSet<u64> =
            acknowledged.map(|o| o.id).filter(|id| !is_there(*id)).collect();
        let more = missing.difference(&self.missing).count();
        self.run.tally.lose(more as u64);
        self.missing.extend(missing);
        Some(())
    }
}
