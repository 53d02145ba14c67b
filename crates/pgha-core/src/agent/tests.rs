use std::collections::BTreeMap;

use pgha_wan::control::{self, Direction};
use pgha_wan::settings::LinkChange;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::fault::{Kind, On};
use crate::restore::{Began, Recovery};

/// Fails to compile where a variant is new: it belongs into [`restore`] or [`request`] below, and into the table of
/// words.
#[allow(clippy::match_same_arms, reason = "each line names some")]
fn is_known(request: &Request) {
    use Restore as R;
    match request {
        Request::Probe
        | Request::Watch { .. }
        | Request::Backup(_)
        | Request::FullDisks
        | Request::ShowSchedule
        | Request::KeepSchedule(_)
        | Request::ClearSchedule
        | Request::Repository { .. }
        | Request::WanControl(_)
        | Request::RoundTrips { .. }
        | Request::PutLayout
        | Request::ApplyLayout
        | Request::Signal { .. }
        | Request::Archive { .. }
        | Request::Disk { .. }
        | Request::DiskHealed(_)
        | Request::Clock { .. }
        | Request::ClockHealed(_)
        | Request::ClockState(_)
        | Request::Rehearse
        | Request::RehearseFile { .. }
        | Request::Maintenance { .. }
        | Request::SecretFile { .. }
        | Request::Certificates
        | Request::CertificatesFile { .. }
        | Request::Source
        | Request::Look { .. } => {}
        Request::Etcd(etcd) => match etcd {
            Etcd::Store | Etcd::Promote { .. } | Etcd::Tidy { .. } => {}
            Etcd::Journal | Etcd::KeepJournal(_) => {}
        },
        Request::Restore(restore) => match restore {
            R::Journal | R::KeepJournal(_) | R::Lock | R::Stanza | R::Tablespaces { .. } => {}
            R::Forget(_) | R::Held | R::Release | R::Remember | R::Clear { .. } => {}
            R::Aside { .. } | R::Discard | R::Folders(_) | R::Fetch { .. } | R::Recover(_) => {}
            R::Back { .. } | R::Tidy { .. } => {}
        },
    }
}

fn restore() -> impl Strategy<Value = Restore> {
    let recovery = (any::<bool>(), any::<bool>());
    prop_oneof![
        Just(Restore::Journal),
        any::<String>().prop_map(Restore::KeepJournal),
        Just(Restore::Lock),
        Just(Restore::Stanza),
        (any::<u32>(), any::<String>())
            .prop_map(|(repository, backup)| Restore::Tablespaces { repository, backup }),
        (any::<u32>(), any::<String>())
            .prop_map(|(timeline, history)| Restore::Forget(Began { timeline, history })),
        Just(Restore::Held),
        Just(Restore::Release),
        Just(Restore::Remember),
        btree_map(any::<String>(), any::<String>(), 0..3)
            .prop_map(|put_back| Restore::Clear { put_back }),
        (any::<String>(), vec(any::<String>(), 0..3))
            .prop_map(|(id, tablespaces)| Restore::Aside { id, tablespaces }),
        Just(Restore::Discard),
        vec(any::<String>(), 0..3).prop_map(Restore::Folders),
        vec(any::<String>(), 0..3).prop_map(|arguments| Restore::Fetch { arguments }),
        recovery.prop_map(|(or_end, copy)| Restore::Recover(Recovery { or_end, copy })),
        any::<String>().prop_map(|id| Restore::Back { id }),
        any::<String>().prop_map(|id| Restore::Tidy { id }),
    ]
}

fn etcd() -> impl Strategy<Value = Request> {
    let etcd = prop_oneof![
        Just(Etcd::Store),
        any::<String>().prop_map(|member| Etcd::Promote { member }),
        any::<String>().prop_map(|id| Etcd::Tidy { id }),
        Just(Etcd::Journal),
        any::<String>().prop_map(Etcd::KeepJournal),
    ];
    etcd.prop_map(Request::Etcd)
}

