//! What is in the way is said with a hint, and nothing is touched.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::docker::{docker, labelled};
use crate::process::run;
use crate::test_cluster::{PGHA_DEADLINE_S, TestCluster};
use crate::waiting::claim;

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn what_is_in_the_way_is_refused_with_a_hint_and_left_alone() {
    let there = TestCluster::up("bad_input", &["-d", "1", "-c", "2"]);
    let other = TestCluster::reserve("bad_input_other");
    let both = [&there, &other];
    let (name, instance) = (there.name.as_str(), there.instance.to_string());

    claim("a second cluster of the same name", || {
        let untouched = Untouched::of(&both);
        other.pgha(&["up", "-n", name]).refused(2, &format!("there is a cluster {}", there.id()));
        other.pgha(&["generate", "-n", name]).refused(2, &there.id());
        untouched.check("a second cluster of the same name");
    });
    claim("a taken instance number", || {
        let untouched = Untouched::of(&both);
        let refused = other.pgha(&["up", "-n", &other.name, "--instance", &instance]);
        refused.refused(2, &format!("instance {instance} is cluster {}", there.id()));
        untouched.check("a taken instance number");
    });
    claim("the same cluster with another specification", || {
        let untouched = Untouched::of(&both);
        there.pgha_up(&["-c", "3"]).refused(2, "another specification");
        there.generate(&["-c", "3"]).refused(2, "another specification");
        there.generate(&["-c", "3", "--force"]).refused(2, "exists with another specification");
        untouched.check("another specification");
    });
    claim("another cluster's compose file", || {
        let untouched = Untouched::of(&both);
        there
            .pgha(&["up", "-n", &other.name])
            .refused(2, &format!("belongs to cluster {}", there.id()));
        untouched.check("another cluster's compose file");
    });
    claim("a compose file that is not pgha's", || {
        fs::write(other.compose_file(), "services: {web: {image: nginx}}\n").expect("a folder");
        let untouched = Untouched::of(&both);
        for argv in [vec!["up"], vec!["up", "-n", &other.name], vec!["generate", "-n", &other.name]]
        {
            other.pgha(&argv).refused(2, "not a file of pgha's");
        }
        untouched.check("a foreign file");
        fs::remove_file(other.compose_file()).expect("it is there");
    });
    whose_it_is(&there, &other);
    claim("a damaged compose file of pgha's", || {
        let whole = other.generate(&[]);
        whole.ok();
        let text = fs::read_to_string(other.compose_file()).expect("it was generated");
        fs::write(other.compose_file(), &text[..text.len() / 3]).expect("a folder");
        let untouched = Untouched::of(&both);
        other.pgha(&["up"]).refused(2, "cannot be read back");
        untouched.check("a damaged file");
    });
    claim("--force writes anew and keeps the old files", || {
        let damaged = fs::read(other.compose_file()).expect("it is there");
        let password = fs::read(other.secrets_dir().join("postgres")).expect("a password");
        other.generate(&["--force"]).ok();
        let old = |name: &str| fs::read(other.dir().join(name)).expect(name);
        assert_eq!(old("docker-compose.yaml.old"), damaged);
        assert_eq!(old("docker-compose.secrets.old/postgres"), password);
        assert_ne!(old("docker-compose.secrets/postgres"), password);
        other.assert_nothing_left();
    });
    claim("a port that somebody took", || {
        let ports: Vec<u16> = ports(&other.compose_file());
        let holder = TcpListener::bind(("127.0.0.1", ports[1])).expect("it was free");
        let untouched = Untouched::of(&both);
        other.pgha(&["up"]).refused(1, &format!("port {} of 127.0.0.1 is taken", ports[1]));
        untouched.check("a taken port");
        drop(holder);
    });
    claim("a subnet that somebody took", || {
        let text = fs::read_to_string(other.compose_file()).expect("it is there");
        let subnet = text.split("subnet: ").nth(1).and_then(|t| t.lines().next()).expect("one");
        let network = format!("pgha-e2e-squatter-{}", other.instance);
        docker(&["network", "create", "--subnet", subnet, &network]);
        let untouched = Untouched::of(&both);
        let refused = other.pgha(&["up"]);
        docker(&["network", "rm", &network]);
        refused.refused(1, &format!("{subnet} is in use"));
        untouched.check("a taken subnet");
    });
    claim("no engine", || {
        let untouched = Untouched::of(&both);
        for verb in [vec!["up"], vec!["status"], vec!["list"], vec!["down", "x"]] {
            let mut command = other.command(&verb);
            command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
            run(&mut command, PGHA_DEADLINE_S).refused(3, "DOCKER_HOST");
        }
        untouched.check("no engine");
    });
    claim("a name that is none", || {
        let untouched = Untouched::of(&both);
        for verb in ["stop", "start", "down", "status"] {
            let ran = other.pgha(&[verb, "nosuchcluster"]);
            assert_eq!(ran.code, Some(3), "{ran:?}");
            assert!(ran.stderr.starts_with("error: "), "{ran:?}");
        }
        untouched.check("a name that is none");
    });
    there.wait_whole();
}

