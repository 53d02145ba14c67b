//! What a cluster needs of the host it runs on, and whether the host has it.
//!
//! The shell measures the host and passes a [`HostCapacity`]; this module only compares. What it
//! finds are estimates, so `--force` may override them: they are findings of severity error that
//! the shell lets pass then.

use crate::finding::Finding;
use crate::topology::{Role, Topology};

/// Memory of one mebibyte, in bytes.
const MIB: u64 = 1024 * 1024;

/// Memory of a Postgres node with its Patroni. An idle replica of the reference took 52 MiB
/// (MACHINE.md); a leader under load, base backups and page cache come on top.
pub const POSTGRES_NODE_BYTES: u64 = 120 * MIB;
/// Memory of an etcd member; 28 MiB were measured idle (MACHINE.md).
pub const ETCD_MEMBER_BYTES: u64 = 40 * MIB;
/// Memory of the backup host, not measured yet: an SSH or pgBackRest server and one backup.
pub const BACKUP_HOST_BYTES: u64 = 30 * MIB;
/// Memory of a proxy: an idle `HAProxy` and a `PgBouncer`, and buffers of some hundred connections.
pub const PROXY_BYTES: u64 = 40 * MIB;
/// Memory of the WAN router, not measured yet: one small process.
pub const ROUTER_BYTES: u64 = 10 * MIB;

/// What a cluster needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Bytes of memory, once it runs.
    pub memory_bytes: u64,
    /// Underlay networks of /24, one for each site.
    pub subnets: u32,
    /// Ports on the host's loopback, one for each Postgres node and some for each proxy.
    pub ports: u32,
}

/// What a host has to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostCapacity {
    /// Bytes of memory that can be had without swapping (`MemAvailable`).
    pub memory_available_bytes: u64,
    /// Networks of /24 that nothing on the host uses.
    pub free_subnets: u32,
    /// Loopback ports that are free, from [`crate::topology::FIRST_HOST_PORT`] upward.
    pub free_ports: u32,
}

impl Needs {
    /// What the cluster needs.
    pub fn of(topology: &Topology) -> Self {
        let members: u64 = topology
            .members
            .iter()
            .map(|member| match member.role {
                Role::Postgres => POSTGRES_NODE_BYTES,
                Role::Etcd => ETCD_MEMBER_BYTES,
                Role::Backup => BACKUP_HOST_BYTES,
                Role::Proxy => PROXY_BYTES,
                Role::Wan => 0,
            })
            .sum();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            memory_bytes: members + ROUTER_BYTES,
            subnets: count(topology.sites.len()),
            ports: count(topology.published().len()),
        }
    }

    /// What the host lacks, all of it.
    pub fn lacking(&self, host: &HostCapacity) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.memory_bytes > host.memory_available_bytes {
            findings.push(Finding::error(
                "host_memory",
                format!(
                    "the cluster takes about {} MiB of memory, and {} MiB are available",
                    self.memory_bytes.div_ceil(MIB),
                    host.memory_available_bytes / MIB
                ),
                "ask for fewer nodes, free memory, or go on with --force",
            ));
        }
        if self.subnets > host.free_subnets {
            findings.push(Finding::error(
                "host_subnets",
                format!(
                    "the cluster takes {} networks of /24, and {} are free on this host",
                    self.subnets, host.free_subnets
                ),
                "--subnets names another range, `docker network prune` removes what nothing uses",
            ));
        }
        if self.ports > host.free_ports {
            findings.push(Finding::error(
                "host_ports",
                format!(
                    "the cluster takes {} ports on 127.0.0.1, and {} are free",
                    self.ports, host.free_ports
                ),
                "stop what listens there, ask for fewer nodes, or go on with --force",
            ));
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::has_errors;
    use crate::spec::Spec;

    fn needs() -> Needs {
        Needs::of(&Topology::new(Spec { data_centers: 2, ..Spec::default() }, 1))
    }

    #[test]
    fn two_data_centers_with_two_nodes_take_what_their_members_do() {
        assert_eq!(
            needs(),
            Needs { memory_bytes: (4 * 120 + 3 * 40 + 30 + 10) * MIB, subnets: 3, ports: 4 }
        );
    }

    #[test]
    fn a_host_that_just_has_it_all_lacks_nothing() {
        let Needs { memory_bytes, subnets, ports } = needs();
        let host = HostCapacity {
            memory_available_bytes: memory_bytes,
            free_subnets: subnets,
            free_ports: ports,
        };
        assert_eq!(needs().lacking(&host), []);
    }

    #[test]
    fn everything_that_is_short_is_named_at_once() {
        let host =
            HostCapacity { memory_available_bytes: 640 * MIB - 1, free_subnets: 2, free_ports: 3 };
        let findings = needs().lacking(&host);
        assert!(has_errors(&findings));
        let codes: Vec<_> = findings.iter().map(|f| f.code).collect();
        assert_eq!(codes, ["host_memory", "host_subnets", "host_ports"]);
        assert!(findings[0].message.contains("640 MiB of memory, and 639 MiB"));
    }
}
