//! What there is to be seen of certificates: the files, and what members make of them.

use futures_util::future::join_all;
use jiff::Timestamp;
use pgha_core::certs::{CertificateView, InUse, Problem, Purpose, Served, problems};
use pgha_core::render::{CA_CERTIFICATE, Certificate};
use pgha_core::status::ContainerState;
use pgha_core::topology::Role;
use serde::Serialize;

use super::{Rotation, told};
use crate::cluster::Cluster;
use crate::error::Result;
use crate::provider::Provider;
use crate::secrets::certificates::{Known, read_all, read_file, read_shown};

/// What `pgha certs show` prints.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Name and instance.
    pub(crate) cluster: String,
    /// The CAs first.
    pub(crate) certificates: Vec<CertificateView>,
    /// What is wrong with them.
    pub(crate) problems: Vec<Problem>,
    /// A rotation that is not finished: its next step.
    pub(crate) rotation: Option<String>,
}

impl<P: Provider> Rotation<P> {
    /// All certificates, as files and as members use them.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) async fn look(&self, now: Timestamp) -> Result<Report> {
        let cas = read_file(&self.files.dir().join(CA_CERTIFICATE))?;
        let view = |known: &Known, purpose, file: &str| {
            CertificateView::of(known.facts.clone(), purpose, file, now)
        };
        let mut all: Vec<CertificateView> =
            cas.iter().map(|ca| view(ca, Purpose::Ca, CA_CERTIFICATE)).collect();
        let cluster = self.cluster().await?;
        for certificate in self.all() {
            let file = &certificate.files[0];
            let members = self.members(&certificate);
            let known = read_file(&self.files.dir().join(file))?;
            let used =
                join_all(members.iter().map(|(name, _)| self.served(&cluster, name, &known[0])));
            for ((name, purpose), (served, trusts)) in members.iter().zip(used.await) {
                let mut view = view(&known[0], *purpose, file);
                view.member = Some(name.clone());
                (view.served, view.trusts) = (Some(served), trusts);
                all.push(view);
            }
        }
        let journal = self.files.journal()?;
        let id = self.id().to_string();
        let problems = problems(&all, &id, journal.is_some());
        let rotation = journal.as_ref().map(told);
        Ok(Report { cluster: id, certificates: all, problems, rotation })
    }

    /// Who has a certificate: one member, or in a cluster of an earlier pgha several.
    fn members(&self, certificate: &Certificate) -> Vec<(String, Purpose)> {
        let named = self.topology.members.iter().filter(|m| certificate.names.contains(&m.name));
        let purpose = |role| {
            if role == Role::Postgres { Purpose::Node } else { Purpose::BackupHost }
        };
        named.map(|member| (member.name.clone(), purpose(member.role))).collect()
    }

    /// What a member's server shows, and fingerprints of the CAs that it trusts.
    async fn served(
        &self,
        cluster: &Cluster,
        member: &str,
        file: &Known,
    ) -> (Served, Option<Vec<String>>) {
        let state = cluster.container(member).map(|container| container.state);
        if state != Some(ContainerState::Running) {
            return (Served::NotRunning, None);
        }
        match self.in_use(member).await {
            Ok(used) => (shown(&used, file), trusted(&used)),
            Err(error) => (Served::Unknown { reason: error.reason() }, None),
        }
    }
}

fn shown(used: &InUse, file: &Known) -> Served {
    let shown = match &used.shown {
        Ok(shown) if shown.certificate == file.der => return Served::Same,
        Ok(shown) => shown,
        Err(why) => return Served::Unknown { reason: why.clone() },
    };
    match read_shown(&shown.certificate) {
        Ok(other) => Served::Other { fingerprint: other.facts.fingerprint },
        Err(error) => Served::Unknown { reason: error.reason() },
    }
}

fn trusted(used: &InUse) -> Option<Vec<String>> {
    let all = read_all(&used.trusted).ok()?;
    Some(all.into_iter().map(|ca| ca.facts.fingerprint).collect())
}
