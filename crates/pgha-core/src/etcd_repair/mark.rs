//! What PID 1 of an etcd member is to do with its store before it starts etcd: a file on the member's volume, so
//! that it outlives the container and needs nobody else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Its name, on the member's volume.
pub const MARK_FILE: &str = "repair";

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// Copy the store, then make it that of a cluster of one.
    Alone,
    /// Move the store away, then join the others.
    Rejoin,
    /// Join the others without a vote; the store was moved away.
    Learner,
    /// Put the store back that was copied or moved away.
    Back,
}

impl Turn {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Alone, Self::Rejoin, Self::Learner, Self::Back];

    fn as_str(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Rejoin => "rejoin",
            Self::Learner => "learner",
            Self::Back => "back",
        }
    }
}

/// What is to be done, and for which repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// What.
    pub turn: Turn,
    /// The repair.
    pub id: String,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.turn.as_str(), self.id)
    }
}

impl FromStr for Mark {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("an unknown mark of a repair: {text:?}");
        let (word, id) = text.trim().split_once(' ').ok_or_else(unknown)?;
        let turn = Turn::ALL.into_iter().find(|turn| turn.as_str() == word).ok_or_else(unknown)?;
        // It becomes part of the name of a folder.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if id.is_empty() || !id.chars().all(plain) {
            return Err(unknown());
        }
        Ok(Self { turn, id: id.to_owned() })
    }
}

const ASIDE: &str = "before-repair-";

/// Name of the folder beside the store that has what a repair copied or moved away.
pub fn aside(id: &str) -> String {
    format!("{ASIDE}{id}")
}

/// The repair that a folder of that name is of; `None` where it is another folder, or one that is not complete.
pub fn of_aside(name: &str) -> Option<&str> {
    name.strip_prefix(ASIDE).filter(|id| !id.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_folder_says_of_which_repair_it_is() {
        assert_eq!(of_aside(&aside("20261128-1")), Some("20261128-1"));
        assert_eq!(of_aside("before-repair-1.part"), None);
        assert_eq!(of_aside("data"), None);
    }

    #[test]
    fn a_mark_is_read_as_it_is_written_and_nothing_else_is() {
        for turn in Turn::ALL {
            let mark = Mark { turn, id: "20261128-190000".to_owned() };
            assert_eq!(mark.to_string().parse(), Ok(mark));
        }
        for odd in ["", "alone", "alone ", "alone ../x", "never 1", "back a/b"] {
            assert!(odd.parse::<Mark>().is_err(), "{odd:?}");
        }
    }
}
