//! Carries out what [`pgha_core::restore::Volume`] decides about folders of this node's volume, and learns
//! what it needs for that.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pgha_core::render::{PGDATA_MOUNT, SPOOL_DIR, data_dir};
use pgha_core::restore::{
    Linked, Move, Volume, aside_of, demand_on_volume, is_moved, is_on_volume,
};

use crate::files::{self, POSTGRES, sync};
use crate::identity::Identity;
use crate::{Result, say};

/// Links that are followed to one folder at most.
const LINKS_MAX: usize = 8;
/// Folders below the volume that a tablespace may lie in at most.
const DEPTH_MAX: usize = 8;

/// The folders of this node's data.
#[derive(Debug)]
pub(crate) struct Folders {
    /// Where Postgres runs.
    pub(crate) data: PathBuf,
}

impl Folders {
    /// Of this node.
    pub(crate) fn of(me: &Identity) -> Self {
        Self { data: data_dir(me.topology.spec.postgres).into() }
    }

    fn name(&self) -> String {
        self.data.display().to_string()
    }

    /// Bytes of the data, with what lies elsewhere.
    pub(crate) fn used_bytes(&self) -> u64 {
        let linked = self.linked().into_iter().filter(|linked| linked.on_volume);
        linked.map(|linked| used(Path::new(&linked.path))).sum::<u64>() + used(&self.data)
    }

    /// Parts of the data that lie elsewhere.
    pub(crate) fn linked(&self) -> Vec<Linked> {
        linked_from(&self.data, &self.name())
    }

    /// What there is on the volume; `backup` are folders that a backup needs.
    fn volume(&self, backup: &BTreeSet<String>, id: &str) -> Volume {
        let data = self.name();
        let paths = |from: &Path| -> BTreeSet<String> {
            linked_from(from, &data).into_iter().map(|linked| linked.path).collect()
        };
        let (linked, old_linked) = (paths(&self.data), paths(Path::new(&aside_of(&data, id))));
        let mut there = BTreeSet::new();
        moved_below(Path::new(PGDATA_MOUNT), &self.data, DEPTH_MAX, &mut there);
        let named = [&linked, &old_linked, backup].into_iter().flatten().chain([&data]);
        there.extend(named.filter(|path| Path::new(path).exists()).cloned());
        Volume { data, there, linked, old_linked }
    }
}

/// Does these moves, and then whatever is still to be done.
fn until_done(decide: impl Fn() -> Vec<Move>, rounds: usize) -> Result<()> {
    for _ in 0..rounds {
        let moves = decide();
        if moves.is_empty() {
            break;
        }
        moves.iter().try_for_each(apply)?;
    }
    sync(Path::new(PGDATA_MOUNT))
}

fn apply(change: &Move) -> Result<()> {
    match change {
        Move::Rename { from, to } => rename(Path::new(from), Path::new(to)),
        Move::Make(path) => make(Path::new(path)),
        Move::Remove(path) => remove(Path::new(path)),
        Move::Empty(path) => empty(Path::new(path)),
    }
}

/// What links in a data directory, wherever that is now, lead to; `data` is where it belongs.
fn linked_from(folder: &Path, data: &str) -> Vec<Linked> {
    let volume = device_of(Path::new(PGDATA_MOUNT));
    let entries = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries(folder.to_owned())
        .chain(entries(folder.join("pg_tblspc")))
        .map(|entry| entry.path())
        .filter(|path| path.is_symlink())
        // A log may be anywhere, and so may files of configuration.
        .filter(|path| {
            !path.ends_with("pg_log") && !path.ends_with("log") && !resolved(path).is_file()
        });
    let mut linked: Vec<Linked> = names
        .map(|link| {
            let path = resolved(&link);
            let device = device_of(&path);
            let path = path.display().to_string();
            let same = device.is_none() || device == volume;
            let link = link.strip_prefix(folder).unwrap_or(&link).display().to_string();
            Linked { on_volume: same && is_on_volume(&path, data), link, path }
        })
        // What lies in the data directory goes with it.
        .filter(|linked| !Path::new(&linked.path).starts_with(data))
        .collect();
    linked.sort();
    linked
}

