//! What the machine has: memory, ports, kernel, programs, and what this user may do.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::process::{Command, Stdio};

use pgha_core::estimate::Needs;
use pgha_core::spec::Spec;
use pgha_core::topology::{FIRST_HOST_PORT, Topology};
use pgha_core::words::bytes;

use super::Check;
use crate::handover::which;
use crate::{host, sources};

/// Ports that are tried; a cluster takes the first free ones.
const PORTS_TRIED: u16 = 100;
/// The group that may use the engine.
const GROUP: &str = "docker";

/// Looks at the machine; `local` says whether containers share its kernel.
pub(super) fn examine(local: bool, checks: &mut Vec<Check>) {
    let needs =
        |data_centers| Needs::of(&Topology::new(Spec { data_centers, ..Spec::default() }, 1));
    let (least, usual) = (needs(1), needs(2));
    checks.push(memory(host::available_memory(), least.memory_bytes, usual.memory_bytes));
    checks.push(ports(&used_ports(), usual.ports));
    if local && cfg!(target_os = "linux") {
        checks.extend([tun(), forwarding(), bridges()]);
        checks.extend(huge_pages(&fs::read_to_string("/proc/meminfo").unwrap_or_default()));
    }
    checks.push(user());
    checks.push(program("docker", "docker", "pgha logs, exec and build need it", true));
    checks.push(program("psql", "psql", "`pgha psql` runs the one in a member instead", false));
    let compiled = if sources::are_carried() {
        "this pgha carries all that it builds images from"
    } else {
        "`pgha build` compiles in a container instead"
    };
    checks.push(program("cargo", "cargo", compiled, false));
}

fn memory(available: Option<u64>, least: u64, usual: u64) -> Check {
    let name = "memory";
    let Some(available) = available else {
        return Check::info(name, "this system does not say what is available");
    };
    let found = format!(
        "{} available; the smallest cluster takes {}, one of 2 x 2 nodes {}",
        bytes(available),
        bytes(least),
        bytes(usual)
    );
    match available {
        _ if available < least => Check::failed(name, found, "end some programs"),
        _ if available < usual => Check::warning(name, found, "one data center will fit"),
        _ => Check::ok(name, found),
    }
}

fn used_ports() -> Vec<u16> {
    let tried = FIRST_HOST_PORT..FIRST_HOST_PORT + PORTS_TRIED;
    tried.filter(|port| !host::port_is_free(*port)).collect()
}

fn ports(used: &[u16], wanted: u32) -> Check {
    let last = FIRST_HOST_PORT + PORTS_TRIED - 1;
    let free = u32::from(PORTS_TRIED).saturating_sub(u32::try_from(used.len()).unwrap_or(u32::MAX));
    let in_use = used.first().map(|port| format!("; {port} is the first in use"));
    let in_use = in_use.unwrap_or_default();
    let found = format!("{free} of {PORTS_TRIED} free from {FIRST_HOST_PORT} to {last}{in_use}");
    if free < wanted {
        return Check::warning(
            "ports",
            found,
            "`ss -ltnp` shows who listens; higher ones are next",
        );
    }
    Check::ok("ports", found)
}

fn tun() -> Check {
    let path = "/dev/net/tun";
    match fs::metadata(path) {
        Ok(found) if found.file_type().is_char_device() => {
            Check::ok("tun", format!("{path} is there"))
        }
        _ => Check::warning(
            "tun",
            format!("{path} is not there"),
            "`modprobe tun`: the router of a cluster moves packets through it",
        ),
    }
}

fn forwarding() -> Check {
    let file = "/proc/sys/net/ipv4/ip_forward";
    match fs::read_to_string(file).unwrap_or_default().trim() {
        "1" => Check::ok("forwarding", "net.ipv4.ip_forward is 1"),
        other => Check::warning(
            "forwarding",
            format!("net.ipv4.ip_forward is `{other}`"),
            "the engine sets it to 1 when it starts; `sysctl -w net.ipv4.ip_forward=1`",
        ),
    }
}

fn bridges() -> Check {
    let file = "/proc/sys/net/bridge/bridge-nf-call-iptables";
    let found = match fs::read_to_string(file).unwrap_or_default().trim() {
        "1" => "the firewall sees what passes a bridge; cluster addresses pass in any case",
        "0" => "the firewall does not see what passes a bridge",
        _ => "br_netfilter is not loaded",
    };
    Check::info("bridges", found)
}

