//! Every hint follows from the state: each is tried on states in which another one would be wrong.

use pgha_wan::control::{LinkCounters, LinkState, WanState};
use pgha_wan::service::Service;
use pgha_wan::settings::{Cut, LinkChange, LinkSettings};

use super::*;
use crate::dynamic::Dynamic;
use crate::observe::Promotion;
use crate::postgres_log::LogFacts;
use crate::ready::cut_off;
use crate::spec::{Durability, ProxySpec};
use crate::status::problems::Problem;

const PROXY: &str = "pgha-proxy-DC2-1";
const NEIGHBOUR: &str = "pgha-demo2-DC1-1";
const LAST: &str = "pgha-demo2-DC2-1";
const NOW_S: u64 = 1_795_791_300;

fn problem<'a>(view: &'a ClusterView, code: &str, about: Option<&str>) -> &'a Problem {
    let mut found = view.problems.iter().filter(|p| p.code == code);
    found
        .find(|p| about.is_none() || p.about.as_deref() == about)
        .unwrap_or_else(|| panic!("no {code} among {:?}", view.problems))
}

/// Every direction between two of the sites, cut where one end is among `isolated`.
fn links(lab: &Lab, isolated: &[&str]) -> WanState {
    cut_around(lab, isolated, None)
}

/// Links of which all packets are cut around some sites, or those of one service.
fn cut_around(lab: &Lab, isolated: &[&str], port: Option<Service>) -> WanState {
    let names: Vec<&str> = lab.topology.sites.iter().map(|s| s.name.as_str()).collect();
    let mut links = Vec::new();
    for from in &names {
        for to in names.iter().filter(|to| *to != from) {
            let cut = isolated.contains(from) || isolated.contains(to);
            let mut settings = LinkSettings::default();
            LinkChange::cutting(port, cut.into()).apply(&mut settings);
            links.push(LinkState {
                from: (*from).to_owned(),
                to: (*to).to_owned(),
                settings,
                spec: LinkSettings::default(),
                undone_in_ms: None,
                queued_packets: 0,
                queued_bytes: 0,
                flying_packets: 0,
                flying_bytes: 0,
                counters: LinkCounters::default(),
            });
        }
    }
    WanState { seed: 1, waiting_for_cluster: false, running_ms: 1, malformed: 0, foreign: 0, links }
}

impl Lab {
    /// Changes what every proxy tells.
    fn proxies(&mut self, change: impl Fn(&mut Result<Behind, String>)) {
        let reports = self.observed.sites.values_mut().filter_map(|report| report.as_mut().ok());
        reports.flat_map(|report| &mut report.proxies).for_each(|proxy| change(&mut proxy.behind));
    }

    fn dcs(&mut self, change: impl Fn(&mut Dcs)) {
        for member in self.etcd() {
            if let Ok(dcs) = &mut member.dcs {
                change(dcs);
            }
        }
    }

    /// The leader is lost, its key has run out, and the others are so many bytes behind its last position.
    fn leaderless(lags: [u64; 3]) -> Self {
        let mut lab = Self::healthy();
        lab.container(LEADER, ContainerState::Stopped);
        *lab.node(LEADER) = Err("connection refused".to_owned());
        lab.key_holder(None);
        lab.dcs(|dcs| dcs.last_lsn = Some(100 << 20));
        for (name, lag) in [NEIGHBOUR, OTHER, LAST].into_iter().zip(lags) {
            *lab.node(name) = Ok(replica(1, (100 << 20) - lag));
        }
        lab
    }

    fn promoted(&mut self, age_s: u64) {
        self.observed.now_s = Some(NOW_S);
        self.key_holder(Some(OTHER));
        *self.node(OTHER) = Ok(primary(2, 6000));
        *self.node(LEADER) = Ok(replica(1, 5000));
        let promotion = Promotion { timeline: 2, at_s: Some(NOW_S - age_s) };
        self.dcs(|dcs| dcs.promotion = Some(promotion));
    }
}

#[test]
fn a_primary_by_failsafe_is_not_said_to_be_demoted_by_time() {
    let mut lab = Lab::healthy();
    lab.lose("DC3");
    lab.without_quorum();
    for member in lab.etcd().filter(|e| e.name.contains("-DC2-")) {
        member.status = Err("connection refused".to_owned());
    }
    if let Ok(patroni) = lab.node(LEADER) {
        patroni.failsafe = true;
    }
    let view = lab.view();
    assert_eq!((view.leader.as_deref(), view.failsafe.as_deref()), (None, Some(LEADER)));
    assert_eq!(codes(&view), ["site_down", "no_quorum", "failsafe_active"]);
    let said = problem(&view, "failsafe_active", Some(LEADER));
    assert!(said.message.contains("by consent of all members"), "{}", said.message);
    assert!(said.hint.contains("once one of the other 3"), "{}", said.hint);
    assert_eq!(said.cause.as_deref(), Some("site_down"));
    let quorum = problem(&view, "no_quorum", None);
    assert!(quorum.hint.starts_with("nothing fails over"), "{}", quorum.hint);

    // The consent has ended, and nothing is said of it any more.
    if let Ok(patroni) = lab.node(LEADER) {
        patroni.failsafe = false;
    }
    let view = lab.view();
    assert_eq!(view.failsafe, None);
    let said = problem(&view, "primary_unconfirmed", Some(LEADER));
    assert!(said.hint.contains("demotes it within 30 s"), "{}", said.hint);
    if let Ok(patroni) = lab.node(LEADER) {
        patroni.pause = true;
    }
    let said = lab.view();
    let said = &problem(&said, "primary_unconfirmed", Some(LEADER)).hint;
    assert!(said.contains("leaves it so") && !said.contains("demotes"), "{said}");
}

