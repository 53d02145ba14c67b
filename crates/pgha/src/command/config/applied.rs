//! Waits until every node that runs has a change of configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use pgha_core::config::applied::{Said, Seen, script};
use pgha_core::status::{ClusterView, ContainerState};
use tokio::time::Instant;

use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Work;
use crate::provider::Provider as _;

/// What a node may take beyond two of Patroni's rounds.
const ALLOWANCE: Duration = Duration::from_secs(15);
/// How long one look may take.
const LOOK_DEADLINE: Duration = Duration::from_secs(10);
/// Time between two looks.
const POLL: Duration = Duration::from_millis(500);

/// Now, in seconds since 1970, as members count them.
#[allow(clippy::cast_precision_loss, reason = "it is far below 2^52 milliseconds")]
pub(super) fn now_s() -> f64 {
    Timestamp::now().as_millisecond() as f64 / 1000.0
}

/// Waits; gives the nodes on which a parameter then waits for a restart.
///
/// # Errors
/// When a node does not have it in time.
pub(super) async fn until_on_every_node(
    engine: &Engine,
    view: &ClusterView,
    changed_s: f64,
    work: &Work,
) -> Result<Vec<String>> {
    let rounds_s = 2 * view.settings.map_or(10, |settings| settings.loop_wait_s);
    let deadline = Duration::from_secs(rounds_s.into()) + ALLOWANCE;
    let runs = view.nodes().filter(|node| node.container_state == ContainerState::Running);
    let mut behind: BTreeMap<String, Seen> =
        runs.map(|node| (node.name.clone(), Seen::default())).collect();
    let (mut pending, began) = (Vec::new(), Instant::now());
    let argv = ["sh".to_owned(), "-c".to_owned(), script()];
    loop {
        let looks = behind.keys().map(|node| engine.exec(node, &argv, LOOK_DEADLINE));
        let looks = join_all(looks).await;
        let names: Vec<String> = behind.keys().cloned().collect();
        for (node, look) in names.into_iter().zip(looks) {
            let said = look.map(|ran| Said::parse(&ran.stdout)).unwrap_or_default();
            let seen = behind.entry(node.clone()).or_default();
            if seen.runs_with(said, changed_s, now_s()) {
                behind.remove(&node);
                if said.pending > 0 {
                    pending.push(node);
                }
            }
        }
        let left: Vec<&str> = behind.keys().map(String::as_str).collect();
        if left.is_empty() {
            return Ok(pending);
        }
        work.at("waiting until every node has it", &left.join(", "));
        if began.elapsed() > deadline {
            return Err(Error::deadline(format!(
                "{} of {} nodes does not run with it after {} s",
                left.len(),
                view.nodes().count(),
                deadline.as_secs()
            ))
            .because(left.join("\n"))
            .hint(format!(
                "etcd has the change; `pgha status {}-{}` says how these nodes are",
                view.cluster, view.instance
            )));
        }
        tokio::time::sleep(POLL).await;
    }
}
