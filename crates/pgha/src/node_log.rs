//! The end of a node's logs: that of its container, where Postgres writes until its collector runs, and
//! the newest file of the collector.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use pgha_core::postgres_log::{self, LogFacts};
use pgha_core::render::data_dir;
use pgha_core::topology::Topology;
use tokio::time::timeout;

use crate::provider::Provider;

/// Lines of a container's log: Patroni writes some 50 while it waits for a Postgres that does not come.
const LINES: u32 = 400;
/// Prints the end of the newest file, where there is one.
const END_OF_NEWEST: &str = r#"newest=$(ls -t "$1"/log/* 2>/dev/null | head -n 1)
[ -z "$newest" ] || tail -c 65536 "$newest""#;
/// How long either may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// What the logs of these nodes say; a node whose logs cannot be had is left out.
pub(crate) async fn read(
    provider: &impl Provider,
    topology: &Topology,
    nodes: &[&str],
) -> BTreeMap<String, LogFacts> {
    let data = data_dir(topology.spec.postgres);
    let each = nodes.iter().map(async |node| {
        let newest = ["sh", "-c", END_OF_NEWEST, "sh", &data];
        let (container, file) = tokio::join!(
            timeout(DEADLINE, provider.log(node, LINES)),
            provider.exec_stdout(node, &newest, DEADLINE)
        );
        let file = file.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let container = container.unwrap_or_default();
        let facts = postgres_log::read(&[&container, &file.unwrap_or_default()]);
        ((*node).to_owned(), facts)
    });
    join_all(each).await.into_iter().collect()
}
