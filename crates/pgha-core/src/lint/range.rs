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
    let (d, c, m) = (spec.data_centers, spec.nodes, spec.must_suffice);
    let most_data_centers = MAX_SITES - 1;

    if d == 0 {
        findings.push(Finding::error(
            "no_data_center",
            "a cluster has at least 1 data center, and 0 are asked for",
            "-d 2 gives two data centers and an external site",
        ));
    } else if d > most_data_centers {
        findings.push(Finding::error(
            "too_many_data_centers",
            format!(
                "{d} data centers are asked for, and there are addresses for {most_data_centers}"
            ),
            format!("-d takes 1 to {most_data_centers}"),
        ));
    }

    let nodes = u64::from(d) * u64::from(c);
    if c == 0 || nodes == 1 {
        findings.push(Finding::error(
            "too_few_nodes",
            format!("high availability takes at least 2 Postgres nodes, and {nodes} are asked for"),
            "-c 2 gives each data center two nodes",
        ));
    } else if c > MAX_NODES_PER_SITE {
        findings.push(Finding::error(
            "too_many_nodes_per_site",
            format!(
                "{c} Postgres nodes in each data center are asked for, and a site has addresses \
                 for {MAX_NODES_PER_SITE}"
            ),
            format!("-c takes 1 to {MAX_NODES_PER_SITE}"),
        ));
    } else if d <= most_data_centers && nodes > u64::from(MAX_MEMBERS) {
        findings.push(Finding::error(
            "too_many_nodes",
            format!(
                "{nodes} Postgres nodes are requested; a cluster has at most {MAX_MEMBERS} members"
            ),
            "ask for fewer data centers or fewer nodes in each",
        ));
    }

    if m == 0 {
        findings.push(Finding::error(
            "none_must_suffice",
            "0 data centers are to suffice after a failure, and Postgres runs in data centers only",
            "-m 1 is the most that can be outlived: all data centers but one",
        ));
    } else if m > d && d > 0 {
        findings.push(Finding::error(
            "more_must_suffice_than_exist",
            format!("{m} data centers are to suffice after a failure, and there are only {d}"),
            format!("-m takes 1 to {d} here; -m {d} means that none may fail"),
        ));
    }

    findings.extend(etcd(spec, findings.is_empty()));
    findings
}

/// Numbers of etcd members that do not fit. Members outside follow from all numbers together, so
/// they are looked at only where the others are `sound`.
fn etcd(spec: &Spec, sound: bool) -> Option<Finding> {
    if spec.etcd == Some(0) {
        return Some(Finding::error(
            "no_etcd",
            "0 etcd members in each data center are asked for",
            "leave -e out, and the planner puts as few as will do where they are needed",
        ));
    }
    if let Some(each) = spec.etcd.filter(|&each| each > MAX_ETCD_PER_SITE) {
        return Some(Finding::error(
            "too_many_etcd_per_site",
            format!(
                "{each} etcd members in each data center are asked for, and a site has addresses \
                 for {MAX_ETCD_PER_SITE}"
            ),
            "more than 7 in all make every write slower and nothing safer; leave -e out",
        ));
    }
    if !sound {
        return None;
    }
    let placement = Placement::of(spec);
    let outside = placement.external;
    if outside > MAX_ETCD_PER_SITE {
        return Some(Finding::error(
            "too_many_etcd_outside",
            format!(
                "what is asked takes {outside} etcd members outside the data centers, and a site \
                 has addresses for {MAX_ETCD_PER_SITE}"
            ),
            "leave -e out, or ask to outlive fewer data centers with a larger -m",
        ));
    }
    let (nodes, etcd) = (spec.data_centers * spec.nodes, placement.total());
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
            format!("the name {:?} is not made of the letters a to z alone", shortened(name)),
            "host names are made of it: -n demo",
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
            format!("PostgreSQL {} is not one that images can be built with", spec.postgres),
            format!("-v takes {}", known.join(", ")),
        ));
    }
    findings
}
