//! Every string that `pgha connect` prints, with a real psql 17, tokio-postgres, psycopg and pgjdbc, from the host and from
//! inside a site.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;
use tokio_postgres::NoTls;

use crate::docker::{docker, exec, sql};
use crate::process::run;
use crate::test_cluster::{TestCluster, leader_site};
use crate::waiting::claim;

const IMAGE: &str = "pgha-pg17-patroni";
/// Sessions of a load-balanced string: with four nodes one is missed in four of 100 000 runs.
const SESSIONS: usize = 40;
/// Which node a session is on, and whether that is a replica. Not by address: a node has two.
const QUERY: &str =
    "select rtrim(pg_read_file('/etc/hostname'), chr(10)) || ' ' || pg_is_in_recovery()::text";
/// The test that this program runs as a client inside a site, and what it is told.
const INSIDE_TEST: &str = "connection_strings::client_inside_a_site";
const INSIDE_STRING: &str = "PGHA_E2E_STRING";
const INSIDE_SESSIONS: &str = "PGHA_E2E_SESSIONS";

/// Opens sessions with a string, and gives what each found.
type Client<'a> = &'a dyn Fn(&str, usize) -> Vec<String>;

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn every_printed_string_leads_where_it_says() {
    let cluster = TestCluster::up("connection_strings", &["-d", "2", "-c", "2"]);
    every_string_works(&cluster);
    claim("pgha psql opens the leader, and a replica with --read-only", || {
        let id = cluster.id();
        let ask = |flags: &[&str]| {
            let query = ["--", "-XAtc", "select pg_is_in_recovery()"];
            cluster.pgha(&[&["psql", &id], flags, &query].concat()).ok().to_owned()
        };
        assert_eq!((ask(&[]).as_str(), ask(&["--standby"]).as_str()), ("f", "t"));
    });
    by_node_site_and_service(&cluster);
    claim("pgha psql finds a database that was made just now, whoever leads", || {
        for n in 0..5 {
            let (leader, name) = (cluster.leader(), format!("fresh{n}"));
            sql(&leader, &format!("create database {name}"));
            let query = ["psql", &cluster.id(), "--", "-XAt", "-d", &name, "-c", "select 1"];
            assert_eq!(cluster.pgha(&query).ok(), "1");
            if n == 0 {
                let far = leader_site(&cluster.status()).2;
                let argv =
                    ["patronictl", "switchover", "pgha_cluster", "--force", "--candidate", &far];
                exec(&leader, &argv);
                cluster.wait_whole();
            }
        }
        let leader = cluster.leader();
        let inside = strings(&cluster, &[])["read_write"]["inside"].to_string();
        assert!(inside.contains(&format!("@{leader}:5432,")), "{inside}");
    });
    claim("without a password the strings work with the password file", || {
        let strings = strings(&cluster, &["--no-password"]);
        assert!(!strings.to_string().contains(&cluster.password()));
        let passfile = strings["passfile"].as_str().expect("a path");
        let mount = format!("{passfile}:/pgpass:ro");
        for kind in ["read_write", "read_only", "load_balanced"] {
            let string = strings[kind]["host"].as_str().expect("a string");
            docker(&[
                "run",
                "--rm",
                "--network",
                "host",
                "--env",
                "PGPASSFILE=/pgpass",
                "--volume",
                &mount,
                "--entrypoint",
                "psql",
                IMAGE,
                string,
                "-XAt",
                "-c",
                QUERY,
            ]);
        }
    });
    claim("the same strings follow the leader to the other site", || {
        let before = strings(&cluster, &[]);
        let jdbc = strings(&cluster, &["--format", "jdbc"]);
        let (_, leader, far) = leader_site(&cluster.status());
        docker(&["stop", &leader]);
        cluster.wait_leader_other_than(std::slice::from_ref(&leader), 60);
        let string = before["read_write"]["host"].as_str().expect("a string");
        let jdbc = jdbc["read_write"]["host"].as_str().expect("a string");
        let psycopg = with_psycopg("host", string, 1);
        for found in
            [with_psql("host", string, 1), sessions(string, 1), psycopg, with_jdbc(jdbc, 1)]
        {
            assert!(found[0].ends_with(" false") && !found[0].starts_with(&leader), "{found:?}");
        }
        let string = before["read_only"]["host"].as_str().expect("a string");
        assert!(with_psql("host", string, 1)[0].ends_with(" true"));
        docker(&["start", &leader]);
        cluster.wait_whole();
        let inside = before["read_write"]["inside"].as_str().expect("a string");
        assert!(with_psql(&format!("container:{far}"), inside, 1)[0].ends_with(" false"));
    });
}

