use proptest::collection::btree_map;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::json;

use super::*;
use crate::disk::DiskUse;
use crate::spec::{Durability, Spec, TimerPreset};
use crate::tuning::Synchronous;

fn topology(spec: Spec) -> Topology {
    Topology::new(spec, 1)
}

fn two(durability: Durability) -> Topology {
    topology(Spec { data_centers: 2, durability, ..Spec::default() })
}

fn made(topology: &Topology) -> Config {
    Config::made_with(topology, DiskUse::of(topology, None).wal_keep_mib)
}

/// What changing these settings of a new cluster comes to; `None` removes one.
fn change(topology: &Topology, asked: &[(&str, Option<&str>)]) -> Result<Plan, Refused> {
    let asked =
        asked.iter().map(|(name, value)| (name.parse().expect("a key"), value.map(str::to_owned)));
    Plan::of(topology, &made(topology), &made(topology), asked.collect())
}

/// What Patroni makes of a configuration with a patch.
fn patched(config: &mut Value, patch: &Value) {
    let (Value::Object(all), Value::Object(patch)) = (&mut *config, patch) else {
        *config = patch.clone();
        return;
    };
    for (name, value) in patch {
        match value {
            Value::Null => drop(all.remove(name)),
            value => patched(all.entry(name.clone()).or_insert(Value::Null), value),
        }
    }
}

fn with(config: &Config, patch: &Value) -> Config {
    let mut all = Value::Object(config.0.clone());
    patched(&mut all, patch);
    Config::parse(&all.to_string()).expect("an object")
}

#[test]
fn a_setting_is_called_as_in_the_cluster_file() {
    let parameter = |name: &str| Ok(Key::Parameter(name.to_owned()));
    for (word, key) in [
        ("ttl", Ok(Key::Patroni("ttl".to_owned()))),
        ("failsafe", Ok(Key::Patroni("failsafe_mode".to_owned()))),
        ("synchronous_mode", Ok(Key::Patroni("synchronous_mode".to_owned()))),
        ("work_mem", parameter("work_mem")),
        ("postgresql.parameters.work_mem", parameter("work_mem")),
        ("cron.database_name", parameter("cron.database_name")),
        ("postgresql.parameters.cron.database_name", parameter("cron.database_name")),
        ("hba", Ok(Key::Hba)),
        ("postgresql.use_slots", Ok(Key::Postgresql("use_slots".to_owned()))),
        ("slots.cdc", Err(BadKey::Part("slots".to_owned()))),
        ("postgresql", Err(BadKey::Part("postgresql".to_owned()))),
        ("postgresql.parameters.", Err(BadKey::Empty)),
        ("", Err(BadKey::Empty)),
    ] {
        assert_eq!(word.parse::<Key>(), key, "{word}");
    }
}

#[test]
fn only_what_differs_is_told_to_patroni() {
    let topology = two(Durability::Async);
    let plan = change(&topology, &[("ttl", Some("60")), ("loop_wait", Some("10"))]).expect("fits");
    assert_eq!(plan.patch, json!({ "ttl": 60 }));
    assert_eq!(plan.changes[0].to_string(), "ttl: 30 → 60");
    assert_eq!((plan.trial, plan.risks), (None, Vec::new()));
    let asked =
        [("Work_Mem", Some("64MB")), ("MAX_CONNECTIONS", Some("100")), ("max_wal_size", None)];
    let plan = change(&topology, &asked).expect("fits");
    let parameters = json!({ "Work_Mem": "64MB", "max_wal_size": null });
    assert_eq!(plan.patch, json!({ "postgresql": { "parameters": parameters } }));
    assert_eq!(plan.parameters, ["Work_Mem", "max_wal_size"]);
    assert_eq!(plan.changes[1].to_string(), "max_wal_size: 1GB → default");
    let trial = plan.trial.expect("Postgres is asked");
    assert!(trial.parameters.contains("Work_Mem = '64MB'\n"), "{}", trial.parameters);
    assert!(!trial.parameters.contains("max_wal_size"), "{}", trial.parameters);
    let plan = change(&topology, &[("application_name", Some("a = 'b'"))]).expect("fits");
    assert_eq!(plan.changes[0].after, Some(json!("a = 'b'")));
}