/// Where a path leads to, whether that is there or not.
fn resolved(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(to) = fs::read_link(&path) else { break };
        path = path.parent().map_or(to.clone(), |folder| folder.join(&to));
    }
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// The folders among these that a restore may write to, where links lead to.
fn places(paths: &[String], data: &str) -> Result<BTreeSet<String>> {
    let place = |path: &String| {
        let path = resolved(Path::new(path)).display().to_string();
        Linked {
            link: "a tablespace of the backup".to_owned(),
            on_volume: is_on_volume(&path, data),
            path,
        }
    };
    let places: Vec<Linked> = paths.iter().map(place).collect();
    demand_on_volume("the backup", &places).map_err(|off| off.to_string())?;
    Ok(places.into_iter().map(|place| place.path).collect())
}

/// Adds folders that a restore has moved away or given up.
fn moved_below(folder: &Path, data: &Path, depth: usize, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.display().to_string();
        if is_moved(&name) {
            found.insert(name);
            continue;
        }
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_data = path == data || path.starts_with(SPOOL_DIR) || is_of_postgres(&path);
        if is_folder && !is_data && depth > 0 {
            moved_below(&path, data, depth - 1, found);
        }
    }
}

/// Whether this is a folder that Postgres has made in a tablespace: `PG_17_202406281`.
fn is_of_postgres(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.strip_prefix("PG_")
        .and_then(|rest| rest.split_once('_'))
        .is_some_and(|(major, catalog)| digits(major) && digits(catalog))
}

/// Number of the disk that the volume lies on, the same for every volume there; 0 where unknown.
pub(crate) fn device() -> u64 {
    device_of(Path::new(PGDATA_MOUNT)).unwrap_or_default()
}

fn device_of(path: &Path) -> Option<u64> {
    rustix::fs::stat(path).ok().map(|seen| seen.st_dev)
}

/// Bytes that are free on the volume.
pub(crate) fn free_bytes() -> u64 {
    rustix::fs::statvfs(PGDATA_MOUNT).map_or(0, |s| s.f_bavail.saturating_mul(s.f_frsize))
}

fn used(path: &Path) -> u64 {
    let Ok(entry) = fs::symlink_metadata(path) else { return 0 };
    if !entry.is_dir() {
        return entry.len();
    }
    fs::read_dir(path).into_iter().flatten().flatten().map(|e| used(&e.path())).sum()
}

/// Whether there is anything in a folder.
pub(crate) fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// Moves the data away, with what lies elsewhere and what is where the backup has its tablespaces, and
/// makes empty folders in their places. Where they were moved away already, what is in the data folder is
/// this restore's own and stays.
pub(crate) fn aside(me: &Identity, id: &str, backup: &[String]) -> Result<()> {
    let folders = Folders::of(me);
    let backup = places(backup, &folders.name())?;
    demand_on_volume(&me.member()?.name, &folders.linked()).map_err(|off| off.to_string())?;
    until_done(|| folders.volume(&backup, id).aside(&backup, id), 1)?;
    forget_spool();
    say(&aside_of(&folders.name(), id));
    Ok(())
}

/// Makes folders that recovery needs for tablespaces, where they are not there.
pub(crate) fn make_places(me: &Identity, paths: &[String]) -> Result<()> {
    let paths = places(paths, &Folders::of(me).name())?;
    paths.iter().try_for_each(|path| make(Path::new(path)))
}

/// Removes the data.
pub(crate) fn discard(me: &Identity) -> Result<()> {
    clear(&Folders::of(me), &[])?;
    forget_spool();
    Ok(())
}

