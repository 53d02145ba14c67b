//! Which cluster is meant: the one that is named; else that of the compose file in the current folder, as
//! with `up` and with Compose itself; else the only one there is.

use std::path::Path;

use pgha_core::ownership::Identity;

use crate::cluster::Cluster;
use crate::compose_file::{self, Found};
use crate::error::{Error, Result};

/// The compose file that belongs to a folder.
pub(crate) const FILE_HERE: &str = "docker-compose.yaml";

/// Which clusters a name may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Among {
    /// Also those of which only the data is left.
    All,
    /// Those that have containers.
    Created,
}

/// What was said about which cluster is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted<'a> {
    /// A name, `demo` or `demo-2`.
    Named(&'a str),
    /// That of the compose file in the current folder.
    Here(Identity),
    /// Nothing.
    Any,
}

/// The cluster that is meant.
#[derive(Debug)]
pub(crate) struct Meant {
    /// The cluster.
    pub(crate) cluster: Cluster,
    /// It was neither named nor is it the current folder's: it is only the one there is.
    pub(crate) guessed: bool,
}

/// Finds the one cluster a user means: `demo`, `demo-2`, or nothing for that of the current folder or the
/// only one.
///
/// # Errors
/// When there is none, or the name fits several; the message lists what there is.
pub(crate) fn resolve(clusters: Vec<Cluster>, name: Option<&str>, among: Among) -> Result<Cluster> {
    meant(clusters, name, among).map(|meant| meant.cluster)
}

/// As [`resolve`], for commands that must not guess.
pub(crate) fn meant(clusters: Vec<Cluster>, name: Option<&str>, among: Among) -> Result<Meant> {
    let wanted = match name {
        Some(name) => Wanted::Named(name),
        None => here(Path::new(FILE_HERE))?.map_or(Wanted::Any, Wanted::Here),
    };
    let guessed = wanted == Wanted::Any;
    pick(clusters, &wanted, among).map(|cluster| Meant { cluster, guessed })
}

/// The cluster of a folder's compose file; `None` where there is none of pgha's.
fn here(file: &Path) -> Result<Option<Identity>> {
    match compose_file::read(file) {
        Ok(Found::Cluster(there)) => Ok(Some(there.identity())),
        Ok(Found::Nothing | Found::Foreign) => Ok(None),
        Err(error) => Err(error.also_hint("or give the cluster's name")),
    }
}

