//! From which nodes a backup is copied: pgBackRest by itself takes the first standby that answers, also
//! one that is cut off from the leader, and gives up a minute later because it replays nothing.
//!
//! Decides by what every node's Patroni says; asks nobody.

use std::collections::BTreeSet;

use crate::observe::Patroni;

/// A standby that has replayed less than the leader has written by more than this is not copied from, in
/// bytes: pgBackRest waits at most `archive-timeout`, 60 s, until it has replayed the start of the backup,
/// and four segments are replayed within seconds.
pub const REPLAY_LAG_MAX_BYTES: u64 = 64 << 20;

/// What one node says of itself.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The node.
    pub name: String,
    /// Its Patroni's answer.
    pub patroni: Patroni,
}

/// The nodes that a backup needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Starts and ends the backup.
    pub leader: String,
    /// Gives the files; `None` where the leader does.
    pub standby: Option<String>,
}

impl Source {
    /// The leader, and of the standbys that stream from it by their own word and by the leader's the one
    /// that has replayed most; of equals the first. `None` where no node runs as primary, or several do.
    ///
    /// `followers` are the standbys that stream as the leader sees it.
    pub fn choose(answers: &[Answer], followers: &BTreeSet<String>) -> Option<Self> {
        let leader = Self::leader(answers)?;
        let written = leader.patroni.location.unwrap_or_default();
        let streams = |standby: &&Answer| {
            standby.patroni.replication_state.as_deref() == Some("streaming")
                && followers.contains(&standby.name)
        };
        let replayed = |standby: &Answer| standby.patroni.replayed.unwrap_or_default();
        let mut best: Option<&Answer> = None;
        for standby in answers.iter().filter(streams) {
            if replayed(standby).saturating_add(REPLAY_LAG_MAX_BYTES) >= written
                && best.is_none_or(|best| replayed(standby) > replayed(best))
            {
                best = Some(standby);
            }
        }
        Some(Self {
            leader: leader.name.clone(),
            standby: best.map(|standby| standby.name.clone()),
        })
    }

    /// The one node that runs as primary.
    pub fn leader(answers: &[Answer]) -> Option<&Answer> {
        let mut primaries = answers.iter().filter(|answer| answer.patroni.is_running_primary());
        primaries.next().filter(|_| primaries.next().is_none())
    }

    /// The backup host's `pgbackrest.conf` with these nodes only, `nodes` being all of them in the order in
    /// which it numbers them. They are counted from 1 again: pgBackRest wants a first one.
    pub fn narrow(&self, config: &str, nodes: &[&str]) -> String {
        let is_kept = |name: &str| name == self.leader || Some(name) == self.standby.as_deref();
        // Number of each node among those that are kept.
        let numbers: Vec<Option<usize>> = nodes
            .iter()
            .scan(0, |kept, name| {
                *kept += usize::from(is_kept(name));
                Some(is_kept(name).then_some(*kept))
            })
            .collect();
        let narrowed = config.lines().filter_map(|line| {
            let option = line.strip_prefix("pg").and_then(|rest| rest.split_once('-'));
            match option.and_then(|(number, rest)| Some((number.parse::<usize>().ok()?, rest))) {
                None => Some(line.to_owned()),
                Some((number, rest)) => {
                    let kept = numbers.get(number.checked_sub(1)?).copied().flatten()?;
                    Some(format!("pg{kept}-{rest}"))
                }
            }
        });
        narrowed.fold(String::new(), |text, line| text + &line + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe;
    use crate::render::{self, RepositorySecrets};
    use crate::spec::Spec;
    use crate::topology::{Role, Topology};

    fn primary(name: &str, location: u64) -> Answer {
        answer(
            name,
            &format!(
                r#"{{"state": "running", "role": "primary", "xlog": {{"location": {location}}}}}"#
            ),
        )
    }

    fn standby(name: &str, replication: &str, replayed: u64) -> Answer {
        answer(
            name,
            &format!(
                r#"{{"state": "running", "role": "replica", "replication_state": "{replication}",
                "xlog": {{"replayed_location": {replayed}}}}}"#
            ),
        )
    }

    fn answer(name: &str, text: &str) -> Answer {
        let patroni = observe::patroni(text.as_bytes()).expect("an answer");
        Answer { name: name.to_owned(), patroni }
    }

    fn choose(answers: &[Answer], followers: &[&str]) -> Option<(String, Option<String>)> {
        let followers = followers.iter().map(|&name| name.to_owned()).collect();
        Source::choose(answers, &followers).map(|source| (source.leader, source.standby))
    }

    #[test]
    fn a_standby_that_is_cut_off_is_passed_over_for_one_that_streams() {
        let all = [
            standby("a", "in archive recovery", 900),
            primary("b", 1000),
            standby("c", "streaming", 990),
        ];
        assert_eq!(choose(&all, &["c"]), Some(("b".into(), Some("c".into()))));
        // Its receiver has not noticed yet, the leader has; and the other way round.
        let all =
            [standby("a", "streaming", 900), primary("b", 1000), standby("c", "streaming", 990)];
        assert_eq!(choose(&all, &["c"]), Some(("b".into(), Some("c".into()))));
        assert_eq!(choose(&all, &[]), Some(("b".into(), None)));
    }

    #[test]
    fn of_those_that_stream_the_one_that_has_replayed_most_is_copied_from() {
        let all = [
            primary("a", 1000),
            standby("b", "streaming", 800),
            standby("c", "streaming", 990),
            standby("d", "streaming", 990),
        ];
        assert_eq!(choose(&all, &["b", "c", "d"]), Some(("a".into(), Some("c".into()))));
    }

    #[test]
    fn a_standby_that_replays_late_on_purpose_leaves_the_leader() {
        let written = 10 * REPLAY_LAG_MAX_BYTES;
        let all =
            [primary("a", written), standby("b", "streaming", written - REPLAY_LAG_MAX_BYTES - 1)];
        assert_eq!(choose(&all, &["b"]), Some(("a".into(), None)));
    }

    #[test]
    fn without_a_leader_or_with_two_nothing_is_chosen() {
        assert_eq!(choose(&[standby("a", "streaming", 1)], &["a"]), None);
        assert_eq!(choose(&[primary("a", 5), primary("b", 5)], &[]), None);
    }

    #[test]
    fn the_configuration_keeps_everything_but_the_other_nodes() {
        let topology = Topology::new(Spec { data_centers: 6, nodes: 2, ..Spec::default() }, 1);
        let nodes: Vec<&str> = topology.of_role(Role::Postgres).map(|m| m.name.as_str()).collect();
        let whole = render::pgbackrest_host(&topology, &RepositorySecrets::default(), 1..=1);
        let source = Source { leader: nodes[11].to_owned(), standby: Some(nodes[0].to_owned()) };
        let narrow = source.narrow(&whole, &nodes);
        let numbers: BTreeSet<&str> = narrow
            .lines()
            .filter_map(|line| line.strip_prefix("pg")?.split_once('-'))
            .map(|(number, _)| number)
            .collect();
        assert_eq!(numbers, BTreeSet::from(["1", "2"]));
        let common = |text: &str| -> Vec<String> {
            text.lines().filter(|l| !l.starts_with("pg")).map(str::to_owned).collect()
        };
        assert_eq!(common(&narrow), common(&whole));
        for (number, node) in [(1, nodes[0]), (2, nodes[11])] {
            assert!(narrow.contains(&format!("\npg{number}-host={node}\n")), "{narrow}");
        }
        assert!(narrow.contains("\nrepo1-path="), "{narrow}");
    }
}
