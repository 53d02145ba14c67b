//! `pgha restore-point`: a named moment on the leader, in the archive as soon as the command returns.

use std::time::{Duration, Instant};

use pgha_core::wal::Segment;
use serde::{Deserialize, Serialize};

use crate::cli::RestorePoint;
use crate::cluster::{self, Among};
use crate::docker::Engine;
use crate::error::{Error, OrFail as _, Result};
use crate::events::Events;
use crate::provider::{Provider as _, psql};
use crate::{archived, observe, terminal};

/// Longest name that Postgres takes, in bytes.
const NAME_MAX_BYTES: usize = 63;
/// How long one question to the leader may take.
const SQL_DEADLINE: Duration = Duration::from_secs(30);
/// How long the archive may take.
const ARCHIVE_DEADLINE: Duration = Duration::from_secs(60);
/// How often to look whether the segment is archived.
const ARCHIVE_POLL: Duration = Duration::from_millis(200);

/// The moment that was named.
#[derive(Debug, Serialize, Deserialize)]
struct Point {
    /// Its name.
    name: String,
    /// Where it is in the WAL.
    lsn: String,
    /// When it was made, in UTC.
    time: String,
    /// The segment of WAL that it is in, archived.
    segment: Segment,
}

/// Carries out `pgha restore-point`.
pub(crate) async fn run(args: &RestorePoint, events: &Events) -> Result<()> {
    let point = &args.point;
    if point.is_empty() || point.len() > NAME_MAX_BYTES || point.contains(char::is_control) {
        return Err(Error::bad_input(format!(
            "a restore point has a name of 1 to {NAME_MAX_BYTES} bytes"
        ))
        .hint("`pgha restore-point before_upgrade`"));
    }
    let engine = Engine::connect().await?;
    let among = if args.cluster.is_some() { Among::All } else { Among::Created };
    let cluster = cluster::resolve(cluster::find(&engine).await?, args.cluster.as_deref(), among)?;
    let (id, view) = (&cluster.id, observe::view(&engine, &cluster).await?);
    let leader = view.leader.as_ref().ok_or_else(|| {
        Error::missing(format!("cluster {id} has no leader"))
            .because(view.problems.first().map_or_else(String::new, |p| p.message.clone()))
            .hint(format!("`pgha status {id}` says more"))
    })?;
    let work = events.of(id).begin(format!("cluster {id}"));
    work.at("making the restore point", "");
    // One snapshot of the clock, taken after the record is written; then the segment is closed.
    let quoted = point.replace('\'', "''");
    let made = sql(
        &engine,
        leader,
        &format!(
            "with p as materialized (select pg_create_restore_point('{quoted}') as lsn) \
             select json_build_object('name', '{quoted}', 'lsn', lsn, \
             'time', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00'), \
             'segment', pg_walfile_name(lsn)) from p; select from pg_switch_wal()"
        ),
    )
    .await?;
    let made: Point =
        serde_json::from_str(made.trim()).or_fail("the leader answered something odd")?;
    work.at("waiting until it is archived", "");
    await_archived(&engine, leader, &made, &id.to_string()).await?;
    drop(work);
    if args.json {
        return terminal::print_json(&made);
    }
    events.note(format!("restore point `{}` of cluster {id} is archived", made.name));
    terminal::print(&format!("{}  {}  {}\n", made.lsn, made.time, made.segment))
}

/// Waits until the leader has archived the segment.
async fn await_archived(engine: &Engine, leader: &str, made: &Point, id: &str) -> Result<()> {
    let started = Instant::now();
    loop {
        let said = sql(engine, leader, &archived::waiting_up_to(made.segment)).await?;
        let (waiting, failed) = archived::parse(&said);
        if waiting == 0 {
            return Ok(());
        }
        if started.elapsed() > ARCHIVE_DEADLINE {
            let seconds = ARCHIVE_DEADLINE.as_secs();
            return Err(Error::deadline(format!(
                "restore point `{}` is made and not archived after {seconds} s",
                made.name
            ))
            .because(format!(
                "it is at {} in segment {}{}",
                made.lsn,
                made.segment,
                failed.map(|file| format!("; the archiver fails with {file}")).unwrap_or_default()
            ))
            .hint(format!(
                "`pgha status {id}` says why WAL is not archived; once it is, the point will do"
            )));
        }
        tokio::time::sleep(ARCHIVE_POLL).await;
    }
}

async fn sql(engine: &Engine, node: &str, statements: &str) -> Result<String> {
    let ran = engine.exec(node, &psql(statements), SQL_DEADLINE).await?;
    if ran.code == 0 {
        return Ok(ran.stdout);
    }
    Err(Error::failed(format!("{node} does not do it")).because(ran.stderr))
}
