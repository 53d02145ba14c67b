//! A fault of a member: the wall clock that Patroni or etcd reads is ahead or behind, and that of no other process.
//!
//! Neither asks the kernel for the time but their own copy of its vDSO, which is changed in place ([`vdso`]) while all
//! threads of the process are stopped. The fault is of that process alone: what it starts has a new copy, and so has
//! the process that follows it. Monotonic clocks stay as they are.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pgha_core::fault::{Offset, Program};
use pgha_core::topology::{ETCD_CLIENT_PORT, PATRONI_PORT};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Gid, Signal, Uid, geteuid};
use rustix::thread::{set_thread_res_gid, set_thread_res_uid};

use crate::identity::Identity;
use crate::processes::Seen;
use crate::{Result, http, say, signal};

#[cfg(test)]
mod tests;
mod vdso;

use vdso::Vdso;

/// How long a process may take to stop, and to tell its time.
const DEADLINE: Duration = Duration::from_secs(4);
const POLL: Duration = Duration::from_millis(2);
/// Held while a process is stopped, and names it: one that was left so is found by the next command.
const LOCK: &str = "/pgha/clock";

/// Puts the clock of a program off, and looks that it is.
pub(crate) fn put_off(me: &Identity, program: Program, offset: Offset) -> Result<()> {
    let name = program.as_str();
    let turn = Turn::take(LOCK)?;
    let seen = find(program)?.ok_or_else(|| format!("no process of {name} runs here"))?;
    if seen.is_stopped()? {
        return Err(format!("{name} is frozen: nothing can be seen of its clock"));
    }
    turn.change(&seen, Some(offset))?;
    await_clock(me, program, offset.seconds())
}

/// Gives a program the machine's clock again; says by how much it was off.
pub(crate) fn put_right(me: &Identity, program: Program) -> Result<()> {
    let turn = Turn::take(LOCK)?;
    let was = match find(program)? {
        Some(seen) => {
            let was = turn.change(&seen, None)?;
            if was.is_some() && !seen.is_stopped()? {
                await_clock(me, program, 0)?;
            }
            was
        }
        None => None,
    };
    say_offset(was);
    Ok(())
}

/// Says by how much the clock of a program is off.
pub(crate) fn state(program: Program) -> Result<()> {
    let offset = match find(program)? {
        Some(seen) => {
            become_owner_of(&seen)?;
            offset_of(&seen)?
        }
        None => None,
    };
    say_offset(offset);
    Ok(())
}

fn say_offset(offset: Option<Offset>) {
    say(&offset.map_or_else(String::new, |offset| offset.to_string()));
}

fn find(program: Program) -> Result<Option<Seen>> {
    if !matches!(program, Program::Patroni | Program::Etcd) {
        return Err(format!("{} has no clock of its own", program.as_str()));
    }
    if cfg!(not(target_arch = "x86_64")) {
        return Err("the clock of one process can be changed on x86-64 only".to_owned());
    }
    signal::only_process_of(program)
}

/// The right to stop a process here. Of two commands at once one waits.
struct Turn {
    file: File,
}

impl Turn {
    /// Takes it, and lets a process go on whose command was killed while it was stopped.
    fn take(path: &str) -> Result<Self> {
        let explain = |e: std::io::Error| format!("cannot lock {path}: {e}");
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(path).map_err(explain)?;
        flock(&file, FlockOperation::LockExclusive).map_err(|e| explain(e.into()))?;
        let mut left = String::new();
        file.read_to_string(&mut left).map_err(explain)?;
        let turn = Self { file };
        if let Some(stopped) = Seen::named(&left) {
            stopped.signal(Signal::CONT)?;
            turn.note("")?;
        }
        Ok(turn)
    }

    fn note(&self, text: &str) -> Result<()> {
        let write = |mut file: &File| {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(text.as_bytes())
        };
        write(&self.file).map_err(|e| format!("cannot note the stopped process: {e}"))
    }

    /// Has the clock of a process be off by that much, or right; gives back by how much it was. The process is stopped
    /// meanwhile.
    fn change(&self, seen: &Seen, to: Option<Offset>) -> Result<Option<Offset>> {
        become_owner_of(seen)?;
        let began = Instant::now();
        let frozen = seen.is_stopped()?;
        loop {
            self.note(&seen.name_it())?;
            let changed = stop(seen, began).and_then(|()| change(seen, to));
            if !frozen {
                seen.signal(Signal::CONT)?;
            }
            self.note("")?;
            match changed? {
                Changed::From(was) => return Ok(was),
                Changed::NotYet if began.elapsed() > DEADLINE => {
                    return Err("a thread of it was never out of the function that tells the time"
                        .to_owned());
                }
                Changed::NotYet => std::thread::sleep(POLL),
            }
        }
    }
}

/// The kernel lets a process without capabilities write into one of the same user, and root without them into none.
fn become_owner_of(seen: &Seen) -> Result<()> {
    let folder = format!("/proc/{}", seen.pid.as_raw_nonzero());
    let owner = fs::metadata(&folder).map_err(|e| format!("cannot read {folder}: {e}"))?;
    let (uid, gid) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
    if geteuid() == uid {
        return Ok(());
    }
    let explain = |e| format!("cannot become the user {}: {e}", owner.uid());
    set_thread_res_gid(gid, gid, gid).map_err(explain)?;
    set_thread_res_uid(uid, uid, uid).map_err(explain)
}

