//! `pgha backups`: what the repository holds.

use pgha_core::repository::Repository;
use serde::Serialize;

use crate::cli::Backups;
use crate::error::Result;
use crate::repository::BackupHost;
use crate::screen;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    cluster: &'a str,
    instance: u32,
    #[serde(flatten)]
    repository: &'a Repository,
}

/// Carries out `pgha backups`. A repository without a backup is an answer and no failure.
pub(crate) async fn run(args: &Backups) -> Result<()> {
    let host = BackupHost::find(args.cluster.as_deref(), None).await?;
    let repository = host.repository().await?;
    let id = &host.cluster.id;
    if args.json {
        return screen::print_json(&Listed {
            cluster: &id.name,
            instance: id.instance,
            repository: &repository,
        });
    }
    screen::tell(&screen::backups::remarks(&repository, &id.to_string()))?;
    let backups: Vec<_> = repository.backups.iter().collect();
    screen::print(&screen::backups::table(&backups))
}