#[test]
fn a_replica_that_consents_is_not_taken_for_a_primary() {
    let mut lab = Lab::healthy();
    for name in [OTHER, LAST, NEIGHBOUR] {
        if let Ok(patroni) = lab.node(name) {
            patroni.failsafe = true;
        }
    }
    // Replicas remember the consent for a ttl after etcd is back.
    let view = lab.view();
    assert_eq!((view.failsafe.as_deref(), view.leader.as_deref()), (None, Some(LEADER)));
    assert_eq!(view.problems, []);
}

#[test]
fn with_every_replica_too_far_behind_nobody_is_promised() {
    let view = Lab::leaderless([20 << 20, 16_777_520, 30 << 20]).view();
    let said = problem(&view, "no_leader", None);
    for part in [
        "no replica may take it",
        "pgha-demo1-DC1-1 is stopped",
        "pgha-demo1-DC2-1 is 16 MB behind the leader's last known position",
        "pgha-demo2-DC2-1 is 31 MB behind",
    ] {
        assert!(said.message.contains(part), "{part}: {}", said.message);
    }
    for part in [
        "more than 1 MB behind (maximum_lag_on_failover)",
        "bring back pgha-demo1-DC1-1",
        "promote pgha-demo1-DC2-1 and lose at least 16 MB",
        "`pgha failover demo-1 --to pgha-demo1-DC2-1`",
    ] {
        assert!(said.hint.contains(part), "{part}: {}", said.hint);
    }
    assert!(!said.hint.contains("within"), "{}", said.hint);

    // The setting as it runs decides.
    let mut lab = Lab::leaderless([20 << 20, 16_777_520, 30 << 20]);
    let mut running = Dynamic::of(&lab.topology.spec);
    running.maximum_lag_on_failover_bytes = 17 << 20;
    lab.dcs(|dcs| dcs.config = Some(running));
    let view = lab.view();
    assert_eq!(problem(&view, "no_leader", None).hint, "pgha-demo1-DC2-1 takes it within 10 s");
}

#[test]
fn what_keeps_a_replica_from_the_key_is_told_for_each() {
    let mut lab = Lab::leaderless([0, 0, 0]);
    assert!(problem(&lab.view(), "no_leader", None).hint.ends_with("takes it within 10 s"));

    *lab.node(OTHER) = Err("no answer within 400 ms".to_owned());
    *lab.node(NEIGHBOUR) = Ok(Patroni { state: "starting".to_owned(), ..replica(1, 100 << 20) });
    *lab.node(LAST) = Ok(replica(1, 100 << 20));
    lab.dcs(|dcs| dcs.promotion = Some(Promotion { timeline: 2, at_s: None }));
    let view = lab.view();
    let said = &problem(&view, "no_leader", None).message;
    for part in [
        "pgha-demo1-DC2-1 does not answer",
        "pgha-demo2-DC1-1 is in state `starting`",
        "pgha-demo2-DC2-1 is on the older timeline 1",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }

    // A pause is named as Patroni's, with the way out.
    if let Ok(patroni) = lab.node(LAST) {
        patroni.pause = true;
    }
    let view = lab.view();
    let said = problem(&view, "no_leader", None);
    assert!(said.message.contains("Patroni is paused"), "{}", said.message);
    assert!(said.hint.contains("until `pgha resume demo-1`"), "{}", said.hint);
}

#[test]
fn synchronous_replication_decides_who_is_promised() {
    let sync = |mode, names: &[&str], quorum| {
        let mut lab = Lab::leaderless([0, 0, 0]);
        let spec = Spec { durability: mode, ..lab.topology.spec.clone() };
        lab.dcs(|dcs| {
            dcs.config = Some(Dynamic::of(&spec));
            dcs.sync_leader = Some(LEADER.to_owned());
            dcs.sync_standbys = names.iter().map(|n| (*n).to_owned()).collect();
            dcs.sync_quorum = quorum;
        });
        problem(&lab.view(), "no_leader", None).clone()
    };
    let named = sync(Durability::Sync, &[LAST], 0);
    assert_eq!(named.hint, "pgha-demo2-DC2-1 takes it within 10 s");
    let nobody = sync(Durability::Strict, &["pgha-demo9-DC1-1"], 0);
    assert!(nobody.message.contains("pgha-demo2-DC2-1 is no synchronous standby"), "{nobody:?}");
    let all = [NEIGHBOUR, OTHER, LAST];
    assert!(sync(Durability::Quorum, &all, 1).hint.contains("takes it"));
    let few = sync(Durability::Quorum, &all, 3);
    assert!(few.message.contains("reaches too few voters"), "{few:?}");
    // A node without a vote needs one more than those with one.
    let mixed = sync(Durability::Quorum, &[OTHER, LAST], 1);
    assert!(mixed.hint.contains("pgha-demo2-DC1-1"), "{mixed:?}");
}

