//! PID 1: starts the member's processes, forwards signals, reaps whatever ends, and ends with the
//! main process.
//!
//! There is one reaper, here. Nothing else in this process may wait for a child once
//! [`Supervisor::run`] has begun: helpers that do so are processes of their own.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};
use signal_hook::consts::{SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::Result;
use crate::files::Owner;

/// Shortest time between two starts of a process that keeps ending.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// A process to run.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// The program and its arguments.
    pub(crate) argv: Vec<String>,
    /// Who it runs as.
    pub(crate) owner: Owner,
    /// Home folder of that user.
    pub(crate) home: &'static str,
}

impl Process {
    /// A process of the given user.
    pub(crate) fn new(owner: Owner, home: &'static str, argv: &[&str]) -> Self {
        Self { argv: argv.iter().map(|&a| a.to_owned()).collect(), owner, home }
    }

    fn name(&self) -> &str {
        self.argv[0].rsplit('/').next().unwrap_or_default()
    }

    fn spawn(&self) -> Result<Pid> {
        let child = Command::new(&self.argv[0])
            .args(&self.argv[1..])
            .uid(self.owner.0)
            .gid(self.owner.0)
            .env("HOME", self.home)
            // A group of its own: a signal from a terminal must not reach it past PID 1.
            .process_group(0)
            .spawn()
            .map_err(|e| format!("cannot start {}: {e}", self.argv.join(" ")))?;
        Ok(Pid::from_child(&child))
    }
}

/// What to do when a process ends that is not the main one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenItEnds {
    /// Start it again.
    Restart,
    /// It has done its work.
    Forget,
}

/// The processes of a member.
#[derive(Debug, Default)]
pub(crate) struct Supervisor {
    /// The member ends when this one does.
    pub(crate) main: Option<Process>,
    /// The member outlives its main process.
    pub(crate) outlive_main: bool,
    /// The others.
    pub(crate) others: Vec<(Process, WhenItEnds)>,
}

impl Supervisor {
    /// Runs until the main process has ended, or a signal asks for the end where there is none.
    ///
    /// The exit code is the main process's where it was asked to stop. Where it ended by itself the
    /// code is its own if that is not zero, and 1 otherwise.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let explain = |e| format!("cannot handle signals: {e}");
        let mut signals =
            Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGALRM])
                .map_err(explain)?;
        let mut main_pid = self.main.as_ref().map(Process::spawn).transpose()?;
        let mut running = BTreeMap::new();
        for (index, (process, _)) in self.others.iter().enumerate() {
            running.insert(process.spawn()?.as_raw_nonzero(), (index, Instant::now()));
        }
        let mut asked_to_stop = false;
        let mut pending: Vec<(usize, Instant)> = Vec::new();

        for signal in signals.forever() {
            match signal {
                SIGCHLD | SIGALRM => {
                    while let Some((pid, status)) = wait(WaitOptions::NOHANG).ok().flatten() {
                        if main_pid == Some(pid) {
                            let name = self.main.as_ref().map_or("", |p| p.name());
                            crate::log(&format!("{name} ended: {}", describe(status)));
                            if !self.outlive_main || asked_to_stop {
                                return Ok(exit_code(status, asked_to_stop));
                            }
                            crate::log("this member was made to outlive it and stays up");
                            main_pid = None;
                        } else if let Some((index, since)) = running.remove(&pid.as_raw_nonzero()) {
                            let (process, then) = &self.others[index];
                            if *then == WhenItEnds::Restart && !asked_to_stop {
                                crate::log(&format!(
                                    "{} ended: {}; starting it again",
                                    process.name(),
                                    describe(status)
                                ));
                                pending.push((index, since + RESTART_PAUSE));
                            }
                        }
                    }
                    let now = Instant::now();
                    for (index, due) in std::mem::take(&mut pending) {
                        if due <= now {
                            let pid = self.others[index].0.spawn()?;
                            running.insert(pid.as_raw_nonzero(), (index, now));
                        } else {
                            pending.push((index, due));
                        }
                    }
                    if !pending.is_empty() {
                        wake_up_later();
                    }
                }
                SIGTERM | SIGINT => {
                    asked_to_stop = true;
                    match main_pid {
                        // Patroni, etcd and pgBackRest all take SIGTERM as a request to end well.
                        Some(pid) => send(pid, Signal::TERM),
                        None => return Ok(ExitCode::SUCCESS),
                    }
                }
                other => {
                    if let (Some(pid), Some(signal)) = (main_pid, Signal::from_named_raw(other)) {
                        send(pid, signal);
                    }
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Has the loop look again after a while, through a signal like everything else it reacts to.
fn wake_up_later() {
    std::thread::spawn(|| {
        std::thread::sleep(RESTART_PAUSE);
        send(rustix::process::getpid(), Signal::ALARM);
    });
}

fn send(pid: Pid, signal: Signal) {
    // A process that has just ended is reaped in the next round; nothing to be done here.
    let _ = kill_process(pid, signal);
}

fn exit_code(status: WaitStatus, asked_to_stop: bool) -> ExitCode {
    let code = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 1,
    };
    let code = u8::try_from(code).unwrap_or(1);
    ExitCode::from(if code == 0 && !asked_to_stop { 1 } else { code })
}

fn describe(status: WaitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    ExitStatus::from_raw(status.as_raw()).to_string()
}
