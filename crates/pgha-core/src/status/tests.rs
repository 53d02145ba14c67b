//! The rules of truth, on constructed observations.

use proptest::prelude::*;

use super::*;
use crate::disk::Disk;
use crate::observe::{Dcs, EtcdObservation, EtcdStatus, NodeObservation, ProxyObservation};
use crate::proxy::Behind;
use crate::ready::awaiting;
use crate::spec::{DataCenterSpec, SiteRole, Spec};

mod hints;

/// A cluster of 2 data centers with 2 nodes each, and what would be observed of it.
#[derive(Debug)]
pub(crate) struct Lab {
    topology: Topology,
    observed: Observed,
}

const LEADER: &str = "pgha-demo1-DC1-1";
const OTHER: &str = "pgha-demo1-DC2-1";

impl Lab {
    pub(crate) fn healthy() -> Self {
        Self::with(Spec { data_centers: 2, ..Spec::default() })
    }

    /// The same of another spec.
    fn with(spec: Spec) -> Self {
        let topology = Topology::new(spec, 1);
        let containers = topology
            .containers()
            .into_iter()
            .map(|name| ContainerFact {
                id: name.clone(),
                role: topology.member(&name).map(|m| m.role),
                name,
                state: ContainerState::Running,
                detail: "Up 3 minutes".to_owned(),
                ports: BTreeMap::new(),
            })
            .collect();
        let mut lab = Self {
            observed: Observed { containers, ..Observed::default() },
            topology: topology.clone(),
        };
        for site in &topology.sites {
            let of = |role| topology.of_role(role).filter(|m| m.site == site.number);
            let postgres = of(Role::Postgres)
                .map(|m| NodeObservation {
                    name: m.name.clone(),
                    patroni: Ok(if m.name == LEADER { primary(1, 5000) } else { replica(1, 4000) }),
                })
                .collect();
            let etcd = of(Role::Etcd)
                .enumerate()
                .map(|(n, m)| EtcdObservation {
                    name: m.name.clone(),
                    status: Ok(EtcdStatus {
                        member_id: u64::from(site.number) * 10 + n as u64,
                        leader_id: 10,
                        raft_term: 2,
                        ..EtcdStatus::default()
                    }),
                    dcs: Ok(Dcs {
                        revision: 7,
                        leader: Some(LEADER.to_owned()),
                        system_id: Some("7515".to_owned()),
                        tells_succession: true,
                        ..Dcs::default()
                    }),
                    took_ms: 2.0,
                })
                .collect();
            let report = SiteObservation {
                site: site.name.clone(),
                by: String::new(),
                postgres,
                etcd,
                stanza: (site.kind == SiteKind::External).then_some(true),
                backups: None,
                repositories: Vec::new(),
                proxies: topology
                    .of_role(Role::Proxy)
                    .filter(|m| m.site == site.number)
                    .map(|m| ProxyObservation {
                        name: m.name.clone(),
                        behind: Ok(Behind {
                            read_write: vec![LEADER.to_owned()],
                            read_only: Vec::new(),
                        }),
                    })
                    .collect(),
                restoring: false,
                repair: None,
                restore: None,
                disk: Some(Disk { size_bytes: 1 << 40, free_bytes: u64::from(site.number) << 36 }),
            };
            lab.observed.sites.insert(site.name.clone(), Ok(report));
        }
        lab
    }

    /// A healthy cluster of which etcd tells how far its leader was; its leader and its replicas.
    pub(crate) fn led() -> (ClusterView, String, Vec<String>) {
        let mut lab = Self::healthy();
        lab.configured("{}");
        lab.wrote(4000, &[], 0);
        let nodes = lab.topology.of_role(Role::Postgres).map(|node| node.name.clone());
        (lab.view(), LEADER.to_owned(), nodes.filter(|name| name != LEADER).collect())
    }

    pub(crate) fn topology(&self) -> &Topology {
        &self.topology
    }

    pub(crate) fn observed(&mut self) -> &mut Observed {
        &mut self.observed
    }

    pub(crate) fn view(&self) -> ClusterView {
        ClusterView::new(&self.topology, &self.observed)
    }

    fn container(&mut self, name: &str, state: ContainerState) {
        let fact = self.observed.containers.iter_mut().find(|c| c.name == name);
        fact.expect("a member").state = state;
    }

