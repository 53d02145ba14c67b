//! Gives a restore up: the old data are put back, and the cluster runs on them again.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::try_join_all;
use pgha_core::agent::{Request, Restore};
use pgha_core::restore::{Journal, Step, Undo};
use pgha_core::steps::StepJournal as _;

use crate::error::{Error, Result};
use crate::provider::Provider;
use crate::restore::Session;
use crate::restore::steps::Restoring;
use crate::steps::{self, Lock};

impl<P: Provider> Session<P> {
    /// Puts everything back to where it was when the restore began.
    ///
    /// # Errors
    /// When the old data were discarded, or a step fails: the same command goes on.
    pub(crate) async fn give_up(
        &self,
        journal: &mut Journal,
        timeout: Duration,
        lock: &Lock,
    ) -> Result<()> {
        let id = &self.topology.id;
        if !journal.can_go_back() {
            let what = if journal.fresh {
                format!("cluster {id} was made for this restore: there are no old data to put back")
            } else {
                "the old data are no longer there, and cannot be put back".to_owned()
            };
            return Err(Error::failed(what).hint(journal.ways_on(&id.to_string())));
        }
        let moved = journal.has_begun(&Step::Aside);
        let work = steps::go_back(&Restoring { session: self, timeout }, journal, lock).await?;
        let state = if moved { "it has its old data again" } else { "its data were not touched" };
        work.done(&format!("the restore of cluster {id} is given up; {state}"));
        Ok(())
    }

    pub(super) async fn undo(
        &self,
        undo: Undo,
        journal: &Journal,
        timeout: Duration,
    ) -> Result<()> {
        let nodes = self.nodes();
        match undo {
            Undo::Hold => self.hold(journal).await.map(drop),
            Undo::PutBack => {
                let back = Request::Restore(Restore::Back { id: journal.id.clone() });
                try_join_all(nodes.iter().map(|node| self.ask(node, back.clone()))).await.map(drop)
            }
            Undo::Archive => {
                let Some(began) = &journal.began else { return Ok(()) };
                // One call of pgBackRest for each file: it takes as long as it takes.
                let forget = Request::Restore(Restore::Forget(began.clone())).argv();
                self.engine.exec_step(&self.backup_host().name, &forget, |_| ()).await
            }
            Undo::Clear => {
                // Where nobody had led, who may is told by what etcd knew.
                let put_back =
                    if journal.leads_back() { BTreeMap::new() } else { journal.etcd.clone() };
                let clear = Request::Restore(Restore::Clear { put_back });
                self.ask(&journal.plan.leader, clear).await.map(drop)
            }
            Undo::Lead => {
                self.start_held(journal).await?;
                if journal.leads_back() {
                    self.lead(&journal.plan.leader, timeout).await.map(drop)
                } else {
                    self.let_go(&nodes).await
                }
            }
            Undo::Replicas => self.replicas(&journal.plan.replicas, timeout).await.map(drop),
        }
    }
}
