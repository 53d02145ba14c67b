//! Cluster addresses and the route to the other sites.
//!
//! Docker's own addresses are mere underlay: a member's cluster address is put on the same
//! interface, and everything else of the cluster is reached through the router of the site.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Command, Stdio};

use ipnet::Ipv4Net;
use pgha_core::topology::{CLUSTER_NET, Member, Site};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use serde_json::Value;

use crate::Result;

/// The table of routes for what comes from a site.
const WAN_TABLE: &str = "100";

/// An interface with the subnet that Docker gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) subnets: Vec<Ipv4Net>,
}

/// Every interface but the loopback.
pub(crate) fn interfaces() -> Result<Vec<Interface>> {
    let out = ip(&["-json", "-4", "address", "show"], "")?;
    parse_interfaces(&out)
}

/// Reads the JSON that `ip -json address show` prints.
fn parse_interfaces(text: &str) -> Result<Vec<Interface>> {
    let links: Vec<Value> =
        serde_json::from_str(text).map_err(|e| format!("`ip address` printed no JSON: {e}"))?;
    let mut found = Vec::new();
    for link in &links {
        let Some(name) = link["ifname"].as_str().filter(|name| *name != "lo") else { continue };
        let subnets = link["addr_info"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|a| {
                let address = a["local"].as_str()?.parse().ok()?;
                let prefix = u8::try_from(a["prefixlen"].as_u64()?).ok()?;
                Some(Ipv4Net::new(address, prefix).ok()?.trunc())
            })
            .collect();
        found.push(Interface { name: name.to_owned(), subnets });
    }
    Ok(found)
}

/// Puts the member's cluster address on its only interface, and the route to the other sites.
pub(crate) fn join_site(member: &Member, site: &Site) -> Result<()> {
    let found = interfaces()?;
    let [interface] = found.as_slice() else {
        return Err(format!("expected one network interface, found {found:?}"));
    };
    let (name, address, router) = (&interface.name, member.address, site.router_address());
    ip(
        &["-batch", "-"],
        &format!(
            "address replace {address}/24 dev {name}\n\
             route replace {CLUSTER_NET} via {router} dev {name} src {address}\n"
        ),
    )?;
    announce(address, site);
    Ok(())
}

/// Makes the device that traffic between sites goes through, and the table of routes that leads there.
///
/// The device belongs to root and outlives whoever reads it, so that nobody needs `NET_ADMIN` to open it
/// again. The kernel drops what reaches it unread; the second route holds where there is no device.
pub(crate) fn make_tun(device: &str) -> Result<()> {
    ip(
        &["-force", "-batch", "-"],
        &format!(
            "route replace blackhole default metric 1000 table {WAN_TABLE}\n\
             tuntap add dev {device} mode tun user 0 vnet_hdr\n"
        ),
    )?;
    ip(
        &["-batch", "-"],
        &format!(
            "link set {device} up txqueuelen 1000\n\
             route replace default dev {device} table {WAN_TABLE}\n"
        ),
    )
    .map(drop)
}

/// Puts the router's address of one site on the interface of that site, and sends what comes from there
/// to the device. What is written back to the device comes from no site and takes the main table.
pub(crate) fn join_as_router(interface: &str, site: &Site) -> Result<()> {
    let address = site.router_address();
    let rule = format!("from all iif {interface} lookup {WAN_TABLE}");
    if !ip(&["rule", "show"], "")?.contains(&rule) {
        ip(&["rule", "add", "iif", interface, "lookup", WAN_TABLE, "priority", "100"], "")?;
    }
    ip(&["address", "replace", &format!("{address}/24"), "dev", interface], "")?;
    announce(address, site);
    Ok(())
}

/// Makes every neighbour learn the hardware address behind `address` now.
///
/// A restarted container may come back with another hardware address, which neighbours would only
/// notice after half a minute. Sending to an address that nobody has makes the kernel broadcast an
/// ARP request, from which all of them correct what they have stored about the sender.
fn announce(address: Ipv4Addr, site: &Site) {
    let nobody = (site.nobodys_address(), 9);
    let sent = UdpSocket::bind((address, 0)).and_then(|socket| socket.send_to(&[], nobody));
    if let Err(e) = sent {
        crate::log(&format!("cannot announce {address} to its neighbours: {e}"));
    }
}

/// Gives up the rights to change the network, to listen to it and to go before others; nothing this process
/// starts gets them back.
pub(crate) fn give_up_network_rights() -> Result<()> {
    let explain = |e| format!("cannot give up NET_ADMIN, NET_RAW and SYS_NICE: {e}");
    let given_up = CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW | CapabilitySet::SYS_NICE;
    let mut sets = capabilities(None).map_err(explain)?;
    sets.effective -= given_up;
    sets.permitted -= given_up;
    sets.inheritable -= given_up;
    set_capabilities(None, sets).map_err(explain)
}

/// Runs iproute2 with `input` on its standard input.
fn ip(arguments: &[&str], input: &str) -> Result<String> {
    use std::io::Write as _;
    let explain = |e: std::io::Error| format!("cannot run `ip {}`: {e}", arguments.join(" "));
    let mut child = Command::new("ip")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(explain)?;
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).map_err(explain)?;
    let done = child.wait_with_output().map_err(explain)?;
    if !done.status.success() {
        return Err(format!(
            "`ip {}` failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&done.stderr).trim()
        ));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_found_by_the_subnet_of_their_address() {
        let text = r#"[
            {"ifname":"lo","addr_info":[{"local":"127.0.0.1","prefixlen":8}]},
            {"ifname":"eth1","addr_info":[{"local":"10.213.1.2","prefixlen":24}]},
            {"ifname":"eth0","addr_info":[]}
        ]"#;
        assert_eq!(
            parse_interfaces(text),
            Ok(vec![
                Interface {
                    name: "eth1".into(),
                    subnets: vec!["10.213.1.0/24".parse().expect("a subnet")],
                },
                Interface { name: "eth0".into(), subnets: vec![] },
            ])
        );
        assert!(parse_interfaces("oops").is_err());
    }
}
