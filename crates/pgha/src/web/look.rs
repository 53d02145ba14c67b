//! Observes the cluster while somebody reads the page, and publishes what there is to show.
//!
//! Links are asked for twice a second, so that a cut is on the page at once; the rest is as old as the probes that keep
//! reporting. Without a reader nothing runs.

mod links;
mod slow;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pgha_core::console::Console;
use pgha_core::fault::Injected;
use pgha_core::status::{MemberView, NOT_CHECKED};
use pgha_wan::control::{Request, WanState};
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use super::feed::{Feed, Topic};
use super::run::Runner;
use crate::cluster::{self, Among};
use crate::docker::Engine;
use crate::error::Result;
use crate::observe::Watch;
use crate::wan;

/// Between two looks.
const EACH: Duration = Duration::from_millis(500);
/// Looks between two points of the charts.
const SAMPLE_EACH: u32 = 2;

/// Looks that wait for the first report of each site, so that nothing is said of a cluster that nobody has seen yet.
const FIRST_MAX: u32 = 10;

/// One point of the charts.
#[derive(Debug, Serialize)]
struct Sample<'a> {
    at_ms: u64,
    /// Bytes behind the leader, by node.
    lag: BTreeMap<&'a str, u64>,
    /// The slowest linearizable read of etcd, in milliseconds.
    etcd_ms: Option<f64>,
    /// How long a commit took, in milliseconds; null where it failed.
    write_ms: Option<f64>,
    /// Whether a commit was tried at all.
    write_tried: bool,
    /// Measured round trips in milliseconds, by pair of sites.
    round_trips: BTreeMap<String, Option<f64>>,
    /// Bytes a second over all links.
    bytes_per_s: u64,
    /// Faults that last, and links that are blocked.
    disturbed: bool,
}

/// Looks again and again.
pub(super) async fn keep(engine: Engine, id: String, feed: Arc<Feed>, runner: Option<Arc<Runner>>) {
    let mut ticks = interval(EACH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if !feed.is_read() {
            continue;
        }
        let slow = slow::Slow::start(&engine, &id, &feed);
        let mut look = Look::default();
        while feed.is_read() {
            // What cannot be seen now can be at the next look; the page says how old its state is.
            let _ = look.once(&engine, &id, &feed, &slow, runner.as_deref()).await;
            ticks.tick().await;
        }
    }
}

#[derive(Debug, Default)]
struct Look {
    watch: Watch,
    before: Option<WanState>,
    count: u32,
}

impl Look {
    async fn once(
        &mut self,
        engine: &Engine,
        id: &str,
        feed: &Feed,
        slow: &slow::Slow,
        runner: Option<&Runner>,
    ) -> Result<()> {
        let cluster = cluster::resolve(cluster::find(engine).await?, Some(id), Among::All)?;
        let topology = cluster.topology()?;
        let state = wan::request(engine, &cluster, &Request::State).await.ok();
        self.watch.saw_links(state.clone());
        let view = self.watch.view(engine, &cluster).await?;
        self.count = self.count.saturating_add(1);
        let unseen = |member: &MemberView| member.error.as_deref() == Some(NOT_CHECKED);
        if self.count < FIRST_MAX && view.members.iter().any(unseen) {
            return Ok(());
        }
        let faults: Vec<&Injected> = cluster.faults.iter().map(|f| &f.fault).collect();
        let at_ms = now_ms();
        let console =
            Console::new(topology, &view, state.as_ref(), &faults, at_ms, runner.is_some());
        if let Some(runner) = runner {
            runner.offer(console.changes.clone());
        }
        let measured = slow.measured();
        let links = links::Links::new(state.as_ref(), self.before.as_ref(), &measured);
        feed.tell(Topic::Links, &links);
        feed.tell(Topic::State, &console);
        if self.count.is_multiple_of(SAMPLE_EACH) {
            let write = measured.write;
            let took = write.and_then(|write| write.took);
            feed.tell(
                Topic::Sample,
                &Sample {
                    at_ms,
                    lag: view
                        .nodes()
                        .filter_map(|node| Some((node.name.as_str(), node.lag_bytes?)))
                        .collect(),
                    etcd_ms: view.etcd.iter().filter_map(|e| e.took_ms).reduce(f64::max),
                    write_ms: took.map(|took| took.as_secs_f64() * 1000.0),
                    write_tried: write.is_some(),
                    round_trips: links.round_trips(),
                    bytes_per_s: links.bytes_per_s(),
                    disturbed: !faults.is_empty() || links.any_cut(),
                },
            );
        }
        slow.saw(&view, links.any_cut());
        self.before = state;
        Ok(())
    }
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