    /// Stops every container of a site.
    pub(crate) fn lose(&mut self, site: &str) {
        let number = self.topology.sites.iter().find(|s| s.name == site).expect("a site").number;
        for member in self.topology.clone().members.iter().filter(|m| m.site == number) {
            self.container(&member.name, ContainerState::Stopped);
        }
        self.observed.sites.remove(site);
    }

    pub(super) fn reports(&mut self) -> impl Iterator<Item = &mut SiteObservation> {
        self.observed.sites.values_mut().filter_map(|r| r.as_mut().ok())
    }

    pub(crate) fn node(&mut self, name: &str) -> &mut Result<Patroni, String> {
        let nodes = self.reports().flat_map(|r| &mut r.postgres);
        &mut nodes.into_iter().find(|n| n.name == name).expect("a node").patroni
    }

    /// Has Patroni run with this configuration.
    pub(crate) fn configured(&mut self, config: &str) {
        let config = Dynamic::parse(config).expect("a configuration");
        for member in self.etcd() {
            member.dcs.as_mut().expect("a read").config = Some(config);
        }
    }

    /// How far the leader was, and who votes, as it wrote it last.
    pub(crate) fn wrote(&mut self, last_lsn: u64, voters: &[String], quorum: u64) {
        for member in self.etcd() {
            let dcs = member.dcs.as_mut().expect("a read");
            dcs.last_lsn = Some(last_lsn);
            dcs.sync_leader = (!voters.is_empty()).then(|| LEADER.to_owned());
            dcs.sync_standbys = voters.to_vec();
            dcs.sync_quorum = quorum;
        }
    }

    pub(super) fn etcd(&mut self) -> impl Iterator<Item = &mut EtcdObservation> {
        self.reports().flat_map(|r| &mut r.etcd)
    }

    fn without_quorum(&mut self) {
        for member in self.etcd() {
            member.dcs = Err("no answer within 400 ms".to_owned());
            if let Ok(status) = &mut member.status {
                status.leader_id = 0;
                status.errors = vec!["etcdserver: no leader".to_owned()];
            }
        }
    }

    fn key_holder(&mut self, name: Option<&str>) {
        for member in self.etcd() {
            if let Ok(dcs) = &mut member.dcs {
                dcs.leader = name.map(str::to_owned);
            }
        }
    }
}

fn primary(timeline: u64, location: u64) -> Patroni {
    Patroni {
        state: "running".to_owned(),
        role: "primary".to_owned(),
        timeline: Some(timeline),
        location: Some(location),
        ..Patroni::default()
    }
}

fn replica(timeline: u64, received: u64) -> Patroni {
    Patroni {
        state: "running".to_owned(),
        role: "replica".to_owned(),
        timeline: Some(timeline),
        received: Some(received),
        replayed: Some(received),
        replication_state: Some("streaming".to_owned()),
        ..Patroni::default()
    }
}

fn codes(view: &ClusterView) -> Vec<&str> {
    view.problems.iter().map(|p| p.code.as_str()).collect()
}

#[test]
fn a_healthy_cluster_has_a_leader_and_no_problem() {
    let view = Lab::healthy().view();
    assert_eq!(view.leader.as_deref(), Some(LEADER));
    assert_eq!(view.problems, []);
    assert_eq!(view.quorum, Tally { have: 3, need: 2 });
    let node = view.member(OTHER).expect("a member");
    assert_eq!((node.role, node.state.as_deref()), (Some(NodeRole::Replica), Some("streaming")));
    assert_eq!(node.lag_bytes, Some(1000));
    assert_eq!(view.member(LEADER).expect("a member").lag_bytes, None);
    assert_eq!(view.etcd.iter().filter(|e| e.leader == Some(true)).count(), 1);
    assert_eq!(awaiting(&view), []);
}

#[test]
fn the_leader_of_a_lost_site_is_not_shown_as_leader() {
    let mut lab = Lab::healthy();
    lab.lose("DC1");
    let view = lab.view();
    assert_eq!(view.leader, None);
    assert_eq!(view.member(LEADER).expect("a member").role, None);
    assert_eq!(codes(&view), ["site_down", "leader_unconfirmed", "quorum_at_risk"]);
    assert!(view.problems[1].message.contains("container stopped"), "{:?}", view.problems[1]);
    assert!(view.nodes().all(|n| n.lag_bytes.is_none()));
}