/// Stops all threads of a process.
fn stop(seen: &Seen, began: Instant) -> Result<()> {
    seen.signal(Signal::STOP)?;
    while !seen.is_stopped()? {
        if seen.has_ended() || began.elapsed() > DEADLINE {
            return Err(format!("the process does not stop within {} s", DEADLINE.as_secs()));
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// What came of a try to change a clock.
enum Changed {
    /// It was off by that much before.
    From(Option<Offset>),
    /// A thread stands where something would be written.
    NotYet,
}

/// Changes the library of a stopped process.
fn change(seen: &Seen, to: Option<Offset>) -> Result<Changed> {
    let library = Library::of(seen)?;
    let image = library.read()?;
    let vdso = Vdso::parse(&image)?;
    for thread in library.threads()? {
        if vdso.is_within_entry(thread) {
            return Ok(Changed::NotYet);
        }
    }
    let was = vdso.offset().and_then(Offset::of_seconds);
    let writes = match to {
        Some(offset) => vdso.put_off(offset.seconds())?,
        None => vdso.put_right(),
    };
    for (at, bytes) in writes {
        library.write(at, &bytes)?;
    }
    let after = library.read()?;
    if Vdso::parse(&after)?.offset() != to.map(Offset::seconds) {
        return Err("the vDSO of the process does not have what was written".to_owned());
    }
    Ok(Changed::From(was))
}

fn offset_of(seen: &Seen) -> Result<Option<Offset>> {
    let image = Library::of(seen)?.read()?;
    Ok(Vdso::parse(&image)?.offset().and_then(Offset::of_seconds))
}

/// Where the vDSO of a process is.
struct Library {
    process: String,
    memory: File,
    start: u64,
    bytes: usize,
}

impl Library {
    fn of(seen: &Seen) -> Result<Self> {
        let process = format!("/proc/{}", seen.pid.as_raw_nonzero());
        let maps = read_text(&format!("{process}/maps"))?;
        let (start, end) = mapped(&maps).ok_or("the process has no vDSO")?;
        let path = format!("{process}/mem");
        let memory = OpenOptions::new().read(true).write(true).open(&path);
        let memory = memory.map_err(|e| format!("cannot write {path}: {e}{}", why_not()))?;
        let bytes = usize::try_from(end - start).map_err(|e| e.to_string())?;
        Ok(Self { process, memory, start, bytes })
    }

    fn read(&self) -> Result<Vec<u8>> {
        let mut image = vec![0; self.bytes];
        let explain = |e| format!("cannot read {}/mem: {e}", self.process);
        self.memory.read_exact_at(&mut image, self.start).map_err(explain)?;
        Ok(image)
    }

    fn write(&self, at: usize, bytes: &[u8]) -> Result<()> {
        let explain = |e| format!("cannot write {}/mem: {e}", self.process);
        let at = self.start + u64::try_from(at).map_err(|e| e.to_string())?;
        self.memory.write_all_at(bytes, at).map_err(explain)
    }

    /// Where in the library each thread of the stopped process stands; those elsewhere are none of it.
    fn threads(&self) -> Result<Vec<usize>> {
        let folder = format!("{}/task", self.process);
        let threads = fs::read_dir(&folder).map_err(|e| format!("cannot read {folder}: {e}"))?;
        let mut places = Vec::new();
        for thread in threads.flatten() {
            let line = read_text(&thread.path().join("syscall").to_string_lossy())?;
            let counter = program_counter(&line).ok_or("a thread of the process still runs")?;
            let place = counter.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
            places.extend(place.filter(|at| *at < self.bytes));
        }
        Ok(places)
    }
}

/// Why the kernel of this host may forbid it.
fn why_not() -> &'static str {
    match fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope") {
        Ok(scope) if scope.trim() != "0" => {
            "; the kernel of this host forbids it while kernel.yama.ptrace_scope is not 0: \
             `sysctl -w kernel.yama.ptrace_scope=0` on the host allows it"
        }
        _ => "",
    }
}

fn read_text(path: &str) -> Result<String> {
    fs::read_to_string(path).map_err(|e| format!("cannot read {path}: {e}"))
}

/// First address of the vDSO, and the one behind it.
fn mapped(maps: &str) -> Option<(u64, u64)> {
    let line = maps.lines().find(|line| line.ends_with("[vdso]"))?;
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    let (start, end) = (number(start)?, number(end)?);
    (start < end).then_some((start, end))
}

/// The address of the next instruction: the last word of `/proc/PID/task/TID/syscall`, be it in a system call or not.
fn program_counter(line: &str) -> Option<u64> {
    let last = line.trim().rsplit(' ').next()?;
    u64::from_str_radix(last.strip_prefix("0x")?, 16).ok()
}

/// Waits until a program tells that time itself: both date their answers over HTTP.
fn await_clock(me: &Identity, program: Program, offset_s: i64) -> Result<()> {
    let address = me.member()?.address;
    let url = match program {
        Program::Etcd => http::url(address, ETCD_CLIENT_PORT, "version"),
        _ => http::url(address, PATRONI_PORT, "patroni"),
    };
    let began = Instant::now();
    let mut told;
    loop {
        let before = Timestamp::now().as_second();
        told = tell_time(&url);
        let after = Timestamp::now().as_second();
        let right = |time: &i64| (before + offset_s..=after + offset_s).contains(time);
        if told.as_ref().is_ok_and(right) {
            return Ok(());
        }
        if began.elapsed() > DEADLINE {
            let name = program.as_str();
            return Err(match told {
                Ok(time) => format!("{name} tells a time that is {} s off", time - after),
                Err(reason) => format!("{name} does not tell its time: {reason}"),
            });
        }
        std::thread::sleep(POLL);
    }
}

/// The second in which an answer says that it was written.
fn tell_time(url: &str) -> Result<i64> {
    let answer = http::patient().get(url).call().map_err(|e| e.to_string())?;
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
    let date = date.ok_or("its answer has no date")?;
    let time = jiff::fmt::rfc2822::parse(date).map_err(|e| e.to_string())?;
    Ok(time.timestamp().as_second())
}
