use std::collections::BTreeSet;

use super::*;
use crate::fault::Kind;
use crate::history::Operation;
use crate::layout::{Change, Layout};
use crate::spec::Spec;
use crate::survival;

fn drills() -> Vec<Drill> {
    let all = CATALOGUE
        .iter()
        .chain(&LESSONS)
        .map(|(name, text)| Drill::parse(name, text).unwrap_or_else(|e| panic!("{name}: {e}")));
    all.collect()
}

#[test]
fn every_drill_of_the_catalogue_is_read_and_says_something_else() {
    let drills = drills();
    let names: BTreeSet<&str> = drills.iter().map(|d| d.name.as_str()).collect();
    let titles: BTreeSet<&str> = drills.iter().map(|d| d.title.as_str()).collect();
    assert_eq!((names.len(), titles.len()), (drills.len(), drills.len()));
    for drill in &drills {
        assert!(!drill.description.trim().is_empty(), "{}", drill.name);
        assert_eq!(by_name(&drill.name).as_ref(), Some(drill));
        // What lasts is healed within the drill, so that a run tells how long that took.
        let lasts =
            drill.steps.iter().any(|s| matches!(s, Step::Inject { deed, .. } if deed.kind.lasts()));
        assert_eq!(lasts, drill.steps.contains(&Step::Heal), "{}", drill.name);
    }
}

#[test]
fn the_steps_in_words_end_with_what_every_run_ends_with() {
    let words = by_name("leader-killed").expect("a drill").in_words();
    assert!(words.iter().any(|step| step == "inject kill leader"), "{words:?}");
    assert!(words.last().is_some_and(|last| last.ends_with("read what is there")), "{words:?}");
}

#[test]
fn the_template_is_a_drill() {
    let drill = Drill::parse("new", TEMPLATE).expect("a drill");
    assert_eq!(drill.expect.len(), 4);
}

