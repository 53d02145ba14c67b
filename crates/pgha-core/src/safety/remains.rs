//! What would be left of the data of members, were these lost.

use std::fmt;

use super::has_data;
use crate::status::ClusterView;
use crate::topology::Role;
use crate::words::list;

/// What is left without the data of some members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// Nodes that are known to have the database; `None` where no node loses its data.
    pub nodes: Option<Vec<String>>,
    /// Healthy etcd members that keep their stores, and how many a majority is; `None` where none loses its store.
    pub stores: Option<(usize, u32)>,
}

impl Remains {
    /// Of a cluster that looks like this, without the data of these members.
    pub fn without(view: &ClusterView, members: &[String]) -> Self {
        let stays = |name: &String| !members.contains(name);
        let loses = |role: Role| view.members.iter().any(|m| m.kind == role && !stays(&m.name));
        let nodes = view.nodes().filter(|node| stays(&node.name) && has_data(view, node));
        let stores = view.etcd.iter().filter(|etcd| etcd.healthy && stays(&etcd.name));
        Self {
            nodes: loses(Role::Postgres).then(|| nodes.map(|node| node.name.clone()).collect()),
            stores: loses(Role::Etcd).then(|| (stores.count(), view.quorum.need)),
        }
    }
}

impl fmt::Display for Remains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.nodes.as_ref().map(|nodes| match nodes.as_slice() {
            [] => "no node is known to have the database".to_owned(),
            [one] => format!("{one} alone has the database"),
            _ => format!("{} have the database", list(nodes)),
        });
        let stores = self.stores.map(|(left, need)| {
            let members =
                if left == 1 { "member keeps its store" } else { "members keep their stores" };
            format!("{left} etcd {members}, and a majority is {need}")
        });
        let parts: Vec<String> = nodes.into_iter().chain(stores).collect();
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::tests::Lab;

    #[test]
    fn what_is_left_is_counted_for_what_is_lost_only() {
        let (view, leader, replicas) = Lab::led();
        let node = Remains::without(&view, std::slice::from_ref(&leader));
        assert_eq!(node.stores, None);
        assert_eq!(node.to_string(), format!("{} have the database", list(&replicas)));
        let all: Vec<String> = replicas.iter().cloned().chain([leader]).collect();
        let nothing = Remains::without(&view, &all).to_string();
        assert_eq!(nothing, "no node is known to have the database");
        let store = Remains::without(&view, &[view.etcd[0].name.clone()]);
        assert_eq!(store.to_string(), "2 etcd members keep their stores, and a majority is 2");
    }
}
