//! What the images are built from: what a released pgha carries, else a checkout of this project.
//!
//! A released pgha is one file: the folder `images` and PID 1, compiled for its own architecture, are inside it. A
//! development build carries nothing and takes both from its checkout.

use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use tempfile::TempDir;

use crate::error::{Error, OrFail, Result};
use crate::fingerprint;

/// Of what this program makes images from.
pub(crate) const FINGERPRINT: &str = env!("PGHA_IMAGES");
/// `images` and `pgha-node` as a compressed tar; empty in a development build. `scripts/release.sh` makes it.
const CARRIED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/carried.tar.gz"));
/// PID 1 in there.
const PID1: &str = "pgha-node";

/// Whose sources they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Those of a checkout that was named.
    Named,
    /// Those of the checkout that this program was compiled from.
    OwnCheckout,
    /// Those that this program carries.
    Carried,
}

/// Sources to build images from.
#[derive(Debug)]
pub(crate) struct Sources {
    /// What holds `images`, and in a checkout the workspace.
    pub(crate) folder: PathBuf,
    /// Of all that images are built from.
    pub(crate) fingerprint: String,
    /// Whose they are.
    pub(crate) origin: Origin,
    /// PID 1, where it is compiled already.
    pub(crate) pid1: Option<PathBuf>,
    /// Removes the folder in the end, where it was made for this.
    _unpacked: Option<TempDir>,
}

/// Whether this pgha carries what it builds images from.
pub(crate) fn are_carried() -> bool {
    !CARRIED.is_empty()
}

/// The sources that were named; else those that are carried, unless PID 1 is to be `compiled`; else the checkout of
/// this program, around the current folder or where it was compiled.
///
/// # Errors
/// When there are none, or the checkouts that there are have other sources than this program.
pub(crate) fn find(named: Option<&Path>, compiled: bool) -> Result<Sources> {
    if let Some(folder) = named {
        return at(folder, Origin::Named).unwrap_or_else(|| {
            Err(Error::bad_input(format!("{} has no sources of pgha", folder.display())))
        });
    }
    if are_carried() && !compiled {
        return unpack(CARRIED);
    }
    let here = std::env::current_dir().or_fail("cannot find the current folder")?;
    own(&here, Path::new(env!("CARGO_MANIFEST_DIR")), FINGERPRINT)
}

/// What is carried, in a folder for this one build.
fn unpack(archive: &[u8]) -> Result<Sources> {
    let cannot = "cannot unpack what pgha carries";
    let unpacked = tempfile::Builder::new().prefix("pgha-").tempdir().or_fail(cannot)?;
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    // Modes are part of what a layer is made from, and no umask shall change them.
    archive.set_preserve_permissions(true);
    archive.unpack(unpacked.path()).or_fail(cannot)?;
    Ok(Sources {
        folder: unpacked.path().to_owned(),
        fingerprint: FINGERPRINT.to_owned(),
        origin: Origin::Carried,
        pid1: Some(unpacked.path().join(PID1)),
        _unpacked: Some(unpacked),
    })
}

/// Those of a fingerprint, around one of two folders.
fn own(here: &Path, compiled: &Path, fingerprint: &str) -> Result<Sources> {
    let mut other = None;
    let folders = here.ancestors().chain(compiled.ancestors());
    for found in folders.filter_map(|folder| at(folder, Origin::OwnCheckout)) {
        let found = found?;
        if found.fingerprint == fingerprint {
            return Ok(found);
        }
        other.get_or_insert(found.folder);
    }
    Err(match other {
        Some(folder) => Error::missing("the sources that this pgha was made from are not here")
            .because(format!("those in {} are others", folder.display()))
            .hint(
                "`cargo build --release` there makes a pgha that fits them; `pgha build --source DIR` builds \
                 from any",
            ),
        None => Error::missing("the sources of pgha are not here, and a development build carries none")
            .hint(
                "run this inside its checkout, or name one with `pgha build --source DIR`; a released pgha needs \
                 no checkout",
            ),
    })
}

