//! The survival table as drills: each row once with the leader in the lost sites, and once elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Drill, Expectation, Load, Lost, Step, Until, Writes};
use crate::fault::{Kind, Target};
use crate::spec::{Acknowledge, Durability, Spec};
use crate::survival::{self, Survival};
use crate::topology::Topology;
use crate::tuning::PatroniTimers;

/// Beyond the time that a failover takes at most: whether nobody takes over is known only then.
const MARGIN: Duration = Duration::from_secs(10);

/// Where the leader is as sites are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaderIs {
    /// In one of them.
    Inside,
    /// In none of them.
    Outside,
}

impl LeaderIs {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inside => "inside",
            Self::Outside => "outside",
        }
    }
}

/// One row of the table with one place of the leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The lost sites, in order.
    pub lost: Vec<String>,
    /// Where the leader is.
    pub leader: LeaderIs,
    /// What the planner says.
    pub expected: Expectation,
}

/// Every row with at most so many lost sites, those that are quickest first: of the members that the cluster has now, with
/// the durability in force, whatever it was made with.
pub fn cases(topology: &Topology, durability: Durability, most: usize) -> Vec<Case> {
    let spec = Spec { durability, ..topology.spec.clone() };
    let topology = &Topology { spec, ..topology.clone() };
    let mut cases = Vec::new();
    for row in survival::table(topology).iter().filter(|row| row.lost.len() <= most) {
        for leader in [LeaderIs::Inside, LeaderIs::Outside] {
            if possible(topology, &row.lost, leader) {
                let expected = expected(topology, row, leader, durability);
                cases.push(Case { lost: row.lost.clone(), leader, expected });
            }
        }
    }
    cases.sort_by_key(|case| (case.lost.len(), case.expected.writes == Writes::Healed));
    cases
}

/// Nodes that may lead and acknowledge in these sites, and in all of them.
fn nodes(topology: &Topology, sites: &[String]) -> (usize, usize) {
    let all = || topology.primary_nodes();
    let within = all().filter(|m| sites.contains(&topology.site(m.site).name)).count();
    (within, all().count())
}

/// Whether the leader can be there.
fn possible(topology: &Topology, lost: &[String], leader: LeaderIs) -> bool {
    let (within, all) = nodes(topology, lost);
    match leader {
        LeaderIs::Inside => within > 0,
        LeaderIs::Outside => within < all,
    }
}

/// What becomes of writes and of those that were acknowledged. The table tells the worst case over where the leader was: with the
/// leader elsewhere a quorum is enough. A site that is lost in a drill comes back with its disks.
fn expected(
    topology: &Topology,
    row: &Survival,
    leader: LeaderIs,
    durability: Durability,
) -> Expectation {
    let (within, all) = nodes(topology, &row.lost);
    // A leader without any standby takes no write under a strict durability.
    let blocks = durability.is_strict() && all - within < 2;
    let writes = match leader {
        LeaderIs::Inside if row.outcome.promotable && !blocks => Writes::Failover,
        LeaderIs::Outside if row.outcome.quorum && !blocks => match (durability, within) {
            (Durability::Async, _) | (_, 0) => Writes::GoOn,
            _ if topology.spec.acknowledge == Acknowledge::Local => Writes::GoOn,
            // Patroni has to name other standbys first.
            _ => Writes::Failover,
        },
        _ => Writes::Healed,
    };
    let lost = match leader {
        LeaderIs::Inside if row.outcome.acknowledged_loss => Lost::Possible,
        _ => Lost::None,
    };
    Expectation { writes, lost }
}

impl Case {
    /// What it is called: `DC1+DC3, leader inside`.
    pub fn name(&self) -> String {
        let leader = match self.leader {
            LeaderIs::Inside => "inside",
            LeaderIs::Outside => "outside",
        };
        format!("{}, leader {leader}", self.lost.join("+"))
    }

