//! The cluster screen on constructed looks.

use super::*;
use crate::status::tests::Lab;
use crate::watch::STALE_MS;

fn memory(view: ClusterView) -> Memory {
    let mut memory = Memory::default();
    memory.take(1000, Ok(view));
    memory
}

fn board(memory: &Memory, now_ms: u64) -> Board {
    Board::of(memory, now_ms).expect("there was a look")
}

#[test]
fn a_healthy_cluster_has_a_leader_and_nothing_to_say_of_its_members() {
    let (view, leader, replicas) = Lab::led();
    let board = board(&memory(view), 2000);
    assert_eq!(board.headline.leader.as_deref(), Some(leader.as_str()));
    assert_eq!(board.headline.leader_words(), "leader pgha-demo1-DC1-1 (DC1), timeline 1");
    let row = board.member(&leader).expect("a row");
    assert_eq!((row.glyph, row.role.as_str(), row.standing), ('◆', "leader", Standing::Good));
    for replica in &replicas {
        let row = board.member(replica).expect("a row");
        assert_eq!((row.role.as_str(), row.note.as_ref()), ("replica", None));
        assert_eq!(row.received.map(|lag| lag.bytes), Some(1000));
    }
    assert!(board.sites.iter().all(|site| !site.is_ill()), "{:?}", board.sites);
}

#[test]
fn what_is_old_is_as_last_seen_and_never_current() {
    let (view, leader, _) = Lab::led();
    let mut memory = memory(view);
    memory.take(5000, Err("the engine does not answer".to_owned()));
    let now = 1000 + STALE_MS;
    assert!(board(&memory, now).current);
    let old = board(&memory, now + 8000);
    assert!(!old.current && old.next_losses.is_empty());
    assert_eq!(old.failure.as_deref(), Some("the engine does not answer"));
    assert_eq!(old.headline.leader, None);
    assert_eq!(old.headline.leader_words(), "no leader known, pgha-demo1-DC1-1 was seen 12 s ago");
    let row = old.member(&leader).expect("a row");
    assert_eq!((row.glyph, row.state.as_str()), ('?', "?"));
    assert_eq!(row.note.as_deref(), Some("last seen 12 s ago: leader, running"));
    assert!(old.sites.iter().flat_map(|site| &site.members).all(|member| member.role == "?"));
}

#[test]
fn a_silent_member_tells_what_it_was() {
    let (view, leader, _) = Lab::led();
    let mut memory = memory(view.clone());
    let mut silent = view;
    let member = silent.members.iter_mut().find(|m| m.name == leader).expect("a member");
    (member.role, member.state) = (None, None);
    silent.leader = None;
    memory.take(9000, Ok(silent));
    let board = board(&memory, 9500);
    let row = board.member(&leader).expect("a row");
    assert_eq!((row.state.as_str(), row.standing), ("no answer", Standing::Bad));
    assert_eq!(row.note.as_deref(), Some("last seen 8 s ago: leader, running"));
    assert_eq!(board.headline.last_leader.as_deref(), Some(leader.as_str()));
}

#[test]
fn a_primary_that_etcd_does_not_name_is_told_what_it_should_be() {
    let (mut view, _, replicas) = Lab::led();
    let member = view.members.iter_mut().find(|m| m.name == replicas[0]).expect("a member");
    member.role = Some(crate::status::NodeRole::Leader);
    let board = board(&memory(view), 1000);
    let row = board.member(&replicas[0]).expect("a row");
    assert_eq!(row.wanted.as_deref(), Some("replica"));
    assert_eq!(row.note.as_deref(), Some("etcd has it as replica"));
}

#[test]
fn where_room_is_scarce_problems_come_first_and_the_rest_is_a_line_each() {
    let (mut view, _, replicas) = Lab::led();
    let ill = replicas.last().expect("one in DC2");
    let member = view.members.iter_mut().find(|m| m.name == *ill).expect("a member");
    member.state = Some("in archive recovery".to_owned());
    let board = board(&memory(view), 1000);
    assert_eq!(board.lines(100).iter().find_map(|line| line.id()), Some("DC1"));
    let short: Vec<&str> = board.lines(6).iter().filter_map(|line| line.id()).collect();
    assert_eq!(short, ["DC2", ill, "DC1", "DC3", "pgha-wan-1"]);
    // What there is room for is whole.
    assert_eq!(board.lines(8).len(), 8);
    let more: Vec<&str> = board.lines(8).iter().filter_map(|line| line.id()).collect();
    assert!(more.contains(&"pgha-etcd1-DC1-1"), "{more:?}");
}
