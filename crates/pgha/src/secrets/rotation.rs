//! Certificates that take the place of others, and how far that is. Beside the secrets that count stand those that will, as
//! `next.NAME`, so that whoever is killed in between is followed by one who goes on with the same.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pgha_core::certs::Journal;
use pgha_core::layout::ClusterId;
use pgha_core::render::{CA_CERTIFICATE, CA_KEY, Certificate};

use super::certificates::{Authority, Known, read_all};
use super::{dir_of, read, write};
use crate::error::{Error, OrFail as _, Result};

/// The file with the journal.
const JOURNAL: &str = "next.certificates";

/// The certificates of a cluster, beside its compose file.
#[derive(Debug, Clone)]
pub(crate) struct Certificates {
    dir: PathBuf,
}

impl Certificates {
    /// Of a cluster with this compose file.
    pub(crate) fn of(compose_file: &Path) -> Self {
        Self { dir: dir_of(compose_file) }
    }

    /// The rotation that goes on.
    ///
    /// # Errors
    /// When another version of pgha has begun it.
    pub(crate) fn journal(&self) -> Result<Option<Journal>> {
        let what = || format!("cannot read {}", self.dir.join(JOURNAL).display());
        let Some(text) = self.text(JOURNAL)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).or_fail(what())
    }

    /// Writes down how far it has come; `None` that it is over, and what is left of it is removed.
    pub(crate) fn keep(&self, journal: Option<&Journal>, all: &[Certificate]) -> Result<()> {
        if let Some(journal) = journal {
            let text = serde_json::to_string(journal).expect("plain data is JSON");
            return write(&self.dir, JOURNAL, &text);
        }
        let own = all.iter().flat_map(|certificate| &certificate.files).map(String::as_str);
        for name in own.chain([CA_CERTIFICATE, CA_KEY]) {
            self.remove(&next(name))?;
        }
        self.remove(JOURNAL)
    }

    /// Makes a new CA, unless an interrupted command has.
    pub(crate) fn make_authority(&self, id: &ClusterId, days: Option<u32>) -> Result<()> {
        // The certificate is written last, so with it there is the key.
        if self.text(&next(CA_CERTIFICATE))?.is_some() {
            return Ok(());
        }
        // Two of one name could not be told apart by those who trust both.
        let mark = Timestamp::now().strftime(" %Y-%m-%d %H:%M:%S%.3f UTC").to_string();
        let [certificate, key] = Authority::make(id, &mark, days)?;
        write(&self.dir, &next(CA_KEY), &key)?;
        write(&self.dir, &next(CA_CERTIFICATE), &certificate)
    }

    /// Has the old and the new CA among the secrets: both, as PEM.
    pub(crate) fn trust_both(&self) -> Result<String> {
        let (old, new) = (self.trusted()?, read(&self.dir, &next(CA_CERTIFICATE))?);
        if old.trim_end().ends_with(new.trim_end()) {
            return Ok(old);
        }
        let both = format!("{}\n{}", old.trim_end(), new.trim_end());
        write(&self.dir, CA_CERTIFICATE, &both)?;
        Ok(both)
    }

    /// The CAs that count now, as PEM.
    pub(crate) fn trusted(&self) -> Result<String> {
        read(&self.dir, CA_CERTIFICATE)
    }

    /// Makes the new certificates that an interrupted command has not made yet.
    pub(crate) fn issue(&self, all: &[Certificate], journal: &Journal) -> Result<()> {
        let [certificate, key] = [CA_CERTIFICATE, CA_KEY]
            .map(|name| if journal.ca { next(name) } else { name.to_owned() });
        let key = self.text(&key)?.ok_or_else(|| {
            Error::missing(format!("the key of the CA is gone ({key})"))
                .hint("put it back, or make a new CA with --ca")
        })?;
        let authority = Authority::read(&[read(&self.dir, &certificate)?, key])?;
        for wanted in all {
            let [certificate, key] = &wanted.files;
            if self.text(&next(certificate))?.is_none() {
                let [certificate_text, key_text] = authority.sign(wanted, journal.days)?;
                write(&self.dir, &next(key), &key_text)?;
                write(&self.dir, &next(certificate), &certificate_text)?;
            }
        }
        Ok(())
    }

    /// The certificate and key that a member is to have: new ones where they are not in place yet.
    pub(crate) fn wanted(&self, of: &Certificate) -> Result<[String; 2]> {
        let [certificate, key] = &of.files;
        let wanted = |name: &str| match self.text(&next(name))? {
            Some(text) => Ok(text),
            None => read(&self.dir, name),
        };
        Ok([wanted(certificate)?, wanted(key)?])
    }

    /// The certificate that counts now.
    pub(crate) fn now(&self, of: &Certificate) -> Result<Known> {
        let mut all = read_all(&read(&self.dir, &of.files[0])?)?;
        if all.len() == 1 { Ok(all.remove(0)) } else { Err(no_certificate(&of.files[0])) }
    }

    /// The new certificate of a member takes the place of its old one.
    pub(crate) fn put_in_place(&self, of: &Certificate) -> Result<()> {
        of.files.iter().rev().try_for_each(|name| self.move_in_place(name))
    }

    /// The new CA takes the place of the old one.
    pub(crate) fn replace_authority(&self) -> Result<String> {
        self.move_in_place(CA_KEY)?;
        self.move_in_place(CA_CERTIFICATE)?;
        self.trusted()
    }

    fn move_in_place(&self, name: &str) -> Result<()> {
        match fs::rename(self.dir.join(next(name)), self.dir.join(name)) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            moved => moved.or_fail(format!("cannot write {}", self.dir.join(name).display())),
        }
    }

    fn remove(&self, name: &str) -> Result<()> {
        let path = self.dir.join(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(e).or_fail(format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        let path = self.dir.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).or_fail(format!("cannot read {}", path.display())),
        }
    }

    /// Where the secrets are.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

/// The file that is to take the place of another.
fn next(name: &str) -> String {
    format!("next.{name}")
}

/// What is said of a file that is not what it is named.
pub(crate) fn no_certificate(name: &str) -> Error {
    Error::failed(format!("{name} is no certificate"))
}
