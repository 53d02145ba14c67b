//! A repository whose cluster is gone: read, and copied, by a container that has nothing but that.
//!
//! The folder is mounted read-only, and of a bucket nothing is written. The container is told what to do on
//! its standard input, so neither key nor credentials stand in arguments, environment or labels.

use std::path::{Path, PathBuf};
use std::process::Output;

use pgha_core::agent;
use pgha_core::render::{Images, data_dir};
use pgha_core::restore::source::{
    self, Answer, Ask, Bucket, COPY_MOUNT, Found, Place, Request, SOURCE_CA_FILE, SOURCE_MOUNT,
};
use pgha_core::restore::{Facts, Holdings, LogicalReplication, RestorePlan, Target, plan};
use pgha_core::spec::{Encryption, Spec};
use pgha_core::topology::{ClusterId, Topology};
use serde::de::DeserializeOwned;

use crate::cli::FromArgs;
use crate::cluster_file;
use crate::docker::Engine;
use crate::error::{Error, OrFail, Result};
use crate::events::Events;
use crate::images;
use crate::provider::Provider;
use crate::restore::copy;
use crate::restore::facts::refuse_off_volume;
use crate::restore::into::demand_valid;
use crate::sizes;

/// What the container may do: read a folder whoever owns it, and give the copy to the user postgres.
const CAPABILITIES: [&str; 3] = ["CHOWN", "DAC_OVERRIDE", "FOWNER"];

/// A repository without its cluster, and what opens it.
#[derive(Debug)]
pub(crate) struct Source {
    /// Where it is.
    pub(crate) place: Place,
    credentials: Option<[String; 2]>,
    key: Option<String>,
}

/// Reads a secret of one line from a file of the user's.
fn secret(path: &Path, what: &str) -> Result<String> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        Error::bad_input(format!("cannot read {what} in {}", path.display())).because(e)
    })?;
    let line = text.trim().to_owned();
    if line.is_empty() || line.chars().any(char::is_control) {
        return Err(Error::bad_input(format!("{} has no {what}", path.display()))
            .because("a file with one line is wanted, and nothing else in it"));
    }
    Ok(line)
}

fn unusable(unusable: &source::Unusable) -> Error {
    let error = Error::bad_input(unusable.to_string()).hint(unusable.hint());
    unusable.reason().into_iter().fold(error, Error::because)
}

impl Source {
    /// What the user has named, as far as this machine can tell.
    ///
    /// # Errors
    /// When it is no repository's name, or a file or folder is missing.
    pub(crate) fn of(args: &FromArgs) -> Result<Self> {
        let named = args.from.as_deref().unwrap_or_default();
        let place: Place = named
            .parse()
            .map_err(|e: source::PlaceError| Error::bad_input(e.to_string()).hint(e.hint()))?;
        let key = args.key.as_deref().map(|path| secret(path, "key")).transpose()?;
        let access = args.s3_key.as_deref().map(|path| secret(path, "access key")).transpose()?;
        let hidden =
            args.s3_key_secret.as_deref().map(|path| secret(path, "secret key")).transpose()?;
        let place = match place {
            Place::Folder(path) => Place::Folder(existing_folder(&path)?),
            Place::S3(bucket) => Place::S3(with_ca(bucket)?),
        };
        let credentials = match (&place, access, hidden) {
            (Place::S3(_), Some(access), Some(hidden)) => Some([access, hidden]),
            (Place::S3(_), ..) => {
                return Err(Error::bad_input(format!("{place} wants credentials"))
                    .hint("--s3-key FILE and --s3-key-secret FILE, each with one line"));
            }
            (Place::Folder(_), None, None) => None,
            (Place::Folder(_), ..) => {
                return Err(Error::bad_input("a folder takes no credentials of S3"));
            }
        };
        Ok(Self { place, credentials, key })
    }

    /// Finds the stanza and what it has.
    ///
    /// # Errors
    /// When it cannot be restored from.
    pub(crate) async fn find(
        &self,
        engine: &Engine,
        stanza: Option<&str>,
        events: &Events,
    ) -> Result<Found> {
        let image = Images::of(&Spec::default()).backup;
        if images::missing(engine, &Spec::default()).await.contains(&image) {
            images::demand(engine, &Spec::default(), events).await?;
        }
        let ask = Ask::Find { stanza: stanza.map(str::to_owned) };
        match self.answer(ask).await? {
            Answer::Found(found) => Ok(found),
            Answer::Refused(refusal) => Err(unusable(&refusal)),
        }
    }

    /// The key, as the new cluster's own secret.
    pub(crate) fn key(&self) -> Option<Vec<u8>> {
        self.key.as_ref().map(|key| format!("{key}\n").into_bytes())
    }

    /// Decides what a restore would do.
    ///
    /// # Errors
    /// When the target cannot be reached.
    pub(crate) async fn plan(
        &self,
        found: &Found,
        topology: &Topology,
        target: &Target,
    ) -> Result<RestorePlan> {
        let holdings = Holdings::of_stanza(&found.report, &found.at.stanza)
            .or_fail("cannot plan a restore")?;
        let facts = Facts {
            topology,
            repositories: &[holdings],
            leader: None,
            running: Vec::new(),
            databases: Vec::new(),
            named: true,
            // Its cluster is gone from here, and may live elsewhere.
            copy: true,
            source: None,
            logical: LogicalReplication::default(),
            now_s: jiff::Timestamp::now().as_second(),
        };
        let plan = plan(&facts, target)
            .map_err(|refusal| Error::bad_input(refusal.to_string()).hint(refusal.hint()))?;
        let ask = Ask::Tablespaces { at: found.at.clone(), backup: plan.backup.clone() };
        let paths: Vec<String> = self.answer(ask).await?;
        plan.with_tablespaces(paths, &data_dir(topology.spec.postgres))
            .map_err(|off| refuse_off_volume(&off))
    }

