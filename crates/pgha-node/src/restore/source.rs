//! In a container that has nothing but a repository, read-only: what it has, and a copy of it.
//!
//! The container is of no cluster. What it is to do comes on its standard input
//! ([`pgha_core::restore::source::Request`]), the key with it, which is written to a file of mode 0600 in
//! memory and nowhere else.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use pgha_core::render::CONFIG_DIR;
use pgha_core::repository::STANZA;
use pgha_core::repository::json_of_printed;
use pgha_core::restore::source::{
    self, Answer, Ask, At, COPY_MOUNT, Found, Further, Place, Request, Unusable,
};
use serde_json::{Value, json};

use crate::files::{self, Owner};
use crate::repository;
use crate::{Result, say};

/// Who reads a folder whoever owns it.
const ROOT: Owner = Owner(0);
/// The parts of a repository, in the order they are copied: the WAL that makes the last backup consistent is
/// there when that is.
const PARTS: [&str; 2] = ["backup", "archive"];
/// Objects of a bucket that are fetched at once.
const FETCHERS: usize = 8;
/// Bytes that tell an encrypted file from a plain one.
const HEAD_BYTES: usize = 64;

/// Does what standard input asks for and prints the answer as JSON.
pub(crate) fn run() -> Result<()> {
    let request: Request = serde_json::from_reader(std::io::stdin())
        .map_err(|e| format!("no request on standard input: {e}"))?;
    let answer = match &request.ask {
        Ask::Find { stanza } => match find(&request, stanza.as_deref())? {
            Ok(found) => json!(Answer::Found(found)),
            Err(unusable) => json!(Answer::Refused(unusable)),
        },
        Ask::Tablespaces { at, backup } => {
            let asker = Asker::new(&request, at, request.key.is_some())?;
            json!(repository::tablespaces_of(&|arguments| asker.text(arguments), "1", backup)?)
        }
        Ask::Copy { at } => {
            copy(&request, at)?;
            Value::Null
        }
    };
    say(&answer.to_string());
    Ok(())
}

/// pgBackRest with a configuration of one repository.
struct Asker {
    config: PathBuf,
    stanza: Option<String>,
}

impl Asker {
    fn new(request: &Request, at: &At, encrypted: bool) -> Result<Self> {
        let asker = Self::of_root(request, &at.root, encrypted)?;
        Ok(Self { stanza: Some(at.stanza.clone()), ..asker })
    }

    fn of_root(request: &Request, root: &str, encrypted: bool) -> Result<Self> {
        static WRITTEN: AtomicU32 = AtomicU32::new(0);
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let config = format!("{CONFIG_DIR}/source-{number}.conf");
        files::write(&config, &request.config(root, encrypted), ROOT)?;
        Ok(Self { config: config.into(), stanza: None })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // Not the script that makes root the user postgres: a folder may be of any owner.
        let mut command = Command::new("/usr/bin/pgbackrest");
        command.arg(format!("--config={}", self.config.display()));
        command.args(self.stanza.iter().map(|stanza| format!("--stanza={stanza}")));
        command.args(["--log-level-console=off", "--log-level-stderr=error"]).args(arguments);
        command.stdin(Stdio::null());
        command
    }

    fn bytes(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let done =
            self.command(arguments).output().map_err(|e| format!("cannot run pgbackrest: {e}"))?;
        if done.status.success() {
            return Ok(done.stdout);
        }
        let why = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        Err(format!("pgbackrest {} failed: {why}", arguments.join(" ")))
    }

