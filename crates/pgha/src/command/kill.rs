//! `pgha kill` and `pgha pause-container`: what a crash and a hang do to members, by hand.

use futures_util::future::join_all;
use pgha_core::event::Event;
use pgha_core::status::ContainerState;
use pgha_core::topology::{ClusterId, Topology};
use pgha_core::words::list;

use crate::agree::agree;
use crate::cli::Struck;
use crate::cluster::{self, Among, Cluster, Meant};
use crate::command::wan::sites::is_site;
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::member;
use crate::provider::Provider;

/// What is done to members.
#[derive(Debug)]
pub(crate) struct Blow {
    command: &'static str,
    verb: &'static str,
    done: &'static str,
    freezes: bool,
}

/// Their processes end at once.
pub(crate) const KILL: Blow =
    Blow { command: "kill", verb: "kill", done: "killed", freezes: false };
/// Their processes are frozen.
pub(crate) const PAUSE: Blow =
    Blow { command: "pause-container", verb: "pause", done: "frozen", freezes: true };

/// Carries it out.
pub(crate) async fn run(args: &Struck, blow: &Blow, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let clusters = cluster::find(&engine).await?;
    let ids: Vec<ClusterId> = clusters.iter().map(|c| c.id.clone()).collect();
    let (name, targets) = apart(&ids, &args.targets);
    let cluster = match name {
        Some(name) => cluster::resolve(clusters, Some(name), Among::Created)?,
        None => meant(clusters, targets, blow)?,
    };
    let (id, events) = (&cluster.id, events.of(&cluster.id));
    let there: Vec<&str> = cluster.containers.iter().map(|c| c.name.as_str()).collect();
    let names = members(cluster.topology()?, &there, targets)?;
    let hit = |state: ContainerState| match state {
        ContainerState::Running => true,
        ContainerState::Paused => !blow.freezes,
        _ => false,
    };
    let (hit, missed): (Vec<String>, Vec<String>) =
        names.into_iter().partition(|name| cluster.container(name).is_some_and(|c| hit(c.state)));
    if hit.is_empty() {
        return Err(Error::missing(format!(
            "nothing to {}: {}",
            blow.verb,
            states(&cluster, &missed)
        ))
        .hint(format!("`pgha start {id}` starts what is stopped and resumes what is frozen")));
    }
    let each = hit.iter().map(async |name| {
        if blow.freezes { engine.pause(name).await } else { engine.kill(name).await }
    });
    join_all(each).await.into_iter().collect::<Result<Vec<()>>>()?;
    events.emit(Event::Fault {
        fault: blow.verb.to_owned(),
        targets: hit.clone(),
        undone_in_ms: None,
    });
    if !missed.is_empty() {
        events.note(format!("left alone: {}", states(&cluster, &missed)));
    }
    events.note(format!("{} {}; `pgha start {id}` undoes it", are(&hit), blow.done));
    Ok(())
}

fn are(names: &[String]) -> String {
    format!("{} {}", list(names), if names.len() == 1 { "is" } else { "are" })
}

/// Each with the state that its container is in.
fn states(cluster: &Cluster, names: &[String]) -> String {
    let state = |name: &String| match cluster.container(name).map(|container| container.state) {
        Some(ContainerState::Paused) => format!("{name} is frozen"),
        Some(_) => format!("{name} is not running"),
        None => format!("{name} has no container"),
    };
    list(&names.iter().map(state).collect::<Vec<_>>())
}

/// The cluster that is named first, and the rest. A word that is no cluster's is a target.
fn apart<'a>(clusters: &[ClusterId], words: &'a [String]) -> (Option<&'a str>, &'a [String]) {
    let named = |word: &str| clusters.iter().any(|id| id.name == word || id.to_string() == word);
    match words {
        [first, rest @ ..] if !rest.is_empty() && named(first) => (Some(first), rest),
        all => (None, all),
    }
}

/// The cluster whose member is named, else that of this folder; the only one after a question. Sites are in every
/// cluster: none says which is meant.
fn meant(clusters: Vec<Cluster>, targets: &[String], blow: &Blow) -> Result<Cluster> {
    let of = |name: &str| clusters.iter().position(|c| c.container(name).is_some());
    let all: Vec<&str> =
        clusters.iter().flat_map(|c| &c.containers).map(|c| c.name.as_str()).collect();
    let mut words = targets.iter().filter(|word| !is_site(word));
    if let Some(place) = words.find_map(|word| of(member::pick(&all, word).ok()?)) {
        return Ok(clusters.into_iter().nth(place).expect("it was found there"));
    }
    let Meant { cluster, guessed } = cluster::meant(clusters, None, Among::Created)?;
    if guessed {
        let (id, verb, targets) = (&cluster.id, blow.command, targets.join(" "));
        let question = format!(
            "Shall {targets} of cluster {id}, the only one on this engine, be {}?",
            blow.done
        );
        agree(false, &question, &format!("name it: `pgha {verb} {id} {targets}`"))?;
    }
    Ok(cluster)
}

/// The members that words mean, each once: all of a site, or the one whose name has that part.
fn members(topology: &Topology, names: &[&str], words: &[String]) -> Result<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    for word in words {
        let site = topology.sites.iter().find(|site| site.name.eq_ignore_ascii_case(word));
        let meant: Vec<String> = match site {
            Some(site) => {
                let there = topology.members.iter().filter(|m| m.site == site.number);
                there.map(|m| m.name.clone()).collect()
            }
            None => vec![member::pick(names, word)?.to_owned()],
        };
        let new: Vec<String> = meant.into_iter().filter(|name| !found.contains(name)).collect();
        found.extend(new);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgha_core::spec::Spec;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn named(given: &[&str]) -> Result<Vec<String>> {
        let topology = Topology::new(Spec { data_centers: 2, ..Spec::default() }, 1);
        let names = topology.containers();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        members(&topology, &names, &words(given))
    }

    #[test]
    fn a_site_is_all_of_its_members_and_a_part_of_a_name_one() {
        let site = named(&["dc2"]).expect("a site");
        assert_eq!(site, ["pgha-demo1-DC2-1", "pgha-demo2-DC2-1", "pgha-etcd2-DC2-1"]);
        assert_eq!(named(&["demo1-DC1"]).expect("a member"), ["pgha-demo1-DC1-1"]);
        assert_eq!(named(&["wan"]).expect("the router"), ["pgha-wan-1"]);
    }

    #[test]
    fn what_is_meant_twice_is_hit_once() {
        let both = named(&["demo1-DC2", "DC2", "demo1-DC2"]).expect("members");
        assert_eq!(both, ["pgha-demo1-DC2-1", "pgha-demo2-DC2-1", "pgha-etcd2-DC2-1"]);
    }

    #[test]
    fn a_word_that_fits_none_or_several_hits_nobody() {
        for given in [&["DC9"][..], &["demo1-DC1", "nobody"], &["demo1"]] {
            assert!(named(given).is_err(), "{given:?}");
        }
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
}
