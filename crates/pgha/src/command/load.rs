//! `pgha load`: clients that write to a cluster, and what became of their writes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use pgha_core::history::{LoadReport, Operation, Run as Figures};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::cli::Load;
use crate::connection::{self, Connection};
use crate::docker::Engine;
use crate::error::{Error, OrFail as _, Result};
use crate::events::{Events, Work};
use crate::interrupt::interrupted;
use crate::load::client::{self, Run};
use crate::load::tally::Tally;
use crate::load::target::{Session, Target};
use crate::{screen, terminal};

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
/// How often the line with the figures is shown.
const SHOWN: Duration = Duration::from_secs(1);

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Document<'a> {
    cluster: String,
    #[serde(flatten)]
    report: &'a LoadReport,
}

/// Carries out `pgha load`.
pub(crate) async fn run(args: &Load, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let cluster = connection::cluster(&engine, args.cluster.as_deref()).await?;
    let (id, events) = (cluster.id.to_string(), events.of(&cluster.id));
    let connection = Connection::of(&engine, &cluster).await?;
    let target = Target { nodes: connection.ports(), password: connection.password()? };
    if target.nodes.is_empty() {
        return Err(Error::missing(format!("no node of cluster {id} has a port on this host"))
            .hint(format!("`pgha status {id}` says why")));
    }
    let work = events.begin(format!("load {id}"));
    work.at("making the table", "");
    let table = make_table(&target, &id).await?;
    let clients = args.clients;
    let pace = args.rate.map(|rate| Duration::from_secs(1) * clients / rate.get());
    let nodes: Vec<String> = target.nodes.iter().map(|(name, _)| name.clone()).collect();
    let run = Arc::new(Run {
        target,
        table: table.clone(),
        timeout: args.timeout,
        pace,
        tally: Tally::begun(),
    });
    let operations = write(&run, clients, args.for_, &work).await;
    let took = run.tally.elapsed();
    work.at("reading what is there", "");
    let end = tokio::select! {
        end = read(&run.target, &table) => end,
        () = interrupted() => Err(Error::failed("ended before what is there was read")),
    };
    let kept = args.keep || end.is_err();
    if let (Ok((session, _)), false) = (&end, kept) {
        drop_table(session, &table).await;
    }
    drop(work);
    let (end, unread) = match end {
        Ok((session, rows)) => (Some((session.node, rows)), None),
        Err(error) => (None, Some(error)),
    };
    let found = end.as_ref().map(|(node, rows)| (nodes[*node as usize].as_str(), rows.as_slice()));
    let pace = args.rate.map(|rate| Duration::from_secs(1) / rate.get());
    let report = LoadReport::of(&Figures {
        clients,
        operations: &operations,
        took,
        nodes: &nodes,
        pace,
        found,
    });
    if args.json {
        terminal::print_json(&Document { cluster: id.clone(), report: &report })?;
    } else {
        terminal::print(&screen::load::report(&report))?;
    }
    if kept {
        events.note(format!("the rows stay in the table {table}"));
    }
    if let Some(error) = unread {
        return Err(error);
    }
    if report.holds() {
        return Ok(());
    }
    let lost = report.lost.unwrap_or_default();
    let what = if lost > 0 {
        format!("{lost} acknowledged writes are lost")
    } else {
        format!("{} rows are there that no write has made", report.unexpected)
    };
    Err(Error::violated(what).hint(format!(
        "`pgha status {id}` has the durability in force; docs/load.md says what it promises"
    )))
}

/// Has all clients write until the time is over or somebody ends it; gives all that was done.
async fn write(
    run: &Arc<Run>,
    clients: u32,
    how_long: Option<Duration>,
    work: &Work,
) -> Vec<Operation> {
    let (send, stop) = watch::channel(false);
    let tasks = (0..clients).map(|n| tokio::spawn(client::write(run.clone(), n, stop.clone())));
    let tasks: Vec<_> = tasks.collect();
    let over = async {
        match how_long {
            Some(time) => sleep(time).await,
            None => std::future::pending().await,
        }
    };
    let shown = async {
        loop {
            sleep(SHOWN).await;
            work.at("writing", &run.tally.line());
        }
    };
    tokio::select! {
        () = over => {}
        () = shown => {}
        () = interrupted() => {}
    }
    // A client that has gone already has told what it did.
    let _ = send.send(true);
    let done = join_all(tasks).await;
    done.into_iter().filter_map(Result::ok).flatten().collect()
}

/// Makes the table of this run, in a schema of its own.
async fn make_table(target: &Target, id: &str) -> Result<String> {
    let session = session(target, BEGIN_DEADLINE).await.map_err(|error| {
        error.hint(format!("`pgha status {id}` says why; `pgha load` wants a leader to begin with"))
    })?;
    let begun = jiff::Timestamp::now().strftime("%Y%m%d_%H%M%S");
    let table = format!("{SCHEMA}.run_{begun}_{}", std::process::id());
    let statements = format!(
        "create schema if not exists {SCHEMA}; \
         create table {table} (client bigint, id bigint, at timestamptz not null default clock_timestamp(), \
         primary key (client, id))"
    );
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

/// Reads the table of a run on the node that takes writes, once there is one.
async fn read(target: &Target, table: &str) -> Result<(Session, Vec<(u32, u64)>)> {
    let session = session(target, END_DEADLINE).await?;
    let sql = format!("select client, id from {table}");
    let rows = timeout(TABLE_DEADLINE, session.client.query(&sql, &[])).await;
    let rows = rows
        .map_err(|_| Error::deadline("what is there could not be read in time"))?
        .or_fail("what is there cannot be read")?;
    let number = |row: &tokio_postgres::Row| {
        let (client, id): (i64, i64) = (row.get(0), row.get(1));
        (u32::try_from(client).unwrap_or(u32::MAX), u64::try_from(id).unwrap_or(u64::MAX))
    };
    let rows = rows.iter().map(number).collect();
    Ok((session, rows))
}

/// Removes the table, and the schema where no other run has a table there.
async fn drop_table(session: &Session, table: &str) {
    for sql in [format!("drop table {table}"), format!("drop schema {SCHEMA}")] {
        // Rows that stay hurt nobody: a failed run's figures matter more.
        let _ = timeout(TABLE_DEADLINE, session.client.batch_execute(&sql)).await;
    }
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
