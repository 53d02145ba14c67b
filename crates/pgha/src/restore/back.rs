//! Gives a restore up: the old data are put back, and the cluster runs on them again.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::try_join_all;
use pgha_core::restore::{Journal, Phase, Step, Undo};

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::restore::{NODE, Session};

impl Session {
    /// Puts everything back to where it was when the restore began. Each step is written down when it is
    /// done, so that none is done again after the old cluster has run.
    ///
    /// # Errors
    /// When the old data were discarded, or a step fails: the same command goes on.
    pub(crate) async fn give_up(&self, journal: &mut Journal, timeout: Duration) -> Result<()> {
        let id = &self.topology.id;
        if !journal.can_go_back() {
            let what = if journal.fresh {
                format!("cluster {id} was made for this restore: there are no old data to put back")
            } else {
                "the old data are no longer there, and cannot be put back".to_owned()
            };
            return Err(Error::failed(what).hint(journal.ways_on(&id.to_string())));
        }
        let moved = journal.has_begun(Step::Aside);
        journal.phase = Phase::Back;
        self.write_journal(Some(journal)).await?;
        let progress = Progress::start(&format!("restore {id}"));
        while let Some(undo) = journal.next_undo() {
            progress.at(undo.doing(), "");
            let undone = self.undo(undo, journal, timeout, &progress).await;
            undone.map_err(|error| error.also_hint(&journal.ways_on(&id.to_string())))?;
            journal.undone.push(undo);
            self.write_journal(Some(journal)).await?;
        }
        self.write_journal(None).await?;
        let state = if moved { "it has its old data again" } else { "its data were not touched" };
        progress.done(&format!("the restore of cluster {id} is given up; {state}"));
        Ok(())
    }

    async fn undo(
        &self,
        undo: Undo,
        journal: &Journal,
        timeout: Duration,
        progress: &Progress,
    ) -> Result<()> {
        let nodes = self.nodes();
        match undo {
            Undo::Hold => self.hold(journal).await.map(drop),
            Undo::PutBack => {
                let arguments = ["restore", "back", &journal.id];
                try_join_all(nodes.iter().map(|node| self.ask(node, &arguments))).await.map(drop)
            }
            Undo::Archive => {
                let Some(began) = &journal.began else { return Ok(()) };
                let began = serde_json::to_string(began).expect("plain data is JSON");
                // One call of pgBackRest for each file: it takes as long as it takes.
                let forget = [NODE, "restore", "forget", &began];
                self.engine.exec_step(&self.backup_host().name, &forget, |_| ()).await
            }
            Undo::Clear => {
                // Where nobody had led, who may is told by what etcd knew.
                let known = if journal.leads_back() { &BTreeMap::new() } else { &journal.etcd };
                let known = serde_json::to_string(known).expect("plain data is JSON");
                self.ask(&journal.plan.leader, &["restore", "clear", &known]).await.map(drop)
            }
            Undo::Lead => {
                self.start_held(journal).await?;
                if journal.leads_back() {
                    self.lead(&journal.plan.leader, timeout, progress).await.map(drop)
                } else {
                    self.let_go(&nodes).await
                }
            }
            Undo::Replicas => self.replicas(&journal.plan.replicas, timeout).await.map(drop),
        }
    }
}
