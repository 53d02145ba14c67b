//! The requests of a repair of etcd.

use super::{owned, words};

/// Something that a repair of etcd does in members. All of it can be done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Etcd {
    /// On an etcd member: a [`crate::etcd_repair::StoreReport`].
    Store,
    /// On an etcd member that serves: another one, which has joined, has its vote. Who votes is answered, a line each.
    Promote {
        /// The other one.
        member: String,
    },
    /// On an etcd member: what a repair copied or moved away is gone.
    Tidy {
        /// The repair.
        id: String,
    },
    /// On the backup host: the journal; nothing where no repair goes on.
    Journal,
    /// From now on the journal is this; an empty one is removed.
    KeepJournal(String),
}

impl Etcd {
    pub(super) fn words(&self) -> Vec<String> {
        let of = |step: &str, rest: &[&String]| {
            words(&["etcd", step], rest.iter().map(|w| (*w).clone()))
        };
        match self {
            Self::Store => owned(&["etcd", "store"]),
            Self::Promote { member } => of("promote", &[member]),
            Self::Tidy { id } => of("tidy", &[id]),
            Self::Journal => owned(&["etcd", "journal"]),
            Self::KeepJournal(text) => of("journal", &[text]),
        }
    }

    /// `None` where this is no request of this version.
    pub(super) fn parse(words: &[&str]) -> Option<Self> {
        Some(match words {
            ["store"] => Self::Store,
            ["promote", member] => Self::Promote { member: (*member).to_owned() },
            ["tidy", id] => Self::Tidy { id: (*id).to_owned() },
            ["journal"] => Self::Journal,
            ["journal", text] => Self::KeepJournal((*text).to_owned()),
            _ => return None,
        })
    }
}
