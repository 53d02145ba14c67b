//! First stage: numbers and names that no cluster can have. Nothing is computed from them
//! but bounds, in 64 bits.

use super::{Finding, shortened};
use crate::placement::Placement;
use crate::spec::{NAME_MAX_LEN, Spec};
use crate::topology::{
    FIRST_HOST_PORT, MAX_ETCD_PER_SITE, MAX_MEMBERS, MAX_NODES_PER_SITE, MAX_SITES,
};

/// Postgres majors that the images can be built with.
pub const SUPPORTED_POSTGRES: &[u32] = &[16, 17, 18];

/// Names under which a container or network of every cluster goes: `pgha-etcd1-DC1-1` would be two
/// members at once.
const COLLIDING_NAMES: &[&str] = &["etcd"];

/// Names that collide with nothing, since Postgres nodes are numbered, and yet are taken for the
/// backup host, the router or a network by whoever reads them.
const MISLEADING_NAMES: &[&str] = &["net", "patroni", "pgbackrest", "wan"];

/// Most bytes of the cluster file with every value stated: members have it in their environment, where
/// Linux takes 128 KiB for one variable.
const FILE_MAX_LEN: usize = 120_000;

// Each Postgres node finds a loopback port.
const _: () = assert!(MAX_MEMBERS <= (u16::MAX - FIRST_HOST_PORT) as u32);

/// Numbers of which no topology can be made.
pub(super) fn counts(spec: &Spec) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (d, m) = (spec.data_centers, spec.must_suffice);
    let most_data_centers = MAX_SITES - 1;

    if d == 0 {
        findings.push(Finding::error(
            "no_data_center",
            "0 data centers; at least 1 is required",
            "-d 2: two data centers and an external site",
        ));
    } else if d > most_data_centers {
        findings.push(Finding::error(
            "too_many_data_centers",
            format!("{d} data centers; the address plan allows {most_data_centers}"),
            format!("-d takes 1 to {most_data_centers}"),
        ));
    } else if spec.each.len() > d as usize {
        findings.push(Finding::error(
            "data_center_tables_extra",
            format!("there are {} [[data_center]] tables, and {d} data centers", spec.each.len()),
            "leave out data_centers and -d: there are as many as tables",
        ));
    }
    findings.extend(nodes(spec, (1..=most_data_centers).contains(&d)));

    if m == 0 {
        findings.push(Finding::error(
            "none_must_suffice",
            "-m 0: at least one data center must survive, since Postgres runs in data centers only",
            "-m 1 tolerates the loss of all data centers but one",
        ));
    } else if m > d && d > 0 {
        findings.push(Finding::error(
            "more_must_suffice_than_exist",
            format!("-m {m} exceeds the number of data centers, {d}"),
            format!("-m takes 1 to {d}; -m {d} means that none may fail"),
        ));
    }

    findings.extend(etcd(spec, findings.is_empty()));
    findings
}

/// Numbers of nodes that do not fit; in all only where the number of data centers is `bounded`.
fn nodes(spec: &Spec, bounded: bool) -> Option<Finding> {
    // A number for all is looked at only where it is one of some data center.
    let given = spec.each.iter().map(|it| it.nodes.unwrap_or(spec.nodes));
    let all_given = !spec.each.is_empty() && spec.each.len() >= spec.data_centers as usize;
    let each: Vec<u32> = given.chain((!all_given).then_some(spec.nodes)).collect();
    let all = if bounded { Some(spec.all_nodes()) } else { None };
    if each.contains(&0) || all == Some(1) {
        let in_one = !spec.each.is_empty() && each.contains(&0);
        let what = if in_one {
            "each data center has at least 1 Postgres node, and one has 0".to_owned()
        } else {
            let all = all.unwrap_or_default();
            format!("high availability requires at least 2 Postgres nodes; configured: {all}")
        };
        return Some(Finding::error(
            "too_few_nodes",
            what,
            "-c 2 gives each data center two nodes",
        ));
    }
    if let Some(here) = each.iter().copied().max().filter(|here| *here > MAX_NODES_PER_SITE) {
        return Some(Finding::error(
            "too_many_nodes_per_site",
            format!(
                "{here} Postgres nodes per data center; the address plan allows {MAX_NODES_PER_SITE}"
            ),
            format!("-c takes 1 to {MAX_NODES_PER_SITE}"),
        ));
    }
    all.filter(|all| *all > MAX_MEMBERS).map(|all| {
        Finding::error(
            "too_many_nodes",
            format!(
                "{all} Postgres nodes are requested; a cluster has at most {MAX_MEMBERS} members"
            ),
            "ask for fewer data centers or fewer nodes in each",
        )
    })
}

