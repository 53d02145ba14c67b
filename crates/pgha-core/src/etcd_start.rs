//! How an etcd member with an empty store starts: with the others as a new cluster, or back into the one
//! that there is.
//!
//! A member that has lost its store must not start as it first did: it has promised things that it no
//! longer knows, so etcd wants it removed and added under another id, and refuses it until then. A new
//! cluster and a lost store look alike from inside the one member; what tells them apart is whether the
//! others have stores. Nothing here asks them.

use serde_json::Value;

use crate::placement;

/// A member as etcd lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: u64,
    /// Its name; empty where it was added and has not started yet.
    pub name: String,
    /// Where its peers reach it: what it is known by, whatever its id.
    pub peer_url: String,
    /// It has run: it told the others where its clients reach it.
    pub has_run: bool,
    /// It has no vote.
    pub is_learner: bool,
}

/// Reads a list of members: an array as peers answer, or etcd's gateway's object.
///
/// # Errors
/// When it is an error or no such list.
pub fn members(body: &[u8]) -> Result<Vec<Listed>, String> {
    let answer: Value =
        serde_json::from_slice(body).map_err(|_| "an answer that is no JSON".to_owned())?;
    if let Some(error) = answer["error"].as_str().or_else(|| answer["message"].as_str()) {
        return Err(error.to_owned());
    }
    let list = if answer.is_array() { &answer } else { &answer["members"] };
    let list = list.as_array().ok_or("an answer without members")?;
    let member = |value: &Value| {
        let id = if value["id"].is_null() { &value["ID"] } else { &value["id"] };
        Some(Listed {
            id: id.as_u64().or_else(|| id.as_str()?.parse().ok())?,
            name: value["name"].as_str().unwrap_or_default().to_owned(),
            peer_url: value["peerURLs"][0].as_str()?.to_owned(),
            has_run: value["clientURLs"].as_array().is_some_and(|urls| !urls.is_empty()),
            is_learner: value["isLearner"].as_bool().unwrap_or_default(),
        })
    };
    list.iter().map(member).collect::<Option<_>>().ok_or_else(|| "an odd member".to_owned())
}

/// What a member with an empty store finds of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// Nobody is there, or it cannot be reached.
    Absent,
    /// It waits with an empty store, too.
    Empty,
    /// It is there, has a store or is making one, and does not answer yet.
    Silent,
    /// It tells who is in the cluster.
    Serving(Vec<Listed>),
}

/// What a member with an empty store knows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Myself<'a> {
    /// Where its peers reach it.
    pub url: &'a str,
    /// It is of the layout's first generation. All others were added to a cluster that there was already.
    pub founder: bool,
    /// It starts before the other members of a new cluster.
    pub first: bool,
}

/// How to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// As one of a new cluster.
    New,
    /// Back into the cluster that there is.
    Join,
    /// Not yet.
    Wait,
}

/// How a member with an empty store starts, by what it finds of all the others.
///
/// In a new cluster one member, the `first`, starts before the others. One that is no founder never starts in a
/// new cluster, and joins whichever there is. `patient` is one that has waited
/// as long for the others as starting together usually takes: it goes on without those that are absent,
/// where the stores of a majority are empty. A minority never does: it could decide nothing by itself,
/// and the others may have a cluster.
pub fn start(me: Myself<'_>, patient: bool, others: &[Peer]) -> Start {
    let lists = || {
        others.iter().filter_map(|peer| match peer {
            Peer::Serving(members) => Some(members),
            _ => None,
        })
    };
    if lists().any(|members| !me.founder || is_a_cluster_for(me.url, members)) {
        return Start::Join;
    }
    if !me.founder {
        return Start::Wait;
    }
    if lists().next().is_some() {
        return Start::New;
    }
    let count = |kind: &Peer| others.iter().filter(|peer| *peer == kind).count();
    let (empty, absent) = (count(&Peer::Empty), count(&Peer::Absent));
    let majority = empty + 1 >= quorum(others.len() + 1);
    if empty == others.len() && (me.first || patient)
        || empty + absent == others.len() && patient && majority
    {
        Start::New
    } else {
        Start::Wait
    }
}

