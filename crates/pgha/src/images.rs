//! Building the images: their layers from Debian, meanwhile PID 1 where it has to be compiled, then one target
//! of the Dockerfile for each image.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use futures_util::future::try_join_all;
use pgha_core::extensions::Addition;
use pgha_core::render::Images;
use pgha_core::spec::Spec;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::cli::{Build, NodeBuild, ReportArgs};
use crate::compose_tool::last_lines;
use crate::docker::Engine;
use crate::error::{Error, OrFail, Result};
use crate::events::{Events, Work};
use crate::program::on_path;
use crate::sources::{self, FINGERPRINT, Origin};

/// Image in which PID 1 is compiled where the host has no toolchain; kept for the next build.
const NODE_BUILDER: &str = "pgha-node-build";
/// Label of an image with the fingerprint of what it was made from.
const LABEL: &str = "pgha.images";
/// Label of an image with what it has beside PostgreSQL.
const LABEL_ADDITION: &str = "pgha.extensions";
/// A host's certificates, for hosts whose way out re-signs TLS.
const HOST_CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The images of a spec that the engine does not have, or has from another version of pgha's sources.
pub(crate) async fn missing(engine: &Engine, spec: &Spec) -> Vec<String> {
    let mut missing = Vec::new();
    for image in Images::of_major(spec.postgres).all() {
        if label(engine, image, LABEL).await.as_deref() != Some(FINGERPRINT) {
            missing.push(image.to_owned());
        }
    }
    missing.extend(missing_addition(engine, spec).await);
    missing.extend(missing_proxy(engine, spec).await);
    missing
}

/// The image with the extensions of a spec, where the engine does not have it.
async fn missing_addition(engine: &Engine, spec: &Spec) -> Option<String> {
    let addition = Addition::of(spec)?;
    let image = Images::of(spec).postgres;
    let is_there = label(engine, &image, LABEL).await.as_deref() == Some(FINGERPRINT)
        && label(engine, &image, LABEL_ADDITION).await == Some(addition.label());
    (!is_there).then_some(image)
}

/// The image of proxies, where a spec has any and the engine does not have it.
async fn missing_proxy(engine: &Engine, spec: &Spec) -> Option<String> {
    let image = Images::of(spec).proxy;
    let wanted =
        spec.proxy.any() && label(engine, &image, LABEL).await.as_deref() != Some(FINGERPRINT);
    wanted.then_some(image)
}

/// A label of an image.
async fn label(engine: &Engine, image: &str, name: &str) -> Option<String> {
    let found = engine.api().inspect_image(image).await.ok()?;
    found.config?.labels?.remove(name)
}

/// Has the images of a spec built from this program's own sources, where any is missing.
pub(crate) async fn demand(engine: &Engine, spec: &Spec, events: &Events) -> Result<()> {
    let plain = Spec { postgres: spec.postgres, ..Spec::default() };
    let with = |spec: &Spec| Build {
        postgres: spec.postgres,
        file: None,
        no_cache: false,
        source: None,
        pid1: NodeBuild::Auto,
        node_binary: None,
        report: ReportArgs::default(),
    };
    if !missing(engine, &plain).await.is_empty() {
        return self::build(&with(spec), spec, events).await;
    }
    if missing_addition(engine, spec).await.is_some() {
        build_addition(&sources::find(None, false)?, spec, false, events).await?;
    }
    if missing_proxy(engine, spec).await.is_some() {
        build_proxy(&sources::find(None, false)?, spec, false, events).await?;
    }
    Ok(())
}