/// Numbers of etcd members that do not fit. Members outside follow from all numbers together, so
/// they are looked at only where the others are `sound`.
fn etcd(spec: &Spec, sound: bool) -> Option<Finding> {
    let each = || spec.each.iter().filter_map(|it| it.etcd).chain(spec.etcd);
    if spec.etcd == Some(0) && spec.each.iter().all(|it| it.etcd.is_none_or(|etcd| etcd == 0)) {
        return Some(Finding::error(
            "no_etcd",
            "0 etcd members per data center",
            "leave out -e: the planner computes the placement",
        ));
    }
    if let Some(each) = each().find(|&each| each > MAX_ETCD_PER_SITE) {
        return Some(Finding::error(
            "too_many_etcd_per_site",
            format!(
                "{each} etcd members per data center; the address plan allows {MAX_ETCD_PER_SITE}"
            ),
            "more than 7 in all make every write slower and nothing safer; leave -e out",
        ));
    }
    if !sound {
        return None;
    }
    let placement = Placement::of(spec);
    let outside = placement.external;
    if placement.total() == 0 {
        return Some(Finding::error(
            "no_etcd",
            "no data center has an etcd member",
            "leave out -e: the planner computes the placement",
        ));
    }
    if outside > MAX_ETCD_PER_SITE {
        return Some(Finding::error(
            "too_many_etcd_outside",
            format!(
                "this needs {outside} etcd members in the external site; the address plan allows \
                 {MAX_ETCD_PER_SITE}"
            ),
            "leave -e out, or a larger -m means fewer data centers may fail",
        ));
    }
    let (nodes, etcd) = (spec.all_nodes(), placement.total());
    // Beside them the backup host.
    (nodes + etcd + 1 > MAX_MEMBERS).then(|| {
        Finding::error(
            "too_many_members",
            format!(
                "{nodes} Postgres nodes, {etcd} etcd members and the backup host are requested; a \
                 cluster has at most {MAX_MEMBERS} members"
            ),
            "ask for fewer data centers, fewer nodes in each, or leave -e out",
        )
    })
}

/// Names and versions that no cluster can have, or that mislead.
pub(super) fn words(spec: &Spec) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = spec.name.as_str();
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase()) {
        findings.push(Finding::error(
            "name_not_lower_case",
            format!("invalid name {:?}: only letters a to z are allowed", shortened(name)),
            "it becomes part of host names: -n demo",
        ));
    }
    if name.len() > NAME_MAX_LEN {
        findings.push(Finding::error(
            "name_too_long",
            format!("the name has {} bytes, and {NAME_MAX_LEN} is the most", name.len()),
            "with site and instance it becomes a host name of at most 63 bytes",
        ));
    }
    if COLLIDING_NAMES.contains(&name) {
        findings.push(Finding::error(
            "name_reserved",
            format!("a cluster named `{name}` would have two members named `pgha-{name}1-DC1-1`"),
            "take another name: -n demo",
        ));
    }
    if MISLEADING_NAMES.contains(&name) {
        findings.push(Finding::warning(
            "name_misleading",
            format!(
                "Postgres nodes named `pgha-{name}1-DC1-1` are easily taken for something else"
            ),
            "take another name: -n demo",
        ));
    }
    let file_len = spec.to_toml().len();
    if file_len > FILE_MAX_LEN {
        findings.push(Finding::error(
            "cluster_file_too_long",
            format!(
                "the cluster file has {file_len} bytes with every value stated; members take at most \
                 {FILE_MAX_LEN} in their environment"
            ),
            "give fewer [[link]] tables: a preset or regions say the same of all pairs at once",
        ));
    }
    if !SUPPORTED_POSTGRES.contains(&spec.postgres) {
        let known: Vec<String> = SUPPORTED_POSTGRES.iter().map(u32::to_string).collect();
        findings.push(Finding::error(
            "postgres_unsupported",
            format!("PostgreSQL {} is not supported", spec.postgres),
            format!("-v takes {}", known.join(", ")),
        ));
    }
    findings
}
