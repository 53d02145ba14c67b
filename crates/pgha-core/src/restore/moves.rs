//! Which folders of a node's volume a restore moves away and puts back.
//!
//! The data are the data directory and what its links lead to: tablespaces, or a WAL directory elsewhere.
//! Recovery writes into a tablespace through the link, so they are moved away together or not at all.
//! Every list of moves may be interrupted after any of them and decided again from what is there then. The
//! data directory is moved away last and put back first: while it stands aside, so does all the rest.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::render::PGDATA_MOUNT;

/// What stands between the name of a folder and the restore that it was moved away for:
/// `17.before-restore-20261124-155501`.
pub const ASIDE: &str = ".before-restore-";
/// The same of what a restore has made, from when it was given up until it is removed.
const GIVEN_UP: &str = ".given-up-";

/// A folder outside the data directory that belongs to the data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Linked {
    /// The link in the data directory: `pg_tblspc/16386` or `pg_wal`.
    pub link: String,
    /// Where it leads to, without links on the way.
    pub path: String,
    /// Whether that is a folder of the node's own volume, on the same file system.
    pub on_volume: bool,
}

/// Data in a place that a restore cannot move.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{whose} has data outside its volume: {link} is in {path}")]
pub struct OffVolume {
    /// `pgha-demo1-DC1-1` or `backup 20261124-160125F`.
    pub whose: String,
    /// The link in the data directory.
    pub link: String,
    /// Where it leads to.
    pub path: String,
}

impl OffVolume {
    /// Why that is refused.
    pub fn reason(&self) -> String {
        format!(
            "a restore moves data away by renaming within {PGDATA_MOUNT}, and what is elsewhere is lost with \
             its container"
        )
    }

    /// What to do.
    pub fn hint(&self) -> String {
        format!(
            "move the tablespace to a folder below {PGDATA_MOUNT} of every node (`create tablespace`, `alter \
             table … set tablespace`), then make a backup"
        )
    }
}

/// Fails for the first of these that is not on the volume.
///
/// # Errors
/// With that one.
pub fn demand_on_volume(whose: &str, linked: &[Linked]) -> Result<(), OffVolume> {
    match linked.iter().find(|linked| !linked.on_volume) {
        None => Ok(()),
        Some(off) => Err(OffVolume {
            whose: whose.to_owned(),
            link: off.link.clone(),
            path: off.path.clone(),
        }),
    }
}

/// Whether a path is a folder below a node's volume that is neither the volume nor part of the data
/// directory, nor has one of them in it.
pub fn is_on_volume(path: &str, data: &str) -> bool {
    let plain = path.split('/').skip(1).all(|part| !matches!(part, "" | "." | ".."));
    plain && is_below(path, PGDATA_MOUNT) && !overlaps(path, data)
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
}

fn overlaps(a: &str, b: &str) -> bool {
    a == b || is_below(a, b) || is_below(b, a)
}

/// One change on a node's volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// A folder gets another name; nothing has that name.
    Rename {
        /// Its name.
        from: String,
        /// Its new name.
        to: String,
    },
    /// An empty folder is made, unless there is one.
    Make(String),
    /// A folder is removed with all that is in it.
    Remove(String),
    /// What Postgres has put into a tablespace is removed; the folder stays.
    Empty(String),
}

/// What there is on a node's volume, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Volume {
    /// The data directory.
    pub data: String,
    /// Folders that are there: of the data, and what has the name of one that was moved away.
    pub there: BTreeSet<String>,
    /// What links of the data directory lead to.
    pub linked: BTreeSet<String>,
    /// What links of the data directory lead to that was moved away.
    pub old_linked: BTreeSet<String>,
}

/// The name of a folder that is moved away.
pub fn aside_of(path: &str, id: &str) -> String {
    format!("{path}{ASIDE}{id}")
}

fn given_up_of(path: &str, id: &str) -> String {
    format!("{path}{GIVEN_UP}{id}")
}

/// Whether a folder has the name of one that a restore has moved away or given up, or may have, whichever
/// it was.
pub fn is_moved(path: &str) -> bool {
    path.contains(ASIDE) || path.contains(GIVEN_UP)
}

impl Volume {
    fn has(&self, path: &str) -> bool {
        self.there.contains(path)
    }

    /// What was moved away for this restore beside the data directory, the outermost first.
    fn moved(&self, id: &str) -> Vec<String> {
        let end = format!("{ASIDE}{id}");
        let moved = self.there.iter().filter_map(|path| path.strip_suffix(&end));
        moved.filter(|path| *path != self.data).map(str::to_owned).collect()
    }

    /// Moves the data away, and what is in the folders that the backup needs; in their places are empty
    /// folders then. Where the data were moved away already, what is in the data directory is this
    /// restore's own and stays.
    pub fn aside(&self, backup: &BTreeSet<String>, id: &str) -> Vec<Move> {
        let (old, mut moves) = (aside_of(&self.data, id), Vec::new());
        let mut places: BTreeSet<String> = self.moved(id).into_iter().collect();
        if !self.has(&old) {
            places.extend(self.linked.union(backup).cloned());
            // One that lies in another goes first.
            for path in places.iter().rev() {
                let to = aside_of(path, id);
                if !self.has(&to) {
                    // Of one that was not there before an empty one is put back.
                    moves.push(Move::Make(path.clone()));
                    moves.push(Move::Rename { from: path.clone(), to });
                }
            }
            moves.push(Move::Rename { from: self.data.clone(), to: old });
        }
        moves.extend(places.into_iter().chain([self.data.clone()]).map(Move::Make));
        moves
    }

    /// Puts back what was moved away, and removes what the restore has made.
    pub fn back(&self, id: &str) -> Vec<Move> {
        let (mut moves, mut given_up) = (Vec::new(), BTreeSet::new());
        let end = format!("{GIVEN_UP}{id}");
        given_up.extend(self.there.iter().filter(|path| path.ends_with(&end)).cloned());
        let mut places = self.moved(id);
        if self.has(&aside_of(&self.data, id)) {
            // Tablespaces that only the restored data have.
            let own = self.linked.difference(&self.old_linked);
            moves.extend(own.filter(|path| !places.contains(path)).cloned().map(Move::Empty));
            places.insert(0, self.data.clone());
        }
        for path in places {
            let to = given_up_of(&path, id);
            if self.has(&path) {
                if given_up.contains(&to) {
                    moves.push(Move::Remove(to.clone()));
                }
                moves.push(Move::Rename { from: path.clone(), to: to.clone() });
                given_up.insert(to);
            }
            moves.push(Move::Rename { from: aside_of(&path, id), to: path });
        }
        moves.extend(given_up.into_iter().map(Move::Remove));
        moves
    }

    /// Removes what was moved away, for good.
    pub fn tidy(&self, id: &str) -> Vec<Move> {
        let end = format!("{ASIDE}{id}");
        self.there.iter().filter(|path| path.ends_with(&end)).cloned().map(Move::Remove).collect()
    }
}

#[cfg(test)]
mod tests;
