//! Building the images: their layers from Debian, meanwhile PID 1 from this project's sources, then one target
//! of the Dockerfile for each image.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use pgha_core::render::Images;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::cli::{Build, NodeBuild, ReportArgs};
use crate::compose_tool::last_lines;
use crate::docker::Engine;
use crate::error::{Error, OrFail, Result};
use crate::events::{Events, Work};
use crate::fingerprint;
use crate::program::on_path;

/// Image in which PID 1 is compiled where the host has no toolchain; kept for the next build.
const NODE_BUILDER: &str = "pgha-node-build";
/// Label of an image with the fingerprint of what it was made from.
const LABEL: &str = "pgha.images";
/// Of what this program would make images from.
const FINGERPRINT: &str = env!("PGHA_IMAGES");
/// A host's certificates, for hosts whose way out re-signs TLS.
const HOST_CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The images of this major version that the engine does not have, or has from another version of
/// pgha's sources.
pub(crate) async fn missing(engine: &Engine, major: u32) -> Vec<String> {
    let mut missing = Vec::new();
    for image in Images::of(major).all() {
        let found = engine.api().inspect_image(image).await.ok();
        let labels = found.and_then(|image| image.config).and_then(|config| config.labels);
        let made_from = labels.and_then(|labels| labels.get(LABEL).cloned());
        if made_from.as_deref() != Some(FINGERPRINT) {
            missing.push(image.to_owned());
        }
    }
    missing
}

/// Has the images of a major version built from this program's own sources, where any is missing.
pub(crate) async fn demand(engine: &Engine, postgres: u32, events: &Events) -> Result<()> {
    if missing(engine, postgres).await.is_empty() {
        return Ok(());
    }
    let build = Build {
        postgres,
        no_cache: false,
        source: None,
        pid1: NodeBuild::Auto,
        node_binary: None,
        report: ReportArgs::default(),
    };
    self::build(&build, events).await
}

/// Builds all images of a major version, reusing every layer that is still right.
pub(crate) async fn build(args: &Build, events: &Events) -> Result<()> {
    let source = sources(args.source.as_deref())?;
    let work = events.begin("images");
    let started = Instant::now();
    let context = tempdir()?;
    let (script, major) = (source.folder.join("images/layers.sh"), args.postgres.to_string());
    let script = script.display().to_string();
    let mut below = vec!["sh", &script, &major];
    if args.no_cache {
        below.push("--no-cache");
    }
    let layers = run(&below, None, &work, "building layers");
    let node = if let Some(file) = &args.node_binary {
        layers.await?;
        file.clone()
    } else if compiles_on_host(args.pid1) {
        tokio::try_join!(layers, compile(&source.folder, &work))?.1
    } else {
        // It starts from the same base, which is there then.
        layers.await?;
        compile_in_container(&source.folder, context.path(), &work).await?
    };
    copy_all(&source.folder.join("images"), context.path())?;
    copy_all(&node, &context.path().join("pgha-node"))?;
    copy_certificates(context.path())?;
    let images = Images::of(args.postgres);
    let folder = context.path().display().to_string();
    let version = format!("PG_MAJOR={}", args.postgres);
    let label = format!("{LABEL}={}", source.fingerprint);
    for (target, image) in [
        ("wan", &images.wan),
        ("etcd", &images.etcd),
        ("pgbackrest", &images.backup),
        ("postgres", &images.postgres),
    ] {
        let mut build = vec!["docker", "build", "--target", target, "-t", image];
        build.extend(["--build-arg", &version, "--label", &label, &folder]);
        run(&build, None, &work, &format!("building {image}")).await?;
    }
    work.done(&format!(
        "{} built in {:.0} s",
        images.all().join(", "),
        started.elapsed().as_secs_f64()
    ));
    if source.fingerprint != FINGERPRINT {
        events.note(format!(
            "they are of other sources than this pgha: its `up` builds its own again; run the pgha that \
             `cargo build` makes in {}",
            source.folder.display()
        ));
    }
    Ok(())
}

