//! Finding one member by its name or a part of it, and a site by its name.

use pgha_core::status::{ContainerFact, ContainerState};
use pgha_core::topology::{Site, Topology};

use crate::cluster::{self, Cluster};
use crate::docker::Engine;
use crate::error::{Error, Result};

/// Names shown where a part fits many or none.
const SHOWN_MAX: usize = 12;

/// Finds the container of the member that is meant, in any cluster.
///
/// # Errors
/// When none or several fit; the message lists them.
async fn find(engine: &Engine, wanted: &str) -> Result<ContainerFact> {
    let (cluster, name) = find_in(cluster::find(engine).await?, wanted)?;
    let mut containers = cluster.containers.into_iter();
    Ok(containers.find(|c| c.name == name).expect("the name is one of theirs"))
}

/// The cluster of the member that is meant, and the member's name.
///
/// # Errors
/// When none or several fit; the message lists them.
pub(crate) fn find_in(clusters: Vec<Cluster>, wanted: &str) -> Result<(Cluster, String)> {
    let name = pick(&names(&clusters), wanted)?.to_owned();
    let has = |cluster: &Cluster| cluster.containers.iter().any(|c| c.name == name);
    let cluster = clusters.into_iter().find(has).expect("the name is one of theirs");
    Ok((cluster, name))
}

/// As [`find`], for what can only be done while the container runs.
///
/// # Errors
/// Also when it does not run.
pub(crate) async fn find_running(engine: &Engine, wanted: &str) -> Result<ContainerFact> {
    let container = find(engine, wanted).await?;
    let name = &container.name;
    match container.state {
        ContainerState::Running => Ok(container),
        ContainerState::Paused => Err(Error::missing(format!("{name} is paused (`docker pause`)"))
            .because(&container.detail)
            .hint(format!("`docker unpause {name}` lets it go on"))),
        _ => Err(Error::missing(format!("{name} does not run"))
            .because(&container.detail)
            .hint(format!("`docker start {name}` starts it, `pgha logs {name}` says why"))),
    }
}

fn names(clusters: &[Cluster]) -> Vec<&str> {
    clusters.iter().flat_map(|c| &c.containers).map(|c| c.name.as_str()).collect()
}

/// The one name that is meant.
pub(crate) fn pick<'a>(names: &[&'a str], wanted: &str) -> Result<&'a str> {
    if names.is_empty() {
        return Err(
            Error::missing("there is no cluster on this engine").hint("`pgha up` makes one")
        );
    }
    let fitting = pgha_core::names::meant(names, wanted);
    match fitting[..] {
        [name] => Ok(name),
        [] => Err(Error::bad_input(format!("there is no member `{wanted}`"))
            .because(format!("there are {}", listed(names)))
            .hint("give a name, or enough of it to be the only one: `demo1-DC1`")),
        [first, ..] => Err(Error::bad_input(format!("`{wanted}` fits several members"))
            .because(listed(&fitting))
            .hint(format!("give more of the name: `{first}`"))),
    }
}

/// The site of the cluster that is meant, whatever the case of its letters.
///
/// # Errors
/// When there is none; the message lists all.
pub(crate) fn site<'a>(topology: &'a Topology, given: &str) -> Result<&'a Site> {
    let mut sites = topology.sites.iter();
    sites.find(|site| site.name.eq_ignore_ascii_case(given)).ok_or_else(|| {
        let names: Vec<&str> = topology.sites.iter().map(|site| site.name.as_str()).collect();
        let external = topology.external_site();
        let hint = external.map(|site| format!("{} is the external site", site.name));
        Error::bad_input(format!("there is no site `{given}` in cluster {}", topology.id))
            .because(format!("there are {}", names.join(", ")))
            .hint(hint.unwrap_or_else(|| "there is no external site".to_owned()))
    })
}

fn listed(names: &[&str]) -> String {
    let shown = names[..names.len().min(SHOWN_MAX)].join(", ");
    match names.len().saturating_sub(SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 6] = [
        "pgha-demo1-DC1-1",
        "pgha-demo2-DC1-1",
        "pgha-demo1-DC10-1",
        "pgha-etcd1-DC1-1",
        "pgha-etcd10-DC10-1",
        "pgha-wan-1",
    ];

    #[test]
    fn a_part_is_enough_where_it_fits_one() {
        for (wanted, name) in [
            ("pgha-demo2-DC1-1", NAMES[1]),
            ("demo1-DC1", NAMES[0]),
            ("demo1-dc10", NAMES[2]),
            ("etcd1", NAMES[3]),
            ("wan", NAMES[5]),
            ("o2", NAMES[1]),
        ] {
            assert_eq!(pick(&NAMES, wanted).expect(wanted), name);
        }
    }

    #[test]
    fn what_fits_several_or_none_is_refused_with_the_candidates() {
        let error = pick(&NAMES, "demo1").expect_err("two data centers have one");
        assert_eq!(error.exit_code(), 2);
        let error = error.to_string();
        assert!(error.contains(NAMES[0]) && error.contains(NAMES[2]), "{error}");
        assert!(!error.contains(NAMES[1]), "{error}");
        for wanted in ["", "-", "nobody"] {
            let error = pick(&NAMES, wanted).expect_err(wanted);
            assert_eq!(error.exit_code(), 2, "{error}");
        }
        assert_eq!(pick(&[], "wan").expect_err("no cluster").exit_code(), 3);
    }
}
