//! `pgha wan`: what the links between sites are, and changing them while a cluster runs.

mod change;
mod sites;
mod watch;

use pgha_core::wan::control::{Request, WanState};
use pgha_core::wan::view::WanView;

pub(crate) use watch::{LinkSample, Sample};

use crate::cli::wan::{Show, Wan, WanVerb};
use crate::cluster::{self, Among, Cluster};
use crate::docker::Engine;
use crate::error::Result;
use crate::{screen, wan};

/// Carries out `pgha wan`.
pub(crate) async fn run(args: &Wan) -> Result<()> {
    match &args.verb {
        WanVerb::Show(args) => show(args).await,
        WanVerb::Set(args) => change::set(args).await,
        WanVerb::Cut(args) => change::cut(args).await,
        WanVerb::Isolate(args) => change::isolate(args).await,
        WanVerb::Heal(args) => change::heal(args).await,
        WanVerb::Reset(args) => change::reset(args).await,
        WanVerb::Watch(args) => watch::run(args).await,
    }
}

/// A cluster whose router answered.
struct Running {
    engine: Engine,
    cluster: Cluster,
    state: WanState,
}

impl Running {
    /// Finds the cluster and asks its router how it is.
    async fn find(name: Option<&str>) -> Result<Self> {
        let engine = Engine::connect().await?;
        let cluster = cluster::resolve(cluster::find(&engine).await?, name, Among::Created)?;
        let state = wan::request(&engine, &cluster, &Request::State).await?;
        Ok(Self { engine, cluster, state })
    }

    /// Asks the router for something; the state is that after it.
    async fn request(&mut self, request: &Request) -> Result<()> {
        self.state = wan::request(&self.engine, &self.cluster, request).await?;
        Ok(())
    }

    /// Everything there is to show, measured from these sites; what could not be measured is told.
    async fn view(&self, measured_from: &[String]) -> Result<WanView> {
        let topology = self.cluster.topology()?;
        let (trips, failed) =
            wan::measure(&self.engine, &self.cluster, topology, &self.state, measured_from).await;
        for why in failed {
            screen::tell(&format!("not measured: {why}\n"))?;
        }
        let id = &self.cluster.id;
        Ok(WanView::new(&id.name, id.instance, &self.state, &trips))
    }
}

async fn show(args: &Show) -> Result<()> {
    let running = Running::find(args.cluster.as_deref()).await?;
    let topology = running.cluster.topology()?;
    let sites: Vec<String> = topology.sites.iter().map(|site| site.name.clone()).collect();
    let view = running.view(if args.no_verify { &[] } else { &sites }).await?;
    if args.json { screen::print_json(&view) } else { screen::print(&screen::wan::draw(&view)) }
}
