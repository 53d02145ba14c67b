//! PID 1 of the WAN router: the only member on all networks.
//!
//! It has the kernel hand whatever comes from a site to a TUN device, and keeps the engine running
//! that reads the device and writes back to it what may go on. Without the engine nothing passes:
//! the sites are partitioned, and never bridged by the kernel.

mod arrivals;
mod desk;
mod forward;
mod pool;
mod ready;
mod round_trips;
mod tun;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::Ipv4Net;
use pgha_core::agent::AGENT;
use pgha_core::topology::Site;

use crate::Result;
use crate::files::POSTGRES;
use crate::identity::Identity;
use crate::network::{self, Interface};
use crate::supervise::{Process, Supervisor, WhenItEnds};

pub(crate) use desk::relay;
pub(crate) use forward::run as engine;
pub(crate) use round_trips::run as round_trips;

/// How long the engine may take to attach all networks.
const ATTACH_DEADLINE: Duration = Duration::from_secs(30);
/// The niceness of the engine.
const PRIORITY: i32 = -15;
/// How often to look for them.
const ATTACH_POLL: Duration = Duration::from_millis(50);

/// Takes the router's address in every site, and keeps the engine running until asked to stop.
pub(crate) fn run(me: &Identity) -> Result<ExitCode> {
    let text = std::env::var("PGHA_UNDERLAY")
        .map_err(|_| "PGHA_UNDERLAY is not set; the compose file sets it".to_owned())?;
    // A site that was added since has no network on this container, and one that was removed still has.
    let made = me.as_made();
    let wanted = parse_underlay(&text, &made.sites)?;
    // First of all, so that at no moment the kernel forwards by itself.
    network::make_tun(tun::DEVICE)?;
    let deadline = Instant::now() + ATTACH_DEADLINE;
    let mut waiting = wanted;
    // Some engines attach the networks one after the other, the last ones after the start.
    while !waiting.is_empty() {
        let interfaces = network::interfaces()?;
        let mut missing = Vec::new();
        for (site, subnet) in waiting {
            match interface_on(&interfaces, subnet) {
                Some(interface) => network::join_as_router(interface, site)?,
                None => missing.push((site, subnet)),
            }
        }
        waiting = missing;
        if !waiting.is_empty() {
            if Instant::now() > deadline {
                let names: Vec<_> =
                    waiting.iter().map(|(s, net)| format!("{} ({net})", s.name)).collect();
                return Err(format!("no interface for {}", names.join(", ")));
            }
            std::thread::sleep(ATTACH_POLL);
        }
    }
    // The clusters of this machine keep it busy, and packets that wait for a processor are late.
    if let Err(e) = rustix::process::setpriority_process(None, PRIORITY) {
        crate::log(&format!(
            "packets may be late while the machine is busy: cannot go before others: {e}"
        ));
    }
    let arrivals = arrivals::open()
        .inspect_err(|e| crate::log(&format!("packets may be late by a wake-up: {e}")))
        .ok();
    network::give_up_network_rights()?;
    crate::log(&format!("{} sites are joined", made.sites.len()));
    let engine = Process::new(POSTGRES, "/", &[AGENT, "wan-engine"])
        .with_input(tun::open)
        .with_output(arrivals.map(Arc::new));
    Supervisor { others: vec![(engine, WhenItEnds::Restart)], ..Supervisor::default() }.run()
}

fn interface_on(interfaces: &[Interface], subnet: Ipv4Net) -> Option<&str> {
    interfaces.iter().find(|i| i.subnets.contains(&subnet)).map(|i| i.name.as_str())
}

/// Reads `1=10.213.0.0/24 2=…`: the underlay subnet of each site.
fn parse_underlay<'a>(text: &str, sites: &'a [Site]) -> Result<Vec<(&'a Site, Ipv4Net)>> {
    let mut pairs = Vec::new();
    for pair in text.split_whitespace() {
        let bad = || format!("PGHA_UNDERLAY has `{pair}`, and wants <site>=<subnet>");
        let (number, subnet) = pair.split_once('=').ok_or_else(bad)?;
        let number: u8 = number.parse().map_err(|_| bad())?;
        let subnet: Ipv4Net = subnet.parse().map_err(|_| bad())?;
        let site = sites.iter().find(|s| s.number == number).ok_or_else(bad)?;
        pairs.push((site, subnet.trunc()));
    }
    if pairs.len() == sites.len() {
        Ok(pairs)
    } else {
        Err(format!("PGHA_UNDERLAY names {} of {} sites", pairs.len(), sites.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgha_core::spec::Spec;
    use pgha_core::topology::Topology;

    #[test]
    fn an_underlay_that_misses_or_invents_a_site_is_refused() {
        let sites = Topology::new(Spec::default(), 1).sites;
        assert!(parse_underlay("1=10.0.0.0/24 2=10.0.1.0/24", &sites).is_ok());
        for bad in ["", "1=10.0.0.0/24", "1=10.0.0.0/24 3=10.0.1.0/24", "1 2", "x=y 1=1"] {
            assert!(parse_underlay(bad, &sites).is_err(), "{bad:?} was accepted");
        }
    }
}
