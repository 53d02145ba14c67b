//! From labels to a [`ClusterView`]: one probe for each site, all sites at once.
//!
//! A probe runs in any member of its site whose container runs, so neither the router nor another
//! site nor most of its own members need be alive. A member in which the probe fails or hangs is
//! passed over for the next one.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use pgha_core::agent::{self, MAINTENANCE};
use pgha_core::observe::{self, Archiver, Deadlines, SiteObservation};
use pgha_core::postgres_log::LogFacts;
use pgha_core::status::{ClusterView, ContainerState, Observed};
use pgha_core::topology::{Member, Role, Site, Topology};
use pgha_wan::control::{Request, WanState};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::cluster::Cluster;
use crate::error::Result;
use crate::provider::Provider;
use crate::{node_log, wan};

/// What runs in a member while a cluster is waited for; it ends by itself.
const WATCH: agent::Request = agent::Request::Watch { seconds: 30 };
/// A report that is older says nothing any more: the one who gave it hangs.
const REPORT_MAX_AGE: Duration = Duration::from_secs(5);
/// How long what a log said is taken for what it says.
const LOGS_MAX_AGE: Duration = Duration::from_secs(3);
/// How long what the router said of its links is taken for what it says.
const LINKS_MAX_AGE: Duration = Duration::from_secs(5);
/// How long it may take to say so while a cluster is waited for.
const LINKS_DEADLINE: Duration = Duration::from_secs(1);
/// Pause before a watch that failed is started again.
const WATCH_RETRY: Duration = Duration::from_millis(300);
/// What an exec may take beyond the probe's own deadline. One takes 50 to 100 ms on an idle host;
/// a host that is bringing a cluster up is not idle.
const EXEC_ALLOWANCE: Duration = Duration::from_secs(2);
/// How long what the leader said of its archive is taken for how it is.
const ARCHIVER_MAX_AGE: Duration = Duration::from_secs(10);
/// How long the leader may take to say how its archive is.
const ARCHIVER_DEADLINE: Duration = Duration::from_secs(2);
/// How long the engine may take to say whether a file of a container is there.
const MAINTENANCE_DEADLINE: Duration = Duration::from_secs(2);
/// How many members of a site are tried.
const ATTEMPTS_MAX: usize = 3;

/// What was learned inside a site, or why nothing was.
type Report = Result<SiteObservation, String>;

/// Asks a cluster how it is.
///
/// # Errors
/// When the cluster has no topology; what cannot be learned is in the view and no error.
pub(crate) async fn view(provider: &impl Provider, cluster: &Cluster) -> Result<ClusterView> {
    let (topology, observed) = observe(provider, cluster).await?;
    Ok(ClusterView::new(topology, &observed))
}

/// As [`view`], and asks the leader about its archive, which takes one more exec, reads the logs of
/// nodes that do not run or stream, and at the same time as the probes asks the router about its links,
/// which takes one more and no time.
///
/// # Errors
/// As [`view`].
pub(crate) async fn whole_view(provider: &impl Provider, cluster: &Cluster) -> Result<ClusterView> {
    whole(provider, cluster).await.map(|(_, view)| view)
}

/// As [`whole_view`], with what was observed.
///
/// # Errors
/// As [`view`].
pub(crate) async fn whole(
    provider: &impl Provider,
    cluster: &Cluster,
) -> Result<(Observed, ClusterView)> {
    let asked = wan::request(provider, cluster, &Request::State);
    let (seen, links, maintenance) =
        tokio::join!(observe(provider, cluster), asked, maintenance(provider, cluster));
    let (topology, mut observed) = seen?;
    observed.maintenance = maintenance;
    // A router that cannot be asked is a problem of its own, which the view has by itself.
    observed.links = links.ok();
    let view = ClusterView::new(topology, &observed);
    let stuck = view.not_following();
    let (archiver, logs) = tokio::join!(
        ask_archiver(provider, view.leader.as_deref()),
        node_log::read(provider, topology, &stuck),
    );
    observed.archiver = archiver;
    observed.logs = logs;
    let view = ClusterView::new(topology, &observed);
    Ok((observed, view))
}

