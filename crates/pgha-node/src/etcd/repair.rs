//! A repair of etcd inside its members: what PID 1 does with the store before it starts etcd, by the mark on the
//! member's volume ([`pgha_core::etcd_repair`]), and what `pgha` asks meanwhile.
//!
//! Each step begins from whatever a killed container left: a copy is a copy once it has its name, a mark is taken
//! away only when what it asks for is done.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use pgha_core::agent::{AGENT, Etcd};
use pgha_core::etcd_repair::{
    JOURNAL_FILE, Journal, MARK_FILE, Mark, StoreReport, Turn, aside, of_aside,
};
use pgha_core::etcd_start::Listed;
use pgha_core::observe::{self, UnfinishedRepair};
use pgha_core::render::{self, CONFIG_DIR, ETCD_MOUNT, REPOSITORY_DIR};
use pgha_core::topology::{ETCD_CLIENT_PORT, ETCD_PEER_PORT, Member, Role, Topology};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::start;
use crate::files::{self, ETCD, POSTGRES};
use crate::identity::Identity;
use crate::supervise::{Process, Supervisor};
use crate::{Result, http, say};

/// Where etcd's store is.
const DATA: &str = "/pgha/etcd/data";
/// How long etcd may take until it serves as a cluster of one.
const ALONE_DEADLINE: Duration = Duration::from_secs(60);
/// How long it may take to end.
const END_DEADLINE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);
/// How long etcd may take to say how it is.
const ANSWER_DEADLINE: Duration = Duration::from_secs(2);

fn mark_path() -> PathBuf {
    Path::new(ETCD_MOUNT).join(MARK_FILE)
}

fn aside_path(id: &str) -> PathBuf {
    Path::new(ETCD_MOUNT).join(aside(id))
}

/// What is to be done with the store.
pub(super) fn mark() -> Result<Option<Mark>> {
    match fs::read_to_string(mark_path()) {
        Ok(text) => text.parse().map(Some),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("cannot read {}: {e}", mark_path().display())),
    }
}

/// Whether this member joins the cluster that there is, without a vote, whatever it was before.
pub(super) fn joins_as_learner() -> bool {
    mark().is_ok_and(|mark| mark.is_some_and(|mark| mark.turn == Turn::Learner))
}

fn set_mark(turn: Turn, id: &str) -> Result<()> {
    let mark = Mark { turn, id: id.to_owned() };
    files::keep(&mark_path().display().to_string(), &mark.to_string(), ETCD)
}

fn clear_mark() -> Result<()> {
    files::remove_if_there(&mark_path())?;
    files::sync(Path::new(ETCD_MOUNT))
}

/// PID 1: does what the mark asks for; the code to end with where the member was asked to stop meanwhile.
pub(super) fn prepare() -> Result<Option<ExitCode>> {
    let Some(Mark { turn, id }) = mark()? else { return Ok(None) };
    let old = aside_path(&id);
    match turn {
        Turn::Alone => {
            // Who copies owns what it has copied.
            let process = Process::new(ETCD, ETCD_MOUNT, &[AGENT, "etcd-alone", &id]);
            let first = Supervisor { main: Some(process), ..Supervisor::default() };
            if let Some(asked_to_stop) = first.run_first()? {
                return Ok(Some(asked_to_stop));
            }
            if mark()?.is_some() {
                return Err("this member is no cluster of one yet: see the lines above".to_owned());
            }
        }
        Turn::Rejoin => {
            if !old.exists() {
                if Path::new(DATA).exists() {
                    rename(Path::new(DATA), &old)?;
                } else {
                    // There was nothing, which is what is put back.
                    make_dir(&old)?;
                }
            }
            set_mark(Turn::Learner, &id)?;
            crate::log(&format!("the store is moved away to {}", old.display()));
        }
        // etcd has started: it has joined.
        Turn::Learner if !start::store_is_empty() => clear_mark()?,
        Turn::Learner => {}
        Turn::Back => {
            if old.exists() {
                remove_dir(Path::new(DATA))?;
                rename(&old, Path::new(DATA))?;
                crate::log("the old store is put back");
            }
            clear_mark()?;
        }
    }
    Ok(None)
}

