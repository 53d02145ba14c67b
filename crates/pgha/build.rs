//! Gives `PGHA_IMAGES` to the program: the fingerprint of everything that the images are built from.

use std::path::Path;

#[path = "src/fingerprint.rs"]
mod fingerprint;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for source in fingerprint::SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    println!("cargo::rerun-if-changed=src/fingerprint.rs");
    let made_from = fingerprint::of(&root).unwrap_or_else(|e| panic!("{e}"));
    println!("cargo::rustc-env=PGHA_IMAGES={made_from}");
}