/// Nodes that run and outlive their Patroni until further notice. In background mode all do, which nobody has to end.
async fn maintenance(provider: &impl Provider, cluster: &Cluster) -> Vec<String> {
    let background = cluster.topology.as_ref().is_none_or(|topology| topology.spec.background);
    let nodes = cluster.containers.iter().filter(|container| {
        container.role == Some(Role::Postgres) && container.state == ContainerState::Running
    });
    let on = nodes.filter(|_| !background).map(async |node| {
        let file = timeout(MAINTENANCE_DEADLINE, provider.get_file(&node.name, MAINTENANCE)).await;
        file.is_ok_and(|file| file.is_ok()).then(|| node.name.clone())
    });
    join_all(on).await.into_iter().flatten().collect()
}

/// What a leader says of its archive; nothing where nobody leads.
async fn ask_archiver(
    provider: &impl Provider,
    leader: Option<&str>,
) -> Option<Result<Archiver, String>> {
    let psql = ["psql", "-XAtq", "-d", "postgres", "-c", observe::ARCHIVER_SQL];
    Some(match provider.exec_stdout(leader?, &psql, ARCHIVER_DEADLINE).await {
        Ok(printed) => observe::archiver(&printed),
        Err(error) => Err(error.cause().to_owned()),
    })
}

async fn observe<'a>(
    provider: &impl Provider,
    cluster: &'a Cluster,
) -> Result<(&'a Topology, Observed)> {
    let topology = cluster.topology()?;
    let sites = join_all(topology.sites.iter().map(async |site| {
        let report = observe_site(provider, cluster, topology, site).await?;
        Some((site.name.clone(), report))
    }));
    Ok((topology, observed(cluster, sites.await.into_iter().flatten().collect())))
}

fn observed(cluster: &Cluster, sites: BTreeMap<String, Report>) -> Observed {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Observed {
        containers: cluster.containers.clone(),
        networks: cluster.networks.clone(),
        sites,
        links: None,
        logs: BTreeMap::new(),
        archiver: None,
        faults: cluster.faults.iter().map(|recorded| recorded.fault.ongoing()).collect(),
        changing: cluster.change().map_or_else(
            |error| Some(error.reason()),
            |journal| journal.map(|journal| journal.told()),
        ),
        maintenance: Vec::new(),
        now_s: now.ok().map(|since| since.as_secs()),
    }
}

/// Reports that keep coming from one probe in each site.
///
/// An exec costs the host 50 ms of work, which a host that is bringing a cluster up has better use
/// for: a watch starts one for each site and then only reads.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    feeds: BTreeMap<String, Feed>,
    /// What the logs of nodes that fail said, and when.
    logs: Option<(BTreeMap<String, LogFacts>, Instant)>,
    /// How the router's links were, and when it was asked; at first when the watch began.
    links: Option<(Option<WanState>, Instant)>,
    /// Whether the leader is asked about its archive.
    asks_archiver: bool,
    /// What it said, and when.
    archiver: Option<(Option<Result<Archiver, String>>, Instant)>,
}

/// The watch of one site.
#[derive(Debug)]
struct Feed {
    latest: watch::Receiver<Option<(Report, Instant)>>,
    task: JoinHandle<()>,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    /// One that also asks the leader about its archive, now and then.
    pub(crate) fn whole() -> Self {
        Self { asks_archiver: true, ..Self::default() }
    }

    /// Each site that is watched has told something, or why it does not.
    pub(crate) fn has_reports(&self) -> bool {
        self.feeds.values().all(|feed| feed.latest.borrow().is_some())
    }