    /// The drill that tries it.
    pub fn drill(&self, durability: Durability, timers: PatroniTimers) -> Drill {
        let failover = Writes::Failover.bound(timers, 0).unwrap_or_default() + MARGIN;
        let wait = match self.expected.writes {
            // A leader without a quorum goes on until it demotes itself: one write proves nothing.
            Writes::Healed => Step::Sleep { least: failover, most: failover },
            _ => Step::Wait { until: Until::Writes, timeout: failover },
        };
        let targets = self.lost.iter().cloned().map(Target::Named).collect();
        let seconds = Duration::from_secs;
        Drill {
            name: self.name(),
            title: format!("{} lost at one moment", self.lost.join(", ")),
            description: String::new(),
            data_centers: 1,
            nodes: 1,
            failsafe: false,
            cluster: None,
            load: Load::default(),
            steps: vec![
                Step::Sleep { least: seconds(1), most: seconds(4) },
                Step::Inject { deed: Kind::Kill.into(), targets },
                wait,
                Step::Sleep { least: seconds(2), most: seconds(2) },
                Step::Heal,
            ],
            expect: [(durability, self.expected)].into(),
            expect_local: BTreeMap::new(),
            expect_any: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Change, Layout};
    use crate::spec::DataCenterSpec;
    use crate::topology::Role;

    fn of(data_centers: u32, nodes: u32, durability: Durability) -> (Topology, Vec<Case>) {
        let spec = Spec { data_centers, nodes, durability, ..Spec::default() };
        let topology = Topology::new(spec, 1);
        let cases = cases(&topology, durability, usize::MAX);
        (topology, cases)
    }

    #[test]
    fn every_row_is_there_with_each_place_that_the_leader_can_have() {
        let (topology, cases) = of(2, 2, Durability::Quorum);
        let names: Vec<String> = cases.iter().map(Case::name).collect();
        assert_eq!(cases.len(), 11, "{names:?}");
        for row in survival::table(&topology) {
            let here = cases.iter().filter(|case| case.lost == row.lost).count();
            // With both data centers lost the leader is inside, with neither it is not.
            let both = ["DC1", "DC2"].map(|name| row.lost.contains(&name.to_owned()));
            assert_eq!(here, if both[0] == both[1] { 1 } else { 2 }, "{:?}", row.lost);
        }
    }

    #[test]
    fn the_worst_of_both_places_is_what_the_table_says() {
        for durability in Durability::ALL {
            for (data_centers, nodes) in [(1, 2), (2, 1), (2, 2), (3, 1), (3, 2), (4, 1)] {
                let (topology, cases) = of(data_centers, nodes, *durability);
                for row in survival::table(&topology) {
                    let of: Vec<&Case> =
                        cases.iter().filter(|case| case.lost == row.lost).collect();
                    let healed = of.iter().any(|case| case.expected.writes == Writes::Healed);
                    let loses = of.iter().any(|case| case.expected.lost == Lost::Possible);
                    let what = format!("{data_centers} × {nodes} {durability} {:?}", row.lost);
                    if !durability.is_strict() {
                        assert_eq!(healed, !row.outcome.promotable, "{what}");
                    }
                    assert_eq!(loses, row.outcome.acknowledged_loss, "{what}");
                }
            }
        }
    }

    #[test]
    fn members_that_were_added_and_the_durability_in_force_count_and_not_what_it_was_made_with() {
        let made =
            Spec { data_centers: 2, nodes: 1, durability: Durability::Async, ..Spec::default() };
        let added = [Change::AddMember(Role::Postgres, 2)];
        let layout = Layout::of(&made).changed(&added).expect("a layout");
        let grown = Topology::with(made.clone(), 1, layout);
        for durability in Durability::ALL {
            let of = |topology: &Topology| cases(topology, *durability, usize::MAX);
            let nodes = |nodes| DataCenterSpec { nodes: Some(nodes), ..DataCenterSpec::default() };
            let each = vec![nodes(1), nodes(2)];
            let alike = Spec { each, durability: *durability, ..made.clone() };
            assert_eq!(of(&grown), of(&Topology::new(alike, 1)), "{durability}");
            let before = Topology::new(Spec { durability: *durability, ..made.clone() }, 1);
            assert_eq!(of(&Topology::new(made.clone(), 1)), of(&before), "{durability}");
            // A leader in DC2 is no longer left alone.
            assert_eq!(of(&grown) != of(&before), durability.is_strict(), "{durability}");
        }
    }

    #[test]
    fn a_strict_leader_without_standbys_takes_no_write() {
        let (_, cases) = of(2, 1, Durability::Strict);
        let outside =
            cases.iter().find(|case| case.lost == ["DC1"] && case.leader == LeaderIs::Outside);
        assert_eq!(outside.expect("a case").expected.writes, Writes::Healed);
    }

    #[test]
    fn few_lost_sites_come_first_and_the_drill_hits_exactly_them() {
        let (_, cases) = of(3, 1, Durability::Sync);
        assert!(cases.windows(2).all(|pair| pair[0].lost.len() <= pair[1].lost.len()));
        let timers = PatroniTimers { ttl_s: 20, loop_wait_s: 5, retry_timeout_s: 5 };
        for case in &cases {
            let drill = case.drill(Durability::Sync, timers);
            let Step::Inject { deed, targets } = &drill.steps[1] else {
                panic!("{:?}", drill.steps)
            };
            assert_eq!(*deed, Kind::Kill.into());
            assert_eq!(targets.iter().map(Target::to_string).collect::<Vec<_>>(), case.lost);
            // Until healed, one write is no answer.
            let waits = matches!(drill.steps[2], Step::Wait { until: Until::Writes, .. });
            assert_eq!(waits, case.expected.writes != Writes::Healed, "{}", case.name());
        }
    }
}
