//! `pgha logs`: what a member wrote, or all of a cluster by time; of a Postgres node also what Postgres itself writes,
//! into files of its own. Members need not run.

use std::fmt::Write as _;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use pgha_core::member_log::{self, LogLine, Shown};
use pgha_core::render::data_dir;
use pgha_core::status::ContainerState;
use pgha_core::topology::{ClusterId, Role};

use crate::cli::{Logs, Tail};
use crate::cluster::{self, Among, Cluster};
use crate::docker::Engine;
use crate::error::Result;
use crate::events::Events;
use crate::interrupt::interrupted;
use crate::member_logs::{of_container, of_postgres, stamp};
use crate::{member, terminal};

/// Lines that are shown where nothing else is asked.
const LINES: u32 = 100;
/// Lines that are read beyond those that are shown: which lines have the time of the last one must be known.
const MARGIN: u32 = 100;
/// Time between two looks at logs that are followed.
const POLL: Duration = Duration::from_secs(1);
/// How much of the time before the last look is read again, for what was written meanwhile.
const OVERLAP: Duration = Duration::from_secs(3);

/// A log that is read: of a container, or with a folder of data that of its Postgres.
#[derive(Debug)]
struct Source {
    member: String,
    data: Option<String>,
    shown: Shown,
}

/// Carries out `pgha logs`.
pub(crate) async fn run(args: &Logs, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let clusters = cluster::find(&engine).await?;
    let (mut sources, several) = whose(clusters, args.whose.as_deref(), events)?;
    let mut looked = Timestamp::now();
    let since = args.since.map(|since| since.before(looked));
    let tail = match args.tail {
        Some(Tail::Lines(lines)) => Some(lines),
        Some(Tail::All) => None,
        None => since.is_none().then_some(LINES),
    };
    let logs =
        read(&engine, &mut sources, since, tail.map(|lines| lines.saturating_add(MARGIN))).await;
    if !terminal::stream(&drawn(&logs, since, tail, several))? || !args.follow {
        return Ok(());
    }
    let follow = async {
        loop {
            tokio::time::sleep(POLL).await;
            let since = looked - OVERLAP;
            looked = Timestamp::now();
            let logs = read(&engine, &mut sources, Some(since), None).await;
            if !terminal::stream(&drawn(&logs, None, None, several))? {
                return Ok(());
            }
        }
    };
    tokio::select! {
        done = follow => done,
        () = interrupted() => Ok(()),
    }
}

/// The logs of a cluster that is named, or of the only one; else those of a member. Whether there are several members.
fn whose(
    clusters: Vec<Cluster>,
    wanted: Option<&str>,
    events: &Events,
) -> Result<(Vec<Source>, bool)> {
    let names = |id: &ClusterId, word: &str| id.name == word || id.to_string() == word;
    let of_cluster =
        wanted.is_none_or(|word| clusters.iter().any(|cluster| names(&cluster.id, word)));
    let (cluster, only) = if of_cluster {
        (cluster::resolve(clusters, wanted, Among::Created)?, None)
    } else {
        let (cluster, name) = member::find_in(clusters, wanted.unwrap_or_default())?;
        (cluster, Some(name))
    };
    let data = cluster.topology.as_ref().map(|topology| data_dir(topology.spec.postgres));
    let mut sources = Vec::new();
    let members =
        cluster.containers.iter().filter(|c| only.as_ref().is_none_or(|name| *name == c.name));
    for container in members {
        let member = &container.name;
        let source = |data| Source { member: member.clone(), data, shown: Shown::default() };
        sources.push(source(None));
        if container.role != Some(Role::Postgres) {
            continue;
        }
        if container.state == ContainerState::Running {
            sources.extend(data.clone().map(|data| source(Some(data))));
        } else {
            events.note(format!("{member} does not run: Postgres's own log is not shown"));
        }
    }
    Ok((sources, only.is_none()))
}

/// The lines of each log that were not read yet.
async fn read(
    engine: &Engine,
    sources: &mut [Source],
    since: Option<Timestamp>,
    tail: Option<u32>,
) -> Vec<(String, Vec<LogLine>)> {
    join_all(sources.iter_mut().map(async |source| {
        let log = match &source.data {
            None => of_container(engine, &source.member, since, tail).await,
            Some(data) => of_postgres(engine, &source.member, data, since, tail).await,
        };
        (source.member.clone(), source.shown.fresh(log))
    }))
    .await
}

/// The lines by time; of several members with time and name before each.
fn drawn(
    logs: &[(String, Vec<LogLine>)],
    since: Option<Timestamp>,
    tail: Option<u32>,
    several: bool,
) -> String {
    let width = logs.iter().map(|(member, _)| member.len()).max().unwrap_or_default();
    let tail = tail.map(|lines| usize::try_from(lines).unwrap_or(usize::MAX));
    let mut out = String::new();
    for (member, line) in member_log::merged(logs, since.map(stamp).as_deref(), tail) {
        if several {
            let _ = write!(out, "{}  {member:width$}  ", line.at);
        }
        let _ = writeln!(out, "{}", line.text);
    }
    out
}