    /// How the cluster is by the latest reports. Starts a probe in each site that has none.
    ///
    /// # Errors
    /// When the cluster has no topology.
    pub(crate) async fn view(
        &mut self,
        provider: &impl Provider,
        cluster: &Cluster,
    ) -> Result<ClusterView> {
        let topology = cluster.topology()?;
        let mut sites = BTreeMap::new();
        for site in &topology.sites {
            let ended = self.feeds.get(&site.name).is_none_or(|feed| feed.task.is_finished());
            let last = self.feeds.get(&site.name).and_then(|feed| feed.latest.borrow().clone());
            if let Some((report, at)) = last {
                let fresh = at.elapsed() < REPORT_MAX_AGE;
                let report = if fresh { report } else { Err("no report for a while".to_owned()) };
                sites.insert(site.name.clone(), report);
            }
            // The same report stands until the next probe has one.
            if ended && let Some(member) = candidates(cluster, topology, site).first() {
                let last = sites.get(&site.name).cloned();
                self.feeds.insert(site.name.clone(), Feed::start(provider, &member.name, last));
            }
        }
        let mut observed = observed(cluster, sites);
        observed.links = self.links(provider, cluster).await;
        observed.archiver = self.archiver.as_ref().and_then(|(said, _)| said.clone());
        let view = ClusterView::new(topology, &observed);
        let failed = view.failed();
        let old = self.archiver.as_ref().is_none_or(|(_, at)| at.elapsed() > ARCHIVER_MAX_AGE);
        if self.asks_archiver && old && view.leader.is_some() {
            observed.archiver = ask_archiver(provider, view.leader.as_deref()).await;
            self.archiver = Some((observed.archiver.clone(), Instant::now()));
        } else if failed.is_empty() && self.logs.is_none() {
            return Ok(view);
        }
        // Between two attempts a node that fails says that it is starting: what was read stays.
        let old = self.logs.as_ref().is_none_or(|(_, at)| at.elapsed() > LOGS_MAX_AGE);
        if old && !failed.is_empty() {
            let logs = node_log::read(provider, topology, &failed).await;
            self.logs = Some((logs, Instant::now()));
        }
        observed.logs = self.logs.as_ref().map(|(logs, _)| logs.clone()).unwrap_or_default();
        Ok(ClusterView::new(topology, &observed))
    }

    /// Takes over how the links are from somebody who asks more often.
    pub(crate) fn saw_links(&mut self, links: Option<WanState>) {
        self.links = Some((links, Instant::now()));
    }

    /// How the links are, asked now and then: a wait that is soon over has no use for it.
    async fn links(&mut self, provider: &impl Provider, cluster: &Cluster) -> Option<WanState> {
        let (links, at) = self.links.get_or_insert_with(|| (None, Instant::now()));
        if at.elapsed() > LINKS_MAX_AGE {
            let asked = wan::request(provider, cluster, &Request::State);
            *links = timeout(LINKS_DEADLINE, asked).await.ok().and_then(Result::ok);
            *at = Instant::now();
        }
        links.clone()
    }
}

impl Feed {
    fn start(provider: &impl Provider, member: &str, last: Option<Report>) -> Self {
        let (send, latest) = watch::channel(last.map(|report| (report, Instant::now())));
        let (provider, member) = (provider.clone(), member.to_owned());
        let task = tokio::spawn(async move {
            let each = |line: &[u8]| {
                let _ = send.send(Some((SiteObservation::from_json(line), Instant::now())));
            };
            if let Err(error) = provider.exec_lines(&member, &WATCH.argv(), each).await {
                let reason = format!("{member}: {}", error.cause());
                let _ = send.send(Some((Err(reason), Instant::now())));
                // A container that has just started may not be ready to run anything.
                tokio::time::sleep(WATCH_RETRY).await;
            }
        });
        Self { latest, task }
    }
}

/// The report of one site; `None` where no container of it runs.
async fn observe_site(
    provider: &impl Provider,
    cluster: &Cluster,
    topology: &Topology,
    site: &Site,
) -> Option<Report> {
    let deadlines = Deadlines::of(&topology.spec);
    let deadline = deadlines.local.max(deadlines.quorum) + EXEC_ALLOWANCE;
    let (probe, mut first) = (agent::Request::Probe.argv(), None);
    for member in candidates(cluster, topology, site).into_iter().take(ATTEMPTS_MAX) {
        let report = match provider.exec_stdout(&member.name, &probe, deadline).await {
            Ok(printed) => SiteObservation::from_json(&printed),
            Err(error) => Err(error.cause().to_owned()),
        };
        match report {
            Ok(report) => return Some(Ok(report)),
            Err(reason) => first = first.or(Some(Err(format!("{}: {reason}", member.name)))),
        }
    }
    first
}

/// Members to probe from: the backup host first, since only it knows of the stanza.
fn candidates<'a>(cluster: &Cluster, topology: &'a Topology, site: &Site) -> Vec<&'a Member> {
    let runs = |member: &&Member| {
        cluster.container(&member.name).is_some_and(|c| c.state == ContainerState::Running)
    };
    let here = topology.members.iter().filter(|m| m.site == site.number);
    let mut members: Vec<&Member> = here.filter(runs).collect();
    members.sort_by_key(|m| match m.role {
        Role::Backup => 0,
        Role::Etcd => 1,
        Role::Postgres | Role::Wan => 2,
        // It keeps nothing, so it cannot tell of a disk.
        Role::Proxy => 3,
    });
    members
}