/// Huge pages that are set aside (`vm.nr_hugepages`), from /proc/meminfo.
fn huge_pages(meminfo: &str) -> Option<Check> {
    let value = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let (pages, free) = (value("HugePages_Total")?, value("HugePages_Free")?);
    let size = value("Hugepagesize")?.saturating_mul(1024);
    (pages > 0).then(|| {
        let found = format!(
            "vm.nr_hugepages reserves {pages} pages, {} ({} free), which `memory` does not count: nodes \
             take their shared buffers from them while there are some",
            bytes(pages.saturating_mul(size)),
            bytes(free.saturating_mul(size))
        );
        Check::info("hugepages", found)
    })
}

fn user() -> Check {
    let name = "user";
    if rustix::process::geteuid().is_root() {
        return Check::ok(name, "root");
    }
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let user = std::env::var("USER").unwrap_or_default();
    let mine: Vec<u32> = rustix::process::getgroups()
        .unwrap_or_default()
        .into_iter()
        .chain([rustix::process::getegid()])
        .map(rustix::process::Gid::as_raw)
        .collect();
    membership(&groups, &user, &mine)
}

/// Whether a user is in the group, by the text of `/etc/group`, and whether this session knows.
fn membership(groups: &str, user: &str, mine: &[u32]) -> Check {
    let name = "user";
    let line = groups.lines().find_map(|line| line.strip_prefix(GROUP)?.strip_prefix(':'));
    let mut fields = line.unwrap_or_default().split(':').skip(1);
    let Some(gid) = fields.next().and_then(|gid| gid.parse::<u32>().ok()) else {
        return Check::info(name, format!("there is no group `{GROUP}`"));
    };
    if mine.contains(&gid) {
        Check::ok(name, format!("in the group `{GROUP}`"))
    } else if fields.next().unwrap_or_default().split(',').any(|member| member == user) {
        let found = format!("in the group `{GROUP}`, and this session does not know yet");
        Check::warning(name, found, "log in again")
    } else {
        let found = format!("not in the group `{GROUP}`");
        Check::info(name, format!("{found}; the engine's own remark says whether that matters"))
    }
}

fn program(name: &'static str, program: &str, without: &str, needed: bool) -> Check {
    if which(program).is_none() {
        let found = "not on the PATH";
        return if needed {
            Check::warning(name, found, without)
        } else {
            Check::info(name, format!("{found}: {without}"))
        };
    }
    let asked = Command::new(program).arg("--version").stderr(Stdio::null()).output();
    let said = asked.map(|done| String::from_utf8_lossy(&done.stdout).trim().to_owned());
    Check::info(name, said.unwrap_or_default().lines().next().unwrap_or("it is there"))
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn memory_is_held_against_two_clusters() {
        let state = |available| memory(available, 300, 700).state;
        assert_eq!(state(Some(299)), State::Failed);
        assert_eq!(state(Some(300)), State::Warning);
        assert_eq!(state(Some(700)), State::Ok);
        assert_eq!(state(None), State::Info);
    }

    #[test]
    fn huge_pages_that_are_set_aside_are_told_with_their_size() {
        let of = |total: u32| {
            let text =
                "MemTotal: 9 kB\nHugePages_Total: {}\nHugePages_Free: 100\nHugepagesize: 2048 kB\n";
            huge_pages(&text.replace("{}", &total.to_string()))
        };
        assert_eq!(of(0), None);
        let told = of(512).expect("a remark").found;
        assert!(told.contains("512 pages, 1 GB (209 MB free)"), "{told}");
        assert_eq!(huge_pages(""), None);
    }

    #[test]
    fn a_membership_counts_once_the_session_knows() {
        let groups = "root:x:0:\ndockers:x:9:ann\ndocker:x:123:bob,ann\n";
        let state = |user, mine: &[u32]| membership(groups, user, mine).state;
        assert_eq!(state("ann", &[123]), State::Ok);
        assert_eq!(state("ann", &[1000]), State::Warning);
        assert_eq!(state("eve", &[9]), State::Info);
        assert_eq!(membership("", "ann", &[123]).state, State::Info);
    }

    #[test]
    fn a_port_in_use_is_no_harm() {
        assert_eq!(ports(&[25551], 4).state, State::Ok);
        let all: Vec<u16> = (FIRST_HOST_PORT..FIRST_HOST_PORT + PORTS_TRIED).collect();
        assert_eq!(ports(&all, 4).state, State::Warning);
    }
}
