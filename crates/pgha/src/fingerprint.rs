//! A fingerprint of everything that the images are built from, by which `pgha up` knows an image that other
//! sources made. The build script compiles that of this program's own sources in.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// What the images are built from, relative to the root of the workspace.
pub(crate) const SOURCES: [&str; 13] = [
    "Cargo.lock",
    "Cargo.toml",
    "images",
    "crates/pgha-core/Cargo.toml",
    "crates/pgha-core/src",
    "crates/pgha-core/templates",
    "crates/pgha-node/Cargo.toml",
    "crates/pgha-node/build.rs",
    "crates/pgha-node/shim",
    "crates/pgha-node/src",
    "crates/pgha-wan/Cargo.toml",
    "crates/pgha-wan/regions",
    "crates/pgha-wan/src",
];

/// The fingerprint of the sources in a folder.
pub(crate) fn of(root: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&root.join(source), &mut files)?;
    }
    files.sort();
    // FNV-1a, 64 bits: the same on every machine, and nobody gains by a collision.
    let mut fingerprint: u64 = 0xcbf2_9ce4_8422_2325;
    for file in files {
        let text = fs::read(&file)
            .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", file.display())))?;
        for byte in text {
            fingerprint = (fingerprint ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    Ok(format!("{fingerprint:016x}"))
}

/// Files below a folder; a snapshot of the tests is nothing that an image is built from.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let explain = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    for entry in fs::read_dir(path).map_err(explain)? {
        let entry = entry.map_err(explain)?;
        if entry.file_name() != "snapshots" {
            collect(&entry.path(), files)?;
        }
    }
    Ok(())
}
