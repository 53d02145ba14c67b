//! The requests of a restore.

use std::collections::BTreeMap;

use super::{json, owned, read, read_json, words};
use crate::restore::{Began, RECOVER_COPY, RECOVER_OR_END, Recovery};

/// Something that a restore does in members. What moves data can be done again from its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restore {
    /// On the backup host: the journal; nothing where no restore goes on.
    Journal,
    /// From now on the journal is this, whatever version of pgha has written it; an empty one is removed.
    KeepJournal(String),
    /// [`super::HELD`], and held until standard input ends; or [`super::BUSY`].
    Lock,
    /// The stanza is made in each repository that has none.
    Stanza,
    /// Where a backup has tablespaces: a list of paths in JSON.
    Tablespaces {
        /// Number of the repository.
        repository: u32,
        /// The backup's label.
        backup: String,
    },
    /// The archive has nothing of these timelines afterwards.
    Forget(Began),
    /// How a node is: a [`super::NodeState`].
    Held,
    /// PID 1 starts Patroni from the next start of the container on.
    Release,
    /// What etcd knows of how far the cluster was: values by key, in JSON.
    Remember,
    /// etcd knows nothing of who led afterwards, but what is put back here.
    Clear {
        /// As [`Restore::Remember`] has it.
        put_back: BTreeMap<String, String>,
    },
    /// The old data stand beside; where, is answered.
    Aside {
        /// The restore.
        id: String,
        /// Where the backup has tablespaces.
        tablespaces: Vec<String>,
    },
    /// The data are gone.
    Discard,
    /// These folders are there.
    Folders(Vec<String>),
    /// The files of a backup are there; pgBackRest's own lines are answered.
    Fetch {
        /// What pgBackRest is told ([`crate::restore::RestorePlan::pgbackrest`]).
        arguments: Vec<String>,
    },
    /// WAL is replayed; Postgres's own lines are answered, and last a [`super::Recovered`].
    Recover(Recovery),
    /// The old data are where they were.
    Back {
        /// The restore.
        id: String,
    },
    /// The old data are gone.
    Tidy {
        /// The restore.
        id: String,
    },
}

impl Restore {
    /// Whether it wants a node that is held, where no other such step runs.
    pub fn needs_hold(&self) -> bool {
        match self {
            Self::Aside { .. }
            | Self::Discard
            | Self::Folders(_)
            | Self::Fetch { .. }
            | Self::Recover(_)
            | Self::Back { .. } => true,
            Self::Journal
            | Self::KeepJournal(_)
            | Self::Lock
            | Self::Stanza
            | Self::Tablespaces { .. }
            | Self::Forget(_)
            | Self::Held
            | Self::Release
            | Self::Remember
            | Self::Clear { .. }
            | Self::Tidy { .. } => false,
        }
    }

    pub(super) fn words(&self) -> Vec<String> {
        let of = |step: &str, rest: &[String]| words(&["restore", step], rest.iter().cloned());
        match self {
            Self::Journal => of("journal", &[]),
            Self::KeepJournal(text) => of("journal", std::slice::from_ref(text)),
            Self::Lock => of("lock", &[]),
            Self::Stanza => of("stanza", &[]),
            Self::Tablespaces { repository, backup } => {
                of("tablespaces", &[repository.to_string(), backup.clone()])
            }
            Self::Forget(began) => of("forget", &[json(began)]),
            Self::Held => of("held", &[]),
            Self::Release => of("release", &[]),
            Self::Remember => of("remember", &[]),
            Self::Clear { put_back } if put_back.is_empty() => of("clear", &[]),
            Self::Clear { put_back } => of("clear", &[json(put_back)]),
            Self::Aside { id, tablespaces } => {
                words(&["restore", "aside", id], tablespaces.iter().cloned())
            }
            Self::Discard => of("discard", &[]),
            Self::Folders(paths) => of("folders", paths),
            Self::Fetch { arguments } => of("fetch", arguments),
            Self::Recover(Recovery { or_end, copy }) => {
                let or_end = or_end.then_some(RECOVER_OR_END);
                let options = or_end.into_iter().chain(copy.then_some(RECOVER_COPY));
                of("recover", &options.map(str::to_owned).collect::<Vec<_>>())
            }
            Self::Back { id } => of("back", std::slice::from_ref(id)),
            Self::Tidy { id } => of("tidy", std::slice::from_ref(id)),
        }
    }

    /// `None` where this is no step of this version; an error is why an argument cannot be read.
    pub(super) fn parse(words: &[&str]) -> Result<Option<Self>, String> {
        Ok(Some(match words {
            ["journal"] => Self::Journal,
            ["journal", text] => Self::KeepJournal((*text).to_owned()),
            ["lock"] => Self::Lock,
            ["stanza"] => Self::Stanza,
            ["tablespaces", repository, backup] => {
                Self::Tablespaces { repository: read(repository)?, backup: (*backup).to_owned() }
            }
            ["forget", began] => Self::Forget(read_json(began)?),
            ["held"] => Self::Held,
            ["release"] => Self::Release,
            ["remember"] => Self::Remember,
            ["clear"] => Self::Clear { put_back: BTreeMap::new() },
            ["clear", put_back] => Self::Clear { put_back: read_json(put_back)? },
            ["aside", id, tablespaces @ ..] => {
                Self::Aside { id: (*id).to_owned(), tablespaces: owned(tablespaces) }
            }
            ["discard"] => Self::Discard,
            ["folders", paths @ ..] => Self::Folders(owned(paths)),
            ["fetch", arguments @ ..] => Self::Fetch { arguments: owned(arguments) },
            ["recover", options @ ..] => {
                if options.iter().any(|option| ![RECOVER_OR_END, RECOVER_COPY].contains(option)) {
                    return Ok(None);
                }
                Self::Recover(Recovery {
                    or_end: options.contains(&RECOVER_OR_END),
                    copy: options.contains(&RECOVER_COPY),
                })
            }
            ["back", id] => Self::Back { id: (*id).to_owned() },
            ["tidy", id] => Self::Tidy { id: (*id).to_owned() },
            _ => return Ok(None),
        }))
    }
}