#[test]
fn after_a_failover_the_new_leader_is_shown() {
    let mut lab = Lab::healthy();
    lab.lose("DC1");
    lab.key_holder(Some(OTHER));
    *lab.node(OTHER) = Ok(primary(2, 6000));
    let view = lab.view();
    assert_eq!(view.leader.as_deref(), Some(OTHER));
    assert_eq!(codes(&view), ["site_down", "quorum_at_risk", "timeline"]);
    let late = view.member("pgha-demo2-DC2-1").expect("a member");
    assert_eq!(late.lag_bytes, None, "positions on two timelines do not compare");
    assert!(awaiting(&view).iter().any(|w| w.phrase == "on timeline 1, the leader is on 2"));
}

#[test]
fn without_quorum_a_primary_is_not_the_leader() {
    let mut lab = Lab::healthy();
    lab.without_quorum();
    let view = lab.view();
    assert_eq!(view.leader, None);
    assert_eq!(view.member(LEADER).expect("a member").role, Some(NodeRole::Primary));
    assert_eq!(codes(&view), ["no_quorum", "primary_unconfirmed"]);
    assert!(!view.quorum.reached());
    assert!(view.etcd.iter().all(|e| e.leader.is_none() && !e.healthy));
}

#[test]
fn with_the_router_down_each_site_counts_for_itself() {
    let mut lab = Lab::healthy();
    lab.container("pgha-wan-1", ContainerState::Stopped);
    lab.without_quorum();
    let view = lab.view();
    assert_eq!(view.leader, None);
    assert_eq!(view.quorum, Tally { have: 1, need: 2 });
    assert_eq!(codes(&view)[0], "router_down");
    assert!(view.problems[1].message.contains("1 of 3, need 2"), "{:?}", view.problems[1]);
}

#[test]
fn a_site_that_could_not_be_asked_is_not_said_to_be_down() {
    let mut lab = Lab::healthy();
    lab.observed.sites.insert("DC1".to_owned(), Err("exec failed".to_owned()));
    let view = lab.view();
    assert_eq!(view.leader, None);
    assert_eq!(codes(&view), ["site_unknown", "leader_unconfirmed", "quorum_at_risk"]);
    let error = view.member(LEADER).and_then(|m| m.error.clone());
    assert_eq!(error.as_deref(), Some("unknown: exec failed"));

    let sites: Vec<String> = lab.observed.sites.keys().cloned().collect();
    for site in sites {
        lab.observed.sites.insert(site, Err("exec failed".to_owned()));
    }
    let view = lab.view();
    assert!(codes(&view).contains(&"quorum_unknown"), "{:?}", codes(&view));
    assert!(!codes(&view).contains(&"no_quorum"));
}

#[test]
fn two_primaries_are_a_split_brain_with_or_without_a_leader() {
    let mut lab = Lab::healthy();
    *lab.node(OTHER) = Ok(primary(2, 6000));
    let view = lab.view();
    assert_eq!(view.leader.as_deref(), Some(LEADER));
    assert_eq!(codes(&view), ["split_brain", "primary_without_key"]);
    lab.without_quorum();
    assert!(codes(&lab.view()).contains(&"split_brain"));
}

#[test]
fn a_holder_that_is_no_primary_yet_is_no_leader_yet() {
    let mut lab = Lab::healthy();
    lab.key_holder(Some(OTHER));
    *lab.node(LEADER) = Ok(Patroni {
        state: "starting".to_owned(),
        role: "replica".to_owned(),
        ..Patroni::default()
    });
    let view = lab.view();
    assert_eq!(view.leader, None);
    assert_eq!(codes(&view), ["leader_unconfirmed", "not_streaming"]);
}

#[test]
fn the_later_of_two_reads_names_the_holder() {
    let mut lab = Lab::healthy();
    if let Some(Ok(dcs)) = lab.etcd().next().map(|e| &mut e.dcs) {
        dcs.revision = 9;
        dcs.leader = None;
    }
    let view = lab.view();
    assert_eq!(view.leader, None);
    assert!(codes(&view).contains(&"no_leader"));
}

#[test]
fn a_stopped_cluster_is_one_problem() {
    let mut lab = Lab::healthy();
    for name in lab.topology.containers() {
        lab.container(&name, ContainerState::Stopped);
    }
    lab.observed.sites.clear();
    assert_eq!(codes(&lab.view()), ["cluster_stopped"]);
    lab.observed.containers.clear();
    assert_eq!(codes(&lab.view()), ["cluster_stopped"]);
}

