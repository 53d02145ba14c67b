//! `pgha wan set`, `cut`, `isolate`, `heal` and `reset`: one request, then a look whether it is so.
//!
//! What is refused is refused before the router is told of it, or by the router for all links at
//! once, so no link is ever changed by half a command.

use std::collections::BTreeSet;
use std::time::Duration;

use pgha_core::dynamic::Dynamic;
use pgha_core::event::Event;
use pgha_core::links::asked::slow_delay;
use pgha_core::links::fit;
use pgha_core::lint::{self, Finding};
use pgha_core::topology::Topology;
use pgha_core::tuning::PatroniTimers;
use pgha_wan::control::{Direction, Request, WanState};
use pgha_wan::settings::{self, LinkChange, LinkSettings};
use pgha_wan::units::{format_duration, whole_ms};
use serde::Serialize;

use super::{Running, sites};
use crate::cli::wan::{ChangeArgs, Cut, Heal, Isolate, Reset, Set};
use crate::error::{Error, Result};
use crate::events::Events;
use crate::terminal;
use crate::{observe, screen};

/// Carries out `pgha wan set`.
pub(super) async fn set(args: &Set, events: &Events) -> Result<()> {
    let change = args.settings.change();
    if change == LinkChange::default() {
        return Err(Error::bad_input("nothing is to be changed")
            .hint("give a setting: --latency 40ms; `pgha wan set --help` lists all"));
    }
    let words = sites::two("set", &args.sites)?;
    let running = Running::find(words.cluster, events).await?;
    let links = sites::between(running.cluster.topology()?, words.sites, args.one_way)?;
    carry_out(running, links, change, args.change, "set").await
}

/// Carries out `pgha wan cut`.
pub(super) async fn cut(args: &Cut, events: &Events) -> Result<()> {
    let words = sites::two("cut", &args.sites)?;
    let running = Running::find(words.cluster, events).await?;
    let links = sites::between(running.cluster.topology()?, words.sites, args.one_way)?;
    carry_out(running, links, LinkChange::cutting(None, settings::Cut::Yes), args.change, "cut")
        .await
}

/// Carries out `pgha wan isolate`.
pub(super) async fn isolate(args: &Isolate, events: &Events) -> Result<()> {
    let words = sites::one("isolate", &args.sites)?;
    let running = Running::find(words.cluster, events).await?;
    let links = sites::around(running.cluster.topology()?, &words.sites[0])?;
    carry_out(running, links, LinkChange::cutting(None, settings::Cut::Yes), args.change, "isolate")
        .await
}

/// Carries out `pgha wan heal`.
pub(super) async fn heal(args: &Heal, events: &Events) -> Result<()> {
    let words = sites::some(&args.sites)?;
    if args.all && !words.sites.is_empty() {
        return Err(Error::bad_input("--all is about every link, and sites are named")
            .hint("leave one of them out"));
    }
    let running = Running::find(words.cluster, events).await?;
    let mut links = sites::chosen(running.cluster.topology()?, words.sites)?;
    links.retain(|link| settings_of(&running.state, link).is_some_and(LinkSettings::is_cut));
    let after = ChangeArgs { for_: None, no_verify: args.no_verify, json: args.json };
    if links.is_empty() {
        running.events.note("no link of these is cut");
        return if args.json { tell(&running, &[], after, Vec::new()).await } else { Ok(()) };
    }
    carry_out(running, links, LinkChange::healing(), after, "heal").await
}

/// Carries out `pgha wan reset`.
pub(super) async fn reset(args: &Reset, events: &Events) -> Result<()> {
    let words = sites::some(&args.sites)?;
    let mut running = Running::find(words.cluster, events).await?;
    let links = sites::chosen(running.cluster.topology()?, words.sites)?;
    running.request(&Request::Reset { links: links.clone() }).await?;
    running.report("reset", &links, None);
    let after = ChangeArgs { for_: None, no_verify: args.no_verify, json: args.json };
    tell(&running, &links, after, Vec::new()).await
}

impl Running {
    /// Reports what was done to links.
    fn report(&self, fault: &str, links: &[Direction], undone_in_ms: Option<u64>) {
        let targets = links.iter().map(|link| format!("{} to {}", link.from, link.to)).collect();
        self.events.emit(Event::Fault { fault: fault.to_owned(), targets, undone_in_ms });
    }
}

