//! Gives `PGHA_IMAGES` to the program, the fingerprint of everything that the images are built from; and what a
//! release carries of it, as `carried.tar.gz` in `OUT_DIR`, which is empty in a development build.

use std::path::Path;
use std::{env, fs};

#[path = "src/fingerprint.rs"]
mod fingerprint;

/// The variable by which `scripts/release.sh` names the archive that the program is to carry.
const CARRIED: &str = "PGHA_CARRIED";

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for source in fingerprint::SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    println!("cargo::rerun-if-changed=src/fingerprint.rs");
    let made_from = fingerprint::of(&root).unwrap_or_else(|e| panic!("{e}"));
    println!("cargo::rustc-env=PGHA_IMAGES={made_from}");

    println!("cargo::rerun-if-env-changed={CARRIED}");
    let carried = env::var_os(CARRIED).map(|archive| {
        println!("cargo::rerun-if-changed={}", archive.display());
        fs::read(&archive).unwrap_or_else(|e| panic!("{}: {e}", archive.display()))
    });
    let out = env::var_os("OUT_DIR").expect("cargo sets it");
    let written = fs::write(Path::new(&out).join("carried.tar.gz"), carried.unwrap_or_default());
    written.unwrap_or_else(|e| panic!("cannot write carried.tar.gz: {e}"));
}