#[test]
fn with_quorum_commit_a_cluster_is_ready_once_a_failover_wants_no_more_votes_than_it_must() {
    let mut lab = Lab::healthy();
    lab.topology.spec.durability = Durability::Quorum;
    lab.configured(r#"{"synchronous_mode": "quorum", "synchronous_node_count": 2}"#);
    let voters = [NEIGHBOUR, OTHER, LAST].map(str::to_owned);
    for voter in &voters {
        lab.node(voter).as_mut().expect("it answers").quorum_standby = true;
    }
    let mut phrase = |quorum| {
        lab.wrote(0, &voters, quorum);
        awaiting(&lab.view()).first().map(ToString::to_string)
    };
    assert_eq!(phrase(1), None);
    let said = phrase(2).expect("it waits");
    assert_eq!(
        said,
        format!("{LEADER}: a failover wants 3 of 3 votes: waiting for Patroni's next round")
    );
}

#[test]
fn a_lost_leader_whose_key_still_runs_is_followed_by_who_may() {
    let mut lab = Lab::leaderless([20 << 20, 20 << 20, 20 << 20]);
    lab.key_holder(Some(LEADER));
    let view = lab.view();
    let hint = &problem(&view, "leader_unconfirmed", Some(LEADER)).hint;
    assert!(hint.contains("no replica may take over") && hint.contains("20 MB behind"), "{hint}");
    let mut lab = Lab::leaderless([20 << 20, 0, 20 << 20]);
    lab.key_holder(Some(LEADER));
    let view = lab.view();
    let hint = &problem(&view, "leader_unconfirmed", Some(LEADER)).hint;
    assert!(hint.ends_with("runs out within 30 s, and pgha-demo1-DC2-1 takes over"), "{hint}");
}

#[test]
fn a_node_that_cannot_start_says_what_postgres_says() {
    let mut lab = Lab::healthy();
    let fatal = "could not access file \"nowhere\": No such file or directory";
    let failed = |state: &str| Patroni {
        state: state.to_owned(),
        role: "replica".to_owned(),
        ..Patroni::default()
    };
    let log = LogFacts { start_failure: Some(fatal.to_owned()), stream_failure: None };
    lab.observed.logs.insert(OTHER.to_owned(), log);
    for state in ["start failed", "starting"] {
        *lab.node(OTHER) = Ok(failed(state));
        let view = lab.view();
        assert_eq!(codes(&view), ["start_failed"]);
        let said = format!("{OTHER}: start failed: {fatal}");
        assert_eq!(problem(&view, "start_failed", Some(OTHER)).message, said);
        assert_eq!(awaiting(&view)[0].to_string(), said);
    }
    // With all of them so there is no leader, and that is the consequence.
    for name in [LEADER, NEIGHBOUR, LAST] {
        *lab.node(name) = Ok(failed("start failed"));
    }
    lab.key_holder(None);
    let view = lab.view();
    assert_eq!(problem(&view, "no_leader", None).cause.as_deref(), Some("start_failed"));
    assert_eq!(view.problems[0].code, "start_failed");
    assert!(awaiting(&view).iter().any(|w| w.phrase == "Postgres: start failed"));

    // What it once ended with is not said of one that runs.
    let mut lab = Lab::healthy();
    let log = LogFacts { start_failure: Some(fatal.to_owned()), stream_failure: None };
    lab.observed.logs.insert(OTHER.to_owned(), log);
    assert_eq!(lab.view().problems, []);
    *lab.node(OTHER) = Ok(failed("start failed"));
    lab.observed.logs.clear();
    let view = lab.view();
    assert!(
        problem(&view, "start_failed", Some(OTHER))
            .message
            .ends_with("Patroni says `start failed`")
    );
}

#[test]
fn the_way_out_of_a_bad_setting_is_the_file_that_has_it() {
    let hint = |said: &str| {
        let mut lab = Lab::healthy();
        let log = LogFacts { start_failure: Some(said.to_owned()), stream_failure: None };
        lab.observed.logs.insert(OTHER.to_owned(), log);
        *lab.node(OTHER) = Ok(Patroni { state: "start failed".to_owned(), ..replica(1, 4000) });
        problem(&lab.view(), "start_failed", Some(OTHER)).hint.clone()
    };
    let (edit, auto) = ("patronictl edit-config", "nano /pgdata/17/postgresql.auto.conf");
    let by_hand = hint("configuration file \"/pgdata/17/postgresql.auto.conf\" contains errors");
    assert!(by_hand.contains(auto) && !by_hand.contains(edit), "{by_hand}");
    let by_patroni = hint("configuration file \"/pgdata/17/postgresql.conf\" contains errors");
    assert!(by_patroni.contains(edit) && !by_patroni.contains(auto), "{by_patroni}");
    // The words fit both, so it says how to tell.
    let either = hint("could not access file \"nowhere\": No such file or directory");
    for part in [edit, auto, "cat /pgdata/17/postgresql.auto.conf", "pgha logs"] {
        assert!(either.contains(part), "{part}: {either}");
    }
}

#[test]
fn a_leader_that_stops_is_not_said_to_lead_again() {
    let mut lab = Lab::leaderless([0, 20 << 20, 20 << 20]);
    lab.container(LEADER, ContainerState::Running);
    lab.key_holder(Some(LEADER));
    let hint = |lab: &mut Lab, state: &str| {
        *lab.node(LEADER) = Ok(Patroni { state: state.to_owned(), ..primary(1, 100 << 20) });
        problem(&lab.view(), "leader_unconfirmed", Some(LEADER)).hint.clone()
    };
    let stopping = hint(&mut lab, "stopping");
    assert!(!stopping.contains("leads again"), "{stopping}");
    let then = "once Postgres has stopped, and pgha-demo2-DC1-1 takes over";
    assert!(stopping.ends_with(then), "{stopping}");
    for state in ["starting", "restarting"] {
        assert!(hint(&mut lab, state).starts_with("it leads again"), "{state}");
    }
}

#[test]
fn what_a_probe_of_an_earlier_pgha_leaves_out_is_neither_good_nor_passing() {
    // As that one prints it, and as this one reads it.
    let old = r#"{"revision": 7, "leader": null, "system_id": "7515", "members": [], "sync_standbys": []}"#;
    let old: Dcs = serde_json::from_str(old).expect("a report");
    assert!(!old.tells_succession);
    let mut lab = Lab::leaderless([20 << 20, 0, 20 << 20]);
    lab.dcs(|dcs| *dcs = old.clone());
    let view = lab.view();
    let said = problem(&view, "no_leader", None);
    assert!(said.hint.contains("may take it within 10 s"), "{}", said.hint);
    assert!(said.hint.contains("is not known"), "{}", said.hint);
    lab.key_holder(Some(LEADER));
    let view = lab.view();
    let said = &problem(&view, "leader_unconfirmed", Some(LEADER)).hint;
    assert!(said.contains("may take over") && said.contains("is not known"), "{said}");

    // A promotion that nobody tells of is not taken for one of this moment.
    let mut lab = Lab::healthy();
    lab.promoted(500);
    lab.dcs(|dcs| *dcs = Dcs { leader: dcs.leader.clone(), ..old.clone() });
    let view = lab.view();
    let said = problem(&view, "timeline", Some(LEADER));
    assert_eq!(said.severity, Severity::Warning);
    assert!(said.hint.contains("is not known"), "{}", said.hint);

    // Nor is a replica that does not say how far it is taken for one that has nothing.
    let mut lab = Lab::leaderless([0, 0, 0]);
    for name in [NEIGHBOUR, OTHER, LAST] {
        *lab.node(name) = Ok(Patroni { received: None, replayed: None, ..replica(1, 0) });
    }
    let view = lab.view();
    let said = problem(&view, "no_leader", None);
    assert!(said.message.contains("does not report its WAL position"), "{}", said.message);
    assert!(!said.message.contains("behind"), "{}", said.message);
}

#[test]
fn a_cut_link_comes_first_and_what_follows_from_it_under_it() {
    let mut lab = Lab::healthy();
    lab.observed.links = Some(links(&lab, &["DC2"]));
    for member in lab.etcd().filter(|e| e.name.contains("-DC2-")) {
        member.dcs = Err("no answer within 400 ms".to_owned());
    }
    for name in [OTHER, LAST] {
        if let Ok(patroni) = lab.node(name) {
            patroni.replication_state = Some("in archive recovery".to_owned());
        }
    }
    let view = lab.view();
    assert_eq!(
        codes(&view),
        ["links_cut", "etcd_unhealthy", "quorum_at_risk", "not_streaming", "not_streaming"]
    );
    for consequence in &view.problems[1..] {
        assert_eq!(consequence.cause.as_deref(), Some("links_cut"), "{consequence:?}");
        assert!(!consequence.hint.contains("no longer keeps"), "{}", consequence.hint);
    }
    let said = problem(&view, "not_streaming", Some(OTHER));
    assert!(said.message.ends_with("the link between DC2 and DC1 is cut"), "{}", said.message);
    // The archive is out of reach too.
    assert!(!said.hint.contains("archived"), "{}", said.hint);
    let reachable: Vec<Option<bool>> = view.sites.iter().map(|s| s.reachable).collect();
    assert_eq!(reachable, [Some(true), Some(false), Some(true)]);

    // Only the two data centers are cut from each other: all are reached, by way of DC3.
    let mut state = links(&lab, &[]);
    for link in &mut state.links {
        link.settings.cut = (link.from != "DC3" && link.to != "DC3").into();
    }
    lab.observed.links = Some(state);
    let view = lab.view();
    assert!(view.sites.iter().all(|site| site.reachable == Some(true)));
    let said = problem(&view, "not_streaming", Some(OTHER));
    assert!(said.hint.contains("replays what is archived"), "{}", said.hint);
    lab.observed.links = None;
    assert!(lab.view().sites.iter().all(|site| site.reachable.is_none()));
}

#[test]
fn a_service_that_is_cut_explains_what_needs_it_and_nothing_else() {
    let broken = |port| {
        let mut lab = Lab::healthy();
        lab.observed.links = Some(cut_around(&lab, &["DC2"], Some(port)));
        for member in lab.etcd().filter(|e| e.name.contains("-DC2-")) {
            member.dcs = Err("no answer within 400 ms".to_owned());
        }
        if let Ok(patroni) = lab.node(OTHER) {
            patroni.replication_state = Some("in archive recovery".to_owned());
        }
        lab.view()
    };
    for (port, explained) in [
        (Service::Etcd, &["etcd_unhealthy", "quorum_at_risk"][..]),
        (Service::Postgres, &["not_streaming"]),
        (Service::Patroni, &[]),
    ] {
        let view = broken(port);
        assert!(view.sites.iter().all(|site| site.reachable == Some(true)), "{:?}", view.sites);
        let cut = problem(&view, "links_cut", None);
        assert!(cut.message.contains(&format!("DC1 to DC2 ({port})")), "{}", cut.message);
        let of_it = view.problems.iter().filter(|p| p.cause.as_deref() == Some("links_cut"));
        assert_eq!(of_it.map(|p| p.code.as_str()).collect::<Vec<_>>(), explained, "{port}");
    }
    let view = broken(Service::Postgres);
    let said = problem(&view, "not_streaming", Some(OTHER));
    assert!(said.message.ends_with("port 5432 is cut between DC2 and DC1"), "{}", said.message);
    assert!(said.hint.contains("replays what is archived"), "{}", said.hint);
}

#[test]
fn a_wait_that_a_cut_link_keeps_from_ending_knows_the_link() {
    let mut lab = Lab::healthy();
    // Cut, and everything is there: nobody waits because of it.
    let mut state = links(&lab, &[]);
    state.links[0].settings.cut = Cut::Yes;
    lab.observed.links = Some(state);
    assert_eq!(codes(&lab.view()), ["links_cut"]);
    assert_eq!(cut_off(&lab.view()), None);

    lab.observed.links = Some(links(&lab, &["DC2"]));
    if let Ok(patroni) = lab.node(OTHER) {
        patroni.replication_state = None;
    }
    let view = lab.view();
    assert_eq!(awaiting(&view)[0].phrase, "not streaming yet");
    let said = cut_off(&view).expect("the links");
    assert!(said.message.contains("DC2") && said.hint.contains("`pgha wan heal`"), "{said:?}");
    // Nothing is cut that is not said to be.
    lab.observed.links = None;
    assert_eq!(cut_off(&lab.view()), None);
}

#[test]
fn an_isolated_leader_is_a_consequence_too() {
    let mut lab = Lab::healthy();
    lab.observed.links = Some(links(&lab, &["DC1"]));
    for member in lab.etcd().filter(|e| e.name.contains("-DC1-")) {
        member.dcs = Err("no answer within 400 ms".to_owned());
    }
    lab.key_holder(None);
    let view = lab.view();
    assert_eq!(view.problems[0].code, "links_cut");
    for code in ["no_leader", "primary_without_key"] {
        assert_eq!(problem(&view, code, None).cause.as_deref(), Some("links_cut"), "{code}");
    }
}

#[test]
fn what_passes_by_itself_after_a_promotion_is_no_warning_within_its_time() {
    let of_replicas = |age_s| {
        let mut lab = Lab::healthy();
        lab.promoted(age_s);
        *lab.node(LEADER) = Ok(Patroni {
            replication_state: Some("in archive recovery".to_owned()),
            ..replica(1, 5000)
        });
        let view = lab.view();
        view.problems
            .iter()
            .map(|p| (p.code.clone(), p.severity, p.hint.clone()))
            .collect::<Vec<_>>()
    };
    let early = of_replicas(5);
    assert_eq!(early.len(), 3, "{early:?}");
    for (code, severity, hint) in early {
        assert_eq!(severity, Severity::Info, "{code}");
        assert!(hint.contains("usual for up to 30 s") && !hint.contains("reinit"), "{hint}");
    }
    let late = of_replicas(31);
    assert!(late.iter().all(|(_, severity, _)| *severity == Severity::Warning), "{late:?}");
    let timeline = late.iter().find(|(code, ..)| code == "timeline").expect("one");
    assert!(timeline.2.contains("reinit pgha_cluster"), "{}", timeline.2);

    // A promotion that is not recorded yet has just been.
    let mut lab = Lab::healthy();
    lab.promoted(500);
    lab.dcs(|dcs| dcs.promotion = None);
    assert!(lab.view().problems.iter().all(|p| p.severity == Severity::Info));
    // And a node that was started just now is late for a reason.
    lab.promoted(500);
    let fact = lab.observed.containers.iter_mut().find(|c| c.name == LAST).expect("a member");
    fact.detail = "Up 4 seconds".to_owned();
    let view = lab.view();
    assert_eq!(problem(&view, "timeline", Some(LAST)).severity, Severity::Info);
    assert_eq!(problem(&view, "timeline", Some(NEIGHBOUR)).severity, Severity::Warning);
}

#[test]
fn why_a_replica_does_not_stream_is_taken_from_its_log() {
    let mut lab = Lab::healthy();
    if let Ok(patroni) = lab.node(OTHER) {
        patroni.replication_state = Some("in archive recovery".to_owned());
    }
    let said = |lab: &Lab| problem(&lab.view(), "not_streaming", Some(OTHER)).clone();
    assert!(!said(&lab).hint.contains("no longer keeps"));
    let removed =
        "could not receive data from WAL stream: requested WAL segment has already been removed";
    let log = LogFacts { start_failure: None, stream_failure: Some(removed.to_owned()) };
    lab.observed.logs.insert(OTHER.to_owned(), log);
    assert!(said(&lab).message.ends_with(removed));
    assert!(said(&lab).hint.contains("from the archive"), "{}", said(&lab).hint);
}

#[test]
fn a_change_of_members_that_is_not_finished_is_said() {
    let mut lab = Lab::healthy();
    lab.observed.changing = Some("add 1 node in DC2, at: node pgha-demo3-DC2-1".to_owned());
    let view = lab.view();
    let said = problem(&view, "members_changing", None);
    assert!(said.message.ends_with("at: node pgha-demo3-DC2-1"), "{}", said.message);
    assert!(said.hint.starts_with("`pgha scale demo-1 --resume`"), "{}", said.hint);
}

#[test]
fn maintenance_is_said_as_long_as_a_node_has_it() {
    let mut lab = Lab::healthy();
    assert!(lab.view().problems.iter().all(|problem| problem.code != "maintenance"));
    lab.observed.maintenance = vec![OTHER.to_owned()];
    let view = lab.view();
    let said = problem(&view, "maintenance", None);
    let outlives = format!("the container of {OTHER} outlives its Patroni");
    assert!(said.message.ends_with(&outlives), "{}", said.message);
    assert_eq!(said.hint, "`pgha maintenance off demo-1` ends that");
}

#[test]
fn a_pause_is_named_after_who_paused() {
    let mut lab = Lab::healthy();
    lab.container(LAST, ContainerState::Paused);
    *lab.node(LAST) = Err("no answer within 400 ms".to_owned());
    if let Ok(patroni) = lab.node(OTHER) {
        patroni.pause = true;
    }
    let view = lab.view();
    assert!(problem(&view, "member_down", Some(LAST)).message.contains("`docker pause`"));
    let said = problem(&view, "patroni_paused", None);
    assert!(said.message.contains("Patroni is paused"), "{}", said.message);
    assert_eq!(said.hint, "`pgha resume demo-1` ends that");

    for name in lab.topology.containers() {
        lab.container(&name, ContainerState::Paused);
    }
    lab.observed.sites.clear();
    let view = lab.view();
    assert_eq!(codes(&view), ["cluster_stopped"]);
    assert!(view.problems[0].message.contains("all containers of the cluster are paused"));
    assert_eq!(view.problems[0].hint, "`pgha start demo-1` resumes them");
}

#[test]
fn too_little_disk_is_a_problem_and_by_how_much_decides() {
    for (free_bytes, found) in [
        (30_000_000_000, None),
        (15_000_000_000, Some((Severity::Info, "disk_tight"))),
        (3_000_000_000, Some((Severity::Warning, "disk_low"))),
        (300_000_000, Some((Severity::Error, "disk_full"))),
    ] {
        let mut lab = Lab::healthy();
        // The site with the least counts.
        let report = lab.reports().nth(1).expect("a second site");
        report.disk = Some(Disk { size_bytes: 1 << 40, free_bytes });
        let view = lab.view();
        let got = view.problems.first().map(|p| (p.severity, p.code.as_str()));
        assert_eq!(got, found, "{free_bytes}");
        assert!(view.problems.iter().all(|p| p.message.contains("free") && p.cause.is_none()));
    }
    // What nobody told is neither.
    let mut lab = Lab::healthy();
    lab.reports().for_each(|report| report.disk = None);
    assert_eq!((lab.view().disk, lab.view().problems), (None, Vec::new()));
}

#[test]
fn a_disk_that_one_member_has_to_itself_is_said_to_be_that_members() {
    let about = |size_bytes, by: &str, free_bytes| {
        let mut lab = Lab::healthy();
        let report = lab.reports().nth(1).expect("a second site");
        report.disk = Some(Disk { size_bytes, free_bytes });
        by.clone_into(&mut report.by);
        lab.view().problems.first().map(|p| (p.about.clone(), p.message.clone()))
    };
    let (of_all, own) = (1 << 40, 1 << 26);
    let (who, said) = about(of_all, OTHER, 300_000_000).expect("a problem");
    assert!(who.is_none() && said.contains("the engine's disk has 300 MB"), "{said}");
    let (who, said) = about(own, OTHER, 60_000_000).expect("a problem");
    assert_eq!(who.as_deref(), Some(OTHER));
    assert!(said.starts_with(&format!("the disk of {OTHER} has 60 MB")), "{said}");
    assert!(said.ends_with("its Postgres stops"), "{said}");
    // What the whole cluster may take says nothing of it.
    assert_eq!(about(own, OTHER, 15_000_000_000), None);
}

#[test]
fn a_lag_has_a_unit() {
    let mut lab = Lab::healthy();
    *lab.node(LEADER) = Ok(primary(1, 20_971_520 + 4000));
    *lab.node(OTHER) = Ok(replica(1, 4000));
    let view = lab.view();
    assert_eq!(
        problem(&view, "lag", Some(OTHER)).message,
        format!("{OTHER} is 20 MB behind the leader")
    );
}

proptest! {
    #[test]
    fn a_consequence_stands_under_its_cause_and_numbers_have_units(
        lab in any_lab(),
        cut in 0u8..8,
        port in proptest::option::of(proptest::sample::select(&Service::ALL[..])),
    ) {
        let mut lab = lab;
        let isolated: Vec<&str> =
            ["DC1", "DC2", "DC3"].into_iter().enumerate().filter(|(n, _)| cut >> n & 1 == 1).map(|(_, s)| s).collect();
        lab.observed.links = Some(cut_around(&lab, &isolated, port));
        lab.observed.now_s = Some(NOW_S);
        let view = lab.view();
        for (at, problem) in view.problems.iter().enumerate() {
            if let Some(cause) = &problem.cause {
                let first = view.problems.iter().position(|p| p.code == *cause);
                prop_assert!(first.is_some_and(|first| first < at), "{:?}", view.problems);
                prop_assert_eq!(&view.problems[first.expect("one")].cause, &None);
            }
            prop_assert!(!problem.message.contains(" bytes") && !problem.hint.contains(" bytes"));
        }
    }
}

#[test]
fn what_a_restore_brings_about_is_no_problem_of_its_own() {
    let restore = crate::restore::Unfinished {
        id: "20261124-160000".to_owned(),
        target: "0/3000000".to_owned(),
        phase: crate::restore::Phase::Forward,
        step: Some(crate::restore::Step::Recover),
        doing: "replaying WAL".to_owned(),
        ways: "`pgha restore demo-1` resumes here".to_owned(),
    };
    let codes = |lab: &Lab| lab.view().problems.into_iter().map(|p| p.code).collect::<Vec<_>>();
    let mut lab = Lab::leaderless([0, 0, 0]);
    assert!(codes(&lab).contains(&"no_leader".to_owned()), "{:?}", codes(&lab));
    let outside = lab.observed.sites.get_mut("DC3").expect("the external site");
    let outside = outside.as_mut().expect("its report");
    (outside.restoring, outside.restore) = (true, Some(restore.clone()));
    let view = lab.view();
    assert_eq!(view.problems.len(), 1, "{:?}", view.problems);
    assert_eq!(view.problems[0].message, restore.message());
    assert_eq!(view.problems[0].hint, restore.ways);
    // Before anything is stopped, the cluster's own problems are its own.
    let outside = lab.observed.sites.get_mut("DC3").expect("the external site");
    let archiving =
        crate::restore::Unfinished { step: Some(crate::restore::Step::Archive), ..restore };
    outside.as_mut().expect("its report").restore = Some(archiving);
    assert!(codes(&lab).contains(&"no_leader".to_owned()), "{:?}", codes(&lab));
}

#[test]
fn a_majority_of_etcd_that_may_be_lost_is_looked_at_and_one_that_can_come_back_is_not() {
    let etcd = |lab: &Lab| -> Vec<String> {
        lab.topology.of_role(Role::Etcd).map(|member| member.name.clone()).collect()
    };
    let hint = |lab: &Lab| problem(&lab.view(), "no_quorum", None).hint.clone();
    let gone = |state: ContainerState| {
        let mut lab = Lab::healthy();
        let members = etcd(&lab);
        for name in &members[..2] {
            lab.container(name, state);
        }
        for member in lab.etcd() {
            member.dcs = Err("etcdserver: request timed out".to_owned());
            if members[..2].contains(&member.name) {
                member.status = Err("connection refused".to_owned());
            }
        }
        lab
    };
    let look = "`pgha repair etcd demo-1 --dry-run`";
    let mut lab = gone(ContainerState::Missing);
    assert!(hint(&lab).contains(look), "{}", hint(&lab));
    // They run on empty stores, or have just been started.
    lab = gone(ContainerState::Running);
    assert!(hint(&lab).contains(look), "{}", hint(&lab));
    for name in &etcd(&lab)[..2] {
        let container = lab.observed.containers.iter_mut().find(|c| c.name == *name);
        container.expect("a container").detail = "Up 2 seconds".to_owned();
    }
    assert!(!hint(&lab).contains("repair"), "{}", hint(&lab));
    // What is stopped has its store, and starts.
    assert!(!hint(&gone(ContainerState::Stopped)).contains("repair"));
    // Nobody keeps the journal; members may be in touch once the router is.
    let without = |member: String| {
        let mut lab = gone(ContainerState::Missing);
        lab.container(&member, ContainerState::Stopped);
        lab
    };
    let topology = Lab::healthy().topology.clone();
    for member in [topology.backup_host().name.clone(), topology.router()] {
        assert!(!hint(&without(member)).contains("repair"));
    }
}

#[test]
fn a_repair_that_is_not_finished_is_said_and_is_why_etcd_has_no_quorum() {
    let mut lab = Lab::healthy();
    let repair = crate::observe::UnfinishedRepair {
        id: "20261128-190500".to_owned(),
        back: false,
        doing: "adding pgha-etcd2-DC2-1".to_owned(),
        ways: "`pgha repair etcd demo-1` resumes here".to_owned(),
    };
    let outside = lab.observed.sites.get_mut("DC3").expect("the external site");
    outside.as_mut().expect("its report").repair = Some(repair.clone());
    let view = lab.view();
    assert_eq!(codes(&view), ["repair_unfinished"]);
    let said = problem(&view, "repair_unfinished", None);
    assert!(said.message.contains("at: adding pgha-etcd2-DC2-1"), "{}", said.message);
    assert!(said.hint.starts_with(&repair.ways), "{}", said.hint);
    for member in lab.etcd() {
        member.dcs = Err("etcdserver: request timed out".to_owned());
        member.status = Err("connection refused".to_owned());
    }
    let view = lab.view();
    let quorum = problem(&view, "no_quorum", None);
    assert_eq!(quorum.cause.as_deref(), Some("repair_unfinished"));
    assert!(!quorum.hint.contains("pgha repair"), "{}", quorum.hint);
}

#[test]
fn what_keeps_a_node_from_leading_is_said() {
    let reason = |lab: &Lab| crate::ready::to_lead(&lab.view(), LEADER);
    assert_eq!(crate::ready::to_lead(&Lab::healthy().view(), "another"), format!("{LEADER} leads"));
    let mut lab = Lab::leaderless([0, 0, 0]);
    lab.container(LEADER, ContainerState::Running);
    *lab.node(LEADER) = Err("connection refused".to_owned());
    assert_eq!(reason(&lab), "Patroni: connection refused");
    for node in lab.topology.clone().of_role(Role::Postgres).skip(1) {
        if let Ok(patroni) = lab.node(&node.name) {
            patroni.pause = true;
        }
    }
    assert!(reason(&lab).contains("paused"), "{}", reason(&lab));
    for etcd in lab.etcd() {
        etcd.dcs = Err("no answer".to_owned());
    }
    assert_eq!(reason(&lab), "no quorum of etcd is known");
}

#[test]
fn a_fault_that_was_injected_is_said_first_and_with_its_end() {
    let fault = |until: Option<&str>| OngoingFault {
        title: "isolate DC1".to_owned(),
        since: "2026-11-28T03:00:01.5Z".to_owned(),
        until: until.map(str::to_owned),
    };
    let mut lab = Lab::healthy();
    lab.observed.faults = vec![fault(None), fault(Some("2026-11-28T03:00:31.5Z"))];
    let said: Vec<_> = lab.view().problems.into_iter().map(|p| (p.message, p.hint)).collect();
    let message = "fault `isolate DC1` is injected, since 03:00:01 UTC".to_owned();
    assert_eq!(said[0], (message.clone(), "`pgha heal demo-1` takes it back".to_owned()));
    assert_eq!(said[1].0, message);
    assert!(said[1].1.starts_with("it is taken back at 03:00:31 UTC"), "{}", said[1].1);
    for container in &mut lab.observed.containers {
        container.state = ContainerState::Stopped;
    }
    assert_eq!(codes(&lab.view())[0], FAULT, "{:?}", lab.view().problems);
}

const FAULT: &str = "fault_injected";

#[test]
fn a_proxy_that_does_not_see_the_leader_is_a_problem_only_where_there_is_one() {
    let mut lab = Lab::with(Spec {
        data_centers: 2,
        proxy: ProxySpec { haproxy: true, pgbouncer: false },
        ..Spec::default()
    });
    assert_eq!(lab.view().problems, []);
    assert_eq!(
        lab.view().member(PROXY).and_then(|m| m.state.clone()).as_deref(),
        Some("leader seen")
    );
    lab.proxies(|behind| *behind = Ok(Behind::default()));
    let view = lab.view();
    assert_eq!(problem(&view, "proxy_without_leader", Some(PROXY)).cause, None);
    let waiting = awaiting(&view).into_iter().find(|waiting| waiting.member == PROXY);
    assert_eq!(waiting.map(|w| w.phrase).as_deref(), Some("proxy: checking which node leads"));
    // Behind a cut link it is the consequence of that.
    lab.observed.links = Some(links(&lab, &["DC2"]));
    assert_eq!(
        problem(&lab.view(), "proxy_without_leader", Some(PROXY)).cause.as_deref(),
        Some("links_cut")
    );
    lab.observed.links = None;
    lab.dcs(|dcs| dcs.leader = None);
    assert!(lab.view().problems.iter().all(|problem| !problem.code.starts_with("proxy")));
    lab.proxies(|behind| *behind = Err("connection refused".to_owned()));
    let view = lab.view();
    assert!(problem(&view, "proxy_unknown", Some(PROXY)).message.ends_with("connection refused"));
}
