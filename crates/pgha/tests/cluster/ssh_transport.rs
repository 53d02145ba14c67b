//! `--backup-transport ssh`: keys of the cluster's own, and everything that pgBackRest does.

use std::fs;

use crate::docker::{docker, exec, try_exec};
use crate::reference_commands::{archived, full_backup};
use crate::test_cluster::TestCluster;
use crate::waiting::claim;

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn pgbackrest_works_over_ssh_with_keys_of_the_clusters_own() {
    let cluster = TestCluster::up("ssh_transport", &["--backup-transport", "ssh"]);
    let (host, leader) = (cluster.backup_host(), cluster.leader());
    claim("the first segment of WAL is archived, over ssh", || {
        archived(&cluster, "000000010000000000000001", 60);
        let config = exec(&leader, &["cat", "/pgha/config/pgbackrest.conf"]);
        assert!(!config.contains("tls") && config.contains("repo1-host-port=2222"), "{config}");
        for member in [&host, &leader] {
            let listed = exec(member, &["ps", "-eo", "user=,args="]);
            let sshd = listed.lines().find(|line| line.contains("sshd"));
            assert!(sshd.is_some_and(|line| line.starts_with("postgres")), "{member}: {listed}");
        }
    });
    claim("pgbackrest check passes on the backup host", || {
        exec(&host, &["pgbackrest", "--stanza=pgha_db", "check"]);
    });
    claim("a full backup and its listing work", || full_backup(&cluster, &leader));
    claim("a node without the key gets nowhere", || {
        let strange = "ssh -p 2222 -o IdentitiesOnly=yes -o BatchMode=yes -i /dev/null \
                       -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
                       postgres@$TARGET true";
        let argv = ["env", &format!("TARGET={host}"), "HOME=/tmp", "sh", "-c", strange];
        let refused = try_exec(&leader, &argv);
        assert_eq!(refused.code, Some(255), "{refused:?}");
        assert!(refused.stderr.contains("Permission denied"), "{refused:?}");
    });
    claim("two clusters have different keys, and no image has any", || {
        let other = TestCluster::reserve("ssh_transport_other");
        other.generate(&["--backup-transport", "ssh"]).ok();
        for key in ["ssh_key", "ssh_host_key"] {
            let read = |c: &TestCluster| fs::read_to_string(c.secrets_dir().join(key)).expect(key);
            assert!(read(&cluster).contains("PRIVATE KEY"));
            assert_ne!(read(&cluster), read(&other), "{key}");
        }
        for image in ["pgha-pg17-patroni", "pgha-pgbackrest", "pgha-etcd-3.5", "pgha-wan"] {
            // A file that starts as a private key does; certificates of authorities are none.
            let keys = "find / -xdev -type f -size -64k \\( -path /proc -o -path /sys \\) -prune -o \
                        -xdev -type f -size -64k -print0 \
                        | xargs -0 grep -l -a -E '^-----BEGIN [A-Z ]*PRIVATE KEY-----' 2>/dev/null; true";
            let found = docker(&["run", "--rm", "--entrypoint", "sh", image, "-c", keys]);
            assert_eq!(found, "", "keys in {image}");
        }
    });
}