/// Whether members that list themselves so have a cluster that this one has to join. In a new one it is
/// listed, has not run, and too few have for anything to be decided.
fn is_a_cluster_for(my_url: &str, members: &[Listed]) -> bool {
    let ran = members.iter().filter(|member| member.has_run).count();
    match members.iter().find(|member| member.peer_url == my_url) {
        Some(me) => me.has_run || ran >= quorum(members.len()),
        None => true,
    }
}

fn quorum(members: usize) -> usize {
    placement::quorum(u32::try_from(members).unwrap_or(u32::MAX)) as usize
}

/// The next step back into a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Remove the member that this one was.
    Remove {
        /// Its id.
        id: u64,
        /// It had a vote, which the new one gets as well.
        voted: bool,
    },
    /// Add this one.
    Add,
    /// Start it: it is listed, and has not run.
    Start,
}

/// The next step back into a cluster of these members, as a quorum of them lists them.
pub fn next_step(my_url: &str, members: &[Listed]) -> Step {
    match members.iter().find(|member| member.peer_url == my_url) {
        Some(me) if me.has_run => Step::Remove { id: me.id, voted: !me.is_learner },
        Some(_) => Step::Start,
        None => Step::Add,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ME: &str = "http://198.18.2.3:2380";

    fn me(first: bool) -> Myself<'static> {
        Myself { url: ME, founder: true, first }
    }

    fn url(n: usize) -> String {
        format!("http://198.18.{n}.3:2380")
    }

    /// Members 1, 2, … of which these have run; this one is the second.
    fn listed(has_run: &[bool]) -> Vec<Listed> {
        let member = |(n, has_run): (usize, &bool)| Listed {
            id: n as u64 + 10,
            name: String::new(),
            peer_url: url(n + 1),
            has_run: *has_run,
            is_learner: false,
        };
        has_run.iter().enumerate().map(member).collect()
    }

    #[test]
    fn both_kinds_of_lists_are_read() {
        let of_peers = br#"[{"id": 9372538179322589801, "peerURLs": ["http://198.18.1.3:2380"],
            "name": "pgha-etcd1-DC1-1", "clientURLs": ["http://198.18.1.3:2379"]}]"#;
        let of_gateway =
            br#"{"header": {"raft_term": "2"}, "members": [{"ID": "9372538179322589801",
            "peerURLs": ["http://198.18.1.3:2380"], "name": "pgha-etcd1-DC1-1",
            "clientURLs": ["http://198.18.1.3:2379"]}]}"#;
        let members = members(of_peers).expect("a list");
        assert_eq!(super::members(of_gateway).as_ref(), Ok(&members));
        assert_eq!(members[0].id, 9_372_538_179_322_589_801);
        assert!(members[0].has_run);
        let added =
            br#"{"member": {"ID": "1"}, "members": [{"ID": "1", "peerURLs": ["http://x"]}]}"#;
        let added = super::members(added).expect("a list").remove(0);
        assert!(!added.has_run && added.name.is_empty());
        let refused = br#"{"error": "etcdserver: unhealthy cluster", "code": 14}"#;
        assert_eq!(super::members(refused), Err("etcdserver: unhealthy cluster".to_owned()));
        assert!(super::members(b"{}").is_err() && super::members(b"").is_err());
    }

    #[test]
    fn a_new_cluster_starts_with_one_member_and_the_others_follow_it() {
        let empty = [Peer::Empty, Peer::Empty];
        assert_eq!(start(me(true), false, &empty), Start::New);
        assert_eq!(start(me(false), false, &empty), Start::Wait);
        let begun = [Peer::Serving(listed(&[false; 3])), Peer::Empty];
        assert_eq!(start(me(false), false, &begun), Start::New);
        assert_eq!(start(me(false), false, &[Peer::Silent, Peer::Empty]), Start::Wait);
        assert_eq!(start(me(true), false, &[]), Start::New, "a cluster of one");
        // The last of a new cluster may come when the others have decided things already.
        let late = [Peer::Serving(listed(&[true, false, true])), Peer::Silent];
        assert_eq!(start(me(false), false, &late), Start::Join);
    }

    #[test]
    fn one_that_has_run_joins_whoever_tells() {
        for members in [listed(&[true; 3]), listed(&[true, true, false]), Vec::new()] {
            assert_eq!(
                start(me(true), false, &[Peer::Serving(members), Peer::Absent]),
                Start::Join
            );
        }
    }

    #[test]
    fn a_lost_store_waits_for_those_that_have_one() {
        for patient in [false, true] {
            for others in [[Peer::Silent, Peer::Silent], [Peer::Silent, Peer::Empty]] {
                assert_eq!(start(me(true), patient, &others), Start::Wait, "{others:?}");
            }
            let cut_off = [Peer::Absent, Peer::Absent];
            assert_eq!(start(me(true), patient, &cut_off), Start::Wait);
        }
        let majority = [Peer::Empty, Peer::Absent];
        assert_eq!(start(me(true), false, &majority), Start::Wait);
        assert_eq!(start(me(true), true, &majority), Start::New);
    }

    #[test]
    fn the_way_back_is_remove_add_start() {
        assert_eq!(next_step(ME, &listed(&[true; 3])), Step::Remove { id: 11, voted: true });
        let without = vec![listed(&[true; 3]).remove(0), listed(&[true; 3]).remove(2)];
        assert_eq!(next_step(ME, &without), Step::Add);
        assert_eq!(next_step(ME, &listed(&[true, false, true])), Step::Start);
    }

    #[test]
    fn one_that_was_added_later_joins_and_never_makes_a_cluster() {
        let me = Myself { founder: false, ..me(true) };
        // It is listed already, in a cluster whose other members have only just begun.
        let begun = Peer::Serving(listed(&[true, false, false]));
        assert_eq!(start(me, false, &[begun, Peer::Empty]), Start::Join);
        for patient in [false, true] {
            for others in [vec![], vec![Peer::Empty; 2], vec![Peer::Absent, Peer::Silent]] {
                assert_eq!(start(me, patient, &others), Start::Wait, "{others:?}");
            }
        }
    }

    #[test]
    fn a_learner_is_told_from_a_voter() {
        let list = br#"[{"id": 1, "peerURLs": ["http://198.18.2.3:2380"], "isLearner": true,
            "clientURLs": ["http://198.18.2.3:2379"]}]"#;
        let members = members(list).expect("a list");
        assert_eq!(next_step(ME, &members), Step::Remove { id: 1, voted: false });
    }

    fn a_peer() -> impl Strategy<Value = Peer> {
        prop_oneof![
            Just(Peer::Absent),
            Just(Peer::Empty),
            Just(Peer::Silent),
            prop::collection::vec(any::<bool>(), 0..6).prop_map(|ran| Peer::Serving(listed(&ran))),
        ]
    }

    proptest! {
        #[test]
        fn none_starts_anew_beside_others_that_may_have_decided_something(
            others in prop::collection::vec(a_peer(), 0..6),
            first: bool,
            founder: bool,
            patient: bool,
        ) {
            if start(Myself { founder, ..me(first) }, patient, &others) == Start::New {
                prop_assert!(founder);
                let stores = others.iter().filter(|peer| **peer == Peer::Silent).count();
                let empty = others.iter().filter(|peer| **peer == Peer::Empty).count() + 1;
                let tell = others.iter().any(|peer| matches!(peer, Peer::Serving(_)));
                prop_assert!(tell || stores == 0 && empty > others.len().div_ceil(2));
                for peer in &others {
                    if let Peer::Serving(members) = peer {
                        prop_assert!(members.iter().all(|m| m.peer_url != ME || !m.has_run));
                    }
                }
            }
        }

        #[test]
        fn any_answer_is_read_or_refused(body: Vec<u8>) {
            let _ = members(&body);
        }
    }
}