/// Removes the data, and what is in these tablespaces; the data folder is there afterwards, and empty.
///
/// It goes first, in one step: a Postgres never starts on data that lack a tablespace.
pub(crate) fn clear(folders: &Folders, tablespaces: &[String]) -> Result<()> {
    let going = PathBuf::from(format!("{}.given-up-clone", folders.name()));
    let linked = |from: &Path| -> BTreeSet<String> {
        let linked = linked_from(from, &folders.name()).into_iter();
        linked.filter(|linked| linked.on_volume).map(|linked| linked.path).collect()
    };
    let mut elsewhere: BTreeSet<String> = tablespaces
        .iter()
        .map(|path| resolved(Path::new(path)).display().to_string())
        .filter(|path| is_on_volume(path, &folders.name()))
        .collect();
    elsewhere.extend(linked(&going));
    elsewhere.extend(linked(&folders.data));
    if folders.data.exists() && !is_empty(&folders.data) {
        if going.exists() {
            remove(&going)?;
        }
        rename(&folders.data, &going)?;
    }
    make(&folders.data)?;
    elsewhere.iter().try_for_each(|path| empty(Path::new(path)))?;
    remove(&going)
}

/// Removes what is in tablespaces of the data that are none of these.
pub(crate) fn clear_others(folders: &Folders, tablespaces: &[String]) -> Result<()> {
    let kept: BTreeSet<PathBuf> =
        tablespaces.iter().map(|path| resolved(Path::new(path))).collect();
    let linked = folders.linked().into_iter().filter(|linked| linked.on_volume);
    let paths = linked.map(|linked| PathBuf::from(linked.path));
    paths.filter(|path| !kept.contains(path)).try_for_each(|path| empty(&path))
}

/// Puts the old data back where they stood. What the restore has made is removed.
pub(crate) fn back(me: &Identity, id: &str) -> Result<()> {
    let folders = Folders::of(me);
    // A tablespace in a tablespace comes back in a round of its own.
    until_done(|| folders.volume(&BTreeSet::new(), id).back(id), DEPTH_MAX)?;
    forget_spool();
    Ok(())
}

/// Removes the old data for good.
pub(crate) fn tidy(me: &Identity, id: &str) -> Result<()> {
    let folders = Folders::of(me);
    until_done(|| folders.volume(&BTreeSet::new(), id).tidy(id), DEPTH_MAX)
}

fn make(path: &Path) -> Result<()> {
    files::private_dir(&path.display().to_string(), POSTGRES)?;
    sync_parent(path)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)
        .map_err(|e| format!("cannot rename {} to {}: {e}", from.display(), to.display()))?;
    sync_parent(to)
}

fn sync_parent(path: &Path) -> Result<()> {
    path.parent().map_or(Ok(()), sync)
}

/// Removes a folder with all that is in it, if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {e}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Removes what Postgres has put into a tablespace, and of a WAL directory its files.
fn empty(path: &Path) -> Result<()> {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let path = entry.path();
        if is_of_postgres(&path) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// What was fetched ahead, or noted as pushed, may be of a timeline that will have other contents
/// under the same name.
fn forget_spool() {
    for entry in fs::read_dir(SPOOL_DIR).into_iter().flatten().flatten() {
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// Makes an empty `postgresql.conf` where a backup has none: distributions keep it outside the data
/// directory, and Patroni, which writes its own, wants one to be there.
pub(crate) fn demand_settings(data: &Path) -> Result<()> {
    let settings = data.join("postgresql.conf");
    if settings.exists() {
        return Ok(());
    }
    files::write(&settings.display().to_string(), "", POSTGRES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgres_makes_in_a_tablespace_is_known_by_its_name() {
        assert!(is_of_postgres(Path::new("/pgdata/fast/PG_17_202406281")));
        for other in ["/pgdata/fast/PG_VERSION", "/pgdata/fast/PG_17_x", "/pgdata/fast/dump", "/"] {
            assert!(!is_of_postgres(Path::new(other)), "{other}");
        }
    }
}
