//! Certificates of a cluster: what each says, whether members use it, and how all are replaced while everything runs.
//!
//! They are pgBackRest's, for its transport over TLS: each node and the backup host has one, for the server that it runs and
//! for what it asks of others. [`hello`] reads what a server shows, `journal` is a rotation in steps.

pub mod hello;
mod journal;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use crate::status::ContainerState;
use crate::words::list;

pub use self::journal::{Journal, Step};

/// Days until a certificate expires at most.
pub const DAYS_MAX: u32 = 36_500;
/// Days before the end of a certificate from which on it is a problem.
const SOON_DAYS: i64 = 30;
/// Seconds of a day.
const DAY: i64 = 86_400;

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Whose it is.
    pub subject: String,
    /// The CA that signed it.
    pub issuer: String,
    /// Names and addresses that it is valid for.
    pub names: Vec<String>,
    /// Valid from, in seconds since 1970.
    pub not_before: i64,
    /// Valid until.
    pub not_after: i64,
    /// SHA-256 of it.
    pub fingerprint: String,
}

/// What it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Signs all others.
    Ca,
    /// pgBackRest on a node.
    Node,
    /// pgBackRest on the backup host.
    BackupHost,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ca => "CA",
            Self::Node => "node",
            Self::BackupHost => "backup host",
        })
    }
}

/// What a member uses, as it answers: [`crate::agent::Request::Certificates`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InUse {
    /// The certificates of the CAs that it trusts, as PEM.
    pub trusted: String,
    /// What its server shows, or why that is not known.
    pub shown: Result<Shown, String>,
}

/// What a server shows to whoever connects. All of it is DER as base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its certificate.
    pub certificate: String,
    /// Subjects of the CAs whose certificates it takes.
    pub authorities: Vec<String>,
}

/// What a member is given while it runs; the key is why it goes there in a file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// The certificates of the CAs that it trusts from now on, as PEM.
    pub ca: String,
    /// Its own certificate and key; those that it has where there are none.
    pub own: Option<[String; 2]>,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Given {{ ca: {:?}, own: {} }}", self.ca, self.own.is_some())
    }
}

/// What a member's server shows, beside what its file has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Served {
    /// The same.
    Same,
    /// Another certificate.
    Other {
        /// Its fingerprint.
        fingerprint: String,
    },
    /// It does not run.
    NotRunning,
    /// It does not say.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateView {
    /// The member that has it; `null` for a CA.
    pub member: Option<String>,
    /// What it is for.
    pub purpose: Purpose,
    /// Its file among the secrets.
    pub file: String,
    /// Whose it is.
    pub subject: String,
    /// The CA that signed it.
    pub issuer: String,
    /// Names and addresses that it is valid for.
    pub names: Vec<String>,
    /// Valid from.
    #[serde(serialize_with = "as_text")]
    pub not_before: Timestamp,
    /// Valid until.
    #[serde(serialize_with = "as_text")]
    pub not_after: Timestamp,
    /// Whole days until then; negative afterwards.
    pub days_left: i64,
    /// SHA-256 of it.
    pub fingerprint: String,
    /// What the member's server shows; `null` for a CA.
    pub served: Option<Served>,
    /// Fingerprints of the CAs that the member trusts; `null` where that is not known, and for a CA.
    pub trusts: Option<Vec<String>>,
}

impl CertificateView {
    /// One that was read at that time, of nobody yet.
    pub fn of(facts: Facts, purpose: Purpose, file: &str, now: Timestamp) -> Self {
        let time = |seconds: i64| {
            let bounded = seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
            Timestamp::from_second(bounded).unwrap_or(Timestamp::UNIX_EPOCH)
        };
        Self {
            member: None,
            purpose,
            file: file.to_owned(),
            subject: facts.subject,
            issuer: facts.issuer,
            names: facts.names,
            not_before: time(facts.not_before),
            not_after: time(facts.not_after),
            days_left: facts.not_after.saturating_sub(now.as_second()).div_euclid(DAY),
            fingerprint: facts.fingerprint,
            served: None,
            trusts: None,
        }
    }

    /// Whose it is, for a sentence.
    fn whose(&self) -> String {
        self.member
            .clone()
            .unwrap_or_else(|| format!("the CA {}", self.subject.trim_start_matches("CN=")))
    }
}

/// Something that is wrong with certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// What is wrong with these certificates of a cluster; `rotating` while a rotation is not finished.
pub fn problems(all: &[CertificateView], cluster: &str, rotating: bool) -> Vec<Problem> {
    let mut found = Vec::new();
    let again = |ca: bool| match (rotating, ca) {
        (true, _) => format!("`pgha certs rotate {cluster}` finishes the rotation in progress"),
        (false, true) => format!("`pgha certs rotate {cluster} --ca` makes a new CA"),
        (false, false) => format!("`pgha certs rotate {cluster}` makes new certificates"),
    };
    let mut say = |message, ca| found.push(Problem { message, hint: again(ca) });
    let cas: Vec<&CertificateView> = all.iter().filter(|c| c.purpose == Purpose::Ca).collect();
    for one in all {
        let (whose, is_ca) = (one.whose(), one.purpose == Purpose::Ca);
        match one.days_left {
            ..0 => say(format!("the certificate of {whose} has expired on {}", day(one)), is_ca),
            0..SOON_DAYS => {
                say(format!("the certificate of {whose} expires in {} days", one.days_left), is_ca);
            }
            _ => {}
        }
        if !cas.iter().any(|ca| ca.subject == one.issuer) {
            say(format!("the certificate of {whose} is not signed by a CA of the cluster"), true);
        }
        if let Some(Served::Other { .. }) = one.served {
            say(format!("{whose} serves another certificate than {}", one.file), false);
        }
        let trusted = |trusts: &Vec<String>| {
            trusts.len() == cas.len() && cas.iter().all(|ca| trusts.contains(&ca.fingerprint))
        };
        if one.trusts.as_ref().is_some_and(|trusts| !trusted(trusts)) {
            say(format!("{whose} trusts other CAs than the secrets have"), true);
        }
    }
    found
}

fn as_text<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(time)
}

/// The day on which it ends.
fn day(one: &CertificateView) -> String {
    one.not_after.strftime("%Y-%m-%d").to_string()
}

/// Why certificates cannot be replaced now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It keeps the lock, and asks all others.
    #[error("the backup host {0} does not run")]
    NoBackupHost(String),
    /// They would go on with the old ones.
    #[error("{} cannot be told: frozen (docker pause)", list(.0))]
    Frozen(Vec<String>),
}

/// Who gets a new certificate while they run, and who finds it when they start, of these members, the backup host last.
///
/// # Errors
/// When a member would be left with certificates that others do not trust.
pub fn reached(
    members: &[(String, ContainerState)],
) -> Result<(Vec<String>, Vec<String>), Refused> {
    let is = |state| move |member: &&(String, ContainerState)| member.1 == state;
    let name = |member: &(String, ContainerState)| member.0.clone();
    let frozen: Vec<String> = members.iter().filter(is(ContainerState::Paused)).map(name).collect();
    if !frozen.is_empty() {
        return Err(Refused::Frozen(frozen));
    }
    let (run, rest): (Vec<_>, Vec<_>) =
        members.iter().partition(|(_, state)| *state == ContainerState::Running);
    match members.last() {
        Some((host, state)) if *state != ContainerState::Running => {
            Err(Refused::NoBackupHost(host.clone()))
        }
        _ => Ok((run.into_iter().map(name).collect(), rest.into_iter().map(name).collect())),
    }
}

#[cfg(test)]
mod tests;