/// `pgha-node etcd-alone ID`: copies the store, and has etcd start once with nobody but this member in its cluster.
pub(crate) fn alone(arguments: &[String]) -> Result<ExitCode> {
    let [id] = arguments else { return Err("usage: pgha-node etcd-alone ID".to_owned()) };
    let me = Identity::from_environment()?;
    let member = me.member()?;
    let old = aside_path(id);
    if !old.exists() {
        let part = old.with_extension("part");
        remove_dir(&part)?;
        copy_dir(Path::new(DATA), &part)?;
        rename(&part, &old)?;
        crate::log(&format!("the store is copied to {}", old.display()));
    }
    let config = format!("{CONFIG_DIR}/etcd-alone.yaml");
    let usual = render::etcd(&me.topology, member, None);
    files::write(&config, &format!("{}\nforce-new-cluster: true\n", usual.trim_end()), ETCD)?;
    let mut etcd = Command::new("etcd")
        .args(["--config-file", &config])
        .spawn()
        .map_err(|e| format!("cannot start etcd: {e}"))?;
    let served = wait_alone(&mut etcd, member);
    end(&mut etcd);
    served?;
    crate::log("this member is a cluster of one");
    clear_mark()?;
    Ok(ExitCode::SUCCESS)
}

/// Waits until etcd decides by itself.
fn wait_alone(etcd: &mut Child, me: &Member) -> Result<()> {
    let began = Instant::now();
    loop {
        if let Some(status) = etcd.try_wait().map_err(|e| format!("cannot wait for etcd: {e}"))? {
            return Err(format!("etcd ended: {status}"));
        }
        let failed = match start::call(me, "list", &json!({ "linearizable": true })) {
            Ok(members) if members.len() == 1 => return Ok(()),
            Ok(members) => format!("it lists {} members", members.len()),
            Err(reason) => reason,
        };
        if began.elapsed() > ALONE_DEADLINE {
            return Err(format!("etcd is no cluster of one within {ALONE_DEADLINE:?}: {failed}"));
        }
        thread::sleep(POLL);
    }
}

/// Ends etcd, which has written all that it told of.
fn end(etcd: &mut Child) {
    let pid = i32::try_from(etcd.id()).ok().and_then(Pid::from_raw);
    let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
    let began = Instant::now();
    while began.elapsed() < END_DEADLINE {
        if etcd.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        thread::sleep(POLL);
    }
    let _ = etcd.kill();
    let _ = etcd.wait();
}

/// Does what a repair asks for.
pub(crate) fn run(request: &Etcd) -> Result<()> {
    match request {
        Etcd::Store => {
            let me = Identity::from_environment()?;
            let report = report(me.member()?)?;
            say(&serde_json::to_string(&report).map_err(|e| format!("cannot write JSON: {e}"))?);
            Ok(())
        }
        Etcd::Promote { member } => {
            let me = Identity::from_environment()?;
            for name in promote(&me.topology, me.member()?, member)? {
                say(&name);
            }
            Ok(())
        }
        Etcd::Tidy { id } => {
            remove_dir(&aside_path(id))?;
            if mark()?.is_some_and(|mark| mark.id == *id) { clear_mark() } else { Ok(()) }
        }
        Etcd::Journal => {
            match fs::read_to_string(journal_path()) {
                Ok(text) => say(text.trim_end()),
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(format!("cannot read {}: {e}", journal_path().display())),
            }
            Ok(())
        }
        Etcd::KeepJournal(text) if text.is_empty() => {
            files::remove_if_there(&journal_path())?;
            files::sync(Path::new(REPOSITORY_DIR))
        }
        Etcd::KeepJournal(text) => {
            files::keep(&journal_path().display().to_string(), text, POSTGRES)
        }
    }
}

