//! `pgha wan`: what the links between sites are, and changing them while a cluster runs.

mod change;
pub(crate) mod sites;
mod watch;

use pgha_core::links::view::WanView;
use pgha_wan::control::{Request, WanState};

use crate::cli::wan::{Show, Wan, WanVerb};
use crate::cluster::{self, Among, Cluster};
use crate::docker::Engine;
use crate::error::Result;
use crate::events::Events;
use crate::terminal;
use crate::{screen, wan};

/// Carries out `pgha wan`.
pub(crate) async fn run(args: &Wan, events: &Events) -> Result<()> {
    match &args.verb {
        WanVerb::Show(args) => show(args, events).await,
        WanVerb::Set(args) => change::set(args, events).await,
        WanVerb::Cut(args) => change::cut(args, events).await,
        WanVerb::Isolate(args) => change::isolate(args, events).await,
        WanVerb::Heal(args) => change::heal(args, events).await,
        WanVerb::Reset(args) => change::reset(args, events).await,
        WanVerb::Watch(args) => watch::run(args, events).await,
    }
}

/// A cluster whose router answered.
struct Running {
    engine: Engine,
    cluster: Cluster,
    state: WanState,
    events: Events,
}

impl Running {
    /// Finds the cluster and asks its router how it is.
    async fn find(name: Option<&str>, events: &Events) -> Result<Self> {
        let engine = Engine::connect().await?;
        let cluster = cluster::resolve(cluster::find(&engine).await?, name, Among::Created)?;
        let state = wan::request(&engine, &cluster, &Request::State).await?;
        let events = events.of(&cluster.id);
        Ok(Self { engine, cluster, state, events })
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
            self.events.note(format!("not measured: {why}"));
        }
        let id = &self.cluster.id;
        Ok(WanView::new(&id.name, id.instance, &self.state, &trips))
    }
}

async fn show(args: &Show, events: &Events) -> Result<()> {
    let running = Running::find(args.cluster.as_deref(), events).await?;
    let topology = running.cluster.topology()?;
    let sites: Vec<String> = topology.sites.iter().map(|site| site.name.clone()).collect();
    let view = running.view(if args.no_verify { &[] } else { &sites }).await?;
    if args.json { terminal::print_json(&view) } else { terminal::print(&screen::wan::draw(&view)) }
}