#[test]
fn lines_of_hba_stand_before_the_clusters_own() {
    let topology = two(Durability::Async);
    let line = "hostssl all all 10.0.0.0/8 scram-sha-256";
    let list = format!("[{line:?}]");
    for given in [line, list.as_str()] {
        let plan = change(&topology, &[("hba", Some(given))]).expect("fits");
        let hba: Vec<String> = [line.to_owned()].into_iter().chain(render::own_hba()).collect();
        assert_eq!(plan.patch, json!({ "postgresql": { "pg_hba": hba } }));
    }
    assert_eq!(change(&topology, &[("hba", None)]).expect("fits").changes, []);
    assert_eq!(change(&topology, &[("hba", Some(""))]).expect("fits").changes, []);
    let mut wanted = made(&topology);
    wanted.0["postgresql"]["pg_hba"].as_array_mut().expect("lines").remove(1);
    let refused = Plan::between(&topology, &made(&topology), &made(&topology), &wanted);
    assert_eq!(refused, Err(Refused::Hba("local replication all peer map=pgha".to_owned())));
}

#[test]
fn what_the_cluster_relies_on_is_refused_with_the_reason() {
    let topology = two(Durability::Async);
    for (name, value, reason) in [
        ("archive_command", Some("true"), "pgBackRest"),
        ("ARCHIVE_MODE", Some("off"), "pgBackRest"),
        ("wal_level", None, "replication"),
        ("work_mem", None, "is not set"),
        ("pause", Some("true"), "maintenance mode"),
        ("standby_cluster", Some("{}"), "standby of another cluster"),
        ("postgresql.use_slots", Some("false"), "replicas"),
        ("ttl", Some("19"), "from 20 upward"),
        ("ttl", Some("29"), "loop_wait + 2 × retry_timeout"),
        ("ttl", Some("null"), "a value"),
        ("ttl", Some("soon"), "a whole number"),
        ("failsafe_mode", Some("perhaps"), "true or false"),
        ("synchronous_mode", Some("maybe"), "on, off or quorum"),
        ("synchronous_node_count", Some("0"), "from 1 upward"),
        ("max_wal_senders", Some("2"), "take 12"),
        ("work mem", Some("1MB"), "is not the name of a parameter"),
        ("hba", Some("all all trust"), "is no line of pg_hba.conf"),
    ] {
        let refused = change(&topology, &[(name, value)]).expect_err(name);
        assert!(refused.to_string().contains(reason), "{name}: {refused}");
        assert!(!refused.hint().is_empty(), "{name}");
    }
}

#[test]
fn a_weaker_promise_is_a_risk_and_the_way_back_is_none() {
    let quorum = two(Durability::Quorum);
    let risks = |topology: &Topology, name: &str, value: &str| {
        change(topology, &[(name, Some(value))]).expect("it may be done").risks
    };
    let lost = "a failover may lose acknowledged writes (async); the cluster was made with quorum";
    assert_eq!(risks(&quorum, "synchronous_mode", "off"), [lost]);
    let one = risks(&quorum, "synchronous_node_count", "1");
    assert_eq!(one, ["commits wait for fewer standbys: 1, and the cluster was made with 2"]);
    assert_eq!(risks(&quorum, "synchronous_commit", "local").len(), 1);
    assert_eq!(risks(&quorum, "synchronous_commit", "remote_apply"), [""; 0]);
    assert_eq!(risks(&quorum, "fsync", "off").len(), 1);
    let wait = risks(&quorum, "synchronous_mode_strict", "on");
    assert!(wait[0].contains("commits wait"), "{wait:?}");
    let asynchronous = two(Durability::Async);
    assert_eq!(risks(&asynchronous, "synchronous_commit", "off"), [""; 0]);
    assert_eq!(risks(&asynchronous, "synchronous_mode", "quorum"), [""; 0]);

    let off = change(&quorum, &[("synchronous_mode", Some("off"))]).expect("it may be done");
    let off = with(&made(&quorum), &off.patch);
    let asked = vec![("synchronous_mode".parse().expect("a key"), Some("quorum".to_owned()))];
    let back = Plan::of(&quorum, &made(&quorum), &off, asked).expect("it may be done");
    assert_eq!((back.risks, back.patch), (Vec::new(), json!({ "synchronous_mode": "quorum" })));
}

