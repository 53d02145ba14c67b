//! The processes of this container, as `/proc` has them.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its number; the next process of the same number is another one.
    pub(crate) pid: Pid,
    /// Program and arguments, or the title that it has given itself.
    pub(crate) arguments: Vec<String>,
    /// Its parent's number.
    pub(crate) parent: i32,
    /// The kernel's letter for its state, such as `S`, or `T` where it is stopped.
    pub(crate) state: char,
    /// Ticks from the boot of the machine to its start.
    pub(crate) started: u64,
}

impl Seen {
    /// Whether the program, or the script that it runs, has that name.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.arguments.iter().take(2).any(|word| word.rsplit('/').next() == Some(name))
    }

    /// It is over: gone, or waits only for its parent to notice.
    pub(crate) fn has_ended(&self) -> bool {
        look(self.pid).is_none_or(|now| now.started != self.started || now.state == 'Z')
    }

    /// It is stopped by a signal, with all of its threads.
    pub(crate) fn is_stopped(&self) -> Result<bool> {
        let folder = format!("/proc/{}/task", self.pid.as_raw_nonzero());
        let threads = fs::read_dir(&folder).map_err(|e| format!("cannot read {folder}: {e}"))?;
        let state = |thread: fs::DirEntry| {
            let line = fs::read_to_string(thread.path().join("stat")).ok()?;
            stat(&line).map(|(state, ..)| state)
        };
        // One that has just ended has no state.
        Ok(threads.flatten().filter_map(state).all(|state| matches!(state, 'T' | 'Z' | 'X')))
    }

    /// What names it for a later command.
    pub(crate) fn name_it(&self) -> String {
        format!("{} {}", self.pid.as_raw_nonzero(), self.started)
    }

    /// The process that was named so, if it is still there.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let (pid, started) = text.split_once(' ')?;
        let seen = look(Pid::from_raw(pid.parse().ok()?)?)?;
        (seen.started.to_string() == started).then_some(seen)
    }

    /// Sends it a signal; one that has ended needs none.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        match kill_process(self.pid, signal) {
            Err(rustix::io::Errno::SRCH) | Ok(()) => Ok(()),
            Err(e) => Err(format!("cannot signal {}: {e}", self.arguments.join(" "))),
        }
    }
}

/// All that there are, but this one.
pub(crate) fn all() -> Result<Vec<Seen>> {
    let own = rustix::process::getpid();
    let entries = fs::read_dir("/proc").map_err(|e| format!("cannot read /proc: {e}"))?;
    let numbers = entries.flatten().filter_map(|entry| {
        Pid::from_raw(entry.file_name().to_str()?.parse().ok()?).filter(|pid| *pid != own)
    });
    Ok(numbers.filter_map(look).collect())
}

fn look(pid: Pid) -> Option<Seen> {
    let folder = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let line = fs::read(folder.join("cmdline")).ok()?;
    let line = String::from_utf8_lossy(&line);
    let arguments = line.trim_end_matches('\0').split('\0').map(str::to_owned).collect();
    let (state, parent, started) = stat(&fs::read_to_string(folder.join("stat")).ok()?)?;
    Some(Seen { pid, arguments, parent, state, started })
}

/// State, parent and start from `/proc/PID/stat` (`proc_pid_stat(5)`): the program's name, in parentheses, may have any
/// byte in it.
fn stat(line: &str) -> Option<(char, i32, u64)> {
    let (_, rest) = line.rsplit_once(')')?;
    let mut words = rest.split_ascii_whitespace();
    let state = words.next()?.chars().next()?;
    let parent = words.next()?.parse().ok()?;
    // It is the 22nd field, and three are behind.
    let started = words.nth(17)?.parse().ok()?;
    Some((state, parent, started))
}

/// One with these arguments.
#[cfg(test)]
pub(crate) fn seen(arguments: &[&str]) -> Seen {
    let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
    Seen { pid: rustix::process::getpid(), arguments, parent: 1, state: 'S', started: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_is_read_over() {
        let line = "17 (a) b (c) T 1 17 17 0 -1 4194304 1 0 0 0 5 6 0 0 20 0 1 0 98765 1 2";
        assert_eq!(stat(line), Some(('T', 1, 98765)));
        assert_eq!(stat("17 (a"), None);
    }

    #[test]
    fn this_machine_has_processes_that_have_not_ended() {
        let parent = rustix::process::getppid().and_then(look).expect("it has a parent");
        assert!(!parent.has_ended());
        let later = Seen { started: parent.started + 1, ..parent };
        assert!(later.has_ended(), "another one of that number");
    }
}
