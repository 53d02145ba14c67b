//! Carries out a verb in steps, so that it can be killed anywhere: gone on with at the first step that is not
//! done, or taken back by exactly what its journal records.
//!
//! What the steps are, and where the journal is kept, each verb says ([`Verb`]); which step is next is
//! [`pgha_core::steps`]'s. The journal is written before anything of a step is done, and one command at a time
//! works on a cluster ([`Lock`]).

use std::time::Duration;

use pgha_core::agent::{BUSY, HELD, Request, Restore};
use pgha_core::layout::ClusterId;
use pgha_core::steps::{Phase, Step as _, StepDone, StepJournal};
use pgha_wan::units::whole_ms;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::events::{Events, Work};
use crate::provider::Provider;

/// How long a short question to a member may take on a busy host.
const QUESTION: Duration = Duration::from_secs(60);

/// A verb that goes step by step.
pub(crate) trait Verb {
    /// How far it is.
    type Journal: StepJournal;

    /// What is worked on, such as `restore demo-1`.
    fn work(&self) -> String;

    /// Where it is reported to.
    fn events(&self) -> &Events;

    /// The cluster, as it is named in hints.
    fn cluster(&self) -> String;

    /// Writes down how far it has come; `None` that it is over.
    async fn keep(&self, journal: Option<&Self::Journal>) -> Result<()>;

    /// Makes ready to go on after an interruption; nothing where there was none.
    async fn wake(&self, journal: &Self::Journal) -> Result<()>;

    /// Carries out a step from whatever an interrupted attempt has left, and gives what came of it.
    async fn run(
        &self,
        step: <Self::Journal as StepJournal>::Step,
        journal: &mut Self::Journal,
        work: &Work,
    ) -> Result<String>;

    /// Takes back, from whatever an interrupted attempt has left.
    async fn undo(
        &self,
        undo: <Self::Journal as StepJournal>::Undo,
        journal: &Self::Journal,
    ) -> Result<()>;
}

/// Carries out what is not done yet.
///
/// # Errors
/// When a step fails: the journal says where to go on. A verb that has touched nothing leaves none.
pub(crate) async fn go_on<V: Verb>(verb: &V, journal: &mut V::Journal, _: &Lock) -> Result<()> {
    journal.begin();
    verb.keep(Some(journal)).await?;
    verb.wake(journal).await.map_err(|error| resumable(verb, journal, error))?;
    while let Some(step) = journal.next() {
        let work = verb.events().begin(verb.work());
        work.at(&step.doing(), "");
        let started = Instant::now();
        let note = match verb.run(step.clone(), journal, &work).await {
            Ok(note) => note,
            Err(error) if journal.is_untouched() && verb.keep(None).await.is_ok() => {
                return Err(error);
            }
            Err(error) => return Err(resumable(verb, journal, error)),
        };
        let took_ms = whole_ms(started.elapsed());
        work.step_done(&step.word(), took_ms, &note);
        journal.progress_mut().done.push(StepDone { step, took_ms, note });
        journal.begin();
        verb.keep(Some(journal)).await?;
    }
    verb.keep(None).await
}

/// Takes back what the journal says was begun. Each part is written down when it is done, so that none is done
/// again after the cluster has run.
///
/// # Errors
/// When a part fails: the journal says where to go on.
pub(crate) async fn go_back<V: Verb>(verb: &V, journal: &mut V::Journal, _: &Lock) -> Result<Work> {
    journal.progress_mut().phase = Phase::Back;
    verb.keep(Some(journal)).await?;
    verb.wake(journal).await.map_err(|error| resumable(verb, journal, error))?;
    let work = verb.events().begin(verb.work());
    while let Some(undo) = journal.next_undo() {
        work.at(&undo.doing(), "");
        let undone = verb.undo(undo.clone(), journal).await;
        undone.map_err(|error| resumable(verb, journal, error))?;
        journal.progress_mut().undone.push(undo);
        verb.keep(Some(journal)).await?;
    }
    verb.keep(None).await?;
    Ok(work)
}

/// An error after which it can be gone on with.
fn resumable<V: Verb>(verb: &V, journal: &V::Journal, error: Error) -> Error {
    error.also_hint(&journal.ways_on(&verb.cluster()))
}

/// The right to change a cluster step by step: nobody else has it until this is dropped or this process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    holder: JoinHandle<()>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.holder.abort();
    }
}

impl Lock {
    /// The right to change a cluster that nobody is restoring.
    ///
    /// # Errors
    /// When another `pgha` has it, a restore is not finished, or the backup host does not run.
    pub(crate) async fn of_cluster(
        provider: &impl Provider,
        host: &str,
        id: &ClusterId,
    ) -> Result<Self> {
        let argv = Request::Restore(Restore::Lock).argv();
        let lock = Self::take(provider, host, argv).await?.ok_or_else(|| {
            Error::failed(format!("cluster {id} is being changed already"))
                .because("another `pgha` restores it, or changes its members or certificates")
                .hint("wait for its end, or end it; what it has done is kept")
        })?;
        let argv = Request::Restore(Restore::Journal).argv();
        let journal = provider.exec(host, &argv, QUESTION).await?;
        if journal.stdout.trim().is_empty() {
            return Ok(lock);
        }
        Err(Error::failed(format!("cluster {id} has a restore in progress"))
            .hint(format!("`pgha restore {id}` resumes it, with --abort gives it up")))
    }

    /// Takes it on the backup host, by a command there that says [`HELD`], or [`BUSY`], and holds it for as long as
    /// its standard input is open; `None` where another has it.
    ///
    /// # Errors
    /// When the host does not say.
    pub(crate) async fn take(
        provider: &impl Provider,
        host: &str,
        argv: Vec<String>,
    ) -> Result<Option<Self>> {
        let (send, answer) = oneshot::channel();
        let (provider, on) = (provider.clone(), host.to_owned());
        let holder = tokio::spawn(async move {
            let mut send = Some(send);
            let each = |line: &[u8]| {
                if let Some(send) = send.take() {
                    let _ = send.send(String::from_utf8_lossy(line).trim().to_owned());
                }
            };
            let _ = provider.exec_lines(&on, &argv, each).await;
        });
        let lock = Self { holder };
        match answer.await.as_deref() {
            Ok(HELD) => Ok(Some(lock)),
            Ok(BUSY) => Ok(None),
            _ => Err(Error::failed(format!("{host} takes no lock"))
                .hint(format!("`pgha logs {host}` says why"))),
        }
    }
}
