//! Two commands that choose what is free at the same moment.

use std::thread;

use crate::test_cluster::TestCluster;
use crate::waiting::claim;

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn two_ups_at_the_same_moment_make_two_clusters() {
    let clusters = [TestCluster::reserve("ups_at_once"), TestCluster::reserve("ups_at_once")];
    claim("both come up, on ports and subnets of their own; the second says that it waits", || {
        let ups = thread::scope(|scope| {
            let up = |cluster| scope.spawn(move || TestCluster::pgha_up(cluster, &["-d", "1"]));
            clusters.each_ref().map(up).map(|up| up.join().expect("it runs to its end"))
        });
        for up in &ups {
            up.ok();
        }
        let waited = ups.iter().filter(|up| up.stderr.contains("waiting for another pgha"));
        assert_eq!(waited.count(), 1, "{ups:#?}");
    });
}
