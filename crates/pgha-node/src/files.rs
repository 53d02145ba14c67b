//! Files and folders with the right owner and mode, and the secrets that Compose mounts.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::Path;

use pgha_core::disk::Disk;

use crate::Result;

/// A user and its group of the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner(pub(crate) u32);

/// Runs Postgres, Patroni, pgBackRest and sshd. The number is the same in every image.
pub(crate) const POSTGRES: Owner = Owner(999);
/// Home of the user postgres in every image.
pub(crate) const POSTGRES_HOME: &str = "/var/lib/postgresql";
/// Runs etcd.
pub(crate) const ETCD: Owner = Owner(998);

/// Where Compose mounts secrets.
const SECRETS_DIR: &str = "/run/secrets";

/// The disk that a folder is on.
pub(crate) fn disk(folder: &str) -> Result<Disk> {
    let found = rustix::fs::statvfs(folder)
        .map_err(|e| format!("cannot ask for the disk of {folder}: {e}"))?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Disk { size_bytes: bytes(found.f_blocks), free_bytes: bytes(found.f_bavail) })
}

/// Where the texts of secrets are that are newer than what is mounted. It is for root alone.
const NEWER_DIR: &str = "/pgha/secrets";

/// The text that came while the container was running, of `[mounted then, text]` as JSON. What is mounted stays what it was
/// then, however the file is replaced on the host, until the container starts again; from then on the mounted one counts.
fn newer(json: &str, mounted: &str) -> Option<String> {
    let [instead_of, text] = serde_json::from_str::<[String; 2]>(json).ok()?;
    (instead_of == mounted).then_some(text)
}

/// Reads one secret, without the line feed at its end. An empty one is an error: nothing here works with it.
pub(crate) fn secret(name: &str) -> Result<String> {
    let mounted = mounted_secret(name)?;
    // Who may not read the newer one is not root, and reads a copy.
    let kept = fs::read_to_string(newer_secret(name)).unwrap_or_default();
    match newer(&kept, &mounted).unwrap_or(mounted).as_str() {
        "" => Err(format!("the secret {name} is empty: write it into its file")),
        text => Ok(text.to_owned()),
    }
}

/// From now on a secret has this text, until the container starts with another one mounted.
pub(crate) fn renew_secret(name: &str, text: &str) -> Result<()> {
    let json = serde_json::json!([mounted_secret(name)?, text]).to_string();
    private_dir(NEWER_DIR, Owner(0))?;
    keep(&newer_secret(name), &json, Owner(0))
}

fn newer_secret(name: &str) -> String {
    format!("{NEWER_DIR}/{name}")
}

fn mounted_secret(name: &str) -> Result<String> {
    let path = Path::new(SECRETS_DIR).join(name);
    fs::read_to_string(&path)
        .map(|text| text.trim_end().to_owned())
        .map_err(|e| format!("cannot read the secret {}: {e}", path.display()))
}

/// Reads a secret that [`install_secret`] put where this user can read it.
pub(crate) fn read_secret_copy(path: &str) -> Result<String> {
    fs::read_to_string(path)
        .map(|text| text.trim_end().to_owned())
        .map_err(|e| format!("cannot read {path}: {e}"))
}

/// Copies a secret to where its user can read it, mode 0600.
pub(crate) fn install_secret(name: &str, path: &str, owner: Owner) -> Result<()> {
    let mut text = secret(name)?;
    text.push('\n');
    write(path, &text, owner)
}

/// Writes a file of mode 0600 that is written anew at every start; readers see the old or the new text,
/// never a part.
pub(crate) fn write(path: &str, text: &str, owner: Owner) -> Result<()> {
    put(path, text.as_bytes(), owner, 0o600, false)
}

/// The same for several files; those that were not so already.
pub(crate) fn write_changed(
    files: impl IntoIterator<Item = (String, String)>,
    owner: Owner,
) -> Result<Vec<String>> {
    let mut changed = Vec::new();
    for (path, text) in files {
        if fs::read_to_string(&path).is_ok_and(|there| there == text) {
            continue;
        }
        write(&path, &text, owner)?;
        changed.push(path);
    }
    Ok(changed)
}

