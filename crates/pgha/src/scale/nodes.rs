//! Postgres nodes: a new one clones itself and streams; one that goes hands over first, and leaves neither slot nor key.

use pgha_core::layout_change::Step as LayoutStep;
use pgha_core::render::{NAMESPACE, SCOPE};
use pgha_core::rolling::{self, Asked};
use pgha_core::scale::{Journal, Step};
use pgha_core::status::{ClusterView, ContainerState};
use pgha_core::switchover::{Switchover, To};
use pgha_core::topology::Role;
use pgha_core::tuning::Limits;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::error::{Error, OrFail as _, Result};
use crate::events::Work;
use crate::observe;
use crate::provider::{Provider, Up, psql};
use crate::scale::{POLL, Scaling};
use crate::{bring_up, patroni, waiting};

/// Which limits Postgres runs with.
const LIMITS: &str =
    "select current_setting('max_wal_senders'), current_setting('max_replication_slots')";
/// Where a patch for Patroni is put.
const FOLDER: &str = "/tmp";
/// Its name there; whoever changes members has the lock.
const PATCH: &str = "pgha-members-patch.json";

/// Which node takes over where the leader is removed: one that stays.
pub(super) fn successor(view: &ClusterView, leave: &[String]) -> Result<Switchover> {
    let plan = |to| Switchover::plan(view, &to).map_err(|why| Error::missing(why.to_string()));
    let best = plan(To::Best)?;
    let all = std::iter::once(&best.to).chain(&best.others);
    match all.into_iter().find(|name| !leave.contains(name)) {
        Some(name) if *name == best.to => Ok(best),
        Some(name) => plan(To::Node(name.clone())),
        None => Err(Error::missing("no node that stays can take over")),
    }
}

/// The nodes that a change removes.
pub(super) fn leaving(steps: &[Step]) -> Vec<String> {
    let of =
        |step: &Step| matches!(step.what, LayoutStep::RemoveNode { .. }).then(|| step.whom.clone());
    steps.iter().filter_map(of).collect()
}

/// The name of the slot that Patroni makes for a node.
fn slot(node: &str) -> String {
    node.to_lowercase().replace(['-', '.'], "_")
}

impl<P: Provider> Scaling<P> {
    async fn view(&self) -> Result<ClusterView> {
        observe::view(&self.provider, &self.cluster().await?).await
    }

    /// Starts a new node, and waits until it streams.
    pub(super) async fn add_node(&self, name: &str) -> Result<String> {
        self.provider.up(&self.project, Up::Alone(name)).await?;
        let (id, only) = (self.id(), [name.to_owned()]);
        let waited =
            waiting::until_members(&self.provider, id, &only, self.timeout, &self.events).await;
        match waited {
            Ok(ready) => {
                let leader = ready.view.leader.unwrap_or_else(|| "the leader".to_owned());
                Ok(format!("streams from {leader}"))
            }
            Err(given_up) => {
                bring_up::show_guilty(&self.provider, &given_up, &self.events).await;
                Err(given_up.error)
            }
        }
    }

    /// Has another node lead, where one leads that goes.
    pub(super) async fn move_leader(&self, journal: &Journal, work: &Work) -> Result<String> {
        let (view, leave) = (self.view().await?, leaving(&journal.steps));
        let Some(leader) = view.leader.clone() else {
            return Err(Error::missing("the cluster has no leader"));
        };
        if !leave.contains(&leader) {
            return Ok(format!("{leader} leads already"));
        }
        let plan = successor(&view, &leave)?;
        work.at("checkpoint", &plan.from);
        patroni::checkpoint(&self.provider, &plan.from).await?;
        work.at("switchover", &plan.to);
        patroni::hand_over(&self.provider, &plan.from, &plan.to).await?;
        let view = waiting::until_whole(&self.provider, self.id(), &self.events).await?;
        match view.leader {
            Some(leader) if !leave.contains(&leader) => Ok(format!("{leader} leads")),
            _ => Err(Error::failed(format!("{} does not lead after the switchover", plan.to))),
        }
    }

    /// Stops a node in order and removes it; Patroni knows of it no longer.
    pub(super) async fn remove_node(&self, name: &str) -> Result<String> {
        let view = self.view().await?;
        if view.leader.as_deref() == Some(name) {
            return Err(Error::failed(format!("{name} leads, and is not removed"))
                .because("it took over while members were changed")
                .hint(format!("`pgha switchover {}` first", self.id())));
        }
        let cluster = self.cluster().await?;
        if let Some(container) = cluster.container(name) {
            self.provider.stop(&container.id).await?;
        }
        let key = format!("/{NAMESPACE}/{SCOPE}/members/{name}");
        self.forget_node(&key, cluster.topology()?).await?;
        self.remove_member(name).await?;
        Ok(String::new())
    }

