//! The table of `pgha list`.

use pgha_core::status::ContainerFact;
use pgha_core::topology::Role;
use serde::Serialize;

use crate::cluster::{Cluster, ClusterState};
use crate::screen::{BAD, GOOD, PLAIN, WARN, table};

/// One cluster in `pgha list --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Listed {
    /// Name.
    pub(crate) cluster: String,
    /// Instance number.
    pub(crate) instance: u32,
    /// `running`, `7 of 9 running`, `stopped`, `down (data kept)` or `leftovers, no data`.
    pub(crate) state: String,
    /// Data centers; `null` where only the data is left.
    pub(crate) data_centers: Option<u32>,
    /// Postgres nodes of all data centers; `null` where only the data is left.
    pub(crate) nodes: Option<u32>,
    /// Ports on the host's loopback, sorted.
    pub(crate) ports: Vec<u16>,
    /// Durability mode; `null` where only the data is left.
    pub(crate) durability: Option<String>,
    /// The compose file; `null` where only the data is left.
    pub(crate) file: Option<String>,
    /// Containers of `restore --node`, which go with the cluster's data.
    pub(crate) inspection_containers: Vec<String>,
    #[serde(skip)]
    whole: ClusterState,
}

impl Listed {
    /// What the listing says of a cluster.
    pub(crate) fn of(cluster: &Cluster) -> Self {
        let spec = cluster.topology.as_ref().map(|t| &t.spec);
        let mut ports: Vec<u16> = {
            let nodes = cluster.containers.iter().filter(|c| c.role != Some(Role::Proxy));
            nodes.filter_map(ContainerFact::host_port).collect()
        };
        ports.sort_unstable();
        Self {
            cluster: cluster.id.name.clone(),
            instance: cluster.id.instance,
            state: cluster.state().to_string(),
            data_centers: spec.map(|s| s.data_centers),
            nodes: spec.map(|s| s.data_centers * s.nodes),
            ports,
            durability: spec.map(|s| s.durability.to_string()),
            file: cluster.compose.as_ref().map(|c| c.file.display().to_string()),
            inspection_containers: cluster.looks.iter().map(|c| c.name.clone()).collect(),
            whole: cluster.state(),
        }
    }
}

/// Draws the table.
pub(crate) fn draw(clusters: &[Listed]) -> String {
    let header =
        ["NAME", "INSTANCE", "STATE", "DATA-CENTERS", "NODES", "PORTS", "DURABILITY", "FILE"];
    let number = |n: Option<u32>| n.map_or_else(String::new, |n| n.to_string());
    let rows: Vec<table::Row> = clusters
        .iter()
        .map(|c| table::Row {
            style: match c.whole {
                ClusterState::Running => GOOD,
                ClusterState::Partly { .. } => WARN,
                ClusterState::Paused | ClusterState::Stopped => BAD,
                ClusterState::Down | ClusterState::Leftovers => PLAIN,
            },
            cells: vec![
                c.cluster.clone(),
                c.instance.to_string(),
                c.state.clone(),
                number(c.data_centers),
                number(c.nodes),
                ranges(&c.ports),
                c.durability.clone().unwrap_or_default(),
                c.file.clone().unwrap_or_default(),
            ],
        })
        .collect();
    let looks = clusters.iter().flat_map(|c| {
        c.inspection_containers.iter().map(|look| {
            format!("{}-{} has the inspection container {look}\n", c.cluster, c.instance)
        })
    });
    table::draw(&header, &[1, 3, 4], &rows) + &looks.collect::<String>()
}

/// `25551-25554,25560` for sorted ports.
fn ranges(ports: &[u16]) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for &port in ports {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(port) => *last = port,
            _ => runs.push((port, port)),
        }
    }
    let written = runs.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}-{last}"),
    });
    written.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_in_a_row_are_one_range() {
        assert_eq!(ranges(&[25551, 25552, 25553, 25560]), "25551-25553,25560");
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&[65535]), "65535");
    }

    #[test]
    fn a_cluster_of_which_only_data_is_left_is_listed() {
        let up = Listed {
            cluster: "demo".to_owned(),
            instance: 1,
            state: ClusterState::Running.to_string(),
            data_centers: Some(2),
            nodes: Some(4),
            ports: vec![25551, 25552, 25553, 25554],
            durability: Some("async".to_owned()),
            file: Some("/srv/demo/docker-compose.yaml".to_owned()),
            inspection_containers: vec!["pgha-demo-look-1-1".to_owned()],
            whole: ClusterState::Running,
        };
        let down = Listed {
            cluster: "shop".to_owned(),
            instance: 2,
            state: ClusterState::Down.to_string(),
            data_centers: None,
            nodes: None,
            ports: vec![],
            durability: None,
            file: None,
            inspection_containers: vec![],
            whole: ClusterState::Down,
        };
        insta::assert_snapshot!(anstream::adapter::strip_str(&draw(&[up, down])).to_string());
    }
}
