//! Observers in the background: the cluster once a second, and what a screen needs beside it while it is shown.
//!
//! At most one probe runs in each site, and of a screen's own questions one at a time. Changes nothing.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use jiff::Timestamp;
use pgha_core::chronicle::Entry;
use pgha_core::links::view::WanView;
use pgha_core::render::data_dir;
use pgha_core::repository::Repository;
use pgha_core::status::ClusterView;
use pgha_core::watch::{NODE_SQL, NodeReport, Screen};
use pgha_wan::control::{Request, WanState};
use pgha_wan::measured::RoundTrips;
use pgha_wan::sample::{Sample, compared};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::cluster::{self, Among, Cluster};
use crate::docker::Engine;
use crate::error::Result;
use crate::member_logs::of_postgres;
use crate::provider::{Provider as _, psql};
use crate::repository::BackupHost;
use crate::{chronicle, observe, wan};

/// Time between two looks at the cluster.
const LOOK: Duration = Duration::from_secs(1);
/// How long the first reports of all sites are waited for: a cluster of which nothing is known yet is not shown.
const FIRST_REPORTS: Duration = Duration::from_secs(4);
/// How long the engine may take to list what it has.
const ENGINE_DEADLINE: Duration = Duration::from_secs(3);
/// How long one question may take, all in all.
const DEADLINE: Duration = Duration::from_secs(15);
/// How far the timeline goes back at first.
const TIMELINE_BACK: Duration = Duration::from_secs(60 * 60);
/// How far it goes back each time: lines come late.
const TIMELINE_AGAIN: Duration = Duration::from_secs(15);
/// Time between two measurements of round trips.
const MEASURE: Duration = Duration::from_secs(10);
/// Lines of a node's log.
const LOG_LINES: u32 = 40;

/// What an observer tells.
#[derive(Debug)]
pub(crate) enum News {
    /// How the cluster is, or why that is not known.
    Look(Box<Result<ClusterView, String>>),
    /// What happened lately.
    Events(Vec<Entry>),
    /// How the links are.
    Links(Result<Links, String>),
    /// What the repository holds.
    Backups(Result<Repository, String>),
    /// What a node says, by its name.
    Node(String, Result<NodeNews, String>),
    /// A line that a command printed.
    Printed(String),
    /// A command has ended, with this code.
    Ended(i32),
}

/// What a node says of itself, and the end of its log.
pub(super) type NodeNews = (NodeReport, Vec<String>);

/// The links at one moment.
#[derive(Debug)]
pub(crate) struct Links {
    pub(super) view: WanView,
    pub(super) carried: Sample,
    /// When members measured last.
    pub(super) measured: Option<Instant>,
}

/// What is shown, by which the observers know what to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) screen: Screen,
    pub(super) node: Option<String>,
}

/// Looks at one cluster, one after the other.
#[derive(Debug)]
pub(crate) struct Looks {
    engine: Engine,
    id: String,
    watch: observe::Watch,
    /// Until when the first reports of all sites are waited for; `None` once they are there.
    wait_until: Option<Instant>,
}

impl Looks {
    /// None so far.
    pub(crate) fn new(engine: &Engine, id: &str) -> Self {
        let watch = observe::Watch::whole();
        let wait_until = Instant::now().checked_add(FIRST_REPORTS);
        Self { engine: engine.clone(), id: id.to_owned(), watch, wait_until }
    }

    /// Looks once; nothing until each site that runs has told something, or took too long for it.
    pub(crate) async fn next(&mut self) -> Option<(Result<ClusterView, String>, Option<Cluster>)> {
        let cluster = match self.find().await {
            Ok(cluster) => cluster,
            Err(why) => return Some((Err(why), None)),
        };
        let view = self.watch.view(&self.engine, &cluster);
        let view = timeout(DEADLINE, view).await;
        let view = view.map_err(|_| "the Docker engine does not answer".to_owned());
        let view = view.and_then(|view| view.map_err(|error| error.reason()));
        if view.is_err() || self.watch.has_reports() {
            self.wait_until = None;
        }
        let waits = self.wait_until.is_some_and(|until| Instant::now() < until);
        (!waits).then_some((view, Some(cluster)))
    }

    async fn find(&self) -> Result<Cluster, String> {
        let found = timeout(ENGINE_DEADLINE, cluster::find(&self.engine)).await;
        let found = found.map_err(|_| "the Docker engine does not answer".to_owned())?;
        let found = found.map_err(|error| error.reason())?;
        cluster::resolve(found, Some(&self.id), Among::All).map_err(|error| error.reason())
    }
}

/// The observers; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Feeds {
    subject: watch::Sender<Subject>,
    tasks: JoinSet<()>,
}

impl Feeds {
    /// Starts them.
    pub(super) fn start(engine: &Engine, id: &str, news: mpsc::Sender<News>) -> Self {
        let (subject, wanted) = watch::channel(Subject { screen: Screen::Cluster, node: None });
        let (found, cluster) = watch::channel(None);
        let mut tasks = JoinSet::new();
        tasks.spawn(look(Looks::new(engine, id), found, news.clone()));
        let details = Details {
            engine: engine.clone(),
            news,
            trips: Trips::default(),
            before: None,
            newest: None,
        };
        tasks.spawn(details.run(wanted, cluster));
        Self { subject, tasks }
    }

    /// Has them ask for what is shown now.
    pub(super) fn show(&self, subject: Subject) {
        self.subject.send_if_modified(|now| {
            let other = *now != subject;
            *now = subject;
            other
        });
    }

    /// Ends once an observer has, which none does by itself; why.
    pub(super) async fn failed(&mut self) -> String {
        match self.tasks.join_next().await {
            Some(Err(error)) => error.to_string(),
            _ => std::future::pending().await,
        }
    }
}

