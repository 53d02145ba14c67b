//! How backups and the archive are kept: the table `[backup]` of the cluster file.
//!
//! [`BackupSpec`] is its own file format, since every value is a plain number, word or flag. Nothing
//! here is secret: keys and credentials are files beside the compose file.

use std::fmt;
use std::str::FromStr;

use pgha_wan::units::UnknownChoice;
use serde::{Deserialize, Serialize};

choice! {
    /// How the repository compresses.
    Compression {
        /// Zstandard.
        Zst = "zst",
        /// LZ4: less work, larger.
        Lz4 = "lz4",
        /// gzip: more work, as large as `zst`.
        Gz = "gz",
        /// Not at all.
        None = "none",
    } default Zst
}

choice! {
    /// How the repository encrypts.
    Encryption {
        /// With a key made for the cluster.
        #[serde(rename = "aes-256-cbc")]
        Aes256Cbc = "aes-256-cbc",
        /// Not at all.
        None = "none",
    } default Aes256Cbc
}

choice! {
    /// How an S3 service is told the bucket.
    UriStyle {
        /// In front of the endpoint's name.
        Host = "host",
        /// In the path, as most services one runs oneself want it.
        Path = "path",
    } default Host
}

impl Compression {
    /// The levels it takes, the least work first; `None` where there is nothing to choose.
    pub fn levels(self) -> Option<std::ops::RangeInclusive<i32>> {
        match self {
            Self::Zst => Some(-7..=22),
            Self::Lz4 => Some(-5..=12),
            Self::Gz => Some(-1..=9),
            Self::None => None,
        }
    }
}

/// How backups and the archive are kept. Values that no pgBackRest takes are kept here and judged by
/// [`crate::lint`].
#[allow(clippy::struct_excessive_bools, reason = "pgBackRest has as many independent switches")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackupSpec {
    /// Full backups that are kept; each keeps the diff and incr backups that build on it.
    pub retention_full: u32,
    /// Differential backups that are kept; `None` for as long as their full one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_diff: Option<u32>,
    /// Full backups, counted from the last, from which on all WAL is kept; `None` for every one. Older
    /// ones keep only what makes them consistent: they restore, and not to any point in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_archive: Option<u32>,
    /// How backups and WAL are compressed.
    pub compression: Compression,
    /// How much; `None` for pgBackRest's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression_level: Option<i32>,
    /// Small files are kept together.
    pub bundle: bool,
    /// Of a changed file only changed blocks are kept; needs [`BackupSpec::bundle`].
    pub block_incremental: bool,
    /// WAL is sent in the background, several segments at once, and fetched ahead.
    pub archive_async: bool,
    /// Processes that copy and compress at once.
    pub process_max: u32,
    /// What decides whether a file has changed: its checksum, else its time and size.
    pub delta: bool,
    /// How the repository is encrypted.
    pub encryption: Encryption,
    /// A second repository; WAL goes to both, a backup to the one that is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo2: Option<Repo2>,
}

impl BackupSpec {
    /// Numbers of the repositories, the backup host's own first.
    pub fn repositories(&self) -> std::ops::RangeInclusive<u32> {
        1..=if self.repo2.is_some() { 2 } else { 1 }
    }
}

impl Default for BackupSpec {
    fn default() -> Self {
        Self {
            retention_full: 2,
            retention_diff: None,
            retention_archive: None,
            compression: Compression::default(),
            compression_level: None,
            bundle: true,
            block_incremental: true,
            archive_async: true,
            process_max: 2,
            delta: true,
            encryption: Encryption::default(),
            repo2: None,
        }
    }
}

/// A second repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "type", deny_unknown_fields)]
pub enum Repo2 {
    /// A volume of the backup host.
    Posix {
        /// A folder of this machine to keep it in; `None` for a volume of Docker's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    /// A bucket of a service that speaks S3. Its credentials are two files among the secrets.
    S3 {
        /// Name of the bucket; it must exist.
        bucket: String,
        /// Host name of the service.
        endpoint: String,
        /// Its region.
        region: String,
        /// How it is told the bucket.
        #[serde(default)]
        uri_style: UriStyle,
        /// Port, where it is not 443.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
        /// Whether its certificate must be one of an authority that is trusted.
        #[serde(default = "yes")]
        verify_tls: bool,
        /// A file of this machine with the authorities that are trusted; `None` for Debian's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ca_file: Option<String>,
    },
}

fn yes() -> bool {
    true
}

impl FromStr for Repo2 {
    type Err = String;

    /// Reads `posix` or `posix:/srv/backups`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "posix" => Ok(Self::Posix { path: None }),
            Some(("posix", path)) => Ok(Self::Posix { path: Some(path.to_owned()) }),
            _ => Err(format!(
                "`{text}` is neither `posix` nor `posix:PATH`; S3 is for the cluster file"
            )),
        }
    }
}

impl fmt::Display for Repo2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Posix { path: None } => f.write_str("posix"),
            Self::Posix { path: Some(path) } => write!(f, "posix:{path}"),
            Self::S3 { bucket, endpoint, .. } => write!(f, "s3:{endpoint}/{bucket}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::{BackupSpec, Compression, Repo2, Spec, UriStyle};

    #[test]
    fn a_table_with_everything_reads_back_as_the_same_spec() {
        let s3 = Repo2::S3 {
            bucket: "shop".to_owned(),
            endpoint: "s3.example.com".to_owned(),
            region: "eu-west-1".to_owned(),
            uri_style: UriStyle::Path,
            port: Some(9000),
            verify_tls: false,
            ca_file: Some("/srv/ca.crt".to_owned()),
        };
        for repo2 in [s3, Repo2::Posix { path: Some("/srv/b".to_owned()) }] {
            let backup = BackupSpec {
                retention_diff: Some(3),
                retention_archive: Some(1),
                compression: Compression::Lz4,
                compression_level: Some(-5),
                repo2: Some(repo2),
                ..BackupSpec::default()
            };
            let spec = Spec { backup, ..Spec::default() };
            assert_eq!(Spec::from_toml(&spec.to_toml()), Ok(spec));
        }
    }

    #[test]
    fn an_unknown_key_or_word_of_the_table_is_refused() {
        for text in [
            "[backup]\nretention = 2\n",
            "[backup]\ncompression = \"bz2\"\n",
            "[backup]\nencryption = \"rot13\"\n",
            "[backup.repo2]\ntype = \"tape\"\n",
            "[backup.repo2]\ntype = \"s3\"\nbucket = \"b\"\n",
            "[backup.repo2]\ntype = \"posix\"\nkey = \"secret\"\n",
        ] {
            assert!(Spec::from_toml(text).is_err(), "{text} was accepted");
        }
    }

    #[test]
    fn a_second_repository_is_named_by_its_kind_and_folder() {
        assert_eq!("posix".parse(), Ok(Repo2::Posix { path: None }));
        assert_eq!("posix:/b".parse(), Ok(Repo2::Posix { path: Some("/b".to_owned()) }));
        assert!("s3:bucket".parse::<Repo2>().is_err());
        assert!("".parse::<Repo2>().is_err());
    }
}
