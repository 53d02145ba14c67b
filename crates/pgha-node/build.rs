//! Compiles the library that is preloaded into Postgres and pgBackRest, which PID 1 carries.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=shim");
    let of_cargo = |name: &str| env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name}"));
    let library = Path::new(&of_cargo("OUT_DIR")).join("disk.so");
    // By itself, and not as a crate of the workspace: a static program and a shared library want other flags of a build.
    // Linked to nothing, it asks for no version of the C library: it runs in a container whose host has a newer one.
    let flags = ["--edition=2024", "--crate-name=pgha_disk", "--crate-type=cdylib", "-Dwarnings"];
    let code = ["-Copt-level=3", "-Cpanic=abort", "-Cstrip=symbols", "-Clink-arg=-nostdlib"];
    let mut rustc = Command::new(of_cargo("RUSTC"));
    rustc.args(flags).args(code).arg("--target").arg(of_cargo("TARGET"));
    let done = rustc.arg("-o").arg(&library).arg("shim/lib.rs").status();
    let done = done.unwrap_or_else(|e| panic!("cannot run rustc: {e}"));
    assert!(done.success(), "cannot compile shim/lib.rs");
}