fn journal_path() -> PathBuf {
    Path::new(REPOSITORY_DIR).join(JOURNAL_FILE)
}

/// On the backup host: how far a repair is that is not finished; `None` where there is none, or its journal is of another
/// version.
pub(crate) fn unfinished(topology: &Topology) -> Option<UnfinishedRepair> {
    let journal: Journal = serde_json::from_str(&fs::read_to_string(journal_path()).ok()?).ok()?;
    Some(journal.unfinished(&topology.id.to_string()))
}

fn report(me: &Member) -> Result<StoreReport> {
    let ask = |path: &str, body: &str| {
        http::client(ANSWER_DEADLINE, ANSWER_DEADLINE)
            .post(http::url(me.address, ETCD_CLIENT_PORT, path))
            .content_type("application/json")
            .send(body)
            .and_then(|mut answer| answer.body_mut().read_to_vec())
            .map_err(|e| e.to_string())
    };
    Ok(StoreReport {
        mark: mark()?,
        there: !start::store_is_empty(),
        aside: kept(),
        opened: http::get(me.address, ETCD_PEER_PORT, "members").is_some(),
        store_bytes: used_bytes(Path::new(DATA)),
        free_bytes: files::disk(ETCD_MOUNT)?.free_bytes,
        status: ask("v3/maintenance/status", "{}").and_then(|body| observe::etcd_status(&body)),
        keys: ask("v3/kv/range", &observe::dcs_request(false)).and_then(|body| observe::dcs(&body)),
    })
}

/// The repairs of which an old store is kept.
fn kept() -> Vec<String> {
    let entries = fs::read_dir(ETCD_MOUNT).into_iter().flatten().flatten();
    entries.filter_map(|entry| of_aside(entry.file_name().to_str()?).map(str::to_owned)).collect()
}

/// Gives a member its vote, where it has none and is ready for it; who votes, by name.
fn promote(topology: &Topology, me: &Member, name: &str) -> Result<Vec<String>> {
    let other = topology
        .of_role(Role::Etcd)
        .find(|member| member.name == name)
        .ok_or_else(|| format!("{name} is no etcd member"))?;
    let url = start::peer_url(other);
    let members = start::call(me, "list", &json!({ "linearizable": true }))?;
    let learner = members.iter().find(|listed| listed.peer_url == url && listed.is_learner);
    let members = match learner {
        Some(learner) => start::call(me, "promote", &json!({ "ID": learner.id.to_string() }))?,
        None => members,
    };
    let votes = |listed: &&Listed| !listed.is_learner && listed.has_run;
    let name_of = |listed: &Listed| {
        let known = topology.of_role(Role::Etcd).find(|m| start::peer_url(m) == listed.peer_url);
        known.map_or_else(|| listed.name.clone(), |member| member.name.clone())
    };
    Ok(members.iter().filter(votes).map(name_of).collect())
}

fn used_bytes(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => used_bytes(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

fn make_dir(path: &Path) -> Result<()> {
    files::private_dir(&path.display().to_string(), ETCD)
}

/// Copies a folder; afterwards it is on the disk.
fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    let explain =
        |e: std::io::Error| format!("cannot copy {} to {}: {e}", from.display(), to.display());
    make_dir(to)?;
    for entry in fs::read_dir(from).map_err(explain)? {
        let entry = entry.map_err(explain)?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(explain)?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).map_err(explain)?;
            files::sync(&target)?;
        }
    }
    files::sync(to)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)
        .map_err(|e| format!("cannot rename {} to {}: {e}", from.display(), to.display()))?;
    files::sync(Path::new(ETCD_MOUNT))
}

fn remove_dir(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {e}", path.display()))
        }
        _ => Ok(()),
    }
}
