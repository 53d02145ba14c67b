//! Which cluster is meant, and whom in it.

use pgha_core::fault::Target;
use pgha_core::topology::ClusterId;

use crate::agree::agree;
use crate::cluster::{self, Among, Cluster, Meant};
use crate::command::wan::sites::is_site;
use crate::error::Result;
use crate::member;

/// The cluster that is named first, else the one whose member is named, else that of this folder; the only one after a
/// question, in which `command` is what was asked for. With it the words that are targets.
///
/// # Errors
/// When no cluster is meant, or nobody agrees.
pub(in crate::command) fn of<'a>(
    clusters: Vec<Cluster>,
    words: &'a [String],
    command: &str,
) -> Result<(Cluster, &'a [String])> {
    match apart(&ids(&clusters), words) {
        (Some(name), targets) => {
            Ok((cluster::resolve(clusters, Some(name), Among::Created)?, targets))
        }
        (None, targets) => Ok((meant(clusters, targets, command)?, targets)),
    }
}

/// The words as targets.
pub(super) fn read(words: &[String]) -> Vec<Target> {
    words.iter().map(|word| word.parse().unwrap_or_else(|never| match never {})).collect()
}

/// What clusters are called.
pub(super) fn ids(clusters: &[Cluster]) -> Vec<ClusterId> {
    clusters.iter().map(|cluster| cluster.id.clone()).collect()
}

/// The cluster that is named first, and the rest. A word that is no cluster's is a target.
pub(super) fn apart<'a>(
    clusters: &[ClusterId],
    words: &'a [String],
) -> (Option<&'a str>, &'a [String]) {
    let named = |word: &str| clusters.iter().any(|id| id.name == word || id.to_string() == word);
    match words {
        [first, rest @ ..] if !rest.is_empty() && named(first) => (Some(first), rest),
        all => (None, all),
    }
}

/// Sites and roles are in every cluster: none says which is meant.
fn meant(clusters: Vec<Cluster>, targets: &[String], command: &str) -> Result<Cluster> {
    let of = |name: &str| clusters.iter().position(|c| c.container(name).is_some());
    let all: Vec<&str> =
        clusters.iter().flat_map(|c| &c.containers).map(|c| c.name.as_str()).collect();
    let is_role = |word: &str| Target::roles().any(|role| role.eq_ignore_ascii_case(word));
    let mut words = targets.iter().filter(|word| !is_site(word) && !is_role(word));
    if let Some(place) = words.find_map(|word| of(member::pick(&all, word).ok()?)) {
        return Ok(clusters.into_iter().nth(place).expect("it was found there"));
    }
    let Meant { cluster, guessed } = cluster::meant(clusters, None, Among::Created)?;
    if guessed {
        let (id, targets) = (&cluster.id, targets.join(" "));
        let question =
            format!("{command} {targets}: in cluster {id}, the only one on this engine?");
        agree(false, &question, &format!("name the cluster, {id}, before the targets"))?;
    }
    Ok(cluster)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_first_of_several_words_may_be_the_cluster() {
        let ids = [ClusterId { name: "demo".to_owned(), instance: 2 }];
        for (given, name, rest) in [
            (&["demo", "DC2"][..], Some("demo"), &["DC2"][..]),
            (&["demo-2", "DC2"], Some("demo-2"), &["DC2"]),
            (&["DC1", "DC2"], None, &["DC1", "DC2"]),
            (&["demo"], None, &["demo"]),
        ] {
            assert_eq!(apart(&ids, &words(given)), (name, words(rest).as_slice()), "{given:?}");
        }
    }

    #[test]
    fn the_cluster_is_the_one_whose_member_is_named() {
        let clusters = cluster::tests::three();
        let (member, owner) = (clusters[1].containers[0].name.clone(), clusters[1].id.clone());
        let found = meant(clusters, &words(&["DC1", "leader", &member]), "kill").expect("one");
        assert_eq!(found.id, owner);
    }
}
