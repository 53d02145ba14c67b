//! `pgha bundle`: what somebody who looks into a problem wants to see, in one archive without secrets. Works on a cluster
//! of which only parts answer, and without an engine: what cannot be read is said in the archive.

mod collect;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use pgha_core::bundle::{Bundle, MISSING, Redactor};
use pgha_core::words::bytes;

use crate::cli;
use crate::cluster::{self, Among, Cluster};
use crate::docker::Engine;
use crate::error::{Error, OrFail as _, Result};
use crate::events::Events;
use crate::{kept_file, project, secrets, terminal};

/// Carries out `pgha bundle`.
pub(crate) async fn run(args: &cli::Bundle, events: &Events) -> Result<()> {
    let engine = Engine::connect().await;
    let cluster = match &engine {
        Ok(engine) => whose(engine, args.cluster.as_deref()).await?,
        Err(_) => None,
    };
    let whose = cluster.as_ref().map_or_else(|| "pgha".to_owned(), |c| format!("pgha-{}", c.id));
    let now = Timestamp::now();
    let folder = format!("{whose}-{}", now.strftime("%Y%m%d-%H%M%S"));
    let path = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{folder}.tar.gz")));
    if fs::symlink_metadata(&path).is_ok() {
        return Err(Error::bad_input(format!("{} is there already", path.display()))
            .hint("`-o` with another name"));
    }
    let events = match &cluster {
        Some(cluster) => events.of(&cluster.id),
        None => events.clone(),
    };
    let work = events.begin("bundle");
    let mut bundle = Bundle::default();
    let redactor = redactor(cluster.as_ref(), &mut bundle);
    collect::machine(engine.as_ref(), &mut bundle, &work).await;
    match (&engine, &cluster) {
        (Ok(engine), Some(cluster)) => {
            let since = args.since.map(|since| since.before(now));
            Box::pin(collect::cluster(engine, cluster, since, &mut bundle, &work)).await;
        }
        _ => bundle.add("cluster", Err("no cluster can be found".to_owned())),
    }
    let missing = bundle.missing();
    let files = bundle.sealed(&redactor);
    let archive = archive(&folder, &files, now).or_fail("cannot make the archive")?;
    kept_file::write(&path, &archive, kept_file::PRIVATE)
        .or_fail(format!("cannot write {}", path.display()))?;
    if missing > 0 {
        events.note(format!("{missing} things could not be read: {MISSING} in the archive"));
    }
    let size = bytes(archive.len() as u64);
    work.done(&format!("{} files, {size}; look into it before you hand it on", files.len()));
    terminal::print(&format!("{}\n", path.display()))
}

/// The cluster that is named or meant; none where there is none at all.
async fn whose(engine: &Engine, name: Option<&str>) -> Result<Option<Cluster>> {
    let clusters = cluster::find(engine).await?;
    if clusters.is_empty() && name.is_none() {
        return Ok(None);
    }
    cluster::resolve(clusters, name, Among::All).map(Some)
}

/// One that knows every secret of a cluster.
fn redactor(cluster: Option<&Cluster>, bundle: &mut Bundle) -> Redactor {
    let Some(cluster) = cluster else { return Redactor::default() };
    let read = project::secrets_beside(cluster).map_err(|error| error.reason()).and_then(|file| {
        let dir = secrets::dir_of(&file);
        texts(&dir).map_err(|e| format!("cannot read {}: {e}", dir.display()))
    });
    match read {
        Ok(texts) => Redactor::of(texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))),
        Err(why) => {
            let why = format!("{why}; the files here were searched for what looks like a secret");
            bundle.add("secrets", Err(why));
            Redactor::default()
        }
    }
}

fn texts(dir: &Path) -> std::io::Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let text = String::from_utf8_lossy(&fs::read(entry.path())?).into_owned();
            texts.push((entry.file_name().to_string_lossy().into_owned(), text));
        }
    }
    Ok(texts)
}

fn archive(
    folder: &str,
    files: &BTreeMap<String, String>,
    now: Timestamp,
) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(now.as_second()).unwrap_or_default());
        tar.append_data(&mut header, format!("{folder}/{name}"), text.as_bytes())?;
    }
    let mut gz = tar.into_inner()?;
    gz.flush()?;
    gz.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_archive_unpacks_into_one_folder() {
        let files = BTreeMap::from([
            ("logs/a.log".to_owned(), "one\n".to_owned()),
            (MISSING.to_owned(), "nothing\n".to_owned()),
        ]);
        let made = archive("pgha-demo-1", &files, Timestamp::UNIX_EPOCH).expect("an archive");
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(&made[..]));
        let mut found = BTreeMap::new();
        for entry in tar.entries().expect("entries") {
            let mut entry = entry.expect("an entry");
            let name = entry.path().expect("a path").display().to_string();
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("text");
            found.insert(name, text);
        }
        assert_eq!(found["pgha-demo-1/logs/a.log"], "one\n");
        assert_eq!(found["pgha-demo-1/missing.txt"], "nothing\n");
    }
}
