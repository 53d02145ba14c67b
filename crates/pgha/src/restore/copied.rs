//! How much of the data replicas have copied, while a restore waits for them.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::join_all;
use pgha_core::words::bytes;

use crate::events::Work;
use crate::provider::Provider;

/// Time between two looks.
const POLL: Duration = Duration::from_secs(2);
/// How long a look may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Says again and again how much the replicas have of what the leader has. What cannot be measured is not told; it goes
/// on until it is dropped.
pub(super) async fn tell(
    provider: &impl Provider,
    leader: &str,
    replicas: &[String],
    data: &str,
    doing: &str,
    work: &Work,
) -> Infallible {
    loop {
        let copied = join_all(replicas.iter().map(|node| size(provider, node, data)));
        let (all, copied) = tokio::join!(size(provider, leader, data), copied);
        if let (Some(all), true) = (all, copied.iter().any(Option::is_some)) {
            work.at(doing, &progress(all, &copied));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// `1.2 GB of about 2.1 GB copied`, of all replicas together.
fn progress(all: u64, copied: &[Option<u64>]) -> String {
    let replicas = u64::try_from(copied.len()).unwrap_or(u64::MAX);
    // One that cannot be measured, since it starts, has nothing yet. WAL alone makes one larger than the leader.
    let have = copied.iter().flatten().map(|bytes| *bytes.min(&all)).sum();
    format!("{} of about {} copied", bytes(have), bytes(all.saturating_mul(replicas)))
}

/// Bytes below the folder of data; `None` where that cannot be had.
async fn size(provider: &impl Provider, node: &str, data: &str) -> Option<u64> {
    // Files come and go meanwhile, which du takes for a failure.
    let printed =
        provider.exec_stdout(node, &["du", "--summarize", "--bytes", data], DEADLINE).await.ok()?;
    String::from_utf8_lossy(&printed).split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_replicas_have_never_exceeds_what_there_is() {
        let mb = 1_000_000;
        assert_eq!(progress(500 * mb, &[Some(200 * mb), None]), "200 MB of about 1 GB copied");
        assert_eq!(progress(500 * mb, &[Some(900 * mb)]), "500 MB of about 500 MB copied");
    }
}
