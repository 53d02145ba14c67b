//! Proxies: each port leads where it says, before and after a switchover, and no secret is to be seen.

use std::process::Command;

use serde_json::Value;

use crate::docker::{exec, inspect, sql};
use crate::process::run;
use crate::test_cluster::{TestCluster, leader_of, problem_codes};
use crate::waiting::{claim, until};

/// Which node a session is on, and whether that is a replica.
const QUERY: &str =
    "select rtrim(pg_read_file('/etc/hostname'), chr(10)) || ' ' || pg_is_in_recovery()::text";
/// The ports that lead to the leader.
const TO_LEADER: [&str; 2] = ["read_write", "pooled"];

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn every_port_of_a_proxy_leads_where_it_says() {
    let flags = ["-d", "1", "-c", "2", "--timers", "fast", "--proxy", "haproxy,pgbouncer"];
    let cluster = TestCluster::up("proxy", &flags);
    let strings = strings(&cluster);
    claim("each port leads to the leader or to a replica", || everywhere(&cluster, &strings));
    claim("PgBouncer's user can look up users who log in, and nothing else", || {
        lookup_only(&cluster);
    });
    claim("the password of that user is in no environment, label or argument", || {
        hidden(&cluster);
    });
    claim("the ports follow a switchover", || {
        let before = cluster.leader();
        cluster.pgha(&["switchover", &cluster.id()]).ok();
        assert_ne!(cluster.wait_leader_other_than(&[before], 60), "");
        cluster.wait_whole();
        everywhere(&cluster, &strings);
    });
    claim("pgha stop and start take a proxy, and its strings stay as they were", || {
        let proxy = cluster.of_kind("proxy").remove(0);
        cluster.pgha(&["stop", &cluster.id(), &proxy, "--yes"]).ok();
        let codes = problem_codes(&cluster.status());
        assert!(codes.iter().any(|code| code == "member_down"), "{codes:?}");
        cluster.pgha(&["start", &cluster.id(), &proxy]).ok();
        cluster.wait_whole();
        assert_eq!(self::strings(&cluster), strings);
        everywhere(&cluster, &strings);
    });
}

/// What `pgha connect` prints for proxies.
fn strings(cluster: &TestCluster) -> Value {
    let printed = cluster.pgha(&["connect", &cluster.id(), "--json"]);
    let all: Value = serde_json::from_str(printed.ok()).expect("JSON");
    all["proxies"].clone()
}

fn ask(string: &Value) -> Result<String, String> {
    let string = string["host"].as_str().expect("a string");
    run(Command::new("psql").args([string, "-XAtc", QUERY]), 60).result()
}

/// Each port leads where it says: at once, or with the next health checks.
fn everywhere(cluster: &TestCluster, strings: &Value) {
    let status = cluster.status();
    let leader = leader_of(&status).expect("a leader");
    for port in TO_LEADER {
        let wanted = format!("{leader} false");
        until(&format!("{port} leads to {leader}"), 30, || match ask(&strings[port]) {
            Ok(found) if found == wanted => Ok(()),
            Ok(found) => Err(found),
            Err(e) => Err(e),
        });
    }
    until("read_only leads to a replica", 30, || match ask(&strings["read_only"]) {
        Ok(found) if found.ends_with(" true") => Ok(()),
        Ok(found) => Err(found),
        Err(e) => Err(e),
    });
}

fn lookup_only(cluster: &TestCluster) {
    let leader = cluster.leader();
    let as_it = |query: &str| {
        let script = format!("set role pgbouncer; {query}");
        crate::docker::try_sql(&leader, &script)
    };
    let secret = as_it("select secret from pgbouncer.user_lookup('postgres')").expect("a secret");
    assert!(secret.starts_with("SCRAM-SHA-256$"), "{secret}");
    for user in ["replicator", "rewinder", "pgbouncer", "nobody"] {
        let query = format!("select count(*) from pgbouncer.user_lookup('{user}')");
        assert_eq!(as_it(&query).expect("an answer"), "0", "{user}");
    }
    for denied in ["select rolpassword from pg_authid", "create table public.t ()"] {
        let error = as_it(denied).expect_err("it is not allowed to");
        assert!(error.contains("permission denied"), "{error}");
    }
    sql(&leader, "create role app login");
    let query = "set role app; select * from pgbouncer.user_lookup('postgres')";
    assert!(crate::docker::try_sql(&leader, query).is_err());
}

fn hidden(cluster: &TestCluster) {
    let file = cluster.secrets_dir().join("pgbouncer");
    let password = std::fs::read_to_string(file).expect("the secret");
    let password = password.trim();
    for member in cluster.members() {
        assert!(!inspect(&member).to_string().contains(password), "{member}");
    }
    let proxy = cluster.of_kind("proxy").remove(0);
    let processes = exec(&proxy, &["ps", "-eo", "user,args"]);
    assert!(!processes.contains(password), "{processes}");
    for program in ["haproxy", "pgbouncer"] {
        let mut lines = processes.lines().filter(|line| line.contains(&format!("/{program} ")));
        assert!(lines.next().is_some_and(|line| line.starts_with("postgres")), "{processes}");
    }
    let mode = exec(&proxy, &["stat", "-c", "%a %U", "/pgha/config/userlist.txt"]);
    assert_eq!(mode, "600 postgres");
}