#[test]
fn what_was_wrong_before_does_not_keep_another_setting_from_being_changed() {
    let topology = two(Durability::Async);
    let odd = with(&made(&topology), &json!({ "ttl": 5, "maximum": 1, "pause": true }));
    let asked = vec![(Key::Parameter("work_mem".to_owned()), Some("8MB".to_owned()))];
    let plan = Plan::of(&topology, &made(&topology), &odd, asked).expect("nothing new is wrong");
    assert_eq!(plan.patch, json!({ "postgresql": { "parameters": { "work_mem": "8MB" } } }));
}

#[test]
fn the_text_that_is_edited_reads_back_and_an_empty_one_is_nothing() {
    let text = "[postgres.parameters]\ncron.database_name = \"shop\"\n";
    let config = made(&topology(Spec::from_toml(text).expect("a spec")));
    let text = config.to_text().expect("TOML");
    assert_eq!(Config::from_text(&text), Ok(Some(config.clone())));
    let bare = text.replace("\"cron.database_name\"", "cron.database_name");
    assert_ne!(bare, text);
    assert_eq!(Config::from_text(&bare), Ok(Some(config)));
    for nothing in ["", "\n\n", "# ttl = 30\n"] {
        assert_eq!(Config::from_text(nothing), Ok(None), "{nothing:?}");
    }
    assert!(Config::from_text("ttl = ").expect_err("no value").contains("line 1"));
    insta::assert_snapshot!(text);
}

#[test]
fn secrets_are_not_shown_and_not_exported() {
    let topology = two(Durability::Async);
    let line = "host all all 0/0 ldap ldapserver=x ldapbindpasswd=\"s e\" ldapbasedn=y";
    let lines = [[line.to_owned()].as_slice(), &render::own_hba()].concat();
    let running = with(
        &made(&topology),
        &json!({
            "standby_cluster": { "primary_conninfo": "password=s3" },
            "postgresql": {
                "authentication": { "superuser": { "password": "s3" } },
                "parameters": { "app.secret": "s3" },
                "pg_hba": lines,
            }
        }),
    );
    let shown = serde_json::to_string(running.masked().as_json()).expect("JSON");
    assert!(!shown.contains("s3") && !shown.contains("s e"), "{shown}");
    assert!(shown.contains("ldapserver=x ldapbindpasswd=*** ldapbasedn=y"), "{shown}");
    assert!(shown.contains("\"password_encryption\":\"scram-sha-256\""), "{shown}");
    for change in running.differences(&made(&topology)) {
        let said = format!("{change} {change:?}");
        assert!(!said.contains("s3") && !said.contains("s e"), "{said}");
    }
    let export = running.export(&topology, &made(&topology));
    let said = format!("{}{:?}", export.spec.to_toml(), export.left_out);
    assert!(!said.contains("s3") && !said.contains("s e"), "{said}");
    assert_eq!(export.left_out.len(), 4, "{:?}", export.left_out);
}

#[test]
fn what_a_cluster_file_cannot_say_is_named() {
    let topology = two(Durability::Quorum);
    let running = with(
        &made(&topology),
        &json!({
            "pause": true,
            "synchronous_node_count": 7,
            "postgresql": { "use_slots": false, "parameters": { "wal_level": "replica", "max_wal_size": null } }
        }),
    );
    let export = running.export(&topology, &made(&topology));
    assert_eq!(export.spec, topology.spec);
    insta::assert_snapshot!(export.left_out.join("\n"));
}

#[test]
fn timers_of_a_preset_are_exported_as_that_preset() {
    let topology = two(Durability::Async);
    let fast = Spec { timers: TimerPreset::Fast, ..topology.spec.clone() };
    let running = made(&Topology::new(fast.clone(), 1));
    assert_eq!(running.export(&topology, &made(&topology)).spec, fast);
}

