//! A repository without its cluster: where it is, what a container finds there, and why it will not do.
//!
//! [`Place`] is what a user names, [`Request`] what a container of the backup image is told on its standard
//! input, so that neither key nor credentials stand in arguments, environment or labels, and [`Answer`]
//! what it prints. The container only reads; what it has read is judged here.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::lint::SUPPORTED_POSTGRES;
use crate::render::{DEBIAN_CA_FILE, REPOSITORY2_FOLDER};
use crate::repository::{Repository, STATUS_NO_BACKUP, STATUS_OK};

mod place;
mod refusal;

pub use place::{Bucket, Place, PlaceError};
pub use refusal::Unusable;

/// Where the container has the folder, read-only.
pub const SOURCE_MOUNT: &str = "/from";
/// Where it has the volume that the repository is copied to.
pub const COPY_MOUNT: &str = "/to";
/// Where it has the CA of an S3 service.
pub const SOURCE_CA_FILE: &str = "/run/pgha-source-ca.crt";
/// Folder of a bucket with the repositories that pgha makes there, each named after its cluster.
const OF_PGHA: &str = "/pgha";
/// The format of repositories that every pgBackRest 2 reads and writes.
const FORMAT: u64 = 5;
/// How a file begins that pgBackRest has encrypted, as OpenSSL writes it.
const SALTED: &[u8] = b"Salted__";

/// What the container is told.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Where the repository is.
    pub place: Place,
    /// Access key and secret key of an S3 service.
    pub credentials: Option<[String; 2]>,
    /// Pass phrase of the repository.
    pub key: Option<String>,
    /// What to do.
    pub ask: Ask,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, ask, .. } = self;
        f.debug_struct("Request").field("place", place).field("ask", ask).finish_non_exhaustive()
    }
}

/// What a container does with a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Finds the repository and lists what it has: an [`Answer`].
    Find {
        /// The stanza, where one is named.
        stanza: Option<String>,
    },
    /// Lists where a backup has tablespaces: paths.
    Tablespaces {
        /// Where the repository is.
        at: At,
        /// Label of the backup.
        backup: String,
    },
    /// Copies backups, then WAL, to [`COPY_MOUNT`] under pgha's own stanza.
    Copy {
        /// Where the repository is.
        at: At,
    },
}

/// One stanza of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// Path of the repository in the container or in the bucket.
    pub root: String,
    /// Name of the stanza.
    pub stanza: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Where.
    pub at: At,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// What a plan needs, as [`super::Holdings::of_stanza`] reads it.
    pub report: Value,
}

/// What the container prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A repository that may be restored from.
    Found(Found),
    /// Why it cannot be.
    Refused(Unusable),
}

impl Request {
    /// `pgbackrest.conf` of one repository; with the key only where it is `encrypted`.
    pub fn config(&self, root: &str, encrypted: bool) -> String {
        let mut text = format!("[global]\nrepo1-path={root}\n");
        if let Place::S3(bucket) = &self.place {
            let ca = bucket.ca_file.as_ref().map_or(DEBIAN_CA_FILE, |_| SOURCE_CA_FILE);
            let _ = write!(
                text,
                "repo1-type=s3\nrepo1-s3-bucket={}\nrepo1-s3-endpoint={}\nrepo1-s3-region={}\n\
                 repo1-s3-uri-style={}\nrepo1-storage-verify-tls={}\nrepo1-storage-ca-file={ca}\n",
                bucket.bucket,
                bucket.endpoint,
                bucket.region,
                bucket.uri_style,
                if bucket.verify_tls { "y" } else { "n" },
            );
            if let Some(port) = bucket.port {
                let _ = writeln!(text, "repo1-storage-port={port}");
            }
            if let Some([key, key_secret]) = &self.credentials {
                let _ = write!(text, "repo1-s3-key={key}\nrepo1-s3-key-secret={key_secret}\n");
            }
        }
        if let Some(key) = self.key.as_ref().filter(|_| encrypted) {
            let _ = write!(text, "repo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass={key}\n");
        }
        text.push_str("io-timeout=10\nlog-level-file=off\nlog-level-console=off\n");
        text
    }
}

/// Whether a folder with these entries is a repository of pgBackRest.
pub fn is_repository<'a>(entries: impl IntoIterator<Item = &'a str>) -> bool {
    entries.into_iter().any(|entry| matches!(entry, "backup" | "archive"))
}

/// Where to look for repositories in a place that is none itself: folders, and folders of folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Further {
    /// In this one.
    Folder(String),
    /// In each folder of this one.
    FoldersOf(String),
    /// Nowhere.
    Nowhere,
}

impl Place {
    /// Path of the repository in the container or in the bucket, unless it is [`Place::further`].
    pub fn root(&self) -> String {
        match self {
            Self::Folder(_) => SOURCE_MOUNT.to_owned(),
            Self::S3(bucket) => bucket.path.clone().unwrap_or_else(|| "/".to_owned()),
        }
    }