/// Not a test by itself: this program in a container, as a client inside a site.
#[test]
#[ignore = "run in a container by the test of every string"]
fn client_inside_a_site() {
    let (Ok(string), Ok(count)) = (std::env::var(INSIDE_STRING), std::env::var(INSIDE_SESSIONS))
    else {
        return;
    };
    for found in sessions(&string, count.parse().expect("a number")) {
        eprintln!("\n{found}");
    }
}

fn by_node_site_and_service(cluster: &TestCluster) {
    claim("a node, or one of a site, whatever its role", || {
        let (id, nodes) = (cluster.id(), cluster.of_kind("postgres"));
        let ask = |flags: &[&str]| {
            cluster.pgha(&[&["psql", &id], flags, &["-XAtc", QUERY]].concat()).ok().to_owned()
        };
        for node in &nodes {
            let found = ask(&["--node", node]);
            assert!(found.starts_with(&format!("{node} ")), "{found}");
        }
        for site in ["DC1", "dc2"] {
            let found = ask(&["--site", site]).to_ascii_lowercase();
            assert!(found.contains(&format!("-{}-", site.to_ascii_lowercase())), "{found}");
        }
        cluster
            .pgha(&["psql", &id, "--site", "DC3", "-c", "select 1"])
            .refused(2, "no Postgres node");
        cluster.pgha(&["psql", &id, "--site", "DC7"]).refused(2, "there are DC1, DC2, DC3");
        let inside = strings(cluster, &["--site", "DC2"])["read_only"]["inside"].to_string();
        let first = inside.split_once('@').expect("an address").1;
        assert!(first.split(':').next().expect("a host").contains("-DC2-"), "{inside}");
    });
    claim("a service leads where its name says, and has no password in it", || {
        let told = cluster.pgha(&["connect", &cluster.id(), "--service"]);
        let file = told.ok().lines().next().expect("a line").split('\'').nth(1).expect("a path");
        let text = fs::read_to_string(file).expect("it was written");
        assert!(!text.contains(&cluster.password()), "{text}");
        assert_eq!(fs::metadata(file).expect("a file").permissions().mode() & 0o777, 0o600);
        for (kind, replica) in [("", "f"), ("-read-only", "t"), ("-prefer-replica", "t")] {
            let mut psql = Command::new("psql");
            psql.env("PGSERVICEFILE", file).arg(format!("service={}{kind}", cluster.id()));
            let asked = run(psql.args(["-XAtc", "select pg_is_in_recovery()"]), 60);
            assert_eq!(asked.ok(), replica, "{kind}");
        }
    });
}