/// Sources to build images from.
#[derive(Debug, PartialEq, Eq)]
struct Sources {
    folder: PathBuf,
    fingerprint: String,
}

/// The sources that were named, else those of this program: around the current folder, or where it was
/// compiled.
fn sources(named: Option<&Path>) -> Result<Sources> {
    if let Some(folder) = named {
        return at(folder).unwrap_or_else(|| {
            Err(Error::bad_input(format!("{} has no sources of pgha", folder.display())))
        });
    }
    let here = std::env::current_dir().or_fail("cannot find the current folder")?;
    own_sources(&here, Path::new(env!("CARGO_MANIFEST_DIR")), FINGERPRINT)
}

/// Those of a fingerprint, around one of two folders.
fn own_sources(here: &Path, compiled: &Path, fingerprint: &str) -> Result<Sources> {
    let mut other = None;
    for found in here.ancestors().chain(compiled.ancestors()).filter_map(at) {
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
        None => Error::missing("the sources of pgha are not here, and the images are built from them")
            .hint("run this inside a checkout, or name one with `pgha build --source DIR`"),
    })
}

/// The sources of pgha in this very folder; nothing where there are none.
fn at(folder: &Path) -> Option<Result<Sources>> {
    let are_there = folder.join("images/layers.sh").is_file()
        && folder.join("images/Dockerfile").is_file()
        && folder.join("crates/pgha-node").is_dir();
    are_there.then(|| {
        let fingerprint = fingerprint::of(folder).or_fail("cannot read the sources of pgha")?;
        Ok(Sources { folder: folder.to_owned(), fingerprint })
    })
}

fn compiles_on_host(asked: NodeBuild) -> bool {
    match asked {
        NodeBuild::Host => true,
        NodeBuild::Container => false,
        NodeBuild::Auto => cfg!(target_os = "linux") && on_path("cargo") && on_path("cc"),
    }
}

/// Compiles PID 1 with the toolchain of this host and returns the path of the binary.
async fn compile(source: &Path, work: &Work) -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut cargo = vec!["cargo", "build", "--release", "--locked", "--package", "pgha-node"];
    // With a target named, the flags are not those of build scripts.
    cargo.extend(["--target", &target]);
    let place = (source, ("RUSTFLAGS", "-C target-feature=+crt-static"));
    run(&cargo, Some(place), work, "compiling pgha-node").await?;
    let folder =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| source.join("target"), PathBuf::from);
    Ok(folder.join(target).join("release/pgha-node"))
}

/// The same in a container, with Debian's toolchain.
async fn compile_in_container(source: &Path, context: &Path, work: &Work) -> Result<PathBuf> {
    let sources = context.join("node");
    for part in ["Cargo.toml", "Cargo.lock", "crates"] {
        copy_all(&source.join(part), &sources.join(part))?;
    }
    let dockerfile = source.join("images/pgha-node.Dockerfile");
    copy_certificates(&sources)?;
    let (dockerfile, folder) = (dockerfile.display().to_string(), sources.display().to_string());
    run(
        &["docker", "build", "-f", &dockerfile, "-t", NODE_BUILDER, &folder],
        None,
        work,
        "compiling pgha-node in a container",
    )
    .await?;
    let binary = context.join("pgha-node.built");
    let (name, to) =
        (format!("pgha-node-build-{}", std::process::id()), binary.display().to_string());
    run(
        &["docker", "create", "--name", &name, NODE_BUILDER, "true"],
        None,
        work,
        "fetching pgha-node",
    )
    .await?;
    let copied = run(
        &["docker", "cp", &format!("{name}:/out/pgha-node"), &to],
        None,
        work,
        "fetching pgha-node",
    )
    .await;
    run(&["docker", "rm", &name], None, work, "fetching pgha-node").await?;
    copied.map(|()| binary)
}

