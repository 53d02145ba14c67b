//! Gives a restore up: the old data are put back, and the cluster runs on them again.

use std::time::Duration;

use futures_util::future::try_join_all;
use pgha_core::restore::{Journal, Phase, Step};

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::restore::Session;

impl Session {
    /// Puts everything back to where it was when the restore began.
    ///
    /// # Errors
    /// When the old data were discarded, or a step fails: the same command goes on.
    pub(crate) async fn give_up(&self, journal: &mut Journal, timeout: Duration) -> Result<()> {
        let id = &self.topology.id;
        if !journal.can_go_back() {
            return Err(Error::failed("the old data are no longer there, and cannot be put back")
                .because("the restore was begun with --discard-old")
                .hint(format!("`pgha restore {id}` goes on with it")));
        }
        let progress = Progress::start(&format!("restore {id}"));
        if journal.is_done(Step::Archive) || journal.phase == Phase::Back {
            journal.phase = Phase::Back;
            self.write_journal(Some(journal)).await?;
            progress.at("stopping Patroni and Postgres everywhere", "");
            self.hold(journal).await?;
            progress.at("putting the old data back", "");
            let nodes = self.nodes();
            let arguments = ["restore", "back", &journal.id];
            try_join_all(nodes.iter().map(|node| self.ask(node, &arguments))).await?;
            let known = journal.plan.newest_timeline.to_string();
            self.ask(&self.backup_host().name, &["restore", "forget-after", &known]).await?;
            self.ask(&journal.plan.leader, &["restore", "clear"]).await?;
            progress.at("starting the old cluster", "");
            if journal.plan.leader_archives {
                self.lead(&journal.plan.leader, timeout).await?;
                self.replicas(&journal.plan.replicas, timeout).await?;
            } else {
                // Nobody led before either: what becomes of it is Patroni's business again.
                try_join_all(nodes.iter().map(|node| self.ask(node, &["restore", "release"])))
                    .await?;
                let names: Vec<&str> = nodes.iter().map(String::as_str).collect();
                self.compose(&[&["restart"], names.as_slice()].concat()).await?;
            }
        }
        self.write_journal(None).await?;
        progress
            .done(&format!("the restore of cluster {id} is given up; it has its old data again"));
        Ok(())
    }
}