/// What a cluster has is neither used nor removed for another one.
fn whose_it_is(there: &TestCluster, other: &TestCluster) {
    let (both, instance) = ([there, other], there.instance);
    claim("--force leaves the files of a cluster that exists where they are", || {
        let untouched = Untouched::of(&both);
        let verb = ["up", "-n", &other.name, "--instance", "9199", "--force"];
        there.pgha(&verb).refused(2, &format!("those of cluster {}", there.id()));
        for file in ["docker-compose.yml", "docker-compose.yaml"] {
            let argv = ["generate", "-n", &other.name, "--instance", "9199", "--force", "-o", file];
            there.pgha(&argv).refused(2, &there.id());
        }
        untouched.check("--force");
    });
    claim(
        "whatever lies in place of its compose file, each verb acts on that cluster alone",
        || {
            whatever_lies_there(there, other);
        },
    );
    claim("a container of another application is named, and nothing is removed", || {
        let (network, squatter) =
            (format!("pgha-net-DC1-{instance}"), format!("pgha-e2e-squatter-{instance}"));
        let run = ["run", "-d", "--name", &squatter, "--network", &network];
        docker(&[&run[..], &["--entrypoint", "sleep", "pgha-wan", "600"]].concat());
        let untouched = Untouched::of(&both);
        let refused = there.pgha(&["down", &there.id(), "--volumes", "--yes"]);
        docker(&["rm", "-f", &squatter]);
        refused.refused(1, &format!("{squatter}, which is not of the cluster"));
        untouched.check("a foreign container");
    });
    claim("data are not removed unless somebody says yes", || {
        let untouched = Untouched::of(&both);
        there.pgha(&["down", &there.id(), "--volumes"]).refused(2, "stdin is not a terminal");
        untouched.check("down without a yes");
    });
}

/// Puts everything that can lie there in place of a running cluster's compose file, and tries every verb.
fn whatever_lies_there(there: &TestCluster, other: &TestCluster) {
    let (file, aside) = (there.compose_file(), there.dir().join("aside"));
    let own = fs::read_to_string(&file).expect("its compose file");
    other.generate(&["-c", "3"]).ok();
    let others = fs::read_to_string(other.compose_file()).expect("it was generated");
    other.forget_files();
    let uid = |text: &str| text.split("pgha.uid: ").nth(1).map(|t| t[1..17].to_owned());
    let earlier = own.replace(&uid(&own).expect("a number"), "0000000000000000");
    let changed = own.replace("durability = \"async\"", "durability = \"sync\"");
    assert_ne!(changed, own);
    fs::rename(&file, &aside).expect("its compose file");
    for (state, text, why) in [
        ("gone", None, "is gone"),
        ("foreign", Some("services: {}\n"), "not a file of pgha's"),
        ("another cluster's", Some(others.as_str()), "it is that of cluster"),
        ("an earlier one of its name", Some(&earlier), "was not made from this compose file"),
        ("another specification", Some(&changed), "another specification"),
    ] {
        match text {
            Some(text) => fs::write(&file, text).expect("a folder"),
            None => assert!(!file.exists()),
        }
        let both = [there, other];
        let untouched = Untouched::of(&both);
        for verb in
            [&["start", &there.id()][..], &["restore", &there.id(), "--latest", "--dry-run"]]
        {
            let ran = there.pgha(verb);
            assert!(ran.code != Some(0) && ran.stderr.contains(why), "{state}: {verb:?}: {ran:?}");
            assert!(ran.stderr.contains("hint: "), "{state}: {verb:?}: {ran:?}");
        }
        there.pgha(&["status", &there.id()]).ok();
        let doomed = there.pgha(&["down", &there.id(), "--volumes", "--dry-run"]);
        assert_eq!(doomed.ok().lines().count(), there.left().len(), "{state}: {doomed:?}");
        untouched.check(state);
    }
    // Needs no file, and is about the cluster of the labels.
    there.pgha(&["stop", &there.id()]).ok();
    fs::rename(&aside, &file).expect("its compose file");
    there.pgha(&["start"]).ok();
    there.wait_whole();
}

/// Files and engine objects of some clusters as they were.
#[derive(Debug)]
struct Untouched<'a> {
    clusters: &'a [&'a TestCluster],
    before: Vec<(BTreeMap<PathBuf, Vec<u8>>, Value)>,
}

impl<'a> Untouched<'a> {
    fn of(clusters: &'a [&'a TestCluster]) -> Self {
        Self { clusters, before: clusters.iter().map(|c| seen(c)).collect() }
    }

    /// Panics where anything is not as it was.
    fn check(&self, refused: &str) {
        for (cluster, (files, engine)) in self.clusters.iter().zip(&self.before) {
            let (files_now, engine_now) = seen(cluster);
            let names = |files: &BTreeMap<PathBuf, Vec<u8>>| -> Vec<PathBuf> {
                files.keys().cloned().collect()
            };
            assert_eq!(names(&files_now), names(files), "{refused}");
            for (name, bytes) in files {
                assert!(files_now[name] == *bytes, "{refused}: {} was changed", name.display());
            }
            assert_eq!(engine_now, *engine, "{refused}");
        }
    }
}

fn seen(cluster: &TestCluster) -> (BTreeMap<PathBuf, Vec<u8>>, Value) {
    let by_name = format!("pgha.cluster={}", cluster.name);
    let things = ["container", "network", "volume"].map(|kind| labelled(kind, &by_name));
    (cluster.files(), serde_json::json!([cluster.left(), things, cluster.containers()]))
}

/// Ports of the host in a compose file.
fn ports(file: &Path) -> Vec<u16> {
    let text = fs::read_to_string(file).expect("it is there");
    let after = text.split("127.0.0.1:").skip(1);
    after.map(|t| t.split(':').next().expect("a port").parse().expect("a number")).collect()
}
