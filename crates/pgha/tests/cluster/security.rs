//! Secrets stay where they belong, and nobody may do more than they must.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::docker::{docker, exec, inspect, try_docker, try_exec};
use crate::test_cluster::{TestCluster, nodes_of};
use crate::waiting::claim;

/// Capabilities over the network, with their numbers.
const NETWORK_RIGHTS: [(&str, u32); 2] = [("NET_ADMIN", 12), ("NET_RAW", 13)];

/// Everything this module claims of a cluster.
pub(crate) fn prove(cluster: &TestCluster) {
    claim("secrets are readable by their owner alone", || secrets_are_private(cluster));
    prove_secrets_are_kept(cluster);
    claim("no process of a database runs as root", || nothing_but_pid_1_is_root(cluster));
    claim("PID 1 has given up its rights over the network", || {
        pid_1_cannot_change_the_network(cluster);
    });
    claim("Patroni refuses changes without its password", || patroni_wants_its_password(cluster));
}

/// No secret shows in what the engine or a process list tells.
pub(crate) fn prove_secrets_are_kept(cluster: &TestCluster) {
    claim("no secret is in inspect, logs, process lists or images", || {
        let secrets = secrets(cluster);
        let keeps = |place: &str, text: &str| {
            for (file, secret) in &secrets {
                assert!(!text.contains(secret), "the secret `{file}` is in {place}");
            }
        };
        // What is looked for can be found: the containers do have these secrets.
        let (file, secret) =
            secrets.iter().find(|(file, _)| file == "postgres").expect("a password");
        let mounted = exec(&cluster.leader(), &["cat", &format!("/run/secrets/{file}")]);
        assert!(mounted.contains(secret), "the secret in the container is another");

        for member in cluster.members() {
            keeps(&format!("inspect of {member}"), &inspect(&member).to_string());
            let log = try_docker(&["logs", &member]);
            keeps(&format!("the log of {member}"), &(log.ok().to_owned() + &log.stderr));
            let every =
                "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'";
            let seen = exec(&member, &["sh", "-c", every]);
            assert!(seen.contains("PGHA_INSTANCE"), "{member} shows no environment");
            keeps(&format!("a process of {member}"), &seen);
            let image = inspect(&member)["Image"].as_str().expect("an image").to_owned();
            keeps(&format!("the image of {member}"), &docker(&["history", "--no-trunc", &image]));
            keeps(&format!("the image of {member}"), &inspect(&image).to_string());
        }
        let compose = fs::read_to_string(cluster.compose_file()).expect("the compose file");
        keeps("the compose file", &compose);
    });
}

/// Name and telling part of each secret: a password, or the longest line of a key.
fn secrets(cluster: &TestCluster) -> Vec<(String, String)> {
    let files = fs::read_dir(cluster.secrets_dir()).expect("there are secrets");
    let secrets: Vec<_> = files
        .map(|file| file.expect("it can be listed"))
        // It says whose they are, as the labels do.
        .filter(|file| file.file_name() != "cluster")
        .map(|file| {
            let text = fs::read_to_string(file.path()).expect("a secret is text");
            let telling = text.lines().max_by_key(|line| line.len()).expect("it is not empty");
            assert!(telling.len() >= 32, "{} is short", file.path().display());
            (file.file_name().to_string_lossy().into_owned(), telling.to_owned())
        })
        .collect();
    assert!(secrets.len() >= 9, "only {} secrets", secrets.len());
    secrets
}

fn secrets_are_private(cluster: &TestCluster) {
    let mode = |path: &std::path::Path| {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
    };
    assert_eq!(mode(&cluster.secrets_dir()), 0o700);
    for file in fs::read_dir(cluster.secrets_dir()).expect("there are secrets") {
        let path = file.expect("it can be listed").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

fn nothing_but_pid_1_is_root(cluster: &TestCluster) {
    for member in cluster.members() {
        let listed = exec(&member, &["ps", "-eo", "pid=,user=,comm="]);
        let mut others = 0;
        for line in listed.lines() {
            let [pid, user, command] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                continue;
            };
            if command == "ps" {
                continue;
            }
            if pid == "1" {
                assert_eq!(command, "pgha-node", "{member}");
            } else {
                assert_ne!(user, "root", "{command} of {member}");
                others += 1;
            }
        }
        assert!(others > 0, "{member} runs nothing:\n{listed}");
    }
}

fn pid_1_cannot_change_the_network(cluster: &TestCluster) {
    for member in cluster.members() {
        let status = exec(&member, &["cat", "/proc/1/status"]);
        for set in ["CapEff:", "CapPrm:", "CapInh:"] {
            let line = status.lines().find_map(|l| l.strip_prefix(set)).expect("a set");
            let bits = u64::from_str_radix(line.trim(), 16).expect("hexadecimal");
            for (right, bit) in NETWORK_RIGHTS {
                assert_eq!(bits >> bit & 1, 0, "{member} has {right} in {set} {line}");
            }
        }
    }
}

fn patroni_wants_its_password(cluster: &TestCluster) {
    let view = cluster.status();
    for node in nodes_of(&view) {
        let (name, address) = (node["name"].as_str().expect("text"), &node["address"]);
        let url = format!("http://{}:8008/config", address.as_str().expect("text"));
        let patch = |user: &str| {
            let code = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "PATCH"];
            let what = ["-d", r#"{"pgha_test": null}"#, &url];
            let login = if user.is_empty() { vec![] } else { vec!["-u", user] };
            try_exec(name, &[&code[..], &login, &what].concat()).stdout
        };
        assert_eq!(patch(""), "401", "{name} without a password");
        assert_eq!(patch("pgha:wrong"), "401", "{name} with a wrong password");
        let file = cluster.secrets_dir().join("patroni");
        let password = fs::read_to_string(file).expect("the password");
        assert_eq!(patch(&format!("pgha:{}", password.trim())), "200", "{name} with its password");
    }
}
