//! What a restore is decided from: a report of the repository gives a plan or a refusal for every kind of target, and a
//! journal goes on or not; words on the command line are a target or none.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pgha_core::restore::{
    Facts, Holdings, Journal, LeaderFact, Lineage, LogicalReplication, Moment, Target,
    TargetOptions, plan,
};
use pgha_core::spec::Spec;
use pgha_core::topology::Topology;
use pgha_core::wal::Lsn;

/// Every kind of target, each before, in and after what a report may tell of.
fn targets() -> Vec<Target> {
    let none = TargetOptions::default;
    let time = |time: &str| TargetOptions { time: Some(time.to_owned()), ..none() };
    let lsn = |lsn: &str| TargetOptions { lsn: Some(lsn.to_owned()), ..none() };
    let options = [
        TargetOptions { latest: true, ..none() },
        TargetOptions { latest: true, timeline: Some(1), ..none() },
        TargetOptions { name: Some("point".to_owned()), ..none() },
        TargetOptions { set: Some("20261124-160125F".to_owned()), ..none() },
        time("1970-01-01 00:00:00+00"),
        time("2026-11-24 16:01:29+00"),
        lsn("0/0"),
        lsn("0/5000100"),
        lsn("FFFFFFFF/FFFFFFFF"),
    ];
    options.iter().map(|options| Target::parse(options).expect("a target")).collect()
}

fuzz_target!(|body: &[u8]| {
    if let Ok(journal) = serde_json::from_slice::<Journal>(body) {
        let _ = (journal.next(), journal.can_go_back(), journal.plan.node_bytes());
        let printed = serde_json::to_string(&journal).expect("a journal is always JSON");
        assert_eq!(serde_json::from_str::<Journal>(&printed).ok(), Some(journal));
    }
    if let Ok(holdings) = Holdings::parse(body) {
        let topology = Topology::new(Spec::default(), 1);
        let leader = LeaderFact {
            name: "pgha-demo1-DC1-1".to_owned(),
            system_id: 1,
            timeline: 2,
            written: Lsn(0x600_0000),
            now_s: 1_795_536_200,
        };
        for leader in [None, Some(leader)] {
            let facts = Facts {
                topology: &topology,
                repositories: std::slice::from_ref(&holdings),
                leader,
                running: Vec::new(),
                databases: vec![2],
                named: true,
                copy: false,
                source: None,
                logical: LogicalReplication::default(),
                now_s: 1_795_536_200,
            };
            for target in targets() {
                match plan(&facts, &target) {
                    Ok(plan) => {
                        let backup = holdings.backup(&plan.backup).expect("it is one of them");
                        assert!(plan.wal.segments > 0 && plan.wal.first == backup.first);
                        let _ = (plan.pgbackrest(), plan.node_bytes());
                    }
                    Err(refusal) => {
                        assert!(!refusal.to_string().is_empty() && !refusal.hint().is_empty())
                    }
                }
            }
        }
    }
    let Ok(text) = std::str::from_utf8(body) else { return };
    let _ = (Lineage::parse(3, text), Moment::parse(text));
    for options in [
        TargetOptions { time: Some(text.to_owned()), ..TargetOptions::default() },
        TargetOptions { lsn: Some(text.to_owned()), ..TargetOptions::default() },
        TargetOptions { xid: Some(text.to_owned()), ..TargetOptions::default() },
        TargetOptions { name: Some(text.to_owned()), ..TargetOptions::default() },
    ] {
        if let Ok(target) = Target::parse(&options) {
            let printed = serde_json::to_string(&target).expect("a target is always JSON");
            assert_eq!(serde_json::from_str::<Target>(&printed).ok(), Some(target));
        }
    }
});
