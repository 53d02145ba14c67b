//! `-v 16` and `-v 18`: the other versions of Postgres.

use crate::docker::{sql, try_sql};
use crate::test_cluster::{TestCluster, nodes_of};
use crate::waiting::{claim, until};

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn postgres_16_and_18_replicate_too() {
    for major in ["16", "18"] {
        let test = if major == "16" { "postgres_16" } else { "postgres_18" };
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
}