    /// Copies it to a volume of the new cluster.
    ///
    /// # Errors
    /// When a part of it cannot be read or written.
    pub(super) async fn copy(
        &self,
        provider: &impl Provider,
        found: &Found,
        volume: &str,
        id: &ClusterId,
    ) -> Result<()> {
        let mount = format!("type=volume,source={volume},target={COPY_MOUNT}");
        let arguments = [&["--mount".to_owned(), mount], self.arguments().as_slice()].concat();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ask = self.request(Ask::Copy { at: found.at.clone() });
        self.read(&copy::run_copy(provider, id, &arguments, &ask).await?)
    }

    /// What the container answers.
    async fn answer<T: DeserializeOwned>(&self, ask: Ask) -> Result<T> {
        let arguments = self.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.read(&copy::run(&arguments, &self.request(ask)).await?)
    }

    /// What the container is told.
    fn request(&self, ask: Ask) -> Vec<u8> {
        let request = Request {
            place: self.place.clone(),
            credentials: self.credentials.clone(),
            key: self.key.clone(),
            ask,
        };
        serde_json::to_vec(&request).expect("plain data is JSON")
    }

    /// What the container is.
    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--cap-drop", "ALL"];
        arguments.extend(CAPABILITIES.iter().flat_map(|capability| ["--cap-add", capability]));
        // In memory: the configuration holds the key.
        arguments.extend(["--tmpfs", "/pgha/config:mode=0700"]);
        let bind = |from: &str, to: &str| format!("type=bind,source={from},target={to},readonly");
        let mount = match &self.place {
            Place::Folder(path) => {
                arguments.extend(["--network", "none"]);
                Some(bind(path, SOURCE_MOUNT))
            }
            Place::S3(Bucket { ca_file, .. }) => {
                ca_file.as_ref().map(|file| bind(file, SOURCE_CA_FILE))
            }
        };
        arguments.extend(mount.iter().flat_map(|mount| ["--mount", mount]));
        let image = Images::of(&Spec::default()).backup;
        let argv = agent::Request::Source.argv();
        arguments.extend(["--entrypoint", &argv[0], &image]);
        arguments.extend(argv[1..].iter().map(String::as_str));
        arguments.into_iter().map(str::to_owned).collect()
    }

    /// What the container has printed.
    fn read<T: DeserializeOwned>(&self, done: &Output) -> Result<T> {
        let what = || format!("the repository in {} cannot be read", self.place);
        if !done.status.success() {
            return Err(Error::failed(what()).because(String::from_utf8_lossy(&done.stderr)));
        }
        serde_json::from_slice(&done.stdout).or_fail(what())
    }
}

/// The spec of the new cluster: as asked, of the repository's major version and encryption.
///
/// # Errors
/// When there can be no such cluster, or its major version is another.
pub(crate) fn spec_of(name: &str, args: &FromArgs, found: &Found) -> Result<Spec> {
    let held = source::demand_usable(found).map_err(|refusal| unusable(&refusal))?;
    let mut spec = match &args.file {
        None => Spec::default(),
        Some(path) => {
            let (spec, text) = cluster_file::read(path)?;
            if let Some(wanted) = source::named_postgres(&text).filter(|named| *named != held) {
                return Err(unusable(&source::Unusable::OtherMajor { held, wanted }));
            }
            spec
        }
    };
    name.clone_into(&mut spec.name);
    spec.postgres = held;
    sizes::set(&mut spec, args.data_centers, args.nodes.as_ref(), None)?;
    spec.backup.encryption = if found.encrypted { Encryption::Aes256Cbc } else { Encryption::None };
    // It may be the very repository that is restored from, which stays as it is.
    spec.backup.repo2 = None;
    spec.server = spec.server.of_a_restored();
    demand_valid(&spec)?;
    Ok(spec)
}

/// The folder, absolute.
fn existing_folder(path: &str) -> Result<String> {
    let whole = std::fs::canonicalize(path).ok().filter(|path| path.is_dir());
    // A comma ends a part of a mount.
    match whole.and_then(|path| path.to_str().map(str::to_owned)) {
        Some(path) if !path.contains(',') => Ok(path),
        Some(path) => Err(Error::bad_input(format!("{path} cannot be mounted"))
            .because("its name has a comma")
            .hint("rename it")),
        None => Err(Error::bad_input(format!("there is no folder {path}"))
            .hint("--from posix:/FOLDER, with the folder that has the repository")),
    }
}

/// The CA as an absolute path.
fn with_ca(bucket: Bucket) -> Result<Bucket> {
    let Some(file) = &bucket.ca_file else { return Ok(bucket) };
    let whole: Option<PathBuf> = std::fs::canonicalize(file).ok().filter(|path| path.is_file());
    match whole {
        Some(path) => Ok(Bucket { ca_file: Some(path.display().to_string()), ..bucket }),
        None => {
            Err(Error::bad_input(format!("ca_file names {file}, which is no file of this machine")))
        }
    }
}
