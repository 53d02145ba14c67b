//! Gives `PGHA_IMAGES` to the program: a fingerprint of everything that the images are built from, by
//! which `pgha up` knows an image that another version of pgha made.

use std::fs;
use std::path::{Path, PathBuf};

/// What the images are built from, relative to the root of the workspace.
const SOURCES: [&str; 7] = [
    "Cargo.lock",
    "images",
    "crates/pgha-core/regions",
    "crates/pgha-core/src",
    "crates/pgha-core/templates",
    "crates/pgha-node/Cargo.toml",
    "crates/pgha-node/src",
];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
        collect(&root.join(source), &mut files);
    }
    files.sort();
    // FNV-1a, 64 bits: the same on every machine, and nobody gains by a collision.
    let mut fingerprint: u64 = 0xcbf2_9ce4_8422_2325;
    for file in files {
        let text = fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        for byte in text {
            fingerprint = (fingerprint ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    println!("cargo::rustc-env=PGHA_IMAGES={fingerprint:016x}");
}

/// Files below a folder; a snapshot of the tests is nothing that an image is built from.
fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for entry in entries.flatten().filter(|e| e.file_name() != "snapshots") {
            collect(&entry.path(), files);
        }
    } else {
        files.push(path.to_owned());
    }
}
