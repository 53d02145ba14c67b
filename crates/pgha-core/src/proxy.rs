//! The ports of a proxy, and what it says of the nodes behind it.
//!
//! Says nothing of how it is configured: that is `render`.

use serde::{Deserialize, Serialize};

use crate::spec::ProxySpec;

/// The user that `PgBouncer` looks up others by.
pub const PGBOUNCER_USER: &str = "pgbouncer";
/// The secret with its password: for nodes, which make the user, and for proxies.
pub const PGBOUNCER_PASSWORD: &str = "pgbouncer";

/// What a port of a proxy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProxyPort {
    /// `HAProxy`, to the leader.
    ReadWrite,
    /// `HAProxy`, to a replica.
    ReadOnly,
    /// `PgBouncer`, to the leader through `HAProxy`.
    Pooled,
    /// `HAProxy`'s statistics, over HTTP.
    Statistics,
}

impl ProxyPort {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ReadWrite, Self::ReadOnly, Self::Pooled, Self::Statistics];

    /// Those that these proxies have.
    pub fn of(spec: ProxySpec) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |port| match port {
            Self::Pooled => spec.pgbouncer,
            _ => spec.haproxy,
        })
    }

    /// The port inside the cluster; `HAProxy`'s are those of Patroni's own example.
    pub fn number(self) -> u16 {
        match self {
            Self::ReadWrite => 5000,
            Self::ReadOnly => 5001,
            Self::Pooled => 6432,
            Self::Statistics => 7000,
        }
    }

    /// What it is called in listings and in `HAProxy`'s statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::Pooled => "pooled",
            Self::Statistics => "statistics",
        }
    }
}

/// The nodes that a proxy sends connections to, by its own health checks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// Those that answered as the leader: one, or none.
    pub read_write: Vec<String>,
    /// Those that answered as replicas, also in other sites.
    pub read_only: Vec<String>,
}

/// Reads `HAProxy`'s statistics as CSV (`/;csv`).
///
/// # Errors
/// When it is something else; the text says what.
pub fn behind(csv: &str) -> Result<Behind, String> {
    let no = || "no statistics of HAProxy".to_owned();
    let mut lines = csv.lines();
    let header = lines.next().and_then(|line| line.strip_prefix("# ")).ok_or_else(no)?;
    let place = |name: &str| header.split(',').position(|column| column == name).ok_or_else(no);
    let (proxy, server, status) = (place("pxname")?, place("svname")?, place("status")?);
    let mut found = Behind::default();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |place: usize| cells.get(place).copied().unwrap_or_default();
        // `UP 1/2` is on its way down and has connections until then.
        let is_up = cell(status).starts_with("UP");
        let is_node = !matches!(cell(server), "FRONTEND" | "BACKEND");
        let of = [
            (ProxyPort::ReadWrite, &mut found.read_write),
            (ProxyPort::ReadOnly, &mut found.read_only),
        ];
        for (port, nodes) in of {
            if is_up && is_node && cell(proxy) == port.name() {
                nodes.push(cell(server).to_owned());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_nodes_that_are_up_are_behind_it() {
        let csv = "# pxname,svname,qcur,status,weight\n\
            read-write,FRONTEND,,OPEN,\nread-write,pgha-demo1-DC1-1,0,UP,1\n\
            read-write,pgha-demo2-DC1-1,0,DOWN,1\nread-write,BACKEND,0,UP,1\n\
            read-only,FRONTEND,,OPEN,\nread-only,pgha-demo1-DC1-1,0,DOWN 1/2,1\n\
            read-only,pgha-demo2-DC1-1,0,UP 1/2,1\nread-only,BACKEND,0,UP,1\n\n";
        let wanted = Behind {
            read_write: vec!["pgha-demo1-DC1-1".to_owned()],
            read_only: vec!["pgha-demo2-DC1-1".to_owned()],
        };
        assert_eq!(behind(csv), Ok(wanted));
        assert!(behind("<html>").is_err() && behind("").is_err() && behind("# a,b\n").is_err());
    }

    #[test]
    fn pgbouncer_adds_a_port() {
        let ports = |haproxy, pgbouncer| {
            ProxyPort::of(ProxySpec { haproxy, pgbouncer }).map(ProxyPort::number).collect()
        };
        let of: [Vec<u16>; 3] = [ports(false, false), ports(true, false), ports(true, true)];
        assert_eq!(of, [vec![], vec![5000, 5001, 7000], vec![5000, 5001, 6432, 7000]]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = behind(&text);
            let _ = behind(&format!("# pxname,svname,status\n{text}"));
        }
    }
}
