//! Claims about where a recovery ends, and about copies.

use super::*;

#[test]
fn a_time_after_the_last_commit_is_a_recovery_to_the_end_of_the_archive() {
    let all = holdings();
    // The last segment was archived at +2060.
    for (leader, second, ends) in [
        (None, T0 + 2059, End::TargetOrArchive),
        (None, T0 + 2060, End::TargetOrArchive),
        (None, T0 + 2061, End::Archive),
        (None, T0 + 3000, End::Archive),
        (Some(leader(2)), T0 + 2061, End::Target),
        (Some(leader(2)), T0 + 2999, End::Target),
        // The commit that it writes may be in the same second.
        (Some(leader(2)), T0 + 3000, End::TargetOrArchive),
        // It writes nothing on the timeline that it left.
        (Some(leader(2)), T0 + 240 + 60, End::Target),
    ] {
        let plan = planned(&all, leader.clone(), time(second)).expect("a plan");
        assert_eq!(plan.ends, ends, "{second} {leader:?}");
        let has_target = plan.pgbackrest().iter().any(|a| a.starts_with("--target="));
        assert_eq!(has_target, ends != End::Archive, "{:?}", plan.pgbackrest());
        let or_end = plan.recovery().or_end;
        assert_eq!(or_end, ends == End::TargetOrArchive);
        let not_archived = matches!(plan.loss, Loss::NotArchived { .. });
        assert_eq!(not_archived, ends == End::Archive, "{:?}", plan.loss);
    }
}

#[test]
fn a_recovery_to_before_a_gap_does_not_end_with_the_archive() {
    let gap = without(holdings(), 2, 9);
    let plan = planned(&gap, None, time(T0 + 479)).expect("segment 8 arrived later than that");
    assert_eq!(plan.ends, End::Target);
}

#[test]
fn a_position_in_the_last_segment_may_have_no_record_after_it() {
    let all = holdings();
    for (leader, position, ends) in [
        (None, "0/9FFFFFF", End::Target),
        (None, "0/A000000", End::TargetOrArchive),
        (None, "0/AFFFFFF", End::TargetOrArchive),
        (Some(leader(2)), "0/A004000", End::Target),
    ] {
        assert_eq!(planned(&all, leader, lsn(position)).expect("a plan").ends, ends, "{position}");
    }
}

/// The option of a hint, without what stands around it.
fn proposed(hint: &str) -> TargetOptions {
    let words: Vec<&str> = hint.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "--lsn").expect("a proposal");
    lsn(words[at + 1])
}

#[test]
fn what_a_refusal_proposes_works() {
    let gap = without(holdings(), 2, 9);
    for (holdings, leader, options) in [
        (&holdings(), None, lsn("1/0")),
        (&holdings(), Some(leader(2)), lsn("1/0")),
        (&gap, Some(leader(2)), latest()),
        (&gap, None, latest()),
        (&without(holdings(), 1, 6), None, lsn("0/70000FF")),
    ] {
        let refusal = planned(holdings, leader.clone(), options).expect_err("it cannot be");
        let plan = planned(holdings, leader.clone(), proposed(&refusal.hint()));
        let plan = plan.unwrap_or_else(|e| panic!("{}: {e}", refusal.hint()));
        // A leader goes on to write; else nothing is there after the last byte.
        let expected = if leader.is_some() && refusal.hint().contains("written") {
            End::Target
        } else {
            End::TargetOrArchive
        };
        assert_eq!(plan.ends, expected, "{}", refusal.hint());
    }
}

#[test]
fn of_two_repositories_the_one_that_goes_past_the_target_is_taken() {
    let both = [without(holdings(), 2, 10), second(holdings())];
    for target in [time(T0 + 2050), lsn("0/9FFFFFF")] {
        assert_eq!(planned_from(&both, None, &target).expect("a plan").repository, 2);
        assert_eq!(planned_from(&both, Some(leader(2)), &target).expect("a plan").repository, 1);
    }
}

#[test]
fn what_the_source_of_a_copy_has_not_archived_is_known() {
    let (topology, repositories) = (topology(), [holdings()]);
    let planned = |source: LeaderFact, options: TargetOptions| {
        let facts = Facts {
            repositories: &repositories,
            copy: true,
            source: Some(source),
            ..facts(&topology)
        };
        plan(&facts, &Target::parse(&options).expect("a target")).expect("a plan")
    };
    let written = Lsn(0xB00_0000 + 0x4000);
    let plan = planned(LeaderFact { written, ..leader(2) }, latest());
    let source = plan.source.clone().expect("it leads");
    assert_eq!((source.leader.as_str(), source.bytes), ("pgha-demo2-DC1-1", Some(0x4000)));
    assert!(matches!(plan.loss, Loss::NotArchived { .. }), "{:?}", plan.loss);
    assert_eq!(plan.recovery(), Recovery { or_end: false, copy: true });
    let older = TargetOptions { timeline: Some(1), ..latest() };
    assert_eq!(planned(leader(2), older).source.expect("it leads").bytes, None);
    assert_eq!(planned(LeaderFact { system_id: 9, ..leader(2) }, latest()).source, None);
}
