//! Carries out the steps of a rotation, each from whatever state it finds.

use std::time::Duration;

use pgha_core::certs::{Given, Journal, Step};
use pgha_core::status::ContainerState;
use tokio::time::{Instant, sleep};

use super::Rotation;
use crate::error::{Error, Result};
use crate::events::{Events, Work};
use crate::provider::Provider;
use crate::secrets::certificates::{Known, read_all};
use crate::secrets::rotation::no_certificate;
use crate::steps::{self, Lock, Verb};

/// How long until a server shows what its member was given.
const SHOWN_DEADLINE: Duration = Duration::from_secs(60);
/// Time between two looks.
const POLL: Duration = Duration::from_millis(300);

impl<P: Provider> Verb for Rotation<P> {
    type Journal = Journal;

    fn work(&self) -> String {
        format!("certificates of {}", self.id())
    }

    fn events(&self) -> &Events {
        &self.events
    }

    fn cluster(&self) -> String {
        self.id().to_string()
    }

    async fn keep(&self, journal: Option<&Journal>) -> Result<()> {
        self.files.keep(journal, &self.all())
    }

    /// Each step looks itself how far it is.
    async fn wake(&self, _: &Journal) -> Result<()> {
        Ok(())
    }

    async fn run(&self, step: Step, journal: &mut Journal, _: &Work) -> Result<String> {
        match step {
            Step::Authority => {
                self.files.make_authority(self.id(), journal.days)?;
                Ok("made, and not in use yet".to_owned())
            }
            Step::Trust { member } => {
                let ca = self.files.trust_both()?;
                self.trusting(&member, ca).await
            }
            Step::Issue => {
                self.files.issue(&self.all(), journal)?;
                Ok("made, and not in use yet".to_owned())
            }
            Step::Renew { member } => self.renew(&member).await,
            Step::Replace => {
                self.all_serve_theirs().await?;
                self.files.replace_authority()?;
                Ok("every member that runs serves a certificate of the new CA".to_owned())
            }
            Step::Distrust { member } => {
                let ca = self.files.trusted()?;
                self.trusting(&member, ca).await
            }
        }
    }

    async fn undo(&self, undo: Step, _: &Journal) -> Result<()> {
        Err(Error::failed(format!("there is no way back from {undo:?}")))
    }
}

impl<P: Provider> Rotation<P> {
    /// Carries out what is not done yet, and writes down each step.
    ///
    /// # Errors
    /// When a step fails: the journal says where to go on.
    pub(crate) async fn go_on(&self, journal: &mut Journal, lock: &Lock) -> Result<()> {
        steps::go_on(self, journal, lock).await
    }

    async fn runs(&self, member: &str) -> Result<bool> {
        let state = self.cluster().await?.container(member).map(|container| container.state);
        if state == Some(ContainerState::Paused) {
            return Err(Error::missing(format!("{member} cannot be told: frozen (docker pause)"))
                .hint(format!("`docker unpause {member}`")));
        }
        Ok(state == Some(ContainerState::Running))
    }

    /// Has a member trust these CAs alone.
    async fn trusting(&self, member: &str, ca: String) -> Result<String> {
        if !self.runs(member).await? {
            return Ok("it does not run, and finds that when it starts".to_owned());
        }
        let wanted = read_all(&ca)?;
        self.give(member, &Given { ca, own: None }).await?;
        self.until_shown(member, Some(&wanted), None).await?;
        Ok(String::new())
    }

    /// Has a member serve its new certificate.
    async fn renew(&self, member: &str) -> Result<String> {
        let certificate = self.certificate(member)?;
        let own = self.files.wanted(&certificate)?;
        let mut known = read_all(&own[0])?;
        let new = known.pop().ok_or_else(|| no_certificate(&certificate.files[0]))?;
        let runs = self.runs(member).await?;
        if runs {
            let ca = self.files.trusted()?;
            let trusted = read_all(&ca)?;
            self.give(member, &Given { ca, own: Some(own) }).await?;
            self.until_shown(member, Some(&trusted), Some(&new)).await?;
        }
        self.files.put_in_place(&certificate)?;
        Ok(if runs { String::new() } else { "it finds it when it starts".to_owned() })
    }

    /// Waits until a member trusts exactly these CAs, its server too, which shows that certificate.
    async fn until_shown(
        &self,
        member: &str,
        cas: Option<&[Known]>,
        own: Option<&Known>,
    ) -> Result<()> {
        let began = Instant::now();
        loop {
            let why = match self.not_shown(member, cas, own).await {
                Ok(None) => return Ok(()),
                Ok(Some(why)) => why,
                Err(error) => error.reason(),
            };
            if began.elapsed() > SHOWN_DEADLINE {
                let what = format!(
                    "{member} does not serve its new certificates after {} s",
                    SHOWN_DEADLINE.as_secs()
                );
                return Err(Error::deadline(what)
                    .because(why)
                    .hint(format!("`pgha logs {member}` may say why")));
            }
            sleep(POLL).await;
        }
    }

    /// Why a member does not do so yet.
    async fn not_shown(
        &self,
        member: &str,
        cas: Option<&[Known]>,
        own: Option<&Known>,
    ) -> Result<Option<String>> {
        let used = self.in_use(member).await?;
        let trusted = read_all(&used.trusted)?;
        if let Some(cas) = cas
            && (trusted.len() != cas.len() || !cas.iter().all(|ca| trusted.contains(ca)))
        {
            return Ok(Some("it trusts other CAs".to_owned()));
        }
        let shown = match used.shown {
            Ok(shown) => shown,
            Err(why) => return Ok(Some(why)),
        };
        let taken = |ca: &Known| shown.authorities.contains(&ca.subject);
        if let Some(cas) = cas
            && (shown.authorities.len() != cas.len() || !cas.iter().all(taken))
        {
            return Ok(Some("its server takes certificates of other CAs".to_owned()));
        }
        let other = own.is_some_and(|own| own.der != shown.certificate);
        Ok(other.then(|| "its server shows another certificate".to_owned()))
    }

    /// Fails where a member that runs shows another certificate than its file has: it may have been started from an older
    /// one meanwhile.
    async fn all_serve_theirs(&self) -> Result<()> {
        for certificate in self.all() {
            let member = &certificate.common_name;
            if self.runs(member).await? {
                let now = self.files.now(&certificate)?;
                self.until_shown(member, None, Some(&now)).await?;
            }
        }
        Ok(())
    }
}
