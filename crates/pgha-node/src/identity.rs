//! Which member of which cluster this container is: from its environment and its host name.

use pgha_core::spec::Spec;
use pgha_core::topology::{Member, Role, Topology};

use crate::Result;

/// This container's place in its cluster.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The whole cluster.
    pub(crate) topology: Topology,
    /// This member; `None` for the router, which stands in every site.
    member: Option<Member>,
}

impl Identity {
    /// Reads `PGHA_SPEC`, `PGHA_INSTANCE` and the host name.
    pub(crate) fn from_environment() -> Result<Self> {
        let variable = |name: &str| {
            std::env::var(name).map_err(|_| format!("{name} is not set; the compose file sets it"))
        };
        let spec = Spec::from_toml(&variable("PGHA_SPEC")?)
            .map_err(|e| format!("PGHA_SPEC cannot be read: {e}"))?;
        let instance = variable("PGHA_INSTANCE")?;
        let instance =
            instance.parse().map_err(|_| format!("PGHA_INSTANCE is no number: {instance}"))?;
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let topology = Topology::new(spec, instance);
        let member = topology.member(&name).cloned();
        if member.is_none() && name != topology.router() {
            return Err(format!("the host name {name} is no member of cluster {}", topology.id));
        }
        Ok(Self { topology, member })
    }

    /// What this member does.
    pub(crate) fn role(&self) -> Role {
        self.member.as_ref().map_or(Role::Wan, |m| m.role)
    }

    /// This member.
    pub(crate) fn member(&self) -> Result<&Member> {
        self.member.as_ref().ok_or_else(|| "the router is in no single site".to_owned())
    }
}