fn every_string_works(cluster: &TestCluster) {
    let printed = strings(cluster, &[]);
    let node = cluster.of_kind("postgres").remove(3);
    let inside = format!("container:{node}");
    let of_libpq = [&printed, &printed["keywords"]];
    let jdbc = strings(cluster, &["--format", "jdbc"]);
    let clients: [(&str, &str, &[&Value], Client<'_>); 7] = [
        ("psql", "host", &of_libpq, &|string, count| with_psql("host", string, count)),
        ("psql", "inside", &of_libpq, &|string, count| with_psql(&inside, string, count)),
        ("tokio-postgres", "host", &of_libpq, &|string, count| sessions(string, count)),
        ("tokio-postgres", "inside", &of_libpq, &|string, count| {
            sessions_inside(&inside, string, count)
        }),
        ("psycopg", "host", &[&printed], &|string, count| with_psycopg("host", string, count)),
        ("psycopg", "inside", &[&printed], &|string, count| with_psycopg(&inside, string, count)),
        ("pgjdbc", "host", &[&jdbc], &with_jdbc),
    ];
    for (program, place, forms, client) in clients {
        claim(&format!("every string with {program}, {place}"), || {
            for form in forms {
                let string = |kind: &str| form[kind][place].as_str().expect("a string").to_owned();
                for (kind, replica) in
                    [("read_write", false), ("read_only", true), ("prefer_replica", true)]
                {
                    if (program, kind) == ("tokio-postgres", "prefer_replica") {
                        continue;
                    }
                    let found = client(&string(kind), 2);
                    let right = found.iter().all(|s| s.ends_with(&format!(" {replica}")));
                    assert!(found.len() == 2 && right, "{kind}: {found:?}");
                }
                for (kind, nodes) in [("balanced_replicas", 3), ("load_balanced", 4)] {
                    let found = client(&string(kind), SESSIONS);
                    assert_eq!(found.len(), SESSIONS, "{found:?}");
                    let met: BTreeSet<_> = found.iter().collect();
                    assert_eq!(met.len(), nodes, "{kind} met {met:?}");
                }
            }
        });
    }
}

fn strings(cluster: &TestCluster, flags: &[&str]) -> Value {
    let id = cluster.id();
    let printed = cluster.pgha(&[&["connect", &id, "--json"], flags].concat());
    serde_json::from_str(printed.ok()).expect("connect prints JSON")
}

/// Sessions of psql 17, in a container on this network.
fn with_psql(network: &str, string: &str, count: usize) -> Vec<String> {
    let repeat = r#"for _ in $(seq "$2"); do psql "$1" -XAtc "$3" || exit; done"#;
    let count = count.to_string();
    let container = ["run", "--rm", "--network", network, "--entrypoint", "sh", IMAGE, "-c"];
    found(&docker(&[&container[..], &[repeat, "sh", string, &count, QUERY]].concat()))
}

/// Sessions of psycopg, in a container on this network.
fn with_psycopg(network: &str, string: &str, count: usize) -> Vec<String> {
    let python = "import psycopg2, sys\n\
        for _ in range(int(sys.argv[2])):\n\
        \tcursor = psycopg2.connect(sys.argv[1]).cursor()\n\
        \tcursor.execute(sys.argv[3])\n\
        \tprint(cursor.fetchone()[0])\n";
    let count = count.to_string();
    let program = ["run", "--rm", "--network", network, "--entrypoint", "/opt/patroni/bin/python3"];
    found(&docker(&[&program[..], &[IMAGE, "-c", python, string, &count, QUERY]].concat()))
}

/// Sessions of pgjdbc, here.
fn with_jdbc(string: &str, count: usize) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("Sessions.java");
    fs::write(&program, JAVA).expect("it can be written");
    let mut java = Command::new("java");
    java.args(["-cp", "/usr/share/java/postgresql.jar"]).arg(&program);
    let ran = run(java.args([string, &count.to_string(), QUERY]), 120);
    found(ran.ok())
}

/// Opens sessions one after the other, and prints what each has found.
const JAVA: &str = r"
import java.sql.*;
class Sessions {
    public static void main(String[] words) throws SQLException {
        for (int n = 0; n < Integer.parseInt(words[1]); n++) {
            try (Connection session = DriverManager.getConnection(words[0]);
                 ResultSet rows = session.createStatement().executeQuery(words[2])) {
                rows.next();
                System.out.println(rows.getString(1));
            }
        }
    }
}
";

/// Sessions of tokio-postgres, here.
fn sessions(string: &str, count: usize) -> Vec<String> {
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

/// Sessions of tokio-postgres, in a container on this network.
fn sessions_inside(network: &str, string: &str, count: usize) -> Vec<String> {
    let this = std::env::current_exe().expect("a program knows itself");
    let mut client = Command::new("docker");
    client.args(["run", "--rm", "--network", network]);
    client.args(["--volume", &format!("{}:/e2e:ro", this.display())]);
    client.args(["--env", &format!("{INSIDE_STRING}={string}")]);
    client.args(["--env", &format!("{INSIDE_SESSIONS}={count}")]);
    client.args(["--entrypoint", "/e2e", IMAGE]);
    client.args(["--ignored", "--exact", INSIDE_TEST, "--nocapture", "-q"]);
    let ran = run(&mut client, 120);
    ran.ok();
    found(&ran.stderr)
}

fn found(text: &str) -> Vec<String> {
    let answers = text.lines().filter(|l| l.ends_with(" true") || l.ends_with(" false"));
    answers.map(str::to_owned).collect()
}
