//! `-v 16` and `-v 18`: the other versions of Postgres.

use crate::docker::{sql, try_sql};
use crate::test_cluster::{TestCluster, nodes_of};
use crate::waiting::{claim, until};

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn postgres_18_replicates_too() {
    replicates("postgres_18", "18");
}

/// What takes too long for each change: `./test.sh soak`.
mod soak {
    #[test]
    #[ignore = "takes long; ./test.sh soak runs it"]
    fn postgres_16_replicates_too() {
        super::replicates("postgres_16", "16");
    }
}

fn replicates(test: &'static str, major: &str) {
    let cluster = TestCluster::up(test, &["-v", major]);
    claim(&format!("every node is Postgres {major}, and a row replicates"), || {
        let view = cluster.wait_whole();
        let leader = cluster.leader();
        sql(&leader, "create table kept as select 42 as answer");
        for node in nodes_of(&view).map(|m| m["name"].as_str().expect("text")) {
            until("the row is there", 30, || match try_sql(node, "select answer from kept") {
                Ok(answer) if answer == "42" => Ok(()),
                other => Err(format!("{other:?}")),
            });
            let version = sql(node, "select version()");
            assert!(version.starts_with(&format!("PostgreSQL {major}.")), "{version}");
        }
    });
}