#[test]
fn paused_restarting_and_missing_members_are_told_apart() {
    let mut lab = Lab::healthy();
    lab.container("pgha-demo2-DC1-1", ContainerState::Paused);
    lab.container("pgha-demo2-DC2-1", ContainerState::Restarting);
    lab.observed.containers.retain(|c| c.name != "pgha-pgbackrest-DC3-1");
    for name in ["pgha-demo2-DC1-1", "pgha-demo2-DC2-1"] {
        *lab.node(name) = Err("no answer within 400 ms".to_owned());
    }
    let view = lab.view();
    let said: Vec<&str> = view.problems.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "pgha-demo2-DC1-1 is paused (`docker pause`)",
            "pgha-demo2-DC2-1 fails and is started again and again",
            "pgha-pgbackrest-DC3-1 has no container",
        ]
    );
    assert_eq!(view.problems[0].hint, "`docker unpause pgha-demo2-DC1-1`");
}

#[test]
fn a_cluster_that_comes_up_says_what_each_member_waits_for() {
    let mut lab = Lab::healthy();
    lab.without_quorum();
    for name in [LEADER, OTHER, "pgha-demo2-DC1-1", "pgha-demo2-DC2-1"] {
        *lab.node(name) = Err("connection refused".to_owned());
    }
    let view = lab.view();
    let phrase = |view: &ClusterView, name: &str| {
        awaiting(view).into_iter().find(|w| w.member == name).map(|w| w.phrase)
    };
    assert_eq!(phrase(&view, "pgha-etcd1-DC1-1").as_deref(), Some("etcd: waiting for quorum"));
    assert_eq!(phrase(&view, LEADER).as_deref(), Some("Patroni: connection refused"));

    let mut lab = Lab::healthy();
    lab.key_holder(None);
    let state = |state: &str| Patroni {
        state: state.to_owned(),
        role: "uninitialized".to_owned(),
        ..Patroni::default()
    };
    *lab.node(LEADER) = Ok(state("initializing new cluster"));
    *lab.node(OTHER) = Ok(state("stopped"));
    let view = lab.view();
    assert_eq!(phrase(&view, LEADER).as_deref(), Some("making the database"));
    assert_eq!(phrase(&view, OTHER).as_deref(), Some("waiting for a leader to clone from"));

    let mut lab = Lab::healthy();
    *lab.node(OTHER) = Ok(state("creating replica"));
    assert_eq!(phrase(&lab.view(), OTHER).as_deref(), Some("cloning"));
}

#[test]
fn the_json_has_the_documented_fields() {
    let json = serde_json::to_value(Lab::healthy().view()).expect("plain data");
    for (pointer, keys) in [
        ("", "cluster instance leader sites members etcd quorum problems"),
        ("/sites/0", "name kind network subnet members"),
        ("/members/0", "name site kind role state timeline lag_bytes host_port container_state"),
        ("/etcd/0", "name healthy leader took_ms db_size_bytes raft_term raft_index error"),
        ("/quorum", "have need"),
    ] {
        let object = json.pointer(pointer).expect("an object");
        for key in keys.split(' ') {
            assert!(object.get(key).is_some(), "{pointer} has no {key}");
        }
    }
    assert_eq!(json["sites"][2]["kind"], "external");
    assert_eq!(json["members"][0]["role"], "leader");
}

/// What may be seen of one Postgres node.
fn any_patroni() -> impl Strategy<Value = Result<Patroni, String>> {
    prop_oneof![
        Just(Err("no answer within 400 ms".to_owned())),
        (1u64..3, 0u64..9000).prop_map(|(timeline, at)| Ok(primary(timeline, at))),
        (1u64..3, 0u64..9000).prop_map(|(timeline, at)| Ok(replica(timeline, at))),
        Just(Ok(Patroni {
            state: "creating replica".to_owned(),
            role: "replica".to_owned(),
            ..Patroni::default()
        })),
    ]
}

