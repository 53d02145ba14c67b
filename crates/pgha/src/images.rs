//! Building the images: the base from Debian, PID 1 from this project's sources, then one target of
//! the Dockerfile for each image.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use pgha_core::render::Images;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::cli::{Build, NodeBuild};
use crate::compose_tool::last_lines;
use crate::docker::Engine;
use crate::error::{Error, OrFail, Result};
use crate::host::on_path;
use crate::progress::Progress;

/// What every image starts from.
const BASE: &str = "debian:trixie-slim";
/// The Debian release that makes the base where it cannot be pulled.
const BASE_SUITE: &str = "trixie";
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

/// Builds all images of a major version, reusing every layer that is still right.
pub(crate) async fn build(engine: &Engine, args: &Build) -> Result<()> {
    let source = source_folder(args.source.as_deref())?;
    let progress = Progress::start("images");
    let started = Instant::now();
    ensure_base(engine, &progress).await?;
    let context = tempdir()?;
    let node = build_node(&source, args, context.path(), &progress).await?;
    prepare_context(&source, &node, context.path())?;
    let images = Images::of(args.postgres);
    let label = format!("{LABEL}={FINGERPRINT}");
    for (target, image) in [
        ("wan", &images.wan),
        ("etcd", &images.etcd),
        ("pgbackrest", &images.backup),
        ("postgres", &images.postgres),
    ] {
        let version = format!("PG_MAJOR={}", args.postgres);
        let folder = context.path().display().to_string();
        let mut build = vec!["docker", "build", "--target", target, "-t", image];
        build.extend(["--build-arg", &version, "--label", &label]);
        if args.no_cache {
            build.push("--no-cache");
        }
        build.push(&folder);
        run(&build, None, &progress, &format!("building {image}")).await?;
    }
    progress.done(&format!(
        "{} built in {:.0} s",
        images.all().join(", "),
        started.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// The folder with `images/` and `crates/`: named, around the current folder, or where this program
/// was compiled.
fn source_folder(named: Option<&Path>) -> Result<PathBuf> {
    let is_source = |dir: &Path| {
        dir.join("images/Dockerfile").is_file() && dir.join("crates/pgha-node").is_dir()
    };
    if let Some(dir) = named {
        return if is_source(dir) {
            Ok(dir.to_owned())
        } else {
            Err(Error::bad_input(format!("{} has no sources of pgha", dir.display())))
        };
    }
    let here = std::env::current_dir().or_fail("cannot find the current folder")?;
    let compiled = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .chain(compiled.ancestors())
        .find(|dir| is_source(dir))
        .map(Path::to_owned)
        .ok_or_else(|| {
            Error::missing("the sources of pgha are not here, and the images are built from them")
                .hint("run this inside a checkout, or name one with `--source DIR`")
        })
}

/// Has the base image: from the engine, from a registry, or made from Debian's packages.
async fn ensure_base(engine: &Engine, progress: &Progress) -> Result<()> {
    if engine.api().inspect_image(BASE).await.is_ok() {
        return Ok(());
    }
    let pulled =
        run(&["docker", "pull", "--quiet", BASE], None, progress, &format!("pulling {BASE}")).await;
    let Err(unpulled) = pulled else { return Ok(()) };
    progress.say(&format!("{BASE} cannot be pulled here: making it from Debian's packages"));
    if !on_path("mmdebstrap") {
        return Err(Error::missing(format!("{BASE} can be neither pulled nor made"))
            .because(unpulled)
            .hint("`apt-get install mmdebstrap` lets pgha make it from Debian's packages"));
    }
    let folder = tempdir()?;
    let tar = folder.path().join("base.tar");
    let tar = tar.display().to_string();
    let without_documents = [
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/info/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
    ];
    let mut build = vec!["mmdebstrap", "--variant=minbase"];
    build.extend(without_documents);
    build.extend([BASE_SUITE, &tar]);
    run(&build, None, progress, &format!("making {BASE}")).await?;
    run(&["docker", "import", &tar, BASE], None, progress, &format!("importing {BASE}")).await
}

/// Compiles PID 1 and returns the path of the binary.
async fn build_node(
    source: &Path,
    args: &Build,
    context: &Path,
    progress: &Progress,
) -> Result<PathBuf> {
    let on_host = match args.pid1 {
        NodeBuild::Host => true,
        NodeBuild::Container => false,
        NodeBuild::Auto => cfg!(target_os = "linux") && on_path("cargo") && on_path("cc"),
    };
    if on_host {
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let mut cargo = vec!["cargo", "build", "--release", "--locked", "--package", "pgha-node"];
        // With a target named, the flags are not those of build scripts.
        cargo.extend(["--target", &target]);
        let place = (source, ("RUSTFLAGS", "-C target-feature=+crt-static"));
        run(&cargo, Some(place), progress, "compiling pgha-node").await?;
        let folder = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| source.join("target"), PathBuf::from);
        return Ok(folder.join(target).join("release/pgha-node"));
    }
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
        progress,
        "compiling pgha-node in a container",
    )
    .await?;
    let binary = context.join("pgha-node.built");
    let (name, to) =
        (format!("pgha-node-build-{}", std::process::id()), binary.display().to_string());
    run(
        &["docker", "create", "--name", &name, NODE_BUILDER, "true"],
        None,
        progress,
        "fetching pgha-node",
    )
    .await?;
    let copied = run(
        &["docker", "cp", &format!("{name}:/out/pgha-node"), &to],
        None,
        progress,
        "fetching pgha-node",
    )
    .await;
    run(&["docker", "rm", &name], None, progress, "fetching pgha-node").await?;
    copied.map(|()| binary)
}

/// Puts together the folder that the Docker engine is given.
fn prepare_context(source: &Path, node: &Path, context: &Path) -> Result<()> {
    let images = source.join("images");
    for entry in fs::read_dir(&images).or_fail(format!("cannot read {}", images.display()))? {
        let entry = entry.or_fail(format!("cannot read {}", images.display()))?;
        copy_all(&entry.path(), &context.join(entry.file_name()))?;
    }
    copy_all(node, &context.join("pgha-node"))?;
    copy_certificates(context)
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
    progress: &Progress,
    doing: &str,
) -> Result<()> {
    progress.at(doing, "");
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
        progress.at(doing, line.trim());
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
