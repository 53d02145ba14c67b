//! `pgha load`: clients that write to a cluster, what became of their writes, and what that proves.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Duration;

use pgha_core::check::{Checked, Judged, Verdict};
use pgha_core::history::{LoadReport, Run as Figures};
use pgha_wan::units::whole_ms;
use serde::Serialize;
use tokio::time::sleep;

use crate::cli::Load;
use crate::connection::{self, Connection};
use crate::docker::Engine;
use crate::error::{Error, OrFail as _, Result};
use crate::events::{Events, Work};
use crate::interrupt::interrupted;
use crate::load::target::Target;
use crate::load::writing::{Clients, Writing};
use crate::{screen, terminal};

/// How often the line with the figures is shown.
const SHOWN: Duration = Duration::from_secs(1);

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Document<'a> {
    cluster: String,
    #[serde(flatten)]
    report: &'a LoadReport,
    verdict: Verdict,
    two_writers_ms: u64,
    checks: &'a [Checked],
}

/// Carries out `pgha load`.
pub(crate) async fn run(args: &Load, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let cluster = connection::cluster(&engine, args.cluster.as_deref()).await?;
    let (id, events) = (cluster.id.to_string(), events.of(&cluster.id));
    let connection = Connection::of(&engine, &cluster).await?;
    let target = Target::of(&connection)?;
    if target.nodes.is_empty() {
        return Err(Error::missing(format!("no node of cluster {id} has a port on this host"))
            .hint(format!("`pgha status {id}` says why")));
    }
    // A file that cannot be written is told before anything is done.
    let file = args.history.as_deref().map(create).transpose()?;
    let work = events.begin(format!("load {id}"));
    work.at("making the table", "");
    let clients = Clients {
        workload: args.workload,
        count: args.clients,
        readers: args.readers,
        rate: args.rate.map(u32::from),
        timeout: args.timeout,
    };
    let writing = Writing::begin(target, &id, clients).await?;
    watch(&writing, args.for_, &work).await;
    let written = writing.end().await;
    work.at("reading what is there", "");
    let end = tokio::select! {
        end = written.read() => end,
        () = interrupted() => Err(Error::failed("ended before what is there was read")),
    };
    let kept = args.keep || end.is_err();
    if let (Ok(found), false) = (&end, kept) {
        written.drop_table(found).await;
    }
    drop(work);
    if kept {
        events.note(format!("the rows stay in the table {}", written.table()));
    }
    let (end, unread) = match end {
        Ok(ended) => (Some(ended), None),
        Err(error) => (None, Some(error)),
    };
    let history = written.history(end);
    let figures = Figures { clients: args.clients, history: &history, pace: clients.pace() };
    let report = LoadReport::of(&figures);
    let judged = Judged::of(&history);
    if args.json {
        terminal::print_json(&Document {
            cluster: id.clone(),
            report: &report,
            verdict: judged.verdict(),
            two_writers_ms: whole_ms(judged.two_writers),
            checks: &judged.checks,
        })?;
    } else {
        terminal::print(&screen::load::report(&report, &judged))?;
    }
    // After the report, which is not lost where the disk is full.
    if let Some((file, failed)) = file {
        history.write_to(BufWriter::new(file)).or_fail(failed)?;
    }
    if judged.verdict() == Verdict::Violated {
        return Err(Error::violated(format!("the history of cluster {id} is not as it must be"))
            .because(judged.violations().join("\n"))
            .hint(format!(
                "`pgha status {id}` has the durability in force; docs/load.md says what it promises"
            )));
    }
    unread.map_or(Ok(()), Err)
}

/// A file for everything that clients do, and what is said where it cannot be written.
fn create(path: &Path) -> Result<(File, String)> {
    let failed = format!("cannot write {}", path.display());
    Ok((File::create(path).or_fail(failed.clone())?, failed))
}

/// Waits until the time is over or somebody ends it, and shows how it goes.
async fn watch(writing: &Writing, how_long: Option<Duration>, work: &Work) {
    let over = async {
        match how_long {
            Some(time) => sleep(time).await,
            None => std::future::pending().await,
        }
    };
    let shown = async {
        loop {
            sleep(SHOWN).await;
            work.at("writing", &writing.tally().line());
        }
    };
    tokio::select! {
        () = over => {}
        () = shown => {}
        () = interrupted() => {}
    }
}
