//! `pgha backups`: what the repository holds.

use pgha_core::repository::Repository;
use serde::Serialize;

use crate::cli::Backups;
use crate::error::Result;
use crate::events::Events;
use crate::repository::BackupHost;
use crate::screen;
use crate::terminal;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    cluster: &'a str,
    instance: u32,
    #[serde(flatten)]
    repository: &'a Repository,
}

/// Carries out `pgha backups`. A repository without a backup is an answer and no failure.
pub(crate) async fn run(args: &Backups, events: &Events) -> Result<()> {
    let host = BackupHost::find(args.cluster.as_deref(), None).await?;
    let repository = host.repository().await?;
    let id = &host.cluster.id;
    if args.json {
        return terminal::print_json(&Listed {
            cluster: &id.name,
            instance: id.instance,
            repository: &repository,
        });
    }
    events.of(id).note(screen::backups::remarks(&repository, &id.to_string()));
    let backups: Vec<_> = repository.backups.iter().collect();
    terminal::print(&screen::backups::table(&backups))
}