/// The sources of pgha in this very folder; nothing where there are none.
fn at(folder: &Path, origin: Origin) -> Option<Result<Sources>> {
    let are_there = folder.join("images/layers.sh").is_file()
        && folder.join("images/Dockerfile").is_file()
        && folder.join("crates/pgha-node").is_dir();
    are_there.then(|| {
        Ok(Sources {
            folder: folder.to_owned(),
            fingerprint: fingerprint::of(folder).or_fail("cannot read the sources of pgha")?,
            origin,
            pid1: None,
            _unpacked: None,
        })
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A folder with what makes sources, and something in one of them.
    fn checkout(text: &str) -> TempDir {
        let root = tempfile::tempdir().expect("a temporary folder");
        for source in fingerprint::SOURCES {
            let path = root.path().join(source);
            if source.contains('.') {
                fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
                fs::write(path, "").expect("a file");
            } else {
                fs::create_dir_all(path).expect("a folder");
            }
        }
        for file in ["images/Dockerfile", "images/layers.sh", "crates/pgha-node/src/main.rs"] {
            fs::write(root.path().join(file), text).expect("a file");
        }
        root
    }

    #[test]
    fn images_have_the_fingerprint_of_the_sources_that_they_are_built_from() {
        let (one, other) = (checkout("one"), checkout("two"));
        let [of_one, of_other] =
            [&one, &other].map(|root| fingerprint::of(root.path()).expect("a fingerprint"));
        assert_ne!(of_one, of_other);
        assert_eq!(of_one, fingerprint::of(checkout("one").path()).expect("a fingerprint"));
        let named = find(Some(other.path()), false).expect("sources");
        assert_eq!((named.fingerprint, named.origin), (of_other, Origin::Named));
        assert!(find(Some(&one.path().join("images")), false).is_err());
    }

    #[test]
    fn another_checkout_is_not_taken_for_the_sources_of_this_program() {
        let (mine, other) = (checkout("one"), checkout("two"));
        let fingerprint = fingerprint::of(mine.path()).expect("a fingerprint");
        let inside = other.path().join("crates/pgha-node");
        // Also while the current folder is in another one.
        let found = own(&inside, mine.path(), &fingerprint).expect("its own");
        assert_eq!((&*found.folder, found.origin), (mine.path(), Origin::OwnCheckout));
        let error = own(&inside, other.path(), &fingerprint).expect_err("there are none");
        let error = error.to_string();
        assert!(error.contains(&other.path().display().to_string()), "{error}");
        let nowhere = tempfile::tempdir().expect("a temporary folder");
        let error = own(nowhere.path(), nowhere.path(), &fingerprint).expect_err("none");
        assert!(error.to_string().contains("--source"), "{error}");
    }

    #[test]
    fn what_is_carried_is_unpacked_as_it_was_packed_and_removed_after_the_build() {
        let mut packed = tar::Builder::new(flate2::write::GzEncoder::new(
            Vec::new(),
            flate2::Compression::default(),
        ));
        for (path, mode) in
            [("images/layers.sh", 0o755), ("images/Dockerfile", 0o666), (PID1, 0o755)]
        {
            let mut header = tar::Header::new_gnu();
            header.set_mode(mode);
            header.set_size(3);
            packed.append_data(&mut header, path, &b"abc"[..]).expect("it is memory");
        }
        let archive = packed.into_inner().and_then(flate2::write::GzEncoder::finish);
        let archive = archive.expect("it is memory");

        let sources = unpack(&archive).expect("it is whole");
        assert_eq!((sources.origin, &*sources.fingerprint), (Origin::Carried, FINGERPRINT));
        let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o7777;
        assert_eq!(mode(&sources.folder.join("images/layers.sh")), 0o755);
        assert_eq!(mode(&sources.folder.join("images/Dockerfile")), 0o666);
        assert_eq!(
            fs::read(sources.pid1.as_ref().expect("it is carried")).expect("a file"),
            b"abc"
        );
        let folder = sources.folder.clone();
        drop(sources);
        assert!(!folder.exists());
        assert!(unpack(&archive[..archive.len() / 2]).is_err(), "half of it");
    }
}