fn wan() -> impl Strategy<Value = control::Request> {
    let links = || {
        let site = || "DC[1-9]";
        vec((site(), site()).prop_map(|(from, to)| Direction { from, to }), 0..3)
    };
    prop_oneof![
        Just(control::Request::State),
        Just(control::Request::Stopping),
        links().prop_map(|links| control::Request::Reset { links }),
        (links(), any::<Option<u64>>()).prop_map(|(links, for_ms)| control::Request::Change {
            links,
            change: LinkChange::default(),
            for_ms
        }),
    ]
}

fn signal() -> impl Strategy<Value = Request> {
    let faults = Kind::all().filter_map(|kind| match kind.on() {
        On::Processes(program, blow) => Some((program, blow)),
        _ => None,
    });
    let thawed = [Program::Postgres, Program::Patroni, Program::Etcd].map(|p| (p, Blow::Thaw));
    select(faults.chain(thawed).collect::<Vec<_>>())
        .prop_map(|(program, blow)| Request::Signal { program, blow })
}

fn clock() -> impl Strategy<Value = Request> {
    let program = || select(vec![Program::Patroni, Program::Etcd]);
    let offset = (-86_400..=86_400i64).prop_filter_map("no offset", Offset::of_seconds);
    prop_oneof![
        (program(), offset).prop_map(|(program, offset)| Request::Clock { program, offset }),
        program().prop_map(Request::ClockHealed),
        program().prop_map(Request::ClockState),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    let kind = || select(BackupType::ALL.to_vec());
    let entry = (0..60u8, kind()).prop_map(|(minute, kind)| format!("{minute}  1 * * 0 {kind}"));
    let schedule = vec(entry, 1..3).prop_map(|entries| entries.join(";"));
    // Of pgBackRest, whose first argument is an option.
    let arguments = vec("--[a-z]{1,8}=[^\0]{0,9}", 0..4);
    prop_oneof![
        Just(Request::Probe),
        any::<u64>().prop_map(|seconds| Request::Watch { seconds }),
        (kind(), any::<u32>(), vec(any::<String>(), 0..3)).prop_map(
            |(kind, repository, annotations)| Request::Backup(Backup {
                kind,
                repository,
                annotations
            })
        ),
        Just(Request::FullDisks),
        Just(Request::ShowSchedule),
        schedule.prop_map(|text| Request::KeepSchedule(text.parse().expect("a schedule"))),
        Just(Request::ClearSchedule),
        any::<u32>().prop_map(|number| Request::Repository { number }),
        wan().prop_map(Request::WanControl),
        any::<(u16, u16)>().prop_map(|(count, wait_ms)| Request::RoundTrips { count, wait_ms }),
        Just(Request::PutLayout),
        Just(Request::ApplyLayout),
        signal(),
        any::<bool>().prop_map(|broken| Request::Archive { broken }),
        (select(Ailment::ALL.to_vec()), 1..60_000u32).prop_map(|(ailment, ms)| Request::Disk {
            ailment,
            delay: format!("{ms}ms").parse().expect("a delay")
        }),
        select(Ailment::ALL.to_vec()).prop_map(Request::DiskHealed),
        clock(),
        Just(Request::Rehearse),
        any::<String>().prop_map(|path| Request::RehearseFile { path }),
        any::<bool>().prop_map(|on| Request::Maintenance { on }),
        any::<String>().prop_map(|path| Request::SecretFile { path }),
        Just(Request::Certificates),
        any::<String>().prop_map(|path| Request::CertificatesFile { path }),
        Just(Request::Source),
        (any::<bool>(), arguments)
            .prop_map(|(or_end, arguments)| Request::Look { or_end, arguments }),
        etcd(),
        restore().prop_map(Request::Restore),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn what_one_side_writes_the_other_reads(request in request()) {
        is_known(&request);
        prop_assert_eq!(Request::parse(&request.argv()), Ok(request));
    }

    #[test]
    fn no_words_make_the_other_side_panic(words in vec("[a-z{}\"-]{0,9}|restore|probe|--watch", 0..5)) {
        let _ = Request::parse(&words);
    }
}

fn line(request: &Request) -> String {
    assert_eq!(request.argv()[0], "/usr/local/bin/pgha-node");
    request.argv()[1..].join(" ")
}

/// As below.
#[test]
fn the_words_of_faults_stay_what_they_are() {
    let lines = [
        (
            line(&Request::Signal { program: Program::Walreceiver, blow: Blow::Kill }),
            "signal walreceiver kill",
        ),
        (line(&Request::Signal { program: Program::Etcd, blow: Blow::Thaw }), "signal etcd thaw"),
        (line(&Request::Archive { broken: true }), "archive break"),
        (line(&Request::Archive { broken: false }), "archive mend"),
        (line(&Request::Disk { ailment: Ailment::Slow, delay: Delay::USUAL }), "disk slow 100ms"),
        (line(&Request::DiskHealed(Ailment::ReadOnly)), "disk read-only healed"),
        (
            line(&Request::Clock { program: Program::Patroni, offset: Offset::USUAL }),
            "clock patroni +30s",
        ),
        (line(&Request::ClockHealed(Program::Etcd)), "clock etcd healed"),
        (line(&Request::ClockState(Program::Etcd)), "clock etcd"),
    ];
    for (written, known) in lines {
        assert_eq!(written, known);
    }
}

/// Members that an earlier pgha has made know these words.
#[test]
fn the_words_stay_what_they_are() {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let of = |restore| line(&Request::Restore(restore));
    let backup =
        Backup { kind: BackupType::Full, repository: 2, annotations: texts(&["why=a test"]) };
    let schedule: Schedule = "0 1 * * 0 full; 0 1 * * 1-6 incr".parse().expect("a schedule");
    let began = Began { timeline: 3, history: "1\t0/5000000\tx\n".to_owned() };
    let known = BTreeMap::from([("initialize".to_owned(), "NzU=".to_owned())]);
    let id = || "20261127-1".to_owned();
    let recover = |or_end, copy| of(Restore::Recover(Recovery { or_end, copy }));
    let lines = [
        (line(&Request::Probe), "probe"),
        (line(&Request::Watch { seconds: 30 }), "probe --watch 30"),
        (line(&Request::Backup(backup)), "backup --type=full --repo=2 --annotation=why=a test"),
        (line(&Request::FullDisks), "full-disks"),
        (line(&Request::ShowSchedule), "schedule"),
        (line(&Request::KeepSchedule(schedule)), "schedule 0 1 * * 0 full; 0 1 * * 1-6 incr"),
        (line(&Request::ClearSchedule), "schedule --clear"),
        (line(&Request::Repository { number: 1 }), "repository 1"),
        (line(&Request::WanControl(control::Request::State)), r#"wan-control {"verb":"state"}"#),
        (line(&Request::RoundTrips { count: 9, wait_ms: 700 }), "round-trips --count 9 --wait 700"),
        (line(&Request::PutLayout), "layout put"),
        (line(&Request::ApplyLayout), "layout apply"),
        (line(&Request::Rehearse), "rehearse"),
        (line(&Request::RehearseFile { path: "/tmp/a".to_owned() }), "rehearse /tmp/a"),
        (line(&Request::Maintenance { on: true }), "maintenance on"),
        (line(&Request::Maintenance { on: false }), "maintenance off"),
        (line(&Request::SecretFile { path: "/tmp/a".to_owned() }), "secret /tmp/a"),
        (line(&Request::Certificates), "certificates"),
        (line(&Request::CertificatesFile { path: "/tmp/a".to_owned() }), "certificates /tmp/a"),
        (line(&Request::Source), "source"),
        (
            line(&Request::Look { or_end: true, arguments: texts(&["--repo=1", "restore"]) }),
            "look or-end --repo=1 restore",
        ),
        (
            line(&Request::Look { or_end: false, arguments: texts(&["--repo=1", "restore"]) }),
            "look --repo=1 restore",
        ),
        (line(&Request::Etcd(Etcd::Store)), "etcd store"),
        (line(&Request::Etcd(Etcd::Promote { member: "a".to_owned() })), "etcd promote a"),
        (line(&Request::Etcd(Etcd::Tidy { id: id() })), "etcd tidy 20261127-1"),
        (line(&Request::Etcd(Etcd::Journal)), "etcd journal"),
        (line(&Request::Etcd(Etcd::KeepJournal("{}".to_owned()))), "etcd journal {}"),
        (of(Restore::Journal), "restore journal"),
        (of(Restore::KeepJournal("{}".to_owned())), "restore journal {}"),
        (of(Restore::KeepJournal(String::new())), "restore journal "),
        (of(Restore::Lock), "restore lock"),
        (of(Restore::Stanza), "restore stanza"),
        (
            of(Restore::Tablespaces { repository: 1, backup: "20261127-1F".to_owned() }),
            "restore tablespaces 1 20261127-1F",
        ),
        (
            of(Restore::Forget(began)),
            r#"restore forget {"timeline":3,"history":"1\t0/5000000\tx\n"}"#,
        ),
        (of(Restore::Held), "restore held"),
        (of(Restore::Release), "restore release"),
        (of(Restore::Remember), "restore remember"),
        (of(Restore::Clear { put_back: BTreeMap::new() }), "restore clear"),
        (of(Restore::Clear { put_back: known }), r#"restore clear {"initialize":"NzU="}"#),
        (
            of(Restore::Aside { id: id(), tablespaces: texts(&["/pgdata/fast"]) }),
            "restore aside 20261127-1 /pgdata/fast",
        ),
        (of(Restore::Discard), "restore discard"),
        (
            of(Restore::Folders(texts(&["/pgdata/a", "/pgdata/b"]))),
            "restore folders /pgdata/a /pgdata/b",
        ),
        (
            of(Restore::Fetch { arguments: texts(&["--set=x", "restore"]) }),
            "restore fetch --set=x restore",
        ),
        (recover(false, false), "restore recover"),
        (recover(true, true), "restore recover or-end copy"),
        (of(Restore::Back { id: id() }), "restore back 20261127-1"),
        (of(Restore::Tidy { id: id() }), "restore tidy 20261127-1"),
    ];
    for (written, known) in lines {
        assert_eq!(written, known);
    }
}

#[test]
fn a_request_of_another_version_is_refused_with_what_it_was() {
    let refused = |words: &[&str]| {
        let argv: Vec<&str> = ["pgha-node"].iter().chain(words).copied().collect();
        Request::parse(&argv).expect_err("it is unknown").to_string()
    };
    for words in [
        &["dance"][..],
        &["probe", "--listen"],
        &["restore", "sideways", "x"],
        &["restore", "recover", "twice"],
        &["restore"],
        &["backup", "--type=full"],
        &["backup", "--type=full", "--repo=1", "--delta"],
        &[],
    ] {
        let said = refused(words);
        assert!(said.contains(&format!("`{}`", words[..words.len().min(3)].join(" "))), "{said}");
        assert!(said.contains("another version"), "{said}");
    }
    for (words, why) in [
        (&["repository", "one"][..], "`one`"),
        (&["schedule", "daily"], "five fields"),
        (&["wan-control", r#"{"verb":"dance"}"#], "dance"),
        (&["restore", "forget", "{}"], "timeline"),
    ] {
        let said = refused(words);
        assert!(said.contains(why) && said.contains("cannot be read"), "{said}");
    }
}

#[test]
fn an_answer_of_an_earlier_node_is_read() {
    let room = r#"{"held":false,"by":null,"data_bytes":1,"free_bytes":2,"device":3}"#;
    let state: NodeState = serde_json::from_str(room).expect("an answer");
    assert_eq!((state.room.device, state.linked.len(), state.stopped.clone()), (3, 0, None));
    let again: NodeState = serde_json::from_str(&json(&state)).expect("an answer");
    assert_eq!(again, state);
    let recovered: Recovered = serde_json::from_str(r#"{"timeline":2}"#).expect("an answer");
    assert_eq!((recovered.timeline, recovered.history), (Some(2), None));
}
