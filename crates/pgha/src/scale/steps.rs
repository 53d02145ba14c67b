//! Carries out the steps of a change, each from whatever state it finds.

use pgha_core::layout_change::Step as LayoutStep;
use pgha_core::scale::{Journal, Step};

use crate::error::{Error, Result};
use crate::events::{Events, Work};
use crate::provider::Provider;
use crate::scale::Scaling;
use crate::steps::{self, Lock, Verb};

impl<P: Provider> Verb for Scaling<P> {
    type Journal = Journal;

    fn work(&self) -> String {
        format!("members of {}", self.id())
    }

    fn events(&self) -> &Events {
        &self.events
    }

    fn cluster(&self) -> String {
        self.id().to_string()
    }

    async fn keep(&self, journal: Option<&Journal>) -> Result<()> {
        self.write_down(journal).await
    }

    /// Each step looks itself how far it is.
    async fn wake(&self, _: &Journal) -> Result<()> {
        Ok(())
    }

    async fn run(&self, step: Step, journal: &mut Journal, work: &Work) -> Result<String> {
        let end = self.topology(self.end(journal)?);
        let now = self.topology(end.layout.at(journal.published));
        let whom = step.whom.as_str();
        match step.what {
            LayoutStep::MakeCertificate { id } => {
                let added = end.layout.member(id).map_or(u32::MAX, |member| member.span.added);
                self.make_secrets(&self.topology(end.layout.at(added)))?;
                Ok(String::new())
            }
            LayoutStep::Apply { generation } => self.publish(generation, journal, work).await,
            LayoutStep::AddSite { .. } => self.renew_router(&now).await,
            LayoutStep::AddLearner { .. } => self.add_learner(whom, &now, work).await,
            LayoutStep::Promote { .. } => self.promote(whom, &now, work).await,
            LayoutStep::RaiseLimits { nodes } => self.raise_limits(nodes, work).await,
            LayoutStep::AddNode { .. } => self.add_node(whom).await,
            LayoutStep::MoveLeader { .. } => self.move_leader(journal, work).await,
            LayoutStep::RemoveNode { .. } => self.remove_node(whom).await,
            LayoutStep::DropSlots => self.drop_slots(journal, work).await,
            LayoutStep::RemoveEtcd { .. } => self.remove_etcd(whom, &end).await,
            LayoutStep::RemoveSite { site } => self.remove_network(site, &now).await,
        }
    }

    async fn undo(&self, undo: Step, _: &Journal) -> Result<()> {
        Err(Error::failed(format!("there is no way back from {undo:?}")))
    }
}

impl<P: Provider> Scaling<P> {
    /// Carries out what is not done yet, and writes down each step.
    ///
    /// # Errors
    /// When a step fails: the journal says where to go on.
    pub(crate) async fn go_on(&self, journal: &mut Journal, lock: &Lock) -> Result<()> {
        steps::go_on(self, journal, lock).await
    }
}
