//! Gathers what the metrics of a cluster are made of: one look at everything.

use pgha_core::links::view::WanView;
use pgha_core::metrics::{self, Seen, Write};

use crate::cluster::Cluster;
use crate::docker::Engine;
use crate::error::Result;
use crate::repository::BackupHost;
use crate::write_probe::WriteProbe;
use crate::{observe, wan};

/// The metrics of a cluster; what cannot be learned is left out.
///
/// # Errors
/// When the cluster cannot be read.
pub(crate) async fn text(engine: &Engine, cluster: &Cluster) -> Result<String> {
    let repository = async {
        let host = BackupHost::find(Some(&cluster.id.to_string()), None).await.ok()?;
        host.repository().await.ok()
    };
    let (seen, links, repository, write) = tokio::join!(
        observe::whole(engine, cluster),
        links(engine, cluster),
        repository,
        write(engine, cluster),
    );
    let (observed, view) = seen?;
    let (links, repository) = (links.as_ref(), repository.as_ref());
    Ok(metrics::text(&Seen { observed: &observed, view: &view, links, repository, write }))
}

/// The WAN, measured from each site.
async fn links(engine: &Engine, cluster: &Cluster) -> Option<WanView> {
    let topology = cluster.topology().ok()?;
    let state = wan::request(engine, cluster, &pgha_wan::control::Request::State).await.ok()?;
    let sites: Vec<String> = topology.sites.iter().map(|site| site.name.clone()).collect();
    let (trips, _) = wan::measure(engine, cluster, topology, &state, &sites).await;
    Some(WanView::new(&cluster.id.name, cluster.id.instance, &state, &trips))
}

async fn write(engine: &Engine, cluster: &Cluster) -> Option<Write> {
    let mut probe = WriteProbe::of(engine, cluster).await.ok()?;
    Some(probe.once().await)
}
