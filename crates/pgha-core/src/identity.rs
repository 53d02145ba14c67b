//! Which database is where: system identifiers compared wherever nodes, etcd and repositories meet.
//!
//! A cluster has one database. etcd names it once it is made, every node has a copy, every repository has
//! its backups and its WAL. A node that has no data may make a new database only where no repository holds
//! one: else data that can still be restored would be replaced by an empty database.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::repository::{Repository, STATUS_MISSING_STANZA, STATUS_NO_BACKUP, STATUS_OK};

/// What one repository holds for the stanza.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryFact {
    /// Its number.
    pub repository: u32,
    /// What it holds.
    pub contents: Contents,
}

/// What a repository holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Contents {
    /// No stanza.
    Empty,
    /// A database, with or without backups of it.
    Database {
        /// Its system identifier.
        system_id: u64,
        /// Postgres's major version, such as `17`.
        version: String,
        /// Backups of it.
        backups: usize,
        /// Label of the last one.
        last_backup: Option<String>,
    },
    /// pgBackRest cannot read it, so nobody knows.
    Unreadable {
        /// What pgBackRest says.
        reason: String,
    },
}

impl RepositoryFact {
    /// Of the repository of this number, by a listing.
    pub fn of(number: u32, listing: &Repository) -> Self {
        let own = listing.repositories.iter().find(|own| own.key == number);
        let status = own.map_or(&listing.status, |own| &own.status);
        let database = listing.database_in(number);
        let contents = match (status.code, database) {
            (STATUS_OK | STATUS_NO_BACKUP, Some(database)) => {
                let own = listing
                    .backups
                    .iter()
                    .filter(|backup| backup.repository == number && backup.database == database.id);
                Contents::Database {
                    system_id: database.system_id,
                    version: database.version.clone(),
                    backups: own.clone().count(),
                    last_backup: own.max_by_key(|b| b.stopped_s).map(|b| b.label.clone()),
                }
            }
            (STATUS_MISSING_STANZA, _) => Contents::Empty,
            _ => Contents::Unreadable { reason: status.message.clone() },
        };
        Self { repository: number, contents }
    }

    /// Files are there, and the key does not fit them or pgBackRest has not written them: waiting changes
    /// nothing about that.
    pub fn is_foreign(&self) -> bool {
        match &self.contents {
            // A certificate's key that cannot be read says nothing of the repository.
            Contents::Unreadable { reason } => {
                !reason.contains("unable to load key file")
                    && ["[CryptoError]", "[FormatError]", "[ChecksumError]"]
                        .iter()
                        .any(|kind| reason.contains(kind))
            }
            _ => false,
        }
    }
}

/// Why a node does not start Patroni.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum NotStarted {
    /// It has no data, and etcd does not answer: nobody knows whether there is a database already.
    NoEtcd,
    /// It has no data, etcd knows of no database, and a repository holds one or cannot be read.
    Repository(RepositoryFact),
    /// Its data are of another database than the cluster's.
    OtherDatabase {
        /// Its own.
        own: u64,
        /// The cluster's.
        cluster: u64,
    },
    /// It has made a new database, and what the cluster file asks for in it failed.
    SetUp {
        /// What failed.
        about: String,
        /// What Postgres said of it.
        said: String,
    },
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEtcd => f.write_str(
                "this node has no data, and no etcd member says whether the cluster has a database",
            ),
            Self::Repository(fact) => write!(f, "this node has no data, and {fact}"),
            Self::OtherDatabase { own, cluster } => {
                write!(f, "its data are of the database {own}, the cluster has {cluster}")
            }
            Self::SetUp { about, said } => {
                write!(f, "the set-up of the new database failed at {about}: {said}")
            }
        }
    }
}

impl fmt::Display for RepositoryFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "repository {} ", self.repository)?;
        match &self.contents {
            Contents::Empty => f.write_str("has no stanza"),
            Contents::Database { system_id, version, backups, last_backup } => {
                write!(f, "holds the database {system_id} of PostgreSQL {version} with ")?;
                match (backups, last_backup) {
                    (1, Some(last)) => write!(f, "the backup {last}"),
                    (_, Some(last)) => write!(f, "{backups} backups, the last one {last}"),
                    (_, None) => f.write_str("WAL and no backup"),
                }
            }
            Contents::Unreadable { reason } => write!(f, "cannot be read: {reason}"),
        }
    }
}

/// What etcd says of the cluster's database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initialized {
    /// There is none yet.
    No,
    /// One is being made.
    Begun,
    /// There is one, of this system identifier.
    Yes(u64),
}

impl Initialized {
    /// By the value of Patroni's key `initialize`; `None` where there is no such key.
    pub fn by_key(value: Option<&str>) -> Self {
        value.map_or(Self::No, |id| id.parse().map_or(Self::Begun, Self::Yes))
    }
}