    /// Where pgha keeps repositories in such a place.
    pub fn further(&self) -> Further {
        match self {
            Self::Folder(_) => Further::Folder(format!("{SOURCE_MOUNT}/{REPOSITORY2_FOLDER}")),
            Self::S3(Bucket { path: None, .. }) => Further::FoldersOf(OF_PGHA.to_owned()),
            Self::S3(_) => Further::Nowhere,
        }
    }

    /// The place of a repository that was found there, as a user names it.
    #[must_use]
    pub fn with_root(&self, root: &str) -> Self {
        match self {
            Self::Folder(path) => Self::Folder(
                root.strip_prefix(SOURCE_MOUNT)
                    .map_or_else(|| path.clone(), |rest| path.clone() + rest),
            ),
            Self::S3(bucket) => Self::S3(Bucket { path: Some(root.to_owned()), ..bucket.clone() }),
        }
    }
}

/// The repository that is meant, of those that were found.
///
/// # Errors
/// When there is none, or more than one.
pub fn pick_root(place: &Place, roots: Vec<String>) -> Result<String, Unusable> {
    match <[String; 1]>::try_from(roots) {
        Ok([root]) => Ok(root),
        Err(none) if none.is_empty() => Err(Unusable::NoRepository { place: place.to_string() }),
        Err(several) => Err(Unusable::Repositories {
            place: place.to_string(),
            places: several.iter().map(|root| place.with_root(root).to_string()).collect(),
        }),
    }
}

/// The stanza that is meant: the one that is named, else the only one.
///
/// # Errors
/// When there is none, or nobody can say which.
pub fn pick_stanza(stanzas: &BTreeSet<String>, named: Option<&str>) -> Result<String, Unusable> {
    let all = || stanzas.iter().cloned().collect::<Vec<_>>();
    match named {
        _ if stanzas.is_empty() => Err(Unusable::NoStanza),
        Some(named) if stanzas.contains(named) => Ok(named.to_owned()),
        Some(named) => Err(Unusable::UnknownStanza { named: named.to_owned(), stanzas: all() }),
        None if stanzas.len() == 1 => Ok(all().remove(0)),
        None => Err(Unusable::Stanzas { stanzas: all() }),
    }
}

/// Whether a repository is encrypted, by the first bytes of a stanza's `backup.info`.
///
/// # Errors
/// When the key is missing or of no use, or pgBackRest has not written the file.
pub fn is_encrypted(info: &[u8], has_key: bool) -> Result<bool, Unusable> {
    match (info.starts_with(SALTED), info.starts_with(b"["), has_key) {
        (true, _, true) => Ok(true),
        (true, _, false) => Err(Unusable::KeyMissing),
        (_, true, false) => Ok(false),
        (_, true, true) => Err(Unusable::NotEncrypted),
        _ => Err(Unusable::UnknownCipher),
    }
}

/// Looks at the text of `backup.info`.
///
/// # Errors
/// When it was decrypted with another key, or the repository is of another format.
pub fn demand_format(info: &[u8], encrypted: bool) -> Result<(), Unusable> {
    let text = String::from_utf8_lossy(info);
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    match value("backrest-format") {
        Some(format) if format.parse() == Ok(FORMAT) => Ok(()),
        Some(format) => Err(Unusable::Format {
            format,
            version: value("backrest-version").unwrap_or_else(|| "unknown".to_owned()),
        }),
        // One block in 256 that another key decrypts looks whole.
        None if encrypted => Err(Unusable::WrongKey { said: String::new() }),
        None => Err(Unusable::Unreadable { said: "backup.info names no format".to_owned() }),
    }
}

/// The major version of PostgreSQL that the database of a stanza is of.
///
/// # Errors
/// When there is no backup of it, pgBackRest cannot read it, or pgha has no image for it.
pub fn demand_usable(found: &Found) -> Result<u32, Unusable> {
    let info = found.report["info"].to_string();
    let unreadable = |said: String| Unusable::Unreadable { said };
    let listed = Repository::of_stanza(info.as_bytes(), &found.at.stanza).map_err(unreadable)?;
    let own = listed.repositories.first().map_or(&listed.status, |own| &own.status);
    if ![STATUS_OK, STATUS_NO_BACKUP].contains(&own.code) {
        return Err(unreadable(own.message.clone()));
    }
    let database = listed.current_database();
    let version = database.map(|database| database.version.clone()).unwrap_or_default();
    let major = version.parse().ok().filter(|major| SUPPORTED_POSTGRES.contains(major));
    let Some(major) = major else { return Err(Unusable::Postgres { version }) };
    let id = database.map(|database| database.id);
    if listed.backups.iter().any(|backup| Some(backup.database) == id) {
        Ok(major)
    } else {
        Err(Unusable::NoBackup { stanza: found.at.stanza.clone() })
    }
}

/// The major version that a cluster file names; `None` where it leaves that open.
pub fn named_postgres(file: &str) -> Option<u32> {
    let table: toml::Table = file.parse().ok()?;
    let named = table.get("postgres")?;
    let version = named.as_integer().or_else(|| named.get("version")?.as_integer());
    u32::try_from(version?).ok()
}

#[cfg(test)]
mod tests;
