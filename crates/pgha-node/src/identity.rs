//! Which member of which cluster this container is: from its environment and its host name.
//!
//! The environment is as old as the container. A newer layout may lie in [`LAYOUT_FILE`]; what is there and cannot be
//! taken is left, and never keeps a member from starting.

use std::io::ErrorKind;

use pgha_core::layout::Layout;
use pgha_core::layout_file::{LAYOUT_FILE, LayoutFile};
use pgha_core::ownership;
use pgha_core::spec::Spec;
use pgha_core::topology::{ClusterId, Member, Role, Topology};

use crate::Result;

/// This container's place in its cluster.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The whole cluster, by the newest layout that is known here.
    pub(crate) topology: Topology,
    /// The layout that the container was made with.
    made_with: Layout,
    /// The cluster, as files name it that are put here.
    pub(crate) cluster: ownership::Identity,
    /// Why the layout in the file is not taken, where there is one.
    pub(crate) not_taken: Option<String>,
    /// This member; `None` for the router, which stands in every site.
    member: Option<Member>,
}

impl Identity {
    /// Reads `PGHA_SPEC`, `PGHA_INSTANCE`, `PGHA_LAYOUT`, `PGHA_UID`, the host name and the file of a newer layout. A
    /// container of an earlier pgha has neither layout, which is generation 1 then, nor the number of its cluster.
    pub(crate) fn from_environment() -> Result<Self> {
        let variable = |name: &str| {
            std::env::var(name).map_err(|_| format!("{name} is not set; the compose file sets it"))
        };
        let spec = Spec::from_toml(&variable("PGHA_SPEC")?)
            .map_err(|e| format!("PGHA_SPEC cannot be read: {e}"))?;
        let instance = variable("PGHA_INSTANCE")?;
        let instance =
            instance.parse().map_err(|_| format!("PGHA_INSTANCE is no number: {instance}"))?;
        let layout = variable("PGHA_LAYOUT").unwrap_or_else(|_| "1".to_owned());
        let made_with = Layout::parse(&layout, &spec)
            .map_err(|e| format!("PGHA_LAYOUT cannot be read: {e}"))?;
        let id = ClusterId { name: spec.name.clone(), instance };
        let cluster = ownership::Identity { id, uid: variable("PGHA_UID").ok() };
        let read = std::fs::read_to_string(LAYOUT_FILE);
        let (layout, not_taken) = newest(read, &cluster, &spec, &made_with);

        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let topology = Topology::with(spec, instance, layout);
        let member = topology.member(&name).cloned();
        if member.is_none() && name != topology.router() {
            let (id, generation) = (&topology.id, topology.layout.generation());
            return Err(format!(
                "the host name {name} is no member of cluster {id} in generation {generation}"
            ));
        }
        Ok(Self { topology, made_with, cluster, not_taken, member })
    }

    /// What this member does.
    pub(crate) fn role(&self) -> Role {
        self.member.as_ref().map_or(Role::Wan, |m| m.role)
    }

    /// This member.
    pub(crate) fn member(&self) -> Result<&Member> {
        self.member.as_ref().ok_or_else(|| "the router is in no single site".to_owned())
    }

    /// The cluster by the layout that the container was made with.
    pub(crate) fn as_made(&self) -> Topology {
        let (spec, instance) = (self.topology.spec.clone(), self.cluster.id.instance);
        Topology::with(spec, instance, self.made_with.clone())
    }

    /// The name of this container.
    pub(crate) fn name(&self) -> String {
        self.member.as_ref().map_or_else(|| self.topology.router(), |m| m.name.clone())
    }
}

/// The newest layout, and why that of the file is not it where there is one that should be.
fn newest(
    read: std::io::Result<String>,
    own: &ownership::Identity,
    spec: &Spec,
    known: &Layout,
) -> (Layout, Option<String>) {
    let newer = match read {
        Ok(text) => LayoutFile::newer(&text, own, spec, known),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e.to_string()),
    };
    match newer {
        Ok(newer) => (newer.unwrap_or_else(|| known.clone()), None),
        Err(reason) => (known.clone(), Some(format!("{LAYOUT_FILE} is not taken: {reason}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgha_core::layout::Change;

    #[test]
    fn a_newer_layout_of_this_cluster_is_taken_and_nothing_else_stops_a_member() {
        let spec = Spec::default();
        let first = Layout::of(&spec);
        let second = first.changed(&[Change::AddMember(Role::Postgres, 1)]).expect("a node");
        let id = ClusterId { name: spec.name.clone(), instance: 1 };
        let of =
            |uid: Option<&str>| ownership::Identity { id: id.clone(), uid: uid.map(str::to_owned) };
        let text = |cluster: &ownership::Identity, layout: &Layout| {
            let (cluster, layout) = (cluster.clone(), layout.clone());
            Ok(LayoutFile { cluster, layout }.text())
        };
        let own = of(Some("x"));
        let found = |read, own: &_, known: &Layout| newest(read, own, &spec, known);
        assert_eq!(found(text(&own, &second), &own, &first), (second.clone(), None));
        assert_eq!(found(text(&own, &second), &own, &second), (second.clone(), None));
        // A container of an earlier pgha does not know the number of its cluster.
        assert_eq!(found(text(&own, &second), &of(None), &first), (second.clone(), None));
        let none = Err(ErrorKind::NotFound.into());
        assert_eq!(found(none, &own, &first), (first.clone(), None));

        let other = ClusterId { name: "other".to_owned(), instance: 1 };
        let other = ownership::Identity { id: other, uid: Some("x".to_owned()) };
        for (read, known, why) in [
            (text(&of(Some("y")), &second), &first, "demo-1 y"),
            (text(&of(None), &second), &first, "of the cluster demo-1,"),
            (text(&other, &second), &first, "other-1 x"),
            (text(&own, &first), &second, "generation 1, and this member 2"),
            (Ok("demo-1 x\n7 nonsense\n".to_owned()), &first, "nonsense"),
            (Ok(String::new()), &first, "two lines"),
            (Err(ErrorKind::InvalidData.into()), &first, "invalid data"),
            (Err(ErrorKind::IsADirectory.into()), &first, "directory"),
        ] {
            let (layout, not_taken) = found(read, &own, known);
            let not_taken = not_taken.expect(why);
            assert!(not_taken.contains(why), "{not_taken}");
            assert_eq!(&layout, known);
        }
    }
}