    fn text(&self, arguments: &[&str]) -> Result<String> {
        self.bytes(arguments).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Names in a folder of the repository, or in the repository itself.
    fn names(&self, path: Option<&str>) -> Result<BTreeSet<String>> {
        let arguments: Vec<&str> = ["--output=json", "repo-ls"].into_iter().chain(path).collect();
        let printed = self.bytes(&arguments)?;
        let listing: Value = serde_json::from_str(&json_of_printed(&printed))
            .map_err(|e| format!("pgbackrest repo-ls prints no JSON: {e}"))?;
        let names = listing.as_object().into_iter().flatten();
        Ok(names.map(|(name, _)| name.clone()).filter(|name| name != ".").collect())
    }
}

/// Finds the one repository and the one stanza that are meant, and lists them.
fn find(request: &Request, named: Option<&str>) -> Result<Result<Found, Unusable>> {
    let place = &request.place;
    let away = |said: String| Unusable::Away { place: place.to_string(), said };
    let roots = match roots(request) {
        Ok(roots) => roots,
        Err(said) => return Ok(Err(away(said))),
    };
    let root = match source::pick_root(place, roots) {
        Ok(root) => root,
        Err(unusable) => return Ok(Err(unusable)),
    };
    let plain = Asker::of_root(request, &root, false)?;
    let mut stanzas = BTreeSet::new();
    for part in PARTS {
        stanzas.extend(plain.names(Some(part))?);
    }
    let stanza = match source::pick_stanza(&stanzas, named) {
        Ok(stanza) => stanza,
        Err(unusable) => return Ok(Err(unusable)),
    };
    let at = At { root, stanza };
    let encrypted = match open(request, &at)? {
        Ok(encrypted) => encrypted,
        Err(unusable) => return Ok(Err(unusable)),
    };
    let asker = Asker::new(request, &at, encrypted)?;
    let report = match repository::of_stanza(&|arguments| asker.text(arguments), 1, &at.stanza) {
        Ok(report) => report,
        Err(said) => return Ok(Err(Unusable::Unreadable { said })),
    };
    let found = Found { at, encrypted, report };
    Ok(source::demand_usable(&found).map(|_| found))
}

/// Where there are repositories: in the place itself, else where pgha would have put them.
fn roots(request: &Request) -> Result<Vec<String>> {
    let is_one = |root: &str| {
        let names = Asker::of_root(request, root, false)?.names(None)?;
        Ok::<_, String>(source::is_repository(names.iter().map(String::as_str)))
    };
    let root = request.place.root();
    if is_one(&root)? {
        return Ok(vec![root]);
    }
    let further = match request.place.further() {
        Further::Nowhere => Vec::new(),
        Further::Folder(folder) => vec![folder],
        Further::FoldersOf(folder) => {
            let names = Asker::of_root(request, &folder, false)?.names(None)?;
            names.into_iter().map(|name| format!("{folder}/{name}")).collect()
        }
    };
    let mut found = Vec::new();
    for root in further {
        if is_one(&root)? {
            found.push(root);
        }
    }
    Ok(found)
}

/// Whether it is encrypted, once the key was tried and the format looked at.
fn open(request: &Request, at: &At) -> Result<Result<bool, Unusable>> {
    let plain = Asker::new(request, at, false)?;
    let mut found = None;
    // pgBackRest writes both, one after the other.
    for name in ["backup.info", "backup.info.copy"] {
        let file = format!("backup/{}/{name}", at.stanza);
        match plain.bytes(&["--raw", "--ignore-missing", "repo-get", &file]) {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(bytes) => {
                found = Some((file, bytes));
                break;
            }
            Err(said) => return Ok(Err(Unusable::Unreadable { said })),
        }
    }
    let Some((file, bytes)) = found else {
        return Ok(Err(Unusable::NoBackup { stanza: at.stanza.clone() }));
    };
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    let encrypted = match source::is_encrypted(head, request.key.is_some()) {
        Ok(encrypted) => encrypted,
        Err(unusable) => return Ok(Err(unusable)),
    };
    let text = match Asker::new(request, at, encrypted)?.bytes(&["repo-get", &file]) {
        Ok(text) => text,
        Err(said) if encrypted => return Ok(Err(Unusable::WrongKey { said })),
        Err(said) => return Ok(Err(Unusable::Unreadable { said })),
    };
    Ok(source::demand_format(&text, encrypted).map(|()| encrypted))
}

/// Copies the stanza to the volume, where pgha's own host finds it. Of an earlier attempt nothing is left.
fn copy(request: &Request, at: &At) -> Result<()> {
    let asker = Asker::new(request, at, false)?;
    for part in PARTS {
        let to = Path::new(COPY_MOUNT).join(part);
        if to.exists() {
            fs::remove_dir_all(&to).map_err(|e| format!("cannot empty {}: {e}", to.display()))?;
        }
    }
    for part in PARTS {
        let to = Path::new(COPY_MOUNT).join(part);
        fs::create_dir_all(&to).map_err(|e| format!("cannot make {}: {e}", to.display()))?;
        let to = to.join(STANZA);
        match &request.place {
            Place::Folder(_) => {
                let from = Path::new(&at.root).join(part).join(&at.stanza);
                if from.exists() {
                    call("cp", &["-a", "--", &from.to_string_lossy(), &to.to_string_lossy()])?;
                }
            }
            Place::S3(_) => fetch(&asker, &format!("{part}/{}", at.stanza), &to)?,
        }
    }
    let all = PARTS.map(|part| format!("{COPY_MOUNT}/{part}"));
    call("chmod", &["-R", "u+rwX,go-rwx", &all[0], &all[1]])?;
    call("chown", &["-hR", "999:999", &all[0], &all[1]])?;
    files::private_dir(COPY_MOUNT, files::POSTGRES)?;
    call("sync", &["-f", COPY_MOUNT])
}

fn call(program: &str, arguments: &[&str]) -> Result<()> {
    let done = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|e| format!("cannot run {program}: {e}"))?;
    if done.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Err(format!("{program} {} failed: {why}", arguments.join(" ")))
}

