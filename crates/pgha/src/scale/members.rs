//! Members that are there work with a newer layout; those that go are removed with their data.

use std::time::Duration;

use futures_util::future::try_join_all;
use pgha_core::agent::Request;
use pgha_core::layout_file::{Applied, LAYOUT_FILE, LayoutFile};
use pgha_core::scale::Journal;
use pgha_core::status::{ContainerFact, ContainerState};
use pgha_core::topology::Topology;
use tokio::time::Instant;

use crate::error::{Error, OrFail as _, Result};
use crate::events::Work;
use crate::fault;
use crate::provider::{Provider, Thing, Up};
use crate::scale::{POLL, QUESTION, Scaling};
use crate::wan;

/// How long the engine may take to let go of what it has agreed to remove.
const GONE_DEADLINE: Duration = Duration::from_secs(30);
/// How long a router that was made anew may take to answer.
const ROUTER_DEADLINE: Duration = Duration::from_secs(60);

impl<P: Provider> Scaling<P> {
    /// Writes the compose file of that generation, and has every member work with it.
    pub(super) async fn publish(
        &self,
        generation: u32,
        journal: &mut Journal,
        work: &Work,
    ) -> Result<String> {
        let topology = self.topology(self.end(journal)?.at(generation));
        self.write_file(&topology, &self.provider.clusters().await?)?;
        // From here on it is the cluster's layout for everybody.
        journal.published = generation;
        self.write_down(Some(journal)).await?;
        let cluster = self.cluster().await?;
        let names = topology.containers();
        let members: Vec<&ContainerFact> =
            cluster.containers.iter().filter(|c| names.contains(&c.name)).collect();
        let layout = LayoutFile { cluster: self.identity.clone(), layout: topology.layout.clone() };
        let text = layout.text();
        let told = members.iter().map(|member| {
            work.at("new layout", &member.name);
            self.tell(member, &text)
        });
        let told = try_join_all(told).await?;
        let reloaded = told.iter().flatten().filter(|applied| !applied.reloaded.is_empty());
        Ok(format!("{} members have it, {} reloaded", told.len(), reloaded.count()))
    }

    /// Has a member work with a layout; one that does not run will once it starts.
    async fn tell(&self, member: &ContainerFact, layout: &str) -> Result<Option<Applied>> {
        let ContainerFact { id, name, .. } = member;
        if member.state != ContainerState::Running {
            let (folder, file) = LAYOUT_FILE.rsplit_once('/').expect("it has a folder");
            return self.provider.put_file(id, folder, file, layout).await.map(|()| None);
        }
        let put = Request::PutLayout.argv();
        let ran = self.provider.exec_with(id, &put, Some(layout), QUESTION).await?;
        if ran.code != 0 {
            return Err(Error::failed(format!("{name} does not take the new layout"))
                .because(ran.stderr.trim())
                .hint(format!("`pgha logs {name}` may say why")));
        }
        let said = self.ask(id, &Request::ApplyLayout.argv()).await?;
        serde_json::from_str(&said).map(Some).or_fail(format!("{name} answers nonsense"))
    }

    /// Makes the router anew, which then is on the networks of the compose file, with the links of the cluster file. No packet
    /// passes between sites meanwhile, so it is not asked to end first.
    pub(super) async fn renew_router(&self, topology: &Topology) -> Result<String> {
        let router = topology.router();
        if let Some(container) = self.cluster().await?.container(&router) {
            let container = &container.id;
            self.provider.remove(Thing::Container { container, volumes: true }).await?;
        }
        self.provider.up(&self.project, Up::Alone(&router)).await?;
        let began = Instant::now();
        loop {
            let cluster = self.cluster().await?;
            let asked =
                wan::request(&self.provider, &cluster, &pgha_wan::control::Request::State).await;
            match asked {
                Ok(_) => return Ok(format!("{router} is on {} networks", topology.sites.len())),
                Err(error) if began.elapsed() > ROUTER_DEADLINE => return Err(error),
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Removes the network of a site, once the router is no longer on it.
    pub(super) async fn remove_network(&self, site: u8, topology: &Topology) -> Result<String> {
        let said = self.renew_router(topology).await?;
        let name = format!("pgha-net-DC{site}-{}", self.id().instance);
        let cluster = self.cluster().await?;
        for network in cluster.networks.iter().filter(|network| network.name == name) {
            self.provider.remove(Thing::Network(&network.id)).await?;
        }
        Ok(format!("{name} is removed; {said}"))
    }

    /// Removes a member's container, its volume, and what is written down of faults that it alone has.
    pub(super) async fn remove_member(&self, name: &str) -> Result<()> {
        let cluster = self.cluster().await?;
        if let Some(container) = cluster.container(name) {
            let container = &container.id;
            self.provider.remove(Thing::Container { container, volumes: true }).await?;
        }
        if cluster.volumes.iter().any(|volume| volume == name) {
            self.remove_volume(name).await?;
        }
        for recorded in &cluster.faults {
            if recorded.fault.targets.iter().all(|target| target == name) {
                fault::forget(&self.provider, recorded).await?;
            }
        }
        let began = Instant::now();
        loop {
            let cluster = self.cluster().await?;
            let is_there = cluster.container(name).is_some()
                || cluster.volumes.iter().any(|volume| volume == name);
            if !is_there {
                return Ok(());
            }
            if began.elapsed() > GONE_DEADLINE {
                return Err(Error::deadline(format!("{name} is not removed")));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The engine may still have it mounted for a moment.
    async fn remove_volume(&self, name: &str) -> Result<()> {
        let began = Instant::now();
        loop {
            match self.provider.remove(Thing::Volume(name)).await {
                Err(_) if began.elapsed() < GONE_DEADLINE => tokio::time::sleep(POLL).await,
                ended => return ended,
            }
        }
    }
}