fn pick(clusters: Vec<Cluster>, wanted: &Wanted, among: Among) -> Result<Cluster> {
    let clusters: Vec<Cluster> =
        clusters.into_iter().filter(|c| among == Among::All || !c.containers.is_empty()).collect();
    let none = clusters.is_empty();
    let each = clusters.iter().map(|c| format!("{} ({})", c.id, c.state()));
    let each = if none { "no other".to_owned() } else { each.collect::<Vec<_>>().join(", ") };
    let there_is = format!("there is {each}");
    let namesake = clusters.iter().any(|c| matches!(wanted, Wanted::Here(i) if c.id == i.id));
    let mut fitting: Vec<Cluster> = clusters
        .into_iter()
        .filter(|c| match wanted {
            Wanted::Named(name) => c.id.name == *name || c.id.to_string() == *name,
            Wanted::Here(identity) => c.known().has(identity),
            Wanted::Any => true,
        })
        .collect();
    match (fitting.len(), wanted) {
        (1, _) => Ok(fitting.remove(0)),
        (0, Wanted::Any) => {
            Err(Error::missing("there is no cluster on this engine").hint("`pgha up` makes one"))
        }
        (0, Wanted::Here(identity)) if namesake => Err(Error::missing(format!(
            "cluster {} on this engine was not made from ./{FILE_HERE}",
            identity.id
        ))
        .hint(format!("give its name where it is meant: `{}`", identity.id))),
        (0, Wanted::Here(identity)) => Err(Error::missing(format!(
            "cluster {} of ./{FILE_HERE} {} on this engine",
            identity.id,
            if among == Among::All { "is not" } else { "has no containers" }
        ))
        .because(there_is)
        .hint("`pgha up` makes it; another cluster wants to be named")),
        (0, Wanted::Named(name)) if none => Err(Error::missing(format!(
            "there is no cluster `{name}`, and no other on this engine"
        ))
        .hint(format!("`pgha up -n {name}` makes it"))),
        (0, Wanted::Named(name)) => Err(Error::missing(format!("there is no cluster `{name}`"))
            .because(there_is)
            .hint("`pgha list` shows all")),
        (_, Wanted::Named(name)) => {
            Err(Error::bad_input(format!("`{name}` fits several clusters"))
                .because(there_is)
                .hint(format!("give the instance too: `{}`", fitting[0].id)))
        }
        (_, Wanted::Any | Wanted::Here(_)) => {
            Err(Error::bad_input("there are several clusters, and none was named")
                .because(there_is)
                .hint(format!("give one: `{}`", fitting[0].id)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::{three, with_uid};
    use crate::generated::tests::{Place, choices};

    fn id(found: Result<Cluster>) -> Result<String> {
        found.map(|cluster| cluster.id.to_string())
    }

    #[test]
    fn a_name_must_mean_one_cluster() {
        let pick = |name, among| id(pick(three(), &Wanted::Named(name), among));
        assert_eq!(pick("demo-2", Among::All).ok().as_deref(), Some("demo-2"));
        assert_eq!(pick("shop", Among::All).ok().as_deref(), Some("shop-3"));
        assert_eq!(pick("shop", Among::Created).expect_err("down").exit_code(), 3);
        for (name, exit) in [("demo", 2), ("nope", 3), ("demo-3", 3)] {
            let error = pick(name, Among::All).expect_err("not one");
            assert_eq!(error.exit_code(), exit);
            assert!(error.to_string().contains("demo-1"), "{error}");
        }
    }

    #[test]
    fn without_a_name_the_only_one_is_meant() {
        let error = pick(three(), &Wanted::Any, Among::All).expect_err("three");
        assert!(error.exit_code() == 2 && error.to_string().contains("demo-1"), "{error}");
        assert_eq!(pick(vec![], &Wanted::Any, Among::All).expect_err("none").exit_code(), 3);
        let one = three().split_off(2);
        assert_eq!(id(pick(one, &Wanted::Any, Among::All)).ok().as_deref(), Some("shop-3"));
    }

    #[test]
    fn the_folder_of_a_cluster_means_that_cluster_and_never_another() {
        let place = Place::with("demo", 1, Some("x"));
        let wanted = || Wanted::Here(here(&place.file).expect("readable").expect("a cluster"));
        let running = with_uid(three(), Some("x"));
        assert_eq!(id(pick(running, &wanted(), Among::Created)).ok().as_deref(), Some("demo-1"));
        // Of that name and number, and not made from this file.
        let error = pick(with_uid(three(), Some("y")), &wanted(), Among::All).expect_err("another");
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().contains("was not made from"), "{error}");
        let only_another = with_uid(three(), Some("x")).split_off(1);
        assert!(pick(only_another, &wanted(), Among::All).is_err());
    }

    #[test]
    fn what_is_no_compose_file_of_ours_says_nothing() {
        let place = Place::with("demo", 1, None);
        let at = |name: &str| here(&place.file.with_file_name(name));
        assert_eq!(at("nothing.yaml").ok(), Some(None));
        std::fs::write(place.file.with_file_name("app.yaml"), "services: {}\n").expect("a folder");
        assert_eq!(at("app.yaml").ok(), Some(None));
        let text = std::fs::read_to_string(&place.file).expect("a file");
        std::fs::write(&place.file, &text[..text.len() / 3]).expect("a folder");
        let error = here(&place.file).expect_err("damaged").to_string();
        assert!(error.contains("give the cluster's name"), "{error}");
        assert!(choices(&place.topology, None).uid.is_none());
    }
}