proptest! {
    #[test]
    fn a_new_cluster_of_the_exported_file_has_what_runs(
        durability in select(Durability::ALL.to_vec()),
        timers in select(TimerPreset::ALL.to_vec()),
        to in select(Durability::ALL.to_vec()),
        patroni in subsequence(vec![
            ("ttl", "300"), ("loop_wait", "3"), ("retry_timeout", "7"), ("failsafe", "on"),
            ("maximum_lag_on_failover", "33554432"), ("primary_start_timeout", "0"),
            ("slots", r#"{"cdc":{"type":"physical"}}"#), ("member_slots_ttl", "1h"),
        ], 0..=8),
        parameters in btree_map(select(vec!["work_mem", "jit", "my.name", "max_connections"]), "[a-z0-9 '=\"\\\\]{0,9}", 0..4),
        lines in subsequence(vec!["local all all trust", "host all all 10.0.0.0/8 scram-sha-256"], 0..=2),
    ) {
        let topology = topology(Spec { data_centers: 2, durability, timers, ..Spec::default() });
        let lines = serde_json::to_string(&lines).expect("JSON");
        let count = Synchronous::of(&Spec { durability: to, ..topology.spec.clone() }).node_count.to_string();
        let mode = match to {
            Durability::Async => "off",
            Durability::Sync | Durability::Strict => "on",
            Durability::Quorum | Durability::QuorumStrict => "quorum",
        };
        let strict = if to.is_strict() { "on" } else { "off" };
        let mut asked = vec![
            ("hba", lines.as_str()), ("synchronous_mode", mode), ("synchronous_mode_strict", strict),
            ("synchronous_node_count", count.as_str()),
        ];
        asked.extend(patroni);
        asked.extend(parameters.iter().map(|(name, value)| (*name, value.as_str())));
        let asked: Vec<_> = asked.into_iter().map(|(name, value)| (name, Some(value))).collect();
        let plan = change(&topology, &asked).expect("it may be done");
        let running = with(&made(&topology), &plan.patch);
        let export = running.export(&topology, &made(&topology));
        prop_assert_eq!(&export.left_out, &Vec::<String>::new());
        let spec = Spec::from_toml(&export.spec.to_toml()).expect("a cluster file");
        prop_assert_eq!(&spec, &export.spec);
        let again = made(&Topology::new(spec, 1));
        prop_assert_eq!(again.dynamic().differences(running.dynamic()), Vec::<String>::new());
        let differ = |change: &Change| !change.setting.starts_with("synchronous_") && change.setting != "primary_start_timeout";
        let left: Vec<Change> = running.differences(&again).into_iter().filter(differ).collect();
        prop_assert_eq!(left, Vec::<Change>::new());
        prop_assert_eq!(running.dynamic().primary_start_timeout_s, again.dynamic().primary_start_timeout_s);
        let nothing = Plan::between(&topology, &made(&topology), &running, &running).expect("nothing new");
        prop_assert!(nothing.changes.is_empty() && nothing.risks.is_empty());
        prop_assert_eq!(nothing.patch, json!({}));
    }

    #[test]
    fn any_text_is_a_configuration_or_refused(text: String, line in "[ -~]{0,60}") {
        let _ = Config::from_text(&text);
        let _ = Config::parse(&text);
        let _ = text.parse::<Key>();
        let _ = masked_line(&format!("ldapbindpasswd={line}"));
    }
}

#[test]
fn what_a_cluster_was_made_with_is_what_patroni_is_told() {
    let text = "durability = \"quorum\"\n[postgres]\nhba = [\"local all all trust\"]\nextensions = [\"cron\"]\n\
        [postgres.parameters]\nwork_mem = \"64MB\"\n[patroni]\nfailsafe = true\n";
    let topology = topology(Spec::from_toml(text).expect("a spec"));
    let secret = || "s".to_owned();
    let secrets = render::NodeSecrets {
        postgres: secret(),
        replicator: secret(),
        rewinder: secret(),
        patroni: secret(),
    };
    let file = render::patroni(&topology, &topology.members[0], &secrets, 1 << 40);
    let file: Value = serde_saphyr::from_str(&file).expect("YAML");
    assert_eq!(Value::Object(made(&topology).0), file["bootstrap"]["dcs"]);
}
