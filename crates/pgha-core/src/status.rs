//! What every screen draws of a running cluster.

use serde::{Deserialize, Serialize};

/// How the container of a member is, in the engine's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    /// There is none of that name.
    Missing,
    /// Made and never started.
    Created,
    /// Runs.
    Running,
    /// Frozen by `docker pause`.
    Paused,
    /// Ended, and the engine starts it again and again.
    Restarting,
    /// Stopped, killed, ended by itself, or being removed.
    Stopped,
}

/// What the engine says of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerFact {
    /// Its name, the member's own.
    pub name: String,
    /// How it is.
    pub state: ContainerState,
    /// The engine's words, such as `Up 3 minutes` or `Exited (137) 2 seconds ago`.
    pub detail: String,
    /// Port on the host's loopback, where it has one.
    pub host_port: Option<u16>,
}

/// What the engine says of one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkFact {
    /// Its name.
    pub name: String,
    /// Its underlay subnet, such as `172.18.0.0/24`.
    pub subnet: Option<String>,
}