fn any_lab() -> impl Strategy<Value = Lab> {
    let states = [
        ContainerState::Running,
        ContainerState::Running,
        ContainerState::Running,
        ContainerState::Stopped,
        ContainerState::Paused,
        ContainerState::Missing,
    ];
    (
        prop::collection::vec(any_patroni(), 4),
        prop::collection::vec(prop::option::of((0usize..5, 1u64..4)), 3),
        prop::collection::vec(prop::sample::select(states.to_vec()), 9),
        prop::collection::vec(0u8..4, 3),
    )
        .prop_map(|(nodes, reads, containers, sites)| {
            let mut lab = Lab::healthy();
            let names: Vec<String> =
                lab.topology.of_role(Role::Postgres).map(|m| m.name.clone()).collect();
            for (name, patroni) in names.iter().zip(nodes) {
                *lab.node(name) = patroni;
            }
            for (member, read) in lab.etcd().zip(reads) {
                member.dcs = match read {
                    None => Err("no answer within 400 ms".to_owned()),
                    Some((holder, revision)) => {
                        Ok(Dcs { revision, leader: names.get(holder).cloned(), ..Dcs::default() })
                    }
                };
            }
            for (fact, state) in lab.observed.containers.iter_mut().zip(containers) {
                fact.state = state;
            }
            lab.observed.containers.retain(|c| c.state != ContainerState::Missing);
            for (name, what) in ["DC1", "DC2", "DC3"].into_iter().zip(sites) {
                match what {
                    0 => lab.observed.sites.insert(name.to_owned(), Err("exec failed".to_owned())),
                    1 => lab.observed.sites.remove(name),
                    _ => None,
                };
            }
            lab
        })
}

#[test]
fn a_restore_that_is_not_finished_is_said() {
    let mut lab = Lab::healthy();
    assert!(lab.view().problems.is_empty());
    assert_eq!(crate::ready::hopeless(&lab.view()), None);
    let outside = lab.observed.sites.get_mut("DC3").expect("the external site");
    outside.as_mut().expect("its report").restoring = true;
    let view = lab.view();
    let said = &view.problems;
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].code, "restore_unfinished");
    assert!(said[0].hint.contains("--abort"), "{}", said[0].hint);
    assert_eq!(crate::ready::hopeless(&view), Some(&said[0]));
}

proptest! {
    #[test]
    fn a_leader_is_always_confirmed_by_etcd_and_by_itself(mut lab in any_lab()) {
        let view = lab.view();
        let named: Vec<(u64, Option<String>)> = lab
            .etcd()
            .filter_map(|e| e.dcs.as_ref().ok().map(|d| (d.revision, d.leader.clone())))
            .collect();
        let latest = named.iter().map(|(revision, _)| *revision).max();
        prop_assert_eq!(view.quorum.reached(), latest.is_some());
        if let Some(leader) = &view.leader {
            prop_assert!(named.contains(&(latest.expect("a read"), Some(leader.clone()))));
            let says = lab.node(leader).clone().expect("it answers");
            prop_assert!(says.is_running_primary());
            prop_assert_eq!(view.member(leader).and_then(|m| m.role), Some(NodeRole::Leader));
        }
        let leaders = view.nodes().filter(|n| n.role == Some(NodeRole::Leader)).count();
        prop_assert_eq!(leaders, usize::from(view.leader.is_some()));
    }

    #[test]
    fn what_is_not_as_it_should_be_is_said(lab in any_lab()) {
        let view = lab.view();
        if view.leader.is_none() {
            prop_assert!(view.problems.iter().any(|p| p.severity == Severity::Error), "{:?}", view);
        }
        if view.problems.is_empty() {
            prop_assert_eq!(awaiting(&view), []);
        }
        for member in &view.members {
            if member.container_state != ContainerState::Running {
                prop_assert!(!view.problems.is_empty());
                prop_assert!(awaiting(&view).iter().any(|w| w.member == member.name));
            }
        }
        for problem in &view.problems {
            prop_assert!(!problem.hint.is_empty() && !problem.message.ends_with('.'));
        }
    }
}

#[test]
fn an_archive_that_fails_is_a_problem_of_a_known_leader_only() {
    let mut lab = Lab::healthy();
    lab.observed.archiver = Some(Ok(Archiver {
        last_archived_wal: Some("000000010000000000000009".to_owned()),
        last_archived_age_s: Some(300),
        last_failed_age_s: Some(2),
        failed_count: 4,
        current_wal: Some("000000010000000000000030".to_owned()),
        ..Archiver::default()
    }));
    let view = lab.view();
    assert_eq!(codes(&view), ["archive_failing"]);
    assert!(view.problems[0].message.contains("000000010000000000000009, 5 min ago"));
    for (stanza, advice) in [(true, "pgha backup check"), (false, "pgha logs pgha-pgbackrest")] {
        lab.observed.sites.get_mut("DC3").expect("a site").as_mut().expect("a report").stanza =
            Some(stanza);
        let problems = lab.view().problems;
        let failing = problems.iter().find(|p| p.code == "archive_failing").expect("it fails");
        assert!(failing.hint.contains(advice), "{failing:?}");
    }
    lab.observed.sites.get_mut("DC3").expect("a site").as_mut().expect("a report").stanza =
        Some(true);
    if let Some(Ok(archiver)) = &mut lab.observed.archiver {
        archiver.last_failed_age_s = None;
    }
    assert_eq!(codes(&lab.view()), ["archive_lags"]);
    lab.key_holder(None);
    assert_eq!(lab.view().archive, None, "who is not the leader says nothing about the archive");
    let mut silent = Lab::healthy();
    silent.observed.archiver = Some(Err("no answer".to_owned()));
    assert_eq!((silent.view().archive, codes(&silent.view())), (None, vec![]));
}