/// Certificates that this host trusts go into throw-away stages only.
fn copy_certificates(to: &Path) -> Result<()> {
    let from = Path::new(HOST_CERTIFICATES);
    if from.exists() { copy_all(from, &to.join("host-ca.crt")) } else { Ok(()) }
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    let what = || format!("cannot copy {}", from.display());
    if from.is_dir() {
        fs::create_dir_all(to).or_fail(what())?;
        for entry in fs::read_dir(from).or_fail(what())? {
            let entry = entry.or_fail(what())?;
            copy_all(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).or_fail(what())?;
    }
    fs::copy(from, to).map(drop).or_fail(what())
}

/// Runs a program, showing the line it is at; on failure says the end of what it printed.
async fn run(
    argv: &[&str],
    place: Option<(&Path, (&str, &str))>,
    work: &Work,
    doing: &str,
) -> Result<()> {
    work.at(doing, "");
    let mut command = Command::new(argv[0]);
    // Both streams into one pipe, in the order they were written.
    let (reader, writer) = std::io::pipe().or_fail("cannot make a pipe")?;
    command.args(&argv[1..]).stdin(Stdio::null()).kill_on_drop(true);
    command.stdout(writer.try_clone().or_fail("cannot make a pipe")?).stderr(writer);
    if argv.starts_with(&["docker", "build"]) && !has_buildx() {
        // Without buildx a current `docker` refuses to build unless told to use the old builder.
        command.env("DOCKER_BUILDKIT", "0");
    }
    if let Some((folder, (name, value))) = place {
        command.current_dir(folder).env(name, value);
    }
    let failed = || format!("`{}` failed", argv.join(" "));
    let mut child = command.spawn().or_fail(format!("cannot run `{}`", argv[0]))?;
    // The pipe ends when the last writer is gone, and the command holds two.
    drop(command);
    let stream = tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into())
        .or_fail("cannot read a pipe")?;
    let mut lines = BufReader::new(stream).lines();
    let mut said = String::new();
    while let Some(line) = lines.next_line().await.or_fail(failed())? {
        work.at(doing, line.trim());
        said.push_str(&line);
        said.push('\n');
    }
    let status = child.wait().await.or_fail(failed())?;
    if status.success() {
        return Ok(());
    }
    Err(Error::failed(format!("{} ({status})", failed())).because(last_lines(&said)))
}

fn has_buildx() -> bool {
    std::process::Command::new("docker")
        .args(["buildx", "version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn tempdir() -> Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("pgha-").tempdir().or_fail("cannot make a temporary folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with what makes sources, and something in one of them.
    fn checkout(text: &str) -> tempfile::TempDir {
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
        let (own, other) = (checkout("one"), checkout("two"));
        let [of_own, of_other] =
            [&own, &other].map(|root| fingerprint::of(root.path()).expect("a fingerprint"));
        assert_ne!(of_own, of_other);
        assert_eq!(of_own, fingerprint::of(checkout("one").path()).expect("a fingerprint"));
        let named = sources(Some(other.path())).expect("sources");
        assert_eq!(named.fingerprint, of_other);
        assert!(sources(Some(&own.path().join("images"))).is_err());
    }

    #[test]
    fn another_checkout_is_not_taken_for_the_sources_of_this_program() {
        let (own, other) = (checkout("one"), checkout("two"));
        let fingerprint = fingerprint::of(own.path()).expect("a fingerprint");
        let inside = other.path().join("crates/pgha-node");
        // Also while the current folder is in another one.
        let found = own_sources(&inside, own.path(), &fingerprint).expect("its own");
        assert_eq!(found.folder, own.path());
        let error = own_sources(&inside, other.path(), &fingerprint).expect_err("there are none");
        let error = error.to_string();
        assert!(error.contains(&other.path().display().to_string()), "{error}");
        let nowhere = tempfile::tempdir().expect("a temporary folder");
        let error = own_sources(nowhere.path(), nowhere.path(), &fingerprint).expect_err("none");
        assert!(error.to_string().contains("--source"), "{error}");
    }
}