/// Builds all images of a spec, reusing every layer that is still right.
pub(crate) async fn build(args: &Build, spec: &Spec, events: &Events) -> Result<()> {
    let source = sources::find(args.source.as_deref(), args.pid1 != NodeBuild::Auto)?;
    if source.origin == Origin::OwnCheckout {
        events.note(format!(
            "this pgha is a development build: it takes the images from {}",
            source.folder.display()
        ));
    }
    let work = events.begin("images");
    let started = Instant::now();
    let context = tempdir()?;
    let (script, major) = (source.folder.join("images/layers.sh"), spec.postgres.to_string());
    let script = script.display().to_string();
    let mut below = vec!["sh", &script, &major];
    if args.no_cache {
        below.push("--no-cache");
    }
    let layers = run(&below, None, &work, "building layers");
    let node = if let Some(file) = args.node_binary.as_ref().or(source.pid1.as_ref()) {
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
    let images = Images::of_major(spec.postgres);
    let folder = context.path().display().to_string();
    let version = format!("PG_MAJOR={}", spec.postgres);
    let label = format!("{LABEL}={}", source.fingerprint);
    let last = [
        ("wan", &images.wan),
        ("etcd", &images.etcd),
        ("pgbackrest", &images.backup),
        ("postgres", &images.postgres),
    ];
    let last = last.map(async |(target, image)| {
        let mut build = vec!["docker", "build", "--target", target, "-t", image];
        build.extend(["--build-arg", &version, "--label", &label, &folder]);
        run(&build, None, &work, &format!("building {image}")).await
    });
    try_join_all(last).await?;
    work.done(&format!(
        "{} built in {:.0} s",
        images.all().join(", "),
        started.elapsed().as_secs_f64()
    ));
    build_addition(&source, spec, args.no_cache, events).await?;
    build_proxy(&source, spec, args.no_cache, events).await?;
    if source.fingerprint != FINGERPRINT {
        events.note(format!(
            "they are of other sources than this pgha: its `up` builds its own again; run the pgha that \
             `cargo build` makes in {}",
            source.folder.display()
        ));
    }
    Ok(())
}

/// Builds the image with the extensions of a spec, and its locale, over that of the major version.
async fn build_addition(
    source: &sources::Sources,
    spec: &Spec,
    no_cache: bool,
    events: &Events,
) -> Result<()> {
    let Some(addition) = Addition::of(spec) else { return Ok(()) };
    let (base, image) = (Images::of_major(spec.postgres).postgres, Images::of(spec).postgres);
    let packages: Vec<_> = addition.packages(spec.postgres).into_iter().collect();
    let arguments = [
        format!("BASE={base}"),
        format!("PACKAGES={}", packages.join(" ")),
        format!("LOCALE={}", addition.locale.as_deref().unwrap_or_default()),
    ];
    let labels = [
        format!("{LABEL}={}", source.fingerprint),
        format!("{LABEL_ADDITION}={}", addition.label()),
    ];
    let over = Over {
        dockerfile: "extensions.Dockerfile",
        image: &image,
        arguments: &arguments,
        labels: &labels,
    };
    build_over(source, &over, no_cache, events).await
}

/// Builds the image of proxies over that of the router, where a spec has any.
async fn build_proxy(
    source: &sources::Sources,
    spec: &Spec,
    no_cache: bool,
    events: &Events,
) -> Result<()> {
    if !spec.proxy.any() {
        return Ok(());
    }
    let Images { wan, proxy, .. } = Images::of(spec);
    let (arguments, labels) =
        ([format!("BASE={wan}")], [format!("{LABEL}={}", source.fingerprint)]);
    let over = Over {
        dockerfile: "proxy.Dockerfile",
        image: &proxy,
        arguments: &arguments,
        labels: &labels,
    };
    build_over(source, &over, no_cache, events).await
}

/// An image that lies over one of those that every cluster has.
struct Over<'a> {
    dockerfile: &'a str,
    image: &'a str,
    arguments: &'a [String],
    labels: &'a [String],
}

async fn build_over(
    source: &sources::Sources,
    over: &Over<'_>,
    no_cache: bool,
    events: &Events,
) -> Result<()> {
    let work = events.begin("images");
    let started = Instant::now();
    let context = tempdir()?;
    copy_all(&source.folder.join("images"), context.path())?;
    copy_certificates(context.path())?;
    let dockerfile = context.path().join(over.dockerfile).display().to_string();
    let folder = context.path().display().to_string();
    let mut build = vec!["docker", "build", "-f", &dockerfile, "-t", over.image];
    build.extend(over.arguments.iter().flat_map(|argument| ["--build-arg", argument]));
    build.extend(over.labels.iter().flat_map(|label| ["--label", label]));
    if no_cache {
        build.push("--no-cache");
    }
    build.push(&folder);
    run(&build, None, &work, &format!("building {}", over.image)).await?;
    work.done(&format!("{} built in {:.0} s", over.image, started.elapsed().as_secs_f64()));
    Ok(())
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