#[test]
fn durability_is_judged_by_what_patroni_runs_with() {
    let mut lab = Lab::healthy();
    lab.topology.spec.durability = crate::spec::Durability::Quorum;
    let need = |lab: &Lab| lab.view().acknowledging.need;
    assert_eq!(need(&lab), 2, "before etcd says, the file counts");
    assert_eq!(lab.view().settings, None);
    lab.configured(r#"{"synchronous_mode": "quorum", "synchronous_node_count": 1}"#);
    if let Ok(patroni) = lab.node(OTHER) {
        patroni.quorum_standby = true;
    }
    assert_eq!(need(&lab), 1);
    assert_eq!(awaiting(&lab.view()), []);
    assert_eq!(codes(&lab.view()), ["settings_changed"]);
    lab.configured(r#"{"synchronous_mode": "off", "ttl": 60}"#);
    assert_eq!((need(&lab), awaiting(&lab.view())), (0, Vec::new()));
    let problems = lab.view().problems;
    assert!(problems[0].message.contains("ttl 60 (30), synchronous_mode off (quorum)"));
    lab.configured(r#"{"synchronous_mode": "quorum", "synchronous_node_count": 2}"#);
    assert_eq!(codes(&lab.view()), ["durability_not_met"]);
}

#[test]
fn nodes_of_a_standby_data_center_neither_acknowledge_nor_take_over() {
    let mut lab = Lab::healthy();
    let standby = DataCenterSpec { role: SiteRole::Standby, ..DataCenterSpec::default() };
    let leaders = lab.topology.member(LEADER).expect("a node").site;
    let each = |site: u8| if site == leaders { DataCenterSpec::default() } else { standby.clone() };
    lab.topology.spec.each = (1..=2).map(each).collect();
    lab.configured(r#"{"synchronous_mode": "quorum", "synchronous_node_count": 1}"#);
    let view = lab.view();
    assert_eq!(view.acknowledging.need, 1);
    let here = |name: &str| lab.topology.member(name).map(|m| m.site) == Some(leaders);
    let ready = view.succession.expect("it is known").ready;
    assert!(ready.len() == 1 && ready.iter().all(|name| here(name)), "{ready:?}");
    let roles: Vec<_> = view.sites.iter().map(|site| site.role).collect();
    assert!(roles.contains(&Some(SiteRole::Standby)) && roles.contains(&None), "{roles:?}");
}

#[test]
fn a_lost_leaders_deadline_is_that_of_the_running_timers() {
    let mut lab = Lab::healthy();
    lab.configured(r#"{"ttl": 77, "loop_wait": 13}"#);
    *lab.node(LEADER) = Err("no answer within 400 ms".to_owned());
    let problems = lab.view().problems;
    let lost = problems.iter().find(|p| p.code == "leader_unconfirmed").expect("it is lost");
    assert!(lost.hint.contains("77 s"), "{lost:?}");
}

#[test]
fn nodes_that_wait_for_the_same_restart_are_one_problem() {
    let mut lab = Lab::healthy();
    for name in [LEADER, OTHER] {
        if let Ok(patroni) = lab.node(name) {
            patroni.pending_restart = true;
            patroni.pending_settings = vec!["max_connections 100 (200)".to_owned()];
        }
    }
    let view = lab.view();
    assert_eq!(codes(&lab.view()), ["pending_restart"]);
    assert!(view.problems[0].message.contains(LEADER) && view.problems[0].message.contains(OTHER));
    assert!(view.problems[0].message.contains("max_connections 100 (200)"));
    assert!(view.problems[0].hint.contains("clients of the leader"));
    let of = |name: &str| view.member(name).and_then(|m| m.pending_restart);
    assert_eq!((of(OTHER), of("pgha-demo2-DC1-1")), (Some(true), Some(false)));
    assert_eq!(of("pgha-etcd1-DC1-1"), None);
    assert_eq!(awaiting(&view), [], "it is ready all the same");
}
