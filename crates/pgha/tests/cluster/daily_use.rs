//! One cluster of two data centers, used as its documentation says: its secrets are kept, the
//! reference's commands work, and it survives the loss of its leader.

use crate::test_cluster::TestCluster;
use crate::{inside, leader_loss, reference_commands, security};

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_cluster_keeps_its_secrets_answers_the_documented_commands_and_outlives_its_leader() {
    let cluster = TestCluster::up("daily_use", &["-d", "2", "-c", "2"]);
    security::prove(&cluster);
    reference_commands::prove(&cluster);
    inside::prove(&cluster);
    leader_loss::prove(&cluster);
    // Once more: by now there were failovers, backups and restores, each with its processes.
    security::prove_secrets_are_kept(&cluster);
}