    /// Has Patroni drop the slots of nodes that are gone: it keeps them for `member_slots_ttl`, which is 0 for a moment.
    pub(super) async fn drop_slots(&self, journal: &mut Journal, work: &Work) -> Result<String> {
        let leave = leaving(&journal.steps);
        let slots: Vec<String> = leave.iter().map(|name| slot(name)).collect();
        let view = self.view().await?;
        let node = patroni::answering(&view)?.to_owned();
        if journal.slots_ttl.is_none() && !self.have_slots(&leave, &slots).await? {
            return Ok("none is left".to_owned());
        }
        let ttl = if let Some(ttl) = &journal.slots_ttl {
            ttl.clone()
        } else {
            let config = patroni::config(&self.provider, &view).await?;
            let config: Value = serde_json::from_str(&config)
                .or_fail("Patroni's dynamic configuration cannot be read")?;
            config["member_slots_ttl"].to_string()
        };
        journal.slots_ttl = Some(ttl.clone());
        self.write_down(Some(journal)).await?;
        self.patch(&node, &json!({ "member_slots_ttl": 0 })).await?;
        let dropped = self.until_no_slots(&leave, &slots, work).await;
        let before: Value = serde_json::from_str(&ttl).unwrap_or(Value::Null);
        self.patch(&node, &json!({ "member_slots_ttl": before })).await?;
        journal.slots_ttl = None;
        dropped?;
        Ok(format!("{} dropped", slots.join(", ")))
    }

    async fn until_no_slots(&self, leave: &[String], slots: &[String], work: &Work) -> Result<()> {
        let began = Instant::now();
        while self.have_slots(leave, slots).await? {
            work.at("waiting for Patroni to drop slots", &slots.join(", "));
            if began.elapsed() > self.timeout {
                return Err(Error::deadline("replication slots of removed nodes are still there")
                    .because(slots.join(", "))
                    .hint(format!("`pgha psql {} -c 'table pg_replication_slots'`", self.id())));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Whether a node that stays has such a slot.
    async fn have_slots(&self, leave: &[String], slots: &[String]) -> Result<bool> {
        let cluster = self.cluster().await?;
        let stays =
            cluster.topology()?.of_role(Role::Postgres).filter(|m| !leave.contains(&m.name));
        let runs = |name: &str| {
            cluster.container(name).is_some_and(|c| c.state == ContainerState::Running)
        };
        let names: Vec<String> = slots.iter().map(|slot| format!("'{slot}'")).collect();
        let sql = format!(
            "select count(*) from pg_replication_slots where slot_name in ({})",
            names.join(", ")
        );
        for node in stays.filter(|m| runs(&m.name)) {
            if self.ask(&node.name, &psql(&sql)).await?.trim() != "0" {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Has Postgres take more replicas: the settings first, then each node restarts, the leader at last, which hands over
    /// before.
    pub(super) async fn raise_limits(&self, nodes: u32, work: &Work) -> Result<String> {
        let view = self.view().await?;
        let leader =
            view.leader.clone().ok_or_else(|| Error::missing("the cluster has no leader"))?;
        let (now, wanted) = (self.limits(&leader).await?, Limits::for_nodes(nodes));
        let senders = now.max_wal_senders.max(wanted.max_wal_senders);
        let slots = now.max_replication_slots.max(wanted.max_replication_slots);
        if !now.carry(nodes) {
            let parameters = json!({ "max_wal_senders": senders, "max_replication_slots": slots });
            self.patch(&leader, &json!({ "postgresql": { "parameters": parameters } })).await?;
            self.until_pending(work).await?;
        }
        let asked = Asked { nodes: Vec::new(), rolling: true, pending: true };
        let steps = rolling::plan(&self.view().await?, &asked)
            .map_err(|why| Error::missing(why.to_string()))?;
        let restarts = steps.len();
        for step in steps {
            match step {
                rolling::Step::Restart { node, .. } => {
                    work.at("restarting", &node);
                    patroni::restart(&self.provider, &node).await?;
                }
                rolling::Step::Switchover { from, .. } => {
                    let next = successor(&self.view().await?, &[])?;
                    work.at("switchover", &next.to);
                    patroni::checkpoint(&self.provider, &from).await?;
                    patroni::hand_over(&self.provider, &from, &next.to).await?;
                }
            }
            waiting::until_whole(&self.provider, self.id(), &self.events).await?;
        }
        Ok(format!("max_wal_senders {senders}, max_replication_slots {slots}; {restarts} steps"))
    }

    /// Waits until every node knows that it has to restart.
    async fn until_pending(&self, work: &Work) -> Result<()> {
        let began = Instant::now();
        loop {
            let view = self.view().await?;
            let unaware: Vec<&str> = view
                .nodes()
                .filter(|node| node.role.is_some() && node.pending_restart != Some(true))
                .map(|node| node.name.as_str())
                .collect();
            if unaware.is_empty() {
                return Ok(());
            }
            work.at("new limits", &unaware.join(", "));
            if began.elapsed() > self.timeout {
                return Err(self.behind(unaware[0], "it does not see the new limits"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The limits that a node runs with.
    pub(crate) async fn limits(&self, node: &str) -> Result<Limits> {
        let said = self.ask(node, &psql(LIMITS)).await?;
        let numbers = said.trim().split_once('|');
        let read = numbers.and_then(|(senders, slots)| {
            Some(Limits {
                max_wal_senders: senders.parse().ok()?,
                max_replication_slots: slots.parse().ok()?,
                ..Limits::for_nodes(1)
            })
        });
        read.ok_or_else(|| Error::failed(format!("{node} does not say its limits")).because(said))
    }

    async fn patch(&self, node: &str, change: &Value) -> Result<()> {
        self.provider.put_file(node, FOLDER, PATCH, &change.to_string()).await?;
        let file = format!("{FOLDER}/{PATCH}");
        let told = patroni::apply(&self.provider, node, &file).await;
        told.and(patroni::remove(&self.provider, node, &file).await)
    }
}