/// Judges, changes, looks, tells.
async fn carry_out(
    mut running: Running,
    links: Vec<Direction>,
    change: LinkChange,
    args: ChangeArgs,
    fault: &str,
) -> Result<()> {
    let findings = judge(&running.state, &links, &change);
    if lint::has_errors(&findings) {
        let why: Vec<_> = findings.iter().map(|f| f.message.clone()).collect();
        return Err(Error::bad_input("no link can be so, and every link stays as it was")
            .because(why.join("\n"))
            .hint(findings[0].hint.clone()));
    }
    let for_ms = args.for_.map(|time| whole_ms(time).max(1));
    running.request(&Request::Change { links: links.clone(), change, for_ms }).await?;
    running.report(fault, &links, for_ms);
    tell(&running, &links, args, findings).await
}

/// What there is to say about the change of each direction, the same thing once.
fn judge(state: &WanState, links: &[Direction], change: &LinkChange) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for link in links {
        let Some(mut becomes) = settings_of(state, link).cloned() else { continue };
        change.apply(&mut becomes);
        let (low, high) =
            if link.from < link.to { (&link.from, &link.to) } else { (&link.to, &link.from) };
        let name = if links.len() == 1 {
            format!("from {} to {}", link.from, link.to)
        } else {
            format!("between {low} and {high}")
        };
        for finding in lint::of_change(change, &becomes, &name) {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    findings
}

/// What a change starts from: a router that waits for its cluster puts the distances of the cluster
/// file in force first.
fn settings_of<'a>(state: &'a WanState, link: &Direction) -> Option<&'a LinkSettings> {
    let found = state.links.iter().find(|l| l.from == link.from && l.to == link.to)?;
    Some(if state.waiting_for_cluster { &found.spec } else { &found.settings })
}

/// What a change prints with `--json`.
#[derive(Debug, Serialize)]
struct Changed<'a> {
    /// What is to be thought about; an empty list where all is well.
    warnings: &'a [Finding],
    /// As `pgha wan show --json`.
    #[serde(flatten)]
    wan: &'a pgha_core::links::view::WanView,
}

/// Measures the links unless that is not wanted, and says how they are.
async fn tell(
    running: &Running,
    links: &[Direction],
    args: ChangeArgs,
    mut warnings: Vec<Finding>,
) -> Result<()> {
    let topology = running.cluster.topology()?;
    let seen = observe::view(&running.engine, &running.cluster).await?;
    let timers = seen.settings.unwrap_or_else(|| Dynamic::of(&topology.spec)).timers();
    warnings.extend(misfits(topology, timers, &running.state, links));
    let from: BTreeSet<String> =
        links.iter().map(|link| link.from.clone().min(link.to.clone())).collect();
    let from: Vec<String> = if args.no_verify { Vec::new() } else { from.into_iter().collect() };
    let view = running.view(&from).await?;
    let about = |pair: &&pgha_core::links::view::PairView| {
        let [a, b] = &pair.between;
        links.iter().any(|l| (&l.from, &l.to) == (a, b) || (&l.from, &l.to) == (b, a))
    };
    for pair in view.pairs.iter().filter(about) {
        if let Some(difference) = pair.difference() {
            warnings.push(Finding {
                severity: lint::Severity::Warning,
                code: "measured_differs",
                message: difference,
                hint:
                    "`pgha wan show` measures again; a change while packets are on their way, or \
                       a busy host, shows"
                        .to_owned(),
            });
        }
    }
    if args.json {
        terminal::print_json(&Changed { warnings: &warnings, wan: &view })?;
    } else {
        terminal::print(&screen::wan::changed(&view, links))?;
        if args.no_verify {
            running.events.note("not measured (--no-verify)");
        }
    }
    if let Some(time) = args.for_ {
        running.events.note(format!("undone by the router in {}", format_duration(time)));
    }
    if view.waiting_for_cluster {
        running
            .events
            .note("the WAN latency of the cluster file applies once the cluster is ready");
    }
    running.events.findings(&warnings);
    Ok(())
}

/// The timers in force that the round trips of these links do not fit.
fn misfits(
    topology: &Topology,
    timers: PatroniTimers,
    state: &WanState,
    links: &[Direction],
) -> Vec<Finding> {
    let slowest = links
        .iter()
        .filter_map(|link| {
            let back = Direction { from: link.to.clone(), to: link.from.clone() };
            let (forth, back) = (settings_of(state, link)?, settings_of(state, &back)?);
            let passes = |link: &LinkSettings| link.cut != settings::Cut::Yes;
            (passes(forth) && passes(back))
                .then(|| slow_delay(forth).saturating_add(slow_delay(back)))
        })
        .max();
    fit::timers(&topology.spec, timers, slowest.unwrap_or(Duration::ZERO))
}