#[test]
fn every_lesson_asks_and_is_for_the_cluster_that_is_made_for_it() {
    for (name, text) in LESSONS {
        let lesson = Drill::parse(name, text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(lesson.questions().count() > 0, "{name}");
        assert!(matches!(lesson.steps[0], Step::Say(_)), "{name} begins with what it is about");
        // A prediction after the experiment is none.
        let acts = |step: &Step| match step {
            Step::Inject { .. } => true,
            Step::Pgha(arguments) => {
                matches!(arguments[0].as_str(), "switchover" | "wan" | "restore")
            }
            _ => false,
        };
        let asked = lesson.steps.iter().position(|step| matches!(step, Step::Ask(_)));
        assert!(asked < lesson.steps.iter().position(acts), "{name}");
        let spec = lesson.cluster.clone().unwrap_or_else(|| panic!("{name} has a cluster"));
        assert!(!crate::lint::has_errors(&crate::lint::check(&spec)), "{name}");
        let settings = Dynamic::of(&spec);
        let expected = lesson.expected_with(&Topology::new(spec, 1), settings);
        assert!(expected.is_ok(), "{name}: {expected:?}");
    }
}

#[test]
fn the_right_answer_of_a_lesson_is_what_the_planner_says() {
    for (name, answer, writes, lost) in [
        ("quorum", 2, Writes::Healed, Lost::None),
        ("failover", 2, Writes::Failover, Lost::None),
        ("async-loses-writes", 3, Writes::Failover, Lost::Some),
        ("split-brain", 2, Writes::Failover, Lost::None),
        ("sync-across-an-ocean", 3, Writes::GoOn, Lost::None),
        ("external-site", 2, Writes::GoOn, Lost::None),
        ("switching-over", 3, Writes::Switchover, Lost::None),
        ("table-dropped", 2, Writes::Healed, Lost::None),
        ("failsafe", 2, Writes::GoOn, Lost::None),
    ] {
        let lesson = by_name(name).expect("a lesson");
        let spec = lesson.cluster.clone().expect("a cluster");
        let topology = Topology::new(spec.clone(), 1);
        let expected = lesson.expected_with(&topology, Dynamic::of(&spec));
        assert_eq!(expected, Ok(Expectation { writes, lost }), "{name}");
        assert_eq!(
            lesson.questions().next().map(|question| question.answer),
            Some(answer),
            "{name}"
        );
        // Which sites a lesson takes away, and what the survival table says of that.
        let Some(targets) = lesson.steps.iter().find_map(|step| match step {
            Step::Inject { deed, targets } if deed.port.is_none() => Some(targets),
            _ => None,
        }) else {
            continue;
        };
        let external = topology.sites.len() - 1;
        let lost_sites: Vec<usize> = match &targets[..] {
            [Target::SiteOfLeader] => vec![0],
            [Target::External] => vec![external],
            [Target::SiteWithoutLeader, Target::External] => vec![1, external],
            _ => continue,
        };
        let named = |row: &&survival::Survival| {
            let names = lost_sites.iter().map(|site| topology.sites[*site].name.clone());
            row.lost == names.collect::<Vec<_>>()
        };
        let table = survival::table(&topology);
        let row = table.iter().find(named).unwrap_or_else(|| panic!("{name}: {lost_sites:?}"));
        let went = match writes {
            Writes::Healed => !row.outcome.quorum,
            Writes::GoOn => row.outcome.quorum && row.outcome.writes_go_on,
            _ => row.outcome.promotable,
        };
        assert!(went, "{name}: {row:?}");
        assert!(
            lost != Lost::None
                || writes == Writes::Healed
                || !row.outcome.acknowledged_loss
                || lost_sites == [external],
            "{name}: {row:?}"
        );
    }
}

#[test]
fn an_explanation_names_what_was_measured() {
    let run = |lost, rto_s| RunReport {
        verdict: Verdict { prediction: Prediction::Confirmed, reasons: Vec::new() },
        faults: Vec::new(),
        ok: 6135,
        lost,
        unknown: 4,
        unexpected: 0,
        two_writers_s: 0.0,
        checks: Vec::new(),
        rto_s,
        full_redundancy_s: Some(13.02),
        phases: None,
        leaders: [None, None],
        commits: Some(Commits { before_ms: 1.23, meanwhile_ms: 81.55 }),
        beside: None,
    };
    let text = "{lost} of {acknowledged}, {outage}, {two_writers}, {commit_before} to {commit_meanwhile}, {whole}";
    assert_eq!(
        explained(text, &run(Some(1684), Some(13.5))),
        "1684 of 6135, 13.5 s, 0.0 s, 1.2 ms to 81.5 ms, 13.0 s"
    );
    assert_eq!(explained("{lost}, {outage}", &run(None, None)), "(not measured), (not measured)");
}

#[test]
fn a_commit_is_measured_before_the_fault_and_until_it_is_taken_back() {
    let ms = Duration::from_millis;
    let write = |sent, took, outcome| Operation {
        client: 0,
        id: sent,
        sent: ms(sent),
        ended: ms(sent + took),
        outcome,
        node: 0,
    };
    let ok = crate::history::Outcome::Ok;
    let writes = [
        write(0, 2, ok),
        write(100, 2, ok),
        // Over the fault: it is neither.
        write(990, 500, ok),
        write(2_000, 80, ok),
        write(2_100, 3, crate::history::Outcome::Failed),
        write(2_200, 82, ok),
        write(2_300, 84, ok),
        // All is taken back.
        write(5_000, 1, ok),
    ];
    let of = |writes: &[Operation]| Commits::of(writes, ms(1_000), ms(4_000));
    assert_eq!(of(&writes), Some(Commits { before_ms: 2.0, meanwhile_ms: 82.0 }));
    assert_eq!(of(&writes[..3]), None);
}

#[test]
fn what_steps_were_to_see_and_did_not_refutes() {
    let safe = Expectation { writes: Writes::Failover, lost: Lost::None };
    let unmet = vec!["alert PatroniHasNoLeader did not fire within 60 s".to_owned()];
    let verdict = judge(&rules(safe), &Facts { unmet: unmet.clone(), ..found() });
    assert_eq!((verdict.prediction, verdict.reasons), (Prediction::Refuted, unmet));
}

#[test]
fn verbs_of_pgha_stay_with_the_cluster_of_the_drill() {
    let read = |arguments: &str| {
        let text = format!(
            "title = 't'\n[[step]]\npgha = {arguments}\n[expect]\nasync = {{ writes = 'go-on', lost = 'none' }}\n"
        );
        Drill::parse("t", &text)
    };
    let good = read("['restore', '{cluster}', '--name', 'x', '--yes']").expect("a drill");
    assert_eq!(good.replaces_data().count(), 1);
    let switchover = read("['switchover', '{cluster}']").expect("a drill");
    assert_eq!(switchover.replaces_data().count(), 0);
    let Step::Pgha(words) = &switchover.steps[0] else { panic!("{switchover:?}") };
    assert_eq!(arguments(words, "demo-1"), ["switchover", "demo-1"]);
    for (arguments, said) in [
        ("[]", "runs no ``"),
        ("['down', '{cluster}', '--volumes', '--yes']", "line 2, step 1: `pgha` runs no `down`"),
        ("['switchover']", "`{cluster}` is missing"),
        ("['switchover', 'demo']", "`{cluster}` is missing"),
        ("['restore', '{cluster}', '--latest']", "`--yes` is missing"),
        ("['restore', '{cluster}', '--latest', '--yes', '--into=copy']", "`--into` leaves"),
        ("['restore', '{cluster}', '--latest', '--yes', '--node', '1']", "`--node` leaves"),
    ] {
        let error = read(arguments).expect_err(arguments).to_string();
        assert!(error.contains(said), "{arguments}: {error}");
    }
}

fn kinds() -> impl Iterator<Item = (&'static Durability, &'static Acknowledge)> {
    Durability::ALL
        .iter()
        .flat_map(|durability| Acknowledge::ALL.iter().map(move |it| (durability, it)))
}

/// What a drill that loses a site expects is what the survival table says of that site.
#[test]
fn what_is_expected_of_a_lost_site_is_what_the_planner_says() {
    for drill in drills() {
        let [
            ..,
            Step::Inject {
                deed: Deed { kind: Kind::Kill | Kind::Isolate, port: None, flap: None, .. },
                targets,
            },
        ] = &drill
            .steps
            .iter()
            .filter(|s| matches!(s, Step::Inject { .. }))
            .cloned()
            .collect::<Vec<_>>()[..]
        else {
            continue;
        };
        let leaders = match &targets[..] {
            [Target::SiteOfLeader] => true,
            [Target::SiteWithoutLeader | Target::External] => false,
            _ => continue,
        };
        for data_centers in 2..=5 {
            for nodes in 1..=3 {
                for (durability, acknowledge) in kinds() {
                    let spec = Spec {
                        data_centers,
                        nodes,
                        durability: *durability,
                        acknowledge: *acknowledge,
                        ..Spec::default()
                    };
                    let topology = Topology::new(spec, 1);
                    let Ok(expected) = drill.expected(&topology, *durability) else { continue };
                    let site = match &targets[..] {
                        [Target::External] => topology.sites.len() - 1,
                        _ => 0,
                    };
                    let row = &survival::table(&topology)[site];
                    let what = format!(
                        "{} {data_centers} × {nodes} {durability} {acknowledge}",
                        drill.name
                    );
                    assert!(row.outcome.quorum, "{what}");
                    if leaders && row.outcome.promotable {
                        assert_eq!(
                            expected.lost == Lost::None,
                            !row.outcome.acknowledged_loss,
                            "{what}"
                        );
                        assert_eq!(expected.writes, Writes::Failover, "{what}");
                    } else {
                        // What nobody was promoted without is there again with the disks of the lost.
                        assert_eq!(expected.lost, Lost::None, "{what}");
                        assert_eq!(expected.writes == Writes::Healed, leaders, "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_prediction_goes_by_the_members_that_the_cluster_has() {
    let made =
        Spec { data_centers: 2, nodes: 1, acknowledge: Acknowledge::Local, ..Spec::default() };
    let drill = by_name("disk-slow").expect("a drill");
    let of =
        |layout: Layout| drill.expected(&Topology::with(made.clone(), 1, layout), Durability::Sync);
    let before = Layout::of(&made);
    assert_eq!(of(before.clone()), Err(NotFor::Alone("DC1".to_owned())));
    let add = |site| Change::AddMember(Role::Postgres, site);
    let one = before.changed(&[add(1)]).expect("a layout");
    assert_eq!(of(one.clone()), Err(NotFor::Alone("DC2".to_owned())));
    let both = one.changed(&[add(2)]).expect("a layout");
    assert!(of(both).is_ok());
}

#[test]
fn a_mistake_in_a_file_is_pointed_at() {
    let whole = "title = 't'\n[[step]]\ninject = 'kill'\ntarget = 'leader'\n[expect]\nasync = { writes = 'failover', lost = 'none' }\n";
    Drill::parse("t", whole).expect("a drill");
    for (from, to, said) in [
        ("title", "titel", "unknown field `titel`"),
        ("'kill'", "'kil'", "step 1: there is no fault `kil`"),
        ("target = 'leader'\n", "", "step 1: `kill` wants a `target`"),
        ("inject = 'kill'\n", "", "step 1: `target` belongs to `inject`"),
        ("inject = 'kill'\n", "inject = 'kill'\nheal = true\n", "step 1: a step is one of"),
        ("inject = 'kill'\n", "inject = 'kill'\ntimeout = '3s'\n", "`timeout` belongs to `wait`"),
        ("'failover'", "'soon'", "unknown variant `soon`"),
        ("async", "asink", "asink"),
        ("inject = 'kill'\n", "inject = 'kill'\nport = 'etcd'\n", "step 1: kill is not for links"),
        ("inject = 'kill'\n", "inject = 'isolate'\nport = 'http'\n", "unknown variant `http`"),
        ("inject = 'kill'\n", "inject = 'kill'\nflap = '8s'\n", "step 1: kill is not for links"),
        ("inject = 'kill'\n", "inject = 'cut'\nflap = '8ms'\n", "step 1: `50% of 8ms` is no flap"),
        ("inject = 'kill'\n", "inject = 'cut'\nduty = '40%'\n", "`duty` belongs to `flap`"),
        ("inject = 'kill'\n", "inject = 'kill'\ndelay = '1s'\n", "step 1: kill has no delay"),
        ("inject = 'kill'\n", "inject = 'disk-slow'\ndelay = '1h'\n", "is no delay of a disk"),
        ("inject = 'kill'\n", "inject = 'kill'\noffset = '1s'\n", "step 1: kill has no offset"),
        ("inject = 'kill'\n", "inject = 'etcd-clock'\noffset = '0s'\n", "no offset of a clock"),
        (
            "inject = 'kill'\ntarget = 'leader'",
            "sleep = '3s'\nport = 'etcd'",
            "belongs to `inject`",
        ),
        ("inject = 'kill'\ntarget = 'leader'", "sleep = '3s'", "without a fault"),
        ("inject = 'kill'\ntarget = 'leader'", "sleep = ['3s', '2s']", "at most 2s"),
        ("inject = 'kill'\ntarget = 'leader'", "sleep = '3 parsecs'", "step 1: `3 parsecs`"),
        ("inject = 'kill'\ntarget = 'leader'", "wait = 'peace'", "unknown variant `peace`"),
        ("inject = 'kill'\n", "inject = 'kill'\nwithin = '9s'\n", "`within` belongs to `alert`"),
        (
            "[expect]",
            "[[step]]\nalert = 'PatroniHasNoLeder'\nwithin = '60s'\n[expect]",
            "line 5, step 2: there is no alert `PatroniHasNoLeder`; the most similar are PatroniHasNoLeader,",
        ),
        ("[expect]", "[[step]]\nalert = 'PatroniHasNoLeader'\n[expect]", "wants a `within`"),
        (
            "[expect]",
            "[[step]]\nalert = 'PatroniHasNoLeader'\nwithin = '20s'\n[expect]",
            "`within` is at least 40s",
        ),
        ("[expect]", "[[step]]\ncheck = 'select 1'\n[expect]", "`check` wants an `is`"),
        ("[expect]", "[[step]]\nask = 'Why?'\n[expect]", "wants `choices`"),
        (
            "[expect]",
            "[[step]]\nask = 'Why?'\nchoices = ['a', 'b']\nanswer = 3\n[expect]",
            "an `answer`: the number of the right choice, 1 to 2",
        ),
        (
            "[expect]",
            "[[step]]\nask = 'Why?'\nchoices = ['a', 'b']\nanswer = 1\nbecause = '{losses}'\n[expect]",
            "names `{losses}`; there are {acknowledged}, {lost}",
        ),
        ("[[step]]", "[cluster]\nnodes = 'two'\n[[step]]", "[cluster]: "),
        ("[expect]", "[load]\nworkload = 'legder'\n[expect]", "unknown variant `legder`"),
        ("[expect]", "[load]\nclients = 0\n[expect]", "from 1 to 64"),
        ("[expect]", "[load]\nreaders = 65\n[expect]", "64 at most"),
        (
            "[expect]",
            "[[step]]\nwait = 'writes'\n[load]\nworkload = 'none'\n[expect]",
            "nobody writes",
        ),
    ] {
        let text = whole.replace(from, to);
        assert_ne!(text, whole);
        let error = Drill::parse("t", &text).expect_err(to).to_string();
        assert!(error.contains(said), "{to}: {error}");
    }
    // Where in the file, with the line itself.
    let error = Drill::parse("t", &whole.replace("title", "titel")).expect_err("bad").to_string();
    assert!(error.contains("line 1") && error.contains("titel = 't'"), "{error}");
}

#[test]
fn a_drill_that_is_not_for_a_cluster_says_why() {
    let topology =
        |data_centers, nodes| Topology::new(Spec { data_centers, nodes, ..Spec::default() }, 1);
    let site = by_name("site-lost").expect("a drill");
    let why = |d: &Drill, t: &Topology, durability| {
        d.expected(t, durability).expect_err("not for it").to_string()
    };
    assert!(
        why(&site, &topology(1, 3), Durability::Async).contains("2 data centers, and there are 1")
    );
    assert!(
        why(&site, &topology(2, 1), Durability::Async)
            .contains("3 Postgres nodes, and there are 2")
    );
    let external = by_name("external-lost").expect("a drill");
    let without = Spec { external: false, data_centers: 3, ..Spec::default() };
    let refused = external.expected(&Topology::new(without, 1), Durability::Async);
    assert!(refused.expect_err("there is none").to_string().contains("external site"));
    let standby = by_name("standby-killed").expect("a drill");
    assert!(why(&standby, &topology(2, 2), Durability::Async).contains("durability async"));
    assert!(standby.expected(&topology(2, 2), Durability::Quorum).is_ok());
    // Writes wait for the last standby in both.
    let expected = |durability| standby.expected(&topology(2, 2), durability).expect("for it");
    assert_eq!(expected(Durability::QuorumStrict), expected(Durability::Strict));
    let acknowledged = |acknowledge, nodes| {
        let spec = Spec { data_centers: 2, nodes, acknowledge, ..Spec::default() };
        Topology::new(spec, 1)
    };
    let killed = by_name("leader-killed").expect("a drill");
    let local = acknowledged(Acknowledge::Local, 2);
    assert!(killed.expected(&local, Durability::Sync).is_ok());
    assert!(why(&site, &local, Durability::Sync).contains("acknowledge = \"local\""));
    assert!(site.expected(&local, Durability::Async).is_ok(), "nobody has to acknowledge");
    let any = acknowledged(Acknowledge::Any, 2);
    assert!(why(&killed, &any, Durability::Sync).contains("acknowledge = \"any\""));
    let alone = why(&killed, &acknowledged(Acknowledge::Local, 1), Durability::Sync);
    assert!(alone.contains("a leader in DC1 has no standby"), "{alone}");
}

const TIMERS: PatroniTimers = PatroniTimers { ttl_s: 20, loop_wait_s: 5, retry_timeout_s: 5 };

fn rules(expected: Expectation) -> Rules {
    Rules { expected, outage_max: expected.writes.bound(TIMERS, 95), timers: TIMERS }
}

fn found() -> Facts {
    let seconds = Duration::from_secs;
    Facts {
        injected: seconds(4),
        healed: seconds(40),
        healing: seconds(38),
        outage: (seconds(4), Some(seconds(24))),
        before: 800,
        lost: Some(0),
        converged: true,
        ..Facts::default()
    }
}

#[test]
fn a_run_is_confirmed_refuted_better_or_not_reached() {
    let seconds = Duration::from_secs;
    let safe = Expectation { writes: Writes::Failover, lost: Lost::None };
    let control = Expectation { writes: Writes::Failover, lost: Lost::Some };
    let healed = Expectation { writes: Writes::Healed, lost: Lost::None };
    let of = |expected, facts: Facts| judge(&rules(expected), &facts).prediction;
    assert_eq!(of(safe, found()), Prediction::Confirmed);
    assert_eq!(of(safe, Facts { lost: Some(1), ..found() }), Prediction::Refuted);
    assert_eq!(of(safe, Facts { unexpected: 1, ..found() }), Prediction::Refuted);
    assert_eq!(of(safe, Facts { differing_nodes: 1, ..found() }), Prediction::Refuted);
    assert_eq!(of(safe, Facts { converged: false, ..found() }), Prediction::Refuted);
    assert_eq!(of(safe, Facts { lost: None, ..found() }), Prediction::NotReached);
    assert_eq!(of(safe, Facts { before: 0, ..found() }), Prediction::NotReached);
    // Three election timeouts of etcd, ttl, loop_wait, race and promotion are 32 s.
    assert_eq!(
        of(safe, Facts { outage: (seconds(4), Some(seconds(36))), ..found() }),
        Prediction::Confirmed
    );
    assert_eq!(
        of(safe, Facts { outage: (seconds(4), Some(seconds(37))), ..found() }),
        Prediction::Refuted
    );
    assert_eq!(of(safe, Facts { outage: (seconds(4), None), ..found() }), Prediction::Refuted);
    assert_eq!(of(control, found()), Prediction::Better);
    assert_eq!(of(control, Facts { lost: Some(9), ..found() }), Prediction::Confirmed);
    assert_eq!(of(healed, found()), Prediction::Better);
    let after = Facts { outage: (seconds(41), Some(seconds(42))), ..found() };
    assert_eq!(of(healed, after), Prediction::Better);
    assert_eq!(
        of(healed, Facts { outage: (seconds(4), Some(seconds(50))), ..found() }),
        Prediction::Confirmed
    );
    assert_eq!(
        of(healed, Facts { outage: (seconds(4), Some(seconds(80))), ..found() }),
        Prediction::Refuted
    );
    let violations = vec!["G2: anti-dependency cycle".to_owned()];
    let contradicted = Facts { violations, ..found() };
    assert_eq!(of(safe, contradicted.clone()), Prediction::Refuted);
    assert_eq!(of(control, contradicted), Prediction::Confirmed);
    let undecided = Some("register 3: too many orders".to_owned());
    let open = Facts { undecided, ..found() };
    assert_eq!(of(safe, open.clone()), Prediction::NotReached);
    assert_eq!(of(safe, Facts { lost: Some(1), ..open }), Prediction::Refuted);
    // Nobody wrote, so that only the cluster is judged.
    let alone = Facts { without_clients: true, before: 0, outage: (seconds(4), None), ..found() };
    assert_eq!(of(safe, alone.clone()), Prediction::Confirmed);
    assert_eq!(of(safe, Facts { converged: false, ..alone }), Prediction::Refuted);
    let verdict = judge(&rules(safe), &Facts { lost: Some(7), ..found() });
    assert_eq!(verdict.reasons, ["7 acknowledged writes are lost"]);
}

#[test]
fn the_middle_of_some_figures() {
    assert_eq!(Figures::of([]), None);
    assert_eq!(Figures::of([3.0, 1.0, 2.0]), Some(Figures { min: 1.0, median: 2.0, max: 3.0 }));
    assert_eq!(Figures::of([4.0, 1.0]), Some(Figures { min: 1.0, median: 1.0, max: 4.0 }));
}
