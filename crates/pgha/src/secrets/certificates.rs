//! Certificates of a cluster: made, signed and read.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use pgha_core::certs::{DAYS_MAX, Facts};
use pgha_core::layout::ClusterId;
use pgha_core::render::{CA_CERTIFICATE, CA_KEY, Certificate, certificates};
use pgha_core::topology::Topology;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
    date_time_ymd,
};
use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;

use super::{certificate_files, write};
use crate::error::{Error, OrFail as _, Result};

/// What is said of every failure here.
const CANNOT: &str = "cannot make certificates";

/// A certificate that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// What it says of itself.
    pub(crate) facts: Facts,
    /// All of it, as DER in base64.
    pub(crate) der: String,
    /// Its subject, likewise.
    pub(crate) subject: String,
}

/// What signs the certificates of a cluster.
pub(crate) struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    /// Makes one: its certificate and its key. `mark` is what tells it from others of the same cluster.
    pub(crate) fn make(id: &ClusterId, mark: &str, days: Option<u32>) -> Result<[String; 2]> {
        let mut ca = CertificateParams::default();
        ca.distinguished_name.push(DnType::CommonName, format!("pgha {id}{mark}"));
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        expire(&mut ca, days);
        let key = KeyPair::generate().or_fail(CANNOT)?;
        let signed = ca.self_signed(&key).or_fail(CANNOT)?;
        Ok([signed.pem(), key.serialize_pem()])
    }

    /// Of its certificate and its key.
    pub(crate) fn read([certificate, key]: &[String; 2]) -> Result<Self> {
        let key = KeyPair::from_pem(key).or_fail(format!("{CANNOT}: {CA_KEY} is no key"))?;
        let issuer = Issuer::from_ca_cert_pem(certificate, key);
        issuer.map(Self).or_fail(format!("{CANNOT}: {CA_CERTIFICATE} is no certificate"))
    }

    /// Signs a certificate: it and its key.
    pub(crate) fn sign(&self, wanted: &Certificate, days: Option<u32>) -> Result<[String; 2]> {
        let mut params = CertificateParams::new(wanted.names.clone()).or_fail(CANNOT)?;
        let addresses = wanted.addresses.iter().map(|&a| SanType::IpAddress(a.into()));
        params.subject_alt_names.extend(addresses);
        params.distinguished_name.push(DnType::CommonName, &wanted.common_name);
        expire(&mut params, days);
        let pair = KeyPair::generate().or_fail(CANNOT)?;
        let signed = params.signed_by(&pair, &self.0).or_fail(CANNOT)?;
        Ok([signed.pem(), pair.serialize_pem()])
    }
}

/// Valid for so many days from today on.
fn expire(params: &mut CertificateParams, days: Option<u32>) {
    let Some(days) = days else { return };
    let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
    // One more day, since it ends at midnight.
    let end = today.saturating_add((i64::from(days.min(DAYS_MAX)) + 1).days());
    let unsigned = |number: i8| u8::try_from(number).unwrap_or(1);
    params.not_after = date_time_ymd(end.year().into(), unsigned(end.month()), unsigned(end.day()));
}

/// A CA of this cluster alone, and the certificates that it signs. Those that are there stay, and further ones are
/// signed by the same CA. Where its key is gone and one is missing, all are made anew: a certificate is of no use
/// beside another CA.
pub(super) fn create(topology: &Topology, shared: bool, dir: &Path) -> Result<()> {
    let all = certificates(topology, shared);
    if certificate_files(&all).iter().all(|name| dir.join(name).exists()) {
        return Ok(());
    }
    let goes_on = [CA_CERTIFICATE, CA_KEY].iter().all(|name| dir.join(name).exists());
    let ca = if goes_on {
        [super::read(dir, CA_CERTIFICATE)?, super::read(dir, CA_KEY)?]
    } else {
        let made = Authority::make(&topology.id, "", None)?;
        write(dir, CA_CERTIFICATE, &made[0])?;
        write(dir, CA_KEY, &made[1])?;
        made
    };
    let authority = Authority::read(&ca)?;
    let is_there = |c: &&Certificate| c.files.iter().all(|name| dir.join(name).exists());
    for certificate in all.iter().filter(|c| !goes_on || !is_there(c)) {
        let signed = authority.sign(certificate, None)?;
        for (name, text) in certificate.files.iter().zip(&signed) {
            write(dir, name, text)?;
        }
    }
    Ok(())
}

/// The certificates of a PEM text, which may be several.
pub(crate) fn read_all(pem: &str) -> Result<Vec<Known>> {
    let each = Pem::iter_from_buffer(pem.as_bytes()).map(|block| match block {
        Ok(block) => read_der(&block.contents),
        Err(e) => Err(Error::failed("a certificate cannot be read").because(e)),
    });
    each.collect()
}

/// The certificates of a file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<Known>> {
    let what = || format!("cannot read {}", path.display());
    let text = fs::read_to_string(path).or_fail(what())?;
    let all = read_all(&text).map_err(|error| Error::failed(what()).because(error.cause()))?;
    if all.is_empty() {
        return Err(Error::failed(what()).because("there is no certificate in it"));
    }
    Ok(all)
}

/// The certificate that a server shows, as DER in base64.
pub(crate) fn read_shown(text: &str) -> Result<Known> {
    read_der(&STANDARD.decode(text).or_fail("a certificate cannot be read")?)
}

fn read_der(der: &[u8]) -> Result<Known> {
    let (_, read) =
        x509_parser::parse_x509_certificate(der).or_fail("a certificate cannot be read")?;
    let names = read.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let validity = read.validity();
    let facts = Facts {
        subject: read.subject().to_string(),
        issuer: read.issuer().to_string(),
        names: names.filter_map(name).collect(),
        not_before: validity.not_before.timestamp(),
        not_after: validity.not_after.timestamp(),
        fingerprint: Sha256::digest(der).iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
    };
    let subject = STANDARD.encode(read.subject().as_raw());
    Ok(Known { facts, der: STANDARD.encode(der), subject })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match **bytes {
            [a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d).to_string()),
            ref other => <[u8; 16]>::try_from(other).ok().map(|ip| Ipv6Addr::from(ip).to_string()),
        },
        _ => None,
    }
}
