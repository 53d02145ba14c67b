//! `[postgres]` and `[patroni]` of the cluster file: what is asked for is there, and what Postgres refuses is said in its
//! own words.

use std::fs;

use crate::docker::{docker, exec, sql};
use crate::restored::{backup, restore};
use crate::test_cluster::TestCluster;
use crate::waiting::claim;

/// Everything that makes no other image but one package.
pub(crate) const WHOLE: &str = r#"
[postgres]
extensions = ["pgvector", "pg_stat_statements"]
users = ["app"]
databases = [{ name = "shop", owner = "app" }]
hba = ["host shop nobody 0.0.0.0/0 reject"]
init_sql = "schema.sql"
icu_locale = "de"
memory = "1g"
cpus = 1.5
shm_size = "128m"

[postgres.parameters]
work_mem = "12MB"
max_connections = 77

[patroni]
failsafe = true
maximum_lag_on_failover = 4194304
"#;

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn the_database_is_as_the_cluster_file_asks_or_nothing_is_made() {
    let cluster = TestCluster::reserve("database");
    let file = cluster.dir().join("cluster.toml");
    let schema = cluster.dir().join("schema.sql");
    let up = |toml: &str, sql: &str| {
        fs::write(&file, toml).expect("a cluster file");
        fs::write(&schema, sql).expect("a script");
        cluster.forget_files();
        cluster.pgha_up(&["-f", file.to_str().expect("a path"), "--timers", "fast"])
    };
    claim("what Postgres would not start with is refused before there is a container", || {
        up("[postgres.parameters]\nwork_mem = \"lots\"\n", "")
            .refused(2, "invalid value for parameter \"work_mem\": \"lots\"");
        up("[postgres.parameters]\nno_such_parameter = 1\n", "")
            .refused(2, "unrecognized configuration parameter \"no_such_parameter\"");
        up("[postgres]\nhba = [\"host all all 0.0.0.0/0 magic\"]\n", "")
            .refused(2, "invalid authentication method \"magic\"");
        up("[postgres]\nextensions = [\"timetravel\"]\n", "").refused(2, "timetravel");
        cluster.assert_nothing_left();
    });
    claim("a script that fails ends `up` with the line that failed, and nothing is left", || {
        let broken = "create table fine (id int);\nselect * from missing;\n";
        let refused = up("[postgres]\ninit_sql = \"schema.sql\"\n", broken);
        refused.refused(1, "init.sql:2: ERROR:  relation \"missing\" does not exist");
        cluster.assert_nothing_left();
    });

    up(WHOLE, "\\connect shop\ncreate table items (id int, place vector(3));\n").ok();
    let leader = cluster.leader();
    claim("parameters, locale and lines of pg_hba.conf are in force", || {
        assert_eq!(sql(&leader, "show work_mem"), "12MB");
        assert_eq!(sql(&leader, "show max_connections"), "77");
        assert_eq!(
            sql(
                &leader,
                "select datlocprovider::text || ' ' || datlocale from pg_database where datname = 'shop'"
            ),
            "i de"
        );
        let first = "select auth_method from pg_hba_file_rules order by line_number limit 1";
        assert_eq!(sql(&leader, first), "reject");
        let config = exec(&leader, &["patronictl", "show-config"]);
        for setting in
            ["failsafe_mode: true", "maximum_lag_on_failover: 4194304", "primary_start_timeout: 15"]
        {
            assert!(config.contains(setting), "{setting}: {config}");
        }
    });
    claim("the user owns the database, and logs in with the password among the secrets", || {
        let password = cluster.secrets_dir().join("user-app");
        let password = fs::read_to_string(password).expect("a password");
        let url = format!("host=127.0.0.1 user=app dbname=shop password={}", password.trim());
        let made =
            exec(&leader, &["psql", "-XAtd", &url, "-c", "create schema own; select current_user"]);
        assert!(made.ends_with("app"), "{made}");
    });
    claim("extensions are there, and what the script made is on the replica, too", || {
        let extensions = "select string_agg(extname, ' ' order by extname) from pg_extension";
        let shop = ["psql", "-XAt", "-d", "shop", "-c"];
        let found = exec(&leader, &[&shop[..], &[extensions]].concat());
        assert_eq!(found.trim(), "pg_stat_statements plpgsql vector");
        let replica = cluster.of_kind("postgres").into_iter().find(|node| *node != leader);
        let replica = replica.expect("two nodes");
        let rows = exec(&replica, &[&shop[..], &["select count(*) from items"]].concat());
        assert_eq!(rows.trim(), "0");
    });
    claim("nodes have the limits that were asked for", || {
        let format = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.ShmSize}}";
        let limits = docker(&["inspect", "--format", format, &leader]);
        assert_eq!(limits.trim(), "1073741824 1500000000 134217728");
    });
    claim("another script is told of and not run", || {
        fs::write(&schema, "select 1 / 0;\n").expect("a script");
        let again = cluster.pgha_up(&["-f", file.to_str().expect("a path"), "--timers", "fast"]);
        again.ok();
        assert!(again.stderr.contains("is not run again"), "{}", again.stderr);
    });
    claim(
        "a cluster that is made of its backup has its users, databases, extensions and settings",
        || {
            backup(&cluster, "full");
            let copy = TestCluster::reserve("database_copy");
            let (at, instance) =
                (copy.compose_file().display().to_string(), copy.instance.to_string());
            let into =
                ["--latest", "--yes", "--into", &copy.name, "-o", &at, "--instance", &instance];
            restore(&cluster, &into).ok();
            is_a_copy(&copy, &cluster);
        },
    );
}

/// What the cluster file asked of the source is so in a cluster that is made of its backup.
pub(crate) fn is_a_copy(copy: &TestCluster, source: &TestCluster) {
    copy.wait_whole();
    let leader = copy.leader();
    assert_eq!(sql(&leader, "show work_mem"), "12MB");
    let first = "select auth_method from pg_hba_file_rules order by line_number limit 1";
    assert_eq!(sql(&leader, first), "reject");
    // Users come with the data, with the passwords that they had.
    let password = fs::read_to_string(source.secrets_dir().join("user-app")).expect("a password");
    let url = format!("host=127.0.0.1 user=app dbname=shop password={}", password.trim());
    let near = "select '[1,2,3]'::vector <-> '[1,2,5]'::vector, to_regclass('items') is not null";
    let found = exec(&leader, &["psql", "-XAtd", &url, "-c", near]);
    assert_eq!(found.trim(), "2|t");
    assert!(!copy.secrets_dir().join("user-app").exists(), "there is no other password");
}