async fn look(
    mut looks: Looks,
    found: watch::Sender<Option<Arc<Cluster>>>,
    news: mpsc::Sender<News>,
) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some((view, cluster)) = looks.next().await else { continue };
        if let Some(cluster) = cluster {
            found.send_replace(Some(Arc::new(cluster)));
        }
        if news.send(News::Look(Box::new(view))).await.is_err() {
            return;
        }
    }
}

/// Round trips that are measured in the background of the links' state.
#[derive(Debug, Default)]
struct Trips {
    measured: Option<(Vec<RoundTrips>, Instant)>,
    task: Option<JoinHandle<Vec<RoundTrips>>>,
}

/// What screens beside that of the cluster ask for.
struct Details {
    engine: Engine,
    news: mpsc::Sender<News>,
    trips: Trips,
    /// The links at the look before.
    before: Option<WanState>,
    /// Since when the timeline is to be read.
    newest: Option<Timestamp>,
}

impl Details {
    async fn run(
        mut self,
        mut subject: watch::Receiver<Subject>,
        cluster: watch::Receiver<Option<Arc<Cluster>>>,
    ) {
        loop {
            let shown = subject.borrow_and_update().clone();
            let known = cluster.borrow().clone();
            let ask = async {
                let pause = match known {
                    Some(cluster) => self.ask(&shown, &cluster).await,
                    None => LOOK,
                };
                tokio::time::sleep(pause).await;
            };
            // What is no longer shown is no longer asked for.
            tokio::select! {
                changed = subject.changed() => if changed.is_err() { return },
                () = ask => {}
            }
        }
    }

    /// Asks for what a screen shows, and says when to ask again.
    async fn ask(&mut self, shown: &Subject, cluster: &Arc<Cluster>) -> Duration {
        let (news, pause) = match (shown.screen, &shown.node) {
            (Screen::Cluster, _) | (Screen::Node, None) => return Duration::from_secs(3600),
            (Screen::Timeline, _) => (self.events(cluster).await, 3),
            (Screen::Links, _) => (News::Links(self.links(cluster).await), 1),
            (Screen::Backups, _) => (News::Backups(self.backups(cluster).await), 10),
            (Screen::Node, Some(node)) => {
                (News::Node(node.clone(), self.node(cluster, node).await), 2)
            }
        };
        let _ = self.news.send(news).await;
        Duration::from_secs(pause)
    }

    async fn events(&mut self, cluster: &Cluster) -> News {
        let now = Timestamp::now();
        let back = now.checked_sub(TIMELINE_BACK).unwrap_or(now);
        let since = self.newest.unwrap_or(back);
        let mut all = chronicle::entries(&self.engine, cluster, Some(since)).await;
        if self.newest.is_none()
            && let Ok(repository) = self.backups(cluster).await
        {
            all.extend(chronicle::backups(&repository));
            all = chronicle::ordered(all, Some(since));
        }
        self.newest = now.checked_sub(TIMELINE_AGAIN).ok();
        News::Events(all)
    }

    async fn links(&mut self, cluster: &Arc<Cluster>) -> Result<Links, String> {
        let state = wan::request(&self.engine, cluster, &Request::State).await;
        let state = state.map_err(|error| error.reason())?;
        if let Some(task) = self.trips.task.take_if(|task| task.is_finished()) {
            self.trips.measured = task.await.ok().map(|trips| (trips, Instant::now()));
        }
        let old = self.trips.measured.as_ref().is_none_or(|(_, at)| at.elapsed() > MEASURE);
        if old && self.trips.task.is_none() {
            self.trips.task =
                Some(tokio::spawn(measured(self.engine.clone(), cluster.clone(), state.clone())));
        }
        let (trips, at) = match &self.trips.measured {
            Some((trips, at)) => (trips.as_slice(), Some(*at)),
            None => (&[][..], None),
        };
        let carried = compared(self.before.as_ref(), &state);
        let view = WanView::new(&cluster.id.name, cluster.id.instance, &state, trips);
        self.before = Some(state);
        Ok(Links { view, carried, measured: at })
    }

    async fn backups(&self, cluster: &Cluster) -> Result<Repository, String> {
        let id = cluster.id.to_string();
        let asked = async {
            let host = BackupHost::find(Some(&id), None).await?;
            host.repository().await
        };
        match timeout(DEADLINE, asked).await {
            Ok(Ok(repository)) => Ok(repository),
            Ok(Err(error)) => Err(error.reason()),
            Err(_) => Err("the backup host does not answer".to_owned()),
        }
    }

    async fn node(&self, cluster: &Cluster, node: &str) -> Result<NodeNews, String> {
        let topology = cluster.topology().map_err(|error| error.reason())?;
        let data = data_dir(topology.spec.postgres);
        let sql = psql(NODE_SQL);
        let (report, log) = tokio::join!(
            self.engine.exec_stdout(node, &sql, ENGINE_DEADLINE),
            timeout(ENGINE_DEADLINE, of_postgres(&self.engine, node, &data, None, Some(LOG_LINES))),
        );
        let report = report.map_err(|error| error.cause().to_owned())?;
        let log = log.unwrap_or_default().into_iter().map(|line| line.text).collect();
        Ok((NodeReport::from_json(&report)?, log))
    }
}

async fn measured(engine: Engine, cluster: Arc<Cluster>, state: WanState) -> Vec<RoundTrips> {
    let Ok(topology) = cluster.topology() else { return Vec::new() };
    let sites: Vec<String> = topology.sites.iter().map(|site| site.name.clone()).collect();
    wan::measure(&engine, &cluster, topology, &state, &sites).await.0
}