/// Writes a file of mode 0600 that must outlive a power cut: afterwards it is on the disk, whole, under
/// its name.
pub(crate) fn keep(path: &str, text: &str, owner: Owner) -> Result<()> {
    put(path, text.as_bytes(), owner, 0o600, true)?;
    sync(Path::new(path).parent().unwrap_or(Path::new("/")))
}

/// The same for a file of root's that every user of the member may read.
pub(crate) fn keep_for_all(path: &str, text: &str) -> Result<()> {
    let folder = folder_for(path)?;
    put(path, text.as_bytes(), Owner(0), 0o644, true)?;
    sync(folder)
}

/// Puts a file of root's in place that is made anew at every start, for all users of the member.
pub(crate) fn install(path: &str, content: &[u8], mode: u32) -> Result<()> {
    folder_for(path)?;
    put(path, content, Owner(0), mode, false)
}

/// The folder of a file, which is made where it is missing.
fn folder_for(path: &str) -> Result<&Path> {
    let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)
        .map_err(|e| format!("cannot prepare the folder {}: {e}", folder.display()))?;
    Ok(folder)
}

/// Has a file, or what was done to names in a folder, outlive a power cut.
pub(crate) fn sync(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|e| format!("cannot write {} to the disk: {e}", path.display()))
}

fn put(path: &str, content: &[u8], owner: Owner, mode: u32, durable: bool) -> Result<()> {
    let explain = |e| format!("cannot write {path}: {e}");
    let fresh = format!("{path}.new");
    let _ = fs::remove_file(&fresh);
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh).map_err(explain)?;
    file.write_all(content).map_err(explain)?;
    chown(&fresh, Some(owner.0), Some(owner.0)).map_err(explain)?;
    if durable {
        file.sync_all().map_err(explain)?;
    }
    fs::rename(&fresh, path).map_err(explain)
}

/// Makes a folder, if it is not there, that its owner alone may enter.
pub(crate) fn private_dir(path: &str, owner: Owner) -> Result<()> {
    let explain = |e| format!("cannot prepare the folder {path}: {e}");
    fs::create_dir_all(path).map_err(explain)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(explain)?;
    chown(path, Some(owner.0), Some(owner.0)).map_err(explain)
}

/// Removes what a killed container left, such as lock files that name processes long gone.
pub(crate) fn remove_stale(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => {
            crate::log(&format!("removed {}, left by a container that was killed", path.display()));
            Ok(())
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(format!("cannot remove {}: {e}", path.display())),
    }
}

/// Removes a file, if it is there.
pub(crate) fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {e}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_secret_counts_until_another_one_is_mounted() {
        let kept = r#"["old", "new"]"#;
        assert_eq!(newer(kept, "old").as_deref(), Some("new"));
        // The container has started again: with the new one, or with what somebody wrote since.
        assert_eq!(newer(kept, "new"), None);
        assert_eq!(newer(kept, "newest"), None);
        assert_eq!(newer("", "old"), None);
    }

    #[test]
    fn a_file_that_is_so_already_is_not_written() {
        let dir = std::env::temp_dir().join(format!("pgha-files-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a folder");
        let path = dir.join("a.conf").display().to_string();
        let owner = Owner(rustix::process::getuid().as_raw());
        let write = |text: &str| write_changed([(path.clone(), text.to_owned())], owner);
        assert_eq!(write("a"), Ok(vec![path.clone()]));
        assert_eq!(write("a"), Ok(Vec::new()));
        assert_eq!(write("b"), Ok(vec![path.clone()]));
        keep_for_all(&path, "c").expect("it is written");
        let mode = fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((fs::read_to_string(&path).expect("text"), mode), ("c".to_owned(), 0o644));
        fs::remove_dir_all(&dir).expect("the folder is gone");
    }
}
