//! Every printed string with a real psql and with tokio-postgres, against a cluster that runs:
//!
//! ```text
//! PGHA_E2E_CLUSTER=demo cargo test -p pgha --test connect_e2e -- --ignored --nocapture
//! ```
//!
//! Strings for the inside are tried in a container that shares the network of a node. Opens
//! sessions and changes nothing.

#![allow(clippy::print_stdout, reason = "what was found is read by whoever runs it by hand")]

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use tokio_postgres::NoTls;

/// Sessions that a load-balanced string opens. With four nodes, one of them stays without any in
/// four of 100 000 runs.
const SESSIONS: usize = 40;
/// Tells which node it is, and whether that is a replica. Not by address: a node's own name leads to
/// two of them.
const QUERY: &str =
    "select rtrim(pg_read_file('/etc/hostname'), chr(10)) || ' ' || pg_is_in_recovery()::text";
/// What the test binary runs in a container, by the name it gives to the test below.
const INSIDE_TEST: &str = "sessions_of_the_string_in_the_environment";
/// The string that it uses there.
const INSIDE_STRING: &str = "PGHA_E2E_STRING";

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {said}", output.status);
    String::from_utf8(output.stdout).expect("output is text")
}

fn cluster() -> String {
    std::env::var("PGHA_E2E_CLUSTER").expect("PGHA_E2E_CLUSTER names a cluster that runs")
}

fn strings(flags: &[&str]) -> Value {
    let mut pgha = Command::new(env!("CARGO_BIN_EXE_pgha"));
    pgha.args(["connect", &cluster(), "--json"]).args(flags).current_dir("/");
    serde_json::from_str(&run(&mut pgha)).expect("JSON")
}

/// Names of the cluster's running nodes and their image.
fn nodes() -> (Vec<String>, String) {
    let strings = strings(&["--no-password"]);
    let inside = strings["keywords"]["read_write"]["inside"].as_str().expect("a string");
    let hosts = inside.split(' ').find_map(|pair| pair.strip_prefix("host=")).expect("hosts");
    let names: Vec<String> = hosts.split(',').map(ToOwned::to_owned).collect();
    let mut inspect = Command::new("docker");
    inspect.args(["inspect", "--format", "{{.Config.Image}}", &names[0]]);
    (names, run(&mut inspect).trim().to_owned())
}

/// Where a string is tried, and with which library.
#[derive(Debug, Clone, Copy)]
enum Client {
    PsqlOnHost,
    PsqlInside,
    TokioOnHost,
    TokioInside,
}

/// What `count` sessions found, each `node true|false`.
fn sessions(client: Client, string: &str, count: usize) -> Vec<String> {
    let (nodes, image) = nodes();
    let network = match client {
        Client::PsqlOnHost | Client::TokioOnHost => "host".to_owned(),
        Client::PsqlInside | Client::TokioInside => format!("container:{}", nodes[0]),
    };
    let mut docker = Command::new("docker");
    docker.args(["run", "--rm", "--network", &network]);
    let printed = match client {
        Client::PsqlOnHost | Client::PsqlInside => {
            let repeat = r#"for _ in $(seq "$2"); do psql "$1" -XAtc "$3" || exit; done"#;
            docker.args(["--entrypoint", "sh", &image, "-c", repeat, "sh", string]);
            run(docker.args([&count.to_string(), QUERY]))
        }
        Client::TokioOnHost => return sessions_of(string, count),
        Client::TokioInside => {
            let exe = std::env::current_exe().expect("the test knows itself");
            docker.args(["--volume", &format!("{}:/e2e:ro", exe.display())]);
            docker.args(["--env", &format!("{INSIDE_STRING}={string}")]);
            docker.args(["--env", &format!("PGHA_E2E_SESSIONS={count}")]);
            docker.args(["--entrypoint", "/e2e", &image, "--ignored", "--exact", INSIDE_TEST]);
            run(docker.args(["--nocapture", "-q"]))
        }
    };
    printed
        .lines()
        .filter(|line| line.ends_with(" true") || line.ends_with(" false"))
        .map(ToOwned::to_owned)
        .collect()
}

fn sessions_of(string: &str, count: usize) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let mut found = Vec::new();
        for _ in 0..count {
            let (client, connection) = tokio_postgres::connect(string, NoTls).await.expect(string);
            let served = tokio::spawn(connection);
            found.push(client.query_one(QUERY, &[]).await.expect("an answer").get(0));
            drop(client);
            served.await.expect("it ends").expect("it was served");
        }
        found
    })
}

#[test]
#[ignore = "runs in a container, started by the test of every string"]
fn sessions_of_the_string_in_the_environment() {
    let Ok(string) = std::env::var(INSIDE_STRING) else { return };
    let count = std::env::var("PGHA_E2E_SESSIONS").ok().and_then(|n| n.parse().ok());
    for line in sessions_of(&string, count.expect("a number of sessions")) {
        println!("\n{line}");
    }
}

#[test]
#[ignore = "wants a cluster that runs, named by PGHA_E2E_CLUSTER"]
fn every_printed_string_leads_where_it_says() {
    let strings = strings(&[]);
    let (nodes, _) = nodes();
    for form in [&strings, &strings["keywords"]] {
        for (place, clients) in [
            ("host", [Client::PsqlOnHost, Client::TokioOnHost]),
            ("inside", [Client::PsqlInside, Client::TokioInside]),
        ] {
            for client in clients {
                let string = |kind: &str| form[kind][place].as_str().expect("a string").to_owned();
                for (kind, replica) in [("read_write", false), ("read_only", true)] {
                    let found = sessions(client, &string(kind), 2);
                    assert_eq!(found.len(), 2);
                    let right = found.iter().all(|s| s.ends_with(&format!(" {replica}")));
                    assert!(right, "{client:?} {kind}: {found:?}");
                    println!("{client:?} {kind}: {}", found[0]);
                }
                let found = sessions(client, &string("load_balanced"), SESSIONS);
                let met: BTreeSet<_> = found.iter().collect();
                assert_eq!(met.len(), nodes.len(), "{client:?}: {found:?}");
                println!("{client:?} load_balanced: {SESSIONS} sessions on {} nodes", met.len());
            }
        }
    }
}

#[test]
#[ignore = "wants a cluster that runs, named by PGHA_E2E_CLUSTER"]
fn a_string_without_password_works_with_the_password_file() {
    let strings = strings(&["--no-password"]);
    let passfile = strings["passfile"].as_str().expect("a path");
    let (_, image) = nodes();
    for kind in ["read_write", "read_only", "load_balanced"] {
        let string = strings[kind]["host"].as_str().expect("a string");
        let mut docker = Command::new("docker");
        docker.args(["run", "--rm", "--network", "host", "--env", "PGPASSFILE=/pgpass"]);
        docker.args(["--volume", &format!("{passfile}:/pgpass:ro"), "--entrypoint", "psql"]);
        run(docker.args([&image, string, "-XAt", "--no-password", "-c", QUERY]));
    }
}
