//! `pgha events`: what happened to a cluster, by time.

use jiff::Timestamp;

use crate::cli::Happened;
use crate::cluster::{self, Among};
use crate::docker::Engine;
use crate::error::Result;
use crate::repository::BackupHost;
use crate::{chronicle, screen, terminal};

/// Carries out `pgha events`.
pub(crate) async fn run(args: &Happened) -> Result<()> {
    let engine = Engine::connect().await?;
    let found = cluster::find(&engine).await?;
    let cluster = cluster::resolve(found, args.cluster.as_deref(), Among::Created)?;
    let since = args.since.map(|since| since.before(Timestamp::now()));
    let mut all = chronicle::entries(&engine, &cluster, since).await;
    // Without a backup host that answers there is the rest.
    if let Ok(host) = BackupHost::find(Some(&cluster.id.to_string()), None).await
        && let Ok(repository) = host.repository().await
    {
        all.extend(chronicle::backups(&repository));
    }
    let all = chronicle::ordered(all, since);
    // Somebody who reads only the beginning is no failure.
    terminal::stream(&if args.json {
        screen::events::json(&all)
    } else {
        screen::events::text(&all)
    })?;
    Ok(())
}
