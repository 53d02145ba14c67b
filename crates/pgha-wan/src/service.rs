//! What members offer to each other, by TCP port: what a link may cut by itself.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Postgres, inside the cluster.
pub const POSTGRES_PORT: u16 = 5432;
/// Patroni's REST API, inside the cluster.
pub const PATRONI_PORT: u16 = 8008;
/// etcd for clients, inside the cluster.
pub const ETCD_CLIENT_PORT: u16 = 2379;
/// etcd for its peers, inside the cluster.
pub const ETCD_PEER_PORT: u16 = 2380;

/// A service of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Sessions and replication.
    Postgres,
    /// etcd, for clients and for its peers.
    Etcd,
    /// Patroni's REST API.
    Patroni,
}

impl Service {
    /// Each of them, in the order of a listing.
    pub const ALL: [Self; 3] = [Self::Postgres, Self::Etcd, Self::Patroni];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Etcd => "etcd",
            Self::Patroni => "patroni",
        }
    }

    /// The TCP ports it listens on. All lie below those that Linux gives to outgoing connections (32768 to 60999), so that
    /// a packet with one of them, as source or as destination, is of this service.
    pub fn ports(self) -> &'static [u16] {
        match self {
            Self::Postgres => &[POSTGRES_PORT],
            Self::Etcd => &[ETCD_CLIENT_PORT, ETCD_PEER_PORT],
            Self::Patroni => &[PATRONI_PORT],
        }
    }

    /// Whether a TCP packet with these ports, source and destination, is of it.
    pub fn has(self, ports: [u16; 2]) -> bool {
        ports.iter().any(|port| self.ports().contains(port))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no service `{0}`; there are postgres, etcd and patroni")]
pub struct UnknownService(String);

impl FromStr for Service {
    type Err = UnknownService;

    fn from_str(word: &str) -> Result<Self, UnknownService> {
        let found = Self::ALL.into_iter().find(|service| service.as_str() == word);
        found.ok_or_else(|| UnknownService(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_means_one_service_as_in_json() {
        for service in Service::ALL {
            assert_eq!(service.as_str().parse(), Ok(service));
            assert_eq!(serde_json::to_value(service).expect("JSON"), service.as_str());
            for port in service.ports() {
                for ports in [[*port, 40_000], [40_000, *port]] {
                    let of: Vec<Service> =
                        Service::ALL.into_iter().filter(|s| s.has(ports)).collect();
                    assert_eq!(of, [service]);
                }
            }
            assert!(!service.has([8432, 40_000]));
        }
        let said = "http".parse::<Service>().expect_err("none").to_string();
        assert!(Service::ALL.iter().all(|service| said.contains(service.as_str())), "{said}");
    }
}
