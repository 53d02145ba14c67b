//! What takes longer than a look: round trips, commits, what happened, backups. Each goes on by itself and is as old as it is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use pgha_core::chronicle::Entry;
use pgha_core::console::{LastFailover, last_failover};
use pgha_core::metrics::Write;
use pgha_core::status::ClusterView;
use pgha_wan::control::Request;
use pgha_wan::measured::RoundTrips;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::super::feed::{Feed, Topic};
use crate::cluster::{self, Among, Cluster};
use crate::docker::Engine;
use crate::error::Result;
use crate::repository::BackupHost;
use crate::write_probe::WriteProbe;
use crate::{chronicle, wan};

/// Between two measurements of round trips.
const TRIPS_EACH: Duration = Duration::from_secs(5);
/// Between two commits.
const WRITES_EACH: Duration = Duration::from_secs(1);
/// Between two looks at the logs where nothing has changed; and the least where something has.
const EVENTS_EACH: Duration = Duration::from_secs(20);
const EVENTS_LEAST: Duration = Duration::from_secs(2);
/// Between two listings of the repository.
const BACKUPS_EACH: Duration = Duration::from_secs(30);
/// How far back the page looks when it is opened.
const EVENTS_BACK: Duration = Duration::from_secs(30 * 60);
/// What is kept of it.
const EVENTS_MAX: usize = 300;

/// What was measured last.
#[derive(Debug, Clone, Default)]
pub(super) struct Measured {
    pub(super) trips: Vec<RoundTrips>,
    pub(super) write: Option<Write>,
}

/// What happened.
#[derive(Debug, Serialize)]
struct Timeline<'a> {
    entries: Vec<Happened<'a>>,
    failover: Option<LastFailover>,
}

/// Something that happened, as people read it.
#[derive(Debug, Serialize)]
struct Happened<'a> {
    at: &'a str,
    member: Option<&'a str>,
    said: String,
}

impl<'a> Happened<'a> {
    fn of(entry: &'a Entry) -> Self {
        let said = entry.what.to_string();
        Self { at: &entry.at, member: entry.member.as_deref(), said }
    }
}

/// The loops; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Slow {
    measured: Arc<Mutex<Measured>>,
    /// What a change of shows that something has happened.
    seen: watch::Sender<String>,
    _loops: JoinSet<()>,
}

impl Slow {
    pub(super) fn start(engine: &Engine, id: &str, feed: &Arc<Feed>) -> Self {
        let measured = Arc::new(Mutex::new(Measured::default()));
        let (seen, heard) = watch::channel(String::new());
        let mut loops = JoinSet::new();
        let (engine, id) = (engine.clone(), id.to_owned());
        loops.spawn(trips(engine.clone(), id.clone(), measured.clone()));
        loops.spawn(writes(engine.clone(), id.clone(), measured.clone()));
        loops.spawn(events(engine.clone(), id.clone(), feed.clone(), heard));
        loops.spawn(backups(id, feed.clone()));
        Self { measured, seen, _loops: loops }
    }

    pub(super) fn measured(&self) -> Measured {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells how the cluster is, so that what happened is read at once.
    pub(super) fn saw(&self, view: &ClusterView, cut: bool) {
        let nodes = view.members.iter().map(|m| format!("{:?}{:?}", m.role, m.container_state));
        let now = format!("{cut}{:?}{}", view.leader, nodes.collect::<String>());
        self.seen.send_if_modified(|before| {
            let changed = *before != now;
            *before = now;
            changed
        });
    }
}

async fn found(engine: &Engine, id: &str) -> Result<Cluster> {
    cluster::resolve(cluster::find(engine).await?, Some(id), Among::All)
}

async fn trips(engine: Engine, id: String, measured: Arc<Mutex<Measured>>) {
    loop {
        let trips = async {
            let cluster = found(&engine, &id).await?;
            let topology = cluster.topology()?;
            let state = wan::request(&engine, &cluster, &Request::State).await?;
            let sites: Vec<String> = topology.sites.iter().map(|site| site.name.clone()).collect();
            Ok::<_, crate::error::Error>(
                wan::measure(&engine, &cluster, topology, &state, &sites).await.0,
            )
        };
        let trips = trips.await.unwrap_or_default();
        measured.lock().unwrap_or_else(PoisonError::into_inner).trips = trips;
        sleep(TRIPS_EACH).await;
    }
}

async fn writes(engine: Engine, id: String, measured: Arc<Mutex<Measured>>) {
    loop {
        let probe = async { WriteProbe::of(&engine, &found(&engine, &id).await?).await };
        let Ok(mut probe) = probe.await else {
            sleep(TRIPS_EACH).await;
            continue;
        };
        loop {
            let write = probe.once().await;
            measured.lock().unwrap_or_else(PoisonError::into_inner).write = Some(write);
            sleep(WRITES_EACH).await;
        }
    }
}

async fn events(engine: Engine, id: String, feed: Arc<Feed>, mut heard: watch::Receiver<String>) {
    let mut all: Vec<Entry> = Vec::new();
    let mut since = Timestamp::now().checked_sub(EVENTS_BACK).unwrap_or_default();
    loop {
        heard.borrow_and_update();
        let now = Timestamp::now();
        if let Ok(cluster) = found(&engine, &id).await {
            all.extend(chronicle::entries(&engine, &cluster, Some(since)).await);
            all = chronicle::ordered(all, None);
            let over = all.len().saturating_sub(EVENTS_MAX);
            all.drain(..over);
            let entries = all.iter().map(Happened::of).collect();
            feed.tell(Topic::Events, &Timeline { entries, failover: last_failover(&all) });
            // What a log had not written yet is read the next time.
            since = now.checked_sub(EVENTS_EACH).unwrap_or(now);
        }
        sleep(EVENTS_LEAST).await;
        let _ = timeout(EVENTS_EACH, heard.changed()).await;
    }
}

async fn backups(id: String, feed: Arc<Feed>) {
    loop {
        let listing = async { BackupHost::find(Some(&id), None).await?.repository().await };
        feed.tell(Topic::Backups, &listing.await.ok());
        sleep(BACKUPS_EACH).await;
    }
}
