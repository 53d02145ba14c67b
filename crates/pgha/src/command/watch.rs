//! `pgha watch`: one cluster on a live screen; once as text, or as lines of JSON.

use std::time::Duration;

use pgha_core::watch::{Board, Memory};
use pgha_wan::units::whole_ms;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::cli::Watch;
use crate::cluster::{self, Among};
use crate::docker::Engine;
use crate::error::Result;
use crate::events::Events;
use crate::interrupt::interrupted;
use crate::{observe, terminal, watch};

/// Time between two lines of JSON.
const LINE: Duration = Duration::from_secs(1);

/// Carries out `pgha watch`.
pub(crate) async fn run(args: &Watch, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let among = if args.cluster.is_some() { Among::All } else { Among::Created };
    let found = cluster::find(&engine).await?;
    let cluster = cluster::resolve(found, args.cluster.as_deref(), among)?;
    // It must be one that can be read at all.
    cluster.topology()?;
    let id = cluster.id.to_string();
    if args.once {
        let board = watch::board(observe::whole_view(&engine, &cluster).await?);
        return if args.json {
            terminal::stream(&line(&board)).map(drop)
        } else {
            let width = u16::try_from(terminal::width()).unwrap_or(u16::MAX);
            terminal::print(&watch::once(&board, width))
        };
    }
    if args.json {
        let lines = lines(watch::Looks::new(&engine, &id));
        return tokio::select! {
            done = lines => done,
            () = interrupted() => Ok(()),
        };
    }
    watch::run(engine, id, args.read_only, &events.of(&cluster.id)).await
}

async fn lines(mut looks: watch::Looks) -> Result<()> {
    let (mut memory, started) = (Memory::default(), Instant::now());
    let mut ticks = interval(LINE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some((look, _)) = looks.next().await else { continue };
        let now_ms = whole_ms(started.elapsed());
        memory.take(now_ms, look);
        let Some(board) = Board::of(&memory, now_ms) else { continue };
        if !terminal::stream(&line(&board))? {
            return Ok(());
        }
    }
}

fn line(board: &Board) -> String {
    serde_json::to_string(board).expect("plain data is JSON") + "\n"
}
