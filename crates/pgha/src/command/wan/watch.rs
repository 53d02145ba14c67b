//! `pgha wan watch`: what every link carries, drops and holds, again and again.

use std::io::IsTerminal as _;
use std::time::Duration;

use pgha_core::event::Event;
use pgha_wan::control::{Request, WanState};
use pgha_wan::sample::compared;

use super::Running;
use crate::cli::wan::Watch;
use crate::error::Result;
use crate::events::Events;
use crate::screen;
use crate::terminal;

/// More often would be a load of its own: each look is a program run in the router.
const INTERVAL_MIN: Duration = Duration::from_millis(200);

/// Carries out `pgha wan watch`; ends with Ctrl-C or when nobody reads any more.
pub(super) async fn run(args: &Watch, events: &Events) -> Result<()> {
    let mut running = Running::find(args.cluster.as_deref(), events).await?;
    let live = !args.json && std::io::stdout().is_terminal();
    let mut ticks = tokio::time::interval(args.interval.max(INTERVAL_MIN));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let id = running.cluster.id.to_string();
    let mut before: Option<WanState> = None;
    let mut drawn = 0;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        if before.is_some() {
            running.request(&Request::State).await?;
        }
        let sample = compared(before.as_ref(), &running.state);
        before = Some(running.state.clone());
        // The first look has totals and no rates: nobody is helped by a screen of zeros.
        if sample.over_ms.is_none() {
            continue;
        }
        running.events.emit(Event::LinkSample(sample.clone()));
        let text = if args.json {
            let json = serde_json::to_string(&sample).expect("plain data is always JSON");
            json + "\n"
        } else {
            screen::wan::traffic(&id, &sample)
        };
        let up = if live && drawn > 0 { format!("\x1b[{drawn}A\x1b[J") } else { String::new() };
        drawn = text.lines().count();
        if !terminal::stream(&(up + &text))? {
            return Ok(());
        }
    }
}