/// Whether a node may start Patroni: one with data of the database `own`, or without any.
///
/// # Errors
/// With the reason where it may not.
pub fn may_start(
    own: Option<u64>,
    initialized: Initialized,
    repositories: &[RepositoryFact],
) -> Result<(), NotStarted> {
    match (own, initialized) {
        (Some(own), Initialized::Yes(cluster)) if own != cluster => {
            Err(NotStarted::OtherDatabase { own, cluster })
        }
        (None, Initialized::No) => {
            // What can be restored is said first, and last what cannot be read.
            let rank = |fact: &&RepositoryFact| match fact.contents {
                Contents::Database { backups: 1.., .. } => 0,
                Contents::Database { .. } => 1,
                Contents::Unreadable { .. } => 2,
                Contents::Empty => 3,
            };
            let in_the_way = repositories.iter().min_by_key(rank);
            let in_the_way = in_the_way.filter(|fact| fact.contents != Contents::Empty);
            in_the_way.map_or(Ok(()), |fact| Err(NotStarted::Repository(fact.clone())))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(repository: u32, contents: Contents) -> RepositoryFact {
        RepositoryFact { repository, contents }
    }

    fn database(repository: u32, system_id: u64) -> RepositoryFact {
        let contents =
            Contents::Database { system_id, version: "17".into(), backups: 0, last_backup: None };
        fact(repository, contents)
    }

    #[test]
    fn a_new_database_is_made_only_where_every_repository_is_empty() {
        let empty = |number| fact(number, Contents::Empty);
        let away = fact(2, Contents::Unreadable { reason: "[HostConnectError] x".into() });
        let start = |all: &[RepositoryFact]| may_start(None, Initialized::No, all);
        assert_eq!(start(&[empty(1), empty(2)]), Ok(()));
        assert_eq!(start(&[empty(1), away.clone()]), Err(NotStarted::Repository(away.clone())));
        let held = database(1, 7);
        assert_eq!(start(&[held.clone(), empty(2)]), Err(NotStarted::Repository(held.clone())));
        assert_eq!(start(&[away, held.clone()]), Err(NotStarted::Repository(held.clone())));
        let mut backed_up = database(2, 7);
        if let Contents::Database { backups, .. } = &mut backed_up.contents {
            *backups = 1;
        }
        let two = [held, backed_up.clone()];
        assert_eq!(start(&two), Err(NotStarted::Repository(backed_up)), "it can be restored");
    }

    #[test]
    fn a_node_without_data_joins_a_database_that_there_is_whatever_the_repositories_hold() {
        for initialized in [Initialized::Begun, Initialized::Yes(7)] {
            assert_eq!(may_start(None, initialized, &[database(1, 8)]), Ok(()));
        }
    }

    #[test]
    fn a_node_with_data_starts_unless_the_cluster_has_another_database() {
        for initialized in [Initialized::No, Initialized::Begun, Initialized::Yes(7)] {
            assert_eq!(may_start(Some(7), initialized, &[database(1, 8)]), Ok(()));
        }
        let other = NotStarted::OtherDatabase { own: 8, cluster: 7 };
        assert_eq!(may_start(Some(8), Initialized::Yes(7), &[]), Err(other));
    }

    #[test]
    fn patronis_key_is_empty_while_the_database_is_made() {
        let by_key = Initialized::by_key;
        assert_eq!(by_key(None), Initialized::No);
        assert_eq!(by_key(Some("")), Initialized::Begun);
        assert_eq!(
            by_key(Some("7711765257798610996")),
            Initialized::Yes(7_711_765_257_798_610_996)
        );
    }

    #[test]
    fn each_repository_of_a_listing_is_judged_by_itself() {
        let listing = br#"[{"archive":[],"backup":[],"cipher":"aes-256-cbc",
            "db":[{"id":1,"repo-key":1,"system-id":7,"version":"17"}],"name":"pgha_db","repo":[
            {"cipher":"aes-256-cbc","key":1,"status":{"code":2,"message":"no valid backups"}},
            {"cipher":"aes-256-cbc","key":2,"status":{"code":99,"message":"[CryptoError] x"}},
            {"cipher":"aes-256-cbc","key":3,"status":{"code":1,"message":"missing stanza path"}}],
            "status":{"code":4,"lock":{"backup":{"held":false}},"message":"different across repos"}}]"#;
        let listing = Repository::from_info(listing).expect("a listing");
        assert_eq!(RepositoryFact::of(1, &listing), database(1, 7));
        assert!(RepositoryFact::of(2, &listing).is_foreign());
        assert_eq!(RepositoryFact::of(3, &listing).contents, Contents::Empty);
    }
}
