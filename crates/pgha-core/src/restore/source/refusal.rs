//! Why a repository cannot be restored from, and what to do.

use serde::{Deserialize, Serialize};

use crate::lint::SUPPORTED_POSTGRES;

/// Why a repository will not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unusable {
    /// It cannot be listed.
    #[error("{place} cannot be listed")]
    Away {
        /// Where.
        place: String,
        /// What pgBackRest says.
        said: String,
    },
    /// Nothing is there.
    #[error("there is no pgBackRest repository in {place}")]
    NoRepository {
        /// Where.
        place: String,
    },
    /// Several are there.
    #[error("{place} has {} repositories", .places.len())]
    Repositories {
        /// Where.
        place: String,
        /// Each by its own name.
        places: Vec<String>,
    },
    /// It is empty.
    #[error("the repository has no stanza")]
    NoStanza,
    /// It has several.
    #[error("the repository has {} stanzas: {}", .stanzas.len(), .stanzas.join(", "))]
    Stanzas {
        /// Their names.
        stanzas: Vec<String>,
    },
    /// It has others.
    #[error("the repository has no stanza `{named}`")]
    UnknownStanza {
        /// As given.
        named: String,
        /// Those that there are.
        stanzas: Vec<String>,
    },
    /// It is encrypted, and no key is given.
    #[error("the repository is encrypted, and no key is given")]
    KeyMissing,
    /// It is not encrypted, and a key is given.
    #[error("the repository is not encrypted, and a key is given")]
    NotEncrypted,
    /// The key is another one.
    #[error("the key does not decrypt the repository")]
    WrongKey {
        /// What pgBackRest says.
        said: String,
    },
    /// Neither plain nor as pgBackRest encrypts.
    #[error("the repository's backup.info is neither plain nor encrypted with aes-256-cbc")]
    UnknownCipher,
    /// A repository of another generation.
    #[error("the repository is of format {format}, by pgBackRest {version}")]
    Format {
        /// Its format.
        format: String,
        /// Who wrote it.
        version: String,
    },
    /// pgBackRest cannot read the stanza.
    #[error("the repository cannot be read")]
    Unreadable {
        /// What it says.
        said: String,
    },
    /// No backup of the current database.
    #[error("stanza {stanza} has no backup of its database")]
    NoBackup {
        /// The stanza.
        stanza: String,
    },
    /// A major version without an image.
    #[error("the repository is of PostgreSQL {version}, and pgha has no image of that")]
    Postgres {
        /// As pgBackRest says.
        version: String,
    },
    /// The cluster file wants another major version.
    #[error("the repository is of PostgreSQL {held}, and the cluster file says {wanted}")]
    OtherMajor {
        /// The repository's.
        held: u32,
        /// The file's.
        wanted: u32,
    },
}

impl Unusable {
    /// Why, where there is more to say.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Away { said, .. } | Self::WrongKey { said } | Self::Unreadable { said } => {
                (!said.is_empty()).then(|| said.clone())
            }
            Self::NoRepository { .. } => {
                Some("it has neither a folder `backup` nor `archive`".to_owned())
            }
            Self::Format { .. } => Some("pgBackRest 2 reads and writes format 5".to_owned()),
            Self::OtherMajor { .. } => {
                Some("a physical backup is of use to its own major version only".to_owned())
            }
            Self::NoBackup { .. } => {
                Some("WAL without a backup before it cannot be replayed".to_owned())
            }
            _ => None,
        }
    }

    /// What to do.
    pub fn hint(&self) -> String {
        match self {
            Self::Away { place, .. } if place.starts_with("s3:") => {
                "check endpoint, region, credentials and CA".to_owned()
            }
            Self::Away { .. } => "check that the folder can be read".to_owned(),
            Self::NoRepository { .. } => {
                "name the folder, or the path in the bucket, that has `backup` and `archive` in it".to_owned()
            }
            Self::Repositories { places, .. } => format!("--from with one of these:\n  {}", places.join("\n  ")),
            Self::NoStanza | Self::NoBackup { .. } => {
                "there is nothing to restore; name another repository".to_owned()
            }
            Self::Stanzas { .. } => "--stanza names the one to restore".to_owned(),
            Self::UnknownStanza { stanzas, .. } => format!("there is {}", stanzas.join(", ")),
            Self::KeyMissing => {
                "--key FILE, a copy of the file `repository-key` among the cluster's secrets, or a file with \
                 repo-cipher-pass of pgBackRest's configuration"
                    .to_owned()
            }
            Self::NotEncrypted => "leave --key out".to_owned(),
            Self::WrongKey { .. } => "give the key that the repository was made with".to_owned(),
            Self::UnknownCipher => "the file is damaged, or no repository of pgBackRest".to_owned(),
            Self::Format { .. } => "restore it with the pgBackRest that wrote it".to_owned(),
            Self::Unreadable { .. } => "`pgbackrest info` on that repository shows the same".to_owned(),
            Self::Postgres { .. } => {
                let known: Vec<String> = SUPPORTED_POSTGRES.iter().map(u32::to_string).collect();
                format!("PostgreSQL {} can be restored", known.join(", "))
            }
            Self::OtherMajor { held, .. } => {
                format!("`postgres = {held}` in the file, or leave it out there")
            }
        }
    }
}