/// Fetches every object below a path as it is, several at once.
fn fetch(asker: &Asker, from: &str, to: &Path) -> Result<()> {
    let printed = asker.bytes(&["--output=json", "--recurse", "repo-ls", from])?;
    let listing: Value = serde_json::from_str(&json_of_printed(&printed))
        .map_err(|e| format!("pgbackrest repo-ls prints no JSON: {e}"))?;
    let entries = listing.as_object().into_iter().flatten();
    let objects: Vec<(String, u64)> = entries
        .filter(|(_, entry)| entry["type"] == "file")
        .map(|(name, entry)| (name.clone(), entry["size"].as_u64().unwrap_or_default()))
        .collect();
    let left = Mutex::new(objects.into_iter());
    let failed = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..FETCHERS {
            scope.spawn(|| {
                let next = || left.lock().ok()?.next();
                while let Some((name, size)) = next() {
                    let whole = fetch_one(asker, &format!("{from}/{name}"), &to.join(&name), size);
                    let Err(reason) = whole else { continue };
                    if let Ok(mut failed) = failed.lock() {
                        failed.get_or_insert(reason);
                    }
                    return;
                }
            });
        }
    });
    failed.into_inner().ok().flatten().map_or(Ok(()), Err)
}

fn fetch_one(asker: &Asker, from: &str, to: &Path, size: u64) -> Result<()> {
    let explain = |e: std::io::Error| format!("cannot write {}: {e}", to.display());
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(explain)?;
    }
    let file = File::create(to).map_err(explain)?;
    let done = asker
        .command(&["--raw", "repo-get", from])
        .stdout(file)
        .output()
        .map_err(|e| format!("cannot run pgbackrest: {e}"))?;
    if !done.status.success() {
        let why = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        return Err(format!("pgbackrest repo-get {from} failed: {why}"));
    }
    let got = fs::metadata(to).map_err(explain)?.len();
    // Those that pgBackRest writes again meanwhile are whole at any time.
    let rewritten = to.extension().is_some_and(|end| end == "info" || end == "copy");
    if got == size || rewritten {
        return Ok(());
    }
    Err(format!("{from} has {size} bytes, and {got} were fetched"))
}
