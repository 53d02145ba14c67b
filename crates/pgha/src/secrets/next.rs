//! The password that takes the place of another one. It is kept beside that from before anybody is told until all have it,
//! so that whoever is killed in between is followed by one who goes on with the same.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{SUPERUSER, derive_pgpass, dir_of, write};
use crate::error::{Error, OrFail as _, Result};

/// A secret that is about to become another one. One command at a time has it.
#[derive(Debug)]
pub(crate) struct Next {
    dir: PathBuf,
    secret: String,
    /// The folder, open and locked.
    _lock: File,
}

impl Next {
    /// Of a secret beside this compose file.
    ///
    /// # Errors
    /// When there is no such secret, or another command is at it.
    pub(crate) fn of(compose_file: &Path, secret: &str) -> Result<Self> {
        let dir = dir_of(compose_file);
        let path = dir.join(secret);
        if let Err(e) = fs::metadata(&path) {
            return Err(Error::missing(format!("cannot read {}", path.display())).because(e).hint(
                "the secrets are beside the compose file, readable by the user who generated it",
            ));
        }
        let lock = File::open(&dir).or_fail(format!("cannot open {}", dir.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir, secret: secret.to_owned(), _lock: lock }),
            Err(TryLockError::Error(e)) => Err(e).or_fail(format!("cannot lock {}", dir.display())),
            Err(TryLockError::WouldBlock) => {
                Err(Error::failed("another `pgha passwd` is at work on this cluster")
                    .hint("again, once it has ended"))
            }
        }
    }

    /// Where the secret is.
    pub(crate) fn file(&self) -> PathBuf {
        self.dir.join(&self.secret)
    }

    /// What an interrupted command was at.
    pub(crate) fn pending(&self) -> Result<Option<String>> {
        let path = self.dir.join(self.name());
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim_end().to_owned())),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).or_fail(format!("cannot read {}", path.display())),
        }
    }

    /// Keeps it, before anybody is told.
    pub(crate) fn keep(&self, text: &str) -> Result<()> {
        write(&self.dir, &self.name(), text)
    }

    /// Puts it in place of the old one, for all who read the file from now on.
    pub(crate) fn put_in_place(&self, text: &str) -> Result<()> {
        write(&self.dir, &self.secret, text)?;
        let superuser = self.dir.join(SUPERUSER);
        let what = format!("cannot read {}", superuser.display());
        derive_pgpass(&self.dir, fs::read_to_string(superuser).or_fail(what)?.trim_end())
    }

    /// All have it, or nobody.
    pub(crate) fn forget(&self) -> Result<()> {
        let path = self.dir.join(self.name());
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(e).or_fail(format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    fn name(&self) -> String {
        format!("next.{}", self.secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::pgpass_of;

    #[test]
    fn whoever_is_killed_is_followed_by_one_who_goes_on_with_the_same() {
        let at = tempfile::tempdir().expect("a temporary folder");
        let compose_file = at.path().join("docker-compose.yaml");
        let dir = dir_of(&compose_file);
        fs::create_dir(&dir).expect("a folder");
        for (name, text) in [("postgres", "old\n"), ("user-app", "app\n")] {
            fs::write(dir.join(name), text).expect("a secret");
        }
        let next = Next::of(&compose_file, "user-app").expect("a secret");
        let busy = Next::of(&compose_file, "postgres").expect_err("one at a time").to_string();
        assert!(busy.contains("another `pgha passwd`"), "{busy}");
        assert_eq!(next.pending().expect("readable"), None);
        next.keep("n:w").expect("it is kept");
        drop(next);
        let next = Next::of(&compose_file, "user-app").expect("nobody is at it");
        assert_eq!(next.pending().expect("readable").as_deref(), Some("n:w"));
        // What is pending is nobody's password yet.
        derive_pgpass(&dir, "old").expect("passwords");
        let passfile = || fs::read_to_string(pgpass_of(&compose_file)).expect("a file");
        assert_eq!(passfile(), "*:*:*:postgres:old\n*:*:*:app:app\n");
        next.put_in_place("n:w").expect("it is written");
        assert_eq!(passfile(), "*:*:*:postgres:old\n*:*:*:app:n\\:w\n");
        next.forget().expect("it is removed");
        next.forget().expect("nothing is there");
        assert_eq!(next.pending().expect("readable"), None);
        drop(next);
        assert_eq!(Next::of(&compose_file, "patroni").expect_err("none").exit_code(), 3);
    }
}
